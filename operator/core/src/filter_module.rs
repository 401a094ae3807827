//! Filter module: where proxies fetch the filter, and how its digest names it.

/// The label by which a module's `ConfigMap`, and the plugins that name the module, are known: [`short`] of its digest.
pub const MODULE_LABEL: &str = "corsward.io/module";
/// Hexadecimal digits of a module's digest in names.
const SHORT_DIGEST_LEN: usize = 12;

/// The URL of the filter's module for proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// `http://`, `https://` or `oci://`.
    pub url: String,
    /// The digest that Istio's agent compares with the fetched bytes, 64 hexadecimal digits. By HTTP it is the digest of the
    /// module. Of an image it is the digest of its manifest, which is the one in `oci://…@sha256:…`: the agent never hashes the
    /// module in it (istio.io/istio, `pkg/wasm/cache.go`, `getOrFetch`, and `imagefetcher.go`, `PrepareFetch`).
    pub sha256: String,
}

/// The reason why a text is no module that plugins can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidModule {
    /// An image without a digest, which may change any day.
    #[error(
        "an image is named by its digest: write `oci://REGISTRY/NAME@sha256:` and 64 hexadecimal digits"
    )]
    NoDigest,
    /// A URL or an image, where Envoy loads a file.
    #[error(
        "Envoy loads the module from a file: write the path of the file as Envoy sees it, and no URL or image"
    )]
    NoPath,
}

// === impl Module ===

impl Module {
    /// The module in an image.
    ///
    /// # Errors
    ///
    /// Fails if the image is not named by its digest.
    pub fn image(url: &str) -> Result<Self, InvalidModule> {
        let digest = url.rsplit_once("@sha256:").map(|(_, digest)| digest);
        let sha256 = digest.filter(|digest| is_digest(digest)).ok_or(InvalidModule::NoDigest)?;
        Ok(Self { url: url.to_owned(), sha256: sha256.to_owned() })
    }
}

/// The path of a module's file, as an Envoy that reads a resource sees it.
///
/// # Errors
///
/// Fails for a URL or an image.
pub fn path(text: &str) -> Result<&str, InvalidModule> {
    if text.contains("://") { Err(InvalidModule::NoPath) } else { Ok(text) }
}

/// Is it a SHA-256 digest, in hexadecimal as we and registries write it?
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The short digest in names and labels.
pub fn short(sha256: &str) -> &str {
    sha256.get(..SHORT_DIGEST_LEN).unwrap_or(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_shortened_for_names_and_labels() {
        assert_eq!(short(&"0123456789abcdef".repeat(4)), "0123456789ab");
    }

    #[test]
    fn an_image_is_named_by_its_digest() {
        let sha256 = "0".repeat(64);
        let url = format!("oci://registry.example/corsward:1@sha256:{sha256}");
        assert_eq!(Module::image(&url), Ok(Module { url: url.clone(), sha256 }));
        for url in ["oci://registry.example/corsward:1", "oci://r.example/c@sha256:12"] {
            assert_eq!(Module::image(url), Err(InvalidModule::NoDigest), "{url}");
        }
    }
}
