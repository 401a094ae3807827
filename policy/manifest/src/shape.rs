//! Shape: a value against the resource's own schema, as `kubectl --validate=strict` compares them. Every mistake is reported.

mod proposal;
mod stranger;

use std::collections::BTreeSet;

use corsward_api::GATEWAY_GROUP;
use corsward_policy::Finding;
use corsward_policy::finding::{Written, join};
use corsward_policy::slip::slips;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::counterpart;
use crate::finding::{Meant, MeantField, ShapeReason};
use crate::foreign::{self, Match, fold};
use stranger::Stranger;
pub(crate) use stranger::outside;

/// The characters that begin a part of a field.
const SEPARATORS: [char; 2] = ['.', '['];

/// The repairs of a value, by which all of it can be read.
#[derive(Debug, Default)]
pub struct Repairs {
    /// The fields that something else stands in place of, or nothing.
    fields: BTreeSet<String>,
    /// Values that are too short or too long: later checks describe them better, or not at all.
    bounds: Vec<Finding>,
}

/// Compares the spec of an object of that kind with its schema, takes out the fields that the schema does not know, and puts what
/// fits in the place of what does not, so that the rest can be judged.
///
/// Numbers in range and patterns are left to `validate`, which says it better.
pub fn check(kind: &str, value: &mut Value, findings: &mut Vec<Finding>) -> Repairs {
    let schema = corsward_api::spec_schema(kind);
    let mut check = Check::new(kind, schema, findings);
    if !check.fits(schema, value, "spec") {
        *value = neutral(schema);
    }
    if !check.findings.is_empty() {
        check.meet_strangers(value);
        check.settle_proposals(value);
    }
    check.repairs
}

/// Reads a checked spec of an object of that kind. `None`, with a finding: nothing can be made of it.
pub fn read<T: DeserializeOwned>(
    kind: &str,
    value: Value,
    findings: &mut Vec<Finding>,
) -> Option<T> {
    serde_json::from_value(value)
        .map_err(|error| {
            let explain = format!("{}.spec", kind.to_ascii_lowercase());
            let reason = ShapeReason::WrongShape { message: error.to_string(), explain };
            findings.push(Finding::new("spec", reason));
        })
        .ok()
}

/// Reads an accepted spec of an object of that kind: a field that is `null` is absent, as for an API server.
pub fn accepted<T: DeserializeOwned>(kind: &str, mut value: Value) -> Option<T> {
    let mut findings = Vec::new();
    check(kind, &mut value, &mut findings);
    read(kind, value, &mut findings)
}

// === impl Repairs ===

impl Repairs {
    /// Does something else stand in place of that field, or nothing?
    pub fn replaced(&self, field: &str) -> bool {
        self.fields.contains(field)
    }

    /// The findings, where `later` are those of the repaired value: none of them is about a repair.
    pub fn beside(&self, mut later: Vec<Finding>) -> Vec<Finding> {
        if self.fields.is_empty() && self.bounds.is_empty() {
            return later;
        }
        later.retain(|finding| {
            let field = finding.field.as_str();
            // What is around it may be judged by what is no more; but not the whole.
            !(self.hold_around(field) || field.contains('.') && self.hold_within(field))
        });
        let refused: BTreeSet<&str> = later
            .iter()
            .filter(|finding| finding.is_refusal())
            .map(|finding| finding.field.as_str())
            .collect();
        let bounds = self.bounds.iter().filter(|bound| !refused.contains(bound.field.as_str()));
        let bounds: Vec<Finding> = bounds.cloned().collect();
        later.extend(bounds);
        later
    }

    /// Is that field one of them, or a part of one?
    fn hold_around(&self, field: &str) -> bool {
        let ends = field.match_indices(SEPARATORS).map(|(end, _)| end);
        ends.chain([field.len()])
            .filter_map(|end| field.get(..end))
            .any(|whole| self.replaced(whole))
    }

