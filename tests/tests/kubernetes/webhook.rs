//! The webhook, for users of `kubectl` and for clients that should not reach it.

mod agreement;
mod certificates;
mod client;
mod fixture;
mod odd;

use corsward_test_harness::cluster::APPLY;
use corsward_test_harness::eventually::eventually;
use serde_json::json;

use crate::sizes::large;
use fixture::{WebhookFixture, manifest, review};

/// Two refusals, and no `maxAge`.
const REFUSED: &str =
    "{cors: {allowOrigins: ['https://a.example/x'], allowMethods: [GET, CONNECT]}}";
/// Nothing to refuse, and something to say.
const ACCEPTED: &str = "{cors: {allowOrigins: ['https://a.example'], allowMethods: [PUT]}}";

#[test]
fn kubectl_apply_prints_every_refusal_and_writes_nothing() {
    let fixture = WebhookFixture::shared();
    let namespace = fixture.test_namespace("webhook-refused");
    for flags in [&["apply"][..], &["apply", "--server-side"], &["apply", "--dry-run=server"]] {
        let args = [flags, &["--namespace", &namespace.name, "-f", "-"]].concat();
        let said = fixture.cluster.kubectl(&args, &manifest("CorsPolicy", "api", REFUSED)).unwrap();
        assert!(!said.success, "{said:?}");
        for part in [
            "The CorsPolicy \"api\" is invalid:",
            "* spec.cors.allowOrigins[0]: `https://a.example/x` has a path, and an origin has none: write `https://a.example` [CORS-E107]",
            "* spec.cors.allowMethods[1]: `CONNECT` is a forbidden method, which browsers never send: remove it [CORS-E302]",
        ] {
            assert!(said.err.contains(part), "{part}: {}", said.err);
        }
        assert_eq!(
            fixture.cluster.api().get(&namespace.path("corspolicies", "api")).unwrap(),
            None
        );
    }
}

#[test]
fn programs_are_told_every_refusal_in_one_message() {
    let fixture = WebhookFixture::shared();
    let namespace = fixture.test_namespace("webhook-message");
    let spec =
        json!({ "cors": { "allowOrigins": ["https://a.example/x", "https://b.example:0"] } });
    let policy = json!({
        "apiVersion": "corsward.io/v1alpha1",
        "kind": "CorsPolicy",
        "metadata": { "name": "api", "labels": { "reviewed": "yes" } },
        "spec": spec,
    });
    let collection = namespace.path("corspolicies", "");
    let answer = fixture
        .cluster
        .api()
        .send("POST", &collection, Some(("application/json", &policy)))
        .unwrap();
    assert_eq!(answer.status, 422);
    let message = answer.message();
    let start = "admission webhook \"policies.corsward.io\" denied the request: 2 refusals: spec.cors.allowOrigins[0]: ";
    assert!(message.starts_with(start), "{message}");
    assert!(message.contains("[CORS-E107]; spec.cors.allowOrigins[1]: "), "{message}");
    assert!(message.ends_with("[CORS-E120]"), "{message}");
}

#[test]
fn a_policy_that_is_too_large_is_refused_before_it_is_written() {
    let fixture = WebhookFixture::shared();
    let namespace = fixture.test_namespace("webhook-large");
    let collection = namespace.path("corspolicies", "");
    for (count, code) in [(5_000, "[CORS-E523]"), (3_200, "[CORS-E531]")] {
        let policy = json!({
            "apiVersion": "corsward.io/v1alpha1",
            "kind": "CorsPolicy",
            "metadata": { "name": "api", "labels": { "reviewed": "yes" } },
            "spec": large("api", count),
        });
        let request = Some(("application/json", &policy));
        let answer = fixture.cluster.api().send("POST", &collection, request).unwrap();
        let message = answer.message();
        assert_eq!(answer.status, 422, "{message}");
        assert!(message.contains("split the policy") && message.contains(code), "{message}");
    }
}

#[test]
fn kubectl_apply_prints_warnings_and_hints_of_what_it_writes() {
    let fixture = WebhookFixture::shared();
    let namespace = fixture.test_namespace("webhook-warned");
    let said = namespace.kubectl(&APPLY, &manifest("CorsPolicy", "api", ACCEPTED)).unwrap();
    assert!(said.success, "{said:?}");
    for part in [
        "Warning: webhook-warned/api: CORS-W006 spec.cors.maxAge: without `maxAge` browsers forget",
        "Warning: webhook-warned/api: hint: CORS-I304 spec.cors.allowHeaders: without `allowHeaders`",
    ] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    // The status says the same.
    let policy = namespace.wait_for_conditions("api", &["Accepted=True"]).unwrap();
    let findings = policy["status"]["findings"].as_array().unwrap();
    let codes = findings.iter().map(|finding| finding["code"].as_str().unwrap());
    for code in codes {
        assert!(said.err.contains(code), "{code} is not told at apply: {}", said.err);
    }
}

