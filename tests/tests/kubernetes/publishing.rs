//! Objects for proxies, as `kubectl` shows them: written by the real operator to a real API server with Istio's definitions.

use std::collections::BTreeMap;

use corsward_test_harness::api_server::collection;
use corsward_test_harness::cluster::{LocalCluster, Operator, Published, TestNamespace};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::line::Line;
use corsward_test_harness::status::{message, version};
use serde_json::{Value, json};
use xtask::tools;

use crate::specs::{OTHER, SHOP, allow};

/// The module that the chart of the harness names.
const MODULE: &str = "oci://registry.example/filter";
/// A foreign object of the operator's name.
const THEIRS: &str = "oci://theirs.example/filter";

/// A namespace of the cluster that an operator of the chart's defaults works in.
fn test_namespace(name: &str) -> TestNamespace<'static> {
    LocalCluster::operated().test_namespace(name).unwrap()
}

/// A spec for all pods of a namespace.
fn allow_everywhere(origin: &str) -> Value {
    json!({ "cors": { "allowOrigins": [origin] } })
}

/// An operator in a cluster of its own, with these arguments in the place of the chart's, and the rights of an administrator.
fn start(cluster: &LocalCluster, args: &[&str]) -> Operator {
    let plan = cluster.operator("operator-0").kubeconfig(cluster.server.kubeconfig());
    args.iter().fold(plan, |plan, arg| plan.also(arg)).start().unwrap()
}

/// A plugin that is no one's of ours.
fn foreign_plugin(name: &str) -> Value {
    json!({
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": "WasmPlugin",
        "metadata": { "name": name },
        "spec": { "url": THEIRS },
    })
}

/// The names of a namespace's objects of a kind.
fn names(ns: &TestNamespace<'_>, plural: &str) -> Vec<String> {
    objects(ns, plural).into_keys().collect()
}

/// The objects of a namespace of a kind, by their names.
fn objects(ns: &TestNamespace<'_>, plural: &str) -> BTreeMap<String, Value> {
    let list = ns.get(plural, "").unwrap();
    let items = list["items"].as_array().unwrap().iter();
    items.map(|o| (o["metadata"]["name"].as_str().unwrap().to_owned(), o.clone())).collect()
}

/// The only published object.
fn only(ns: &TestNamespace<'_>) -> Published {
    ns.only_published().unwrap()
}

/// Waits until the message about a policy's publication says this.
fn wait_for_message(ns: &TestNamespace<'_>, policy: &str, part: &str) -> String {
    let says = |policy: &Value| message(policy, "Programmed").contains(part);
    let policy = ns.wait_for(policy, &format!("told `{part}`"), says).unwrap();
    message(&policy, "Programmed")
}

#[test]
fn every_kind_of_object_is_accepted_and_a_restart_writes_none_of_them() {
    let cluster = LocalCluster::own().unwrap();
    let [whole, part, front] = ["kinds-whole", "kinds-part", "kinds-front"]
        .map(|name| cluster.test_namespace(name).unwrap());
    front.gateway("front", "istio").unwrap();
    let labels = json!({ "app.kubernetes.io/name": "api", "v": "" });
    let at_front = |origin: &str| {
        let gateway =
            json!({ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "front" });
        json!({ "targetRefs": [gateway], "cors": { "allowOrigins": [origin] } })
    };
    for (plural, args) in [
        ("wasmplugins", &["--istio-kind=WasmPlugin"][..]),
        ("trafficextensions", &["--istio-kind=TrafficExtension"]),
        ("envoyfilters", &["--istio-kind=EnvoyFilter"]),
        ("configmaps", &["--publish=configmap", "--module=/etc/corsward/filter.wasm"]),
    ] {
        let operator = start(&cluster, args);
        whole.policy("api", &allow_everywhere(SHOP)).unwrap();
        let mut of_labels = allow_everywhere(SHOP);
        of_labels["selector"]["matchLabels"] = labels.clone();
        part.policy("api", &of_labels).unwrap();
        front.policy("api", &at_front(SHOP)).unwrap();
        let versions = || {
            [&whole, &part, &front]
                .map(|ns| objects(ns, plural).values().map(version).collect::<Vec<_>>())
        };
        // What an earlier round left in force may be published first.
        for ns in [&whole, &part, &front] {
            ns.wait_for_in_force("api").unwrap();
        }
        eventually(plural, || versions().iter().all(|of| of.len() == 1)).unwrap();
        operator.stop().unwrap();

        let before = versions();
        let operator = start(&cluster, args);
        front.policy("api", &at_front(OTHER)).unwrap();
        front.wait_for_in_force("api").unwrap();
        let writes = |result: &str| {
            let labels = format!("{{target=\"object\",result=\"{result}\"}}");
            operator.metric(&format!("corsward_publish_total{labels}")).unwrap_or_default()
        };
        // The watch may tell of the write before its answer is counted.
        eventually("the write to be counted", || writes("written") > 0.0).unwrap();
        assert_eq!((writes("written"), writes("repaired")), (1.0, 0.0), "{plural}");
        let after = versions();
        assert_eq!(before[..2], after[..2], "{plural}");
        assert_ne!(before[2], after[2], "{plural}");
        operator.stop().unwrap();
    }
}

