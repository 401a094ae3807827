//! Scenario: something a user would see, told to a cluster.

use anyhow::Result;

use crate::scenario_cluster::ScenarioCluster;

/// Something a user would see.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// A sentence that holds when the scenario ends well.
    pub(crate) name: &'static str,
    /// It disturbs what others rely on (the operator), or they would be in its figures, so it is told by itself.
    pub(crate) alone: bool,
    /// Tells it.
    pub(crate) tell: fn(&ScenarioCluster) -> Result<()>,
}

// === impl Scenario ===

impl Scenario {
    /// One that others may be told beside.
    pub(crate) const fn new(name: &'static str, tell: fn(&ScenarioCluster) -> Result<()>) -> Self {
        Self { name, alone: false, tell }
    }

    /// One that is told by itself, after the others.
    pub(crate) const fn alone(
        name: &'static str,
        tell: fn(&ScenarioCluster) -> Result<()>,
    ) -> Self {
        Self { name, alone: true, tell }
    }
}
