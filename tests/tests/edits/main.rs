//! The edits of findings: a program makes them, and the object is validated again.

mod copied;
mod guesses;
mod rows;
mod safe;
mod shapes;
mod spellings;
mod strangers;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use corsward_api::definitions;
use corsward_cli::policies::{FileSource, Policies, SourceFile};
use corsward_manifest::amend;
use corsward_manifest::document::Kind;
use corsward_operator::source::document;
use corsward_operator_core::capabilities::Reach;
use corsward_operator_core::guardrails::{self, Guardrail};
use corsward_operator_core::origin_sets::{self, Sets};
use corsward_operator_core::validation::{Context, Validation, validate_object};
use corsward_policy::Finding;
use corsward_policy::finding::{Edit, Written};
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
    ("CORS-E410", "the address is not in the text"),
    ("CORS-E408", "no host can be told from one that is too long"),
    ("CORS-E413", "the shorter prefix takes its author"),
    ("CORS-E417", "the block takes its author"),
    ("CORS-E505", "the name takes its author"),
    ("CORS-E512", "the entries take their author"),
    ("CORS-E515", "there is no object where the text is no YAML"),
    ("CORS-E513", "in the object the quotes are there: they are missing in the text of the file"),
    ("CORS-W501", "in the object the quotes are there: they are missing in the text of the file"),
];

/// The context of policies for one place.
fn context(sets: &Sets) -> Context<'_> {
    Context { reach: Reach::One, sets, accepted_before: false, may_have_others: false }
}

/// The findings about an object, beside others that it depends on.
fn findings(object: &Value, beside: &[Value]) -> Vec<Finding> {
    let text: Vec<String> = std::iter::once(object).chain(beside).map(Value::to_string).collect();
    let documents = document::read("a.json", text.join("\n---\n").as_bytes()).unwrap();
    let mut sets = BTreeMap::new();
    let mut bounds = Vec::new();
    for dependency in documents.dependencies {
        if dependency.kind == Kind::ClusterCorsPolicy {
            let name = &dependency.key.name;
            bounds.extend(Guardrail::parse(name, &dependency.spec).0);
        } else {
            let origins = origin_sets::parse(&dependency.spec).0;
            sets.insert(dependency.key, origins);
        }
    }
    let mut said: Vec<Finding> = documents.lost;
    said.extend(documents.problems.into_iter().map(|problem| {
        let finding = problem.finding;
        // The name of the object stands before the field.
        let field = finding.field.rsplit(' ').next().unwrap_or_default().to_owned();
        Finding { field, ..finding }
    }));
    for object in &documents.objects {
        let Validation { accepted, findings, spec: _ } = validate_object(object, context(&sets));
        said.extend(findings);
        if let Some(accepted) = accepted {
            said.extend(guardrails::check(&accepted.policy, &bounds));
        }
    }
    said
}

/// The number of findings of each refusal.
fn refusals(findings: &[Finding]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for finding in findings.iter().filter(|it| it.is_refusal()) {
        *counts.entry(finding.code()).or_default() += 1;
    }
    counts
}

fn count(findings: &[Finding], code: &str) -> usize {
    findings.iter().filter(|finding| finding.code() == code).count()
}

