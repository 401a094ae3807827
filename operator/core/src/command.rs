//! Command: what an executor must do, as the controller decides.

use std::sync::Arc;
use std::time::Duration;

use crate::bundle::Desired;
use crate::change_log::LogLine;
use crate::json_text::JsonText;
use crate::resource_ref::ResourceRef;
use crate::rollout::tracker::PollerCommand;
use crate::scope_metrics::ScopeMetrics;
use crate::state::State;

/// Something to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// The memory keeps this state in the place of the previous one.
    Remember(Box<State>),
    /// The publisher keeps these bundles published, and no others.
    Publish(Arc<Desired>),
    /// The publisher learns which proxies should run what.
    PollProxies(PollerCommand),
    /// The status of an object is written.
    WriteStatus(StatusWrite),
    /// An Event is recorded.
    RecordEvent(ObjectEvent),
    /// A line is logged.
    Log(LogLine),
    /// A metric changes.
    Measure(Measurement),
    /// The operator is ready, or is not.
    SetReady(bool),
}

/// The complete desired status of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusWrite {
    /// The object.
    pub resource: ResourceRef,
    /// The status.
    pub status: JsonText,
}

/// A new value of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measurement {
    /// Are policies enforced?
    Enforcing(bool),
    /// Does this replica write?
    Leading(bool),
    /// The time from a policy's change until it was published.
    Propagated(Duration),
    /// A plan was not published as a whole.
    Withheld,
    /// The counts over all parts, and the number of problems outside of policies.
    Totals(ScopeMetrics, usize),
}

/// Something a user must know about an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectEvent {
    /// About which.
    pub resource: ResourceRef,
    /// Is something not as it should be?
    pub warning: bool,
    /// The reason in one word, such as `Invalid`.
    pub reason: String,
    /// The operator's action in one word, such as `Validate`.
    pub action: String,
    /// The event in a sentence.
    pub note: String,
}
