//! Validation: what there is to say about an object, and the policy it makes, if it makes one.

use std::mem;
use std::sync::Arc;

use corsward_api::GATEWAY_GROUP;
use corsward_api::v1alpha1::{CorsPolicySpec, TargetRef};
use corsward_manifest::convert;
use corsward_manifest::document::{Kind, Manifest};
use corsward_manifest::finding::{ShapeReason, SourceReason};
use corsward_manifest::knowledge::FullKnowledge;
use corsward_manifest::shape;
use corsward_manifest::spelling::{self, Spelling};
use corsward_policy::draft::Specificity;
use corsward_policy::finding::{self, Reason};
use corsward_policy::syntax::{is_dns_label, is_dns_subdomain};
use corsward_policy::validate::validate_accepted;
use corsward_policy::wire::{self, DecodeError};
use corsward_policy::{Finding, Policy, validate};
use serde_json::Value;

use crate::bundle::{MAX_LEN, digest};
use crate::capabilities::Reach;
use crate::cluster_state::Key;
use crate::finding::{
    Excess, GuardrailReason, OriginSetReason, PlacementReason, SizeReason, TargetInstead,
};
use crate::guardrails::{self, Guardrail};
use crate::json_text::JsonText;
use crate::label;
use crate::object::{Object, Text};
use crate::origin_sets::{self, Resolved, Sets};
use crate::targets::Target;

/// Longest spec of one policy: its status repeats it, and etcd takes both in 1.5 MiB.
pub const MAX_SPEC_LEN: usize = 640 * 1024;

/// The findings about an object, and the result if none refuses it.
#[derive(Clone, Debug)]
pub struct Validation {
    /// The result; `None` if a finding refuses the object.
    pub accepted: Option<Arc<Accepted>>,
    /// Every finding, refusals first.
    pub findings: Vec<Finding>,
    /// The spec, with everything in it that it refers to, as far as that is there.
    pub spec: Option<JsonText>,
}

/// The result of an accepted spec.
#[derive(Debug)]
pub struct Accepted {
    /// The spec, with everything in it that it refers to.
    pub spec: JsonText,
    /// The policy.
    pub policy: Arc<Policy>,
    /// Its place, as written.
    pub target: Target,
    /// The origin sets in it.
    sets: Resolved,
    /// The text of its values in a file that JSON writes otherwise.
    spelling: Spelling,
    /// The policy in its compiled form, alone.
    pub compiled: Arc<str>,
    /// The reason why a filter would refuse `compiled`, if it would.
    pub refusal: Option<Box<DecodeError>>,
    /// The digest of `compiled`: `sha256:` and 64 hexadecimal digits.
    pub digest: Arc<str>,
}

/// The context of a validation beside the object.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// The proxies that policies reach.
    pub reach: Reach,
    /// The origin sets that policies may name.
    pub sets: &'c Sets,
    /// An earlier release accepted that very spec: what this one refuses is a warning.
    pub accepted_before: bool,
    /// Whether a set that is not among `sets` may be there all the same.
    pub may_have_others: bool,
}

/// The findings about an origin set or a guardrail, as a file has it; those of its document are taken out of it.
pub fn dependency_findings(manifest: &mut Manifest) -> Vec<Finding> {
    let mut findings = mem::take(&mut manifest.findings);
    // The meaning of an unknown version cannot be known: it refuses what depends on it.
    findings.extend(match &manifest.spec {
        None => Vec::new(),
        Some(spec) if manifest.kind == Kind::ClusterCorsPolicy => {
            Guardrail::parse(&manifest.name, spec).1
        }
        Some(spec) => origin_sets::parse(spec).1,
    });
    spelling::say_once(&mut findings);
    manifest.spelling.quote(&mut findings);
    findings
}

