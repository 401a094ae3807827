//! Specs that an earlier release accepted.

use super::*;
use crate::finding::Finding;
use crate::{compile, wire};

fn accepted(draft: &Draft) -> (Option<Policy>, Vec<String>) {
    let Validated { policy, findings } = validate_accepted(draft, &SmallJudge);
    let refused = findings.iter().any(Finding::is_refusal);
    assert_eq!(policy.is_none(), refused, "{findings:?}");
    let say = |finding: &Finding| format!("{} {}", finding.field, finding.code());
    (policy, findings.iter().map(say).collect())
}

#[test]
fn what_validates_is_the_same() {
    let draft = policy_of(with_credentials());
    assert_eq!(accepted(&draft), (validate(&draft, &SmallJudge).policy, Vec::new()));
}

#[test]
fn a_refusal_is_a_warning_that_says_what_an_edit_would_meet() {
    let http = CorsDraft { allow_origins: strings(&["http://app.example"]), ..with_credentials() };
    let draft = policy_of(http);
    let Validated { policy, findings } = validate_accepted(&draft, &SmallJudge);
    let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "spec.cors.allowOrigins[0]: an earlier release accepted this, and an edit would be refused as CORS-E203: \
             anyone on the user's network can become `http://app.example`, and act with credentials: write `https://`, \
             or list `InsecureOriginWithCredentials` in `dangerouslyAllow` [CORS-W531]"
        ]
    );
    let cors = policy.and_then(|policy| policy.cors).unwrap();
    assert_eq!(cors.origins.len(), 1, "it stays in force");
}

#[test]
fn what_cannot_be_read_is_left_out_and_the_rest_stays() {
    let cors = CorsDraft {
        allow_origins: strings(&["https://a.example/x", "https://b.example", "*"]),
        allow_methods: strings(&["PUT", "G T"]),
        max_age: Some(-1),
        ..good()
    };
    let rules = vec![rule("/a", None), rule("b", None)];
    let hostnames = strings(&["a.example", "b.example:80"]);
    let (policy, codes) = accepted(&Draft { hostnames, rules, ..policy_of(cors) });
    let policy = policy.unwrap();
    assert!(codes.iter().filter(|code| code.ends_with("CORS-W531")).count() >= 6, "{codes:?}");
    assert_eq!((policy.rules.len(), policy.hostnames.len()), (1, 1));
    let cors = policy.cors.unwrap();
    let origins: Vec<String> = cors.origins.iter().map(ToString::to_string).collect();
    assert_eq!(origins, ["https://b.example"], "`*` beside others would be everyone");
    assert_eq!((cors.methods.named.len(), cors.max_age), (1, None));
}

#[test]
fn a_policy_that_would_be_for_other_requests_is_refused_all_the_same() {
    let hosts = Draft { hostnames: strings(&["a.example:80"]), ..policy_of(good()) };
    assert_eq!(accepted(&hosts).1, ["spec.hostnames[0] CORS-E403"]);
    let id = PolicyId { namespace: "shop".to_owned(), name: "An API".to_owned() };
    assert_eq!(accepted(&Draft { id, ..policy_of(good()) }).1, ["metadata.name CORS-E006"]);
}

/// A filter reads every spec that stays in force.
#[track_caller]
pub(super) fn assert_a_filter_reads(policy: &Policy) {
    let compiled = compile(&[policy]);
    let read = wire::decode(&wire::encode(&compiled));
    assert_eq!(read.as_ref(), Ok(&compiled));
}

#[test]
fn a_filter_reads_whatever_stays_in_force() {
    for (why, cors) in [
        ("nobody", CorsDraft::default()),
        ("`*` and a regex", CorsDraft { allow_origin_regexes: strings(&["https://a"]), ..any() }),
        ("`*` with credentials", CorsDraft { allow_credentials: true, ..any() }),
        (
            "regexes too large together",
            CorsDraft {
                allow_origin_regexes: (0..16).map(|n| format!("{}{n}", ".*".repeat(100))).collect(),
                ..good()
            },
        ),
    ] {
        let id = PolicyId { namespace: "shop".to_owned(), name: "api".to_owned() };
        let (policy, codes) = accepted(&Draft { id, ..policy_of(cors) });
        assert_a_filter_reads(&policy.unwrap_or_else(|| panic!("{why}: {codes:?}")));
    }
}

fn any() -> CorsDraft {
    CorsDraft { allow_origins: strings(&["*"]), ..good() }
}
