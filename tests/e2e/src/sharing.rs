//! Sharing: the policy that most scenarios apply, and what is seen of it.

use anyhow::{Result, ensure};
use corsward_test_harness::cluster::socks_proxy::{ALLOW_ORIGIN, SocksProxy, header};
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};

/// The origin that policies allow.
pub(crate) const SHOP: &str = "https://shop.example";

/// One that none allows.
pub(crate) const STRANGER: &str = "https://stranger.example";

/// A policy for the pods with the label `app`: pages of these origins may read, and `PUT`.
pub(crate) fn allowing(app: &str, origins: &[&str]) -> Value {
    json!({
        "selector": { "matchLabels": { "app": app } },
        "cors": { "allowOrigins": origins, "allowMethods": ["PUT"] },
    })
}

/// Waits until pages of `origin` may read what a host answers.
pub(crate) fn wait_for_shared(socks_proxy: SocksProxy, host: &str, origin: &str) -> Result<()> {
    eventually(&format!("what {host} shares with {origin}"), || {
        let shared = shared(socks_proxy, host, origin)?;
        ensure!(shared.as_deref() == Some(origin), "it shares with {shared:?}");
        Ok(Some(()))
    })
}

/// Waits until no policy is kept there any more.
pub(crate) fn wait_for_unshared(socks_proxy: SocksProxy, host: &str, origin: &str) -> Result<()> {
    eventually(&format!("{host} to share with nobody"), || {
        Ok(shared(socks_proxy, host, origin)?.is_none())
    })
}

/// With whom a host shares what a page of `origin` gets.
fn shared(socks_proxy: SocksProxy, host: &str, origin: &str) -> Result<Option<String>> {
    header(&socks_proxy.get(host, "/", Some(origin))?, ALLOW_ORIGIN)
}
