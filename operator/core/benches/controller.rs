//! The controller and the reconciler by themselves, before an API server that answers at once. Prints the figures of one phase as JSON;
//! `cargo xtask bench --core` runs all of them.
//!
//! ```text
//! controller PHASE POLICIES NAMESPACES        PHASE: compile, start, restart or change
//! ```
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark may stop, and counts small numbers"
)]

use std::alloc::System;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use corsward_api::json_text::JsonText;
use corsward_operator_core::capabilities::{Capabilities, Memory, Replicas};
use corsward_operator_core::cluster_state::Key;
use corsward_operator_core::command::{Command, StatusWrite};
use corsward_operator_core::controller::Controller;
use corsward_operator_core::event::{Event, Moment};
use corsward_operator_core::filter_module::Module;
use corsward_operator_core::index::Index;
use corsward_operator_core::object::{Object, Record};
use corsward_operator_core::publish::istio::{IstioKind, REACH};
use corsward_operator_core::publish::output::Output;
use corsward_operator_core::publish::reconciler::{ObjectWrite, Reconciler};
use corsward_policy::PolicyId;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Number of policies that change, one after the other.
const CHANGES: usize = 20;

/// The operator, and the API server before it.
struct Operator {
    controller: Controller,
    reconciler: Reconciler,
    now: Moment,
    /// The policies as the API server has them.
    policies: BTreeMap<PolicyId, Object>,
    /// The operator's objects as the API server has them.
    objects: BTreeMap<Key, Value>,
    version: u64,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let [phase, policies, namespaces] = args.as_slice() else {
        // `cargo test` and `cargo bench` without arguments: as small as it can be.
        return ["compile", "start", "restart", "change"]
            .iter()
            .for_each(|phase| run(phase, 40, 2));
    };
    let number = |text: &String| text.parse().expect("PHASE POLICIES NAMESPACES");
    run(phase, number(policies), number(namespaces));
}

fn run(phase: &str, policies: usize, namespaces: usize) {
    let before = held();
    let policies = (0..policies).map(|nth| policy(nth, namespaces));
    let policies = policies.map(|object| (object.id.clone(), object)).collect();
    let mut operator = Operator::new(policies, BTreeMap::new());
    let (seconds, count) = match phase {
        "compile" => (measured(|| drop(operator.compile())), 1),
        "start" => (measured(|| operator.start()), 1),
        "restart" => {
            operator.start();
            operator = Operator::new(operator.policies, operator.objects);
            (measured(|| operator.start()), 1)
        }
        "change" => {
            operator.start();
            (measured(|| (0..CHANGES).for_each(|nth| operator.change(nth))), CHANGES)
        }
        _ => panic!("no such phase: {phase}"),
    };
    let Operator { controller, reconciler, policies, objects, .. } = operator;
    drop((policies, objects));
    let bytes = held() - before;
    // A heap profiler finds them at the end.
    std::mem::forget((controller, reconciler));
    println!("{}", json!({"seconds": seconds, "count": count, "bytes": bytes}));
}

