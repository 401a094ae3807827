//! The admin address: is it alive, is it ready, what does it count, what does it say about each policy.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use corsward_operator_core::lease_record::LeaseRecord;
use tokio::sync::mpsc::Sender;
use tokio::sync::{oneshot, watch};

use crate::metrics::Metrics;
use crate::request::Request;

/// The state that the admin address shows; other tasks fill it.
#[derive(Debug, Default)]
pub struct AdminState {
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The holder of the Lease, where replicas contend for one.
    pub lease: OnceLock<watch::Receiver<Option<LeaseRecord>>>,
    /// Everything has been read.
    pub(crate) ready: watch::Sender<bool>,
    /// Further conditions of readiness, each with the message while it does not hold.
    parts: watch::Sender<Vec<(watch::Receiver<bool>, &'static str)>>,
    /// The operator is not ready any more: it stops.
    pub(crate) stopping: watch::Sender<bool>,
}

/// The clients that may read the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every client that reaches the address.
    Anybody,
    /// This machine, or in a cluster this pod: `kubectl port-forward` comes from there.
    Loopback,
}

/// The state of the admin address's handlers.
#[derive(Clone, Debug)]
struct Handlers {
    admin_state: Arc<AdminState>,
    access: Access,
    /// One report at a time: each takes as long as there are policies, and the loop makes it.
    requests: Arc<tokio::sync::Mutex<Sender<Request>>>,
}

// === impl AdminState ===

impl AdminState {
    /// Is the operator ready from now on?
    pub fn set_ready(&self, ready: bool) {
        self.ready.send_replace(ready);
    }

    /// The operator is not ready before `part` is, and `why` says what it waits for.
    pub fn require(&self, part: watch::Receiver<bool>, why: &'static str) {
        self.parts.send_modify(|parts| parts.push((part, why)));
    }

    /// Returns the reason why the operator is not ready; `None` if it is.
    fn unready(&self) -> Option<&'static str> {
        if *self.stopping.borrow() {
            return Some("the operator is stopping\n");
        }
        if !*self.ready.borrow() {
            return Some("not everything has been read and published yet\n");
        }
        self.parts.borrow().iter().find_map(|(part, why)| (!*part.borrow()).then_some(*why))
    }
}

// === impl Access ===

impl Access {
    fn includes(self, client: IpAddr) -> bool {
        self == Self::Anybody || client.to_canonical().is_loopback()
    }
}

/// The admin address's routes. `requests` is where the loop is asked.
pub fn router(admin_state: Arc<AdminState>, requests: Sender<Request>, access: Access) -> Router {
    let requests = Arc::new(tokio::sync::Mutex::new(requests));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/policies", get(policies))
        .with_state(Handlers { admin_state, access, requests })
}

async fn ready(State(Handlers { admin_state, .. }): State<Handlers>) -> impl IntoResponse {
    admin_state
        .unready()
        .map_or((StatusCode::OK, "ready\n"), |why| (StatusCode::SERVICE_UNAVAILABLE, why))
}

async fn metrics(State(Handlers { admin_state, .. }): State<Handlers>) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], admin_state.metrics.encode())
}

async fn policies(
    State(Handlers { admin_state, requests, access }): State<Handlers>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
) -> impl IntoResponse {
    if !access.includes(client.ip()) {
        let how =
            "only this pod itself is told: `kubectl port-forward` to it, then ask 127.0.0.1\n";
        return (StatusCode::FORBIDDEN, how).into_response();
    }
    let requests = requests.lock().await;
    let (reply, report) = oneshot::channel();
    match (requests.send(Request::Report(reply)).await, report.await) {
        (Ok(()), Ok(report)) => {
            let holding = admin_state.lease.get().and_then(|lease| lease.borrow().clone());
            Json(report.with_lease(holding.as_ref(), Instant::now())).into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the operator is stopping\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_cluster_only_the_pod_itself_reads_policies() {
        for (client, is_ours) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("fd00::1", false),
            ("::ffff:10.0.0.1", false),
        ] {
            let client = client.parse().unwrap();
            assert_eq!(Access::Loopback.includes(client), is_ours, "{client}");
            assert!(Access::Anybody.includes(client), "{client}");
        }
    }

    #[test]
    fn an_operator_is_ready_when_every_part_is_and_not_when_it_stops() {
        let admin_state = AdminState::default();
        let (modules, listed) = watch::channel(false);
        admin_state.require(listed, "modules\n");
        assert_eq!(admin_state.unready(), Some("not everything has been read and published yet\n"));
        admin_state.set_ready(true);
        assert_eq!(admin_state.unready(), Some("modules\n"));
        modules.send_replace(true);
        assert_eq!(admin_state.unready(), None);
        admin_state.stopping.send_replace(true);
        assert_eq!(admin_state.unready(), Some("the operator is stopping\n"));
    }
}
