//! `validate`, and what else prints and exits.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{OperatorDirs, corsward, policy};

const ONE: &str = "https://one.example";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_exit_code_is_the_worst_of_all_files() {
    let dirs = OperatorDirs::new();
    dirs.write("good.yaml", &policy("good", ONE));
    dirs.write("refused.yaml", &policy("refused", "https://one.example/path"));
    dirs.write("broken.yaml", "spec: [");
    dirs.write("other.yaml", "kind: Other\n");
    dirs.write("twice.yaml", &policy("good", "https://two.example"));
    let path = |name: &str| dirs.policies().join(name).display().to_string();
    for (why, files, want) in [
        ("accepted, with hints", vec!["good.yaml"], 0),
        ("nothing of ours", vec!["other.yaml"], 2),
        ("refused", vec!["good.yaml", "refused.yaml"], 1),
        ("one name, two texts", vec!["good.yaml", "twice.yaml"], 1),
        ("no YAML", vec!["refused.yaml", "broken.yaml"], 2),
        ("no file", vec!["good.yaml", "missing.yaml"], 2),
        ("a folder with all of it", vec![""], 2),
    ] {
        let files: Vec<String> = files.into_iter().map(path).collect();
        let args: Vec<&str> =
            ["validate"].into_iter().chain(files.iter().map(String::as_str)).collect();
        let output = corsward(&args, "");
        let said = output.out;
        assert_eq!(output.code, Some(want), "{why}: {said}");
    }
}

#[test]
fn a_line_says_where_who_and_what() {
    let refused = policy("a", "https://one.example/path");
    let output = corsward(&["validate", "-"], &refused);
    assert_eq!(output.code, Some(1));
    let said = output.out;
    let line = said.lines().next().unwrap();
    assert!(line.starts_with("-: shop/a: CORS-E"), "{line}");
    assert!(line.contains(" refusal spec.cors.allowOrigins[0]: "), "{line}");
}

#[test]
fn a_policy_that_is_too_large_to_be_published_is_refused() {
    let label = "a".repeat(63);
    let long = [label.as_str(), &label, &label].join(".");
    for (count, code) in [(5_000, "CORS-E523"), (3_200, "CORS-E531")] {
        let origins = (0..count).map(|at| format!("https://t{at:06}.{long}.example"));
        let origins = origins.collect::<Vec<_>>().join("', '");
        let output = corsward(&["validate", "-"], &policy("a", &origins));
        assert_eq!(output.code, Some(1));
        let said = output.out;
        assert!(said.starts_with(&format!("-: shop/a: {code} refusal spec: ")), "{said}");
    }
}

/// Two policies, and what is said of the second one because of the first.
fn pairs() -> Vec<(&'static str, String, String, &'static str)> {
    let cors = "cors: {allowOrigins: ['https://a.example'], maxAge: 600}";
    let rules = format!("rules: [{{path: {{type: PathPrefix, value: /public}}, {cors}}}]");
    let (wide, api) = ("hostnames: ['*.shop.example']", "hostnames: [api.shop.example]");
    let selector = |app: &str| format!("selector: {{matchLabels: {{app: {app}}}}}");
    let service = |name: &str| format!("targetRefs: [{{group: '', kind: Service, name: {name}}}]");
    vec![
        ("the same host and path", format!("{api}, {cors}"), format!("{api}, {cors}"), "CORS-I522"),
        (
            "other pods",
            format!("{}, {cors}", selector("a")),
            format!("{}, {cors}", selector("b")),
            "",
        ),
        ("another host", format!("{api}, {cors}"), format!("hostnames: [b.example], {cors}"), ""),
        (
            "one Service",
            format!("{}, {cors}", service("a")),
            format!("{}, {cors}", service("a")),
            "CORS-I522",
        ),
        (
            "two Services",
            format!("{}, {cors}", service("a")),
            format!("{}, {cors}", service("b")),
            "",
        ),
        (
            "rules for a narrower host",
            format!("{wide}, {cors}"),
            format!("{api}, {rules}"),
            "CORS-W541",
        ),
        (
            "and what holds beside them",
            format!("{wide}, {cors}"),
            format!("{api}, {cors}, {rules}"),
            "",
        ),
        ("rules for the same host", format!("{api}, {cors}"), format!("{api}, {rules}"), ""),
        (
            "rules of other pods",
            format!("{}, {wide}, {cors}", selector("a")),
            format!("{}, {api}, {rules}", selector("b")),
            "",
        ),
        (
            "rules for a closer target",
            cors.to_owned(),
            format!("{}, {rules}", selector("a")),
            "CORS-W541",
        ),
    ]
}

