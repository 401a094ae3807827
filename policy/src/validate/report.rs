//! Report: the findings of one validation, while it lasts, and the fields they are about.

use std::fmt;

use crate::finding::{Finding, ListReason, Reason};
use crate::limits::MAX_LIST_LEN;

/// Every finding so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
}

/// Where in a policy something stands, such as `spec.cors.allowOrigins[2]`.
#[derive(Clone, Debug)]
pub(super) struct Field(String);

/// The fields of a policy, each before those that follow it in the reference.
const ORDER: [&str; 25] = [
    "metadata",
    "namespace",
    "name",
    "spec",
    "hostnames",
    "path",
    "type",
    "value",
    "cors",
    "allowOrigins",
    "allowOriginRegexes",
    "allowMethods",
    "allowHeaders",
    "exposeHeaders",
    "allowCredentials",
    "maxAge",
    "dangerouslyAllow",
    "disallowedRequests",
    "trustedOrigins",
    "rules",
    "mode",
    "preflight",
    "onFailure",
    "successStatus",
    "upstreamCorsHeaders",
];

// === impl Report ===

impl Report {
    pub(super) fn add(&mut self, field: &Field, reason: impl Into<Reason>) {
        self.findings.push(Finding::new(field.to_string(), reason));
    }

    /// The part of `list` that is looked at: all of it, unless it is too long.
    pub(super) fn bounded<'l, T>(&mut self, list: &'l [T], field: &Field) -> &'l [T] {
        match list.get(..MAX_LIST_LEN) {
            Some(first) if list.len() > MAX_LIST_LEN => {
                let (count, max) = (list.len(), MAX_LIST_LEN);
                self.add(field, ListReason::TooMany { count, max });
                first
            }
            _ => list,
        }
    }

    /// Refusals, warnings, hints; each in the order of the fields.
    pub(super) fn into_sorted(mut self) -> Vec<Finding> {
        self.findings.sort_by_cached_key(|finding| (finding.severity(), place(&finding.field)));
        self.findings
    }
}

/// Where a field stands among the others: the rank of each name and the number of each entry.
fn place(field: &str) -> Vec<usize> {
    field
        .split(['.', '[', ']'])
        .filter(|segment| !segment.is_empty())
        .map(|segment| match segment.parse() {
            Ok(index) => index,
            Err(_) => ORDER.iter().position(|name| *name == segment).unwrap_or(ORDER.len()),
        })
        .collect()
}

// === impl Field ===

impl Field {
    pub(super) fn root(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The field `name` of this one.
    pub(super) fn child(&self, name: &str) -> Self {
        Self(format!("{self}.{name}"))
    }

    /// The entry `index` of this list.
    pub(super) fn at(&self, index: usize) -> Self {
        Self(format!("{self}[{index}]"))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
