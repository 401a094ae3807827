//! Every story there is.

mod backends;
mod enforcement;
mod front_end;
mod own_envoy;
mod tour;

use crate::story::Story;

/// Every story, in the order of its file.
pub(crate) fn all() -> impl Iterator<Item = &'static Story> {
    [backends::STORIES, enforcement::STORIES, front_end::STORIES, own_envoy::STORIES, tour::STORIES]
        .into_iter()
        .flatten()
}
