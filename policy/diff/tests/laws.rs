//! Laws of the comparison, on random sets of policies and random requests.

use std::collections::BTreeSet;

use corsward_diff::{Comparison, Difference, Observed, Probe, Verdict, compare};
use corsward_policy::draft::{
    CorsDraft, Diagnostics, DisallowedRequests, Mode, OnFailure, PathType, RuleDraft, Specificity,
    UpstreamCorsHeaders, UpstreamOrigin,
};
use corsward_policy::survey::Selected;
use corsward_policy::validate::NoKnowledge;
use corsward_policy::{Compiled, Draft, Policy, PolicyId, compile, validate};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_that_is_answered_differently_is_in_a_reported_class(
        old in vec(draft(), 0..4),
        new in vec(draft(), 0..4),
        edit in any::<bool>(),
        requests in vec(request(), 40),
    ) {
        let new = if edit { edited(&old, &new) } else { new };
        let (old, new) = (policies(&old), policies(&new));
        let comparison = compared(&old, &new);
        prop_assert!(comparison.undecided.is_empty(), "{:?}", comparison.undecided);
        let (old, new) = (compiled(&old), compiled(&new));
        for request in requests {
            let (one, other) = (Observed::of(&old, &request), Observed::of(&new, &request));
            let same = one.verdict == other.verdict && one.values == other.values;
            let policies = [&old, &new].map(|set| decides(set, &request));
            let is_reported = comparison
                .differences
                .iter()
                .any(|difference| covers(difference, &policies, &one, &other));
            prop_assert!(same || is_reported, "{request}\n{one:?}\n{other:?}\n{comparison:#?}");
        }
    }

    #[test]
    fn a_witness_is_answered_as_its_difference_says(
        old in vec(draft(), 0..4),
        new in vec(draft(), 0..4),
        edit in any::<bool>(),
    ) {
        let new = if edit { edited(&old, &new) } else { new };
        let (old, new) = (policies(&old), policies(&new));
        let comparison = compared(&old, &new);
        let (old, new) = (compiled(&old), compiled(&new));
        for difference in comparison.differences {
            let witness = &difference.witness;
            let (one, other) = (Observed::of(&old, witness), Observed::of(&new, witness));
            prop_assert_eq!(one.verdict, difference.old.verdict, "{}", witness);
            prop_assert_eq!(other.verdict, difference.new.verdict, "{}", witness);
            let differs = one.verdict != other.verdict || one.values != other.values;
            prop_assert!(differs, "{witness}: {one:?}");
            // A browser sends it from a page of another origin.
            prop_assert!(witness.path.starts_with('/') && !witness.host.is_empty(), "{witness}");
            let own = format!("https://{}", witness.host);
            let is_own = witness.origin.as_ref() == Some(&own);
            prop_assert!(!is_own || witness.same_origin, "{witness}");
        }
    }

    #[test]
    fn a_set_is_equal_to_itself_in_any_order(drafts in vec(draft(), 0..6), turn in 0_usize..6) {
        let mut turned = named(&drafts);
        turned.rotate_left(turn.min(drafts.len()));
        for draft in &mut turned {
            if let Some(cors) = &mut draft.cors {
                cors.allow_origins.reverse();
                cors.allow_origin_regexes.reverse();
                cors.allow_methods.reverse();
            }
        }
        let comparison = compared(&policies(&drafts), &policies(&turned));
        prop_assert_eq!(comparison, Comparison::default());
    }
}

#[test]
fn a_pattern_and_its_regex_are_equal() {
    for (pattern, regex) in [
        ("https://*.a.example", r"https://([a-z0-9_-]+\.)+a\.example"),
        ("https://pr-*.a.example", r"https://pr-[a-z0-9-]+\.a\.example"),
        ("https://a.example:*", r"https://a\.example(:\d+)?"),
        ("http://10.0.0.0/15", r"http://10\.[01]\.\d+\.\d+"),
        ("https://a.example", r"https://a[.]example|https://a\.example:443"),
        ("app://page", "app://[pP][aA][gG][eE]"),
    ] {
        let (old, new) = (origins(&[pattern], &[]), origins(&[], &[regex]));
        assert_eq!(compared(&old, &new), Comparison::default(), "{pattern}");
        assert_eq!(compared(&new, &old), Comparison::default(), "{pattern}");
    }
}

#[test]
fn several_patterns_that_cover_one_together_are_equal_to_it() {
    for (one, several) in [
        ("http://10.0.0.0/8", ["http://10.0.0.0/9", "http://10.128.0.0/9"]),
        ("http://[fd00::]/8:*", ["http://[fd00::]/9:*", "http://[fd80::]/9:*"]),
        ("http://*.*.*.*", ["http://0.0.0.0/1", "http://128.0.0.0/1"]),
    ] {
        let (old, new) = (origins(&[one], &[]), origins(&several, &[]));
        assert_eq!(compared(&old, &new), Comparison::default(), "{one}");
    }
}

