//! Laws of the core: each takes any bytes and panics where it is broken. Fuzz targets and plain tests share them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use corsward_policy::decision::Decision;
use corsward_policy::draft::{
    CorsDraft, Diagnostics, DisallowedRequests, Mode, OnFailure, PathType, RuleDraft,
    UpstreamCorsHeaders, UpstreamOrigin,
};
use corsward_policy::limits::MAX_ORIGIN_LEN;
use corsward_policy::origin::Origin;
use corsward_policy::pattern::OriginPattern;
use corsward_policy::response_headers::Headers;
use corsward_policy::validate::NoKnowledge;
use corsward_policy::wire::{self, Envelope};
use corsward_policy::{
    Action, Compiled, Draft, Outcome, Policy, PolicyId, Request, RequestField, RequestKind,
    Response, compile, decide, validate,
};

/// A parsed origin prints back to itself, and is within bounds.
pub fn origin_round_trip(bytes: &[u8]) {
    let Some(origin) = Origin::parse(bytes) else {
        return;
    };
    let port = origin.port().map(|port| format!(":{port}")).unwrap_or_default();
    let printed = format!("{}://{}{port}", origin.scheme(), origin.host());
    assert_eq!(printed.as_bytes(), bytes);
    assert!(bytes.len() <= MAX_ORIGIN_LEN);
}

/// A parsed pattern prints in a normal form that is itself; one without a star accepts exactly its own origin, and a block
/// of addresses the origin of its first.
pub fn pattern_self(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(parsed) = OriginPattern::parse(text) else {
        return;
    };
    let printed = parsed.pattern.to_string();
    let again = OriginPattern::parse(&printed).expect("a normal form is a pattern");
    assert_eq!(again.pattern, parsed.pattern);
    assert!(!again.normalized, "{printed}");
    if printed.contains('*') {
        return;
    }
    let compiled = compile(&[&accepted(&policy_of(&[&printed]))]);
    if let Some((before, after)) =
        printed.rsplit_once('/').filter(|(before, _)| !before.ends_with('/'))
    {
        let port = after.trim_start_matches(|c: char| c.is_ascii_digit());
        assert!(shares_with(&compiled, format!("{before}{port}").as_bytes()), "{printed}");
        return;
    }
    assert!(shares_with(&compiled, printed.as_bytes()), "{printed} does not accept itself");
    for other in neighbours(&printed) {
        assert!(!shares_with(&compiled, &other), "{printed} accepts {}", other.escape_ascii());
    }
}

/// Whatever bytes arrive as a configuration, they decode whole or not at all; what decodes encodes to something that
/// decodes to the same.
pub fn wire_decode(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::decode(bytes) {
        let again = Envelope::decode(envelope.encode().as_bytes());
        assert_eq!(again.as_ref(), Ok(&envelope));
        compiled_round_trip(&envelope.compiled);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        compiled_round_trip(text);
    }
}

/// Whatever a client and an upstream send, the decision is sane: see [`check`].
pub fn decide_laws(bytes: &[u8]) {
    let case = Any::of(bytes);
    check(every_kind(), &case, &case);
}

/// A decision shares with the request's origin or with anyone, never with anyone and credentials; it is the same when
/// it is asked twice; its headers are sound; its verdict is about the kind of CORS request that the request is.
pub fn check(compiled: &Compiled, request: &impl Request, response: &impl Response) {
    let origin = request.field(RequestField::Origin);
    let decision = decide(compiled, request);
    let kind = decision.verdict.as_ref().map(|verdict| verdict.kind);
    assert!(kind.is_none() || kind == kind_of(request), "{kind:?}");
    let headers = edited(&decision, response);
    assert_eq!(headers, edited(&decide(compiled, request), response), "asked twice");
    if let Some(allowed) = headers.get("access-control-allow-origin") {
        let own = origin.as_deref() == Some(allowed.as_slice());
        assert!(own || allowed == b"*", "shares with {}", allowed.escape_ascii());
        let credentials = headers.get("access-control-allow-credentials");
        assert!(allowed != b"*" || credentials.is_none() || own, "`*` with credentials");
        assert!(!(own && allowed == b"*" && credentials.is_some()), "an origin called `*`");
    }
    // What the upstream wrote into `Vary` stays there; whatever else is sent is ours.
    for (name, value) in headers.iter().filter(|(name, _)| *name != "vary") {
        let broken = value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        assert!(!broken, "{name}: {}", value.escape_ascii());
    }
}

/// Fetch, "HTTP requests": the kind of CORS request that this is, if it is one.
fn kind_of(request: &impl Request) -> Option<RequestKind> {
    request.field(RequestField::Origin)?;
    let method = request.field(RequestField::AccessControlRequestMethod);
    let is_options = request.field(RequestField::Method).as_deref() == Some(b"OPTIONS");
    let is_preflight = is_options && method.is_some_and(|method| !method.is_empty());
    Some(if is_preflight { RequestKind::Preflight } else { RequestKind::Actual })
}

