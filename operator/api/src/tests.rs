//! The definitions against what validation bounds, and against what a manual should hold.

use corsward_policy::limits;
use corsward_policy::pattern::OriginPattern;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::json_text::JsonText;
use crate::v1alpha1::{ClusterCorsPolicyStatus, CorsPolicyStatus, OriginSetStatus};

/// The definition of a kind.
fn definition(kind: &str) -> Value {
    let definitions = definitions().map(|definition| serde_json::to_value(definition).unwrap());
    let found =
        definitions.into_iter().find(|definition| definition["spec"]["names"]["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}"))
}

fn schema(kind: &str) -> Value {
    definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// The schema at a path such as `spec.rules[].cors`.
fn at<'s>(schema: &'s Value, path: &str) -> &'s Value {
    path.split('.').fold(schema, |schema, name| {
        let field = &schema["properties"][name.trim_end_matches("[]")];
        if name.ends_with("[]") { &field["items"] } else { field }
    })
}

#[test]
fn every_list_and_every_text_is_bounded_as_validation_bounds_it() {
    let policy = schema("CorsPolicy");
    let (origins, origin) = (limits::MAX_LIST_LEN, limits::MAX_ORIGIN_LEN);
    for (kind, path, list, text) in [
        ("CorsPolicy", "spec.hostnames", limits::MAX_HOSTNAMES, limits::MAX_HOSTNAME_LEN),
        ("CorsPolicy", "spec.trustedOrigins", limits::MAX_TRUSTED_ORIGINS, origin),
        ("CorsPolicy", "spec.rules[].trustedOrigins", limits::MAX_TRUSTED_ORIGINS, origin),
        ("CorsPolicy", "spec.cors.allowOrigins", origins, origin),
        ("CorsPolicy", "spec.cors.allowOriginRegexes", limits::MAX_REGEXES, limits::MAX_REGEX_LEN),
        ("CorsPolicy", "spec.cors.allowMethods", limits::MAX_METHODS, limits::MAX_METHOD_LEN),
        ("CorsPolicy", "spec.cors.allowHeaders", limits::MAX_HEADERS, limits::MAX_HEADER_NAME_LEN),
        ("CorsPolicy", "spec.cors.exposeHeaders", limits::MAX_HEADERS, limits::MAX_HEADER_NAME_LEN),
        ("OriginSet", "spec.origins", origins, origin),
        (
            "ClusterCorsPolicy",
            "spec.guardrails.allowedOrigins",
            limits::MAX_GUARDRAIL_ORIGINS,
            origin,
        ),
        (
            "ClusterCorsPolicy",
            "spec.guardrails.allowedMethods",
            limits::MAX_METHODS,
            limits::MAX_METHOD_LEN,
        ),
        (
            "ClusterCorsPolicy",
            "spec.guardrails.allowedHeaders",
            limits::MAX_HEADERS,
            limits::MAX_HEADER_NAME_LEN,
        ),
    ] {
        let schema = schema(kind);
        let field = at(&schema, path);
        assert_eq!(field["maxItems"], json!(list), "{path}");
        assert_eq!(field["items"]["maxLength"], json!(text), "{path}");
    }
    assert_eq!(at(&policy, "spec.rules")["maxItems"], json!(limits::MAX_RULES));
    assert_eq!(
        at(&policy, "spec.rules[].path.value")["maxLength"],
        json!(limits::MAX_RULE_PATH_LEN)
    );
    assert_eq!(
        at(&policy, "spec.cors.allowOriginsFrom")["maxItems"],
        json!(limits::MAX_ORIGIN_SETS)
    );
    assert_eq!(at(&policy, "status.findings")["maxItems"], json!(v1alpha1::MAX_FINDINGS));
    for (kind, path) in
        [("CorsPolicy", "spec.cors.maxAge"), ("ClusterCorsPolicy", "spec.guardrails.maxMaxAge")]
    {
        let maximum = at(&schema(kind), path)["maximum"].as_f64().unwrap();
        assert!((maximum - 2_147_483_647.0).abs() < 0.5, "{path}: {maximum}");
    }
}

#[test]
fn nothing_that_an_author_writes_is_without_a_bound_and_a_manual() {
    for kind in [KIND, GUARDRAIL_KIND, ORIGIN_SET_KIND] {
        walk(
            &at(&schema(kind), "spec").clone(),
            &format!("{kind}.spec"),
            &mut |path, schema, field| {
                match schema["type"].as_str() {
                    Some("array") => assert!(schema["maxItems"].is_u64(), "{path} is not bounded"),
                    Some("string") => {
                        let bounded = schema["maxLength"].is_u64() || schema["enum"].is_array();
                        // Values of labels, which a label's own bound bounds.
                        assert!(bounded || path.ends_with("matchLabels"), "{path} is not bounded");
                    }
                    _ => {}
                }
                let manual = schema["description"].as_str().unwrap_or_default();
                let complete = manual.contains("\nPermitted: ") && manual.contains("\nRefused: ");
                assert!(!field || complete, "{path} has no examples:\n{manual}");
            },
        );
    }
}