#[test]
fn a_regex_that_accepts_more_differs_in_an_origin_of_that() {
    for (pattern, regex, more) in [
        ("https://*.a.example", r"https://([a-z0-9_-]+\.)+a.example", "https://a.aaexample"),
        ("https://a.example", r"https://a\.example\.?", "https://a.example."),
        ("https://*", "https://.*", "https://a:1"),
        ("http://*.*.*.*", r"http://(\d+\.){3}\d+|http://\[f.*", "http://[f::]"),
        ("app://page", "app://page:.*", "app://page:1"),
    ] {
        let (old, new) = (origins(&[pattern], &[]), origins(&[], &[regex]));
        let comparison = compared(&old, &new);
        assert_eq!(comparison.undecided, [], "{regex}");
        let allowed = comparison.differences.iter().find(|it| it.new.verdict == Verdict::Allowed);
        let origin = allowed.and_then(|it| it.witness.origin.as_deref());
        assert_eq!(origin, Some(more), "{regex}");
    }
}

#[test]
fn a_comparison_beyond_the_bounds_is_undecided_by_name() {
    let old = r"https://([a-z]*a[a-z]{14})\.example";
    let new = r"https://([a-z]*b[a-z]{14}|[a-z]*a[a-z]{14})\.example";
    let comparison = compared(&origins(&[], &[new]), &origins(&[], &[old]));
    let entries: Vec<&str> = comparison.undecided.iter().map(|it| it.entry.as_str()).collect();
    assert!(entries.contains(&format!("/{new}/").as_str()), "{comparison:#?}");
}

/// The policy that decides about a request.
fn decides(set: &Compiled, request: &Probe) -> Option<String> {
    Selected::of(set, request).map(|selected| selected.policy().to_string())
}

/// Does a difference of those policies say the verdicts and the values of both answers? Where the verdict about requests of these origins
/// changes, values that differ are not listed beside it.
fn covers(
    difference: &Difference,
    policies: &[Option<String>; 2],
    one: &Observed,
    other: &Observed,
) -> bool {
    let Difference { old, new, changes, .. } = difference;
    if [&old.policy, &new.policy] != policies.each_ref() {
        return false;
    }
    if one.verdict != other.verdict {
        return (old.verdict, new.verdict) == (one.verdict, other.verdict);
    }
    let differs = |name: &&'static str| one.values.get(name) != other.values.get(name);
    let all: BTreeSet<&'static str> =
        one.values.keys().chain(other.values.keys()).copied().collect();
    let differing: Vec<&'static str> = all.into_iter().filter(differs).collect();
    let named: Vec<&'static str> = changes.iter().map(|change| change.name).collect();
    let is_of_lists = |name: &&&'static str| {
        matches!(**name, "Access-Control-Allow-Methods" | "Access-Control-Allow-Headers")
    };
    let is_named = |name: &&'static str| named.contains(name);
    old.verdict != new.verdict
        || (old.verdict == one.verdict
            && differing.iter().filter(|name| !is_of_lists(name)).all(is_named)
            && named.iter().all(|name| differing.contains(name)))
}

fn origins(patterns: &[&str], regexes: &[&str]) -> Vec<Policy> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let cors = CorsDraft {
        allow_origins: owned(patterns),
        allow_origin_regexes: owned(regexes),
        ..CorsDraft::default()
    };
    let id = PolicyId { namespace: "ns".into(), name: "policy".into() };
    let policy = accepted(&Draft { id, cors: Some(cors), ..Draft::default() });
    assert!(policy.is_some(), "{patterns:?} {regexes:?}");
    policy.into_iter().collect()
}

fn accepted(draft: &Draft) -> Option<Policy> {
    validate(draft, &NoKnowledge).policy
}

fn policies(drafts: &[Draft]) -> Vec<Policy> {
    named(drafts).iter().filter_map(accepted).collect()
}

fn compared(old: &[Policy], new: &[Policy]) -> Comparison {
    compare(&old.iter().collect::<Vec<_>>(), &new.iter().collect::<Vec<_>>())
}

fn compiled(policies: &[Policy]) -> Compiled {
    compile(&policies.iter().collect::<Vec<_>>())
}

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

/// The old set with one list of the new one: sets that have most in common.
fn edited(old: &[Draft], new: &[Draft]) -> Vec<Draft> {
    let mut edited = old.to_vec();
    if let (Some(draft), Some(other)) = (edited.first_mut(), new.first()) {
        match (&mut draft.cors, &other.cors) {
            (Some(cors), Some(other)) => cors.allow_origins.clone_from(&other.allow_origins),
            _ => draft.rules.clone_from(&other.rules),
        }
    }
    edited
}

fn list(words: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    subsequence(words, 0..=words.len())
        .prop_map(|words| words.into_iter().map(str::to_owned).collect())
}

const ORIGINS: &[&str] = &[
    "https://a.example",
    "https://b.a.example",
    "https://*.a.example",
    "https://b*.a.example",
    "https://*b.a.example",
    "https://a.example:*",
    "https://*.a.example:81",
    "http://10.0.*.*",
    "http://10.0.0.0/9:*",
    "http://10.0.0.1",
    "https://*",
    "app://page",
    "https://[::1]",
    "null",
];

