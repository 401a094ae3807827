//! Findings about values that do not fit.

use corsward_manifest::finding::{Meant, MeantField, ShapeReason};
use corsward_policy::Finding;
use corsward_policy::finding::Written;

pub(super) fn all() -> Vec<Finding> {
    use ShapeReason as R;
    vec![
        Finding::new(
            "spec.cors.allowOrigin",
            R::UnknownField {
                name: "allowOrigin".into(),
                meant: Some(Box::new(meant("spec.cors", "allowOrigins", None))),
                explain: "corspolicy.spec.cors".into(),
            },
        ),
        Finding::new(
            "spec",
            R::WrongShape {
                message: "invalid type: null".into(),
                explain: "corspolicy.spec".into(),
            },
        ),
        Finding::new(
            "spec.cors.maxAge",
            R::WrongType {
                expected: "a whole number",
                found: "\"600\"".into(),
                instead: Some(Written::Number(600)),
                explain: "corspolicy.spec.cors.maxAge".into(),
            },
        ),
        Finding::new(
            "spec.mode",
            R::UnknownWord {
                advice: None,
                word: "active".into(),
                known: ["Active", "DryRun", "Off"].map(str::to_owned).to_vec(),
                similar: Some("Active".into()),
            },
        ),
    ]
    .into_iter()
    .chain(others())
    .collect()
}

fn others() -> Vec<Finding> {
    use ShapeReason as R;
    vec![
        Finding::new(
            "spec.cors.allowOrigins[0]",
            R::Match {
                found: "{\"exact\":\"https://app.example\"}".into(),
                entry: Some(Box::new((None, Written::text("https://app.example")))),
                accepts: None,
            },
        ),
        Finding::new(
            "spec.rules[0].path.type",
            R::MissingField { instead: None, explain: "corspolicy.spec.rules.path.type".into() },
        ),
        Finding::new(
            "spec.targetRefs",
            R::Length { count: 0, what: "entries", allowed: "at least 1".into() },
        ),
        unquoted(true),
        unquoted(false),
        Finding::new(
            "spec.preflight.onFailure",
            R::Misplaced {
                found: "204".into(),
                meant: Box::new(meant("spec.preflight", "successStatus", Some(204))),
            },
        ),
        Finding::new("spec.cors.allowOrigins", R::Reflected { found: "true".into() }),
        Finding::new(
            "spec.rules[0].path",
            R::ForeignMapping {
                found: "{\"prefix\":\"/api\"}".into(),
                instead: Some(Written::Mapping(vec![
                    ("type".into(), Written::text("PathPrefix")),
                    ("value".into(), Written::text("/api")),
                ])),
            },
        ),
    ]
}

fn meant(around: &str, leaf: &str, number: Option<i64>) -> Meant {
    Meant::Field(MeantField {
        beside: around.into(),
        around: around.into(),
        leaf: leaf.into(),
        value: number.map(Written::Number),
        present: None,
        is_edit: true,
        is_required: false,
        note: "",
    })
}

fn unquoted(refused: bool) -> Finding {
    let (written, read) = ("Off".to_owned(), "false".to_owned());
    Finding::new("spec.mode", ShapeReason::Unquoted { written, read, refused })
}
