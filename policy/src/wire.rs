//! Wire: the plugin configuration that a publisher sends to the filter. Canonical: equal policies give equal bytes.

mod check;
mod json;
mod v1;

use std::fmt;

use serde::Serialize;

use crate::compile::arrange;
use crate::compiled::Compiled;
use crate::policy::Policy;
use crate::syntax::hex_value;
use crate::wire::json::Document;
use crate::wire::v1::CompiledV1;
use crate::workload::Workload;

/// The versions of the compiled form that this release reads.
pub const VERSIONS: &[u32] = &[1];

/// The plugin configuration as the filter receives it: the compiled form, and what to do when it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// `sha256:` and the hexadecimal digest of `compiled`; empty in an inert default only.
    pub digest: String,
    /// The reaction of a filter that cannot use `compiled`.
    pub on_invalid: OnInvalid,
    /// The compiled form: JSON in a string, which survives proxies that re-encode structures.
    pub compiled: String,
}

/// The reaction of a filter to a configuration that it cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInvalid {
    /// Accept it and run the last good one: for publishers without a default configuration.
    Keep,
    /// Refuse it: the proxy keeps the last good one or its default.
    Reject,
}

/// The reason why bytes are no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Longer than [`MAX_WIRE_LEN`](crate::limits::MAX_WIRE_LEN).
    TooLong,
    /// Not JSON, from this place on.
    Json {
        /// Counted from 1.
        line: usize,
        /// In bytes, counted from 1.
        column: usize,
    },
    /// A version this release does not read.
    Version(u32),
    /// A value that `validate` would not have let through; where, and why.
    Value {
        /// A path into the JSON, such as `policies[0].blocks[1].origins[2]`.
        field: String,
        /// The reason.
        reason: &'static str,
    },
}

/// The envelope as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeJson<'e> {
    v: u32,
    digest: &'e str,
    on_invalid: &'static str,
    compiled: &'e str,
}

/// Writes the compiled form.
pub fn encode(compiled: &Compiled) -> String {
    to_json(&CompiledV1::of(compiled))
}

/// The compiled form of policies, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The text.
    pub text: String,
    /// The reason why a filter would refuse the text, if it would.
    pub refusal: Option<DecodeError>,
}

/// Writes the compiled form of policies, as [`encode`] does of what [`compile_for`](crate::compile_for) makes of them, without
/// the look-up tables in between.
pub fn encode_for(policies: &[(&Policy, &[Workload])]) -> Encoded {
    let policies = arrange(policies);
    let text = to_json(&CompiledV1::of_arranged(&policies));
    let refusal = check::written(&text, &policies).err();
    debug_assert_eq!(
        refusal,
        decode(&text).err(),
        "the bounds of readers and writers are the same"
    );
    Encoded { text, refusal }
}

/// Reads a compiled form: all of it, or nothing.
///
/// # Errors
///
/// See [`DecodeError`].
pub fn decode(compiled: &str) -> Result<Compiled, DecodeError> {
    v1::read(Document::read(compiled.as_bytes())?.object()?)
}

/// The first 53 bits of a digest, as many as every reader of a gauge can hold; 0 for what is no digest. So a filter says which
/// configuration it runs.
pub fn gauge_of(digest: &str) -> u64 {
    const HEX_DIGITS: usize = 14;
    let hex = digest.strip_prefix("sha256:").and_then(|hex| hex.get(..HEX_DIGITS));
    hex.and_then(|hex| u64::from_str_radix(hex, 16).ok()).map_or(0, |bits| bits >> 3)
}

// === impl Envelope ===

impl Envelope {
    /// Writes the envelope.
    pub fn encode(&self) -> String {
        to_json(&self.json())
    }

