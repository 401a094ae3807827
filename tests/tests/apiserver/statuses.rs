//! Statuses and events are written, each once, to whom they belong.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use corsward_operator::events;
use corsward_operator::kubernetes;
use corsward_operator::metrics::{Metrics, Outcome};
use corsward_operator::writer;
use corsward_operator_core::command::{ObjectEvent, StatusWrite};
use corsward_operator_core::json_text::JsonText;
use corsward_operator_core::resource_ref::{ResourceKind, ResourceRef};
use corsward_test_harness::api_server::{collection, crds, create_namespace};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::line::Line;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use xtask::kubernetes::ApiServer;

use crate::harness::{counted, policy, runtime};

/// Interval of retries after a refusal.
const AGAIN: Duration = Duration::from_secs(2);

/// A running writer.
struct Writing {
    line: Line,
    leading: watch::Sender<bool>,
    writes: mpsc::UnboundedSender<StatusWrite>,
    metrics: Arc<Metrics>,
    // The last one: the task is in it.
    _runtime: Runtime,
}

impl Writing {
    fn start(server: &ApiServer, leads: bool) -> Self {
        let (runtime, metrics) = (runtime(), Arc::<Metrics>::default());
        let (line, kubeconfig) = Line::to_api_server(server).unwrap();
        let (leading, leads) = watch::channel(leads);
        let (writes, waiting) = mpsc::unbounded_channel();
        let counting = Arc::clone(&metrics);
        runtime.spawn(async move {
            let client = kubernetes::client(Some(&kubeconfig)).await.unwrap();
            writer::write(client, leads, waiting, counting, AGAIN).await;
        });
        Self { line, leading, writes, metrics, _runtime: runtime }
    }

    fn write(&self, resource: &ResourceRef, generation: usize) {
        let (resource, status) = (resource.clone(), JsonText::of(&status(generation)));
        self.writes.send(StatusWrite { resource, status }).unwrap();
    }

    #[track_caller]
    fn wait_until(&self, result: Outcome, count: u64) {
        eventually(&format!("{count} to be {result:?}"), || {
            Ok(status_writes(&self.metrics, result) >= count)
        })
        .unwrap();
    }
}

fn status(generation: usize) -> Value {
    json!({"observedGeneration": generation})
}

/// The number of attempts to write a status with this outcome.
fn status_writes(metrics: &Metrics, outcome: Outcome) -> u64 {
    let result: &str = outcome.into();
    counted(metrics, &format!("corsward_status_writes_total{{result=\"{result}\"}}"))
}

fn create(server: &ApiServer, name: &str) -> ResourceRef {
    let object = server.api().create(&collection("shop", "corspolicies"), &policy(name)).unwrap();
    ResourceRef {
        kind: ResourceKind::CorsPolicy,
        namespace: Some("shop".to_owned()),
        name: name.to_owned(),
        uid: object["metadata"]["uid"].as_str().unwrap().to_owned(),
    }
}

fn read(server: &ApiServer, name: &str) -> Value {
    let path = format!("{}/{name}", collection("shop", "corspolicies"));
    server.api().get(&path).unwrap().unwrap()
}

/// Waits until a policy's status speaks of this generation.
#[track_caller]
fn wait_for_status(server: &ApiServer, name: &str, generation: usize) -> Value {
    eventually(&format!("generation {generation} in the status of {name}"), || {
        let object = read(server, name);
        Ok((object["status"]["observedGeneration"] == generation).then_some(object))
    })
    .unwrap()
}

#[test]
fn the_latest_status_of_each_object_is_written_while_this_replica_leads() {
    let mut server = ApiServer::start().unwrap();
    server.apply(&crds()).unwrap();
    create_namespace(server.api(), "shop").unwrap();
    let (a, b, gone) = (create(&server, "a"), create(&server, "b"), create(&server, "gone"));
    let writing = Writing::start(&server, false);

    writing.write(&a, 1);
    writing.wait_until(Outcome::Dropped, 1);
    assert_eq!(read(&server, "a")["status"], Value::Null, "whoever does not lead writes nothing");

    writing.leading.send_replace(true);
    for generation in 2..200 {
        writing.write(&a, generation);
        writing.write(&b, generation);
    }
    let object = wait_for_status(&server, "a", 199);
    wait_for_status(&server, "b", 199);
    assert_eq!(object["status"], status(199), "the status is what was sent, whole");
    let managers = object["metadata"]["managedFields"].as_array().unwrap();
    let manager = managers.iter().find(|m| m["subresource"] == "status").unwrap();
    assert_eq!(manager["manager"], "corsward-operator");
    assert_eq!(object["metadata"]["generation"], 1, "the spec is left alone");

    let path = format!("{}/gone", collection("shop", "corspolicies"));
    server.api().delete(&path).unwrap();
    writing.write(&gone, 1);
    writing.wait_until(Outcome::Dropped, 2);
    let again = create(&server, "gone");
    writing.write(&gone, 1);
    writing.wait_until(Outcome::Dropped, 3);
    assert_eq!(read(&server, "gone")["status"], Value::Null, "another object of that name");
    writing.write(&again, 1);
    wait_for_status(&server, "gone", 1);

    // The API server is away, while more is to be said of one than of the other.
    server.kill();
    for generation in 200..203 {
        writing.write(&a, generation);
    }
    writing.write(&b, 200);
    writing.wait_until(Outcome::Failed, 1);
    server.restart().unwrap();
    wait_for_status(&server, "a", 202);
    wait_for_status(&server, "b", 200);

    // Who stops leading forgets what it could not write.
    writing.line.cut();
    let (failed, dropped) = (
        status_writes(&writing.metrics, Outcome::Failed),
        status_writes(&writing.metrics, Outcome::Dropped),
    );
    writing.write(&a, 300);
    writing.wait_until(Outcome::Failed, failed + 1);
    writing.leading.send_replace(false);
    writing.wait_until(Outcome::Dropped, dropped + 1);
    writing.line.mend();
    writing.leading.send_replace(true);
    writing.write(&b, 301);
    wait_for_status(&server, "b", 301);
    assert_eq!(read(&server, "a")["status"], status(202));
}

