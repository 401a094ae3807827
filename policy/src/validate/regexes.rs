//! Regexes: the entries of `allowOriginRegexes`.

use std::collections::HashMap;

use super::dangers::Dangers;
use super::report::{Field, Report};
use super::{DeadBranch, Glob, Judge, OpenDot, RegexHazard, RegexReach};
use crate::finding::{Danger, DangerReason, ListReason, OriginReason, RegexReason};
use crate::limits::MAX_REGEXES;
use crate::regex::{InvalidRegex, OriginRegex};

pub(super) fn validate(
    list: &[String],
    field: &Field,
    judge: &dyn Judge,
    dangers: &mut Dangers,
    report: &mut Report,
) -> Vec<OriginRegex> {
    let mut regexes = Vec::new();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (at, written) in report.bounded_to(MAX_REGEXES, list, field).iter().enumerate() {
        let entry = field.at(at);
        let value = written.clone();
        if let Some(first) = seen.get(written.as_str()) {
            let first = field.at(*first).to_string();
            report.add(&entry, ListReason::Repeated { value, first });
            continue;
        }
        seen.insert(written, at);
        match OriginRegex::parse(written) {
            Ok(regex) => {
                check_reach(written, &entry, judge, dangers, report);
                regexes.push(regex);
            }
            Err(why) => {
                dangers.cannot_tell();
                report.add(&entry, refusal(why, value, judge));
            }
        }
    }
    if !OriginRegex::fit_together(&regexes) {
        report.add(field, RegexReason::TogetherTooLarge);
        while !OriginRegex::fit_together(&regexes) {
            regexes.pop();
        }
    }
    regexes
}

fn refusal(why: InvalidRegex, value: String, judge: &dyn Judge) -> RegexReason {
    match why {
        InvalidRegex::Empty => RegexReason::Empty,
        InvalidRegex::TooLong => RegexReason::TooLong(value),
        InvalidRegex::Syntax(message) => {
            let instead = judge.regex_in_own_syntax(&value);
            RegexReason::Syntax { value, message, instead }
        }
    }
}

/// Design section 3.3, for regexes.
fn check_reach(
    written: &str,
    field: &Field,
    judge: &dyn Judge,
    dangers: &mut Dangers,
    report: &mut Report,
) {
    let value = || written.to_owned();
    let RegexReach { misfit, dead_branches, glob, open_dot, hazards } = judge.regex_reach(written);
    if let Some(misfit) = misfit {
        report.add(field, RegexReason::NeverMatches { value: value(), misfit: Box::new(misfit) });
        return;
    }
    for DeadBranch { branch, misfit } in dead_branches {
        let misfit = Box::new(misfit);
        report.add(field, RegexReason::BranchNeverMatches { value: value(), branch, misfit });
    }
    let is_glob = glob.is_some();
    if let Some(Glob { repeated, pattern }) = glob {
        report.add(field, RegexReason::Glob { value: value(), repeated, pattern });
    }
    if let Some(OpenDot { instead, pattern }) = open_dot {
        if dangers.credentials {
            let reason = RegexReason::OpenDotWithCredentials { value: value(), instead, pattern };
            dangers.meet_as(Danger::UnboundedRegexWithCredentials, reason, field, report);
        } else if !is_glob {
            report.add(field, RegexReason::OpenDot { value: value(), instead, pattern });
        }
    }
    for hazard in hazards {
        if dangers.credentials {
            check_with_credentials(hazard, written, field, dangers, report);
        } else if hazard == RegexHazard::AnyOrigin {
            report.add(field, RegexReason::Everything(value()));
        } else if hazard == RegexHazard::PublicSuffix {
            report.add(field, DangerReason::PublicSuffix(value()));
        }
    }
}

fn check_with_credentials(
    hazard: RegexHazard,
    written: &str,
    field: &Field,
    dangers: &mut Dangers,
    report: &mut Report,
) {
    let unbounded = Danger::UnboundedRegexWithCredentials;
    let value = written.to_owned();
    let danger = match hazard {
        RegexHazard::AnyOrigin | RegexHazard::AnyHost => Danger::AnyOriginWithCredentials,
        RegexHazard::Insecure => Danger::InsecureOriginWithCredentials,
        RegexHazard::PublicSuffix => Danger::PublicSuffixSubdomains,
        RegexHazard::AnyAppHost => Danger::AnyAppOriginWithCredentials,
        RegexHazard::OpenEnd => unbounded,
        RegexHazard::Loopback => {
            report.add(field, OriginReason::Development(value));
            return;
        }
        RegexHazard::AnyScheme => {
            let reason = RegexReason::AnySchemeWithCredentials(value);
            dangers.meet_as(unbounded, reason, field, report);
            return;
        }
        RegexHazard::Unjudged => {
            let reason = RegexReason::UnjudgedWithCredentials(value);
            dangers.meet_as(unbounded, reason, field, report);
            return;
        }
    };
    dangers.meet(danger, written, field, report);
}
