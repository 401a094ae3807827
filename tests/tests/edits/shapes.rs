//! Rows about values that do not fit: text and objects of other systems.

use serde_json::{Value, json};

use crate::object;
use crate::rows::{Row, cors, good, spec, with};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = lists_and_values();
    rows.extend(matches());
    rows.extend(words());
    rows.extend(more_words());
    rows.extend(origins_in_a_text());
    rows.extend(mappings());
    rows.extend(names());
    rows.extend(crate::strangers::rows());
    rows
}

fn lists_and_values() -> Vec<Row> {
    let shape = |why, fields| cors("CORS-E509", why, fields);
    vec![
        shape("a list in one text", json!({"allowMethods": "GET, PUT"})),
        shape("by spaces", json!({"allowMethods": "GET PUT"})),
        shape("one entry", json!({"allowMethods": "PUT"})),
        shape("a star", json!({"allowMethods": "*"})),
        shape("by commas", json!({"allowOrigins": "https://a.example,https://b.example"})),
        shape("by semicolons", json!({"allowOrigins": "https://a.example; https://b.example"})),
        shape("by lines", json!({"allowOrigins": "https://a.example\nhttps://b.example\n"})),
        shape("a star for origins", json!({"allowOrigins": "*"})),
        shape("a list in a text in brackets", json!({"allowHeaders": "[\"x-a\", 'x-b']"})),
        shape(
            "a regex with a comma",
            json!({"allowOriginRegexes": "https://[a-z]{2,4}[.]a[.]example"}),
        ),
        shape("a match of Istio", json!({"allowOrigins": {"exact": "https://a.example"}})),
        shape("hours", json!({"maxAge": "24h"})),
        shape("seconds", json!({"maxAge": "600s"})),
        shape("minutes", json!({"maxAge": "10m"})),
        shape("a fraction of hours", json!({"maxAge": "1.5h"})),
        shape("a day of ISO 8601", json!({"maxAge": "P1D"})),
        shape("half a day in milliseconds", json!({"maxAge": "1800000ms"})),
        shape("in quotes", json!({"maxAge": "600"})),
        shape("a fraction of zero", json!({"maxAge": 600.0})),
        shape("a duration of protobuf", json!({"maxAge": {"seconds": 600}})),
        shape("a truth value in quotes", json!({"allowCredentials": "true"})),
        shape("a number for a truth value", json!({"allowCredentials": 1})),
        shape("a truth value of protobuf", json!({"allowCredentials": {"value": false}})),
        spec(
            "CORS-E509",
            "a status in quotes",
            with(good(), json!({"preflight": {"successStatus": "204"}})),
        ),
        spec("CORS-E509", "one host", with(good(), json!({"hostnames": "a.example"}))),
        spec(
            "CORS-E509",
            "a label that is a number",
            with(good(), json!({"selector": {"matchLabels": {"version": 7}}})),
        ),
    ]
}

fn matches() -> Vec<Row> {
    let entry = |why, list: &str, entry| cors("CORS-E516", why, json!({list: [entry, ]}));
    vec![
        entry("exact", "allowOrigins", json!({"exact": "https://a.example"})),
        entry("a regex", "allowOrigins", json!({"regex": "https://[a-z]+[.]a[.]example"})),
        entry(
            "a regex of Envoy",
            "allowOrigins",
            json!({"safe_regex": {"regex": "https://[a-z]+[.]a[.]example"}}),
        ),
        entry("a prefix with a host", "allowOrigins", json!({"prefix": "https://a.example"})),
        entry("a prefix of any host", "allowOrigins", json!({"prefix": "https://"})),
        entry("a prefix of one host", "allowOrigins", json!({"prefix": "http://localhost"})),
        entry("a prefix with a colon", "allowOrigins", json!({"prefix": "http://localhost:"})),
        entry("a prefix with a port", "allowOrigins", json!({"prefix": "http://localhost:3000"})),
        entry("a prefix with a slash", "allowOrigins", json!({"prefix": "https://a.example/"})),
        entry("a prefix of addresses", "allowOrigins", json!({"prefix": "http://192.168."})),
        entry("a prefix of an address", "allowOrigins", json!({"prefix": "http://[::1]"})),
        spec(
            "CORS-E516",
            "a prefix among trusted origins",
            with(
                good(),
                json!({"disallowedRequests": "Reject", "trustedOrigins": [{"prefix": "https://b.example"}]}),
            ),
        ),
        Row {
            code: "CORS-E516",
            why: "a suffix in a set",
            object: object("OriginSet", &json!({"origins": [{"suffix": ".b.example"}]})),
            beside: Vec::new(),
        },
        entry("a suffix", "allowOrigins", json!({"suffix": ".a.example"})),
        entry(
            "type and value",
            "allowOrigins",
            json!({"type": "Exact", "value": "https://a.example"}),
        ),
        entry(
            "a type of regex",
            "allowOrigins",
            json!({"type": "RegularExpression", "value": "https://[a-z]+[.]a[.]example"}),
        ),
        entry("a method", "allowMethods", json!({"exact": "PUT"})),
        entry("exact among regexes", "allowOriginRegexes", json!({"exact": "https://a.example"})),
        entry(
            "a regex among regexes",
            "allowOriginRegexes",
            json!({"regex": "https://[a-z]+[.]a[.]example"}),
        ),
    ]
}

