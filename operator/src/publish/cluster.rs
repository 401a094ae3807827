//! A cluster: the objects that hold attachments are made what they should be, and kept so, by whoever leads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions,
    ValidationDirective,
};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::attachment::{AttachmentKey, Desired};
use crate::metrics::publishing::{Publishing, Write};
use crate::outage::Outage;
use crate::publish::ledger::{Ledger, Step};
use crate::publish::output::{
    FIELD_MANAGER, MANAGED_BY, Output, TOUCHED_ANNOTATION, is_ours, selector,
};
use crate::publish::trouble::Trouble;
use crate::source::Event;
use crate::source::kube::WATCH_SECONDS;
use crate::surroundings::Key;

/// Writes that are under way at one time.
const AT_ONCE: usize = 16;
/// How long one write may take.
///
/// Less than what is left of a Lease when its holder gives up: nothing that it began arrives after another replica has begun.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is written, and how patiently.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which objects hold attachments.
    pub output: Output,
    /// For how long proxies take what replaces an object before it is deleted.
    pub grace: Duration,
}

/// What a publisher hears, and whom it tells.
#[derive(Debug)]
pub struct Wires {
    /// What should be published. What is in it at the start does not count: nothing is written before the first change.
    pub desired: watch::Receiver<Arc<Desired>>,
    /// Does this replica write?
    pub leading: watch::Receiver<bool>,
    /// Why the module cannot be named yet; nothing where it can.
    pub gate: watch::Receiver<Option<String>>,
    /// Whoever wants to know what is published.
    pub events: mpsc::Sender<Vec<Event>>,
    /// What is counted.
    pub metrics: Publishing,
}

/// What came of a step.
struct Done {
    step: Step,
    result: Result<Option<DynamicObject>, Trouble>,
}

/// Nobody wants anything any more.
struct Ended;

/// The API server, asked about one kind.
#[derive(Clone)]
struct Objects {
    client: Client,
    output: Output,
}

struct Publisher {
    ledger: Ledger,
    wires: Wires,
    kind: String,
    /// What a list has named so far.
    listing: Vec<(Key, Value)>,
    /// What there is has been told of.
    introduced: bool,
    outage: Outage,
}

/// Keeps the objects of a cluster as they should be until nobody wants anything of them any more.
pub async fn run(client: Client, options: Options, wires: Wires) {
    let Options { output, grace } = options;
    let objects = Objects { client, output: output.clone() };
    let config = watcher::Config::default().labels(&selector()).timeout(WATCH_SECONDS);
    let mut watch = watcher(objects.everywhere(), config).default_backoff().boxed();
    let kind = output.resource().kind;
    let (ledger, listing, introduced) = (Ledger::new(output, grace), Vec::new(), false);
    let outage = Outage::default();
    let mut publisher = Publisher { ledger, wires, kind, listing, introduced, outage };
    publisher.refresh();
    // Tasks: however long telling takes, they begin and end in time.
    let mut under_way = JoinSet::new();
    loop {
        // What was known before telling may have passed meanwhile.
        if !publisher.refresh() {
            under_way = JoinSet::new();
        }
        // One moment for both: what is not due yet is to wake us.
        let now = Instant::now();
        while under_way.len() < AT_ONCE {
            let Some(step) = publisher.ledger.next(now) else { break };
            under_way.spawn(objects.clone().carry_out(step));
        }
        let wakes = publisher.ledger.wakes(now);
        let went_on = tokio::select! {
            changed = publisher.wires.changed() => {
                publisher.refresh();
                changed
            }
            Some(event) = watch.next() => publisher.on_event(event).await,
            Some(done) = under_way.join_next() => {
                // It panicked, which has been said: nothing is known of what it wrote.
                let Ok(done) = done else { return };
                publisher.on_done(done);
                Ok(())
            }
            () = sleep_until(wakes) => Ok(()),
        };
        if went_on.is_err() || publisher.tell().await.is_err() {
            return;
        }
    }
}

/// Writes the object of an attachment anew without changing what it says: whoever watches it looks again, as Istio's agents do,
/// which never try by themselves to fetch a module that they could not fetch. `said` must differ from what was said before.
///
/// # Errors
///
/// Where there is no such object, or the API server does not do it.
pub async fn touch(
    client: &Client,
    output: &Output,
    key: &AttachmentKey,
    said: &str,
) -> kube::Result<()> {
    let Some(namespace) = key.namespace() else { return Ok(()) };
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &output.resource());
    let annotation = json!({"metadata": {"annotations": {TOUCHED_ANNOTATION: said}}});
    // Not applied: that would make an object where there is none, and publishing would take the annotation away again.
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    api.patch(&key.object_name(), &params, &Patch::Merge(annotation)).await.map(drop)
}

