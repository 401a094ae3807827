//! Text and matches whose entries have faults of their own: what a finding makes of them has none.

use serde_json::{Value, json};

use crate::{failures_of, findings, object};

/// A field of a `cors` block, and text in its place.
const TEXTS: &[(&str, &str)] = &[
    ("allowMethods", "GET|POST"),
    ("allowMethods", "TRACE"),
    ("allowMethods", "GET, TRACE"),
    ("allowMethods", "G(T, PUT"),
    ("allowHeaders", "x-amz-*"),
    ("allowHeaders", "x-a: b"),
    ("allowHeaders", "content-type: application/json"),
    ("exposeHeaders", "*, x-a"),
    ("allowOrigins", "*, https://a.example"),
    ("allowOrigins", "https://a.example/, http://b.example"),
    ("allowOrigins", "null"),
    ("allowOriginRegexes", "*"),
    ("allowOriginRegexes", "("),
    ("allowOriginRegexes", "*.a.example"),
    ("allowOriginRegexes", "(?=a)"),
    ("dangerouslyAllow", "*"),
    ("dangerouslyAllow", "InsecureOriginWithCredentials, all"),
    ("maxAge", "100000d"),
    ("maxAge", "-1"),
];

/// A list, and a match in it.
fn matches() -> Vec<(&'static str, Value)> {
    vec![
        ("allowOrigins", json!({"exact": "https://a.example/"})),
        ("allowOrigins", json!({"exact": "a.example"})),
        ("allowOrigins", json!({"exact": "http://a.example"})),
        ("allowOrigins", json!({"exact": "https://a.example,https://b.example"})),
        ("allowOrigins", json!({"exact": "*"})),
        ("allowOrigins", json!({"exact": ""})),
        ("allowOrigins", json!({"regex": "*"})),
        ("allowOrigins", json!({"regex": ""})),
        ("allowOrigins", json!({"regex": "(?=a)"})),
        ("allowOrigins", json!({"prefix": "http://"})),
        ("allowOriginRegexes", json!({"regex": "("})),
        ("allowMethods", json!({"exact": "GET, POST"})),
        ("allowMethods", json!({"exact": "TRACE"})),
        ("allowHeaders", json!({"exact": "x-*"})),
    ]
}

fn specs() -> Vec<Value> {
    let mut cors = Vec::new();
    for (field, text) in TEXTS {
        cors.push((*field, json!(text)));
        cors.push((*field, json!([text])));
    }
    cors.extend([("maxAge", json!(-1)), ("maxAge", json!(1e30)), ("allowOrigins", json!([7]))]);
    for (list, entry) in matches() {
        cors.push((list, json!([entry])));
        cors.push((list, json!([entry, "https://c.example"])));
        cors.push((list, entry));
    }
    let mut specs = Vec::new();
    for (field, value) in cors {
        let good = || json!({"allowOrigins": ["https://z.example"], "maxAge": 600});
        let mut within = good();
        within[field] = value.clone();
        specs.push(json!({"cors": within.clone()}));
        within["allowCredentials"] = json!(true);
        specs.push(json!({"cors": within}));
        specs.push(json!({"cors": good(), field: value.clone()}));
        specs.push(json!({field: value.clone()}));
        specs.push(json!({"cors": {"allowCredentials": true}, field: value.clone()}));
        let snake = field.replace("allow", "allow_").to_lowercase();
        specs.push(json!({"cors": {"maxAge": 600, snake: value}}));
    }
    let good = || json!({"allowOrigins": ["https://z.example"], "maxAge": 600});
    specs.extend([
        json!({"cors": good(), "trustedOrigins": "*"}),
        json!({"cors": good(), "trustedOrigins": [{"exact": "*"}]}),
        json!({"cors": good(), "hostnames": "https://a.example/x"}),
        json!({"cors": good(), "hostnames": "a b"}),
        json!({"cors": "https://a.example/, TRUE"}),
        json!({"cors": ["https://a.example/"]}),
    ]);
    for value in [json!(403), json!("403"), json!(200), json!(true), json!("deny"), json!("x")] {
        specs.push(json!({"cors": good(), "onFailure": value}));
        specs.push(json!({"cors": good(), "preflight": value}));
        specs.push(json!({"cors": good(), "preflight": {"onFailure": value}}));
        specs.push(json!({"cors": good(), "preflight": {"successStatus": value}}));
        specs.push(json!({"cors": good(), "successStatus": value}));
    }
    specs
}

