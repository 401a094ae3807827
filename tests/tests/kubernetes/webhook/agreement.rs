//! Refusals are the same in what `corsward check` prints, in the answer of the webhook and in the status: codes, fields and messages.

use std::collections::BTreeSet;
use std::fs;

use corsward_cli::policies::Policies;
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};

use super::fixture::WebhookFixture;
use crate::sizes::large;

/// Code, field and message of each refusal.
type Refusals = BTreeSet<[String; 3]>;

/// One policy for each kind of refusal that an API server lets through.
fn refused() -> Vec<(&'static str, Value)> {
    let cors = |fields: Value| {
        let mut cors = json!({"allowOrigins": ["https://a.example"]});
        cors.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"cors": cors})
    };
    let more = |fields: Value| {
        let mut spec = cors(json!({}));
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        spec
    };
    let rule = |value: &str| json!({"path": {"type": "PathPrefix", "value": value}, "mode": "Off"});
    let path = |value: &str| more(json!({"rules": [rule(value)]}));
    vec![
        ("an origin", cors(json!({"allowOrigins": ["https://a.example/x", "a.example"]}))),
        (
            "an origin in other characters",
            cors(json!({"allowOrigins": ["https://a`\u{202e}.example"]})),
        ),
        (
            "a trusted origin",
            more(json!({"disallowedRequests": "Reject", "trustedOrigins": ["*"]})),
        ),
        ("a regex", cors(json!({"allowOriginRegexes": ["https://(a"]}))),
        ("a danger", cors(json!({"allowOrigins": ["null"], "allowCredentials": true}))),
        ("a method", cors(json!({"allowMethods": ["CONNECT", "GET|PUT"]}))),
        ("a header", cors(json!({"allowHeaders": ["x a"], "exposeHeaders": ["x-.*"]}))),
        ("a host", more(json!({"hostnames": ["a.example,b.example", "256.1.1.1", "a..example"]}))),
        ("a path", path("/api/*")),
        ("a path that is not normal", path("/a/../b")),
        ("two rules of one path", more(json!({"rules": [rule("/a"), rule("/a/")]}))),
        ("a label", more(json!({"selector": {"matchLabels": {"app": "my api"}}}))),
        ("a policy that is too large", large("api", 5_000)),
        // An API server adds defaults to its text.
        ("a policy that is too long", large("api", 3_200)),
        ("a guardrail's origin", cors(json!({"allowOrigins": ["https://b.other"]}))),
        ("a guardrail's seconds", cors(json!({"maxAge": 7200}))),
        (
            "a guardrail's methods and headers",
            cors(json!({"allowMethods": ["DELETE"], "allowHeaders": ["x-b"]})),
        ),
        ("a guardrail's danger", cors(json!({"dangerouslyAllow": ["NullOriginWithCredentials"]}))),
    ]
}

/// A guardrail for the policies of that namespace.
fn guardrail(namespace: &str) -> Value {
    json!({
        "apiVersion": "corsward.io/v1alpha1",
        "kind": "ClusterCorsPolicy",
        "metadata": {"name": namespace},
        "spec": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "guardrails": {
                "allowedOrigins": ["https://*.example", "https://*.shop.example"],
                "allowRegexes": true,
                "forbidDanger": ["NullOriginWithCredentials"],
                "maxMaxAge": 600,
                "allowedMethods": ["PUT"],
                "allowedHeaders": ["x-a"],
            },
        },
    })
}

/// A policy; the webhook is asked about it where it is reviewed.
fn policy(namespace: &str, name: &str, spec: &Value, is_reviewed: bool) -> Value {
    let labels = if is_reviewed { json!({"reviewed": "yes"}) } else { json!({}) };
    json!({
        "apiVersion": "corsward.io/v1alpha1",
        "kind": "CorsPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": spec,
    })
}

fn of_list(findings: &[Value]) -> Refusals {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let is_refusal = |finding: &&Value| text(finding, "code").starts_with("CORS-E");
    let refusals = findings.iter().filter(is_refusal);
    refusals.map(|it| ["code", "field", "message"].map(|name| text(it, name))).collect()
}

/// The refusals of `corsward check`.
fn printed(objects: &[&Value]) -> Refusals {
    let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    let text: Vec<String> = objects.iter().map(ToString::to_string).collect();
    fs::write(file.path(), text.join("\n---\n")).unwrap();
    let policies = Policies::read(&[file.path()]);
    let refusals = policies.findings.iter().map(|found| &found.finding);
    let refusals = refusals.filter(|finding| finding.is_refusal());
    refusals.map(|it| [it.code().to_owned(), it.field.clone(), it.message()]).collect()
}

/// The refusals in the webhook's answer.
fn answered(fixture: &WebhookFixture, namespace: &TestNamespace<'_>, policy: &Value) -> Refusals {
    let path = namespace.path("corspolicies", "");
    let answer = fixture.cluster.api().send("POST", &path, Some(("application/json", policy)));
    let answer = answer.unwrap();
    let causes = answer.body["details"]["causes"].as_array();
    let refusal = |cause: &Value| {
        let (field, said) = (cause["field"].as_str().unwrap(), cause["message"].as_str().unwrap());
        let (message, code) = said.strip_suffix(']').unwrap().rsplit_once(" [").unwrap();
        [code, field, message].map(str::to_owned)
    };
    causes.into_iter().flatten().map(refusal).collect()
}

#[test]
fn refusals_are_the_same_by_check_by_the_webhook_and_in_the_status() {
    let fixture = WebhookFixture::shared();
    let namespace = fixture.test_namespace("webhook-agreement");
    let guardrail = guardrail(&namespace.name);
    let path = format!("/apis/corsward.io/v1alpha1/clustercorspolicies/{}", namespace.name);
    fixture.cluster.api().apply(&path, &guardrail).unwrap();
    eventually("the guardrail to hold", || {
        let guardrail = fixture.cluster.api().get(&path).ok()??;
        guardrail["status"]["inForce"].is_object().then_some(())
    })
    .unwrap();
    let mut failures = Vec::new();
    for (at, (why, spec)) in refused().iter().enumerate() {
        let name = format!("p{at}");
        let reviewed = policy(&namespace.name, &name, spec, true);
        let printed = printed(&[&reviewed, &guardrail]);
        let unseen = policy(&namespace.name, &name, spec, false);
        let collection = namespace.path("corspolicies", "");
        let written = fixture.cluster.api().create(&collection, &unseen);
        if let Err(error) = written {
            failures.push(format!("{why}: {error}"));
            continue;
        }
        let kept = namespace
            .wait_for(&name, "judged", |policy| policy["status"]["conditions"].is_array())
            .unwrap();
        let kept = of_list(kept["status"]["findings"].as_array().map_or(&[], Vec::as_slice));
        namespace.delete_policy(&name).unwrap();
        let answered = answered(fixture, &namespace, &reviewed);
        if printed.is_empty() || printed != answered || printed != kept {
            failures.push(format!(
                "{why}: check {printed:#?}\nwebhook {answered:#?}\nstatus {kept:#?}"
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
