//! Scenarios of policies: what users do to them, and what is published and said in answer.
//!
//! They share an API server and an operator, each in a namespace of its own.

use corsward_test_harness::cluster::{APPLY, LocalCluster, TestNamespace};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::status::{condition, message, version};
use serde_json::{Value, json};

use crate::specs::{OTHER, SHOP, allow, refused};

fn test_namespace(name: &str) -> TestNamespace<'static> {
    LocalCluster::operated().test_namespace(name).unwrap()
}

#[test]
fn a_policy_is_created_changed_and_deleted_and_only_its_own_object_is_written() {
    let ns = test_namespace("created");
    ns.policy("web", &allow("web", &[SHOP])).unwrap();
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    let first = ns.wait_for_published(&[("app=api", &["api"]), ("app=web", &["web"])]).unwrap();
    let policy = ns.wait_for_in_force("api").unwrap();
    ns.wait_for_in_force("web").unwrap();
    assert!(policy["status"]["inForce"]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(
        first.values().any(|one| policy["status"]["inForce"]["digest"] == one.digest()),
        "{policy:#}"
    );
    let said = ns.kubectl(&["get", "cors", "api"], "").unwrap().out;
    assert!(said.contains(" Active ") && said.contains(" True "), "{said}");

    let web = version(&ns.get("corspolicies", "web").unwrap());
    ns.policy("api", &allow("api", &[SHOP, OTHER])).unwrap();
    let changed = ns.wait_for_in_force("api").unwrap();
    assert_eq!(changed["status"]["inForce"]["generation"], 2);
    let second = ns.published().unwrap();
    for (name, was) in &first {
        let is = &second[name];
        let of_api = is.policies() == ["api"];
        assert_eq!(is.compiled().contains(OTHER), of_api, "{is:?}");
        assert_eq!(is.version() != was.version(), of_api, "{is:?}");
    }
    assert_eq!(
        version(&ns.get("corspolicies", "web").unwrap()),
        web,
        "the other's status is not written again"
    );

    ns.delete_policy("api").unwrap();
    let third = ns.wait_for_published(&[("app=web", &["web"])]).unwrap();
    let web: Vec<_> = second.values().filter(|one| one.policies() == ["web"]).cloned().collect();
    assert_eq!(third.into_values().collect::<Vec<_>>(), web);
}

#[test]
fn a_refused_policy_says_why_and_is_in_force_once_it_is_corrected() {
    let ns = test_namespace("refused");
    let api = ns.policy("api", &refused("api")).unwrap();
    let said =
        ns.wait_for_conditions("api", &["Accepted=False Invalid", "Programmed=False"]).unwrap();
    let findings = said["status"]["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["field"] == "spec.cors.allowOrigins[0]");
    let finding = finding.unwrap_or_else(|| panic!("{findings:#?}"));
    assert!(finding["code"].as_str().unwrap().starts_with("CORS-E"), "{finding}");
    assert!(finding["message"].as_str().unwrap().contains("github.io"), "{finding}");
    assert_eq!(said["status"]["inForce"], Value::Null);
    assert_eq!(said["spec"], api["spec"], "the operator writes no spec");
    assert!(ns.published().unwrap().is_empty());

    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    ns.wait_for_published(&[("app=api", &["api"])]).unwrap();
}

#[test]
fn a_policy_whose_object_has_the_name_of_somebody_elses_says_so_until_that_is_gone() {
    let ns = test_namespace("taken");
    let theirs = json!({
        "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
        "metadata": {"name": "corsward"}, "spec": {"url": "oci://theirs.example/filter"},
    });
    let plugins = "/apis/extensions.istio.io/v1alpha1/namespaces/taken/wasmplugins";
    ns.cluster.api().create(plugins, &theirs).unwrap();
    ns.policy("api", &json!({"cors": {"allowOrigins": [SHOP]}})).unwrap();
    let said = ns
        .wait_for("api", "told whose the name is", |policy| {
            message(policy, "Programmed")
                .contains("the WasmPlugin `taken/corsward` is a foreign object")
        })
        .unwrap();
    assert_eq!(condition(&said, "Programmed"), "Programmed=False Reconciling");
    assert_eq!(said["status"]["inForce"], Value::Null);
    ns.cluster.api().delete(&format!("{plugins}/corsward")).unwrap();
    ns.wait_for_in_force("api").unwrap();
}

#[test]
fn a_policy_that_turns_invalid_stays_in_force_as_it_was() {
    let ns = test_namespace("last-good");
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let before = ns.published().unwrap();
    ns.policy("api", &refused("api")).unwrap();
    let said =
        ns.wait_for_conditions("api", &["Accepted=False Invalid", "Programmed=False"]).unwrap();
    let in_force = &said["status"]["inForce"];
    assert_eq!(in_force["generation"], 1);
    assert_eq!(in_force["spec"]["cors"]["allowOrigins"], json!([SHOP]));
    assert_eq!(ns.published().unwrap(), before);
    ns.delete_policy("api").unwrap();
    ns.wait_for_published(&[]).unwrap();
}

#[test]
fn the_older_of_two_policies_wins_and_the_other_is_in_force_when_it_goes() {
    let ns = test_namespace("overridden");
    ns.policy("a-first", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("a-first").unwrap();
    ns.policy("b-second", &allow("api", &[OTHER])).unwrap();
    let wanted = ["Accepted=True", "Programmed=False Overridden"];
    let said = ns.wait_for_conditions("b-second", &wanted).unwrap();
    let conditions = said["status"]["conditions"].to_string();
    assert!(conditions.contains("overridden/a-first"), "the winner is named: {conditions}");
    ns.wait_for_in_force("a-first").unwrap();

    ns.delete_policy("a-first").unwrap();
    ns.wait_for_in_force("b-second").unwrap();
    let published = ns.wait_for_published(&[("app=api", &["b-second"])]).unwrap();
    assert!(published.values().all(|one| one.compiled().contains(OTHER)));
}

#[test]
fn a_rehearsal_is_published_beside_the_policy_that_is_enforced() {
    let ns = test_namespace("rehearsal");
    ns.policy("a-live", &allow("api", &[SHOP])).unwrap();
    let mut next = allow("api", &[OTHER]);
    next["mode"] = "DryRun".into();
    ns.policy("b-next", &next).unwrap();
    ns.wait_for_in_force("a-live").unwrap();
    let said = ns.wait_for_conditions("b-next", &["Accepted=True", "Programmed=True"]).unwrap();
    let conditions = said["status"]["conditions"].to_string();
    assert!(conditions.contains("not enforced"), "{conditions}");
    ns.wait_for_published(&[("app=api", &["a-live", "b-next"])]).unwrap();
}

#[test]
fn a_tightened_guardrail_takes_a_policy_out_of_force() {
    let ns = test_namespace("guardrail");
    ns.policy("api", &allow("api", &[SHOP, OTHER])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let guardrail = |origins: &[&str]| {
        let object = json!({
            "apiVersion": "corsward.io/v1alpha1",
            "kind": "ClusterCorsPolicy",
            "metadata": { "name": "guardrail" },
            "spec": {
                "namespaceSelector": {
                    "matchLabels": { "kubernetes.io/metadata.name": "guardrail" },
                },
                "enforcement": "Enforce",
                "guardrails": { "allowedOrigins": origins },
            },
        });
        let path = "/apis/corsward.io/v1alpha1/clustercorspolicies/guardrail";
        ns.write(path, &object).unwrap();
    };
    guardrail(&["https://*.example"]);
    ns.wait_for_in_force("api").unwrap();
    guardrail(&[SHOP]);
    let wanted = ["Accepted=False GuardrailExceeded", "Programmed=False"];
    let said = ns.wait_for_conditions("api", &wanted).unwrap();
    let conditions = said["status"]["conditions"].to_string();
    for part in ["guardrail", "allowOrigins[1]", OTHER] {
        assert!(conditions.contains(part), "`{part}` is missing: {conditions}");
    }
    eventually("nothing of it to be published", || {
        ns.published().unwrap().values().all(|one| !one.compiled().contains(OTHER))
    })
    .unwrap();
    guardrail(&["https://*.example"]);
    ns.wait_for_in_force("api").unwrap();
    ns.wait_for_published(&[("app=api", &["api"])]).unwrap();
    ns.cluster.api().delete("/apis/corsward.io/v1alpha1/clustercorspolicies/guardrail").unwrap();
}

#[test]
fn a_change_of_an_origin_set_reaches_every_policy_that_uses_it() {
    let ns = test_namespace("origin-set");
    let uses = |app: &str| {
        let mut spec = allow(app, &[SHOP]);
        spec["cors"]["allowOriginsFrom"] = json!([{ "kind": "OriginSet", "name": "partners" }]);
        spec
    };
    ns.policy("api", &uses("api")).unwrap();
    ns.policy("web", &uses("web")).unwrap();
    ns.policy("apart", &allow("apart", &[SHOP])).unwrap();
    let said = ns.wait_for_conditions("api", &["ResolvedRefs=False", "Programmed=False"]).unwrap();
    assert!(said["status"]["conditions"].to_string().contains("partners"));
    ns.wait_for_in_force("apart").unwrap();

    ns.origin_set("partners", &["https://one.partner.example"]).unwrap();
    for policy in ["api", "web"] {
        ns.wait_for_conditions(policy, &["ResolvedRefs=True", "Programmed=True"]).unwrap();
    }
    let first = ns.published().unwrap();
    assert_eq!(first.len(), 3, "{first:#?}");

    ns.origin_set("partners", &["https://two.partner.example"]).unwrap();
    eventually("the other partner", || {
        let published = ns.published().unwrap();
        let of = |origin| published.values().filter(|one| one.compiled().contains(origin)).count();
        of("https://two.partner.example") == 2 && of("https://one.partner.example") == 0
    })
    .unwrap();
    for (name, is) in ns.published().unwrap() {
        let apart = is.policies() == ["apart"];
        assert_eq!(is.version() == first[&name].version(), apart, "{name}");
    }
}

#[test]
fn a_policy_for_a_service_is_in_force_once_the_service_is_there() {
    let ns = test_namespace("target");
    let spec = json!({
        "targetRefs": [{ "group": "", "kind": "Service", "name": "api" }],
        "cors": { "allowOrigins": [SHOP] },
    });
    ns.policy("api", &spec).unwrap();
    let wanted = ["Accepted=False TargetNotFound", "Programmed=False"];
    let said = ns.wait_for_conditions("api", &wanted).unwrap();
    assert_eq!(said["status"]["summary"]["origins"], 1, "what it says can be counted all the same");
    assert!(ns.published().unwrap().is_empty());
    ns.service("api", &json!([{ "port": 80, "targetPort": 8080 }])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    ns.wait_for_published(&[("app=api", &["api"])]).unwrap();
}

#[test]
fn a_namespace_that_goes_leaves_nothing_and_may_come_again() {
    let ns = test_namespace("vanishes");
    let beside = LocalCluster::operated().test_namespace("vanishes-not").unwrap();
    beside.policy("api", &allow("api", &[SHOP])).unwrap();
    beside.wait_for_in_force("api").unwrap();
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let before = beside.versions().unwrap();

    ns.vanish().unwrap();
    let again = LocalCluster::operated().test_namespace("vanishes").unwrap();
    again.policy("web", &allow("web", &[OTHER])).unwrap();
    again.wait_for_in_force("web").unwrap();
    again.wait_for_published(&[("app=web", &["web"])]).unwrap();
    assert_eq!(beside.versions().unwrap(), before);
}

#[test]
fn a_namespace_that_is_switched_off_is_inert_until_it_is_switched_on() {
    let ns = test_namespace("switched-off");
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let switch = |mode: Value| {
        let patch = json!({ "metadata": { "annotations": { "corsward.io/mode": mode } } });
        ns.cluster.api().merge("/api/v1/namespaces/switched-off", &patch).unwrap();
    };
    switch("Off".into());
    ns.wait_for_conditions("api", &["Accepted=True", "Programmed=False Off"]).unwrap();
    assert!(ns.published().unwrap().values().all(|one| !one.compiled().contains(SHOP)));
    switch(Value::Null);
    ns.wait_for_in_force("api").unwrap();
    assert!(ns.published().unwrap().values().any(|one| one.compiled().contains(SHOP)));
}

#[test]
fn kubectl_names_an_unknown_field_and_whoever_insists_gets_the_rest() {
    let ns = test_namespace("unknown-field");
    let manifest = "apiVersion: corsward.io/v1alpha1\n\
                    kind: CorsPolicy\n\
                    metadata: {name: api}\n\
                    spec: {selector: {matchLabels: {app: api}}, cors: {allowOrigins: ['https://shop.example'], allowOrigin: '*'}}\n";
    let said = ns.kubectl(&APPLY, manifest).unwrap();
    assert!(!said.success, "{said:?}");
    assert!(said.err.contains(r#"unknown field "spec.cors.allowOrigin""#), "{said:?}");
    let args = ["apply", "--namespace=unknown-field", "--validate=warn", "-f", "-"];
    let said = ns.cluster.kubectl(&args, manifest).unwrap();
    assert!(said.success && said.err.contains("unknown field"), "{said:?}");
    let policy = ns.wait_for_in_force("api").unwrap();
    assert_eq!(policy["spec"]["cors"]["allowOrigin"], Value::Null);
}

#[test]
fn policies_that_a_restore_makes_again_publish_the_same_bytes() {
    let ns = test_namespace("restored");
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.policy("web", &allow("web", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    ns.wait_for_in_force("web").unwrap();
    let digests = |ns: &TestNamespace<'_>| -> Vec<String> {
        ns.published().unwrap().into_values().map(|one| one.digest().to_owned()).collect()
    };
    let before = digests(&ns);
    let backup = ns.kubectl(&["get", "corspolicies", "-o", "yaml"], "").unwrap();
    let uid = ns.get("corspolicies", "api").unwrap()["metadata"]["uid"].clone();
    for policy in ["api", "web"] {
        ns.delete_policy(policy).unwrap();
    }
    ns.wait_for_published(&[]).unwrap();

    // As it was written down, with the status of former objects and all.
    let restored = ns.kubectl(&APPLY, &backup.out).unwrap();
    assert!(restored.success, "{restored:?}");
    for policy in ["api", "web"] {
        ns.wait_for_in_force(policy).unwrap();
    }
    assert_ne!(ns.get("corspolicies", "api").unwrap()["metadata"]["uid"], uid);
    assert_eq!(digests(&ns), before);
}

#[test]
fn what_somebody_else_does_to_a_published_object_is_undone() {
    let ns = test_namespace("drift");
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let published = ns.published().unwrap();
    let (name, was) = published.first_key_value().unwrap();
    let path = format!("/apis/extensions.istio.io/v1alpha1/namespaces/drift/wasmplugins/{name}");
    let patch = json!({ "spec": { "phase": "STATS" } });
    ns.cluster.api().merge(&path, &patch).unwrap();
    eventually("the phase to be ours", || {
        let object = ns.cluster.api().get(&path).unwrap()?;
        (object["spec"]["phase"] == "AUTHN").then_some(())
    })
    .unwrap();
    ns.cluster.api().delete(&path).unwrap();
    let again = ns.wait_for_published(&[("app=api", &["api"])]).unwrap();
    assert_eq!(again[name].digest(), was.digest());
    // While it was gone, the status said so.
    eventually("the status to say that it is back", || {
        let said = condition(&ns.get("corspolicies", "api").unwrap(), "Programmed");
        said == "Programmed=True Published"
    })
    .unwrap();
}