/// A policy that allows these origins, everywhere.
pub fn policy_of(origins: &[&str]) -> Draft {
    let allow_origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
    let id = PolicyId { namespace: "fuzz".into(), name: "policy".into() };
    Draft {
        id,
        cors: Some(CorsDraft { allow_origins, ..CorsDraft::default() }),
        ..Draft::default()
    }
}

/// Does a decision share an actual request with this origin?
pub fn shares_with(compiled: &Compiled, origin: &[u8]) -> bool {
    let request = Any { origin: Some(origin.to_vec()), ..Any::default() };
    let decision = decide(compiled, &request);
    edited(&decision, &Any::default()).contains_key("access-control-allow-origin")
}

/// A request and the response to it, made of any bytes.
#[derive(Clone, Debug, Default)]
pub struct Any {
    /// `Origin`.
    pub origin: Option<Vec<u8>>,
    /// The other fields, by name.
    pub fields: BTreeMap<&'static str, Vec<u8>>,
    /// Response headers.
    pub answers: BTreeMap<&'static str, Vec<u8>>,
}

// === impl Any ===

impl Any {
    /// Lines of bytes become fields in a fixed order; the first line chooses what the rest cannot.
    pub fn of(bytes: &[u8]) -> Self {
        let mut lines = bytes.split(|&byte| byte == b'\n');
        let choice = lines.next().unwrap_or_default();
        let digit = |at: usize| choice.get(at).copied().map_or(0, usize::from);
        let mut any = Self { origin: lines.next().map(<[u8]>::to_vec), ..Self::default() };
        if digit(2) % 8 == 7 {
            any.origin = None;
        }
        for name in REQUEST_FIELDS {
            if let Some(value) = lines.next().filter(|value| !value.is_empty()) {
                any.fields.insert(name, value.to_vec());
            }
        }
        for name in RESPONSE_FIELDS {
            if let Some(value) = lines.next().filter(|value| !value.is_empty()) {
                any.answers.insert(name, value.to_vec());
            }
        }
        let method: &[u8] = [&b"OPTIONS"[..], b"GET", b"POST", b"options"][digit(1) % 4];
        any.fields.insert(":method", method.to_vec());
        // Most inputs should meet a policy.
        if digit(0) % 16 < HOSTS {
            any.fields.insert(":authority", format!("p{}.test", digit(0) % 16).into_bytes());
        }
        any
    }
}

impl Request for Any {
    fn field(&self, field: RequestField) -> Option<Cow<'_, [u8]>> {
        let value = match field {
            RequestField::Origin => self.origin.as_deref(),
            _ => self.fields.get(field.name()).map(Vec::as_slice),
        };
        value.map(Cow::Borrowed)
    }

    fn destination_port(&self) -> Option<u16> {
        Some(PORT)
    }
}

impl Response for Any {
    fn header(&self, name: &'static str) -> Option<Cow<'_, [u8]>> {
        self.answers.get(name).map(|value| Cow::Borrowed(value.as_slice()))
    }
}

const REQUEST_FIELDS: [&str; 10] = [
    "access-control-request-method",
    "access-control-request-headers",
    ":path",
    ":authority",
    "sec-fetch-site",
    "x-forwarded-proto",
    ":scheme",
    "upgrade",
    "cookie",
    "authorization",
];

const RESPONSE_FIELDS: [&str; 4] =
    ["vary", "access-control-allow-origin", "access-control-allow-methods", ":status"];

/// The port that all requests come to.
const PORT: u16 = 8080;

/// How many hosts [`every_kind`] covers.
const HOSTS: usize = 12;

fn compiled_round_trip(text: &str) {
    let Ok(compiled) = wire::decode(text) else {
        return;
    };
    let encoded = wire::encode(&compiled);
    let again = wire::decode(&encoded).expect("what was encoded decodes");
    assert_eq!(wire::encode(&again), encoded);
    let any = Any { origin: Some(b"https://a.example".to_vec()), ..Any::of(b"\0\0") };
    check(&compiled, &any, &any);
    // What is left for the one proxy that has every label can be published for it alone.
    let here = compiled.for_proxy(&mut |_, _| true);
    assert!(!here.needs_labels());
    assert_eq!(wire::decode(&wire::encode(&here)).as_ref(), Ok(&here));
    check(&here, &any, &any);
}

/// The response headers after a decision: of its own reply, or of the given response after its edits.
pub fn edited(decision: &Decision<'_>, response: &impl Response) -> BTreeMap<String, Vec<u8>> {
    let collect = |headers: &Headers<'_>| {
        headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
    };
    match &decision.action {
        Action::Passthrough => BTreeMap::new(),
        Action::LocalReply(reply) => {
            assert!(matches!(reply.status, 200 | 204 | 403), "status {}", reply.status);
            collect(&reply.headers)
        }
        Action::Continue { remove, plan } => {
            // Only what was allowed is forwarded otherwise than it came.
            let allowed = decision.verdict.as_ref().is_some_and(|verdict| {
                verdict.kind == RequestKind::Actual && verdict.outcome == Outcome::Allowed
            });
            assert!(remove.is_none() || allowed && *remove == Some(RequestField::Origin));
            collect(&plan.edits(response).set)
        }
    }
}

