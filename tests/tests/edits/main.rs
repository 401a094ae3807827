//! What a finding tells its author to write: a program writes it, and the object is judged again.

mod guesses;
mod rows;
mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use corsward_operator::guardrails::{self, Guardrail};
use corsward_operator::judge::FullJudge;
use corsward_operator::review::{Context, Review, review};
use corsward_operator::source::document::{self, NeighborKind};
use corsward_operator::source::yaml::Reader;
use corsward_operator::{amend, origin_sets};
use corsward_policy::finding::{Edit, Written};
use corsward_policy::{Finding, Severity};
use corsward_tests::suite;
use serde_json::{Value, json};

use crate::rows::{ROWS_OF_OTHER_OBJECTS, Row, rows};

/// Codes whose fix names something to write or remove, and which no edit of the object can answer.
const WITHOUT_EDIT: [(&str, &str); 31] = [
    ("CORS-E133", "the prefix length is not in the text"),
    ("CORS-E135", "the fix is an example: a name has no block"),
    ("CORS-E201", "the danger takes its author"),
    ("CORS-W202", "the domain takes its author"),
    ("CORS-E407", "the fix is an example, where the stars do not tell what is meant"),
    ("CORS-E602", "the patterns take their author"),
    ("CORS-E605", "what is not allowed is an entry of a list, or a star that stands for it"),
    ("CORS-E606", "what is not allowed is an entry of a list, or a star that stands for it"),
    ("CORS-E001", "the origins of the author's front ends are not in the text"),
    ("CORS-E101", "an empty entry names no origin"),
    ("CORS-E110", "an origin without a host names none"),
    ("CORS-E111", "the fix is an example: no host can be told from one that is too long"),
    ("CORS-E114", "the fix is an example: the missing label is not in the text"),
    ("CORS-E116", "the fix is an example: the address is not in the text"),
    ("CORS-E117", "the fix is an example: the address is not in the text"),
    ("CORS-E118", "the fix is an example, where the stars do not tell what is meant"),
    ("CORS-E119", "the fix is an example, where the stars do not tell what is meant"),
    ("CORS-E120", "the fix is an example: the port is not in the text"),
    ("CORS-E209", "an expression beyond the judge's bound takes its author"),
    ("CORS-W105", "a narrower regex takes its author"),
    ("CORS-E401", "an empty entry names no host"),
    ("CORS-E406", "the missing label is not in the text"),
    ("CORS-E408", "no host can be told from one that is too long"),
    ("CORS-E413", "the shorter prefix takes its author"),
    ("CORS-E417", "the block takes its author"),
    ("CORS-E505", "the name takes its author"),
    ("CORS-E511", "the value takes its author"),
    ("CORS-E512", "the entries take their author"),
    ("CORS-E515", "there is no object where the text is no YAML"),
    ("CORS-E513", "in the object the quotes are there: they are missing in the text of the file"),
    ("CORS-W501", "in the object the quotes are there: they are missing in the text of the file"),
];

/// What `validate` says about an object, beside others that it depends on.
fn findings(object: &Value, beside: &[Value]) -> Vec<Finding> {
    let text: Vec<String> = std::iter::once(object).chain(beside).map(Value::to_string).collect();
    let documents =
        document::read("a.json", text.join("\n---\n").as_bytes(), Reader::Kubectl).unwrap();
    let mut sets = BTreeMap::new();
    let mut bounds = Vec::new();
    for neighbor in documents.neighbors {
        match neighbor.kind {
            NeighborKind::OriginSet => {
                let origins = origin_sets::parse(&neighbor.spec, &FullJudge).0;
                sets.insert(neighbor.key, origins);
            }
            NeighborKind::Guardrail => {
                let name = &neighbor.key.name;
                bounds.extend(Guardrail::parse(name, &neighbor.spec, &FullJudge).0);
            }
        }
    }
    let mut said: Vec<Finding> = documents.lost;
    said.extend(documents.findings.into_iter().map(|finding| {
        // The name of the object stands before the field.
        let field = finding.field.rsplit(' ').next().unwrap_or_default().to_owned();
        Finding { field, ..finding }
    }));
    let context = Context { sets: &sets, ..Context::folder(&FullJudge) };
    for object in &documents.objects {
        let Review { accepted, findings, spec: _ } = review(object, context);
        said.extend(findings);
        if let Some(accepted) = accepted {
            said.extend(guardrails::check(&accepted.policy, &bounds));
        }
    }
    said
}

