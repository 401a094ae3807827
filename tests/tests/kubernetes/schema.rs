//! Refusals of the API server by itself: one object for each rule of the definitions, and each bound from both sides.

use std::collections::BTreeSet;
use std::fs;

use corsward_cli::policies::Policies;
use corsward_operator::source::document;
use corsward_test_harness::cluster::LocalCluster;
use corsward_tests::suite;
use serde_json::{Value, json};
use xtask::kubernetes::Answer;

/// A namespace that is always there; nothing is kept in it.
const NAMESPACE: &str = "default";

/// Would this object be created?
fn dry_run(kind: &str, spec: &Value) -> Answer {
    let object = json!({
        "apiVersion": "corsward.io/v1alpha1",
        "kind": kind,
        "metadata": { "name": "a" },
        "spec": spec,
    });
    let collection = match kind {
        "ClusterCorsPolicy" => "/apis/corsward.io/v1alpha1/clustercorspolicies".to_owned(),
        "CorsPolicy" => format!("/apis/corsward.io/v1alpha1/namespaces/{NAMESPACE}/corspolicies"),
        _ => format!("/apis/corsward.io/v1alpha1/namespaces/{NAMESPACE}/originsets"),
    };
    let path = format!("{collection}?dryRun=All&fieldValidation=Strict");
    let body = Some(("application/json", &object));
    LocalCluster::shared().api().send("POST", &path, body).unwrap()
}

