//! The results of `test`, and the file that it generates.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const POLICY: &str = "\
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {namespace: shop, name: api}
spec:
  hostnames: [api.shop.example]
  cors:
    allowOrigins: [https://shop.example, 'https://*.preview.example']
    allowMethods: [PUT]
    allowHeaders: [content-type]
    allowCredentials: true
  disallowedRequests: Reject
  rules:
  - path: {type: PathPrefix, value: /public}
    cors: {allowOrigins: ['*']}
  - path: {type: PathPrefix, value: /sign-in}
    mode: \"Off\"
";

const TESTS: &str = "\
apiVersion: cli.corsward.io/v1alpha1
kind: Test
metadata: {name: shop}
policies: [policy.yaml]
results:
- name: the shop writes JSON with cookies
  origin: https://shop.example
  url: https://api.shop.example/items
  method: PUT
  headers: {content-type: application/json}
  credentials: include
  result: allowed
  policy: shop/api
- name: another site is rejected
  origin: https://other.example
  url: https://api.shop.example/items
  result: rejected
  reason: origin
- name: the shop deletes nothing
  origin: https://shop.example
  url: https://api.shop.example/items
  method: DELETE
  result: refused
  reason: method
- name: public resources are read without cookies alone
  origin: https://other.example
  url: https://api.shop.example/public/menu
  credentials: include
  result: refused
  reason: credentials
- name: sign-in does its own CORS
  origin: https://other.example
  url: https://api.shop.example/sign-in
  result: uncovered
- name: the pages of the host itself need no CORS
  origin: https://api.shop.example
  url: https://api.shop.example/items
  method: PUT
  result: allowed
";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn test(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    command.current_dir(folder).arg("test").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn every_expected_result_passes() {
    let folder = folder(&[("policy.yaml", POLICY), ("corsward-test.yaml", TESTS)]);
    let output = test(folder.path(), &["."]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert_eq!(text(&output.stdout).matches("  pass  ").count(), 6);
    assert_eq!(text(&output.stderr), "6 tests: 6 passed, 0 failed\n");
}

#[test]
fn the_file_of_the_page_passes() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/testing.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (tests, _) = rest.split_once("```").unwrap();
    let folder = folder(&[("corspolicy.yaml", POLICY), ("corsward-test.yaml", tests)]);
    let output = test(folder.path(), &["."]);
    assert_eq!(text(&output.stderr), "2 tests: 2 passed, 0 failed\n");
}

