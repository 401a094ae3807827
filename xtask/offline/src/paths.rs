//! Paths of the repository, its targets and the cache.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    let offline = Path::new(env!("CARGO_MANIFEST_DIR"));
    offline.ancestors().nth(2).unwrap_or(offline).to_owned()
}

/// Cargo's output: `target`, or what `CARGO_TARGET_DIR` names.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cache of fetched files: `~/.cache/corsward`, or below `XDG_CACHE_HOME`.
pub fn cache() -> PathBuf {
    let base = env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let home = || env::home_dir().map(|home| home.join(".cache"));
    base.or_else(home).unwrap_or_else(target).join("corsward")
}
