//! Command line: `corsward` at a real API server.

mod check;
mod collect;
mod doctor;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use corsward_test_harness::command::{CommandOutput, run};
use serde_json::{Value, json};
use xtask::build;

/// `corsward` with these arguments, in a folder, as the user of a kubeconfig.
fn corsward(kubeconfig: &Path, folder: &Path, args: &[&str]) -> CommandOutput {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let binary = BINARY.get_or_init(|| build::command_line().unwrap());
    let mut command = Command::new(binary);
    command.args(args).current_dir(folder).env("KUBECONFIG", kubeconfig);
    run(&mut command, "").unwrap()
}

/// A binding of a cluster role to a service account of the namespace `default`: in a namespace, or everywhere.
fn binding(role: &str, account: &str) -> Value {
    json!({
        "metadata": { "name": account },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "default", "name": account }],
    })
}