#[test]
fn one_shape_makes_room_for_another_and_nothing_else_is_touched() {
    let cluster = LocalCluster::own().unwrap();
    let ns = cluster.test_namespace("shapes").unwrap();
    ns.write(&ns.path("wasmplugins", "theirs"), &foreign_plugin("theirs")).unwrap();
    let operator = start(&cluster, &["--grace=600"]);
    ns.policy("api", &allow_everywhere(SHOP)).unwrap();
    ns.wait_for_in_force("api").unwrap();
    assert_eq!(names(&ns, "wasmplugins"), ["corsward", "theirs"]);
    ns.policy("api", &allow("a", &[OTHER])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    // As long as a proxy may not have the new one, the former says the same.
    let all = ns.published().unwrap();
    let of_ours: Vec<_> = all
        .values()
        .filter(|one| one.name() != "theirs")
        .map(|one| one.compiled().contains(OTHER))
        .collect();
    assert_eq!(of_ours, [true, true], "{all:#?}");
    let part = all.values().find(|one| one.labels() == "app=a").unwrap().name();
    operator.stop().unwrap();

    let _operator = start(&cluster, &["--grace=1"]);
    eventually("the former shape to go", || names(&ns, "wasmplugins") == [part, "theirs"]).unwrap();
    assert_eq!(ns.get("wasmplugins", "theirs").unwrap()["spec"]["url"], THEIRS);
}

#[test]
fn what_somebody_changes_or_deletes_is_repaired_and_what_they_add_stays() {
    let ns = test_namespace("publishing-drift");
    ns.policy("api", &allow("a", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let before = only(&ns);
    let path = ns.path("wasmplugins", before.name());
    let theirs = json!({
        "metadata": { "annotations": { "theirs": "1", "istio.io.corsward.io/refreshed-at": "now" } },
        "spec": { "url": THEIRS, "selector": { "matchLabels": { "app": "b" } } },
    });
    ns.cluster.api().merge(&path, &theirs).unwrap();
    eventually("the repair", || only(&ns).spec() == before.spec()).unwrap();
    ns.policy("api", &allow("a", &[OTHER])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let annotations =
        ns.get("wasmplugins", before.name()).unwrap()["metadata"]["annotations"].take();
    assert_eq!(annotations["theirs"], "1", "it stays");
    assert_eq!(annotations["istio.io.corsward.io/refreshed-at"], "now", "it stays");
    assert!(only(&ns).compiled().contains(OTHER));

    let before = only(&ns);
    ns.cluster.api().delete(&path).unwrap();
    let again =
        || ns.published().is_ok_and(|all| all.values().any(|one| one.spec() == before.spec()));
    eventually("it to be there again", again).unwrap();
}

#[test]
fn an_object_of_ours_without_its_labels_is_ours_all_the_same() {
    let ns = test_namespace("unlabelled");
    ns.policy("api", &allow_everywhere(SHOP)).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let before = ns.get("wasmplugins", "corsward").unwrap();
    let theirs = json!({ "metadata": { "labels": null }, "spec": { "url": THEIRS } });
    ns.cluster.api().merge(&ns.path("wasmplugins", "corsward"), &theirs).unwrap();
    let repaired = eventually("the repair", || {
        let object = ns.get("wasmplugins", "corsward").unwrap();
        (object["spec"] == before["spec"]).then_some(object)
    });
    assert_eq!(repaired.unwrap()["metadata"]["labels"], before["metadata"]["labels"]);
    ns.wait_for_in_force("api").unwrap();
}

#[test]
fn somebody_elses_object_stays_and_what_needs_its_name_follows_it() {
    for (plural, kind, object, args) in [
        ("wasmplugins", "WasmPlugin", foreign_plugin("corsward"), &[][..]),
        (
            "configmaps",
            "ConfigMap",
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": "corsward", "labels": { "theirs": "1" } },
                "data": { "theirs": "1" },
            }),
            &["--publish=configmap", "--module=/filter.wasm"],
        ),
    ] {
        let cluster = LocalCluster::own().unwrap();
        let _operator = start(&cluster, args);
        let [ns, beside] = ["taken", "free"].map(|name| cluster.test_namespace(name).unwrap());
        let before = cluster.api().create(&collection("taken", plural), &object).unwrap();
        ns.policy("api", &allow_everywhere(SHOP)).unwrap();
        beside.policy("api", &allow_everywhere(SHOP)).unwrap();
        beside.wait_for_in_force("api").unwrap();
        let said = wait_for_message(&ns, "api", "is a foreign object");
        assert!(said.contains(&format!("{kind} `taken/corsward`")), "{said}");
        assert_eq!(ns.get("corspolicies", "api").unwrap()["status"].get("inForce"), None);
        assert_eq!(ns.get(plural, "corsward").unwrap(), before);
        cluster.api().delete(&ns.path(plural, "corsward")).unwrap();
        ns.wait_for_in_force("api").unwrap();
    }
}

#[test]
fn an_object_that_is_labelled_ours_is_handed_over() {
    let ns = test_namespace("handed-over");
    let path = ns.path("wasmplugins", "corsward");
    ns.cluster
        .api()
        .create(&collection("handed-over", "wasmplugins"), &foreign_plugin("corsward"))
        .unwrap();
    ns.policy("api", &allow_everywhere(SHOP)).unwrap();
    wait_for_message(&ns, "api", "app.kubernetes.io/managed-by=corsward-operator");
    let label = json!({ "app.kubernetes.io/managed-by": "corsward-operator" });
    ns.cluster.api().merge(&path, &json!({ "metadata": { "labels": label } })).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let url = only(&ns).plugin()["url"].clone();
    assert!(url.as_str().unwrap().starts_with(MODULE), "{url}");
}

#[test]
fn a_copy_that_carries_our_labels_goes_and_one_that_does_not_stays() {
    let ns = test_namespace("copied");
    ns.policy("api", &allow_everywhere(SHOP)).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let plugins = collection("copied", "wasmplugins");
    let mut copy = ns.get("wasmplugins", "corsward").unwrap();
    let metadata = copy["metadata"].as_object_mut().unwrap();
    metadata.retain(|name, _| name == "labels" || name == "annotations");
    metadata.insert("name".into(), "labelled".into());
    ns.cluster.api().create(&plugins, &copy).unwrap();
    copy["metadata"] =
        json!({ "name": "unlabelled", "annotations": copy["metadata"]["annotations"] });
    ns.cluster.api().create(&plugins, &copy).unwrap();
    let left = || names(&ns, "wasmplugins") == ["corsward", "unlabelled"];
    eventually("the copy to go", left).unwrap();
}

#[test]
fn what_is_left_of_a_kind_that_is_not_replaced_is_named_with_the_command_that_deletes_it() {
    let cluster = LocalCluster::own().unwrap();
    let ns = cluster.test_namespace("leftovers").unwrap();
    let before = start(&cluster, &["--istio-kind=EnvoyFilter"]);
    ns.policy("api", &allow_everywhere(SHOP)).unwrap();
    ns.wait_for_in_force("api").unwrap();
    assert_eq!(names(&ns, "envoyfilters"), ["corsward"]);
    before.stop().unwrap();

    let mut operator = cluster.operator("operator-0").start().unwrap();
    let line = operator
        .wait_for_line(
            "leftover objects still configure proxies as before: delete them once the objects of the current kind are there",
        )
        .unwrap();
    assert_eq!((&line["kind"], &line["left"]), (&json!("EnvoyFilter"), &json!(1)), "{line}");
    let command = line["then"].as_str().unwrap().strip_prefix("kubectl ").unwrap();
    cluster.read(&command.split(' ').collect::<Vec<_>>()).unwrap();
    assert!(names(&ns, "envoyfilters").is_empty());
}

#[test]
fn a_follower_writes_nothing_until_it_leads() {
    const LEADS: &str = "this replica started leading";
    let cluster = LocalCluster::own().unwrap();
    let ns = cluster.test_namespace("follower").unwrap();
    let mut leader = cluster.operator("operator-0").start().unwrap();
    leader.wait_for_line(LEADS).unwrap();
    let mut follower = cluster.operator("operator-1").start().unwrap();
    ns.policy("api", &allow_everywhere(SHOP)).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let first = only(&ns);
    leader.kill();
    ns.policy("api", &allow_everywhere(OTHER)).unwrap();
    eventually("the follower to know of the change", || {
        let report: Value = serde_json::from_str(&follower.get("/policies")?).ok()?;
        let mut policies = report["policies"].as_array()?.iter();
        policies.any(|policy| policy["generation"] == 2).then_some(())
    })
    .unwrap();
    let meanwhile = only(&ns);
    if follower.said(LEADS).is_empty() {
        assert_eq!(meanwhile, first);
    }
    follower.wait_for_line(LEADS).unwrap();
    ns.wait_for_in_force("api").unwrap();
    assert!(only(&ns).compiled().contains(OTHER));
}

#[test]
fn what_the_api_server_refuses_is_told_and_holds_up_nothing_else() {
    let ns = test_namespace("denied");
    let metadata = json!({ "name": "no-plugin-for-bad" });
    let rule = json!({
        "apiGroups": ["extensions.istio.io"], "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"], "resources": ["wasmplugins"],
    });
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            "matchConstraints": { "resourceRules": [rule] },
            "validations": [{
                "expression": "!object.metadata.namespace.startsWith('denied') || object.spec.selector.matchLabels['app'] != 'bad'",
                "message": "no plugin is for bad",
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": { "policyName": "no-plugin-for-bad", "validationActions": ["Deny"] },
    });
    let admission = "/apis/admissionregistration.k8s.io/v1";
    for (plural, object) in
        [("validatingadmissionpolicies", policy), ("validatingadmissionpolicybindings", binding)]
    {
        ns.write(&format!("{admission}/{plural}/no-plugin-for-bad"), &object).unwrap();
    }
    let mut probe = foreign_plugin("probe");
    probe["spec"]["selector"]["matchLabels"] = json!({ "app": "bad" });
    let dry = format!("{}?dryRun=All", collection("denied", "wasmplugins"));
    eventually("plugins to be refused", || ns.cluster.api().create(&dry, &probe).is_err()).unwrap();

    ns.policy("bad", &allow("bad", &[SHOP])).unwrap();
    ns.policy("good", &allow("good", &[SHOP])).unwrap();
    ns.wait_for_in_force("good").unwrap();
    wait_for_message(&ns, "bad", "no plugin is for bad");
    ns.wait_for_published(&[("app=good", &["good"])]).unwrap();
}

#[test]
fn while_the_api_server_is_down_only_the_latest_counts() {
    let mut cluster = LocalCluster::own().unwrap();
    cluster.test_namespace("down").unwrap();
    let (line, kubeconfig) = Line::to_api_server(&cluster.server).unwrap();
    let operator = cluster.operator("operator-0").kubeconfig(kubeconfig).start().unwrap();
    let spec = |age: u32| {
        let mut spec = allow_everywhere(SHOP);
        spec["cors"]["maxAge"] = age.into();
        spec
    };
    let ns = cluster.at("down");
    ns.policy("api", &spec(1)).unwrap();
    ns.wait_for_in_force("api").unwrap();
    line.cut();
    ns.policy("api", &spec(2)).unwrap();
    ns.policy("api", &spec(3)).unwrap();
    // A watch that goes on would replay both: an API server without the past has the operator list the latest.
    cluster.server.kill();
    cluster.server.store().compact().unwrap();
    cluster.server.restart().unwrap();
    line.mend();
    let ns = cluster.at("down");
    ns.wait_for_in_force("api").unwrap();
    let object = ns.get("wasmplugins", "corsward").unwrap();
    assert_eq!(
        object["metadata"]["generation"], 2,
        "what was not wanted any more was never written"
    );
    operator.kill();
}

#[test]
fn a_kind_that_is_not_served_is_told_of_each_bundle_and_written_when_it_is() {
    let cluster = LocalCluster::own().unwrap();
    let definition =
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/wasmplugins.extensions.istio.io";
    cluster.api().delete(definition).unwrap();
    eventually("the kind to be gone", || cluster.api().get(definition).unwrap().is_none()).unwrap();
    let ns = cluster.test_namespace("early").unwrap();
    let plan = cluster.operator("operator-0").also("--istio-kind=WasmPlugin");
    let _operator = plan.start_unready().unwrap();
    ns.policy("a", &allow("a", &[SHOP])).unwrap();
    ns.policy("b", &allow("b", &[SHOP])).unwrap();
    for policy in ["a", "b"] {
        wait_for_message(&ns, policy, "does not serve `WasmPlugin`");
    }
    cluster.server.apply(&tools::istio_crds().unwrap()).unwrap();
    ns.wait_for_published(&[("app=a", &["a"]), ("app=b", &["b"])]).unwrap();
}
