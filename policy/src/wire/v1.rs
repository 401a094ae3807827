//! Version 1 of the compiled form. It is read for ever: names and meanings here never change.
//!
//! Lists are read in the order in which they were written: sorting them is the writer's work.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::compile::{Arranged, ArrangedBlock};
use crate::compiled::{Compiled, CompiledCors, CompiledPolicy, RuleSet, Settings};
use crate::draft::{
    Diagnostics, DisallowedRequests, OnFailure, PathType, PolicyId, Specificity,
    UpstreamCorsHeaders,
};
use crate::header_name::HeaderName;
use crate::limits::MAX_REGEXES;
use crate::method::Method;
use crate::pattern::OriginPattern;
use crate::policy::{Cors, Names};
use crate::regex::OriginRegex;
use crate::scope::{HostPattern, PathMatch};
use crate::wire::DecodeError;
use crate::wire::check::{self, Counted};
use crate::wire::json::{List, Object};
use crate::workload::Narrowing;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompiledV1<'c> {
    policies: Vec<PolicyV1<'c>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyV1<'c> {
    namespace: &'c str,
    name: &'c str,
    #[serde(skip_serializing_if = "is_default")]
    target: TargetV1,
    /// Absent: every host.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    hosts: Texts<'c, HostPattern>,
    #[serde(skip_serializing_if = "is_default")]
    dry_run: bool,
    #[serde(skip_serializing_if = "is_default")]
    on_failure: OnFailureV1,
    /// Absent: 204.
    #[serde(skip_serializing_if = "is_default")]
    success_status: Option<u16>,
    #[serde(skip_serializing_if = "is_default")]
    keep_upstream: bool,
    #[serde(skip_serializing_if = "is_default")]
    diagnostics: bool,
    /// Absent: every request of every proxy.
    #[serde(skip_serializing_if = "is_default")]
    workloads: Vec<WorkloadV1<'c>>,
    blocks: Vec<BlockV1<'c>>,
}

/// At least one of both is there.
#[derive(PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct WorkloadV1<'c> {
    /// Absent: every proxy.
    #[serde(skip_serializing_if = "is_default")]
    labels: BTreeMap<&'c str, &'c str>,
    /// Absent: every port.
    #[serde(skip_serializing_if = "is_default")]
    port: Option<u16>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BlockV1<'c> {
    /// Both absent: everything in scope.
    #[serde(skip_serializing_if = "is_default")]
    exact: Option<&'c str>,
    #[serde(skip_serializing_if = "is_default")]
    prefix: Option<String>,
    /// Requests are left alone: nothing follows.
    #[serde(skip_serializing_if = "is_default")]
    off: bool,
    /// Absent: as in the policy's first block.
    #[serde(skip_serializing_if = "Option::is_none")]
    cors: Option<CorsV1<'c>>,
    #[serde(skip_serializing_if = "is_default")]
    reject: bool,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    trusted: Texts<'c, OriginPattern>,
    #[serde(skip_serializing_if = "is_default")]
    remove_origin: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CorsV1<'c> {
    #[serde(skip_serializing_if = "Texts::is_empty")]
    origins: Texts<'c, OriginPattern>,
    #[serde(skip_serializing_if = "is_default")]
    regexes: Vec<&'c str>,
    #[serde(skip_serializing_if = "is_default")]
    methods: Vec<&'c str>,
    #[serde(skip_serializing_if = "is_default")]
    headers: Vec<&'c str>,
    #[serde(skip_serializing_if = "is_default")]
    expose: Vec<&'c str>,
    #[serde(skip_serializing_if = "is_default")]
    credentials: bool,
    #[serde(skip_serializing_if = "is_default")]
    max_age: Option<u32>,
}

/// What a block is made of.
struct Source<'c> {
    path: Option<&'c PathMatch>,
    off: bool,
    cors: &'c Cors,
    disallowed_requests: DisallowedRequests,
    trusted_origins: &'c [OriginPattern],
    removes_origin: bool,
}

