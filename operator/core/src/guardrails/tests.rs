//! Tables: what each guardrail refuses and lets pass, which namespaces it selects, and what is wrong with it itself.

use corsward_api::v1alpha1::CorsPolicySpec;
use corsward_policy::PolicyId;
use corsward_policy::draft::Specificity;
use corsward_policy::validate::NoKnowledge;
use serde_json::json;

use super::*;

fn guardrail(guardrails: &Value) -> Guardrail {
    let (guardrail, findings) = Guardrail::parse("platform", &json!({ "guardrails": guardrails }));
    guardrail.unwrap_or_else(|| panic!("{guardrails}: {findings:?}"))
}

fn policy(spec: &Value) -> Policy {
    let id = PolicyId { namespace: "shop".into(), name: "api".into() };
    let typed: CorsPolicySpec = serde_json::from_value(spec.clone()).unwrap();
    let validated =
        validate(&convert::draft(&id, &typed, Specificity::Namespace, None), &NoKnowledge);
    validated.policy.unwrap_or_else(|| panic!("{spec}: {:?}", validated.findings))
}

/// Fields and codes of what a policy exceeds.
fn exceeded(guardrails: &Value, spec: &Value) -> Vec<String> {
    let findings = check(&policy(spec), &[guardrail(guardrails)]);
    findings.iter().map(|finding| format!("{} {}", finding.field, finding.code())).collect()
}

/// A reason, guardrails, a policy's spec, and fields and codes of the excess.
type GuardrailCase<'r> = (&'r str, Value, Value, &'r [&'r str]);

