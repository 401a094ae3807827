//! The status writer: writes what the loop says, the latest of each object, while this replica leads. It reports nothing: the watch shows
//! what is there.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_operator_core::command::StatusWrite;
use corsward_operator_core::json_text::JsonText;
use corsward_operator_core::names::FIELD_MANAGER;
use corsward_operator_core::resource_ref::ResourceRef;
use kube::api::{Patch, PatchParams};
use kube::runtime::utils::Backoff as _;
use kube::runtime::watcher::ExponentialBackoff;
use kube::{Api, Client};
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, error, info, warn};

use crate::error_log::{ErrorLog, News};
use crate::kubernetes;
use crate::metrics::{Metrics, Outcome};
use crate::source::kube::Raw;
use crate::tasks::{sleep_until, ticks};

/// Most writes at the same time.
const MAX_WRITING: usize = 8;
/// Timeout of one attempt.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Statuses that wait, and the objects whose status is being written.
#[derive(Debug, Default)]
struct Queue {
    latest: HashMap<ResourceRef, JsonText>,
    // INVARIANT: the keys of `latest`, in the order in which they are written.
    order: VecDeque<ResourceRef>,
    writing: HashSet<ResourceRef>,
    /// The rejected statuses without a newer one.
    refused: HashMap<ResourceRef, JsonText>,
}

/// The result of an attempt.
#[derive(Debug)]
enum Attempt {
    Written,
    /// The object is gone, or a new one has its name.
    Gone(String),
    /// The API server rejects this status until the definitions are upgraded.
    Refused(String),
    /// It may be taken later.
    Failed(String),
}

/// A status that is being written.
type PendingWrite = (ResourceRef, JsonText, Attempt);

/// Everything that changes while statuses are written.
struct Writer {
    client: Client,
    metrics: Arc<Metrics>,
    queue: Queue,
    writing: JoinSet<PendingWrite>,
    error_log: ErrorLog,
    backoff: ExponentialBackoff,
    /// Nothing is sent before: the API server had trouble.
    paused_until: Option<Instant>,
}

/// Writes statuses until every sender is gone. While `leading` is false, it drops them: the leader writes its own. It retries
/// refused statuses every `again`.
pub async fn write(
    client: Client,
    mut leading: watch::Receiver<bool>,
    mut writes: mpsc::UnboundedReceiver<StatusWrite>,
    metrics: Arc<Metrics>,
    again: Duration,
) {
    let mut state = Writer::new(client, metrics);
    let mut again = ticks(again);
    loop {
        state.begin();
        tokio::select! {
            // Who leads is known before what it sends is looked at.
            biased;
            changed = leading.changed() => {
                let leads = changed.is_ok() && *leading.borrow_and_update();
                if !leads {
                    state.drop_all();
                }
                if changed.is_err() {
                    return;
                }
            }
            Some(ended) = state.writing.join_next() => {
                if let Ok(write) = ended {
                    state.on(write);
                }
            }
            () = sleep_until(state.paused_until) => state.paused_until = None,
            _ = again.tick() => state.queue.send_refused(),
            write = writes.recv() => match write {
                // The value, and not what was heard of it: of a change the loop may hear sooner, and what it then sends is here already.
                Some(write) if *leading.borrow() => state.queue.push(write.resource, write.status),
                Some(write) => state.leave_out(&write.resource, "this replica does not write"),
                None => return,
            },
        }
    }
}

// === impl Writer ===

impl Writer {
    fn new(client: Client, metrics: Arc<Metrics>) -> Self {
        let (queue, writing) = (Queue::default(), JoinSet::new());
        let (error_log, backoff) = (ErrorLog::default(), kubernetes::backoff());
        Self { client, metrics, queue, writing, error_log, backoff, paused_until: None }
    }

    /// Begins to write as many as may be written at the same time.
    fn begin(&mut self) {
        while self.paused_until.is_none() && self.queue.writing.len() < MAX_WRITING {
            let Some((resource, status)) = self.queue.next() else { return };
            let client = self.client.clone();
            self.writing.spawn(async move {
                let attempt = attempt(client, &resource, &status).await;
                (resource, status, attempt)
            });
        }
    }