/// How often each refusal is there.
fn refusals(findings: &[Finding]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for finding in findings.iter().filter(|it| it.severity() == Severity::Refusal) {
        *counts.entry(finding.code()).or_default() += 1;
    }
    counts
}

fn count(findings: &[Finding], code: &str) -> usize {
    findings.iter().filter(|finding| finding.code() == code).count()
}

/// What is wrong with the edits of a finding about that object.
fn failures_of(why: &str, finding: &Finding, object: &Value, beside: &[Value]) -> Vec<String> {
    let (code, before) = (finding.code(), findings(object, beside));
    let mut failures = Vec::new();
    for edit in finding.edits() {
        let mut amended = object.clone();
        if let Err(error) = amend::apply(&mut amended, &edit) {
            failures.push(format!("{code} {why}: {edit:?}: {error}"));
            continue;
        }
        let after = findings(&amended, beside);
        if count(&after, code) >= count(&before, code) {
            failures.push(format!("{code} {why}: still said after {edit:?}: {after:?}"));
        }
        let allowed = refusals(&before);
        for (refusal, times) in refusals(&after) {
            if times > allowed.get(refusal).copied().unwrap_or_default() {
                failures.push(format!("{code} {why}: {edit:?} is refused: {after:?}"));
            }
        }
    }
    failures
}

#[test]
fn each_edit_of_a_finding_answers_it_and_is_accepted() {
    let mut failures = Vec::new();
    for Row { code, why, object, beside } in rows() {
        let before = findings(&object, &beside);
        let Some(finding) = before.iter().find(|finding| finding.code() == code) else {
            failures.push(format!("{code} {why}: not said, but {before:#?}"));
            continue;
        };
        if finding.edits().is_empty() {
            failures.push(format!("{code} {why}: no edit in {finding}"));
        }
        failures.extend(failures_of(why, finding, &object, &beside));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_finding_shows_what_its_edit_writes() {
    for Row { code, why, object, beside } in rows() {
        let before = findings(&object, &beside);
        let said = before.iter().filter(|finding| finding.code() == code);
        for finding in said {
            let message = finding.message();
            for edit in finding.edits() {
                // A list is shown by what is in it.
                let shown: Vec<String> = match &edit {
                    Edit::Write { value: Written::List(entries), .. } => {
                        let texts = entries.iter().map(Written::to_string);
                        texts.map(|text| text.trim_matches('"').to_owned()).collect()
                    }
                    Edit::Write { value, .. } => vec![value.to_string()],
                    Edit::Add { entries, .. } | Edit::Spread { entries, .. } => entries.clone(),
                    _ => continue,
                };
                for text in shown {
                    assert!(message.contains(&text), "{code} {why}: {message}: {edit:?}");
                }
            }
        }
    }
}

#[test]
fn each_code_that_names_what_to_write_is_in_the_table() {
    let manual = fs::read_to_string(suite::folder().join("../docs/findings.md")).unwrap();
    let in_table: BTreeSet<&str> = rows().into_iter().map(|row| row.code).collect();
    let mut excepted: BTreeSet<&str> = WITHOUT_EDIT.iter().map(|(code, _)| *code).collect();
    excepted.extend(ROWS_OF_OTHER_OBJECTS.iter().map(|(code, _)| *code));
    let mut missing = Vec::new();
    let mut told = BTreeSet::new();
    for line in manual.lines().filter(|line| line.starts_with("| `CORS-")) {
        let line = line.replace("\\|", "/");
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [code, _, _, _, fix] = cells[..] else { panic!("{line}") };
        let code = code.trim_matches('`').to_owned();
        told.insert(code.clone());
        let names_what = ["write ", "remove it", "remove one of them", "add `"]
            .iter()
            .any(|start| fix.starts_with(start))
            || fix.contains("in `dangerouslyAllow`");
        // A guardrail that warns says the same.
        let code = match code.strip_prefix("CORS-W60") {
            Some(digit) if digit < "8" => format!("CORS-E60{digit}"),
            _ => code,
        };
        if names_what && !in_table.contains(code.as_str()) && !excepted.contains(code.as_str()) {
            missing.push(format!("{code}: {fix}"));
        }
    }
    assert!(missing.is_empty(), "no row for\n{}", missing.join("\n"));
    for code in in_table.iter().chain(&excepted) {
        assert!(told.contains(*code), "{code} is not in the manual");
    }
    let both: Vec<_> = in_table.intersection(&excepted).collect();
    assert!(both.is_empty(), "{both:?} have a row and an exception");
}

/// An object of that kind.
fn object(kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": "corsward.io/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": spec})
}
