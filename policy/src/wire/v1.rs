//! Version 1 of the compiled form. It is read for ever: names and meanings here never change.
//!
//! Lists are read in the order in which they were written: sorting them is the writer's work.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::compiled::{Block, Compiled, CompiledCors, CompiledPolicy, Head};
use crate::draft::{
    Closeness, Diagnostics, DisallowedRequests, OnFailure, PathType, PolicyId, UpstreamCorsHeaders,
};
use crate::header_name::HeaderName;
use crate::limits::{MAX_REGEXES, MAX_REGEXES_PER_PROXY};
use crate::method::Method;
use crate::pattern::OriginPattern;
use crate::policy::{Cors, Names};
use crate::regex::OriginRegex;
use crate::scope::{HostPattern, PathMatch};
use crate::wire::DecodeError;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct CompiledV1 {
    policies: Vec<PolicyV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PolicyV1 {
    namespace: String,
    name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    target: TargetV1,
    /// Absent: every host.
    #[serde(default, skip_serializing_if = "is_default")]
    hosts: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    dry_run: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    on_failure: OnFailureV1,
    /// Absent: 204.
    #[serde(default, skip_serializing_if = "is_default")]
    success_status: Option<u16>,
    #[serde(default, skip_serializing_if = "is_default")]
    keep_upstream: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    diagnostics: bool,
    blocks: Vec<BlockV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BlockV1 {
    /// Both absent: everything in scope.
    #[serde(default, skip_serializing_if = "is_default")]
    exact: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    prefix: Option<String>,
    /// Absent: as in the policy's first block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cors: Option<CorsV1>,
    #[serde(default, skip_serializing_if = "is_default")]
    reject: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    trusted: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CorsV1 {
    #[serde(default, skip_serializing_if = "is_default")]
    origins: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    regexes: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    methods: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    headers: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    expose: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    credentials: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    max_age: Option<u32>,
}

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum TargetV1 {
    Cluster,
    #[default]
    Namespace,
    Workload,
}

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
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

impl CompiledV1 {
    pub(super) fn of(compiled: &Compiled) -> Self {
        Self { policies: compiled.compiled_policies().iter().map(PolicyV1::of).collect() }
    }
}

impl PolicyV1 {
    fn of(policy: &CompiledPolicy) -> Self {
        let Head {
            id: PolicyId { namespace, name },
            closeness,
            hosts,
            dry_run,
            on_failure,
            success_status,
            upstream_cors_headers,
            diagnostics,
        } = &*policy.head;
        let every_host = *hosts == [HostPattern::Any];
        let hosts = if every_host { Vec::new() } else { texts(hosts) };
        let first = policy.blocks.first().map(|block| &block.cors.source);
        let inherits = |at: usize, block: &Block| at > 0 && Some(&block.cors.source) == first;
        Self {
            namespace: namespace.clone(),
            name: name.clone(),
            target: TargetV1::of(*closeness),
            hosts,
            dry_run: *dry_run,
            on_failure: OnFailureV1::of(*on_failure),
            success_status: (*success_status != 204).then_some(*success_status),
            keep_upstream: *upstream_cors_headers == UpstreamCorsHeaders::Keep,
            diagnostics: *diagnostics == Diagnostics::Header,
            blocks: policy
                .blocks
                .iter()
                .enumerate()
                .map(|(at, block)| BlockV1::of(block, inherits(at, block)))
                .collect(),
        }
    }
}

impl BlockV1 {
    fn of(block: &Block, inherits: bool) -> Self {
        let Block { head: _, path, cors, disallowed_requests, trusted_origins, trusted: _ } = block;
        let (exact, prefix) = match path {
            None => (None, None),
            Some(PathMatch::Exact(path)) => (Some(path.clone()), None),
            Some(prefix @ PathMatch::Prefix(_)) => (None, Some(prefix.to_string())),
        };
        Self {
            exact,
            prefix,
            cors: (!inherits).then(|| CorsV1::of(&cors.source)),
            reject: *disallowed_requests == DisallowedRequests::Reject,
            trusted: texts(trusted_origins),
        }
    }
}

impl CorsV1 {
    fn of(cors: &Cors) -> Self {
        let Cors { origins, regexes, methods, headers, expose, credentials, max_age } = cors;
        Self {
            origins: texts(origins),
            regexes: regexes.iter().map(|regex| regex.as_str().to_owned()).collect(),
            methods: names(methods),
            headers: names(headers),
            expose: names(expose),
            credentials: *credentials,
            max_age: *max_age,
        }
    }
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(T::to_string).collect()
}

fn names<T: ToString>(names: &Names<T>) -> Vec<String> {
    let any = names.any.then(|| "*".to_owned());
    any.into_iter().chain(texts(&names.named)).collect()
}

// === V1 -> Compiled ===

impl CompiledV1 {
    pub(super) fn into_compiled(self) -> Result<Compiled, DecodeError> {
        let blocks = || self.policies.iter().flat_map(|policy| &policy.blocks);
        let regexes =
            blocks().filter_map(|block| block.cors.as_ref()).map(|cors| cors.regexes.len());
        if regexes.sum::<usize>() > MAX_REGEXES_PER_PROXY {
            return Err(invalid("policies", "more regexes than one proxy may have"));
        }
        let mut policies = Vec::with_capacity(self.policies.len());
        for (at, policy) in self.policies.into_iter().enumerate() {
            policies.push(policy.into_compiled(&format!("policies[{at}]"))?);
        }
        Ok(Compiled::new(policies))
    }
}

impl PolicyV1 {
    fn into_compiled(self, at: &str) -> Result<CompiledPolicy, DecodeError> {
        let Self {
            namespace,
            name,
            target,
            hosts,
            dry_run,
            on_failure,
            success_status,
            keep_upstream,
            diagnostics,
            blocks,
        } = self;
        let success_status = success_status.unwrap_or(204);
        if !matches!(success_status, 200 | 204) {
            return Err(invalid(&format!("{at}.successStatus"), "neither 200 nor 204"));
        }
        // They are written into a response header and into metric names.
        for (field, value) in [("namespace", &namespace), ("name", &name)] {
            if !is_object_name(value) {
                return Err(invalid(
                    &format!("{at}.{field}"),
                    "not the name of a Kubernetes object",
                ));
            }
        }
        let mut hosts = parse_all(&hosts, &format!("{at}.hosts"), HostPattern::parse)?;
        if hosts.is_empty() {
            hosts.push(HostPattern::Any);
        }
        let head = Arc::new(Head {
            id: PolicyId { namespace, name },
            closeness: target.into_closeness(),
            hosts,
            dry_run,
            on_failure: on_failure.into_on_failure(),
            success_status,
            upstream_cors_headers: if keep_upstream {
                UpstreamCorsHeaders::Keep
            } else {
                UpstreamCorsHeaders::Replace
            },
            diagnostics: if diagnostics { Diagnostics::Header } else { Diagnostics::None },
        });
        let mut compiled: Vec<Arc<Block>> = Vec::with_capacity(blocks.len());
        for (index, block) in blocks.into_iter().enumerate() {
            let inherited = compiled.first().map(|first| Arc::clone(&first.cors));
            let at = format!("{at}.blocks[{index}]");
            compiled.push(Arc::new(block.into_block(&at, &head, inherited)?));
        }
        Ok(CompiledPolicy { head, blocks: compiled })
    }
}

impl BlockV1 {
    fn into_block(
        self,
        at: &str,
        head: &Arc<Head>,
        inherited: Option<Arc<CompiledCors>>,
    ) -> Result<Block, DecodeError> {
        let Self { exact, prefix, cors, reject, trusted } = self;
        let path = match (exact, prefix) {
            (None, None) => None,
            (Some(path), None) => Some((PathType::Exact, path)),
            (None, Some(path)) => Some((PathType::PathPrefix, path)),
            (Some(_), Some(_)) => return Err(invalid(at, "both `exact` and `prefix`")),
        };
        let path = path.map(|(kind, path)| {
            PathMatch::parse(kind, &path).map_err(|error| invalid(at, &format!("{error:?}")))
        });
        let cors = match (cors, inherited) {
            (Some(cors), _) => Arc::new(CompiledCors::new(cors.into_cors(&format!("{at}.cors"))?)),
            (None, Some(inherited)) => inherited,
            (None, None) => return Err(invalid(at, "the first block has no `cors`")),
        };
        let disallowed =
            if reject { DisallowedRequests::Reject } else { DisallowedRequests::Forward };
        let trusted = origins(&trusted, &format!("{at}.trusted"))?;
        Ok(Block::new(Arc::clone(head), path.transpose()?, cors, disallowed, trusted))
    }
}

impl CorsV1 {
    fn into_cors(self, at: &str) -> Result<Cors, DecodeError> {
        let Self { origins: raw, regexes, methods, headers, expose, credentials, max_age } = self;
        if regexes.len() > MAX_REGEXES {
            return Err(invalid(&format!("{at}.regexes"), "more regexes than a block may have"));
        }
        let regexes = parse_all(&regexes, &format!("{at}.regexes"), OriginRegex::parse)?;
        Ok(Cors {
            origins: origins(&raw, &format!("{at}.origins"))?,
            regexes,
            methods: parse_names(methods, &format!("{at}.methods"), Method::parse)?,
            headers: parse_names(headers, &format!("{at}.headers"), HeaderName::parse)?,
            expose: parse_names(expose, &format!("{at}.expose"), HeaderName::parse)?,
            credentials,
            max_age,
        })
    }
}

fn origins(raw: &[String], at: &str) -> Result<Vec<OriginPattern>, DecodeError> {
    let parsed = parse_all(raw, at, |raw| OriginPattern::parse(raw).map(|parsed| parsed.pattern))?;
    if parsed.len() > 1 && parsed.contains(&OriginPattern::Any) {
        return Err(invalid(at, "`*` beside other origins"));
    }
    Ok(parsed)
}

fn parse_names<T, E: std::fmt::Debug>(
    mut raw: Vec<String>,
    at: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Names<T>, DecodeError> {
    let any = raw.first().is_some_and(|first| first == "*");
    if any {
        raw.remove(0);
    }
    Ok(Names { any, named: parse_all(&raw, at, parse)? })
}

fn parse_all<T, E: std::fmt::Debug>(
    raw: &[String],
    at: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, DecodeError> {
    let mut items = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        match parse(raw) {
            Ok(item) => items.push(item),
            Err(error) => return Err(invalid(&format!("{at}[{index}]"), &format!("{error:?}"))),
        }
    }
    Ok(items)
}

/// RFC 1123 subdomain, as Kubernetes checks it, bounds included.
fn is_object_name(name: &str) -> bool {
    let is_name_byte = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    !name.is_empty() && name.len() <= 253 && name.bytes().all(is_name_byte)
}

fn invalid(field: &str, reason: &str) -> DecodeError {
    DecodeError::Value { field: field.to_owned(), reason: reason.to_owned() }
}

// === the enums, both ways ===

impl TargetV1 {
    fn of(closeness: Closeness) -> Self {
        match closeness {
            Closeness::Cluster => Self::Cluster,
            Closeness::Namespace => Self::Namespace,
            Closeness::Workload => Self::Workload,
        }
    }

    fn into_closeness(self) -> Closeness {
        match self {
            Self::Cluster => Closeness::Cluster,
            Self::Namespace => Closeness::Namespace,
            Self::Workload => Closeness::Workload,
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

    fn into_on_failure(self) -> OnFailure {
        match self {
            Self::Explain => OnFailure::Explain,
            Self::Reject => OnFailure::Reject,
            Self::Ignore => OnFailure::Ignore,
            Self::Forward => OnFailure::Forward,
        }
    }
}
