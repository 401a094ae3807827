//! Tables: what each guardrail refuses and lets pass, which namespaces it selects, and what is wrong with it itself.

use corsward_policy::PolicyId;
use corsward_policy::draft::Closeness;
use corsward_policy::validate::NoJudge;
use serde_json::json;

use super::*;
use crate::api::v1alpha1::CorsPolicySpec;

fn guardrail(guardrails: &Value) -> Guardrail {
    let (guardrail, findings) =
        Guardrail::parse("platform", &json!({ "guardrails": guardrails }), &NoJudge);
    guardrail.unwrap_or_else(|| panic!("{guardrails}: {findings:?}"))
}

fn policy(spec: &Value) -> Policy {
    let id = PolicyId { namespace: "shop".into(), name: "api".into() };
    let typed: CorsPolicySpec = serde_json::from_value(spec.clone()).unwrap();
    let validated = validate(&convert::draft(&id, &typed, Closeness::Namespace), &NoJudge);
    validated.policy.unwrap_or_else(|| panic!("{spec}: {:?}", validated.findings))
}

/// Fields and codes of what a policy exceeds.
fn exceeded(guardrails: &Value, spec: &Value) -> Vec<String> {
    let findings = check(&policy(spec), &[guardrail(guardrails)]);
    findings.iter().map(|finding| format!("{} {}", finding.field, finding.code())).collect()
}

#[test]
fn each_guardrail_refuses_what_is_beyond_it_and_nothing_else() {
    let origins = json!({"allowedOrigins": ["https://*.shop.example", "https://shop.example"]});
    let cors = |cors: Value| json!({ "cors": cors });
    let only = |name: &str, value: Value| {
        let mut cors = json!({"allowOrigins": ["https://shop.example"]});
        cors[name] = value;
        json!({ "cors": cors })
    };
    for (why, guardrails, spec, want) in [
        (
            "contained",
            &origins,
            cors(json!({"allowOrigins": ["https://shop.example", "https://*.a.shop.example"]})),
            vec![],
        ),
        (
            "each origin that is beyond, at its own place, though one is written twice",
            &origins,
            cors(
                json!({"allowOrigins": ["https://shop.example", "https://shop.example", "http://shop.example"]}),
            ),
            vec!["spec.cors.allowOrigins[2] CORS-E601"],
        ),
        (
            "every origin",
            &origins,
            cors(json!({"allowOrigins": ["*"]})),
            vec!["spec.cors.allowOrigins[0] CORS-E601"],
        ),
        (
            "the opaque origin",
            &origins,
            cors(json!({"allowOrigins": ["null"]})),
            vec!["spec.cors.allowOrigins[0] CORS-E601"],
        ),
        ("nobody", &origins, cors(json!({})), vec![]),
        (
            "in a rule",
            &origins,
            json!({"rules": [{"path": {"type": "Exact", "value": "/a"}, "cors": {"allowOrigins": ["https://b.example"]}}]}),
            vec!["spec.rules[0].cors.allowOrigins[0] CORS-E601"],
        ),
        (
            "trusted origins are not bounded: nothing is shared with them",
            &origins,
            json!({"cors": {"allowOrigins": []}, "disallowedRequests": "Reject", "trustedOrigins": ["https://idp.example"]}),
            vec![],
        ),
        (
            "none at all",
            &json!({"allowedOrigins": []}),
            only("maxAge", json!(5)),
            vec!["spec.cors.allowOrigins[0] CORS-E601"],
        ),
        (
            "a regex beside allowed origins",
            &origins,
            cors(json!({"allowOriginRegexes": ["https://[a-z]+[.]shop[.]example"]})),
            vec!["spec.cors.allowOriginRegexes[0] CORS-E602"],
        ),
        (
            "a regex where they are allowed",
            &json!({"allowedOrigins": [], "allowRegexes": true}),
            cors(json!({"allowOriginRegexes": ["https://[a-z]+[.]shop[.]example"]})),
            vec![],
        ),
        (
            "a regex, and origins are free",
            &json!({"maxMaxAge": 5}),
            cors(json!({"allowOriginRegexes": ["https://a"]})),
            vec![],
        ),
        (
            "no regex, though origins are free",
            &json!({"allowRegexes": false}),
            cors(json!({"allowOriginRegexes": ["https://a"]})),
            vec!["spec.cors.allowOriginRegexes[0] CORS-E602"],
        ),
        (
            "a word, though nothing needs it",
            &json!({"forbidDanger": ["NullOriginWithCredentials"]}),
            only(
                "dangerouslyAllow",
                json!(["InsecureOriginWithCredentials", "NullOriginWithCredentials"]),
            ),
            vec!["spec.cors.dangerouslyAllow[1] CORS-E603"],
        ),
        ("the longest", &json!({"maxMaxAge": 600}), only("maxAge", json!(600)), vec![]),
        (
            "longer",
            &json!({"maxMaxAge": 600}),
            only("maxAge", json!(601)),
            vec!["spec.cors.maxAge CORS-E604"],
        ),
        ("not said", &json!({"maxMaxAge": 0}), only("allowMethods", json!(["PUT"])), vec![]),
        (
            "methods, but not those that need no permission",
            &json!({"allowedMethods": ["PUT"]}),
            only("allowMethods", json!(["GET", "PUT", "DELETE", "put"])),
            vec!["spec.cors.allowMethods CORS-E605", "spec.cors.allowMethods CORS-E605"],
        ),
        (
            "every method",
            &json!({"allowedMethods": ["PUT"]}),
            only("allowMethods", json!(["*"])),
            vec!["spec.cors.allowMethods CORS-E605"],
        ),
        (
            "every method, allowed",
            &json!({"allowedMethods": ["*"]}),
            only("allowMethods", json!(["*"])),
            vec![],
        ),
        (
            "headers in any case",
            &json!({"allowedHeaders": ["Content-Type"]}),
            only("allowHeaders", json!(["content-type"])),
            vec![],
        ),
        (
            "a star does not cover authorization",
            &json!({"allowedHeaders": ["*"]}),
            only("allowHeaders", json!(["x-a", "authorization"])),
            vec!["spec.cors.allowHeaders CORS-E606"],
        ),
        (
            "every header",
            &json!({"allowedHeaders": ["authorization"]}),
            only("allowHeaders", json!(["*", "authorization"])),
            vec!["spec.cors.allowHeaders CORS-E606"],
        ),
    ] {
        assert_eq!(exceeded(guardrails, &spec), want, "{why}");
    }
}

