//! Review: what there is to say about an object, and the policy it makes, if it makes one.

use std::sync::{Arc, LazyLock};

use corsward_policy::draft::Closeness;
use corsward_policy::finding::{self, PlacementReason, Reason, SourceReason};
use corsward_policy::{Finding, Judge, Policy, PolicyId, Severity, validate};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use kube::CustomResourceExt as _;
use serde_json::Value;

use crate::api;
use crate::api::v1alpha1::{CorsPolicySpec, TargetRef};
use crate::convert;
use crate::object::{Object, Text};
use crate::shape;

/// What there is to say about an object, and the policy it makes.
#[derive(Clone, Debug)]
pub struct Review {
    /// The policy; `None` where a finding refuses the object.
    pub policy: Option<Arc<Policy>>,
    /// Every finding, refusals first.
    pub findings: Vec<Finding>,
}

/// The schema of `spec`, out of the resource's definition.
static SPEC_SCHEMA: LazyLock<JSONSchemaProps> =
    LazyLock::new(|| api::spec_schema(api::v1alpha1::CorsPolicy::crd()));

/// Reviews an object of a folder, whose targets are checked and not used.
#[must_use]
pub fn review(object: &Object, judge: &dyn Judge) -> Review {
    match &object.text {
        Text::Unreadable(findings) => Review { policy: None, findings: findings.clone() },
        Text::Spec { spec, findings } => review_spec(&object.id, spec, findings.clone(), judge),
    }
}

pub(crate) fn spec_schema() -> &'static JSONSchemaProps {
    &SPEC_SCHEMA
}

fn review_spec(
    id: &PolicyId,
    spec: &Value,
    mut findings: Vec<Finding>,
    judge: &dyn Judge,
) -> Review {
    let mut spec = spec.clone();
    shape::check(spec_schema(), &mut spec, "spec", &mut findings);
    // A spec without its unknown fields is still worth a look: all mistakes at once. One of another shape is not.
    let well_shaped = !findings
        .iter()
        .any(|finding| matches!(finding.reason, Reason::Source(SourceReason::WrongShape(_))));
    let mut policy = None;
    if well_shaped {
        match serde_json::from_value::<CorsPolicySpec>(spec) {
            Ok(spec) => {
                findings.extend(targets(&spec));
                let draft = convert::draft(id, &spec, Closeness::Namespace);
                let validated = validate(&draft, judge);
                policy = validated.policy;
                findings.extend(validated.findings);
            }
            Err(error) => {
                findings.push(Finding::new("spec", SourceReason::WrongShape(error.to_string())));
            }
        }
    }
    finding::sort(&mut findings);
    let refused = findings.iter().any(|finding| finding.severity() == Severity::Refusal);
    Review { policy: policy.filter(|_| !refused).map(Arc::new), findings }
}

/// Findings about targets: they must make sense, though a folder has but one proxy.
fn targets(spec: &CorsPolicySpec) -> Vec<Finding> {
    let CorsPolicySpec { target_refs, selector, .. } = spec;
    let mut findings = Vec::new();
    if !target_refs.is_empty() && selector.is_some() {
        findings.push(Finding::new("spec.selector", PlacementReason::TwoTargets));
    }
    for (at, target) in target_refs.iter().enumerate() {
        let TargetRef { group, kind, name: _, section_name: _ } = target;
        let known = [("", "Service"), ("gateway.networking.k8s.io", "Gateway")];
        if !known.contains(&(group.as_str(), kind.as_str())) {
            let target = if group.is_empty() { kind.clone() } else { format!("{group}/{kind}") };
            let field = format!("spec.targetRefs[{at}]");
            findings.push(Finding::new(field, PlacementReason::UnknownTarget(target)));
        }
    }
    if selector.is_some() {
        findings.push(Finding::new("spec.selector", PlacementReason::TargetsUnused));
    } else if !target_refs.is_empty() {
        findings.push(Finding::new("spec.targetRefs", PlacementReason::TargetsUnused));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use corsward_policy::validate::NoJudge;
    use serde_json::json;

    fn codes(spec: Value) -> Vec<String> {
        let id = PolicyId { namespace: "shop".into(), name: "api".into() };
        let text = Text::Spec { spec: Arc::new(spec), findings: Vec::new() };
        let object = Object { id, place: None, generation: None, text, record: None };
        let review = review(&object, &NoJudge);
        assert_eq!(
            review.policy.is_none(),
            review.findings.iter().any(|finding| finding.severity() == Severity::Refusal),
            "a policy is refused where, and only where, a finding says so"
        );
        review
            .findings
            .iter()
            .map(|finding| format!("{} {}", finding.field, finding.code()))
            .collect()
    }

    #[test]
    fn an_unknown_field_does_not_hide_the_other_mistakes() {
        let codes = codes(json!({
            "cors": {"allowOrigins": ["https://a.example/"], "allowHeader": ["x-a"]},
        }));
        assert!(codes.contains(&"spec.cors.allowHeader CORS-E503".to_owned()), "{codes:?}");
        assert!(
            codes.iter().any(|code| code.starts_with("spec.cors.allowOrigins[0] CORS-E")),
            "{codes:?}"
        );
    }

    #[test]
    fn targets_are_checked_and_not_used() {
        let cors = json!({"allowOrigins": ["https://a.example"], "maxAge": 600});
        let has = |spec: Value, want: &str| {
            let codes = codes(spec);
            assert!(codes.contains(&want.to_owned()), "{want} in {codes:?}");
        };
        let service = json!([{"group": "", "kind": "Service", "name": "api"}]);
        let deployment = json!([{"group": "apps", "kind": "Deployment", "name": "api"}]);
        let selector = json!({"matchLabels": {"app": "api"}});
        has(json!({"cors": cors, "targetRefs": service}), "spec.targetRefs CORS-I521");
        has(json!({"cors": cors, "selector": selector}), "spec.selector CORS-I521");
        has(json!({"cors": cors, "targetRefs": deployment}), "spec.targetRefs[0] CORS-E522");
        has(
            json!({"cors": cors, "targetRefs": service, "selector": selector}),
            "spec.selector CORS-E521",
        );
    }
}
