//! Compiled: the policies of one proxy, with look-up tables for requests.

pub(crate) mod field_value;
pub(crate) mod table;

use std::sync::Arc;

use crate::compiled::field_value::FieldValue;
use crate::compiled::table::Table;
use crate::draft::{
    Diagnostics, DisallowedRequests, OnFailure, PolicyId, Specificity, UpstreamCorsHeaders,
};
use crate::hash_index::{FEW, HashIndex};
use crate::header_name::USUAL_REQUEST_HEADERS;
use crate::method::USUAL_METHODS;
use crate::origin_set::OriginSet;
use crate::pattern::OriginPattern;
use crate::policy::Cors;
use crate::scope::{HostPattern, PathMatch};
use crate::syntax::list_elements;
use crate::workload::Narrowing;

/// Every policy of one proxy, with the tables that find the one for a request.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    // INVARIANT: in order of precedence; the tables are built from it.
    policies: Vec<CompiledPolicy>,
    /// For requests to every port but those of `ports`.
    elsewhere: Tables,
    // INVARIANT: sorted, each port once.
    ports: Vec<(u16, Tables)>,
}

/// The look-up tables for requests to one port.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) active: Table,
    pub(crate) shadow: Table,
}

/// One policy of a [`Compiled`]: its settings and its rule sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledPolicy {
    pub(crate) settings: Arc<Settings>,
    /// In order of their paths; the one for everything in scope first.
    pub(crate) rule_sets: Vec<Arc<RuleSet>>,
    /// The proxies and ports that the policy is narrowed to; empty for every request of every proxy.
    // INVARIANT: sorted, unique.
    pub(crate) workloads: Vec<Narrowing>,
}

/// The settings that all rule sets of a policy share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(crate) id: PolicyId,
    pub(crate) specificity: Specificity,
    // INVARIANT: sorted, unique, never empty: no `hostnames` is `HostPattern::Any`.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) dry_run: bool,
    pub(crate) on_failure: OnFailure,
    pub(crate) success_status: u16,
    pub(crate) upstream_cors_headers: UpstreamCorsHeaders,
    pub(crate) diagnostics: Diagnostics,
}

/// The rules of a policy for one part of its scope: everything, or a path.
#[derive(Clone, Debug)]
pub struct RuleSet {
    pub(crate) settings: Arc<Settings>,
    /// `None`: everything in scope.
    pub(crate) path: Option<PathMatch>,
    /// Whether its requests and their responses are left alone; it then takes its place in precedence and does no more.
    pub(crate) off: bool,
    pub(crate) cors: Arc<CompiledCors>,
    pub(crate) disallowed_requests: DisallowedRequests,
    // INVARIANT: sorted, unique.
    pub(crate) trusted_origins: Vec<OriginPattern>,
    /// `None`: no origin is trusted.
    pub(crate) trusted: Option<Box<OriginSet>>,
    /// Whether allowed actual requests are forwarded without their `Origin`.
    pub(crate) removes_origin: bool,
}

/// A `cors` block with its look-up tables and its header values, joined once.
#[derive(Clone, Debug)]
pub struct CompiledCors {
    // INVARIANT: origins and regexes sorted, unique; everything below is derived from it.
    pub(crate) source: Cors,
    pub(crate) origins: OriginSet,
    pub(crate) methods: NameSet,
    pub(crate) headers: NameSet,
    /// `Access-Control-Expose-Headers`; empty: not sent.
    pub(crate) expose: FieldValue,
    /// `Access-Control-Max-Age`; empty: not sent.
    pub(crate) max_age: FieldValue,
}

/// A list of names, as a header value and, where there are many, as a look-up table.
#[derive(Clone, Debug)]
pub(crate) struct NameSet {
    pub(crate) any: bool,
    /// Whether the requested names join the list: every name passes, and `*` is no wildcard with credentials.
    pub(crate) adds_requested: bool,
    /// Empty: not sent.
    pub(crate) joined: FieldValue,
    /// `None` where `joined` has few names.
    named: Option<Box<HashIndex<()>>>,
}

// === impl Compiled ===

impl Compiled {
    /// Builds the tables for policies in order of precedence, as for a proxy without labels.
    pub(crate) fn new(policies: Vec<CompiledPolicy>) -> Self {
        let mut ports: Vec<(u16, Tables)> = Vec::new();
        for port in policies.iter().flat_map(CompiledPolicy::ports) {
            if let Err(place) = ports.binary_search_by_key(&port, |(known, _)| *known) {
                ports.insert(place, (port, Tables::new(&policies, Some(port))));
            }
        }
        Self { elsewhere: Tables::new(&policies, None), ports, policies }
    }

