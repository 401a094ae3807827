//! Every story there is.

mod enforcement;

use crate::story::Story;

/// Every story, in the order of its file.
pub(crate) fn all() -> impl Iterator<Item = &'static Story> {
    [enforcement::STORIES].into_iter().flatten()
}