    /// Is a part of that field one of them?
    fn hold_within(&self, field: &str) -> bool {
        SEPARATORS.iter().any(|separator| {
            let part = format!("{field}{separator}");
            let next = self.fields.range(part.clone()..).next();
            next.is_some_and(|next| next.starts_with(&part))
        })
    }
}

/// A comparison, while it lasts.
struct Check<'f> {
    /// The kind of the object, as `kubectl explain` takes it.
    kind: String,
    /// The schema of the whole.
    root: &'f JSONSchemaProps,
    /// Whether it only asks if a value would fit.
    is_trial: bool,
    findings: &'f mut Vec<Finding>,
    repairs: Repairs,
    /// The fields that the schema does not know.
    strangers: Vec<Stranger>,
    /// The `cors` blocks that allow credentials.
    credentialed: BTreeSet<String>,
}

// === impl Check ===

impl<'f> Check<'f> {
    fn new(kind: &str, root: &'f JSONSchemaProps, findings: &'f mut Vec<Finding>) -> Self {
        let kind = kind.to_ascii_lowercase();
        let repairs = Repairs::default();
        let (strangers, credentialed) = (Vec::new(), BTreeSet::new());
        Self { kind, root, is_trial: false, findings, repairs, strangers, credentialed }
    }

    /// Is the value of the type that the schema wants? Its parts are repaired.
    fn fits(&mut self, schema: &JSONSchemaProps, value: &mut Value, path: &str) -> bool {
        let expected = schema.type_.as_deref().unwrap_or_default();
        match (expected, &mut *value) {
            ("object", Value::Object(object)) if is_foreign_path(path, object) => {
                let instead = counterpart::path("path", value);
                let reason = ShapeReason::ForeignMapping { found: value.to_string(), instead };
                self.wrong(path, reason);
                return false;
            }
            ("object", Value::Object(object)) => self.fit_object(schema, object, path),
            ("array", Value::Array(array)) => self.fit_array(schema, array, path),
            ("string", Value::String(string)) => return self.fits_string(schema, string, path),
            ("integer", Value::Number(number)) if number.is_i64() => {}
            ("boolean", Value::Bool(_)) | ("", _) => {}
            (expected, other) => {
                let reason = misplaced(schema, expected, path, other, self.explain(path));
                self.wrong(path, reason);
                return false;
            }
        }
        true
    }

    fn fit_object(
        &mut self,
        schema: &JSONSchemaProps,
        object: &mut Map<String, Value>,
        path: &str,
    ) {
        let count = i64::try_from(object.len()).unwrap_or(i64::MAX);
        self.bound(path, "entries", count, schema.min_properties, schema.max_properties);
        if let Some(JSONSchemaPropsOrBool::Schema(each)) = &schema.additional_properties {
            for (name, value) in object.iter_mut() {
                if !self.fits(each, value, &join(path, name)) {
                    *value = neutral(each);
                }
            }
            return;
        }
        // An API server takes them out as well.
        if schema.properties.is_some() {
            object.retain(|_, value| !value.is_null());
        }
        let is_required = |name: &String| schema.required.iter().flatten().any(|one| one == name);
        object.retain(|name, value| {
            let field = join(path, name);
            let Some(schema) = schema.properties.as_ref().and_then(|known| known.get(name)) else {
                self.note_stranger(path, name, value);
                return false;
            };
            if self.fits(schema, value, &field) {
                return true;
            }
            // What may be left out has a default, or is a mapping or list that something else asks for.
            *value = neutral(schema);
            is_required(name) || value.is_object() || value.is_array()
        });
        let known = schema.properties.iter().flatten();
        for (name, schema) in known.filter(|(name, _)| is_required(name)) {
            if !object.contains_key(name) {
                let field = join(path, name);
                let explain = self.explain(&field);
                let instead = omitted(&field, object);
                self.wrong(&field, ShapeReason::MissingField { instead, explain });
                object.insert(name.clone(), neutral(schema));
            }
        }
    }

