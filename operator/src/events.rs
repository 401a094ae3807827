//! Events for users (events.k8s.io): what somebody must know, beside the object it is about.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::kubernetes::sentence;
use crate::outage::Outage;
use crate::writer::ResourceRef;

/// Who says it.
const CONTROLLER: &str = "corsward.io/operator";
/// Where events of objects without a namespace are kept (Kubernetes, validation of events).
const CLUSTER_NAMESPACE: &str = "default";
/// The same is not said again for so long.
const REPEAT: Duration = Duration::from_mins(10);
/// How long one may take to be written.
const PATIENCE: Duration = Duration::from_secs(5);
/// Notices that may wait; more are lost, for what they say is in the status too.
const MAX_WAITING: usize = 1024;
/// Longest note, in bytes (Kubernetes, validation of events).
const MAX_NOTE_LEN: usize = 1024;
/// Longest name of a reporting instance, a reason or an action, in bytes (the same).
const MAX_WORD_LEN: usize = 128;
/// Longest beginning of an event's name: with five characters of the API server's it is a name.
const MAX_PREFIX_LEN: usize = 240;

/// Something a user must know about an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notice {
    /// About which.
    pub resource: ResourceRef,
    /// Is something not as it should be?
    pub warning: bool,
    /// Why, in one word, such as `Invalid`.
    pub reason: String,
    /// What the operator did, in one word, such as `Judge`.
    pub action: String,
    /// What happened, in a sentence.
    pub note: String,
}

/// Where notices are handed in.
#[derive(Clone, Debug)]
pub struct Notices {
    sender: mpsc::Sender<Notice>,
}

/// What has been said lately.
#[derive(Debug, Default)]
struct Said {
    notices: HashMap<Notice, Instant>,
}

/// A place to hand notices in, and where they come out, for [`record`].
#[must_use]
pub fn channel() -> (Notices, mpsc::Receiver<Notice>) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    (Notices { sender }, receiver)
}

/// Writes notices as events until nobody hands any in. `instance` is this pod's name. What cannot be written is lost.
///
/// kube's own recorder is not used: within six minutes it takes a second note of the same reason for a repetition of the first, and loses it.
pub async fn record(client: Client, instance: String, mut notices: mpsc::Receiver<Notice>) {
    let (mut said, mut outage) = (Said::default(), Outage::default());
    while let Some(notice) = notices.recv().await {
        if !said.is_new(&notice, Instant::now()) {
            continue;
        }
        let event = event(&notice, &instance, Timestamp::now());
        let namespace = notice.resource.namespace.as_deref().unwrap_or(CLUSTER_NAMESPACE);
        let api: Api<Event> = Api::namespaced(client.clone(), namespace);
        let words = match timeout(PATIENCE, api.create(&PostParams::default(), &event)).await {
            Ok(Ok(_)) => {
                outage.over();
                continue;
            }
            // Its namespace is going, and takes the object with it.
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => continue,
            Ok(Err(error)) => sentence(&error),
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        said.forget(&notice);
        if outage.on(&words, Instant::now()) {
            warn!(resource = %notice.resource, error = words, "an event could not be written");
        }
    }
}

// === impl Notices ===

impl Notices {
    /// Hands a notice in; never waits.
    pub fn send(&self, notice: Notice) {
        if let Err(error) = self.sender.try_send(notice) {
            debug!(%error, "a notice is lost");
        }
    }
}

// === impl Said ===

impl Said {
    /// Was it not said lately? From now on it was.
    fn is_new(&mut self, notice: &Notice, now: Instant) -> bool {
        self.notices.retain(|_, said| now.saturating_duration_since(*said) < REPEAT);
        if self.notices.contains_key(notice) {
            return false;
        }
        self.notices.insert(notice.clone(), now);
        true
    }

    fn forget(&mut self, notice: &Notice) {
        self.notices.remove(notice);
    }
}

fn event(notice: &Notice, instance: &str, now: Timestamp) -> Event {
    let Notice { resource, warning, reason, action, note } = notice;
    Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", cut(&resource.name, MAX_PREFIX_LEN))),
            namespace: Some(
                resource.namespace.clone().unwrap_or_else(|| CLUSTER_NAMESPACE.to_owned()),
            ),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        regarding: Some(resource.object_reference()),
        type_: Some(if *warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(cut(reason, MAX_WORD_LEN).to_owned()),
        action: Some(cut(action, MAX_WORD_LEN).to_owned()),
        note: Some(cut(note, MAX_NOTE_LEN).to_owned()),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(cut(instance, MAX_WORD_LEN).to_owned()),
        ..Event::default()
    }
}

/// The beginning of a text that has `max` bytes at most.
fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::ResourceKind;

    fn notice(note: &str) -> Notice {
        Notice {
            resource: ResourceRef {
                kind: ResourceKind::CorsPolicy,
                namespace: Some("shop".to_owned()),
                name: "api".to_owned(),
                uid: "u".to_owned(),
            },
            warning: true,
            reason: "Invalid".to_owned(),
            action: "Judge".to_owned(),
            note: note.to_owned(),
        }
    }

    #[test]
    fn the_same_is_said_again_after_a_while_and_anything_else_at_once() {
        let (mut said, start) = (Said::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        for (why, note, seconds, want) in [
            ("the first", "a", 0, true),
            ("the same", "a", 1, false),
            ("another note of the same reason", "b", 2, true),
            ("back to the first", "a", 3, false),
            ("after a while", "a", 600, true),
        ] {
            assert_eq!(said.is_new(&notice(note), after(seconds)), want, "{why}");
        }
        said.forget(&notice("a"));
        assert!(said.is_new(&notice("a"), after(601)), "what could not be written was not said");
    }

    #[test]
    fn an_event_has_what_an_api_server_asks_for_and_no_more_than_it_takes() {
        let mut long = notice(&"ä".repeat(1000));
        long.resource.name = "n".repeat(253);
        let event = event(&long, &"i".repeat(200), Timestamp::UNIX_EPOCH);
        assert_eq!(event.note.unwrap().len(), 1024);
        assert_eq!(event.metadata.generate_name.unwrap().len(), 241);
        assert_eq!(event.reporting_instance.unwrap().len(), 128);
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        let regarding = event.regarding.unwrap();
        assert_eq!(regarding.name.unwrap().len(), 253, "the object is named in full");
        assert_eq!(regarding.namespace, event.metadata.namespace);
    }

    #[test]
    fn an_event_of_the_cluster_is_kept_in_the_default_namespace() {
        let mut notice = notice("a");
        notice.resource.kind = ResourceKind::ClusterCorsPolicy;
        notice.resource.namespace = None;
        let event = event(&notice, "operator-0", Timestamp::UNIX_EPOCH);
        assert_eq!(event.metadata.namespace.as_deref(), Some("default"));
        assert_eq!(event.regarding.unwrap().namespace, None);
    }

    #[tokio::test]
    async fn whoever_hands_a_notice_in_never_waits() {
        let (notices, mut receiver) = channel();
        for _ in 0..MAX_WAITING + 10 {
            notices.send(notice("a"));
        }
        drop(notices);
        let mut handed_in = 0;
        while receiver.recv().await.is_some() {
            handed_in += 1;
        }
        assert_eq!(handed_in, MAX_WAITING);
    }
}
