//! The manifest of krew, the manager of kubectl's plugins: `kubectl krew install cors`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{VERSION, name};
use crate::arch::Arch;
use crate::{build, tar_gz};

/// The name of the plugin: `kubectl cors`.
const PLUGIN: &str = "cors";

/// Writes the manifest for the archives of `folder`, which users fetch from below `url`, into that folder. Says where it is.
///
/// # Errors
///
/// Fails if there is no archive, or `url` is none of the web.
pub fn write(folder: &Path, url: &str) -> Result<PathBuf> {
    ensure!(url.starts_with("https://"), "{url}: krew fetches by https");
    let url = url.trim_end_matches('/');
    let mut platforms = Vec::new();
    for arch in Arch::ALL {
        let file = folder.join(format!("{}.tar.gz", name(arch)));
        if file.exists() {
            platforms.push(platform(arch, &fs::read(&file)?, url));
        }
    }
    ensure!(!platforms.is_empty(), "no archive of {VERSION} in {}", folder.display());
    let file = folder.join(format!("{PLUGIN}.yaml"));
    fs::write(&file, serde_saphyr::to_string(&manifest(&platforms))?)
        .with_context(|| format!("write {}", file.display()))?;
    Ok(file)
}

fn manifest(platforms: &[Value]) -> Value {
    json!({
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": { "name": PLUGIN },
        "spec": {
            "version": format!("v{VERSION}"),
            "shortDescription": "Check, explain, test and compare CORS policies",
            "description":
                "Finds every mistake of CorsPolicy objects with its line and its fix, explains what a browser does with a request and why,\n\
                 runs tests of policies, proves two sets of policies equal or names the requests that they answer differently, translates the\n\
                 CORS settings of other systems, and prints the configuration of proxies.\n",
            "caveats":
                "`kubectl cors` reads files. `doctor`, `collect`, `check --cluster` and `explain --cluster` ask the cluster of the current context,\n\
                 with the rights of your kubeconfig's user. `explain --live URL` asks a server, and `doctor` the registry of the filter's image.\n\
                 Completion: link kubectl-cors as `kubectl_complete-cors` into a folder of the PATH.\n",
            "platforms": platforms,
        },
    })
}

fn platform(arch: Arch, archive: &[u8], url: &str) -> Value {
    let (name, program) = (name(arch), build::COMMAND.name);
    let file = |file: &str| json!({ "from": format!("{name}/{file}"), "to": "." });
    json!({
        "selector": { "matchLabels": { "os": "linux", "arch": arch.name() } },
        "uri": format!("{url}/{name}.tar.gz"),
        "sha256": tar_gz::sha256(archive),
        "files": [file(program), file("LICENSE")],
        "bin": program,
    })
}