#[test]
fn a_result_that_is_not_as_expected_is_shown_beside_it() {
    let wrong = TESTS
        .replace("result: rejected\n  reason: origin", "result: allowed")
        .replace("reason: method", "reason: header")
        .replace("policy: shop/api", "policy: shop/other");
    let folder = folder(&[("policy.yaml", POLICY), ("corsward-test.yaml", &wrong)]);
    let output = test(folder.path(), &["corsward-test.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(text(&output.stdout));
    let junit = test(folder.path(), &["-o", "junit", "corsward-test.yaml"]);
    insta::assert_snapshot!("junit", text(&junit.stdout));
    let json = test(folder.path(), &["-o", "json", "corsward-test.yaml"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let results = &report["suites"][0]["results"];
    assert_eq!(results[1]["passes"], false);
    assert_eq!(results[1]["actual"]["result"], "rejected");
    assert_eq!(results[1]["expected"]["result"], "allowed");
}

#[test]
fn a_generated_file_passes_and_shows_each_kind_of_result() {
    let folder = folder(&[]);
    let policies = folder.path().join("policies");
    fs::create_dir(&policies).unwrap();
    fs::write(policies.join("policy.yaml"), POLICY).unwrap();
    for path in ["policies/policy.yaml", "policies/"] {
        let generated = test(folder.path(), &["--generate", path]);
        assert_eq!(generated.status.code(), Some(0), "{}", text(&generated.stderr));
        fs::write(policies.join("corsward-test.yaml"), &generated.stdout).unwrap();
        let output = test(folder.path(), &["policies/"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("  pass  "));
    }
    insta::assert_snapshot!(fs::read_to_string(policies.join("corsward-test.yaml")).unwrap());
}

#[test]
fn files_that_are_unusable_are_told_by_name_and_field() {
    for (file, from, to, said) in [
        (
            "corsward-test.yaml",
            "  origin:",
            "  orgin:",
            ": results[0].orgin: `orgin` is no field: write one of `name`, ",
        ),
        (
            "corsward-test.yaml",
            "result: rejected",
            "result: denied",
            ": results[1].result: `denied` is unknown: write one of `allowed`, ",
        ),
        (
            "corsward-test.yaml",
            "https://other.example",
            "other.example",
            "`other.example` is no URL",
        ),
        ("corsward-test.yaml", "method: PUT", "method: TRACE", "`TRACE` is forbidden"),
        ("corsward-test.yaml", "[policy.yaml]", "[none.yaml]", "none.yaml: it cannot be read"),
        ("policy.yaml", "allowOrigins", "allowOrigin", "policy.yaml shop/api: "),
    ] {
        let [policy, tests] =
            [("policy.yaml", POLICY), ("corsward-test.yaml", TESTS)].map(|(name, text)| {
                if name == file { text.replacen(from, to, 1) } else { text.to_owned() }
            });
        let folder = folder(&[("policy.yaml", &policy), ("corsward-test.yaml", &tests)]);
        let output = test(folder.path(), &["."]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{to}: {stderr}");
        assert!(stderr.contains("corsward-test.yaml") && stderr.contains(said), "{to}: {stderr}");
    }
}

#[test]
fn a_folder_without_tests_is_a_fault_where_tests_are_required() {
    let folder = folder(&[("policy.yaml", POLICY)]);
    assert_eq!(test(folder.path(), &["."]).status.code(), Some(0));
    let output = test(folder.path(), &["--require-tests", "."]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr), "0 tests: 0 passed, 0 failed\n");
}

/// Two Services have policies for one host.
const TWO: &str = "\
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {namespace: shop, name: api}
spec:
  targetRefs: [{group: '', kind: Service, name: api}]
  cors: {allowOrigins: [https://shop.example], maxAge: 600}
---
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {namespace: shop, name: web}
spec:
  targetRefs: [{group: '', kind: Service, name: web}]
  cors: {allowOrigins: [https://other.example], maxAge: 600}
";

/// A test file with one result for each of those targets.
fn targets(head: &str, targets: &[(&str, &str)]) -> String {
    let result = |(target, result): &(&str, &str)| {
        let target =
            if target.is_empty() { String::new() } else { format!("  target: {target}\n") };
        format!(
            "- name: of {result}\n  origin: https://shop.example\n  url: https://api.example/\n  result: {result}\n{target}"
        )
    };
    let results: String = targets.iter().map(result).collect();
    format!(
        "apiVersion: cli.corsward.io/v1alpha1\nkind: Test\nmetadata: {{name: two}}\npolicies: [policy.yaml]\n{head}results:\n{results}"
    )
}

#[test]
fn a_result_names_its_proxy_where_there_are_several() {
    let good = targets("", &[("service/shop/api", "allowed"), ("service/shop/web", "refused")]);
    let files = [("policy.yaml", TWO), ("corsward-test.yaml", &*good)];
    let output = test(folder(&files).path(), &["."]);
    assert_eq!(text(&output.stderr), "2 tests: 2 passed, 0 failed\n");
    let open = targets("", &[("", "allowed")]);
    let output =
        test(folder(&[("policy.yaml", TWO), ("corsward-test.yaml", &open)]).path(), &["."]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(
        error.contains("results: of allowed: the request may reach several proxies"),
        "{error}"
    );
    assert!(error.contains("service/shop/api  (policies: shop/api)"), "{error}");
    let one = targets("oneProxy: true\n", &[("", "allowed")]);
    let output = test(folder(&[("policy.yaml", TWO), ("corsward-test.yaml", &one)]).path(), &["."]);
    assert_eq!(text(&output.stderr), "1 test: 1 passed, 0 failed\n");
}

#[test]
fn a_generated_file_names_the_proxies_that_a_host_does_not() {
    let folder = folder(&[("policy.yaml", TWO)]);
    for (args, want) in [
        (&["--generate", "."][..], "target: service/shop/api"),
        (&["--generate", "--one-proxy", "."], "oneProxy: true"),
    ] {
        let generated = test(folder.path(), args);
        let file = text(&generated.stdout);
        assert!(file.contains(want), "{file}{}", text(&generated.stderr));
        fs::write(folder.path().join("corsward-test.yaml"), file).unwrap();
        let output = test(folder.path(), &["."]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
    }
}

#[test]
fn a_target_that_is_none_or_would_be_ignored_is_an_error() {
    for (head, target, said) in [
        ("", "namespace/shp", "the policies are for service/shop/api, service/shop/web"),
        ("", "selector/shop/app=ap", "the policies are for service/shop/api, service/shop/web"),
        (
            "oneProxy: true\n",
            "service/shop/api",
            "`target` chooses among proxies, and `oneProxy: true`",
        ),
    ] {
        let tests = targets(head, &[(target, "uncovered")]);
        let files = [("policy.yaml", TWO), ("corsward-test.yaml", &*tests)];
        let output = test(folder(&files).path(), &["."]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{target}: {error}");
        assert!(error.contains("results: of uncovered: ") && error.contains(said), "{error}");
    }
}

/// The end of the first result.
const RESULT: &str = "  result: allowed\n  policy: shop/api\n";

/// A text of the file, what stands in its place, and the error.
const FAULTS: [(&str, &str, &str); 19] = [
    (
        "v1alpha1",
        "v1",
        "line 1: apiVersion: `cli.corsward.io/v1` is unknown: write `cli.corsward.io/v1alpha1`",
    ),
    ("kind: Test", "kind: Tests", "line 2: kind: `Tests` is unknown: write `Test`"),
    ("{name: shop}", "shop", "line 3: metadata: write a mapping with `name`"),
    (
        "[policy.yaml]",
        "policy.yaml",
        "line 4: policies: write a list: each entry behind `- `, or all in `[…]`",
    ),
    (
        "policies: [policy.yaml]\n",
        "",
        "line 1: policies: the field is missing: write it, such as `policies: [corspolicy.yaml]`",
    ),
    (
        "results:",
        "oneProxy: maybe\nresults:",
        "line 5: oneProxy: `maybe` is no truth value: write `true` or `false`",
    ),
    ("results:", "result:", "line 5: result: `result` is no field: write one of `apiVersion`, "),
    (
        "- name: the shop writes JSON with cookies",
        "- name:",
        "line 6: results[0].name: there is no value: write one, or leave the field out",
    ),
    (
        "origin: https://shop",
        "origin: null #",
        "line 7: results[0].origin: `null` without quotes is no text: write `\"null\"`",
    ),
    (
        "https://shop.example",
        "shop.example",
        "line 7: results[0].origin: `shop.example` is no URL; it begins with `https://`",
    ),
    (
        "{content-type: application/json}",
        "[a]",
        "line 10: results[0].headers: write a mapping of names to values, such as `{content-type: ",
    ),
    (
        "credentials: include",
        "credentials: yes",
        "line 11: results[0].credentials: `yes` is unknown: write one of `omit`, `same-origin`, `include`",
    ),
    (
        RESULT,
        "  result: allowed\n  result: refused\n",
        "line 13: results[0].result: the field is there twice: remove one of them",
    ),
    (
        RESULT,
        "  result: allowed\n  target: api\n",
        "line 13: results[0].target: `api` is no target: write `namespace/shop`, ",
    ),
    (
        RESULT,
        "",
        "line 6: results[0].result: the field is missing: write it, such as `result: allowed`",
    ),
    (RESULT, "  result: [allowed]\n", "line 12: results[0].result: write one text"),
    (
        "kind: Test\n",
        "kind: Test\n---\nkind: Test\n",
        "line 4: a second document begins: write it into a file of its own",
    ),
    (
        TESTS,
        "# nothing\n",
        "the file is empty: `corsward test --help` shows what stands in a corsward-test.yaml",
    ),
    ("{name: shop}", "{name: [shop}", "the file is not YAML: line 3 column "),
];

#[test]
fn a_fault_of_a_test_file_has_its_line_its_field_and_its_fix() {
    for (from, to, said) in FAULTS {
        let tests = TESTS.replacen(from, to, 1);
        assert_ne!(tests, TESTS, "{from}");
        let folder = folder(&[("policy.yaml", POLICY), ("corsward-test.yaml", &tests)]);
        let output = test(folder.path(), &["corsward-test.yaml"]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}: {stderr}");
        assert!(
            stderr.starts_with("error: corsward-test.yaml: ") && stderr.contains(said),
            "{said}: {stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        let rust = ["variant", "sequence", "mapping start", "Option<", "scalar", "deserialize"];
        assert!(rust.iter().all(|word| !stderr.contains(word)), "{stderr}");
    }
}

#[test]
fn a_generated_file_names_paths_that_it_finds() {
    let web = POLICY.replace("name: api", "name: web").replace("api.shop", "web.shop");
    for (paths, place) in [
        (["deploy/api/a.yaml", "deploy/web/b.yaml"], "deploy"),
        (["deploy/api", "deploy/web/b.yaml"], "deploy"),
        (["./deploy/api/a.yaml", "deploy/api/../web/"], "deploy"),
        (["deploy/", "deploy/web/b.yaml"], "deploy"),
        ([".", "deploy/web/b.yaml"], "."),
    ] {
        let folder = folder(&[]);
        for (name, text) in [("api/a.yaml", POLICY), ("web/b.yaml", &web)] {
            let file = folder.path().join("deploy").join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let generated = test(folder.path(), &["--generate", paths[0], paths[1]]);
        let file = text(&generated.stdout);
        assert!(
            file.lines()
                .next()
                .unwrap()
                .ends_with(&format!("corsward-test.yaml: put it into {place}.")),
            "{paths:?}: {file}{}",
            text(&generated.stderr)
        );
        fs::write(folder.path().join(place).join("corsward-test.yaml"), file).unwrap();
        let output = test(folder.path(), &["."]);
        assert_eq!(output.status.code(), Some(0), "{paths:?}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains("  pass  "), "{paths:?}");
    }
}

#[test]
fn a_file_is_generated_of_what_a_page_can_send_and_a_file_can_name() {
    let policy = POLICY.replace("[https://shop.example, ", "['file://', https://shop.example, ");
    let folder = folder(&[("policy.yaml", &policy)]);
    let generated = test(folder.path(), &["--generate", "policy.yaml"]);
    let file = text(&generated.stdout);
    assert_eq!(generated.status.code(), Some(0), "{}", text(&generated.stderr));
    assert!(file.contains("origin: https://shop.example") && !file.contains("file://"), "{file}");
    fs::write(folder.path().join("corsward-test.yaml"), file).unwrap();
    assert_eq!(test(folder.path(), &["."]).status.code(), Some(0));
    let output = test(folder.path(), &["--generate", "-"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: a test file names the files of its policies, and `-` is none: write them to a file, and name it\n"
    );
}

#[test]
fn a_character_that_xml_has_no_way_to_write_is_replaced() {
    let tests = TESTS.replacen("name: the shop writes", "name: \"\\uFFFE\\uFFFF\\u0001 writes", 1);
    let tests = tests.replacen("with cookies\n", "with cookies\"\n", 1);
    let folder = folder(&[("policy.yaml", POLICY), ("corsward-test.yaml", &tests)]);
    let output = test(folder.path(), &["-o", "junit", "."]);
    let xml = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!xml.contains(['\u{fffe}', '\u{ffff}', '\u{1}']), "{xml:?}");
    assert!(xml.contains("writes JSON with cookies"), "{xml}");
}

/// An API server takes fields that are null out of an object before it looks at the rest.
#[test]
fn a_field_that_is_null_is_absent_for_every_command() {
    let policy = "\
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {namespace: shop, name: api}
spec:
  mode:
  hostnames:
  targetRefs: ~
  selector: null
  rules:
  trustedOrigins:
  preflight:
  cors:
    allowOrigins: [https://shop.example]
    allowOriginRegexes:
    allowOriginsFrom:
    allowMethods:
    allowHeaders: null
    exposeHeaders:
    allowCredentials:
    dangerouslyAllow:
    maxAge: 600
";
    let bare = "\
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {namespace: shop, name: api}
spec: {cors: {allowOrigins: [https://shop.example], maxAge: 600}}
";
    let folder = folder(&[("policy.yaml", policy), ("bare.yaml", bare)]);
    let run = |args: &[&str], file: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
        let output = command.current_dir(folder.path()).args(args).arg(file).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout).replace(file, "")
    };
    let asked = ["--url", "https://api.example/", "--origin", "https://shop.example"];
    for args in [
        &["check", "-o", "github", "--suppress", "CORS-I302,CORS-I304"][..],
        &[&["explain"], &asked[..]].concat(),
        &["test", "--generate"],
        &["render"],
        &["diff", "bare.yaml"],
    ] {
        assert_eq!(run(args, "policy.yaml"), run(args, "bare.yaml"), "{args:?}");
    }
}

#[test]
fn a_request_that_no_browser_sends_is_no_test() {
    let tests = TESTS.replacen(
        "url: https://api.shop.example/items",
        "url: http://api.shop.example/items",
        1,
    );
    let folder = folder(&[("policy.yaml", POLICY), ("corsward-test.yaml", &tests)]);
    let output = test(folder.path(), &["."]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the shop writes JSON with cookies"), "{said}");
    assert!(said.contains("a page of `https` may not ask a URL of `http`"), "{said}");
}

#[test]
fn a_generated_file_has_an_address_of_each_pattern_of_addresses() {
    let policy = "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {namespace: shop, name: api}\nspec:\n  hostnames: [api.example]\n  cors: {allowOrigins: ['http://192.168.1.*', 'http://10.0.0.0/8:*', 'http://[fd00::]/8:3000'], maxAge: 600}\n";
    let folder = folder(&[("policy.yaml", policy)]);
    let output = test(folder.path(), &["--generate", "policy.yaml"]);
    let file = text(&output.stdout).replace('"', "");
    for origin in ["http://192.168.1.1", "http://10.0.0.0:8443", "http://[fd00::]:3000"] {
        let shown = file.split("- name: ").find(|it| it.contains(&format!("origin: {origin}\n")));
        assert!(shown.is_some_and(|it| it.contains("result: allowed")), "{origin}: {file}");
    }
}
