//! Every case of the vectors and of the corpus against `decide`, through a model of a proxy.

use corsward_test_harness::policies;
use corsward_tests::differences::{differences, report};
use corsward_tests::model;
use corsward_tests::suite::Suite;

#[test]
fn every_case_is_answered_as_it_should_be() {
    let suites = Suite::all().unwrap();
    let mut reports = Vec::new();
    let mut cases = 0;
    for group in Suite::groups(&suites) {
        let objects: Vec<_> = group.iter().flat_map(|suite| &suite.policies).collect();
        let (_, compiled) = policies::compile(&objects).unwrap();
        for case in group.iter().flat_map(|suite| &suite.cases) {
            let answer = model::answer(&compiled, case);
            let wrong = differences(case, &answer);
            if !wrong.is_empty() {
                reports.push(report(case, &answer, &wrong));
            }
            cases += 1;
        }
    }
    println!("{cases} cases, {} wrong", reports.len());
    assert!(reports.is_empty(), "{} of {cases} cases:\n\n{}", reports.len(), reports.join("\n"));
}

#[test]
fn a_suites_policies_decide_alike_alone_and_among_others() {
    let suites = Suite::all().unwrap();
    for suite in &suites {
        let objects: Vec<_> = suite.policies.iter().collect();
        let (_, compiled) = policies::compile(&objects).unwrap();
        for case in &suite.cases {
            let answer = model::answer(&compiled, case);
            let wrong = differences(case, &answer);
            assert!(wrong.is_empty(), "alone:\n{}", report(case, &answer, &wrong));
        }
    }
}