#[test]
fn each_form_of_an_origin_is_in_the_manual_and_each_form_there_is_accepted() {
    let schema = schema("CorsPolicy");
    let manual = at(&schema, "spec.cors.allowOrigins")["description"].as_str().unwrap();
    let forms = manual.split("Forms: ").nth(1).unwrap().split("\n\n").next().unwrap();
    let forms: Vec<&str> = forms
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| text.contains("://") || ["*", "null"].contains(text))
        .collect();
    for form in [
        "https://shop.example",
        "https://*.shop.example",
        "https://pr-*--app.shop.example",
        "http://localhost:*",
        "http://192.168.1.*",
        "http://172.16.0.0/12:*",
        "http://[fd00::]/8:*",
        "app://.",
        "null",
        "*",
    ] {
        assert!(forms.contains(&form), "{form} is not in the manual: {forms:?}");
    }
    for form in forms {
        let parsed = OriginPattern::parse(form);
        assert!(parsed.is_ok_and(|parsed| !parsed.normalized), "{form} is no origin");
    }
}

#[test]
fn what_need_not_be_written_says_what_holds_without_it() {
    for kind in [KIND, GUARDRAIL_KIND, ORIGIN_SET_KIND] {
        for_each_optional(&at(&schema(kind), "spec").clone(), kind, &mut |path, schema| {
            let manual = schema["description"].as_str().unwrap_or_default();
            // `kubectl explain` shows no defaults but those in words.
            let said = match &schema["default"] {
                Value::Null => manual.contains("Absent") || manual.contains("The default is `"),
                default => manual.contains(&format!("The default is `{}`", in_yaml(default))),
            };
            assert!(said, "{path} does not say its default:\n{manual}");
        });
    }
}

/// Shows every field below `schema` that may be left out.
fn for_each_optional(schema: &Value, path: &str, show: &mut impl FnMut(&str, &Value)) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if !required.contains(&json!(name)) {
            show(&path, field);
        }
        for_each_optional(field, &path, show);
    }
    if schema["items"].is_object() {
        for_each_optional(&schema["items"], path, show);
    }
}

/// As an author would write it.
fn in_yaml(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}: {}", in_yaml(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Shows every schema below `schema` with its path, and whether it is a field with a manual of its own.
fn walk(schema: &Value, path: &str, show: &mut impl FnMut(&str, &Value, bool)) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        show(&path, field, true);
        walk(field, &path, show);
    }
    for inner in [&schema["items"], &schema["additionalProperties"]] {
        if inner.is_object() {
            show(path, inner, false);
            walk(inner, path, show);
        }
    }
}

#[test]
fn every_kind_has_a_status_columns_and_a_category() {
    for (kind, short, columns) in [
        (
            KIND,
            vec!["cors", "corspol"],
            vec!["Targets", "Origins", "Mode", "Accepted", "Programmed", "Proxies", "Age"],
        ),
        (GUARDRAIL_KIND, vec!["ccors"], vec!["Enforcement", "Exceeded", "Accepted", "Age"]),
        (ORIGIN_SET_KIND, vec!["oset"], vec!["Origins", "Accepted", "Age"]),
    ] {
        let spec = &definition(kind)["spec"];
        let version = &spec["versions"][0];
        let printed: Vec<_> = version["additionalPrinterColumns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["name"].clone())
            .collect();
        assert_eq!(json!(printed), json!(columns), "{kind}");
        assert_eq!(spec["names"]["shortNames"], json!(short), "{kind}");
        assert!(
            spec["names"]["categories"].as_array().unwrap().contains(&json!("corsward")),
            "{kind}"
        );
        assert_eq!(version["subresources"]["status"], json!({}), "{kind}");
        // Every column finds what a status holds.
        for column in version["additionalPrinterColumns"].as_array().unwrap() {
            let path = column["jsonPath"].as_str().unwrap().trim_start_matches('.');
            let plain = !path.starts_with("metadata") && !path.contains('[');
            assert!(!plain || at(&schema(kind), path).is_object(), "{kind}: {path}");
        }
    }
    let labels = &definition(KIND)["metadata"]["labels"];
    assert_eq!(labels["gateway.networking.k8s.io/policy"], "Direct");
}

#[test]
fn a_status_has_its_fields_in_the_order_of_their_names() {
    fn check<S: Serialize + DeserializeOwned>(status: &Value) {
        let of_tree = JsonText::of(status);
        let read: S = of_tree.read().unwrap();
        assert_eq!(JsonText::of(&read), of_tree);
    }
    let time = "2026-01-01T00:00:00Z";
    let condition = json!({
        "lastTransitionTime": time, "message": "<\"&é", "observedGeneration": 7, "reason": "Accepted",
        "status": "True", "type": "Accepted",
    });
    let finding = json!({"code": "CORS-W001", "field": "spec", "message": "m"});
    let spec = json!({"b": {"d": [1, null], "c": "\u{1}é"}, "a": true});
    let in_force = json!({"generation": 6, "digest": "sha256:0", "spec": spec});
    let common = json!({
        "conditions": [condition], "findings": [finding], "observedGeneration": 7,
    });
    let with = |more: Value| {
        let mut status = common.clone();
        status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        status
    };
    check::<CorsPolicyStatus>(&with(json!({
        "inForce": in_force, "suspended": in_force,
        "proxies": {"matched": 3, "current": 2, "rejected": 1},
        "summary": {"targets": "Namespace", "origins": 2, "proxies": "2/3"},
    })));
    check::<OriginSetStatus>(&with(json!({"summary": {"origins": 2}})));
    check::<ClusterCorsPolicyStatus>(&with(json!({
        "inForce": {"generation": 6, "spec": spec}, "exceededBy": 3,
    })));
}