#[test]
fn a_status_that_the_api_server_refuses_holds_up_no_other() {
    let server = ApiServer::start().unwrap();
    server.apply(&crds()).unwrap();
    create_namespace(server.api(), "shop").unwrap();
    let (a, b) = (create(&server, "a"), create(&server, "b"));
    let writing = Writing::start(&server, true);
    let refused = JsonText::of(&json!({"observedGeneration": "seven"}));
    writing.writes.send(StatusWrite { resource: a.clone(), status: refused }).unwrap();
    writing.write(&b, 1);
    wait_for_status(&server, "b", 1);
    writing.wait_until(Outcome::Failed, 1);
    writing.write(&a, 2);
    wait_for_status(&server, "a", 2);
}

#[test]
fn a_status_that_an_old_definition_refuses_is_written_once_that_is_upgraded() {
    let server = ApiServer::start().unwrap();
    server.apply(&crds()).unwrap();
    create_namespace(server.api(), "shop").unwrap();
    let a = create(&server, "a");
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/corspolicies.corsward.io";
    let kind =
        "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/observedGeneration";
    let set_kind = |of: Value| {
        let patch = json!([{"op": "replace", "path": kind, "value": of}]);
        let body = ("application/json-patch+json", &patch);
        let answer = server.api().send("PATCH", path, Some(body)).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    let ours = server.api().get(path).unwrap().unwrap().pointer(kind).unwrap().clone();
    set_kind(json!({"type": "string"}));
    let writing = Writing::start(&server, true);
    // It takes a moment until the API server goes by the other definition.
    eventually("a refusal", || {
        writing.write(&a, 1);
        Ok(status_writes(&writing.metrics, Outcome::Failed) > 0)
    })
    .unwrap();
    let failed = status_writes(&writing.metrics, Outcome::Failed);
    writing.write(&a, 2);
    writing.wait_until(Outcome::Failed, failed + 1);
    set_kind(ours);
    wait_for_status(&server, "a", 2);
}

#[test]
fn an_event_is_beside_the_object_it_is_about_and_not_repeated() {
    let server = ApiServer::start().unwrap();
    server.apply(&crds()).unwrap();
    create_namespace(server.api(), "shop").unwrap();
    let about = create(&server, "api");
    let cluster = ResourceRef {
        kind: ResourceKind::ClusterCorsPolicy,
        namespace: None,
        name: "n".repeat(253),
        uid: "00000000-0000-0000-0000-000000000000".to_owned(),
    };
    let nowhere = ResourceRef { namespace: Some("nowhere".to_owned()), ..about.clone() };
    let object_event = |resource: &ResourceRef, note: &str| ObjectEvent {
        resource: resource.clone(),
        warning: true,
        reason: "Invalid".to_owned(),
        action: "Validate".to_owned(),
        note: note.to_owned(),
    };
    let object_events = [
        (&nowhere, "lost"),
        (&about, "one"),
        (&about, "one"),
        (&about, "two"),
        (&cluster, "three"),
    ]
    .map(|(resource, note)| object_event(resource, note));
    record(&server.kubeconfig(), &object_events);

    let events = |namespace: &str| {
        let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
        let list = server.api().get(&path).unwrap().unwrap();
        list["items"].as_array().unwrap().clone()
    };
    let mut notes: Vec<_> = events("shop").iter().map(|event| event["note"].clone()).collect();
    notes.sort_by_key(ToString::to_string);
    assert_eq!(notes, ["one", "two"]);
    let event = &events("shop")[0];
    assert_eq!(event["regarding"]["uid"], about.uid.as_str());
    assert_eq!(event["reportingController"], "corsward.io/operator");
    assert_eq!((&event["type"], &event["reason"]), (&json!("Warning"), &json!("Invalid")));
    let of_cluster: Vec<_> = events("default")
        .into_iter()
        .filter(|event| event["regarding"]["kind"] == "ClusterCorsPolicy")
        .collect();
    assert_eq!(of_cluster.len(), 1);

    let mut describe = server.kubectl();
    describe.args(["describe", "corspolicies", "api", "--namespace=shop"]);
    let described = String::from_utf8(xtask::command::read(&mut describe).unwrap()).unwrap();
    assert!(described.contains("Invalid") && described.contains("two"), "{described}");
}

/// Hands in object_events, and waits until each is written or lost.
fn record(kubeconfig: &Path, object_events: &[ObjectEvent]) {
    let runtime = runtime();
    runtime.block_on(async {
        let client = kubernetes::client(Some(kubeconfig)).await.unwrap();
        let (sender, receiver) = mpsc::channel(events::MAX_WAITING);
        for object_event in object_events {
            sender.try_send(object_event.clone()).unwrap();
        }
        drop(sender);
        events::record(client, "operator-0".to_owned(), receiver).await;
    });
}
