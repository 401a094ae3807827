//! Applicability: the edits that `--fix` makes unasked, and those that it makes on request alone.
//!
//! A refused policy is not in force, and a warning says that a text does not do what it says: their edits write what its author means. An edit is
//! made on request alone where it is one of several, depends on a condition, or is that of a hint that changes an answer: the policy does what it
//! says.

use corsward_policy::finding::Edit;
use corsward_policy::{Finding, Severity};

/// The effect of the edits of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applicability {
    /// The text says then what its author means: `--fix` makes them.
    Safe,
    /// The policy may do then what its author does not mean: `--unsafe-fixes` makes them.
    Unsafe,
    /// There is none as a rule, or it accepts a danger: the author decides.
    Author,
}

/// The codes whose edits are safe.
pub(super) const SAFE: [&str; 68] = [
    "CORS-E002",
    "CORS-E003",
    "CORS-E005",
    "CORS-E102",
    "CORS-E103",
    "CORS-E104",
    "CORS-E105",
    "CORS-E106",
    "CORS-E107",
    "CORS-E108",
    "CORS-E109",
    "CORS-E112",
    "CORS-E113",
    "CORS-E121",
    "CORS-E123",
    "CORS-E124",
    "CORS-E126",
    "CORS-E132",
    "CORS-E134",
    "CORS-E301",
    "CORS-E302",
    "CORS-E303",
    "CORS-E304",
    "CORS-E305",
    "CORS-E402",
    "CORS-E403",
    "CORS-E404",
    "CORS-E405",
    "CORS-E409",
    "CORS-E411",
    "CORS-E412",
    "CORS-E414",
    "CORS-E415",
    "CORS-E419",
    "CORS-E503",
    "CORS-E507",
    "CORS-E509",
    "CORS-E510",
    "CORS-E511",
    "CORS-E513",
    "CORS-E516",
    "CORS-E522",
    "CORS-E529",
    "CORS-E530",
    "CORS-E532",
    "CORS-E534",
    "CORS-E608",
    "CORS-E610",
    "CORS-W006",
    "CORS-W104",
    "CORS-W106",
    "CORS-W107",
    "CORS-W108",
    "CORS-W109",
    "CORS-W113",
    "CORS-W114",
    "CORS-W115",
    "CORS-W301",
    "CORS-W303",
    "CORS-W304",
    "CORS-W305",
    "CORS-W307",
    "CORS-W501",
    "CORS-I001",
    "CORS-I002",
    "CORS-I101",
    "CORS-I303",
    "CORS-I621",
];

/// The codes whose edits are unsafe.
pub(super) const UNSAFE: [&str; 34] = [
    "CORS-E122",
    "CORS-E136",
    "CORS-E421",
    "CORS-E422",
    "CORS-E604",
    "CORS-E607",
    "CORS-W002",
    "CORS-W003",
    "CORS-W004",
    "CORS-W008",
    "CORS-W302",
    "CORS-W308",
    "CORS-W309",
    "CORS-W401",
    "CORS-W502",
    "CORS-W531",
    "CORS-W604",
    "CORS-W607",
    "CORS-W609",
    "CORS-I003",
    "CORS-I005",
    "CORS-I006",
    "CORS-I102",
    "CORS-I103",
    "CORS-I301",
    "CORS-I305",
    "CORS-I306",
    "CORS-I307",
    "CORS-I308",
    "CORS-I309",
    "CORS-I310",
    "CORS-I311",
    "CORS-I401",
    "CORS-I402",
];

/// A field that is unknown: its name may be corrected, and its value is not thrown away.
const UNKNOWN_FIELD: &str = "CORS-E503";

// === impl Applicability ===

impl Applicability {
    /// The effect of the edits of a code.
    pub(super) fn of_code(code: &str) -> Self {
        if SAFE.contains(&code) {
            Self::Safe
        } else if UNSAFE.contains(&code) {
            Self::Unsafe
        } else {
            Self::Author
        }
    }

    /// Its word in the table of codes.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
            Self::Author => "author",
        }
    }
}

/// Is that edit of a finding safe?
pub(super) fn is_safe(finding: &Finding, edit: &Edit) -> bool {
    let code = finding.code();
    let loses_a_value = code == UNKNOWN_FIELD && matches!(edit, Edit::Remove { .. });
    match Applicability::of_code(code) {
        Applicability::Safe => !loses_a_value,
        Applicability::Unsafe => false,
        // Few findings of such a code have an edit; of a refusal and a warning it is safe.
        Applicability::Author => finding.severity() != Severity::Hint,
    }
}
