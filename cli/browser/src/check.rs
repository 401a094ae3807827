//! Check: the CORS check and the check of a preflight's response, each failure with its cause.

use std::fmt;

use crate::credentials::CredentialsMode;
use crate::header_list::{HeaderLine, combined, list_values, values};
use crate::safelist::is_safelisted_method;

/// The parts of a cross-origin request that the checks read.
#[derive(Clone, Debug, Default)]
pub struct CorsRequest {
    /// The serialized request origin.
    pub origin: Vec<u8>,
    /// The credentials mode.
    pub credentials: CredentialsMode,
}

/// The method and headers of a CORS-preflight fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preflight {
    /// The method of the request behind it.
    pub method: Vec<u8>,
    /// The CORS-unsafe request-header names of the request behind it.
    pub unsafe_names: Vec<Vec<u8>>,
}

/// The parts of a response that the checks read.
#[derive(Clone, Copy, Debug)]
pub struct CorsResponse<'a> {
    /// Its status.
    pub status: u16,
    /// Its header lines.
    pub headers: &'a [HeaderLine],
}

/// The cause of a failed CORS check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsFailure {
    /// There is no `Access-Control-Allow-Origin`.
    NoAllowOrigin,
    /// There are several lines of `Access-Control-Allow-Origin`.
    SeveralAllowOrigins(Vec<Vec<u8>>),
    /// The value is a list, and the standard has none.
    ListOfOrigins(Vec<u8>),
    /// `*` is no wildcard for a request with credentials.
    WildcardWithCredentials,
    /// The value is another origin.
    OtherOrigin(Vec<u8>),
    /// A request with credentials needs `Access-Control-Allow-Credentials: true`; this is there.
    CredentialsNotAllowed(Option<Vec<u8>>),
}

/// The cause of a failed preflight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreflightFailure {
    /// The CORS check.
    Cors(CorsFailure),
    /// The status is no ok status (200 to 299).
    Status(u16),
    /// `Access-Control-Allow-Methods` is no list of tokens.
    InvalidMethods(Vec<u8>),
    /// `Access-Control-Allow-Headers` is no list of tokens.
    InvalidHeaders(Vec<u8>),
    /// The method is not allowed.
    Method {
        /// The method of the request.
        method: Vec<u8>,
        /// The methods of `Access-Control-Allow-Methods`.
        allowed: Vec<Vec<u8>>,
    },
    /// A header is not allowed.
    Header {
        /// The first name that is not allowed.
        name: Vec<u8>,
        /// The names of `Access-Control-Allow-Headers`.
        allowed: Vec<Vec<u8>>,
    },
}

// === impl CorsFailure ===

impl fmt::Display for CorsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAllowOrigin => write!(f, "there is no `Access-Control-Allow-Origin`"),
            Self::SeveralAllowOrigins(lines) => write!(
                f,
                "there are {} lines of `Access-Control-Allow-Origin`: {}",
                lines.len(),
                quoted(lines)
            ),
            Self::ListOfOrigins(value) => write!(
                f,
                "`Access-Control-Allow-Origin: {}` is a list, and only one origin may stand there",
                text(value)
            ),
            Self::WildcardWithCredentials => write!(
                f,
                "`Access-Control-Allow-Origin: *` is no wildcard for a request with credentials"
            ),
            Self::OtherOrigin(value) => {
                write!(f, "`Access-Control-Allow-Origin: {}` is not the page's origin", text(value))
            }
            Self::CredentialsNotAllowed(None) => write!(
                f,
                "a request with credentials needs `Access-Control-Allow-Credentials: true`, and there is none"
            ),
            Self::CredentialsNotAllowed(Some(value)) => write!(
                f,
                "`Access-Control-Allow-Credentials: {}` is not `true`, compared byte by byte",
                text(value)
            ),
        }
    }
}

// === impl PreflightFailure ===

