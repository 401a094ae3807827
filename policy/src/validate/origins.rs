//! Origins: the entries of `allowOrigins` and `trustedOrigins`.

use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;

use super::Knowledge;
use super::admission::Admission;
use super::dangers::Dangers;
use super::meant;
use super::reached::{
    block_or_address, dangers_of, has_registrable_star, has_sites, is_any_host, is_loopback,
};
use super::report::{Field, Report};
use crate::contain::Cover;
use crate::finding::{DangerReason, ListReason, OriginReason};
use crate::limits::{MAX_LIST_LEN, MAX_TRUSTED_ORIGINS};
use crate::origin::is_http;
use crate::pattern::{HostShape, InvalidOrigin, OriginPattern, PortPattern, TuplePattern};

/// Schemes whose pages have a different origin: sockets and files are opened by pages, and the rest is opaque.
const NEVER_SENT: [&str; 8] =
    ["ws", "wss", "ftp", "about", "blob", "data", "filesystem", "javascript"];

/// A valid entry, beside what its author wrote.
struct Entry<'l> {
    written: &'l str,
    field: Field,
    pattern: OriginPattern,
    /// An earlier entry that accepts the same in a different notation.
    twin: Option<String>,
}

/// The valid entries of a list, each once, and whether they are all.
struct Parsed<'l> {
    entries: Vec<Entry<'l>>,
    /// The same patterns, each as often as it is written: where all are valid, an index here is one of the list.
    patterns: Vec<OriginPattern>,
    all_valid: bool,
}

/// The entries of `allowOrigins`.
pub(super) fn allowed(
    list: &[String],
    no_regexes: bool,
    field: &Field,
    knowledge: &dyn Knowledge,
    dangers: &mut Dangers,
    report: &mut Report,
) -> Vec<OriginPattern> {
    let admission = Admission::allowed(dangers, list.len() == 1 && no_regexes, knowledge);
    let Parsed { entries, patterns, all_valid } =
        parse(MAX_LIST_LEN, list, field, &admission, report);
    if !all_valid {
        dangers.cannot_tell();
    }
    let cover = Cover::new(entries.iter().map(|entry| &entry.pattern));
    for entry in &entries {
        let Entry { written, field, pattern, twin: _ } = entry;
        if dangers.credentials {
            for danger in dangers_of(pattern, knowledge) {
                dangers.meet(danger, written, field, report);
            }
        }
        match pattern {
            OriginPattern::Any if entries.len() > 1 || !no_regexes => {
                report.add(field, OriginReason::AnyBesideOthers);
            }
            OriginPattern::Any => {}
            OriginPattern::Null => report.add(field, OriginReason::Null),
            OriginPattern::Tuple(tuple) => {
                check_dangers(tuple, written, field, knowledge, dangers, report);
                check_is_sent(tuple, entry, &admission, report);
                check_is_not_covered(tuple, entry, &cover, report);
                check_loopback(tuple, entry, &cover, report);
            }
        }
    }
    sifted(patterns)
}

/// The entries of `trustedOrigins`. They never share anything, so only an entry that would trust every site is
/// refused.
pub(super) fn trusted(
    list: &[String],
    field: &Field,
    knowledge: &dyn Knowledge,
    report: &mut Report,
) -> Vec<OriginPattern> {
    let admission = Admission::trusted(knowledge);
    let Parsed { entries, patterns, all_valid: _ } =
        parse(MAX_TRUSTED_ORIGINS, list, field, &admission, report);
    let cover = Cover::new(entries.iter().map(|entry| &entry.pattern));
    for entry in &entries {
        let Entry { written, field, pattern, twin: _ } = entry;
        match pattern {
            OriginPattern::Any => report.add(field, OriginReason::AnyTrusted("*".to_owned())),
            OriginPattern::Null => report.add(field, OriginReason::NullTrusted),
            OriginPattern::Tuple(tuple) if is_any_host(tuple) => {
                let (web, app) = (OriginReason::AnyTrusted, OriginReason::AnyAppTrusted);
                let reason = if has_sites(tuple) { web } else { app };
                report.add(field, reason((*written).to_owned()));
            }
            OriginPattern::Tuple(tuple) => {
                if has_registrable_star(tuple, knowledge) {
                    report.add(field, DangerReason::PublicSuffix((*written).to_owned()));
                }
                check_is_sent(tuple, entry, &admission, report);
                check_is_not_covered(tuple, entry, &cover, report);
            }
        }
    }
    sifted(patterns)
}

