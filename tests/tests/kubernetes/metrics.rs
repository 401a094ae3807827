//! Metrics of the real operator, as a scraper reads them, and the Events beside them.

use corsward_test_harness::cluster::LocalCluster;
use corsward_test_harness::eventually::eventually;
use serde_json::Value;

use crate::specs::{OTHER, SHOP, allow, refused};

#[test]
fn what_the_operator_does_can_be_counted_from_outside() {
    let cluster = LocalCluster::own().unwrap();
    let operator = cluster.operator("operator-0").start().unwrap();
    let ns = cluster.test_namespace("shop").unwrap();
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    ns.policy("web", &allow("web", &[SHOP])).unwrap();
    ns.wait_for_in_force("web").unwrap();
    ns.policy("web", &refused("web")).unwrap();
    ns.wait_for_conditions("web", &["Accepted=False Invalid"]).unwrap();
    let published = ns.published().unwrap();
    let name = published.keys().next().unwrap();
    let bytes = published[name].compiled().len();

    let bundle =
        format!("corsward_bundle_configuration_bytes{{namespace=\"shop\",name=\"{name}\"}}");
    for (series, is_so) in [
        ("corsward_policies{state=\"accepted\"}", &(|n| n == 1.0) as &dyn Fn(f64) -> bool),
        ("corsward_policies{state=\"programmed\"}", &|n| n == 1.0),
        ("corsward_policies{state=\"refused\"}", &|n| n == 1.0),
        ("corsward_policies{state=\"last_good\"}", &|n| n == 1.0),
        ("corsward_policies{state=\"overridden\"}", &|n| n == 0.0),
        ("corsward_bundles", &|n| n == 2.0),
        ("corsward_bundles_bytes", &|n| n > bytes as f64),
        (&bundle, &|n| n == bytes as f64),
        ("corsward_plan_seconds_count", &|n| n >= 3.0),
        ("corsward_plan_seconds_sum", &|n| n > 0.0),
        ("corsward_publish_total{target=\"object\",result=\"written\"}", &|n| n == 2.0),
        ("corsward_propagation_seconds_count", &|n| n >= 2.0),
        ("corsward_propagation_seconds_sum", &|n| n > 0.0),
        ("corsward_status_writes_total{result=\"written\"}", &|n| n >= 3.0),
        ("corsward_leader", &|n| n == 1.0),
        ("corsward_unpublishable_policies", &|n| n == 0.0),
        ("corsward_last_good_age_seconds", &|n| n > 0.0),
    ] {
        eventually(&format!("{series}, last {:?}", operator.metric(series)), || {
            operator.metric(series).filter(|number| is_so(*number))
        })
        .unwrap();
    }

    // The author hears the same of Events.
    let events = "/apis/events.k8s.io/v1/namespaces/shop/events";
    for (reason, about) in [("Published", "api"), ("Invalid", "web")] {
        eventually(reason, || {
            let list = cluster.api().get(events).unwrap()?;
            let is_it =
                |event: &&Value| event["reason"] == reason && event["regarding"]["name"] == about;
            list["items"].as_array()?.iter().find(is_it).map(drop)
        })
        .unwrap();
    }

    ns.policy("web", &allow("web", &[OTHER])).unwrap();
    ns.wait_for_in_force("web").unwrap();
    eventually("no text to be refused any more", || {
        operator.metric("corsward_last_good_age_seconds").filter(|age| *age == 0.0)
    })
    .unwrap();
}

#[test]
fn watches_that_end_are_counted_by_kind() {
    let mut cluster = LocalCluster::own().unwrap();
    let mut operator = cluster.operator("operator-0").start().unwrap();
    operator.wait_for_line("this replica started leading").unwrap();
    cluster.server.kill();
    operator.wait_for_line("this replica stopped leading").unwrap();
    for kind in ["CorsPolicy", "Namespace", "Pod", "Service"] {
        let series = format!("corsward_watch_restarts_total{{kind=\"{kind}\"}}");
        assert!(operator.metric(&series).is_some_and(|restarts| restarts > 0.0), "{kind}");
    }
}
