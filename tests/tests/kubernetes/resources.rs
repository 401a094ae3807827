//! The resources, as users of `kubectl` see them.

use corsward_test_harness::api_server;
use corsward_test_harness::cluster::{APPLY, LocalCluster};
use corsward_test_harness::command::run;
use corsward_test_harness::eventually::eventually;
use corsward_tests::suite;
use xtask::kubernetes::ApiServer;

#[test]
fn kubectl_applies_the_definitions_and_then_every_example() {
    let server = ApiServer::start().unwrap();
    let mut apply = server.kubectl();
    let applied = run(apply.args(["apply", "-f"]).arg(api_server::crds()), "").unwrap();
    assert!(applied.success, "{applied:?}");
    assert!(applied.out.contains("corspolicies.corsward.io created"), "{applied:?}");
    // The same definitions again are no change, and `apply` keeps no copy too large for an annotation.
    let mut again = server.kubectl();
    let again = run(again.args(["apply", "-f"]).arg(api_server::crds()), "").unwrap();
    assert!(again.success && !again.out.contains("configured"), "{again:?}");

    server.apply(&api_server::crds()).unwrap();
    let api = server.api();
    api.create("/api/v1/namespaces", &serde_json::json!({ "metadata": { "name": "demo" } }))
        .unwrap();
    let examples = suite::folder().join("../examples/policies");
    let mut apply = server.kubectl();
    let applied = run(apply.args(["apply", "--recursive", "-f"]).arg(examples), "").unwrap();
    assert!(applied.success, "{applied:?}");
    // Nothing that the API server does not know, deprecates or ignores.
    assert_eq!(applied.err, "");
    assert!(applied.out.contains("corspolicy.corsward.io/api created"), "{applied:?}");
}

#[test]
fn kubectl_explains_a_field_with_its_manual() {
    let cluster = LocalCluster::shared();
    let field = "corspolicy.spec.cors.allowOrigins";
    // An API server publishes the manual of a definition a moment after the definition is served.
    let said = eventually("the manual", || {
        let said = cluster.kubectl(&["explain", field], "").unwrap();
        said.success.then_some(said)
    })
    .unwrap();
    for part in ["FIELD: allowOrigins <[]string>", "Permitted:", "Refused:", "https://"] {
        assert!(said.out.contains(part), "`{part}` is missing:\n{}", said.out);
    }
    // As findings show them.
    for argument in [
        "corspolicy",
        "corspolicy.metadata.labels",
        "corspolicy.spec.rules.path.type",
        "corspolicy.spec.selector.matchLabels",
        "originset.spec.origins",
        "clustercorspolicy.spec.guardrails",
    ] {
        eventually(argument, || cluster.kubectl(&["explain", argument], "").unwrap().success)
            .unwrap();
    }
}

#[test]
fn kubectl_get_cors_has_the_columns_that_one_looks_for() {
    let ns = LocalCluster::shared().test_namespace("columns").unwrap();
    let applied = ns.kubectl(&APPLY,
        "apiVersion: corsward.io/v1alpha1\n\
         kind: CorsPolicy\n\
         metadata: {name: api}\n\
         spec: {selector: {matchLabels: {app: api}}, cors: {allowOrigins: ['https://a.example']}}\n",
    ).unwrap();
    assert!(applied.success, "{applied:?}");
    let said = ns.kubectl(&["get", "cors"], "").unwrap();
    let columns = said.out.lines().next().unwrap().split_whitespace().collect::<Vec<_>>();
    let wanted = ["NAME", "TARGETS", "ORIGINS", "MODE", "ACCEPTED", "PROGRAMMED", "PROXIES", "AGE"];
    assert_eq!(columns, wanted, "{said:?}");
    assert!(
        ns.kubectl(&["get", "corsward"], "").unwrap().out.contains("corspolicy.corsward.io/api"),
        "by its category"
    );
}