/// `*` beside others is refused; what is left without it allows less, and can be read by a filter.
fn sifted(mut patterns: Vec<OriginPattern>) -> Vec<OriginPattern> {
    if patterns.iter().any(|pattern| *pattern != OriginPattern::Any) {
        patterns.retain(|pattern| *pattern != OriginPattern::Any);
    }
    patterns
}

/// A list that stands in no policy: what is dangerous is judged where it is used.
pub(super) fn shared(
    list: &[String],
    field: &Field,
    knowledge: &dyn Knowledge,
    report: &mut Report,
) -> Vec<OriginPattern> {
    let admission = Admission::shared(knowledge);
    let Parsed { entries, patterns, all_valid: _ } =
        parse(MAX_LIST_LEN, list, field, &admission, report);
    let cover = Cover::new(entries.iter().map(|entry| &entry.pattern));
    for entry in &entries {
        if let OriginPattern::Tuple(tuple) = &entry.pattern {
            check_scheme(tuple, entry, &admission, report);
            check_is_not_covered(tuple, entry, &cover, report);
        }
    }
    patterns
}

fn parse<'l>(
    max: usize,
    list: &'l [String],
    field: &Field,
    admission: &Admission<'_>,
    report: &mut Report,
) -> Parsed<'l> {
    let (mut entries, mut patterns) = (Vec::new(), Vec::with_capacity(list.len().min(max)));
    let mut all_valid = true;
    let mut seen: HashMap<OriginPattern, (usize, OriginPattern)> = HashMap::new();
    for (at, written) in report.bounded_to(max, list, field).iter().enumerate() {
        let entry = field.at(at);
        let value = written.clone();
        let parsed = match OriginPattern::parse(written) {
            Ok(parsed) => parsed,
            Err(why) => {
                all_valid = false;
                let mut instead = admission.of(meant::by(written, admission.knowledge));
                if why == InvalidOrigin::Star {
                    instead.example = example(written, admission);
                }
                let instead = Box::new(instead);
                report.add(&entry, OriginReason::Invalid { value, why, instead });
                continue;
            }
        };
        let pattern = parsed.pattern;
        patterns.push(pattern.clone());
        let mut twin = None;
        match seen.entry(pattern.in_one_notation()) {
            MapEntry::Occupied(first) => {
                let (first, known) = first.get();
                if *known == pattern {
                    let first = field.at(*first).to_string();
                    report.add(&entry, ListReason::Repeated { value, first });
                    continue;
                }
                twin = Some(known.to_string());
            }
            MapEntry::Vacant(vacant) => {
                vacant.insert((at, pattern.clone()));
            }
        }
        if parsed.normalized {
            let normal = pattern.to_string();
            if !is_normal_but_for_case(&pattern, written, &normal) {
                report.add(&entry, ListReason::Normalized { value, normal });
            }
        }
        entries.push(Entry { written, field: entry, pattern, twin });
    }
    Parsed { entries, patterns, all_valid }
}

/// A pattern in the domain of an entry whose stars do not tell what is meant.
fn example(written: &str, admission: &Admission<'_>) -> Option<String> {
    let pattern = meant::below_last_star(written)?;
    let is_owned = matches!(&pattern, OriginPattern::Tuple(tuple) if !has_registrable_star(tuple, admission.knowledge));
    if is_owned { admission.pattern(pattern.to_string()) } else { None }
}

/// Whether an entry differs from its normal form by the case of an application's host, which not every browser lowers.
fn is_normal_but_for_case(pattern: &OriginPattern, written: &str, normal: &str) -> bool {
    matches!(pattern, OriginPattern::Tuple(tuple) if !is_http(tuple.scheme())
        && tuple.scheme() != "chrome-extension"
        && written.starts_with(tuple.scheme())
        && written.eq_ignore_ascii_case(normal))
}

