//! The cases of Gateway API's conformance test, by policies that are imported from routes.

use corsward_import::{Failure, Options, Source, SourceFile};
use corsward_test_harness::envoy_fixture::EnvoyFixture;
use corsward_tests::differences::{differences, report};
use corsward_tests::suite::Suite;
use serde_json::{Value, json};

const SUITE: &str = "gateway-api";
/// The policy with any origin and credentials, which no import writes.
const REFUSED: &str = "wildcard-all";

#[test]
fn the_conformance_cases_pass_by_imported_policies() {
    let suites = Suite::all().unwrap();
    let suite = suites.iter().find(|suite| suite.name == SUITE).unwrap();
    let (mut imported, mut refused) = (Vec::new(), Vec::new());
    for policy in &suite.policies {
        match import(policy) {
            Ok(policy) => imported.push(policy),
            Err(Failure::Dangerous { .. }) => refused.push(policy.clone()),
            Err(failure) => panic!("{failure}"),
        }
    }
    let names = |policies: &[Value]| -> Vec<String> {
        policies.iter().map(|policy| policy["metadata"]["name"].as_str().unwrap().into()).collect()
    };
    assert_eq!(names(&refused), [REFUSED]);
    // Its cases pass by the policy that its author writes by hand.
    let all: Vec<&Value> = imported.iter().chain(&refused).collect();
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    fixture.configure(&all).unwrap();
    assert_eq!(suite.cases.len(), 17);
    for case in &suite.cases {
        let answer = fixture.answer(case).unwrap();
        let wrong = differences(case, &answer);
        assert!(wrong.is_empty(), "{}", report(case, &answer, &wrong));
    }
}

/// The policy of the suite by way of a route with its `cors`.
fn import(policy: &Value) -> Result<Value, Failure> {
    let spec = &policy["spec"];
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": policy["metadata"],
        "spec": {
            "hostnames": spec["hostnames"],
            "rules": [{ "filters": [{ "type": "CORS", "cors": spec["cors"] }] }],
        },
    });
    let file = SourceFile { name: "route.yaml".into(), text: route.to_string() };
    let import =
        corsward_import::import(Source::GatewayApi, &[file], &Options::default())?.remove(0);
    let mut imported: Value = serde_saphyr::from_str(&import.manifest).unwrap();
    // The import keeps the default, by which a failed preflight names what is missing; the cases want no header there.
    imported["spec"]["preflight"] = spec["preflight"].clone();
    Ok(imported)
}
