//! The real binary on folders of its own, and how to wait for what it does.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Command;

use corsward_policy::wire::{self, Envelope};
use corsward_test_harness::cluster::Operator;
use corsward_test_harness::command::{CommandOutput, run};
use corsward_test_harness::eventually::eventually;
use serde_json::Value;
use tempfile::TempDir;

/// The folders of one operator; they outlive it.
pub(crate) struct OperatorDirs {
    root: TempDir,
}

/// A running operator, and what it reports of its folder.
pub(crate) struct FolderOperator(Operator);

impl Deref for FolderOperator {
    type Target = Operator;

    fn deref(&self) -> &Operator {
        &self.0
    }
}

impl DerefMut for FolderOperator {
    fn deref_mut(&mut self) -> &mut Operator {
        &mut self.0
    }
}

/// A policy file: `names` may read for `origin`.
pub(crate) fn policy(name: &str, origin: &str) -> String {
    format!(
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: {name}}}\n\
         spec:\n  hostnames: [{name}.shop.example]\n  cors:\n    allowOrigins: ['{origin}']\n"
    )
}

/// Runs the binary to its end.
pub(crate) fn corsward(args: &[&str], input: &str) -> CommandOutput {
    run(command().args(args), input).unwrap()
}

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_corsward-operator"))
}

// === impl OperatorDirs ===

impl OperatorDirs {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("policies")).unwrap();
        fs::write(root.path().join("filter.wasm"), "").unwrap();
        Self { root }
    }

    pub(crate) fn policies(&self) -> PathBuf {
        self.root.path().join("policies")
    }

    pub(crate) fn published_file(&self) -> PathBuf {
        self.root.path().join("envoy/corsward.yaml")
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        self.root.path().join("envoy/corsward.state.json")
    }

    pub(crate) fn state_copy(&self) -> PathBuf {
        self.state_file().with_added_extension("copy")
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.policies().join(file), text).unwrap();
    }

    pub(crate) fn remove(&self, file: &str) {
        fs::remove_file(self.policies().join(file)).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.policies().join(from), self.policies().join(to)).unwrap();
    }

    /// The arguments of `run` here.
    pub(crate) fn args(&self, admin: &str) -> Vec<String> {
        let root = self.root.path().display();
        let args = format!(
            "run --log-format json --admin {admin} --source dir:{root}/policies --publish file:{root}/envoy --module {root}/filter.wasm"
        );
        args.split(' ').map(str::to_owned).collect()
    }

    /// Starts an operator, and waits until it is ready.
    pub(crate) fn start(&self) -> FolderOperator {
        FolderOperator(self.start_unready().0.ready().unwrap())
    }

    /// Starts an operator, and waits until it answers.
    pub(crate) fn start_unready(&self) -> FolderOperator {
        let mut command = command();
        command.args(self.args("127.0.0.1:0"));
        FolderOperator(Operator::spawn("operator", command, None).unwrap())
    }

    /// The digest that is published, and the policies in it.
    pub(crate) fn published(&self) -> (String, Vec<String>) {
        let text = fs::read_to_string(self.published_file()).unwrap();
        let resource: Value = serde_saphyr::from_str(&text).unwrap();
        let config = &resource["resources"][0]["typed_config"]["config"];
        let envelope = config["configuration"]["value"].as_str().unwrap();
        let envelope = Envelope::decode(envelope.as_bytes()).unwrap();
        let compiled = wire::decode(&envelope.compiled).unwrap();
        (envelope.digest, compiled.policies().map(|id| id.name.clone()).collect())
    }

    /// Waits until exactly these policies are published, and names the digest.
    #[track_caller]
    pub(crate) fn wait_for_published(&self, names: &[&str]) -> String {
        eventually(&format!("{names:?} to be published"), || {
            if !self.published_file().exists() {
                return None;
            }
            let (digest, published) = self.published();
            (published == names).then_some(digest)
        })
        .unwrap()
    }
}

// === impl FolderOperator ===

impl FolderOperator {
    /// The report of `/policies`. A busy operator answers late, longer than one request waits.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        let report = eventually("/policies to answer", || self.get("/policies")).unwrap();
        serde_json::from_str(&report).unwrap()
    }

    /// Waits until `/policies` says something of the policy `name`, and returns all that is said of it.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.wait_for_report(&format!("{name}: {what}"), "policies", |policy| {
            policy["name"] == name && holds(policy)
        })
    }

    #[track_caller]
    fn wait_for_report(&self, what: &str, list: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let found = eventually(what, || {
            self.report()[list].as_array().unwrap().iter().find(|one| holds(one)).cloned()
        });
        found.map_err(|error| format!("{error}; got {:#}", self.report())).unwrap()
    }

    /// Waits until `/policies` says that the policy `name` is in force as it is written.
    #[track_caller]
    pub(crate) fn wait_for_in_force(&self, name: &str, generation: i64) -> Value {
        self.wait_for(name, "in force", |policy| {
            policy["programmed"] == true && policy["inForce"]["generation"] == generation
        })
    }

    /// Waits until `/policies` says that the policy `name` is refused.
    #[track_caller]
    pub(crate) fn wait_for_refused(&self, name: &str) -> Value {
        self.wait_for(name, "refused", |policy| policy["accepted"] == false)
    }

    /// Waits until a file has a finding of that code.
    #[track_caller]
    pub(crate) fn wait_for_problem(&self, code: &str) -> Value {
        self.wait_for_report(code, "files", |file| {
            file["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == code)
        })
    }

    /// The number of log lines that say `message`, after the first: a line arrives later than the report that it is about.
    pub(crate) fn wait_for_said(&mut self, message: &str) -> usize {
        self.wait_for_line(message).unwrap();
        self.said(message).len()
    }

    /// The log lines so far about a finding of that code.
    pub(crate) fn said_of(&mut self, code: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["code"] == code).collect()
    }

    /// Sends it a signal, and waits until it ends.
    pub(crate) fn stop(mut self, signal: &str) -> Option<i32> {
        self.end(signal).unwrap().code()
    }

    /// Sends it a signal, and returns all its log lines.
    pub(crate) fn stop_and_read(mut self, signal: &str) -> Vec<Value> {
        self.end(signal).unwrap();
        self.0.into_lines()
    }
}

/// What tells one version of a file from another.
pub(crate) fn identity(path: &Path) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path).unwrap();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
}
