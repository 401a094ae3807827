//! The SOCKS proxy through which the end-to-end tests reach the pods of a cluster.

use std::path::PathBuf;

use anyhow::Result;

use super::go::Module;

/// The program, built once.
///
/// # Errors
///
/// Fails if it cannot be built.
pub fn socks_proxy() -> Result<PathBuf> {
    let sources = "tests/e2e/backends/socks-proxy";
    let package = "corsward.io/tests/e2e/backends/socks-proxy";
    let folder = Module::of_ours("the tests", sources, "a few seconds")?
        .build([("socks-proxy", package)].iter())?;
    Ok(folder.join("socks-proxy"))
}
