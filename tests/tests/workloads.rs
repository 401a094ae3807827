//! Policies for some workloads only, in a real Envoy that knows its labels and ports.

use corsward_policy::Workload;
use corsward_policy::wire::OnInvalid;
use corsward_test_harness::envoy_fixture::{EnvoyFixture, EnvoyFixturePlan, cross_origin};
use corsward_test_harness::{case, client, policies, upstream};
use serde_json::{Value, json};
use xtask::envoy::{Listener, route};

const HOST: &str = "api.workloads.test";

#[test]
fn an_envoy_enforces_the_policies_for_its_labels_and_no_others() {
    let labels = json!({ "app": "api", "app.kubernetes.io/part-of": "shop", "tier": "" });
    let mut fixture = labelled(json!({ "LABELS": labels })).start().unwrap();
    for (why, narrowed_to, applies) in [
        ("its label", vec![workload(&[("app", "api")], None)], true),
        ("another value", vec![workload(&[("app", "web")], None)], false),
        ("another key", vec![workload(&[("name", "api")], None)], false),
        (
            "all labels of one",
            vec![workload(&[("app", "api"), ("app.kubernetes.io/part-of", "shop")], None)],
            true,
        ),
        ("one label of two", vec![workload(&[("app", "api"), ("version", "2")], None)], false),
        (
            "one of two",
            vec![workload(&[("app", "web")], None), workload(&[("app", "api")], None)],
            true,
        ),
        ("an empty value", vec![workload(&[("tier", "")], None)], true),
        (
            "an empty value of a label that is not there",
            vec![workload(&[("version", "")], None)],
            false,
        ),
        ("every proxy", vec![], true),
    ] {
        fixture.configure_for(&[(&api(), &narrowed_to)]).unwrap();
        assert_eq!(shares(&fixture), applies, "{why}");
        // Under `Replace` the upstream's own headers go; where no policy applies they stay.
        assert_eq!(upstream_header_survives(&fixture), !applies, "{why}");
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn an_envoy_without_labels_runs_the_policies_for_all() {
    let plain = EnvoyFixture::plan().unwrap();
    for (why, plan) in [
        ("no metadata", plain),
        ("no labels", labelled(json!({ "NAME": "api-0" }))),
        ("labels that are none", labelled(json!({ "LABELS": "app=api" }))),
        ("a label that is no text", labelled(json!({ "LABELS": { "app": ["api"], "n": 1 } }))),
        ("nothing", labelled(json!({ "LABELS": null }))),
    ] {
        let mut fixture = plan.start().unwrap();
        fixture.configure_for(&[(&api(), &[workload(&[("app", "api")], None)])]).unwrap();
        assert!(!shares(&fixture), "{why}");
        fixture.configure(&[&api()]).unwrap();
        assert!(shares(&fixture), "{why}");
        fixture.ensure_healthy().unwrap_or_else(|error| panic!("{why}: {error:#}"));
    }
}

#[test]
fn a_port_narrows_a_policy_to_the_requests_that_come_to_it() {
    let plan = labelled(json!({ "LABELS": { "app": "api" } }));
    let filter = plan.slot().http_filter();
    let other = Listener::new("other").http_filter(filter).routes([route("/", "upstream")]);
    let mut fixture = plan.bootstrap(|bootstrap| bootstrap.listener(other)).start().unwrap();
    let (main, other) = (fixture.address().unwrap(), fixture.envoy().address("other").unwrap());
    let api = api();
    let elsewhere = policy("elsewhere", &[HOST], "https://elsewhere.example");
    let app = [("app", "api")];
    for (why, ports, on_main, on_other) in [
        ("the one", vec![Some(main.port())], true, false),
        ("the other", vec![Some(other.port())], false, true),
        ("both", vec![Some(main.port()), Some(other.port())], true, true),
        ("neither", vec![Some(1)], false, false),
        ("every port", vec![None], true, true),
    ] {
        let workloads: Vec<_> = ports.iter().map(|port| workload(&app, *port)).collect();
        // Closer than the policy for the whole namespace, which is in force on the ports that are left.
        fixture.configure_for(&[(&api, &workloads), (&elsewhere, &[])]).unwrap();
        for (address, applies) in [(main, on_main), (other, on_other)] {
            let allowed = |origin: &str| {
                let answer = client::send(address, &cross_origin(HOST, origin), &[]).unwrap();
                answer.get("access-control-allow-origin").is_some()
            };
            assert_eq!(allowed("https://api.example"), applies, "{why}");
            assert_eq!(allowed("https://elsewhere.example"), !applies, "{why}");
        }
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn the_last_good_policies_for_its_labels_hold_through_bad_bytes() {
    let mut fixture =
        labelled(json!({ "LABELS": { "app": "api" } })).without_default().start().unwrap();
    let other = policy("other", &[HOST], "https://other.example");
    fixture
        .configure_for(&[
            (&api(), &[workload(&[("app", "api")], None)]),
            (&other, &[workload(&[("app", "web")], None)]),
        ])
        .unwrap();
    assert!(shares(&fixture));
    for port in [0, 65_536] {
        let bad = format!(
            r#"{{"policies":[{{"namespace":"a","name":"b","workloads":[{{"port":{port}}}],"blocks":[{{"cors":{{}}}}]}}]}}"#
        );
        let before = refusals(&fixture.envoy().stats().unwrap());
        fixture.publish(&policies::envelope(bad, OnInvalid::Keep)).unwrap();
        let refused = |admin: &xtask::envoy::Admin| Ok(refusals(&admin.stats()?) > before);
        fixture.envoy().wait_for("the refusal", refused).unwrap();
        assert!(shares(&fixture), "port {port}");
    }
    fixture.ensure_healthy().unwrap();
}

fn refusals(stats: &xtask::envoy::Stats) -> u64 {
    let refused = stats.iter().filter(|(name, _)| name.contains("corsward.config.refused"));
    refused.map(|(_, count)| count).sum()
}

/// An Envoy with this metadata.
fn labelled(metadata: Value) -> EnvoyFixturePlan {
    EnvoyFixture::plan().unwrap().bootstrap(|bootstrap| bootstrap.node("corsward", metadata))
}

fn workload(labels: &[(&str, &str)], port: Option<u16>) -> Workload {
    let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    Workload { labels, port }
}

/// A selector's policy, closer than one without.
fn api() -> Value {
    let mut api = policy("api", &[HOST], "https://api.example");
    api["spec"]["selector"] = json!({ "matchLabels": { "app": "api" } });
    api
}

fn policy(name: &str, hostnames: &[&str], origin: &str) -> Value {
    let spec = json!({ "hostnames": hostnames, "cors": { "allowOrigins": [origin] } });
    policies::policy("workloads", name, spec.as_object().cloned().unwrap())
}

fn shares(fixture: &EnvoyFixture) -> bool {
    let answer = fixture.send(&cross_origin(HOST, "https://api.example"), &[]).unwrap();
    answer.get("access-control-allow-origin").is_some()
}

/// Do the upstream's CORS headers reach an origin that is not allowed?
fn upstream_header_survives(fixture: &EnvoyFixture) -> bool {
    let headers = vec![("Access-Control-Allow-Origin".into(), b"*".to_vec())];
    fixture.upstream().answer("own", case::Upstream { status: 200, headers });
    let request = cross_origin(HOST, "https://evil.test");
    let answer = fixture.send(&request, &[(upstream::CASE, "own")]).unwrap();
    answer.get("access-control-allow-origin").is_some()
}
