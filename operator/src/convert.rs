//! Conversion: a resource as the API has it becomes a draft as the core has it. Nothing is checked, nothing is lost.

use corsward_policy::draft::{
    self, CorsDraft, Diagnostics, DisallowedRequests, Draft, Mode, OnFailure, PathType, PolicyId,
    RuleDraft, Specificity, UpstreamCorsHeaders, UpstreamOrigin,
};

use crate::api::v1alpha1 as api;

/// The draft of the policy `id` with that `spec`.
#[must_use]
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
        disallowed_requests: (*disallowed_requests).into(),
        trusted_origins: trusted_origins.clone(),
        mode: (*mode).into(),
        on_failure: (*on_failure).into(),
        success_status: Some(*success_status),
        upstream_cors_headers: (*upstream_cors_headers).into(),
        upstream_origin: (*upstream_origin).into(),
        diagnostics: (*diagnostics).into(),
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
        path_type: (*kind).into(),
        path_value: value.clone(),
        mode: mode.map(Into::into).unwrap_or_default(),
        cors: cors.as_ref().map(cors_draft),
        disallowed_requests: disallowed_requests.map(Into::into),
        trusted_origins: trusted_origins.clone(),
        upstream_origin: upstream_origin.map(Into::into),
    }
}

pub(crate) const fn danger(word: api::Danger) -> &'static str {
    match word {
        api::Danger::AnyOriginWithCredentials => "AnyOriginWithCredentials",
        api::Danger::AnyAppOriginWithCredentials => "AnyAppOriginWithCredentials",
        api::Danger::InsecureOriginWithCredentials => "InsecureOriginWithCredentials",
        api::Danger::PublicSuffixSubdomains => "PublicSuffixSubdomains",
        api::Danger::NullOriginWithCredentials => "NullOriginWithCredentials",
        api::Danger::UnboundedRegexWithCredentials => "UnboundedRegexWithCredentials",
    }
}

impl From<api::DisallowedRequests> for DisallowedRequests {
    fn from(value: api::DisallowedRequests) -> Self {
        match value {
            api::DisallowedRequests::Forward => Self::Forward,
            api::DisallowedRequests::Reject => Self::Reject,
        }
    }
}

impl From<api::Mode> for Mode {
    fn from(value: api::Mode) -> Self {
        match value {
            api::Mode::Active => Self::Active,
            api::Mode::DryRun => Self::DryRun,
            api::Mode::Off => Self::Off,
        }
    }
}

impl From<api::OnFailure> for OnFailure {
    fn from(value: api::OnFailure) -> Self {
        match value {
            api::OnFailure::Explain => Self::Explain,
            api::OnFailure::Reject => Self::Reject,
            api::OnFailure::Ignore => Self::Ignore,
            api::OnFailure::Forward => Self::Forward,
        }
    }
}

impl From<api::PathType> for PathType {
    fn from(value: api::PathType) -> Self {
        match value {
            api::PathType::Exact => Self::Exact,
            api::PathType::PathPrefix => Self::PathPrefix,
        }
    }
}

impl From<api::UpstreamCorsHeaders> for UpstreamCorsHeaders {
    fn from(value: api::UpstreamCorsHeaders) -> Self {
        match value {
            api::UpstreamCorsHeaders::Replace => Self::Replace,
            api::UpstreamCorsHeaders::Keep => Self::Keep,
        }
    }
}

impl From<api::UpstreamOrigin> for UpstreamOrigin {
    fn from(value: api::UpstreamOrigin) -> Self {
        match value {
            api::UpstreamOrigin::Keep => Self::Keep,
            api::UpstreamOrigin::Remove => Self::Remove,
        }
    }
}

impl From<api::Diagnostics> for draft::Diagnostics {
    fn from(value: api::Diagnostics) -> Self {
        match value {
            api::Diagnostics::None => Diagnostics::None,
            api::Diagnostics::Header => Diagnostics::Header,
        }
    }
}
