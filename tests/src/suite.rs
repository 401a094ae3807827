//! Suite: policies that live together in one proxy, and the cases that try them.

mod corpus;
mod vectors;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use corsward_test_harness::case::Case;
use serde_json::Value;

/// A file of policies and cases.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The file's name without its ending.
    pub name: String,
    /// Its `CorsPolicy` objects.
    pub policies: Vec<Value>,
    /// Its cases.
    pub cases: Vec<Case>,
    /// Whether its policies cover hosts of others, so that no other suite may be in the same proxy.
    pub alone: bool,
}

// === impl Suite ===

impl Suite {
    /// Every suite of this repository.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or is no suite.
    pub fn all() -> Result<Vec<Self>> {
        let mut suites = Vec::new();
        for file in files("vectors", "json")? {
            suites.push(read(&file, vectors::parse)?);
        }
        for file in files("corpus", "toml")? {
            suites.push(read(&file, corpus::parse)?);
        }
        Ok(suites)
    }

    /// The suites in groups that fit into one proxy each: the sociable ones together, the others alone.
    pub fn groups(suites: &[Self]) -> Vec<Vec<&Self>> {
        let (alone, together): (Vec<&Self>, Vec<&Self>) =
            suites.iter().partition(|suite| suite.alone);
        std::iter::once(together).chain(alone.into_iter().map(|suite| vec![suite])).collect()
    }
}

/// The cases that a machine cannot run, with the reason.
///
/// # Errors
///
/// Fails if its file cannot be read, or is none.
pub fn skips(machine: &str) -> Result<BTreeMap<String, String>> {
    let file = folder().join("skips").join(format!("{machine}.toml"));
    let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", file.display()))
}

/// The folder of the tests.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(directory: &str, ending: &str) -> Result<Vec<PathBuf>> {
    let directory = folder().join(directory);
    let mut files = Vec::new();
    for entry in
        fs::read_dir(&directory).with_context(|| format!("read {}", directory.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path, parse: impl FnOnce(&str, &str) -> Result<Suite>) -> Result<Suite> {
    let name = file.file_stem().and_then(|stem| stem.to_str()).context("a file has a name")?;
    let text = fs::read_to_string(file)?;
    let suite = parse(name, &text).with_context(|| format!("in {}", file.display()))?;
    let mut names: Vec<&str> = suite.cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        ensure!(pair[0] != pair[1], "{}: two cases are called `{}`", file.display(), pair[0]);
    }
    Ok(suite)
}
