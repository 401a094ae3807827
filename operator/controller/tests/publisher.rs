//! A publisher of a kind that the operator does not have, written against its traits alone: it keeps bundles in memory, serves on every
//! replica, and its proxies acknowledge. One serves the proxies of Istio, one the Gateways of a controller that Istio does not serve, whose
//! pods are in a namespace of theirs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking; its helpers too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use corsward_operator::admin::AdminState;
use corsward_operator::executor::{Executor, ExecutorDeps};
use corsward_operator::last_good::LastGood;
use corsward_operator::publish::Publisher;
use corsward_operator_core::bundle::{BundleKey, Desired, PublishStatus};
use corsward_operator_core::capabilities::{
    Capabilities, Elsewhere, Memory, ProxyPods, Reach, Replicas, ServedTargets,
};
use corsward_operator_core::cluster_state::{
    Change, Delta, Gateway, GatewayClass, Key, Pod, PodProxy,
};
use corsward_operator_core::command::StatusWrite;
use corsward_operator_core::event::Event;
use corsward_operator_core::index::Index;
use corsward_operator_core::json_text::JsonText;
use corsward_operator_core::object::{Object, Record};
use corsward_operator_core::publish::istio;
use corsward_operator_core::rollout::proxy::ProxyStats;
use corsward_operator_core::rollout::schedule::Schedule;
use corsward_operator_core::rollout::tracker::{Expected, PollerCommand, Workload};
use corsward_operator_core::testing::{GOOD, object};
use serde_json::{Value, json};

/// The bundles in memory, and the digests that proxies acknowledged.
#[derive(Clone, Debug, Default)]
struct Served {
    bundles: BTreeMap<BundleKey, Arc<str>>,
    /// Pods whose proxies reject every configuration.
    rejecting: Vec<String>,
    /// The ports at which proxies were asked.
    ports: BTreeSet<u16>,
}

/// The Gateways of Envoy Gateway, whose pods run in a namespace of their own.
const ENVOY_GATEWAY: Reach = Reach::Targets(ServedTargets {
    workloads: false,
    gateway_controllers: &["gateway.envoyproxy.io/gatewayclass-controller"],
    pods: Some(ProxyPods {
        gateway_label: "gateway.envoyproxy.io/owning-gateway-name",
        elsewhere: Some(Elsewhere {
            namespace: "envoy-gateway-system",
            label: "gateway.envoyproxy.io/owning-gateway-namespace",
        }),
        stats_port: 19_001,
    }),
});

/// A server that streams bundles to proxies.
#[derive(Debug)]
struct Stream {
    reach: Reach,
    served: Arc<Mutex<Served>>,
    schedule: Schedule,
    now: Instant,
}

/// The latest statuses.
type Statuses = Arc<Mutex<Vec<StatusWrite>>>;

/// A memory that keeps the latest statuses for the test to read.
#[derive(Debug, Default)]
struct Latest(Statuses);

impl Publisher for Stream {
    fn capabilities(&self) -> Capabilities {
        Capabilities { reach: self.reach, answers_at_once: false, replicas: Replicas::All }
    }

    fn start(&mut self) -> Vec<Event> {
        vec![Event::Published(Vec::new())]
    }

    fn publish(&mut self, desired: Arc<Desired>) -> Vec<Event> {
        let mut served = self.served.lock().unwrap();
        let bundles = desired.bundles.iter();
        let new: BTreeMap<BundleKey, Arc<str>> =
            bundles.map(|(key, bundle)| ((**key).clone(), bundle.digest.clone())).collect();
        let gone = served.bundles.keys().filter(|key| !new.contains_key(*key));
        let gone = gone.map(|key| PublishStatus { key: key.clone(), digest: None, error: None });
        let mut publish_statuses: Vec<PublishStatus> = gone.collect();
        publish_statuses.extend(new.iter().map(|(key, digest)| PublishStatus {
            key: key.clone(),
            digest: Some(digest.clone()),
            error: None,
        }));
        served.bundles = new;
        vec![Event::Published(publish_statuses)]
    }

