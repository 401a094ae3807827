//! Header names: those of policies, and those of the CORS protocol.

use std::borrow::Cow;
use std::fmt;

use crate::limits::MAX_HEADER_NAME_LEN;
use crate::syntax::is_token;

/// `Access-Control-Allow-Origin`.
pub const ACAO: &str = "access-control-allow-origin";
/// `Access-Control-Allow-Credentials`.
pub const ACAC: &str = "access-control-allow-credentials";
/// `Access-Control-Allow-Methods`.
pub const ACAM: &str = "access-control-allow-methods";
/// `Access-Control-Allow-Headers`.
pub const ACAH: &str = "access-control-allow-headers";
/// `Access-Control-Expose-Headers`.
pub const ACEH: &str = "access-control-expose-headers";
/// `Access-Control-Max-Age`.
pub const ACMA: &str = "access-control-max-age";
/// `Access-Control-Allow-Private-Network` (Private Network Access).
pub const ACAPN: &str = "access-control-allow-private-network";
/// `Vary`.
pub const VARY: &str = "vary";
/// `Cache-Control`.
pub const CACHE_CONTROL: &str = "cache-control";
/// `X-Corsward`: the policy, its verdict and the reason, under `diagnostics: Header`.
pub const DIAGNOSTICS: &str = "x-corsward";

/// The request headers that an answer lists where `*` is no wildcard: a call with a JSON body needs it.
pub(crate) const USUAL_REQUEST_HEADERS: [&str; 1] = ["content-type"];

/// The response headers that a policy owns under `upstreamCorsHeaders: Replace`.
pub const CORS_RESPONSE_HEADERS: &[&str] = &[ACAO, ACAC, ACAM, ACAH, ACEH, ACMA, ACAPN];

/// The first bytes of each of them.
pub(crate) const CORS_RESPONSE_PREFIX: &[u8] = b"access-control-";

/// A header name that passed validation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderName(
    // INVARIANT: a token, byte-lowercase, at most MAX_HEADER_NAME_LEN.
    Cow<'static, str>,
);

/// The refusal of a header name that is no `token` (RFC 9110 section 5.1), or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHeaderName;

// === impl HeaderName ===

impl HeaderName {
    /// Parses a header name as an author writes it; `*` is not one.
    ///
    /// # Errors
    ///
    /// [`InvalidHeaderName`].
    pub fn parse(raw: &str) -> Result<Self, InvalidHeaderName> {
        if let Some(usual) = USUAL_REQUEST_HEADERS.iter().find(|usual| **usual == raw) {
            return Ok(Self(Cow::Borrowed(usual)));
        }
        if !is_token(raw.as_bytes()) || raw.len() > MAX_HEADER_NAME_LEN || raw == "*" {
            return Err(InvalidHeaderName);
        }
        Ok(Self(Cow::Owned(raw.to_ascii_lowercase())))
    }

    /// Returns the name, byte-lowercase.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fetch, "CORS non-wildcard request-header name": `*` does not cover it.
pub fn is_cors_non_wildcard_request_header_name(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"authorization")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_name_is_a_token_in_any_case() {
        assert_eq!(HeaderName::parse("X-Requested-With").unwrap().as_str(), "x-requested-with");
        for raw in ["", "*", "x a", "x:a", "caf\u{e9}", "a,b"] {
            assert_eq!(HeaderName::parse(raw), Err(InvalidHeaderName), "{raw:?}");
        }
        assert!(HeaderName::parse(&"x".repeat(MAX_HEADER_NAME_LEN)).is_ok());
        assert!(HeaderName::parse(&"x".repeat(MAX_HEADER_NAME_LEN + 1)).is_err());
    }
}