const REGEXES: &[&str] = &[
    r"https://[a-z]+\.a\.example",
    r"https://.*\.example(:\d+)?",
    r"http://10\..*",
    r"https?://b+\.(a|b)\.example",
    "(?i)APP://PAGE",
];

fn cors() -> impl Strategy<Value = CorsDraft> {
    (
        prop_oneof![Just(vec!["*".to_owned()]), subsequence(ORIGINS, 0..4).prop_map(owned)],
        subsequence(REGEXES, 0..2).prop_map(owned),
        list(&["*", "PUT", "patch"]),
        list(&["*", "X-A", "authorization"]),
        any::<bool>(),
        prop::option::of(select(vec![0_i64, 600])),
    )
        .prop_map(|(origins, regexes, methods, headers, credentials, max_age)| CorsDraft {
            allow_origins: origins,
            allow_origin_regexes: regexes,
            allow_methods: methods,
            allow_headers: headers,
            allow_credentials: credentials,
            max_age,
            dangerously_allow: owned(vec![
                "AnyOriginWithCredentials",
                "AnyAppOriginWithCredentials",
                "InsecureOriginWithCredentials",
                "PublicSuffixSubdomains",
                "NullOriginWithCredentials",
                "UnboundedRegexWithCredentials",
            ]),
            ..CorsDraft::default()
        })
}

fn owned(words: Vec<&str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}

fn rule() -> impl Strategy<Value = RuleDraft> {
    (
        select(vec![PathType::Exact, PathType::PathPrefix]),
        select(vec!["/", "/a", "/a/b", "/c/b"]),
        prop::option::of(cors()),
        prop::option::of(select(vec![DisallowedRequests::Forward, DisallowedRequests::Reject])),
        select(vec![Mode::Active, Mode::Active, Mode::Off]),
    )
        .prop_map(|(path_type, path_value, cors, disallowed_requests, mode)| RuleDraft {
            path_type,
            path_value: path_value.into(),
            mode,
            cors: cors.filter(|_| mode == Mode::Active),
            disallowed_requests: disallowed_requests.filter(|_| mode == Mode::Active),
            trusted_origins: None,
            upstream_origin: None,
        })
}

prop_compose! {
    fn draft()(
        cors in prop::option::of(cors()),
        rules in vec(rule(), 0..3),
        hostnames in list(&["*", "*.test", "p1.test"]),
        disallowed_requests in select(vec![DisallowedRequests::Forward, DisallowedRequests::Reject]),
        trusted_origins in list(&["https://a.example", "https://*.a.example"]),
        mode in select(vec![Mode::Active, Mode::Active, Mode::DryRun]),
        on_failure in select(vec![OnFailure::Explain, OnFailure::Reject, OnFailure::Ignore, OnFailure::Forward]),
        keep in any::<bool>(),
        remove in any::<bool>(),
        told in any::<bool>(),
        specificity in select(vec![Specificity::Namespace, Specificity::Workload]),
    ) -> Draft {
        Draft {
            hostnames,
            cors,
            rules,
            disallowed_requests,
            trusted_origins,
            mode,
            on_failure,
            specificity,
            upstream_cors_headers: if keep { UpstreamCorsHeaders::Keep } else { UpstreamCorsHeaders::Replace },
            upstream_origin: if remove { UpstreamOrigin::Remove } else { UpstreamOrigin::Keep },
            diagnostics: if told { Diagnostics::Header } else { Diagnostics::None },
            ..Draft::default()
        }
    }
}

prop_compose! {
    fn request()(
        origin in prop::option::of(select(vec![
            "https://a.example", "https://b.a.example", "https://bb.a.example", "https://ab.a.example",
            "https://c.d.a.example", "https://_.a.example", "https://b.a.example:81", "https://a.example:9",
            "http://10.0.0.1", "http://10.0.200.1", "http://10.200.0.1:5", "https://[::1]", "https://[::2]",
            "app://page", "app://PAGE", "null", "nonsense", "https://x.test", "http://bb.b.example",
        ])),
        path in select(vec![
            "/", "/a", "/a/b", "/a/b/c", "/c/b", "/c", "/x", "//a", "/a//b", "/x/..%2fa", "/a/b/..%2f..%2fc%2fb",
            "/;/../a", "/c/;/../b", "//",
        ]),
        host in select(vec!["p1.test", "x.test", "y.x.test", "elsewhere", "", "p1.test:80"]),
        preflight in prop::option::of((
            select(vec!["GET", "PUT", "patch", "PATCH", "X", "a b"]),
            select(vec!["", "x-a", "authorization", "x-b, X-A", "content-type", "a b"]),
        )),
        same_origin in any::<bool>(),
        handshake in any::<bool>(),
    ) -> Probe {
        let is_preflight = preflight.is_some();
        let (method, headers) = preflight.unzip();
        Probe {
            method: if is_preflight { "OPTIONS" } else { "GET" }.into(),
            host: host.into(),
            path: path.into(),
            origin: origin.map(str::to_owned),
            requested_method: method.map(str::to_owned),
            requested_headers: headers.map(str::to_owned).filter(|headers| !headers.is_empty()),
            same_origin,
            handshake,
        }
    }
}
