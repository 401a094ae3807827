//! Laws that hold for every policy and every request.

use corsward_browser::{CorsResponse, CredentialsMode, cors_check, preflight_check};
use corsward_policy::draft::{
    CorsDraft, Diagnostics, DisallowedRequests, Mode, OnFailure, PathType, RuleDraft, Specificity,
    UpstreamCorsHeaders, UpstreamOrigin,
};
use corsward_policy::pattern::OriginPattern;
use corsward_policy::syntax::{is_token, list_elements};
use corsward_policy::validate::NoKnowledge;
use corsward_policy::wire::{self, Encoded};
use corsward_policy::{
    Action, Compiled, Decision, Draft, Outcome, Policy, PolicyId, Workload, compile, compile_for,
    validate,
};
use corsward_test_harness::case;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

#[path = "../../policy/fuzz/laws.rs"]
#[allow(dead_code, reason = "the regressions use the rest")]
mod laws;

#[path = "properties/bounds.rs"]
mod bounds;

use bounds::{Bound, Set};
use laws::Any;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_parsed_origin_prints_back_to_itself(origin in origin_text()) {
        laws::origin_round_trip(origin.as_bytes());
    }

    #[test]
    fn a_parsed_pattern_prints_back_to_itself_and_accepts_exactly_its_origin(text in pattern_text()) {
        laws::pattern_self(text.as_bytes());
    }

    #[test]
    fn an_exact_pattern_accepts_an_origin_if_and_only_if_it_is_the_same(
        pattern in origin_text(),
        origin in origin_text(),
    ) {
        let draft = laws::policy_of(&[&pattern]);
        if let Some(policy) = validate(&draft, &NoKnowledge).policy {
            let compiled = compile(&[&policy]);
            let normal = OriginPattern::parse(&pattern).expect("it was valid").pattern.to_string();
            let is_origin = corsward_policy::origin::Origin::parse(origin.as_bytes()).is_some();
            let want = is_origin && normal.eq_ignore_ascii_case(&origin);
            prop_assert_eq!(laws::shares_with(&compiled, origin.as_bytes()), want);
        }
    }

    #[test]
    fn a_pattern_contains_another_if_and_only_if_it_accepts_all_that_the_other_accepts(
        one in near_pattern(),
        other in near_pattern(),
    ) {
        let parse = |text: &str| OriginPattern::parse(text).expect("a pattern").pattern;
        let policy = validate(&laws::policy_of(&[&other]), &NoKnowledge).policy.expect("a policy");
        let compiled = compile(&[&policy]);
        let accepted = instances(&one)
            .into_iter()
            .filter(|origin| corsward_policy::origin::Origin::parse(origin.as_bytes()).is_some())
            .all(|origin| laws::shares_with(&compiled, origin.as_bytes()));
        prop_assert_eq!(parse(&one).is_contained_in(&parse(&other)), accepted, "{} in {}", one, other);
    }

    #[test]
    fn a_decision_shares_with_the_requests_origin_or_anyone_and_never_anyone_with_credentials(
        drafts in vec(draft(), 1..6),
        request in any_request(),
    ) {
        laws::check(&compiled(&drafts), &request, &request);
    }

    #[test]
    fn a_browser_passes_what_was_allowed_and_refuses_what_was_refused(
        drafts in vec(draft(), 1..4),
        request in any_request(),
    ) {
        let compiled = compiled(&drafts);
        let decision = corsward_policy::decide(&compiled, &request);
        let Some(verdict) = &decision.verdict else {
            return Ok(());
        };
        let want = match verdict.outcome {
            Outcome::Allowed => true,
            Outcome::Refused(_) | Outcome::Rejected(_) | Outcome::Trusted => false,
            // The browser does not ask.
            Outcome::SameOrigin => return Ok(()),
        };
        // An upstream that answers for itself is not ours to judge.
        let keeps = drafts.iter().any(|draft| draft.upstream_cors_headers == UpstreamCorsHeaders::Keep);
        if keeps {
            return Ok(());
        }
        // No browser asks for a header whose name is none.
        let names = request.fields.get("access-control-request-headers");
        let mut names = names.into_iter().flat_map(|names| list_elements(names));
        if names.any(|name| !name.is_empty() && !is_token(name)) {
            return Ok(());
        }
        prop_assert_eq!(browser_passes(&decision, &request), want, "{:?}", verdict.outcome);
    }

    #[test]
    fn an_answer_to_one_preflight_serves_the_next_with_usual_names(
        methods in list(&["*", "PUT", "PROPFIND"]),
        headers in list(&["*", "x-a", "content-type", "authorization"]),
        allow_credentials in any::<bool>(),
        first in asked(&["PUT", "PROPFIND", "GET", "patch"], &["", "x-a", "X-B,x-a", "authorization"]),
        next in asked(&["GET", "PUT", "PATCH", "DELETE"], &["", "content-type"]),
    ) {
        let mut draft = laws::policy_of(&["https://a.example"]);
        if let Some(cors) = &mut draft.cors {
            (cors.allow_methods, cors.allow_headers) = (methods, headers);
            cors.allow_credentials = allow_credentials;
        }
        let compiled = compiled(&[draft]);
        let [kept, asked_again] = [&first, &next].map(|ask| corsward_policy::decide(&compiled, ask));
        let passes = |decision: &Decision<'_>| {
            decision.verdict.as_ref().is_some_and(|verdict| verdict.outcome == Outcome::Allowed)
        };
        // Chromium keeps one answer to preflights for each URL, and compares the next request with it.
        if passes(&kept) && passes(&asked_again) {
            prop_assert!(browser_passes(&kept, &next), "{:?} for {:?}", kept, next);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        laws::origin_round_trip(&bytes);
        laws::pattern_self(&bytes);
        laws::wire_decode(&bytes);
        laws::decide_laws(&bytes);
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same(drafts in vec(draft(), 0..6), request in any_request()) {
        let compiled = compiled(&drafts);
        let text = wire::encode(&compiled);
        let decoded = wire::decode(&text).expect("what was encoded decodes");
        prop_assert_eq!(wire::encode(&decoded), text);
        let ours = laws::edited(&corsward_policy::decide(&compiled, &request), &request);
        let theirs = laws::edited(&corsward_policy::decide(&decoded, &request), &request);
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn what_is_written_without_tables_is_what_is_encoded_and_refused_as_it_is_decoded(
        drafts in vec((draft(), name(), vec(workload(), 0..4)), 0..6),
    ) {
        let (drafts, workloads): (Vec<Draft>, Vec<_>) = drafts
            .into_iter()
            .map(|(draft, name, workloads)| (Draft { id: name, ..draft }, workloads))
            .unzip();
        let valid = |(draft, workloads): (&Draft, _)| Some((validate(draft, &NoKnowledge).policy?, workloads));
        let set: Set = named(&drafts).iter().zip(workloads).filter_map(valid).collect();
        is_written_as_encoded(&set)?;
    }

    #[test]
    fn equal_policies_in_any_order_give_equal_bytes(drafts in vec(draft(), 0..6), turn in 0_usize..6) {
        let drafts = named(&drafts);
        let mut turned = drafts.clone();
        turned.rotate_left(turn % drafts.len().max(1));
        turned.reverse();
        prop_assert_eq!(wire::encode(&compiled(&drafts)), wire::encode(&compiled(&turned)));
    }

    #[test]
    fn a_truncated_configuration_is_refused(drafts in vec(draft(), 1..4), cut in any::<prop::sample::Index>()) {
        let text = wire::encode(&compiled(&drafts));
        let cut = cut.index(text.len());
        if let Some(part) = text.get(..cut) {
            prop_assert!(wire::decode(part).is_err());
        }
    }
}

proptest! {
    // Each set is large.
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn near_each_bound_what_is_written_is_refused_as_it_is_decoded(
        bound in select(&Bound::ALL[..]),
        by in -2_isize..=2,
    ) {
        is_written_as_encoded(&bound.set(by))?;
    }
}

/// The bytes are those of the compiled policies, and the refusal is the one of a reader.
fn is_written_as_encoded(set: &Set) -> Result<(), TestCaseError> {
    let set: Vec<(&Policy, &[Workload])> =
        set.iter().map(|(policy, workloads)| (policy, &**workloads)).collect();
    let Encoded { text, refusal } = wire::encode_for(&set);
    prop_assert!(text == wire::encode(&compile_for(&set)), "other bytes: {:.2000}", text);
    prop_assert_eq!(refusal, wire::decode(&text).err());
    Ok(())
}

#[test]
fn each_bound_of_a_proxy_is_reached_and_exceeded_by_valid_policies() {
    use Bound::{Labels, Len, Places, PlacesByPort, RegexesOfPolicies, RegexesOfRules, Workloads};
    for bound in [Len, RegexesOfPolicies, RegexesOfRules, Places, PlacesByPort, Workloads, Labels] {
        for (by, fits) in [(0, true), (1, false)] {
            let set = bound.set(by);
            is_written_as_encoded(&set).expect("the law holds");
            let set: Vec<(&Policy, &[Workload])> =
                set.iter().map(|(policy, workloads)| (policy, &**workloads)).collect();
            assert_eq!(wire::encode_for(&set).refusal.is_none(), fits, "{bound:?} {by}");
        }
    }
}

#[test]
fn no_valid_policy_exceeds_a_bound_of_its_own() {
    use Bound::{AnyOrigin, Hostnames, Origins, RegexSize, Regexes, Rules};
    for (bound, within, beyond) in [
        (Origins, 0, 1),
        (Regexes, 0, 1),
        (Rules, 0, 1),
        (Hostnames, 0, 1),
        (RegexSize, -11, 4),
        (AnyOrigin, -3, 1),
    ] {
        let set = bound.set(within);
        assert_eq!(set.len(), 1, "{bound:?}");
        is_written_as_encoded(&set).expect("the law holds");
        assert_eq!(bound.set(beyond).len(), 0, "{bound:?}");
    }
}

/// The oracle's result for a decision, for the credentials that the response allows.
fn browser_passes(decision: &Decision<'_>, request: &Any) -> bool {
    let headers: Vec<_> = laws::edited(decision, request).into_iter().collect();
    let status = match &decision.action {
        Action::LocalReply(reply) => reply.status,
        _ => 200,
    };
    let response = CorsResponse { status, headers: &headers };
    let with = headers.iter().any(|(name, _)| name == "access-control-allow-credentials");
    let credentials = if with { CredentialsMode::Include } else { CredentialsMode::Omit };
    let text = |name: &str| request.fields.get(name).cloned().unwrap_or_default();
    let asked = case::Request {
        method: String::from_utf8(text(":method")).unwrap_or_default(),
        authority: String::new(),
        path: Vec::new(),
        headers: ["access-control-request-method", "access-control-request-headers"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), request.fields.get(name)?.clone())))
            .chain(request.origin.clone().map(|origin| ("origin".to_owned(), origin)))
            .collect(),
        credentials,
    };
    match asked.preflight() {
        Some(preflight) => preflight_check(&asked.cors(), &preflight, response).is_ok(),
        None => cors_check(&asked.cors(), response).is_ok(),
    }
}

