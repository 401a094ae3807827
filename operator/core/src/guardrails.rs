//! Guardrails: the most that policies may allow in the namespaces of a `ClusterCorsPolicy`.
//!
//! `Guardrail::check` compares a policy with the limits. A finding refuses the policy under `Enforce` and warns under `Warn`. `choose` of
//! `operator/core/src/plan.rs` suspends a spec that was in force before and exceeds a limit now: its status remembers it.

use std::collections::BTreeMap;
use std::sync::Arc;

use corsward_api::v1alpha1::{
    ClusterCorsPolicySpec, Enforcement, Guardrails, LabelExpression, LabelOperator,
    NamespaceSelector, Revision, Revisions,
};
use corsward_manifest::finding::ShapeReason;
use corsward_manifest::{convert, shape};
use corsward_policy::contain::Cover;
use corsward_policy::draft::DisallowedRequests;
use corsward_policy::finding::{self, Danger};
use corsward_policy::header_name::{HeaderName, is_cors_non_wildcard_request_header_name};
use corsward_policy::method::{Method, is_cors_safelisted_method};
use corsward_policy::policy::{Cors, Names};
use corsward_policy::{Finding, Knowledge, Policy, validate};
use serde_json::Value;

use crate::cluster_state::{Labels, RawObject};
use crate::finding::{Excess, GuardrailReason};
use crate::label;
use crate::object::ValidatedObject;

/// The label that the API server gives to every namespace: its name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The limits of a `ClusterCorsPolicy`, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Guardrail {
    name: String,
    enforced: bool,
    selector: Option<NamespaceSelector>,
    origins: Option<Cover>,
    regexes: bool,
    forbidden: Vec<Danger>,
    max_age: Option<u32>,
    methods: Option<Names<Method>>,
    headers: Option<Names<HeaderName>>,
    rejects: bool,
}

/// The guardrails of a cluster, validated. A refused text leaves what was accepted before in force.
#[derive(Debug, Default)]
pub struct GuardrailStates(BTreeMap<String, GuardrailState>);

/// A `ClusterCorsPolicy`.
#[derive(Clone, Debug)]
pub struct GuardrailState {
    /// The findings about it.
    pub validated: ValidatedObject,
    /// Its guardrail in force, with the generation and the spec.
    pub in_force: Option<(i64, Arc<Value>, Guardrail)>,
}

/// Returns the findings about limits that `policy` exceeds, by the guardrails that select its namespace: refusals if
/// enforced, else warnings.
///
/// Limits concern sharing: `trustedOrigins` may be any, because nothing is shared with them. They are found in every mode: `Active`,
/// `DryRun` and `Off`, where the webhook makes warnings of refusals.
pub fn check(policy: &Policy, guardrails: &[Guardrail]) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        guardrails.iter().flat_map(|guardrail| guardrail.check(policy)).collect();
    finding::sort(&mut findings);
    findings
}

// === impl GuardrailStates ===

impl GuardrailStates {
    /// Takes in the guardrails that there are; `true`: others hold now.
    pub fn validate(
        &mut self,
        all: &BTreeMap<String, RawObject>,
        knowledge: &dyn Knowledge,
    ) -> bool {
        let before: Vec<Guardrail> = self.in_force().cloned().collect();
        self.0.retain(|name, _| all.contains_key(name));
        for (name, object) in all {
            let known = self.0.get(name);
            if known.is_some_and(|known| known.validated.object == *object) {
                continue;
            }
            let (guardrail, findings) = Guardrail::parse(name, &object.spec, knowledge);
            let (generation, spec) = (object.generation, object.spec.clone());
            let accepted = guardrail.is_some();
            let kept = || known.and_then(|known| known.in_force.clone());
            let in_force = guardrail
                .map(|guardrail| (generation, spec, guardrail))
                .or_else(|| kept().or_else(|| recorded(name, object, knowledge)));
            let validated = ValidatedObject { object: object.clone(), accepted, findings };
            self.0.insert(name.clone(), GuardrailState { validated, in_force });
        }
        !self.in_force().eq(&before)
    }

    /// The guardrails that hold.
    pub fn in_force(&self) -> impl Iterator<Item = &Guardrail> {
        let state = self.0.values().filter_map(|state| state.in_force.as_ref());
        state.map(|(_, _, guardrail)| guardrail)
    }

    /// Every `ClusterCorsPolicy`.
    pub fn all(&self) -> &BTreeMap<String, GuardrailState> {
        &self.0
    }
}

/// The spec in force before a restart, by the status.
fn recorded(
    name: &str,
    object: &RawObject,
    knowledge: &dyn Knowledge,
) -> Option<(i64, Arc<Value>, Guardrail)> {
    let Revisions { in_force, suspended: _ } = object.status.read()?;
    let Revision { generation, spec } = in_force?;
    let spec = spec.value();
    let guardrail = Guardrail::parse_accepted(name, &spec, knowledge)?;
    Some((generation, Arc::new(spec), guardrail))
}

// === impl Guardrail ===