fn words() -> Vec<Row> {
    let word = |why, fields| spec("CORS-E510", why, with(good(), fields));
    vec![
        word("a mode in lower case", json!({"mode": "dryrun"})),
        word("a mode in another style", json!({"mode": "dry-run"})),
        word("report only", json!({"mode": "report-only"})),
        word("disabled", json!({"mode": "disabled"})),
        word("a truth value for a mode", json!({"mode": false})),
        word("diagnostics as a truth value", json!({"diagnostics": true})),
        word("a status for a failure", json!({"preflight": {"onFailure": 403}})),
        word("a word for a failure", json!({"preflight": {"onFailure": "deny"}})),
        word("a truth value for rejection", json!({"disallowedRequests": true})),
        word("a word for rejection", json!({"disallowedRequests": "block"})),
        word("off for a failure", json!({"preflight": {"onFailure": "off"}})),
        word("off for rejection", json!({"disallowedRequests": "off"})),
        word("on for a mode", json!({"mode": "on"})),
        word("enforcement", json!({"mode": "enforce"})),
        word("off for a mode of a rule", rule_mode("off")),
        word("on for a mode of a rule", rule_mode("on")),
        word("enforcement of a rule", rule_mode("enforce")),
        word(
            "a type of Ingress",
            json!({"rules": [{"path": {"type": "Prefix", "value": "/a"}, "cors": {"allowOrigins": ["https://b.example"]}}]}),
        ),
    ]
}

fn more_words() -> Vec<Row> {
    let word = |why, fields| spec("CORS-E510", why, with(good(), fields));
    let shape = |why, fields| spec("CORS-E509", why, with(good(), fields));
    vec![
        word("a truth value for a header", json!({"upstreamOrigin": false})),
        word("off for a header", json!({"upstreamOrigin": "off"})),
        word("a header that stays", json!({"upstreamOrigin": true})),
        word("a word for removal", json!({"upstreamOrigin": "strip"})),
        word("a truth value for headers", json!({"upstreamCorsHeaders": false})),
        word("headers that stay", json!({"upstreamCorsHeaders": "on"})),
        word("a word for replacement", json!({"upstreamCorsHeaders": "drop"})),
        word("any status for a failure", json!({"preflight": {"onFailure": 500}})),
        word("a status as a text", json!({"preflight": {"onFailure": "400"}})),
        word("on for a failure", json!({"preflight": {"onFailure": "on"}})),
        word("a truth value for a failure", json!({"preflight": {"onFailure": true}})),
        word("a status for rejection", json!({"disallowedRequests": 401})),
        word("a status for none", json!({"disallowedRequests": 200})),
        word("enforcement of rejection", json!({"disallowedRequests": "enforce"})),
        word("a number for a mode", json!({"mode": 0})),
        word("another number for a mode", json!({"mode": 1})),
        word("a word for a dry run", json!({"mode": "warn"})),
        word("a level of logs", json!({"diagnostics": "debug"})),
        word("off for diagnostics", json!({"diagnostics": "off"})),
        shape("a word in a list", json!({"preflight": {"onFailure": ["reject"]}})),
        shape("a word in a mapping", json!({"preflight": {"onFailure": {"type": "Deny"}}})),
        shape("a mode in a list", json!({"mode": ["off"]})),
        cors("CORS-E509", "a credentials mode", json!({"allowCredentials": "include"})),
        cors("CORS-E509", "another one", json!({"allowCredentials": "omit"})),
        cors("CORS-E509", "a third one", json!({"allowCredentials": "same-origin"})),
        cors("CORS-E509", "a truth value in a list", json!({"allowCredentials": [true]})),
        cors("CORS-E503", "a credentials mode by its name", json!({"credentials": "include"})),
        cors("CORS-E503", "another one by its name", json!({"credentials": "same-origin"})),
    ]
}

/// One text in which an entry would be refused as it stands.
fn origins_in_a_text() -> Vec<Row> {
    let text = |why, text: &str| cors("CORS-E509", why, json!({"allowOrigins": text}));
    let names = |why, field: &str, text: &str| cors("CORS-E509", why, json!({field: text}));
    vec![
        text("a host", "a.example"),
        text("hosts", "a.example, b.example"),
        text("a slash", "https://a.example/ https://b.example"),
        text("a word for every origin", "all"),
        text("a regex of every origin", ".*"),
        text("a null in capitals", "NULL"),
        names("a word for every method", "allowMethods", "all"),
        names("a word for every header", "allowHeaders", "any"),
        cors("CORS-E103", "a regex of every origin", json!({"allowOrigins": [".*"]})),
    ]
}

