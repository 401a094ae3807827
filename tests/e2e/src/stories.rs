//! Every story there is.

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

use crate::story::Story;

/// Every story, in the order of its file.
pub(crate) fn all() -> impl Iterator<Item = &'static Story> {
    [
        // The longest ones first.
        traps::STORIES,
        shapes::STORIES,
        front_end::STORIES,
        corpus::STORIES,
        modules::STORIES,
        statuses::STORIES,
        authorization::STORIES,
        enforcement::STORIES,
        tour::STORIES,
        backends::STORIES,
        own_envoy::STORIES,
        // The last of all: it takes away what the others rely on.
        lifecycle::STORIES,
    ]
    .into_iter()
    .flatten()
}
