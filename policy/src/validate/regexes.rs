//! Regexes: the entries of `allowOriginRegexes`.

use std::collections::HashMap;

use super::admission::Admission;
use super::analysis::Analysis;
use super::dangers::Dangers;
use super::meant;
use super::origins::is_never_sent;
use super::report::{Field, Report};
use super::{DeadBranch, Glob, OpenDot, RegexHazard, RegexReach};
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
    analysis: &mut Analysis<'_>,
    dangers: &mut Dangers,
    report: &mut Report,
) -> Vec<OriginRegex> {
    let admission = Admission::allowed(dangers, no_origins && list.len() == 1, analysis.knowledge);
    let (mut regexes, mut entries) = (Vec::new(), Vec::new());
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
                entries.push((written, entry));
                regexes.push(regex);
            }
            Err(why) => {
                dangers.cannot_tell();
                report.add(&entry, refusal(why, value, &admission, analysis));
            }
        }
    }
    let fit_together = OriginRegex::fit_together(&regexes);
    if !fit_together {
        report.add(field, RegexReason::TogetherTooLarge);
        while !OriginRegex::fit_together(&regexes) {
            regexes.pop();
        }
    }
    // The list is refused as a whole, and another takes its place.
    if !fit_together || list.len() > MAX_REGEXES {
        dangers.cannot_tell();
        return regexes;
    }
    for (written, entry) in entries {
        let mut entry = Entry { written, field: &entry, admission: &admission, analysis };
        entry.check_reach(dangers, report);
    }
    regexes
}

fn refusal(
    why: InvalidRegex,
    value: String,
    admission: &Admission<'_>,
    analysis: &mut Analysis<'_>,
) -> RegexReason {
    match why {
        InvalidRegex::Empty => RegexReason::Empty,
        InvalidRegex::TooLong => RegexReason::TooLong(value),
        InvalidRegex::Syntax(message) => {
            let guess = if is_every_origin(&value) {
                Some(Replacement::Pattern("*".to_owned()))
            } else {
                admission.knowledge.regex_in_own_syntax(&value)
            };
            let instead = guess.and_then(|guess| admission.replacement(guess, analysis));
            RegexReason::Syntax { value, message, instead }
        }
    }
}

/// An entry that compiles.
struct Entry<'e, 'k> {
    written: &'e str,
    field: &'e Field,
    admission: &'e Admission<'e>,
    analysis: &'e mut Analysis<'k>,
}

// === impl Entry ===

