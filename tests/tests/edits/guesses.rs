//! Specs for which a first guess would be refused: every proposal of their findings is accepted.

use serde_json::{Value, json};

use crate::{count, failures_of, findings, object};

/// A reason and a spec each.
fn specs() -> Vec<(&'static str, Value)> {
    let mut specs = of_paths();
    specs.extend(of_names());
    specs.extend(of_origins());
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
        ("quotes", "\"/api\""),
        ("white space", "/api "),
        ("a list of one", "[/api]"),
        ("text after a parameter", "/a/:id/b"),
        ("an alternation", "/x/(a|b)/c"),
        ("a list", "/api, /v2/*"),
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
        ("constants", json!({"allowMethods": ["HTTP_GET", "METHOD_PUT", "http.MethodPost"]})),
        ("methods in lower case", json!({"allowMethods": ["get,put,GET"]})),
        ("words for all", json!({"allowMethods": ["ALL_METHODS"], "allowHeaders": [".*"]})),
        ("regexes of prefixes", json!({"allowMethods": ["P.+"], "allowHeaders": ["x-.*", "^x-"]})),
        ("a header in full", json!({"allowHeaders": ["x-a: b", "x-amz-%"]})),
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

/// Entries about which a first guess may be dangerous, or too wide.
const GUESSED: &[&str] = &[
    "ALL",
    "any",
    "*://*",
    "\"*\"",
    "NULL",
    "'null'",
    "https://*/",
    "http://*.app.example/",
    "http://app.example/",
    "http(s)://app.example",
    "https?://app.example",
    "htps://app.example",
    "htp://app.example",
    "https//app.example",
    "ws://app.example",
    "wss://app.example",
    "wss://*",
    "wss://*.com",
    "ftp://app.example",
    ".com",
    "*.com/",
    "co.uk",
    "*.vercel.app",
    "httpss://*.com",
    "htps://*",
    "10.0.0.1",
    "http://10.0.0.0/8/",
    "0.0.0.0/0",
    "1/1",
    "52.*",
    "https://52.0.0.0/8/",
    "localhost",
    "http://localhost:3000/",
    "127.0.0.1:3000/",
    "::1",
    "app://*/",
    "app://./",
    "chrome-extension://*",
    "chrome-extension://",
    "chrome-extension://*/",
    "moz-extension://*/",
    "moz-extension://a",
    "'self'",
    "self",
    "$http_origin",
    "true",
    "${ORIGIN}",
    "undefined",
    "https:",
    "data:",
    "blob:https://a.example/1",
    "https://a.example,http://b.example",
    "https://a.example *",
    "*,null",
    "http://a.example, https://*.com",
    "https://a.example https://a.example",
    "https://b.example/ https://a.example",
    "https://a?.example.com",
    "https://a.example?b=c.d",
    "com.my_app://x",
    "custom_scheme://x",
    "https://a.example|https://b.example",
    "https://a.example|*",
    "app://..",
    "app://A",
    "http://10.0.0.0/255.0.0.0",
    "http://10.0.0.0/255.0.255.0",
    "http://10.1.0.0/255.0.0.0",
    "http://10.0.0.0/-1",
    "http://10.0.0.0/0x8",
    "http://10.0.0.0/8:*/",
    "http://fd00::/8",
    "http://fd00::/129",
    "http://[fd00::*]",
    "http://[fd00::]/129",
    "http://10.0.0.1/app",
    "https:///",
    "!https://app.example",
    "https://app.example,-https://evil.example",
    "https://app.example always",
    "http://app.example and https://b.example",
    "http:s//app.example",
    "http://https//app.example",
    "http://192.168.1.x",
    "https://192.168.1.0-255",
    "192.168.1.*",
    "https://www.*.app.example",
    "https://www.*.co.uk",
];

/// Expressions about which a first guess may be dangerous, or no origin.
const GUESSED_REGEXES: &[&str] = &[
    "*",
    ".*",
    "null",
    "^null$",
    "NULL",
    "true",
    "self",
    "all",
    "$http_origin",
    "*.vercel.app",
    "https://*.vercel.app",
    "https://.*.vercel.app",
    "http://*.app.example",
    "http://app.example",
    "HTTP://app\\.example",
    "HTTPS://A\\.example",
    "htps://app\\.example",
    "^htp://app\\.example$",
    "https//.*",
    "app.example",
    ".*\\.com",
    "https://*",
    "http://*",
    "~^https://app\\.example$",
    "~*^https://app\\.example$",
    "/^https://.*$/i",
    "r'^https://a\\.example$'",
    "https://a\\.example/|http://b\\.example/",
    "https://(?:a|b/).vercel.app",
    "https://%.app.example",
    "moz-extension://*",
    "null|https://a\\.example",
    "(self|https://a\\.example)",
    "https://a\\.example|'none'",
    "\\.example\\.com$",
    "-app\\.vercel\\.app$",
    "\\.(a|b)\\.example$",
    "[\"*\"]",
    "['null']",
    "[\"https://a.example\"]",
    "[^/]*x[^/]*",
    "[^/]*\\.app\\.example",
    "http*",
    "\\u{41}",
    "https://\\u{41}\\.example",
    "localhost.*",
    "localhost:.*",
    "app\\.example.*",
    "www\\..*",
    "data:.*",
    "file://.*",
    "ws://app\\.example",
    "wss?://app\\.example",
    "ftp://app\\.example",
    "chrome-extension://[A-P]+",
    "http://\\[::zz\\]",
    "https://[^.]+",
    "(^|\\.)a\\.example$",
    "\\.a\\.example(:\\d+)?$",
    "\\.a\\.example.*",
    "\\.com.*",
    "://a\\.example",
    "-a\\.example.*",
    "localhost.*|127\\.0\\.0\\.1.*",
    "a\\.example|b\\.example",
    "example.com.*",
    "chrome-extension://[A-P]{32}",
    "https://app\\.example:8080-8090",
    "exact:https://app.example",
    "exact:*",
    "https://[app|www]\\.app\\.example",
    "https://[app|www].vercel.app",
    "^https://app\\.",
    "https://app*\\.app\\.example",
];

#[test]
fn no_edit_about_a_regex_is_refused_or_dangerous() {
    let mut failures = Vec::new();
    for entry in GUESSED_REGEXES {
        for fields in [
            json!({"allowOrigins": [], "allowOriginRegexes": [entry]}),
            json!({"allowOriginRegexes": [entry]}),
            json!({"allowOrigins": [], "allowOriginRegexes": [entry], "allowCredentials": true}),
            json!({"allowOriginRegexes": [entry], "allowCredentials": true}),
        ] {
            let object = object("CorsPolicy", &cors(&fields));
            for finding in findings(&object, &[]) {
                failures.extend(failures_of(entry, &finding, &object, &[]));
                let is_host = ["null", "true", "self", "all"]
                    .iter()
                    .any(|word| finding.message().contains(&format!("https://{word}")));
                if is_host {
                    failures.push(format!("{entry}: {finding}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Each entry in each list that judges entries in its own way.
fn of_origins() -> Vec<(&'static str, Value)> {
    let mut specs = Vec::new();
    for entry in GUESSED {
        let beside = json!([entry, "https://a.example"]);
        specs.extend([
            (*entry, cors(&json!({"allowOrigins": [entry]}))),
            (*entry, cors(&json!({"allowOrigins": beside}))),
            (*entry, cors(&json!({"allowOrigins": [entry], "allowOriginRegexes": ["https://b\\.example"]}))),
            (*entry, cors(&json!({"allowOrigins": [entry], "allowCredentials": true}))),
            (*entry, cors(&json!({"allowOrigins": beside, "allowCredentials": true}))),
            (
                *entry,
                cors(&json!({
                    "allowOrigins": [entry],
                    "allowCredentials": true,
                    "dangerouslyAllow": ["InsecureOriginWithCredentials"],
                })),
            ),
        ]);
        let mut trusted = cors(&json!({}));
        trusted["hostnames"] = json!(["api.example"]);
        trusted["disallowedRequests"] = json!("Reject");
        trusted["trustedOrigins"] = json!([entry]);
        specs.push((*entry, trusted));
    }
    specs
}

#[test]
fn with_credentials_no_finding_proposes_what_is_dangerous() {
    for entry in GUESSED {
        let spec = cors(&json!({"allowOrigins": [entry], "allowCredentials": true}));
        for finding in findings(&object("CorsPolicy", &spec), &[]) {
            let message = finding.message();
            let Some((_, fix)) = message.rsplit_once(": ") else { continue };
            for proposed in fix.split('`').skip(1).step_by(2) {
                let allowed = cors(&json!({
                    "allowOrigins": [proposed],
                    "allowCredentials": true,
                    "dangerouslyAllow": ["InsecureOriginWithCredentials"],
                }));
                let said = findings(&object("CorsPolicy", &allowed), &[]);
                let is_dangerous = said.iter().any(|it| it.code().starts_with("CORS-E2"));
                assert!(!is_dangerous, "{entry}: {message}");
            }
        }
    }
}

#[test]
fn an_origin_list_of_an_origin_set_gets_edits_that_are_accepted() {
    let mut failures = Vec::new();
    for entry in GUESSED {
        let object = object("OriginSet", &json!({"origins": [entry, "https://a.example"]}));
        for finding in findings(&object, &[]) {
            failures.extend(failures_of(entry, &finding, &object, &[]));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
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
        (
            "CORS-E305",
            "spec.cors.allowMethods[0]",
            cors(&json!({"allowMethods": ["HttpMethod.PUT"]})),
        ),
        ("CORS-E305", "spec.cors.allowMethods[0]", cors(&json!({"allowMethods": ["'PUT'"]}))),
        (
            "CORS-E304",
            "spec.cors.allowHeaders[0]",
            cors(&json!({"allowHeaders": ["HttpHeaders.CONTENT_TYPE"]})),
        ),
        (
            "CORS-E303",
            "spec.cors.allowHeaders[0]",
            cors(&json!({"allowHeaders": ["Content-Type:"]})),
        ),
        ("CORS-W308", "spec.cors.allowMethods[0]", cors(&json!({"allowMethods": ["GETS"]}))),
        ("CORS-W308", "spec.cors.allowMethods[0]", cors(&json!({"allowMethods": ["DEL"]}))),
        (
            "CORS-E304",
            "spec.cors.allowHeaders[0]",
            cors(&json!({"allowHeaders": ["HTTP_X_TOKEN"]})),
        ),
        ("CORS-E411", "spec.rules[0].path.value", rules(&["= /api"])),
        ("CORS-E304", "spec.cors.exposeHeaders[0]", cors(&json!({"exposeHeaders": ["any"]}))),
        ("CORS-E103", "spec.cors.allowOrigins[0]", cors(&json!({"allowOrigins": ["ALL"]}))),
        (
            "CORS-W113",
            "spec.cors.allowOrigins[0]",
            cors(&json!({"allowOrigins": ["htps://a.example"]})),
        ),
    ] {
        let said = findings(&object("CorsPolicy", &spec), &[]);
        assert_eq!(count(&said, code), 1, "{spec}: {said:?}");
        let finding = said.iter().find(|finding| finding.code() == code).unwrap();
        assert_eq!(finding.field, field, "{finding}");
        assert!(!finding.edits().is_empty(), "{finding}");
    }
}
