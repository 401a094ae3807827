//! The module server: the filter's module for proxies to fetch, by its digest, from every replica, for as long as some plugin names it.
//!
//! A replica has one module of its own, in a file. The leader keeps a copy of it in a `ConfigMap`; every replica serves every
//! module it knows, so that a proxy finds the module its plugin names whichever replica of whichever release it asks.

mod cache;
mod readiness;
mod store;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{self, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use corsward_operator_core::bundle::hex;
use corsward_operator_core::filter_module::{Module, is_digest};
use corsward_operator_core::publish::ecds::Shell;
use corsward_operator_core::publish::istio::IstioKind;
use kube::{Api, Client};
use tokio::sync::watch;
use tracing::info;

use crate::atomic;
use crate::error_log::ErrorLog;
use crate::metrics::{Metrics, Outcome};
use crate::modules::cache::ModuleCache;
use crate::modules::readiness::ModuleServers;
use crate::modules::store::ModuleStore;
use crate::server::{Limits, Server};

/// The longest module: a `ConfigMap` holds 1 MiB, metadata included.
const MAX_MODULE_LEN: u64 = 1_000_000;
/// The longest dynamic module.
const MAX_NATIVE_LEN: u64 = 16_000_000;
/// The port of the Service of module servers.
const PORT: u16 = 80;
/// The first bytes of every wasm module of version 1.
const MAGIC: &[u8] = b"\0asm\x01\0\0\0";
/// The first bytes of every shared object of Linux.
const ELF_MAGIC: &[u8] = b"\x7fELF";

/// The content behind a name never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The module's file, and its address for proxies.
#[derive(Clone, Debug)]
pub struct ModuleOptions {
    /// The file with the filter's module.
    pub file: PathBuf,
    /// The operator's own namespace.
    pub namespace: String,
    /// The Service in front of every replica's module server.
    pub service: String,
    /// The address of this replica's server.
    pub addr: SocketAddr,
    /// For how long a module that nothing names is kept.
    pub keep: Duration,
}

/// A module server that runs.
#[derive(Debug)]
pub struct Modules {
    /// The module of this release, as plugins name it.
    pub module: Module,
    /// The reason why plugins cannot name it yet; `None` if they can. Only the leader knows it.
    pub module_readiness: watch::Receiver<Option<String>>,
    /// This replica serves every module that is kept, and not only its own.
    pub listed: watch::Receiver<bool>,
    /// This replica's server.
    pub server: Server,
}

/// A module, under its digest.
#[derive(Clone, Debug)]
struct ServedModule {
    sha256: String,
    bytes: Bytes,
}

/// Serves modules until told to stop.
///
/// # Errors
///
/// Fails if the file holds no module, or the address cannot be served.
pub async fn start(
    client: Client,
    options: ModuleOptions,
    leading: watch::Receiver<bool>,
    metrics: Arc<Metrics>,
) -> Result<Modules> {
    let ModuleOptions { file, namespace, service, addr, keep } = options;
    let bytes = read_module(Shell::Wasm, &file);
    let own = ServedModule::of(bytes.with_context(|| format!("--module {}", file.display()))?);
    let (sha256, path) = (own.sha256.clone(), path(&own.sha256));
    let module = Module { url: format!("http://{service}.{namespace}.svc:{PORT}{path}"), sha256 };
    let cache = Arc::new(ModuleCache::new(own));
    let router = router(Arc::clone(&cache), metrics);
    let failed = || format!("cannot serve modules at {addr}: choose another by --module-addr");
    let server = Server::start(addr, None, router, Limits::DEFAULT).await;
    let mut server = server.with_context(failed)?;
    info!(addr = %server.addr, url = module.url, "module address");
    let maps = Api::namespaced(client.clone(), &namespace);
    // Objects of a kind that was written before name modules, too.
    let plugins = IstioKind::resources().into_iter();
    let plugins = plugins.map(|kind| Api::all_with(client.clone(), &kind)).collect();
    let (listed_sender, listed) = watch::channel(false);
    let store = ModuleStore {
        maps,
        plugins,
        cache,
        keep,
        listed: listed_sender,
        remade: None,
        unnamed: BTreeMap::new(),
        error_log: ErrorLog::default(),
    };
    server.tasks.spawn("module store", store.run(leading.clone()));
    let servers = ModuleServers { namespace, service, port: server.addr.port(), path };
    let (readiness_sender, module_readiness) =
        watch::channel(Some(readiness::NOT_ASKED.to_owned()));
    let readiness = readiness::watch(client, servers, leading, readiness_sender);
    server.tasks.spawn("module readiness", readiness);
    Ok(Modules { module, module_readiness, listed, server })
}

/// Copies a module into a folder; says where it is then. An Envoy that reads it meanwhile reads a whole one. A `link` leads to the copy,
/// under a name that is the same for all versions.
///
/// # Errors
///
/// Fails if there is no module of that kind, or the folder cannot be written.
pub fn copy(shell: Shell, module: &Path, folder: &Path, link: Option<&str>) -> Result<PathBuf> {
    let bytes =
        read_module(shell, module).with_context(|| format!("--from {}", module.display()))?;
    let name = module.file_name().unwrap_or_default();
    let copy = folder.join(name);
    let written = atomic::write(&copy, &bytes).and_then(|()| match link {
        Some(link) if link != name => atomic::link(&folder.join(link), Path::new(name)),
        _ => Ok(()),
    });
    written.with_context(|| {
        format!("--to {}: the module cannot be written there", folder.display())
    })?;
    Ok(copy)
}

fn read_module(shell: Shell, file: &Path) -> Result<Vec<u8>> {
    let (max, magic, kind) = match shell {
        Shell::Wasm => (MAX_MODULE_LEN, MAGIC, "wasm module"),
        Shell::Native => (MAX_NATIVE_LEN, ELF_MAGIC, "shared object"),
    };
    let bytes = atomic::read(file, max).context("cannot read the filter's module")?;
    ensure!(bytes.starts_with(magic), "the file is no {kind}");
    Ok(bytes)
}

/// The path at which a module is served.
fn path(sha256: &str) -> String {
    format!("/filter-{sha256}.wasm")
}

/// The module server's routes.
fn router(cache: Arc<ModuleCache>, metrics: Arc<Metrics>) -> Router {
    // Also HEAD; nothing reads a request's body.
    Router::new().route("/{file}", get(module)).with_state((cache, metrics))
}

async fn module(
    State((cache, metrics)): State<(Arc<ModuleCache>, Arc<Metrics>)>,
    extract::Path(file): extract::Path<String>,
    headers: HeaderMap,
) -> Response {
    let sha256 = file.strip_prefix("filter-").and_then(|rest| rest.strip_suffix(".wasm"));
    let sha256 = sha256.unwrap_or_default();
    let Some(bytes) = cache.get(sha256) else {
        Outcome::NotFound.count(&metrics.module_requests);
        if !is_digest(sha256) {
            return (StatusCode::NOT_FOUND, "there is no such module here\n").into_response();
        }
        // Istio's agent repeats a request after a 503, and gives the filter up after a 404 (istio.io/istio, `pkg/wasm/httpfetcher.go`,
        // `retryable`). Another replica has the module; a connection that stays open would bring every repetition back to this one.
        let words = "this replica does not have that module: ask again\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(CONNECTION, "close")], words).into_response();
    };
    let etag = format!("\"{sha256}\"");
    let has_it =
        headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let about =
        [(ETAG, etag.as_str()), (CACHE_CONTROL, FOR_EVER), (CONTENT_TYPE, "application/wasm")];
    if has_it {
        Outcome::NotModified.count(&metrics.module_requests);
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    Outcome::Served.count(&metrics.module_requests);
    (about, bytes).into_response()
}

// === impl ServedModule ===

impl ServedModule {
    fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { sha256: hex(&bytes), bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{Method, Request};
    use http_body_util::{BodyExt as _, Full};
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    use std::fs;

    #[test]
    fn a_file_that_is_no_module_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("filter.wasm");
        assert!(read_module(Shell::Wasm, &file).is_err(), "there is none");
        fs::write(&file, "<html>").unwrap();
        let error = format!("{:#}", read_module(Shell::Wasm, &file).unwrap_err());
        assert_eq!(error, "the file is no wasm module");
        fs::write(&file, MAGIC).unwrap();
        let own = ServedModule::of(read_module(Shell::Wasm, &file).unwrap());
        // The SHA-256 of the empty module.
        let sha256 = "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476";
        assert_eq!(own.sha256, sha256);
        assert_eq!(path(&own.sha256), format!("/filter-{sha256}.wasm"));
    }

    #[test]
    fn a_module_is_copied_whole_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let (module, folder) = (dir.path().join("filter.wasm"), dir.path().join("to"));
        fs::create_dir(&folder).unwrap();
        fs::write(&module, "<html>").unwrap();
        assert!(copy(Shell::Wasm, &module, &folder, None).is_err());
        fs::write(&module, MAGIC).unwrap();
        assert!(copy(Shell::Native, &module, &folder, None).is_err(), "of the other kind");
        for why in ["new", "there already"] {
            let copied = copy(Shell::Wasm, &module, &folder, None).unwrap();
            assert_eq!(copied, folder.join("filter.wasm"), "{why}");
            assert_eq!(fs::read(copied).unwrap(), MAGIC, "{why}");
        }
        assert!(copy(Shell::Wasm, &module, &dir.path().join("nowhere"), None).is_err());
    }

    #[test]
    fn a_native_module_has_its_version_in_its_name_and_a_link_without_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("to");
        fs::create_dir(&folder).unwrap();
        for version in ["libcorsward-1.so", "libcorsward-2.so"] {
            let module = dir.path().join(version);
            fs::write(&module, [ELF_MAGIC, version.as_bytes()].concat()).unwrap();
            copy(Shell::Native, &module, &folder, Some("libcorsward.so")).unwrap();
            let linked = fs::read(folder.join("libcorsward.so")).unwrap();
            assert_eq!(linked, fs::read(&module).unwrap(), "{version}");
            assert_eq!(fs::read(folder.join(version)).unwrap(), linked, "{version}");
        }
    }

    #[tokio::test]
    async fn a_module_is_served_by_its_digest_and_nothing_else_is() {
        let own = ServedModule::of("wasm");
        let router = router(Arc::new(ModuleCache::new(own.clone())), Arc::default());
        let server = Server::start(([127, 0, 0, 1], 0).into(), None, router, Limits::DEFAULT);
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
