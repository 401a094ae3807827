//! Regexes: the entries of `allowOriginRegexes`.

use std::collections::HashMap;

use super::dangers::Dangers;
use super::report::{Field, Report};
use super::{Judge, RegexReach};
use crate::finding::{Danger, ListReason, RegexReason};
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
                report.add(&entry, refusal(why, value));
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

fn refusal(why: InvalidRegex, value: String) -> RegexReason {
    match why {
        InvalidRegex::Empty => RegexReason::Empty,
        InvalidRegex::TooLong => RegexReason::TooLong(value),
        InvalidRegex::Syntax(message) => RegexReason::Syntax { value, message },
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
    let value = written.to_owned();
    let credentials = dangers.credentials;
    match judge.regex_reach(written) {
        RegexReach::Nothing => report.add(field, RegexReason::Nothing(value)),
        RegexReach::Insecure if credentials => {
            dangers.meet(Danger::InsecureOriginWithCredentials, written, field, report);
        }
        RegexReach::Unbounded | RegexReach::Everything if credentials => {
            dangers.meet(Danger::UnboundedRegexWithCredentials, written, field, report);
        }
        RegexReach::Everything => report.add(field, RegexReason::Everything(value)),
        RegexReach::Bounded | RegexReach::Insecure | RegexReach::Unbounded => {}
    }
}
