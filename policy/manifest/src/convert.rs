//! Conversion: a resource as the API has it becomes a draft as the core has it. Nothing is checked, nothing is lost.

use corsward_api::v1alpha1 as api;
use corsward_policy::draft::{
    CorsDraft, Diagnostics, DisallowedRequests, Draft, Mode, OnFailure, PathType, PolicyId,
    RuleDraft, Specificity, UpstreamCorsHeaders, UpstreamOrigin,
};

/// The draft of the policy `id` with that `spec`.
pub fn draft(
    id: &PolicyId,
    spec: &api::CorsPolicySpec,
    specificity: Specificity,
    created: Option<i64>,
) -> Draft {
    // Where a policy applies is `specificity`, and for the plan to decide.
    let api::CorsPolicySpec {
        target_refs: _,
        selector: _,
        hostnames,
        cors,
        disallowed_requests,
        trusted_origins,
        rules,
        mode,
        preflight: api::Preflight { on_failure, success_status },
        upstream_cors_headers,
        upstream_origin,
        diagnostics,
    } = spec;
    Draft {
        id: id.clone(),
        hostnames: hostnames.clone(),
        cors: cors.as_ref().map(cors_draft),
        rules: rules.iter().map(rule_draft).collect(),
        disallowed_requests: disallowed_requests_draft(*disallowed_requests),
        trusted_origins: trusted_origins.clone(),
        mode: mode_draft(*mode),
        on_failure: on_failure_draft(*on_failure),
        success_status: Some(*success_status),
        upstream_cors_headers: upstream_cors_headers_draft(*upstream_cors_headers),
        upstream_origin: upstream_origin_draft(*upstream_origin),
        diagnostics: diagnostics_draft(*diagnostics),
        specificity,
        created,
    }
}

fn cors_draft(cors: &api::Cors) -> CorsDraft {
    let api::Cors {
        allow_origins,
        // Sets are resolved before: what is left names none.
        allow_origins_from: _,
        allow_origin_regexes,
        allow_methods,
        allow_headers,
        expose_headers,
        allow_credentials,
        max_age,
        dangerously_allow,
    } = cors;
    CorsDraft {
        allow_origins: allow_origins.clone(),
        allow_origin_regexes: allow_origin_regexes.clone(),
        allow_methods: allow_methods.clone(),
        allow_headers: allow_headers.clone(),
        expose_headers: expose_headers.clone(),
        allow_credentials: *allow_credentials,
        max_age: *max_age,
        dangerously_allow: dangerously_allow.iter().map(|word| danger(*word).to_owned()).collect(),
    }
}

fn rule_draft(rule: &api::PathRule) -> RuleDraft {
    let api::PathRule {
        path: api::PathMatch { kind, value },
        mode,
        cors,
        disallowed_requests,
        trusted_origins,
        upstream_origin,
    } = rule;
    RuleDraft {
        path_type: path_type_draft(*kind),
        path_value: value.clone(),
        mode: mode.map(mode_draft).unwrap_or_default(),
        cors: cors.as_ref().map(cors_draft),
        disallowed_requests: disallowed_requests.map(disallowed_requests_draft),
        trusted_origins: trusted_origins.clone(),
        upstream_origin: upstream_origin.map(upstream_origin_draft),
    }
}

/// The name of a danger.
pub const fn danger(word: api::Danger) -> &'static str {
    match word {
        api::Danger::AnyOriginWithCredentials => "AnyOriginWithCredentials",
        api::Danger::AnyAppOriginWithCredentials => "AnyAppOriginWithCredentials",
        api::Danger::InsecureOriginWithCredentials => "InsecureOriginWithCredentials",
        api::Danger::PublicSuffixSubdomains => "PublicSuffixSubdomains",
        api::Danger::NullOriginWithCredentials => "NullOriginWithCredentials",
        api::Danger::UnboundedRegexWithCredentials => "UnboundedRegexWithCredentials",
    }
}

const fn disallowed_requests_draft(value: api::DisallowedRequests) -> DisallowedRequests {
    match value {
        api::DisallowedRequests::Forward => DisallowedRequests::Forward,
        api::DisallowedRequests::Reject => DisallowedRequests::Reject,
    }
}

const fn mode_draft(value: api::Mode) -> Mode {
    match value {
        api::Mode::Active => Mode::Active,
        api::Mode::DryRun => Mode::DryRun,
        api::Mode::Off => Mode::Off,
    }
}

const fn on_failure_draft(value: api::OnFailure) -> OnFailure {
    match value {
        api::OnFailure::Explain => OnFailure::Explain,
        api::OnFailure::Reject => OnFailure::Reject,
        api::OnFailure::Ignore => OnFailure::Ignore,
        api::OnFailure::Forward => OnFailure::Forward,
    }
}

const fn path_type_draft(value: api::PathType) -> PathType {
    match value {
        api::PathType::Exact => PathType::Exact,
        api::PathType::PathPrefix => PathType::PathPrefix,
    }
}

const fn upstream_cors_headers_draft(value: api::UpstreamCorsHeaders) -> UpstreamCorsHeaders {
    match value {
        api::UpstreamCorsHeaders::Replace => UpstreamCorsHeaders::Replace,
        api::UpstreamCorsHeaders::Keep => UpstreamCorsHeaders::Keep,
    }
}

const fn upstream_origin_draft(value: api::UpstreamOrigin) -> UpstreamOrigin {
    match value {
        api::UpstreamOrigin::Keep => UpstreamOrigin::Keep,
        api::UpstreamOrigin::Remove => UpstreamOrigin::Remove,
    }
}

const fn diagnostics_draft(value: api::Diagnostics) -> Diagnostics {
    match value {
        api::Diagnostics::None => Diagnostics::None,
        api::Diagnostics::Header => Diagnostics::Header,
    }
}
