//! The publisher of a cluster: the leader keeps the objects that hold bundles in their desired state.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_operator_core::bundle::{BundleKey, Desired};
use corsward_operator_core::capabilities::{Capabilities, Reach, Replicas};
use corsward_operator_core::cluster_state::Key;
use corsward_operator_core::event::Event;
use corsward_operator_core::names::{FIELD_MANAGER, MANAGED_BY};
use corsward_operator_core::publish::output::{Output, REFRESHED_ANNOTATION, is_ours, selector};
use corsward_operator_core::publish::reconciler::{ApplyError, Leftover, ObjectWrite, Reconciler};
use corsward_operator_core::rollout::tracker::PollerCommand;
use futures::future::pending;
use futures::stream::{self, BoxStream, SelectAll, StreamExt as _, select_all};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams,
    Preconditions, ValidationDirective,
};
use kube::runtime::watcher;
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::error_log::{ErrorLog, News};
use crate::kubernetes::{backoff, is_not_served, list_metadata, sentence};
use crate::metrics::{Metrics, Outcome};
use crate::publish::Publisher;
use crate::tasks::sleep_until;
use crate::watches::{self, WatchEvent};

/// Writes that are under way at one time.
const MAX_CONCURRENT: usize = 16;
/// Timeout of one write.
///
/// It is shorter than the rest of a Lease at the renew deadline: no write of a former leader arrives after a new one
/// has begun.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);
/// Interval of lists of leftovers: one may be made after the first list, such as by a restored backup.
const LIST_INTERVAL: Duration = Duration::from_mins(10);

/// The publisher of a cluster, as the executor sees it. Tasks write the objects and poll the proxies, while this replica leads.
#[derive(Debug)]
pub struct ClusterPublisher {
    /// The proxies that its objects reach.
    pub reach: Reach,
    /// The receiver is `run`'s.
    pub desired: watch::Sender<Arc<Desired>>,
    /// The poller of proxies, where their pods are known.
    pub poller: Option<mpsc::UnboundedSender<PollerCommand>>,
}

/// The inputs and outputs of the tasks of a publisher.
#[derive(Clone)]
pub(crate) struct TaskDeps {
    /// The objects that hold bundles.
    pub(crate) objects: Objects,
    /// Does this replica write?
    pub(crate) leading: watch::Receiver<bool>,
    /// The reason why the module cannot be named yet; `None` if it can.
    pub(crate) module_readiness: watch::Receiver<Option<String>>,
    /// The receiver of publish statuses and rollout updates.
    pub(crate) events: mpsc::Sender<Vec<Event>>,
    /// The metrics.
    pub(crate) metrics: Arc<Metrics>,
}

/// Lists of objects of other kinds, as they come.
type LeftoverLists = SelectAll<BoxStream<'static, Vec<Leftover>>>;

/// A step, and its result.
type Applied = (ObjectWrite, Result<Option<DynamicObject>, ApplyError>);

/// The API server, asked about one kind.
#[derive(Clone)]
pub(crate) struct Objects {
    pub(crate) client: Client,
    pub(crate) output: Output,
}

struct ObjectPublisher {
    reconciler: Reconciler,
    desired: watch::Receiver<Arc<Desired>>,
    deps: TaskDeps,
    kind: String,
    /// Whether the existing objects are known.
    listed: bool,
    /// Whether they have been reported.
    introduced: bool,
    error_log: ErrorLog,
}

