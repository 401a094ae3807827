//! Bundles for tests.

use std::sync::Arc;

use crate::bundle::{Bundle, BundleKey};
use crate::filter_module::Module;
use crate::publish::istio::IstioKind;
use crate::publish::output::Output;
use crate::targets::TargetProxies;

/// The pods of the namespace `shop` with these labels.
pub fn workloads(labels: &[(&str, &str)]) -> BundleKey {
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    BundleKey::new("shop", TargetProxies::Workloads(Arc::new(labels)))
}

/// A Gateway of the namespace `shop`.
pub fn gateway(name: &str) -> BundleKey {
    BundleKey::new("shop", TargetProxies::Gateway(name.into()))
}

/// A bundle of these bytes.
pub fn bundle(key: &BundleKey, compiled: &str) -> Arc<Bundle> {
    Arc::new(Bundle::new(key.clone(), compiled.into()))
}

/// A module.
pub fn module() -> Module {
    let sha256 = "0".repeat(64);
    let url = format!("http://corsward.corsward-system.svc:80/filter-{sha256}.wasm");
    Module { url, sha256 }
}

/// The kind `WasmPlugin`.
pub fn wasm_plugins() -> Output {
    Output::Istio { kind: IstioKind::WasmPlugin, module: module() }
}
