//! Stop: what stops the policies of the whole cluster.

/// The stop of the whole cluster's policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The argument `--off`, which outranks the switch.
    Flag,
    /// The switch that the chart writes.
    Switch,
}

// === impl Stop ===

impl Stop {
    /// The same, as a status tells it.
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::Flag => "the operator runs with --off: no policy is enforced anywhere",
            Self::Switch => {
                "the value `enforcement` of the chart is Off: no policy is enforced anywhere"
            }
        }
    }
}
