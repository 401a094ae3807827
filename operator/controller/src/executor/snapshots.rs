//! Snapshots of everything that the operator writes for fixed inputs: published objects with their configuration, statuses, Events, log
//! lines and `/policies`. `tests/snapshots/core` has an input (`NAME.yaml`) and a snapshot (`NAME.snap`) for each situation.

mod coverage;
mod log;
mod situation;
mod world;

use std::fs;
use std::path::PathBuf;

use crate::testing::{snapshot_settings, snapshots};
use situation::Situation;
use world::World;

/// The folder of the inputs and the snapshots.
fn folder() -> PathBuf {
    snapshots("core")
}

/// The names of the situations.
fn situations() -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let inputs = files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    let mut names: Vec<String> =
        inputs.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn what_the_operator_writes_in_each_situation_is_what_it_wrote_before() {
    let mut different = Vec::new();
    for name in situations() {
        let played = World::play(Situation::read(&name));
        let compare = || {
            snapshot_settings("core").bind(|| insta::assert_yaml_snapshot!(name.as_str(), played));
        };
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(compare)).is_err() {
            different.push(name);
        }
    }
    assert!(different.is_empty(), "different: {different:?}; see tests/README.md, \"Snapshots\"");
}
