//! `ConfigMap`s with an ECDS resource, for Envoys that mount them. None is ever removed: an Envoy keeps the last content of a
//! removed file, so an unwanted one becomes inert. Users may delete it after the pods that mount it.

use serde_json::{Value, json};

use crate::bundle::{Bundle, BundleKey};
use crate::publish::ecds;

/// The one key: the name of the file in the volume.
const FILE: &str = "corsward.yaml";

/// The data of the `ConfigMap` that holds `bundle`, for an Envoy that finds the module at `module`.
pub(super) fn data(bundle: &Bundle, module: &str) -> Value {
    json!({FILE: ecds::resource(bundle, module)})
}

/// The inert bundle.
pub(super) fn inert(key: BundleKey) -> Bundle {
    Bundle::new(key, corsward_policy::wire::encode(&corsward_policy::compile(&[])))
}
