//! Plan: the requests that a browser sends for a page's request, and the reasons for a preflight.

use std::fmt;

use url::Url;

use crate::check::{CorsRequest, Preflight};
use crate::credentials::CredentialsMode;
use crate::header_list::{HeaderLine, is_token, normalized};
use crate::origin::PageOrigin;
use crate::safelist::{Unsafe, is_safelisted_method, unsafe_names};

/// A request of a page, as it is passed to `fetch` with `mode: "cors"`.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The origin of the page; an opaque one is `null` on the wire.
    pub origin: PageOrigin,
    /// The URL.
    pub url: Url,
    /// The method, in the page's own case.
    pub method: String,
    /// The headers that the page sets.
    pub headers: Vec<HeaderLine>,
    /// The credentials mode.
    pub credentials: CredentialsMode,
    /// Whether listeners are on the `upload` of an `XMLHttpRequest` (Fetch, "use-CORS-preflight flag").
    pub upload_listeners: bool,
}

/// The requests that a browser sends.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whether the URL is of another origin: only then is there CORS.
    pub cross_origin: bool,
    /// Headers of the page that the browser leaves out: forbidden request-headers.
    pub dropped: Vec<String>,
    /// The preflight, if one is needed.
    pub preflight: Option<PlannedPreflight>,
    /// The request itself.
    pub request: Sent,
    /// The request as the checks read it.
    pub cors: CorsRequest,
}

/// A preflight that is needed.
#[derive(Clone, Debug)]
pub struct PlannedPreflight {
    /// The reasons; never empty.
    pub reasons: Vec<PreflightReason>,
    /// The request on the wire.
    pub request: Sent,
    /// The preflight as its check reads it.
    pub asks: Preflight,
}

/// A reason for a preflight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreflightReason {
    /// The method is no CORS-safelisted method.
    Method(String),
    /// The header is no CORS-safelisted request-header.
    Header(String, Unsafe),
    /// The page watches the upload.
    UploadListeners,
}

/// A request on the wire: the lines that CORS and the page decide, in the browser's own order of the preflight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The method.
    pub method: String,
    /// The header lines; cookies and what a browser adds to every request are left out.
    pub headers: Vec<HeaderLine>,
}

/// The error of `fetch` for a request that no browser sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The method is no token.
    InvalidMethod(String),
    /// Fetch, "forbidden method".
    ForbiddenMethod(String),
    /// The header's name is no token.
    InvalidHeaderName(String),
    /// The header's value has a NUL or a line break.
    InvalidHeaderValue(String),
    /// The scheme is not `http` or `https`.
    Scheme(String),
}

// === impl NotSent ===

impl std::error::Error for NotSent {}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidMethod(method) => write!(f, "`{method}` is no method"),
            Self::ForbiddenMethod(method) => {
                write!(f, "the method `{method}` is forbidden to pages")
            }
            Self::InvalidHeaderName(name) => write!(f, "`{name}` is no header name"),
            Self::InvalidHeaderValue(name) => {
                write!(f, "the value of `{name}` has a NUL or a line break")
            }
            Self::Scheme(scheme) => {
                write!(f, "CORS covers `http` and `https`, and the URL has `{scheme}`")
            }
        }
    }
}

// === impl PreflightReason ===

impl fmt::Display for PreflightReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(method) => {
                write!(f, "the method `{method}` is not `GET`, `HEAD` or `POST`")
            }
            Self::Header(name, cause) => write!(f, "the header `{name}`: {cause}"),
            Self::UploadListeners => {
                write!(f, "the page has listeners on the upload of an `XMLHttpRequest`")
            }
        }
    }
}

/// Plans the requests for a page's request.
///
/// # Errors
///
/// Fails if the browser sends none.
pub fn plan(page: &PageRequest) -> Result<Plan, NotSent> {
    let method = normalized_method(&page.method)?;
    let (headers, dropped) = request_headers(&page.headers)?;
    if !matches!(page.url.scheme(), "http" | "https") {
        return Err(NotSent::Scheme(page.url.scheme().to_owned()));
    }
    let cross_origin = !page.origin.is_of(&page.url);
    let origin = page.origin.to_string();
    let preflight = if cross_origin {
        preflight(&method, &headers, &origin, page.upload_listeners)
    } else {
        None
    };
    let mut lines = headers;
    if !lines.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
        lines.push(line("Accept", "*/*"));
    }
    // Fetch, "append a request `Origin` header".
    if cross_origin || !matches!(method.as_str(), "GET" | "HEAD") {
        lines.push(line("Origin", &origin));
    }
    Ok(Plan {
        cross_origin,
        dropped,
        preflight,
        request: Sent { method, headers: lines },
        cors: CorsRequest { origin: origin.into_bytes(), credentials: page.credentials },
    })
}

