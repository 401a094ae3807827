//! Tests of the controller.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::bundle::Desired;
use crate::json_text::JsonText;
use crate::object::{Object, Record};
use crate::publish::istio::REACH;
use crate::targets::TargetProxies;
use crate::testing::{GOOD, REFUSED, id, object};

/// A publisher of a cluster that sees no proxies.
const WRITES_OBJECTS: Capabilities =
    Capabilities { reach: REACH.unseen(), answers_at_once: false, replicas: Replicas::Leader };

fn now() -> Moment {
    Moment { instant: Instant::now(), timestamp: Timestamp::UNIX_EPOCH }
}

#[test]
fn what_is_gone_is_forgotten() {
    let mut leader = Leader::new();
    let key = BundleKey::new("shop", TargetProxies::Workloads(Arc::default()));
    for digest in [Some("sha256:0".into()), None] {
        let publish_status = PublishStatus { key: key.clone(), digest, error: None };
        leader.controller.record_publish_status(publish_status);
    }
    assert_eq!(leader.controller.publish_statuses, BTreeMap::new());
    leader.controller.awaited.insert(id("api"), Instant::now());
    leader.controller.handle(vec![Event::Reset(Vec::new())], now());
    assert_eq!(leader.controller.awaited, BTreeMap::new());
}

/// An operator that leads in a cluster, one event after the other.
struct Leader {
    controller: Controller,
    desired: Arc<Desired>,
}

impl Leader {
    fn new() -> Self {
        let index = Index::new(REACH.unseen());
        let controller = Controller::new(index, WRITES_OBJECTS, Memory::Statuses);
        Self { controller, desired: Arc::default() }
    }

    /// Takes in these events, and says why the policy `api` is in force or not.
    fn after(&mut self, batch: Vec<Event>) -> &'static str {
        for command in self.controller.handle(batch, now()) {
            if let Command::Publish(desired) = command {
                self.desired = desired;
            }
        }
        let statuses = &self.controller.statuses[&Scope::Namespace("shop".into())];
        statuses[0].condition(ConditionType::Programmed).unwrap().reason.into()
    }

    /// All that is wanted, as seen in the cluster.
    fn published(&self) -> Vec<PublishStatus> {
        published(&self.desired)
    }
}

fn published(desired: &Desired) -> Vec<PublishStatus> {
    let seen = desired.bundles.iter().map(|(key, bundle)| PublishStatus {
        key: (**key).clone(),
        digest: Some(bundle.digest.clone()),
        error: None,
    });
    seen.collect()
}

fn policy(status: &serde_json::Value) -> Event {
    let record = Record { uid: "u".into(), created: None, status: JsonText::of(status) };
    let object = Object { generation: Some(1), record: Some(record), ..object("api", &GOOD) };
    Event::Apply(object.into())
}

#[test]
fn what_a_switch_changes_is_said_when_it_is_published() {
    let mut leader = Leader::new();
    let nothing = serde_json::Value::Null;
    let begin =
        vec![policy(&nothing), Event::Synced, Event::Leading(true), Event::Published(Vec::new())];
    assert_eq!(leader.after(begin), "Reconciling", "it is new");
    let on = leader.published();
    assert_eq!(leader.after(vec![Event::Published(on)]), "Published");
    assert_eq!(leader.after(vec![Event::Enforcement(false)]), "Reconciling", "switched off");
    let off = leader.published();
    assert_eq!(leader.after(vec![Event::Published(off)]), "Off");
    assert_eq!(leader.after(vec![Event::Enforcement(true)]), "Reconciling", "switched on");
    let on = leader.published();
    assert_eq!(leader.after(vec![Event::Published(on)]), "Published");
}

#[test]
fn what_was_switched_while_no_operator_ran_is_said_when_it_is_published() {
    let mut before = Leader::new();
    let status = |reason: &str| {
        serde_json::json!({
            "inForce": { "generation": 1, "digest": "d", "spec": *GOOD },
            "conditions": [{ "type": "Programmed", "status": "False", "reason": reason, "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z" }],
        })
    };
    let begin = |reason: &str, is_on: bool, published: &[PublishStatus]| {
        let enforcement = Event::Enforcement(is_on);
        vec![
            policy(&status(reason)),
            enforcement,
            Event::Synced,
            Event::Leading(true),
            Event::Published(published.to_vec()),
        ]
    };
    before.after(begin("Off", false, &[]));
    let off = before.published();
    before.after(vec![Event::Enforcement(true)]);
    let on = before.published();
    for (why, reason, published, is_on, want) in [
        ("it stays off", "Off", &off, false, "Off"),
        ("it stays on", "Published", &on, true, "Published"),
        ("it was switched on", "Off", &off, true, "Reconciling"),
        ("it was switched off", "Published", &on, false, "Reconciling"),
    ] {
        let mut leader = Leader::new();
        assert_eq!(leader.after(begin(reason, is_on, published)), want, "{why}");
        let published = leader.published();
        let settled = if is_on { "Published" } else { "Off" };
        assert_eq!(leader.after(vec![Event::Published(published)]), settled, "{why}");
    }
}

/// The words of commands, in their order.
fn words(commands: &[Command]) -> Vec<&'static str> {
    let word = |command: &Command| match command {
        Command::Remember(_) => Some("remember"),
        Command::Publish(_) => Some("publish"),
        Command::Log(LogLine::Withheld(_)) => Some("withheld"),
        Command::Log(LogLine::Policy { .. }) => Some("result"),
        Command::SetReady(_) => Some("ready"),
        _ => None,
    };
    commands.iter().filter_map(word).collect()
}

/// A controller whose publisher answers at once and whose memory is a state.
fn beside_a_folder(is_lost: bool) -> Controller {
    let index = Index::new(Reach::One);
    let publisher = Capabilities { reach: Reach::One, answers_at_once: true, ..WRITES_OBJECTS };
    Controller::new(index, publisher, Memory::State { is_lost })
}

#[test]
fn an_answer_at_once_comes_before_statuses_and_what_is_published_is_remembered_first() {
    let mut controller = beside_a_folder(false);
    let read = vec![Event::Reset(vec![object("api", &GOOD)]), Event::Synced];
    let commands = controller.handle([vec![Event::Published(Vec::new())], read].concat(), now());
    assert_eq!(words(&commands), ["remember", "publish"]);
    let Some(Command::Publish(desired)) = commands.last() else { panic!("{commands:?}") };
    let answer = vec![Event::Published(published(desired))];
    assert_eq!(words(&controller.handle(answer.clone(), now())), ["result", "ready"]);
    assert_eq!(words(&controller.handle(answer, now())), [""; 0]);
}

#[test]
fn what_is_forgotten_is_not_withdrawn_before_every_policy_is_accepted() {
    let mut controller = beside_a_folder(true);
    let begin = vec![Event::Published(Vec::new()), Event::Synced];
    let read = |spec| Event::Reset(vec![object("api", spec)]);
    let commands = controller.handle([begin, vec![read(&REFUSED)]].concat(), now());
    assert_eq!(words(&commands), ["withheld", "publish", "result", "ready"]);
    let Some(Command::Publish(desired)) =
        commands.into_iter().find(|command| matches!(command, Command::Publish(_)))
    else {
        panic!("the first desired state is told")
    };
    assert_eq!(desired.bundles.len(), 0, "nothing is written over");
    let commands = controller.handle(vec![read(&GOOD)], now());
    assert_eq!(words(&commands), ["remember", "publish"]);
}
