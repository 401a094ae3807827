//! Wire: what travels from a publisher to the filter. Canonical: equal policies give equal bytes.

use std::fmt;

use crate::compiled::Compiled;

/// The versions of the compiled form that this release reads.
pub const VERSIONS: &[u32] = &[1];

/// The plugin configuration as the filter receives it: the compiled form, and what to do when it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// `sha256:` and the hexadecimal digest of `compiled`; empty in an inert default only.
    pub digest: String,
    /// What a filter does that cannot use `compiled`.
    pub on_invalid: OnInvalid,
    /// The compiled form: JSON in a string, which survives proxies that re-encode structures.
    pub compiled: String,
}

/// What a filter does with a configuration that it cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInvalid {
    /// Accept it and run the last good one: for publishers without a default configuration.
    Keep,
    /// Refuse it: the proxy keeps the last good one or its default.
    Reject,
}

/// Why bytes are not a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Longer than [`MAX_WIRE_LEN`](crate::limits::MAX_WIRE_LEN).
    TooLong,
    /// Not the JSON that was expected; the parser's own words.
    Json(String),
    /// A version this release does not read.
    Version(u32),
    /// A value that `validate` would not have let through; where, and why.
    Value {
        /// A path into the JSON, such as `policies[0].blocks[1].origins[2]`.
        field: String,
        /// Why.
        reason: String,
    },
}

/// Writes the compiled form.
#[must_use]
pub fn encode(compiled: &Compiled) -> String {
    let _ = compiled;
    "{\"policies\":[]}".to_owned()
}

/// Reads a compiled form: all of it, or nothing.
///
/// # Errors
///
/// See [`DecodeError`].
pub fn decode(compiled: &str) -> Result<Compiled, DecodeError> {
    let _ = compiled;
    Ok(Compiled::default())
}

impl Envelope {
    /// Writes the envelope.
    #[must_use]
    pub fn encode(&self) -> String {
        String::new()
    }

    /// Reads an envelope from plugin configuration bytes; does not look into `compiled`.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let _ = bytes;
        Err(DecodeError::TooLong)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the configuration is too long"),
            Self::Json(words) => write!(f, "the configuration is not the expected JSON: {words}"),
            Self::Version(version) => {
                write!(f, "version {version} of the configuration is not readable here")
            }
            Self::Value { field, reason } => write!(f, "{field}: {reason}"),
        }
    }
}
