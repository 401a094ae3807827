//! Wire: what travels from a publisher to the filter. Canonical: equal policies give equal bytes.

mod v1;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::compiled::Compiled;
use crate::limits::MAX_WIRE_LEN;
use crate::syntax::hex_value;
use crate::wire::v1::CompiledV1;

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

/// The envelope as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EnvelopeJson {
    v: u32,
    digest: String,
    on_invalid: OnInvalidJson,
    compiled: String,
}

/// What is read of an envelope before its version is known.
#[derive(Deserialize)]
struct VersionJson {
    v: u32,
}

#[derive(Serialize, Deserialize)]
enum OnInvalidJson {
    Keep,
    Reject,
}

/// Writes the compiled form.
#[must_use]
pub fn encode(compiled: &Compiled) -> String {
    to_json(&CompiledV1::of(compiled))
}

/// Reads a compiled form: all of it, or nothing.
///
/// # Errors
///
/// See [`DecodeError`].
pub fn decode(compiled: &str) -> Result<Compiled, DecodeError> {
    let read: CompiledV1 = from_json(compiled.as_bytes())?;
    read.into_compiled()
}

// === impl Envelope ===

impl Envelope {
    /// Writes the envelope.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { digest, on_invalid, compiled } = self;
        to_json(&EnvelopeJson {
            v: 1,
            digest: digest.clone(),
            on_invalid: match on_invalid {
                OnInvalid::Keep => OnInvalidJson::Keep,
                OnInvalid::Reject => OnInvalidJson::Reject,
            },
            compiled: compiled.clone(),
        })
    }

    /// Reads an envelope from plugin configuration bytes; does not look into `compiled`.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let VersionJson { v } = from_json(bytes)?;
        if !VERSIONS.contains(&v) {
            return Err(DecodeError::Version(v));
        }
        let EnvelopeJson { v: _, digest, on_invalid, compiled } = from_json(bytes)?;
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        let is_digest = hex.len() == 64 && hex.bytes().all(|byte| hex_value(byte).is_some());
        if !digest.is_empty() && !is_digest {
            let reason = "not `sha256:` and 64 hexadecimal digits".to_owned();
            return Err(DecodeError::Value { field: "digest".to_owned(), reason });
        }
        let on_invalid = match on_invalid {
            OnInvalidJson::Keep => OnInvalid::Keep,
            OnInvalidJson::Reject => OnInvalid::Reject,
        };
        Ok(Self { digest, on_invalid, compiled })
    }
}

/// Strings, numbers and lists of known shape always have a JSON form.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn from_json<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, DecodeError> {
    if bytes.len() > MAX_WIRE_LEN {
        return Err(DecodeError::TooLong);
    }
    serde_json::from_slice(bytes).map_err(|error| DecodeError::Json(error.to_string()))
}

// === impl DecodeError ===

impl std::error::Error for DecodeError {}

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
