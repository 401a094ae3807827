//! Report: the findings of one validation, while it lasts, and the fields they are about.

use std::fmt;

use crate::finding::{self, Danger, Finding, ListReason, Reason};
use crate::limits::MAX_LIST_LEN;
use crate::policy::ListedDanger;

/// Every finding so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
    dangers: Vec<ListedDanger>,
}

/// A place in a policy, such as `spec.cors.allowOrigins[2]`.
#[derive(Clone, Debug)]
pub(super) struct Field(String);

// === impl Report ===

impl Report {
    pub(super) fn add(&mut self, field: &Field, reason: impl Into<Reason>) {
        self.findings.push(Finding::new(field.to_string(), reason));
    }

    /// A word of `dangerouslyAllow`, which nothing refuses by itself.
    pub(super) fn list_danger(&mut self, field: &Field, danger: Danger) {
        self.dangers.push(ListedDanger { field: field.to_string(), danger });
    }

    /// The words listed so far.
    pub(super) fn take_dangers(&mut self) -> Vec<ListedDanger> {
        std::mem::take(&mut self.dangers)
    }

    /// The part of `list` that is looked at: all of it, unless it is too long.
    pub(super) fn bounded<'l, T>(&mut self, list: &'l [T], field: &Field) -> &'l [T] {
        self.bounded_to(MAX_LIST_LEN, list, field)
    }

    /// The same, for a list that may have `max` entries.
    pub(super) fn bounded_to<'l, T>(
        &mut self,
        max: usize,
        list: &'l [T],
        field: &Field,
    ) -> &'l [T] {
        match list.get(..max) {
            Some(first) if list.len() > max => {
                let count = list.len();
                let list = field.name().to_owned();
                self.add(field, ListReason::TooMany { list, count, max });
                first
            }
            _ => list,
        }
    }

    pub(super) fn into_sorted(mut self) -> Vec<Finding> {
        finding::sort(&mut self.findings);
        self.findings
    }
}

// === impl Field ===

impl Field {
    pub(super) fn root(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Its own name.
    fn name(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or_default()
    }

    /// The field `name` of this one.
    pub(super) fn child(&self, name: &str) -> Self {
        Self([&self.0, ".", name].concat())
    }

    /// The entry `index` of this list.
    pub(super) fn at(&self, index: usize) -> Self {
        Self([&self.0, "[", &index.to_string(), "]"].concat())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
