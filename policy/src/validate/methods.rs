//! Methods: the entries of `allowMethods`.

use std::collections::HashMap;

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
    let mut names = Names::default();
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
                if written.contains('*') {
                    report.add(&entry, MethodReason::Glob(written.clone()));
                } else {
                    check_use(written, &entry, report);
                }
                names.named.push(method);
            }
            Err(InvalidMethod::Syntax) => report.add(&entry, MethodReason::Syntax(written.clone())),
            Err(InvalidMethod::Forbidden) => {
                report.add(&entry, MethodReason::Forbidden(written.clone()));
            }
        }
    }
    // With credentials the answer lists what stands beside `*`, for the next request.
    let is_needless = |method: &Method| !credentials || USUAL_METHODS.contains(&method.as_str());
    if names.any && names.named.iter().any(is_needless) {
        report.add(field, MethodReason::AnyBesideOthers);
    }
    names
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
    }
}
