//! The status writer: writes what the loop says, the latest of each object, while this replica leads. It reports nothing: the watch shows
//! what is there.

mod queue;

use std::sync::Arc;
use std::time::Duration;

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
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{debug, error, info, warn};

use self::queue::Queue;
use crate::error_log::ErrorLog;
use crate::kubernetes;
use crate::metrics::{Metrics, Outcome};
use crate::source::kube::Raw;

/// Most writes at the same time.
const MAX_WRITING: usize = 8;
/// Timeout of one attempt.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

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
    let mut again = interval(again);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        state.begin();
        let pause = state.paused_until;
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
            () = sleep_until(pause.unwrap_or_else(Instant::now)), if pause.is_some() => {
                state.paused_until = None;
            }
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
        while self.paused_until.is_none() && self.queue.writing() < MAX_WRITING {
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
                self.metrics.status_write(Outcome::Written);
                debug!(%resource, "wrote a status");
                self.backoff.reset();
                if self.error_log.over() {
                    info!("wrote a status again");
                }
                self.queue.done(&resource);
            }
            Attempt::Gone(sentence) => {
                self.leave_out(&resource, &sentence);
                self.queue.done(&resource);
            }
            Attempt::Refused(sentence) => {
                self.metrics.status_write(Outcome::Failed);
                if self.error_log.on(&sentence, std::time::Instant::now()) {
                    error!(
                        %resource,
                        error = sentence,
                        "the API server refuses a status: apply the definitions of this release with `kubectl apply --server-side -f crds/`, or through the chart"
                    );
                }
                self.queue.refused(resource, status);
            }
            Attempt::Failed(sentence) => {
                self.metrics.status_write(Outcome::Failed);
                if self.error_log.on(&sentence, std::time::Instant::now()) {
                    warn!(%resource, error = sentence, "cannot write a status; tried again");
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
        self.metrics.status_write(Outcome::Dropped);
        debug!(%resource, why, "dropped a status");
    }

    /// Drops all statuses, because a different replica writes now.
    fn drop_all(&mut self) {
        self.writing = JoinSet::new();
        self.paused_until = None;
        for _ in 0..self.queue.clear() {
            self.metrics.status_write(Outcome::Dropped);
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
    // Not a server-side apply: of a status it cannot be said which object it is meant for, the API server ignores a uid there. And what the
    // operator says of an object is said of no other one that has its name now.
    let patch = json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "add", "path": "/status", "value": status.value()},
    ]);
    let patch: Patch<()> = match serde_json::from_value(patch) {
        Ok(patch) => Patch::Json(patch),
        Err(error) => return Attempt::Refused(error.to_string()),
    };
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match timeout(REQUEST_TIMEOUT, api.patch_status(name, &params, &patch)).await {
        Ok(Ok(_)) => Attempt::Written,
        Ok(Err(error)) => Attempt::of(&error),
        Err(_) => Attempt::Failed(format!("no answer within {REQUEST_TIMEOUT:?}")),
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
            assert_eq!(metrics.status_writes(Outcome::Dropped), 0);
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
