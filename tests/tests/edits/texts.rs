//! Texts: the edit of a finding in a file, in every form that an author writes.

use std::collections::BTreeSet;

use corsward_cli::yaml_text::amended;
use corsward_manifest::amend;
use serde_json::Value;

use crate::findings;
use crate::rows::{Row, rows};

/// The text of an object.
type Form = fn(&Value) -> String;

/// A comment before the object, and another object behind it.
fn yaml(object: &Value) -> String {
    let text = serde_saphyr::to_string(object).unwrap();
    format!("# kept\n---\n{text}---\n# kept, too\nkind: Other   # as it is\n")
}

#[test]
fn each_edit_is_made_in_each_form_of_a_text() {
    let forms: [(&str, Form); 4] = [
        ("block", yaml),
        ("flow", |object| format!("# kept\n{object}\n")),
        ("JSON", |object| serde_json::to_string_pretty(object).unwrap()),
        ("a list", |object| {
            let text = serde_saphyr::to_string(object).unwrap();
            let item = text.trim_end().replace('\n', "\n  ");
            format!("apiVersion: v1\nkind: List\nitems:\n- {item}\n# kept\n")
        }),
    ];
    let mut failures = BTreeSet::new();
    let mut count = 0;
    for Row { why, object, beside, .. } in rows() {
        for finding in findings(&object, &beside) {
            for edit in finding.edits() {
                if amend::apply(&mut object.clone(), &edit).is_err() {
                    continue;
                }
                for (form, write) in forms {
                    let text = write(&object);
                    count += 1;
                    match amended(&text, 0, &edit) {
                        None => {
                            failures.insert(format!("{form} {why}: {edit:?}\n{text}"));
                        }
                        Some(after) => {
                            let kept = |text: &str| text.matches("kept").count();
                            assert_eq!(kept(&after), kept(&text), "{form} {why}: {after}");
                        }
                    }
                }
            }
        }
    }
    assert!(count > 1_000, "{count} edits");
    assert!(
        failures.is_empty(),
        "{} of {count}\n{}",
        failures.len(),
        Vec::from_iter(failures).join("\n")
    );
}