/// The same for rules for every path, and for policies that are rehearsed.
fn pairs_of_rules() -> Vec<(&'static str, String, String, &'static str)> {
    let cors = "cors: {allowOrigins: ['https://a.example'], maxAge: 600}";
    let rule =
        |path: &str| format!("rules: [{{path: {{type: PathPrefix, value: {path}}}, {cors}}}]");
    let (root, rules) = (rule("/"), rule("/public"));
    let (wide, api) = ("hostnames: ['*.shop.example']", "hostnames: [api.shop.example]");
    vec![
        ("every path", format!("{api}, {root}"), format!("{api}, {cors}"), "CORS-I522"),
        (
            "every path, and a rule that stays",
            format!("{api}, {root}"),
            format!("{api}, {cors}, {rules}"),
            "",
        ),
        (
            "rules for a narrower host, both rehearsed",
            format!("{wide}, {cors}, mode: DryRun"),
            format!("{api}, {rules}, mode: DryRun"),
            "CORS-W541",
        ),
        (
            "rules for a narrower host, one rehearsed",
            format!("{wide}, {cors}"),
            format!("{api}, {rules}, mode: DryRun"),
            "",
        ),
    ]
}

/// The same for policies of ports of one Service.
fn pairs_of_ports() -> Vec<(&'static str, String, String, &'static str)> {
    let cors = "cors: {allowOrigins: ['https://a.example'], maxAge: 600}";
    let rules = format!("rules: [{{path: {{type: PathPrefix, value: /public}}, {cors}}}]");
    let (wide, api) = ("hostnames: ['*.shop.example']", "hostnames: [api.shop.example]");
    let service =
        |section: &str| format!("targetRefs: [{{group: '', kind: Service, name: a{section}}}]");
    let port = |section: &str| service(&format!(", sectionName: {section}"));
    vec![
        (
            "one port",
            format!("{}, {cors}", port("http")),
            format!("{}, {cors}", port("http")),
            "CORS-I522",
        ),
        (
            "two ports",
            format!("{}, {cors}", port("http")),
            format!("{}, {cors}", port("admin")),
            "",
        ),
        (
            "a Service and a port of it",
            format!("{}, {cors}", service("")),
            format!("{}, {cors}", port("http")),
            "CORS-I522",
        ),
        (
            "rules for a Service with a port for a broader host",
            format!("{}, {wide}, {cors}", port("http")),
            format!("{}, {api}, {rules}", service("")),
            "CORS-W541",
        ),
        (
            "rules for a port of a Service with a broader host",
            format!("{}, {wide}, {cors}", service("")),
            format!("{}, {api}, {rules}", port("http")),
            "CORS-W541",
        ),
    ]
}

#[test]
fn policies_that_are_in_each_others_way_are_told() {
    let head = |name: &str| {
        format!(
            "---\napiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: {name}}}\n"
        )
    };
    let of = |text: &str| format!("spec: {{{text}}}\n");
    for (why, first, second, code) in
        pairs().into_iter().chain(pairs_of_rules()).chain(pairs_of_ports())
    {
        let input = [head("a"), of(&first), head("b"), of(&second)].concat();
        let output = corsward(&["validate", "-"], &input);
        let said = output.out;
        assert_eq!(output.code, Some(0), "{why}: {said}");
        for known in ["CORS-I522", "CORS-W541"] {
            let is_said = said.contains(&format!("-: shop/b: {known} "));
            assert_eq!(is_said, known == code, "{why}: {said}");
            assert!(!said.contains(&format!("-: shop/a: {known} ")), "{why}: {said}");
        }
    }
}