/// The dangers of tuple origins.
fn check_dangers(
    tuple: &TuplePattern,
    written: &str,
    field: &Field,
    knowledge: &dyn Knowledge,
    dangers: &mut Dangers,
    report: &mut Report,
) {
    if !dangers.credentials {
        if has_registrable_star(tuple, knowledge) {
            report.add(field, DangerReason::PublicSuffix(written.to_owned()));
        }
        return;
    }
    // Names without a port are how Capacitor and Tauri serve the pages of their applications.
    let is_development = tuple.scheme() == "http"
        && is_loopback(tuple.host())
        && (tuple.port() != PortPattern::Default || block_or_address(tuple.host()));
    if is_development {
        report.add(field, OriginReason::Development(written.to_owned()));
    }
}

/// `localhost` without its address. A name without a port is how Capacitor serves the pages of its applications, and
/// 127.0.0.1 none of them.
fn check_loopback(tuple: &TuplePattern, entry: &Entry<'_>, cover: &Cover, report: &mut Report) {
    if tuple.scheme().starts_with("http")
        && tuple.port() != PortPattern::Default
        && *tuple.host() == HostShape::Exact("localhost".into())
    {
        let missing = format!("{}://127.0.0.1{}", tuple.scheme(), tuple.port());
        let known =
            OriginPattern::parse(&missing).is_ok_and(|other| cover.contains(&other.pattern));
        if !known {
            let value = entry.written.to_owned();
            report.add(&entry.field, OriginReason::LocalhostAlone { value, missing });
        }
    }
}

/// Reports origins that no client sends, or that one client sends.
fn check_is_sent(
    tuple: &TuplePattern,
    entry: &Entry<'_>,
    admission: &Admission<'_>,
    report: &mut Report,
) {
    let Entry { written, field, .. } = entry;
    let value = (*written).to_owned();
    if is_never_sent(tuple.scheme()) {
        let instead = Box::new(admission.of(meant::pages_of(tuple)));
        let scheme = tuple.scheme().to_owned();
        report.add(field, OriginReason::NeverSent { value, scheme, instead });
        return;
    }
    match (tuple.scheme(), tuple.host()) {
        ("file", _) => report.add(field, OriginReason::File(value)),
        ("chrome-extension", HostShape::Any) => {
            report.add(field, OriginReason::NoExtension(value));
        }
        ("chrome-extension", HostShape::Exact(host)) if !is_extension_id(host) => {
            report.add(field, OriginReason::NoExtension(value));
        }
        ("moz-extension" | "safari-web-extension", HostShape::Exact(_)) => {
            report.add(field, OriginReason::OneInstallation(value));
        }
        _ => check_scheme(tuple, entry, admission, report),
    }
}

/// Whether pages of that scheme have a different origin.
pub(super) fn is_never_sent(scheme: &str) -> bool {
    NEVER_SENT.contains(&scheme)
}

/// Whether it is an ID of Chromium's extensions, a digest in the letters `a` to `p`.
fn is_extension_id(host: &str) -> bool {
    host.len() == 32 && host.bytes().all(|byte| matches!(byte, b'a'..=b'p'))
}

/// Reports a misspelled `http` or `https`, and a host that is nearly an address.
fn check_scheme(
    tuple: &TuplePattern,
    entry: &Entry<'_>,
    admission: &Admission<'_>,
    report: &mut Report,
) {
    if let Some(guesses) = meant::well_spelled(tuple) {
        let instead = Box::new(admission.of(guesses));
        let value = entry.written.to_owned();
        report.add(&entry.field, OriginReason::Misspelled { value, instead });
    } else if let Some(guesses) = meant::addresses(tuple) {
        let instead = Box::new(admission.of(guesses));
        let value = entry.written.to_owned();
        report.add(&entry.field, OriginReason::NoAddress { value, instead });
    }
}

fn check_is_not_covered(
    tuple: &TuplePattern,
    entry: &Entry<'_>,
    cover: &Cover,
    report: &mut Report,
) {
    let wider = cover.wider_than(tuple).map(ToString::to_string);
    if let Some(by) = wider.or_else(|| entry.twin.clone()) {
        let value = entry.written.to_owned();
        report.add(&entry.field, OriginReason::Covered { value, by });
    }
}
