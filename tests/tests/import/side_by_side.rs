//! The old system and corsward, side by side.

use std::collections::BTreeSet;

use corsward_browser::CredentialsMode;
use corsward_import::{
    Answer, Difference, Exchange, Import, Options, Response, Source, SourceFile,
};
use corsward_test_harness::answer;
use corsward_test_harness::case::{self, Case, Expect};
use corsward_test_harness::envoy_fixture::EnvoyFixture;
use serde_json::Value;

/// Fewest requests that both are asked.
pub(crate) const FEWEST: usize = 300;

/// The translation of settings that become one policy.
pub(crate) fn import(source: Source, name: &str, text: &str) -> Import {
    let file = SourceFile { name: name.into(), text: text.into() };
    let imports = corsward_import::import(source, &[file], &Options::default());
    imports.unwrap().remove(0)
}

/// Asks the old system and an Envoy with the policy each request of the report, and compares what a browser makes of the answers with
/// what the report says. Returns the number of requests.
pub(crate) fn compare(
    import: &Import,
    fixture: &mut EnvoyFixture,
    old: impl Fn(&EnvoyFixture, &Exchange) -> Answer,
) -> usize {
    let policy: Value = serde_saphyr::from_str(&import.manifest).unwrap();
    fixture.configure(&[&policy]).unwrap();
    let report = &import.report;
    let mut faults = Vec::new();
    let mut observed: BTreeSet<Difference> = BTreeSet::new();
    for case in &report.cases {
        let exchange = &case.exchange;
        let before = old(fixture, exchange);
        let after = behind(fixture, exchange);
        let differences = corsward_import::differences(exchange, &before, &after);
        if differences != case.differences {
            faults.push(format!(
                "{exchange:?}\n  the report: {:?}\n  observed: {differences:?}\n  model: {:?}\n  real: {before:?}\n  core: {:?}\n  real: {after:?}",
                case.differences, case.old, case.new
            ));
        }
        observed.extend(differences);
    }
    let shown: Vec<&String> = faults.iter().take(5).collect();
    assert!(faults.is_empty(), "{} of {}: {shown:#?}", faults.len(), report.cases.len());
    let named: BTreeSet<Difference> = report
        .classes
        .iter()
        .map(|class| Difference {
            aspect: class.aspect,
            old: class.old.clone(),
            new: class.new.clone(),
        })
        .collect();
    assert_eq!(named, observed, "the report names each observed difference");
    fixture.ensure_healthy().unwrap();
    report.cases.len()
}

/// The answer of the Envoy with the policy.
fn behind(fixture: &EnvoyFixture, exchange: &Exchange) -> Answer {
    let case = Case {
        suite: "import".into(),
        name: "behind".into(),
        why: String::new(),
        request: request(exchange),
        upstream: upstream(exchange),
        expect: Expect::default(),
    };
    read(&fixture.answer(&case).unwrap())
}

pub(crate) fn request(exchange: &Exchange) -> case::Request {
    let headers = exchange.headers.iter();
    case::Request {
        method: exchange.method.clone(),
        authority: exchange.authority.clone(),
        path: exchange.path.clone().into_bytes(),
        headers: headers.map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect(),
        credentials: CredentialsMode::Omit,
    }
}

pub(crate) fn upstream(exchange: &Exchange) -> case::Upstream {
    let Response { status, headers } = exchange.application.clone();
    case::Upstream { status, headers }
}

pub(crate) fn read(answer: &answer::Answer) -> Answer {
    let answer::Answer { status, headers, upstream_reached, .. } = answer.clone();
    Answer { response: Response { status, headers }, reached: upstream_reached }
}
