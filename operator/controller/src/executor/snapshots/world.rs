//! A world for one operator: an API server that keeps objects, proxies that answer, a clock that goes on with each step, and a record of
//! everything that the operator writes.

#![expect(clippy::arithmetic_side_effects, reason = "a test counts its steps")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_operator_core::bundle::{BundleKey, Desired, PublishStatus};
use corsward_operator_core::capabilities::{Capabilities, Memory, Replicas};
use corsward_operator_core::cluster_state::{Change, Delta};
use corsward_operator_core::command::{Command, ObjectEvent, StatusWrite};
use corsward_operator_core::controller::Controller;
use corsward_operator_core::event::{Event, Moment, Refreshed, RolloutUpdate};
use corsward_operator_core::filter_module::Module;
use corsward_operator_core::index::Index;
use corsward_operator_core::publish::ecds::{EnvoyModule, Shell};
use corsward_operator_core::publish::istio::IstioKind;
use corsward_operator_core::publish::output::Output;
use corsward_operator_core::rollout::proxy::ProxyStats;
use corsward_operator_core::rollout::schedule::Schedule;
use corsward_operator_core::rollout::tracker::{Expected, PollerCommand};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::log;
use super::situation::{Kind, ProxyAnswer, Situation, Step};
use crate::change_log;
use crate::source::kube::testing::event;

/// Duration of the polls in one step.
const STEP: Duration = Duration::from_mins(1);
/// More rounds than the operator takes to come to rest.
const MAX_ROUNDS: usize = 64;
/// Kinds whose `metadata.generation` counts.
const OURS: [&str; 3] = ["CorsPolicy", "OriginSet", "ClusterCorsPolicy"];

/// The operator's writes in a situation.
#[derive(Debug, Serialize)]
pub(super) struct Played {
    why: String,
    steps: Vec<Record>,
    /// The body of `/policies` at the end.
    policies: Value,
}

/// The operator's writes in one step, in order.
#[derive(Debug, Default, Serialize)]
pub(super) struct Record {
    #[serde(rename = "step")]
    what: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    published: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log: Vec<Value>,
}

/// Everything around an operator.
pub(super) struct World {
    controller: Controller,
    desired: Arc<Desired>,
    writes: Vec<StatusWrite>,
    output: Output,
    /// The API server's objects, by kind, namespace and name.
    objects: BTreeMap<[String; 3], Value>,
    /// The digest of each published object.
    published: BTreeMap<BundleKey, Arc<str>>,
    refusal: Option<String>,
    refused: BTreeSet<(BundleKey, Arc<str>)>,
    proxies: TargetProxies,
    steps: u32,
    created: u32,
    record: Record,
}

/// The proxies, and their poller.
struct TargetProxies {
    schedule: Schedule,
    expected: BTreeMap<String, Arc<Expected>>,
    answers: BTreeMap<String, ProxyAnswer>,
    missing_filter: BTreeMap<BundleKey, Vec<String>>,
    now: Instant,
}

// === impl Played ===

impl Played {
    fn each(&mut self, change: &mut dyn FnMut(&mut Value)) {
        for Record { what: _, published, statuses, events, log } in &mut self.steps {
            [published, statuses, events, log].into_iter().flatten().for_each(&mut *change);
        }
        change(&mut self.policies);
    }
}

// === impl World ===

impl World {
    pub(super) fn new(kind: Kind) -> Self {
        let controller = operator(kind);
        let proxies = TargetProxies {
            schedule: Schedule::default(),
            expected: BTreeMap::new(),
            answers: BTreeMap::new(),
            missing_filter: BTreeMap::new(),
            now: Instant::now(),
        };
        let mut world = Self {
            controller,
            desired: Arc::default(),
            writes: Vec::new(),
            output: output(kind),
            objects: BTreeMap::new(),
            published: BTreeMap::new(),
            refusal: None,
            refused: BTreeSet::new(),
            proxies,
            steps: 0,
            created: 0,
            record: Record::default(),
        };
        world.start();
        world
    }

