//! `docs/metrics.md` lists what is exported, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;
use crate::testing::snapshot_settings;

/// A family without a metric is not exported: each has one.
fn exported() -> String {
    let metrics = Metrics::default();
    metrics.plan_seconds.observe(0.0);
    metrics.totals(ScopeMetrics::default(), 0);
    for outcome in [Outcome::Written, Outcome::Unchanged, Outcome::Failed, Outcome::Held] {
        metrics.published("file", outcome);
    }
    metrics.leader.set(1);
    metrics.watch_restarted("Pod");
    for outcome in [Outcome::Written, Outcome::Failed, Outcome::Dropped] {
        outcome.count(&metrics.status_writes);
    }
    metrics.proxies(&BTreeMap::new());
    Outcome::Written.count(&metrics.plugin_refreshes);
    Outcome::Failed.count(&metrics.plugin_refreshes);
    for outcome in [Outcome::Allowed, Outcome::Refused, Outcome::Unjudged, Outcome::Unreadable] {
        outcome.count(&metrics.webhook_reviews);
    }
    for outcome in [Outcome::Written, Outcome::Repaired, Outcome::Removed, Outcome::Failed] {
        metrics.published("object", outcome);
    }
    metrics.bundle(&BundleKey::All, Some(1));
    metrics.propagation_seconds.observe(0.0);
    metrics.object_watch_failures.inc();
    for outcome in [Outcome::Served, Outcome::NotModified, Outcome::NotFound] {
        outcome.count(&metrics.module_requests);
    }
    metrics.encode()
}

#[test]
fn the_page_of_metrics_lists_each_with_its_kind_and_its_labels() {
    let text = exported();
    let mut want = BTreeMap::new();
    for (name, kind) in
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
    {
        let total = if kind == "counter" { "_total" } else { "" };
        let series = |line: &str| {
            let rest = line.strip_prefix(name)?;
            let labels = rest.split_once('{')?.1.split_once('}')?.0;
            Some(labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name))
                .map(|names| names.map(str::to_owned).collect::<BTreeSet<_>>())
        };
        let mut labels: BTreeSet<String> = text.lines().filter_map(series).flatten().collect();
        labels.remove("le");
        want.insert(format!("{name}{total}"), (kind.to_owned(), labels));
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let page = fs::read_to_string(page).unwrap();
    let mut listed = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `corsward_")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let names = |cell: &str| -> BTreeSet<String> {
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let [name] = &names(cells[1]).into_iter().collect::<Vec<_>>()[..] else { panic!("{line}") };
        listed.insert(name.clone(), (cells[2].to_owned(), names(cells[3])));
    }
    assert_eq!(listed, want);
}

#[test]
fn each_metric_has_the_name_the_help_and_the_labels_that_it_had_before() {
    let text = exported();
    let series = text.lines().map(|line| match line.rsplit_once(' ') {
        Some((series, _value)) if !line.starts_with('#') => series,
        _ => line,
    });
    // The values of a label are counted in no order.
    let mut families: Vec<Vec<&str>> = Vec::new();
    for line in series {
        match families.last_mut() {
            Some(family) if !line.starts_with("# HELP") => family.push(line),
            _ => families.push(vec![line]),
        }
    }
    for family in &mut families {
        let is_histogram = family.iter().any(|line| line.ends_with(" histogram"));
        if !is_histogram {
            family.sort_unstable();
        }
    }
    let text = families.concat().join("\n");
    snapshot_settings("texts").bind(|| insta::assert_snapshot!("metrics", text));
}
