//! Unread: the files that others include, and remarks on what the model of a server does not have.

use super::server;
use super::syntax::Directive;
use crate::fields::{names_header_of_cors, shortened};
use crate::settings::{Failure, Note};

/// Most files that include each other.
const MAX_DEPTH: usize = 16;
/// Most directives that stand in the places of all `include` directives.
const MAX_INCLUDED: usize = 50_000;
/// The directives whose header names are read.
const READ: [&str; 4] = ["add_header", "proxy_hide_header", "set", "if"];

/// The files, while one after the other takes the place of its `include`.
struct Inclusion<'f> {
    files: &'f [(String, Vec<Directive>)],
    /// Those that include each other at this place, the outermost first.
    inside: Vec<&'f str>,
    /// The number of directives that stand in the place of an `include`.
    count: usize,
}

/// The directives of the files that no other one includes; those of an included one stand in the place of its `include`.
pub(super) fn included(files: &[(String, Vec<Directive>)]) -> Result<Vec<Directive>, Failure> {
    let is_included = |name: &str| {
        files.iter().filter(|(other, _)| other != name).any(|(_, directives)| {
            let mut found = false;
            super::find(directives, "include", &mut |it| found |= names_file(it, name));
            found
        })
    };
    let mut all = Vec::new();
    let mut inclusion = Inclusion { files, inside: Vec::new(), count: 0 };
    for (name, directives) in files {
        if !is_included(name) || files.iter().all(|(name, _)| is_included(name)) {
            inclusion.inside = vec![name];
            all.extend(inclusion.expanded(directives)?);
        }
    }
    Ok(all)
}

// === impl Inclusion ===

impl Inclusion<'_> {
    fn expanded(&mut self, directives: &[Directive]) -> Result<Vec<Directive>, Failure> {
        let mut all = Vec::new();
        for directive in directives {
            if self.inside.len() > 1 {
                self.count = self.count.saturating_add(1);
            }
            if self.count > MAX_INCLUDED {
                let text = format!(
                    "`include` multiplies directives: at most {MAX_INCLUDED} are read in its places; give fewer files"
                );
                return Err(Failure::unreadable(&directive.place, text));
            }
            let is_named = |(name, _): &&(String, Vec<Directive>)| {
                directive.name == "include"
                    && names_file(directive, name)
                    && !self.inside.contains(&name.as_str())
                    && self.inside.len() < MAX_DEPTH
            };
            let found: Vec<_> = self.files.iter().filter(is_named).collect();
            for (name, directives) in &found {
                self.inside.push(name);
                all.extend(self.expanded(directives)?);
                self.inside.pop();
            }
            if found.is_empty() {
                let block = directive.block.as_ref();
                let block = block.map(|block| self.expanded(block)).transpose()?;
                let (name, arguments) = (directive.name.clone(), directive.arguments.clone());
                all.push(Directive { name, arguments, block, place: directive.place.clone() });
            }
        }
        Ok(all)
    }
}

/// Whether an `include` names a file, by the folders that both have.
fn names_file(include: &Directive, file: &str) -> bool {
    let pattern = include.arguments.join(" ");
    let mut parts = pattern.rsplit('/').zip(file.rsplit('/'));
    parts.all(|(pattern, part)| match pattern.split_once('*') {
        None => pattern == part,
        Some((start, end)) => part.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
    })
}

/// Remarks on headers of CORS in other directives, and on regexes that are not read.
pub(super) fn remarks(directives: &[Directive]) -> Vec<Note> {
    let mut notes = Vec::new();
    for directive in directives {
        let Directive { name, arguments, block, place } = directive;
        let written = format!("{name} {}", arguments.join(" "));
        let is_header = arguments.iter().any(|argument| names_header_of_cors(argument));
        if is_header && !READ.contains(&name.as_str()) {
            let text = format!(
                "`{}` is not read: write what it means into the policy, and remove it",
                shortened(&written)
            );
            notes.push(Note::decide("", place, text));
        }
        if name == "add_header_inherit" {
            let text = "`add_header_inherit` is not read: the headers around a block with its own are left out there";
            notes.push(Note::decide("", place, text));
        }
        let regexes: Vec<&str> = match (name.as_str(), arguments.as_slice()) {
            ("location", [modifier, regex]) if modifier.starts_with('~') => vec![regex],
            ("if", words) => {
                let operator =
                    words.iter().position(|word| word.trim_start_matches('!').starts_with('~'));
                let regex = operator.and_then(|at| words.get(at.saturating_add(1)));
                regex.into_iter().map(|regex| regex.strip_suffix(')').unwrap_or(regex)).collect()
            }
            ("map", _) => {
                let keys = block.iter().flatten().filter_map(|entry| entry.name.strip_prefix('~'));
                keys.map(|key| key.strip_prefix('*').unwrap_or(key)).collect()
            }
            _ => Vec::new(),
        };
        for regex in regexes.into_iter().filter(|regex| !server::is_regex(regex)) {
            let text = format!(
                "`{regex}` is a regex that is not read, and stands here as one that matches nothing: write what it means"
            );
            notes.push(Note::decide("", place, text));
        }
        if name != "map" {
            notes.extend(remarks(block.as_deref().unwrap_or_default()));
        }
    }
    notes
}
