//! `corsward diff`, as a shell calls it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of tests stops the test where it cannot go on"
)]

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

/// No Gateway gets a policy without a target, so the wide one does not stand in for its own.
#[test]
fn a_gateway_that_loses_its_policy_is_a_difference() {
    let wide = OLD.split("---").next().unwrap();
    let of_gateway = wide.replace("name: api", "name: gateway").replace(
        "  hostnames:",
        "  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}]\n  hostnames:",
    );
    let output = diff(&format!("{wide}---\n{of_gateway}"), wide, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_str(&text(&output)).unwrap();
    for difference in report["differences"].as_array().unwrap() {
        assert_eq!(difference["proxies"], serde_json::json!(["Gateway/edge of shop"]));
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

/// A set may be in the cluster: its origins are unknown, and no answer is proved.
#[test]
fn an_origin_set_that_no_file_shows_is_undecided_by_name() {
    let old = OLD.split("---").next().unwrap();
    let set = "    allowOriginsFrom: [{kind: OriginSet, name: front}]\n";
    let with = old
        .replace("    allowMethods: [GET, PUT]\n", &format!("{set}    allowMethods: [GET, PUT]\n"));
    let entry =
        "OriginSet shop/front, which shop/api names in spec.cors.allowOriginsFrom[0], is not in";
    for (old, new, file) in [(&*with, old, "old.yaml"), (old, &*with, "new.yaml")] {
        for options in [&[][..], &["--one-proxy"]] {
            let output = diff(old, new, options);
            assert_eq!(output.status.code(), Some(1));
            let text = text(&output);
            assert!(text.starts_with(&format!("undecided: {entry} {file}\n")), "{text}");
        }
    }
    let set = "---\napiVersion: corsward.io/v1alpha1\nkind: OriginSet\nmetadata: {name: front, namespace: shop}\nspec: {origins: ['https://front.example']}\n";
    assert!(!text(&diff(old, &format!("{with}{set}"), &[])).contains("undecided"));
    let output = diff(&with, &with, &[]);
    assert_eq!(output.status.code(), Some(0), "one set, and the same policies");
    let other = format!("{with}---{}", OLD.split("---").nth(1).unwrap());
    assert!(text(&diff(&with, &other, &[])).contains(&format!("undecided: {entry} old.yaml\n")));
}

/// Where a target is in no file, its proxies are any: the target is compared by its name.
#[test]
fn a_target_that_no_file_shows_is_compared_by_its_name() {
    let images = OLD.split("---").nth(1).unwrap();
    let moved = images.replace("name: images}]", "name: pictures}]");
    let output = diff(images, &moved, &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = text(&output);
    assert!(text.contains("proxies   Service/images of shop\n"), "{text}");
    assert!(text.contains("proxies   Service/pictures of shop\n"), "{text}");
}

#[test]
fn a_list_of_a_cluster_differs_in_its_specs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let set = "{apiVersion: corsward.io/v1alpha1, kind: OriginSet, metadata: {name: front, namespace: shop}, spec: {origins: ['https://front.example']}}";
    let policy = "{apiVersion: corsward.io/v1alpha1, kind: CorsPolicy, metadata: {name: api, namespace: shop}, spec: {cors: {allowOrigins: ['https://a.example'], allowOriginsFrom: [{kind: OriginSet, name: front}], maxAge: 600}}}";
    fs::write(folder.path().join("deploy.yaml"), format!("{policy}\n---\n{set}\n")).unwrap();
    let live = |text: &str| {
        let metadata = "metadata: {uid: 1-2, resourceVersion: '7', generation: 3, creationTimestamp: '2026-01-01T00:00:00Z', managedFields: [{manager: kubectl, operation: Apply, fieldsV1: {'f:spec': {}}}], annotations: {kubectl.kubernetes.io/last-applied-configuration: '{\"spec\":{\"mode\":\"Off\"}}'}, ";
        let status = ", status: {conditions: [{type: Accepted, status: 'True'}]}}";
        format!(
            "- {}{status}\n",
            text.replacen("metadata: {", metadata, 1).strip_suffix('}').unwrap()
        )
    };
    let list = |spec: &str| {
        let items = [live(spec), live(set)].concat();
        format!("apiVersion: v1\nkind: List\nmetadata: {{resourceVersion: ''}}\nitems:\n{items}")
    };
    for (live, code) in [(policy.to_owned(), 0), (policy.replace("maxAge: 600", "maxAge: 60"), 1)] {
        fs::write(folder.path().join("list.yaml"), list(&live)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
        command.args(["diff", "-", "deploy.yaml"]).current_dir(folder.path());
        command.stdin(fs::File::open(folder.path().join("list.yaml")).unwrap());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
}

#[test]
fn a_policy_beside_none_covers_requests_without_an_origin() {
    let text = text(&diff("", OLD.split("---").next().unwrap(), &[]));
    assert!(
        text.contains("not covered -> covered\n  requests  requests without Origin\n"),
        "{text}"
    );
    assert!(!text.contains("still covered") && !text.contains("adds kept"), "{text}");
}

#[test]
fn a_namespace_that_is_off_answers_no_request() {
    let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: {corsward.io/mode: 'Off'}}\n";
    let policy = OLD.split("---").next().unwrap();
    let output = diff(policy, &format!("{policy}{namespace}"), &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("\"notCovered\""));
}

/// A policy of the namespace `shop`, in one line.
fn policy(name: &str, spec: &str, origin: &str) -> String {
    format!(
        "---\napiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: {name}}}\nspec: {{{spec}cors: {{allowOrigins: ['{origin}'], maxAge: 600}}}}\n"
    )
}

fn for_service(name: &str) -> String {
    format!("targetRefs: [{{group: '', kind: Service, name: {name}}}], ")
}

fn service(name: &str, selector: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{namespace: shop, name: {name}}}\nspec: {{selector: {{{selector}}}, ports: [{{port: 80}}]}}\n"
    )
}

/// The proxies of all differences.
fn proxies(old: &str, new: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(&text(&diff(old, new, &["-o", "json"]))).unwrap();
    let differences = report["differences"].as_array().unwrap().iter();
    let names = differences.flat_map(|it| it["proxies"].as_array().unwrap());
    let mut names: Vec<String> = names.map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn a_new_name_changes_the_winner_where_two_targets_meet() {
    let set = |first: &str| {
        policy(first, &for_service("one"), "https://a.example")
            + &policy("b", &for_service("two"), "https://b.example")
    };
    let both = ["Service/one that is also Service/two of shop"];
    assert_eq!(proxies(&set("a"), &set("z")), both);
    let shown = |selectors: [&str; 2]| {
        let [one, two] = selectors;
        [set("a"), set("z")].map(|set| set + &service("one", one) + &service("two", two))
    };
    let [old, new] = shown(["app: one", "tier: web"]);
    assert_eq!(proxies(&old, &new), both);
    // No pod has two values of one label.
    let [old, new] = shown(["app: one", "app: two"]);
    assert_eq!(proxies(&old, &new), Vec::<String>::new());
}

/// The pods of a Service have its labels, and so the policies with a selector for them.
#[test]
fn a_policy_with_a_selector_is_for_the_pods_of_a_service_too() {
    let labels = "selector: {matchLabels: {app: api}}, hostnames: [www.example], ";
    let set = |origin: &str, beside: &str| {
        let hosts = format!("{}hostnames: [api.example], ", for_service("api"));
        policy("labels", labels, origin) + &policy("api", &hosts, "https://a.example") + beside
    };
    let shown = service("api", "app: api");
    let [old, new] = ["https://b.example", "https://c.example"].map(|origin| set(origin, &shown));
    assert_eq!(proxies(&old, &new), ["Service/api of shop", "app=api of shop"]);
    // A Service that one side alone shows is the same on the other side.
    let [old, new] = ["", &*shown].map(|beside| set("https://b.example", beside));
    let output = diff(&old, &new, &[]);
    assert_eq!(text(&output), "equal: each request gets the same answer from both sets\n");
}

#[test]
fn a_service_with_another_selector_moves_its_policy() {
    let set = |selector| {
        policy("api", &for_service("api"), "https://a.example") + &service("api", selector)
    };
    let [old, new] = ["app: api", "app: other"].map(set);
    let moved =
        ["Service/api of shop as the new set has it", "Service/api of shop as the old set has it"];
    assert_eq!(proxies(&old, &new), moved);
}

/// In an Envoy beside a folder of policies a target gives no precedence: a policy without one is as close.
#[test]
fn a_target_makes_no_difference_in_one_proxy() {
    let set = |target: &str| {
        policy("a", "", "https://a.example") + &policy("b", target, "https://b.example")
    };
    let (old, new) = (set(""), set(&for_service("api")));
    let output = diff(&old, &new, &["--one-proxy"]);
    assert_eq!(text(&output), "equal: each request gets the same answer from both sets\n");
    assert_eq!(diff(&old, &new, &[]).status.code(), Some(1));
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

#[test]
fn a_witness_is_a_request_of_a_page_of_another_origin() {
    let policy = |host: &str, origin: &str| {
        format!(
            "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{name: api, namespace: shop}}\nspec:\n  hostnames: ['{host}']\n  rules:\n  - path: {{type: PathPrefix, value: /}}\n    cors: {{allowOrigins: ['{origin}'], maxAge: 600}}\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    for (host, origin) in [("api.example", "https://api.example"), ("*", "https://any.example")] {
        let files = [("old.yaml", "https://b.example"), ("new.yaml", origin)];
        let [old, new] = files.map(|(name, origin)| {
            let path = folder.path().join(name);
            fs::write(&path, policy(host, origin)).unwrap();
            path
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
        let output = command.args(["diff", "-o", "json"]).args([&old, &new]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let differences = report["differences"].as_array().unwrap();
        assert!(!differences.is_empty(), "{report:#}");
        for witness in differences.iter().map(|it| &it["witness"]) {
            let (host, path) =
                (witness["host"].as_str().unwrap(), witness["path"].as_str().unwrap());
            assert!(path.starts_with('/') && !host.is_empty(), "{witness}");
            assert_ne!(witness["origin"], format!("https://{host}"), "{witness}");
        }
    }
}