/// Reviews an object.
pub fn validate_object(object: &Object, context: Context<'_>) -> Validation {
    let Text { spec: written, findings, spelling } = &object.text;
    let mut findings = findings.clone();
    let Some(written) = written else { return Validation { accepted: None, findings, spec: None } };
    let mut spec = written.value();
    let target_field = target_field(&spec);
    let names_sets = !origin_sets::names(&spec).is_empty();
    let repairs = shape::check(corsward_api::KIND, &mut spec, &mut findings);
    spelling::say_once(&mut findings);
    let sets = origin_sets::resolve(&mut spec, |name| context.origins(object, name));
    let resolved = if names_sets { JsonText::of(&spec) } else { written.clone() };
    let (mut made, mut later) = (None, Vec::new());
    // What does not fit has been replaced: all mistakes are found at once.
    if let Some(spec) = shape::read(corsward_api::KIND, spec, &mut later) {
        later.extend(targets(&spec, &target_field, context.reach));
        let specificity = match (context.reach, Target::of(&spec)) {
            // All policies are as close to one place.
            (Reach::One, _) | (_, Target::Namespace) => Specificity::Namespace,
            (_, Target::Selector(_) | Target::Refs(_)) => Specificity::Workload,
        };
        let draft = convert::draft(&object.id, &spec, specificity, object.created());
        let validate = if context.accepted_before { validate_accepted } else { validate };
        let validated = validate(&draft, &FullKnowledge);
        let is_said = |finding: &Finding| sets.says_what_is_allowed(finding);
        let of_policy = validated.findings.into_iter().filter(|finding| !is_said(finding));
        later.extend(of_policy.map(|finding| sets.address(finding)));
        later.extend(sets.findings.iter().cloned());
        made = validated.policy.map(|policy| (policy, spec));
    }
    findings.extend(repairs.beside(later));
    if context.accepted_before {
        // What something else stands in place of is not what was accepted.
        let is_kept = |finding: &&mut Finding| {
            may_be_new(&finding.reason) && !repairs.replaced(&finding.field)
        };
        findings.iter_mut().filter(is_kept).for_each(Finding::demote);
    }
    let mut accepted = None;
    if let Some((policy, spec)) = made.filter(|_| !findings.iter().any(Finding::is_refusal)) {
        let compiled = wire::encode_for(&[(&policy, &[])]);
        let mut too_large = size_refusal(&resolved, &spec, &compiled.text);
        if context.accepted_before {
            // A policy in force was published and stored at that size.
            too_large.iter_mut().for_each(Finding::demote);
        }
        findings.extend(too_large);
        accepted = Some(Accepted {
            spec: resolved.clone(),
            digest: digest(&compiled.text).into(),
            compiled: compiled.text.into(),
            refusal: compiled.refusal.map(Box::new),
            policy: Arc::new(policy),
            target: Target::of(&spec),
            sets,
            spelling: spelling.clone(),
        });
    }
    finding::sort(&mut findings);
    let accepted = accepted.filter(|_| !findings.iter().any(Finding::is_refusal)).map(Arc::new);
    spelling.quote(&mut findings);
    Validation { accepted, findings, spec: Some(resolved) }
}

/// The finding about a policy that is too large by itself. `compiled` is its compiled form alone.
fn size_refusal(text: &JsonText, spec: &CorsPolicySpec, compiled: &str) -> Option<Finding> {
    let len = compiled.len();
    if len > MAX_LEN {
        return Some(Finding::new("spec", SizeReason::TooLarge { len, max: MAX_LEN }));
    }
    // An API server adds all defaults to the text. A short text is not long with them.
    let is_short = text.text_len() < MAX_SPEC_LEN / 2;
    let len = if is_short { 0 } else { JsonText::of(spec).text_len() };
    let too_long = SizeReason::TooLong { len, max: MAX_SPEC_LEN };
    (len > MAX_SPEC_LEN).then(|| Finding::new("spec", too_long))
}

/// Whether an earlier release may have accepted what has that reason.
fn may_be_new(reason: &Reason) -> bool {
    // A label, a name or a section that no object of Kubernetes can have.
    matches!(reason.code(), "CORS-E528" | "CORS-E529" | "CORS-E530")
        || reason.downcast_ref::<SourceReason>().is_some()
        || reason.downcast_ref::<ShapeReason>().is_some()
}

