//! The switch of the whole cluster: the chart's value `enforcement`, in force without new pods.

use corsward_test_harness::cluster::{LocalCluster, OPERATOR_NAMESPACE};
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};

const SHOP: &str = "https://shop.example";

fn deployment(cluster: &LocalCluster) -> Value {
    let path = format!("/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/deployments/corsward");
    cluster.api().get(&path).unwrap().unwrap()
}

#[test]
fn an_upgrade_stops_enforcement_and_starts_it_again_without_new_pods() {
    let cluster = LocalCluster::own().unwrap();
    let mut operator = cluster.operator("switch").start().unwrap();
    let ns = cluster.test_namespace("switch").unwrap();
    let spec = json!({
        "selector": { "matchLabels": { "app": "api" } },
        "cors": { "allowOrigins": [SHOP] },
    });
    ns.policy("api", &spec).unwrap();
    ns.wait_for_in_force("api").unwrap();
    assert_eq!(operator.metric("corsward_enforcing"), Some(1.0));
    let before = deployment(&cluster);

    cluster.upgrade("enforcement=Off").unwrap();
    let policy = ns.wait_for_conditions("api", &["Accepted=True", "Programmed=False Off"]).unwrap();
    let told = policy["status"]["conditions"].to_string();
    assert!(told.contains("`enforcement` of the chart is Off"), "{told}");
    assert!(ns.published().unwrap().values().all(|one| !one.compiled().contains(SHOP)), "{told}");
    assert_eq!(operator.metric("corsward_enforcing"), Some(0.0));
    operator.wait_for_line("enforcement is off: no policy is in force anywhere").unwrap();
    assert_eq!(deployment(&cluster)["spec"], before["spec"], "no pod is replaced");

    // What says nothing changes nothing, and an operator that starts meanwhile enforces nothing either.
    let switch = format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/configmaps/corsward-enforcement");
    let patch = json!({ "data": { "enforcement": "perhaps" } });
    cluster.api().merge(&switch, &patch).unwrap();
    let line = operator
        .wait_for_line(
            "the ConfigMap of enforcement has no valid value: repeat `helm upgrade` to write it",
        )
        .unwrap();
    assert_eq!(line["error"], "`enforcement` says `perhaps`: write `On` or `Off`");
    cluster.api().delete(&switch).unwrap();
    eventually("another line", || {
        let lines = operator.said(
            "the ConfigMap of enforcement has no valid value: repeat `helm upgrade` to write it",
        );
        lines.iter().any(|line| line["error"] == "there is no such ConfigMap")
    })
    .unwrap();
    assert_eq!(operator.metric("corsward_enforcing"), Some(0.0));
    cluster.upgrade("enforcement=Off").unwrap();
    operator.stop().unwrap();
    let mut operator = cluster.operator("switch-again").start().unwrap();
    operator.wait_for_line("enforcement is off: no policy is in force anywhere").unwrap();
    ns.wait_for_conditions("api", &["Accepted=True", "Programmed=False Off"]).unwrap();
    assert!(ns.published().unwrap().values().all(|one| !one.compiled().contains(SHOP)));

    cluster.upgrade("enforcement=On").unwrap();
    ns.wait_for_in_force("api").unwrap();
    assert!(ns.published().unwrap().values().any(|one| one.compiled().contains(SHOP)));
    operator.wait_for_line("enforcement is on: policies are in force again").unwrap();
    assert_eq!(operator.metric("corsward_enforcing"), Some(1.0));
}
