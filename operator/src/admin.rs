//! The admin address: is it alive, is it ready, what does it count, what does it say about each policy.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};

use tokio::sync::mpsc::Sender;
use tokio::sync::{oneshot, watch};

use crate::leader::Holding;
use crate::metrics::Metrics;
use crate::report::Report;

/// A wish for all there is to say.
pub type ReportRequest = oneshot::Sender<Report>;

/// What the admin address shows; others fill it.
#[derive(Debug, Default)]
pub struct Board {
    /// What is counted.
    pub metrics: Metrics,
    /// Whose the Lease is, where replicas contend for one.
    pub lease: OnceLock<watch::Receiver<Option<Holding>>>,
    ready: AtomicBool,
}

/// What the admin address serves from.
#[derive(Clone, Debug)]
struct Desk {
    board: Arc<Board>,
    reports: Sender<ReportRequest>,
}

// === impl Board ===

impl Board {
    /// Is the operator ready from now on?
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }
}

/// The admin address's routes. `reports` is where the loop is asked.
pub fn router(board: Arc<Board>, reports: Sender<ReportRequest>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/policies", get(policies))
        .with_state(Desk { board, reports })
}

async fn ready(State(Desk { board, .. }): State<Desk>) -> impl IntoResponse {
    if board.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not everything has been read and published yet\n")
    }
}

async fn metrics(State(Desk { board, .. }): State<Desk>) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], board.metrics.encode())
}

async fn policies(State(Desk { board, reports }): State<Desk>) -> impl IntoResponse {
    let (reply, report) = oneshot::channel();
    match (reports.send(reply).await, report.await) {
        (Ok(()), Ok(report)) => {
            let holding = board.lease.get().and_then(|lease| lease.borrow().clone());
            Json(report.with_lease(holding.as_ref(), Instant::now())).into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the operator is stopping\n").into_response(),
    }
}