    /// The schema of a field.
    fn field(&self, field: &str) -> Option<&'f JSONSchemaProps> {
        let mut schema = self.root;
        for name in field.split('.').skip(1) {
            if let Some(JSONSchemaPropsOrBool::Schema(each)) = &schema.additional_properties {
                // A label's name may have dots.
                return Some(each);
            }
            let (name, is_entry) = name.split_once('[').map_or((name, false), |(it, _)| (it, true));
            schema = schema.properties.as_ref()?.get(name)?;
            if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items
                && is_entry
            {
                schema = each;
            }
        }
        Some(schema)
    }

    /// The argument of `kubectl explain` for a field, or for what it is in where it is an entry of a mapping.
    fn explain(&self, field: &str) -> String {
        let mut argument = format!("{}.spec", self.kind);
        let mut schema = self.root;
        for name in field.split('.').skip(1) {
            let name = name.split('[').next().unwrap_or(name);
            let Some(next) = schema.properties.as_ref().and_then(|known| known.get(name)) else {
                break;
            };
            argument = join(&argument, name);
            schema = match &next.items {
                Some(JSONSchemaPropsOrArray::Schema(each)) => each,
                _ => next,
            };
        }
        argument
    }

    fn fit_array(&mut self, schema: &JSONSchemaProps, array: &mut [Value], path: &str) {
        let count = i64::try_from(array.len()).unwrap_or(i64::MAX);
        self.bound(path, "entries", count, schema.min_items, schema.max_items);
        if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items {
            for (at, value) in array.iter_mut().enumerate() {
                if !self.fits(each, value, &[path, "[", &at.to_string(), "]"].concat()) {
                    *value = neutral(each);
                }
            }
        }
    }

    fn fits_string(&mut self, schema: &JSONSchemaProps, string: &str, path: &str) -> bool {
        let count = i64::try_from(string.chars().count()).unwrap_or(i64::MAX);
        self.bound(path, "characters", count, schema.min_length, schema.max_length);
        if foreign::is_reflection(path, string) {
            self.wrong(path, ShapeReason::Reflected { found: string.to_owned() });
            return false;
        }
        let Some(words) = &schema.enum_ else { return true };
        let words: Vec<&str> = words.iter().filter_map(|word| word.0.as_str()).collect();
        if words.contains(&string) {
            return true;
        }
        self.wrong(path, unknown_word(path, string, &words));
        false
    }

    fn bound(
        &mut self,
        path: &str,
        what: &'static str,
        count: i64,
        min: Option<i64>,
        max: Option<i64>,
    ) {
        let too_few = min.filter(|min| count < *min).map(|min| format!("at least {min}"));
        let too_many = max.filter(|max| count > *max).map(|max| format!("at most {max}"));
        for allowed in too_few.into_iter().chain(too_many) {
            let reason = ShapeReason::Length { count, what, allowed };
            self.repairs.bounds.push(Finding::new(path, reason));
        }
    }

    fn wrong(&mut self, path: &str, reason: ShapeReason) {
        self.repairs.fields.insert(path.to_owned());
        self.findings.push(Finding::new(path, reason));
    }
}

/// A value of that type that says as little as there is to say.
fn neutral(schema: &JSONSchemaProps) -> Value {
    let word = schema.enum_.iter().flatten().next().map(|word| word.0.clone());
    match schema.type_.as_deref().unwrap_or_default() {
        "object" => {
            let is_required =
                |name: &&String| schema.required.iter().flatten().any(|one| one == *name);
            let properties = schema.properties.iter().flatten();
            let required = properties.filter(|(name, _)| is_required(name));
            Value::Object(required.map(|(name, schema)| (name.clone(), neutral(schema))).collect())
        }
        "array" => Value::Array(Vec::new()),
        "string" => word.unwrap_or_else(|| Value::String(String::new())),
        "integer" => Value::from(0),
        "boolean" => Value::Bool(false),
        _ => Value::Null,
    }
}

