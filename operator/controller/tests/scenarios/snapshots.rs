//! Snapshots of everything that the operator writes beside a folder: the resource file, the state file, `/policies` and the log.

use std::fs;
use std::path::Path;

use corsward_test_harness::eventually::eventually;
use serde::Serialize;
use serde_json::Value;

use crate::harness::{FolderOperator, OperatorDirs};

const ONE: &str = "https://one.example";

/// A policy file that there is nothing else to say about.
fn policy(name: &str, origin: &str) -> String {
    format!(
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: {name}}}\n\
         spec:\n  cors: {{allowOrigins: ['{origin}'], allowMethods: [PUT], allowHeaders: [content-type], maxAge: 600}}\n"
    )
}

/// What the operator has written after a step.
#[derive(Debug, Serialize)]
struct Record {
    step: &'static str,
    published: Vec<String>,
    state: Option<Value>,
    policies: Value,
}

fn record(step: &'static str, dirs: &OperatorDirs, operator: &FolderOperator) -> Record {
    let state = || {
        let text = fs::read_to_string(dirs.state_file()).ok()?;
        Some(serde_json::from_str::<Value>(&text).unwrap())
    };
    // The report may be ahead of the state file.
    eventually("the state file to have the generations in force", || {
        let kept = generations(&state().unwrap_or_default(), "/generation");
        kept == generations(&operator.report(), "/inForce/generation")
    })
    .unwrap();
    let published = fs::read_to_string(dirs.published_file()).unwrap();
    Record {
        step,
        published: without_folders(&published, dirs).lines().map(str::to_owned).collect(),
        state: state(),
        policies: operator.report(),
    }
}

/// The generation of each policy that has one.
fn generations(policies: &Value, pointer: &str) -> Vec<(Value, Value)> {
    let policies = policies["policies"].as_array().into_iter().flatten();
    let generation =
        |policy: &Value| Some((policy["name"].clone(), policy.pointer(pointer)?.clone()));
    policies.filter_map(generation).collect()
}

/// The folders of a test are others each time.
fn without_folders(text: &str, dirs: &OperatorDirs) -> String {
    let root = dirs.policies().parent().unwrap().display().to_string();
    text.replace(&root, "FOLDER")
}

/// Stops the operator. All its lines, without what is another each time.
fn log(operator: FolderOperator, dirs: &OperatorDirs) -> Vec<Value> {
    let mut lines = operator.stop_and_read("-TERM");
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        for field in ["timestamp", "target"] {
            line.remove(field);
        }
        if line.contains_key("addr") {
            line.insert("addr".to_owned(), "ADDRESS".into());
        }
        for value in line.values_mut() {
            if let Value::String(text) = value {
                *text = without_folders(text, dirs);
            }
        }
    }
    lines
}

fn compare(name: &str, value: &impl Serialize) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/snapshots/folder"),
    );
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_yaml_snapshot!(name, value));
}

#[test]
fn what_the_operator_writes_beside_a_folder_is_what_it_wrote_before() {
    let dirs = OperatorDirs::new();
    dirs.write("api.yaml", &policy("api", ONE));
    let operator = dirs.start();
    operator.wait_for_in_force("api", 1);
    let mut records = vec![record("a policy is in force", &dirs, &operator)];
    dirs.write("api.yaml", &policy("api", "https://one.example/"));
    operator.wait_for_refused("api");
    records.push(record("its next text is refused", &dirs, &operator));
    dirs.write("odd.yaml", "spec: [");
    operator.wait_for_problem("CORS-E502");
    records.push(record("a file cannot be read", &dirs, &operator));
    let first = log(operator, &dirs);

    let operator = dirs.start();
    operator.wait_for_refused("api");
    records.push(record("the operator restarts", &dirs, &operator));
    dirs.remove("odd.yaml");
    eventually("the file to be forgotten", || {
        operator.report()["files"].as_array().unwrap().is_empty()
    })
    .unwrap();
    dirs.remove("api.yaml");
    dirs.wait_for_published(&[]);
    eventually("the policy to be forgotten", || {
        operator.report()["policies"].as_array().unwrap().is_empty()
    })
    .unwrap();
    records.push(record("no policy is left", &dirs, &operator));
    let second = log(operator, &dirs);
    compare("files", &records);
    compare("log", &[first, second]);
}
