//! The API of the demo: routes that behave like real back ends, good and bad.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Value, json};

use crate::envoy::route;

/// The cookie that `/login` sets, and what takes it back.
const SESSION: &str = "session=demo; Path=/; HttpOnly; SameSite=Lax";
pub(super) const EXPIRED_SESSION: &str = "session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0";

/// The requests of the page that arrived. Every call of the table has a number (`?call=…`): a browser that refuses to
/// show the answer does not say whether it was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals(Arc<Mutex<HashSet<String>>>);

/// The query of a call.
#[derive(serde::Deserialize)]
pub(super) struct Call {
    /// The number that the page gave it.
    pub(super) call: Option<String>,
}

// === impl Arrivals ===

impl Arrivals {
    pub(super) fn contains(&self, call: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(call)
    }

    fn note(&self, call: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(call);
    }
}

/// The routes of the API.
pub(super) fn router(arrivals: Arrivals) -> Router {
    Router::new()
        .route("/plain", any(plain))
        .route("/login", any(login))
        .route("/star", any(star))
        .route("/doubled", any(doubled))
        .route("/401", any(|| async { failure(StatusCode::UNAUTHORIZED, "log in first") }))
        .route("/500", any(|| async { failure(StatusCode::INTERNAL_SERVER_ERROR, "crashed") }))
        .route("/redirect", any(|| async { (StatusCode::FOUND, [(header::LOCATION, "/plain")]) }))
        .route("/slow", any(slow))
        .route("/upload", any(plain))
        .route("/items/{id}", any(plain))
        .route("/account", any(plain))
        .route("/ws", any(echo))
        .route("/account/ws", any(echo))
        .route("/public/{*rest}", any(plain))
        .layer(from_fn_with_state(arrivals, note_arrival))
}

/// Envoy's routes to that API. Envoy answers all other paths itself: 404. `/down` leads to a cluster without back
/// ends: 503.
pub(super) fn routes() -> impl Iterator<Item = Value> {
    let api = [
        "/plain",
        "/login",
        "/star",
        "/doubled",
        "/401",
        "/500",
        "/redirect",
        "/slow",
        "/upload",
        "/items",
        "/account",
        "/ws",
        "/public",
    ];
    api.into_iter().map(|prefix| route(prefix, "api")).chain([route("/down", "nobody")])
}

async fn note_arrival(
    State(arrivals): State<Arrivals>,
    Query(Call { call }): Query<Call>,
    request: Request,
    next: Next,
) -> Response {
    // A preflight is a question about the call, not the call.
    if let Some(call) = call.filter(|_| request.method() != Method::OPTIONS) {
        arrivals.note(call);
    }
    next.run(request).await
}

/// An ordinary answer: no CORS header, two headers of its own, and whether a cookie came along.
async fn plain(headers: HeaderMap) -> Response {
    let body = json!({ "cookie": headers.contains_key(header::COOKIE) });
    let own = [
        ("x-request-id", "demo-1"),
        ("x-internal", "secret"),
        ("content-type", "application/json"),
    ];
    (own, format!("{body}\n")).into_response()
}

async fn login(headers: HeaderMap) -> Response {
    let mut response = plain(headers).await;
    response.headers_mut().insert(header::SET_COOKIE, HeaderValue::from_static(SESSION));
    response
}

async fn star(headers: HeaderMap) -> Response {
    let mut response = plain(headers).await;
    let any = HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    response
}

async fn doubled(headers: HeaderMap) -> Response {
    let origin = headers.get(header::ORIGIN).cloned();
    let mut response = star(headers).await;
    if let Some(origin) = origin {
        response.headers_mut().append(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

async fn slow(headers: HeaderMap) -> Response {
    // The slowness is what this route is for.
    tokio::time::sleep(Duration::from_millis(300)).await;
    plain(headers).await
}

fn failure(status: StatusCode, error: &str) -> Response {
    let body = json!({ "error": error });
    (status, [("content-type", "application/json")], format!("{body}\n")).into_response()
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket: WebSocket| {
        while let Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) = socket.recv().await
        {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
}
