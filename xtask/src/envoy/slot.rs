//! A place in the filter chain whose content comes from a discovery file (ECDS).

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::plugin::{NAME, Plugin};

/// An HTTP filter that Envoy reads from a file and swaps without closing a connection.
///
/// Envoy refuses to start while the file does not exist at all: publish something first, be it
/// [`Slot::publish_default`].
#[derive(Clone, Debug)]
pub struct Slot {
    name: String,
    directory: PathBuf,
    plugin: Plugin,
    has_default: bool,
}

// === impl Slot ===

impl Slot {
    /// Filled from `directory/corsward.yaml`, by filters of the same shell as `default`; until that exists, `default` runs.
    pub fn new(directory: &Path, default: Plugin) -> Self {
        let directory = directory.into();
        Self { name: NAME.into(), directory, plugin: default, has_default: true }
    }

    /// Sets a resource name of its own, read from a file of its own.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Without anything to run before the first good configuration, as Istio has it.
    pub fn without_default(mut self) -> Self {
        self.has_default = false;
        self
    }

    /// The file that Envoy reads.
    pub fn file(&self) -> PathBuf {
        self.directory.join(format!("{}.yaml", self.name))
    }

    /// Puts what runs by default into the file, so that Envoy can start before anything else is
    /// published.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be written.
    pub fn publish_default(&self) -> std::io::Result<()> {
        if self.has_default { self.publish(&self.plugin, "default") } else { Ok(()) }
    }

    /// Puts `plugin` into the file as publishers do: written beside it and renamed.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be written.
    pub fn publish(&self, plugin: &Plugin, version: &str) -> std::io::Result<()> {
        self.publish_text(&format!("{:#}\n", plugin.discovery_response(&self.name, version)))
    }

    /// Puts any text into the file, renamed into place.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be written.
    pub fn publish_text(&self, text: &str) -> std::io::Result<()> {
        let written = self.directory.join(format!(".{}.new", self.name));
        std::fs::write(&written, text)?;
        std::fs::rename(written, self.file())
    }

    /// The HTTP filter for a listener.
    pub fn http_filter(&self) -> Value {
        let mut discovery = json!({
            "config_source": {
                "path_config_source": {
                    "path": self.file(),
                    "watched_directory": { "path": self.directory },
                },
            },
            "type_urls": [self.plugin.shell().type_url()],
        });
        if self.has_default {
            discovery["default_config"] = self.plugin.typed_config();
            discovery["apply_default_config_without_warming"] = json!(true);
        }
        json!({ "name": self.name, "config_discovery": discovery })
    }
}
