//! Upstreams that fail: late, by status, or without an answer.

use corsward_test_harness::envoy_fixture::plain_answer;
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};

use crate::proxy::{PROTOCOLS, Proxy, SHOP, to, upstream_route};

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

pub(crate) fn routes() -> Vec<Value> {
    let mut timeout = upstream_route("/timeout");
    timeout["route"]["timeout"] = json!("0.05s");
    let mut retried = upstream_route("/retried");
    retried["route"]["retry_policy"] = json!({ "retry_on": "5xx", "num_retries": 2 });
    let reset = json!({ "match": { "prefix": "/reset" }, "route": { "cluster": "resetting" } });
    vec![timeout, retried, reset]
}
