//! The commands that print and exit.

use std::fs;
use std::path::Path;

use crate::harness::corsward;

#[test]
fn the_committed_definitions_are_what_the_binary_prints() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let committed = ["clustercorspolicies", "corspolicies", "originsets"]
        .map(|name| fs::read_to_string(repository.join(format!("crds/{name}.yaml"))).unwrap());
    let printed = corsward(&["crd"], "").out;
    let stale = "out of date: run `cargo xtask generate` and commit the change";
    assert!(committed.join("---\n") == printed, "{stale}");
}

#[test]
fn help_and_completions_are_there() {
    let help = corsward(&["--help"], "").out;
    assert!(help.contains("corsward-operator run --source dir:policies"), "{help}");
    let completions = corsward(&["completions", "bash"], "").out;
    assert!(completions.contains("corsward-operator"));
}

#[test]
fn a_module_that_envoy_cannot_load_from_a_file_is_refused() {
    let image = format!("oci://registry.example/corsward@sha256:{}", "0".repeat(64));
    let folder = ["--source", "dir:policies", "--publish", "file:out"];
    let cluster = ["--source", "kube", "--publish", "configmap"];
    for (way, filter) in [(folder, "native"), (folder, "wasm"), (cluster, "native")] {
        for module in [&image, "http://modules.example/filter.wasm"] {
            let args = [&["run"], &way[..], &["--filter", filter, "--module", module]].concat();
            let ended = corsward(&args, "");
            assert!(
                ended.err.contains("--module: Envoy loads the module from a file"),
                "{}",
                ended.err
            );
            assert_eq!(ended.code, Some(2), "{args:?}");
        }
    }
}
