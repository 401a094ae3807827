//! Plugin configuration: bytes to something that can run, all of it or nothing.

use corsward_policy::Compiled;
use corsward_policy::wire::{self, DecodeError, Envelope, OnInvalid};

/// A configuration that can run.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) compiled: Compiled,
    /// As the publisher names it; empty for an inert default.
    pub(crate) digest: String,
}

/// A configuration that cannot run, and what its publisher wants done about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    pub(crate) on_invalid: OnInvalid,
    pub(crate) reason: DecodeError,
}

/// Reads plugin configuration.
pub(crate) fn read(bytes: &[u8]) -> Result<Configuration, Unusable> {
    // An envelope that cannot be read cannot say that its publisher owns a default configuration; and where there
    // is none, refusing the bytes would turn every request into a 500.
    let envelope = Envelope::decode(bytes)
        .map_err(|reason| Unusable { on_invalid: OnInvalid::Keep, reason })?;
    let Envelope { digest, on_invalid, compiled } = envelope;
    let compiled = wire::decode(&compiled).map_err(|reason| Unusable { on_invalid, reason })?;
    Ok(Configuration { compiled, digest })
}

/// The first 53 bits of a digest, as many as every reader of a gauge can hold; 0 for what is no digest.
pub(crate) fn gauge_of(digest: &str) -> u64 {
    const HEX_DIGITS: usize = 14;
    let hex = digest.strip_prefix("sha256:").and_then(|hex| hex.get(..HEX_DIGITS));
    hex.and_then(|hex| u64::from_str_radix(hex, 16).ok()).map_or(0, |bits| bits >> 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_that_cannot_be_read_never_turns_requests_into_500s() {
        for bytes in [&b""[..], b"\xff\xfe", b"{}", b"null", b"{\"v\":1", b"[]", b"{\"v\":2}"] {
            let unusable = read(bytes).unwrap_err();
            assert_eq!(unusable.on_invalid, OnInvalid::Keep, "{bytes:?}");
        }
    }

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
}
