//! The findings of `check`, and its exit code.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const ONE: &str = "https://one.example";

/// What a run of `check` printed.
struct Output {
    code: Option<i32>,
    /// Each finding as `file: object: CODE severity field: message`.
    lines: String,
    /// The last line.
    summary: String,
}

/// Checks files, the last of which may be `-`.
fn check(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    let command = command.args(["check", "-o", "json"]).args(args);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let summary = String::from_utf8(output.stderr).unwrap();
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let line = |finding: &Value| {
        let object = match (finding["kind"].as_str(), finding["object"].as_str()) {
            (Some("CorsPolicy"), Some(name)) => format!("{name}: "),
            (Some(kind), Some(name)) => format!("{kind}/{name}: "),
            _ => String::new(),
        };
        let [file, code, severity, field, message] =
            ["file", "code", "severity", "field", "message"].map(|name| text(&finding[name]));
        format!("{file}: {object}{code} {severity} {field}: {message}\n")
    };
    Output { code: output.status.code(), lines: findings.iter().map(line).collect(), summary }
}

fn policy(name: &str, origin: &str) -> String {
    format!(
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: {name}}}\n\
         spec:\n  hostnames: [{name}.shop.example]\n  cors:\n    allowOrigins: ['{origin}']\n"
    )
}

/// An `OriginSet`, or a `ClusterCorsPolicy`.
fn document(kind: &str, name: &str, spec: &str) -> String {
    let metadata = format!("{{namespace: shop, name: {name}}}")
        .replace(if kind == "ClusterCorsPolicy" { "namespace: shop, " } else { "\0" }, "");
    format!("apiVersion: corsward.io/v1alpha1\nkind: {kind}\nmetadata: {metadata}\nspec: {spec}\n")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_exit_code_is_the_worst_of_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("good.yaml", &policy("good", ONE));
    write("refused.yaml", &policy("refused", "https://one.example/path"));
    write("broken.yaml", "kind: CorsPolicy\nspec: [");
    write("other.yaml", "kind: Other\n");
    write("twice.yaml", &policy("good", "https://two.example"));
    let path = |name: &str| folder.path().join(name).display().to_string();
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
        let args: Vec<&str> = files.iter().map(String::as_str).collect();
        let output = check(&args, "");
        let said = output.lines;
        assert_eq!(output.code, Some(want), "{why}: {said}");
    }
}

#[test]
fn a_line_says_where_who_and_what() {
    let refused = policy("a", "https://one.example/path");
    let output = check(&["-"], &refused);
    assert_eq!(output.code, Some(1));
    let said = output.lines;
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
        let output = check(&["-"], &policy("a", &origins));
        assert_eq!(output.code, Some(1));
        let said = output.lines;
        assert!(said.starts_with(&format!("-: shop/a: {code} refusal spec: ")), "{said}");
    }
}

