//! `corsward diff`, as a shell calls it.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const OLD: &str = "
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {name: api, namespace: shop}
spec:
  hostnames: [api.example.com]
  cors:
    allowOrigins: ['https://*.example.com', 'https://partner.example']
    allowMethods: [GET, PUT]
    allowHeaders: [x-request-id]
    allowCredentials: true
    maxAge: 600
  rules:
    - path: {type: PathPrefix, value: /internal}
      cors:
        allowOrigins: ['https://admin.example.com']
---
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {name: images, namespace: shop}
spec:
  targetRefs: [{group: '', kind: Service, name: images}]
  hostnames: [images.example.com]
  cors: {allowOrigins: ['*']}
";

const NEW: &str = "
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {name: api, namespace: shop}
spec:
  hostnames: [api.example.com]
  cors:
    allowOrigins: ['https://*.example.com', 'https://new.example']
    allowMethods: [GET, PUT, DELETE]
    allowHeaders: [x-request-id]
    allowCredentials: true
    maxAge: 3600
  rules:
    - path: {type: PathPrefix, value: /internal}
      cors:
        allowOrigins: ['https://admin.example.com']
---
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {name: images, namespace: shop}
spec:
  targetRefs: [{group: '', kind: Service, name: images}]
  hostnames: [images.example.com]
  disallowedRequests: Reject
  cors: {allowOrigins: ['https://*.example.com']}
";

/// The old policy `api` in other words.
const REWRITTEN: &str = r"
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {name: api, namespace: shop}
spec:
  hostnames: [API.example.com]
  cors:
    allowOriginRegexes: ['https://(partner[.]example|([a-z0-9_-]+\.)+example\.com)']
    allowMethods: [PUT, GET]
    allowHeaders: [X-Request-Id]
    allowCredentials: true
    maxAge: 600
  rules:
    - path: {type: PathPrefix, value: /internal}
      cors:
        allowOrigins: ['https://admin.example.com']
";

#[test]
fn a_difference_has_its_class_and_a_witness() {
    let output = diff(OLD, NEW, &[]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!("text", text(&output));
}

#[test]
fn markdown_is_a_table_for_a_pull_request() {
    let output = diff(OLD, NEW, &["-o", "markdown"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!("markdown", text(&output));
}

#[test]
fn json_has_each_difference_with_its_request() {
    let output = diff(OLD, NEW, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(report["equal"], false);
    let differences = report["differences"].as_array().unwrap();
    let lost =
        differences.iter().find(|it| it["origins"][0]["origins"] == "https://partner.example");
    let lost = lost.unwrap();
    assert_eq!(lost["old"]["verdict"], "allowed");
    assert_eq!(lost["new"]["verdict"], "refused");
    assert_eq!(lost["witness"]["origin"], "https://partner.example");
    assert_eq!(lost["places"][0]["host"], "api.example.com");
}

#[test]
fn policies_in_other_words_are_proved_equal() {
    let old = OLD.split("---").next().unwrap();
    let output = diff(old, REWRITTEN, &[]);
    assert_eq!(text(&output), "equal: each request gets the same answer from both sets\n");
    assert_eq!(output.status.code(), Some(0));
    let output = diff(old, REWRITTEN, &["-o", "json"]);
    let report: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(report["equal"], true);
}

#[test]
fn an_added_and_a_removed_policy_differ_for_its_target_alone() {
    let output = diff(OLD, OLD.split("---").next().unwrap(), &["-o", "json"]);
    let report: Value = serde_json::from_str(&text(&output)).unwrap();
    let differences = report["differences"].as_array().unwrap();
    assert!(!differences.is_empty());
    for difference in differences {
        assert_eq!(difference["proxies"], serde_json::json!(["Service/images of shop"]));
        assert_eq!(difference["new"]["verdict"], "notCovered");
    }
}

#[test]
fn a_set_that_cannot_be_read_is_an_error_with_its_place() {
    let output = diff(OLD, &NEW.replace("https://new.example", "new.example"), &[]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("new.yaml: shop/api: spec.cors.allowOrigins[1]: "), "{error}");
    let output = diff("", "", &[]);
    assert_eq!(output.status.code(), Some(2));
    let both = corsward(&["diff", "-", "-"], Path::new("."));
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn the_page_shows_what_the_command_prints() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/diff.md");
    let page = fs::read_to_string(page).unwrap();
    let block = |start: &str| {
        let (_, rest) = page.split_once(start).unwrap();
        rest.split("```").next().unwrap().to_owned()
    };
    let (old, new) = (block("```yaml\n# old.yaml\n"), block("```yaml\n# new.yaml\n"));
    assert_eq!(text(&diff(&old, &new, &[])), block("$ corsward diff old.yaml new.yaml\n"));
    let written = page.split('`').find(|code| code.starts_with("allowOriginRegexes:")).unwrap();
    let origins = old.lines().find(|line| line.contains("allowOrigins:")).unwrap().trim();
    let regex = old.replace(origins, written);
    assert_eq!(text(&diff(&old, &regex, &[])), block("$ corsward diff old.yaml regex.yaml\n"));
    let comment = text(&diff(&old, &new, &["-o", "markdown"]));
    let (_, table) = comment.split_once("\n\n").unwrap();
    assert!(page.contains(table), "{table}");
}

/// Compares two texts as files.
fn diff(old: &str, new: &str, options: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("old.yaml", old), ("new.yaml", new)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut arguments = vec!["diff", "old.yaml", "new.yaml"];
    arguments.extend(options);
    corsward(&arguments, folder.path())
}

fn corsward(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}