    /// Everything the operator writes in a situation, and what `/policies` says at its end.
    pub(super) fn play(situation: Situation) -> Played {
        let Situation { why, kind, wording, steps } = situation;
        let mut world = Self::new(kind);
        let steps: Vec<Record> = steps.into_iter().map(|step| world.step(step, kind)).collect();
        let mut played = Played { why, steps, policies: world.report() };
        played.each(&mut shorten);
        let mut words = BTreeSet::new();
        played.each(&mut |value| collect_words(value, &mut words));
        if !wording {
            played.each(&mut |value| leave_out(value, &words));
        }
        played
    }

    fn step(&mut self, step: Step, kind: Kind) -> Record {
        self.steps += 1;
        log::take();
        self.record.what = step.what;
        self.proxies.answers.extend(step.answers);
        if let Some(words) = step.refuse {
            self.refusal = Some(words).filter(|words| !words.is_empty());
            self.refused.clear();
        }
        if step.restart {
            self.controller = operator(kind);
            self.desired = Arc::default();
            self.proxies.schedule = Schedule::default();
            self.start();
        }
        let mut batch = Vec::new();
        batch.extend(step.leading.map(Event::Leading));
        batch.extend(step.enforcement.map(Event::Enforcement));
        batch.extend(step.apply.into_iter().map(|object| self.apply(object)));
        batch.extend(step.delete.iter().map(|name| self.delete(name)));
        self.settle(batch);
        self.record.log = log::take();
        std::mem::take(&mut self.record)
    }

    /// The first lists, the lease, and what is published already.
    fn start(&mut self) {
        let classes = Change::GatewayClass(Delta::Reset(BTreeMap::new()));
        let mut batch = vec![Event::ClusterState(classes)];
        batch.extend(self.objects.values().map(|object| event(object, false)));
        let published = self.published.iter().map(|(key, digest)| PublishStatus {
            key: key.clone(),
            digest: Some(digest.clone()),
            error: None,
        });
        batch.extend([Event::Synced, Event::Leading(true), Event::Published(published.collect())]);
        self.settle(batch);
    }

    fn apply(&mut self, mut object: Value) -> Event {
        let key = key(&object);
        if let Some(known) = self.objects.get(&key) {
            for field in ["uid", "creationTimestamp", "generation"] {
                object["metadata"][field] = known["metadata"][field].clone();
            }
            if object["spec"] != known["spec"] && OURS.contains(&key[0].as_str()) {
                let generation = known["metadata"]["generation"].as_i64().unwrap();
                object["metadata"]["generation"] = json!(generation + 1);
            }
            if OURS.contains(&key[0].as_str()) {
                object["status"] = known["status"].clone();
            }
        } else {
            self.created += 1;
            let created = self.created;
            object["metadata"]["uid"] = json!(format!("uid-{created}"));
            object["metadata"]["creationTimestamp"] = json!(time(0, created));
            object["metadata"]["generation"] = json!(1);
        }
        let event = event(&object, false);
        self.objects.insert(key, object);
        event
    }

    fn delete(&mut self, name: &str) -> Event {
        let parts: Vec<&str> = name.split('/').collect();
        let key = match parts[..] {
            [kind, name] => [kind, "", name],
            [kind, namespace, name] => [kind, namespace, name],
            _ => panic!("{name} is no Kind/namespace/name"),
        };
        let object = self.objects.remove(&key.map(str::to_owned));
        event(&object.unwrap_or_else(|| panic!("there is no {name}")), true)
    }

