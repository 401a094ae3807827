//! Numbers, truth values and nothing: a finding quotes them as the file has them, and its fix is accepted in that place.

use corsward_operator::source::document;
use corsward_operator_core::guardrails::Guardrail;
use corsward_operator_core::origin_sets::Sets;
use corsward_operator_core::validation::validate_object;
use corsward_policy::Finding;

use crate::{context, findings_in};

const HEAD: &str = "apiVersion: corsward.io/v1alpha1\nkind: ";
const CORS: &str = "allowOrigins: [https://a.example], allowHeaders: [content-type]";

/// A policy with these fields beside the origin of its `cors`.
fn cors(fields: &str) -> String {
    format!("{HEAD}CorsPolicy\nmetadata: {{name: a}}\nspec:\n  cors: {{{CORS}, {fields}}}\n")
}

/// A policy with a line of its own in its spec.
fn spec(line: &str) -> String {
    format!("{}  {line}\n", cors("maxAge: 600"))
}

fn refusals(text: &str) -> Vec<String> {
    let findings = findings_in(text).into_iter();
    let refusals = findings.filter(|finding| finding.is_refusal());
    refusals.map(|finding| finding.to_string()).collect()
}

#[test]
fn a_value_is_quoted_as_written_and_its_fix_is_accepted_there() {
    for (written, text, fix) in [
        // Numbers in the place of a whole number.
        ("010", cors("maxAge: 010"), "10"),
        ("1e2", cors("maxAge: 1e2"), "100"),
        ("6.0E+2", cors("maxAge: 6.0E+2"), "600"),
        ("600.", cors("maxAge: 600."), "600"),
        ("2.04e2", spec("preflight: {successStatus: 2.04e2}"), "204"),
        ("0200", spec("preflight: {successStatus: 0200}"), "200"),
        // In the place of a text.
        ("010", spec("selector: {matchLabels: {version: 010}}"), "\"010\""),
        ("1e2", spec("selector: {matchLabels: {version: 1e2}}"), "\"1e2\""),
        ("0x10", spec("selector: {matchLabels: {version: 0x10}}"), "\"0x10\""),
        ("0o17", spec("selector: {matchLabels: {version: 0o17}}"), "\"0o17\""),
        ("1_000", spec("selector: {matchLabels: {version: 1_000}}"), "\"1_000\""),
        ("1.0", spec("selector: {matchLabels: {version: 1.0}}"), "\"1.0\""),
        ("1.10", spec("selector:\n    matchLabels:\n      version: 1.10  # once"), "\"1.10\""),
        ("True", spec("selector: {matchLabels: {version: True}}"), "\"True\""),
        ("7", spec("selector: {matchLabels: {version: 7}}"), "\"7\""),
        ("0x10", cors("maxAge: 600, exposeHeaders: [x-a, 0x10]"), "\"0x10\""),
        // In the place of a list.
        ("1e2", cors("maxAge: 600, exposeHeaders: 1e2"), "[\"1e2\"]"),
        // In the place of a name.
        ("010", cors("maxAge: 600").replace("name: a", "name: 010"), "\"010\""),
        ("1e2", spec("targetRefs: [{group: '', kind: Service, name: 1e2}]"), "\"1e2\""),
        // In other objects, and in a list of objects.
        (
            "1e2",
            format!(
                "{HEAD}ClusterCorsPolicy\nmetadata: {{name: a}}\nspec: {{guardrails: {{maxMaxAge: 1e2}}}}\n"
            ),
            "100",
        ),
        (
            "010",
            format!(
                "apiVersion: v1\nkind: List\nitems:\n- {}",
                cors("maxAge: 010").trim_end().replace('\n', "\n  ")
            ),
            "10",
        ),
        ("010", format!("\u{feff}{}", cors("maxAge: 010").replace('\n', "\r\n")), "10"),
    ] {
        let findings = findings_in(&text);
        let found: Vec<_> =
            findings.iter().filter(|finding| finding.is_refusal()).map(Finding::message).collect();
        let [message] = found.as_slice() else { panic!("{written}: {found:?}") };
        assert!(message.starts_with(&format!("`{written}` ")), "{message}");
        assert!(message.contains(&format!("write `{fix}`")), "{written}: {message}");
        let amended = [": ", ", ", "- "].into_iter().find_map(|before| {
            let (head, tail) = text.rsplit_once(&format!("{before}{written}"))?;
            Some(format!("{head}{before}{fix}{tail}"))
        });
        let amended = amended.unwrap();
        assert_eq!(refusals(&amended), [""; 0], "{written}: {amended}");
    }
}

#[test]
fn a_value_that_no_quotes_mend_is_quoted_as_written_too() {
    let origin = |value: &str| spec("").replace("[https://a.example]", &format!("[{value}]"));
    let not_a_string = "is not a string: write a string, as `kubectl explain ";
    for (written, text, want) in [
        ("010", origin("010"), not_a_string),
        (".5", origin(".5"), not_a_string),
        ("+5", origin("+5"), not_a_string),
        ("1_000", origin("1_000"), not_a_string),
        ("~", origin("~"), not_a_string),
        ("Null", origin("Null"), not_a_string),
        ("True", origin("True"), "stands for the origin of each request"),
        ("443", origin("443"), not_a_string),
        ("0x10", spec("hostnames: [0x10]"), not_a_string),
        ("-5", spec("selector: {matchLabels: {version: -5}}"), not_a_string),
        ("99999999999999999999", cors("maxAge: 99999999999999999999"), "is not a whole number"),
        ("-1e2", cors("maxAge: -1e2"), "is not a whole number"),
        ("2.05e2", spec("preflight: {successStatus: 2.05e2}"), "is not a whole number"),
        ("0xC9", spec("preflight: {successStatus: 0xC9}"), "is not a status"),
        ("-0x1", cors("maxAge: -0x1"), "is a negative number"),
        ("0x80000000", cors("maxAge: 0x80000000"), "is above 2147483647"),
        ("0x15181", cors("maxAge: 0x15181"), "is above what browsers keep"),
        ("010", spec("mode: 010"), "is none of"),
        ("1e2", spec("preflight: {onFailure: 1e2}"), "is none of"),
        ("0xC8", spec("preflight: {onFailure: 0xC8}"), "successStatus"),
    ] {
        let findings = findings_in(&text);
        let mut messages = findings.iter().map(Finding::message);
        let start = format!("`{written}` ");
        let message = messages.find(|message| message.starts_with(&start));
        let message = message.unwrap_or_else(|| panic!("{written}: {findings:#?}"));
        assert!(message.contains(want), "{message}");
        let offered = message.contains("is not a") && message.contains(&format!("\"{written}\""));
        assert!(!offered, "{message}");
    }
}

#[test]
fn what_exceeds_a_guardrail_is_quoted_as_written() {
    let spec = serde_json::json!({"guardrails": {"maxMaxAge": 600}});
    let guardrail = Guardrail::parse("platform", &spec).0.unwrap();
    for written in ["0x15181", "0o1777", "1_000", "7200"] {
        let text = cors(&format!("maxAge: {written}"));
        let documents = document::read("a.yaml", text.as_bytes()).unwrap();
        let object = &documents.objects[0];
        let accepted = validate_object(object, context(&Sets::new())).accepted.unwrap();
        let found = accepted.exceeded(std::slice::from_ref(&guardrail));
        let messages: Vec<String> = found.iter().map(Finding::message).collect();
        let [message] = messages.as_slice() else { panic!("{written}: {messages:?}") };
        let start = format!("`{written}` is above the 600 seconds");
        assert!(message.starts_with(&start), "{message}");
    }
}