// === impl Accepted ===

impl Accepted {
    /// The limits of those guardrails that it exceeds, as findings about its author's text.
    pub fn exceeded(&self, guardrails: &[Guardrail]) -> Vec<Finding> {
        let exceeded = guardrails::check(&self.policy, guardrails).into_iter();
        let address = |mut finding: Finding| {
            if let Some(text) = self.spelling.text(&finding.field)
                && let Some(GuardrailReason::Exceeded { excess, .. }) =
                    finding.reason.downcast_mut()
                && let Excess::MaxAge { written, .. } = excess
            {
                text.clone_into(written);
            }
            self.sets.address(finding)
        };
        exceeded.map(address).collect()
    }
}

/// A policy follows from its spec, and need not be compared where the spec is the same.
impl PartialEq for Accepted {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && self.spec == other.spec && self.policy == other.policy
    }
}

impl Eq for Accepted {}

// === impl Context ===

impl<'c> Context<'c> {
    /// The origins of a set that a policy names, or the reason why there are none.
    fn origins(&self, object: &Object, name: &str) -> Result<&'c [String], OriginSetReason> {
        let key = Key { namespace: object.id.namespace.clone(), name: name.to_owned() };
        match self.sets.get(&key) {
            Some(Some(origins)) => Ok(origins),
            Some(None) => Err(OriginSetReason::Refused(key.name)),
            None if self.may_have_others => Err(OriginSetReason::NotAmongFiles(key.name)),
            None => Err(OriginSetReason::Missing(key.name)),
        }
    }
}

/// The advice where the proxies of workloads are not served.
const NAME_A_GATEWAY: TargetInstead =
    TargetInstead::Advice("name a `Gateway` of `gateway.networking.k8s.io` in `targetRefs`");

/// The intended target in place of an impossible one; `None` for a possible target.
fn target_instead(group: &str, kind: &str, reach: Reach) -> Option<TargetInstead> {
    use TargetInstead::{Advice, Write};

    // A version is no part of a group.
    let is_near = !group.contains('.') || group.split('/').next() == Some(GATEWAY_GROUP);
    Some(match (group, kind) {
        ("", "Service") if reach.serves_workloads() => return None,
        ("", "Service") => NAME_A_GATEWAY,
        (GATEWAY_GROUP, "Gateway") if reach.serves_gateways() => return None,
        (GATEWAY_GROUP, "Gateway") => {
            Advice("name a `Service`, or write the labels of its pods into `selector`")
        }
        (_, "Service") if is_near || group.ends_with(".k8s.io") => Write("group", ""),
        (_, "Service") => Advice(
            "write `group: \"\"` where the Service of Kubernetes with that name is meant, or use `selector`",
        ),
        (_, "Gateway") if is_near => Write("group", GATEWAY_GROUP),
        (_, "Gateway") => Advice(
            "name a `Gateway` of `gateway.networking.k8s.io`, or the labels of its pods in `selector`",
        ),
        ("", "service" | "Services" | "services" | "svc" | "SVC") => Write("kind", "Service"),
        (GATEWAY_GROUP, "gateway" | "Gateways" | "gateways") => Write("kind", "Gateway"),
        (_, "HTTPRoute" | "GRPCRoute") => Advice(
            "name the `Gateway` of the route, and write the route's hosts into `hostnames` and its paths into `rules`",
        ),
        (_, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Pod" | "Rollout") => {
            Advice("name its `Service`, or write the labels of its pods into `selector`")
        }
        _ => Advice("name a `Service` or a `Gateway` of `gateway.networking.k8s.io`"),
    })
}

/// Returns why a target cannot have that name.
fn target_name(kind: &str, name: &str) -> Option<PlacementReason> {
    if name.contains('/') {
        return Some(PlacementReason::OtherNamespace(name.to_owned()));
    }
    // A Service has no dot in its name: it begins that of its host.
    let ends: &[char] = if kind == "Service" { &['.', ':'] } else { &[':'] };
    let (name, meant) = impossible_name(kind, name, ends)?;
    Some(PlacementReason::ImpossibleName { name, meant })
}

