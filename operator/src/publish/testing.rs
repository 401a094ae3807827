//! Bundles for tests.

use std::sync::Arc;

use crate::bundle::{Bundle, BundleKey};
use crate::filter_module::Module;
use crate::publish::istio::IstioKind;
use crate::publish::output::Output;

pub(super) fn workloads(labels: &[(&str, &str)]) -> BundleKey {
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    BundleKey::Workloads { namespace: "shop".into(), labels: Arc::new(labels) }
}

pub(super) fn gateway(name: &str) -> BundleKey {
    BundleKey::Gateway { namespace: "shop".into(), name: name.into() }
}

pub(super) fn bundle(key: &BundleKey, compiled: &str) -> Arc<Bundle> {
    Arc::new(Bundle::new(key.clone(), compiled.into()))
}

pub(super) fn module() -> Module {
    let sha256 = "0".repeat(64);
    let url = format!("http://corsward.corsward-system.svc:80/filter-{sha256}.wasm");
    Module { url, sha256 }
}

pub(super) fn wasm_plugins() -> Output {
    Output::Istio { kind: IstioKind::WasmPlugin, module: module() }
}