/// Fetch, "HTTP fetch" and "CORS-preflight fetch".
fn preflight(
    method: &str,
    headers: &[HeaderLine],
    origin: &str,
    upload_listeners: bool,
) -> Option<PlannedPreflight> {
    let names = unsafe_names(headers);
    let mut reasons = Vec::new();
    if upload_listeners {
        reasons.push(PreflightReason::UploadListeners);
    }
    if !is_safelisted_method(method.as_bytes()) {
        reasons.push(PreflightReason::Method(method.to_owned()));
    }
    reasons.extend(
        names.iter().map(|(name, cause)| PreflightReason::Header(name.clone(), cause.clone())),
    );
    if reasons.is_empty() {
        return None;
    }
    let names: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
    let mut lines = vec![line("Accept", "*/*"), line("Access-Control-Request-Method", method)];
    if !names.is_empty() {
        lines.push(line("Access-Control-Request-Headers", &names.join(",")));
    }
    lines.push(line("Origin", origin));
    let unsafe_names = names.into_iter().map(String::into_bytes).collect();
    Some(PlannedPreflight {
        reasons,
        request: Sent { method: "OPTIONS".to_owned(), headers: lines },
        asks: Preflight { method: method.as_bytes().to_vec(), unsafe_names },
    })
}

fn line(name: &str, value: &str) -> HeaderLine {
    (name.to_owned(), value.as_bytes().to_vec())
}

/// Fetch, "normalize" a method, after the refusals of `Request`.
///
/// # Errors
///
/// Fails for a method that `fetch` refuses.
pub fn normalized_method(method: &str) -> Result<String, NotSent> {
    if !is_token(method.as_bytes()) {
        return Err(NotSent::InvalidMethod(method.to_owned()));
    }
    let upper = method.to_ascii_uppercase();
    Ok(match upper.as_str() {
        "CONNECT" | "TRACE" | "TRACK" => return Err(NotSent::ForbiddenMethod(method.to_owned())),
        "DELETE" | "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT" => upper,
        _ => method.to_owned(),
    })
}

/// The headers that are sent, and the names of those that the browser leaves out.
fn request_headers(lines: &[HeaderLine]) -> Result<(Vec<HeaderLine>, Vec<String>), NotSent> {
    let (mut sent, mut dropped) = (Vec::new(), Vec::new());
    for (name, value) in lines {
        let value = normalized(value);
        if !is_token(name.as_bytes()) {
            return Err(NotSent::InvalidHeaderName(name.clone()));
        }
        if value.iter().any(|byte| matches!(byte, 0 | b'\n' | b'\r')) {
            return Err(NotSent::InvalidHeaderValue(name.clone()));
        }
        if is_forbidden_header(name, value) {
            dropped.push(name.clone());
        } else {
            sent.push((name.clone(), value.to_vec()));
        }
    }
    Ok((sent, dropped))
}

