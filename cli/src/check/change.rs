//! Change: what files make of the findings of the cluster that they are laid over.

use std::collections::BTreeMap;

use corsward_policy::PolicyId;

use super::diagnostic::Diagnostic;

/// The effect of the files on a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// The cluster does not have it.
    Introduced,
    /// The cluster has it, and not with the files.
    Fixed,
    /// The cluster has it with the files and without.
    Unchanged,
}

/// The identity of a finding in two sets of objects: entries of a list may have moved.
type Identity<'d> = (Option<(&'static str, &'d PolicyId)>, &'static str, String, &'d str);

/// The findings of both sets, each with its change: those of `after`, and those that `before` alone has.
pub(super) fn compared<'p>(
    before: Vec<Diagnostic<'p>>,
    after: Vec<Diagnostic<'p>>,
) -> Vec<Diagnostic<'p>> {
    let [was, is] = [counts(&before), counts(&after)];
    let introduced = changes(&after, was, Change::Introduced);
    let fixed = changes(&before, is, Change::Fixed);
    let mut all: Vec<Diagnostic<'p>> = Vec::new();
    for (mut diagnostic, change) in after.into_iter().zip(introduced) {
        diagnostic.change = Some(change);
        all.push(diagnostic);
    }
    for (mut diagnostic, change) in before.into_iter().zip(fixed) {
        diagnostic.change = Some(change);
        all.extend(Some(diagnostic).filter(|_| change == Change::Fixed));
    }
    all.sort_by_key(|it| it.change);
    all
}

fn counts<'d>(diagnostics: &'d [Diagnostic<'_>]) -> BTreeMap<Identity<'d>, usize> {
    let mut counts = BTreeMap::new();
    for diagnostic in diagnostics {
        let count: &mut usize = counts.entry(identity(diagnostic)).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

/// The change of each finding, where `others` are those of the other set.
fn changes<'d>(
    diagnostics: &'d [Diagnostic<'_>],
    mut others: BTreeMap<Identity<'d>, usize>,
    if_absent: Change,
) -> Vec<Change> {
    let change = |diagnostic: &'d Diagnostic<'_>| match others.get_mut(&identity(diagnostic)) {
        Some(count) if *count > 0 => {
            *count = count.saturating_sub(1);
            Change::Unchanged
        }
        _ => if_absent,
    };
    diagnostics.iter().map(change).collect()
}

fn identity<'d>(diagnostic: &'d Diagnostic<'_>) -> Identity<'d> {
    let found = diagnostic.found;
    let subject = found.subject.as_ref().map(|subject| (subject.kind, &subject.id));
    let field = found.finding.field.chars().filter(|c| !c.is_ascii_digit()).collect();
    (subject, diagnostic.sentence.code, field, &diagnostic.sentence.matter)
}

// === impl Change ===

impl Change {
    /// Its word in outputs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Introduced => "introduced",
            Self::Fixed => "fixed",
            Self::Unchanged => "unchanged",
        }
    }

    /// Its word in SARIF, `baselineState`.
    pub(super) const fn baseline_state(self) -> &'static str {
        match self {
            Self::Introduced => "new",
            Self::Fixed => "absent",
            Self::Unchanged => "unchanged",
        }
    }
}