    fn expect(&mut self, command: PollerCommand) -> Vec<Event> {
        let PollerCommand::Assign(namespace, expected) = command else {
            panic!("a replica that always serves never rests")
        };
        self.schedule.assign(&namespace, Arc::clone(&expected), self.now);
        let (end, mut updates) = (self.now + Duration::from_mins(1), Vec::new());
        while let Some(at) = self.schedule.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            while let Some(request) = self.schedule.next(self.now) {
                self.served.lock().unwrap().ports.insert(request.address.port());
                let answer = self.acknowledgement(&expected, &request.pod.name);
                self.schedule.answered(&request, Some(answer), self.now);
            }
            updates.extend(self.schedule.drain_updates(self.now));
        }
        vec![Event::Rollouts(updates)]
    }
}

impl Stream {
    fn acknowledgement(&self, expected: &Expected, pod: &str) -> ProxyStats {
        let is_of_pod = |workload: &&Workload| workload.pod == pod;
        let workload = expected.workloads.iter().find(is_of_pod).unwrap();
        let digest = workload.bundles.first().map(|at| expected.bundles[*at].digest);
        if self.served.lock().unwrap().rejecting.iter().any(|one| one == pod) {
            return ProxyStats { digest: digest.map(|digest| digest + 1), refused: 1 };
        }
        ProxyStats { digest, refused: 0 }
    }
}

impl LastGood for Latest {
    fn memory(&self) -> Memory {
        Memory::Statuses
    }

    fn write_status(&mut self, write: StatusWrite) {
        self.0.lock().unwrap().push(write);
    }
}

/// An executor of a publisher that reaches these proxies, what it serves, and the statuses that it had written.
fn executor(reach: Reach) -> (Executor, Arc<Mutex<Served>>, Statuses) {
    let (served, latest) = (Arc::<Mutex<Served>>::default(), Latest::default());
    let (schedule, now) = (Schedule::default(), Instant::now());
    let stream = Stream { reach, served: Arc::clone(&served), schedule, now };
    let statuses = Arc::clone(&latest.0);
    let deps = ExecutorDeps {
        publisher: Box::new(stream),
        last_good: Box::new(latest),
        object_events: None,
        admin_state: Arc::new(AdminState::default()),
    };
    (Executor::new(Index::new(reach), deps), served, statuses)
}

fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.into(), name: name.into() }
}

fn pod(name: &str) -> Event {
    let address = Some("10.0.0.1".parse().unwrap());
    let pod = Pod { proxy: PodProxy::Sidecar, address, ..Pod::default() };
    Event::ClusterState(Change::Pod(Delta::Apply(key("shop", name), pod)))
}

/// A pod of the Gateway `edge` of a namespace.
fn edge_pod(of: &str) -> Event {
    let labels = [
        ("gateway.envoyproxy.io/owning-gateway-name", "edge"),
        ("gateway.envoyproxy.io/owning-gateway-namespace", of),
    ];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let address = Some("10.0.0.1".parse().unwrap());
    let pod = Pod { labels, proxy: PodProxy::Gateway, address, ..Pod::default() };
    Event::ClusterState(Change::Pod(Delta::Apply(key("envoy-gateway-system", "a"), pod)))
}

fn policy(spec: &Value) -> Event {
    let record = Record { uid: "u".into(), created: Some(0), status: JsonText::default() };
    let object = Object { generation: Some(1), record: Some(record), ..object("api", spec) };
    Event::Apply(Box::new(object))
}

/// The reason and the message of a condition in the report.
fn condition(executor: &Executor, kind: &str) -> String {
    let report = serde_json::to_value(executor.report()).unwrap();
    let conditions = report["policies"][0]["conditions"].as_array().unwrap();
    let one = conditions.iter().find(|one| one["type"] == kind).unwrap();
    format!("{}: {}", one["reason"].as_str().unwrap(), one["message"].as_str().unwrap())
}