/// Fetch, "forbidden request-header".
fn is_forbidden_header(name: &str, value: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "accept-charset"
        | "accept-encoding"
        | "access-control-request-headers"
        | "access-control-request-method"
        | "access-control-request-private-network"
        | "connection"
        | "content-length"
        | "cookie"
        | "cookie2"
        | "date"
        | "dnt"
        | "expect"
        | "host"
        | "keep-alive"
        | "origin"
        | "referer"
        | "set-cookie"
        | "te"
        | "trailer"
        | "transfer-encoding"
        | "upgrade"
        | "via" => true,
        "x-http-method" | "x-http-method-override" | "x-method-override" => {
            let methods = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            methods
                .map(<[u8]>::to_ascii_uppercase)
                .any(|method| matches!(method.as_slice(), b"CONNECT" | b"TRACE" | b"TRACK"))
        }
        name => name.starts_with("proxy-") || name.starts_with("sec-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(method: &str, url: &str, headers: &[(&str, &str)]) -> PageRequest {
        PageRequest {
            origin: PageOrigin::of(&Url::parse("https://app.example").unwrap()),
            url: Url::parse(url).unwrap(),
            method: method.to_owned(),
            headers: headers.iter().map(|(name, value)| line(name, value)).collect(),
            credentials: CredentialsMode::Omit,
            upload_listeners: false,
        }
    }

    fn shown(sent: &Sent) -> String {
        let lines = sent.headers.iter();
        let lines =
            lines.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)));
        format!("{} {}", sent.method, lines.collect::<Vec<_>>().join(" | "))
    }

    #[test]
    fn a_safelisted_request_is_sent_at_once_and_with_its_origin() {
        let plan = plan(&page("get", "https://api.example/", &[("Accept", "a")])).unwrap();
        assert!(plan.cross_origin && plan.preflight.is_none());
        assert_eq!(shown(&plan.request), "GET Accept: a | Origin: https://app.example");
    }

    #[test]
    fn a_preflight_names_the_method_and_the_sorted_names_in_lower_case() {
        let headers = [("X-B", "1"), ("Content-Type", "application/json"), ("x-a", " 2 ")];
        let plan = plan(&page("put", "https://api.example/", &headers)).unwrap();
        let preflight = plan.preflight.unwrap();
        assert_eq!(
            shown(&preflight.request),
            "OPTIONS Accept: */* | Access-Control-Request-Method: PUT | \
             Access-Control-Request-Headers: content-type,x-a,x-b | Origin: https://app.example"
        );
        let reasons: Vec<String> = preflight.reasons.iter().map(ToString::to_string).collect();
        assert_eq!(
            reasons,
            [
                "the method `PUT` is not `GET`, `HEAD` or `POST`",
                "the header `content-type`: `application/json` is not a type that an HTML form can send \
                 (`application/x-www-form-urlencoded`, `multipart/form-data`, `text/plain`)",
                "the header `x-a`: the name is not on the safelist",
                "the header `x-b`: the name is not on the safelist",
            ]
        );
        assert_eq!(
            shown(&plan.request),
            "PUT X-B: 1 | Content-Type: application/json | x-a: 2 | Accept: */* | \
             Origin: https://app.example"
        );
    }

    #[test]
    fn a_page_on_the_same_origin_has_no_cors() {
        for (method, want) in
            [("GET", "GET Accept: */*"), ("PUT", "PUT Accept: */* | Origin: https://app.example")]
        {
            let plan = plan(&page(method, "https://app.example:443/a", &[])).unwrap();
            assert!(!plan.cross_origin && plan.preflight.is_none());
            assert_eq!(shown(&plan.request), want);
        }
        for other in ["http://app.example/", "https://app.example:444/", "https://www.app.example/"]
        {
            assert!(plan(&page("GET", other, &[])).unwrap().cross_origin, "{other}");
        }
    }

    #[test]
    fn a_browser_drops_forbidden_headers_and_refuses_forbidden_methods() {
        let headers = [
            ("Cookie", "a=b"),
            ("Sec-Fetch-Site", "none"),
            ("proxy-a", "1"),
            ("x-http-method-override", "get, trace"),
            ("x-method-override", "PATCH"),
        ];
        let plan_of = |method, headers: &[_]| plan(&page(method, "https://api.example/", headers));
        let planned = plan_of("GET", &headers).unwrap();
        assert_eq!(
            planned.dropped,
            ["Cookie", "Sec-Fetch-Site", "proxy-a", "x-http-method-override"]
        );
        let asks = planned.preflight.unwrap().asks;
        assert_eq!(asks.unsafe_names, [b"x-method-override".to_vec()]);
        for (method, headers, want) in [
            ("Trace", vec![], NotSent::ForbiddenMethod("Trace".to_owned())),
            ("G T", vec![], NotSent::InvalidMethod("G T".to_owned())),
            ("GET", vec![("x a", "1")], NotSent::InvalidHeaderName("x a".to_owned())),
            ("GET", vec![("x-a", "1\n2")], NotSent::InvalidHeaderValue("x-a".to_owned())),
        ] {
            assert_eq!(plan_of(method, &headers).unwrap_err(), want);
        }
        let scheme = plan(&page("GET", "ftp://api.example/", &[])).unwrap_err();
        assert_eq!(scheme, NotSent::Scheme("ftp".to_owned()));
    }

    #[test]
    fn listeners_on_an_upload_need_a_preflight_of_their_own() {
        let mut page = page("POST", "https://api.example/", &[]);
        page.upload_listeners = true;
        page.origin = PageOrigin::opaque();
        let preflight = plan(&page).unwrap().preflight.unwrap();
        assert_eq!(preflight.reasons, [PreflightReason::UploadListeners]);
        assert_eq!(
            shown(&preflight.request),
            "OPTIONS Accept: */* | Access-Control-Request-Method: POST | Origin: null"
        );
    }
}