/// Everything that is valid among `drafts`, compiled; each under its own name.
fn compiled(drafts: &[Draft]) -> Compiled {
    let policies: Vec<Policy> =
        named(drafts).iter().filter_map(|draft| validate(draft, &NoKnowledge).policy).collect();
    compile(&policies.iter().collect::<Vec<_>>())
}

/// Names tell policies apart; those already named stay as they are.
fn named(drafts: &[Draft]) -> Vec<Draft> {
    let name = |(at, draft): (usize, &Draft)| {
        let mut draft = draft.clone();
        if draft.id.name.is_empty() {
            draft.id = PolicyId { namespace: "ns".into(), name: format!("p{at}") };
        }
        draft
    };
    drafts.iter().enumerate().map(name).collect()
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["a.example", "b.example", "x.a.example", "localhost", "10.0.0.1", "[::1]"])
            .prop_map(str::to_owned),
        "[a-z]{1,3}(\\.[a-z0-9-]{1,4}){0,2}",
    ]
}

fn origin_text() -> impl Strategy<Value = String> {
    let scheme = select(vec!["https", "http", "app"]);
    let port = select(vec!["", "", ":8443", ":3000", ":443", ":80"]);
    (scheme, host(), port).prop_map(|(scheme, host, port)| format!("{scheme}://{host}{port}"))
}

