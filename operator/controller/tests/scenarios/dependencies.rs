//! What policies of a folder depend on: origin sets and guardrails beside them.

use serde_json::Value;

use crate::harness::{OperatorDirs, policy};

const ONE: &str = "https://one.example";

/// A document of another kind, in the policies' namespace.
fn document(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: corsward.io/v1alpha1\nkind: {kind}\nmetadata: {{namespace: shop, name: {name}}}\nspec: {spec}\n"
    )
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

/// Has it a finding of that code?
fn says(policy: &Value, code: &str) -> bool {
    policy["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == code)
}

#[test]
fn a_set_reaches_the_policies_that_name_it_and_missing_refuses_them() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &of_partners());
    let operator = dirs.start_unready();
    operator.wait_for("a", "refused: the set is missing", |policy| says(policy, "CORS-E621"));
    dirs.write("sets.yaml", &partners("https://b.example"));
    let origins = |policy: &Value| policy["inForce"]["spec"]["cors"]["allowOrigins"].clone();
    operator.wait_for("a", "in force with the set", |policy| {
        origins(policy) == serde_json::json!([ONE, "https://b.example"])
    });
    dirs.write("sets.yaml", &partners("https://c.example"));
    operator.wait_for("a", "in force with the set's new text", |policy| {
        origins(policy) == serde_json::json!([ONE, "https://c.example"])
    });
    dirs.write("sets.yaml", &partners("c.example"));
    let said = operator.wait_for("a", "refused with the set", |policy| says(policy, "CORS-E622"));
    assert_eq!(origins(&said)[1], "https://c.example", "what was in force stays");
}

#[test]
fn a_tightened_guardrail_takes_a_policy_out_of_force() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    dirs.write("platform.yaml", &at_most("https://*.example"));
    let operator = dirs.start();
    operator.wait_for_in_force("a", 1);
    dirs.wait_for_published(&["a"]);
    dirs.write("platform.yaml", &at_most("https://*.two.example"));
    operator.wait_for("a", "refused", |policy| says(policy, "CORS-E601"));
    dirs.wait_for_published(&[]);
    // A mistake in the guardrail lets nothing back in.
    dirs.write("platform.yaml", &at_most("one.example"));
    operator.wait_for_problem("CORS-E103");
    dirs.wait_for_published(&[]);
    dirs.remove("platform.yaml");
    dirs.wait_for_published(&["a"]);
}

#[test]
fn a_guardrail_holds_though_its_text_was_lost_while_nobody_looked() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    dirs.write("platform.yaml", &at_most("https://two.example"));
    let operator = dirs.start();
    operator.wait_for("a", "refused", |policy| says(policy, "CORS-E601"));
    operator.stop("-TERM");
    for text in [
        "spec: [".to_owned(),
        at_most("two.example"),
        at_most("https://two.example").replace("ClusterCorsPolicy", "ClusterCorsPolcy"),
    ] {
        dirs.write("platform.yaml", &text);
        let operator = dirs.start();
        operator.wait_for("a", "refused still", |policy| says(policy, "CORS-E601"));
        operator.wait_for_problem("CORS-W608");
        dirs.wait_for_published(&[]);
        operator.stop("-TERM");
    }
    dirs.remove("platform.yaml");
    let _operator = dirs.start();
    dirs.wait_for_published(&["a"]);
}

#[test]
fn what_a_guardrail_suspends_comes_back_after_a_restart_though_its_text_is_refused() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    let before = dirs.wait_for_published(&["a"]);
    dirs.write("a.yaml", &policy("a", "https://one.example/path"));
    operator.wait_for_refused("a");
    dirs.write("platform.yaml", &at_most("https://two.example"));
    dirs.wait_for_published(&[]);
    operator.stop("-TERM");
    let operator = dirs.start();
    let said = operator.wait_for_refused("a");
    assert!(said["inForce"].is_null(), "the guardrail still forbids it");
    dirs.write("platform.yaml", &at_most(ONE));
    assert_eq!(dirs.wait_for_published(&["a"]), before);
}
