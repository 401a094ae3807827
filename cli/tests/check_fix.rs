//! The edits of `check --fix`: in the text, and nowhere else in it.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs;
use std::process::Command;

const POLICY: &str = r#"# The API of the shop.
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata:
  name: api   # as the Service
  namespace: shop
spec:
  mode: active
  targetRefs: [{group: "", kind: Service, name: "api:80"}]
  hostnames:
    - API.shop.example   # upper case
  cors:
    allowOrigins:
      - https://app.example/   # the front end
      # twice
      - "https://b.example"
      - https://b.example
    allowHeader: [x-a]   # singular
    allowMethods: PUT
    maxAge: 10m
  rules:
    - path: {type: Prefix, value: /public}
      cors: {allowOrigin: ['https://c.example/'], maxAge: 600}

---
# Nothing is wrong here:   two  spaces, and "quotes".
apiVersion: v1
kind: Service
metadata: {name:   api, namespace: shop}
"#;

/// A list of objects in JSON.
const LIST: &str = r#"{
	"apiVersion": "v1", "kind": "List",
	"items": [
		{"apiVersion": "corsward.io/v1alpha1", "kind": "CorsPolicy", "metadata": {"name": "b"},
		 "spec": {"cors": {"allowOrigins": ["https://a.example/", "https://b.example"], "maxAg": 600}}}
	]
}
"#;

/// Fixes a file, and returns its text, with what was printed.
fn fixed(name: &str, text: &str) -> String {
    fixed_by(&["--fix"], name, text)
}

/// The same with those arguments.
fn fixed_by(args: &[&str], name: &str, text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    let command = command.arg("check").args(args).args(["-o", "github", name]);
    let command = command.current_dir(folder.path());
    let output = command.output().unwrap();
    let [out, notes] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    let after = fs::read_to_string(folder.path().join(name)).unwrap();
    format!("{after}=====\n{out}{notes}exit {}\n", output.status.code().unwrap())
}

#[test]
fn comments_and_the_rest_of_a_file_stay() {
    insta::assert_snapshot!("policy", fixed("a.yaml", POLICY));
    insta::assert_snapshot!("list", fixed("a.json", LIST));
}

#[test]
fn no_danger_is_accepted_for_the_author() {
    let policy = "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {name: a}\nspec:\n  cors: {allowOrigins: ['https://*.github.io'], allowCredentials: true, maxAge: 600}\n";
    let printed = fixed("a.yaml", policy);
    assert!(printed.starts_with(policy), "{printed}");
    insta::assert_snapshot!("danger", printed);
}

#[test]
fn standard_input_cannot_be_fixed() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    let output = command.args(["check", "--fix", "-"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "error: --fix writes files, and `-` is none: name the files\n");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_refused_star_takes_no_origin_away_and_comments_stay() {
    let text = "\
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {name: api, namespace: shop}
spec:
  hostnames: [api.example]
  cors:
    allowOrigins:
    - https://app.example   # the shop
    - https://admin.example # the back office
    - \"https://*\"           # to be removed
    allowCredentials: true
    maxAge: 600
";
    let fixed = fixed("api.yaml", text);
    assert!(fixed.starts_with(text), "{fixed}");
    assert!(fixed.ends_with("exit 1\n"), "{fixed}");
}

#[test]
fn the_verdict_does_not_depend_on_the_reader_of_the_output() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("api.yaml"), POLICY).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    let command = command.args(["check", "api.yaml"]).current_dir(folder.path()).stdout(writer);
    assert_eq!(command.status().unwrap().code(), Some(1));
}

#[test]
fn each_document_is_fixed_as_if_it_were_alone() {
    let alone = ["One", "Two", "Three"].map(|name| {
        let text = POLICY.replace("API.shop", &format!("{name}.shop"));
        let text = text.replace("name: api ", &format!("name: {} ", name.to_lowercase()));
        // A line of a text is no end of a document.
        format!("{text}---\nkind: Other\ntext: |\n  ---\n  more\n")
    });
    let text_of = |output: String| output.split("=====\n").next().unwrap().to_owned();
    let fixed_alone = alone.clone().map(|text| text_of(fixed("a.yaml", &text)));
    for (before, after) in alone.iter().zip(&fixed_alone) {
        assert_ne!(before, after);
    }
    let together = text_of(fixed("a.yaml", &alone.join("--- # next\n")));
    assert_eq!(together, fixed_alone.join("--- # next\n"));
    // A directive is for the document behind it.
    let directed = text_of(fixed("a.yaml", &format!("%YAML 1.2\n---\n{}", alone[0])));
    assert_eq!(directed, format!("%YAML 1.2\n---\n{}", fixed_alone[0]));
}

