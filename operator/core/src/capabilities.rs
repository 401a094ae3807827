//! Capabilities: what the controller may expect of a publisher.

/// The capabilities of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The proxies that it reaches.
    pub reach: Reach,
    /// Proxies acknowledge: it reports which of them run what is published, as [`Event::Rollouts`](crate::event::Event::Rollouts).
    pub acknowledges: bool,
    /// It answers [`Command::Publish`](crate::command::Command::Publish) before anything else happens.
    pub answers_at_once: bool,
    /// The replicas that serve its proxies.
    pub replicas: Replicas,
}

/// The proxies that a publisher reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// One place, for which all policies are: their targets are checked and not used.
    #[default]
    One,
    /// Those that targets select. Which pods run them is not known.
    Targets,
    /// Those that targets select: the pods with a sidecar and the Gateways of the cluster. They are counted, and what keeps requests
    /// from them is reported.
    Pods,
}

/// Replicas of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// The leader writes for all proxies.
    Leader,
    /// Each replica serves proxies of its own.
    All,
}

/// The place in which the specs in force survive a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The statuses of the objects.
    Statuses,
    /// A state of its own, which [`Command::Remember`](crate::command::Command::Remember) brings.
    State {
        /// The specs in force before the start are forgotten, and the publisher still serves them.
        is_lost: bool,
    },
}