/// Keeps the objects of a cluster in their desired state until its sender is gone. The initial value of `desired` does not count: nothing is
/// written before the first change. `grace` is for proxies to take what replaces an object before it is deleted.
pub(crate) async fn run(deps: TaskDeps, desired: watch::Receiver<Arc<Desired>>, grace: Duration) {
    let objects = deps.objects.clone();
    let resource = objects.output.resource();
    let everywhere = Api::all_with(objects.client.clone(), &resource);
    let mut watch = watches::of_labels(everywhere, &resource.kind, &selector());
    let mut publisher = ObjectPublisher::new(deps, desired, grace);
    // Writes are tasks, which go on while `tell` waits. The lists of leftovers wait until the next turn of the loop.
    let (mut writes, mut leftover_lists) = (JoinSet::new(), LeftoverLists::new());
    loop {
        // What was known before telling may have passed meanwhile.
        if !publisher.take_inputs() {
            (writes, leftover_lists) = (JoinSet::new(), LeftoverLists::new());
        } else if leftover_lists.is_empty() {
            leftover_lists = objects.leftover_lists(LIST_INTERVAL);
        }
        // One moment for all: what is not due yet is to wake us.
        let now = Instant::now();
        while writes.len() < MAX_CONCURRENT {
            let Some(step) = publisher.reconciler.next(now) else { break };
            writes.spawn(objects.clone().carry_out(step));
        }
        let next_deadline = publisher.reconciler.next_deadline(now);
        tokio::select! {
            changed = publisher.changed() => {
                publisher.take_inputs();
                if changed.is_err() {
                    return;
                }
            }
            Some(event) = watch.next() => publisher.on_event(event),
            Some(done) = writes.join_next() => {
                // It panicked, which has been said: nothing is known of what it wrote.
                let Ok(done) = done else { return };
                publisher.on_applied(done);
            }
            Some(leftovers) = leftover_lists.next() => publisher.on_leftovers(leftovers),
            () = sleep_until(next_deadline) => {}
        }
        if publisher.tell().await.is_err() {
            return;
        }
    }
}

// === impl ObjectPublisher ===

impl ObjectPublisher {
    fn new(deps: TaskDeps, desired: watch::Receiver<Arc<Desired>>, grace: Duration) -> Self {
        let output = &deps.objects.output;
        Self {
            reconciler: Reconciler::new(output.clone(), grace),
            desired,
            kind: output.resource().kind,
            deps,
            listed: false,
            introduced: false,
            error_log: ErrorLog::default(),
        }
    }

    async fn changed(&mut self) -> Result<(), watch::error::RecvError> {
        tokio::select! {
            changed = self.desired.changed() => {
                // Seen only when it is taken in.
                self.desired.mark_changed();
                changed
            }
            Ok(()) = self.deps.leading.changed() => Ok(()),
            Ok(()) = self.deps.module_readiness.changed() => Ok(()),
        }
    }

    /// Takes in the desired state and the right to write; `false` if a different replica may write.
    fn take_inputs(&mut self) -> bool {
        let now = Instant::now();
        let leads = *self.deps.leading.borrow_and_update();
        self.reconciler.lead(leads);
        let module_readiness = self.deps.module_readiness.borrow_and_update().clone();
        self.reconciler.module_readiness(module_readiness, now);
        if !self.desired.has_changed().unwrap_or_default() {
            return leads;
        }
        let desired = Arc::clone(&self.desired.borrow_and_update());
        for key in self.reconciler.want(&desired, now) {
            let bytes = desired.bundles.get(&key).map(|bundle| bundle.compiled.len());
            self.deps.metrics.bundle(&key, bytes);
        }
        leads
    }

    /// Takes in what the API server tells of our objects.
    fn on_event(&mut self, event: watcher::Result<WatchEvent<DynamicObject>>) {
        let now = Instant::now();
        match event {
            Ok(WatchEvent::All(objects)) => {
                let objects = objects.into_iter();
                let objects = objects.filter_map(|object| place(&object).zip(value(object)));
                self.reconciler.reset(objects.collect(), now);
                self.listed = true;
            }
            Ok(WatchEvent::Applied(object)) => {
                if let Some(place) = place(&object) {
                    let version = version(&object);
                    self.reconciler.see(&place, version, value(object).as_ref(), now);
                }
            }
            Ok(WatchEvent::Deleted(object)) => {
                if let Some(place) = place(&object) {
                    self.reconciler.see(&place, version(&object), None, now);
                }
            }
            Err(error) => {
                self.deps.metrics.object_watch_failures.inc();
                // A kind that is not there has no objects: whoever wants one hears why there is none.
                if !self.listed && is_not_served(&error) {
                    self.reconciler.reset(Vec::new(), now);
                    self.listed = true;
                }
            }
        }
    }

    /// Takes in the objects of a kind that the current one replaces.
    fn on_leftovers(&mut self, leftovers: Vec<Leftover>) {
        let kind = leftovers.first().map(|leftover| leftover.resource.kind.clone());
        let left = self.reconciler.add_leftovers(leftovers, Instant::now());
        if left > 0 {
            let written = &self.kind;
            info!(
                kind,
                left,
                written,
                "leftover objects are deleted once their replacements have been there for the grace period"
            );
        }
    }