    /// Tells the operator, carries out what it says, tells it what came of that, and so on until nothing is new.
    fn settle(&mut self, mut batch: Vec<Event>) {
        for _ in 0..MAX_ROUNDS {
            let commands = self.controller.handle(std::mem::take(&mut batch), now());
            for command in commands {
                self.execute(command);
            }
            batch.extend(self.publish());
            batch.extend(self.write_statuses());
            if batch.is_empty() {
                batch.extend(self.proxies.ask());
            }
            if batch.is_empty() {
                return;
            }
        }
        panic!("the operator comes to no rest: {:#?}", self.record);
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Publish(desired) => self.desired = desired,
            Command::PollProxies(command) => self.proxies.on(command),
            Command::WriteStatus(write) => self.writes.push(write),
            Command::RecordEvent(object_event) => self.record.events.push(said(&object_event)),
            Command::Log(line) => change_log::write(&line),
            Command::Measure(_) | Command::SetReady(_) => {}
            Command::Remember(_) => panic!("statuses are the memory of a cluster"),
        }
    }

    /// Writes and deletes objects as a publisher does: what is there first, then what is new, and last what retires.
    fn publish(&mut self) -> Option<Event> {
        let desired = Arc::clone(&self.desired);
        let mut publish_statuses = Vec::new();
        let all = desired.bundles.iter().chain(desired.retiring.iter());
        let (mut there, new): (Vec<_>, Vec<_>) =
            all.partition(|(key, _)| self.published.contains_key(&***key));
        there.extend(new);
        for (key, bundle) in there {
            let key = BundleKey::clone(key);
            let known = self.published.get(&key).cloned();
            let digest = bundle.digest.clone();
            if known.as_ref() == Some(&digest) {
                if desired.retiring.contains_key(&key) {
                    self.published.remove(&key);
                    self.record.published.push(json!({"deleted": key.to_string()}));
                    publish_statuses.push(PublishStatus { key, digest: None, error: None });
                }
            } else if let Some(error) = self.refusal.clone() {
                if self.refused.insert((key.clone(), digest)) {
                    publish_statuses.push(PublishStatus { key, digest: known, error: Some(error) });
                }
            } else {
                self.record.published.push(self.output.object(bundle, None).unwrap());
                self.published.insert(key.clone(), digest.clone());
                publish_statuses.push(PublishStatus { key, digest: Some(digest), error: None });
            }
        }
        (!publish_statuses.is_empty()).then_some(Event::Published(publish_statuses))
    }

    fn write_statuses(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for StatusWrite { resource, status } in std::mem::take(&mut self.writes) {
            let reference = resource.object_reference();
            let [kind, namespace, name] = [reference.kind, reference.namespace, reference.name]
                .map(Option::unwrap_or_default);
            let mut status = status.value();
            self.set_times(&mut status);
            let says = json!({"of": format!("{kind} {namespace}/{name}"), "status": status});
            self.record.statuses.push(says);
            let object = self.objects.get_mut(&[kind, namespace, name]);
            if let Some(object) = object.filter(|object| object["metadata"]["uid"] == resource.uid)
            {
                object["status"] = status;
                events.push(event(object, false));
            }
        }
        events
    }

    /// The time of what flips now is that of the step.
    fn set_times(&self, status: &mut Value) {
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            let at = &mut condition["lastTransitionTime"];
            let is_ours = at.as_str().is_some_and(|at| at.starts_with("2020-"));
            if !is_ours {
                *at = json!(time(self.steps, 0));
            }
        }
    }

    fn report(&self) -> Value {
        serde_json::to_value(self.controller.report()).unwrap()
    }
}

// === impl TargetProxies ===

impl TargetProxies {
    fn on(&mut self, order: PollerCommand) {
        match order {
            PollerCommand::Assign(namespace, expected) => {
                self.schedule.assign(&namespace, Arc::clone(&expected), self.now);
                self.expected.insert(namespace, expected);
            }
            PollerCommand::Rest => self.schedule.clear(),
        }
    }

    /// Asks the proxies for a while, and says what is new.
    fn ask(&mut self) -> Vec<Event> {
        let end = self.now + STEP;
        let mut told: Vec<RolloutUpdate> = Vec::new();
        loop {
            while let Some(question) = self.schedule.next(self.now) {
                let answer = self.answer(&question.pod.namespace, &question.pod.name);
                self.schedule.answered(&question, answer, self.now);
            }
            told.extend(self.schedule.drain_updates(self.now));
            match self.schedule.next_deadline() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
        }
        self.now = end;
        let missing_filter = self.schedule.missing_filter(self.now);
        let mut events: Vec<Event> = Vec::new();
        for (key, pods) in &missing_filter {
            if self.missing_filter.get(key) != Some(pods) {
                events.push(Event::Refreshed(Refreshed { key: key.clone(), pods: pods.clone() }));
            }
        }
        self.missing_filter = missing_filter;
        events.extend((!told.is_empty()).then_some(Event::Rollouts(told)));
        events
    }

