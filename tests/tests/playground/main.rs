//! `docs/playground.html` in Chromium: it shows what `corsward check` and `corsward explain` say, for every example and every finding.

mod expected;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use xtask::test::NO_BROWSER;
use xtask::{paths, playground, tools};

use crate::expected::{Fields, Shown, expected};

/// All that the driver saw, in one browser.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    first: Case,
    /// Roles and names, as assistive technology gets them.
    tree: String,
    examples: Vec<Case>,
    findings: Vec<Case>,
    links: Vec<Case>,
    typed: Vec<Case>,
    last: Case,
    keyboard: Keyboard,
    /// Texts without contrast, by the scheme of colours.
    pale: BTreeMap<String, Vec<String>>,
    /// Pixels beside the window, by its width.
    overflow: BTreeMap<String, i32>,
    /// Messages of the console, errors, and requests.
    faults: Vec<String>,
}

/// The page after one change.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    fields: Fields,
    shown: Shown,
    /// The row of the manual.
    #[serde(default)]
    manual: String,
    #[serde(default)]
    link: String,
    #[serde(default)]
    title: String,
    /// The underlined texts.
    #[serde(default)]
    marked: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keyboard {
    stops: Vec<Stop>,
    selected: String,
}

/// A place of the focus.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stop {
    name: String,
    /// Whether the focus is seen there.
    ring: bool,
}

/// The report of one run of the driver; `None`: there is to be no browser.
fn report() -> Result<Option<&'static Report>> {
    static REPORT: OnceLock<Result<Report, String>> = OnceLock::new();
    if std::env::var_os(NO_BROWSER).is_some() {
        println!("left out: the browser ({NO_BROWSER} is set)");
        return Ok(None);
    }
    let report = REPORT.get_or_init(|| drive().map_err(|error| format!("{error:#}")));
    report.as_ref().map(Some).map_err(|error| anyhow::anyhow!("{error}"))
}

fn drive() -> Result<Report> {
    let output = Command::new(tools::node()?)
        .arg(paths::root().join("tests/tests/playground/driver.cjs"))
        .arg(tools::playwright()?)
        .arg(tools::chromium()?)
        .arg(format!("file://{}", playground::path().display()))
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the driver fails: {errors}");
    serde_json::from_slice(&output.stdout).context("the driver's report")
}

/// Compares cases with what the commands say.
fn ensure_as_commands(cases: &[Case]) -> Result<()> {
    for Case { name, fields, shown, .. } in cases {
        let expected = expected(fields)?;
        ensure!(
            *shown == expected,
            "{name}: if a command has changed, run `cargo xtask playground`\n  page:    {shown:#?}\n  command: {expected:#?}"
        );
    }
    Ok(())
}

#[test]
fn the_page_opens_with_an_example() -> Result<()> {
    let Some(report) = report()? else { return Ok(()) };
    let Case { shown, .. } = &report.first;
    ensure_as_commands(std::slice::from_ref(&report.first))?;
    ensure!(shown.result == "blocked" && shown.edits.len() == 1, "{shown:#?}");
    // After all that was typed it is the same.
    ensure!(report.last.shown == *shown, "{:#?}", report.last);
    Ok(())
}

#[test]
fn every_example_shows_what_the_commands_say() -> Result<()> {
    let Some(report) = report()? else { return Ok(()) };
    ensure!(report.examples.len() >= 12, "only {} examples", report.examples.len());
    ensure_as_commands(&report.examples)?;
    let results: BTreeSet<&str> = report.examples.iter().map(|it| &*it.shown.result).collect();
    ensure!(results == BTreeSet::from(["blocked", "readable", "unknown"]), "{results:?}");
    Ok(())
}

#[test]
fn every_finding_shows_its_row_of_the_manual_and_an_example_of_it() -> Result<()> {
    let Some(report) = report()? else { return Ok(()) };
    ensure!(report.findings.len() > 200, "only {} findings", report.findings.len());
    ensure_as_commands(&report.findings)?;
    let mut without = 0;
    for Case { name, shown, manual, .. } in &report.findings {
        ensure!(manual.starts_with(name), "{name}: {manual}");
        let is_absent = manual.contains("A page shows no such finding");
        let is_shown = shown.findings.iter().any(|found| found.code.starts_with(name));
        ensure!(is_absent || is_shown, "{name} is not found: {shown:#?}");
        without += usize::from(is_absent);
    }
    ensure!(without < 45, "{without} findings have no example");
    Ok(())
}

