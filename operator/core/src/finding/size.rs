//! Reasons about policies that are large, or too large.

use corsward_policy::finding::{Explain, Sentence};

/// Reasons about the size of a policy, or of all policies of one proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SizeReason {
    /// A policy that is too large by itself.
    TooLarge {
        /// Its compiled length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A spec that is too long to be kept beside its status.
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Many bytes for one proxy.
    Large {
        /// Their compiled length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The reason why a policy cannot be published together with the others of its proxies.
    Unpublishable(String),
}

/// The fix of all of them.
const FIX: &str = "use patterns in place of long lists, or split the policy by target";

// === impl SizeReason ===

impl Explain for SizeReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::TooLarge { len, max } => Sentence::new(
                "CORS-E523",
                format!("the policy makes {len} bytes, and {max} can be published for one proxy"),
                FIX,
            ),
            Self::TooLong { len, max } => Sentence::new(
                "CORS-E531",
                format!("the spec has {len} bytes, and {max} can be kept beside its status"),
                FIX,
            ),
            Self::Large { len, max } => Sentence::new(
                "CORS-W521",
                format!("the policies of one proxy make {len} bytes, and {max} can be published"),
                FIX,
            ),
            Self::Unpublishable(why) => Sentence::new(
                "CORS-E535",
                format!("the policy is not published beside the others of its proxies: {why}"),
                "use patterns in place of regexes and long lists, or split the policies by target",
            ),
        }
    }
}