    /// Takes in what came of a write.
    fn on_applied(&mut self, (step, result): Applied) {
        let (now, kind, place) = (Instant::now(), &self.kind, step.place().clone());
        let object = format!("{}/{}", place.namespace, place.name);
        let outcome = match (&step, &result) {
            (_, Err(_)) => Outcome::Failed,
            (ObjectWrite::Delete { .. } | ObjectWrite::DeleteLeftover(_), Ok(_)) => {
                Outcome::Removed
            }
            (ObjectWrite::Apply { repair: true, .. }, Ok(_)) => Outcome::Repaired,
            (ObjectWrite::Apply { .. }, Ok(_)) => Outcome::Written,
        };
        self.deps.metrics.published("object", outcome);
        match (step, result) {
            (ObjectWrite::DeleteLeftover(leftover), Ok(_)) => {
                let kind = &leftover.resource.kind;
                info!(kind, object, "removed: an object of the current kind has replaced it");
            }
            (ObjectWrite::DeleteLeftover(leftover), Err(error)) => {
                let (ApplyError::Here(error)
                | ApplyError::Taken(error)
                | ApplyError::Everywhere(error)) = error;
                let kind = &leftover.resource.kind;
                if let Some(News::Failed(error)) = self.error_log.news(Some(error)) {
                    warn!(kind, object, error, "cannot delete a leftover object; tried again");
                }
                self.reconciler.leftover_failed(leftover, now);
            }
            (_, Ok(written)) => {
                match outcome {
                    Outcome::Removed => info!(kind, object, "removed"),
                    Outcome::Repaired => warn!(kind, object, "repaired after a foreign change"),
                    _ => info!(kind, object, "published"),
                }
                let version = written.as_ref().and_then(version);
                let object = written.and_then(value);
                self.reconciler.wrote(&place, version, object.as_ref(), now);
            }
            (_, Err(error)) => self.reconciler.failed(&place, error, now),
        }
    }

    /// Reports what is new. What there is comes first, and all at once, even where that is nothing.
    async fn tell(&mut self) -> Result<(), mpsc::error::SendError<Vec<Event>>> {
        if !self.listed {
            return Ok(());
        }
        let publish_statuses = self.reconciler.drain_updates();
        if std::mem::replace(&mut self.introduced, true) {
            if publish_statuses.is_empty() {
                return Ok(());
            }
            for publish_status in &publish_statuses {
                if let Some(error) = &publish_status.error {
                    warn!(bundle = %publish_status.key, error, "cannot publish; tried again");
                }
            }
        }
        self.deps.events.send(vec![Event::Published(publish_statuses)]).await
    }
}

// === impl ClusterPublisher ===

impl Publisher for ClusterPublisher {
    fn capabilities(&self) -> Capabilities {
        let reach = self.reach;
        Capabilities { reach, answers_at_once: false, replicas: Replicas::Leader }
    }

    fn publish(&mut self, desired: Arc<Desired>) -> Vec<Event> {
        self.desired.send_replace(desired);
        Vec::new()
    }

    fn expect(&mut self, command: PollerCommand) -> Vec<Event> {
        if let Some(poller) = &self.poller {
            // The poller has ended, and so does the process.
            let _ = poller.send(command);
        }
        Vec::new()
    }
}

// === impl Objects ===

