//! Safe edits: those of hints that `corsward check --fix` makes unasked leave each answer as it is.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use corsward_cli::policies::{FileSource, Policies, SourceFile};
use corsward_manifest::amend;
use corsward_policy::{Policy, Severity};
use corsward_tests::suite;
use serde_json::Value;

use crate::findings;
use crate::rows::{Row, rows};

/// The codes of that class in the manual.
fn codes(class: &str) -> BTreeSet<String> {
    let manual = fs::read_to_string(suite::folder().join("../docs/findings.md")).unwrap();
    let rows = manual.lines().filter(|line| line.ends_with(&format!("| {class} |")));
    rows.filter_map(|line| line.split('`').nth(1)).map(str::to_owned).collect()
}

/// The accepted policies of an object, beside others that it depends on.
fn policies(object: &Value, beside: &[Value]) -> Vec<Arc<Policy>> {
    let text: Vec<String> = std::iter::once(object).chain(beside).map(Value::to_string).collect();
    let (name, bytes) = ("a.yaml".to_owned(), Ok(text.join("\n---\n").into_bytes()));
    let policies = Policies::of(vec![SourceFile { name, bytes, source: FileSource::Path }]);
    policies.accepted().map(|(_, accepted)| Arc::clone(&accepted.policy)).collect()
}

#[test]
fn a_safe_edit_of_a_hint_changes_no_answer() {
    let safe = codes("safe");
    let (mut compared, mut failures) = (BTreeSet::new(), Vec::new());
    for Row { why, object, beside, .. } in rows() {
        for finding in findings(&object, &beside) {
            let code = finding.code();
            let mut amended = object.clone();
            let edit = finding.edits().into_iter().next();
            let Some(edit) =
                edit.filter(|_| finding.severity() == Severity::Hint && safe.contains(code))
            else {
                continue;
            };
            if amend::apply(&mut amended, &edit).is_err() {
                continue;
            }
            let [before, after] = [&object, &amended].map(|object| policies(object, &beside));
            if before.is_empty() {
                continue;
            }
            compared.insert(code);
            let [old, new] =
                [&before, &after].map(|all| all.iter().map(|it| &**it).collect::<Vec<_>>());
            let comparison = corsward_diff::compare(&old, &new);
            if !comparison.is_equal() {
                failures.push(format!("{code} {why}: {edit:?}: {comparison:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let hints = safe.iter().filter(|code| code.starts_with("CORS-I"));
    let expected: BTreeSet<&str> = hints.map(String::as_str).collect();
    assert_eq!(compared, expected);
}

#[test]
fn each_code_with_an_edit_has_a_class() {
    let classes = ["safe", "unsafe", "author"].map(codes);
    let [safe, others, author] = &classes;
    for Row { code, why, .. } in rows() {
        let is_danger = code.starts_with("CORS-E2") || code == "CORS-W201";
        let has_class = safe.contains(code) || others.contains(code);
        assert_ne!(has_class, is_danger, "{code} {why}");
        assert_eq!(author.contains(code), is_danger, "{code} {why}");
    }
}