#[test]
fn a_word_that_yaml_reads_as_a_truth_value_gets_its_quotes() {
    let text = "\
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {name: api, namespace: shop}
spec:
  mode: Off # for now
  cors: {allowOrigins: [https://app.example, 'https://a b.example'], maxAge: 600}
";
    let fixed = fixed("api.yaml", text);
    assert!(fixed.starts_with(&text.replace(": Off", ": \"Off\"")), "{fixed}");
    let left = "api.yaml:6: CORS-E102 is left: the author decides: its fix is no single edit\n1 edit made\n";
    assert!(fixed.contains(left), "{fixed}");
}

#[test]
fn a_file_keeps_the_ends_of_its_lines() {
    let text_of = |text: &str| {
        let printed = fixed_by(&["--fix", "--unsafe-fixes"], "a.yaml", text);
        printed.split("=====\n").next().unwrap().to_owned()
    };
    // A field that is absent gets a line of its own.
    let absent = "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {name: a}\nspec:\n  cors:\n    allowOrigins: ['https://app.example']\n";
    for text in [POLICY, absent] {
        let fixed = text_of(text);
        assert_ne!(fixed, text);
        assert_eq!(text_of(&text.replace('\n', "\r\n")), fixed.replace('\n', "\r\n"));
    }
}

/// A policy with that spec, beside a host and an origin.
fn policy(fields: &str) -> String {
    format!(
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{name: api, namespace: shop}}\nspec:\n{fields}"
    )
}

/// The text behind `--fix` and behind `--unsafe-fixes`.
fn both(text: &str) -> [String; 2] {
    [&["--fix"][..], &["--fix", "--unsafe-fixes"]]
        .map(|args| fixed_by(args, "a.yaml", text).split("=====\n").next().unwrap().to_owned())
}

const HOST: &str = "  hostnames: [api.example]\n";
const CORS: &str = "  cors: {allowOrigins: [https://a.example], maxAge: 600}\n";

/// A code, and the fields of a policy about which it is said.
fn changed_by_their_fix() -> [(&'static str, String); 9] {
    let plain = [HOST, CORS].concat();
    [
        ("I006", format!("{plain}  mode: DryRun\n  upstreamOrigin: Remove\n")),
        ("I005", format!("{plain}  trustedOrigins: [https://b.example]\n")),
        (
            "W002",
            format!(
                "{HOST}  cors: {{allowOrigins: ['*'], maxAge: 600}}\n  disallowedRequests: Reject\n"
            ),
        ),
        (
            "W502",
            format!("{plain}  rules: [{{path: {{type: PathPrefix, value: /}}, mode: \"Off\"}}]\n"),
        ),
        ("W401", format!("  hostnames: [all]\n{CORS}")),
        (
            "I102",
            format!("{HOST}  cors: {{allowOrigins: ['http://localhost:3000'], maxAge: 600}}\n"),
        ),
        (
            "I306",
            format!(
                "{HOST}  cors: {{allowOrigins: [https://a.example], allowHeaders: ['*'], maxAge: 600}}\n"
            ),
        ),
        ("E503", format!("{plain}  frobnicate: 7\n")),
        (
            "E422",
            format!(
                "{plain}  rules: [{{path: {{type: Exact, value: /a}}, cors: {{allowOrigins: ['*'], maxAge: 600}}, mode: DryRun}}]\n"
            ),
        ),
    ]
}

#[test]
fn an_edit_that_changes_an_answer_or_guesses_is_made_on_request_alone() {
    for (code, fields) in changed_by_their_fix() {
        let text = policy(&fields);
        let [safe, all] = both(&text);
        assert_eq!(safe, text, "{code}");
        assert_ne!(all, text, "{code}");
        let printed = fixed("a.yaml", &text);
        assert!(printed.contains(&format!("CORS-{code}")), "{code}: {printed}");
        assert!(printed.contains(" more with --unsafe-fixes\n"), "{code}: {printed}");
    }
    let printed = fixed("a.yaml", &policy(&format!("{HOST}{CORS}  frobnicate: 7\n")));
    let left =
        "a.yaml:7: CORS-E503 is left: its edit may change what is meant: --unsafe-fixes makes it\n";
    assert!(printed.contains(left), "{printed}");
}

#[test]
fn an_edit_that_writes_what_is_meant_is_made_unasked() {
    for (before, after) in [
        ("mode: active", "mode: Active"),
        ("mode: dry-run", "mode: DryRun"),
        ("mode: Off", "mode: \"Off\""),
        ("hostname: [api.example]", "hostnames: [api.example]"),
        ("hostnames: API.example", "hostnames: [\"api.example\"]"),
        ("hostnames: [api.example/v1]", "hostnames: [api.example]"),
        (
            "cors: {allowOrigins: ['https://B.example/x']}",
            "cors: {allowOrigins: ['https://b.example'], maxAge: 600}",
        ),
        (
            "cors: {allowOrigins: [b.example], allowMethods: [put]}",
            "cors: {allowOrigins: [\"https://b.example\"], allowMethods: [PUT], maxAge: 600}",
        ),
    ] {
        let text = policy(&format!("  {before}\n"));
        let [safe, _] = both(&text);
        assert_eq!(safe, policy(&format!("  {after}\n")), "{before}");
    }
}

#[test]
fn a_rule_that_inherits_reject_gets_a_word_of_its_own_and_keeps_its_origins() {
    let inherited = "{hostnames: [a.example], disallowedRequests: Reject, cors: {allowOrigins: ['https://a.example'], maxAge: 600}, rules: [{path: {type: PathPrefix, value: /a}, cors: {allowOrigins: ['*'], maxAge: 600}}]}";
    let text = format!(
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{name: a}}\nspec: {inherited}\n"
    );
    let printed = fixed_by(&["--fix", "--unsafe-fixes"], "a.yaml", &text);
    assert!(printed.contains("allowOrigins: ['*'], maxAge: 600}"), "{printed}");
    assert!(printed.contains("disallowedRequests: Forward"), "{printed}");
    assert!(!printed.contains("::error"), "{printed}");
}

#[test]
fn unsafe_fixes_are_an_option_of_fix() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    let output = command.args(["check", "--unsafe-fixes", "a.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--fix"));
}
