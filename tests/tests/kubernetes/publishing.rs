//! Objects for proxies, written to a real API server with Istio's definitions.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use corsward_operator::kubernetes;
use corsward_operator::metrics::publishing::{Publishing, WriteResult};
use corsward_operator::publish::cluster::{self, PublishOptions, PublisherDeps};
use corsward_operator_core::bundle::{Bundle, BundleKey, Desired, PublishStatus};
use corsward_operator_core::event::Event;
use corsward_operator_core::filter_module::Module;
use corsward_operator_core::publish::istio::IstioKind;
use corsward_operator_core::publish::output::Output;
use corsward_test_harness::cluster::LocalCluster;
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::status::version;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use xtask::kubernetes::ApiServer;

/// A publisher that runs here, and what it has told.
pub(crate) struct Publisher {
    pub(crate) runtime: Runtime,
    desired: watch::Sender<Arc<Desired>>,
    pub(crate) leading: watch::Sender<bool>,
    metrics: Publishing,
    told: mpsc::Receiver<Vec<Event>>,
    known: BTreeMap<BundleKey, PublishStatus>,
    batches: usize,
}

/// An API server that no operator of the other scenarios writes to.
pub(crate) fn cluster() -> &'static LocalCluster {
    static CLUSTER: OnceLock<LocalCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| LocalCluster::own().unwrap())
}

pub(crate) fn wasm_plugins() -> Output {
    let sha256 = "0".repeat(64);
    let url = format!("http://corsward.corsward-system.svc:80/filter-{sha256}.wasm");
    Output::Istio { kind: IstioKind::WasmPlugin, module: Module { url, sha256 } }
}

pub(crate) fn workloads(namespace: &str, labels: &[(&str, &str)]) -> BundleKey {
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    BundleKey::Workloads { namespace: namespace.into(), labels: Arc::new(labels) }
}

pub(crate) fn bundle(key: &BundleKey, compiled: &str) -> Arc<Bundle> {
    Arc::new(Bundle::new(key.clone(), compiled.into()))
}

/// The path of the objects of a namespace.
fn collection(output: &Output, namespace: &str) -> String {
    let resource = output.resource();
    let root = if resource.group.is_empty() { "/api" } else { "/apis" };
    format!("{root}/{}/namespaces/{namespace}/{}", resource.api_version, resource.plural)
}

/// The objects of a namespace, by their names.
fn objects(server: &ApiServer, output: &Output, namespace: &str) -> BTreeMap<String, Value> {
    let list = server.api().get(&collection(output, namespace)).unwrap().unwrap();
    let items = list["items"].as_array().unwrap().iter();
    items.map(|o| (o["metadata"]["name"].as_str().unwrap().to_owned(), o.clone())).collect()
}

// === impl Publisher ===

impl Publisher {
    pub(crate) fn start(server: &ApiServer, output: &Output) -> Self {
        Self::module_not_ready(server, output, watch::channel(None).1)
    }

    pub(crate) fn module_not_ready(
        server: &ApiServer,
        output: &Output,
        module_readiness: watch::Receiver<Option<String>>,
    ) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let client = runtime.block_on(kubernetes::client(Some(&server.kubeconfig()))).unwrap();
        let (desired, wanted) = watch::channel(Arc::default());
        let (leading, leads) = watch::channel(true);
        let (events, told) = mpsc::channel(16);
        let metrics = Publishing::default();
        let counted = metrics.clone();
        let deps = PublisherDeps {
            desired: wanted,
            leading: leads,
            module_readiness,
            events,
            metrics: counted,
        };
        let options = PublishOptions { output: output.clone(), grace: Duration::from_secs(1) };
        runtime.spawn(cluster::run(client, options, deps));
        Self { runtime, desired, leading, metrics, told, known: BTreeMap::new(), batches: 0 }
    }

    pub(crate) fn want(&self, bundles: &[&Arc<Bundle>], retiring: &[&Arc<Bundle>]) {
        let map = |list: &[&Arc<Bundle>]| {
            list.iter()
                .map(|a| (Arc::new(a.key.clone()), Arc::clone(a)))
                .collect::<BTreeMap<_, _>>()
        };
        let desired = Desired { bundles: map(bundles), retiring: map(retiring) };
        self.desired.send_replace(Arc::new(desired));
    }

    /// The state of each bundle so far.
    pub(crate) fn known(&mut self) -> &BTreeMap<BundleKey, PublishStatus> {
        while let Ok(events) = self.told.try_recv() {
            self.batches += 1;
            for event in events {
                let Event::Published(publish_statuses) = event else { panic!("{event:?}") };
                self.known.extend(publish_statuses.into_iter().map(|one| (one.key.clone(), one)));
            }
        }
        &self.known
    }

    /// Waits until what there is was told of.
    #[track_caller]
    pub(crate) fn introduced(mut self) -> Self {
        eventually("what is there", || {
            self.known();
            self.batches > 0
        })
        .unwrap();
        self
    }

    /// Waits until exactly this is said to be published.
    #[track_caller]
    pub(crate) fn wait_for_published(&mut self, bundle: &Bundle) {
        eventually(&format!("{} to be published", bundle.key), || {
            let known = self.known().get(&bundle.key)?;
            (known.digest.as_ref() == Some(&bundle.digest) && known.error.is_none()).then_some(())
        })
        .unwrap();
    }

    /// Waits for an error of a bundle that says this.
    #[track_caller]
    pub(crate) fn wait_for_error(&mut self, key: &BundleKey, part: &str) -> String {
        eventually(&format!("an error of {key} that says `{part}`"), || {
            let error = self.known().get(key)?.error.clone()?;
            error.contains(part).then_some(error)
        })
        .unwrap()
    }

    /// Stops it, as a process that is killed.
    pub(crate) fn kill(self) {
        self.runtime.shutdown_background();
    }
}

