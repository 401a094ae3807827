//! Leftovers: objects of ours of the kinds that held attachments before another was chosen. Proxies go on with what they say, and nobody
//! updates them: whoever writes says so until they are gone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::kubernetes;
use crate::metrics::publishing::Publishing;
use crate::outage::Outage;
use crate::publish::output::{MANAGED_BY, Output, selector};

/// How often somebody looks whether they are gone.
pub(crate) const LOOK: Duration = Duration::from_mins(1);
/// How many are asked for at once.
const PAGE: u32 = 500;

/// Says what another choice than `output` has left, from when this replica leads until nothing is left; it looks so often.
pub async fn tell(
    client: Client,
    output: Output,
    mut leading: watch::Receiver<bool>,
    metrics: Publishing,
    look: Duration,
) {
    let (written, (label, us)) = (output.resource().kind, MANAGED_BY);
    let (mut told, mut outage) = (BTreeMap::<String, usize>::new(), Outage::default());
    while leading.wait_for(|leads| *leads).await.is_ok() {
        let mut all_counted = true;
        for resource in output.others() {
            let ApiResource { kind, plural, .. } = &resource;
            let left = match count(&client, &resource).await {
                Ok(left) => left,
                Err(error) => {
                    all_counted = false;
                    let error = kubernetes::sentence(&error);
                    if outage.on(&format!("{kind}: {error}"), Instant::now()) {
                        warn!(
                            kind,
                            error, "what is left of another kind cannot be counted; tried again"
                        );
                    }
                    continue;
                }
            };
            metrics.left(kind, left);
            let before = told.insert(kind.clone(), left).unwrap_or_default();
            if left > 0 && left != before {
                let then = format!("kubectl delete {plural} --all-namespaces -l {label}={us}");
                warn!(
                    kind,
                    left,
                    written,
                    then,
                    "objects of a kind that is not written any more still bring the filter to proxies, as it was: wait until those that are written are there, then delete them"
                );
            } else if left == 0 && before > 0 {
                info!(kind, "nothing is left of another kind");
            }
        }
        // Of what could not be counted nothing is known.
        if all_counted && told.values().all(|left| *left == 0) {
            return;
        }
        sleep(look).await;
        if !*leading.borrow() {
            // The next one counts them.
            for (kind, _) in std::mem::take(&mut told) {
                metrics.left(&kind, 0);
            }
        }
    }
}

/// How many objects of ours there are; none where the kind is not served.
async fn count(client: &Client, resource: &ApiResource) -> kube::Result<usize> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    let mut page = ListParams::default().labels(&selector()).limit(PAGE);
    let mut count: usize = 0;
    loop {
        let list = match api.list_metadata(&page).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(0),
            Err(error) => return Err(error),
        };
        count = count.saturating_add(list.items.len());
        match list.metadata.continue_ {
            Some(token) if !token.is_empty() => page.continue_token = Some(token),
            _ => return Ok(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::extract::State;
    use axum::http::{StatusCode, Uri};
    use axum::response::{IntoResponse as _, Response};
    use serde_json::json;

    use super::*;
    use crate::publish::testing::wasm_plugins;

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
        let telling = tell(client, wasm_plugins(), leading, Publishing::default(), look);
        let telling = tokio::spawn(telling);
        let counted = async {
            while asked.load(Ordering::SeqCst) < 3 {
                tokio::time::sleep(look).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), counted).await.expect("it is asked again");
        assert!(!telling.is_finished(), "one is left");
    }
}
