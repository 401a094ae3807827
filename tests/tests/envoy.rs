//! Every case of the vectors and of the corpus through a real Envoy.

use std::collections::BTreeMap;

use corsward_tests::judge::{judge, report};
use corsward_tests::stand::Stand;
use corsward_tests::suite::{self, Suite};

#[test]
fn every_case_is_answered_by_envoy_as_it_should_be() {
    let suites = Suite::all().unwrap();
    let skips = skips();
    let mut stand = Stand::plan().unwrap().start().unwrap();
    let mut reports = Vec::new();
    let (mut cases, mut skipped) = (0, 0);
    for group in Suite::groups(&suites) {
        let objects: Vec<_> = group.iter().flat_map(|suite| &suite.policies).collect();
        stand.configure(&objects).unwrap();
        for case in group.iter().flat_map(|suite| &suite.cases) {
            if let Some(reason) = skips.get(&case.id()) {
                println!("skipped: {}: {reason}", case.id());
                skipped += 1;
                continue;
            }
            let answer = stand.answer(case).unwrap_or_else(|e| panic!("{}: {e:#}", case.id()));
            let wrong = judge(case, &answer);
            if !wrong.is_empty() {
                reports.push(report(case, &answer, &wrong));
            }
            cases += 1;
        }
    }
    println!("{cases} cases through Envoy, {skipped} skipped, {} wrong", reports.len());
    stand.ensure_healthy().unwrap();
    assert!(reports.is_empty(), "{} of {cases} cases:\n\n{}", reports.len(), reports.join("\n"));
}

#[test]
fn whatever_is_skipped_exists() {
    let suites = Suite::all().unwrap();
    for id in skips().keys() {
        assert!(suites.iter().flat_map(|suite| &suite.cases).any(|case| case.id() == *id), "{id}");
    }
}

/// Cases that Envoy cannot run, with the reason.
fn skips() -> BTreeMap<String, String> {
    let file = suite::folder().join("skips/envoy.toml");
    toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}