/// The fields that `corsward check` refuses of the object.
fn refusals(kind: &str, spec: &Value) -> Vec<String> {
    let metadata = json!({"name": "a"});
    let object = json!({"apiVersion": "corsward.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec});
    let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    fs::write(file.path(), object.to_string()).unwrap();
    let policies = Policies::read(&[file.path()]);
    let refusals = policies.findings.iter().map(|found| &found.finding);
    let refusals = refusals.filter(|finding| finding.is_refusal());
    refusals.map(|finding| finding.field.clone()).collect()
}

/// Is one of these fields that one, or a part of it?
fn names(fields: &[String], whole: &str) -> bool {
    fields
        .iter()
        .filter_map(|field| field.strip_prefix(whole))
        .any(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// A spec in which every field that bounds something is written, and everything in it is valid.
fn full(kind: &str) -> Value {
    let cors = json!({
        "allowOrigins": ["https://a.example"],
        "allowOriginsFrom": [{"kind": "OriginSet", "name": "partners"}],
        "allowOriginRegexes": ["https://[a-z]+[.]b[.]example"],
        "allowMethods": ["PUT"],
        "allowHeaders": ["x-a"],
        "exposeHeaders": ["x-b"],
        "maxAge": 600,
        "dangerouslyAllow": ["NullOriginWithCredentials"],
    });
    match kind {
        "OriginSet" => json!({"origins": ["https://a.example"]}),
        "ClusterCorsPolicy" => json!({
            "namespaceSelector": {
                "matchLabels": {"team": "shop"},
                "matchExpressions": [{"key": "env", "operator": "In", "values": ["dev"]}],
            },
            "guardrails": {
                "allowedOrigins": ["https://a.example"],
                "forbidDanger": ["NullOriginWithCredentials"],
                "maxMaxAge": 600,
                "allowedMethods": ["PUT"],
                "allowedHeaders": ["x-a"],
            },
        }),
        _ => json!({
            "targetRefs": [{"group": "", "kind": "Service", "name": "api", "sectionName": "http"}],
            "hostnames": ["a.example"],
            "cors": cors,
            "trustedOrigins": ["https://idp.example"],
            "rules": [{
                "path": {"type": "PathPrefix", "value": "/a"},
                "cors": cors,
                "trustedOrigins": ["https://idp.example"],
            }],
            "preflight": {"successStatus": 204},
        }),
    }
}

#[test]
fn the_folder_of_examples_is_applied_as_it_is() {
    let examples = suite::folder().join("../examples").display().to_string();
    let cluster = LocalCluster::shared();
    let namespaces = format!("{examples}/00-namespaces.yaml");
    // What is only rehearsed is not there for what comes after it.
    let said = cluster.kubectl(&["apply", "-f", &namespaces], "").unwrap();
    assert!(said.success, "{said:?}");
    let said =
        cluster.kubectl(&["apply", "--dry-run=server", "-o", "name", "-f", &examples], "").unwrap();
    assert!(said.success && said.err.is_empty(), "{said:?}");
    let is_namespace = |line: &&str| line.starts_with("namespace/");
    let (before, after): (Vec<&str>, Vec<&str>) = (
        said.out.lines().take_while(is_namespace).collect(),
        said.out.lines().skip_while(is_namespace).collect(),
    );
    assert!(before.len() == 7 && after.len() >= 11, "{said:?}");
    assert!(!after.iter().any(is_namespace), "a namespace comes after what is in it: {said:?}");
}

#[test]
fn every_other_example_is_accepted_without_a_warning() {
    let examples = suite::folder().join("../examples");
    let mut files = Vec::new();
    for folder in [examples.join("django"), examples.join("policies")] {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")));
    }
    assert!(files.len() >= 2, "{files:?}");
    let cluster = LocalCluster::shared();
    for file in files {
        let documents = document::read("", &fs::read(&file).unwrap()).unwrap();
        let policies = documents.objects.iter().map(|object| &object.id.namespace);
        let namespaces =
            policies.chain(documents.dependencies.iter().map(|near| &near.key.namespace));
        for namespace in namespaces.filter(|namespace| !namespace.is_empty()) {
            let path = format!("/api/v1/namespaces/{namespace}");
            let metadata = json!({"name": namespace});
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
            cluster.api().apply(&path, &object).unwrap();
        }
        let count = documents.objects.len() + documents.dependencies.len();
        let path = file.display().to_string();
        let said =
            cluster.kubectl(&["apply", "--dry-run=server", "-o", "name", "-f", &path], "").unwrap();
        assert!(said.success && said.err.is_empty(), "{path}: {said:?}");
        assert_eq!(said.out.lines().count(), count, "{path}: {said:?}");
    }
}

#[test]
fn each_rule_of_the_definitions_refuses_in_its_own_words() {
    let cors = json!({"allowOrigins": ["https://a.example"]});
    let target = |more: Value| {
        let mut target = json!({"group": "", "kind": "Service", "name": "api"});
        for (name, value) in more.as_object().unwrap() {
            target[name] = value.clone();
        }
        json!({"cors": cors, "targetRefs": [target]})
    };
    let exact = json!({"type": "Exact", "value": "/a"});
    let expressions = |operator: &str, values: Value| {
        json!({
            "namespaceSelector": {"matchExpressions": [{"key": "env", "operator": operator, "values": values}]},
            "guardrails": {"maxMaxAge": 600},
        })
    };
    let policy = "CorsPolicy";
    let mut said = BTreeSet::new();
    for (why, kind, spec, at, message) in [
        (
            "two ways to say where",
            policy,
            json!({"cors": cors, "selector": {"matchLabels": {"app": "api"}}, "targetRefs": [{"group": "", "kind": "Service", "name": "api"}]}),
            "spec",
            "targetRefs and selector exclude each other: write one of them, or neither for every workload of the namespace",
        ),
        (
            "nothing",
            policy,
            json!({}),
            "spec",
            "the policy has neither cors nor rules: write one of them",
        ),
        (
            "no rule",
            policy,
            json!({"rules": []}),
            "spec",
            "the policy has neither cors nor rules: write one of them",
        ),
        (
            "a rule that falls back on nothing",
            policy,
            json!({"rules": [{"path": exact, "cors": cors}, {"path": {"type": "Exact", "value": "/b"}}]}),
            "spec",
            "a rule without cors stands for the cors of the policy, and the policy has none: write cors into the rule",
        ),
        (
            "a rule that is rehearsed alone",
            policy,
            json!({"cors": cors, "rules": [{"path": exact, "mode": "DryRun"}]}),
            "spec.rules[0]",
            "a rule cannot be rehearsed alone: write Active or Off, or mode: DryRun for the whole policy",
        ),
        (
            "a rule that leaves requests alone, and says what is allowed",
            policy,
            json!({"rules": [{"path": exact, "mode": "Off", "cors": cors}]}),
            "spec.rules[0]",
            "a rule with mode Off leaves requests alone: remove its cors, disallowedRequests, trustedOrigins and upstreamOrigin",
        ),
        (
            "a port",
            policy,
            json!({"cors": cors, "hostnames": ["a.example", "b.example:8443"]}),
            "spec",
            "hostnames have no scheme, no port and no path: write api.shop.example or *.shop.example",
        ),
        (
            "a Deployment",
            policy,
            target(json!({"group": "apps", "kind": "Deployment"})),
            "spec.targetRefs[0]",
            "a target is a Service (group \"\") or a Gateway (group gateway.networking.k8s.io)",
        ),
        (
            "another namespace",
            policy,
            target(json!({"name": "shop/api"})),
            "spec.targetRefs[0]",
            "a target is of the policy's own namespace: write its name alone",
        ),
        (
            "a port by its number",
            policy,
            target(json!({"sectionName": "8080"})),
            "spec.targetRefs[0]",
            "the sectionName of a Service is the name of a port, not its number",
        ),
        (
            "every origin beside another",
            policy,
            json!({"cors": {"allowOrigins": ["*", "https://a.example"]}}),
            "spec.cors",
            "`*` allows every origin and stands alone: remove it, or every other origin, regex and set",
        ),
        (
            "every origin beside a set, in a rule",
            policy,
            json!({"rules": [{"path": exact, "cors": {"allowOrigins": ["*"], "allowOriginsFrom": [{"kind": "OriginSet", "name": "a"}]}}]}),
            "spec.rules[0].cors",
            "`*` allows every origin and stands alone: remove it, or every other origin, regex and set",
        ),
        (
            "every origin beside a regex",
            policy,
            json!({"cors": {"allowOrigins": ["*"], "allowOriginRegexes": ["https://a"]}}),
            "spec.cors",
            "`*` allows every origin and stands alone: remove it, or every other origin, regex and set",
        ),
        (
            "every origin with credentials",
            policy,
            json!({"cors": {"allowOrigins": ["*"], "allowCredentials": true, "dangerouslyAllow": ["NullOriginWithCredentials"]}}),
            "spec.cors",
            "`*` with allowCredentials lets every site act as the user: name the origins, or list AnyOriginWithCredentials in dangerouslyAllow",
        ),
        (
            "a relative path",
            policy,
            json!({"rules": [{"path": {"type": "Exact", "value": "a"}, "cors": cors}]}),
            "spec.rules[0].path",
            "a path begins with a slash",
        ),
        (
            "a status that no preflight has",
            policy,
            json!({"cors": cors, "preflight": {"successStatus": 201}}),
            "spec.preflight",
            "successStatus is 200 or 204",
        ),
        (
            "a selector that selects by nothing",
            "ClusterCorsPolicy",
            json!({"namespaceSelector": {}, "guardrails": {"maxMaxAge": 600}}),
            "spec.namespaceSelector",
            "the selector is empty: leave namespaceSelector out to mean every namespace",
        ),
        (
            "nothing to compare with",
            "ClusterCorsPolicy",
            expressions("In", json!([])),
            "spec.namespaceSelector.matchExpressions[0]",
            "In and NotIn need values, Exists and DoesNotExist have none",
        ),
        (
            "nothing to compare",
            "ClusterCorsPolicy",
            expressions("Exists", json!(["dev"])),
            "spec.namespaceSelector.matchExpressions[0]",
            "In and NotIn need values, Exists and DoesNotExist have none",
        ),
        (
            "no guardrail",
            "ClusterCorsPolicy",
            json!({"guardrails": {}}),
            "spec.guardrails",
            "there is no guardrail: write at least one",
        ),
        (
            "a set of everybody",
            "OriginSet",
            json!({"origins": ["https://a.example", "*"]}),
            "spec",
            "a set names origins: write `*` into the allowOrigins of the policy that allows every origin",
        ),
    ] {
        let refused = refusals(kind, &spec);
        assert!(names(&refused, at), "{why}: check refuses {refused:?} and nothing at {at}");
        let answer = dry_run(kind, &spec);
        assert_eq!(answer.status, 422, "{why}: {}", answer.message());
        let causes = answer.body["details"]["causes"].as_array().unwrap();
        assert_eq!(causes.len(), 1, "{why}: {}", answer.message());
        assert_eq!(causes[0]["field"], at, "{why}: {causes:?}");
        let shown = causes[0]["message"].as_str().unwrap();
        assert!(shown.ends_with(&format!(": {message}")), "{why}: {shown}");
        said.insert(message.to_owned());
    }
    assert_eq!(said, messages(), "every rule has its object here");
}

/// The messages of the definitions' rules.
fn messages() -> BTreeSet<String> {
    fn collect(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                let rules = object.get("x-kubernetes-validations").and_then(Value::as_array);
                let messages = rules.into_iter().flatten().map(|rule| rule["message"].as_str());
                found.extend(messages.map(|message| message.expect("a message").to_owned()));
                object.values().for_each(|value| collect(value, found));
            }
            Value::Array(array) => array.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for definition in corsward_api::definitions() {
        collect(&serde_json::to_value(definition).unwrap(), &mut found);
    }
    found
}

#[test]
fn what_looks_like_a_mistake_and_is_none_is_accepted() {
    for (why, kind, spec) in [
        ("everything written", "CorsPolicy", full("CorsPolicy")),
        ("everything written", "ClusterCorsPolicy", full("ClusterCorsPolicy")),
        ("everything written", "OriginSet", full("OriginSet")),
        (
            "every origin alone",
            "CorsPolicy",
            json!({"cors": {"allowOrigins": ["*"], "allowOriginRegexes": [], "allowOriginsFrom": []}}),
        ),
        (
            "every origin with credentials, by name",
            "CorsPolicy",
            json!({"cors": {"allowOrigins": ["*"], "allowCredentials": true, "dangerouslyAllow": ["AnyOriginWithCredentials"]}}),
        ),
        ("nobody", "CorsPolicy", json!({"cors": {}})),
        (
            "null for nothing",
            "CorsPolicy",
            json!({"cors": {"allowOrigins": ["https://a.example"], "maxAge": null}, "selector": null, "rules": null}),
        ),
        (
            "a listener that is called by a number",
            "CorsPolicy",
            json!({"cors": {}, "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web", "sectionName": "443"}]}),
        ),
        ("every host", "CorsPolicy", json!({"cors": {}, "hostnames": ["*"]})),
        ("an IPv6 address", "CorsPolicy", json!({"cors": {}, "hostnames": ["[::1]"]})),
        (
            "one of several guardrails",
            "ClusterCorsPolicy",
            json!({"guardrails": {"allowRegexes": false}}),
        ),
        ("a set of nobody", "OriginSet", json!({"origins": []})),
    ] {
        let answer = dry_run(kind, &spec);
        assert_eq!(answer.status, 201, "{why}: {}", answer.message());
    }
}

/// A bound of a field, and by how much a value is too small or too large.
struct Bound {
    kind: &'static str,
    /// Names and indices from `spec` on.
    path: Vec<String>,
    keyword: &'static str,
    bound: usize,
}

/// Every bound of the definitions.
fn bounds() -> Vec<Bound> {
    fn walk(kind: &'static str, schema: &Value, path: &mut Vec<String>, found: &mut Vec<Bound>) {
        let keywords = [
            "minItems",
            "maxItems",
            "minLength",
            "maxLength",
            "minimum",
            "maximum",
            "minProperties",
            "maxProperties",
        ];
        for keyword in keywords {
            if let Some(bound) = schema.get(keyword).and_then(Value::as_f64) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "bounds are natural numbers"
                )]
                let bound = bound as usize;
                found.push(Bound { kind, path: path.clone(), keyword, bound });
            }
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            path.push(name.clone());
            walk(kind, field, path, found);
            path.pop();
        }
        if schema["items"].is_object() {
            path.push("0".to_owned());
            walk(kind, &schema["items"], path, found);
            path.pop();
        }
    }
    let mut found = Vec::new();
    for kind in ["ClusterCorsPolicy", "CorsPolicy", "OriginSet"] {
        let schema = serde_json::to_value(corsward_api::spec_schema(kind)).unwrap();
        walk(kind, &schema, &mut Vec::new(), &mut found);
    }
    found
}