/// Returns why a target cannot have a section of that name.
fn target_section(kind: &str, section: &str) -> Option<PlacementReason> {
    // Kubernetes: the name of a port has at least one letter.
    if kind == "Service" && !section.contains(|c: char| c.is_ascii_alphabetic()) {
        return Some(PlacementReason::PortNumber(section.to_owned()));
    }
    let (section, meant) = impossible_name(kind, section, &[':'])?;
    Some(PlacementReason::ImpossibleSection { section, meant })
}

/// The name, if Kubernetes does not accept it for an object of that kind, and the one in front of the first of `ends`, if it accepts that.
/// Names are labels for Services and their ports, subdomains for Gateways and their listeners.
fn impossible_name(kind: &str, name: &str, ends: &[char]) -> Option<(String, Option<String>)> {
    let is_name = match kind {
        "Service" => is_dns_label,
        "Gateway" => is_dns_subdomain,
        _ => return None,
    };
    if name.is_empty() || is_name(name) {
        return None;
    }
    let meant = name.split(ends).next().unwrap_or_default().trim().to_ascii_lowercase();
    Some((name.to_owned(), Some(meant).filter(|meant| is_name(meant))))
}

/// The field of a written spec that is about its target; the spec where none is.
fn target_field(spec: &Value) -> String {
    let written = ["selector", "targetRefs"].into_iter().find(|name| spec.get(name).is_some());
    written.map_or_else(|| "spec".to_owned(), |name| format!("spec.{name}"))
}

