//! Report: what the admin address says about policies, files and bundles, as JSON.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use corsward_policy::Finding;
use corsward_policy::draft::Mode;
use serde::Serialize;

use crate::bundle::Bundle;
use crate::event::Problem;
use crate::index::Index;
use crate::json_text::JsonText;
use crate::lease_record::LeaseRecord;
use crate::plan::{Plan, ScopePlan};
use crate::status::{Condition, ConditionType, Status};

/// The report.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    lease: Option<LeaseReport>,
    bundles: Vec<BundleReport>,
    policies: Vec<PolicyReport>,
    files: Vec<FileReport>,
}

/// The replica that writes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LeaseReport {
    holder: String,
    is_this_replica: bool,
    unchanged_seconds: u64,
    taken_after_seconds: u64,
}

#[derive(Clone, Debug, Serialize)]
struct BundleReport {
    name: String,
    digest: Arc<str>,
    bytes: usize,
    policies: usize,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyReport {
    namespace: String,
    name: String,
    file: Option<String>,
    generation: i64,
    mode: Option<&'static str>,
    accepted: bool,
    programmed: bool,
    conditions: [Condition; 3],
    in_force: Option<InForceReport>,
    overridden_by: Option<String>,
    findings: Vec<FindingReport>,
}

#[derive(Clone, Debug, Serialize)]
struct InForceReport {
    generation: i64,
    digest: Option<Arc<str>>,
    spec: JsonText,
}

#[derive(Clone, Debug, Serialize)]
struct FileReport {
    file: String,
    findings: Vec<FindingReport>,
}

/// A finding, for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingReport {
    /// Its code.
    pub code: &'static str,
    /// Its severity.
    pub severity: &'static str,
    /// The field, as in the object.
    pub field: String,
    /// The fault and the fix.
    pub message: String,
}

// === impl Report ===

impl Report {
    /// The report on plans, with the state of their publication.
    pub fn of<'s>(index: &Index, plan: &Plan, statuses: impl Iterator<Item = &'s Status>) -> Self {
        let mut files: BTreeMap<String, Vec<FindingReport>> = BTreeMap::new();
        for Problem { place, finding, .. } in &index.problems {
            files.entry(place.clone()).or_default().push(FindingReport::of(finding));
        }
        let files = files.into_iter().map(|(file, findings)| FileReport { file, findings });
        let bundles = plan.scopes().values().flat_map(ScopePlan::bundles_with_counts);
        let bundle = |(Bundle { key, compiled, digest }, policies): (&Bundle, _)| BundleReport {
            name: key.to_string(),
            digest: digest.clone(),
            bytes: compiled.len(),
            policies,
        };
        Self {
            lease: None,
            bundles: bundles.map(bundle).collect(),
            policies: statuses.map(|status| PolicyReport::of(index, status)).collect(),
            files: files.collect(),
        }
    }

    /// And about who writes.
    pub fn with_lease(self, holding: Option<&LeaseRecord>, now: Instant) -> Self {
        let lease = holding.map(|holding| LeaseReport {
            holder: holding.holder.clone(),
            is_this_replica: holding.is_ours,
            unchanged_seconds: holding.silent(now).as_secs(),
            taken_after_seconds: holding.lasts.as_secs(),
        });
        Self { lease, ..self }
    }
}

// === impl PolicyReport ===

impl PolicyReport {
    fn of(index: &Index, status: &Status) -> Self {
        let entry = index.entries().get(&status.policy);
        let in_force = status.in_force.as_ref();
        let mode = |mode| match mode {
            Mode::Active => "Active",
            Mode::DryRun => "DryRun",
            Mode::Off => "Off",
        };
        Self {
            namespace: status.policy.namespace.clone(),
            name: status.policy.name.clone(),
            file: entry.and_then(|entry| entry.object.place.clone()),
            generation: status.observed_generation,
            mode: in_force.map(|it| mode(it.policy.mode())),
            accepted: status.holds(ConditionType::Accepted),
            programmed: status.holds(ConditionType::Programmed),
            conditions: status.conditions.clone(),
            in_force: in_force.map(|it| InForceReport {
                generation: it.generation,
                digest: status.digest.clone(),
                spec: it.spec.clone(),
            }),
            overridden_by: status.overridden_by.as_ref().map(ToString::to_string),
            findings: status.findings.iter().map(FindingReport::of).collect(),
        }
    }
}

// === impl FindingReport ===

impl FindingReport {
    /// The report of a finding.
    pub fn of(finding: &Finding) -> Self {
        Self {
            code: finding.code(),
            severity: finding.severity().as_str(),
            field: finding.field.clone(),
            message: finding.message(),
        }
    }
}