/// The faults of the edits of a finding about that object.
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
fn each_command_that_a_finding_shows_names_a_field_of_the_resource() {
    let metadata = |name: &str| ["annotations", "labels", "name", "namespace"].contains(&name);
    let definitions = serde_json::to_value(definitions()).unwrap();
    let is_field = |argument: &str| {
        let mut names = argument.split('.');
        let kind = names.next().unwrap();
        let resource = definitions
            .as_array()
            .unwrap()
            .iter()
            .find(|definition| definition["spec"]["names"]["singular"] == kind);
        let mut schema = &resource.unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        // An API server adds it.
        if names.clone().next() == Some("metadata") {
            return names.skip(1).all(metadata);
        }
        names.all(|name| {
            let whole = if schema["items"].is_object() { &schema["items"] } else { schema };
            schema = &whole["properties"][name];
            schema.is_object()
        })
    };
    let mut objects: Vec<Value> = rows().into_iter().map(|row| row.object).collect();
    let policies = [
        json!({"cors": 7, "rules": [7, {"path": 7}, {"paths": 7}], "retries": 3}),
        json!({"cors": {"maxAge": "soon", "nothing": 1}, "preflight": {"nothing": 1}}),
        json!({"selector": {"matchLabels": {"a.b/c": {}}}, "targetRefs": [{"nothing": 1}]}),
    ];
    objects.extend(policies.map(|spec| object("CorsPolicy", &spec)));
    objects.push(object("OriginSet", &json!({"origins": {}, "nothing": 1})));
    objects.push(object("ClusterCorsPolicy", &json!({"guardrails": {"nothing": 1}, "mode": 1})));
    let mut labelled =
        object("CorsPolicy", &json!({"cors": {"allowOrigins": ["https://a.example"]}}));
    labelled["metadata"]["labels"] = json!({"a.b/c": {}});
    labelled["metadata"]["nothing"] = json!(1);
    labelled["nothing"] = json!(1);
    objects.push(labelled);
    let mut seen = BTreeSet::new();
    for object in objects {
        for finding in findings(&object, &[]) {
            let message = finding.message();
            for shown in message.split("`kubectl explain ").skip(1) {
                let argument = shown.split('`').next().unwrap();
                assert!(is_field(argument), "{argument} in {message}");
                seen.insert(argument.to_owned());
            }
        }
    }
    for argument in [
        "clustercorspolicy.spec.guardrails",
        "corspolicy",
        "corspolicy.metadata",
        "corspolicy.metadata.labels",
        "corspolicy.spec",
        "corspolicy.spec.cors",
        "corspolicy.spec.cors.maxAge",
        "corspolicy.spec.rules.path",
        "corspolicy.spec.selector.matchLabels",
        "corspolicy.spec.targetRefs",
        "originset.spec.origins",
    ] {
        assert!(seen.contains(argument), "{argument} is not shown: {seen:#?}");
    }
}

#[test]
fn a_text_without_quotes_gets_one_fix_and_that_is_accepted() {
    let policy = "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {name: a}\nspec:\n  cors: {allowOrigins: [https://a.example]}\n";
    let rule =
        |mode: &str| format!("  rules: [{{path: {{type: Exact, value: /a}}, mode: {mode}}}]");
    for (why, fields, code, fix) in [
        ("off in a rule", rule("off"), "CORS-E510", "write `\"Off\"`"),
        ("the word itself in a rule", rule("Off"), "CORS-E513", "write `\"Off\"`"),
        ("on in a rule", rule("on"), "CORS-E510", "write `Active`"),
        ("no in a rule", rule("no"), "CORS-E510", "write `\"Off\"`"),
        ("enforcement in a rule", rule("enforce"), "CORS-E510", "write `Active`"),
        ("off", "  mode: off".to_owned(), "CORS-E510", "write `\"Off\"`"),
        ("on", "  mode: on".to_owned(), "CORS-E510", "write `Active`"),
        ("a rehearsal", "  mode: dryrun".to_owned(), "CORS-E510", "write `DryRun`"),
        ("a failure", "  preflight: {onFailure: off}".to_owned(), "CORS-E510", "write `Forward`"),
        ("rejection", "  disallowedRequests: on".to_owned(), "CORS-E510", "write `Reject`"),
        ("a header", "  diagnostics: yes".to_owned(), "CORS-E510", "write `Header`"),
        ("a header's removal", "  upstreamOrigin: no".to_owned(), "CORS-E510", "write `Remove`"),
        ("a header's stay", "  upstreamOrigin: on".to_owned(), "CORS-E510", "write `Keep`"),
        ("replacement", "  upstreamCorsHeaders: off".to_owned(), "CORS-E510", "write `Replace`"),
    ] {
        let text = format!("{policy}{fields}\n");
        let refused = refused(&text);
        assert_eq!(refused.len(), 1, "{why}: {refused:#?}");
        let message = refused[0].message();
        assert_eq!(refused[0].code(), code, "{why}: {message}");
        assert!(message.contains(fix), "{why}: {message}");
        let value = fields.rsplit(": ").next().unwrap().trim_end_matches(['}', ']']);
        let written = fix.strip_prefix("write `").unwrap().trim_end_matches('`');
        let text = text.replace(&format!(": {value}"), &format!(": {written}"));
        assert_eq!(self::refused(&text), [], "{why}: {text}");
    }
}

