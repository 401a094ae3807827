//! Scope metrics: the counts of one part, and their sum.

use crate::plan::ScopePlan;
use crate::status::{ConditionType, Status};

/// The states of policies, as counted.
pub const STATES: [&str; 5] = ["accepted", "programmed", "refused", "overridden", "last_good"];

/// The counts of one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeMetrics {
    /// In the order of [`STATES`].
    pub states: [i64; 5],
    /// Accepted policies that cannot be published as written.
    pub unpublishable: i64,
    /// Bundles.
    pub bundles: i64,
    /// Bytes of configuration over all bundles.
    pub bytes: i64,
}

// === impl ScopeMetrics ===

impl ScopeMetrics {
    /// Counts a part.
    pub(crate) fn of(statuses: &[Status], plan: &ScopePlan) -> Self {
        let count = |is: &dyn Fn(&Status) -> bool| {
            count(statuses.iter().filter(|status| is(status)).count())
        };
        let bytes = plan.bundles().map(|(_, held)| held.compiled.len()).sum();
        Self {
            states: [
                count(&|status| status.holds(ConditionType::Accepted)),
                count(&|status| status.holds(ConditionType::Programmed)),
                count(&|status| !status.holds(ConditionType::Accepted)),
                count(&|status| status.overridden_by.is_some()),
                count(&Status::is_last_good),
            ],
            unpublishable: count(&Status::is_unpublishable),
            bundles: self::count(plan.bundles().count()),
            bytes: self::count(bytes),
        }
    }

    /// Adds the counts of another part.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { states, unpublishable, bundles, bytes } = other;
        for (all, one) in self.states.iter_mut().zip(states) {
            *all = all.saturating_add(*one);
        }
        self.unpublishable = self.unpublishable.saturating_add(*unpublishable);
        self.bundles = self.bundles.saturating_add(*bundles);
        self.bytes = self.bytes.saturating_add(*bytes);
    }
}

/// A count, as gauges and statuses hold it.
pub fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
