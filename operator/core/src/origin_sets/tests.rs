//! The content of sets, their way into a policy, and the places of their findings.

use corsward_api::v1alpha1::CorsPolicySpec;
use corsward_manifest::convert;
use corsward_policy::PolicyId;
use corsward_policy::draft::Specificity;
use corsward_policy::validate::NoKnowledge;
use serde_json::json;

use super::*;

/// A lookup that knows two sets, of which one is refused.
fn lookup<'s>(partners: &'s [String]) -> impl Fn(&str) -> Result<&'s [String], OriginSetReason> {
    move |name| match name {
        "partners" => Ok(partners),
        "broken" => Err(OriginSetReason::Refused(name.to_owned())),
        _ => Err(OriginSetReason::Missing(name.to_owned())),
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn from(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"kind": "OriginSet", "name": name})).collect()
}

#[test]
fn the_origins_of_a_set_stand_behind_those_of_the_policy() {
    let partners = strings(&["https://b.example", "https://c.example"]);
    let mut spec = json!({
        "cors": {"allowOrigins": ["https://a.example"], "allowOriginsFrom": from(&["partners"])},
        "rules": [
            {"cors": {"allowOriginsFrom": from(&["partners"])}},
            {"cors": {"allowOrigins": ["*"]}},
            {},
        ],
    });
    assert_eq!(names(&spec), BTreeSet::from(["partners".to_owned()]));
    let resolved = resolve(&mut spec, lookup(&partners));
    assert_eq!(resolved.findings, []);
    assert_eq!(
        spec,
        json!({
            "cors": {"allowOrigins": ["https://a.example", "https://b.example", "https://c.example"]},
            "rules": [
                {"cors": {"allowOrigins": ["https://b.example", "https://c.example"]}},
                {"cors": {"allowOrigins": ["*"]}},
                {},
            ],
        })
    );
    let again = spec.clone();
    assert_eq!(resolve(&mut spec, lookup(&[])), Resolved::default());
    assert_eq!(spec, again, "what is resolved stands for itself");
}

#[test]
fn a_set_that_is_missing_or_refused_is_named_where_the_policy_names_it() {
    let mut spec = json!({
        "cors": {"allowOriginsFrom": from(&["gone", "partners", "broken", "partners"])},
        "rules": [{}, {"cors": {"allowOriginsFrom": from(&["gone"])}}],
    });
    let partners = strings(&["https://b.example"]);
    let said: Vec<_> = resolve(&mut spec, lookup(&partners))
        .findings
        .iter()
        .map(|finding| format!("{} {}", finding.field, finding.code()))
        .collect();
    assert_eq!(
        said,
        [
            "spec.cors.allowOriginsFrom[0] CORS-E621",
            "spec.cors.allowOriginsFrom[2] CORS-E622",
            "spec.cors.allowOriginsFrom[3] CORS-I621",
            "spec.rules[1].cors.allowOriginsFrom[0] CORS-E621",
        ]
    );
    assert_eq!(spec["cors"]["allowOrigins"], json!(["https://b.example"]), "the rest is judged");
}

#[test]
fn what_is_wrong_with_an_origin_of_a_set_is_said_where_the_policy_names_the_set() {
    let partners = strings(&["http://b.example", "https://a.example", "null"]);
    let mut spec = json!({"cors": {
        "allowOrigins": ["https://a.example", "http://d.example"],
        "allowOriginsFrom": from(&["partners"]),
        "allowCredentials": true,
        "allowMethods": ["PUT"],
        "allowHeaders": ["x-a"],
        "maxAge": 600,
    }});
    let resolved = resolve(&mut spec, lookup(&partners));
    let id = PolicyId { namespace: "shop".into(), name: "api".into() };
    let typed: CorsPolicySpec = serde_json::from_value(spec).unwrap();
    let validated =
        validate(&convert::draft(&id, &typed, Specificity::Namespace, None), &NoKnowledge);
    let said: Vec<_> = validated
        .findings
        .into_iter()
        .map(|finding| resolved.address(finding).to_string())
        .collect();
    let starts = [
        "spec.cors.allowOrigins[1]: anyone on the user's network can become `http://d.example`",
        "spec.cors.allowOriginsFrom[0]: in the `OriginSet` `partners`, anyone on the user's network can become `http://b.example`",
        "spec.cors.allowOriginsFrom[0]: in the `OriginSet` `partners`, any site can send `null`",
        "spec.cors.allowOriginsFrom[0]: in the `OriginSet` `partners`, any site can send `null`",
        "spec.cors.allowOriginsFrom[0]: in the `OriginSet` `partners`, `https://a.example` repeats `spec.cors.allowOrigins[0]`",
    ];
    assert_eq!(said.len(), starts.len(), "{said:#?}");
    for (said, start) in said.iter().zip(starts) {
        assert!(said.starts_with(start), "{said}\n{start}");
    }
}

