//! Dependencies: the variables that a header of CORS depends on. A policy judges by the origin, the method, the path and the host.

use std::collections::{BTreeMap, BTreeSet};

use super::syntax::Directive;
use crate::fields::names_header_of_cors;
use crate::settings::Note;

/// The variables that a policy judges by.
const JUDGED: [&str; 4] = [
    "http_origin",
    "request_method",
    "http_access_control_request_method",
    "http_access_control_request_headers",
];

/// The variables that each one depends on.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Remarks on the headers that depend on others.
pub(super) fn remarks(directives: &[Directive]) -> Vec<Note> {
    let mut graph = Graph::new();
    collect(directives, &BTreeSet::new(), &mut graph);
    let mut notes = Vec::new();
    headers(directives, &BTreeSet::new(), &graph, &mut notes);
    notes
}

/// Adds what `map` and `set` make of variables, those of the conditions around included.
fn collect(directives: &[Directive], around: &BTreeSet<String>, graph: &mut Graph) {
    for directive in directives {
        let block = directive.block.as_deref().unwrap_or_default();
        // A group with a name is a part of what is compared.
        let keys = block.iter().filter(|_| directive.name == "map").map(|entry| &entry.name);
        for regex in directive.arguments.iter().chain(keys) {
            let groups = regex.split("(?").skip(1).filter_map(|rest| {
                let rest = rest.strip_prefix('P').unwrap_or(rest).strip_prefix('<')?;
                rest.split_once('>').map(|(name, _)| name.to_owned())
            });
            graph.extend(groups.map(|name| (name, BTreeSet::new())));
        }
        match (directive.name.as_str(), directive.arguments.as_slice()) {
            ("map", [source, variable]) => {
                let of_map = graph.entry(variable.trim_start_matches('$').to_owned()).or_default();
                of_map.extend(variables(source));
                let values = block.iter().flat_map(|entry| &entry.arguments);
                of_map.extend(values.flat_map(|value| variables(value)));
            }
            ("set", [variable, value]) => {
                let of_set = graph.entry(variable.trim_start_matches('$').to_owned()).or_default();
                of_set.extend(variables(value));
                of_set.extend(around.iter().cloned());
            }
            _ => collect(block, &inside(directive, around), graph),
        }
    }
}

fn headers(
    directives: &[Directive],
    around: &BTreeSet<String>,
    graph: &Graph,
    notes: &mut Vec<Note>,
) {
    for directive in directives {
        if let ("add_header", [name, value, ..]) =
            (directive.name.as_str(), directive.arguments.as_slice())
            && names_header_of_cors(name)
        {
            let mut found = around.clone();
            found.extend(variables(value));
            let mut rest: Vec<String> = found.iter().cloned().collect();
            while let Some(variable) = rest.pop() {
                let more = graph.get(&variable).into_iter().flatten();
                rest.extend(more.filter(|more| found.insert((*more).clone())).cloned());
            }
            found.retain(|variable| {
                let is_group = variable.chars().all(|c| c.is_ascii_digit());
                !graph.contains_key(variable) && !is_group && !JUDGED.contains(&variable.as_str())
            });
            let found: Vec<String> = found.iter().map(|name| format!("`${name}`")).collect();
            if !found.is_empty() {
                let text = format!(
                    "`{name}` depends on {}, by which no policy judges: the policy has what a plain request to the path gets",
                    found.join(", ")
                );
                notes.push(Note::decide("", &directive.place, text));
            }
        }
        let block = directive.block.as_deref().unwrap_or_default();
        headers(block, &inside(directive, around), graph, notes);
    }
}

/// The variables that what is inside of a directive depends on.
fn inside(directive: &Directive, around: &BTreeSet<String>) -> BTreeSet<String> {
    let mut around = around.clone();
    if directive.name == "if" {
        // Those behind the operator are of a regex or a text.
        let words = directive.arguments.iter().flat_map(|word| word.split_whitespace());
        around.extend(words.take(1).flat_map(variables));
    }
    around
}

/// The variables of a text.
fn variables(text: &str) -> impl Iterator<Item = String> {
    text.split('$').skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches('{');
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = rest.get(..end)?;
        (!name.is_empty()).then(|| name.to_owned())
    })
}
