//! Routes that rewrite, that match by method, and that add headers; methods that Envoy treats in its own way.

use serde_json::{Value, json};

use crate::proxy::{
    EVIL, Filter, PROTOCOLS, Proxy, SHOP, asking, behind, kind, method, to, upstream_route, with,
};

const CORS: &str = "envoy.filters.http.cors";
const LUA: &str = "envoy.filters.http.lua";

/// The origin of the rule for `/private`.
const ADMIN: &str = "https://admin.example";

#[test]
fn a_rewritten_path_or_host_is_judged_as_the_client_sent_it() {
    let proxy = Proxy::shared();
    for (why, path, reaches, origin, shared_with) in [
        ("a prefix", "/public/moved/a", "/private/a", EVIL, "*"),
        ("a regular expression", "/public/regex/a", "/private/a", EVIL, "*"),
        ("out of a closed path", "/private/moved/a", "/public/a", EVIL, ""),
        ("out of a closed path, its origin", "/private/moved/a", "/public/a", ADMIN, ADMIN),
    ] {
        for (protocol, send) in PROTOCOLS {
            let case = format!("filters/{path}/{origin}/{protocol}");
            let answer = proxy.send(send, &to("ruled", path, origin), &case);
            let told = format!("{why}, {protocol}: {answer:?}");
            assert_eq!(answer.text("access-control-allow-origin"), shared_with, "{told}");
            let received = proxy.received(&case).remove(0);
            assert_eq!(received.path, reaches, "{told}");
            assert_eq!(received.text("host"), "inner.example", "{told}");
        }
    }
}

#[test]
fn a_preflight_needs_no_route_for_options() {
    let proxy = Proxy::shared();
    for (protocol, send) in PROTOCOLS {
        let ask = asking("dynamic", "/only-get", SHOP, "PUT");
        assert!(proxy.send(send, &ask, "").passes(&ask), "{protocol}");
        let ask = to("dynamic", "/only-get", SHOP);
        let answer = proxy.send(send, &ask, "");
        assert_eq!((answer.status, answer.passes(&ask)), (200, true), "{protocol}: {answer:?}");
        let ask = method("PUT", ask);
        let answer = proxy.send(send, &ask, "");
        assert_eq!((answer.status, answer.passes(&ask)), (404, true), "{protocol}: {answer:?}");
        let ask = asking("uncovered", "/only-get", SHOP, "PUT");
        let answer = proxy.send(send, &ask, "");
        assert_eq!((answer.status, answer.passes(&ask)), (404, false), "without corsward");
    }
}

#[test]
fn headers_that_a_route_adds_are_replaced_like_an_upstreams() {
    let proxy = Proxy::shared();
    for (protocol, send) in PROTOCOLS {
        for (why, origin, want) in [("allowed", SHOP, SHOP), ("not allowed", EVIL, "")] {
            for ask in [to("dynamic", "/adds", origin), asking("dynamic", "/adds", origin, "PUT")] {
                let answer = proxy.send(send, &ask, "");
                let told = format!("{why}, {protocol}: {answer:?}");
                assert_eq!(answer.text("access-control-allow-origin"), want, "{told}");
            }
        }
    }
}

#[test]
fn a_route_by_origin_is_chosen_without_the_origin_that_was_removed() {
    let proxy = Proxy::shared();
    for (protocol, send) in PROTOCOLS {
        for (policy, want) in [("dynamic", "by-origin"), ("removing", "")] {
            let answer = proxy.send(send, &to(policy, "/by-origin", SHOP), "");
            let told = format!("{policy}, {protocol}: {answer:?}");
            assert_eq!((answer.status, &*answer.text("x-route")), (200, want), "{told}");
        }
    }
}

