//! Shape: a value against the resource's own schema, as `kubectl --validate=strict` compares them. Every mistake is reported.

use corsward_policy::Finding;
use corsward_policy::finding::SourceReason;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::{Map, Value};

/// Compares `value` with `schema`, and takes out the fields that the schema does not know.
///
/// Numbers in range and patterns are left to `validate`, which says it better.
pub(crate) fn check(
    schema: &JSONSchemaProps,
    value: &mut Value,
    path: &str,
    findings: &mut Vec<Finding>,
) {
    let expected = schema.type_.as_deref().unwrap_or_default();
    match (expected, &mut *value) {
        ("object", Value::Object(object)) => check_object(schema, object, path, findings),
        ("array", Value::Array(array)) => check_array(schema, array, path, findings),
        ("string", Value::String(string)) => check_string(schema, string, path, findings),
        ("integer", Value::Number(number)) if number.is_i64() => {}
        ("boolean", Value::Bool(_)) | ("", _) => {}
        (expected, other) => {
            let quote = if expected == "string" { "; put quotes around it" } else { "" };
            let message = format!("{} is expected, not {}{quote}", article(expected), kind(other));
            findings.push(wrong(path, message));
        }
    }
}

/// The name among `known` that looks like `name`.
pub(crate) fn similar<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let folded = fold(name);
    known
        .map(|candidate| (distance(&folded, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| distance.saturating_mul(3) <= candidate.len())
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

fn check_object(
    schema: &JSONSchemaProps,
    object: &mut Map<String, Value>,
    path: &str,
    findings: &mut Vec<Finding>,
) {
    let known = schema.properties.iter().flatten();
    // An API server takes them out as well. A label that is null is a mistake.
    if schema.properties.is_some() {
        object.retain(|_, value| !value.is_null());
    }
    for name in schema.required.iter().flatten().filter(|name| !object.contains_key(*name)) {
        findings.push(wrong(&join(path, name), "it is required".to_owned()));
    }
    let count = i64::try_from(object.len()).unwrap_or(i64::MAX);
    bound(path, "entries", count, schema.min_properties, schema.max_properties, findings);
    if let Some(JSONSchemaPropsOrBool::Schema(each)) = &schema.additional_properties {
        for (name, value) in object.iter_mut() {
            check(each, value, &join(path, name), findings);
        }
        return;
    }
    object.retain(|name, value| {
        let field = join(path, name);
        if let Some((_, schema)) = known.clone().find(|(known, _)| *known == name) {
            check(schema, value, &field, findings);
            return true;
        }
        let similar = similar(name, known.clone().map(|(known, _)| known.as_str()));
        findings
            .push(Finding::new(field, SourceReason::UnknownField { name: name.clone(), similar }));
        false
    });
}

fn check_array(
    schema: &JSONSchemaProps,
    array: &mut [Value],
    path: &str,
    findings: &mut Vec<Finding>,
) {
    let count = i64::try_from(array.len()).unwrap_or(i64::MAX);
    bound(path, "entries", count, schema.min_items, schema.max_items, findings);
    if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items {
        for (at, value) in array.iter_mut().enumerate() {
            check(each, value, &format!("{path}[{at}]"), findings);
        }
    }
}

fn check_string(schema: &JSONSchemaProps, string: &str, path: &str, findings: &mut Vec<Finding>) {
    let count = i64::try_from(string.chars().count()).unwrap_or(i64::MAX);
    bound(path, "characters", count, schema.min_length, schema.max_length, findings);
    let Some(words) = &schema.enum_ else { return };
    let words: Vec<&str> = words.iter().filter_map(|word| word.0.as_str()).collect();
    if !words.contains(&string) {
        let words = words.join("`, `");
        findings.push(wrong(path, format!("`{string}` is none of `{words}`")));
    }
}

fn bound(
    path: &str,
    what: &str,
    count: i64,
    min: Option<i64>,
    max: Option<i64>,
    findings: &mut Vec<Finding>,
) {
    if let Some(min) = min.filter(|min| count < *min) {
        findings.push(wrong(path, format!("{count} {what}, at least {min}")));
    }
    if let Some(max) = max.filter(|max| count > *max) {
        findings.push(wrong(path, format!("{count} {what}, at most {max}")));
    }
}

fn wrong(path: &str, message: String) -> Finding {
    Finding::new(path, SourceReason::WrongShape(message))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn article(expected: &str) -> &'static str {
    match expected {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "a string",
        "integer" => "a whole number",
        "boolean" => "`true` or `false`",
        _ => "something else",
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(value) => format!("`{value}`"),
        Value::String(value) => {
            format!("the string `{}`", value.chars().take(64).collect::<String>())
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

fn fold(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Levenshtein's distance, by rows. Bounded: names longer than any field's are far from all of them.
fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 64;
    if a.len() > LONGEST {
        return a.len();
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i.saturating_add(1));
        for ((y, &diagonal), &above) in b.bytes().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(usize::MAX);
            let substituted = diagonal.saturating_add(usize::from(x != y));
            next.push(substituted.min(left.saturating_add(1)).min(above.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> JSONSchemaProps {
        crate::review::spec_schema().clone()
    }

    fn findings(mut spec: Value) -> Vec<(String, String)> {
        let mut findings = Vec::new();
        check(&schema(), &mut spec, "spec", &mut findings);
        findings.iter().map(|finding| (finding.field.clone(), finding.code().to_owned())).collect()
    }

    #[test]
    fn every_mistake_is_reported_at_its_place() {
        let spec = json!({
            "cors": {"allowOrigins": "https://a.example", "allowOrigin": [], "maxAge": "10m"},
            "mode": "active",
            "rules": [{"path": {"value": "/x"}}, {"path": {"type": "Regex", "value": "/x"}}],
            "targetRefs": [],
            "selector": {"matchLabels": {"app": 7}},
        });
        assert_eq!(
            findings(spec),
            [
                ("spec.cors.allowOrigin", "CORS-E503"),
                ("spec.cors.allowOrigins", "CORS-E504"),
                ("spec.cors.maxAge", "CORS-E504"),
                ("spec.mode", "CORS-E504"),
                ("spec.rules[0].path.type", "CORS-E504"),
                ("spec.rules[1].path.type", "CORS-E504"),
                ("spec.selector.matchLabels.app", "CORS-E504"),
                ("spec.targetRefs", "CORS-E504"),
            ]
            .map(|(field, code)| (field.to_owned(), code.to_owned()))
        );
    }

    #[test]
    fn null_stands_for_an_absent_field_and_for_nothing_in_a_list() {
        assert_eq!(findings(json!({"cors": null, "mode": null, "rules": null})), []);
        let label = findings(json!({"selector": {"matchLabels": {"app": null}}}));
        assert_eq!(label, [("spec.selector.matchLabels.app".into(), "CORS-E504".into())]);
        let required =
            findings(json!({"cors": {"allowOriginsFrom": [{"kind": null, "name": "a"}]}}));
        assert_eq!(required, [("spec.cors.allowOriginsFrom[0].kind".into(), "CORS-E504".into())]);
        let null_origin = findings(json!({"cors": {"allowOrigins": [null]}}));
        assert_eq!(null_origin, [("spec.cors.allowOrigins[0]".into(), "CORS-E504".into())]);
    }

    #[test]
    fn a_misspelt_field_names_the_one_it_looks_like() {
        let known = ["allowOrigins", "allowOriginRegexes", "maxAge", "mode"];
        for (why, name, want) in [
            ("a letter is missing", "allowOrigin", Some("allowOrigins")),
            ("another style", "allow_origins", Some("allowOrigins")),
            ("case", "MaxAge", Some("maxAge")),
            ("nothing like it", "timeout", None),
            ("empty", "", None),
            ("beyond any bound", &"x".repeat(100_000), None),
        ] {
            assert_eq!(similar(name, known.into_iter()), want.map(str::to_owned), "{why}");
        }
    }
}
