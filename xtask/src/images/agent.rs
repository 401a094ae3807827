//! The checks of Istio's agent for an image: those of its `pkg/wasm/imagefetcher.go`, for an image of this kind, and beneath them those of
//! any client of a registry, which compares every blob with its digest.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use serde_json::Value;
use tar::Archive;

use super::layer::FILE;
use super::layout::{CONFIG, LAYER, MANIFEST, blob_path, digest_of};

/// Largest unpacked module that the agent reads: its `MaxWasmBinarySizeBytes`.
const LARGEST: u64 = 256 * 1024 * 1024;

/// The module that the agent would take from the one image of a layout.
///
/// # Errors
///
/// With the reason why it would not.
pub(super) fn fetch(layout: &Path) -> Result<Vec<u8>> {
    let version = json(&read(layout, "oci-layout")?)?;
    ensure!(version["imageLayoutVersion"] == "1.0.0", "oci-layout says {version}");
    let index = json(&read(layout, "index.json")?)?;
    let [image] = index["manifests"].as_array().context("an index lists manifests")?.as_slice()
    else {
        bail!("the layout holds more than one image, or none");
    };
    let manifest = json(&blob(layout, image, MANIFEST)?)?;
    // The agent treats Docker's manifests another way.
    ensure!(manifest["mediaType"] == MANIFEST, "the manifest says it is {}", manifest["mediaType"]);
    let layers = manifest["layers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let last = layers.last().context("number of layers must be greater than zero")?;
    let packed = blob(layout, last, LAYER)?;
    let mut unpacked = Vec::new();
    GzDecoder::new(&*packed).take(LARGEST).read_to_end(&mut unpacked)?;

    let config = json(&blob(layout, &manifest["config"], CONFIG)?)?;
    let contents = config["rootfs"]["diff_ids"].as_array().map(Vec::as_slice).unwrap_or_default();
    ensure!(contents.len() == layers.len(), "the config lists {} layers", contents.len());
    ensure!(
        contents.last() == Some(&Value::from(digest_of(&unpacked))),
        "the config lists another layer"
    );
    plugin(&unpacked)
}

/// The first file of an archive with the name that the agent expects, in any folder.
fn plugin(archive: &[u8]) -> Result<Vec<u8>> {
    for entry in Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.path()?.file_name().is_some_and(|name| name == FILE) {
            let mut module = Vec::new();
            entry.read_to_end(&mut module)?;
            return Ok(module);
        }
    }
    bail!("{FILE} not found in the archive")
}

/// The bytes that a descriptor names, if they are what it says.
fn blob(layout: &Path, descriptor: &Value, media_type: &str) -> Result<Vec<u8>> {
    let said = &descriptor["mediaType"];
    ensure!(said == media_type, "invalid media type {said} (expect {media_type})");
    let digest = descriptor["digest"].as_str().context("a descriptor has a digest")?;
    let bytes = read(layout, &blob_path(digest))?;
    ensure!(digest_of(&bytes) == digest, "{digest} has another content");
    ensure!(descriptor["size"] == bytes.len(), "{digest} has another size");
    Ok(bytes)
}

fn read(layout: &Path, file: &str) -> Result<Vec<u8>> {
    fs::read(layout.join(file)).with_context(|| format!("the layout has no {file}"))
}

fn json(bytes: &[u8]) -> Result<Value> {
    Ok(serde_json::from_slice(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::layout::Layout;
    use std::path::PathBuf;
    use tempfile::TempDir;

    const MODULE: &[u8] = b"\0asm\x01\0\0\0 and what a module holds";

    fn written() -> (TempDir, Layout) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::of(MODULE, "1.2.3").unwrap();
        layout.write(folder.path()).unwrap();
        (folder, layout)
    }

    /// The blob of a layout whose text contains `part`.
    fn blob_with(layout: &Path, part: &[u8]) -> PathBuf {
        let blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap();
        let mut files = blobs.map(|entry| entry.unwrap().path());
        let holds = |file: &PathBuf| fs::read(file).unwrap().windows(part.len()).any(|w| w == part);
        files.find(holds).unwrap()
    }

    #[test]
    fn the_agent_takes_the_module_out_again() {
        let (folder, layout) = written();
        assert_eq!(fetch(folder.path()).unwrap(), MODULE);
        let manifest = read(folder.path(), &blob_path(layout.digest())).unwrap();
        assert_eq!(digest_of(&manifest), layout.digest());
        assert_eq!(json(&manifest).unwrap()["annotations"]["module.wasm.image/variant"], "compat");
        // Written again over itself: nothing of before is left.
        layout.write(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path().join("blobs/sha256")).unwrap().count(), 3);
    }

    #[test]
    fn the_same_module_has_the_same_digest_and_another_one_another() {
        let digest = |module: &[u8]| Layout::of(module, "1.2.3").unwrap().digest().to_owned();
        assert_eq!(digest(MODULE), digest(MODULE));
        assert_ne!(digest(MODULE), digest(b"another"));
        // Bytes that registries hold: a change of how they are made is a change of every digest.
        assert_eq!(
            digest(MODULE),
            "sha256:6b022759794bc87e54f5da294786c32667176f152544dc3d973de78892183f33"
        );
    }

    #[test]
    fn the_archive_is_the_folder() {
        let (folder, layout) = written();
        let mut bytes = Vec::new();
        layout.archive(&mut bytes).unwrap();
        let unpacked = tempfile::tempdir().unwrap();
        Archive::new(&*bytes).unpack(unpacked.path()).unwrap();
        assert_eq!(fetch(unpacked.path()).unwrap(), fetch(folder.path()).unwrap());
    }

    #[test]
    fn what_is_not_what_it_says_is_refused() {
        for (why, part, replacement, want) in [
            (
                "a layer that was tampered with",
                &b"\x1f\x8b"[..],
                &b"\x1f\x8c"[..],
                "another content",
            ),
            ("a manifest that was", b"compat", b"edited", "another content"),
            ("a config that was", b"amd64", b"arm64", "another content"),
        ] {
            let (folder, _) = written();
            let file = blob_with(folder.path(), part);
            let mut bytes = fs::read(&file).unwrap();
            let at = bytes.windows(part.len()).position(|window| window == part).unwrap();
            bytes[at..at + part.len()].copy_from_slice(replacement);
            fs::write(&file, bytes).unwrap();
            let refused = fetch(folder.path()).unwrap_err().to_string();
            assert!(refused.contains(want), "{why}: {refused}");
        }
        let (folder, _) = written();
        let index = folder.path().join("index.json");
        let text = fs::read_to_string(&index).unwrap();
        fs::write(&index, text.replace("image.manifest", "artifact.manifest")).unwrap();
        let refused = fetch(folder.path()).unwrap_err().to_string();
        assert!(refused.starts_with("invalid media type"), "{refused}");
    }
}
