//! The validating webhook: says at `kubectl apply` what the status would say. It asks the loop, and decides nothing itself.
//!
//! It never stands in the way of anything but a refused text: what it cannot judge is allowed, and a warning says so.

mod answer;
mod question;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::TryStreamExt as _;
use kube::Client;
use kube::core::admission::AdmissionResponse;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot, watch};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use self::question::ReviewTask;
use crate::args::ClusterArgs;
use crate::certificates::installation;
use crate::certificates::secret::SecretStore;
use crate::certificates::serving::ServingCertificate;
use crate::metrics::{Metrics, Outcome};
use crate::request::Request;
use crate::server::{Limits, Server};

/// Longest review: an update brings the old object too, and etcd keeps none above 1.5 MiB.
const MAX_LEN: usize = 3 * 1024 * 1024;
/// Further bytes that are read and discarded, so that the sender gets the answer.
const MAX_WASTE: usize = 16 * 1024 * 1024;
/// Timeout for a review's bytes.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// The API server's timeout in seconds if its query lacks one: the chart's.
const WAITED: u32 = 5;
/// The longest timeout in seconds of an API server for a webhook.
const MAX_WAITED: u32 = 30;
/// Most reviews at once; further ones wait.
const MAX_CONCURRENT: usize = 8;
/// Memory budget in bytes for buffered bodies of reviews; a further review waits until there is room for it.
const MAX_KEPT: usize = 64 * 1024 * 1024;

/// The state of a request's handler.
#[derive(Debug)]
struct Asking {
    requests: mpsc::Sender<Request>,
    metrics: Arc<Metrics>,
    at_once: Semaphore,
    kept: Semaphore,
}

/// The status and the words of what is not an answer to a review, for there was none.
type NoReview = (StatusCode, String);

/// Serves the webhook with the certificates that are in the Secret by then. The receiver is true once it shows the certificate that there is.
///
/// # Errors
///
/// Fails if the address cannot be served.
pub(crate) async fn start(
    client: Client,
    addr: SocketAddr,
    args: &ClusterArgs,
    requests: mpsc::Sender<Request>,
    leading: watch::Receiver<bool>,
    metrics: Arc<Metrics>,
) -> anyhow::Result<(Server, watch::Receiver<bool>)> {
    let serving = Arc::new(ServingCertificate::default());
    let asking = Arc::new(Asking {
        requests,
        metrics: Arc::clone(&metrics),
        at_once: Semaphore::new(MAX_CONCURRENT),
        kept: Semaphore::new(MAX_KEPT),
    });
    let router = Router::new().route("/validate", post(validate)).with_state(asking);
    // All reviews may come from one address, the API server's.
    let limits = Limits { of_one: Limits::DEFAULT.connections, ..Limits::DEFAULT };
    let server = Server::start(addr, Some(serving.config()?), router, limits).await;
    let mut server = server.with_context(|| {
        format!("cannot serve the webhook at {addr}: choose another address by --webhook-addr")
    })?;
    info!(addr = %server.addr, "webhook address");
    let mut names = vec![format!("{}.{}.svc", args.webhook_service, args.namespace)];
    names.extend(args.webhook_names.iter().cloned());
    let store = SecretStore {
        namespace: args.namespace.clone(),
        name: args.webhook_secret.clone(),
        names,
        external: args.webhook_secret_external,
        serving,
        metrics,
        ..SecretStore::default()
    };
    let (settled, bundles) = (store.settled.subscribe(), store.bundle.subscribe());
    server.tasks.spawn("certificates", store.run(client.clone(), leading.clone()));
    if let Some(name) = args.webhook_configuration.clone() {
        server.tasks.spawn("caBundle", installation::keep(client, name, bundles, leading));
    }
    Ok((server, settled))
}