    /// Writes the envelope into a larger document.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self.json()).unwrap_or_default()
    }

    fn json(&self) -> EnvelopeJson<'_> {
        let Self { digest, on_invalid, compiled } = self;
        let on_invalid = match on_invalid {
            OnInvalid::Keep => "Keep",
            OnInvalid::Reject => "Reject",
        };
        EnvelopeJson { v: 1, digest, on_invalid, compiled }
    }

    /// Reads an envelope from plugin configuration bytes; does not look into `compiled`.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let document = Document::read(bytes)?;
        let mut envelope = document.object()?;
        // First of all: an envelope of another version may look different in everything else.
        match envelope.number("v")? {
            Some(version) if VERSIONS.contains(&version) => {}
            Some(version) => return Err(DecodeError::Version(version)),
            None => return Err(DecodeError::value("v", "missing")),
        }
        let digest = envelope.text("digest")?.unwrap_or_default().to_owned();
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        let is_digest = hex.len() == 64 && hex.bytes().all(|byte| hex_value(byte).is_some());
        if !digest.is_empty() && !is_digest {
            return Err(DecodeError::value("digest", "not `sha256:` and 64 hexadecimal digits"));
        }
        let on_invalid = match envelope.text("onInvalid")? {
            Some("Keep") => OnInvalid::Keep,
            Some("Reject") => OnInvalid::Reject,
            _ => return Err(DecodeError::value("onInvalid", "neither `Keep` nor `Reject`")),
        };
        let compiled = envelope.text("compiled")?;
        let compiled =
            compiled.ok_or_else(|| DecodeError::value("compiled", "missing"))?.to_owned();
        envelope.finish()?;
        Ok(Self { digest, on_invalid, compiled })
    }
}

/// Strings, numbers and lists of known shape always have a JSON form.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

// === impl DecodeError ===

impl DecodeError {
    #[cold]
    #[inline(never)]
    fn value(field: &str, reason: &'static str) -> Self {
        Self::Value { field: field.to_owned(), reason }
    }

    /// The error at `at`, which is not JSON.
    fn json(bytes: &[u8], at: usize) -> Self {
        let before = bytes.get(..at).unwrap_or_default();
        let lines = before.split(|&byte| byte == b'\n');
        let (line, last) = lines.enumerate().last().unwrap_or_default();
        Self::Json { line: line.saturating_add(1), column: last.len().saturating_add(1) }
    }

    /// The same error, seen from the element `index` of the list `name` that holds it.
    #[cold]
    #[inline(never)]
    fn within(self, name: &str, index: usize) -> Self {
        match self {
            Self::Value { field, reason } => {
                let dot = if field.is_empty() { "" } else { "." };
                Self::Value { field: format!("{name}[{index}]{dot}{field}"), reason }
            }
            other => other,
        }
    }
}

impl std::error::Error for DecodeError {}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the configuration is too long"),
            Self::Json { line, column } => {
                write!(f, "the configuration is not JSON from line {line}, column {column} on")
            }
            Self::Version(version) => {
                write!(f, "version {version} of the configuration is not readable here")
            }
            Self::Value { field, reason } if field.is_empty() => f.write_str(reason),
            Self::Value { field, reason } => write!(f, "{field}: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_a_gauge_of_53_bits() {
        for (why, digest, want) in [
            ("all ones", "sha256:ffffffffffffffffffff", (1 << 53) - 1),
            ("the first bits count", "sha256:00000000000008ff", 1),
            ("an inert default", "", 0),
            ("another algorithm", "md5:ffffffffffffffff", 0),
            ("too short", "sha256:ff", 0),
            ("not hexadecimal", "sha256:zzzzzzzzzzzzzzzz", 0),
        ] {
            assert_eq!(gauge_of(digest), want, "{why}");
        }
    }

    #[test]
    fn the_version_is_1_however_a_proxy_writes_the_number() {
        let envelope = |v: &str| {
            let text = format!(r#"{{"v":{v},"digest":"","onInvalid":"Keep","compiled":"{{}}"}}"#);
            Envelope::decode(text.as_bytes()).map(|_| ())
        };
        for v in ["1", "1.0", "1e0", "1E+00", "10e-1", "0.1e1"] {
            assert_eq!(envelope(v), Ok(()), "{v}");
        }
        for (v, want) in [
            ("2.0", DecodeError::Version(2)),
            ("1.5", DecodeError::value("v", "not a whole number of 32 bits")),
            ("-1", DecodeError::value("v", "not a whole number of 32 bits")),
            ("1e99", DecodeError::value("v", "not a whole number of 32 bits")),
            ("\"1\"", DecodeError::value("v", "not a whole number of 32 bits")),
        ] {
            assert_eq!(envelope(v), Err(want), "{v}");
        }
    }
}
