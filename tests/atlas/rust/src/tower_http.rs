//! `CorsLayer` of tower-http around axum.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::routing::get;
use tower_http::cors::{Any, CorsLayer};

use crate::{BODY, EXPOSED, HEADERS, MAX_AGE, address, origin, ran};

pub async fn serve() {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::PUT])
        .allow_headers(HEADERS.map(HeaderName::from_static))
        .expose_headers([HeaderName::from_static(EXPOSED)])
        .allow_credentials(true)
        .max_age(Duration::from_secs(MAX_AGE.into()));
    let layer = match origin() {
        None => layer.allow_origin(Any),
        Some(origin) => layer.allow_origin([HeaderValue::from_static(origin)]),
    };
    let router = Router::new()
        .route("/ok", get(ok).put(ok))
        .route("/boom", get(boom))
        .route("/acao", get(own))
        .layer(layer);
    let listener = tokio::net::TcpListener::bind(address()).await.expect("a free port");
    axum::serve(listener, router).await.expect("a server");
}

async fn ok() -> ([(&'static str, &'static str); 2], &'static str) {
    ran();
    ([("vary", "Accept-Encoding"), ("x-id", "1")], BODY)
}

async fn boom() -> StatusCode {
    ran();
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn own() -> ([(&'static str, &'static str); 1], &'static str) {
    ran();
    ([("access-control-allow-origin", "*")], BODY)
}
