//! The admin address: is it alive, is it ready, what does it count, what does it say about each policy.

use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};

use crate::metrics::Metrics;
use crate::report::Report;

/// What the admin address shows; others fill it.
#[derive(Debug, Default)]
pub struct Board {
    /// What is counted.
    pub metrics: Metrics,
    report: RwLock<Option<Arc<Report>>>,
}

// === impl Board ===

impl Board {
    /// Shows this from now on. The first one makes the operator ready.
    pub fn show(&self, report: Report) {
        *self.report.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(report));
    }

    fn shown(&self) -> Option<Arc<Report>> {
        self.report.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The admin address's routes.
pub fn router(board: Arc<Board>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/policies", get(policies))
        .with_state(board)
}

async fn ready(State(board): State<Arc<Board>>) -> impl IntoResponse {
    match board.shown() {
        Some(report) if report.ready => (StatusCode::OK, "ready\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "nothing is published yet\n"),
    }
}

async fn metrics(State(board): State<Arc<Board>>) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], board.metrics.encode())
}

async fn policies(State(board): State<Arc<Board>>) -> impl IntoResponse {
    match board.shown() {
        Some(report) => Json(&*report).into_response(),
        None => Json(Report::default()).into_response(),
    }
}