/// Is it a path with the fields of a different system?
fn is_foreign_path(path: &str, object: &Map<String, Value>) -> bool {
    const NAMES: [&str; 9] =
        ["prefix", "pathprefix", "exact", "regex", "saferegex", "uri", "path", "glob", "match"];
    path.ends_with("].path") && object.keys().any(|name| NAMES.contains(&fold(name).as_str()))
}

/// The value of a missing required field, if the rest of its mapping leaves only one.
fn omitted(field: &str, beside: &Map<String, Value>) -> Option<Written> {
    let word = match field.rsplit_once('.')? {
        (path, "type") if path.ends_with("].path") && beside.contains_key("value") => "PathPrefix",
        (list, "kind") if list.contains("allowOriginsFrom[") => "OriginSet",
        (list, "group") if list.contains("targetRefs[") => match beside.get("kind")?.as_str()? {
            "Service" => "",
            "Gateway" => GATEWAY_GROUP,
            _ => return None,
        },
        _ => return None,
    };
    Some(Written::text(word))
}

/// The name among `known` that looks like `name`.
pub(crate) fn similar<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let folded = fold(name);
    known
        .map(|candidate| (slips(&folded, &fold(candidate)), candidate))
        .filter(|(slips, candidate)| slips.saturating_mul(3) <= candidate.len())
        .min()
        .map(|(_, candidate)| candidate.to_owned())
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

/// A value that does not fit, with what is meant by it.
fn misplaced(
    schema: &JSONSchemaProps,
    expected: &str,
    path: &str,
    value: &Value,
    explain: String,
) -> ShapeReason {
    let words = schema.enum_.iter().flatten().filter_map(|word| word.0.as_str());
    let words: Vec<&str> = words.collect();
    match value {
        _ if foreign::reflects(path, value) => {
            ShapeReason::Reflected { found: value.to_string().trim_matches('"').to_owned() }
        }
        Value::Object(written) if expected == "string" && path.ends_with(']') => {
            let Some(Match { entry, accepts }) = Match::of(path, written) else {
                return wrong_type(expected, path, value, explain);
            };
            let found = Value::Object(written.clone()).to_string();
            ShapeReason::Match { found, entry: entry.map(Box::new), accepts }
        }
        Value::Bool(_) | Value::Number(_) if !words.is_empty() => {
            unknown_word(path, &value.to_string(), &words)
        }
        Value::Array(_) | Value::Object(_) if !words.is_empty() => {
            match wrong_type(expected, path, value, explain) {
                ShapeReason::WrongType { expected, found, instead: _, explain } => {
                    let instead = only_text(value).and_then(|text| word(path, text, &words));
                    let instead = instead.map(Written::Text);
                    ShapeReason::WrongType { expected, found, instead, explain }
                }
                other => other,
            }
        }
        _ => wrong_type(expected, path, value, explain),
    }
}

/// A value in the place of one of that type; the last argument is that of `kubectl explain`.
pub(crate) fn wrong_type(
    expected: &str,
    field: &str,
    value: &Value,
    explain: String,
) -> ShapeReason {
    let found = match value {
        Value::Array(_) => "[…]".to_owned(),
        Value::Object(_) => "{…}".to_owned(),
        scalar => scalar.to_string(),
    };
    let instead = foreign::instead(expected, field, value);
    ShapeReason::WrongType { expected: article(expected), found, instead, explain }
}

/// A word in the place of one of those, as it is written in YAML.
pub(crate) fn unknown_word(field: &str, word: &str, known: &[&str]) -> ShapeReason {
    if let Some((around, "onFailure")) = field.rsplit_once('.')
        && let Some(status) = word.parse().ok().filter(|status| matches!(status, 200 | 204))
    {
        return ShapeReason::Misplaced {
            found: word.to_owned(),
            meant: Box::new(status_of_success(around, status)),
        };
    }
    // A rule cannot be rehearsed alone.
    let of_rule = |word: &&str| *word != "DryRun" || !field.contains("].mode");
    let known: Vec<&str> = known.iter().copied().filter(of_rule).collect();
    let advice = foreign::advice(field, word);
    let similar = if advice.is_some() { None } else { self::word(field, word, &known) };
    ShapeReason::UnknownWord {
        advice,
        word: word.to_owned(),
        known: known.iter().map(|word| (*word).to_owned()).collect(),
        similar,
    }
}

