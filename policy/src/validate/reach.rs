//! Reach: the judgement of one origin regex, as data.

use crate::finding::{Danger, Misfit};

/// Everything that a [`Knowledge`](super::Knowledge) says about one origin regex. The default says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegexReach {
    /// The cause why it accepts no serialized origin that a client sends.
    pub misfit: Option<Misfit>,
    /// Branches of its alternations that accept none.
    pub dead_branches: Vec<DeadBranch>,
    /// The schemes that it accepts, where they are a few.
    pub schemes: Vec<String>,
    /// A separator that a star repeats.
    pub glob: Option<Glob>,
    /// A dot in the host that stands for any character.
    pub open_dot: Option<OpenDot>,
    /// The hazards, each once; an open dot counts as the intended literal dot.
    pub hazards: Vec<RegexHazard>,
}

/// A branch of an alternation that accepts no serialized origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadBranch {
    /// The branch as written.
    pub branch: String,
    /// The cause.
    pub misfit: Misfit,
    /// The whole regex without the branch.
    pub without: Option<String>,
}

/// A separator under a repetition, as in `https://*.app.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    /// The separator with its operator.
    pub repeated: String,
    /// The pattern for `allowOrigins` that was probably meant.
    pub pattern: Option<String>,
}

/// An unescaped dot in a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDot {
    /// The regex with its dots escaped, where that matches an origin.
    pub instead: Option<String>,
    /// A pattern for the same origins.
    pub pattern: Option<String>,
}

/// One way in which a regex reaches far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegexHazard {
    /// Any origin of http and https: a `*` in disguise.
    AnyOrigin,
    /// Any host of http or https.
    AnyHost,
    /// Any address of http or https.
    AnyAddress,
    /// Any host of a different scheme.
    AnyAppHost,
    /// Any scheme.
    AnyScheme,
    /// An `http` origin that is not the machine's own.
    Insecure,
    /// An `http` origin of the machine itself.
    Loopback,
    /// Any name below a public suffix.
    PublicSuffix,
    /// Some hosts of any domain.
    OpenEnd,
    /// Any host without a dot.
    SingleLabel,
    /// Too complex to tell.
    Unjudged,
    /// The regexes of the policy are too complex together: no step was left for this one.
    NotReached,
}

// === impl RegexHazard ===

impl RegexHazard {
    /// The danger of it with credentials; `None`: a hint.
    pub(super) fn danger(self) -> Option<Danger> {
        Some(match self {
            Self::AnyOrigin | Self::AnyHost | Self::AnyAddress => Danger::AnyOriginWithCredentials,
            Self::Insecure => Danger::InsecureOriginWithCredentials,
            Self::PublicSuffix => Danger::PublicSuffixSubdomains,
            Self::AnyAppHost => Danger::AnyAppOriginWithCredentials,
            Self::OpenEnd
            | Self::SingleLabel
            | Self::AnyScheme
            | Self::Unjudged
            | Self::NotReached => Danger::UnboundedRegexWithCredentials,
            Self::Loopback => return None,
        })
    }
}
