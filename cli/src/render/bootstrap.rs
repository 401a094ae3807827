//! Bootstrap: the pieces of a static bootstrap of Envoy that run the policies.

use std::path::Path;

use corsward_operator_core::bundle::{BUNDLE_NAME, Bundle};
use corsward_operator_core::publish::ecds::{self, EnvoyModule, Shell};
use corsward_policy::wire::OnInvalid;
use serde_json::Value;

/// The labels of the filter's metrics.
const STATS_CONFIG: &str = include_str!("../../../docs/stats-tags.yaml");

/// The names of a native filter's metrics, whose labels are native: without this flag `envoy_dynamicmodulescustom_` is before them.
const LAYERED_RUNTIME: &str = "\
layered_runtime:
  layers:
  - name: corsward
    static_layer:
      envoy.reloadable_features.dynamic_modules_strip_custom_stat_prefix: true
";

/// The filter with the policies, and the labels of its metrics. With `watch`, the policies are the default of a filter that reads others
/// from that file.
pub(super) fn pieces(bundle: &Bundle, module: &EnvoyModule, watch: Option<&Path>) -> String {
    // There is no configuration behind this one: a filter that cannot use it does nothing.
    let filter = |indent| ecds::typed_config(bundle, module, OnInvalid::Keep, indent);
    let source = match watch {
        None => format!("  typed_config:\n{}", filter(4)),
        Some(file) => {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            let [file, folder] = [file, folder.unwrap_or(Path::new("."))].map(quoted);
            format!(
                r"  config_discovery:
    config_source:
      path_config_source:
        path: {file}
        # Envoy reads the file after a rename in this folder.
        watched_directory:
          path: {folder}
    type_urls:
    - {}
    # In force until the file holds a usable resource.
    apply_default_config_without_warming: true
    default_config:
{}",
                module.shell.type_url(),
                filter(6)
            )
        }
    };
    let metrics = match module.shell {
        Shell::Wasm => STATS_CONFIG,
        Shell::Native => LAYERED_RUNTIME,
    };
    format!(
        "# The first entry of `http_filters` of an HTTP connection manager: the answers of all filters behind it get their headers too.\n\
         http_filters:\n\
         - name: {BUNDLE_NAME}\n\
         {source}\
         {metrics}"
    )
}

/// A JSON string is a YAML string.
fn quoted(path: &Path) -> String {
    Value::from(path.to_string_lossy()).to_string()
}
