//! `docs/metrics.md` lists what is exported, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::admission::Outcome;
use super::publishing::{ModuleRequest, Write};
use super::writer::StatusFate;
use super::*;
use crate::attachment::AttachmentKey;

/// A family without a metric is not exported: each has one.
fn exported() -> String {
    let metrics = Metrics::default();
    metrics.planned(Duration::ZERO);
    metrics.stand([Tally::default()].iter(), &[]);
    metrics.published(Fate::Written);
    metrics.leads(true);
    metrics.watches.restarted("Pod");
    metrics.status_writes.on(StatusFate::Written);
    metrics.proxies.stand(&BTreeMap::new());
    metrics.proxies.touched(true);
    metrics.admission.reviewed(Outcome::Allowed);
    metrics.publishing.wrote(Write::Written);
    metrics.publishing.attachment(&AttachmentKey::Folder, Some(1));
    metrics.publishing.propagated(Duration::ZERO);
    metrics.publishing.watch_failed();
    metrics.publishing.left("WasmPlugin", 1);
    metrics.publishing.module_requested(ModuleRequest::Served);
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
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
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
