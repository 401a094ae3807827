//! Knowledge: what validation asks of the world: the public suffix list, parsed regexes, punycode (design section 3.3).

mod regex;
mod suffixes;

use corsward_policy::Knowledge;
use corsward_policy::finding::Replacement;
use corsward_policy::validate::{RegexReach, Steps};

pub use regex::automaton;

/// The knowledge of the operator: it has the public suffix list, private section included, and a regex parser.
#[derive(Clone, Copy, Debug, Default)]
pub struct FullKnowledge;

// === impl FullKnowledge ===

impl Knowledge for FullKnowledge {
    fn is_public_suffix(&self, domain: &str) -> bool {
        suffixes::is_public_suffix(domain)
    }

    fn is_ancestor_of_public_suffix(&self, domain: &str) -> bool {
        suffixes::is_ancestor_of_public_suffix(domain)
    }

    fn regex_reach(&self, regex: &str, steps: &Steps) -> RegexReach {
        regex::reach(regex, steps)
    }

    fn punycode(&self, host: &str) -> Option<String> {
        punycode(host)
    }

    fn regex_in_own_syntax(&self, regex: &str) -> Option<Replacement> {
        regex::in_own_syntax(regex)
    }
}

/// The URL standard's "domain to ASCII", which lets a `*` through.
fn punycode(host: &str) -> Option<String> {
    idna::domain_to_ascii(host).ok().filter(|ascii| ascii.is_ascii() && !ascii.is_empty())
}

#[cfg(test)]
mod tests;