#[test]
fn no_edit_copies_a_text_that_its_field_refuses() {
    let mut failures = Vec::new();
    for spec in specs() {
        let object = object("CorsPolicy", &spec);
        for finding in findings(&object, &[]) {
            failures.extend(failures_of(&spec.to_string(), &finding, &object, &[]));
        }
    }
    assert!(failures.is_empty(), "{}: {}", failures.len(), failures.join("\n"));
}

#[test]
fn a_text_with_a_fault_of_its_own_gets_what_is_meant_by_it() {
    let cors = |field: &str, value: Value| {
        let mut cors = json!({"allowOrigins": ["https://z.example"], "maxAge": 600});
        cors[field] = value;
        json!({"cors": cors})
    };
    for (spec, fix) in [
        (json!({"onFailure": 403}), "onFailure: Reject"),
        (json!({"onFailure": 200}), "successStatus: 200"),
        (json!({"onFailure": true}), "onFailure: Explain"),
        (json!({"preflight": "403"}), "{onFailure: Reject}"),
        (cors("allowMethods", json!("GET|POST")), "[\"GET\", \"POST\"]"),
        (json!({"allowMethods": "GET|POST"}), "[\"GET\", \"POST\"]"),
        (cors("allowMethods", json!("GET, TRACE")), "[\"GET\"]"),
        (cors("allowHeaders", json!("x-a: b")), "[\"x-a\"]"),
        (
            cors("allowOrigins", json!([{"exact": "https://a.example/"}])),
            "write `https://a.example`",
        ),
        (cors("allowOrigins", json!([{"exact": "a.example"}])), "write `https://a.example`"),
        (
            cors("allowOrigins", json!([{"exact": "https://a.example,https://b.example"}])),
            "one entry for each: `https://a.example` and `https://b.example`",
        ),
        (
            cors("allowMethods", json!([{"exact": "GET, POST"}])),
            "one entry for each: `GET` and `POST`",
        ),
        (cors("allowOrigins", json!([{"exact": ""}])), "list each text that is meant"),
        (cors("allowOrigins", json!([{"regex": "(?=a)"}])), "list each text that is meant"),
        (cors("allowMethods", json!("TRACE")), "write a list"),
    ] {
        let said: Vec<String> =
            findings(&object("CorsPolicy", &spec), &[]).iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|it| it.contains(fix)), "{spec}: {fix}: {said:#?}");
    }
}

#[test]
fn the_fix_of_an_origin_names_no_other_host() {
    for (entry, matter, fix) in [
        ("https://a?.example.com", "has a `?`", "write a star in the first label"),
        ("https://a.example?b", "has a query", "write `https://a.example`"),
        ("com.my_app://x", "has a `_` in its scheme", "give the application a scheme"),
        (
            "https://a.example|https://b.example",
            "has several origins in it",
            "`https://a.example` and `https://b.example`",
        ),
        ("app://..", "ends in a dot", "write it without the dot"),
        ("http://10.0.0.0/8/", "ends in a slash", "write `http://10.0.0.0/8`"),
        ("http://10.0.0.0/8:*/", "ends in a slash", "write `http://10.0.0.0/8:*`"),
        ("http://10.0.0.0/255.0.0.0", "no prefix length", "write `http://10.0.0.0/8`"),
        ("http://10.0.0.0/-1", "no prefix length", "such as `http://10.0.0.0/8:*`"),
        ("http://10.0.0.0/0x8", "no prefix length", "such as `http://10.0.0.0/8:*`"),
        ("http://10.0.0.1/app", "has a path", "write `http://10.0.0.1`"),
        ("http://fd00::/8", "without brackets", "write `http://[fd00::]/8`"),
        ("http://[fd00::*]", "has a `*` in an IPv6 address", "such as `http://[fd00::]/8:*`"),
        ("http://[fd00::]/129", "between 0 and 128", "such as `http://[fd00::]/8:*`"),
    ] {
        let spec = json!({"cors": {"allowOrigins": [entry], "maxAge": 600}});
        let said: Vec<String> =
            findings(&object("CorsPolicy", &spec), &[]).iter().map(ToString::to_string).collect();
        let is_said = said.iter().any(|it| it.contains(matter) && it.contains(fix));
        assert!(is_said, "{entry}: {matter}: {fix}: {said:#?}");
    }
    let spec = json!({"cors": {"allowOrigins": ["app://A"], "maxAge": 600}});
    let said = findings(&object("CorsPolicy", &spec), &[]);
    assert!(said.iter().all(|it| it.code() != "CORS-I002"), "{said:#?}");
}