impl fmt::Display for PreflightFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |allowed: &[Vec<u8>]| match allowed {
            [] => "nothing".to_owned(),
            allowed => quoted(allowed),
        };
        match self {
            Self::Cors(failure) => failure.fmt(f),
            Self::Status(status) => {
                write!(f, "the status {status} is not an ok status (200 to 299)")
            }
            Self::InvalidMethods(value) => {
                write!(f, "`Access-Control-Allow-Methods: {}` is no list of methods", text(value))
            }
            Self::InvalidHeaders(value) => write!(
                f,
                "`Access-Control-Allow-Headers: {}` is no list of header names",
                text(value)
            ),
            Self::Method { method, allowed } => write!(
                f,
                "the method `{}` is not in `Access-Control-Allow-Methods`, which has {}",
                text(method),
                list(allowed)
            ),
            Self::Header { name, allowed } => {
                write!(
                    f,
                    "the header `{}` is not in `Access-Control-Allow-Headers`, which has {}",
                    text(name),
                    list(allowed)
                )?;
                let has_star = allowed.iter().any(|listed| listed == b"*");
                if has_star && name.eq_ignore_ascii_case(b"authorization") {
                    f.write_str(
                        "; `*` does not cover `authorization`, except in Chromium for now",
                    )?;
                }
                Ok(())
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn quoted(values: &[Vec<u8>]) -> String {
    values.iter().map(|value| format!("`{}`", text(value))).collect::<Vec<_>>().join(", ")
}

/// Fetch, "CORS check".
///
/// # Errors
///
/// Fails with the cause.
pub fn cors_check(request: &CorsRequest, response: CorsResponse<'_>) -> Result<(), CorsFailure> {
    const ACAO: &str = "access-control-allow-origin";
    // 1-2. Several lines are combined, and so equal no origin.
    let Some(origin) = combined(response.headers, ACAO) else {
        return Err(CorsFailure::NoAllowOrigin);
    };
    let with_credentials = request.credentials == CredentialsMode::Include;
    // 3.
    if !with_credentials && origin == b"*" {
        return Ok(());
    }
    // 4.
    if origin != request.origin {
        let lines: Vec<Vec<u8>> = values(response.headers, ACAO).map(<[u8]>::to_vec).collect();
        return Err(match origin.as_slice() {
            _ if lines.len() > 1 => CorsFailure::SeveralAllowOrigins(lines),
            b"*" => CorsFailure::WildcardWithCredentials,
            list if list.contains(&b',') => CorsFailure::ListOfOrigins(origin),
            _ => CorsFailure::OtherOrigin(origin),
        });
    }
    // 5.
    if !with_credentials {
        return Ok(());
    }
    // 6-8. Case-sensitive.
    match combined(response.headers, "access-control-allow-credentials") {
        Some(value) if value == b"true" => Ok(()),
        value => Err(CorsFailure::CredentialsNotAllowed(value)),
    }
}

/// Fetch, "CORS-preflight fetch", from the moment the response is there.
///
/// # Errors
///
/// Fails with the cause.
pub fn preflight_check(
    request: &CorsRequest,
    preflight: &Preflight,
    response: CorsResponse<'_>,
) -> Result<(), PreflightFailure> {
    // 7. "a CORS check … returns success and response's status is an ok status".
    cors_check(request, response).map_err(PreflightFailure::Cors)?;
    if !(200..=299).contains(&response.status) {
        return Err(PreflightFailure::Status(response.status));
    }
    // 7.1-7.3. "If either methods or headerNames is failure, return a network error."
    let methods = list_values(response.headers, "access-control-allow-methods")
        .map_err(|value| PreflightFailure::InvalidMethods(value.0))?;
    let names = list_values(response.headers, "access-control-allow-headers")
        .map_err(|value| PreflightFailure::InvalidHeaders(value.0))?;
    let wildcards = request.credentials != CredentialsMode::Include;
    let has = |list: &[Vec<u8>], star: &[u8]| list.iter().any(|item| item == star);
    let any_method = wildcards && has(&methods, b"*");
    let any_name = wildcards && has(&names, b"*");
    // 7.5. Methods are compared by byte.
    if !methods.contains(&preflight.method)
        && !is_safelisted_method(&preflight.method)
        && !any_method
    {
        let method = preflight.method.clone();
        return Err(PreflightFailure::Method { method, allowed: methods });
    }
    let is_named = |name: &[u8]| names.iter().any(|listed| listed.eq_ignore_ascii_case(name));
    // 7.6-7.7. A CORS non-wildcard request-header name (`authorization`) must be named.
    let passes =
        |name: &[u8]| is_named(name) || (any_name && !name.eq_ignore_ascii_case(b"authorization"));
    match preflight.unsafe_names.iter().find(|name| !passes(name)) {
        None => Ok(()),
        Some(name) => Err(PreflightFailure::Header { name: name.clone(), allowed: names }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CredentialsMode::{Include, Omit, SameOrigin};

    const ORIGIN: &str = "https://a.example";

    fn lines(text: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        text.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    fn request(credentials: CredentialsMode) -> CorsRequest {
        CorsRequest { origin: ORIGIN.into(), credentials }
    }

    #[test]
    fn the_cors_check_is_that_of_the_standard() {
        const ACAO: &str = "Access-Control-Allow-Origin";
        const ACAC: &str = "Access-Control-Allow-Credentials";
        for (why, mode, headers, want) in [
            ("no header", Omit, vec![], false),
            ("the origin", Omit, vec![(ACAO, ORIGIN)], true),
            ("any", Omit, vec![(ACAO, "*")], true),
            ("any, same-origin mode", SameOrigin, vec![(ACAO, "*")], true),
            (
                "any is no wildcard with credentials",
                Include,
                vec![(ACAO, "*"), (ACAC, "true")],
                false,
            ),
            ("another origin", Omit, vec![(ACAO, "https://b.example")], false),
            ("compared by byte", Omit, vec![(ACAO, "https://A.example")], false),
            ("no trailing slash", Omit, vec![(ACAO, "https://a.example/")], false),
            ("null is another", Omit, vec![(ACAO, "null")], false),
            ("two lines", Omit, vec![(ACAO, ORIGIN), (ACAO, ORIGIN)], false),
            ("two stars", Omit, vec![(ACAO, "*"), (ACAO, "*")], false),
            ("a list", Omit, vec![(ACAO, "https://a.example, https://b.example")], false),
            ("empty", Omit, vec![(ACAO, "")], false),
            ("credentials need ACAC", Include, vec![(ACAO, ORIGIN)], false),
            ("credentials", Include, vec![(ACAO, ORIGIN), (ACAC, "true")], true),
            ("`true` is case-sensitive", Include, vec![(ACAO, ORIGIN), (ACAC, "True")], false),
            ("`true` once", Include, vec![(ACAO, ORIGIN), (ACAC, "true"), (ACAC, "true")], false),
            ("ACAC does not matter without", Omit, vec![(ACAO, ORIGIN), (ACAC, "no")], true),
            ("names in any case", Omit, vec![("ACCESS-control-allow-ORIGIN", ORIGIN)], true),
        ] {
            let headers = lines(&headers);
            let response = CorsResponse { status: 500, headers: &headers };
            assert_eq!(cors_check(&request(mode), response).is_ok(), want, "{why}");
        }
    }

    const ACAM: &str = "Access-Control-Allow-Methods";
    const ACAH: &str = "Access-Control-Allow-Headers";

    /// Why, the credentials mode, the status, the method, the names that must be allowed, the header lines, and the result.
    type Row<'a> =
        (&'a str, CredentialsMode, u16, &'a str, Vec<&'a str>, Vec<(&'a str, &'a str)>, bool);

    #[test]
    fn a_preflight_passes_by_status_and_method() {
        assert_preflights(vec![
            ("nothing unsafe", Omit, 204, "GET", vec![], vec![], true),
            ("any ok status", Omit, 299, "GET", vec![], vec![], true),
            ("a redirect is none", Omit, 301, "GET", vec![], vec![], false),
            ("nor an error", Omit, 403, "GET", vec![], vec![], false),
            ("POST is safelisted", Omit, 204, "POST", vec![], vec![(ACAM, "PUT")], true),
            ("PUT is not", Omit, 204, "PUT", vec![], vec![], false),
            ("PUT listed", Omit, 204, "PUT", vec![], vec![(ACAM, "DELETE, PUT")], true),
            (
                "methods are case-sensitive",
                Omit,
                204,
                "patch",
                vec![],
                vec![(ACAM, "PATCH")],
                false,
            ),
            ("any method", Omit, 204, "PUT", vec![], vec![(ACAM, "*")], true),
            ("not with credentials", Include, 204, "PUT", vec![], vec![(ACAM, "*")], false),
            ("a method called star", Include, 204, "*", vec![], vec![(ACAM, "*")], true),
        ]);
    }

    #[test]
    fn a_preflight_passes_by_names() {
        assert_preflights(vec![
            ("a name not listed", Omit, 204, "GET", vec!["x-a"], vec![], false),
            ("a name listed", Omit, 204, "GET", vec!["x-a"], vec![(ACAH, "X-A")], true),
            ("one of two", Omit, 204, "GET", vec!["x-a", "x-b"], vec![(ACAH, "x-a")], false),
            (
                "two lines",
                Omit,
                204,
                "GET",
                vec!["x-a", "x-b"],
                vec![(ACAH, "x-a"), (ACAH, "x-b")],
                true,
            ),
            ("any name", Omit, 204, "GET", vec!["x-a"], vec![(ACAH, "*")], true),
            ("not with credentials", Include, 204, "GET", vec!["x-a"], vec![(ACAH, "*")], false),
            (
                "not authorization",
                Omit,
                204,
                "GET",
                vec!["authorization"],
                vec![(ACAH, "*")],
                false,
            ),
            (
                "but named",
                Omit,
                204,
                "GET",
                vec!["authorization"],
                vec![(ACAH, "*,Authorization")],
                true,
            ),
            ("empty elements", Omit, 204, "PUT", vec![], vec![(ACAM, ",PUT,,")], true),
            ("no token: failure", Omit, 204, "GET", vec![], vec![(ACAM, "G T")], false),
            ("in either list", Omit, 204, "GET", vec![], vec![(ACAH, "x a")], false),
        ]);
        let nobody = CorsResponse { status: 204, headers: &[] };
        let failure = preflight_check(&request(Omit), &Preflight::default(), nobody);
        assert_eq!(failure, Err(PreflightFailure::Cors(CorsFailure::NoAllowOrigin)));
    }

    fn assert_preflights(rows: Vec<Row<'_>>) {
        for (why, mode, status, method, names, headers, want) in rows {
            let mut headers = headers;
            headers.push(("Access-Control-Allow-Origin", ORIGIN));
            headers.push(("Access-Control-Allow-Credentials", "true"));
            let headers = lines(&headers);
            let asked = Preflight {
                method: method.into(),
                unsafe_names: names.into_iter().map(Into::into).collect(),
            };
            let response = CorsResponse { status, headers: &headers };
            assert_eq!(preflight_check(&request(mode), &asked, response).is_ok(), want, "{why}");
        }
    }

    #[test]
    fn every_failure_of_the_cors_check_has_its_cause() {
        const ACAO: &str = "access-control-allow-origin";
        const ACAC: &str = "access-control-allow-credentials";
        let bytes = |text: &str| text.as_bytes().to_vec();
        for (mode, headers, want) in [
            (Omit, vec![], CorsFailure::NoAllowOrigin),
            (
                Omit,
                vec![(ACAO, "*"), (ACAO, ORIGIN)],
                CorsFailure::SeveralAllowOrigins(vec![bytes("*"), bytes(ORIGIN)]),
            ),
            (Omit, vec![(ACAO, "a, b")], CorsFailure::ListOfOrigins(bytes("a, b"))),
            (Include, vec![(ACAO, "*")], CorsFailure::WildcardWithCredentials),
            (Omit, vec![(ACAO, "null")], CorsFailure::OtherOrigin(bytes("null"))),
            (Include, vec![(ACAO, ORIGIN)], CorsFailure::CredentialsNotAllowed(None)),
            (
                Include,
                vec![(ACAO, ORIGIN), (ACAC, "1")],
                CorsFailure::CredentialsNotAllowed(Some(bytes("1"))),
            ),
        ] {
            let headers = lines(&headers);
            let response = CorsResponse { status: 200, headers: &headers };
            assert_eq!(cors_check(&request(mode), response), Err(want));
        }
    }
}
