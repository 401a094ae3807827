//! The order of the chain: the filter comes first, and the effect of a different order.

use corsward_test_harness::client;
use serde_json::json;

use crate::proxy::{Filter, PROTOCOLS, Proxy, SHOP, asking, kind, to};

#[test]
fn behind_rbac_its_403_is_unreadable_and_preflights_meet_it() {
    let proxy = Proxy::shared();
    let address = proxy.fixture.address_of("misordered").unwrap();
    for (protocol, send) in PROTOCOLS {
        for (why, ask) in [
            ("a preflight", asking("dynamic", "/rbac", SHOP, "PUT")),
            ("a request", to("dynamic", "/rbac", SHOP)),
        ] {
            let answer = send(address, &ask, &[]).unwrap();
            assert_eq!(answer.status, 403, "{why}, {protocol}: {answer:?}");
            assert!(!answer.passes(&ask), "{why}, {protocol}: {answer:?}");
        }
        for (why, ask) in [
            ("a preflight that RBAC lets in", asking("dynamic", "/upstream", SHOP, "PUT")),
            ("a request that RBAC lets in", to("dynamic", "/upstream", SHOP)),
        ] {
            let answer = send(address, &ask, &[]).unwrap();
            assert!(answer.passes(&ask), "{why}, {protocol}: {answer:?}");
        }
    }
    let listing = client::send(address, &to("fenced", "/rbac", SHOP), &[]).unwrap();
    assert_eq!(listing.text("vary"), "", "nothing of ours on an answer that we did not see asked");
}

pub(crate) fn rbac() -> Filter {
    let rbac = json!({
        "@type": kind("rbac.v3.RBAC"),
        "rules": {
            "action": "DENY",
            "policies": { "deny": {
                "permissions": [{ "url_path": { "path": { "prefix": "/rbac" } } }],
                "principals": [{ "any": true }],
            }},
        },
    });
    Filter::everywhere("envoy.filters.http.rbac", rbac)
}
