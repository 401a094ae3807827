//! The module server: `GET /filter-<sha256>.wasm`, and nothing else.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use corsward_operator_core::filter_module::is_digest;

use crate::metrics::{Metrics, Outcome};
use crate::modules::cache::ModuleCache;

/// The content behind a name never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[derive(Clone)]
struct ModuleHandlers {
    cache: Arc<ModuleCache>,
    metrics: Arc<Metrics>,
}

/// The module server's routes.
pub(super) fn router(cache: Arc<ModuleCache>, metrics: Arc<Metrics>) -> Router {
    // Also HEAD; nothing reads a request's body.
    Router::new().route("/{file}", get(module)).with_state(ModuleHandlers { cache, metrics })
}

async fn module(
    State(ModuleHandlers { cache, metrics }): State<ModuleHandlers>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    let sha256 = file.strip_prefix("filter-").and_then(|rest| rest.strip_suffix(".wasm"));
    let found = sha256.and_then(|sha256| Some((sha256, cache.get(sha256)?)));
    let Some((sha256, bytes)) = found else {
        metrics.module_requested(Outcome::NotFound);
        // Istio's agent repeats a request after a 503, and gives the filter up after a 404 (istio.io/istio, `pkg/wasm/httpfetcher.go`,
        // `retryable`). Another replica has the module; a connection that stays open would bring every repetition back to this one.
        return match sha256 {
            Some(name) if is_digest(name) => (
                StatusCode::SERVICE_UNAVAILABLE,
                [(CONNECTION, "close")],
                "this replica does not have that module: ask again\n",
            )
                .into_response(),
            _ => (StatusCode::NOT_FOUND, "there is no such module here\n").into_response(),
        };
    };
    let etag = format!("\"{sha256}\"");
    let has_it =
        headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let about =
        [(ETAG, etag.as_str()), (CACHE_CONTROL, FOR_EVER), (CONTENT_TYPE, "application/wasm")];
    if has_it {
        metrics.module_requested(Outcome::NotModified);
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    metrics.module_requested(Outcome::Served);
    (about, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::{LocalModule, path};
    use crate::server::{Limits, Server};
    use corsward_operator_core::bundle::hex;
    use http_body_util::{BodyExt as _, Full};
    use hyper::body::Bytes;
    use hyper::{Method, Request};
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;

    #[tokio::test]
    async fn a_module_is_served_by_its_digest_and_nothing_else_is() {
        let own = LocalModule { sha256: hex(b"wasm"), bytes: b"wasm".as_slice().into() };
        let router = router(Arc::new(ModuleCache::new(&own)), Arc::default());
        let server = Server::start(([127, 0, 0, 1], 0).into(), None, router, Limits::default());
        let server = server.await.unwrap();
        let addr = server.addr;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (right, etag) = (path(&own.sha256), format!("\"{}\"", own.sha256));
        let wrong = path(&hex(b"other"));
        for (why, method, path, known, status, body) in [
            ("ours", Method::GET, right.as_str(), "", 200, "wasm"),
            ("asked whether it is there", Method::HEAD, &right, "", 200, ""),
            ("had already", Method::GET, &right, etag.as_str(), 304, ""),
            ("had another", Method::GET, &right, "\"0\"", 200, "wasm"),
            (
                "another replica's, for which an agent is to ask again",
                Method::GET,
                &wrong,
                "",
                503,
                "this replica does not have that module: ask again\n",
            ),
            (
                "no module's name",
                Method::GET,
                "/filter.wasm",
                "",
                404,
                "there is no such module here\n",
            ),
            ("not to be changed", Method::POST, &right, "", 405, ""),
        ] {
            let mut request = Request::builder().method(method).uri(format!("http://{addr}{path}"));
            if !known.is_empty() {
                request = request.header(IF_NONE_MATCH, known);
            }
            let request = request.body(Full::<Bytes>::default()).unwrap();
            let answer = client.request(request).await.unwrap();
            assert_eq!(answer.status(), status, "{why}");
            let closes = answer.headers().get(CONNECTION).is_some_and(|value| value == "close");
            assert_eq!(closes, status == 503, "{why}");
            if status == 200 {
                assert_eq!(answer.headers()["content-type"], "application/wasm", "{why}");
                assert_eq!(answer.headers()["content-length"], "4", "{why}");
                assert_eq!(answer.headers()["etag"], etag, "{why}");
            }
            let bytes = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(bytes, body, "{why}");
        }
        drop(client);
        server.stop().await;
    }
}
