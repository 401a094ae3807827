//! The chart's copies: the definitions, in the form of templates, and the table of its values.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::paths;

/// The chart, from the root of the repository.
const CHART: &str = "charts/corsward";
/// The marks around the table of values in the chart's README.
const BEGIN: &str =
    "<!-- values: written by `cargo xtask generate` from values.yaml and values.schema.json -->\n";
const END: &str = "<!-- end of values -->";
/// A definition that goes with the chart would take every policy with it.
const KEEP: &str = "\n  annotations:\n    helm.sh/resource-policy: keep";

/// The chart's files that are made of others, by their path in the repository.
///
/// # Errors
///
/// Fails if what they are made of cannot be read, or holds something unexpected.
pub(super) fn files() -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for definition in definitions()? {
        let name = definition.file_name().context("a definition has a name")?.to_string_lossy();
        let path = format!("{CHART}/files/crds/{name}");
        files.push((path, kept(&read(&definition)?).with_context(|| name.into_owned())?));
    }
    let readme = read(&in_chart("README.md"))?;
    let schema = serde_json::from_str(&read(&in_chart("values.schema.json"))?)?;
    let values = serde_saphyr::from_str(&read(&in_chart("values.yaml"))?)?;
    files.push((format!("{CHART}/README.md"), with_table(&readme, &table(&schema, &values)?)?));
    Ok(files)
}

/// The definitions that are committed, in the order of their names.
fn definitions() -> Result<Vec<PathBuf>> {
    let folder = paths::root().join("crds");
    let entries = fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    Ok(files)
}

fn in_chart(file: &str) -> PathBuf {
    paths::root().join(CHART).join(file)
}

fn read(file: &PathBuf) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The definition, with the annotation that makes it stay.
fn kept(definition: &str) -> Result<String> {
    let Some((head, tail)) = definition.split_once("\nmetadata:") else {
        bail!("the definition has no metadata");
    };
    if tail
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with(' '))
        .any(|line| line.starts_with("  annotations:"))
    {
        bail!("the definition has annotations of its own: {CHART} must merge its own with them");
    }
    Ok(format!("{head}\nmetadata:{KEEP}{tail}"))
}

fn with_table(readme: &str, table: &str) -> Result<String> {
    let between = readme.split_once(BEGIN).and_then(|(head, rest)| {
        rest.split_once(END).map(|(_, tail)| format!("{head}{BEGIN}{table}{END}{tail}"))
    });
    between.with_context(|| format!("the README of {CHART} has no place for the values"))
}

/// One line for each value that has no values below it.
fn table(schema: &Value, values: &Value) -> Result<String> {
    let mut lines = String::from("| value | default | what it is |\n|---|---|---|\n");
    rows("", schema, values, &mut lines)?;
    Ok(lines)
}

fn rows(path: &str, schema: &Value, default: &Value, lines: &mut String) -> Result<()> {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, below) in properties {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            // `affinity` and the like are as in a pod, and have no defaults below them.
            let has_defaults = default[name].as_object().is_some_and(|map| !map.is_empty());
            if has_defaults {
                rows(&path, below, &default[name], lines)?;
            } else {
                row(&path, below, &default[name], lines)?;
            }
        }
        return Ok(());
    }
    row(path, schema, default, lines)
}

fn row(path: &str, schema: &Value, default: &Value, lines: &mut String) -> Result<()> {
    let Some(text) = schema["description"].as_str() else {
        bail!("values.schema.json does not describe {path}");
    };
    let text = text.replace('|', "\\|");
    lines.push_str(&format!("| `{path}` | `{default}` | {text}{} |\n", choices(schema)));
    Ok(())
}

/// The words that the value may be.
fn choices(schema: &Value) -> String {
    let words: Vec<_> =
        schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if words.is_empty() { String::new() } else { format!(" One of: {}.", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_definition_of_the_chart_stays_when_the_chart_goes() {
        let written = kept("kind: X\nmetadata:\n  name: x\nspec:\n  annotations: {}\n").unwrap();
        assert_eq!(
            written,
            "kind: X\nmetadata:\n  annotations:\n    helm.sh/resource-policy: keep\n  name: x\nspec:\n  annotations: {}\n"
        );
        for bad in ["kind: X\n", "kind: X\nmetadata:\n  annotations: {}\n"] {
            assert!(kept(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_value_has_its_line() {
        let schema = json!({"properties": {
            "a": {"properties": {"b": {"description": "One | two.", "enum": ["x", "y"]}}},
            "c": {"description": "Whole.", "properties": {"d": {}}},
        }});
        let lines = table(&schema, &json!({"a": {"b": "x"}, "c": {}})).unwrap();
        assert!(lines.ends_with(
            "|---|---|---|\n| `a.b` | `\"x\"` | One \\| two. One of: x, y. |\n| `c` | `{}` | Whole. |\n"
        ), "{lines}");
        let undescribed = table(&json!({"properties": {"a": {}}}), &json!({"a": 1}));
        assert!(undescribed.unwrap_err().to_string().contains("describe a"));
    }

    #[test]
    fn the_table_replaces_what_stands_in_its_place() {
        let readme = format!("before\n{BEGIN}old\n{END}\nafter\n");
        assert_eq!(
            with_table(&readme, "new\n").unwrap(),
            format!("before\n{BEGIN}new\n{END}\nafter\n")
        );
        assert!(with_table("no place", "new").is_err());
    }
}