#[test]
fn requests_must_be_rejected_wherever_something_is_allowed() {
    let rule = |at: &str, more: Value| {
        let mut rule = json!({"path": {"type": "Exact", "value": at}, "cors": {"allowOrigins": ["https://a.example"]}});
        for (name, value) in more.as_object().unwrap() {
            rule[name] = value.clone();
        }
        rule
    };
    let cors = json!({"allowOrigins": ["https://a.example"]});
    let own = "spec.disallowedRequests CORS-E607";
    for (why, spec, want) in [
        ("not said", json!({"cors": cors}), vec![own]),
        ("rejected", json!({"cors": cors, "disallowedRequests": "Reject"}), vec![]),
        (
            "a rule that forwards",
            json!({"cors": cors, "disallowedRequests": "Reject", "rules": [rule("/a", json!({})), rule("/b", json!({"disallowedRequests": "Forward"}))]}),
            vec!["spec.rules[1].disallowedRequests CORS-E607"],
        ),
        (
            "nothing is left to what the policy says",
            json!({"rules": [rule("/a", json!({"disallowedRequests": "Reject"}))]}),
            vec![],
        ),
        ("a rule leaves it to the policy", json!({"rules": [rule("/a", json!({}))]}), vec![own]),
    ] {
        assert_eq!(exceeded(&json!({"requireDisallowedRequests": "Reject"}), &spec), want, "{why}");
    }
}

#[test]
fn a_warning_names_the_guardrail_and_what_to_write() {
    let spec = json!({"enforcement": "Warn", "guardrails": {"maxMaxAge": 600}});
    let guardrail = Guardrail::parse("platform", &spec, &NoJudge).0.unwrap();
    assert!(!guardrail.is_enforced());
    let policy = policy(&json!({"cors": {"allowOrigins": ["https://a.example"], "maxAge": 7200}}));
    let findings = check(&policy, &[guardrail]);
    assert_eq!(findings.len(), 1);
    assert_eq!(
        findings[0].to_string(),
        "spec.cors.maxAge: `7200` is above the 600 seconds of guardrail `platform`: write `600` or less, or ask who owns the guardrail [CORS-W604]"
    );
    assert_eq!(findings[0].severity(), Severity::Warning);
}

