//! `Vary` leaves in one line: nginx 1.22 reads the last line only, and Apache's cache never finds a response with two of them again.

use corsward_test_harness::answer::Answer;
use corsward_test_harness::case::{Case, Expect, Request, Upstream};
use corsward_test_harness::envoy_fixture::{EnvoyFixture, Send, cross_origin, preflight, request};
use corsward_test_harness::{client, http2, policies};
use serde_json::{Value, json};

const SHOP: &str = "https://shop.example";
const EVIL: &str = "https://evil.test";
const PROTOCOLS: [(&str, Send); 2] = [("HTTP/1.1", client::send), ("HTTP/2", http2::send)];

/// The longest list that a preflight's answer may add: an upstream's own list still fits beside it.
const OWN_BOUND: usize = 80;

/// The longest value of `Vary` with which nginx 1.22 keeps a response.
const NGINX_BOUND: usize = 128;

#[test]
fn vary_leaves_in_one_line_whatever_lines_the_upstream_sends() {
    let fixture = fixture();
    let shared = ("Access-Control-Allow-Origin", "*");
    for (why, host, origin, varies_by_origin) in [
        ("an allowed origin", "dynamic", Some(SHOP), true),
        ("an allowed origin that the upstream does not see", "removing", Some(SHOP), true),
        ("another origin", "dynamic", Some(EVIL), true),
        ("no origin", "dynamic", None, true),
        ("the upstream's own headers stay", "kept", Some(SHOP), true),
        ("a trusted origin under `Reject`", "fenced", Some("https://login.example"), true),
        ("a path that reads in two ways", "ruled", Some(SHOP), true),
        ("a failed preflight that is forwarded", "forwarding", Some(EVIL), true),
        ("a static `*`", "static", Some(SHOP), false),
        ("a rehearsal", "rehearsed", Some(SHOP), false),
        ("no policy", "uncovered", Some(SHOP), false),
    ] {
        for lines in upstream_lines() {
            let mut headers: Vec<_> = lines.iter().map(|line| ("Vary", *line)).collect();
            headers.push(shared);
            let ask = ask(host, origin);
            for (protocol, send) in PROTOCOLS {
                let answer = answer(&fixture, &ask, &headers, send);
                let told = format!("{why}, {lines:?}, {protocol}: {:?}", answer.headers);
                assert!(answer.upstream_reached, "{told}");
                assert_eq!(vary_lines(&answer), 1, "{told}");
                let vary = answer.vary();
                let has = |token: &str| vary.contains(&token.to_ascii_lowercase());
                assert!(lines.iter().all(|line| line.is_empty() || has(line)), "{told}");
                assert!(!varies_by_origin || has("origin") || has("*"), "{told}");
            }
        }
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn vary_leaves_in_one_line_when_an_upstream_sends_several_over_http_2() {
    let fixture = fixture();
    for lines in upstream_lines() {
        for (host, origin) in [("dynamic", SHOP), ("dynamic", EVIL), ("static", EVIL)] {
            let mut ask = ask(host, Some(origin));
            ask.path = b"/http2".to_vec();
            for (protocol, send) in PROTOCOLS {
                let more = [(http2::VARY_LINES, &*lines.join("|"))];
                let answer = send(fixture.address().unwrap(), &ask, &more).unwrap();
                let told = format!("{host}, {origin}, {lines:?}, {protocol}: {answer:?}");
                assert_eq!((answer.status, vary_lines(&answer)), (200, 1), "{told}");
                let vary = answer.vary();
                let has = |token: &str| vary.contains(&token.to_ascii_lowercase());
                assert!(lines.iter().all(|line| line.is_empty() || has(line)), "{told}");
                assert!(host == "static" || has("origin") || has("*"), "{told}");
            }
        }
    }
}

#[test]
fn vary_of_a_local_reply_leaves_in_one_line() {
    let fixture = fixture();
    for (why, path, status) in [
        ("a direct response with lines of its own", "/direct", 200),
        ("lines that the route adds to the upstream's", "/added", 200),
        ("a redirect with lines of its own", "/redirect", 301),
        ("no healthy upstream, with lines of the route", "/nobody", 503),
    ] {
        for (host, origin) in [("dynamic", SHOP), ("dynamic", EVIL), ("static", EVIL)] {
            let mut ask = ask(host, Some(origin));
            ask.path = path.into();
            ask.headers.push(("Accept-Encoding".into(), b"gzip".to_vec()));
            for (protocol, send) in PROTOCOLS {
                let answer = answer(&fixture, &ask, &[("Vary", "Cookie")], send);
                let told = format!("{why}, {host}, {origin}, {protocol}: {answer:?}");
                assert_eq!((answer.status, vary_lines(&answer)), (status, 1), "{told}");
                let vary = answer.vary();
                let has = |token: &str| vary.iter().any(|present| present == token);
                assert!(has("accept-language") && has("accept-encoding"), "{told}");
                assert!(host == "static" || has("origin"), "{told}");
            }
        }
    }
}

#[test]
fn vary_of_our_own_answers_is_one_short_line() {
    let fixture = fixture();
    for (why, host, origin, method, status) in [
        ("a preflight that passes", "dynamic", SHOP, "PUT", 204),
        ("a preflight from another origin", "dynamic", EVIL, "PUT", 403),
        ("a preflight for another method", "dynamic", SHOP, "DELETE", 204),
        ("a preflight under `*`", "static", EVIL, "GET", 204),
        ("a rejected request", "fenced", EVIL, "", 403),
    ] {
        let host = policies::host("caches", host);
        let ask = match method {
            "" => cross_origin(&host, origin),
            method => preflight(&host, origin, method),
        };
        for (protocol, send) in PROTOCOLS {
            let answer = answer(&fixture, &ask, &[], send);
            let told = format!("{why}, {protocol}: {answer:?}");
            assert_eq!((answer.status, vary_lines(&answer)), (status, 1), "{told}");
            // The compressor behind ours adds its own token to local replies, too.
            let ours = answer.vary().into_iter().filter(|token| token != "accept-encoding");
            let length = ours.collect::<Vec<_>>().join(", ").len();
            assert!(length < OWN_BOUND, "{told}");
            assert!(answer.text("vary").len() <= NGINX_BOUND, "{told}");
        }
    }
}

/// Each order of some sets of lines.
fn upstream_lines() -> Vec<Vec<&'static str>> {
    let sets: [&[&str]; 9] = [
        &["Accept-Encoding"],
        &["Origin"],
        &["Accept-Encoding", "Cookie"],
        &["Accept-Encoding", "Origin"],
        &["Accept-Encoding", "Cookie", "Accept-Language"],
        &["Accept-Encoding", "Cookie", "ORIGIN"],
        &["Origin", "Origin"],
        &["*", "Cookie", "Origin"],
        &["", "Origin", "Cookie"],
    ];
    sets.into_iter().flat_map(orders).collect()
}

fn orders(lines: &[&'static str]) -> Vec<Vec<&'static str>> {
    if lines.is_empty() {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for at in 0..lines.len() {
        let mut rest = lines.to_vec();
        let first = rest.remove(at);
        orders.extend(self::orders(&rest).into_iter().map(|mut order| {
            order.insert(0, first);
            order
        }));
    }
    orders
}

fn ask(host: &str, origin: Option<&str>) -> Request {
    let authority = policies::host("caches", host);
    let ask = match origin {
        Some(origin) if host == "forwarding" => preflight(&authority, origin, "PUT"),
        Some(origin) => cross_origin(&authority, origin),
        None => request("GET", &authority, &[]),
    };
    match host {
        "ruled" => Request { path: b"/open/..%2fclosed".to_vec(), ..ask },
        _ => ask,
    }
}

fn answer(
    fixture: &EnvoyFixture,
    request: &Request,
    upstream: &[(&str, &str)],
    send: Send,
) -> Answer {
    let line = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    let case = Case {
        suite: "caches".into(),
        name: "vary".into(),
        why: String::new(),
        request: request.clone(),
        upstream: Upstream { status: 200, headers: upstream.iter().map(line).collect() },
        expect: Expect::default(),
    };
    fixture.answer_to(&case, send).unwrap()
}

fn vary_lines(answer: &Answer) -> usize {
    answer.lines(|name| name == "vary").count()
}

fn fixture() -> EnvoyFixture {
    let added = json!([
        { "header": { "key": "vary", "value": "Accept-Language" }, "append_action": "APPEND_IF_EXISTS_OR_ADD" },
        { "header": { "key": "Vary", "value": "Accept-Encoding" }, "append_action": "APPEND_IF_EXISTS_OR_ADD" },
    ]);
    let route = |prefix: &str, action: (&str, Value)| {
        let (kind, action) = action;
        json!({ "match": { "prefix": prefix }, kind: action, "response_headers_to_add": added })
    };
    let body = json!({ "inline_string": "a body that is long enough for a compressor to take it" });
    let mut fixture = EnvoyFixture::plan()
        .unwrap()
        .filter(compressor())
        .route(route("/direct", ("direct_response", json!({ "status": 200, "body": body }))))
        .route(route("/redirect", ("redirect", json!({ "path_redirect": "/elsewhere" }))))
        .route(route("/nobody", ("route", json!({ "cluster": "nobody" }))))
        .route(json!({ "match": { "prefix": "/http2" }, "route": { "cluster": "http2" } }))
        .route(route("/added", ("route", json!({ "cluster": "upstream" }))))
        .bootstrap(|bootstrap| bootstrap.empty_upstream("nobody").cluster(http2_cluster()))
        .start()
        .unwrap();
    let objects = policies();
    fixture.configure(&objects.iter().collect::<Vec<_>>()).unwrap();
    fixture
}

fn http2_cluster() -> Value {
    let address = http2::serve().unwrap();
    let address = json!({ "address": address.ip(), "port_value": address.port() });
    let endpoint = json!({ "endpoint": { "address": { "socket_address": address } } });
    const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({
        "name": "http2",
        "load_assignment": {
            "cluster_name": "http2", "endpoints": [{ "lb_endpoints": [endpoint] }],
        },
        "typed_extension_protocol_options": { OPTIONS: {
            "@type": format!("type.googleapis.com/{OPTIONS}"),
            "explicit_http_config": { "http2_protocol_options": {} },
        }},
    })
}

fn policies() -> Vec<Value> {
    let policy = |name: &str, spec: Value| {
        policies::policy("caches", name, spec.as_object().cloned().unwrap())
    };
    let cors = json!({ "allowOrigins": [SHOP], "allowMethods": ["PUT"], "allowCredentials": true });
    let anyone = json!({ "allowOrigins": ["*"] });
    let rule = json!([{ "path": { "type": "PathPrefix", "value": "/closed" }, "cors": cors }]);
    vec![
        policy("dynamic", json!({ "cors": cors })),
        policy(
            "kept",
            json!({ "cors": cors, "upstreamCorsHeaders": "Keep", "preflight": { "onFailure": "Forward" } }),
        ),
        policy("removing", json!({ "cors": cors, "upstreamOrigin": "Remove" })),
        policy(
            "fenced",
            json!({ "cors": cors, "disallowedRequests": "Reject", "trustedOrigins": ["https://login.example"] }),
        ),
        policy("forwarding", json!({ "cors": cors, "preflight": { "onFailure": "Forward" } })),
        policy("ruled", json!({ "cors": anyone, "rules": rule })),
        policy("static", json!({ "cors": anyone })),
        policy("rehearsed", json!({ "cors": cors, "mode": "DryRun" })),
    ]
}

/// Adds `Vary: Accept-Encoding` by itself, behind our filter.
fn compressor() -> Value {
    let gzip = "type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip";
    json!({
        "name": "envoy.filters.http.compressor",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor",
            "response_direction_config": { "common_config": {
                "min_content_length": 1, "content_type": ["text/plain"],
            }},
            "compressor_library": { "name": "gzip", "typed_config": { "@type": gzip } },
        },
    })
}
