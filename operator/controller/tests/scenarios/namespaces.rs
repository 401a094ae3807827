//! `validate` and the Namespaces among its files.

use crate::harness::{corsward, policy};

const POLICY_ORIGIN: &str = "https://one.example";

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
        let text = [policy("a", POLICY_ORIGIN), guardrail(&selector), namespaces].join("---\n");
        let output = corsward(&["validate", "-"], &text);
        let said = output.out;
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
            "CORS-E513 refusal Namespace/shop metadata.annotations.corsward.io/mode: `Off` without quotes is `false` to `kubectl`: write `\"Off\"`",
        ),
    ] {
        let text = [policy("a", POLICY_ORIGIN), namespace("shop", "", annotation)].join("---\n");
        let output = corsward(&["validate", "-"], &text);
        let said = output.out;
        assert!(said.contains(line), "{why}: {said}");
        assert_eq!(output.code, Some(code), "{why}: {said}");
        let other = [policy("a", POLICY_ORIGIN), namespace("other", "", annotation)].join("---\n");
        let said = corsward(&["validate", "-"], &other).out;
        assert!(
            !said.contains("shop/a: CORS-I542") && !said.contains("CORS-W535"),
            "{why}: {said}"
        );
    }
}

#[test]
fn a_policy_of_a_stopped_namespace_overrides_no_other() {
    let hosts = "[api.shop.example]";
    let one = policy("a", POLICY_ORIGIN).replace("[a.shop.example]", hosts);
    let two = policy("b", POLICY_ORIGIN).replace("[b.shop.example]", hosts);
    for (annotation, told) in [("", true), ("corsward.io/mode: 'Off'", false)] {
        let namespace = namespace("shop", "", annotation);
        let text = [one.as_str(), &two, &namespace].join("---\n");
        let said = corsward(&["validate", "-"], &text).out;
        assert_eq!(said.contains("CORS-I522"), told, "{annotation}: {said}");
    }
}