/// A list, each item of which is written as its text.
struct Texts<'c, T>(&'c [T]);

struct Text<'c, T>(&'c T);

#[derive(Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum TargetV1 {
    Cluster,
    #[default]
    Namespace,
    Workload,
}

#[derive(Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum OnFailureV1 {
    #[default]
    Explain,
    Reject,
    Ignore,
    Forward,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

// === Compiled -> V1 ===

impl<'c> CompiledV1<'c> {
    pub(super) fn of(compiled: &'c Compiled) -> Self {
        Self { policies: compiled.compiled_policies().iter().map(PolicyV1::of).collect() }
    }

    /// The same of policies that were not compiled.
    pub(super) fn of_arranged(policies: &'c [Arranged]) -> Self {
        let policy = |policy: &'c Arranged| {
            let Arranged { settings, workloads, blocks } = policy;
            PolicyV1::new(settings, workloads, blocks.iter().map(Source::of_block))
        };
        Self { policies: policies.iter().map(policy).collect() }
    }
}

impl<'c> PolicyV1<'c> {
    fn of(policy: &'c CompiledPolicy) -> Self {
        let CompiledPolicy { settings, rule_sets, workloads } = policy;
        let rule_sets = rule_sets.iter().map(|rule_set| Source::of_rule_set(rule_set));
        Self::new(settings, workloads, rule_sets)
    }

    fn new(
        settings: &'c Settings,
        workloads: &'c [Narrowing],
        blocks: impl Iterator<Item = Source<'c>> + Clone,
    ) -> Self {
        let Settings {
            id: PolicyId { namespace, name },
            specificity,
            hosts,
            dry_run,
            on_failure,
            success_status,
            upstream_cors_headers,
            diagnostics,
        } = settings;
        let every_host = *hosts == [HostPattern::Any];
        let first = blocks.clone().next().map(|first| first.cors);
        let inherits = |at: usize, block: &Source<'_>| at > 0 && Some(block.cors) == first;
        Self {
            namespace,
            name,
            target: TargetV1::of(*specificity),
            hosts: Texts(if every_host { &[] } else { hosts }),
            dry_run: *dry_run,
            on_failure: OnFailureV1::of(*on_failure),
            success_status: (*success_status != 204).then_some(*success_status),
            keep_upstream: *upstream_cors_headers == UpstreamCorsHeaders::Keep,
            diagnostics: *diagnostics == Diagnostics::Header,
            workloads: workloads.iter().map(WorkloadV1::of).collect(),
            blocks: blocks
                .enumerate()
                .map(|(at, block)| BlockV1::of(&block, inherits(at, &block)))
                .collect(),
        }
    }
}

impl<'c> WorkloadV1<'c> {
    fn of(narrowing: &'c Narrowing) -> Self {
        let labels = narrowing.labels().iter();
        let labels = labels.map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Self { labels, port: narrowing.port() }
    }
}

impl<'c> Source<'c> {
    fn of_block(block: &'c ArrangedBlock) -> Self {
        let ArrangedBlock { path, off, cors, disallowed_requests, trusted_origins, removes_origin } =
            block;
        Self {
            path: path.as_ref(),
            off: *off,
            cors,
            disallowed_requests: *disallowed_requests,
            trusted_origins,
            removes_origin: *removes_origin,
        }
    }

    fn of_rule_set(rule_set: &'c RuleSet) -> Self {
        let RuleSet {
            settings: _,
            path,
            off,
            cors,
            disallowed_requests,
            trusted_origins,
            trusted: _,
            removes_origin,
        } = rule_set;
        Self {
            path: path.as_ref(),
            off: *off,
            cors: &cors.source,
            disallowed_requests: *disallowed_requests,
            trusted_origins,
            removes_origin: *removes_origin,
        }
    }
}

