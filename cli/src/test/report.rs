//! Report: the results of test files, as text, for programs and for CI servers.

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail};
use corsward_browser::obstacle::{Obstacle, obstacles};
use serde::Serialize;

use super::judge::{Judged, judge};
use super::suite::{self, Expectation};
use crate::explain::proxy::Proxy;
use crate::junit::{self, Case, Failure, Suite};
use crate::output::OneLine;
use crate::policies::{Choice, Policies};

/// The results of all files.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) suites: Vec<SuiteReport>,
}

/// The results of a file.
#[derive(Debug, Serialize)]
pub(super) struct SuiteReport {
    file: String,
    name: String,
    results: Vec<TestResult>,
}

/// The result of a request beside the expected one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TestResult {
    name: String,
    passes: bool,
    expected: Judged,
    actual: Judged,
}

// === impl Report ===

impl Report {
    /// The number of results.
    pub(super) fn tests(&self) -> usize {
        self.suites.iter().map(|suite| suite.results.len()).sum()
    }

    /// The number of results that are not as expected.
    pub(super) fn failures(&self) -> usize {
        self.suites.iter().map(SuiteReport::failures).sum()
    }

    /// `3 tests: 2 passed, 1 failed`.
    pub(super) fn summary(&self) -> String {
        let (tests, failed) = (self.tests(), self.failures());
        let noun = if tests == 1 { "test" } else { "tests" };
        format!("{tests} {noun}: {} passed, {failed} failed", tests.saturating_sub(failed))
    }

    /// Prints a line for each result.
    pub(super) fn print(&self, out: &mut impl Write) -> anyhow::Result<()> {
        for SuiteReport { file, name, results } in &self.suites {
            writeln!(out, "{}", OneLine(format_args!("{file} ({name})")))?;
            for it in results {
                let word = if it.passes { "pass" } else { "FAIL" };
                writeln!(out, "  {word}  {}", OneLine(&it.name))?;
                if !it.passes {
                    writeln!(out, "        expected: {}", OneLine(&it.expected))?;
                    writeln!(out, "        actual:   {}", OneLine(&it.actual))?;
                }
            }
        }
        Ok(())
    }

    /// Prints the XML of `JUnit`: each file a suite.
    pub(super) fn print_junit(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let suites = self.suites.iter().map(|SuiteReport { file, name, results }| Suite {
            name: name.clone(),
            cases: results.iter().map(|result| result.case(file)).collect(),
        });
        junit::write("test", &suites.collect::<Vec<_>>(), out)?;
        Ok(())
    }
}

// === impl SuiteReport ===

impl SuiteReport {
    /// Runs the tests of a file.
    pub(super) fn of(
        file: &Path,
        suite: &suite::Suite,
        policies: &Policies,
    ) -> anyhow::Result<Self> {
        let result = |expected: &Expectation| {
            let result = TestResult::of(expected, policies, suite.one_proxy);
            result.with_context(|| format!("results: {}", expected.name))
        };
        Ok(Self {
            file: file.display().to_string(),
            name: suite.metadata.name.clone(),
            results: suite.results.iter().map(result).collect::<anyhow::Result<_>>()?,
        })
    }

    fn failures(&self) -> usize {
        self.results.iter().filter(|result| !result.passes).count()
    }
}

// === impl TestResult ===

impl TestResult {
    fn of(expected: &Expectation, policies: &Policies, one_proxy: bool) -> anyhow::Result<Self> {
        let page = expected.page()?;
        let is_never_sent = |it: &Obstacle| !matches!(it, Obstacle::LocalNetwork(_));
        if let Some(obstacle) = obstacles(&page).into_iter().find(is_never_sent) {
            bail!("{obstacle}");
        }
        let targets = expected.target.iter().cloned().collect();
        let choice = Choice { targets, one_proxy, ..Choice::default() };
        let host = page.url.host_str().unwrap_or_default();
        let actual = judge(&page, &Proxy::of(policies.choose(&choice, host)?)?)?;
        let Expectation { result, reason, policy, .. } = expected;
        let expected_one = Judged { result: *result, reason: *reason, policy: policy.clone() };
        // A reason and a policy are compared where the file names them.
        let passes = actual.result == *result
            && (reason.is_none() || actual.reason == *reason)
            && (policy.is_none() || actual.policy == *policy);
        Ok(Self { name: expected.name.clone(), passes, expected: expected_one, actual })
    }

    /// The case of a report.
    fn case(&self, file: &str) -> Case {
        let message = format!("expected {}, and it is {}", self.expected, self.actual);
        let failure = Failure { code: None, message, text: String::new() };
        let failures = if self.passes { Vec::new() } else { vec![failure] };
        Case { class: file.to_owned(), name: self.name.clone(), failures, notes: String::new() }
    }
}
