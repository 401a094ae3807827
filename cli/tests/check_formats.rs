//! The formats of `check`: what it prints of real files.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs;
use std::process::{Command, Output};

const POLICY: &str = r#"# The API of the shop.
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata:
  name: api
  namespace: shop
spec:
  mode: active
  targetRefs: [{group: "", kind: Service, name: "api:80"}]
  cors:
    allowOrigins:
      - https://app.example/   # the front end
      - "https://b.example"
      - https://b.example
    allowHeader: [x-a]
    allowMethods: [PUT]
    maxAge: 10m
"#;

const LIST: &str = "---
---
apiVersion: v1
kind: List
items:
- apiVersion: corsward.io/v1alpha1
  kind: CorsPolicy
  metadata: {name: wéb, namespace: shop}
  spec:
    cors:
      allowMethods: [PUT]
- apiVersion: corsward.io/v1alpha1
  kind: ClusterCorsPolicy
  metadata: {name: all}
  spec:
    guardrails: {maxMaxAge: -1}
";

/// Runs `check` in a folder of those files.
fn run(args: &[&str], files: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    command.arg("check").args(args).current_dir(folder.path()).output().unwrap()
}

/// The output of that run, with its last line and its exit code.
fn printed(args: &[&str], files: &[(&str, &str)]) -> String {
    let output = run(args, files);
    let [out, notes] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    format!("{out}{notes}exit {}\n", output.status.code().unwrap())
}

fn files() -> [(&'static str, &'static str); 3] {
    [
        ("api.yaml", POLICY),
        ("broken.yaml", "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nspec: [1,\n"),
        ("list.yaml", LIST),
    ]
}

#[test]
fn each_format_says_the_same() {
    for format in ["text", "json", "sarif", "github", "junit"] {
        insta::assert_snapshot!(format, printed(&["-o", format, "."], &files()));
    }
}

#[test]
fn a_finding_is_left_out_by_its_code_alone_or_with_its_object() {
    let policy = POLICY.replace("mode: active", "mode: Active").replace("api:80", "api");
    let policy = policy.replace("allowHeader:", "allowHeaders:").replace("10m", "86401");
    let policy = policy.replace("app.example/ ", "app.example ");
    let files = [("api.yaml", &*policy)];
    let left = |args: &[&str]| printed(&[&["-o", "github", "api.yaml"], args].concat(), &files);
    insta::assert_snapshot!("all", left(&[]));
    insta::assert_snapshot!("suppressed", left(&["--suppress", "CORS-I001,CORS-I003=shop/api"]));
    insta::assert_snapshot!("suppressed-elsewhere", left(&["--suppress", "CORS-I003=shop/web"]));
    insta::assert_snapshot!("no-such-code", left(&["--suppress", "CORS-I999"]));
}

#[test]
fn warnings_are_denied_on_request() {
    let policy = "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {name: a}\nspec: {cors: {allowOrigins: ['https://a.example']}}\n";
    let code = |args: &[&str]| run(args, &[("a.yaml", policy)]).status.code();
    assert_eq!(code(&["a.yaml"]), Some(0));
    assert_eq!(code(&["--deny-warnings", "a.yaml"]), Some(1));
    assert_eq!(code(&["--deny-warnings", "--suppress", "CORS-W006", "a.yaml"]), Some(0));
}

#[test]
fn every_code_is_listed() {
    let list = printed(&["--list"], &[]);
    let first: Vec<&str> = list.lines().take(3).collect();
    insta::assert_snapshot!("list", first.join("\n"));
    assert!(list.lines().count() > 150, "{list}");
    // The list is no table of the manual, where a bar ends a cell.
    assert!(list.contains("(:8443|:443)") && !list.contains(r"\|"), "{list}");
}

#[test]
fn a_wrong_call_is_exit_code_2() {
    insta::assert_snapshot!("no-path", printed(&[], &[]));
    insta::assert_snapshot!("no-file", printed(&["missing.yaml"], &[]));
    insta::assert_snapshot!("nothing", printed(&["."], &[("a.yaml", "kind: Other\n")]));
}

#[test]
fn the_list_of_codes_is_text_or_json() {
    let json = run(&["--list", "-o", "json"], &[]);
    assert_eq!(json.status.code(), Some(0));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&json.stdout).unwrap();
    let row = |code: &str| rows.iter().find(|row| row["code"] == code).unwrap();
    assert_eq!(row("CORS-E106")["edit"], "safe");
    assert_eq!(row("CORS-I006")["edit"], "unsafe");
    assert_eq!(row("CORS-E001")["edit"], "author");
    assert_eq!(row("CORS-E001")["severity"], "refusal");
    assert_eq!(row("CORS-E001")["field"], "spec");
    let text = printed(&["--list"], &[]);
    assert_eq!(text.lines().count(), rows.len().saturating_add(1));
    for format in ["sarif", "github", "junit"] {
        let said =
            "error: --list prints text or JSON: leave `-o` out, or write `-o json`\nexit 2\n";
        assert_eq!(printed(&["--list", "-o", format], &[]), said, "{format}");
    }
}

#[test]
fn a_byte_order_mark_is_no_column() {
    let text = "{\"apiVersion\": \"corsward.io/v1\", \"kind\": \"CorsPolicy\", \"metadata\": {\"name\": \"a\"}, \"spec\": {}}\n";
    let marked = format!("\u{feff}{text}");
    for format in ["text", "json", "github"] {
        let [plain, marked] =
            [text, &marked].map(|text| printed(&["-o", format, "a.json"], &[("a.json", text)]));
        assert_eq!(marked, plain, "{format}");
    }
}

#[test]
fn a_long_list_is_told_to_its_own_author() {
    let origins = "allowOrigins: [https://a.example], maxAge: 600";
    let many = |count: usize, entry: &str| {
        let entries: Vec<String> =
            (0..count).map(|at| entry.replace('N', &at.to_string())).collect();
        entries.join(", ")
    };
    for (spec, said) in [
        (
            format!("hostnames: [{}]\n  cors: {{{origins}}}", many(300, "aN.example")),
            "use patterns such as `*.shop.example`",
        ),
        (
            format!("cors: {{{origins}, allowMethods: [{}]}}", many(70, "MN")),
            "list only what clients use",
        ),
        (
            format!(
                "cors: {{maxAge: 600, allowOriginRegexes: [{}]}}",
                many(20, "'https://aN[.]example'")
            ),
            "one regex in place of several",
        ),
    ] {
        let text = format!(
            "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{name: a}}\nspec:\n  {spec}\n"
        );
        let printed = printed(&["-o", "github", "a.yaml"], &[("a.yaml", &text)]);
        let line = printed.lines().find(|line| line.contains("CORS-E004"));
        assert!(line.is_some_and(|line| line.contains(said)), "{said}: {printed}");
    }
}