impl<'c> BlockV1<'c> {
    fn of(source: &Source<'c>, inherits: bool) -> Self {
        let Source { path, off, cors, disallowed_requests, trusted_origins, removes_origin } =
            source;
        let (exact, prefix) = match path {
            None => (None, None),
            Some(PathMatch::Exact(path)) => (Some(path.as_str()), None),
            Some(prefix @ PathMatch::Prefix(_)) => (None, Some(prefix.to_string())),
        };
        Self {
            exact,
            prefix,
            off: *off,
            cors: (!off && !inherits).then(|| CorsV1::of(cors)),
            reject: *disallowed_requests == DisallowedRequests::Reject,
            trusted: Texts(trusted_origins),
            remove_origin: *removes_origin,
        }
    }
}

impl<'c> CorsV1<'c> {
    fn of(cors: &'c Cors) -> Self {
        let Cors { origins, regexes, methods, headers, expose, credentials, max_age } = cors;
        Self {
            origins: Texts(origins),
            regexes: regexes.iter().map(OriginRegex::as_str).collect(),
            methods: names(methods, Method::as_str),
            headers: names(headers, HeaderName::as_str),
            expose: names(expose, HeaderName::as_str),
            credentials: *credentials,
            max_age: *max_age,
        }
    }
}

fn names<T>(names: &Names<T>, text: impl Fn(&T) -> &str) -> Vec<&str> {
    names.any.then_some("*").into_iter().chain(names.named.iter().map(text)).collect()
}

impl<T: Display> Serialize for Texts<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = self.0.iter().map(|item| Text(item));
        serializer.collect_seq(texts)
    }
}

impl<T: Display> Serialize for Text<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

impl<T> Texts<'_, T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TargetV1 {
    fn of(specificity: Specificity) -> Self {
        match specificity {
            Specificity::Cluster => Self::Cluster,
            Specificity::Namespace => Self::Namespace,
            Specificity::Workload => Self::Workload,
        }
    }
}

impl OnFailureV1 {
    fn of(on_failure: OnFailure) -> Self {
        match on_failure {
            OnFailure::Explain => Self::Explain,
            OnFailure::Reject => Self::Reject,
            OnFailure::Ignore => Self::Ignore,
            OnFailure::Forward => Self::Forward,
        }
    }
}

// === V1 -> Compiled ===

/// Reads a document: all of it, or nothing.
pub(super) fn read(mut document: Object<'_>) -> Result<Compiled, DecodeError> {
    let list = document.list("policies")?;
    document.finish()?;
    let mut regexes = 0_usize;
    let mut policies = Vec::with_capacity(list.len());
    read_objects(list, "policies", &mut |policy| {
        let policy = read_policy(policy)?;
        for rule_set in &policy.rule_sets {
            regexes = regexes.saturating_add(rule_set.cors.source.regexes.len());
        }
        policies.push(policy);
        Ok(())
    })?;
    check::regexes(regexes)?;
    check::places(policies.iter().map(|policy: &CompiledPolicy| Counted {
        blocks: policy.rule_sets.len(),
        hosts: policy.settings.hosts.len(),
        workloads: &policy.workloads,
    }))?;
    Ok(Compiled::new(policies))
}

fn read_policy(mut policy: Object<'_>) -> Result<CompiledPolicy, DecodeError> {
    let settings = Arc::new(read_settings(&mut policy)?);
    let workloads = read_workloads(&mut policy)?;
    let list = policy.list("blocks")?;
    policy.finish()?;
    let mut rule_sets: Vec<Arc<RuleSet>> = Vec::with_capacity(list.len());
    read_objects(list, "blocks", &mut |block| {
        let first = rule_sets.first().map(|first| Arc::clone(&first.cors));
        rule_sets.push(Arc::new(read_block(block, &settings, first)?));
        Ok(())
    })?;
    Ok(CompiledPolicy { settings, rule_sets, workloads })
}