fn pattern_text() -> impl Strategy<Value = String> {
    prop_oneof![
        origin_text(),
        host().prop_map(|host| format!("https://*.{host}")),
        host().prop_map(|host| format!("https://pr-*--x.{host}:*")),
        host().prop_map(|host| format!("HTTPS://{}:443", host.to_ascii_uppercase())),
        select(vec!["*", "null", "https://*", "http://10.0.*.*:*", "http://[0:0::1]:80"])
            .prop_map(str::to_owned),
        "[!-~]{0,20}",
    ]
}

/// Patterns of few words, so that two of them often have to do with each other.
fn near_pattern() -> impl Strategy<Value = String> {
    let label = || select(vec!["a", "b", "ab", "a-b", "_a"]);
    let rest = || vec(label(), 1..3).prop_map(|labels| labels.join("."));
    let star = (select(vec!["", "a", "ab"]), select(vec!["", "b", "-b"]));
    let host = prop_oneof![
        rest(),
        (label(), rest()).prop_map(|(first, rest)| format!("{first}.{rest}")),
        rest().prop_map(|rest| format!("*.{rest}")),
        (star, rest()).prop_map(|((prefix, suffix), rest)| format!("{prefix}*{suffix}.{rest}")),
        select(vec!["*", "10.1.2.3", "10.1.2.*", "10.1.*.*", "10.*.*.*", "*.*.*.*", "[::1]"])
            .prop_map(str::to_owned),
    ];
    (select(vec!["http", "https"]), host, select(vec!["", ":81", ":*"]))
        .prop_map(|(scheme, host, port)| format!("{scheme}://{host}{port}"))
}