/// The word that is meant.
fn word(field: &str, written: &str, known: &[&str]) -> Option<String> {
    let foreign = foreign::word(field, written).filter(|word| known.contains(word));
    foreign.map(str::to_owned).or_else(|| similar(written, known.iter().copied()))
}

/// The text that is all of a list or mapping.
fn only_text(value: &Value) -> Option<&str> {
    let values: Vec<&Value> = match value {
        Value::Array(entries) => entries.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => return None,
    };
    match values[..] {
        [one] => one.as_str(),
        _ => None,
    }
}

fn status_of_success(preflight: &str, status: i64) -> Meant {
    Meant::Field(MeantField {
        beside: preflight.to_owned(),
        around: preflight.to_owned(),
        leaf: "successStatus".to_owned(),
        value: Some(Written::Number(status)),
        present: None,
        is_edit: true,
        is_required: false,
        note: " in its place",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn findings(mut spec: Value) -> Vec<(String, String)> {
        let mut findings = Vec::new();
        let repairs = check("CorsPolicy", &mut spec, &mut findings);
        findings.extend(repairs.beside(Vec::new()));
        findings.sort_by(|a, b| a.field.cmp(&b.field));
        serde_json::from_value::<corsward_api::v1alpha1::CorsPolicySpec>(spec).unwrap();
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
                ("spec.cors.allowOrigins", "CORS-E509"),
                ("spec.cors.maxAge", "CORS-E509"),
                ("spec.mode", "CORS-E510"),
                ("spec.rules[0].path.type", "CORS-E511"),
                ("spec.rules[1].path.type", "CORS-E510"),
                ("spec.selector.matchLabels.app", "CORS-E509"),
                ("spec.targetRefs", "CORS-E512"),
            ]
            .map(|(field, code)| (field.to_owned(), code.to_owned()))
        );
    }

    #[test]
    fn null_stands_for_an_absent_field_and_for_nothing_in_a_list() {
        assert_eq!(findings(json!({"cors": null, "mode": null, "rules": null})), []);
        let label = findings(json!({"selector": {"matchLabels": {"app": null}}}));
        assert_eq!(label, [("spec.selector.matchLabels.app".into(), "CORS-E509".into())]);
        let required =
            findings(json!({"cors": {"allowOriginsFrom": [{"kind": null, "name": "a"}]}}));
        assert_eq!(required, [("spec.cors.allowOriginsFrom[0].kind".into(), "CORS-E511".into())]);
        let null_origin = findings(json!({"cors": {"allowOrigins": [null]}}));
        assert_eq!(null_origin, [("spec.cors.allowOrigins[0]".into(), "CORS-E509".into())]);
    }

    #[test]
    fn a_type_of_path_of_another_system_names_what_to_use() {
        for (word, want) in [
            ("Suffix", "have a rule for each path"),
            ("Contains", "have a rule for each path"),
            ("Glob", "write `PathPrefix` with the literal path"),
            ("Wildcard", "write `PathPrefix` with the literal path"),
            ("RegularExpression", "write `PathPrefix` with the literal path"),
            ("ImplementationSpecific", "write `PathPrefix`"),
            ("path_separated_prefix", "write `PathPrefix`"),
            ("Equals", "write `Exact`"),
        ] {
            let reason = unknown_word("spec.rules[0].path.type", word, &["Exact", "PathPrefix"]);
            let message = Finding::new("spec.rules[0].path.type", reason).message();
            assert!(message.contains(want), "{word}: {message}");
        }
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
            ("two swapped letters of a short name", "mdoe", Some("mode")),
        ] {
            assert_eq!(similar(name, known.into_iter()), want.map(str::to_owned), "{why}");
        }
    }
}