impl Objects {
    /// Refreshes the object of a bundle with a new annotation: Istio's agents then fetch the module again, which they never retry by
    /// themselves. `said` must differ from the previous value.
    pub(crate) async fn refresh(&self, key: &BundleKey, said: &str) -> kube::Result<()> {
        let Some(namespace) = key.namespace() else { return Ok(()) };
        let resource = self.output.resource();
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource);
        let annotation = json!({"metadata": {"annotations": {REFRESHED_ANNOTATION: said}}});
        // Not applied: that would make an object where there is none, and publishing would take the annotation away again.
        // A merge patch: only the field manager is set.
        let params = PatchParams::apply(FIELD_MANAGER);
        api.patch(&key.object_name(), &params, &Patch::Merge(annotation)).await.map(drop)
    }

    /// Lists the objects of each other kind: of those that the current kind replaces after each `interval`, of the others once, for a report.
    /// A list that fails holds no other back.
    fn leftover_lists(&self, interval: Duration) -> LeftoverLists {
        let lists = self.output.others().map(|(resource, is_replaced)| {
            let first = (self.clone(), resource, Duration::ZERO);
            let list = move |(objects, resource, wait): (Self, ApiResource, Duration)| async move {
                sleep(wait).await;
                let leftovers = objects.leftovers(&resource).await;
                if is_replaced {
                    return Some((leftovers, (objects, resource, interval)));
                }
                objects.report_leftovers(&resource, leftovers.len());
                pending().await
            };
            stream::unfold(first, list).boxed()
        });
        select_all(lists)
    }

    /// The operator's objects of a different kind; none where it is not served.
    async fn leftovers(&self, resource: &ApiResource) -> Vec<Leftover> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), resource);
        let (mut backoff, mut error_log) = (backoff(), ErrorLog::default());
        let list = loop {
            match list_metadata(&api, &selector()).await {
                Ok(list) => break list,
                Err(error) => {
                    let kind = &resource.kind;
                    if let Some(News::Failed(error)) = error_log.news(Some(sentence(&error))) {
                        warn!(kind, error, "cannot list leftover objects; tried again");
                    }
                    sleep(backoff.next().unwrap_or_default()).await;
                }
            }
        };
        let leftover = |metadata: ObjectMeta| {
            let place = Key { namespace: metadata.namespace?, name: metadata.name? };
            Some(Leftover { resource: resource.clone(), place, uid: metadata.uid? })
        };
        list.into_iter().filter_map(leftover).collect()
    }

    fn report_leftovers(&self, resource: &ApiResource, left: usize) {
        let ApiResource { kind, plural, .. } = resource;
        let (written, (label, us)) = (self.output.resource().kind, MANAGED_BY);
        if left > 0 {
            let then = format!("kubectl delete {plural} --all-namespaces -l {label}={us}");
            warn!(
                kind,
                left,
                written,
                then,
                "leftover objects still configure proxies as before: delete them once the objects of the current kind are there"
            );
        }
    }

    async fn carry_out(self, step: ObjectWrite) -> Applied {
        let attempt = tokio::time::timeout(REQUEST_TIMEOUT, self.attempt(&step)).await;
        let result = match attempt {
            Ok(result) => result,
            Err(_) => Err(ApplyError::Everywhere(format!(
                "the API server has not answered within {} s; tried again",
                REQUEST_TIMEOUT.as_secs()
            ))),
        };
        (step, result)
    }

    async fn attempt(&self, step: &ObjectWrite) -> Result<Option<DynamicObject>, ApplyError> {
        let namespace = &step.place().namespace;
        let resource = match step {
            ObjectWrite::DeleteLeftover(leftover) => leftover.resource.clone(),
            ObjectWrite::Apply { .. } | ObjectWrite::Delete { .. } => self.output.resource(),
        };
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource);
        let result = match step {
            ObjectWrite::Apply { place, object, new, .. } => {
                let params = PatchParams {
                    // Where nothing was, somebody may have come in between.
                    force: !new || self.is_ours_unseen(&api, place).await?,
                    // A field that the definition does not know is a refusal, and not an object without it.
                    field_validation: Some(ValidationDirective::Strict),
                    ..PatchParams::apply(FIELD_MANAGER)
                };
                api.patch(&place.name, &params, &Patch::Apply(object)).await.map(Some)
            }
            ObjectWrite::Delete { place, uid }
            | ObjectWrite::DeleteLeftover(Leftover { place, uid, .. }) => {
                let uid = Some(uid.clone()).filter(|uid| !uid.is_empty());
                let params = DeleteParams {
                    preconditions: uid
                        .map(|uid| Preconditions { uid: Some(uid), ..Preconditions::default() }),
                    ..DeleteParams::default()
                };
                match api.delete(&place.name, &params).await {
                    Ok(_) => Ok(None),
                    // It is gone already, or another has its name by now.
                    Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
                    Err(error) => Err(error),
                }
            }
        };
        result.map_err(|error| self.error(&error))
    }

    /// Is there an object of the operator that the watch does not show, because its labels were removed? `false` if
    /// there is none.
    async fn is_ours_unseen(
        &self,
        api: &Api<DynamicObject>,
        place: &Key,
    ) -> Result<bool, ApplyError> {
        let Key { namespace, name } = place;
        // To `get` it would be a right that nothing else needs.
        let named = ListParams::default().fields(&format!("metadata.name={name}"));
        let list = api.list_metadata(&named).await.map_err(|error| self.error(&error))?;
        match list.items.first() {
            None => Ok(false),
            Some(there) if is_ours(&there.metadata) => Ok(true),
            Some(_) => {
                let (kind, (label, us)) = (self.output.resource().kind, MANAGED_BY);
                Err(ApplyError::Taken(format!(
                    "the {kind} `{namespace}/{name}` is a foreign object with a name that the operator needs: delete it, or label it `{label}={us}` to have it overwritten"
                )))
            }
        }
    }

    /// Is it this object the API server will not have, or does it not do what it is asked at all?
    fn error(&self, error: &kube::Error) -> ApplyError {
        let status = match error {
            kube::Error::Api(status) => status,
            error => {
                return ApplyError::Everywhere(format!(
                    "the API server cannot be reached: {error}"
                ));
            }
        };
        let message = &status.message;
        let of_namespace = || status.details.as_ref().is_some_and(|of| of.kind == "namespaces");
        match status.code {
            429 | 503 | 504 => {
                ApplyError::Everywhere(format!("the API server cannot write now: {message}"))
            }
            // A webhook of somebody else's in one namespace, or an object that is too large, is no reason to stop elsewhere.
            500.. => ApplyError::Here(format!("the API server cannot write the object: {message}")),
            404 if !of_namespace() => {
                let ApiResource { kind, api_version, .. } = self.output.resource();
                ApplyError::Here(format!(
                    "the API server does not serve `{kind}` of `{api_version}`: install Istio, or choose other objects by --publish or --istio-kind"
                ))
            }
            _ => ApplyError::Here(format!("the API server refuses the object: {message}")),
        }
    }
}

