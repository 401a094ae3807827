//! Validation: a [`Draft`] becomes a [`Policy`], or every reason why not is found.

mod admission;
mod analysis;
mod behavior;
mod cors;
mod dangers;
mod headers;
mod hosts;
mod meant;
mod methods;
mod misspelled;
mod origins;
mod paths;
mod reach;
mod reached;
mod regexes;
mod report;
mod rules;

#[cfg(test)]
mod tests;

use crate::draft::{Draft, Mode, PolicyId};
use crate::finding::{self, BehaviorReason, Finding, Replacement, Severity};
use crate::header_name::HeaderName;
use crate::method::Method;
use crate::pattern::OriginPattern;
use crate::policy::{Names, Policy};
use crate::scope::HostPattern;
use crate::syntax::{is_dns_label, is_dns_subdomain, is_object_name};
use analysis::Analysis;
pub use analysis::{NoStepLeft, Steps};
use cors::Place;
pub use reach::{DeadBranch, Glob, OpenDot, RegexHazard, RegexReach};
use report::{Field, Report};

/// The result of validation: the policy, unless a finding refuses it, and all findings.
#[derive(Clone, Debug)]
pub struct Validated {
    /// The policy; `None` where at least one finding is a refusal.
    pub policy: Option<Policy>,
    /// Every finding: refusals, warnings, hints, each in the order of the fields.
    pub findings: Vec<Finding>,
}

/// Knowledge that validation needs and the core does not carry: the public suffix list, a regex parser and punycode.
/// The operator has them; [`NoKnowledge`] has none.
pub trait Knowledge {
    /// Is `domain` (lower case, no leading or trailing dot) itself a listed public suffix (private section included)?
    fn is_public_suffix(&self, domain: &str) -> bool;
    /// Is `domain` a proper ancestor of a listed rule's base (`amazonaws.com`, for `s3.amazonaws.com`)?
    fn is_ancestor_of_public_suffix(&self, domain: &str) -> bool;
    /// The reach of an origin regex (known to compile in `regex-lite`), judged in the steps that are left for its
    /// policy.
    fn regex_reach(&self, regex: &str, steps: &Steps) -> RegexReach;
    /// A host beyond ASCII as browsers send it, where there is such a form.
    fn punycode(&self, host: &str) -> Option<String>;
    /// The same expression in the syntax of `regex-lite`, for a `regex` in that of a different engine.
    fn regex_in_own_syntax(&self, _regex: &str) -> Option<Replacement> {
        None
    }
}

/// A [`Knowledge`] that knows nothing and objects to nothing: for tests of the core.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKnowledge;

// === impl NoKnowledge ===

impl Knowledge for NoKnowledge {
    fn is_public_suffix(&self, _: &str) -> bool {
        false
    }
    fn is_ancestor_of_public_suffix(&self, _: &str) -> bool {
        false
    }
    fn regex_reach(&self, _: &str, _: &Steps) -> RegexReach {
        RegexReach::default()
    }
    fn punycode(&self, _: &str) -> Option<String> {
        None
    }
}

/// The patterns of a list, and the findings about it: the lists of other resources have the same grammar.
pub fn patterns(
    list: &[String],
    field: &str,
    knowledge: &dyn Knowledge,
) -> (Vec<OriginPattern>, Vec<Finding>) {
    let mut report = Report::default();
    let patterns = origins::shared(list, &Field::root(field), knowledge, &mut report);
    (patterns, report.into_sorted())
}

/// The same for a list of methods.
pub fn method_names(list: &[String], field: &str) -> (Names<Method>, Vec<Finding>) {
    let mut report = Report::default();
    let names = methods::validate(list, false, &Field::root(field), &mut report);
    (names, report.into_sorted())
}

/// The same for a list of request headers.
pub fn request_header_names(list: &[String], field: &str) -> (Names<HeaderName>, Vec<Finding>) {
    let mut report = Report::default();
    let names = headers::request(list, false, &Field::root(field), &mut report);
    (names, report.into_sorted())
}

/// The same for a number of seconds that preflights may be remembered.
pub fn max_age(seconds: i64, field: &str) -> (Option<u32>, Vec<Finding>) {
    let mut report = Report::default();
    let valid = cors::check_max_age(Some(seconds), &Field::root(field), &mut report);
    (valid, report.into_sorted())
}

/// Returns the origins that an author probably meant by a text which is none; none where no guess is an origin.
pub fn meant_origins(written: &str, knowledge: &dyn Knowledge) -> Vec<String> {
    meant::by(written, knowledge)
}

/// Checks a draft, and says all there is to say about it at once.
pub fn validate(draft: &Draft, knowledge: &dyn Knowledge) -> Validated {
    let mut report = Report::default();
    let policy = policy(draft, knowledge, &mut report);
    Validated::new(policy, report.into_sorted())
}

