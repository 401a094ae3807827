//! The module server: the filter's module for proxies to fetch, by its digest, from every replica, for as long as some plugin names it.
//!
//! A replica has one module of its own, in a file. The leader keeps a copy of it in a `ConfigMap`; every replica serves every
//! module it knows, so that a proxy finds the module its plugin names whichever replica of whichever release it asks.

mod cache;
mod readiness;
mod server;
mod store;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use corsward_operator_core::bundle::hex;
use corsward_operator_core::filter_module::Module;
use corsward_operator_core::publish::istio::IstioKind;
use kube::Client;
use tokio::sync::watch;
use tracing::info;

use crate::atomic;
use crate::metrics::Metrics;
use crate::modules::cache::ModuleCache;
use crate::server::{Limits, Server};

/// The longest module: a `ConfigMap` holds 1 MiB, metadata included.
const MAX_MODULE_LEN: u64 = 1_000_000;
/// The port of the Service of module servers.
const PORT: u16 = 80;
/// The first bytes of every wasm module of version 1.
const MAGIC: &[u8] = b"\0asm\x01\0\0\0";

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

/// The module in this replica's file.
#[derive(Clone, Debug)]
struct LocalModule {
    sha256: String,
    bytes: Arc<[u8]>,
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
    let own = LocalModule::read(&file).with_context(|| format!("--module {}", file.display()))?;
    let url = format!("http://{service}.{namespace}.svc:{PORT}{}", path(&own.sha256));
    let module = Module { url, sha256: own.sha256.clone() };
    let cache = Arc::new(ModuleCache::new(&own));
    let router = server::router(Arc::clone(&cache), metrics);
    let server = Server::start(addr, None, router, Limits::default()).await;
    let mut server = server.with_context(|| {
        format!("cannot serve modules at {addr}: choose another by --module-addr")
    })?;
    let addr = server.addr;
    info!(%addr, url = module.url, "module address");
    let (readiness_sender, module_readiness) =
        watch::channel(Some(readiness::NOT_ASKED.to_owned()));
    let (listed_sender, listed) = watch::channel(false);
    // Objects of a kind that was written before name modules, too.
    let plugins = IstioKind::resources();
    let store =
        store::ModuleStore::new(&client, &namespace, &plugins, own, cache, keep, listed_sender);
    server.tasks.spawn("module store", store.run(leading.clone()));
    let servers = readiness::ModuleServers { namespace, service, port: addr.port() };
    let readiness =
        readiness::watch(client, servers, path(&module.sha256), leading, readiness_sender);
    server.tasks.spawn("module readiness", readiness);
    Ok(Modules { module, module_readiness, listed, server })
}

/// Copies a module into a folder; says where it is then. An Envoy that reads it meanwhile reads a whole one.
///
/// # Errors
///
/// Fails if there is no module, or the folder cannot be written.
pub fn copy(module: &Path, folder: &Path) -> Result<PathBuf> {
    let own = LocalModule::read(module).with_context(|| format!("--from {}", module.display()))?;
    let copy = folder.join(module.file_name().unwrap_or_default());
    atomic::write(&copy, &own.bytes).with_context(|| {
        format!("--to {}: the module cannot be written there", folder.display())
    })?;
    Ok(copy)
}

/// The path at which a module is served.
fn path(sha256: &str) -> String {
    format!("/filter-{sha256}.wasm")
}

// === impl LocalModule ===

impl LocalModule {
    fn read(file: &Path) -> Result<Self> {
        let bytes =
            atomic::read(file, MAX_MODULE_LEN).context("cannot read the filter's module")?;
        if !bytes.starts_with(MAGIC) {
            bail!("the file is no wasm module");
        }
        Ok(Self { sha256: hex(&bytes), bytes: bytes.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_that_is_no_module_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("filter.wasm");
        assert!(LocalModule::read(&file).is_err(), "there is none");
        fs::write(&file, "<html>").unwrap();
        let error = format!("{:#}", LocalModule::read(&file).unwrap_err());
        assert_eq!(error, "the file is no wasm module");
        fs::write(&file, MAGIC).unwrap();
        let own = LocalModule::read(&file).unwrap();
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
        assert!(copy(&module, &folder).is_err());
        fs::write(&module, MAGIC).unwrap();
        for why in ["new", "there already"] {
            let copied = copy(&module, &folder).unwrap();
            assert_eq!(copied, folder.join("filter.wasm"), "{why}");
            assert_eq!(fs::read(copied).unwrap(), MAGIC, "{why}");
        }
        assert!(copy(&module, &dir.path().join("nowhere")).is_err());
    }
}