impl Entry<'_, '_> {
    /// Reports what is dangerous or useless about an expression.
    fn check_reach(&mut self, dangers: &mut Dangers, report: &mut Report) {
        let (written, field) = (self.written, self.field);
        let value = || written.to_owned();
        let RegexReach { misfit, dead_branches, schemes, glob, open_dot, hazards } =
            self.analysis.reach(written);
        if let Some(mut misfit) = misfit {
            misfit.instead = self.meant(misfit.instead);
            let misfit = Box::new(misfit);
            report.add(field, RegexReason::NeverMatches { value: value(), misfit });
        } else {
            self.check_scheme(&schemes, report);
        }
        for dead in dead_branches {
            let reason = self.dead_branch(dead);
            report.add(field, reason);
        }
        self.check_classes(report);
        let is_glob = glob.is_some();
        if let Some(Glob { repeated, pattern }) = glob {
            let pattern = pattern.and_then(|pattern| self.admission.pattern(pattern));
            report.add(field, RegexReason::Glob { value: value(), repeated, pattern });
        }
        if let Some(OpenDot { instead, pattern }) = open_dot {
            let pattern = pattern.and_then(|pattern| self.admission.pattern(pattern));
            if dangers.credentials {
                let reason =
                    RegexReason::OpenDotWithCredentials { value: value(), instead, pattern };
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

    /// Reports words in a class, which is one character.
    fn check_classes(&mut self, report: &mut Report) {
        let Some((class, words)) = words_in_class(self.written) else { return };
        let guess = Replacement::Regex(self.written.replacen(class, &words, 1));
        let (value, class) = (self.written.to_owned(), class.to_owned());
        let instead = self.accepted(guess);
        report.add(self.field, RegexReason::WordsInClass { value, class, instead });
    }

    fn dead_branch(&mut self, dead: DeadBranch) -> RegexReason {
        let DeadBranch { branch, mut misfit, without } = dead;
        let word = word(&branch);
        let beside = meant::is_null(word).then(|| self.admission.pattern(word.to_lowercase()));
        let instead = if beside.is_some() || is_of_another_language(word) {
            without.map(Replacement::Regex)
        } else {
            misfit.instead
        };
        misfit.instead = instead.and_then(|guess| self.accepted(guess));
        let (value, misfit) = (self.written.to_owned(), Box::new(misfit));
        RegexReason::BranchNeverMatches { value, branch, misfit, beside: beside.flatten() }
    }

    /// `guess`, unless it is refused.
    fn accepted(&mut self, guess: Replacement) -> Option<Replacement> {
        self.admission.replacement(guess, self.analysis)
    }

    /// The replacement of an expression that matches no origin: words of other systems are no hosts.
    fn meant(&mut self, guess: Option<Replacement>) -> Option<Replacement> {
        let word = word(self.written);
        let listed = meant::listed(word);
        let word = listed.unwrap_or(word);
        let pattern = |entry: &str| self.admission.pattern(entry.to_owned());
        if meant::is_null(word) {
            return pattern("null").map(Replacement::Pattern);
        }
        if is_every_origin(word) {
            return pattern("*").map(Replacement::Pattern);
        }
        let exact = word.strip_prefix("exact:");
        if listed.is_some() || exact.is_some() {
            let word = exact.unwrap_or(word);
            let mut entries = meant::by(word, self.admission.knowledge);
            let one = entries.pop().filter(|_| entries.is_empty())?;
            return pattern(&one).map(Replacement::Pattern);
        }
        if is_of_another_language(word) { None } else { self.accepted(guess?) }
    }

    /// Reports a scheme that no page has.
    fn check_scheme(&mut self, schemes: &[String], report: &mut Report) {
        let value = self.written.to_owned();
        let all = |is: &dyn Fn(&str) -> bool| {
            !schemes.is_empty() && schemes.iter().all(|scheme| is(scheme))
        };
        if all(&is_never_sent) {
            let instead = Box::new(self.of_pages());
            let scheme = schemes.first().cloned().unwrap_or_default();
            report.add(self.field, OriginReason::NeverSent { value, scheme, instead });
        } else if all(&|scheme| scheme == "file") {
            report.add(self.field, OriginReason::File(value));
        } else if let Some(scheme) = self.scheme().and_then(meant::scheme) {
            let entries = self.with_scheme(scheme).into_iter().collect();
            let instead = Box::new(Instead { entries, ..Instead::default() });
            report.add(self.field, OriginReason::Misspelled { value, instead });
        }
    }

    /// The scheme as written.
    fn scheme(&self) -> Option<&str> {
        let (scheme, _) = self.written.trim_start_matches('^').split_once("://")?;
        Some(scheme)
    }

    /// The expression with a different scheme, unless it is refused.
    fn with_scheme(&mut self, scheme: &str) -> Option<String> {
        let (before, rest) = self.written.split_once("://")?;
        let anchors = before.strip_suffix(before.trim_start_matches('^')).unwrap_or_default();
        let guess = Replacement::Regex(format!("{anchors}{scheme}://{rest}"));
        match self.accepted(guess)? {
            Replacement::Regex(regex) => Some(regex),
            Replacement::Pattern(_) => None,
        }
    }

    /// The origins of the pages that open what the expression accepts.
    fn of_pages(&mut self) -> Instead {
        let schemes: &[&str] = match self.scheme() {
            Some("ws") => &["http", "https"],
            Some("wss" | "ftp" | "ftps?") => &["https"],
            Some("wss?" | "(ws|wss)" | "(wss|ws)") => &["https?", "https"],
            _ => &[],
        };
        let entries = schemes.iter().find_map(|scheme| self.with_scheme(scheme));
        let is_refused = !schemes.is_empty() && entries.is_none();
        Instead { entries: entries.into_iter().collect(), is_refused, ..Instead::default() }
    }
}

/// An expression without its anchors.
fn word(written: &str) -> &str {
    written.trim().trim_start_matches('^').trim_end_matches('$')
}

/// The first class that holds words, as in `[app|www]`, and the group that was probably meant.
fn words_in_class(regex: &str) -> Option<(&str, String)> {
    regex.match_indices('[').find_map(|(begin, _)| {
        let (_, rest) = regex.split_at_checked(begin)?;
        let (inner, after) = rest.strip_prefix('[')?.split_once(']')?;
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let are_words = inner.contains('|')
            && inner.split('|').all(is_word)
            && inner.split('|').any(|word| word.len() > 1);
        // A repeated one can be meant as it is written.
        let is_once = !after.starts_with(['+', '*', '{']);
        let class = rest.strip_suffix(after)?;
        (are_words && is_once).then(|| (class, format!("({inner})")))
    })
}

/// Whether a text is a word of a different system.
fn is_of_another_language(word: &str) -> bool {
    !matches!(Language::of(word), None | Some(Language::Regex))
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
        RegexHazard::AnyAddress => {
            dangers.meet_as(danger, DangerReason::AnyAddress(value), field, report);
        }
        RegexHazard::Unjudged | RegexHazard::NotReached => {
            let is_reached = hazard == RegexHazard::Unjudged;
            let reason = RegexReason::UnjudgedWithCredentials { value, is_reached };
            dangers.meet_as(danger, reason, field, report);
        }
        _ => dangers.meet(danger, written, field, report),
    }
}
