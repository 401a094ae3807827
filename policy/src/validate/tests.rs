//! Accepted values beside refused ones, field by field.

mod accepted;
mod behavior;
mod dangers;
mod hostile;
mod names;
mod origins;
mod scope;

use super::*;
use crate::draft::{
    CorsDraft, DisallowedRequests, Mode, OnFailure, PathType, RuleDraft, UpstreamCorsHeaders,
    UpstreamOrigin,
};
use crate::finding::{HostReason, Misfit, OriginReason};
use crate::limits::{MAX_LIST_LEN, MAX_REGEX_STEPS, MAX_REGEXES};

/// Knowledge with a list of two suffixes, and opinions on regexes that say what they are.
struct SmallJudge;

impl Knowledge for SmallJudge {
    fn is_public_suffix(&self, domain: &str) -> bool {
        ["com", "s3.cloud.com"].contains(&domain)
    }
    fn is_ancestor_of_public_suffix(&self, domain: &str) -> bool {
        domain == "cloud.com"
    }
    fn regex_reach(&self, regex: &str, steps: &Steps) -> RegexReach {
        let hazard = |hazard| RegexReach { hazards: vec![hazard], ..RegexReach::default() };
        let misfit = || Misfit { faults: Vec::new(), part: None, instead: None };
        match regex {
            "nothing" => RegexReach { misfit: Some(misfit()), ..RegexReach::default() },
            "branch" => {
                let dead = DeadBranch { branch: "b".to_owned(), misfit: misfit(), without: None };
                RegexReach { dead_branches: vec![dead], ..RegexReach::default() }
            }
            "glob" => {
                let glob = Glob { repeated: "/*".to_owned(), pattern: None };
                RegexReach { glob: Some(glob), ..RegexReach::default() }
            }
            "dot" => {
                let dot = OpenDot { instead: None, pattern: None };
                RegexReach { open_dot: Some(dot), ..RegexReach::default() }
            }
            "any" => hazard(RegexHazard::AnyOrigin),
            "host" => hazard(RegexHazard::AnyHost),
            "app" => hazard(RegexHazard::AnyAppHost),
            "scheme" => hazard(RegexHazard::AnyScheme),
            "insecure" => hazard(RegexHazard::Insecure),
            "loopback" => hazard(RegexHazard::Loopback),
            "suffix" => hazard(RegexHazard::PublicSuffix),
            "end" => hazard(RegexHazard::OpenEnd),
            "complex" => hazard(RegexHazard::Unjudged),
            _ if regex.starts_with("costly") => {
                let reached = steps.take(MAX_REGEX_STEPS / 4);
                reached.map_or_else(|_| hazard(RegexHazard::NotReached), |()| RegexReach::default())
            }
            _ => RegexReach::default(),
        }
    }
    fn punycode(&self, host: &str) -> Option<String> {
        Some(host.replace("b\u{fc}cher", "xn--bcher-kva"))
    }
}

/// A block without anything to say about it.
fn good() -> CorsDraft {
    CorsDraft {
        allow_origins: strings(&["https://app.example"]),
        allow_methods: strings(&["PUT"]),
        allow_headers: strings(&["content-type"]),
        max_age: Some(600),
        ..CorsDraft::default()
    }
}

fn with_credentials() -> CorsDraft {
    CorsDraft { allow_credentials: true, ..good() }
}

fn policy_of(cors: CorsDraft) -> Draft {
    Draft { cors: Some(cors), ..Draft::default() }
}

