//! Every scenario there is.

mod authorization;
mod backends;
mod corpus;
mod enforcement;
mod front_end;
mod lifecycle;
mod modules;
mod own_envoy;
mod shapes;
mod statuses;
mod tour;
mod traps;

use crate::scenario::Scenario;

/// Every scenario, in the order of its file.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        // The longest ones first.
        traps::SCENARIOS,
        shapes::SCENARIOS,
        front_end::SCENARIOS,
        corpus::SCENARIOS,
        modules::SCENARIOS,
        statuses::SCENARIOS,
        authorization::SCENARIOS,
        enforcement::SCENARIOS,
        tour::SCENARIOS,
        backends::SCENARIOS,
        own_envoy::SCENARIOS,
        // The last of all: it takes away what the others rely on.
        lifecycle::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}