async fn validate(
    State(asking): State<Arc<Asking>>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Response {
    let thinking = thinking(query.as_deref().unwrap_or_default());
    let (response, outcome) = match asking.review(thinking, body).await {
        Ok((response, outcome)) => (Json(response.into_review()).into_response(), outcome),
        Err((status, words)) => {
            warn!(
                status = status.as_u16(),
                error = words,
                "rejected a request that is not an AdmissionReview"
            );
            ((status, format!("{words}\n")).into_response(), Outcome::Unreadable)
        }
    };
    outcome.count(&asking.metrics.webhook_reviews);
    response
}

/// The controller's timeout for a review: two fifths of the API server's, as its query gives it, because the review
/// is read first.
fn thinking(query: &str) -> Duration {
    let timeout = query.split('&').find_map(|field| field.strip_prefix("timeout="));
    let seconds = timeout.and_then(|timeout| timeout.strip_suffix('s')?.parse().ok());
    Duration::from_millis(400).saturating_mul(seconds.unwrap_or(WAITED).min(MAX_WAITED))
}

// === impl Asking ===

impl Asking {
    async fn review(
        &self,
        thinking: Duration,
        body: Body,
    ) -> Result<(AdmissionResponse, Outcome), NoReview> {
        let read = timeout(READ_TIMEOUT, self.read(body)).await;
        let (bytes, kept) = read.map_err(|_| {
            (StatusCode::REQUEST_TIMEOUT, format!("a review is read within {READ_TIMEOUT:?}"))
        })??;
        // Only now: whoever sends slowly keeps nobody else waiting.
        let _turn = permits(&self.at_once, 1).await?;
        let (request, task) =
            question::read(&bytes).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
        drop((bytes, kept));
        let unjudged = |why| (answer::unjudged(&request, why), Outcome::Unjudged);
        let (object, off) = match task {
            ReviewTask::Pass => return Ok((AdmissionResponse::from(&request), Outcome::Allowed)),
            ReviewTask::Foreign(why) => return Ok(unjudged(&why)),
            ReviewTask::Validate { object, off } => (object, off),
        };
        let (reply, findings) = oneshot::channel();
        let asked = async {
            self.requests.send(Request::Check(object, reply)).await.ok()?;
            findings.await.ok()
        };
        let Some(findings) = timeout(thinking, asked).await.ok().flatten() else {
            let why = "not judged now, for the operator is busy or starts: its status will tell";
            return Ok(unjudged(why));
        };
        let response = answer::judged(&request, &findings, off);
        let (allowed, dry_run) = (response.allowed, request.dry_run);
        let (namespace, name) = (request.namespace.as_deref(), request.name.as_str());
        debug!(namespace, name, allowed, dry_run, findings = findings.len(), "judged");
        Ok((response, if allowed { Outcome::Allowed } else { Outcome::Refused }))
    }

    /// The bytes of a review, and the room that they take.
    async fn read(&self, body: Body) -> Result<(Vec<u8>, SemaphorePermit<'_>), NoReview> {
        let mut body = body.into_data_stream();
        let (mut bytes, mut len, mut kept) = (Vec::new(), 0_usize, permits(&self.kept, 0).await?);
        let unreadable = |error: axum::Error| (StatusCode::BAD_REQUEST, error.to_string());
        while let Some(data) = body.try_next().await.map_err(unreadable)? {
            len = len.saturating_add(data.len());
            if len <= MAX_LEN {
                kept.merge(permits(&self.kept, data.len()).await?);
                bytes.extend_from_slice(&data);
            } else if len <= MAX_LEN.saturating_add(MAX_WASTE) {
                (bytes, kept) = (Vec::new(), permits(&self.kept, 0).await?);
            } else {
                break;
            }
        }
        if len <= MAX_LEN {
            Ok((bytes, kept))
        } else {
            let words = format!("a review has at most {MAX_LEN} bytes");
            Err((StatusCode::PAYLOAD_TOO_LARGE, words))
        }
    }
}

/// Waits for so many permits.
async fn permits(semaphore: &Semaphore, count: usize) -> Result<SemaphorePermit<'_>, NoReview> {
    let permits = semaphore.acquire_many(u32::try_from(count).unwrap_or(u32::MAX)).await;
    permits.map_err(|_| (StatusCode::SERVICE_UNAVAILABLE, "the operator stops".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_thinks_for_as_long_as_the_api_server_waits_and_no_longer() {
        for (why, query, milliseconds) in [
            ("what the chart asks for", "timeout=5s", 2000),
            ("the most that Kubernetes allows", "a=b&timeout=30s", 12_000),
            ("the least", "timeout=1s", 400),
            ("more than Kubernetes allows", "timeout=3600s", 12_000),
            ("no API server", "", 2000),
            ("no number", "timeout=soon", 2000),
            ("another unit", "timeout=1m30s", 2000),
        ] {
            assert_eq!(thinking(query), Duration::from_millis(milliseconds), "{why}");
        }
    }
}
