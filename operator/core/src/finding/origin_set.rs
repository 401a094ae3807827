//! Reasons about sets of origins: those a policy names, and a set itself.

use corsward_policy::finding::{Explain, Place, Proposal, Quoted, Reason, Sentence};

/// Reasons about sets of origins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginSetReason {
    /// A policy names a set that is not there.
    Missing(String),
    /// A policy names a set that is not among the files of `corsward check`.
    NotAmongFiles(String),
    /// A policy names a set that is refused.
    Refused(String),
    /// The same set twice.
    Repeated(String),
    /// `*` in a set.
    Any,
    /// A set without origins.
    Empty,
    /// A reason about an origin of a set, in a policy that uses it.
    Of {
        /// The set.
        set: String,
        /// As if the origin stood in the policy.
        reason: Reason,
    },
}

// === impl OriginSetReason ===

impl Explain for OriginSetReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::Missing(name) => Sentence::new(
                "CORS-E621",
                format!("there is no `OriginSet` {} in the namespace", Quoted(name)),
                "create it, or remove its name",
            ),
            Self::NotAmongFiles(name) => Sentence::new(
                "CORS-I622",
                format!(
                    "the `OriginSet` {} is not among the files, so its origins are not judged here",
                    Quoted(name)
                ),
                "expect the cluster to have it in the policy's namespace, or add it to the files of `corsward check`",
            ),
            Self::Refused(name) => Sentence::new(
                "CORS-E622",
                format!("the `OriginSet` {} is refused", Quoted(name)),
                "correct what its status says, or remove its name",
            ),
            Self::Repeated(name) => Sentence::new(
                "CORS-I621",
                format!("{} is named before", Quoted(name)),
                "remove one of them",
            )
            .with_edit(Proposal::Remove),
            Self::Any => Sentence::new(
                "CORS-E623",
                "`*` in a set would open every policy that uses it",
                "name the origins, or write `*` into the policy that allows every origin",
            ),
            Self::Empty => Sentence::new(
                "CORS-W621",
                "the set is empty, and allows no origin",
                "list the origins that policies share",
            ),
            Self::Of { set, reason } => {
                let Sentence { code, matter, fix, mut edits } = reason.sentence();
                // The origin itself stands in another object.
                edits.retain(|edit| matches!(edit, Proposal::Add(Place::Beside(_), _)));
                let matter = format!("in the `OriginSet` {}, {matter}", Quoted(set));
                Sentence { code, matter, fix, edits }
            }
        }
    }
}