#[test]
fn every_kind_of_object_is_accepted_and_a_restart_writes_none_of_them() {
    let server = &cluster().server;
    let Output::Istio { module, .. } = wasm_plugins() else { panic!("not Istio's") };
    let istio = |kind| Output::Istio { kind, module: module.clone() };
    for (namespace, output) in [
        ("plugins", istio(IstioKind::WasmPlugin)),
        ("extensions", istio(IstioKind::TrafficExtension)),
        ("filters", istio(IstioKind::EnvoyFilter)),
        ("files", Output::ConfigMap { module: "/etc/corsward/filter.wasm".into() }),
    ] {
        cluster().test_namespace(namespace).unwrap();
        let gateway = BundleKey::Gateway { namespace: namespace.into(), name: "front".into() };
        let keys = [
            workloads(namespace, &[]),
            workloads(namespace, &[("app.kubernetes.io/name", "api"), ("v", "")]),
            gateway,
        ];
        let wanted = keys.map(|key| bundle(&key, r#"{"a":["é"]}"#));
        let mut publisher = Publisher::start(server, &output).introduced();
        publisher.want(&wanted.each_ref(), &[]);
        for bundle in &wanted {
            publisher.wait_for_published(bundle);
        }
        publisher.kill();

        let before = objects(server, &output, namespace);
        let mut publisher = Publisher::start(server, &output).introduced();
        for bundle in &wanted {
            let seen = &publisher.known()[&bundle.key];
            assert_eq!(seen.digest.as_ref(), Some(&bundle.digest), "{namespace}");
        }
        let [first, second, third] = &wanted;
        let changed = bundle(&third.key, r#"{"a":[]}"#);
        publisher.want(&[first, second, &changed], &[]);
        publisher.wait_for_published(&changed);
        // The watch may tell of the write before its answer is counted.
        let counted = || (publisher.metrics.writes(WriteResult::Written) > 0).then_some(());
        eventually("the write to be counted", counted).unwrap();
        assert_eq!(publisher.metrics.writes(WriteResult::Written), 1, "{namespace}");
        assert_eq!(publisher.metrics.writes(WriteResult::Repaired), 0, "{namespace}");
        publisher.kill();
        let after = objects(server, &output, namespace);
        for bundle in &wanted {
            let name = bundle.key.object_name();
            let same = version(&before[&name]) == version(&after[&name]);
            assert_eq!(same, bundle.key != changed.key, "{namespace}: {}", bundle.key);
        }
    }
}

#[test]
fn one_shape_makes_room_for_another_and_nothing_else_is_touched() {
    let (server, output) = (&cluster().server, wasm_plugins());
    let ns = cluster().test_namespace("shapes").unwrap();
    let whole = bundle(&workloads(&ns.name, &[]), "1");
    let part = bundle(&workloads(&ns.name, &[("app", "a")]), "2");
    let other = json!({
        "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
        "metadata": {"name": "theirs"}, "spec": {"url": "oci://theirs.example/filter"},
    });
    server.api().create(&collection(&output, &ns.name), &other).unwrap();
    let mut publisher = Publisher::start(server, &output).introduced();
    publisher.want(&[&whole], &[]);
    publisher.wait_for_published(&whole);
    let retiring = bundle(&whole.key, "3");
    publisher.want(&[&part], &[&retiring]);
    publisher.wait_for_published(&retiring);
    publisher.wait_for_published(&part);
    eventually("the former shape to go", || publisher.known()[&whole.key].digest.is_none())
        .unwrap();
    let names: Vec<_> = objects(server, &output, &ns.name).into_keys().collect();
    assert_eq!(names, [part.key.object_name(), "theirs".to_owned()]);
    publisher.kill();
}

#[test]
fn what_somebody_changes_or_deletes_is_repaired_and_what_they_add_stays() {
    let (server, output) = (&cluster().server, wasm_plugins());
    let ns = cluster().test_namespace("drift").unwrap();
    let ours = bundle(&workloads(&ns.name, &[("app", "a")]), "1");
    let mut publisher = Publisher::start(server, &output).introduced();
    publisher.want(&[&ours], &[]);
    publisher.wait_for_published(&ours);
    let path = format!("{}/{}", collection(&output, &ns.name), ours.key.object_name());
    let before = server.api().get(&path).unwrap().unwrap();
    let theirs = json!({
        "metadata": {"annotations": {"theirs": "1"}},
        "spec": {"url": "oci://evil.example/filter", "selector": {"matchLabels": {"app": "b"}}},
    });
    server.api().merge(&path, &theirs).unwrap();
    let repaired = eventually("the repair", || {
        let object = server.api().get(&path).unwrap()?;
        (object["spec"] == before["spec"]).then_some(object)
    })
    .unwrap();
    assert_eq!(repaired["metadata"]["annotations"]["theirs"], "1");

    let client = publisher.runtime.block_on(kubernetes::client(Some(&server.kubeconfig())));
    let client = client.unwrap();
    let touched = publisher.runtime.block_on(cluster::refresh(&client, &output, &ours.key, "now"));
    touched.unwrap();
    let next = bundle(&ours.key, "2");
    publisher.want(&[&next], &[]);
    publisher.wait_for_published(&next);
    let after = server.api().get(&path).unwrap().unwrap();
    assert_eq!(
        after["metadata"]["annotations"]["istio.io.corsward.io/refreshed-at"], "now",
        "it stays"
    );
    assert_eq!(after["spec"]["pluginConfig"]["compiled"], "2");
    publisher.want(&[&ours], &[]);
    publisher.wait_for_published(&ours);
    server.api().delete(&path).unwrap();
    let again = eventually("it to be there again", || server.api().get(&path).unwrap()).unwrap();
    assert_eq!(again["spec"], before["spec"]);
    publisher.kill();
}

#[test]
fn an_object_of_ours_without_its_labels_is_ours_all_the_same() {
    let (server, output) = (&cluster().server, wasm_plugins());
    let ns = cluster().test_namespace("unlabelled").unwrap();
    let ours = bundle(&workloads(&ns.name, &[]), "1");
    let mut publisher = Publisher::start(server, &output).introduced();
    publisher.want(&[&ours], &[]);
    publisher.wait_for_published(&ours);
    let path = format!("{}/{}", collection(&output, &ns.name), ours.key.object_name());
    let before = server.api().get(&path).unwrap().unwrap();
    let theirs =
        json!({"metadata": {"labels": null}, "spec": {"url": "oci://evil.example/filter"}});
    server.api().merge(&path, &theirs).unwrap();
    let repaired = eventually("the repair", || {
        let object = server.api().get(&path).unwrap()?;
        (object["spec"] == before["spec"]).then_some(object)
    })
    .unwrap();
    assert_eq!(repaired["metadata"]["labels"], before["metadata"]["labels"]);
    publisher.wait_for_published(&ours);
    publisher.kill();
}

#[test]
fn somebody_elses_object_stays_and_what_needs_its_name_follows_it() {
    let server = &cluster().server;
    for (namespace, output, theirs) in [
        ("taken", wasm_plugins(), json!({"spec": {"url": "oci://theirs.example/filter"}})),
        (
            "taken-files",
            Output::ConfigMap { module: "/filter.wasm".into() },
            json!({"data": {"theirs": "1"}}),
        ),
    ] {
        cluster().test_namespace(namespace).unwrap();
        let [whole, part] = [workloads(namespace, &[]), workloads(namespace, &[("app", "a")])]
            .map(|key| bundle(&key, "1"));
        let path =
            |one: &Bundle| format!("{}/{}", collection(&output, namespace), one.key.object_name());
        let mut object = theirs.clone();
        let resource = output.resource();
        object["apiVersion"] = resource.api_version.into();
        object["kind"] = resource.kind.clone().into();
        object["metadata"] = json!({"name": whole.key.object_name(), "labels": {"theirs": "1"}});
        let before = server.api().create(&collection(&output, namespace), &object).unwrap();
        let mut publisher = Publisher::start(server, &output).introduced();
        publisher.want(&[&whole, &part], &[]);
        publisher.wait_for_published(&part);
        let error = publisher.wait_for_error(&whole.key, "is a foreign object");
        assert!(error.contains(&format!("{} `{namespace}/corsward`", resource.kind)), "{error}");
        assert_eq!(publisher.known()[&whole.key].digest, None);
        assert_eq!(server.api().get(&path(&whole)).unwrap(), Some(before));
        server.api().delete(&path(&whole)).unwrap();
        publisher.wait_for_published(&whole);
        publisher.kill();
    }
}

#[test]
fn an_object_that_is_labelled_ours_is_handed_over() {
    let (server, output) = (&cluster().server, wasm_plugins());
    let ns = cluster().test_namespace("handed-over").unwrap();
    let ours = bundle(&workloads(&ns.name, &[]), "1");
    let theirs = json!({
        "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
        "metadata": {"name": "corsward"}, "spec": {"url": "oci://theirs.example/filter"},
    });
    server.api().create(&collection(&output, &ns.name), &theirs).unwrap();
    let mut publisher = Publisher::start(server, &output).introduced();
    publisher.want(&[&ours], &[]);
    publisher.wait_for_error(&ours.key, "app.kubernetes.io/managed-by=corsward-operator");
    let path = format!("{}/corsward", collection(&output, &ns.name));
    let label = json!({"app.kubernetes.io/managed-by": "corsward-operator"});
    server.api().merge(&path, &json!({"metadata": {"labels": label}})).unwrap();
    publisher.wait_for_published(&ours);
    let Output::Istio { module, .. } = output else { panic!("not Istio's") };
    assert_eq!(server.api().get(&path).unwrap().unwrap()["spec"]["url"], module.url);
    publisher.kill();
}

#[test]
fn a_copy_that_carries_our_labels_goes_and_one_that_does_not_stays() {
    let (server, output) = (&cluster().server, wasm_plugins());
    let ns = cluster().test_namespace("copied").unwrap();
    let ours = bundle(&workloads(&ns.name, &[]), "1");
    let mut publisher = Publisher::start(server, &output).introduced();
    publisher.want(&[&ours], &[]);
    publisher.wait_for_published(&ours);
    let objects = || objects(server, &output, &ns.name);
    let mut copy = objects().remove("corsward").unwrap();
    let metadata = copy["metadata"].as_object_mut().unwrap();
    metadata.retain(|name, _| name == "labels" || name == "annotations");
    metadata.insert("name".into(), "labelled".into());
    server.api().create(&collection(&output, &ns.name), &copy).unwrap();
    copy["metadata"] =
        json!({"name": "unlabelled", "annotations": copy["metadata"]["annotations"]});
    server.api().create(&collection(&output, &ns.name), &copy).unwrap();
    eventually("the copy to go", || !objects().contains_key("labelled")).unwrap();
    assert_eq!(objects().into_keys().collect::<Vec<_>>(), ["corsward", "unlabelled"]);
    publisher.kill();
}

#[test]
fn what_is_left_of_a_kind_that_is_not_replaced_is_named_with_the_command_that_deletes_it() {
    let cluster = LocalCluster::own().unwrap();
    let ns = cluster.test_namespace("leftovers").unwrap();
    let Output::Istio { module, .. } = wasm_plugins() else { panic!("not Istio's") };
    let before = Output::Istio { kind: IstioKind::EnvoyFilter, module };
    let filter = bundle(&workloads(&ns.name, &[]), "1");
    let mut publisher = Publisher::start(&cluster.server, &before).introduced();
    publisher.want(&[&filter], &[]);
    publisher.wait_for_published(&filter);
    publisher.kill();

    let mut operator = cluster.operator("operator-0").start().unwrap();
    let line = operator.wait_for_line(
        "leftover objects still configure proxies as before: delete them once the objects of the current kind are there",
    ).unwrap();
    assert_eq!((&line["kind"], &line["left"]), (&json!("EnvoyFilter"), &json!(1)), "{line}");
    let command = line["then"].as_str().unwrap().strip_prefix("kubectl ").unwrap();
    let said = cluster.kubectl(&command.split(' ').collect::<Vec<_>>(), "").unwrap();
    assert!(said.success, "{said:?}");
    assert!(objects(&cluster.server, &before, &ns.name).is_empty());
}

#[test]
fn a_follower_writes_nothing_until_it_leads() {
    let (server, output) = (&cluster().server, wasm_plugins());
    let ns = cluster().test_namespace("follower").unwrap();
    let ours = bundle(&workloads(&ns.name, &[]), "1");
    let (mut leader, mut follower) =
        (Publisher::start(server, &output), Publisher::start(server, &output).introduced());
    follower.leading.send_replace(false);
    leader.want(&[&ours], &[]);
    leader.wait_for_published(&ours);
    let next = bundle(&ours.key, "2");
    follower.want(&[&next], &[]);
    // It sees what the leader writes, and leaves it.
    follower.wait_for_published(&ours);
    leader.kill();
    let digest = |server| {
        let objects = objects(server, &output, &ns.name);
        objects["corsward"]["metadata"]["annotations"]["corsward.io/digest"].clone()
    };
    assert_eq!(digest(server), ours.digest);
    follower.leading.send_replace(true);
    follower.wait_for_published(&next);
    assert_eq!(digest(server), next.digest);
    follower.kill();
}

#[test]
fn what_the_api_server_refuses_is_told_and_holds_up_nothing_else() {
    let (server, output) = (&cluster().server, wasm_plugins());
    let ns = cluster().test_namespace("refused").unwrap();
    // Istio takes no stars in selectors.
    let bad = bundle(&workloads(&ns.name, &[("app", "a*")]), "1");
    let good = bundle(&workloads(&ns.name, &[("app", "a")]), "1");
    let nowhere = bundle(&workloads("nowhere", &[]), "1");
    let mut publisher = Publisher::start(server, &output).introduced();
    publisher.want(&[&bad, &good, &nowhere], &[]);
    publisher.wait_for_published(&good);
    publisher.wait_for_error(&bad.key, "wildcard");
    publisher.wait_for_error(&nowhere.key, "namespaces \"nowhere\" not found");
    publisher.want(&[&good], &[]);
    publisher.kill();
}

#[test]
fn while_the_api_server_is_down_only_the_latest_counts() {
    let mut cluster = LocalCluster::own().unwrap();
    let (output, name) = (wasm_plugins(), cluster.test_namespace("down").unwrap().name);
    let key = workloads(&name, &[]);
    let mut publisher = Publisher::start(&cluster.server, &output).introduced();
    let first = bundle(&key, "1");
    publisher.want(&[&first], &[]);
    publisher.wait_for_published(&first);
    cluster.server.kill();
    publisher.want(&[&bundle(&key, "2")], &[]);
    publisher.wait_for_error(&key, "API server");
    let last = bundle(&key, "3");
    publisher.want(&[&last], &[]);
    cluster.server.restart().unwrap();
    publisher.wait_for_published(&last);
    let object = &objects(&cluster.server, &output, &name)["corsward"];
    assert_eq!(object["spec"]["pluginConfig"]["compiled"], "3");
    assert_eq!(
        object["metadata"]["generation"], 2,
        "what was not wanted any more was never written"
    );
    publisher.kill();
}

#[test]
fn a_kind_that_is_not_served_is_told_of_each_bundle_and_written_when_it_is() {
    let server = ApiServer::start().unwrap();
    let namespace = json!({"metadata": {"name": "early"}});
    server.api().create("/api/v1/namespaces", &namespace).unwrap();
    let ours = bundle(&workloads("early", &[]), "1");
    let mut publisher = Publisher::start(&server, &wasm_plugins()).introduced();
    assert_eq!(publisher.known().len(), 0);
    publisher.want(&[&ours], &[]);
    publisher.wait_for_error(&ours.key, "does not serve");
    server.apply(&xtask::tools::istio_crds().unwrap()).unwrap();
    publisher.wait_for_published(&ours);
    publisher.kill();
}
