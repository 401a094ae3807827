//! The ECDS resource: a bundle as Envoy's extension config discovery reads it.

use corsward_policy::wire::{self, Envelope, OnInvalid};
use serde_json::Value;

use crate::bundle::{BUNDLE_NAME, Bundle};

/// The discovery response that holds the filter with `bundle` as its configuration. `module` is the path of the wasm
/// module as Envoy sees it.
#[must_use]
pub fn resource(bundle: &Bundle, module: &str) -> String {
    let (name, version) = (quoted(BUNDLE_NAME), quoted(&bundle.digest));
    // An Envoy that reads this file has a `default_config` too: refusing is safe.
    let filter = typed_config(bundle, module, OnInvalid::Reject, 4);
    format!(
        r#"# Written by corsward-operator, which writes it anew on every change.
version_info: {version}
resources:
- "@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig
  name: {name}
  typed_config:
{filter}"#
    )
}

/// The filter with `bundle` as its configuration, in lines that begin with `indent` spaces.
#[must_use]
pub fn typed_config(bundle: &Bundle, module: &str, on_invalid: OnInvalid, indent: usize) -> String {
    let Bundle { key: _, compiled, digest } = bundle;
    let (digest, compiled) = (digest.to_string(), compiled.to_string());
    let value = quoted(&Envelope { digest, on_invalid, compiled }.encode());
    // One name, root_id and vm_id in every proxy, whatever the version: a VM set costs 32 MiB.
    let (name, module) = (quoted(BUNDLE_NAME), quoted(module));
    let filter = format!(
        r#""@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
config:
  name: {name}
  root_id: {name}
  failure_policy: FAIL_RELOAD
  vm_config:
    vm_id: {name}
    runtime: envoy.wasm.runtime.v8
    code:
      local:
        filename: {module}
  configuration:
    "@type": type.googleapis.com/google.protobuf.StringValue
    value: {value}
"#
    );
    let lines = filter.lines().map(|line| format!("{:indent$}{line}", ""));
    lines.collect::<Vec<String>>().join("\n") + "\n"
}

/// True for a discovery response whose filters have no policy, or that has no filter.
pub fn holds_no_policy(response: &[u8]) -> bool {
    let Ok(response) = serde_saphyr::from_slice::<Value>(response) else { return false };
    let resources = response.get("resources").and_then(Value::as_array);
    resources.is_some_and(|resources| resources.iter().all(configures_no_policy))
}

fn configures_no_policy(resource: &Value) -> bool {
    let value =
        resource.pointer("/typed_config/config/configuration/value").and_then(Value::as_str);
    let envelope = value.and_then(|value| Envelope::decode(value.as_bytes()).ok());
    let compiled = envelope.and_then(|envelope| wire::decode(&envelope.compiled).ok());
    compiled.is_some_and(|compiled| compiled.policies().next().is_none())
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::BundleKey;

    #[test]
    fn the_resource_holds_what_the_filter_reads() {
        let compiled = "{\"policies\":[]}".to_owned();
        let bundle = Bundle::new(BundleKey::All, compiled);
        let yaml = resource(&bundle, "/etc/a \"b\": #c/filter.wasm");
        let resource: Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(resource["version_info"], *bundle.digest);
        let wasm = &resource["resources"][0]["typed_config"]["config"];
        let code = &wasm["vm_config"]["code"]["local"]["filename"];
        assert_eq!(code, "/etc/a \"b\": #c/filter.wasm");
        let value = wasm["configuration"]["value"].as_str().unwrap();
        let envelope = Envelope::decode(value.as_bytes()).unwrap();
        assert_eq!(envelope.compiled, *bundle.compiled);
        assert_eq!(envelope.digest, *bundle.digest);
        assert_eq!(envelope.on_invalid, OnInvalid::Reject);
    }
}
