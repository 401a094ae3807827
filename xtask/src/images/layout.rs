//! An image of the filter's module in an OCI image layout: what `skopeo`, `crane` and `oras` push as it is.
//!
//! It is the "compat" variant of the Wasm image specification: an ordinary image with `plugin.wasm` in its last layer. Every registry
//! takes it, and Istio's agent looks for it first. One manifest and no index: the agent would compare the digest of an index in a URL with
//! that of the manifest it chose, and refuse.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tar::Builder;

use super::layer::Layer;
use crate::tar_gz;

/// The manifest of an image.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A layer of an image.
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// The media type of an image's configuration.
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The files of a layout, by their path in it.
pub(super) struct Layout {
    files: Vec<(String, Vec<u8>)>,
    digest: String,
}

// === impl Layout ===

impl Layout {
    /// The layout of the image that holds `module`: always the same bytes for the same module and version.
    pub(super) fn of(module: &[u8], version: &str) -> Result<Self> {
        let layer = Layer::of(module)?;
        let config = text(&json!({
            // Nothing runs in it. A platform is asked for, and this is the one that registries' clients take where they must choose.
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [digest_of(&layer.unpacked)] },
        }))?;
        let manifest = text(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": [descriptor(LAYER, &layer.packed)],
            "annotations": {
                "module.wasm.image/variant": "compat",
                "org.opencontainers.image.title": "corsward-filter",
                "org.opencontainers.image.description": "CORS, once, in the proxy: the proxy-wasm filter",
                "org.opencontainers.image.licenses": "Apache-2.0",
                "org.opencontainers.image.version": version,
            },
        }))?;
        let mut listed = descriptor(MANIFEST, &manifest);
        listed["annotations"] = json!({ "org.opencontainers.image.ref.name": version });
        let index = text(&json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [listed],
        }))?;
        let digest = digest_of(&manifest);
        let mut files = vec![
            ("oci-layout".to_owned(), text(&json!({ "imageLayoutVersion": "1.0.0" }))?),
            ("index.json".to_owned(), index),
        ];
        files.extend(
            [config, layer.packed, manifest].map(|blob| (blob_path(&digest_of(&blob)), blob)),
        );
        Ok(Self { files, digest })
    }

    /// The digest of the manifest: what names the image in a registry.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Writes it as a folder, in the place of what was there.
    pub(super) fn write(&self, place: &Path) -> Result<()> {
        if place.exists() {
            fs::remove_dir_all(place)
                .with_context(|| format!("cannot replace {}", place.display()))?;
        }
        for (path, bytes) in &self.files {
            let file = place.join(path);
            fs::create_dir_all(file.parent().unwrap_or(place))?;
            fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }

    /// Writes it as one archive.
    pub(super) fn archive(&self, place: impl Write) -> Result<()> {
        let mut archive = Builder::new(place);
        for (path, bytes) in &self.files {
            tar_gz::append(&mut archive, path, 0o644, bytes)?;
        }
        archive.finish()?;
        Ok(())
    }
}

/// `sha256:` and the digest of some bytes.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", tar_gz::sha256(bytes))
}

/// The path of the blob with this digest in a layout.
pub(super) fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len() })
}

/// The value as text, independent of the features of `serde_json` that order keys.
fn text(value: &Value) -> Result<Vec<u8>> {
    let mut value = value.clone();
    value.sort_all_objects();
    Ok(serde_json::to_vec(&value)?)
}
