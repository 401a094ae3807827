//! SARIF 2.1.0 (OASIS): the format for code scanning.

use std::collections::BTreeSet;
use std::io::Write;

use corsward_policy::Severity;
use serde_json::{Value, json};

use super::change::Change;
use super::codes;
use super::diagnostic::Diagnostic;
use crate::output::write_json;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Writes the diagnostics.
pub(super) fn write(diagnostics: &[Diagnostic<'_>], out: &mut impl Write) -> anyhow::Result<()> {
    let found: BTreeSet<&str> = diagnostics.iter().map(|it| it.sentence.code).collect();
    let rules: Vec<codes::Row> = codes::all().filter(|it| found.contains(it.code)).collect();
    let results: Vec<Value> = diagnostics.iter().map(|it| result(it, &rules)).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "corsward",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    write_json(&log, out)
}

fn rule(code: &codes::Row) -> Value {
    json!({
        "id": code.code,
        "shortDescription": {"text": code.fault},
        "help": {"text": format!("Such as: {}. The fix: {}.", code.fault, code.fix)},
        "defaultConfiguration": {"level": level(code.severity)},
    })
}

fn result(diagnostic: &Diagnostic<'_>, rules: &[codes::Row]) -> Value {
    let [start, end] = diagnostic.region;
    let code = diagnostic.sentence.code;
    let (subject, message) = (diagnostic.subject(), diagnostic.found.finding.message());
    let mut location = json!({"artifactLocation": {"uri": uri(diagnostic.file)}});
    let logical = json!([{"fullyQualifiedName": subject}]);
    if let Some(location) = location.as_object_mut().filter(|_| !diagnostic.text.is_empty()) {
        let region = json!({
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        });
        location.insert("region".to_owned(), region);
    }
    // An object of a cluster is in no file.
    let locations = if diagnostic.is_live {
        json!({"logicalLocations": logical})
    } else {
        json!({"physicalLocation": location, "logicalLocations": logical})
    };
    let mut result = json!({
        "ruleId": code,
        "level": level(diagnostic.severity()),
        "message": {"text": message},
        "locations": [locations],
        "partialFingerprints": {"finding/v1": format!("{code} {subject}")},
    });
    if let Some(result) = result.as_object_mut() {
        let index = rules.iter().position(|rule| rule.code == code);
        result.extend(index.map(|index| ("ruleIndex".to_owned(), json!(index))));
        let state = diagnostic.change.map(Change::baseline_state);
        result.extend(state.map(|state| ("baselineState".to_owned(), json!(state))));
        if diagnostic.is_suppressed {
            result.insert("suppressions".to_owned(), json!([{"kind": "external"}]));
        }
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Refusal => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    }
}

/// The name of a file as a URI reference.
fn uri(file: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let encode = |byte: u8| match byte {
        byte if is_plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    file.trim_start_matches("./").bytes().map(encode).collect()
}
