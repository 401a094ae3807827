//! Objects: the publisher of a cluster, as the executor sees it. Tasks write the objects and poll the proxies, while this replica leads.

use std::sync::Arc;

use corsward_operator_core::bundle::Desired;
use corsward_operator_core::capabilities::{Capabilities, Reach, Replicas};
use corsward_operator_core::event::Event;
use corsward_operator_core::rollout::tracker::PollerCommand;
use tokio::sync::{mpsc, watch};

use crate::publish::Publisher;

/// The publisher of a cluster.
#[derive(Debug)]
pub struct Objects {
    desired: watch::Sender<Arc<Desired>>,
    /// The poller of proxies, where their pods are known.
    poller: Option<mpsc::UnboundedSender<PollerCommand>>,
}

// === impl Objects ===

impl Objects {
    /// A publisher whose tasks receive from these channels.
    #[must_use]
    pub fn new(
        desired: watch::Sender<Arc<Desired>>,
        poller: Option<mpsc::UnboundedSender<PollerCommand>>,
    ) -> Self {
        Self { desired, poller }
    }
}

impl Publisher for Objects {
    fn capabilities(&self) -> Capabilities {
        let sees_proxies = self.poller.is_some();
        Capabilities {
            reach: if sees_proxies { Reach::Pods } else { Reach::Targets },
            acknowledges: sees_proxies,
            answers_at_once: false,
            replicas: Replicas::Leader,
        }
    }

    fn publish(&mut self, desired: Arc<Desired>) -> Vec<Event> {
        self.desired.send_replace(desired);
        Vec::new()
    }

    fn expect(&mut self, command: PollerCommand) -> Vec<Event> {
        if let Some(poller) = &self.poller {
            // The poller has ended, and so does the process.
            let _ = poller.send(command);
        }
        Vec::new()
    }
}