#[track_caller]
fn assert_rows(rows: &[GuardrailCase<'_>]) {
    for (why, guardrails, spec, want) in rows {
        assert_eq!(&exceeded(guardrails, spec), want, "{why}");
    }
}

fn cors(cors: &Value) -> Value {
    json!({ "cors": cors })
}

/// A policy that allows one origin, and says that.
fn with(name: &str, value: &Value) -> Value {
    json!({"cors": {"allowOrigins": ["https://shop.example"], name: value}})
}

fn origins() -> Value {
    json!({"allowedOrigins": ["https://*.shop.example", "https://shop.example"]})
}

#[test]
fn every_origin_that_a_policy_shares_with_is_contained_in_an_allowed_one() {
    let inside = json!({"allowOrigins": ["https://shop.example", "https://*.a.shop.example"]});
    let twice = ["https://shop.example", "https://shop.example", "http://shop.example"];
    let path = json!({"type": "Exact", "value": "/a"});
    let rule = json!({"path": path, "cors": {"allowOrigins": ["https://b.example"]}});
    let first = ["spec.cors.allowOrigins[0] CORS-E601"].as_slice();
    assert_rows(&[
        ("contained", origins(), cors(&inside), &[]),
        (
            "each origin that is beyond, at its own place, though one is written twice",
            origins(),
            cors(&json!({ "allowOrigins": twice })),
            &["spec.cors.allowOrigins[2] CORS-E601"],
        ),
        ("every origin", origins(), cors(&json!({"allowOrigins": ["*"]})), first),
        ("the opaque origin", origins(), cors(&json!({"allowOrigins": ["null"]})), first),
        ("nobody", origins(), cors(&json!({})), &[]),
        (
            "in a rule",
            origins(),
            json!({ "rules": [rule] }),
            &["spec.rules[0].cors.allowOrigins[0] CORS-E601"],
        ),
        (
            "trusted origins are not bounded: nothing is shared with them",
            origins(),
            json!({"cors": {}, "disallowedRequests": "Reject", "trustedOrigins": ["https://idp.example"]}),
            &[],
        ),
        ("none at all", json!({"allowedOrigins": []}), with("maxAge", &json!(5)), first),
    ]);
}

#[test]
fn origins_of_applications_and_blocks_of_addresses_are_contained_in_their_like() {
    let allowed =
        || json!({"allowedOrigins": ["app://.", "http://10.0.0.0/8:*", "http://[fd00::]/8:*"]});
    let of = |origin: &str| cors(&json!({ "allowOrigins": [origin] }));
    let first = ["spec.cors.allowOrigins[0] CORS-E601"].as_slice();
    assert_rows(&[
        ("the application", allowed(), of("app://."), &[]),
        ("another host of its scheme", allowed(), of("app://localhost"), first),
        ("every host of its scheme", allowed(), of("app://*"), first),
        ("another scheme", allowed(), of("capacitor://."), first),
        ("the block", allowed(), of("http://10.0.0.0/8:*"), &[]),
        ("a block within it", allowed(), of("http://10.1.0.0/16:8080"), &[]),
        ("an address of it", allowed(), of("http://10.1.2.3:3000"), &[]),
        ("a block around it", allowed(), of("http://10.0.0.0/7:*"), first),
        ("a block beside it", allowed(), of("http://11.0.0.0/8:*"), first),
        ("with TLS", allowed(), of("https://10.0.0.0/8:*"), first),
        ("an IPv6 block within", allowed(), of("http://[fd12::]/16:*"), &[]),
        ("an IPv6 block around", allowed(), of("http://[fc00::]/7:*"), first),
        ("a name is no address", allowed(), of("http://10.example:*"), first),
        (
            "an application, where only a block of addresses is allowed",
            json!({"allowedOrigins": ["http://10.0.0.0/8:*"]}),
            of("app://."),
            first,
        ),
    ]);
}

#[test]
fn regexes_are_for_where_they_are_allowed_or_origins_are_free() {
    let regex = || cors(&json!({"allowOriginRegexes": ["https://[a-z]+[.]shop[.]example"]}));
    let first = ["spec.cors.allowOriginRegexes[0] CORS-E602"].as_slice();
    assert_rows(&[
        ("beside allowed origins", origins(), regex(), first),
        ("allowed", json!({"allowedOrigins": [], "allowRegexes": true}), regex(), &[]),
        ("origins are free", json!({"maxMaxAge": 5}), regex(), &[]),
        ("refused, though origins are free", json!({"allowRegexes": false}), regex(), first),
    ]);
}

#[test]
fn a_forbidden_word_and_a_long_memory_exceed() {
    let words = json!(["InsecureOriginWithCredentials", "NullOriginWithCredentials"]);
    assert_rows(&[
        (
            "a word, though nothing needs it",
            json!({"forbidDanger": ["NullOriginWithCredentials"]}),
            with("dangerouslyAllow", &words),
            &["spec.cors.dangerouslyAllow[1] CORS-E603"],
        ),
        ("the longest", json!({"maxMaxAge": 600}), with("maxAge", &json!(600)), &[]),
        (
            "longer",
            json!({"maxMaxAge": 600}),
            with("maxAge", &json!(601)),
            &["spec.cors.maxAge CORS-E604"],
        ),
        ("not said", json!({"maxMaxAge": 0}), with("allowMethods", &json!(["PUT"])), &[]),
    ]);
}

#[test]
fn methods_and_headers_are_among_the_allowed_ones() {
    let methods = |list: Value| with("allowMethods", &list);
    let headers = |list: Value| with("allowHeaders", &list);
    let (method, header) = ("spec.cors.allowMethods CORS-E605", "spec.cors.allowHeaders CORS-E606");
    assert_rows(&[
        (
            "methods, but not those that need no permission",
            json!({"allowedMethods": ["PUT"]}),
            methods(json!(["GET", "PUT", "DELETE", "put"])),
            &[method, method],
        ),
        ("every method", json!({"allowedMethods": ["PUT"]}), methods(json!(["*"])), &[method]),
        ("every method, allowed", json!({"allowedMethods": ["*"]}), methods(json!(["*"])), &[]),
        (
            "in any case",
            json!({"allowedHeaders": ["Content-Type"]}),
            headers(json!(["content-type"])),
            &[],
        ),
        (
            "a star does not cover authorization",
            json!({"allowedHeaders": ["*"]}),
            headers(json!(["x-a", "authorization"])),
            &[header],
        ),
        (
            "every header",
            json!({"allowedHeaders": ["authorization"]}),
            headers(json!(["*", "authorization"])),
            &[header],
        ),
    ]);
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
        (
            "a rule that leaves requests alone is as if there were no policy",
            json!({"cors": cors, "disallowedRequests": "Reject", "rules": [{"path": {"type": "Exact", "value": "/a"}, "mode": "Off"}]}),
            vec![],
        ),
        (
            "nothing but such a rule",
            json!({"rules": [{"path": {"type": "Exact", "value": "/a"}, "mode": "Off"}]}),
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
    let guardrail = Guardrail::parse("platform", &spec).0.unwrap();
    assert!(!guardrail.enforced);
    let policy = policy(&json!({"cors": {"allowOrigins": ["https://a.example"], "maxAge": 7200}}));
    let findings = check(&policy, &[guardrail]);
    assert_eq!(findings.len(), 1);
    assert_eq!(
        findings[0].to_string(),
        "spec.cors.maxAge: `7200` is above the 600 seconds of guardrail `platform`: write `600` or less, or ask who owns the guardrail [CORS-W604]"
    );
    assert!(!findings[0].is_refusal());
}

#[test]
fn of_several_guardrails_all_apply_and_refusals_come_first() {
    let warn =
        json!({"enforcement": "Warn", "guardrails": {"allowedOrigins": ["https://b.example"]}});
    let warn = Guardrail::parse("soft", &warn).0.unwrap();
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
        let guardrail = Guardrail::parse("platform", &spec).0.unwrap();
        let selected = [&dev, &live, &bare].map(|labels| guardrail.selects("shop", labels));
        assert_eq!(selected, want, "{why}");
    }
}

#[test]
fn a_guardrail_that_cannot_be_understood_is_refused_with_every_reason() {
    for (why, spec, want) in [
        ("nothing", json!({}), vec!["spec.guardrails CORS-E511"]),
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
            "a label beside `matchLabels`",
            json!({"namespaceSelector": {"env": "prod"}, "guardrails": {"maxMaxAge": 1}}),
            vec!["spec.namespaceSelector.env CORS-E503"],
        ),
        (
            "labels that no namespace can have",
            json!({"namespaceSelector": {"matchLabels": {"a b": "c"}, "matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["d e"]}]}, "guardrails": {"maxMaxAge": 1}}),
            vec![
                "spec.namespaceSelector.matchLabels.a b CORS-E528",
                "spec.namespaceSelector.matchExpressions[0].values[0] CORS-E528",
            ],
        ),
        (
            "a field misspelt",
            json!({"guardrails": {"maxAge": 1, "maxMaxAge": 1}}),
            vec!["spec.guardrails.maxAge CORS-E503"],
        ),
    ] {
        let (guardrail, findings) = Guardrail::parse("platform", &spec);
        assert_eq!(guardrail, None, "{why}");
        let holds = Guardrail::parse_accepted("platform", &spec).is_some();
        let is_readable = findings.iter().all(|f| f.reason.downcast_ref::<ShapeReason>().is_none());
        assert_eq!(holds, is_readable, "{why}: what held before an upgrade holds after it");
        let said: Vec<_> = findings.iter().map(|f| format!("{} {}", f.field, f.code())).collect();
        assert_eq!(said, want, "{why}");
    }
}
