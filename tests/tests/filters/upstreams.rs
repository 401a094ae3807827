//! Upstreams that fail: late, by status, or without an answer.

use corsward_test_harness::client;
use corsward_test_harness::envoy_fixture::plain_answer;
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};

use crate::proxy::{
    Filter, PROTOCOLS, Proxy, SHOP, behind, kind, method, switched_on, to, upstream_route,
};

const BRIDGE: &str = "envoy.filters.http.grpc_http1_reverse_bridge";

#[test]
fn a_timeouts_504_is_readable() {
    const CASE: &str = "filters/late";
    let proxy = Proxy::shared();
    proxy.fixture.upstream().hold(CASE);
    for (protocol, send) in PROTOCOLS {
        let ask = to("dynamic", "/timeout", SHOP);
        let answer = proxy.send(send, &ask, CASE);
        assert_eq!((answer.status, answer.passes(&ask)), (504, true), "{protocol}: {answer:?}");
    }
    proxy.fixture.upstream().release(CASE);
}

#[test]
fn a_connection_that_breaks_gets_a_readable_503() {
    let proxy = Proxy::shared();
    proxy.assert_decorated("the upstream closes", "/reset", 503);
}

#[test]
fn a_retried_request_is_judged_once_and_its_answer_decorated_once() {
    const CASE: &str = "filters/retried";
    const METRIC: &str = ".retried.verdict.allowed";
    let proxy = Proxy::shared();
    proxy.fixture.upstream().answer(CASE, plain_answer(503));
    let judged = || {
        let stats = proxy.fixture.stats().unwrap();
        stats.iter().find(|(name, _)| name.ends_with(METRIC)).map_or(0, |(_, count)| *count)
    };
    for (at_step, (protocol, send)) in PROTOCOLS.into_iter().enumerate() {
        let (before, ask) = (judged(), to("retried", "/retried", SHOP));
        let answer = proxy.send(send, &ask, CASE);
        assert_eq!((answer.status, answer.passes(&ask)), (503, true), "{protocol}: {answer:?}");
        let lines = answer.lines(|name| name == "access-control-allow-origin").count();
        assert_eq!((lines, answer.vary().len()), (1, 1), "{protocol}: {answer:?}");
        assert_eq!(proxy.received(CASE).len(), 3 * (at_step + 1), "{protocol}: two retries");
        let counted = || Ok((judged() > before).then(judged));
        assert_eq!(eventually("it is counted", counted).unwrap(), before + 1, "{protocol}");
    }
}

/// Envoy judges the redirected request as a new one, from the headers that the filter has left.
#[test]
fn an_internal_redirect_is_judged_anew_and_needs_the_origin() {
    let proxy = Proxy::shared();
    for (policy, passes) in [("dynamic", true), ("removing", false)] {
        let case = format!("filters/redirected/{policy}");
        let ask = to(policy, "/redirected", SHOP);
        let target = format!("http://{}/upstream", ask.authority);
        let mut answer = plain_answer(302);
        answer.headers.push(("location".into(), target.into()));
        proxy.fixture.upstream().answer(&case, answer);
        for (protocol, send) in PROTOCOLS {
            let answer = proxy.send(send, &ask, &case);
            let got = (answer.status, answer.passes(&ask));
            assert_eq!(got, (302, passes), "{policy}, {protocol}: {answer:?}");
        }
        let received = proxy.received(&case);
        assert_eq!(received.len(), 4, "{policy}: the redirect and its target");
    }
}

/// Envoy sends such an answer without the filters.
#[test]
fn an_answer_in_the_place_of_a_response_that_is_on_its_way_has_no_headers_of_ours() {
    let proxy = Proxy::shared();
    let ask = method("REPORT", to("dynamic", "/bridge", SHOP));
    let lines = [("Content-Type", "application/grpc+proto"), ("Content-Length", "5")];
    let bytes = [client::bytes(&ask, &lines), vec![0; 5]].concat();
    let answer = client::exchange(proxy.fixture.address().unwrap(), &bytes, false).unwrap();
    assert_eq!((answer.status, &*answer.text("grpc-status")), (200, "2"), "{answer:?}");
    assert!(!answer.passes(&ask), "{answer:?}");
}

pub(crate) fn filters() -> Vec<Filter> {
    let bridge = json!({
        "@type": kind("grpc_http1_reverse_bridge.v3.FilterConfig"),
        "content_type": "application/grpc+proto",
    });
    vec![Filter::disabled(BRIDGE, bridge)]
}

pub(crate) fn routes() -> Vec<Value> {
    let mut redirected = upstream_route("/redirected");
    redirected["route"]["internal_redirect_policy"] = json!({});
    let bridge = behind("/bridge", BRIDGE, switched_on());
    let mut timeout = upstream_route("/timeout");
    timeout["route"]["timeout"] = json!("0.05s");
    let mut retried = upstream_route("/retried");
    retried["route"]["retry_policy"] = json!({ "retry_on": "5xx", "num_retries": 2 });
    let reset = json!({ "match": { "prefix": "/reset" }, "route": { "cluster": "resetting" } });
    vec![redirected, bridge, timeout, retried, reset]
}
