//! Configuration: the bytes of a publisher, read whole or refused.

use corsward_policy::Compiled;
use corsward_policy::wire::{self, DecodeError, Envelope, OnInvalid};

/// A configuration that can run.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) compiled: Compiled,
    /// As the publisher names it; empty for an inert default.
    pub(crate) digest: String,
}

/// A configuration that cannot run, with the reaction that its publisher asks for.
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
}
