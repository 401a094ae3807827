//! Scenarios of policies that are too large, by themselves or together with others of the same proxies.

use corsward_test_harness::cluster::LocalCluster;
use corsward_test_harness::status::message;
use serde_json::{Value, json};

use crate::specs::{OTHER, SHOP, allow};

/// This many origins of 240 bytes.
fn long_origins(count: usize) -> Vec<String> {
    let label = "a".repeat(63);
    let long = [label.as_str(), &label, &label].join(".");
    (0..count).map(|at| format!("https://tenant-{at:06}.{long}.shop.example")).collect()
}

/// A policy with this many origins of 240 bytes.
pub(crate) fn large(host: &str, count: usize) -> Value {
    let hostname = format!("{host}.shop.example");
    json!({ "hostnames": [hostname], "cors": { "allowOrigins": long_origins(count) } })
}

fn small(host: &str, origin: &str) -> Value {
    json!({ "hostnames": [host], "cors": { "allowOrigins": [origin] } })
}

#[test]
fn a_policy_that_is_too_large_is_refused_and_its_last_good_version_stays() {
    let ns = LocalCluster::operated().test_namespace("too-large").unwrap();
    ns.policy("api", &small("api.example", SHOP)).unwrap();
    ns.wait_for_in_force("api").unwrap();
    for (spec, code) in [(large("api", 5_000), "CORS-E523"), (large("api", 3_200), "CORS-E531")] {
        ns.policy("api", &spec).unwrap();
        let policy = ns.wait_for_conditions("api", &["Accepted=False Invalid"]).unwrap();
        let said = message(&policy, "Accepted");
        assert!(said.contains(code) && said.contains("split the policy"), "{said}");
        assert_eq!(policy["status"]["inForce"]["generation"], 1);
        let published = ns.published().unwrap();
        assert!(published["corsward"].compiled().contains(SHOP), "{published:#?}");
    }
}

#[test]
fn a_policy_for_which_there_is_no_room_keeps_no_other_one_waiting() {
    let ns = LocalCluster::operated().test_namespace("no-room").unwrap();
    ns.policy("a", &large("a", 2_400)).unwrap();
    ns.wait_for_in_force("a").unwrap();
    ns.policy("b", &large("b", 2_400)).unwrap();
    let policy =
        ns.wait_for_conditions("b", &["Accepted=True", "Programmed=False NotPublishable"]).unwrap();
    let said = message(&policy, "Programmed");
    assert!(said.contains("no-room/b") && said.contains("split"), "{said}");
    ns.policy("c", &small("c.example", SHOP)).unwrap();
    ns.wait_for_in_force("c").unwrap();
    ns.policy("c", &small("c.example", OTHER)).unwrap();
    ns.wait_for_in_force("c").unwrap();
    let compiled = ns.published().unwrap()["corsward"].compiled().to_owned();
    assert!(compiled.contains(OTHER) && !compiled.contains("b.shop.example"));
    ns.policy("d", &allow("d", &[SHOP])).unwrap();
    ns.wait_for_in_force("d").unwrap();

    ns.delete_policy("a").unwrap();
    ns.wait_for_in_force("b").unwrap();
}
