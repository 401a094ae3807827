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
use axum::extract::{self, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use corsward_operator_core::object::CheckedObject;
use corsward_policy::Finding;
use kube::Client;
use kube::core::admission::AdmissionResponse;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use self::question::{Question, ReviewTask};
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
/// The API server's timeout if its query lacks one: the chart's.
const WAITED: Duration = Duration::from_secs(5);
/// Most reviews at once; further ones wait.
const MAX_CONCURRENT: usize = 8;
/// Memory budget in KiB for buffered bodies of reviews; a further review waits until there is room for it.
const KEPT_KIB: usize = 64 * 1024;

/// The words of a request that comes too late.
const STOPS: &str = "the operator stops";

/// The state of a request's handler.
#[derive(Clone, Debug)]
struct Asking {
    requests: mpsc::Sender<Request>,
    metrics: Arc<Metrics>,
    at_once: Arc<Semaphore>,
    kept: Arc<Semaphore>,
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
    let (at_once, kept) = (Semaphore::new(MAX_CONCURRENT), Semaphore::new(KEPT_KIB));
    let router = Router::new().route("/validate", post(validate)).with_state(Asking {
        requests,
        metrics: Arc::clone(&metrics),
        at_once: Arc::new(at_once),
        kept: Arc::new(kept),
    });
    // All reviews may come from one address, the API server's.
    let limits = Limits::default();
    let limits = Limits { of_one: limits.connections, ..limits };
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
    State(asking): State<Asking>,
    RawQuery(query): RawQuery,
    request: extract::Request,
) -> Response {
    let (response, outcome) = match asking.review(query, request).await {
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
    let seconds = timeout.and_then(|timeout| timeout.strip_suffix('s')?.parse::<u32>().ok());
    // 30 s is the most that an API server waits for a webhook.
    let waited = seconds.map_or(WAITED, |seconds| Duration::from_secs(seconds.min(30).into()));
    waited.saturating_mul(2).checked_div(5).unwrap_or_default()
}

/// The bytes of a review, and the room that they take.
type Kept = (Vec<u8>, Option<OwnedSemaphorePermit>);

async fn bounded(body: Body, room: &Arc<Semaphore>) -> Result<Kept, NoReview> {
    use http_body_util::BodyExt as _;
    let mut body = std::pin::pin!(body);
    let (mut bytes, mut len, mut kept) = (Vec::new(), 0_usize, None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        len = len.saturating_add(data.len());
        if len <= MAX_LEN {
            keep(&mut kept, room, len).await?;
            bytes.extend_from_slice(&data);
        } else if len <= MAX_LEN.saturating_add(MAX_WASTE) {
            (bytes, kept) = (Vec::new(), None);
        } else {
            break;
        }
    }
    if len <= MAX_LEN { Ok((bytes, kept)) } else { Err(too_long()) }
}

fn too_long() -> NoReview {
    (StatusCode::PAYLOAD_TOO_LARGE, format!("a review has at most {MAX_LEN} bytes"))
}

/// Waits for room for that number of bytes.
async fn keep(
    kept: &mut Option<OwnedSemaphorePermit>,
    room: &Arc<Semaphore>,
    len: usize,
) -> Result<(), NoReview> {
    let held = kept.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let more = len.div_ceil(1024).saturating_sub(held);
    let more = u32::try_from(more).map_err(|_| too_long())?;
    let more = Arc::clone(room).acquire_many_owned(more).await;
    let more = more.map_err(|_| (StatusCode::BAD_REQUEST, STOPS.to_owned()))?;
    match kept {
        Some(kept) => kept.merge(more),
        None => *kept = Some(more),
    }
    Ok(())
}

// === impl Asking ===

impl Asking {
    async fn review(
        &self,
        query: Option<String>,
        request: extract::Request,
    ) -> Result<(AdmissionResponse, Outcome), NoReview> {
        let thinking = thinking(query.as_deref().unwrap_or_default());
        let read = timeout(READ_TIMEOUT, bounded(request.into_body(), &self.kept)).await;
        let (bytes, kept) = read.map_err(|_| {
            (StatusCode::REQUEST_TIMEOUT, format!("a review is read within {READ_TIMEOUT:?}"))
        })??;
        // Only now: whoever sends slowly keeps nobody else waiting.
        let turn = self.at_once.acquire().await;
        let _turn = turn.map_err(|_| (StatusCode::SERVICE_UNAVAILABLE, STOPS.to_owned()))?;
        let question =
            Question::read(&bytes).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
        drop((bytes, kept));
        Ok(self.answer(question, thinking).await)
    }

    async fn answer(&self, question: Question, thinking: Duration) -> (AdmissionResponse, Outcome) {
        let Question { request, task } = question;
        match task {
            ReviewTask::Pass => (AdmissionResponse::from(&request), Outcome::Allowed),
            ReviewTask::Foreign(why) => (answer::unjudged(&request, &why), Outcome::Unjudged),
            ReviewTask::Validate { object, off } => {
                let Some(findings) = self.ask(object, thinking).await else {
                    let why =
                        "not judged now, for the operator is busy or starts: its status will tell";
                    return (answer::unjudged(&request, why), Outcome::Unjudged);
                };
                let response = answer::judged(&request, &findings, off);
                let (allowed, dry_run) = (response.allowed, request.dry_run);
                let (namespace, name) = (request.namespace.as_deref(), request.name.as_str());
                debug!(namespace, name, allowed, dry_run, findings = findings.len(), "judged");
                let outcome = if allowed { Outcome::Allowed } else { Outcome::Refused };
                (response, outcome)
            }
        }
    }

    /// The controller's answer; `None` if there is none in time.
    async fn ask(&self, object: CheckedObject, thinking: Duration) -> Option<Vec<Finding>> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.requests.send(Request::Check(object, reply)).await.ok()?;
            answer.await.ok()
        };
        timeout(thinking, asked).await.ok().flatten()
    }
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