    fn answer(&self, namespace: &str, pod: &str) -> Option<ProxyStats> {
        let expected = &self.expected[namespace];
        let workload = expected.workloads.iter().find(|workload| workload.pod == pod)?;
        let newest = workload.bundles.iter().map(|at| &expected.bundles[*at]);
        let digest =
            newest.max_by_key(|expected| !expected.retiring).map(|expected| expected.digest);
        let other = digest.map(|digest| digest + 1);
        match self.answers.get(pod)? {
            ProxyAnswer::Current => Some(ProxyStats { digest, refused: 0 }),
            ProxyAnswer::Behind => Some(ProxyStats { digest: other, refused: 0 }),
            ProxyAnswer::Refused => Some(ProxyStats { digest: other, refused: 1 }),
            ProxyAnswer::NoFilter => Some(ProxyStats::default()),
            ProxyAnswer::Silent => None,
        }
    }
}

fn operator(kind: Kind) -> Controller {
    let reach = output(kind).reach();
    let index = Index::new(reach);
    let capabilities = Capabilities { reach, answers_at_once: false, replicas: Replicas::Leader };
    Controller::new(index, capabilities, Memory::Statuses)
}

fn now() -> Moment {
    Moment { instant: Instant::now(), timestamp: Timestamp::now() }
}

/// The kind of objects that hold configurations, with a module of this digest.
pub(super) fn output(kind: Kind) -> Output {
    let sha256 = "0".repeat(64);
    let url = format!("http://corsward.corsward-system.svc:80/filter-{sha256}.wasm");
    let module = Module { url, sha256 };
    match kind {
        Kind::WasmPlugin => Output::Istio { kind: IstioKind::WasmPlugin, module },
        Kind::TrafficExtension => Output::Istio { kind: IstioKind::TrafficExtension, module },
        Kind::EnvoyFilter => Output::Istio { kind: IstioKind::EnvoyFilter, module },
        Kind::ConfigMap => {
            Output::ConfigMap { module: EnvoyModule::new(Shell::Wasm, "/etc/corsward/filter.wasm") }
        }
    }
}

fn key(object: &Value) -> [String; 3] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    [text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"])]
}

/// A time of the world's own calendar: objects are created on its first day, and each step is a day.
fn time(step: u32, second: u32) -> String {
    format!("2020-01-{:02}T00:00:{second:02}Z", step + 1)
}

fn said(object_event: &ObjectEvent) -> Value {
    let ObjectEvent { resource, warning, reason, action, note } = object_event;
    json!({
        "about": resource.to_string(),
        "type": if *warning { "Warning" } else { "Normal" },
        "reason": reason,
        "action": action,
        "note": note,
    })
}

/// Takes in the words of each finding.
fn collect_words(value: &mut Value, words: &mut BTreeSet<String>) {
    if let (Some(_), Some(message)) = (value["code"].as_str(), value["message"].as_str()) {
        words.insert(message.to_owned());
    }
    for inner in children(value) {
        collect_words(inner, words);
    }
}

/// Leaves out the words of findings, where they are alone and where a condition repeats them.
fn leave_out(value: &mut Value, words: &BTreeSet<String>) {
    if let Value::String(text) = value {
        // The longest first: one may be the beginning of another.
        let mut found: Vec<&String> = words.iter().filter(|words| text.contains(*words)).collect();
        found.sort_by_key(|words| std::cmp::Reverse(words.len()));
        for words in found {
            *text = text.replace(words, "(the words of the finding)");
        }
    }
    for inner in children(value) {
        leave_out(inner, words);
    }
}

fn children(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => Vec::new(),
    }
}

/// Leaves out the middle of what is too long to read.
fn shorten(value: &mut Value) {
    const ITEMS: usize = 40;
    const CHARACTERS: usize = 6000;
    match value {
        Value::Array(items) => {
            let count = items.len();
            if count > ITEMS {
                items.truncate(2);
                items.push(json!(format!("and {} more", count - 2)));
            }
        }
        Value::String(text) if text.len() > CHARACTERS => {
            *text =
                format!("{}… ({} bytes)", text.chars().take(100).collect::<String>(), text.len());
        }
        _ => {}
    }
    children(value).into_iter().for_each(shorten);
}