/// The policy that a draft is; the laws write no others.
pub fn accepted(draft: &Draft) -> Policy {
    let validated = validate(draft, &NoKnowledge);
    validated.policy.unwrap_or_else(|| panic!("refused: {:?}", validated.findings))
}

/// Origins that differ from `origin` by a little.
fn neighbours(origin: &str) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for more in [".", "/", ":1", "a", ".evil.test", "\0", " ", "\u{fc}"] {
        all.push(format!("{origin}{more}").into_bytes());
        all.push(format!("{more}{origin}").into_bytes());
        all.push(origin.replacen("://", &format!("://{more}"), 1).into_bytes());
    }
    let mut cut = origin.as_bytes().to_vec();
    cut.pop();
    all.push(cut);
    // Those that are the same origin in another spelling are none.
    all.retain(|other| {
        let other =
            std::str::from_utf8(other).ok().and_then(|text| OriginPattern::parse(text).ok());
        other.is_none_or(|other| other.pattern.to_string() != origin)
    });
    all
}

/// Policies of every kind, each with a host of its own: `p0.test` and so on.
fn every_kind() -> &'static Compiled {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let policies: Vec<Policy> = (0..HOSTS).map(kind).map(|draft| accepted(&draft)).collect();
        compile(&policies.iter().collect::<Vec<_>>())
    })
}

fn kind(at: usize) -> Draft {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let origins = [
        words(&["https://*.b.example", "http://172.16.0.0/12:*", "http://[fd00::]/8", "null"]),
        words(&["*"]),
        words(&["https://*"]),
        words(&["https://pr-*--app.c.example:8443", "http://[::1]:*", "app://.", "file://"]),
    ];
    let lists = [words(&[]), words(&["*"]), words(&["X-A", "authorization", "*"])];
    let allow_credentials = at % 4 != 1 && at % 3 == 1;
    let cors = CorsDraft {
        allow_origins: origins[at % 4].clone(),
        allow_origin_regexes: if at % 4 == 1 {
            Vec::new()
        } else {
            words(&[r"https://[a-z]+\.re\.example"])
        },
        allow_methods: if at.is_multiple_of(2) { words(&["PUT", "patch"]) } else { words(&["*"]) },
        allow_headers: lists[at % 3].clone(),
        expose_headers: words(&["x-b"]),
        allow_credentials,
        max_age: Some(at as i64),
        dangerously_allow: dangers(at, allow_credentials),
    };
    let rule = |path_type, path: &str| RuleDraft {
        path_type,
        path_value: path.into(),
        cors: Some(CorsDraft {
            allow_origins: words(&["https://rule.example"]),
            ..CorsDraft::default()
        }),
        mode: Mode::Active,
        disallowed_requests: None,
        trusted_origins: Some(words(&["https://t.example"])),
        upstream_origin: None,
    };
    Draft {
        id: PolicyId { namespace: "fuzz".into(), name: format!("p{at}") },
        hostnames: vec![format!("p{at}.test")],
        cors: Some(cors),
        rules: if at.is_multiple_of(2) {
            vec![rule(PathType::PathPrefix, "/a"), rule(PathType::Exact, "/a/b")]
        } else {
            Vec::new()
        },
        disallowed_requests: if at % 5 == 2 {
            DisallowedRequests::Reject
        } else {
            DisallowedRequests::Forward
        },
        mode: if at == 11 { Mode::DryRun } else { Mode::Active },
        on_failure: [OnFailure::Explain, OnFailure::Reject, OnFailure::Ignore, OnFailure::Forward]
            [at / 3 % 4],
        upstream_cors_headers: if at % 6 == 5 {
            UpstreamCorsHeaders::Keep
        } else {
            UpstreamCorsHeaders::Replace
        },
        upstream_origin: if at % 7 == 3 { UpstreamOrigin::Remove } else { UpstreamOrigin::Keep },
        diagnostics: if at % 2 == 1 { Diagnostics::Header } else { Diagnostics::None },
        ..Draft::default()
    }
}

fn dangers(at: usize, allow_credentials: bool) -> Vec<String> {
    let words: &[&str] = match (allow_credentials, at % 4) {
        (false, _) => &[],
        (true, 0) => &["InsecureOriginWithCredentials", "NullOriginWithCredentials"],
        (true, _) => &["AnyOriginWithCredentials"],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}