fn rule_mode(mode: &str) -> Value {
    json!({"rules": [{"path": {"type": "PathPrefix", "value": "/a"}, "mode": mode}]})
}

fn mappings() -> Vec<Row> {
    let shape = |why, fields| spec("CORS-E509", why, with(good(), fields));
    let path = |path| json!([{"path": path, "cors": {"allowOrigins": ["https://b.example"]}}]);
    vec![
        shape("a path as a text", json!({"rules": path(json!("/api"))})),
        shape("a rule that is a path", json!({"rules": ["/api"]})),
        shape("a rule that is a glob", json!({"rules": ["/api/*"]})),
        shape("a path of Spring as a text", json!({"rules": path(json!("/login/**"))})),
        shape("a path with a parameter as a text", json!({"rules": path(json!("/api/:id"))})),
        shape("a path without its slash", json!({"rules": path(json!("api"))})),
        shape("a location of nginx as a text", json!({"rules": path(json!("~ ^/api/.*$"))})),
        shape(
            "a rule without a list",
            json!({"rules": path(json!({"type": "Exact", "value": "/a"}))[0]}),
        ),
        shape("a word for preflights", json!({"preflight": "Reject"})),
        shape("labels as a text", json!({"selector": "app=api,tier=web"})),
        shape("a service by its name", json!({"targetRefs": ["api"]})),
        shape("one target", json!({"targetRefs": {"group": "", "kind": "Service", "name": "api"}})),
        spec("CORS-E509", "a block that is a star", json!({"cors": "*"})),
        spec("CORS-E509", "a block that is a list", json!({"cors": ["https://a.example"]})),
        Row {
            beside: vec![object("OriginSet", &json!({"origins": ["https://b.example"]}))],
            ..cors("CORS-E509", "a set by its name", json!({"allowOriginsFrom": ["a"]}))
        },
    ]
}

fn names() -> Vec<Row> {
    let block = |why, fields| spec("CORS-E503", why, json!({"cors": fields}));
    let spec = |why, fields| spec("CORS-E503", why, fields);
    let origins = || json!(["https://a.example"]);
    vec![
        block("snake case", json!({"allow_origins": origins()})),
        block("a header's name", json!({"Access-Control-Allow-Origin": "https://a.example"})),
        block("another tense", json!({"allowedOrigins": origins()})),
        block("short", json!({"origins": origins()})),
        block("exposed", json!({"allowOrigins": origins(), "exposedHeaders": ["x-a"]})),
        block("seconds in the name", json!({"allowOrigins": origins(), "maxAgeSeconds": 600})),
        block(
            "seconds in the name and the value",
            json!({"allowOrigins": origins(), "max_age_seconds": "600s"}),
        ),
        block("Express", json!({"allowOrigins": origins(), "credentials": true})),
        block("a match list of Envoy", json!({"allow_origin_string_match": origins()})),
        block(
            "a list that is there",
            json!({"allowOrigins": origins(), "origin": ["https://b.example"]}),
        ),
        block(
            "a field of the spec",
            json!({"allowOrigins": origins(), "hostnames": ["a.example"]}),
        ),
        spec("a list outside of the block", json!({"allowOrigins": origins()})),
        spec("a long list outside of the block", json!({"allowOrigins": long_origins()})),
        block("a long list in another tense", json!({"allowedOrigins": long_origins()})),
        spec(
            "a long block in Istio's words",
            json!({"corsPolicy": {"allowOrigins": long_origins()}}),
        ),
        spec(
            "another name outside of the block",
            json!({"allowedMethods": "GET, PUT", "cors": {"allowOrigins": origins()}}),
        ),
        spec(
            "a header's name outside of the block",
            json!({"access-control-max-age": "600", "cors": {"allowOrigins": origins()}}),
        ),
        spec("a field of `preflight`", with(good(), json!({"onFailure": "Reject"}))),
        spec("labels without their mapping", with(good(), json!({"selector": {"app": "api"}}))),
        spec(
            "a label with dots",
            with(good(), json!({"selector": {"app.kubernetes.io/name": "api"}})),
        ),
        spec(
            "one target",
            with(good(), json!({"targetRef": {"group": "", "kind": "Service", "name": "api"}})),
        ),
        spec(
            "a list in a rule",
            json!({"rules": [{"path": {"type": "PathPrefix", "value": "/a"}, "allowOrigins": origins()}]}),
        ),
        spec("nothing like it", with(good(), json!({"retries": 3}))),
    ]
}

/// Origins of which the last is refused, longer than what a finding shows of a value.
fn long_origins() -> Value {
    let mut origins: Vec<String> = (0..8).map(|at| format!("https://app-{at}.a.example")).collect();
    origins.push("https://app.a.example/".to_owned());
    json!(origins)
}
