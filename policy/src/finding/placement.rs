//! Reasons about a policy's targets and neighbours, and about what is in force; the operator finds these.

use super::Sentence;
use super::quoted::Quoted;

/// What there is to say about where a policy applies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlacementReason {
    /// `targetRefs` beside `selector`.
    TwoTargets,
    /// A target of a kind that a policy cannot have.
    UnknownTarget(String),
    /// Too many bytes for one attachment.
    TooLarge {
        /// How many they are.
        len: usize,
        /// How many they may be.
        max: usize,
    },
    /// Many bytes for one attachment.
    Large {
        /// How many they are.
        len: usize,
        /// How many they may be.
        max: usize,
    },
    /// The text is refused; the one accepted before it is still in force.
    LastGoodInForce,
    /// Targets beside `dir:`, where there is one proxy.
    TargetsUnused,
    /// Another policy wins everywhere.
    Overridden(String),
    /// A target that does not exist.
    TargetNotFound {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// Where it was looked for.
        namespace: String,
    },
    /// A port or a listener that a target does not have.
    SectionNotFound {
        /// The target's kind.
        kind: String,
        /// The target's name.
        name: String,
        /// The section's name.
        section: String,
    },
    /// A Service whose endpoints are no pods that it selects.
    ServiceWithoutSelector(String),
    /// Workloads in Istio's ambient mode, which have no proxy of their own; the namespace.
    Ambient(String),
}

// === impl PlacementReason ===

impl PlacementReason {
    pub(super) fn sentence(&self) -> Sentence {
        match self {
            Self::TwoTargets => Sentence::new(
                "CORS-E521",
                "`targetRefs` and `selector` are both there",
                "keep one of them, or neither for the whole namespace",
            ),
            Self::UnknownTarget(value) => Sentence::new(
                "CORS-E522",
                format!("{} cannot be a policy's target", Quoted(value)),
                "name a `Service` or a `Gateway` of `gateway.networking.k8s.io`",
            ),
            Self::TooLarge { len, max } => Sentence::new(
                "CORS-E523",
                format!("the policies of one proxy make {len} bytes, and {max} can be published"),
                "use patterns in place of long lists, or split the policy by target",
            ),
            Self::Large { len, max } => Sentence::new(
                "CORS-W521",
                format!("the policies of one proxy make {len} bytes, and {max} can be published"),
                "use patterns in place of long lists, or split the policy by target",
            ),
            Self::LastGoodInForce => Sentence::new(
                "CORS-W522",
                "what was accepted before stays in force",
                "correct the refusals to change it, or delete the policy",
            ),
            Self::TargetsUnused => Sentence::new(
                "CORS-I521",
                "with `dir:` every policy applies to the one proxy, whatever its target",
                "expect the target to count once the policy is in a cluster",
            ),
            Self::TargetNotFound { kind, name, namespace } => Sentence::new(
                "CORS-E524",
                format!("there is no {kind} {} in namespace {}", Quoted(name), Quoted(namespace)),
                "create it, or correct the name; the policy takes effect when it appears",
            ),
            Self::SectionNotFound { kind, name, section } => Sentence::new(
                "CORS-E525",
                format!(
                    "{kind} {} has no {} named {}",
                    Quoted(name),
                    if kind == "Gateway" { "listener" } else { "port" },
                    Quoted(section)
                ),
                "correct `sectionName`, or leave it out to cover all of it",
            ),
            Self::ServiceWithoutSelector(name) => Sentence::new(
                "CORS-E526",
                format!(
                    "Service {} selects no pods, so there is no proxy to configure",
                    Quoted(name)
                ),
                "name a Service with a selector, or use `selector`",
            ),
            Self::Ambient(namespace) => Sentence::new(
                "CORS-E527",
                format!(
                    "workloads of namespace {} are in ambient mode and have no proxy of their own",
                    Quoted(namespace)
                ),
                "name their waypoint in `targetRefs` (kind `Gateway`), or give them sidecars",
            ),
            Self::Overridden(winner) => Sentence::new(
                "CORS-I522",
                format!("{} wins wherever this policy applies", Quoted(winner)),
                "remove one of them, or give this one a narrower scope",
            ),
        }
    }
}
