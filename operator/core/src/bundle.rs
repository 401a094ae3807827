//! Bundle: a set of proxies, the configuration that all of them get, and the bound on its size.

mod bundles;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use corsward_policy::wire::DecodeError;
use corsward_policy::{Finding, PolicyId};
use sha2::{Digest as _, Sha256};

pub use self::bundles::Bundles;
use crate::finding::SizeReason;
use crate::targets::TargetProxies;

/// The name of the one bundle of a place, and of the filter in every proxy.
pub const BUNDLE_NAME: &str = "corsward";
/// Hexadecimal digits of the digest of a bundle's labels in its name.
const NAME_DIGITS: usize = 10;
/// Configuration of one bundle beyond which a warning is due: proxies parse it on every thread.
pub const WARN_LEN: usize = 256 * 1024;
/// Largest configuration of one bundle: what etcd and a `ConfigMap` hold.
pub const MAX_LEN: usize = 1024 * 1024;
/// Most policies of a large bundle that a message names.
const MAX_NAMED: usize = 3;

/// The proxies of a bundle, and its name: a different set of proxies is a different object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BundleKey {
    /// All proxies of one place, without a namespace.
    All,
    /// These proxies of a namespace.
    Of {
        /// The namespace.
        namespace: String,
        /// The proxies.
        proxies: TargetProxies,
    },
}

/// A set of proxies, and the configuration that all of them get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Its proxies.
    pub key: BundleKey,
    /// The compiled policies, as text.
    pub compiled: Arc<str>,
    /// The digest of `compiled`: `sha256:` and 64 hexadecimal digits.
    pub digest: Arc<str>,
}

/// The desired bundles: all of them, each time, and so cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// The bundles that proxies should have.
    pub bundles: Bundles,
    /// Bundles that a regrouping replaces, or that hold no policy any more. Each one carries what replaces it, and is deleted after the grace
    /// period.
    pub retiring: Bundles,
    /// Namespaces with a bundle that must not be published, not even as it is in force: no object of them is deleted.
    pub frozen: BTreeSet<String>,
}

/// A publisher's report on one bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishStatus {
    /// The bundle.
    pub key: BundleKey,
    /// The digest of what is published, and nothing where nothing is.
    pub digest: Option<Arc<str>>,
    /// The error that keeps the desired state from being published; it is retried.
    pub error: Option<String>,
}

// === impl BundleKey ===

impl BundleKey {
    /// These proxies of a namespace.
    pub fn new(namespace: &str, proxies: TargetProxies) -> Self {
        Self::Of { namespace: namespace.to_owned(), proxies }
    }

    /// The name of the object that holds it: `corsward` for a whole namespace, else with a suffix for the set of proxies.
    pub fn object_name(&self) -> String {
        match self.proxies() {
            None => BUNDLE_NAME.to_owned(),
            Some(TargetProxies::Workloads(labels)) if labels.is_empty() => BUNDLE_NAME.to_owned(),
            Some(TargetProxies::Workloads(labels)) => {
                let mut text = String::new();
                for (name, value) in &**labels {
                    let _ = writeln!(text, "{name}={value}");
                }
                format!("{BUNDLE_NAME}-{}", short(&text))
            }
            Some(TargetProxies::Gateway(name)) => format!("{BUNDLE_NAME}-gateway-{}", short(name)),
        }
    }

    /// The namespace of its proxies; none for all proxies of one place.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Of { namespace, .. } => Some(namespace),
        }
    }

    /// The proxies of that namespace.
    pub fn proxies(&self) -> Option<&TargetProxies> {
        match self {
            Self::All => None,
            Self::Of { proxies, .. } => Some(proxies),
        }
    }
}

impl fmt::Display for BundleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace() {
            Some(namespace) => write!(f, "{namespace}/{}", self.object_name()),
            None => f.write_str(&self.object_name()),
        }
    }
}

// === impl Bundle ===

impl Bundle {
    /// The bundle that holds `compiled`.
    pub fn new(key: BundleKey, compiled: String) -> Self {
        Self { key, digest: digest(&compiled).into(), compiled: compiled.into() }
    }
}

/// `sha256:` and the hexadecimal digest of a text.
pub(crate) fn digest(text: &str) -> String {
    format!("sha256:{}", hex(text.as_bytes()))
}

fn short(text: &str) -> String {
    let mut hex = hex(text.as_bytes());
    hex.truncate(NAME_DIGITS);
    hex
}

/// The SHA-256 of `bytes`, in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digits = |byte: u8| [byte >> 4, byte & 0xf];
    let digits = Sha256::digest(bytes).into_iter().flat_map(digits);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The reason why the bundle of these policies must not be published: its size, or that a filter would refuse it. Each policy is with its
/// compiled length alone.
pub fn hold(
    bundle: &Bundle,
    refusal: Option<&DecodeError>,
    policies: &[(usize, &PolicyId)],
) -> Option<String> {
    let len = bundle.compiled.len();
    if len > MAX_LEN {
        let largest = largest(policies).into_iter().map(|id| id.to_string());
        let largest = largest.collect::<Vec<_>>().join(", ");
        return Some(format!(
            "the policies of one proxy make {len} bytes, and {MAX_LEN} can be published: shorten or split {largest}"
        ));
    }
    refusal.map(|error| format!("the filter would refuse the configuration: {error}"))
}

/// The findings about a large bundle, by policy. Each policy is with its compiled length alone.
pub(crate) fn large(
    bundle: &Bundle,
    policies: &[(usize, &PolicyId)],
) -> BTreeMap<PolicyId, Finding> {
    let len = bundle.compiled.len();
    if len <= WARN_LEN {
        return BTreeMap::new();
    }
    let finding = Finding::new("spec", SizeReason::Large { len, max: MAX_LEN });
    largest(policies).into_iter().map(|id| (id, finding.clone())).collect()
}

/// Is it about the size of a bundle?
pub(crate) fn is_about_size(finding: &Finding) -> bool {
    matches!(finding.reason.downcast_ref(), Some(SizeReason::Large { .. }))
}

/// The policies to split: the largest, and a few more if they are nearly as large.
fn largest(policies: &[(usize, &PolicyId)]) -> Vec<PolicyId> {
    let mut sized = policies.to_vec();
    sized.sort_by(|(a, x), (b, y)| b.cmp(a).then(x.cmp(y)));
    let worth_naming = sized.first().map_or(0, |(largest, _)| largest / 2);
    let named = sized.into_iter().take(MAX_NAMED).take_while(|(len, _)| *len >= worth_naming);
    named.map(|(_, id)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_named_after_its_set_of_proxies() {
        let workloads = |labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            BundleKey::new("shop", TargetProxies::Workloads(Arc::new(labels.collect())))
        };
        assert_eq!(workloads(&[]).to_string(), "shop/corsward");
        let (a, b) = (workloads(&[("app", "api")]), workloads(&[("app", "web")]));
        assert_ne!(a.object_name(), b.object_name());
        assert_eq!(a.object_name().len(), "corsward-".len() + NAME_DIGITS);
        assert_eq!(BundleKey::All.to_string(), "corsward");
    }

    #[test]
    fn a_digest_is_that_of_the_bytes() {
        let bundle = Bundle::new(BundleKey::All, "abc".to_owned());
        assert_eq!(
            &*bundle.digest,
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