#[test]
fn an_origin_that_two_sets_have_names_the_set_that_had_it_first() {
    let partners = strings(&["https://b.example"]);
    let mut spec = json!({"cors": {"allowOriginsFrom": from(&["partners", "others"])}});
    let resolved = resolve(&mut spec, |_| Ok(&*partners));
    let (value, first) = ("https://b.example".to_owned(), "spec.cors.allowOrigins[0]".to_owned());
    let repeated = Finding::new("spec.cors.allowOrigins[1]", ListReason::Repeated { value, first });
    assert_eq!(
        resolved.address(repeated).to_string(),
        "spec.cors.allowOriginsFrom[1]: in the `OriginSet` `others`, `https://b.example` repeats `spec.cors.allowOriginsFrom[0]`: remove one of them [CORS-I001]"
    );
}

#[test]
fn names_that_are_no_sets_are_left_to_the_check_of_the_shape() {
    for spec in [
        json!(null),
        json!([]),
        json!({"cors": []}),
        json!({"cors": {"allowOriginsFrom": "partners"}}),
        json!({"cors": {"allowOriginsFrom": ["partners", {"kind": "OriginSet"}]}}),
        json!({"rules": {"cors": {}}}),
        json!({"rules": [7]}),
        json!({"cors": {"allowOrigins": null, "allowOriginsFrom": from(&["partners"])}}),
        json!({"cors": {"allowOrigins": "https://a.example", "allowOriginsFrom": from(&["partners"])}}),
    ] {
        let mut resolved = spec.clone();
        let partners = strings(&["https://b.example"]);
        assert_eq!(resolve(&mut resolved, lookup(&partners)).findings, [], "{spec}");
    }
}

#[test]
fn a_set_is_judged_by_the_grammar_of_origins() {
    for (why, spec, want) in [
        ("valid", json!({"origins": ["https://a.example", "https://*.b.example", "null"]}), vec![]),
        (
            "every origin",
            json!({"origins": ["https://a.example", "*"]}),
            vec!["spec.origins[1] CORS-E623"],
        ),
        (
            "no origin",
            json!({"origins": ["https://a.example/", "a.example"]}),
            vec!["spec.origins[0] CORS-E106", "spec.origins[1] CORS-E103"],
        ),
        ("empty", json!({"origins": []}), vec!["spec.origins CORS-W621"]),
        (
            "covered",
            json!({"origins": ["https://*.a.example", "https://b.a.example"]}),
            vec!["spec.origins[1] CORS-I101"],
        ),
        ("nothing", json!({}), vec!["spec.origins CORS-E511"]),
        ("no list", json!({"origins": "https://a.example"}), vec!["spec.origins CORS-E509"]),
        (
            "a field misspelt",
            json!({"origin": [], "origins": ["https://a.example"]}),
            vec!["spec.origin CORS-E503"],
        ),
    ] {
        let (origins, findings) = parse(&spec);
        let said: Vec<_> = findings.iter().map(|f| format!("{} {}", f.field, f.code())).collect();
        assert_eq!(said, want, "{why}");
        let refused = want.iter().any(|said| said.contains("CORS-E"));
        assert_eq!(origins.is_none(), refused, "{why}");
    }
}