    /// Returns the policies in order of precedence.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyId> {
        self.policies.iter().map(|policy| &policy.settings.id)
    }

    pub(crate) fn compiled_policies(&self) -> &[CompiledPolicy] {
        &self.policies
    }

    /// Returns whether a policy is narrowed to labels. Such a policy applies to no proxy before [`Compiled::for_proxy`].
    pub fn needs_labels(&self) -> bool {
        let mut narrowings = self.policies.iter().flat_map(|policy| &policy.workloads);
        narrowings.any(|narrowing| !narrowing.labels().is_empty())
    }

    /// Returns the policies for one proxy; `has_label` tells whether the proxy has a label of a key and value.
    pub fn for_proxy(&self, has_label: &mut dyn FnMut(&str, &str) -> bool) -> Self {
        let mut policies = Vec::new();
        for policy in &self.policies {
            policies.extend(policy.for_proxy(has_label));
        }
        Self::new(policies)
    }

    /// Returns the tables for a request; `port` is called only if a policy is narrowed to a port.
    pub(crate) fn tables(&self, port: impl FnOnce() -> Option<u16>) -> &Tables {
        if self.ports.is_empty() {
            return &self.elsewhere;
        }
        let place = port()
            .and_then(|port| self.ports.binary_search_by_key(&port, |(known, _)| *known).ok());
        place.and_then(|place| self.ports.get(place)).map_or(&self.elsewhere, |(_, tables)| tables)
    }

    /// Returns the active policies that win nowhere, each with a policy that wins in its place.
    pub fn overridden(&self) -> Vec<(PolicyId, PolicyId)> {
        let active = self.policies.iter().filter(|policy| !policy.settings.dry_run);
        active
            .filter_map(|policy| {
                let winner = self.winner_everywhere_over(policy)?;
                Some((policy.settings.id.clone(), winner.clone()))
            })
            .collect()
    }

    /// Returns a policy that wins over `policy` on all its ports, if there is one.
    fn winner_everywhere_over(&self, policy: &CompiledPolicy) -> Option<&PolicyId> {
        let mut winner = None;
        if policy.is_for(None) {
            winner = Some(self.elsewhere.active.winner_everywhere_over(policy)?);
        }
        for (port, tables) in &self.ports {
            if policy.is_for(Some(*port)) {
                winner = Some(tables.active.winner_everywhere_over(policy)?);
            }
        }
        winner
    }
}

/// Two are equal when they were compiled from equal policies.
impl PartialEq for Compiled {
    fn eq(&self, other: &Self) -> bool {
        self.policies == other.policies
    }
}

impl Eq for Compiled {}

// === impl Tables ===

impl Tables {
    /// Builds the tables of the policies for requests to `port`; `None` is any port that no policy names.
    fn new(policies: &[CompiledPolicy], port: Option<u16>) -> Self {
        let table = |dry_run| {
            let policies = policies.iter().filter(|policy| policy.settings.dry_run == dry_run);
            Table::new(policies.filter(|policy| policy.is_for(port)))
        };
        Self { active: table(false), shadow: table(true) }
    }
}

// === impl CompiledPolicy ===

impl CompiledPolicy {
    /// Returns whether the policy covers requests to `port` in a proxy without labels.
    fn is_for(&self, port: Option<u16>) -> bool {
        self.workloads.is_empty() || self.ports().any(|known| Some(known) == port)
    }

    /// Returns the ports that the policy is narrowed to in a proxy without labels.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        let unlabelled = self.workloads.iter().filter(|workload| workload.labels().is_empty());
        unlabelled.filter_map(Narrowing::port)
    }

    /// Returns the policy for a proxy with these labels; `None` if it does not cover the proxy.
    fn for_proxy(&self, has_label: &mut dyn FnMut(&str, &str) -> bool) -> Option<Self> {
        let mut here: Vec<Narrowing> = Vec::new();
        for workload in &self.workloads {
            if workload.labels().iter().all(|(key, value)| has_label(key, value)) {
                let narrowing = Narrowing::to_port(workload.port());
                if let Err(place) = here.binary_search(&narrowing) {
                    here.insert(place, narrowing);
                }
            }
        }
        if here.is_empty() && !self.workloads.is_empty() {
            return None;
        }
        // A narrowing without a port covers all the others.
        let every_port = here.iter().any(Narrowing::is_everything);
        let workloads = if every_port { Vec::new() } else { here };
        let Self { settings, rule_sets, workloads: _ } = self;
        Some(Self { settings: Arc::clone(settings), rule_sets: rule_sets.clone(), workloads })
    }
}

