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
use corsward_manifest::convert;
use corsward_manifest::finding::ShapeReason;
use corsward_manifest::knowledge::FullKnowledge;
use corsward_policy::contain::Cover;
use corsward_policy::draft::DisallowedRequests;
use corsward_policy::finding::{self, Danger};
use corsward_policy::header_name::{HeaderName, is_cors_non_wildcard_request_header_name};
use corsward_policy::method::{Method, is_cors_safelisted_method};
use corsward_policy::policy::{Cors, Names, PolicyBlock};
use corsward_policy::{Finding, Policy, validate};
use kube::core::{Expression, Selector, SelectorExt as _};
use serde_json::Value;

use crate::cluster_state::{Labels, RawObject};
use crate::finding::{Excess, GuardrailReason};
use crate::label;
use crate::object::{ValidatedObject, read_spec};

/// The label that the API server gives to every namespace: its name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The limits of a `ClusterCorsPolicy`, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Guardrail {
    /// The name of its `ClusterCorsPolicy`.
    pub name: String,
    enforced: bool,
    selector: Selector,
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
    pub fn validate(&mut self, all: &BTreeMap<String, RawObject>) -> bool {
        let before: Vec<Guardrail> = self.in_force().cloned().collect();
        self.0.retain(|name, _| all.contains_key(name));
        for (name, object) in all {
            let known = self.0.get(name);
            if known.is_some_and(|known| known.validated.object == *object) {
                continue;
            }
            let (guardrail, findings) = Guardrail::parse(name, &object.spec);
            let in_force = guardrail
                .map(|guardrail| (object.generation, object.spec.clone(), guardrail))
                .or_else(|| known?.in_force.clone())
                .or_else(|| recorded(name, object));
            let validated = ValidatedObject { object: object.clone(), findings };
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
fn recorded(name: &str, object: &RawObject) -> Option<(i64, Arc<Value>, Guardrail)> {
    let Revisions { in_force, suspended: _ } = object.status.read()?;
    let Revision { generation, spec } = in_force?;
    let spec = spec.value();
    let guardrail = Guardrail::parse_accepted(name, &spec)?;
    Some((generation, Arc::new(spec), guardrail))
}

// === impl Guardrail ===

impl Guardrail {
    /// The guardrail of that name, and what there is to say about its spec. `None`: a finding refuses it.
    pub fn parse(name: &str, spec: &Value) -> (Option<Self>, Vec<Finding>) {
        let (guardrail, findings) = Self::look(name, spec);
        let refused = findings.iter().any(Finding::is_refusal);
        (guardrail.filter(|_| !refused), findings)
    }

    /// The same for a spec that holds: what an earlier release accepted and this one refuses bounds policies as before, as far as it
    /// can be read.
    fn parse_accepted(name: &str, spec: &Value) -> Option<Self> {
        let (guardrail, findings) = Self::look(name, spec);
        let is_unreadable = |finding: &Finding| {
            finding.is_refusal() && finding.reason.downcast_ref::<ShapeReason>().is_some()
        };
        guardrail.filter(|_| !findings.iter().any(is_unreadable))
    }

    fn look(name: &str, spec: &Value) -> (Option<Self>, Vec<Finding>) {
        read_spec(corsward_api::GUARDRAIL_KIND, spec, |spec, of_shape, findings| {
            let guardrail = Self::read(name, spec, findings);
            // What stands in a selector in the wrong place is said of that.
            if of_shape.iter().any(|it| it.field.starts_with("spec.namespaceSelector.")) {
                findings.retain(|finding| finding.reason != GuardrailReason::EmptySelector.into());
            }
            guardrail
        })
    }

    fn read(name: &str, spec: ClusterCorsPolicySpec, findings: &mut Vec<Finding>) -> Self {
        let ClusterCorsPolicySpec { namespace_selector: selector, enforcement, guardrails } = spec;
        if let Some(selector) = &selector {
            check_selector(selector, findings);
        }
        if guardrails == Guardrails::default() {
            findings.push(Finding::new("spec.guardrails", GuardrailReason::None));
        }
        let origins = guardrails.allowed_origins.map(|list| {
            let field = "spec.guardrails.allowedOrigins";
            Cover::new(&noted(validate::patterns(&list, field, &FullKnowledge), findings))
        });
        let methods = guardrails.allowed_methods.map(|list| {
            noted(validate::method_names(&list, "spec.guardrails.allowedMethods"), findings)
        });
        let headers = guardrails.allowed_headers.map(|list| {
            noted(validate::request_header_names(&list, "spec.guardrails.allowedHeaders"), findings)
        });
        let max_age = guardrails.max_max_age.and_then(|seconds| {
            let (seconds, said) = validate::max_age(seconds, "spec.guardrails.maxMaxAge");
            // How long browsers keep what a policy says is for the policy.
            findings.extend(said.into_iter().filter(Finding::is_refusal));
            seconds
        });
        let forbidden = guardrails.forbid_danger.into_iter();
        Self {
            name: name.to_owned(),
            enforced: enforcement == Enforcement::Enforce,
            selector: selector.map(to_selector).unwrap_or_default(),
            regexes: guardrails.allow_regexes.unwrap_or(origins.is_none()),
            origins,
            forbidden: forbidden.filter_map(|it| Danger::parse(convert::danger(it))).collect(),
            max_age,
            methods,
            headers,
            rejects: guardrails.require_disallowed_requests.is_some(),
        }
    }

    /// Does it bound the policies of that namespace, which has those labels?
    pub fn selects(&self, namespace: &str, labels: &Labels) -> bool {
        let mut labels = labels.clone();
        // The namespace itself may not have been seen yet.
        labels.entry(NAME_LABEL.to_owned()).or_insert_with(|| namespace.to_owned());
        self.selector.matches(&labels)
    }

    fn check(&self, policy: &Policy) -> Vec<Finding> {
        let mut excesses = Vec::new();
        for block in policy.blocks() {
            if let Some(cors) = block.cors {
                self.check_cors(cors, &format!("{}.cors", block.field), &mut excesses);
            }
        }
        let dangers = policy.dangers().iter().filter(|it| self.forbidden.contains(&it.danger));
        excesses.extend(dangers.map(|it| (it.field.clone(), Excess::Danger(it.danger))));
        if self.rejects {
            excesses.extend(forwarding(policy).into_iter().map(|field| (field, Excess::Forwarded)));
        }
        let finding = |(field, excess)| {
            let (guardrail, enforced) = (self.name.clone(), self.enforced);
            Finding::new(field, GuardrailReason::Exceeded { guardrail, enforced, excess })
        };
        excesses.into_iter().map(finding).collect()
    }

    fn check_cors(&self, cors: &Cors, field: &str, excesses: &mut Vec<(String, Excess)>) {
        let mut exceed = |at: &str, excess| excesses.push((format!("{field}.{at}"), excess));
        if let Some(allowed) = &self.origins {
            let origins = cors.origins().iter().enumerate();
            for (at, origin) in origins.filter(|(_, origin)| !allowed.contains(origin)) {
                exceed(&format!("allowOrigins[{at}]"), Excess::Origin(origin.to_string()));
            }
        }
        for (at, regex) in cors.regexes().iter().enumerate().filter(|_| !self.regexes) {
            let excess = Excess::Regex(regex.as_str().to_owned());
            exceed(&format!("allowOriginRegexes[{at}]"), excess);
        }
        if let (Some(seconds), Some(max)) = (cors.max_age(), self.max_age)
            && seconds > max
        {
            exceed("maxAge", Excess::MaxAge { written: seconds.to_string(), max });
        }
        // `*` does not cover `Authorization`, and what needs no preflight needs no permission.
        if let Some(allowed) = &self.methods {
            let beyond = beyond(cors.methods(), allowed, |method| {
                allowed.any() || is_cors_safelisted_method(method.as_str().as_bytes())
            });
            beyond.for_each(|it| exceed("allowMethods", Excess::Method(it)));
        }
        if let Some(allowed) = &self.headers {
            let beyond = beyond(cors.headers(), allowed, |header| {
                let name = header.as_str().as_bytes();
                allowed.any() && !is_cors_non_wildcard_request_header_name(name)
            });
            beyond.for_each(|it| exceed("allowHeaders", Excess::Header(it)));
        }
    }
}

/// The fields of a policy that forward requests of origins that are not allowed.
fn forwarding(policy: &Policy) -> Vec<String> {
    let blocks: Vec<PolicyBlock<'_>> = policy.blocks().collect();
    let [own, rules @ ..] = &*blocks else { return Vec::new() };
    // What the policy says counts where something is left to it.
    let is_left = own.cors.is_some() || rules.iter().any(|it| it.disallowed_requests.is_none());
    let counting = Some(own).filter(|_| is_left).into_iter().chain(rules);
    counting
        .filter(|it| it.disallowed_requests == Some(DisallowedRequests::Forward))
        .map(|it| format!("{}.disallowedRequests", it.field))
        .collect()
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
) -> impl Iterator<Item = String> {
    let star = (ours.any() && !allowed.any()).then(|| "*".to_owned());
    let is_beyond = move |name: &&N| !is_covered(name) && !allowed.named().contains(name);
    star.into_iter().chain(ours.named().iter().filter(is_beyond).map(ToString::to_string))
}

fn to_selector(selector: NamespaceSelector) -> Selector {
    let NamespaceSelector { match_labels, match_expressions } = selector;
    let labels = match_labels.into_iter().map(|(key, value)| Expression::Equal(key, value));
    let expressions =
        match_expressions.into_iter().map(|LabelExpression { key, operator, values }| {
            let values = values.into_iter().collect();
            match operator {
                LabelOperator::In => Expression::In(key, values),
                LabelOperator::NotIn => Expression::NotIn(key, values),
                LabelOperator::Exists => Expression::Exists(key),
                LabelOperator::DoesNotExist => Expression::DoesNotExist(key),
            }
        });
    labels.chain(expressions).collect()
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
        let is_needed = matches!(operator, LabelOperator::In | LabelOperator::NotIn);
        if values.is_empty() == is_needed {
            let field = format!("{field}.values");
            findings.push(Finding::new(field, GuardrailReason::Values(*operator)));
        }
    }
}

#[cfg(test)]
mod tests;
