//! The demo's page in Chromium: what a browser says is what the policies say.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use corsward_test_harness::envoy_fixture;
use xtask::demo::{self, Browser, Programs, Sample, Table};
use xtask::test::NO_BROWSER;

/// The rows that must change when the policy is edited, and to what.
const WITHOUT_CREDENTIALS: [(&str, &str); 3] = [
    ("with-cookie", "blocked, but arrived"),
    ("login", "blocked, but arrived"),
    ("plain", "read 200"),
];

#[test]
fn every_row_agrees_and_the_table_follows_the_policy() -> Result<()> {
    if std::env::var_os(NO_BROWSER).is_some() {
        println!("left out: the browser ({NO_BROWSER} is set)");
        return Ok(());
    }
    let policies = demo::copy_of_policies()?;
    let file = policies.path().join("api.yaml");
    let sample = Sample::start(&Programs::get(envoy_fixture::shell())?, policies.path())?;
    let mut browser = Browser::open(&sample.page_url())?;

    let shipped = browser.next_table()?;
    ensure_agreement(&shipped)?;
    ensure!(!shipped.no_policy, "a policy is in force");
    // Cookies of an earlier run are no reason to disagree.
    browser.reload()?;
    ensure_agreement(&browser.next_table()?).context("the second time")?;

    let edited =
        edit(&browser, &shipped, &file, "allowCredentials: true", "allowCredentials: false")?;
    for (id, said) in WITHOUT_CREDENTIALS {
        ensure!(edited.said(id) == Some(said), "{id}: {:?}, not {said}", edited.said(id));
    }

    // Without the filter's help the API is what it is: most rows disagree.
    let off = edit(&browser, &edited, &file, "spec:", "spec:\n  mode: Off")?;
    let disagreeing = off.disagreements().len();
    ensure!(disagreeing > off.rows.len() / 2, "only {disagreeing} rows need the policy: {off:?}");

    let on = edit(&browser, &off, &file, "mode: Off", "mode: Active")?;
    fs::remove_file(&file)?;
    let none = browser.table_after(on.in_force).context("without a policy")?;
    ensure!(none.no_policy, "the page does not say that no policy is in force");

    browser.close()?;
    sample.stop()
}

#[track_caller]
fn ensure_agreement(table: &Table) -> Result<()> {
    ensure!(table.rows.len() > 25, "the table is too short: {} rows", table.rows.len());
    let disagreements = table.disagreements();
    ensure!(disagreements.is_empty(), "the browser disagrees: {disagreements:#?}");
    Ok(())
}

/// Edits the policy and waits for the table that the open page then shows.
fn edit(
    browser: &Browser,
    before: &Table,
    file: &Path,
    replace: &str,
    with: &str,
) -> Result<Table> {
    demo::edit(file, replace, with)?;
    browser.table_after(before.in_force).with_context(|| format!("after `{with}`"))
}