    fn on(&mut self, (resource, status, attempt): PendingWrite) {
        match attempt {
            Attempt::Written => {
                Outcome::Written.count(&self.metrics.status_writes);
                debug!(%resource, "wrote a status");
                self.backoff.reset();
                if self.error_log.news(None).is_some() {
                    info!("wrote a status again");
                }
                self.queue.done(&resource);
            }
            Attempt::Gone(sentence) => {
                self.leave_out(&resource, &sentence);
                self.queue.done(&resource);
            }
            Attempt::Refused(sentence) => {
                Outcome::Failed.count(&self.metrics.status_writes);
                if let Some(News::Failed(error)) = self.error_log.news(Some(sentence)) {
                    error!(
                        %resource,
                        error,
                        "the API server refuses a status: apply the definitions of this release with `kubectl apply --server-side -f crds/`, or through the chart"
                    );
                }
                self.queue.refused(resource, status);
            }
            Attempt::Failed(sentence) => {
                Outcome::Failed.count(&self.metrics.status_writes);
                if let Some(News::Failed(error)) = self.error_log.news(Some(sentence)) {
                    warn!(%resource, error, "cannot write a status; tried again");
                }
                self.queue.again(resource, status);
                // Whatever keeps one status from being written most likely keeps all.
                if self.paused_until.is_none() {
                    let pause = self.backoff.next().unwrap_or_default();
                    self.paused_until = Instant::now().checked_add(pause);
                }
            }
        }
    }

    /// Leaves a status unwritten.
    fn leave_out(&self, resource: &ResourceRef, why: &str) {
        Outcome::Dropped.count(&self.metrics.status_writes);
        debug!(%resource, why, "dropped a status");
    }

    /// Drops all statuses, because a different replica writes now.
    fn drop_all(&mut self) {
        self.writing = JoinSet::new();
        self.paused_until = None;
        for _ in 0..self.queue.clear() {
            Outcome::Dropped.count(&self.metrics.status_writes);
        }
    }
}

async fn attempt(client: Client, resource: &ResourceRef, status: &JsonText) -> Attempt {
    let ResourceRef { kind, namespace, name, uid } = resource;
    let api_resource = kind.resource();
    let api: Api<Raw<IgnoredAny>> = match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &api_resource),
        None => Api::all_with(client, &api_resource),
    };
    // A server-side apply of a status cannot name the object that is meant: the API server ignores a uid there. A JSON patch tests it, so
    // that a status is written to no other object of that name.
    let patch = json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "add", "path": "/status", "value": status.value()},
    ]);
    let patch: Patch<()> = match serde_json::from_value(patch) {
        Ok(patch) => Patch::Json(patch),
        Err(error) => return Attempt::Refused(error.to_string()),
    };
    // Of the parameters, only the field manager is set.
    let params = PatchParams::apply(FIELD_MANAGER);
    match kubernetes::within(REQUEST_TIMEOUT, api.patch_status(name, &params, &patch)).await {
        Ok(_) => Attempt::Written,
        Err(error) => Attempt::of(&error),
    }
}

// === impl Queue ===

impl Queue {
    /// A status is to be written; one that waits for the same object is not any more.
    fn push(&mut self, resource: ResourceRef, status: JsonText) {
        self.refused.remove(&resource);
        if self.latest.insert(resource.clone(), status).is_none() {
            self.order.push_back(resource);
        }
    }

    /// The next status to write. Two of one object are not written at the same time: the older one might come second.
    fn next(&mut self) -> Option<(ResourceRef, JsonText)> {
        let at = self.order.iter().position(|resource| !self.writing.contains(resource))?;
        let resource = self.order.remove(at)?;
        let status = self.latest.remove(&resource)?;
        self.writing.insert(resource.clone());
        Some((resource, status))
    }

    /// A status is not being written any more.
    fn done(&mut self, resource: &ResourceRef) {
        self.writing.remove(resource);
    }

    /// A status could not be written: it is again, unless there is a newer one.
    fn again(&mut self, resource: ResourceRef, status: JsonText) {
        self.done(&resource);
        if !self.latest.contains_key(&resource) {
            self.push(resource, status);
        }
    }