// === impl Bound ===

impl Bound {
    /// A valid spec, but for this field of that size.
    fn spec(&self, size: usize) -> Value {
        let mut spec = full(self.kind);
        if self.path.first().is_some_and(|name| name == "selector") {
            spec.as_object_mut().unwrap().remove("targetRefs");
            spec["selector"] = json!({"matchLabels": {"app": "api"}});
        }
        let field = spec
            .pointer_mut(&format!("/{}", self.path.join("/")))
            .unwrap_or_else(|| panic!("{}", self.field()));
        match field {
            Value::Array(array) => *array = vec![array[0].clone(); size],
            Value::String(text) => {
                *text = text.chars().chain(std::iter::repeat('a')).take(size).collect()
            }
            Value::Object(object) => {
                *object = (0..size).map(|at| (format!("key-{at}"), json!("value"))).collect();
            }
            Value::Number(number) => *number = size.into(),
            other => panic!("{}: {other}", self.field()),
        }
        spec
    }

    /// As the API server writes it.
    fn field(&self) -> String {
        let name = |name: &String| if name == "0" { "[0]".to_owned() } else { format!(".{name}") };
        format!("spec{}", self.path.iter().map(name).collect::<String>())
    }
}

#[test]
fn each_bound_holds_from_both_sides() {
    let all = bounds();
    assert!(all.len() > 60, "{} bounds", all.len());
    for bound in &all {
        let Bound { keyword, bound: size, .. } = bound;
        // The only kinds that a target may be of are short, and a rule of their own says so.
        let is_word = bound.field() == "spec.targetRefs[0].kind"
            || bound.field() == "spec.targetRefs[0].group";
        if !is_word {
            let answer = dry_run(bound.kind, &bound.spec(*size));
            assert_eq!(
                answer.status,
                201,
                "{} {keyword} {size}: {}",
                bound.field(),
                answer.message()
            );
        }
        let beyond = match size.checked_sub(1) {
            _ if keyword.starts_with("max") => size + 1,
            Some(less) => less,
            // Below nothing there is nothing to write, but for numbers.
            None => continue,
        };
        let refused = refusals(bound.kind, &bound.spec(beyond));
        let is_named = names(&refused, &bound.field());
        assert!(is_named, "{} {keyword} {size}: check refuses {refused:?}", bound.field());
        let answer = dry_run(bound.kind, &bound.spec(beyond));
        assert_eq!(answer.status, 422, "{} {keyword} {size}", bound.field());
        let causes = answer.body["details"]["causes"].as_array().unwrap();
        let named = causes.iter().any(|cause| cause["field"] == bound.field());
        assert!(named, "{} {keyword} {size}: {}", bound.field(), answer.message());
    }
    let negative = json!({"cors": {"allowOrigins": ["https://a.example"], "maxAge": -1}});
    assert_eq!(dry_run("CorsPolicy", &negative).status, 422);
}

/// The pointers to all values in a value, as of RFC 6901.
fn pointers(value: &Value, to: &str, found: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, it)| (name.clone(), it)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, it)| (at.to_string(), it)).collect()
        }
        _ => Vec::new(),
    };
    for (name, inner) in inner {
        let pointer = format!("{to}/{name}");
        pointers(inner, &pointer, found);
        found.push(pointer);
    }
}

#[test]
fn null_anywhere_is_refused_by_check_where_the_server_refuses_it() {
    for kind in ["CorsPolicy", "ClusterCorsPolicy", "OriginSet"] {
        let whole = full(kind);
        let mut all = Vec::new();
        pointers(&whole, "", &mut all);
        for pointer in all {
            let mut spec = whole.clone();
            *spec.pointer_mut(&pointer).unwrap() = Value::Null;
            let answer = dry_run(kind, &spec);
            let refused = refusals(kind, &spec);
            let what = format!("{kind} {pointer}: {}, {refused:?}", answer.message());
            assert_eq!(answer.status == 201, refused.is_empty(), "{what}");
        }
    }
}
