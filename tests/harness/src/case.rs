//! Case: one request, the upstream behind it, and what is owed to the client.

use corsward_browser::{CorsRequest, CredentialsMode, Preflight};

/// One case of a suite.
#[derive(Clone, Debug)]
pub struct Case {
    /// The suite it belongs to.
    pub suite: String,
    /// Its name, unique in the suite.
    pub name: String,
    /// The sentence that makes the expectation right.
    pub why: String,
    /// The request.
    pub request: Request,
    /// The upstream's answer.
    pub upstream: Upstream,
    /// The expected answer for the client.
    pub expect: Expect,
}

/// A request as it is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The `Host` header, or `:authority`.
    pub authority: String,
    /// The path, query included.
    pub path: Vec<u8>,
    /// The header lines, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The credentials mode of the browser behind it.
    pub credentials: CredentialsMode,
}

/// An upstream that always gives the same answer.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its status.
    pub status: u16,
    /// Its header lines, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// The expected answer for the client.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// A browser's result; `None`: not compared.
    pub browser: Option<bool>,
    /// Whether the upstream is asked.
    pub upstream_reached: bool,
    /// Headers that the upstream sees, and their values.
    pub received: Vec<(String, Vec<u8>)>,
    /// Names of headers that it does not see.
    pub withheld: Vec<String>,
    /// The statuses that are right; empty: any below 500.
    pub status: Vec<u16>,
    /// Headers and their values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Headers and a text that their values contain.
    pub contains: Vec<(String, String)>,
    /// Names or globs (`x-*`) of headers that are not there.
    pub absent: Vec<String>,
    /// Tokens that `Vary` has, each exactly once.
    pub vary_has: Vec<String>,
    /// Tokens that `Vary` lacks.
    pub vary_lacks: Vec<String>,
    /// Whether `vary_has` is all of `Vary`.
    pub vary_is_complete: bool,
    /// Whether the body is empty.
    pub body_empty: bool,
    /// Whether `Access-Control-*` and `Vary` are the upstream's own, to the line.
    pub untouched: bool,
    /// The verdict, for machines with access to it; see [`Explanation`](crate::answer::Explanation).
    pub verdict: Option<String>,
    /// The policy that decided, as `namespace/name`.
    pub decided_by: Option<String>,
    /// The verdict of a `DryRun` policy, and its comparison with the upstream.
    pub shadow: Option<String>,
}

// === impl Case ===

impl Case {
    /// `suite/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.suite, self.name)
    }
}

// === impl Request ===

impl Request {
    /// The value of `name`, its lines joined as Envoy joins them.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        let is_named = |(present, _): &&(String, Vec<u8>)| present.eq_ignore_ascii_case(name);
        let values: Vec<&[u8]> =
            self.headers.iter().filter(is_named).map(|(_, value)| value.as_slice()).collect();
        (!values.is_empty()).then(|| values.join(&b','))
    }

    /// The request as the browser behind it sees it.
    pub fn cors(&self) -> CorsRequest {
        let origin = self.get("origin").unwrap_or_default();
        CorsRequest { origin, credentials: self.credentials }
    }

    /// The method and headers of a CORS-preflight request (Fetch, "HTTP requests"); `None` for any other request.
    pub fn preflight(&self) -> Option<Preflight> {
        if self.method != "OPTIONS" || self.get("origin").is_none() {
            return None;
        }
        let method =
            self.get("access-control-request-method").filter(|method| !method.is_empty())?;
        let names = self.get("access-control-request-headers").unwrap_or_default();
        let names = names.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        let unsafe_names = names.filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect();
        Some(Preflight { method, unsafe_names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preflight_is_options_with_origin_and_a_requested_method() {
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let origin = || header("Origin", "https://a.example");
        let method = || header("Access-Control-Request-Method", "PUT");
        for (why, verb, headers, want) in [
            ("both", "OPTIONS", vec![origin(), method()], true),
            ("another method", "GET", vec![origin(), method()], false),
            ("no origin", "OPTIONS", vec![method()], false),
            ("no requested method", "OPTIONS", vec![origin()], false),
            (
                "an empty one",
                "OPTIONS",
                vec![origin(), header("access-control-request-method", "")],
                false,
            ),
        ] {
            let request = Request {
                method: verb.into(),
                authority: "a.test".into(),
                path: b"/".to_vec(),
                headers,
                credentials: CredentialsMode::Omit,
            };
            assert_eq!(request.preflight().is_some(), want, "{why}");
        }
    }
}
