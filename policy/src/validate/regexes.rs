//! Regexes: the entries of `allowOriginRegexes`.

use std::collections::HashMap;

use super::admission::Admission;
use super::dangers::Dangers;
use super::meant;
use super::report::{Field, Report};
use super::{DeadBranch, Glob, Knowledge, OpenDot, RegexHazard, RegexReach};
use crate::finding::{
    Danger, DangerReason, Instead, Language, ListReason, OriginReason, RegexReason, Replacement,
    is_every_origin,
};
use crate::limits::MAX_REGEXES;
use crate::regex::{InvalidRegex, OriginRegex};

pub(super) fn validate(
    list: &[String],
    no_origins: bool,
    field: &Field,
    knowledge: &dyn Knowledge,
    dangers: &mut Dangers,
    report: &mut Report,
) -> Vec<OriginRegex> {
    let admission = Admission::allowed(dangers, no_origins && list.len() == 1, knowledge);
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
                check_reach(written, &entry, &admission, dangers, report);
                regexes.push(regex);
            }
            Err(why) => {
                dangers.cannot_tell();
                report.add(&entry, refusal(why, value, &admission));
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

fn refusal(why: InvalidRegex, value: String, admission: &Admission<'_>) -> RegexReason {
    match why {
        InvalidRegex::Empty => RegexReason::Empty,
        InvalidRegex::TooLong => RegexReason::TooLong(value),
        InvalidRegex::Syntax(message) => {
            let guess = admission.knowledge.regex_in_own_syntax(&value);
            let instead = guess.and_then(|guess| admission.replacement(guess));
            RegexReason::Syntax { value, message, instead }
        }
    }
}

/// Reports what is dangerous or useless about an expression.
fn check_reach(
    written: &str,
    field: &Field,
    admission: &Admission<'_>,
    dangers: &mut Dangers,
    report: &mut Report,
) {
    let value = || written.to_owned();
    let RegexReach { misfit, dead_branches, glob, open_dot, hazards } =
        admission.knowledge.regex_reach(written);
    if let Some(mut misfit) = misfit {
        misfit.instead = meant_by(written, misfit.instead, admission);
        report.add(field, RegexReason::NeverMatches { value: value(), misfit: Box::new(misfit) });
        return;
    }
    check_scheme(written, field, admission, report);
    for DeadBranch { branch, mut misfit } in dead_branches {
        misfit.instead = misfit.instead.and_then(|guess| admission.replacement(guess));
        let misfit = Box::new(misfit);
        report.add(field, RegexReason::BranchNeverMatches { value: value(), branch, misfit });
    }
    let is_glob = glob.is_some();
    if let Some(Glob { repeated, pattern }) = glob {
        let pattern = pattern.and_then(|pattern| admission.pattern(pattern));
        report.add(field, RegexReason::Glob { value: value(), repeated, pattern });
    }
    if let Some(OpenDot { instead, pattern }) = open_dot {
        let pattern = pattern.and_then(|pattern| admission.pattern(pattern));
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
        } else if matches!(hazard, RegexHazard::PublicSuffix | RegexHazard::OpenEnd) {
            report.add(field, DangerReason::PublicSuffix(value()));
        }
    }
}

/// What to write in place of an expression that matches no origin: words of another system are no hosts.
fn meant_by(
    written: &str,
    guess: Option<Replacement>,
    admission: &Admission<'_>,
) -> Option<Replacement> {
    let word = written.trim().trim_start_matches('^').trim_end_matches('$');
    let pattern = |entry: &str| admission.pattern(entry.to_owned()).map(Replacement::Pattern);
    if word.eq_ignore_ascii_case("null") {
        return pattern("null");
    }
    if is_every_origin(word) {
        return pattern("*");
    }
    match Language::of(word) {
        None | Some(Language::Regex) => admission.replacement(guess?),
        Some(_) => None,
    }
}

/// Reports a misspelled `http` or `https`.
fn check_scheme(written: &str, field: &Field, admission: &Admission<'_>, report: &mut Report) {
    let body = written.trim_start_matches('^');
    let anchors = written.strip_suffix(body).unwrap_or_default();
    let Some((own, rest)) = body.split_once("://") else { return };
    let Some(scheme) = meant::scheme(own) else { return };
    let guess = Replacement::Regex(format!("{anchors}{scheme}://{rest}"));
    let entries = match admission.replacement(guess) {
        Some(Replacement::Regex(regex)) => vec![regex],
        _ => Vec::new(),
    };
    let (value, instead) =
        (written.to_owned(), Box::new(Instead { entries, ..Instead::default() }));
    report.add(field, OriginReason::Misspelled { value, instead });
}

fn check_with_credentials(
    hazard: RegexHazard,
    written: &str,
    field: &Field,
    dangers: &mut Dangers,
    report: &mut Report,
) {
    let value = written.to_owned();
    let Some(danger) = hazard.danger() else {
        report.add(field, OriginReason::Development(value));
        return;
    };
    match hazard {
        RegexHazard::AnyScheme => {
            dangers.meet_as(danger, RegexReason::AnySchemeWithCredentials(value), field, report);
        }
        RegexHazard::Unjudged => {
            dangers.meet_as(danger, RegexReason::UnjudgedWithCredentials(value), field, report);
        }
        _ => dangers.meet(danger, written, field, report),
    }
}
