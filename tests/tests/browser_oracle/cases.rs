//! Cases: requests of a page and the answers to them, generated from lists.

use corsward_browser::CredentialsMode;

/// A request of the page, and the answers to its preflight and to itself.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) method: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) credentials: CredentialsMode,
    pub(crate) upload_listeners: bool,
    pub(crate) same_origin: bool,
    pub(crate) preflight: Answer,
    pub(crate) actual: Answer,
}

/// A status and header lines; `{origin}` in a value is the page's origin.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
}

// === impl Case ===

impl Case {
    /// Chromium lets `*` cover `authorization` (Fetch, "CORS non-wildcard request-header name"), and logs a deprecation.
    pub(crate) fn is_lenient_in_chromium(&self) -> bool {
        self.credentials != CredentialsMode::Include
            && self.headers.iter().any(|(name, _)| *name == "authorization")
            && self.preflight.headers.iter().any(|(name, value)| *name == ACAH && value == "*")
    }
}

const ACAO: &str = "Access-Control-Allow-Origin";
const ACAC: &str = "Access-Control-Allow-Credentials";
const ACAM: &str = "Access-Control-Allow-Methods";
const ACAH: &str = "Access-Control-Allow-Headers";
const ACEH: &str = "Access-Control-Expose-Headers";

const MODES: [CredentialsMode; 3] =
    [CredentialsMode::Omit, CredentialsMode::SameOrigin, CredentialsMode::Include];

