//! The ECDS resource: a bundle as Envoy's extension config discovery reads it.

use corsward_policy::wire::{self, Envelope, OnInvalid};
use serde_json::Value;

use crate::bundle::{BUNDLE_NAME, Bundle};

/// The kind of the filter's module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// A WebAssembly module, in a virtual machine of Envoy.
    Wasm,
    /// A dynamic module, in Envoy's own process: Envoy 1.38 and later.
    Native,
}

/// The filter's module, for the Envoys that read the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvoyModule {
    /// Its kind.
    pub shell: Shell,
    /// Its path, as Envoy sees it.
    pub path: String,
}

/// The discovery response that holds the filter with `bundle` as its configuration.
pub fn resource(bundle: &Bundle, module: &EnvoyModule) -> String {
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
pub fn typed_config(
    bundle: &Bundle,
    module: &EnvoyModule,
    on_invalid: OnInvalid,
    indent: usize,
) -> String {
    let Bundle { key: _, compiled, digest } = bundle;
    let (digest, compiled) = (digest.to_string(), compiled.to_string());
    let value = quoted(&Envelope { digest, on_invalid, compiled }.encode());
    let (name, type_url, path) =
        (quoted(BUNDLE_NAME), module.shell.type_url(), quoted(&module.path));
    let filter = match module.shell {
        // One name, root_id and vm_id in every proxy, whatever the version: a VM set costs 32 MiB.
        Shell::Wasm => format!(
            r#""@type": {type_url}
config:
  name: {name}
  root_id: {name}
  failure_policy: FAIL_RELOAD
  vm_config:
    vm_id: {name}
    runtime: envoy.wasm.runtime.v8
    code:
      local:
        filename: {path}
  configuration:
    "@type": type.googleapis.com/google.protobuf.StringValue
    value: {value}
"#
        ),
        // A library with threads of its own cannot be unloaded.
        Shell::Native => format!(
            r#""@type": {type_url}
dynamic_module_config:
  module:
    local:
      filename: {path}
  do_not_close: true
filter_name: {name}
filter_config:
  "@type": type.googleapis.com/google.protobuf.StringValue
  value: {value}
"#
        ),
    };
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
    let values = ["/typed_config/config/configuration/value", "/typed_config/filter_config/value"];
    let value = values.iter().find_map(|at| resource.pointer(at)).and_then(Value::as_str);
    let envelope = value.and_then(|value| Envelope::decode(value.as_bytes()).ok());
    let compiled = envelope.and_then(|envelope| wire::decode(&envelope.compiled).ok());
    compiled.is_some_and(|compiled| compiled.policies().next().is_none())
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

// === impl Shell ===

impl Shell {
    /// The type of the filter's configuration in Envoy.
    pub const fn type_url(self) -> &'static str {
        match self {
            Self::Wasm => "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            Self::Native => {
                "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter"
            }
        }
    }

    /// The name of the module's file beside an Envoy, the same for all versions: a pod has one version for its life, and takes the
    /// resources of the next one.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Wasm => "corsward_filter.wasm",
            Self::Native => "libcorsward.so",
        }
    }
}

// === impl EnvoyModule ===

impl EnvoyModule {
    /// The module of that kind at `path`, by default in `/etc/corsward`.
    pub fn at(shell: Shell, path: Option<&str>) -> Self {
        let default = || format!("/etc/corsward/{}", shell.file_name());
        Self { shell, path: path.map_or_else(default, str::to_owned) }
    }

    /// The module of that kind at a path.
    pub fn new(shell: Shell, path: impl Into<String>) -> Self {
        Self { shell, path: path.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::BundleKey;

    const PATH: &str = "/etc/a \"b\": #c/filter";

    fn filter_of(shell: Shell) -> (Bundle, String) {
        let bundle = Bundle::new(BundleKey::All, "{\"policies\":[]}".to_owned());
        let yaml = resource(&bundle, &EnvoyModule::new(shell, PATH));
        assert!(holds_no_policy(yaml.as_bytes()));
        (bundle, yaml)
    }

    #[track_caller]
    fn assert_is_read(bundle: &Bundle, value: &Value) {
        let envelope = Envelope::decode(value.as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(envelope.compiled, *bundle.compiled);
        assert_eq!(envelope.digest, *bundle.digest);
        assert_eq!(envelope.on_invalid, OnInvalid::Reject);
    }

    #[test]
    fn the_resource_holds_what_the_filter_reads() {
        let (bundle, yaml) = filter_of(Shell::Wasm);
        let resource: Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(resource["version_info"], *bundle.digest);
        let wasm = &resource["resources"][0]["typed_config"]["config"];
        assert_eq!(wasm["vm_config"]["code"]["local"]["filename"], PATH);
        assert_is_read(&bundle, &wasm["configuration"]["value"]);
    }

    #[test]
    fn a_native_filter_has_the_same_configuration() {
        let (bundle, yaml) = filter_of(Shell::Native);
        let resource: Value = serde_saphyr::from_str(&yaml).unwrap();
        let filter = &resource["resources"][0]["typed_config"];
        assert_eq!(filter["@type"], Shell::Native.type_url());
        assert_eq!(filter["dynamic_module_config"]["module"]["local"]["filename"], PATH);
        assert_eq!(filter["dynamic_module_config"]["do_not_close"], true);
        assert_eq!(filter["filter_name"], BUNDLE_NAME);
        assert_is_read(&bundle, &filter["filter_config"]["value"]);
    }
}