/// Origins that a pattern accepts, with several values for each star: a second pattern that fits all of them fits every origin of
/// the first.
fn instances(pattern: &str) -> Vec<String> {
    let (scheme, rest) = pattern.split_once("://").expect("a scheme");
    let (host, ports) = match rest.strip_suffix(":*") {
        Some(host) => (host, vec!["", ":81", ":9999"]),
        None => (rest, vec![""]),
    };
    let hosts = match host {
        "*" => vec!["qq".to_owned(), "q.example".into(), "198.51.100.7".into(), "[::2]".into()],
        _ if host.starts_with("*.") && !host.contains(".*") => {
            ["qq", "q.q", "_q", "a"].map(|star| host.replacen('*', star, 1)).to_vec()
        }
        _ => {
            let octets = host.ends_with(".*") || host.contains(".*:");
            let stars = if octets { ["7", "211", "99"] } else { ["q", "0-q", "a"] };
            stars.map(|star| host.replace('*', star)).to_vec()
        }
    };
    let origin = |host: &String| {
        ports.iter().map(|port| format!("{scheme}://{host}{port}")).collect::<Vec<_>>()
    };
    hosts.iter().flat_map(origin).collect()
}

fn list(words: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    subsequence(words, 0..=words.len())
        .prop_map(|words| words.into_iter().map(str::to_owned).collect())
}

fn cors() -> impl Strategy<Value = CorsDraft> {
    let dangers: Vec<String> = [
        "AnyOriginWithCredentials",
        "AnyAppOriginWithCredentials",
        "InsecureOriginWithCredentials",
        "PublicSuffixSubdomains",
        "NullOriginWithCredentials",
        "UnboundedRegexWithCredentials",
    ]
    .map(str::to_owned)
    .to_vec();
    (
        prop_oneof![Just(vec!["*".to_owned()]), vec(pattern_text(), 0..4)],
        list(&[r"https://[a-z]+\.example", r"https://.*\.a\.example:\d+"]),
        list(&["*", "PUT", "patch", "X-Y"]),
        list(&["*", "X-A", "authorization"]),
        list(&["*", "x-b"]),
        any::<bool>(),
        prop::option::of(0_i64..100_000),
    )
        .prop_map(
            move |(
                allow_origins,
                allow_origin_regexes,
                allow_methods,
                allow_headers,
                expose_headers,
                allow_credentials,
                max_age,
            )| CorsDraft {
                allow_origins,
                allow_origin_regexes,
                allow_methods,
                allow_headers,
                expose_headers,
                allow_credentials,
                max_age,
                dangerously_allow: dangers.clone(),
            },
        )
}

fn disallowed_requests() -> impl Strategy<Value = DisallowedRequests> {
    select(vec![DisallowedRequests::Forward, DisallowedRequests::Reject])
}

fn upstream_origin() -> impl Strategy<Value = UpstreamOrigin> {
    select(vec![UpstreamOrigin::Keep, UpstreamOrigin::Remove])
}

fn rule() -> impl Strategy<Value = RuleDraft> {
    (
        select(vec![PathType::Exact, PathType::PathPrefix]),
        select(vec!["/", "/a", "/a/b", "/c/"]),
        prop::option::of(cors()),
        prop::option::of(disallowed_requests()),
        prop::option::of(upstream_origin()),
        select(vec![Mode::Active, Mode::Active, Mode::Off]),
    )
        .prop_map(
            |(path_type, path_value, cors, disallowed_requests, upstream_origin, mode)| {
                let is_active = mode == Mode::Active;
                RuleDraft {
                    path_type,
                    path_value: path_value.into(),
                    mode,
                    cors: cors.filter(|_| is_active),
                    disallowed_requests: disallowed_requests.filter(|_| is_active),
                    trusted_origins: None,
                    upstream_origin: upstream_origin.filter(|_| is_active),
                }
            },
        )
}

/// Names, of which the API server would refuse some; mostly none, for [`named`] to give one.
fn name() -> impl Strategy<Value = PolicyId> {
    let odd = vec!["Shop API", "a\"b", "a\u{1}", "\u{e9}", "api"];
    prop_oneof![
        9 => Just(PolicyId::default()),
        1 => (select(odd.clone()), select(odd)).prop_map(|(namespace, name)| {
            PolicyId { namespace: namespace.into(), name: name.into() }
        }),
    ]
}