fn answer(status: u16, headers: &[(&'static str, &str)]) -> Answer {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Answer { status, headers }
}

/// A case that passes, whatever the method and headers.
fn open(method: &'static str, headers: &[(&'static str, &str)]) -> Case {
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let shared = [(ACAO, "{origin}"), (ACAC, "true")];
    let upper = method.to_ascii_uppercase();
    let methods = format!("{method}, {upper}");
    let names = names.join(",");
    let preflight = [&shared[..], &[(ACAM, methods.as_str()), (ACAH, names.as_str())]].concat();
    Case {
        method,
        headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        credentials: CredentialsMode::SameOrigin,
        upload_listeners: false,
        same_origin: false,
        preflight: answer(204, &preflight),
        actual: answer(200, &shared),
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = requests();
    cases.extend(preflight_answers());
    cases.extend(answers());
    cases
}

/// Methods, headers and their values.
fn requests() -> Vec<Case> {
    let mut cases = Vec::new();
    for method in [
        "GET", "get", "GeT", "HEAD", "head", "POST", "post", "PUT", "put", "DELETE", "delete",
        "OPTIONS", "options", "PATCH", "patch", "Patch", "QUERY", "PROPFIND", "x!y", "CONNECT",
        "trace", "TRACK", "G T", "G,T",
    ] {
        cases.push(open(method, &[]));
        cases.push(open(method, &[("x-a", "1")]));
        let same_origin = true;
        cases.push(Case { same_origin, ..open(method, &[("x-a", "1")]) });
    }
    let long = "a".repeat(128);
    let longer = "a".repeat(129);
    let type_of = |length: usize| format!("text/plain; a={}", "b".repeat(length - 14));
    let (type_128, type_129) = (type_of(128), type_of(129));
    for (name, values) in [
        ("accept", vec!["*/*", "text/html;q=0.5", "a(b", "a\"b", "a{b", "a\tb", &long, &longer]),
        ("accept-language", vec!["de, en;q=0.5", "de_CH", "*", "a/b", &long, &longer]),
        ("content-language", vec!["de", "de_CH", "d=e", "a:b"]),
        (
            "content-type",
            vec![
                "text/plain",
                "Text/PLAIN",
                "text/plain;charset=UTF-8",
                "text/plain; charset=utf-8",
                "text/plain; a=\"b\"",
                "text/plain ; a=b",
                "text/plain;",
                "text/plain, text/plain",
                "text/html",
                "text",
                "text/",
                "/plain",
                "",
                "application/json",
                "application/x-www-form-urlencoded",
                "application/x-www-form-urlencoded;a",
                "multipart/form-data",
                "multipart/form-data; boundary=a",
                "multipart/mixed",
                "application/csp-report",
                "application/grpc-web+proto",
                &type_128,
                &type_129,
            ],
        ),
        (
            "range",
            vec![
                "bytes=0-",
                "bytes=0-499",
                "bytes=-500",
                "bytes=5-4",
                "bytes=0-1,3-4",
                "bytes=0",
                "items=0-1",
                "bytes=a-b",
            ],
        ),
        ("authorization", vec!["Bearer a"]),
        ("x-requested-with", vec!["XMLHttpRequest"]),
        ("if-none-match", vec!["\"a\""]),
        ("cache-control", vec!["no-cache"]),
        ("cookie", vec!["c=d"]),
        ("sec-a", vec!["1"]),
        ("proxy-a", vec!["1"]),
        ("host", vec!["a.example"]),
        ("origin", vec!["https://b.example"]),
        ("date", vec!["1"]),
        ("via", vec!["1"]),
        ("x-http-method-override", vec!["TRACE", "PATCH", "get, track"]),
        ("x a", vec!["1"]),
        ("x-a", vec!["1", "", "  a  ", &longer]),
    ] {
        cases.extend(values.iter().map(|value| open("POST", &[(name, value)])));
    }
    cases.push(open("GET", &[("X-B", "1"), ("x-a", "2"), ("Authorization", "a"), ("x-c", "3")]));
    cases.push(open("PUT", &[("Content-Type", "application/json"), ("Accept", "a"), ("X-a", "2")]));
    cases.push(open("GET", &[("x-a", "1"), ("X-A", "2")]));
    cases.push(open("GET", &[("a.b", "1"), ("a-b", "2"), ("a_b", "3"), ("ab", "4")]));
    for method in ["POST", "PUT"] {
        for credentials in [CredentialsMode::SameOrigin, CredentialsMode::Include] {
            let headers = [("content-type", "text/plain")];
            let upload_listeners = true;
            cases.push(Case { upload_listeners, credentials, ..open(method, &headers) });
        }
    }
    cases
}

/// Values of `Access-Control-Allow-Origin` and `-Credentials`.
fn sharing() -> Vec<Vec<(&'static str, &'static str)>> {
    let mut all = Vec::new();
    for origins in [
        vec!["{origin}"],
        vec!["*"],
        vec!["https://b.example"],
        vec!["null"],
        vec!["{origin}/"],
        vec!["{origin}", "{origin}"],
        vec!["{origin}, https://b.example"],
        vec!["*", "*"],
        vec![],
    ] {
        for credentials in [None, Some("true"), Some("TRUE")] {
            let mut lines: Vec<_> = origins.iter().map(|origin| (ACAO, *origin)).collect();
            lines.extend(credentials.map(|value| (ACAC, value)));
            all.push(lines);
        }
    }
    all
}

/// Answers to preflights.
fn preflight_answers() -> Vec<Case> {
    let mut cases = Vec::new();
    for credentials in MODES {
        for lines in sharing() {
            let lines = [&lines[..], &[(ACAM, "PUT"), (ACAH, "x-a")]].concat();
            let preflight = answer(204, &lines);
            cases.push(Case { credentials, preflight, ..open("PUT", &[("x-a", "1")]) });
        }
    }
    let open_lines = [(ACAO, "{origin}"), (ACAC, "true")];
    for status in [200, 204, 299, 301, 302, 307, 401, 403, 404, 405, 500, 503] {
        let lines = [&open_lines[..], &[(ACAM, "PUT"), ("location", "/0")]].concat();
        cases.push(Case { preflight: answer(status, &lines), ..open("PUT", &[]) });
    }
    for credentials in [CredentialsMode::Omit, CredentialsMode::Include] {
        for methods in
            ["PUT", "put", "patch", "PATCH", "*", "GET, PUT,patch", "PUT, *", ",PUT,,", "P UT", ""]
        {
            for method in ["PUT", "patch"] {
                let preflight = answer(204, &[&open_lines[..], &[(ACAM, methods)]].concat());
                cases.push(Case { credentials, preflight, ..open(method, &[]) });
            }
        }
        for names in [
            "x-a",
            "X-A",
            "*",
            "x-b, x-a",
            "x-b",
            "x a",
            "",
            "authorization",
            "*, Authorization",
            "x-a,",
        ] {
            for name in ["x-a", "authorization"] {
                let preflight = answer(204, &[&open_lines[..], &[(ACAH, names)]].concat());
                cases.push(Case { credentials, preflight, ..open("GET", &[(name, "1")]) });
            }
        }
    }
    cases
}

/// Answers to requests.
fn answers() -> Vec<Case> {
    let mut cases = Vec::new();
    for credentials in MODES {
        for lines in sharing() {
            cases.push(Case { credentials, actual: answer(200, &lines), ..open("GET", &[]) });
        }
        for exposed in ["x-id", "X-ID, x-other", "*", "x id", "set-cookie", "x-id,*", ""] {
            for status in [200, 404] {
                let lines = [
                    (ACAO, "{origin}"),
                    (ACAC, "true"),
                    (ACEH, exposed),
                    ("X-Id", "1"),
                    ("x-other", "1"),
                    ("Content-Type", "text/plain"),
                    ("Cache-Control", "no-store"),
                    ("ETag", "\"a\""),
                ];
                let actual = answer(status, &lines);
                cases.push(Case { credentials, actual, ..open("GET", &[]) });
            }
        }
    }
    cases
}
