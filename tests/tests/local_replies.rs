//! Answers that Envoy gives by itself, behind our filter: each with and without a policy that covers the host.

use corsward_test_harness::answer::Answer;
use corsward_test_harness::case::Request;
use corsward_test_harness::envoy_fixture::{self, EnvoyFixture, cross_origin, preflight, request};
use corsward_test_harness::policies;
use serde_json::{Value, json};
use xtask::envoy::Shell;

const SHOP: &str = "https://shop.example";
const EVIL: &str = "https://evil.test";

/// Paths, and the status that Envoy answers there without asking the upstream.
const REPLIES: [(&str, &str, u16); 6] = [
    ("RBAC denies", "/rbac/x", 403),
    ("a rate limit or a fault", "/limited", 429),
    ("no route", "/nowhere", 404),
    ("a direct response", "/direct", 200),
    ("a redirect", "/redirect", 301),
    ("no healthy upstream", "/nobody", 503),
];

#[test]
fn a_local_reply_is_shared_with_an_allowed_origin() {
    let fixture = fixture();
    for (why, path, status) in REPLIES {
        let answer = get(&fixture, "dynamic.replies.test", path, Some(SHOP));
        assert_eq!(answer.status, status, "{why}");
        assert_eq!(text(&answer, "access-control-allow-origin"), SHOP, "{why}");
        assert_eq!(text(&answer, "access-control-allow-credentials"), "true", "{why}");
        assert_eq!(answer.vary(), ["origin"], "{why}");
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn a_local_reply_is_not_shared_with_another_origin_and_still_varies() {
    let fixture = fixture();
    for (why, path, status) in REPLIES {
        for origin in [Some(EVIL), Some("null"), None] {
            let answer = get(&fixture, "dynamic.replies.test", path, origin);
            assert_eq!(answer.status, status, "{why}");
            assert_eq!(cors_lines(&answer), 0, "{why}, {origin:?}");
            assert_eq!(answer.vary(), ["origin"], "{why}, {origin:?}");
        }
    }
}

#[test]
fn a_static_policy_shares_every_local_reply() {
    let fixture = fixture();
    for (why, path, status) in REPLIES {
        for origin in [Some(EVIL), None] {
            let answer = get(&fixture, "static.replies.test", path, origin);
            assert_eq!(answer.status, status, "{why}");
            assert_eq!(text(&answer, "access-control-allow-origin"), "*", "{why}");
            assert_eq!(answer.vary(), Vec::<String>::new(), "{why}");
        }
    }
}

#[test]
fn without_a_policy_a_local_reply_is_as_envoy_gives_it() {
    let fixture = fixture();
    for (why, path, status) in REPLIES {
        let answer = get(&fixture, "uncovered.replies.test", path, Some(SHOP));
        assert_eq!(answer.status, status, "{why}");
        assert_eq!(cors_lines(&answer), 0, "{why}");
        assert_eq!(answer.vary(), Vec::<String>::new(), "{why}");
    }
}

#[test]
fn a_preflight_is_answered_before_rbac_and_before_routes() {
    let fixture = fixture();
    for (why, path, _) in REPLIES {
        let ask = at(path, preflight("dynamic.replies.test", SHOP, "PUT"));
        let answer = fixture.send(&ask, &[]).unwrap();
        assert_eq!(answer.status, 204, "{why}");
        assert_eq!(text(&answer, "access-control-allow-methods"), "PUT", "{why}");
    }
}

#[test]
fn without_a_policy_a_preflight_meets_rbac() {
    let fixture = fixture();
    let ask = at("/rbac", preflight("uncovered.replies.test", SHOP, "PUT"));
    let answer = fixture.send(&ask, &[]).unwrap();
    assert_eq!((answer.status, cors_lines(&answer)), (403, 0));
}

#[test]
fn a_rejected_request_meets_nothing_behind_the_filter() {
    let fixture = fixture();
    for (why, path, _) in REPLIES {
        let answer = get(&fixture, "fenced.replies.test", path, Some(EVIL));
        assert_eq!(answer.status, 403, "{why}");
        assert_eq!(text(&answer, "cache-control"), "no-store", "{why}");
        assert!(answer.body.is_empty(), "{why}: RBAC's 403 has a body, ours has none");
    }
}

#[test]
fn a_rejected_grpc_call_has_the_grpc_status_of_a_refusal() {
    let fixture = fixture();
    for (content_type, want) in [
        ("application/grpc", (200, "7")),
        ("application/grpc+proto", (200, "7")),
        ("application/grpc-web+proto", (403, "")),
        ("application/grpc;charset=utf-8", (403, "")),
        ("application/json", (403, "")),
    ] {
        let lines = [("Origin", EVIL), ("Content-Type", content_type)];
        let ask = at("/upstream", request("POST", "fenced.replies.test", &lines));
        let answer = fixture.send(&ask, &[]).unwrap();
        assert_eq!((answer.status, &*text(&answer, "grpc-status")), want, "{content_type}");
    }
}

/// `docs/filter.md`: the answers of the native module are responses of a filter.
#[test]
fn a_local_reply_config_changes_the_answers_of_the_wasm_module_alone() {
    let is_403 = json!({ "status_code_filter": { "comparison": {
        "op": "EQ", "value": { "default_value": 403, "runtime_key": "unset" },
    }}});
    let config = json!({ "mappers": [{ "filter": is_403, "status_code": 451 }] });
    let plan = EnvoyFixture::plan().unwrap().filter(rbac()).local_reply_config(config);
    let mut fixture = plan.start().unwrap();
    let objects = policies();
    fixture.configure(&objects.iter().collect::<Vec<_>>()).unwrap();
    let rejected = get(&fixture, "fenced.replies.test", "/", Some(EVIL));
    let want = if envoy_fixture::shell() == Shell::Wasm { 451 } else { 403 };
    assert_eq!(rejected.status, want);
    let denied = get(&fixture, "fenced.replies.test", "/rbac/x", Some(SHOP));
    assert_eq!((denied.status, text(&denied, "access-control-allow-origin")), (451, SHOP.into()));
}

#[test]
fn the_headers_of_a_redirect_and_of_a_direct_response_stay() {
    let fixture = fixture();
    let redirect = get(&fixture, "dynamic.replies.test", "/redirect", Some(SHOP));
    assert!(text(&redirect, "location").ends_with("/elsewhere"), "{redirect:?}");
    let direct = get(&fixture, "dynamic.replies.test", "/direct", Some(SHOP));
    assert_eq!(direct.body, b"direct");
}

#[test]
fn the_upstream_is_still_reached() {
    let fixture = fixture();
    let answer = get(&fixture, "dynamic.replies.test", "/upstream", Some(SHOP));
    assert_eq!((answer.status, text(&answer, "access-control-allow-origin")), (200, SHOP.into()));
}

fn fixture() -> EnvoyFixture {
    let nobody = json!({
        "match": { "prefix": "/nobody" },
        "route": { "cluster": "nobody" },
    });
    let direct = json!({
        "match": { "prefix": "/direct" },
        "direct_response": { "status": 200, "body": { "inline_string": "direct" } },
    });
    let redirect = json!({
        "match": { "prefix": "/redirect" },
        "redirect": { "path_redirect": "/elsewhere" },
    });
    let mut fixture = EnvoyFixture::plan()
        .unwrap()
        .filter(rbac())
        .filter(fault())
        .route(nobody)
        .route(direct)
        .route(redirect)
        .only_under("/upstream")
        .bootstrap(|bootstrap| bootstrap.empty_upstream("nobody"))
        .start()
        .unwrap();
    let objects = policies();
    fixture.configure(&objects.iter().collect::<Vec<_>>()).unwrap();
    fixture
}

fn policies() -> Vec<Value> {
    let policy = |name: &str, spec: Value| {
        policies::policy("replies", name, spec.as_object().cloned().unwrap())
    };
    let cors = json!({ "allowOrigins": [SHOP], "allowMethods": ["PUT"], "allowCredentials": true });
    vec![
        policy("dynamic", json!({ "cors": cors })),
        policy("fenced", json!({ "cors": cors, "disallowedRequests": "Reject" })),
        policy("static", json!({ "cors": { "allowOrigins": ["*"] } })),
    ]
}

fn rbac() -> Value {
    json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {
                "action": "DENY",
                "policies": { "deny": {
                    "permissions": [{ "url_path": { "path": { "prefix": "/rbac" } } }],
                    "principals": [{ "any": true }],
                }},
            },
        },
    })
}

fn fault() -> Value {
    json!({
        "name": "envoy.filters.http.fault",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "abort": { "http_status": 429, "percentage": { "numerator": 100 } },
            "headers": [{ "name": ":path", "string_match": { "prefix": "/limited" } }],
        },
    })
}

fn at(path: &str, request: Request) -> Request {
    Request { path: path.into(), ..request }
}

#[track_caller]
fn get(fixture: &EnvoyFixture, host: &str, path: &str, origin: Option<&str>) -> Answer {
    let ask = match origin {
        Some(origin) => cross_origin(host, origin),
        None => request("GET", host, &[]),
    };
    fixture.send(&at(path, ask), &[]).unwrap()
}

fn text(answer: &Answer, name: &str) -> String {
    String::from_utf8(answer.get(name).unwrap_or_default()).unwrap()
}

fn cors_lines(answer: &Answer) -> usize {
    answer.lines(|name| name.starts_with("access-control-")).count()
}