/// Findings about targets: they must make sense, though one place needs none. `field` is the one that is written.
fn targets(spec: &CorsPolicySpec, field: &str, reach: Reach) -> Vec<Finding> {
    let CorsPolicySpec { target_refs, selector, .. } = spec;
    let mut findings = Vec::new();
    let mut find =
        |field: &str, reason: PlacementReason| findings.push(Finding::new(field, reason));
    if !target_refs.is_empty() && selector.is_some() {
        find("spec.selector", PlacementReason::TwoTargets);
    }
    if target_refs.is_empty() && !reach.serves_workloads() {
        let target = if selector.is_some() { "selector" } else { "namespace" };
        let (target, instead) = (target.to_owned(), NAME_A_GATEWAY);
        find(field, PlacementReason::UnknownTarget { target, instead });
    }
    for (at, target) in target_refs.iter().enumerate() {
        let TargetRef { group, kind, name, section_name } = target;
        let field = format!("spec.targetRefs[{at}]");
        if let Some(instead) = target_instead(group, kind, reach) {
            let target = if group.is_empty() { kind.clone() } else { format!("{group}/{kind}") };
            find(&field, PlacementReason::UnknownTarget { target, instead });
        }
        if let Some(reason) = target_name(kind, name) {
            find(&format!("{field}.name"), reason);
        }
        if let Some(reason) = section_name.as_ref().and_then(|it| target_section(kind, it)) {
            find(&format!("{field}.sectionName"), reason);
        }
    }
    if reach == Reach::One && (selector.is_some() || !target_refs.is_empty()) {
        let field = if selector.is_some() { "spec.selector" } else { "spec.targetRefs" };
        find(field, PlacementReason::TargetsUnused);
    }
    if let Some(selector) = selector {
        findings.extend(label::check(&selector.match_labels, "spec.selector.matchLabels"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::ServedTargets;
    use crate::publish::istio::REACH;
    use corsward_policy::PolicyId;
    use serde_json::json;

    fn context(reach: Reach, sets: &Sets) -> Context<'_> {
        Context { reach, sets, accepted_before: false, may_have_others: false }
    }

    fn codes(spec: &Value) -> Vec<String> {
        codes_of(spec, Reach::One)
    }

    fn codes_of(spec: &Value, reach: Reach) -> Vec<String> {
        let id = PolicyId { namespace: "shop".into(), name: "api".into() };
        let text = JsonText::of(spec).into();
        let object = Object { id, place: None, generation: None, text, record: None };
        let validation = validate_object(&object, context(reach, &Sets::new()));
        assert_eq!(
            validation.accepted.is_none(),
            validation.findings.iter().any(Finding::is_refusal),
            "a policy is refused where, and only where, a finding says so"
        );
        validation
            .findings
            .iter()
            .map(|finding| format!("{} {}", finding.field, finding.code()))
            .collect()
    }

    #[test]
    fn a_target_has_a_name_that_its_kind_can_have() {
        const GATEWAYS: &str = "gateway.networking.k8s.io";
        for (group, kind, name, section, want) in [
            ("", "Service", "api", "http", None),
            ("", "Service", "api-2", "h2", None),
            (GATEWAYS, "Gateway", "edge.eu", "https.eu", None),
            ("", "Service", "api.shop.svc.cluster.local", "http", Some("name CORS-E529 `api`")),
            ("", "Service", "api:8080", "http", Some("name CORS-E529 `api`")),
            ("", "Service", "API", "http", Some("name CORS-E529 `api`")),
            ("", "Service", "*", "http", Some("name CORS-E529 `targetRefs`")),
            ("", "Service", "api_v1", "http", Some("name CORS-E529 `targetRefs`")),
            (GATEWAYS, "Gateway", "edge:443", "https", Some("name CORS-E529 `edge`")),
            ("", "Service", "api", "http:8080", Some("sectionName CORS-E530 `http`")),
            ("", "Service", "api", "HTTP", Some("sectionName CORS-E530 `http`")),
            ("", "Service", "api", "8080", Some("sectionName CORS-E530 `http`")),
        ] {
            let target = TargetRef {
                group: group.into(),
                kind: kind.into(),
                name: name.into(),
                section_name: Some(section.into()),
            };
            let spec =
                json!({"targetRefs": [target], "cors": {"allowOrigins": ["https://a.example"]}});
            let spec: CorsPolicySpec = serde_json::from_value(spec).unwrap();
            let said = targets(&spec, "spec.targetRefs", REACH).into_iter().map(|finding| {
                let field = finding.field.rsplit('.').next().unwrap_or_default();
                let message = finding.message();
                let value = message.split('`').rev().nth(1).unwrap_or_default();
                format!("{field} {} `{value}`", finding.code())
            });
            assert_eq!(
                said.collect::<Vec<_>>(),
                want.into_iter().collect::<Vec<_>>(),
                "{name} {section}"
            );
        }
    }

    #[test]
    fn origins_are_asked_for_only_in_a_block_that_names_no_set() {
        let from = json!([{"kind": "OriginSet", "name": "partners"}]);
        let missing = json!({"cors": {"allowOriginsFrom": from, "maxAge": 600}});
        assert_eq!(codes(&missing), ["spec.cors.allowOriginsFrom[0] CORS-E621"]);
        let none = json!({"cors": {"allowOriginsFrom": [], "maxAge": 600}});
        assert!(codes(&none).contains(&"spec.cors.allowOrigins CORS-W101".to_owned()));
    }

    #[test]
    fn what_is_accepted_stands_for_itself() {
        let from = json!([{"kind": "OriginSet", "name": "partners"}]);
        let spec =
            json!({"cors": {"allowOrigins": ["https://a.example"], "allowOriginsFrom": from}});
        let id = PolicyId { namespace: "shop".into(), name: "api".into() };
        let text = JsonText::of(&spec).into();
        let object = Object { id, place: None, generation: None, text, record: None };
        let key = Key { namespace: "shop".into(), name: "partners".into() };
        let sets = Sets::from([(key, Some(vec!["https://b.example".to_owned()]))]);
        let accepted = validate_object(&object, context(REACH, &sets)).accepted.unwrap();
        let want = json!({"cors": {"allowOrigins": ["https://a.example", "https://b.example"]}});
        assert_eq!(accepted.spec.value(), want);
    }

    #[test]
    fn an_unknown_field_does_not_hide_the_other_mistakes() {
        let codes = codes(&json!({
            "cors": {"allowOrigins": ["https://a.example/"], "allowHeader": ["x-a"]},
        }));
        assert!(codes.contains(&"spec.cors.allowHeader CORS-E503".to_owned()), "{codes:?}");
        assert!(
            codes.iter().any(|code| code.starts_with("spec.cors.allowOrigins[0] CORS-E")),
            "{codes:?}"
        );
    }

    #[test]
    fn a_value_that_does_not_fit_hides_nothing_and_invents_nothing() {
        for (why, spec, want) in [
            (
                "the rest is judged",
                json!({
                    "mode": "active",
                    "cors": {"allowOrigins": ["https://a.example/", 7], "maxAge": "10m"},
                    "rules": [{"path": {"type": "Regex", "value": "/x"}, "cors": {"allowMethods": ["TRACE"]}}, 7],
                }),
                vec![
                    "spec.cors.allowOrigins[0] CORS-E106",
                    "spec.cors.allowOrigins[1] CORS-E509",
                    "spec.cors.maxAge CORS-E509",
                    "spec.rules[0].path.type CORS-E510",
                    "spec.rules[0].cors.allowMethods[0] CORS-E302",
                    "spec.rules[1] CORS-E509",
                    "spec.mode CORS-E510",
                ],
            ),
            (
                "what is there, though ill-shaped, is not missing",
                json!({"cors": []}),
                vec!["spec.cors CORS-E509"],
            ),
            (
                "what is missing is missing all the same",
                json!({"mode": "active"}),
                vec!["spec CORS-E001", "spec.mode CORS-E510"],
            ),
            (
                "a bound is said once, by who says it best",
                json!({"cors": {"allowOrigins": [""], "allowMethods": vec!["PUT"; 65]}, "targetRefs": []}),
                vec![
                    "spec.targetRefs CORS-E512",
                    "spec.cors.allowOrigins[0] CORS-E101",
                    "spec.cors.allowMethods CORS-E004",
                ],
            ),
        ] {
            let mut refusals = codes(&spec);
            refusals.retain(|code| code.contains("CORS-E"));
            assert_eq!(refusals, want, "{why}");
        }
    }

    #[test]
    fn a_target_that_does_not_fit_is_not_missing_where_gateways_alone_are_served() {
        let Reach::Targets(served) = REACH else { panic!("{REACH:?}") };
        let reach = Reach::Targets(ServedTargets { workloads: false, ..served });
        let cors = json!({"allowOrigins": ["https://a.example"], "maxAge": 600});
        let gateway = json!({"group": GATEWAY_GROUP, "kind": "Gateway", "name": "edge"});
        let selector = json!({"matchLabels": {"app": "api"}});
        for (why, spec, want) in [
            ("no target", json!({"cors": cors}), &["spec CORS-E522"][..]),
            (
                "a mapping",
                json!({"cors": cors, "targetRefs": gateway}),
                &["spec.targetRefs CORS-E509"],
            ),
            ("a number", json!({"cors": cors, "selector": 7}), &["spec.selector CORS-E509"]),
            ("no entry", json!({"cors": cors, "targetRefs": []}), &["spec.targetRefs CORS-E522"]),
            (
                "a selector",
                json!({"cors": cors, "selector": selector}),
                &["spec.selector CORS-E522"],
            ),
            ("a Gateway", json!({"cors": cors, "targetRefs": [gateway]}), &[]),
        ] {
            let mut refusals = codes_of(&spec, reach);
            refusals.retain(|code| code.contains("CORS-E"));
            assert_eq!(refusals, want, "{why}");
        }
    }

    #[test]
    fn targets_are_checked_and_not_used() {
        let cors = json!({"allowOrigins": ["https://a.example"], "maxAge": 600});
        let has = |spec: Value, want: &str| {
            let codes = codes(&spec);
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
