//! Applicability: the edits that `--fix` makes unasked, and those that it makes on request alone.
//!
//! An edit is safe where its author can have meant nothing else. The edit of a warning or a hint, whose policy stands, leaves each answer of the
//! policy as it is. The edit of a refusal says the same as the text: it respells, splits or moves what is written there, and adds nothing.

use corsward_policy::finding::{Edit, Written};
use corsward_policy::{Finding, Severity};

/// The effect of the edits of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applicability {
    /// The policy answers what its author means: `--fix` makes them.
    Safe,
    /// An answer changes, or the edit guesses: `--unsafe-fixes` makes them.
    Unsafe,
    /// There is none, or it accepts a danger: the author decides.
    Author,
}

/// The codes whose edits are safe.
pub(super) const SAFE: [&str; 23] = [
    "CORS-E102",
    "CORS-E106",
    "CORS-E107",
    "CORS-E108",
    "CORS-E109",
    "CORS-E301",
    "CORS-E302",
    "CORS-E303",
    "CORS-E402",
    "CORS-E403",
    "CORS-E405",
    "CORS-E409",
    "CORS-E415",
    "CORS-E503",
    "CORS-E509",
    "CORS-E510",
    "CORS-E513",
    "CORS-W501",
    "CORS-I001",
    "CORS-I002",
    "CORS-I101",
    "CORS-I303",
    "CORS-I621",
];

/// The codes whose edits change an answer, or guess.
pub(super) const UNSAFE: [&str; 78] = [
    "CORS-E002",
    "CORS-E003",
    "CORS-E005",
    "CORS-E103",
    "CORS-E104",
    "CORS-E105",
    "CORS-E112",
    "CORS-E113",
    "CORS-E121",
    "CORS-E122",
    "CORS-E123",
    "CORS-E124",
    "CORS-E126",
    "CORS-E132",
    "CORS-E134",
    "CORS-E136",
    "CORS-E304",
    "CORS-E305",
    "CORS-E411",
    "CORS-E412",
    "CORS-E414",
    "CORS-E419",
    "CORS-E421",
    "CORS-E422",
    "CORS-E507",
    "CORS-E511",
    "CORS-E516",
    "CORS-E522",
    "CORS-E529",
    "CORS-E530",
    "CORS-E532",
    "CORS-E534",
    "CORS-E604",
    "CORS-E607",
    "CORS-E608",
    "CORS-E610",
    "CORS-W002",
    "CORS-W003",
    "CORS-W004",
    "CORS-W006",
    "CORS-W008",
    "CORS-W104",
    "CORS-W106",
    "CORS-W107",
    "CORS-W108",
    "CORS-W109",
    "CORS-W113",
    "CORS-W114",
    "CORS-W115",
    "CORS-W301",
    "CORS-W302",
    "CORS-W303",
    "CORS-W304",
    "CORS-W305",
    "CORS-W307",
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

/// A word of the resource: another spelling of it is safe, and another word for it is not.
const WORD: &str = "CORS-E510";
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

/// Is that edit of a finding safe? `said` is the text of the value that it is about.
pub(super) fn is_safe(finding: &Finding, edit: &Edit, said: &str) -> bool {
    let code = finding.code();
    if Applicability::of_code(code) != Applicability::Safe {
        return false;
    }
    match (code, edit) {
        (UNKNOWN_FIELD, Edit::Remove { .. }) => false,
        (WORD, _) => texts(edit).iter().all(|text| letters(text) == letters(said)),
        _ if finding.severity() != Severity::Refusal => true,
        _ => {
            let said = said.to_lowercase();
            texts(edit).iter().all(|text| said.contains(&text.to_lowercase()))
        }
    }
}

/// The texts that an edit writes. A number or a truth value is a text in its type.
fn texts(edit: &Edit) -> Vec<&str> {
    match edit {
        Edit::Write { value, .. } | Edit::Move { value: Some(value), .. } => of_value(value),
        Edit::Spread { entries, .. } | Edit::Add { entries, .. } => {
            entries.iter().map(String::as_str).collect()
        }
        _ => Vec::new(),
    }
}

fn of_value(value: &Written) -> Vec<&str> {
    match value {
        Written::Text(text) => vec![text],
        Written::List(entries) => entries.iter().flat_map(of_value).collect(),
        Written::Mapping(fields) => fields.iter().flat_map(|(_, value)| of_value(value)).collect(),
        _ => Vec::new(),
    }
}

/// The letters and digits of a word, in lower case.
fn letters(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