#[test]
fn a_new_kind_of_publisher_needs_nothing_but_the_traits() {
    let (mut executor, served, statuses) = executor(istio::REACH);
    served.lock().unwrap().rejecting.push("b".to_owned());

    executor.handle(vec![pod("a"), policy(&GOOD), Event::Synced]);
    assert_eq!(served.lock().unwrap().bundles.len(), 1, "a replica without the Lease serves");
    let message = "Programmed: the policy is in force at its workload";
    assert_eq!(condition(&executor, "Programmed"), message, "and its proxies acknowledge");
    assert_eq!(*statuses.lock().unwrap(), [], "only the leader writes statuses");

    executor.handle(vec![pod("b")]);
    let message = condition(&executor, "Programmed");
    assert!(message.contains("1 of 2 workloads"), "one proxy rejects it: {message}");

    executor.handle(vec![Event::Leading(true)]);
    let written = statuses.lock().unwrap().pop().expect("the leader writes the status");
    let proxies = json!({"matched": 2, "current": 1, "rejected": 1});
    assert_eq!(written.status.value()["proxies"], proxies);

    executor.handle(vec![Event::Reset(Vec::new())]);
    assert_eq!(served.lock().unwrap().bundles, BTreeMap::new(), "nothing is left to serve");
}

#[test]
fn a_publisher_has_gateways_of_its_own_with_pods_in_their_namespace() {
    let class = GatewayClass {
        controller: "gateway.envoyproxy.io/gatewayclass-controller".into(),
        supports_cors: None,
    };
    let gateway = Gateway { class: "eg".into(), ..Gateway::default() };
    let target = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"});
    let cors = &GOOD["cors"];
    let begin = || {
        let class = [("eg".to_owned(), class.clone())].into();
        vec![
            Event::ClusterState(Change::GatewayClass(Delta::Reset(class))),
            Event::ClusterState(Change::Gateway(Delta::Apply(
                key("shop", "edge"),
                gateway.clone(),
            ))),
            edge_pod("shop"),
            policy(&json!({"targetRefs": [target], "cors": cors})),
            Event::Synced,
        ]
    };
    let (mut executor, served, _) = executor(ENVOY_GATEWAY);
    executor.handle(begin());
    let message = "Programmed: the policy is in force at its workload";
    assert_eq!(condition(&executor, "Programmed"), message);
    assert_eq!(served.lock().unwrap().ports, [19_001].into(), "asked at the publisher's port");

    served.lock().unwrap().rejecting.push("envoy-gateway-system/a".to_owned());
    executor.handle(vec![edge_pod("office")]);
    let message = condition(&executor, "Programmed");
    assert!(message.contains("no running pod"), "it is of another namespace's Gateway: {message}");
    executor.handle(vec![edge_pod("shop")]);
    let message = condition(&executor, "Programmed");
    assert!(message.contains("envoy-gateway-system/a (its proxy refused"), "it is back: {message}");

    for (target, spec) in [
        ("namespace", json!({"cors": cors})),
        ("selector", json!({"selector": {"matchLabels": {"app": "api"}}, "cors": cors})),
        (
            "Service",
            json!({"targetRefs": [{"group": "", "kind": "Service", "name": "api"}], "cors": cors}),
        ),
    ] {
        executor.handle(vec![Event::Reset(Vec::new()), policy(&spec)]);
        let message = condition(&executor, "Accepted");
        let want = format!("`{target}` cannot be a policy's target: name a `Gateway`");
        assert!(message.contains(&want), "{message}");
    }
    let (mut executor, ..) = self::executor(istio::REACH);
    executor.handle(begin());
    let message = condition(&executor, "Programmed");
    assert!(message.starts_with("UnsupportedController"), "Istio does not serve it: {message}");
}