#[test]
fn envoys_own_cors_filter_behind_ours_changes_nothing() {
    let proxy = Proxy::shared();
    for (protocol, send) in PROTOCOLS {
        for (why, origin, passes) in [("ours only", SHOP, true), ("theirs only", EVIL, false)] {
            for ask in [to("dynamic", "/cors", origin), asking("dynamic", "/cors", origin, "PUT")] {
                let answer = proxy.send(send, &ask, "");
                let told = format!("{why}, {protocol}: {answer:?}");
                assert_eq!(answer.passes(&ask), passes, "{told}");
                let lines = answer.lines(|name| name == "access-control-allow-origin").count();
                assert_eq!(lines, usize::from(passes), "{told}");
            }
        }
    }
    let ask = to("uncovered", "/cors", EVIL);
    assert!(proxy.get(&ask).passes(&ask), "without corsward");
}

#[test]
fn an_answer_of_a_script_is_readable() {
    let proxy = Proxy::shared();
    proxy.assert_decorated("Lua answers by itself", "/lua", 418);
}

#[test]
fn query_is_preflighted_and_its_400_without_a_content_type_comes_before_any_filter() {
    let proxy = Proxy::shared();
    for (protocol, send) in PROTOCOLS {
        let ask = asking("dynamic", "/upstream", SHOP, "QUERY");
        let answer = proxy.send(send, &ask, "");
        assert!(answer.passes(&ask), "{protocol}: {answer:?}");
        let bare = method("QUERY", to("dynamic", "/upstream", SHOP));
        let typed = with(bare.clone(), "Content-Type", "application/json");
        for (why, ask, status) in [("with a type", typed, 200), ("without a type", bare, 400)] {
            let answer = proxy.send(send, &ask, "");
            let got = (answer.status, answer.passes(&ask));
            assert_eq!(got, (status, status == 200), "{why}, {protocol}: {answer:?}");
        }
    }
}

/// One policy with a public path, a closed one, and the rest.
pub(crate) fn rules(cors: &Value) -> Value {
    let rule = |path: &str, origin: &str| {
        json!({
            "path": { "type": "PathPrefix", "value": path },
            "cors": { "allowOrigins": [origin] },
        })
    };
    json!({ "cors": cors, "rules": [rule("/public", "*"), rule("/private", ADMIN)] })
}

pub(crate) fn filters() -> Vec<Filter> {
    let lua =
        json!({ "@type": kind("lua.v3.Lua"), "default_source_code": { "inline_string": "" } });
    vec![
        Filter::everywhere(CORS, json!({ "@type": kind("cors.v3.Cors") })),
        Filter::disabled(LUA, lua),
    ]
}

pub(crate) fn routes() -> Vec<Value> {
    let rewriting = |prefix: &str, key: &str, rewrite: Value| {
        let mut route = upstream_route(prefix);
        route["route"][key] = rewrite;
        route["route"]["host_rewrite_literal"] = json!("inner.example");
        route
    };
    let regex = json!({ "pattern": { "regex": "^/public/regex" }, "substitution": "/private" });
    let mut only_get = upstream_route("/only-get");
    only_get["match"]["headers"] =
        json!([{ "name": ":method", "string_match": { "exact": "GET" } }]);
    let mut adds = upstream_route("/adds");
    adds["response_headers_to_add"] = json!([
        { "header": { "key": "Access-Control-Allow-Origin", "value": "*" } },
    ]);
    let mut by_origin = upstream_route("/by-origin");
    by_origin["match"]["headers"] = json!([{ "name": "origin", "present_match": true }]);
    by_origin["response_headers_to_add"] =
        json!([{ "header": { "key": "x-route", "value": "by-origin" } }]);
    let cors = json!({
        "@type": kind("cors.v3.CorsPolicy"),
        "allow_origin_string_match": [{ "exact": EVIL }],
        "allow_methods": "PUT",
    });
    let script = "function envoy_on_request(handle) handle:respond({[':status'] = '418'}, '') end";
    let lua = json!({
        "@type": kind("lua.v3.LuaPerRoute"), "source_code": { "inline_string": script },
    });
    vec![
        rewriting("/public/moved", "prefix_rewrite", json!("/private")),
        rewriting("/private/moved", "prefix_rewrite", json!("/public")),
        rewriting("/public/regex", "regex_rewrite", regex),
        only_get,
        adds,
        by_origin,
        upstream_route("/by-origin"),
        behind("/cors", CORS, cors),
        behind("/lua", LUA, lua),
    ]
}
