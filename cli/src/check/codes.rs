//! Codes: every finding there is, by an example of each.

mod examples;
#[cfg(test)]
mod manual;

use std::fmt;

use corsward_policy::Severity;
use serde::{Serialize, Serializer};

use self::examples::examples;
use super::applicability::Applicability;

/// A code, and an example of its finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    /// The code.
    pub(super) code: &'static str,
    /// The severity of its findings.
    #[serde(serialize_with = "word")]
    pub(super) severity: Severity,
    /// The field.
    field: String,
    /// The fault.
    pub(super) fault: String,
    /// The fix.
    pub(super) fix: String,
    /// The class of its edits: `--fix` makes safe ones, `--unsafe-fixes` unsafe ones too.
    edit: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn word<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.as_str())
}

/// Every code, in the order of the manual.
pub(super) fn all() -> impl Iterator<Item = Row> {
    examples().into_iter().map(|finding| {
        let (sentence, severity) = (finding.reason.sentence(), finding.severity());
        let (code, fault, fix) = (sentence.code, sentence.matter.clone(), sentence.fix.clone());
        let field = finding.field;
        Row { code, severity, field, fault, fix, edit: Applicability::of_code(code).as_str() }
    })
}

// === impl Row ===

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, severity, field: _, fault, fix, edit } = self;
        write!(f, "{code} {severity} (edit: {edit}): {fault}: {fix}")
    }
}