    /// Notes a rejected status: it waits until [all of them](Self::send_refused) are sent again, unless there is a newer one.
    fn refused(&mut self, resource: ResourceRef, status: JsonText) {
        self.done(&resource);
        if !self.latest.contains_key(&resource) {
            self.refused.insert(resource, status);
        }
    }

    /// Sends the rejected statuses again.
    fn send_refused(&mut self) {
        for (resource, status) in std::mem::take(&mut self.refused) {
            self.push(resource, status);
        }
    }

    /// Forgets everything; says how much it was.
    fn clear(&mut self) -> usize {
        let Self { latest, order: _, writing, refused: _ } = std::mem::take(self);
        latest.len().saturating_add(writing.len())
    }
}

// === impl Attempt ===

impl Attempt {
    fn of(error: &kube::Error) -> Self {
        let sentence = kubernetes::sentence(error);
        match error {
            kube::Error::Api(status) => match status.code {
                404 => Self::Gone(sentence),
                // A test of the patch failed: the API server does not say which, and there is one. Of what does not fit the definition it
                // says the causes.
                422 if status.details.as_ref().is_none_or(|details| details.causes.is_empty()) => {
                    Self::Gone(sentence)
                }
                400 | 413 | 415 | 422 => Self::Refused(sentence),
                // etcd's own limit, 1.5 MiB for an object, comes back as an internal error.
                500 if status.message.contains("request is too large") => Self::Refused(sentence),
                _ => Self::Failed(sentence),
            },
            _ => Self::Failed(sentence),
        }
    }
}

