//! Dangers: which are listed in a block, and which it needs (design section 3.3).

use std::collections::BTreeSet;

use super::report::{Field, Report};
use crate::finding::{Danger, DangerReason, ListReason, Reason};

/// The dangers of one `cors` block.
#[derive(Debug)]
pub(super) struct Dangers {
    /// Whether the block allows credentials; without them nothing is refused.
    pub(super) credentials: bool,
    // INVARIANT: each danger once.
    listed: Vec<(Danger, Field)>,
    needed: BTreeSet<Danger>,
    /// Whether an entry could not be read, so that what it needs is not known.
    undecided: bool,
}

// === impl Dangers ===

impl Dangers {
    /// Reads `dangerouslyAllow`.
    pub(super) fn new(
        credentials: bool,
        words: &[String],
        field: &Field,
        report: &mut Report,
    ) -> Self {
        let mut listed: Vec<(Danger, Field)> = Vec::new();
        for (at, word) in report.bounded(words, field).iter().enumerate() {
            let entry = field.at(at);
            let Some(danger) = Danger::parse(word) else {
                report.add(&entry, DangerReason::Unknown(word.clone()));
                continue;
            };
            if let Some((_, first)) = listed.iter().find(|(known, _)| *known == danger) {
                let (value, first) = (word.clone(), first.to_string());
                report.add(&entry, ListReason::Repeated { value, first });
                continue;
            }
            report.list_danger(&entry, danger);
            listed.push((danger, entry));
        }
        Self { credentials, listed, needed: BTreeSet::new(), undecided: false }
    }

    /// The dangers that are listed.
    pub(super) fn listed(&self) -> impl Iterator<Item = Danger> {
        self.listed.iter().map(|(danger, _)| *danger)
    }

    /// `value` poses `danger`: refused, unless its word is listed.
    pub(super) fn meet(&mut self, danger: Danger, value: &str, field: &Field, report: &mut Report) {
        let value = value.to_owned();
        self.meet_as(danger, DangerReason::Prohibited { danger, value }, field, report);
    }

    /// The same, with a reason that is narrower than the danger.
    pub(super) fn meet_as(
        &mut self,
        danger: Danger,
        reason: impl Into<Reason>,
        field: &Field,
        report: &mut Report,
    ) {
        self.needed.insert(danger);
        if !self.listed.iter().any(|(listed, _)| *listed == danger) {
            report.add(field, reason);
        }
    }

    /// An entry could not be read: what is listed may be for that one.
    pub(super) fn cannot_tell(&mut self) {
        self.undecided = true;
    }

    /// A word that nothing needs would let the next change pass unseen.
    pub(super) fn check_each_is_needed(self, report: &mut Report) {
        for (danger, field) in self.listed {
            if !self.undecided && !self.needed.contains(&danger) {
                report.add(&field, DangerReason::Unneeded(danger));
            }
        }
    }
}
