//! Validation: a [`Draft`] becomes a [`Policy`], or every reason why not is found.

use crate::draft::Draft;
use crate::finding::Finding;
use crate::policy::Policy;

/// What validation says about a draft: the policy, unless a finding refuses it, and all findings.
#[derive(Clone, Debug)]
pub struct Validated {
    /// The policy; `None` where at least one finding is a refusal.
    pub policy: Option<Policy>,
    /// Every finding, refusals first.
    pub findings: Vec<Finding>,
}

/// Knowledge that validation needs and the core does not carry: the public suffix list and a regex parser.
/// The operator has both; [`NoJudge`] has neither.
pub trait Judge {
    /// Is `domain` (lower case, no leading or trailing dot) itself a listed public suffix (private section included)?
    fn is_public_suffix(&self, domain: &str) -> bool;
    /// Is `domain` a proper ancestor of a listed rule's base (`amazonaws.com`, for `s3.amazonaws.com`)?
    fn is_ancestor_of_public_suffix(&self, domain: &str) -> bool;
    /// What can be said about an origin regex (known to compile in `regex-lite`).
    fn regex_reach(&self, regex: &str) -> RegexReach;
}

/// How far an origin regex reaches, from narrow to wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegexReach {
    /// It starts with a literal scheme and ends with a literal registrable domain (or is a whole literal host) and port.
    Bounded,
    /// Not that, or an alternation at the top, or a probe origin passed.
    Unbounded,
    /// Every probe origin passed: `*` under another name.
    Everything,
}

/// A [`Judge`] that knows nothing and objects to nothing: for tests of the core.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJudge;

impl Judge for NoJudge {
    fn is_public_suffix(&self, _: &str) -> bool {
        false
    }
    fn is_ancestor_of_public_suffix(&self, _: &str) -> bool {
        false
    }
    fn regex_reach(&self, _: &str) -> RegexReach {
        RegexReach::Bounded
    }
}

/// Checks a draft.
#[must_use]
pub fn validate(draft: &Draft, judge: &dyn Judge) -> Validated {
    let _ = (draft, judge);
    Validated { policy: None, findings: Vec::new() }
}