#[test]
fn of_a_policy_that_is_there_twice_the_last_one_counts_as_with_kubectl_and_both_are_judged() {
    let (broken, good) = (policy("a", "https://one.example/path"), policy("a", ONE));
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("1.yaml", &broken), ("2.yaml", &good)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let path = |name: &str| folder.path().join(name).display().to_string();
    let output = corsward(&["validate", folder.path().to_str().unwrap()], "");
    let said = output.out;
    assert_eq!(output.code, Some(1), "{said}");
    let (first, last) = (path("1.yaml"), path("2.yaml"));
    for line in [
        format!(
            "{first}: CORS-E506 refusal metadata.name: `shop/a` is in `{last}` too, and that one counts"
        ),
        format!("{first}: shop/a: CORS-E107 refusal spec.cors.allowOrigins[0]: "),
    ] {
        assert!(said.contains(&line), "{line}: {said}");
    }
    assert!(!said.contains(&format!("{last}: CORS-E506")), "{said}");
    assert_eq!(output.err, "1 policy: refused\n");
}

#[test]
fn the_last_line_counts_policies() {
    let (one, two) = (policy("a", ONE), [policy("a", ONE), policy("b", ONE)].join("---\n"));
    for (input, code, want) in [
        (String::new(), 2, "0 policies: nothing of corsward.io was found\n"),
        (one, 0, "1 policy: accepted\n"),
        (two, 0, "2 policies: accepted\n"),
    ] {
        // The second is what a shell's `<(…)` is like: no file, and it can be read.
        for path in ["-", "/dev/stdin"] {
            let output = corsward(&["validate", path], &input);
            assert_eq!(output.code, Some(code), "{path}: {want}");
            assert_eq!(output.err, want);
        }
    }
}

#[test]
fn each_selector_is_compared_with_the_namespaces_by_the_name_of_its_guardrail() {
    let guardrail = |name: &str, namespace: &str| {
        format!(
            "---\napiVersion: corsward.io/v1alpha1\nkind: ClusterCorsPolicy\nmetadata: {{name: {name}}}\nspec:\n  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}\n  guardrails: {{maxMaxAge: 600}}\n"
        )
    };
    let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n".to_owned();
    let input =
        [policy("a", ONE), namespace, guardrail("live", "shop"), guardrail("live spec", "nowhere")]
            .concat();
    let said = corsward(&["validate", "-"], &input).out;
    let selectors: Vec<&str> = said.lines().filter(|line| line.contains("Selector")).collect();
    let [line] = selectors.as_slice() else { panic!("{said}") };
    let start = "-: CORS-I602 hint ClusterCorsPolicy/live spec spec.namespaceSelector: ";
    assert!(line.starts_with(start), "{line}");
}

#[test]
fn targets_of_a_policy_for_a_cluster_are_no_matter_for_a_word() {
    let targeted = policy("a", ONE) + "  selector: {matchLabels: {app: api}}\n";
    let output = corsward(&["validate", "-"], &targeted);
    let said = output.out;
    assert_eq!(output.code, Some(0), "{said}");
    assert!(!said.contains("spec.selector"), "{said}");
}