// === impl Wires ===

impl Wires {
    async fn changed(&mut self) -> Result<(), Ended> {
        tokio::select! {
            changed = self.desired.changed() => {
                // Seen only when it is taken in.
                self.desired.mark_changed();
                changed.map_err(|_| Ended)
            }
            Ok(()) = self.leading.changed() => Ok(()),
            Ok(()) = self.gate.changed() => Ok(()),
        }
    }
}

// === impl Publisher ===

impl Publisher {
    /// Takes in what is wanted, and what may be done; `false`: nothing, for another replica may write.
    fn refresh(&mut self) -> bool {
        let now = Instant::now();
        let leads = *self.wires.leading.borrow_and_update();
        self.ledger.lead(leads);
        let gate = self.wires.gate.borrow_and_update().clone();
        self.ledger.gate(gate, now);
        if !self.wires.desired.has_changed().unwrap_or_default() {
            return leads;
        }
        let desired = Arc::clone(&self.wires.desired.borrow_and_update());
        for key in self.ledger.want(Arc::clone(&desired), now) {
            let bytes = desired.attachments.get(&key).map(|attachment| attachment.compiled.len());
            self.wires.metrics.attachment(&key, bytes);
        }
        leads
    }

    /// Takes in what the API server tells of our objects.
    async fn on_event(
        &mut self,
        event: watcher::Result<watcher::Event<DynamicObject>>,
    ) -> Result<(), Ended> {
        let now = Instant::now();
        self.outage.watch(&self.kind, event.as_ref());
        match event {
            Ok(watcher::Event::Init) => self.listing.clear(),
            Ok(watcher::Event::InitApply(object)) => {
                self.listing.extend(place(&object).zip(value(object)));
            }
            Ok(watcher::Event::InitDone) => {
                self.ledger.reset(std::mem::take(&mut self.listing), now);
                return self.introduce().await;
            }
            Ok(watcher::Event::Apply(object)) => {
                if let Some(place) = place(&object) {
                    self.ledger.see(&place, version(&object), value(object), now);
                }
            }
            Ok(watcher::Event::Delete(object)) => {
                if let Some(place) = place(&object) {
                    self.ledger.see(&place, version(&object), None, now);
                }
            }
            Err(error) => {
                self.wires.metrics.watch_failed();
                // A kind that is not there has no objects: whoever wants one hears why there is none.
                if !self.introduced && is_not_served(&error) {
                    self.ledger.reset(Vec::new(), now);
                    return self.introduce().await;
                }
            }
        }
        Ok(())
    }

    /// Takes in what came of a write.
    fn on_done(&mut self, done: Done) {
        let (now, metrics) = (Instant::now(), &self.wires.metrics);
        let Done { step, result } = done;
        let place = step.place().clone();
        let object = format!("{}/{}", place.namespace, place.name);
        match result {
            Ok(written) => {
                let kind = &self.kind;
                match step {
                    Step::Delete { .. } => {
                        metrics.wrote(Write::Removed);
                        info!(kind, object, "removed");
                    }
                    Step::Apply { repair: true, .. } => {
                        metrics.wrote(Write::Repaired);
                        warn!(kind, object, "repaired: somebody else had changed it");
                    }
                    Step::Apply { .. } => {
                        metrics.wrote(Write::Written);
                        info!(kind, object, "published");
                    }
                }
                let version = written.as_ref().and_then(version);
                self.ledger.wrote(&place, version, written.and_then(value), now);
            }
            Err(trouble) => {
                metrics.wrote(Write::Failed);
                self.ledger.failed(&place, trouble, now);
            }
        }
    }

    /// Says what there is, even where that is nothing; the first time only.
    async fn introduce(&mut self) -> Result<(), Ended> {
        if std::mem::replace(&mut self.introduced, true) {
            return Ok(());
        }
        let sightings = self.ledger.tidings();
        self.wires.events.send(vec![Event::Published(sightings)]).await.map_err(|_| Ended)
    }