impl Guardrail {
    /// The guardrail of that name, and what there is to say about its spec. `None`: a finding refuses it.
    pub fn parse(
        name: &str,
        spec: &Value,
        knowledge: &dyn Knowledge,
    ) -> (Option<Self>, Vec<Finding>) {
        let (guardrail, findings) = Self::look(name, spec, knowledge);
        let refused = findings.iter().any(Finding::is_refusal);
        (guardrail.filter(|_| !refused), findings)
    }

    /// The same for a spec that holds: what an earlier release accepted and this one refuses bounds policies as before, as far as it
    /// can be read.
    pub(crate) fn parse_accepted(
        name: &str,
        spec: &Value,
        knowledge: &dyn Knowledge,
    ) -> Option<Self> {
        let (guardrail, findings) = Self::look(name, spec, knowledge);
        let is_unreadable = |finding: &Finding| {
            finding.is_refusal() && finding.reason.downcast_ref::<ShapeReason>().is_some()
        };
        guardrail.filter(|_| !findings.iter().any(is_unreadable))
    }

    fn look(name: &str, spec: &Value, knowledge: &dyn Knowledge) -> (Option<Self>, Vec<Finding>) {
        let (mut spec, mut findings) = (spec.clone(), Vec::new());
        let repairs = shape::check(corsward_api::GUARDRAIL_KIND, &mut spec, &mut findings);
        let mut later = Vec::new();
        let spec = shape::read(corsward_api::GUARDRAIL_KIND, spec, &mut later);
        let guardrail = spec.map(|spec| Self::read(name, spec, knowledge, &mut later));
        // What stands in a selector in the wrong place is said of that.
        if findings.iter().any(|it| it.field.starts_with("spec.namespaceSelector.")) {
            later.retain(|finding| finding.reason != GuardrailReason::EmptySelector.into());
        }
        findings.extend(repairs.beside(later));
        finding::sort(&mut findings);
        (guardrail, findings)
    }

    fn read(
        name: &str,
        spec: ClusterCorsPolicySpec,
        knowledge: &dyn Knowledge,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let ClusterCorsPolicySpec { namespace_selector: selector, enforcement, guardrails } = spec;
        if let Some(selector) = &selector {
            check_selector(selector, findings);
        }
        if guardrails == Guardrails::default() {
            findings.push(Finding::new("spec.guardrails", GuardrailReason::None));
        }
        let Guardrails {
            allowed_origins,
            allow_regexes,
            forbid_danger,
            max_max_age,
            allowed_methods,
            allowed_headers,
            require_disallowed_requests,
        } = guardrails;
        let origins = allowed_origins.map(|list| {
            let field = "spec.guardrails.allowedOrigins";
            Cover::new(&noted(validate::patterns(&list, field, knowledge), findings))
        });
        let methods = allowed_methods.map(|list| {
            noted(validate::method_names(&list, "spec.guardrails.allowedMethods"), findings)
        });
        let headers = allowed_headers.map(|list| {
            noted(validate::request_header_names(&list, "spec.guardrails.allowedHeaders"), findings)
        });
        let max_age = max_max_age.map(|seconds| {
            let (seconds, said) = validate::max_age(seconds, "spec.guardrails.maxMaxAge");
            // How long browsers keep what a policy says is for the policy.
            findings.extend(said.into_iter().filter(Finding::is_refusal));
            seconds
        });
        Self {
            name: name.to_owned(),
            enforced: enforcement == Enforcement::Enforce,
            selector,
            regexes: allow_regexes.unwrap_or(origins.is_none()),
            origins,
            forbidden: forbid_danger
                .into_iter()
                .filter_map(|word| Danger::parse(convert::danger(word)))
                .collect(),
            max_age: max_age.flatten(),
            methods,
            headers,
            rejects: require_disallowed_requests.is_some(),
        }
    }

    /// The name of its `ClusterCorsPolicy`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Does it bound the policies of that namespace, which has those labels?
    pub fn selects(&self, namespace: &str, labels: &Labels) -> bool {
        let Some(NamespaceSelector { match_labels, match_expressions }) = &self.selector else {
            return true;
        };
        let label = |key: &str| match labels.get(key) {
            // The namespace itself may not have been seen yet.
            None if key == NAME_LABEL => Some(namespace),
            value => value.map(String::as_str),
        };
        match_labels.iter().all(|(key, value)| label(key) == Some(value))
            && match_expressions.iter().all(|expression| holds(expression, label(&expression.key)))
    }

