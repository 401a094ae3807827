//! Menus: the examples and findings that the page offers.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{read, source};

/// The head of a policy whose example is the fields of its spec.
const HEAD: &str = "\
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {namespace: shop, name: api}
spec:
";

/// An example of the menu: files, and a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    title: String,
    /// Names in the folder of examples.
    files: Vec<String>,
    origin: String,
    method: String,
    url: String,
    headers: Vec<String>,
    credentials: String,
}

/// A chapter of the manual of findings.
#[derive(Debug, Serialize)]
struct Area {
    title: String,
    findings: Vec<Row>,
}

/// A row of the manual.
#[derive(Debug, Serialize)]
struct Row {
    code: String,
    severity: String,
    field: String,
    fault: String,
    fix: String,
    /// A policy with the finding; `None`: it takes more than one short text.
    policy: Option<String>,
}

/// All that the page offers.
pub(super) fn data() -> Result<Value> {
    let examples: Vec<Example> = serde_saphyr::from_str(&source("examples.yaml")?)?;
    let examples = examples.iter().map(Example::entry).collect::<Result<Vec<Value>>>()?;
    let policies: BTreeMap<String, String> = serde_saphyr::from_str(&source("findings.yaml")?)?;
    let areas = areas(&read("docs/findings.md")?, policies)?;
    // The request beside the policy of a finding.
    let request = json!({
        "origin": "https://app.example",
        "method": "PUT",
        "url": "https://api.shop.example/items/7",
        "headers": "content-type: application/json",
        "credentials": "same-origin",
    });
    Ok(json!({ "examples": examples, "areas": areas, "request": request }))
}

/// The chapters of the manual, with a policy for each finding that has one.
fn areas(manual: &str, mut policies: BTreeMap<String, String>) -> Result<Vec<Area>> {
    let mut areas: Vec<Area> = Vec::new();
    for line in manual.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            areas.push(Area { title: title.to_owned(), findings: Vec::new() });
        } else if line.starts_with("| `CORS-") {
            let row = Row::of(line, &mut policies).with_context(|| line.to_owned())?;
            areas.last_mut().context("a row stands before the first chapter")?.findings.push(row);
        }
    }
    ensure!(policies.is_empty(), "no finding of the manual: {:?}", policies.keys());
    Ok(areas)
}

/// The whole text of an example.
fn whole(text: &str) -> String {
    let begins = |word: &str| text.lines().any(|line| line.starts_with(word));
    if begins("kind:") {
        return text.to_owned();
    }
    let hosts = if begins("hostnames:") { "" } else { "  hostnames: [api.shop.example]\n" };
    let fields: String = text.lines().map(|line| format!("  {line}\n")).collect();
    format!("{HEAD}{hosts}{fields}")
}

// === impl Example ===

impl Example {
    /// The entry of the page's menu.
    fn entry(&self) -> Result<Value> {
        let Self { title, files, origin, method, url, headers, credentials } = self;
        let texts = files.iter().map(|file| read(&format!("examples/{file}")));
        let policy = texts.collect::<Result<Vec<String>>>()?.join("---\n");
        let headers = headers.join("\n");
        Ok(json!({ "title": title, "case": {
            "policy": policy, "origin": origin, "method": method, "url": url, "headers": headers,
            "credentials": credentials,
        }}))
    }
}

// === impl Row ===

impl Row {
    fn of(line: &str, policies: &mut BTreeMap<String, String>) -> Option<Self> {
        let cells: Vec<String> = line
            .trim_matches(['|', ' '])
            .split(" | ")
            .map(|cell| cell.replace("\\|", "|"))
            .collect();
        let [code, severity, field, fault, fix, _edit] = cells.try_into().ok()?;
        let code = code.trim_matches('`').to_owned();
        let policy = policies.remove(&code).map(|text| whole(&text));
        let field = field.trim_matches('`').to_owned();
        Some(Self { code, severity, field, fault, fix, policy })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::paths;

    #[test]
    fn every_example_policy_is_in_the_menu() {
        let examples: Vec<Example> =
            serde_saphyr::from_str(&source("examples.yaml").unwrap()).unwrap();
        for entry in fs::read_dir(paths::root().join("examples")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_policy = path.is_file()
                && fs::read_to_string(&path).unwrap().contains("apiVersion: corsward.io/");
            let is_offered = examples.iter().any(|example| example.files.contains(&name));
            assert_eq!(is_policy, is_offered, "{name}");
        }
    }

    #[test]
    fn every_finding_is_in_the_menu() {
        let manual = read("docs/findings.md").unwrap();
        let rows = manual.lines().filter(|line| line.starts_with("| `CORS-")).count();
        let areas = areas(&manual, BTreeMap::new()).unwrap();
        assert_eq!(areas.iter().map(|area| area.findings.len()).sum::<usize>(), rows);
        assert!(areas.iter().all(|area| !area.findings.is_empty()), "{areas:?}");
        let unknown = BTreeMap::from([("CORS-E000".to_owned(), String::new())]);
        assert!(super::areas(&manual, unknown).is_err());
    }
}
