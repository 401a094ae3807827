//! Reasons about targets as a cluster has them.

use corsward_policy::finding::{Explain, Quoted, Sentence};

/// Reasons about a target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetReason {
    /// A target that does not exist.
    NotFound {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// The namespace of the look-up.
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
    /// A label that no object can have: a name or a value that Kubernetes refuses.
    ImpossibleLabel(String),
    /// Workloads in Istio's ambient mode, which have no proxy of their own; the namespace.
    Ambient(String),
}

// === impl TargetReason ===

impl Explain for TargetReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::NotFound { kind, name, namespace } => Sentence::new(
                "CORS-E524",
                format!("there is no {kind} {} in namespace {}", Quoted(name), Quoted(namespace)),
                "create it, or correct the name; the policy takes effect when it appears",
            ),
            Self::SectionNotFound { kind, name, section } => Sentence::new(
                "CORS-E525",
                format!(
                    "there is no {} named {} in {kind} {}",
                    if kind == "Gateway" { "listener" } else { "port" },
                    Quoted(section),
                    Quoted(name)
                ),
                "correct `sectionName`, or leave it out to cover all of it",
            ),
            Self::ServiceWithoutSelector(name) => Sentence::new(
                "CORS-E526",
                format!(
                    "no pods are selected by Service {}, so there is no proxy to configure",
                    Quoted(name)
                ),
                "name a Service with a selector, or use `selector`",
            ),
            Self::ImpossibleLabel(label) => Sentence::new(
                "CORS-E528",
                format!("no object can have the label {}", Quoted(label)),
                "write a name such as `app` or `example.com/app`, and a value of at most 63 letters, digits, `-`, `_` and `.`",
            ),
            Self::Ambient(namespace) => Sentence::new(
                "CORS-E527",
                format!(
                    "workloads of namespace {} are in ambient mode and have no proxy of their own",
                    Quoted(namespace)
                ),
                "name their waypoint in `targetRefs` (kind `Gateway`), or give them sidecars",
            ),
        }
    }
}
