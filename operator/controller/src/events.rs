//! Events for users (events.k8s.io): important changes, beside the object that they are about.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use corsward_operator_core::command::ObjectEvent;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::mpsc;
use tracing::warn;

use crate::error_log::{ErrorLog, News};
use crate::kubernetes::{found, sentence, within};

/// The reporting controller.
const CONTROLLER: &str = "corsward.io/operator";
/// The namespace of events about objects without a namespace (Kubernetes, validation of events).
const CLUSTER_NAMESPACE: &str = "default";
/// The same is not said again for so long.
const REPEAT: Duration = Duration::from_mins(10);
/// Timeout of a write.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Most Events that may wait for [`record`]; more are lost, for what they say is in the status too.
pub const MAX_WAITING: usize = 1024;
/// Longest note, in bytes (Kubernetes, validation of events).
const MAX_NOTE_LEN: usize = 1024;
/// Longest name of a reporting instance, a reason or an action, in bytes (the same).
const MAX_WORD_LEN: usize = 128;
/// Longest beginning of an event's name: with five characters of the API server's it is a name.
const MAX_PREFIX_LEN: usize = 240;

/// The Events that were written lately.
#[derive(Debug, Default)]
struct RecentEvents(HashMap<ObjectEvent, Instant>);

/// Writes Events until every sender is gone. `instance` is this pod's name. A failed write is lost.
///
/// kube's own recorder is not used: within six minutes it takes a second note of the same reason for a repetition of the first, and loses it.
pub async fn record(
    client: Client,
    instance: String,
    mut object_events: mpsc::Receiver<ObjectEvent>,
) {
    let (mut recent, mut error_log) = (RecentEvents::default(), ErrorLog::default());
    while let Some(object_event) = object_events.recv().await {
        let now = Instant::now();
        if recent.has(&object_event, now) {
            continue;
        }
        let event = event(&object_event, &instance, Timestamp::now());
        let namespace = object_event.resource.namespace.as_deref().unwrap_or(CLUSTER_NAMESPACE);
        let api: Api<Event> = Api::namespaced(client.clone(), namespace);
        let params = PostParams::default();
        // A namespace that is going takes the object with it.
        let written = found(within(REQUEST_TIMEOUT, api.create(&params, &event)).await);
        if let Some(News::Failed(error)) = error_log.news(written.as_ref().err().map(sentence)) {
            warn!(resource = %object_event.resource, error, "cannot write an Event");
        }
        if written.is_ok() {
            recent.0.insert(object_event, now);
        }
    }
}

// === impl RecentEvents ===

impl RecentEvents {
    fn has(&mut self, object_event: &ObjectEvent, now: Instant) -> bool {
        self.0.retain(|_, written| now.saturating_duration_since(*written) < REPEAT);
        self.0.contains_key(object_event)
    }
}

fn event(object_event: &ObjectEvent, instance: &str, now: Timestamp) -> Event {
    let ObjectEvent { resource, warning, reason, action, note } = object_event;
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
    use corsward_operator_core::resource_ref::{ResourceKind, ResourceRef};

    fn object_event(note: &str) -> ObjectEvent {
        ObjectEvent {
            resource: ResourceRef {
                kind: ResourceKind::CorsPolicy,
                namespace: Some("shop".to_owned()),
                name: "api".to_owned(),
                uid: "u".to_owned(),
            },
            warning: true,
            reason: "Invalid".to_owned(),
            action: "Validate".to_owned(),
            note: note.to_owned(),
        }
    }

    #[test]
    fn the_same_is_said_again_after_a_while_and_anything_else_at_once() {
        let (mut recent, start) = (RecentEvents::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        for (why, note, seconds, want) in [
            ("the first", "a", 0, false),
            ("the same", "a", 1, true),
            ("another note of the same reason", "b", 2, false),
            ("back to the first", "a", 3, true),
            ("after a while", "a", 603, false),
        ] {
            let event = object_event(note);
            assert_eq!(recent.has(&event, after(seconds)), want, "{why}");
            recent.0.insert(event, after(seconds));
        }
    }

    #[test]
    fn an_event_has_what_an_api_server_asks_for_and_no_more_than_it_takes() {
        let mut long = object_event(&"ä".repeat(1000));
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
        let mut object_event = object_event("a");
        object_event.resource.kind = ResourceKind::ClusterCorsPolicy;
        object_event.resource.namespace = None;
        let event = event(&object_event, "operator-0", Timestamp::UNIX_EPOCH);
        assert_eq!(event.metadata.namespace.as_deref(), Some("default"));
        assert_eq!(event.regarding.unwrap().namespace, None);
    }
}