/// Seconds that it takes. The name is one that callgrind counts by.
#[inline(never)]
fn measured(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

/// Bytes that are in use.
fn held() -> i64 {
    let stats = ALLOCATOR.stats();
    let signed = |bytes: usize| i64::try_from(bytes).expect("a number of bytes");
    signed(stats.bytes_allocated) - signed(stats.bytes_deallocated)
}

// === impl Operator ===

impl Operator {
    fn new(policies: BTreeMap<PolicyId, Object>, objects: BTreeMap<Key, Value>) -> Self {
        let publisher =
            Capabilities { reach: REACH, answers_at_once: false, replicas: Replicas::Leader };
        let index = Index::new(REACH);
        let sha256 = "0".repeat(64);
        let url = format!("oci://registry.example/corsward@sha256:{sha256}");
        let output = Output::Istio { kind: IstioKind::WasmPlugin, module: Module { url, sha256 } };
        let now = Moment { instant: Instant::now(), timestamp: Timestamp::UNIX_EPOCH };
        Self {
            controller: Controller::new(index, publisher, Memory::Statuses),
            reconciler: Reconciler::new(output, Duration::from_secs(30)),
            now,
            policies,
            objects,
            version: 0,
        }
    }

    /// From nothing until every policy is compiled; what is to be done then.
    fn compile(&mut self) -> Vec<Command> {
        let policies = self.policies.values().cloned().collect();
        let batch = vec![Event::Leading(true), Event::Reset(policies), Event::Synced];
        let mut commands = self.controller.handle(batch, self.now);
        let published = Event::Published(self.reconciler.drain_updates());
        commands.extend(self.controller.handle(vec![published], self.now));
        commands
    }

    /// From nothing until every policy is published and its status written.
    fn start(&mut self) {
        let objects = self.objects.iter().map(|(place, object)| (place.clone(), object.clone()));
        self.reconciler.lead(true);
        self.reconciler.reset(objects.collect(), self.now.instant);
        let commands = self.compile();
        let events = self.carry_out(commands);
        self.handle(events);
    }

    /// Changes a policy, until its status says so.
    fn change(&mut self, nth: usize) {
        let (_, object) = self.policies.iter_mut().nth(nth).expect("a policy");
        let spec = object.text.spec.as_mut().expect("a spec");
        let mut value = spec.value();
        *value.pointer_mut("/cors/maxAge").expect("a field") = 700.into();
        *spec = JsonText::of(&value);
        object.generation = object.generation.map(|generation| generation + 1);
        let event = Event::Apply(Box::new(object.clone()));
        self.handle(vec![event]);
    }

    /// Takes in events, and carries out what follows until nothing does.
    fn handle(&mut self, mut batch: Vec<Event>) {
        while !batch.is_empty() {
            let commands = self.controller.handle(batch, self.now);
            batch = self.carry_out(commands);
        }
    }

    /// Carries out commands, and returns what the operator hears of it.
    fn carry_out(&mut self, commands: Vec<Command>) -> Vec<Event> {
        let mut events = Vec::new();
        for command in commands {
            match command {
                Command::Publish(desired) => {
                    self.reconciler.want(&desired, self.now.instant);
                    self.publish();
                    events.push(Event::Published(self.reconciler.drain_updates()));
                }
                Command::WriteStatus(write) => events.extend(self.write_status(write)),
                _ => {}
            }
        }
        events
    }

    /// Writes every object that is to be written.
    fn publish(&mut self) {
        while let Some(write) = self.reconciler.next(self.now.instant) {
            let ObjectWrite::Apply { place, object, .. } = write else {
                panic!("nothing is deleted")
            };
            self.version += 1;
            let mut object = Value::clone(&object);
            object["metadata"]["uid"] = format!("object-{}", place.name).into();
            object["metadata"]["resourceVersion"] = self.version.to_string().into();
            self.reconciler.wrote(&place, Some(self.version), Some(&object), self.now.instant);
            self.objects.insert(place, object);
        }
    }

    /// Writes a status, and tells of it as a watch does.
    fn write_status(&mut self, write: StatusWrite) -> Option<Event> {
        let StatusWrite { resource, status } = write;
        let id = PolicyId { namespace: resource.namespace?, name: resource.name };
        let object = self.policies.get_mut(&id)?;
        object.record.as_mut()?.status = status;
        Some(Event::Apply(Box::new(object.clone())))
    }
}

/// A policy as `cargo xtask bench --control-plane` makes them, with the defaults that the API server adds.
fn policy(nth: usize, namespaces: usize) -> Object {
    let spec = json!({
        "selector": {"matchLabels": {"app": format!("a{nth}")}},
        "cors": {
            "allowOrigins": [format!("https://p{nth}.example"), "https://*.shop.example"],
            "allowMethods": ["GET", "PUT", "DELETE"],
            "allowHeaders": ["authorization", "content-type"],
            "allowCredentials": true,
            "maxAge": 600,
        },
        "diagnostics": "None",
        "disallowedRequests": "Forward",
        "mode": "Active",
        "preflight": {"onFailure": "Explain", "successStatus": 204},
        "upstreamCorsHeaders": "Replace",
        "upstreamOrigin": "Keep",
    });
    let text = JsonText::of(&spec).into();
    let id = PolicyId { namespace: format!("n{}", nth % namespaces), name: format!("p{nth}") };
    let uid = format!("00000000-0000-4000-8000-{nth:012}");
    let record = Record { uid, created: Some(1_700_000_000), status: JsonText::default() };
    Object { id, place: None, generation: Some(1), text, record: Some(record) }
}
