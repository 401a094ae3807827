//! Every policy of `tests/vectors` is one that validation accepts, with findings perhaps.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "clippy allows them in the test itself, and not in its helpers"
)]

use std::fs;
use std::path::Path;

use corsward_policy::draft::{CorsDraft, DisallowedRequests, Draft, Mode, OnFailure, PolicyId};
use corsward_policy::validate;
use corsward_policy::validate::NoKnowledge;
use serde_json::Value;

#[test]
fn no_policy_of_the_vectors_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let mut count = 0;
    for file in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if file.path().extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let suite: Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
        for (name, fields) in suite["policies"].as_object().unwrap() {
            let validated = validate(&draft(name, fields), &NoKnowledge);
            let refusals: Vec<String> = validated
                .findings
                .iter()
                .filter(|finding| finding.is_refusal())
                .map(ToString::to_string)
                .collect();
            assert_eq!(refusals, [""; 0], "{:?}: {name}", file.path());
            assert!(validated.policy.is_some(), "{:?}: {name}", file.path());
            count += 1;
        }
    }
    assert!(count > 50, "only {count} policies found");
}

fn draft(name: &str, fields: &Value) -> Draft {
    let spec = &fields["_spec"];
    Draft {
        id: PolicyId { namespace: "vectors".to_owned(), name: name.to_owned() },
        hostnames: vec![format!("{name}.suite.test")],
        cors: Some(CorsDraft {
            allow_origins: strings(&fields["allowOrigins"]),
            allow_origin_regexes: strings(&fields["allowOriginRegexes"]),
            allow_methods: strings(&fields["allowMethods"]),
            allow_headers: strings(&fields["allowHeaders"]),
            expose_headers: strings(&fields["exposeHeaders"]),
            allow_credentials: fields["allowCredentials"].as_bool().unwrap_or_default(),
            max_age: fields["maxAge"].as_i64(),
            dangerously_allow: strings(&fields["dangerouslyAllow"]),
        }),
        mode: match spec["mode"].as_str() {
            Some("DryRun") => Mode::DryRun,
            _ => Mode::Active,
        },
        disallowed_requests: match spec["disallowedRequests"].as_str() {
            Some("Reject") => DisallowedRequests::Reject,
            _ => DisallowedRequests::Forward,
        },
        on_failure: match spec["preflight"]["onFailure"].as_str() {
            Some("Reject") => OnFailure::Reject,
            Some("Ignore") => OnFailure::Ignore,
            Some("Forward") => OnFailure::Forward,
            _ => OnFailure::Explain,
        },
        success_status: spec["preflight"]["successStatus"].as_i64(),
        ..Draft::default()
    }
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|text| text.as_str().unwrap().to_owned()).collect()
}
