//! `explain` with policies: the proxy that a request reaches, as the operator plans it, and what is taken for granted.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper of tests stops the test where it cannot go on"
)]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const PAGE: [&str; 4] = ["--origin", "https://app.example", "--url", "https://api.example/items"];

/// A policy of the namespace `shop`.
fn policy(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: {name}}}\nspec: {{{spec}}}\n"
    )
}

fn cors(origin: &str) -> String {
    format!("cors: {{allowOrigins: ['{origin}'], maxAge: 600}}")
}

fn service(name: &str) -> String {
    format!("targetRefs: [{{group: '', kind: Service, name: {name}}}]")
}

/// Runs `corsward explain - ARGS` about a page of `https://app.example` with those policies.
fn run(policies: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    command.args(["explain", "-"]).args(PAGE).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Wrong arguments are told before the input is read.
    drop(child.stdin.take().unwrap().write_all(policies.as_bytes()));
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn report(policies: &str, args: &[&str]) -> Value {
    let output = run(policies, &[args, &["-o", "json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

/// The policy that decides the last step, and the result.
fn decided(policies: &str, args: &[&str]) -> (String, String) {
    let report = report(policies, args);
    let steps = report["steps"].as_array().unwrap();
    let policy = steps.last().unwrap()["policies"][0]["policy"].as_str().unwrap_or("none");
    (policy.to_owned(), report["result"].as_str().unwrap().to_owned())
}

fn pair(policy: &str, result: &str) -> (String, String) {
    (policy.to_owned(), result.to_owned())
}

/// Two Services with policies for one host, and the rest of the namespace.
fn three() -> String {
    policy("wide", &cors("https://wide.example"))
        + &policy("api", &format!("{}, {}", service("api"), cors("https://app.example")))
        + &policy("web", &format!("{}, {}", service("web"), cors("https://web.example")))
}

#[test]
fn a_request_that_may_reach_several_proxies_is_an_error_that_names_them() {
    let output = run(&three(), &[]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn a_target_names_the_proxy_with_its_policies_alone() {
    for (target, want) in [
        ("service/shop/api", pair("shop/api", "readable")),
        ("service/shop/web", pair("shop/web", "blocked")),
        ("namespace/shop", pair("shop/wide", "blocked")),
        ("selector/shop/app=other", pair("shop/wide", "blocked")),
    ] {
        assert_eq!(decided(&three(), &["--target", target]), want, "{target}");
    }
    let report = report(&three(), &["--target", "service/shop/api"]);
    assert_eq!(report["proxy"], "service/shop/api");
    let policies = report["steps"][2]["policies"].to_string();
    assert!(policies.contains("shop/wide") && !policies.contains("shop/web"), "{policies}");
}

#[test]
fn a_proxy_may_be_of_several_targets() {
    // One that is of both Services: the name decides between two targets.
    let both = ["--target", "service/shop/web", "--target", "service/shop/api"];
    assert_eq!(decided(&three(), &both), pair("shop/api", "readable"));
    let shown = |name: &str, app: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{namespace: shop, name: {name}}}\nspec: {{selector: {{app: {app}}}, ports: [{{port: 80}}]}}\n"
        )
    };
    let apart = three() + &shown("api", "a") + &shown("web", "b");
    let output = run(&apart, &both);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("no proxy is service/shop/web and service/shop/api"), "{error}");
    // The labels of the Service are those of its pods.
    assert_eq!(decided(&apart, &["--target", "selector/shop/app=a"]), pair("shop/api", "readable"));
}

#[test]
fn the_host_alone_may_select_the_proxy() {
    let policies = policy("wide", &format!("hostnames: [www.example], {}", cors("*")))
        + &policy(
            "api",
            &format!(
                "{}, hostnames: [api.example], {}",
                service("api"),
                cors("https://app.example")
            ),
        );
    let report = report(&policies, &[]);
    assert_eq!(report["proxy"], "service/shop/api");
    assert_eq!(report["result"], "readable");
    let output = run(&policies, &[]);
    assert!(text(&output.stdout).contains("\nto the proxy of service/shop/api\n"));
    // Where all proxies have one and the same policy for the host, any of them answers.
    let policies = policies.replace("www.example", "api.example").replace(
        "[api.example], cors: {allowOrigins: ['https://app",
        "[other.example], cors: {allowOrigins: ['https://app",
    );
    assert_eq!(decided(&policies, &[]), pair("shop/wide", "readable"));
}

#[test]
fn a_gateway_has_the_policies_that_name_it() {
    let gateway = |section: &str| {
        format!(
            "targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: edge{section}}}]"
        )
    };
    let policies = policy("wide", &cors("*"))
        + &policy("edge", &format!("{}, {}", gateway(""), cors("https://web.example")))
        + &policy(
            "listener",
            &format!(
                "{}, hostnames: [api.example], {}",
                gateway(", sectionName: https"),
                cors("https://app.example")
            ),
        );
    for (target, want) in [
        ("gateway/shop/edge", pair("shop/edge", "blocked")),
        ("gateway/shop/edge:https", pair("shop/listener", "readable")),
        ("namespace/shop", pair("shop/wide", "readable")),
    ] {
        assert_eq!(decided(&policies, &["--target", target]), want, "{target}");
    }
    let output = run(&policies, &["--target", "gateway/shop/other"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(
        error.contains("no file shows `gateway/shop/other`, and no policy names it"),
        "{error}"
    );
}

#[test]
fn namespaces_are_proxies_of_their_own() {
    let elsewhere = policy("api", &cors("https://app.example")).replace("shop", "other");
    let policies = policy("api", &cors("https://web.example")) + &elsewhere;
    assert_eq!(run(&policies, &[]).status.code(), Some(2));
    assert_eq!(decided(&policies, &["--namespace", "other"]), pair("other/api", "readable"));
    assert_eq!(decided(&policies, &["--target", "namespace/shop"]), pair("shop/api", "blocked"));
    let output = run(&policies, &["-n", "none"]);
    let error = text(&output.stderr);
    assert!(error.contains("no policy is of the namespace `none`"), "{error}");
}

/// In an Envoy beside a folder of policies a target gives no precedence: the name decides.
#[test]
fn one_proxy_has_all_policies_and_no_target_takes_precedence() {
    let policies = policy("a", &cors("https://app.example"))
        + &policy("b", &format!("{}, {}", service("api"), cors("https://web.example")));
    let target = ["--target", "service/shop/api"];
    assert_eq!(decided(&policies, &target), pair("shop/b", "blocked"));
    assert_eq!(decided(&policies, &["--one-proxy"]), pair("shop/a", "readable"));
}

#[test]
fn a_namespace_that_is_off_is_named() {
    let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: {corsward.io/mode: 'Off'}}\n";
    let report = report(&(policy("api", &cors("https://app.example")) + namespace), &[]);
    assert_eq!(report["diagnoses"][0]["code"], "not-enforced");
    let message = report["diagnoses"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("the annotation `corsward.io/mode: Off` of the Namespace `shop`"),
        "{message}"
    );
}

#[test]
fn an_origin_set_that_no_file_shows_is_noted() {
    let policies = policy(
        "api",
        "cors: {allowOrigins: ['https://web.example'], allowOriginsFrom: [{kind: OriginSet, name: front}]}",
    );
    let want = "OriginSet shop/front, which shop/api names in spec.cors.allowOriginsFrom[0], is in no file: its origins do not count here";
    assert_eq!(report(&policies, &[])["notes"][0], want);
    let output = run(&policies, &[]);
    assert!(text(&output.stdout).contains(&format!("\nnote: {want}\n")));
}

#[test]
fn the_upstream_is_assumed_or_its_answer_is_given() {
    let policies = policy("api", &cors("https://app.example"));
    let step = |report: &Value| report["steps"][2].clone();
    let assumed = step(&report(&policies, &[]));
    assert_eq!(
        assumed["assumed"],
        "the upstream answers 200 without a header of CORS; `--upstream-response FILE` takes its answer"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("upstream.txt");
    let answer = "HTTP/1.1 404 Not Found\nvary: accept\naccess-control-allow-origin: *\naccess-control-max-age: 5\nx-a: 1\n\nnone\n";
    std::fs::write(&file, answer).unwrap();
    let args = ["--upstream-response", file.to_str().unwrap()];
    let given = step(&report(&policies, &args));
    assert_eq!(given["assumed"], Value::Null);
    assert_eq!(given["answer"]["status"], 404);
    let headers = given["answer"]["headers"].as_array().unwrap().iter();
    let headers: Vec<String> =
        headers.map(|it| format!("{}: {}", it["name"], it["value"]).replace('"', "")).collect();
    assert_eq!(
        headers,
        ["access-control-allow-origin: https://app.example", "vary: accept, Origin"]
    );
    // Its own headers stay where the policy keeps them.
    let keeps = policies
        .replace("spec: {", "spec: {upstreamCorsHeaders: Keep, preflight: {onFailure: Forward}, ");
    let kept = step(&report(&keeps, &args));
    assert!(kept["answer"].to_string().contains("\"*\""), "{kept}");
    // No policy decides: the upstream's own answer does.
    let elsewhere = policies.replace("spec: {", "spec: {hostnames: [www.example], ");
    let of_upstream = report(&elsewhere, &args);
    assert_eq!(of_upstream["result"], "readable");
}

/// Shells of applications and extensions send an origin of their own scheme, which policies may list.
#[test]
fn an_origin_of_an_app_is_one() {
    for origin in [
        "tauri://localhost",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    ] {
        let policies = policy("api", &cors(origin));
        let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
        command.args(["explain", "-", "--url", "https://api.example/", "--origin"]);
        command.args([&format!("{origin}/index.html"), "-o", "json"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Wrong arguments are told before the input is read.
        drop(child.stdin.take().unwrap().write_all(policies.as_bytes()));
        let report: Value =
            serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(report["request"]["origin"], origin);
        assert_eq!(report["result"], "readable", "{report:#}");
    }
}

#[test]
fn a_target_that_is_none_is_told_with_examples() {
    for target in ["api", "deployment/shop/api", "service/api", "selector/shop/app"] {
        let output = run(&three(), &["--target", target]);
        assert_eq!(output.status.code(), Some(2), "{target}");
        assert!(
            text(&output.stderr).contains("write `namespace/shop`, `service/shop/api`"),
            "{target}"
        );
    }
}

#[test]
fn a_target_that_nothing_names_is_an_error_with_the_targets_that_there_are() {
    let policies = policy("api", &format!("{}, {}", service("api"), cors("https://app.example")))
        + &policy(
            "web",
            "selector: {matchLabels: {app: web}}, cors: {allowOrigins: ['https://app.example']}",
        );
    for target in
        ["namespace/shp", "selector/shop/app=wbe", "selector/shop/ap=web", "service/shop/ap"]
    {
        let output = run(&policies, &["--target", target]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{target}: {error}");
        let known = "the policies are for selector/shop/app=web, service/shop/api";
        assert!(error.contains(known), "{target}: {error}");
    }
    // More labels than the policy names are those of fewer pods.
    let target = ["--target", "selector/shop/app=web,tier=front"];
    assert_eq!(decided(&policies, &target), pair("shop/web", "readable"));
}

#[test]
fn a_proxy_without_policies_is_not_for_want_of_a_hostname() {
    let policies = policy("api", &format!("{}, {}", service("api"), cors("https://app.example")));
    let output = run(&policies, &["--target", "namespace/shop"]);
    let said = text(&output.stdout);
    assert!(said.contains("no policy is for the proxy of namespace/shop"), "{said}");
    assert!(!said.contains("hostnames"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_would_be_ignored_is_refused() {
    let policies = policy("api", &cors("https://app.example"));
    let both = ["--target", "namespace/shop", "--namespace", "other"];
    let output = run(&policies, &both);
    let error = text(&output.stderr);
    assert!(output.status.code() == Some(2) && error.contains("cannot be used with"), "{error}");
    let output = run(&policies, &["absent.yaml"]);
    let error = text(&output.stderr);
    assert!(output.status.code() == Some(2) && error.contains("absent.yaml: "), "{error}");
    assert!(error.contains("No such file"), "{error}");
}

#[test]
fn a_path_that_no_rule_covers_is_named_with_the_rules_of_its_host() {
    let policy = "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\n\
                  metadata: {namespace: shop, name: api}\nspec:\n  hostnames: [api.example]\n  rules:\n  \
                  - path: {type: PathPrefix, value: /public}\n    cors: {allowOrigins: ['https://app.example'], maxAge: 600}\n  \
                  - path: {type: Exact, value: /status}\n    cors: {allowOrigins: ['https://app.example'], maxAge: 600}\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    std::fs::write(&file, policy).unwrap();
    let fault = |url: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_corsward"));
        let command = command.arg("explain").arg(&file);
        let output =
            command.args(["--origin", "https://app.example", "--url", url]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split("\n\n")
            .find(|it| it.starts_with("not-covered"))
            .unwrap_or_default()
            .trim_end()
            .to_owned()
    };
    assert_eq!(
        fault("https://api.example/items"),
        "not-covered: no policy decides about `/items` of `api.example`; `shop/api` covers the host, with rules of `/public`, `/status` alone, \
         and without `spec.cors` for other paths\n   \
         fix: add a rule of the path to `spec.rules` of `shop/api`, or `spec.cors`, which is for all other paths; `--live` asks the server"
    );
    let of_host = fault("https://other.example/public");
    assert!(
        of_host.contains("they cover `api.example`\n   fix: add the host to `spec.hostnames`"),
        "{of_host}"
    );
    assert_eq!(fault("https://api.example/public/a"), "");
}