fn workload() -> impl Strategy<Value = Workload> {
    let key = select(vec!["app", "app", "tier", "version", "a.example/b", "a b", ""]);
    let value = select(vec!["api", "api", "web", "", "v v"]);
    let labels = btree_map(key.prop_map(str::to_owned), value.prop_map(str::to_owned), 0..3);
    let port = select(vec![None, None, Some(80), Some(8080), Some(0)]);
    (labels, port).prop_map(|(labels, port)| Workload { labels, port })
}

prop_compose! {
    fn draft()(
        cors in prop::option::of(cors()),
        rules in vec(rule(), 0..3),
        hostnames in list(&["*", "*.test", "p1.test"]),
        disallowed_requests in disallowed_requests(),
        trusted_origins in list(&["https://a.example"]),
        mode in select(vec![Mode::Active, Mode::Active, Mode::DryRun, Mode::Off]),
        on_failure in select(vec![OnFailure::Explain, OnFailure::Reject, OnFailure::Ignore, OnFailure::Forward]),
        success_status in select(vec![None, Some(200), Some(204)]),
        keep in any::<bool>(),
        upstream_origin in upstream_origin(),
        told in any::<bool>(),
        specificity in select(vec![Specificity::Cluster, Specificity::Namespace, Specificity::Workload]),
        created in prop::option::of(0_i64..3),
    ) -> Draft {
        Draft {
            id: PolicyId::default(),
            hostnames,
            cors,
            rules,
            disallowed_requests,
            trusted_origins,
            mode,
            on_failure,
            success_status,
            upstream_cors_headers: if keep { UpstreamCorsHeaders::Keep } else { UpstreamCorsHeaders::Replace },
            upstream_origin,
            diagnostics: if told { Diagnostics::Header } else { Diagnostics::None },
            specificity,
            created,
        }
    }
}

prop_compose! {
    /// A preflight to the first of the policies.
    fn asked(methods: &'static [&'static str], headers: &'static [&'static str])(
        method in select(methods),
        headers in select(headers),
    ) -> Any {
        let fields = [
            (":method", "OPTIONS"), (":path", "/"), (":authority", "p0.test"),
            ("access-control-request-method", method), ("access-control-request-headers", headers),
        ];
        Any {
            origin: Some(b"https://a.example".to_vec()),
            fields: fields.map(|(name, value)| (name, value.as_bytes().to_vec())).into(),
            ..Any::default()
        }
    }
}

prop_compose! {
    fn any_request()(
        origin in prop::option::of(prop_oneof![
            origin_text().prop_map(String::into_bytes),
            select(vec![&b"null"[..], b"*", b"", b"https://a.example,https://a.example"]).prop_map(<[u8]>::to_vec),
            vec(any::<u8>(), 0..20),
        ]),
        method in select(vec!["GET", "OPTIONS", "OPTIONS", "POST"]),
        path in select(vec!["/", "/a", "/a/b/c", "//a", "/x/..%2fa", "/c/", "*", ""]),
        host in select(vec!["p1.test", "x.test", "elsewhere", "", "[::1]:80"]),
        acrm in select(vec!["", "PUT", "patch", "P T", "GET"]),
        acrh in prop_oneof![
            select(vec!["", "x-a", "authorization, x-c", "x a,,"]).prop_map(str::to_owned),
            Just("x-a,".repeat(300)),
        ],
        more in btree_map(
            select(vec!["sec-fetch-site", "x-forwarded-proto", ":scheme", "upgrade", "cookie"]),
            select(vec!["same-origin", "cross-site", "https", "http", "websocket", "x"]),
            0..4,
        ),
        answers in btree_map(
            select(vec!["vary", "access-control-allow-origin", "access-control-allow-methods", ":status"]),
            select(vec!["*", "Origin", "Accept, origin", "https://a.example", "200", ",,"]),
            0..4,
        ),
    ) -> Any {
        let mut fields = std::collections::BTreeMap::from([
            (":method", method), (":path", path), (":authority", host),
        ]);
        for (name, value) in [("access-control-request-method", acrm), ("access-control-request-headers", &acrh)] {
            if !value.is_empty() {
                fields.insert(name, value);
            }
        }
        fields.extend(more);
        let bytes = |(name, value): (&'static str, &str)| (name, value.as_bytes().to_vec());
        Any {
            origin,
            fields: fields.into_iter().map(bytes).collect(),
            answers: answers.into_iter().map(bytes).collect(),
        }
    }
}