#[cfg(test)]
mod tests {
    use corsward_operator_core::resource_ref::ResourceKind;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Wake, Waker};

    use super::*;

    #[test]
    fn what_an_answer_means_for_a_status() {
        let causes = [json!({"field": "status.proxies", "message": "Invalid value"})];
        for (why, code, message, causes, want) in [
            ("the object is gone", 404, "not found", &[][..], "Gone"),
            ("another object has its name", 422, "the server rejected our request", &[], "Gone"),
            ("it does not fit", 422, "status.proxies: Invalid value", &causes, "Refused"),
            ("it is too long", 500, "etcdserver: request is too large", &[], "Refused"),
            ("it changed in between", 409, "the object has been modified", &[], "Failed"),
            ("may not", 403, "forbidden", &[], "Failed"),
            ("too many requests", 429, "slow down", &[], "Failed"),
            ("not ready", 503, "etcd", &[], "Failed"),
        ] {
            let status = json!({
                "status": "Failure", "code": code, "message": message, "details": {"causes": causes},
            });
            let error = kube::Error::Api(serde_json::from_value(status).unwrap());
            let attempt = format!("{:?}", Attempt::of(&error));
            assert!(attempt.starts_with(want), "{why}: {attempt}");
        }
    }

    fn resource(name: &str) -> ResourceRef {
        ResourceRef {
            kind: ResourceKind::CorsPolicy,
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
            uid: "u".to_owned(),
        }
    }

    fn status(number: i32) -> JsonText {
        JsonText::of(&json!(number))
    }

    #[test]
    fn of_each_object_the_latest_status_is_written_in_the_order_of_the_first() {
        let mut queue = Queue::default();
        for (name, number) in [("a", 1), ("b", 2), ("a", 3)] {
            queue.push(resource(name), status(number));
        }
        assert_eq!(queue.next(), Some((resource("a"), status(3))));
        assert_eq!(queue.next(), Some((resource("b"), status(2))));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn a_status_waits_while_an_older_one_of_its_object_is_written() {
        let mut queue = Queue::default();
        queue.push(resource("a"), status(1));
        queue.next();
        queue.push(resource("a"), status(2));
        queue.push(resource("b"), status(3));
        assert_eq!(queue.next(), Some((resource("b"), status(3))), "others need not wait");
        assert_eq!(queue.next(), None);
        queue.done(&resource("a"));
        assert_eq!(queue.next(), Some((resource("a"), status(2))));
    }

    #[test]
    fn what_failed_is_written_again_unless_there_is_a_newer_one() {
        let mut queue = Queue::default();
        queue.push(resource("a"), status(1));
        let (failed, old) = queue.next().unwrap();
        queue.again(failed, old);
        let (failed, old) = queue.next().unwrap();
        assert_eq!(old, status(1));
        queue.push(resource("a"), status(2));
        queue.again(failed, old);
        assert_eq!(queue.next(), Some((resource("a"), status(2))));
    }

    #[test]
    fn what_was_refused_is_written_when_it_is_sent_again_unless_there_is_a_newer_one() {
        let mut queue = Queue::default();
        for name in ["a", "c", "b"] {
            queue.push(resource(name), status(1));
            let (refused, old) = queue.next().unwrap();
            if name == "b" {
                queue.push(resource(name), status(2));
            }
            queue.refused(refused, old);
        }
        assert_eq!(queue.next(), Some((resource("b"), status(2))), "the others wait");
        assert_eq!(queue.next(), None);
        queue.done(&resource("b"));
        queue.push(resource("c"), status(2));
        queue.send_refused();
        let mut sent: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        sent.sort_by_key(|(resource, _)| resource.name.clone());
        assert_eq!(sent, [(resource("a"), status(1)), (resource("c"), status(2))]);
    }

    #[test]
    fn what_is_forgotten_is_counted() {
        let mut queue = Queue::default();
        for name in ["a", "b", "c"] {
            queue.push(resource(name), status(1));
        }
        queue.next();
        assert_eq!(queue.clear(), 3);
        assert_eq!((queue.next(), queue.writing.len()), (None, 0));
    }

    /// Does something when it is woken.
    struct OnWake(Mutex<Option<Box<dyn FnOnce() + Send>>>);

    impl Wake for OnWake {
        fn wake(self: Arc<Self>) {
            let act = self.0.lock().unwrap().take();
            if let Some(act) = act {
                act();
            }
        }
    }

    #[test]
    fn what_a_new_leader_sends_is_written_though_the_writer_hears_last_that_it_leads() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _runtime = runtime.enter();
        let nobody = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let client = Client::try_from(nobody).unwrap();
        let mut noop = Context::from_waker(Waker::noop());
        // In which order those who wait are woken is left to chance.
        for _ in 0..64 {
            let (lead, leading) = watch::channel(false);
            let (sender, writes) = mpsc::unbounded_channel();
            let metrics = Arc::<Metrics>::default();
            let again = Duration::from_mins(5);
            let counting = Arc::clone(&metrics);
            let writing = write(client.clone(), leading.clone(), writes, counting, again);
            let mut writing = Box::pin(writing);
            assert!(writing.as_mut().poll(&mut noop).is_pending());
            let resource = ResourceRef {
                kind: ResourceKind::CorsPolicy,
                namespace: Some("shop".to_owned()),
                name: "api".to_owned(),
                uid: "u".to_owned(),
            };
            // The loop, which hears of it and sends, and then the writer looks, all while others are still being woken.
            let the_loop = move || {
                let status = JsonText::default();
                sender.send(StatusWrite { resource, status }).unwrap();
                let _ = writing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            };
            let waker = Arc::new(OnWake(Mutex::new(Some(Box::new(the_loop))))).into();
            let mut heard = leading.clone();
            let mut changed = std::pin::pin!(heard.changed());
            assert!(changed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            lead.send_replace(true);
            assert!(!metrics.encode().contains("result=\"dropped\""));
        }
    }

    #[test]
    fn an_object_is_named_by_kind_namespace_and_name() {
        let resource = |kind, namespace: Option<&str>| ResourceRef {
            kind,
            namespace: namespace.map(str::to_owned),
            name: "api".to_owned(),
            uid: "u".to_owned(),
        };
        let policy = resource(ResourceKind::CorsPolicy, Some("shop"));
        assert_eq!(policy.to_string(), "CorsPolicy shop/api");
        let guardrail = resource(ResourceKind::ClusterCorsPolicy, None);
        assert_eq!(guardrail.to_string(), "ClusterCorsPolicy api");
    }
}
