//! Methods, as the Fetch standard sees them.

use std::borrow::Cow;
use std::fmt;

use crate::limits::MAX_METHOD_LEN;
use crate::syntax::is_token;

/// The methods that an answer lists where `*` is no wildcard: those of RFC 9110 and RFC 5789 that scripts send.
pub(crate) const USUAL_METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// A method name that passed validation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(Cow<'static, str>);

/// The reason why a method name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidMethod {
    /// Not a `token` (RFC 9110 section 5.6.2), or too long.
    Syntax,
    /// Fetch, "forbidden method".
    Forbidden,
}

// === impl Method ===

impl Method {
    /// Parses a method name as an author writes it; `*` is not one.
    ///
    /// # Errors
    ///
    /// See [`InvalidMethod`].
    pub fn parse(raw: &str) -> Result<Self, InvalidMethod> {
        if let Some(usual) = USUAL_METHODS.iter().find(|usual| **usual == raw) {
            return Ok(Self(Cow::Borrowed(usual)));
        }
        if !is_token(raw.as_bytes()) || raw.len() > MAX_METHOD_LEN {
            return Err(InvalidMethod::Syntax);
        }
        // Fetch, "forbidden method": CONNECT, TRACE, TRACK, in any case.
        if ["CONNECT", "TRACE", "TRACK"].iter().any(|forbidden| forbidden.eq_ignore_ascii_case(raw))
        {
            return Err(InvalidMethod::Forbidden);
        }
        Ok(Self(Cow::Owned(raw.to_owned())))
    }

    /// Returns the name as written, because methods are case-sensitive.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fetch, "CORS-safelisted method": a preflight for one of these always passes the method check.
pub fn is_cors_safelisted_method(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"POST")
}

#[cfg(test)]
mod tests {
    use super::*;
    use InvalidMethod::{Forbidden, Syntax};

    #[test]
    fn a_method_is_a_token_that_is_not_forbidden() {
        for (why, raw, want) in [
            ("case is kept, not folded", "patch", None),
            ("any token", "X-CUSTOM", None),
            ("forbidden whatever the case", "tRaCk", Some(Forbidden)),
            ("forbidden", "CONNECT", Some(Forbidden)),
            ("empty", "", Some(Syntax)),
            ("a space", "GE T", Some(Syntax)),
            ("two in one", "GET,PUT", Some(Syntax)),
        ] {
            assert_eq!(Method::parse(raw).err(), want, "{why}: {raw:?}");
        }
        assert!(Method::parse(&"M".repeat(MAX_METHOD_LEN)).is_ok());
        assert_eq!(Method::parse(&"M".repeat(MAX_METHOD_LEN + 1)), Err(Syntax));
    }
}
