//! Attachments for tests.

use std::sync::Arc;

use crate::attachment::{Attachment, AttachmentKey};
use crate::publish::istio::IstioKind;
use crate::publish::output::{Module, Output};

pub(super) fn workloads(labels: &[(&str, &str)]) -> AttachmentKey {
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    AttachmentKey::Workloads { namespace: "shop".into(), labels: Arc::new(labels) }
}

pub(super) fn gateway(name: &str) -> AttachmentKey {
    AttachmentKey::Gateway { namespace: "shop".into(), name: name.into() }
}

pub(super) fn attachment(key: &AttachmentKey, compiled: &str) -> Arc<Attachment> {
    Arc::new(Attachment::new(key.clone(), compiled.into()))
}

pub(super) fn module() -> Module {
    let sha256 = "0".repeat(64);
    let url = format!("http://corsward.corsward-system.svc:80/filter-{sha256}.wasm");
    Module { url, sha256 }
}

pub(super) fn wasm_plugins() -> Output {
    Output::Istio { kind: IstioKind::WasmPlugin, module: module() }
}
