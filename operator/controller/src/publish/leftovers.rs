//! Leftovers: the operator's objects of kinds that held bundles before the current choice. Proxies keep their configuration, without
//! updates. If objects of the current kind replace them, they are deleted after a grace period; the log names the others until they
//! are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_operator_core::bundle::Desired;
use corsward_operator_core::cluster_state::Key;
use corsward_operator_core::names::MANAGED_BY;
use corsward_operator_core::publish::output::{DIGEST_ANNOTATION, Output, selector};
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, ObjectMeta, Preconditions,
};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::error_log::ErrorLog;
use crate::kubernetes;
use crate::metrics::publishing::{Publishing, WriteResult};

/// Timeout of one deletion: shorter than the rest of a Lease at the renew deadline.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);
/// Page size of lists.
const PAGE: u32 = 500;

/// The inputs, and the metrics.
#[derive(Debug)]
pub struct LeftoversDeps {
    /// The desired state. Its initial value does not count.
    pub desired: watch::Receiver<Arc<Desired>>,
    /// Does this replica write?
    pub leading: watch::Receiver<bool>,
    /// The metrics.
    pub metrics: Publishing,
}

/// Intervals and the grace period.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Interval of lists of the other kinds.
    pub look: Duration,
    /// The same, while objects wait to be replaced.
    pub hurry: Duration,
    /// For how long proxies take what replaces an object before it is deleted.
    pub grace: Duration,
}

struct Leftovers {
    client: Client,
    output: Output,
    deps: LeftoversDeps,
    times: Times,
    /// The number reported, by kind.
    told: BTreeMap<String, usize>,
    error_log: ErrorLog,
    /// The desired state, once known.
    desired: Option<Arc<Desired>>,
    /// Since when everything that is wanted in a namespace has been there.
    settled: BTreeMap<String, Instant>,
}

/// Removes the leftovers of choices other than `output`, while this replica leads.
pub async fn tend(client: Client, output: Output, deps: LeftoversDeps, times: Times) {
    let (told, error_log, settled) = Default::default();
    let mut leading = deps.leading.clone();
    let desired = None;
    let mut leftovers =
        Leftovers { client, output, deps, times, told, error_log, desired, settled };
    while leading.wait_for(|leads| *leads).await.is_ok() {
        let waits = leftovers.look().await;
        sleep(if waits { times.hurry } else { times.look }).await;
        if !*leading.borrow() {
            leftovers.rest();
        }
    }
}

// === impl Times ===

impl Default for Times {
    fn default() -> Self {
        Self {
            look: Duration::from_mins(1),
            hurry: Duration::from_secs(2),
            grace: Duration::from_secs(10),
        }
    }
}

// === impl Leftovers ===

impl Leftovers {
    /// The next leader counts them.
    fn rest(&mut self) {
        self.settled.clear();
        for (kind, _) in std::mem::take(&mut self.told) {
            self.deps.metrics.left(&kind, 0);
        }
    }

    /// Looks once; `true`: some wait to be replaced.
    async fn look(&mut self) -> bool {
        if self.deps.desired.has_changed().unwrap_or_default() {
            self.desired = Some(Arc::clone(&self.deps.desired.borrow_and_update()));
        }
        let mut waits = false;
        for (resource, is_replaced) in self.output.others() {
            let left = match list(&self.client, &resource).await {
                Ok(left) => left,
                Err(error) => {
                    self.failed(&resource.kind, &error);
                    continue;
                }
            };
            self.tell(&resource, left.len(), is_replaced);
            if is_replaced && !left.is_empty() {
                waits = true;
                if let Err(error) = self.retire(&resource, &left).await {
                    self.failed(&resource.kind, &error);
                }
            }
        }
        waits
    }

    fn failed(&mut self, kind: &str, error: &kube::Error) {
        let error = kubernetes::sentence(error);
        if self.error_log.on(&format!("{kind}: {error}"), Instant::now()) {
            warn!(kind, error, "cannot read or delete leftover objects; tried again");
        }
    }