fn place(object: &DynamicObject) -> Option<Key> {
    Some(Key { namespace: object.namespace()?, name: object.name_any() })
}

fn version(object: &DynamicObject) -> Option<u64> {
    object.metadata.resource_version.as_ref()?.parse().ok()
}

/// The compared part of an object: its managed fields are long, and not used.
fn value(mut object: DynamicObject) -> Option<Value> {
    object.metadata.managed_fields = None;
    serde_json::to_value(object).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::Router;
    use axum::extract::State;
    use axum::http::{StatusCode, Uri};
    use axum::response::{IntoResponse as _, Response};

    use super::*;

    /// An API server that fails at first, and then has an object of each kind but `EnvoyFilter`, at which it always fails.
    async fn answer(State(failed): State<Arc<AtomicBool>>, uri: Uri) -> Response {
        let fails = uri.path().ends_with("/envoyfilters") || !failed.swap(true, Ordering::SeqCst);
        if fails {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        let item = json!({"metadata": {"name": "corsward", "namespace": "shop", "uid": "u"}});
        axum::Json(json!({
            "apiVersion": "meta.k8s.io/v1",
            "kind": "PartialObjectMetadataList",
            "metadata": {"resourceVersion": "1"},
            "items": [item],
        }))
        .into_response()
    }

    async fn objects() -> Objects {
        let router = Router::new().fallback(answer).with_state(Arc::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let output = corsward_operator_core::publish::testing::wasm_plugins();
        Objects { client, output }
    }

    #[tokio::test]
    async fn a_list_of_former_objects_that_fails_is_tried_again_and_holds_no_other_kind_back() {
        let mut lists = objects().await.leftover_lists(Duration::ZERO);
        for _ in 0..2 {
            let leftovers = lists.next().await.unwrap();
            let [Leftover { resource, place, uid }] = &leftovers[..] else {
                panic!("{leftovers:?}")
            };
            assert_eq!((resource.kind.as_str(), uid.as_str()), ("TrafficExtension", "u"));
            assert_eq!((place.namespace.as_str(), place.name.as_str()), ("shop", "corsward"));
        }
    }
}