#[test]
fn a_mapping_that_the_fix_of_another_field_writes_is_not_missing() {
    for spec in [
        json!({"selector": {"app": "api"}}),
        json!({"selector": {"labels": {"app": "api"}}}),
        json!({"selector": {"app.kubernetes.io/name": "api"}}),
    ] {
        let said =
            findings(&object("CorsPolicy", &crate::rows::with(crate::rows::good(), spec)), &[]);
        assert_eq!(refusals(&said), BTreeMap::from([("CORS-E503", 1)]), "{said:#?}");
    }
}

#[test]
fn a_value_that_reflects_the_origin_is_named_as_that() {
    let with_credentials =
        |origins: Value| json!({"allowOrigins": origins, "maxAge": 600, "allowCredentials": true});
    let plain = |origins: Value| json!({"allowOrigins": origins, "maxAge": 600});
    for (why, cors, field) in [
        ("a truth value", plain(json!(true)), "spec.cors.allowOrigins"),
        ("a word", plain(json!("dynamic")), "spec.cors.allowOrigins"),
        ("a word in a list", plain(json!(["echo"])), "spec.cors.allowOrigins[0]"),
        ("tower-http", plain(json!(["mirror_request"])), "spec.cors.allowOrigins[0]"),
        ("nginx", plain(json!(["$http_origin"])), "spec.cors.allowOrigins[0]"),
        ("Apache", plain(json!(["%{Origin}i"])), "spec.cors.allowOrigins[0]"),
        ("code", plain(json!(["req.headers.origin"])), "spec.cors.allowOrigins[0]"),
        ("a star with credentials", with_credentials(json!("*")), "spec.cors.allowOrigins"),
        ("another star", with_credentials(json!("all")), "spec.cors.allowOrigins"),
    ] {
        let said = findings(&object("CorsPolicy", &json!({"cors": cors})), &[]);
        let refused: Vec<_> = said.iter().filter(|finding| finding.is_refusal()).collect();
        assert_eq!(refused.len(), 1, "{why}: {said:#?}");
        assert_eq!((refused[0].code(), refused[0].field.as_str()), ("CORS-E533", field), "{why}");
    }
    for (why, cors) in [
        ("a host of that name", plain(json!(["https://echo"]))),
        ("a header's name in a host", plain(json!(["https://req.headers.origin"]))),
    ] {
        let said = findings(&object("CorsPolicy", &json!({"cors": cors})), &[]);
        assert_eq!(refusals(&said), BTreeMap::new(), "{why}: {said:#?}");
    }
    let word =
        findings(&object("CorsPolicy", &json!({"cors": with_credentials(json!(["any"]))})), &[]);
    let word = word.iter().find(|finding| finding.code() == "CORS-E103").unwrap();
    assert!(!word.message().contains('*'), "a star is refused beside credentials: {word}");
}

#[test]
fn a_text_without_quotes_in_an_unknown_field_gets_the_fix_of_the_field_alone() {
    let policy = "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {name: a}\nspec:\n  cors: {allowOrigins: [https://a.example], credentials: yes}\n  enforcement: on\n";
    let said: Vec<_> = refused(policy).iter().map(Finding::message).collect();
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[0].contains("write `allowCredentials: true`"), "{said:#?}");
    assert!(said[1].contains("write `mode: Active`"), "{said:#?}");
}

/// The refusals of a policy's text, as `kubectl` would have it.
fn refused(text: &str) -> Vec<Finding> {
    let mut findings = findings_in(text);
    findings.retain(|finding| finding.is_refusal());
    findings
}

/// The findings about a file of that text.
fn findings_in(text: &str) -> Vec<Finding> {
    let (name, bytes) = ("a.yaml".to_owned(), Ok(text.as_bytes().to_vec()));
    let policies = Policies::of(vec![SourceFile { name, bytes, source: FileSource::Path }]);
    policies.findings.into_iter().map(|found| found.finding).collect()
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
        let [code, _, _, _, fix, _] = cells[..] else { panic!("{line}") };
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