#[test]
fn of_several_guardrails_all_apply_and_refusals_come_first() {
    let warn =
        json!({"enforcement": "Warn", "guardrails": {"allowedOrigins": ["https://b.example"]}});
    let warn = Guardrail::parse("soft", &warn, &NoJudge).0.unwrap();
    let hard = guardrail(&json!({"allowedOrigins": ["https://c.example"]}));
    let policy = policy(&json!({"cors": {"allowOrigins": ["https://a.example"]}}));
    let codes: Vec<_> = check(&policy, &[warn, hard]).iter().map(Finding::code).collect();
    assert_eq!(codes, ["CORS-E601", "CORS-W601"]);
}

#[test]
fn a_selector_selects_as_in_kubernetes() {
    let labels = |pairs: &[(&str, &str)]| -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let (dev, live, bare) =
        (labels(&[("env", "dev")]), labels(&[("env", "live"), ("team", "shop")]), labels(&[]));
    let expression = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "env", "operator": operator, "values": values}]});
    for (why, selector, want) in [
        ("absent: all", Value::Null, [true, true, true]),
        ("labels", json!({"matchLabels": {"env": "live", "team": "shop"}}), [false, true, false]),
        ("in", expression("In", json!(["dev", "test"])), [true, false, false]),
        ("not in, or without the label", expression("NotIn", json!(["dev"])), [false, true, true]),
        ("exists", expression("Exists", json!([])), [true, true, false]),
        ("does not exist", expression("DoesNotExist", json!([])), [false, false, true]),
        (
            "both",
            json!({"matchLabels": {"team": "shop"}, "matchExpressions": [{"key": "env", "operator": "In", "values": ["dev"]}]}),
            [false; 3],
        ),
        (
            "by name, before its labels are known",
            json!({"matchLabels": {"kubernetes.io/metadata.name": "shop"}}),
            [true; 3],
        ),
        (
            "by another name",
            json!({"matchLabels": {"kubernetes.io/metadata.name": "till"}}),
            [false; 3],
        ),
    ] {
        let spec = json!({"namespaceSelector": selector, "guardrails": {"maxMaxAge": 1}});
        let guardrail = Guardrail::parse("platform", &spec, &NoJudge).0.unwrap();
        let selected = [&dev, &live, &bare].map(|labels| guardrail.selects("shop", labels));
        assert_eq!(selected, want, "{why}");
    }
}

#[test]
fn a_guardrail_that_cannot_be_understood_is_refused_with_every_reason() {
    for (why, spec, want) in [
        ("nothing", json!({}), vec!["spec.guardrails CORS-E504"]),
        ("no guardrail", json!({"guardrails": {}}), vec!["spec.guardrails CORS-E611"]),
        (
            "everything wrong",
            json!({
                "namespaceSelector": {"matchExpressions": [{"key": "env", "operator": "In"}, {"key": "env", "operator": "Exists", "values": ["x"]}]},
                "guardrails": {
                    "allowedOrigins": ["shop.example"],
                    "allowedMethods": ["TRACE"],
                    "allowedHeaders": ["x csrf"],
                    "maxMaxAge": -1,
                },
            }),
            vec![
                "spec.namespaceSelector.matchExpressions[0].values CORS-E609",
                "spec.namespaceSelector.matchExpressions[1].values CORS-E610",
                "spec.guardrails.allowedOrigins[0] CORS-E103",
                "spec.guardrails.maxMaxAge CORS-E002",
                "spec.guardrails.allowedMethods[0] CORS-E302",
                "spec.guardrails.allowedHeaders[0] CORS-E303",
            ],
        ),
        (
            "an empty selector",
            json!({"namespaceSelector": {}, "guardrails": {"maxMaxAge": 1}}),
            vec!["spec.namespaceSelector CORS-E608"],
        ),
        (
            "a field misspelt",
            json!({"guardrails": {"maxAge": 1, "maxMaxAge": 1}}),
            vec!["spec.guardrails.maxAge CORS-E503"],
        ),
    ] {
        let (guardrail, findings) = Guardrail::parse("platform", &spec, &NoJudge);
        assert_eq!(guardrail, None, "{why}");
        let said: Vec<_> = findings.iter().map(|f| format!("{} {}", f.field, f.code())).collect();
        assert_eq!(said, want, "{why}");
    }
}