#[test]
fn a_link_restores_its_case() -> Result<()> {
    let Some(report) = report()? else { return Ok(()) };
    ensure!(report.links.len() == report.examples.len(), "{:#?}", report.links.len());
    for (restored, example) in report.links.iter().zip(&report.examples) {
        ensure!(restored.fields == example.fields, "{}", restored.link);
        ensure!(restored.shown == example.shown, "{}: {:#?}", restored.link, restored.shown);
        ensure!(restored.link.contains("#policy=") && restored.link.contains("&origin="));
    }
    Ok(())
}

#[test]
fn text_that_is_no_policy_is_told_with_its_line_and_stays_text() -> Result<()> {
    let Some(report) = report()? else { return Ok(()) };
    ensure!(report.typed.len() == 12, "{}", report.typed.len());
    ensure_as_commands(&report.typed)?;
    for case in &report.typed {
        ensure!(case.title == "corsward playground", "{}: {}", case.name, case.title);
    }
    let case = |name: &str| report.typed.iter().find(|case| case.name == name).context("a case");
    for name in ["broken", "tab"] {
        let Case { shown, marked, .. } = case(name)?;
        let found = shown.findings.first().context("no finding")?;
        ensure!(found.code.starts_with("CORS-E502"), "{name}: {found:?}");
        ensure!(found.line != "line 1" && marked.len() == 1, "{name}: {found:?} {marked:?}");
    }
    let Case { shown, marked, .. } = case("hostile")?;
    let found = &shown.findings;
    ensure!(found.iter().any(|it| it.subject.contains("<img src=x")), "{found:#?}");
    ensure!(marked.iter().any(|it| it.contains("<script>")), "{marked:?}");
    for (name, words) in [("url", "no URL"), ("origin", "no URL"), ("headers", "Name: value")] {
        let Case { shown, .. } = case(name)?;
        ensure!(
            shown.notes.concat().contains(words) && shown.steps.is_empty(),
            "{name}: {shown:#?}"
        );
    }
    let Case { shown, .. } = case("deep")?;
    ensure!(!shown.notes.is_empty() && shown.steps.is_empty(), "{shown:#?}");
    Ok(())
}

#[test]
fn the_keyboard_reaches_all_of_it_and_leaves_it_again() -> Result<()> {
    let Some(report) = report()? else { return Ok(()) };
    let Keyboard { stops, selected } = &report.keyboard;
    let mut names: Vec<&str> = stops.iter().map(|stop| &*stop.name).collect();
    names.retain(|name| !name.starts_with("line "));
    let order = [
        "example",
        "finding",
        "policy",
        "copy",
        "origin",
        "method",
        "url",
        "headers",
        "credentials",
        "The same in a terminal",
    ];
    ensure!(names == order, "{names:?}");
    ensure!(stops.len() < 40, "the focus does not leave the page");
    let hidden: Vec<&Stop> = stops.iter().filter(|stop| !stop.ring).collect();
    ensure!(hidden.is_empty(), "the focus is not seen: {hidden:?}");
    ensure!(selected == "-1", "the place of a finding selects `{selected}`");
    Ok(())
}

#[test]
fn assistive_technology_gets_landmarks_headings_names_and_results() -> Result<()> {
    let Some(report) = report()? else { return Ok(()) };
    for line in [
        "- banner:",
        "- heading \"corsward playground\" [level=1]",
        "- main:",
        "- region \"Policy\":",
        "- heading \"Policy\" [level=2]",
        "- combobox \"Example\"",
        "- combobox \"Finding\"",
        "- textbox \"Policy\"",
        "- status: 2 hints",
        "- region \"Request\":",
        "- button \"Copy link\"",
        "- textbox \"Origin of the page\"",
        "- combobox \"Method\"",
        "- textbox \"URL\"",
        "textbox \"Headers that the page sets",
        "- combobox \"Credentials\"",
        "- region \"The browser's walk\":",
        "- status: the browser blocks the request",
        "- heading \"a preflight is needed\" [level=3]",
    ] {
        ensure!(report.tree.contains(line), "no `{line}` in\n{}", report.tree);
    }
    Ok(())
}

#[test]
fn colours_have_contrast_and_narrow_windows_have_room() -> Result<()> {
    let Some(report) = report()? else { return Ok(()) };
    for (scheme, pale) in &report.pale {
        ensure!(pale.is_empty(), "{scheme}: {pale:#?}");
    }
    ensure!(report.pale.len() == 2 && report.overflow.len() == 3);
    ensure!(report.overflow.values().all(|pixels| *pixels <= 0), "{:?}", report.overflow);
    Ok(())
}

#[test]
fn the_console_stays_empty_and_nothing_is_loaded() -> Result<()> {
    let Some(report) = report()? else { return Ok(()) };
    ensure!(report.faults.is_empty(), "{:#?}", report.faults);
    Ok(())
}