// === impl RuleSet ===

impl RuleSet {
    pub(crate) fn new(
        settings: Arc<Settings>,
        path: Option<PathMatch>,
        cors: Arc<CompiledCors>,
        disallowed_requests: DisallowedRequests,
        trusted_origins: Vec<OriginPattern>,
    ) -> Self {
        let trusted =
            (!trusted_origins.is_empty()).then(|| Box::new(OriginSet::new(&trusted_origins, &[])));
        Self {
            settings,
            path,
            off: false,
            cors,
            disallowed_requests,
            trusted_origins,
            trusted,
            removes_origin: false,
        }
    }

    /// Makes a rule set that leaves its requests and their responses alone.
    pub(crate) fn left_alone(settings: Arc<Settings>, path: Option<PathMatch>) -> Self {
        let nothing = Arc::new(CompiledCors::new(Cors::default()));
        let rule_set = Self::new(settings, path, nothing, DisallowedRequests::Forward, Vec::new());
        Self { off: true, ..rule_set }
    }

    /// Returns whether `Access-Control-Allow-Origin` depends on the request. If not, it is `*` without credentials.
    pub(crate) fn is_dynamic(&self) -> bool {
        !self.cors.origins.is_any() || self.cors.source.credentials
    }
}

impl PartialEq for RuleSet {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            settings,
            path,
            off,
            cors,
            disallowed_requests,
            trusted_origins,
            trusted: _,
            removes_origin,
        } = self;
        *settings == other.settings
            && *path == other.path
            && *off == other.off
            && cors.source == other.cors.source
            && *disallowed_requests == other.disallowed_requests
            && *trusted_origins == other.trusted_origins
            && *removes_origin == other.removes_origin
    }
}

impl Eq for RuleSet {}

// === impl CompiledCors ===

impl CompiledCors {
    /// Compiles a `cors` block whose lists are sorted.
    pub(crate) fn new(source: Cors) -> Self {
        let origins = OriginSet::new(&source.origins, &source.regexes);
        let mut expose = FieldValue::default();
        if source.expose.any {
            expose.join("*");
        }
        source.expose.named.iter().for_each(|name| expose.join(name.as_str()));
        let credentials = source.credentials;
        let mut headers = NameSet::new(source.headers.any, credentials, &USUAL_REQUEST_HEADERS);
        source.headers.named.iter().for_each(|name| headers.add(name.as_str()));
        let mut methods = NameSet::new(source.methods.any, credentials, &USUAL_METHODS);
        // A wildcard covers every method beside it, but not every header: `*, authorization` says more than `*`.
        if !source.methods.any || credentials {
            source.methods.named.iter().for_each(|method| methods.add(method.as_str()));
        }
        headers.index();
        methods.index();
        let max_age = source.max_age.map(FieldValue::of_number).unwrap_or_default();
        Self { source, origins, methods, headers, expose, max_age }
    }
}

// === impl NameSet ===

impl NameSet {
    /// Returns a list without names of its own. A browser caches only the latest answer to a preflight for each URL: where the list
    /// depends on the request, it also holds the `usual` names, so that the cached answer serves the next request too.
    fn new(any: bool, credentials: bool, usual: &[&str]) -> Self {
        let adds_requested = any && credentials;
        let mut joined = FieldValue::default();
        if adds_requested {
            for name in usual {
                joined.join(name);
            }
        } else if any {
            joined.join("*");
        }
        Self { any, adds_requested, joined, named: None }
    }

    /// Adds a name that is not a usual one.
    fn add(&mut self, name: &str) {
        if !self.adds_requested || !self.names(name.as_bytes()) {
            self.joined.join(name);
        }
    }

    /// Makes the look-up table of many names.
    fn index(&mut self) {
        // Each of them takes three bytes at least with what is between them.
        let joined = self.joined.as_bytes();
        let may_be_many = joined.len() > 3 * FEW;
        if may_be_many && list_elements(joined).nth(FEW).is_some() {
            let named = self.named.get_or_insert_default();
            for name in list_elements(joined) {
                named.entry(name, || ());
            }
        }
    }

    /// Returns whether `name`, which is not empty, is listed.
    pub(crate) fn names(&self, name: &[u8]) -> bool {
        match &self.named {
            None => list_elements(self.joined.as_bytes()).any(|listed| listed == name),
            Some(named) => named.get(name).is_some(),
        }
    }
}
