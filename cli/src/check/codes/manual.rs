//! The codes are unique, each has an example, and the sentences and the manual of findings are what is committed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use corsward_operator_core::finding::OriginSetReason;
use corsward_policy::Finding;
use corsward_policy::finding::OriginReason;
use corsward_policy::pattern::InvalidOrigin;

use super::super::applicability::{Applicability, SAFE, UNSAFE};
use super::examples::{examples, number};

/// The folders of the files with the codes.
const SOURCES: [&str; 3] =
    ["policy/src/finding", "policy/manifest/src/finding", "operator/core/src/finding"];

/// The hundreds of the codes.
const AREAS: [&str; 7] = [
    "The policy as a whole",
    "Origins",
    "Dangers",
    "Methods and headers",
    "Hosts and rules",
    "Files, targets and neighbours",
    "Guardrails and sets of origins",
];

#[test]
fn what_is_said_of_a_sets_origin_keeps_its_code_and_names_the_set() {
    let reason = OriginReason::Null.into();
    let of = OriginSetReason::Of { set: "partners".into(), reason };
    let finding = Finding::new("spec.cors.allowOriginsFrom[0]", of);
    assert_eq!(
        finding.to_string(),
        "spec.cors.allowOriginsFrom[0]: in the `OriginSet` `partners`, any site can send `null`, by way of a sandboxed frame: name the real origin, unless every site may read the responses [CORS-W102]"
    );
}

/// A file of the repository.
fn of_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Every code that stands in the sources.
fn codes_in_sources() -> Vec<String> {
    let is_code = |piece: &&str| piece.strip_prefix("CORS-").is_some_and(|rest| rest.len() == 4);
    let mut codes = Vec::new();
    for folder in SOURCES {
        for file in fs::read_dir(of_repository(folder)).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                let source = fs::read_to_string(path).unwrap();
                codes.extend(source.split('"').filter(is_code).map(str::to_owned));
            }
        }
    }
    codes
}

/// Compares `text` with a committed file, or writes the file under `UPDATE_GOLDEN`.
#[track_caller]
fn assert_committed(path: &str, text: &str) {
    let path = of_repository(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is out of date: run `UPDATE_GOLDEN=1 cargo test -p corsward-cli --lib codes` and read the change",
        path.display()
    );
}

#[test]
fn every_code_is_used_once_and_has_its_example_here() {
    let in_sources = codes_in_sources();
    let unique: BTreeSet<&str> = in_sources.iter().map(String::as_str).collect();
    assert_eq!(unique.len(), in_sources.len(), "a code occurs twice in the sources");
    let findings = examples();
    let codes: BTreeSet<&str> = findings.iter().map(Finding::code).collect();
    assert_eq!(codes.len(), findings.len(), "two examples have the same code");
    assert_eq!(codes, unique);
}

#[test]
fn a_sentence_is_one_line_in_lower_case_without_a_full_stop() {
    for finding in examples() {
        let sentence = finding.message();
        let code = finding.code();
        assert!(!sentence.contains('\n'), "{code}: {sentence}");
        assert!(!sentence.ends_with('.'), "{code}: {sentence}");
        assert!(!sentence.starts_with(|c: char| c.is_uppercase()), "{code}: {sentence}");
        assert_eq!(sentence.matches('`').count() % 2, 0, "{code}: {sentence}");
        assert!(sentence.len() < 320, "{code}: {sentence}");
    }
}

#[test]
fn what_was_meant_as_a_regex_is_sent_to_its_field() {
    let finding = |value: &str| {
        let (why, value) = (InvalidOrigin::HostCharacter('('), value.to_owned());
        let reason = OriginReason::Invalid { value, why, instead: Box::default() };
        Finding::new("spec.cors.allowOrigins[0]", reason).message()
    };
    assert!(finding("https://(a|b).app.example").contains("`allowOriginRegexes`"));
    assert!(!finding("https://a,b.app.example").contains("`allowOriginRegexes`"));
}

#[test]
fn each_code_that_has_an_edit_has_the_class_of_its_edits() {
    for finding in examples() {
        let code = finding.code();
        let has_class = Applicability::of_code(code) != Applicability::Author;
        let fields: Vec<String> = finding.edits().iter().map(|edit| format!("{edit:?}")).collect();
        if fields.iter().any(|edit| edit.contains("dangerouslyAllow")) {
            assert!(!has_class, "{code}: its author decides on a danger");
        } else if !fields.is_empty() {
            assert!(has_class, "{code}: its edit is neither safe nor unsafe");
        }
    }
    let known: BTreeSet<&str> = examples().iter().map(Finding::code).collect();
    for code in SAFE.iter().chain(&UNSAFE) {
        assert!(known.contains(code), "{code} is no code");
    }
    assert!(SAFE.iter().all(|code| !UNSAFE.contains(code)));
}

#[test]
fn the_sentences_are_the_committed_ones() {
    let mut text = String::new();
    for finding in examples() {
        writeln!(text, "{finding}").unwrap();
    }
    assert_committed("cli/src/check/codes/sentences.txt", &text);
}

#[test]
fn the_manual_of_findings_is_the_committed_one() {
    let mut text = String::from(
        "# Findings\n\n\
         Everything corsward says about a policy, written by a test from the code itself. The letter of a code is its weight:\n\
         `E` refuses the policy, `W` warns, `I` hints. Codes are never reused. Values are examples.\n\n\
         The last column is the class of the edits that [`corsward check`](check.md#edits) makes: `safe` by `--fix`, `unsafe` by\n\
         `--fix --unsafe-fixes`. With `author` the author decides.\n",
    );
    for (hundreds, area) in AREAS.iter().enumerate() {
        let is_of_area = |finding: &Finding| number(finding.code()) / 100 == hundreds;
        let findings = examples().into_iter().filter(is_of_area);
        write!(text, "\n## {area}\n\n").unwrap();
        text.push_str("| code | severity | field | fault | fix | edit |\n");
        text.push_str("|---|---|---|---|---|---|\n");
        for finding in findings {
            let sentence = finding.reason.sentence();
            let cell = |raw: &str| raw.replace('|', "\\|");
            writeln!(
                text,
                "| `{}` | {} | `{}` | {} | {} | {} |",
                sentence.code,
                finding.severity(),
                finding.field,
                cell(&sentence.matter),
                cell(&sentence.fix),
                Applicability::of_code(sentence.code).as_str(),
            )
            .unwrap();
        }
    }
    assert_committed("docs/findings.md", &text);
}
