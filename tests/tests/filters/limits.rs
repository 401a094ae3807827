//! Filters that limit: rates, and the length of bodies.

use corsward_test_harness::client;
use serde_json::{Value, json};

use crate::proxy::{EVIL, Filter, Proxy, SHOP, asking, behind, kind, method, to};

const BUFFER: &str = "envoy.filters.http.buffer";
const RATE_LIMIT: &str = "envoy.filters.http.local_ratelimit";

/// The number of requests in an hour for each path of this file.
const QUOTA: usize = 2;

#[test]
fn a_rate_limits_429_is_readable_and_preflights_eat_no_quota() {
    let proxy = Proxy::shared();
    for _ in 0..=QUOTA {
        let ask = asking("dynamic", "/rate", SHOP, "PUT");
        assert!(proxy.get(&ask).passes(&ask));
        let ask = asking("dynamic", "/rate", EVIL, "PUT");
        assert!(!proxy.get(&ask).passes(&ask));
        assert_eq!(proxy.get(&to("fenced", "/rate", EVIL)).status, 403, "rejected before");
    }
    let ask = to("dynamic", "/rate", SHOP);
    for at_step in 0..QUOTA {
        let answer = proxy.get(&ask);
        assert_eq!((answer.status, answer.passes(&ask)), (200, true), "{at_step}: {answer:?}");
        let left = (QUOTA - 1 - at_step).to_string();
        assert_eq!(answer.text("x-ratelimit-remaining"), left, "{answer:?}");
    }
    proxy.assert_decorated("the quota is used up", "/rate", 429);
    let exposed = proxy.get(&ask).text("access-control-expose-headers");
    assert!(exposed.contains("x-ratelimit-remaining"), "a page reads how long: {exposed}");
}

#[test]
fn without_a_policy_preflights_eat_the_quota_and_the_429_is_unreadable() {
    let proxy = Proxy::shared();
    for _ in 0..QUOTA {
        assert_eq!(proxy.get(&asking("uncovered", "/uncovered-rate", SHOP, "PUT")).status, 200);
    }
    let ask = to("uncovered", "/uncovered-rate", SHOP);
    let answer = proxy.get(&ask);
    assert_eq!((answer.status, answer.passes(&ask)), (429, false), "{answer:?}");
}

#[test]
fn a_body_that_is_too_long_gets_a_readable_413() {
    let proxy = Proxy::shared();
    for (why, origin, body, status, passes) in [
        ("within the limit", SHOP, "0123", 200, true),
        ("beyond the limit", SHOP, "0123456789", 413, true),
        ("beyond the limit, from another origin", EVIL, "0123456789", 413, false),
    ] {
        let ask = method("REPORT", to("dynamic", "/buffer", origin));
        let head = client::bytes(&ask, &[("Content-Length", &body.len().to_string())]);
        let bytes = [head.as_slice(), body.as_bytes()].concat();
        let answer = client::exchange(proxy.fixture.address().unwrap(), &bytes, false).unwrap();
        let got = (answer.status, answer.passes(&ask));
        assert_eq!(got, (status, passes), "{why}: {answer:?}");
    }
    let ask = asking("dynamic", "/buffer", SHOP, "PUT");
    assert!(proxy.get(&ask).passes(&ask));
}

pub(crate) fn filters() -> Vec<Filter> {
    let rate = json!({ "@type": kind("local_ratelimit.v3.LocalRateLimit"), "stat_prefix": "rate" });
    let buffer = json!({ "@type": kind("buffer.v3.Buffer"), "max_request_bytes": 8 });
    vec![Filter::everywhere(RATE_LIMIT, rate), Filter::disabled(BUFFER, buffer)]
}

pub(crate) fn routes() -> Vec<Value> {
    let always = json!({ "default_value": { "numerator": 100 } });
    let rate = json!({
        "@type": kind("local_ratelimit.v3.LocalRateLimit"),
        "stat_prefix": "rate",
        "token_bucket": { "max_tokens": QUOTA, "fill_interval": "3600s" },
        "filter_enabled": always,
        "filter_enforced": always,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
    });
    let buffer = json!({
        "@type": kind("buffer.v3.BufferPerRoute"), "buffer": { "max_request_bytes": 8 },
    });
    vec![
        behind("/rate", RATE_LIMIT, rate.clone()),
        behind("/uncovered-rate", RATE_LIMIT, rate),
        behind("/buffer", BUFFER, buffer),
    ]
}