#[test]
fn kubectl_prints_the_same_warning_of_two_policies_twice() {
    let fixture = WebhookFixture::shared();
    let namespace = fixture.test_namespace("webhook-twice");
    let names = ["one", "two"];
    let both = names.map(|name| manifest("CorsPolicy", name, ACCEPTED)).join("---\n");
    let said = namespace.kubectl(&APPLY, &both).unwrap();
    assert!(said.success, "{said:?}");
    for name in names {
        let part = format!("Warning: webhook-twice/{name}: CORS-W006 spec.cors.maxAge: ");
        assert_eq!(said.err.matches(&part).count(), 1, "{part}: {}", said.err);
    }
}

#[test]
fn whoever_stops_a_policy_need_not_correct_it_first() {
    let fixture = WebhookFixture::shared();
    let namespace = fixture.test_namespace("webhook-off");
    let off = REFUSED.replacen('{', "{mode: \"Off\", ", 1);
    let said = namespace.kubectl(&APPLY, &manifest("CorsPolicy", "api", &off)).unwrap();
    assert!(said.success, "{said:?}");
    assert!(
        said.err
            .contains("Warning: webhook-off/api: refused: CORS-E107 spec.cors.allowOrigins[0]: "),
        "{said:?}"
    );
    let said = namespace.kubectl(&APPLY, &manifest("CorsPolicy", "api", REFUSED)).unwrap();
    assert!(!said.success, "{said:?}");
}

#[test]
fn what_was_refused_before_the_webhook_saw_it_can_be_labelled_and_deleted_and_not_made_worse() {
    let fixture = WebhookFixture::shared();
    let namespace = fixture.test_namespace("webhook-metadata");
    // Without the label nobody is asked.
    let unseen = manifest("CorsPolicy", "api", REFUSED).replace("reviewed: \"yes\"", "a: b");
    assert!(namespace.kubectl(&APPLY, &unseen).unwrap().success);
    for args in [
        &["label", "corspolicy", "api", "reviewed=yes"][..],
        &["annotate", "corspolicy", "api", "a=b"],
    ] {
        let said = namespace.kubectl(args, "").unwrap();
        assert!(said.success && said.err.is_empty(), "{said:?}");
    }
    let patch = r#"{"spec":{"cors":{"maxAge":600}}}"#;
    let said = namespace
        .kubectl(&["patch", "corspolicy", "api", "--type=merge", "-p", patch], "")
        .unwrap();
    assert!(!said.success, "{said:?}");
    let said = namespace.kubectl(&["delete", "corspolicy", "api"], "").unwrap();
    assert!(said.success && said.err.is_empty(), "{said:?}");
}

#[test]
fn what_may_be_applied_next_is_awaited() {
    let fixture = WebhookFixture::shared();
    let namespace = fixture.test_namespace("webhook-next");
    let spec = "{targetRefs: [{group: '', kind: Service, name: later}], cors: {allowOrigins: ['https://a.example']}}";
    let said = namespace.kubectl(&APPLY, &manifest("CorsPolicy", "api", spec)).unwrap();
    assert!(said.success, "{said:?}");
    let part = "Warning: webhook-next/api: not in force yet: CORS-E524 spec.targetRefs[0]: ";
    assert!(said.err.contains(part), "{said:?}");
}

#[test]
fn sets_and_guardrails_are_judged_too() {
    let fixture = WebhookFixture::shared();
    let namespace = fixture.test_namespace("webhook-kinds");
    for (kind, spec, field) in [
        ("OriginSet", "{origins: ['https://a.example/x']}", "spec.origins[0]"),
        (
            "ClusterCorsPolicy",
            "{enforcement: Warn, namespaceSelector: {matchLabels: {none: such}}, guardrails: {allowedOrigins: ['https://a.example/x']}}",
            "spec.guardrails.allowedOrigins[0]",
        ),
    ] {
        let said = namespace.kubectl(&APPLY, &manifest(kind, "webhook-judged", spec)).unwrap();
        assert!(!said.success, "{kind}: {said:?}");
        let lines = [format!("The {kind} \"webhook-judged\" is invalid"), format!("{field}: ")];
        for part in lines {
            assert!(said.err.contains(&part), "{part}: {}", said.err);
        }
    }
}

#[test]
fn every_replica_answers_with_the_same_certificate() {
    let fixture = WebhookFixture::own();
    let mut second = fixture.replica("webhook-second");
    let other = fixture.client_of(&mut second);
    let client = fixture.client();
    eventually("the second replica's certificate", || {
        other.certificate().is_ok_and(|shown| Ok(shown) == client.certificate())
    })
    .unwrap();
    let answer =
        other.judged(&review(&json!({ "cors": { "allowOrigins": ["https://a.example/x"] } })));
    assert_eq!(answer.json()["response"]["allowed"], false);
}

#[test]
fn while_no_webhook_answers_policies_are_applied_all_the_same() {
    let mut fixture = WebhookFixture::own();
    let namespace = fixture.test_namespace("webhook-down");
    assert!(!namespace.kubectl(&APPLY, &manifest("CorsPolicy", "api", REFUSED)).unwrap().success);
    fixture.ignore_failures();
    fixture.stop();
    let namespace = fixture.cluster.test_namespace("webhook-still-down").unwrap();
    // The API server learns of the changed configuration in its own time.
    eventually("a policy to be applied without the webhook", || {
        namespace.kubectl(&APPLY, &manifest("CorsPolicy", "api", REFUSED)).unwrap().success
    })
    .unwrap();
}
