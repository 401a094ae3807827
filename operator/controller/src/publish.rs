//! Publishers: where configuration goes. Each keeps the desired bundles published and decides nothing.

pub mod choice;
pub mod cluster;
pub mod folder;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use corsward_operator_core::bundle::Desired;
use corsward_operator_core::capabilities::Capabilities;
use corsward_operator_core::event::Event;
use corsward_operator_core::rollout::tracker::PollerCommand;

/// Interval at which publishers and memories repair and retry.
pub(crate) const RESYNC_INTERVAL: Duration = Duration::from_secs(5);

/// A target of configuration. Its answers are events: those that it knows at once, as return values, and later ones through the channel
/// of events.
pub trait Publisher: Debug + Send {
    /// What the controller may expect of it.
    fn capabilities(&self) -> Capabilities;

    /// The events at the start. The first [`Event::Published`] of a publisher names all that is published.
    fn start(&mut self) -> Vec<Event> {
        Vec::new()
    }

    /// Keeps these bundles published, and no others.
    fn publish(&mut self, desired: Arc<Desired>) -> Vec<Event>;

    /// Takes in which proxies should run what, if proxies acknowledge.
    fn expect(&mut self, _command: PollerCommand) -> Vec<Event> {
        Vec::new()
    }

    /// Repairs what a foreign writer changed, and retries what failed.
    fn resync(&mut self) -> Vec<Event> {
        Vec::new()
    }
}
