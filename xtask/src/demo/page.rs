//! The page of the demo and what it asks the supervisor: which configuration is in force.

use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::api::{self, Arrivals, Call};
use super::stack::Watch;
use crate::paths;

/// The state of the page's server.
pub(super) struct Page {
    /// The API's address, for the page's calls.
    pub(super) api: String,
    /// The same page under a second origin.
    pub(super) stranger: String,
    /// The folder whose policies are in force.
    pub(super) policies: PathBuf,
    /// The calls that reached the API.
    pub(super) arrivals: Arrivals,
    /// The output of operator and Envoy.
    pub(super) watch: Watch,
}

/// The page's own files, read at each request, so that an edit needs only a reload.
fn folder() -> PathBuf {
    paths::root().join("examples/page")
}

/// The page's server.
pub(super) fn router(page: Page) -> Router {
    Router::new()
        .route("/", get(|| async { file("index.html") }))
        .route("/{name}", get(|Path(name): Path<String>| async move { file(&name) }))
        .route("/demo.json", get(places))
        .route("/state.json", get(state))
        .route("/arrived.json", get(arrived))
        .route("/logout", post(log_out))
        .with_state(Arc::new(page))
}

/// A file of the page. A name with a slash never gets here, and `..` is a folder.
fn file(name: &str) -> Response {
    let content_type =
        match FilePath::new(name).extension().and_then(|extension| extension.to_str()) {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("json") => "application/json",
            _ => return StatusCode::NOT_FOUND.into_response(),
        };
    match fs::read(folder().join(name)) {
        Ok(content) => {
            let headers =
                [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-store")];
            (headers, content).into_response()
        }
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn places(State(page): State<Arc<Page>>) -> Response {
    let Page { api, stranger, policies, .. } = &*page;
    answer(&json!({ "api": api, "stranger": stranger, "policies": shown(policies) }))
}

/// The configuration in force, the operator's report about it, and the policies as they are written now.
async fn state(State(page): State<Arc<Page>>) -> Response {
    let asked = Arc::clone(&page);
    let said = tokio::task::spawn_blocking(move || asked.watch.look()).await;
    match said {
        Ok(Ok(seen)) => answer(&json!({
            "inForce": seen.in_force,
            "policies": seen.policies,
            "files": texts(&page.policies),
        })),
        Ok(Err(error)) => (StatusCode::BAD_GATEWAY, format!("{error:#}\n")).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn arrived(State(page): State<Arc<Page>>, Query(Call { call }): Query<Call>) -> Response {
    answer(&json!({ "arrived": call.is_some_and(|call| page.arrivals.contains(&call)) }))
}

/// Expires the cookie that the API's `/login` sets, under any policy.
async fn log_out() -> Response {
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, api::EXPIRED_SESSION)]).into_response()
}

fn answer(value: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, value.to_string()).into_response()
}

/// Name and text of each policy file, by name.
fn texts(policies: &FilePath) -> Vec<Value> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(policies).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "yaml"))
        .filter_map(|file| {
            Some(json!({ "name": shown(file), "text": fs::read_to_string(file).ok()? }))
        })
        .collect()
}

/// A path as a reader in the repository would type it.
pub(super) fn shown(path: &FilePath) -> String {
    path.strip_prefix(paths::root()).unwrap_or(path).display().to_string()
}
