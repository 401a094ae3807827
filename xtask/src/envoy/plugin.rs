//! The filter in a bootstrap: shell, module, identity, configuration.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Name, `root_id` and `vm_id` are this everywhere: one VM per proxy, for every configuration.
pub const NAME: &str = "corsward";

/// An envelope under which the filter does nothing.
pub const INERT: &str = r#"{"v":1,"digest":"","onInvalid":"Keep","compiled":"{\"policies\":[]}"}"#;

/// The kind of a filter's module.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// A WebAssembly module.
    Wasm,
    /// A shared object, which Envoy loads as a dynamic module.
    Native,
}

/// An HTTP filter of a module, with its configuration.
#[derive(Clone, Debug)]
pub struct Plugin {
    shell: Shell,
    module: PathBuf,
    name: String,
    failure_policy: &'static str,
    configuration: String,
}

// === impl Shell ===

impl Shell {
    /// The kind of the module in a file: what ends in `.so` is a shared object.
    pub fn of(module: &Path) -> Self {
        match module.extension() {
            Some(extension) if extension == "so" => Self::Native,
            _ => Self::Wasm,
        }
    }

    /// The operator's word for it, after `--filter`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Native => "native",
        }
    }

    /// The type of the filter's configuration.
    pub(super) const fn type_url(self) -> &'static str {
        match self {
            Self::Wasm => "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            Self::Native => {
                "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter"
            }
        }
    }

    /// The name of a metric without labels in Envoy, such as `config.digest`.
    pub fn stat(self, name: &str) -> String {
        let namespace = match self {
            Self::Wasm => "wasmcustom",
            Self::Native => "dynamicmodulescustom",
        };
        format!("{namespace}.corsward.{name}")
    }
}

// === impl Plugin ===

impl Plugin {
    /// The module at `module`, configured to do nothing.
    pub fn new(module: &Path) -> Self {
        Self {
            shell: Shell::of(module),
            module: module.into(),
            name: NAME.into(),
            // A trap gets a fresh VM with the next request instead of a dead worker.
            failure_policy: "FAIL_RELOAD",
            configuration: INERT.into(),
        }
    }

    /// Gives it a name, root id and VM of its own.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets a failure policy other than `FAIL_RELOAD`: the treatment of requests after a VM has died.
    pub fn failing(mut self, policy: &'static str) -> Self {
        self.failure_policy = policy;
        self
    }

    /// With the text that the plugin receives, usually an envelope.
    pub fn configured(mut self, configuration: impl Into<String>) -> Self {
        self.configuration = configuration.into();
        self
    }

    /// A static HTTP filter: no discovery, the configuration is in the bootstrap.
    pub fn http_filter(&self) -> Value {
        json!({ "name": self.name, "typed_config": self.typed_config() })
    }

    /// The content of a discovery file that delivers it under `resource`.
    pub fn discovery_response(&self, resource: &str, version: &str) -> Value {
        json!({
            "version_info": version,
            "resources": [{
                "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                "name": resource,
                "typed_config": self.typed_config(),
            }],
        })
    }

    /// The kind of its module.
    pub fn shell(&self) -> Shell {
        self.shell
    }

    pub(super) fn typed_config(&self) -> Value {
        let configuration = json!({
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": self.configuration,
        });
        match self.shell {
            Shell::Wasm => json!({
                "@type": self.shell.type_url(),
                "config": {
                    "name": self.name,
                    "root_id": self.name,
                    "failure_policy": self.failure_policy,
                    "vm_config": {
                        "vm_id": self.name,
                        "runtime": "envoy.wasm.runtime.v8",
                        "code": { "local": { "filename": self.module } },
                    },
                    "configuration": configuration,
                },
            }),
            Shell::Native => json!({
                "@type": self.shell.type_url(),
                "dynamic_module_config": {
                    "module": { "local": { "filename": self.module } },
                    // An object of the Rust library cannot be unloaded: its threads may have destructors to run.
                    "do_not_close": true,
                },
                "filter_name": self.name,
                "filter_config": configuration,
            }),
        }
    }
}