fn read_workloads(policy: &mut Object<'_>) -> Result<Vec<Narrowing>, DecodeError> {
    let list = policy.list("workloads")?;
    check::workload_count(list.len())?;
    let mut workloads = Vec::with_capacity(list.len());
    read_objects(list, "workloads", &mut |workload| {
        workloads.push(read_workload(workload)?);
        Ok(())
    })?;
    Ok(workloads)
}

fn read_workload(mut workload: Object<'_>) -> Result<Narrowing, DecodeError> {
    let labels = workload.object("labels")?.unwrap_or_default().fields();
    let port = workload.number("port")?;
    workload.finish()?;
    let valid = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    if port.is_some() && valid.is_none() {
        return Err(DecodeError::value("port", "not a port"));
    }
    check::label_count(labels.clone().count())?;
    let mut narrowing = Narrowing::to_port(valid);
    for (key, value) in labels {
        let value = value.as_text()?;
        check::label(key, value)?;
        if !narrowing.require(key, value) {
            return Err(DecodeError::value("labels", check::NOT_LABELS));
        }
    }
    if narrowing.is_everything() {
        return Err(DecodeError::value("", "neither `labels` nor a `port`"));
    }
    Ok(narrowing)
}

/// Takes the fields in the order in which they are written, as all readers do: an [`Object`] is read fastest so.
fn read_settings(policy: &mut Object<'_>) -> Result<Settings, DecodeError> {
    let id = PolicyId {
        namespace: read_object_name(policy, "namespace")?,
        name: read_object_name(policy, "name")?,
    };
    let specificity = match policy.text("target")? {
        None | Some("namespace") => Specificity::Namespace,
        Some("cluster") => Specificity::Cluster,
        Some("workload") => Specificity::Workload,
        Some(_) => return Err(DecodeError::value("target", "unknown")),
    };
    let list = policy.list("hosts")?;
    let mut hosts = Vec::with_capacity(list.max_len().max(1));
    read_all(list, "hosts", &mut |raw| {
        HostPattern::parse(raw).map(|host| hosts.push(host)).is_ok()
    })?;
    if hosts.is_empty() {
        hosts.push(HostPattern::Any);
    }
    Ok(Settings {
        id,
        specificity,
        hosts,
        dry_run: policy.flag("dryRun")?,
        on_failure: match policy.text("onFailure")? {
            None | Some("explain") => OnFailure::Explain,
            Some("reject") => OnFailure::Reject,
            Some("ignore") => OnFailure::Ignore,
            Some("forward") => OnFailure::Forward,
            Some(_) => return Err(DecodeError::value("onFailure", "unknown")),
        },
        success_status: match policy.number("successStatus")? {
            None | Some(204) => 204,
            Some(200) => 200,
            Some(_) => return Err(DecodeError::value("successStatus", "neither 200 nor 204")),
        },
        upstream_cors_headers: if policy.flag("keepUpstream")? {
            UpstreamCorsHeaders::Keep
        } else {
            UpstreamCorsHeaders::Replace
        },
        diagnostics: if policy.flag("diagnostics")? {
            Diagnostics::Header
        } else {
            Diagnostics::None
        },
    })
}

fn read_block(
    mut block: Object<'_>,
    settings: &Arc<Settings>,
    first: Option<Arc<CompiledCors>>,
) -> Result<RuleSet, DecodeError> {
    let path = match (block.text("exact")?, block.text("prefix")?) {
        (None, None) => None,
        (Some(path), None) => Some((PathType::Exact, path)),
        (None, Some(path)) => Some((PathType::PathPrefix, path)),
        (Some(_), Some(_)) => return Err(DecodeError::value("exact", "there beside `prefix`")),
    };
    let path = match path {
        None => None,
        Some((kind, path)) => Some(
            PathMatch::read(kind, path)
                .ok_or_else(|| DecodeError::value("path", "not a path that a rule can have"))?,
        ),
    };
    if block.flag("off")? {
        block.finish()?;
        return Ok(RuleSet::left_alone(Arc::clone(settings), path));
    }
    let cors = match (block.object("cors")?, first) {
        (Some(cors), _) => Arc::new(CompiledCors::new(read_cors(cors)?)),
        (None, Some(first)) => first,
        (None, None) => return Err(DecodeError::value("cors", "missing in the first block")),
    };
    let disallowed_requests = if block.flag("reject")? {
        DisallowedRequests::Reject
    } else {
        DisallowedRequests::Forward
    };
    let trusted = read_origins(&mut block, "trusted")?;
    let removes_origin = block.flag("removeOrigin")?;
    block.finish()?;
    let rule_set = RuleSet::new(Arc::clone(settings), path, cors, disallowed_requests, trusted);
    Ok(RuleSet { removes_origin, ..rule_set })
}

