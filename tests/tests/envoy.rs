//! Every case of the vectors and of the corpus through a real Envoy.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use corsward_test_harness::envoy_fixture::{self, EnvoyFixture, Send};
use corsward_test_harness::{client, http2};
use corsward_tests::differences::{differences, report};
use corsward_tests::suite::{self, Suite};
use serde_json::Value;
use tempfile::TempDir;
use xtask::process::Process;

#[test]
fn every_case_is_answered_by_envoy_as_it_should_be() {
    let suites = Suite::all().unwrap();
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    let mut tally = Tally::skipping(&["envoy"]);
    for group in Suite::groups(&suites) {
        let objects: Vec<_> = group.iter().flat_map(|suite| &suite.policies).collect();
        fixture.configure(&objects).unwrap();
        tally.run(&fixture, &group);
    }
    fixture.ensure_healthy().unwrap();
    tally.finish();
}

#[test]
fn every_case_is_answered_alike_when_the_operator_publishes_a_folder() {
    let suites = Suite::all().unwrap();
    let groups = Suite::groups(&suites);
    let together = &groups[0];
    let folder = TempDir::new().unwrap();
    for object in together.iter().flat_map(|suite| &suite.policies) {
        write(folder.path(), object);
    }
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    let sentinel = fixture.sentinel();
    write(folder.path(), &sentinel);
    let log = fixture.directory().join("operator.log");
    let mut operator = operator(folder.path(), fixture.directory(), &log);
    let in_force = fixture.wait_for_sentinel(&sentinel);
    assert!(in_force.is_ok(), "{in_force:?}\n{}", fs::read_to_string(&log).unwrap());
    let mut tally = Tally::skipping(&["envoy", "operator"]);
    tally.run(&fixture, together);
    fixture.ensure_healthy().unwrap();
    operator.stop(Duration::from_secs(30)).unwrap();
    tally.finish();
}

#[test]
fn every_case_is_answered_alike_over_http_2() {
    let suites = Suite::all().unwrap();
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    let mut tally = Tally { send: http2::send, ..Tally::skipping(&["http2"]) };
    for group in Suite::groups(&suites) {
        let objects: Vec<_> = group.iter().flat_map(|suite| &suite.policies).collect();
        fixture.configure(&objects).unwrap();
        tally.run(&fixture, &group);
    }
    fixture.ensure_healthy().unwrap();
    let connections = fixture.envoy().stats().unwrap()["http.main.downstream_cx_http2_total"];
    assert_eq!(usize::try_from(connections).unwrap(), tally.answered, "one for each case");
    tally.finish();
}

#[test]
fn two_filters_in_one_chain_answer_as_one() {
    let suites = Suite::all().unwrap();
    let groups = Suite::groups(&suites);
    let plan = EnvoyFixture::plan().unwrap();
    let again = plan.slot().http_filter();
    let mut fixture = plan.filter(again).start().unwrap();
    let objects: Vec<_> = groups[0].iter().flat_map(|suite| &suite.policies).collect();
    fixture.configure(&objects).unwrap();
    let mut tally = Tally::skipping(&["envoy"]);
    tally.run(&fixture, &groups[0]);
    fixture.ensure_healthy().unwrap();
    tally.finish();
}

#[test]
fn whatever_is_skipped_exists() {
    let suites = Suite::all().unwrap();
    for id in ["envoy", "http2", "operator", "mesh"]
        .into_iter()
        .flat_map(|machine| suite::skips(machine).unwrap())
        .map(|(id, _)| id)
    {
        assert!(suites.iter().flat_map(|suite| &suite.cases).any(|case| case.id() == id), "{id}");
    }
}

/// The results of the cases so far.
struct Tally {
    send: Send,
    skips: BTreeMap<String, String>,
    answered: usize,
    skipped: usize,
    reports: Vec<String>,
}

impl Tally {
    fn skipping(machines: &[&str]) -> Self {
        let skips = machines.iter().flat_map(|machine| suite::skips(machine).unwrap()).collect();
        Self { send: client::send, skips, answered: 0, skipped: 0, reports: Vec::new() }
    }

    fn run(&mut self, fixture: &EnvoyFixture, suites: &[&Suite]) {
        for case in suites.iter().flat_map(|suite| &suite.cases) {
            if let Some(reason) = self.skips.get(&case.id()) {
                println!("skipped: {}: {reason}", case.id());
                self.skipped += 1;
                continue;
            }
            let answer = fixture.answer_to(case, self.send);
            let answer = answer.unwrap_or_else(|e| panic!("{}: {e:#}", case.id()));
            let wrong = differences(case, &answer);
            if !wrong.is_empty() {
                self.reports.push(report(case, &answer, &wrong));
            }
            self.answered += 1;
        }
    }

    fn finish(self) {
        let Self { send: _, skips: _, answered, skipped, reports } = self;
        println!("{answered} cases through Envoy, {skipped} skipped, {} wrong", reports.len());
        assert!(reports.is_empty(), "{} of {answered}:\n\n{}", reports.len(), reports.join("\n"));
    }
}

fn write(folder: &Path, object: &Value) {
    let word = |key: &str| object["metadata"][key].as_str().unwrap();
    let file = folder.join(format!("{}.{}.json", word("namespace"), word("name")));
    fs::write(file, object.to_string()).unwrap();
}

fn operator(policies: &Path, published: &Path, log: &Path) -> Process {
    let mut command = Command::new(xtask::build::operator().unwrap());
    command
        .args(["run", "--source", &format!("dir:{}", policies.display())])
        .args(["--publish", &format!("file:{}", published.display())])
        .args(["--filter", envoy_fixture::shell().name()])
        .arg("--module")
        .arg(envoy_fixture::module().unwrap())
        .args(["--admin", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(log).unwrap());
    Process::spawn("the operator", command).unwrap()
}