fn rule(path: &str, cors: Option<CorsDraft>) -> RuleDraft {
    RuleDraft {
        path_type: PathType::PathPrefix,
        path_value: path.to_owned(),
        cors,
        mode: Mode::Active,
        disallowed_requests: None,
        trusted_origins: None,
        upstream_origin: None,
    }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

/// `field code` of each finding, in order.
fn codes(draft: &Draft) -> Vec<String> {
    let Validated { policy, findings } = validate(draft, &SmallJudge);
    let refused = findings.iter().any(Finding::is_refusal);
    assert_eq!(policy.is_none(), refused, "{findings:?}");
    findings.iter().map(|finding| format!("{} {}", finding.field, finding.code())).collect()
}

#[track_caller]
fn assert_codes(why: &str, draft: &Draft, want: &[&str]) {
    assert_eq!(codes(draft), want, "{why}");
}

#[test]
fn a_good_policy_has_no_finding() {
    assert_codes("good", &policy_of(good()), &[]);
    assert_codes("with credentials", &policy_of(with_credentials()), &[]);
}

#[test]
fn a_list_is_as_long_as_it_may_be_and_no_longer() {
    let origins = |count: usize| (0..count).map(|at| format!("https://a{at}.example")).collect();
    let longest = CorsDraft { allow_origins: origins(MAX_LIST_LEN), ..good() };
    assert_codes("the longest", &policy_of(longest), &[]);
    let longer = CorsDraft { allow_origins: origins(MAX_LIST_LEN + 1), ..good() };
    assert_codes("one more", &policy_of(longer), &["spec.cors.allowOrigins CORS-E004"]);
}

#[test]
fn hosts_times_rules_are_as_many_as_a_proxy_has_places_for() {
    let texts = |count: usize, text: &str| (0..count).map(|n| format!("{text}{n}")).collect();
    for (hosts, rules, refused) in [(256, 255, false), (256, 256, true), (0, 16_384, false)] {
        let paths: Vec<String> = texts(rules, "/p");
        let disallowed = DisallowedRequests::Reject;
        let rule =
            |path: &String| RuleDraft { disallowed_requests: Some(disallowed), ..rule(path, None) };
        let draft = Draft {
            hostnames: texts(hosts, "h"),
            rules: paths.iter().map(rule).collect(),
            ..policy_of(good())
        };
        let want = "spec.rules CORS-E418".to_owned();
        assert_eq!(codes(&draft).contains(&want), refused, "{hosts} hosts, {rules} rules");
    }
}

#[test]
fn a_block_has_as_many_regexes_as_a_refused_origin_may_run_through() {
    for (count, want) in [(MAX_REGEXES, 0), (MAX_REGEXES + 1, 1)] {
        let allow_origin_regexes = (0..count).map(|at| format!("https://a{at}")).collect();
        let draft = policy_of(CorsDraft { allow_origin_regexes, ..good() });
        let refusals: Vec<_> =
            codes(&draft).into_iter().filter(|code| code.contains("CORS-E004")).collect();
        assert_eq!(refusals.len(), want, "{count}: {refusals:?}");
    }
}

#[test]
fn names_are_those_of_kubernetes_objects() {
    for (namespace, name, want) in [
        ("shop", "api.v1-2", &[][..]),
        ("Shop", "a/b", &["metadata.namespace CORS-E007", "metadata.name CORS-E006"]),
        ("shop.prod", "-a", &["metadata.namespace CORS-E007", "metadata.name CORS-E006"]),
        ("shop-", "a..b", &["metadata.namespace CORS-E007", "metadata.name CORS-E006"]),
        (&"a".repeat(64), "a.-b", &["metadata.namespace CORS-E007", "metadata.name CORS-E006"]),
        (&"a".repeat(63), "0", &[]),
    ] {
        let id = PolicyId { namespace: namespace.to_owned(), name: name.to_owned() };
        assert_codes(name, &Draft { id, ..policy_of(good()) }, want);
    }
}

/// Refusals, warnings, hints; each in the order of the fields.
const EVERY_MISTAKE: [&str; 35] = [
    "metadata.name CORS-E006",
    "spec.hostnames[0] CORS-E403",
    "spec.cors.allowOrigins[0] CORS-E106",
    "spec.cors.allowOrigins[1] CORS-E205",
    "spec.cors.allowOrigins[2] CORS-E203",
    "spec.cors.allowOriginRegexes[0] CORS-E126",
    "spec.cors.allowMethods[0] CORS-E301",
    "spec.cors.allowHeaders[0] CORS-E303",
    "spec.cors.maxAge CORS-E002",
    "spec.cors.dangerouslyAllow[0] CORS-E201",
    "spec.trustedOrigins[0] CORS-E123",
    "spec.rules[0].path.value CORS-E411",
    "spec.rules[0].cors.allowOrigins[0] CORS-E106",
    "spec.rules[0].cors.allowOrigins[1] CORS-E205",
    "spec.rules[0].cors.allowOrigins[2] CORS-E203",
    "spec.rules[0].cors.allowOriginRegexes[0] CORS-E126",
    "spec.rules[0].cors.allowMethods[0] CORS-E301",
    "spec.rules[0].cors.allowHeaders[0] CORS-E303",
    "spec.rules[0].cors.maxAge CORS-E002",
    "spec.rules[0].cors.dangerouslyAllow[0] CORS-E201",
    "spec.rules[0].trustedOrigins[0] CORS-E122",
    "spec.preflight.successStatus CORS-E005",
    "spec.cors.allowOrigins[1] CORS-W102",
    "spec.cors.allowMethods[1] CORS-W301",
    "spec.cors.allowHeaders[1] CORS-W303",
    "spec.cors.exposeHeaders CORS-W306",
    "spec.cors.exposeHeaders[1] CORS-W307",
    "spec.rules[0].cors.allowOrigins[1] CORS-W102",
    "spec.rules[0].cors.allowMethods[1] CORS-W301",
    "spec.rules[0].cors.allowHeaders[1] CORS-W303",
    "spec.rules[0].cors.exposeHeaders CORS-W306",
    "spec.rules[0].cors.exposeHeaders[1] CORS-W307",
    "spec.rules[1].cors.maxAge CORS-W006",
    "spec.preflight.onFailure CORS-W004",
    "spec.trustedOrigins CORS-I005",
];

#[test]
fn every_mistake_is_reported_at_once() {
    let bad = CorsDraft {
        allow_origins: strings(&["https://app.example/", "null", "http://app.example"]),
        allow_origin_regexes: strings(&["("]),
        allow_methods: strings(&["GE T", "put"]),
        allow_headers: strings(&["x y", "Origin"]),
        expose_headers: strings(&["*", "Set-Cookie"]),
        allow_credentials: true,
        max_age: Some(-5),
        dangerously_allow: strings(&["Everything"]),
    };
    let draft = Draft {
        id: PolicyId { namespace: "shop".to_owned(), name: "A".to_owned() },
        hostnames: strings(&["a.example:80"]),
        cors: Some(bad.clone()),
        rules: vec![
            RuleDraft { trusted_origins: Some(strings(&["*"])), ..rule("b", Some(bad)) },
            rule("/a", Some(CorsDraft { max_age: None, ..good() })),
        ],
        trusted_origins: strings(&["null"]),
        success_status: Some(500),
        on_failure: OnFailure::Forward,
        ..Draft::default()
    };
    assert_codes("everything", &draft, &EVERY_MISTAKE);
}

#[test]
fn a_policy_is_normalized() {
    let cors = CorsDraft {
        allow_origins: strings(&["HTTPS://App.example:443", "https://app.example"]),
        allow_methods: strings(&["PUT", "*", "PUT", "DELETE"]),
        allow_headers: strings(&["X-B", "x-a", "x-b"]),
        ..good()
    };
    let policy = validate(&policy_of(cors), &SmallJudge).policy.unwrap();
    let cors = policy.cors.unwrap();
    let texts = |list: &mut dyn Iterator<Item = String>| list.collect::<Vec<_>>();
    // Twice as it is written, so that an index is one of the author's list.
    let normal = "https://app.example";
    assert_eq!(texts(&mut cors.origins.iter().map(ToString::to_string)), [normal, normal]);
    assert_eq!(texts(&mut cors.methods.named.iter().map(ToString::to_string)), ["PUT", "DELETE"]);
    assert_eq!(texts(&mut cors.headers.named.iter().map(ToString::to_string)), ["x-b", "x-a"]);
    assert!(cors.methods.any);
}