/// Policies each of which is accepted, and which are too much for one proxy together.
#[test]
fn what_the_operator_would_not_publish_is_refused() {
    let list = |texts: &mut dyn Iterator<Item = String>| texts.collect::<Vec<_>>().join("', '");
    let regexes = list(&mut (0..16).map(|at| format!(r"https://r{at}\.example")));
    let label = "a".repeat(63);
    let long = [label.as_str(), &label, &label].join(".");
    let origins = list(&mut (0..1_800).map(|at| format!("https://t{at:06}.{long}.example")));
    for (why, field, items, count, refused) in [
        ("more regexes than one proxy may have", "allowOriginRegexes", &regexes, 66, 2),
        (" bytes, and 1048576 can be published: ", "allowOrigins", &origins, 3, 1),
    ] {
        let policy = |name: &str| policy(name, items).replace("allowOrigins", field);
        let policies = (0..count).map(|at| policy(&format!("p{at:02}")));
        let output = check(&["-"], &policies.collect::<Vec<_>>().join("---\n"));
        let lines = output.lines.lines().filter(|line| line.contains(" refusal "));
        let lines: Vec<&str> = lines.collect();
        assert_eq!((output.code, lines.len()), (Some(1), refused), "{lines:#?}");
        for (line, at) in lines.iter().zip(count - refused..) {
            assert!(
                line.starts_with(&format!("-: shop/p{at:02}: CORS-E535 refusal spec: ")),
                "{line}"
            );
            assert!(line.contains(why), "{line}");
        }
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
        let output = check(&["-"], &input);
        let said = output.lines;
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
    let output = check(&[folder.path().to_str().unwrap()], "");
    let said = output.lines;
    assert_eq!(output.code, Some(1), "{said}");
    let (first, last) = (path("1.yaml"), path("2.yaml"));
    for line in [
        format!(
            "{first}: shop/a: CORS-E506 refusal metadata.name: `shop/a` is in `{last}` too, and that one counts"
        ),
        format!("{first}: shop/a: CORS-E107 refusal spec.cors.allowOrigins[0]: "),
    ] {
        assert!(said.contains(&line), "{line}: {said}");
    }
    assert!(!said.contains(&format!("{last}: shop/a: CORS-E506")), "{said}");
    assert!(output.summary.starts_with("1 policy in 2 files: 2 refusals, "), "{}", output.summary);
}

#[test]
fn the_last_line_counts_policies() {
    let (one, two) = (policy("a", ONE), [policy("a", ONE), policy("b", ONE)].join("---\n"));
    for (input, code, want) in [
        (String::new(), 2, "0 policies in 1 file: nothing of corsward.io was found\n"),
        (one, 0, "1 policy in 1 file: 1 warning, 2 hints\n"),
        (two, 0, "2 policies in 1 file: 2 warnings, 4 hints\n"),
    ] {
        // The second is what a shell's `<(…)` is like: no file, and it can be read.
        for path in ["-", "/dev/stdin"] {
            let output = check(&[path], &input);
            assert_eq!(output.code, Some(code), "{path}: {want}");
            assert_eq!(output.summary, want);
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
    let said = check(&["-"], &input).lines;
    let selectors: Vec<&str> = said.lines().filter(|line| line.contains("Selector")).collect();
    let [line] = selectors.as_slice() else { panic!("{said}") };
    let start = "-: ClusterCorsPolicy/live spec: CORS-I602 hint spec.namespaceSelector: ";
    assert!(line.starts_with(start), "{line}");
}

#[test]
fn targets_of_a_policy_for_a_cluster_are_no_matter_for_a_word() {
    let targeted = policy("a", ONE) + "  selector: {matchLabels: {app: api}}\n";
    let output = check(&["-"], &targeted);
    let said = output.lines;
    assert_eq!(output.code, Some(0), "{said}");
    assert!(!said.contains("spec.selector"), "{said}");
}

#[test]
fn all_mistakes_are_printed_at_once() {
    let wrong = policy("a", "https://one.example/path")
        .replace("  cors:", "  hostname: [x]\n  mode: active\n  preflight: {successStatus: '200'}\n  targetRefs: [{kind: Service, name: x}]\n  trustedOrigins: https://idp.example\n  cors:\n    maxAg: 5")
        .replace("spec:", "sped: {}\nspec:");
    let output = check(&["-"], &wrong);
    let said = output.lines;
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
    let output = check(&["-"], &written("Off"));
    let said = output.lines;
    let line = "CORS-E513 refusal spec.mode: `Off` without quotes is `false` to `kubectl`: write `\"Off\"`";
    assert!(said.contains(line), "{said}");
    assert_eq!(output.code, Some(1));
    assert_eq!(check(&["-"], &written("\"Off\"")).code, Some(0));
    let rule = |mode: &str| {
        let rules =
            format!("spec:\n  rules: [{{path: {{type: PathPrefix, value: /a}}, mode: {mode}}}]");
        check(&["-"], &policy("a", ONE).replace("spec:", &rules))
    };
    let said = rule("Off").lines;
    assert!(said.contains("CORS-E513 refusal spec.rules[0].mode: `Off`"), "{said}");
    assert_eq!(rule("\"Off\"").code, Some(0));
    let said = rule("DryRun").lines;
    assert!(said.contains("CORS-E422 refusal spec.rules[0].mode: a rule cannot be"), "{said}");
}

#[test]
fn every_example_is_accepted() {
    let mut count = 0;
    for entry in fs::read_dir(repository().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let is_ours = !path.ends_with("00-namespaces.yaml");
        if is_ours && path.extension().is_some_and(|extension| extension == "yaml") {
            let output = check(&[path.to_str().unwrap()], "");
            let said = &output.lines;
            assert_eq!(output.code, Some(0), "{}: {said}", path.display());
            count += 1;
        }
    }
    assert!(count >= 5, "{count} examples");
}

/// A `Namespace` with these labels and annotations.
fn namespace(name: &str, labels: &str, annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels: {{{labels}}}\n  annotations: {{{annotations}}}\n"
    )
}

/// An enforced guardrail with another origin than the policy's, for the namespaces of a selector.
fn guardrail(selector: &str) -> String {
    format!(
        "apiVersion: corsward.io/v1alpha1\nkind: ClusterCorsPolicy\nmetadata: {{name: platform}}\nspec:\n  {selector}\n  guardrails: {{allowedOrigins: ['https://two.example']}}\n"
    )
}

#[test]
fn labels_of_namespaces_decide_which_guardrails_bound_a_policy() {
    let of_env = |env: &str| format!("namespaceSelector: {{matchLabels: {{env: {env}}}}}");
    let expression = |operator: &str| {
        format!(
            "namespaceSelector: {{matchExpressions: [{{key: env, operator: {operator}, values: [live]}}]}}"
        )
    };
    let by_name = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}";
    let shop = |labels: &str| namespace("shop", labels, "");
    let other = namespace("other", "env: live", "");
    for (why, selector, namespaces, want) in [
        ("selected", of_env("live"), shop("env: live"), vec!["CORS-E601"]),
        ("another value", of_env("test"), shop("env: live"), vec!["CORS-I602"]),
        ("no label", of_env("live"), shop(""), vec!["CORS-I602"]),
        ("in", expression("In"), shop("env: live"), vec!["CORS-E601"]),
        ("not in", expression("NotIn"), shop("env: live"), vec!["CORS-I602"]),
        ("its name", by_name.to_owned(), shop(""), vec!["CORS-E601"]),
        ("no selector", String::new(), shop("env: live"), vec!["CORS-E601"]),
        (
            "another namespace is selected",
            of_env("live"),
            format!("{}---\n{other}", shop("env: test")),
            vec![],
        ),
        (
            "in a list of objects",
            of_env("live"),
            format!(
                "apiVersion: v1\nkind: List\nitems:\n- {}",
                shop("env: test").trim_end().replace('\n', "\n  ")
            ),
            vec!["CORS-I602"],
        ),
        (
            "the policy's namespace is not in the files",
            of_env("live"),
            other.clone(),
            vec!["CORS-E601", "CORS-I601"],
        ),
        ("no Namespace", of_env("live"), String::new(), vec!["CORS-E601", "CORS-I601"]),
        (
            "another kind of that name",
            of_env("live"),
            shop("env: test").replace("apiVersion: v1", "apiVersion: a.example/v1"),
            vec!["CORS-E601", "CORS-I601"],
        ),
    ] {
        let text = [policy("a", ONE), guardrail(&selector), namespaces].join("---\n");
        let output = check(&["-"], &text);
        let said = output.lines;
        for code in ["CORS-E601", "CORS-I601", "CORS-I602"] {
            assert_eq!(said.contains(code), want.contains(&code), "{why}: {code}: {said}");
        }
        let refused = i32::from(want.contains(&"CORS-E601"));
        assert_eq!(output.code, Some(refused), "{why}: {said}");
    }
}

#[test]
fn the_mode_of_a_namespace_counts() {
    for (why, annotation, code, line) in [
        ("stopped", "corsward.io/mode: 'Off'", 0, "shop/a: CORS-I542 hint metadata.namespace: "),
        ("in lower case", "corsward.io/mode: 'off'", 0, "shop/a: CORS-I542 hint"),
        (
            "another word",
            "corsward.io/mode: DryRun",
            0,
            "shop/a: CORS-W535 warning metadata.namespace: the namespace's annotation `corsward.io/mode` says `DryRun`",
        ),
        (
            "without quotes",
            "corsward.io/mode: Off",
            1,
            "Namespace/shop: CORS-E513 refusal metadata.annotations.corsward.io/mode: `Off` without quotes is `false` to `kubectl`: write `\"Off\"`",
        ),
    ] {
        let text = [policy("a", ONE), namespace("shop", "", annotation)].join("---\n");
        let output = check(&["-"], &text);
        let said = output.lines;
        assert!(said.contains(line), "{why}: {said}");
        assert_eq!(output.code, Some(code), "{why}: {said}");
        let other = [policy("a", ONE), namespace("other", "", annotation)].join("---\n");
        let said = check(&["-"], &other).lines;
        assert!(
            !said.contains("shop/a: CORS-I542") && !said.contains("CORS-W535"),
            "{why}: {said}"
        );
    }
}

#[test]
fn a_policy_of_a_stopped_namespace_overrides_no_other() {
    let hosts = "[api.shop.example]";
    let one = policy("a", ONE).replace("[a.shop.example]", hosts);
    let two = policy("b", ONE).replace("[b.shop.example]", hosts);
    for (annotation, told) in [("", true), ("corsward.io/mode: 'Off'", false)] {
        let namespace = namespace("shop", "", annotation);
        let text = [one.as_str(), &two, &namespace].join("---\n");
        let said = check(&["-"], &text).lines;
        assert_eq!(said.contains("CORS-I522"), told, "{annotation}: {said}");
    }
}

fn partners(origin: &str) -> String {
    document("OriginSet", "partners", &format!("{{origins: ['{origin}']}}"))
}

fn at_most(origin: &str) -> String {
    let spec = format!("{{guardrails: {{allowedOrigins: ['{origin}']}}}}");
    document("ClusterCorsPolicy", "platform", &spec)
}

fn of_partners() -> String {
    policy("a", ONE)
        .replace("  cors:", "  cors:\n    allowOriginsFrom: [{kind: OriginSet, name: partners}]")
}

#[test]
fn policies_are_judged_beside_the_sets_and_guardrails_that_are_given_with_them() {
    let outcome = |documents: &[String]| {
        let output = check(&["-"], &documents.join("---\n"));
        (output.code, output.lines)
    };
    let (good, bad) = (partners("https://b.example"), partners("http://b.example/x"));
    for (why, documents, code, line) in [
        ("alone", vec![of_partners()], 0, "CORS-I622 hint spec.cors.allowOriginsFrom[0]"),
        ("with its set", vec![of_partners(), good.clone()], 0, ""),
        (
            "a refused set",
            vec![bad],
            1,
            "OriginSet/shop/partners: CORS-E107 refusal spec.origins[0]",
        ),
        (
            "a guardrail that the set exceeds",
            vec![of_partners(), good.clone(), at_most(ONE)],
            1,
            "CORS-E601 refusal spec.cors.allowOriginsFrom[0]: in the `OriginSet` `partners`, `https://b.example` is in none",
        ),
        ("a guardrail that holds", vec![of_partners(), good, at_most("https://*.example")], 0, ""),
    ] {
        let (found, said) = outcome(&documents);
        assert_eq!(found, Some(code), "{why}: {said}");
        assert!(said.contains(line), "{why}: {said}");
    }
}