    /// Says what is new.
    async fn tell(&mut self) -> Result<(), Ended> {
        // What there is comes first, and all at once.
        if !self.introduced {
            return Ok(());
        }
        let sightings = self.ledger.tidings();
        if sightings.is_empty() {
            return Ok(());
        }
        for sighting in &sightings {
            if let Some(error) = &sighting.error {
                warn!(attachment = %sighting.key, error, "not published as it should be");
            }
        }
        self.wires.events.send(vec![Event::Published(sightings)]).await.map_err(|_| Ended)
    }
}

// === impl Objects ===

impl Objects {
    fn everywhere(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &self.output.resource())
    }

    async fn carry_out(self, step: Step) -> Done {
        let attempt = tokio::time::timeout(PATIENCE, self.attempt(&step)).await;
        let result = match attempt {
            Ok(result) => result,
            Err(_) => Err(Trouble::Everywhere(format!(
                "the API server has not answered within {} s; tried again",
                PATIENCE.as_secs()
            ))),
        };
        Done { step, result }
    }

    async fn attempt(&self, step: &Step) -> Result<Option<DynamicObject>, Trouble> {
        let namespace = &step.place().namespace;
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &self.output.resource());
        let result = match step {
            Step::Apply { place, object, new, .. } => {
                let params = PatchParams {
                    // Where nothing was, somebody may have come in between.
                    force: !new || self.is_ours_unseen(&api, place).await?,
                    // A field that the definition does not know is a refusal, and not an object without it.
                    field_validation: Some(ValidationDirective::Strict),
                    ..PatchParams::apply(FIELD_MANAGER)
                };
                api.patch(&place.name, &params, &Patch::Apply(object)).await.map(Some)
            }
            Step::Delete { place, uid } => {
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
        result.map_err(|error| self.trouble(&error))
    }

    /// Is there an object of ours that the watch does not show, for somebody took its labels away? `false`: there is none at all.
    async fn is_ours_unseen(&self, api: &Api<DynamicObject>, place: &Key) -> Result<bool, Trouble> {
        let Key { namespace, name } = place;
        // To `get` it would be a right that nothing else needs.
        let named = ListParams::default().fields(&format!("metadata.name={name}"));
        let list = api.list_metadata(&named).await.map_err(|error| self.trouble(&error))?;
        match list.items.first() {
            None => Ok(false),
            Some(there) if is_ours(&there.metadata) => Ok(true),
            Some(_) => {
                let (kind, (label, us)) = (self.output.resource().kind, MANAGED_BY);
                Err(Trouble::Taken(format!(
                    "the {kind} `{namespace}/{name}` is somebody else's and stays as it is, though its name is needed: delete it, or label it `{label}={us}` to have it overwritten"
                )))
            }
        }
    }

    /// Is it this object the API server will not have, or does it not do what it is asked at all?
    fn trouble(&self, error: &kube::Error) -> Trouble {
        let status = match error {
            kube::Error::Api(status) => status,
            error => {
                return Trouble::Everywhere(format!("the API server cannot be reached: {error}"));
            }
        };
        let message = &status.message;
        let of_namespace = || status.details.as_ref().is_some_and(|of| of.kind == "namespaces");
        match status.code {
            429 | 503 | 504 => {
                Trouble::Everywhere(format!("the API server cannot write now: {message}"))
            }
            // A webhook of somebody else's in one namespace, or an object that is too large, is no reason to stop elsewhere.
            500.. => Trouble::Here(format!("the API server cannot write the object: {message}")),
            404 if !of_namespace() => {
                let ApiResource { kind, api_version, .. } = self.output.resource();
                Trouble::Here(format!(
                    "the API server does not serve `{kind}` of `{api_version}`: install Istio, or choose other objects by --publish or --istio-kind"
                ))
            }
            _ => Trouble::Here(format!("the API server refuses the object: {message}")),
        }
    }
}

fn is_not_served(error: &watcher::Error) -> bool {
    let watcher::Error::InitialListFailed(kube::Error::Api(status)) = error else { return false };
    status.code == 404
}

fn place(object: &DynamicObject) -> Option<Key> {
    Some(Key { namespace: object.namespace()?, name: object.name_any() })
}

fn version(object: &DynamicObject) -> Option<u64> {
    object.metadata.resource_version.as_ref()?.parse().ok()
}

/// The object as it is compared: who wrote what is long, and nobody asks.
fn value(mut object: DynamicObject) -> Option<Value> {
    object.metadata.managed_fields = None;
    serde_json::to_value(object).ok()
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
