//! A `cors` block: its lists, then what they mean together.

use super::analysis::Analysis;
use super::dangers::Dangers;
use super::report::{Field, Report};
use super::{headers, methods, origins, regexes};
use crate::draft::CorsDraft;
use crate::finding::{HeaderReason, MaxAgeReason, MethodReason, OriginReason, is_capped};
use crate::policy::Cors;

/// The place of a `cors` block, which tells what an empty list of origins means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The policy, or a rule of a policy that allows no page itself.
    Alone,
    /// A rule of a policy whose own block allows pages.
    BesideAllowed,
    /// A rule with `mode: Off`, where the block is refused.
    Unused,
}

/// A block without an origin, which is meant in a rule beside a policy's own, and of no account where none is used.
fn say_that_nobody_is_allowed(draft: &CorsDraft, place: Place, field: &Field, report: &mut Report) {
    let is_meant = place == Place::BesideAllowed && says_nothing_of_requests(draft);
    if place != Place::Unused {
        report.add(field, if is_meant { OriginReason::NobodyHere } else { OriginReason::Nobody });
    }
}

/// The block of a policy, or of a rule.
pub(super) fn validate(
    draft: &CorsDraft,
    field: &Field,
    place: Place,
    analysis: &mut Analysis<'_>,
    report: &mut Report,
) -> Cors {
    let CorsDraft {
        allow_origins,
        allow_origin_regexes,
        allow_methods,
        allow_headers,
        expose_headers,
        allow_credentials,
        max_age,
        dangerously_allow,
    } = draft;
    let credentials = *allow_credentials;
    let mut dangers =
        Dangers::new(credentials, dangerously_allow, &field.child("dangerouslyAllow"), report);
    let origins_field = field.child("allowOrigins");
    let origins = origins::allowed(
        allow_origins,
        allow_origin_regexes.is_empty(),
        &origins_field,
        analysis.knowledge,
        &mut dangers,
        report,
    );
    let regexes_field = field.child("allowOriginRegexes");
    let regexes = regexes::validate(
        allow_origin_regexes,
        allow_origins.is_empty(),
        &regexes_field,
        analysis,
        &mut dangers,
        report,
    );
    dangers.check_each_is_needed(report);
    let cors = Cors {
        origins,
        regexes,
        methods: methods::validate(
            allow_methods,
            credentials,
            &field.child("allowMethods"),
            report,
        ),
        headers: headers::request(allow_headers, credentials, &field.child("allowHeaders"), report),
        expose: headers::response(
            expose_headers,
            credentials,
            &field.child("exposeHeaders"),
            report,
        ),
        credentials,
        max_age: check_max_age(*max_age, &field.child("maxAge"), report),
    };
    headers::check_companions(&cors.headers, &cors.expose, credentials, field, report);
    if allow_origins.is_empty() && allow_origin_regexes.is_empty() {
        say_that_nobody_is_allowed(draft, place, &origins_field, report);
    } else {
        hint_at_what_is_absent(draft, field, report);
    }
    cors
}

/// Whether nothing in the block is of use to an origin that it allows: a rule that says more, and names no origin, was to
/// inherit the policy's.
fn says_nothing_of_requests(draft: &CorsDraft) -> bool {
    draft.allow_methods.is_empty()
        && draft.allow_headers.is_empty()
        && draft.expose_headers.is_empty()
        && !draft.allow_credentials
}

/// Hints at the first permissions that an allowed page will miss.
fn hint_at_what_is_absent(draft: &CorsDraft, field: &Field, report: &mut Report) {
    if draft.allow_methods.is_empty() {
        report.add(&field.child("allowMethods"), MethodReason::None);
    }
    if draft.allow_headers.is_empty() {
        report.add(&field.child("allowHeaders"), HeaderReason::None);
    }
    if draft.max_age.is_none() {
        report.add(&field.child("maxAge"), MaxAgeReason::Absent);
    }
}

pub(super) fn check_max_age(
    written: Option<i64>,
    field: &Field,
    report: &mut Report,
) -> Option<u32> {
    let seconds = written?;
    // A delta-seconds (RFC 9111 section 1.2.2) beyond 31 bits overflows in some caches.
    let valid = i32::try_from(seconds).ok().and_then(|seconds| u32::try_from(seconds).ok());
    match valid {
        None if seconds < 0 => report.add(field, MaxAgeReason::Negative(seconds.to_string())),
        None => report.add(field, MaxAgeReason::TooLarge(seconds.to_string())),
        Some(seconds) if is_capped(seconds) => {
            report.add(field, MaxAgeReason::Capped { written: seconds.to_string(), seconds });
        }
        Some(_) => {}
    }
    valid
}
