//! Credentials mode: whether a request of a page carries cookies and authentication.

use std::fmt;

/// Fetch, "credentials mode" of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialsMode {
    /// `omit`.
    #[default]
    Omit,
    /// `same-origin`: for a cross-origin request the same as `omit`.
    SameOrigin,
    /// `include`.
    Include,
}

// === impl CredentialsMode ===

impl CredentialsMode {
    /// Reads the standard's own words.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "omit" => Self::Omit,
            "same-origin" => Self::SameOrigin,
            "include" => Self::Include,
            _ => return None,
        })
    }
}

impl fmt::Display for CredentialsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Omit => "omit",
            Self::SameOrigin => "same-origin",
            Self::Include => "include",
        })
    }
}