#[test]
fn all_mistakes_are_printed_at_once() {
    let wrong = policy("a", "https://one.example/path")
        .replace("  cors:", "  hostname: [x]\n  mode: active\n  preflight: {successStatus: '200'}\n  targetRefs: [{kind: Service, name: x}]\n  trustedOrigins: https://idp.example\n  cors:\n    maxAg: 5")
        .replace("spec:", "sped: {}\nspec:");
    let output = corsward(&["validate", "-"], &wrong);
    let said = output.out;
    for want in [
        "CORS-E503 refusal sped",
        "CORS-E503 refusal spec.hostname",
        "CORS-E503 refusal spec.cors.maxAg",
        "refusal spec.mode: `active` is none of `Active`, `DryRun`, `Off`: write `Active`",
        "refusal spec.preflight.successStatus: `\"200\"` is not a whole number: write `200`",
        "refusal spec.targetRefs[0].group: the field is missing: write `\"\"`",
        "refusal spec.trustedOrigins: `\"https://idp.example\"` is not a list: write `[\"https://idp.example\"]`",
        " refusal spec.cors.allowOrigins[0]",
    ] {
        assert!(said.contains(want), "{want} in {said}");
    }
}

#[test]
fn what_kubectl_reads_otherwise_is_refused_with_what_to_write() {
    let written = |mode: &str| policy("a", ONE).replace("spec:", &format!("spec:\n  mode: {mode}"));
    let output = corsward(&["validate", "-"], &written("Off"));
    let said = output.out;
    let line = "CORS-E513 refusal spec.mode: `Off` without quotes is `false` to `kubectl`: write `\"Off\"`";
    assert!(said.contains(line), "{said}");
    assert_eq!(output.code, Some(1));
    assert_eq!(corsward(&["validate", "-"], &written("\"Off\"")).code, Some(0));
    let rule = |mode: &str| {
        let rules =
            format!("spec:\n  rules: [{{path: {{type: PathPrefix, value: /a}}, mode: {mode}}}]");
        corsward(&["validate", "-"], &policy("a", ONE).replace("spec:", &rules))
    };
    let said = rule("Off").out;
    assert!(said.contains("CORS-E513 refusal spec.rules[0].mode: `Off`"), "{said}");
    assert_eq!(rule("\"Off\"").code, Some(0));
    let said = rule("DryRun").out;
    assert!(said.contains("CORS-E422 refusal spec.rules[0].mode: a rule cannot be"), "{said}");
}

#[test]
fn programs_get_json() {
    let refused = policy("a", "https://one.example/path");
    let output = corsward(&["validate", "-o", "json", "-"], &refused);
    let said: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(said[0]["file"], "-");
    assert_eq!(said[0]["policy"], "shop/a");
    assert_eq!(said[0]["severity"], "refusal");
    assert_eq!(said[0]["field"], "spec.cors.allowOrigins[0]");
    let output = corsward(&["validate", "-o", "json", "-"], "");
    assert_eq!(serde_json::from_str::<Value>(&output.out).unwrap(), Value::Array(Vec::new()));
}

#[test]
fn every_example_is_accepted() {
    let mut count = 0;
    for entry in fs::read_dir(repository().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let is_ours = !path.ends_with("00-namespaces.yaml");
        if is_ours && path.extension().is_some_and(|extension| extension == "yaml") {
            let output = corsward(&["validate", path.to_str().unwrap()], "");
            let said = &output.out;
            assert_eq!(output.code, Some(0), "{}: {said}", path.display());
            count += 1;
        }
    }
    assert!(count >= 5, "{count} examples");
}

#[test]
fn the_committed_definitions_are_what_the_binary_prints() {
    let committed = ["clustercorspolicies", "corspolicies", "originsets"]
        .map(|name| fs::read_to_string(repository().join(format!("crds/{name}.yaml"))).unwrap());
    let printed = corsward(&["crd"], "").out;
    let stale = "out of date: run `cargo xtask generate` and commit the change";
    assert!(committed.join("---\n") == printed, "{stale}");
}

#[test]
fn help_and_completions_are_there() {
    let help = corsward(&["--help"], "").out;
    assert!(help.contains("corsward-operator run --source dir:policies"), "{help}");
    let completions = corsward(&["completions", "bash"], "").out;
    assert!(completions.contains("corsward-operator"));
}