/// Checks a draft that an earlier release accepted, unedited since: it stays in force, and a refusal of this release
/// is a warning. An unreadable entry is left out.
///
/// Only a draft whose name the wire cannot carry, or none of whose hosts can be read, is refused all the same: without its hosts
/// it would be a policy for every host.
pub fn validate_accepted(draft: &Draft, knowledge: &dyn Knowledge) -> Validated {
    let mut report = Report::default();
    let policy = policy(draft, knowledge, &mut report);
    let mut findings = report.into_sorted();
    let PolicyId { namespace, name } = &policy.id;
    let has_name = is_object_name(namespace) && is_object_name(name);
    if has_name && (draft.hostnames.is_empty() || !policy.hostnames.is_empty()) {
        findings.iter_mut().for_each(Finding::demote);
        finding::sort(&mut findings);
    }
    Validated::new(policy, findings)
}

// === impl Validated ===

impl Validated {
    /// Sorted findings, and the policy where none of them refuses it.
    fn new(policy: Policy, findings: Vec<Finding>) -> Self {
        let first = findings.first().map(Finding::severity);
        Self { policy: (first != Some(Severity::Refusal)).then_some(policy), findings }
    }
}

/// The draft without its mistakes, which go into the report. Without a refusal it is the policy; with one, it still
/// compiles and decodes.
fn policy(draft: &Draft, knowledge: &dyn Knowledge, report: &mut Report) -> Policy {
    let Draft {
        id,
        hostnames,
        cors,
        rules,
        disallowed_requests,
        trusted_origins,
        mode,
        on_failure,
        success_status,
        upstream_cors_headers,
        upstream_origin,
        diagnostics,
        specificity,
        created,
    } = draft;
    let spec = Field::root("spec");
    check_id(id, report);
    if cors.is_none() && rules.is_empty() {
        report.add(&spec, BehaviorReason::NothingToDo);
    }
    let analysis = &mut Analysis::new(knowledge);
    let cors = cors
        .as_ref()
        .map(|cors| cors::validate(cors, &spec.child("cors"), Place::Alone, analysis, report));
    let hosts = hosts::validate(hostnames, &spec.child("hostnames"), knowledge, report);
    let rules_field = spec.child("rules");
    let policy = Policy {
        id: id.clone(),
        rules: rules::validate(rules, &rules_field, &hosts, cors.as_ref(), analysis, report),
        hostnames: hosts,
        cors,
        disallowed_requests: *disallowed_requests,
        trusted_origins: origins::trusted(
            trusted_origins,
            &spec.child("trustedOrigins"),
            knowledge,
            report,
        ),
        mode: *mode,
        on_failure: *on_failure,
        success_status: check_success_status(*success_status, &spec, report),
        upstream_cors_headers: *upstream_cors_headers,
        upstream_origin: *upstream_origin,
        diagnostics: *diagnostics,
        specificity: *specificity,
        created: *created,
        dangers: report.take_dangers(),
    };
    // As written: an entry that is refused is no reason to ask for one.
    let covers_any_host = hostnames.is_empty() || policy.hostnames.contains(&HostPattern::Any);
    behavior::check(&policy, covers_any_host, &spec, report);
    rules::check_places(&policy, &spec, report);
    // Where a rule was left out, the others' places are no longer those of the draft.
    if policy.mode != Mode::Off && policy.rules.len() == draft.rules.len() {
        rules::check_each_is_needed(&policy, &spec, report);
    }
    policy
}

/// Names go into metrics and logs (Kubernetes, RFC 1123 subdomains and labels). An empty one passes: who reads the policy asks for a name.
fn check_id(id: &PolicyId, report: &mut Report) {
    let PolicyId { namespace, name } = id;
    let metadata = Field::root("metadata");
    if !namespace.is_empty() && !is_dns_label(namespace) {
        let reason = BehaviorReason::InvalidNamespace(namespace.clone());
        report.add(&metadata.child("namespace"), reason);
    }
    if !name.is_empty() && !is_dns_subdomain(name) {
        report.add(&metadata.child("name"), BehaviorReason::InvalidName(name.clone()));
    }
}

/// Fetch, "ok status": browsers accept any of 200 to 299, other clients only these two.
fn check_success_status(written: Option<i64>, spec: &Field, report: &mut Report) -> u16 {
    match written {
        None | Some(204) => 204,
        Some(200) => 200,
        Some(other) => {
            let field = spec.child("preflight").child("successStatus");
            report.add(&field, BehaviorReason::SuccessStatus(other.to_string()));
            204
        }
    }
}
