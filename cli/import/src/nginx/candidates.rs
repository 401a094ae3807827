//! Candidates: the origins and regexes of a file, each of which the model of a server is asked for.

use super::server::Server;
use super::syntax::Directive;
use super::{ORIGIN, find};
use crate::unique::unique_by;

/// The origins and regexes that stand in a file.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// The origins, in lower case.
    pub(super) origins: Vec<String>,
    /// Each with whether it ignores case.
    pub(super) regexes: Vec<(String, bool)>,
    /// The keys of maps with an empty value.
    pub(super) refused: Vec<String>,
}

/// The origins and regexes of a server, of its maps and of its conditions.
pub(super) fn candidates(server: &Server) -> Candidates {
    let mut candidates = Candidates::default();
    let mut add = |text: &str| {
        let text = text.trim();
        if text.contains("://") || text == "null" {
            candidates.origins.push(text.trim_end_matches('/').to_ascii_lowercase());
        }
    };
    let mut regexes = Vec::new();
    let mut refused = Vec::new();
    let of_origin = |text: &str| text.contains("http_origin");
    for map in server.maps.values().filter(|map| of_origin(&map.source)) {
        for (key, value) in &map.entries {
            refused.extend(value.is_empty().then(|| key.to_ascii_lowercase()));
            match key.strip_prefix('~') {
                Some(regex) => regexes.push(
                    regex
                        .strip_prefix('*')
                        .map_or((regex.to_owned(), false), |r| (r.to_owned(), true)),
                ),
                None => add(key),
            }
        }
    }
    let around = [server.outer.as_slice(), &server.directives];
    let mut of_header = |directive: &Directive| {
        if let [name, value, ..] = directive.arguments.as_slice()
            && name.eq_ignore_ascii_case(ORIGIN)
        {
            add(value);
        }
    };
    for directives in around {
        find(directives, "add_header", &mut of_header);
    }
    let mut of_condition = |directive: &Directive| {
        let words: Vec<&str> =
            directive.arguments.iter().flat_map(|word| word.split_whitespace()).collect();
        if let [left, operator, right @ ..] = words.as_slice()
            && of_origin(left)
        {
            let right = right.join(" ");
            let right = right.strip_suffix(')').unwrap_or(&right).trim();
            match *operator {
                "~" => regexes.push((right.to_owned(), false)),
                "~*" => regexes.push((right.to_owned(), true)),
                "=" => add(right),
                _ => {}
            }
        }
    };
    for directives in around {
        find(directives, "if", &mut of_condition);
    }
    regexes.sort();
    regexes.dedup();
    candidates.regexes = regexes;
    candidates.refused = refused;
    unique_by(&mut candidates.origins, String::clone);
    candidates
}
