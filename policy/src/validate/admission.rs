//! Admission: which of the entries that were probably meant are accepted where they would stand.

use super::analysis::Analysis;
use super::dangers::Dangers;
use super::reached::{dangers_of, is_any_host};
use super::{Knowledge, RegexHazard};
use crate::finding::{Danger, Instead, Replacement};
use crate::pattern::OriginPattern;

/// The rules of a list of origins.
pub(super) struct Admission<'j> {
    pub(super) knowledge: &'j dyn Knowledge,
    list: List,
}

enum List {
    /// `allowOrigins`.
    Allowed {
        /// The dangers that are listed; `None`: without credentials, so that none is needed.
        listed: Option<Vec<Danger>>,
        /// Whether the entry has no neighbor, as `*` must.
        is_alone: bool,
    },
    /// `trustedOrigins`.
    Trusted,
    /// A list in a different object.
    Shared,
}

/// The verdict on one entry.
enum Verdict {
    Accepted,
    /// Without TLS, which its danger is to be listed for.
    Insecure,
    Refused,
}

// === impl Admission ===

impl<'j> Admission<'j> {
    pub(super) fn allowed(dangers: &Dangers, is_alone: bool, knowledge: &'j dyn Knowledge) -> Self {
        let listed = dangers.credentials.then(|| dangers.listed().collect());
        Self { knowledge, list: List::Allowed { listed, is_alone } }
    }

    pub(super) fn trusted(knowledge: &'j dyn Knowledge) -> Self {
        Self { knowledge, list: List::Trusted }
    }

    pub(super) fn shared(knowledge: &'j dyn Knowledge) -> Self {
        Self { knowledge, list: List::Shared }
    }

    /// Those of `guesses` that are accepted. One without TLS that is dangerous is proposed with TLS; no other danger is proposed.
    pub(super) fn of(&self, guesses: Vec<String>) -> Instead {
        let mut instead = Instead::default();
        let is_one = guesses.len() == 1;
        let mut add = |entry: String| {
            if !instead.entries.contains(&entry) {
                instead.entries.push(entry);
            }
        };
        for guess in guesses {
            match self.verdict(&guess, is_one) {
                Verdict::Accepted => add(guess),
                Verdict::Refused => instead.is_refused = true,
                Verdict::Insecure => {
                    let secure = guess.replacen("http://", "https://", 1);
                    if matches!(self.verdict(&secure, is_one), Verdict::Accepted) {
                        add(secure);
                    }
                    instead.insecure.get_or_insert(guess);
                }
            }
        }
        instead
    }

    /// The entry to write for one guess; `None`: it is refused.
    pub(super) fn pattern(&self, guess: String) -> Option<String> {
        self.of(vec![guess]).entries.pop()
    }

    /// `guess`, unless it is refused.
    pub(super) fn replacement(
        &self,
        guess: Replacement,
        analysis: &mut Analysis<'_>,
    ) -> Option<Replacement> {
        match guess {
            Replacement::Pattern(pattern) => self.pattern(pattern).map(Replacement::Pattern),
            Replacement::Regex(regex) => {
                self.accepts_regex(&regex, analysis).then_some(Replacement::Regex(regex))
            }
        }
    }

    fn accepts_regex(&self, regex: &str, analysis: &mut Analysis<'_>) -> bool {
        let List::Allowed { listed: Some(listed), .. } = &self.list else { return true };
        let reach = analysis.reach(regex);
        let is_bounded =
            reach.open_dot.is_none() || listed.contains(&Danger::UnboundedRegexWithCredentials);
        let is_listed = |hazard: &RegexHazard| match hazard.danger() {
            None => true,
            Some(danger) => listed.contains(&danger),
        };
        is_bounded && reach.hazards.iter().all(is_listed)
    }

    fn verdict(&self, guess: &str, is_one: bool) -> Verdict {
        let Ok(parsed) = OriginPattern::parse(guess) else { return Verdict::Refused };
        let pattern = parsed.pattern;
        match &self.list {
            List::Allowed { is_alone, .. }
                if pattern == OriginPattern::Any && !(*is_alone && is_one) =>
            {
                Verdict::Refused
            }
            List::Allowed { listed: Some(listed), .. } => {
                let mut dangers = dangers_of(&pattern, self.knowledge);
                dangers.retain(|danger| !listed.contains(danger));
                match dangers.as_slice() {
                    [] => Verdict::Accepted,
                    [Danger::InsecureOriginWithCredentials] => Verdict::Insecure,
                    _ => Verdict::Refused,
                }
            }
            List::Trusted => match pattern {
                OriginPattern::Tuple(tuple) if !is_any_host(&tuple) => Verdict::Accepted,
                _ => Verdict::Refused,
            },
            List::Shared if pattern == OriginPattern::Any => Verdict::Refused,
            List::Allowed { listed: None, .. } | List::Shared => Verdict::Accepted,
        }
    }
}