    fn tell(&mut self, resource: &ApiResource, left: usize, is_replaced: bool) {
        let ApiResource { kind, plural, .. } = resource;
        let (written, (label, us)) = (self.output.resource().kind, MANAGED_BY);
        self.deps.metrics.left(kind, left);
        let before = self.told.insert(kind.clone(), left).unwrap_or_default();
        if left == 0 && before > 0 {
            info!(kind, "no leftover objects remain");
        } else if left == before {
        } else if is_replaced {
            info!(
                kind,
                left,
                written,
                "leftover objects are deleted once their replacements have been there for the grace period"
            );
        } else {
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

    /// Deletes the objects of the namespaces where what replaces them has been there for long enough.
    async fn retire(&mut self, resource: &ApiResource, left: &[ObjectMeta]) -> kube::Result<()> {
        let Some(desired) = self.desired.clone() else { return Ok(()) };
        let there = list(&self.client, &self.output.resource()).await?;
        let there = there.iter().filter_map(|metadata| Some((place(metadata)?, digest(metadata)?)));
        let there: BTreeMap<Key, &str> = there.collect();
        let of = |metadata: &ObjectMeta| metadata.namespace.clone().unwrap_or_default();
        let namespaces: BTreeSet<String> = left.iter().map(of).collect();
        let now = Instant::now();
        self.settled.retain(|namespace, _| namespaces.contains(namespace));
        for namespace in &namespaces {
            if is_settled(&desired, &there, namespace) {
                self.settled.entry(namespace.clone()).or_insert(now);
            } else {
                self.settled.remove(namespace);
            }
        }
        for metadata in left {
            let since = self.settled.get(&of(metadata));
            let is_due = since
                .is_some_and(|since| now.saturating_duration_since(*since) >= self.times.grace);
            if is_due && *self.deps.leading.borrow() {
                self.delete(resource, metadata).await?;
            }
        }
        Ok(())
    }

    async fn delete(&self, resource: &ApiResource, metadata: &ObjectMeta) -> kube::Result<()> {
        let Some(Key { namespace, name }) = place(metadata) else { return Ok(()) };
        let kind = &resource.kind;
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &namespace, resource);
        let preconditions = Preconditions { uid: metadata.uid.clone(), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match timeout(REQUEST_TIMEOUT, api.delete(&name, &params)).await {
            Ok(Ok(_)) => {
                self.deps.metrics.wrote(WriteResult::Removed);
                let object = format!("{namespace}/{name}");
                info!(kind, object, "removed: an object of the current kind has replaced it");
                Ok(())
            }
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Ok(()),
            Ok(Err(error)) => Err(error),
            // Looked for again.
            Err(_) => Ok(()),
        }
    }
}

/// Does every desired object of a namespace exist? Without a desired object there is no replacement.
fn is_settled(desired: &Desired, there: &BTreeMap<Key, &str>, namespace: &str) -> bool {
    let mut wanted = desired.bundles.values();
    let mut any = false;
    let all = wanted.all(|bundle| {
        if bundle.key.namespace() != Some(namespace) {
            return true;
        }
        any = true;
        let place = Key { namespace: namespace.to_owned(), name: bundle.key.object_name() };
        there.get(&place) == Some(&bundle.digest.as_str())
    });
    all && any
}

fn place(metadata: &ObjectMeta) -> Option<Key> {
    Some(Key { namespace: metadata.namespace.clone()?, name: metadata.name.clone()? })
}

fn digest(metadata: &ObjectMeta) -> Option<&str> {
    metadata.annotations.as_ref()?.get(DIGEST_ANNOTATION).map(String::as_str)
}

/// The objects of ours; none where the kind is not served.
async fn list(client: &Client, resource: &ApiResource) -> kube::Result<Vec<ObjectMeta>> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    let mut page = ListParams::default().labels(&selector()).limit(PAGE);
    let mut all = Vec::new();
    loop {
        let list = match api.list_metadata(&page).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        all.extend(list.items.into_iter().map(|item| item.metadata));
        match list.metadata.continue_ {
            Some(token) if !token.is_empty() => page.continue_token = Some(token),
            _ => return Ok(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::extract::State;
    use axum::http::{StatusCode, Uri};
    use axum::response::{IntoResponse as _, Response};
    use serde_json::json;

    use super::*;
    use corsward_operator_core::bundle::{Bundle, BundleKey};
    use corsward_operator_core::publish::testing::{wasm_plugins, workloads};

    /// An API server that fails at first, and then has one `EnvoyFilter` of ours.
    async fn answer(State(asked): State<Arc<AtomicUsize>>, uri: Uri) -> Response {
        if !uri.path().ends_with("/envoyfilters") {
            return StatusCode::NOT_FOUND.into_response();
        }
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        let item = json!({ "metadata": { "name": "corsward", "namespace": "shop" } });
        axum::Json(json!({
            "apiVersion": "meta.k8s.io/v1",
            "kind": "PartialObjectMetadataList",
            "metadata": { "resourceVersion": "1" },
            "items": [item],
        }))
        .into_response()
    }

    #[tokio::test]
    async fn what_could_not_be_counted_is_looked_for_again() {
        let asked = Arc::<AtomicUsize>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&asked));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let (_leads, leading) = watch::channel(true);
        let look = Duration::from_millis(10);
        let (_wants, desired) = watch::channel(Arc::default());
        let deps = LeftoversDeps { desired, leading, metrics: Publishing::default() };
        let times = Times { look, hurry: look, grace: look };
        let tending = tokio::spawn(tend(client, wasm_plugins(), deps, times));
        let counted = async {
            while asked.load(Ordering::SeqCst) < 3 {
                tokio::time::sleep(look).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), counted).await.expect("it is asked again");
        assert!(!tending.is_finished(), "one is left");
    }

    #[test]
    fn a_namespace_is_settled_once_everything_that_is_wanted_in_it_is_there() {
        let (first, second) = (workloads(&[]), workloads(&[("app", "a")]));
        let bundle = |key: &BundleKey| Bundle::new(key.clone(), "1".into());
        let wanted = [bundle(&first), bundle(&second)];
        let bundles = wanted.iter().map(|one| (Arc::new(one.key.clone()), Arc::new(one.clone())));
        let desired = Desired { bundles: bundles.collect(), ..Desired::default() };
        let at = |key: &BundleKey| Key { namespace: "shop".into(), name: key.object_name() };
        let digest = wanted[0].digest.as_str();
        for (why, desired, there, settled) in [
            ("all of it", &desired, vec![(at(&first), digest), (at(&second), digest)], true),
            ("one is missing", &desired, vec![(at(&first), digest)], false),
            (
                "one says something else",
                &desired,
                vec![(at(&first), digest), (at(&second), "")],
                false,
            ),
            ("nothing replaces it", &Desired::default(), vec![(at(&first), digest)], false),
        ] {
            let there = there.into_iter().collect();
            assert_eq!(is_settled(desired, &there, "shop"), settled, "{why}");
            assert!(!is_settled(desired, &there, "another"), "{why}");
        }
    }
}
