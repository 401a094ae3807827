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
