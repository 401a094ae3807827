//! Survey: the parts of a compiled set that requests tell apart, for tools that compare two sets. The filter uses none of it.

use std::sync::Arc;

use crate::compiled::table::Selection;
use crate::compiled::{Compiled, CompiledPolicy, RuleSet};
use crate::draft::{DisallowedRequests, PolicyId};
use crate::origin::Origin;
use crate::pattern::OriginPattern;
use crate::policy::Cors;
use crate::request::Request;
use crate::request_view::RequestView;
use crate::scope::{HostPattern, PathMatch};

/// One active policy of a compiled set: the places that it covers. Two are equal where they treat all requests alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scope<'c>(&'c CompiledPolicy);

/// The rule set that answers a request. Two are equal where they answer all requests alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selected<'c> {
    rule_set: &'c Arc<RuleSet>,
    /// Whether the path's interpretations select different rule sets.
    pub ambiguous: bool,
    /// The treatment of requests whose origin is not allowed.
    pub disallowed_requests: DisallowedRequests,
}

// === impl Scope ===

impl<'c> Scope<'c> {
    /// Returns the active policies in order of precedence.
    pub fn all(compiled: &'c Compiled) -> impl Iterator<Item = Self> {
        let policies = compiled.compiled_policies().iter();
        policies.filter(|policy| !policy.settings.dry_run).map(Self)
    }

    /// Returns the hosts, `*` for all.
    pub fn hosts(&self) -> &'c [HostPattern] {
        &self.0.settings.hosts
    }

    /// Returns the paths of its rules.
    pub fn paths(&self) -> impl Iterator<Item = &'c PathMatch> + use<'c> {
        self.0.rule_sets.iter().filter_map(|rule_set| rule_set.path.as_ref())
    }

    /// Returns whether `other` is the same policy for the same hosts and paths: both take the same place beside other policies.
    pub fn has_place_of(&self, other: &Self) -> bool {
        let paths = |scope: &Self| scope.0.rule_sets.iter().map(|rule_set| rule_set.path.clone());
        let (own, others) = (&self.0.settings, &other.0.settings);
        own.id == others.id
            && own.specificity == others.specificity
            && own.hosts == others.hosts
            && paths(self).eq(paths(other))
    }
}

// === impl Selected ===

impl<'c> Selected<'c> {
    /// Selects as a decision does; `None` where no active policy covers the request.
    pub fn of(compiled: &'c Compiled, request: &impl Request) -> Option<Self> {
        let tables = compiled.tables(|| request.destination_port());
        let selection = RequestView::new(request).select(&tables.active)?;
        let Selection { rule_set, ambiguous, disallowed_requests } = selection;
        Some(Self { rule_set, ambiguous, disallowed_requests })
    }

    /// Returns a number that no other rule set of the same compiled set has.
    pub fn number(&self) -> usize {
        Arc::as_ptr(self.rule_set).addr()
    }

    /// Returns the policy.
    pub fn policy(&self) -> &'c PolicyId {
        &self.rule_set.settings.id
    }

    /// Returns its `cors` block, lists sorted.
    pub fn cors(&self) -> &'c Cors {
        &self.rule_set.cors.source
    }

    /// Returns the patterns of `trustedOrigins`, sorted.
    pub fn trusted_origins(&self) -> &'c [OriginPattern] {
        &self.rule_set.trusted_origins
    }

    /// Returns whether the answer depends on the request's origin; if not, it is `*`, and no origin is looked at.
    pub fn is_dynamic(&self) -> bool {
        self.ambiguous || self.rule_set.is_dynamic()
    }

    /// Returns whether the lists allow `origin`.
    pub fn allows(&self, origin: &Origin<'_>) -> bool {
        self.rule_set.cors.origins.accepts(origin)
    }

    /// Returns whether `origin` is trusted.
    pub fn trusts(&self, origin: &Origin<'_>) -> bool {
        self.rule_set.trusted.as_ref().is_some_and(|trusted| trusted.accepts(origin))
    }
}