fn read_cors(mut cors: Object<'_>) -> Result<Cors, DecodeError> {
    let origins = read_origins(&mut cors, "origins")?;
    let mut regexes = Vec::new();
    read_all(cors.list("regexes")?, "regexes", &mut |raw| {
        OriginRegex::parse(raw).map(|regex| regexes.push(regex)).is_ok()
    })?;
    let read = Cors {
        origins,
        regexes,
        methods: read_names(&mut cors, "methods", Method::parse)?,
        headers: read_names(&mut cors, "headers", HeaderName::parse)?,
        expose: read_names(&mut cors, "expose", HeaderName::parse)?,
        credentials: cors.flag("credentials")?,
        max_age: cors.number("maxAge")?,
    };
    cors.finish()?;
    if read.regexes.len() > MAX_REGEXES {
        return Err(DecodeError::value("regexes", "more than a block may have"));
    }
    if !read.regexes.is_empty() && !OriginRegex::fit_together(&read.regexes) {
        return Err(DecodeError::value("regexes", "too large together"));
    }
    Ok(read)
}

fn read_origins(object: &mut Object<'_>, name: &str) -> Result<Vec<OriginPattern>, DecodeError> {
    let list = object.list(name)?;
    let mut patterns = Vec::with_capacity(list.max_len());
    read_all(list, name, &mut |raw| {
        OriginPattern::read(raw).map(|pattern| patterns.push(pattern)).is_ok()
    })?;
    if patterns.len() > 1 && patterns.contains(&OriginPattern::Any) {
        return Err(DecodeError::value(name, "`*` beside other origins"));
    }
    Ok(patterns)
}

fn read_names<T, E>(
    object: &mut Object<'_>,
    name: &str,
    parse: fn(&str) -> Result<T, E>,
) -> Result<Names<T>, DecodeError> {
    let list = object.list(name)?;
    let mut names = Names { any: false, named: Vec::with_capacity(list.max_len()) };
    read_all(list, name, &mut |raw| {
        if raw == "*" {
            names.any = true;
            return true;
        }
        parse(raw).map(|name| names.named.push(name)).is_ok()
    })?;
    Ok(names)
}

/// Hands over the texts of a list, one by one; `false`: that one is invalid. One loop for all kinds of texts keeps the
/// filter's module small.
fn read_all(
    list: List<'_>,
    name: &str,
    read: &mut dyn FnMut(&str) -> bool,
) -> Result<(), DecodeError> {
    for (index, element) in list.enumerate() {
        let text = element.as_text().map_err(|error| error.within(name, index))?;
        if !read(text) {
            return Err(DecodeError::value("", "invalid").within(name, index));
        }
    }
    Ok(())
}

/// The same for a list of objects.
fn read_objects(
    list: List<'_>,
    name: &str,
    read: &mut dyn FnMut(Object<'_>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    for (index, element) in list.enumerate() {
        let done = element.object().and_then(&mut *read);
        done.map_err(|error| error.within(name, index))?;
    }
    Ok(())
}

fn read_object_name(policy: &mut Object<'_>, name: &str) -> Result<String, DecodeError> {
    let text = policy.text(name)?.unwrap_or_default();
    check::object_name(name, text)?;
    Ok(text.to_owned())
}
