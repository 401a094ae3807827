//! Codes: every finding there is, by an example of each.

mod examples;
#[cfg(test)]
mod manual;

use std::fmt;

use corsward_policy::Severity;

use self::examples::examples;

/// A code, and an example of its finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The code.
    pub(super) code: &'static str,
    /// The severity of its findings.
    pub(super) severity: Severity,
    /// The fault.
    pub(super) fault: String,
    /// The fix.
    pub(super) fix: String,
}

/// Every code, in the order of the manual.
pub(super) fn all() -> impl Iterator<Item = Row> {
    examples().into_iter().map(|finding| {
        let (sentence, severity) = (finding.reason.sentence(), finding.severity());
        let (code, fault, fix) = (sentence.code, sentence.matter.clone(), sentence.fix.clone());
        Row { code, severity, fault, fix }
    })
}

// === impl Row ===

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, severity, fault, fix } = self;
        write!(f, "{code} {severity}: {fault}: {fix}")
    }
}