    fn check(&self, policy: &Policy) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut exceed = |field: String, excess: Excess| {
            let (guardrail, enforced) = (self.name.clone(), self.enforced);
            let reason = GuardrailReason::Exceeded { guardrail, enforced, excess };
            findings.push(Finding::new(field, reason));
        };
        for block in policy.blocks() {
            if let Some(cors) = block.cors {
                self.check_cors(cors, &format!("{}.cors", block.field), &mut exceed);
            }
        }
        for listed in policy.dangers() {
            if self.forbidden.contains(&listed.danger) {
                exceed(listed.field.clone(), Excess::Danger(listed.danger));
            }
        }
        if self.rejects {
            for field in forwarding(policy) {
                exceed(field, Excess::Forwarded);
            }
        }
        findings
    }

    fn check_cors(&self, cors: &Cors, field: &str, exceed: &mut impl FnMut(String, Excess)) {
        if let Some(allowed) = &self.origins {
            for (at, origin) in cors.origins().iter().enumerate() {
                if !allowed.contains(origin) {
                    let excess = Excess::Origin(origin.to_string());
                    exceed(format!("{field}.allowOrigins[{at}]"), excess);
                }
            }
        }
        for (at, regex) in cors.regexes().iter().enumerate().filter(|_| !self.regexes) {
            let excess = Excess::Regex(regex.as_str().to_owned());
            exceed(format!("{field}.allowOriginRegexes[{at}]"), excess);
        }
        if let (Some(seconds), Some(max)) = (cors.max_age(), self.max_age)
            && seconds > max
        {
            let written = seconds.to_string();
            exceed(format!("{field}.maxAge"), Excess::MaxAge { written, max });
        }
        // `*` does not cover `Authorization`, and what needs no preflight needs no permission.
        if let Some(allowed) = &self.methods {
            let is_covered = |method: &Method| {
                allowed.any() || is_cors_safelisted_method(method.as_str().as_bytes())
            };
            for method in beyond(cors.methods(), allowed, is_covered) {
                exceed(format!("{field}.allowMethods"), Excess::Method(method));
            }
        }
        if let Some(allowed) = &self.headers {
            let is_covered = |header: &HeaderName| {
                let name = header.as_str().as_bytes();
                allowed.any() && !is_cors_non_wildcard_request_header_name(name)
            };
            for header in beyond(cors.headers(), allowed, is_covered) {
                exceed(format!("{field}.allowHeaders"), Excess::Header(header));
            }
        }
    }
}

/// The fields of a policy that forward requests of origins that are not allowed.
fn forwarding(policy: &Policy) -> Vec<String> {
    let mut blocks = policy.blocks();
    let own = blocks.next();
    let own_cors = own.as_ref().is_some_and(|own| own.cors.is_some());
    let forwards = |said: Option<DisallowedRequests>| said == Some(DisallowedRequests::Forward);
    let own_forwards = own.is_some_and(|own| forwards(own.disallowed_requests));
    let (mut fields, mut inherited) = (Vec::new(), own_cors);
    for rule in blocks {
        inherited |= rule.disallowed_requests.is_none();
        if forwards(rule.disallowed_requests) {
            fields.push(format!("{}.disallowedRequests", rule.field));
        }
    }
    // What the policy says counts where something is left to it.
    if own_forwards && inherited {
        fields.insert(0, "spec.disallowedRequests".to_owned());
    }
    fields
}

/// The value of a validated field, whose findings join the others.
fn noted<T>((value, said): (T, Vec<Finding>), findings: &mut Vec<Finding>) -> T {
    findings.extend(said);
    value
}

/// The names that a guardrail does not allow: those that it neither covers nor lists.
fn beyond<N: PartialEq + ToString>(
    ours: &Names<N>,
    allowed: &Names<N>,
    is_covered: impl Fn(&N) -> bool,
) -> Vec<String> {
    let is_allowed = |name: &N| is_covered(name) || allowed.named().contains(name);
    let star = (ours.any() && !allowed.any()).then(|| "*".to_owned());
    let named = ours.named().iter().filter(|name| !is_allowed(name)).map(ToString::to_string);
    star.into_iter().chain(named).collect()
}

/// Kubernetes, `LabelSelectorRequirement`.
fn holds(expression: &LabelExpression, value: Option<&str>) -> bool {
    let LabelExpression { key: _, operator, values } = expression;
    let listed = value.is_some_and(|value| values.iter().any(|listed| listed == value));
    match operator {
        LabelOperator::In => listed,
        LabelOperator::NotIn => !listed,
        LabelOperator::Exists => value.is_some(),
        LabelOperator::DoesNotExist => value.is_none(),
    }
}

fn check_selector(selector: &NamespaceSelector, findings: &mut Vec<Finding>) {
    let NamespaceSelector { match_labels, match_expressions } = selector;
    if match_labels.is_empty() && match_expressions.is_empty() {
        findings.push(Finding::new("spec.namespaceSelector", GuardrailReason::EmptySelector));
    }
    let field = "spec.namespaceSelector";
    findings.extend(label::check(match_labels, &format!("{field}.matchLabels")));
    for (at, LabelExpression { key, operator, values }) in match_expressions.iter().enumerate() {
        let field = format!("{field}.matchExpressions[{at}]");
        findings.extend(label::check_expression(key, values, &field));
        let (operator, needed) = match operator {
            LabelOperator::In => ("In", true),
            LabelOperator::NotIn => ("NotIn", true),
            LabelOperator::Exists => ("Exists", false),
            LabelOperator::DoesNotExist => ("DoesNotExist", false),
        };
        if values.is_empty() == needed {
            let field = format!("{field}.values");
            findings.push(Finding::new(field, GuardrailReason::Values { operator, needed }));
        }
    }
}

#[cfg(test)]
mod tests;
