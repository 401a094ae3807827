//! Specs about which a first guess would be refused: whatever a finding of them proposes is accepted.

use serde_json::{Value, json};

use crate::{count, failures_of, findings, object};

/// Why, and a spec.
fn specs() -> Vec<(&'static str, Value)> {
    let mut specs = of_paths();
    specs.extend(of_names());
    specs
}

fn rules(paths: &[&str]) -> Value {
    let rules: Vec<Value> = paths
        .iter()
        .map(|path| json!({"path": {"type": "PathPrefix", "value": path}, "mode": "Off"}))
        .collect();
    json!({"rules": rules})
}

fn of_paths() -> Vec<(&'static str, Value)> {
    let alone = [
        ("beyond ASCII", "/caf\u{e9}/*"),
        ("beyond ASCII, in a URL", "https://a.example/caf\u{e9}"),
        ("beyond ASCII, with a query", "/caf\u{e9}?a=b"),
        ("a parameter that back ends drop", "/a;v=1/*"),
        ("an escaped slash", "/a%2Fb/*"),
        ("dots", "/a/../b/*"),
        ("a star to spell beside what has another normal form", "/caf\u{e9}/*/x"),
    ];
    let mut specs: Vec<_> = alone.map(|(why, path)| (why, rules(&[path]))).into();
    specs.extend([
        ("a prefix that is there", rules(&["/api", "/api/*"])),
        ("a prefix that is there, further down", rules(&["/api/{id}", "/api/"])),
        ("a path that is there", rules(&["api", "/api"])),
        ("a normal form that is there", rules(&["/x/../api", "/api"])),
        ("a literal star that is there", rules(&["/a/*", "/a/%2A"])),
        (
            "nothing to be active with",
            json!({"rules": [{
                "path": {"type": "PathPrefix", "value": "/a"},
                "mode": "Off",
                "disallowedRequests": "Reject",
            }]}),
        ),
    ]);
    specs
}

fn cors(fields: &Value) -> Value {
    let mut cors = json!({"allowOrigins": ["https://a.example"], "maxAge": 600});
    for (name, value) in fields.as_object().unwrap() {
        cors[name] = value.clone();
    }
    json!({"cors": cors})
}

fn of_names() -> Vec<(&'static str, Value)> {
    let long = "M".repeat(65);
    let long_name = "x".repeat(257);
    let many: Vec<String> = (0..60).map(|at| format!("M{at}")).collect();
    let mut full = many.clone();
    full.push(many.join(","));
    [
        ("forbidden methods", json!({"allowMethods": ["GET, TRACE, connect, PUT"]})),
        ("only a forbidden method", json!({"allowMethods": ["TRACE,", "PUT"]})),
        ("a method that is too long", json!({"allowMethods": [format!("GET, {long}")]})),
        ("a name that is too long", json!({"allowHeaders": [format!("x-a, {long_name}")]})),
        ("more methods than a list has", json!({"allowMethods": full})),
        ("a star among them", json!({"allowMethods": ["GET, *"]})),
        ("a word for all of them among them", json!({"allowHeaders": ["x-a, all"]})),
        ("a conjunction", json!({"allowMethods": ["GET and PUT & PATCH"]})),
        ("a regex", json!({"allowMethods": ["GET|TRACE|PUT"]})),
        ("a regex with a group", json!({"allowMethods": ["^(GET|PUT)$"]})),
        ("a regex of one", json!({"allowMethods": ["^PUT$"]})),
        ("a regex of names", json!({"allowHeaders": ["x-a|x-b"], "exposeHeaders": ["^x-c"]})),
        ("a header as it is sent", json!({"allowHeaders": ["content-type: application/json"]})),
        ("all methods", json!({"allowMethods": ["ALL"]})),
        ("any method", json!({"allowMethods": ["any", "PUT"], "allowCredentials": true})),
        ("all headers", json!({"allowHeaders": ["All"], "exposeHeaders": ["any"]})),
        (
            "all headers where the star is none",
            json!({"exposeHeaders": ["ALL"], "allowCredentials": true}),
        ),
    ]
    .map(|(why, fields)| (why, cors(&fields)))
    .into()
}

#[test]
fn no_edit_of_any_finding_is_refused() {
    let mut failures = Vec::new();
    for (why, spec) in specs() {
        let object = object("CorsPolicy", &spec);
        let before = findings(&object, &[]);
        for finding in &before {
            failures.extend(failures_of(why, finding, &object, &[]));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn text_of_another_system_is_told_and_answered_by_an_edit() {
    for (code, field, spec) in [
        ("CORS-E419", "spec.rules[0].path.value", rules(&["/caf\u{e9}/*"])),
        ("CORS-E301", "spec.cors.allowMethods[0]", cors(&json!({"allowMethods": ["GET, TRACE"]}))),
        ("CORS-E305", "spec.cors.allowMethods[0]", cors(&json!({"allowMethods": ["any"]}))),
        ("CORS-E305", "spec.cors.allowMethods[0]", cors(&json!({"allowMethods": ["GET|POST"]}))),
        ("CORS-E304", "spec.cors.allowHeaders[0]", cors(&json!({"allowHeaders": ["all"]}))),
        ("CORS-E304", "spec.cors.allowHeaders[0]", cors(&json!({"allowHeaders": ["x-a|x-b"]}))),
        ("CORS-E304", "spec.cors.exposeHeaders[0]", cors(&json!({"exposeHeaders": ["any"]}))),
    ] {
        let said = findings(&object("CorsPolicy", &spec), &[]);
        assert_eq!(count(&said, code), 1, "{spec}: {said:?}");
        let finding = said.iter().find(|finding| finding.code() == code).unwrap();
        assert_eq!(finding.field, field, "{finding}");
        assert!(!finding.edits().is_empty(), "{finding}");
    }
}
