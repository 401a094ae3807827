//! Methods: the entries of `allowMethods`.

use std::collections::HashMap;

use super::meant::{self, NameSyntax};
use super::report::{Field, Report};
use crate::finding::{ListReason, MethodReason};
use crate::limits::MAX_METHODS;
use crate::method::{InvalidMethod, Method, USUAL_METHODS};
use crate::policy::Names;

/// Fetch, "normalize a method": these are upper-cased, and no other.
const NORMALIZED: [&str; 6] = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];

/// The entries of `allowMethods`.
pub(super) fn validate(
    list: &[String],
    credentials: bool,
    field: &Field,
    report: &mut Report,
) -> Names<Method> {
    let mut names = Names { any: false, named: Vec::with_capacity(list.len().min(MAX_METHODS)) };
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (at, written) in report.bounded_to(MAX_METHODS, list, field).iter().enumerate() {
        let entry = field.at(at);
        if let Some(first) = seen.get(written.as_str()) {
            let (value, first) = (written.clone(), field.at(*first).to_string());
            report.add(&entry, ListReason::Repeated { value, first });
            continue;
        }
        seen.insert(written, at);
        if written == "*" {
            names.any = true;
            continue;
        }
        match Method::parse(written) {
            Ok(method) => {
                match other_syntax(written, list) {
                    Some(reason) => report.add(&entry, reason),
                    None => check_use(written, &entry, report),
                }
                names.named.push(method);
            }
            Err(InvalidMethod::Syntax) => {
                let (value, instead) = (written.clone(), instead(written, list));
                report.add(&entry, MethodReason::Syntax { value, instead });
            }
            Err(InvalidMethod::Forbidden) => {
                report.add(&entry, MethodReason::Forbidden(written.clone()));
            }
        }
    }
    if names.any {
        check_covered(list, &names, credentials, field, report);
    }
    names
}

/// Reports the names that the wildcard beside them covers.
fn check_covered(
    list: &[String],
    names: &Names<Method>,
    credentials: bool,
    field: &Field,
    report: &mut Report,
) {
    // With credentials the answer lists what stands beside `*`, for the next request.
    let is_needless = |name: &str| !credentials || USUAL_METHODS.contains(&name);
    let is_covered =
        |written: &str| is_needless(written) && names.named.iter().any(|it| it.as_str() == written);
    let (covered, rest): (Vec<String>, Vec<String>) =
        list.iter().cloned().partition(|written| is_covered(written));
    if !covered.is_empty() {
        report.add(field, MethodReason::AnyBesideOthers { covered, rest });
    }
}

/// A token in the syntax of a different system.
fn other_syntax(written: &str, list: &[String]) -> Option<MethodReason> {
    let value = written.to_owned();
    if meant::is_excluded(written) {
        return Some(MethodReason::Exception(value));
    }
    Some(match NameSyntax::of(written) {
        Some(NameSyntax::Every) => MethodReason::Every(value),
        Some(NameSyntax::Regex) => MethodReason::Regex { value, instead: instead(written, list) },
        Some(NameSyntax::Glob) => MethodReason::Glob(value),
        Some(NameSyntax::Value) => MethodReason::Program { value, instead: Vec::new() },
        Some(NameSyntax::Constant) => {
            MethodReason::Program { value, instead: instead(written, list) }
        }
        None => {
            let instead = vec![constant_of_php(written)?.to_owned()];
            MethodReason::Program { value, instead }
        }
    })
}

/// The usual method of a constant such as `HTTP_GET`.
fn constant_of_php(written: &str) -> Option<&'static str> {
    let name = written.strip_prefix("HTTP_")?;
    USUAL_METHODS.into_iter().find(|method| *method == name)
}

/// The methods that an entry of `list` holds. Forbidden ones are left out, because browsers never send them.
fn instead(written: &str, list: &[String]) -> Vec<String> {
    let room = MAX_METHODS.saturating_sub(list.len());
    let names = meant::names(written, room, |name| match Method::parse(name) {
        Ok(_) => Some(true),
        Err(InvalidMethod::Forbidden) => Some(false),
        Err(InvalidMethod::Syntax) => None,
    });
    let mut methods: Vec<String> = Vec::new();
    for name in names {
        let usual = USUAL_METHODS.iter().find(|usual| usual.eq_ignore_ascii_case(&name));
        let method = usual.map_or(name, |usual| (*usual).to_owned());
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods
}

/// Does the entry mean what its author expects?
fn check_use(written: &str, field: &Field, report: &mut Report) {
    let is_normalized = |known: &str| known.eq_ignore_ascii_case(written) && known != written;
    if NORMALIZED.into_iter().any(is_normalized) {
        report.add(field, MethodReason::Normalized(written.to_owned()));
    } else if written.bytes().any(|byte| byte.is_ascii_lowercase()) {
        report.add(field, MethodReason::LowerCase(written.to_owned()));
    } else if written == "OPTIONS" {
        report.add(field, MethodReason::Options);
    } else if let Some(meant) = misspelled(written) {
        let (value, meant) = (written.to_owned(), meant.to_owned());
        report.add(field, MethodReason::Misspelled { value, meant });
    }
}

/// The usual method that was probably meant. No other method of IANA's "HTTP Method Registry" is so near to one of them.
fn misspelled(written: &str) -> Option<&'static str> {
    if written == "DEL" { Some("DELETE") } else { meant::nearest(written, &USUAL_METHODS) }
}
