//! The browser's side of CORS: the Fetch standard's CORS check, and the response side of its CORS-preflight fetch.

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

/// The parts of a cross-origin request that the oracle reads.
#[derive(Clone, Debug, Default)]
pub struct CorsRequest {
    /// The serialized request origin.
    pub origin: Vec<u8>,
    /// The credentials mode.
    pub credentials: CredentialsMode,
}

/// The method and headers of a CORS-preflight fetch.
#[derive(Clone, Debug, Default)]
pub struct Preflight {
    /// The method of the request behind it.
    pub method: Vec<u8>,
    /// The CORS-unsafe request-header names of the request behind it.
    pub unsafe_names: Vec<Vec<u8>>,
}

/// The parts of a response that the oracle reads.
#[derive(Clone, Copy, Debug)]
pub struct CorsResponse<'a> {
    /// Its status.
    pub status: u16,
    /// Its header lines.
    pub headers: &'a [(String, Vec<u8>)],
}

// === impl CredentialsMode ===

impl CredentialsMode {
    /// Reads the standard's own words.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "omit" => Self::Omit,
            "same-origin" => Self::SameOrigin,
            "include" => Self::Include,
            _ => return None,
        })
    }
}

/// Fetch, "get" (header list): the values of all lines of that name, joined by `, `.
#[must_use]
pub fn combined(lines: &[(String, Vec<u8>)], name: &str) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> = lines
        .iter()
        .filter(|(present, _)| present.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_slice())
        .collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}

/// Fetch, "CORS check".
#[must_use]
pub fn cors_check(request: &CorsRequest, response: CorsResponse<'_>) -> bool {
    // 1-2. Several lines are combined, and so equal no origin.
    let Some(origin) = combined(response.headers, "access-control-allow-origin") else {
        return false;
    };
    let with_credentials = request.credentials == CredentialsMode::Include;
    // 3.
    if !with_credentials && origin == b"*" {
        return true;
    }
    // 4.
    if origin != request.origin {
        return false;
    }
    // 5.
    if !with_credentials {
        return true;
    }
    // 6-8. Case-sensitive.
    combined(response.headers, "access-control-allow-credentials").as_deref() == Some(b"true")
}

/// Fetch, "CORS-preflight fetch", from the moment the response is there.
#[must_use]
pub fn preflight_passes(
    request: &CorsRequest,
    preflight: &Preflight,
    response: CorsResponse<'_>,
) -> bool {
    // 7. "a CORS check … returns success and response's status is an ok status".
    if !cors_check(request, response) || !(200..=299).contains(&response.status) {
        return false;
    }
    // 7.1-7.3. "If either methods or headerNames is failure, return a network error."
    let (Some(methods), Some(names)) = (
        list_values(response.headers, "access-control-allow-methods"),
        list_values(response.headers, "access-control-allow-headers"),
    ) else {
        return false;
    };
    let wildcards = request.credentials != CredentialsMode::Include;
    let has = |list: &[Vec<u8>], star: &[u8]| list.iter().any(|item| item == star);
    let any_method = wildcards && has(&methods, b"*");
    let any_name = wildcards && has(&names, b"*");
    // 7.5. Methods are compared by byte.
    let method_passes = methods.contains(&preflight.method)
        || is_cors_safelisted_method(&preflight.method)
        || any_method;
    let is_named = |name: &[u8]| names.iter().any(|listed| listed.eq_ignore_ascii_case(name));
    // 7.6-7.7. A CORS non-wildcard request-header name (`authorization`) must be named.
    let names_pass = preflight
        .unsafe_names
        .iter()
        .all(|name| is_named(name) || (any_name && !name.eq_ignore_ascii_case(b"authorization")));
    method_passes && names_pass
}

/// Fetch, "CORS-safelisted method".
fn is_cors_safelisted_method(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"POST")
}

/// Fetch, "extract header list values" of a `#token` header; `None` is failure, an absent header is an empty list.
fn list_values(headers: &[(String, Vec<u8>)], name: &str) -> Option<Vec<Vec<u8>>> {
    let Some(value) = combined(headers, name) else {
        return Some(Vec::new());
    };
    let elements = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    // RFC 9110 section 5.6.1.2: a recipient ignores a reasonable number of empty elements.
    let elements: Vec<Vec<u8>> =
        elements.filter(|element| !element.is_empty()).map(<[u8]>::to_vec).collect();
    elements.iter().all(|element| is_token(element)).then_some(elements)
}

/// RFC 9110 section 5.6.2.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
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
            assert_eq!(cors_check(&request(mode), response), want, "{why}");
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
        assert!(!preflight_passes(&request(Omit), &Preflight::default(), nobody), "no CORS check");
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
            assert_eq!(preflight_passes(&request(mode), &asked, response), want, "{why}");
        }
    }
}
