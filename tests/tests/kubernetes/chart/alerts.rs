//! Alerts, and the monitors that they live on.

use std::fs;

use corsward_tests::suite;
use serde_json::Value;

use super::{find, objects, template};

const MONITORED: &[&str] =
    &["metrics.prometheusRule.enabled=true", "metrics.podMonitor.enabled=true"];
/// Interval of a filter's heartbeats (`filter/engine/src/plugin.rs`), in seconds.
const HEARTBEAT: f64 = 5.0;

/// An alert of a group.
fn alert(objects: &[Value], group: usize, name: &str) -> Value {
    let rules = find(objects, "PrometheusRule")["spec"]["groups"][group]["rules"].as_array();
    rules.unwrap().iter().find(|rule| rule["alert"] == name).unwrap().clone()
}

/// The result of Prometheus's `rate` over `range` seconds of `threads` that all beat at the same times, every `period` seconds
/// since `phase`, scraped every `interval` seconds: `promql/functions.go`, `extrapolatedRate`.
fn rate(threads: f64, period: f64, phase: f64, interval: f64, range: f64) -> f64 {
    // The last scrape is as old as it may be, or not at all: where in the window scrapes lie is a matter of `phase` alone.
    let count = (range / interval).floor();
    let (first, last) = (interval, count * interval);
    let beats = |at: f64| threads * ((at + phase) / period).floor();
    let sampled = last - first;
    let factor = (sampled + first.min(interval * 1.1) + (range - last)) / sampled;
    (beats(last) - beats(first)) * factor / range
}

#[test]
fn a_dead_filter_is_told_from_a_living_one_up_to_the_bound_of_the_alert() {
    let alert = alert(&objects(&template(MONITORED)), 1, "CorswardFilterDead");
    let expression = alert["expr"].as_str().unwrap();
    let number = |before: &str, after: &str| -> f64 {
        let (_, rest) = expression.split_once(before).unwrap();
        rest.split_once(after).unwrap().0.parse().unwrap()
    };
    let minutes = number("rate(corsward_heartbeats[", "m]");
    let bound = number("(envoy_server_concurrency <= ", ")");
    let held: f64 = alert["for"].as_str().unwrap().trim_end_matches('m').parse().unwrap();
    assert!(held > minutes, "a proxy that starts, or starts anew, has beaten for less than that");
    assert!(alert["annotations"]["description"].as_str().unwrap().contains(&format!("{bound}")));

    let mut workers = 1.0;
    while workers <= bound {
        for interval in [15.0, 30.0, 60.0] {
            // A thread that is busy beats late.
            for period in [HEARTBEAT, HEARTBEAT * 1.001] {
                for tenth in 0..50 {
                    let phase = f64::from(tenth) / 10.0;
                    let seen = |threads| {
                        (rate(threads, period, phase, interval, minutes * 60.0) * HEARTBEAT).round()
                    };
                    let ns = format!("{workers} workers, {interval} s, {period}, {phase}");
                    assert!(seen(workers + 1.0) > workers, "a false alarm: {ns}");
                    assert!(seen(workers) <= workers, "no alarm: {ns}");
                }
            }
        }
        workers += 1.0;
    }
}

#[test]
fn the_page_of_metrics_names_the_alerts_that_use_each() {
    let page = fs::read_to_string(suite::folder().join("../docs/metrics.md")).unwrap();
    let objects = objects(&template(MONITORED));
    let rules = find(&objects, "PrometheusRule")["spec"]["groups"][0]["rules"].as_array().unwrap();
    for line in page.lines().filter(|line| line.starts_with("| `corsward_")) {
        let metric = line.split('`').nth(1).unwrap();
        let asks = |rule: &&Value| rule["expr"].as_str().unwrap().contains(&format!("{metric}{{"));
        let want: Vec<String> = rules
            .iter()
            .filter(asks)
            .map(|rule| format!("`{}`", rule["alert"].as_str().unwrap()))
            .collect();
        let named = line.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        assert_eq!(named, want.join(", "), "{metric}");
    }
    for rule in rules {
        let alert = rule["alert"].as_str().unwrap();
        assert!(page.contains(&format!("`{alert}`")), "{alert} is not on the page");
    }
}

#[test]
fn what_alerts_ask_of_proxies_is_what_the_monitor_keeps() {
    let objects = objects(&template(MONITORED));
    let endpoint = &find(&objects, "PodMonitor")["spec"]["podMetricsEndpoints"][0];
    // What Istio's injector calls the port of Envoy's metrics, 15090.
    assert_eq!(
        (&endpoint["port"], &endpoint["path"]),
        (&"http-envoy-prom".into(), &"/stats/prometheus".into())
    );
    let kept = &endpoint["metricRelabelings"][0];
    assert_eq!(kept["action"], "keep");
    let prefixes: Vec<&str> = kept["regex"]
        .as_str()
        .unwrap()
        .split('|')
        .map(|name| name.trim_end_matches(".+"))
        .collect();
    let rules = find(&objects, "PrometheusRule")["spec"]["groups"][1]["rules"].as_array().unwrap();
    let mut asked = 0;
    for rule in rules {
        let expression = rule["expr"].as_str().unwrap();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for word in expression.split(|c| !is_name(c)) {
            if word.starts_with("corsward_") || word.starts_with("envoy_") {
                asked += 1;
                let is_kept = prefixes.iter().any(|prefix| word.starts_with(prefix));
                assert!(is_kept, "{}: {word} is not kept", rule["alert"]);
            }
        }
    }
    assert!(asked >= 4, "{asked}");
}
