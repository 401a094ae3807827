//! The validating webhook: says at `kubectl apply` what the status would say. It asks the loop, and decides nothing itself.
//!
//! It never stands in the way of anything but a refused text: what it cannot judge is allowed, and a warning says so.

mod answer;
mod question;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use kube::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::certificates::installation;
use crate::certificates::secret::{self, Keeper};
use crate::certificates::serving::Serving;
use crate::inquiry::Inquiry;
use crate::metrics::admission::Admission;

/// How long reviews that have begun may take when the operator stops.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What the webhook needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is served. Port 0 takes a free one.
    pub addr: SocketAddr,
    /// Which Secret keeps its certificates.
    pub secret: secret::Options,
    /// The `ValidatingWebhookConfiguration` that is told whom to trust; absent: somebody else tells it.
    pub configuration: Option<String>,
}

/// A webhook that is served until it is stopped.
#[derive(Debug)]
pub struct Webhook {
    /// Where it is served.
    pub addr: SocketAddr,
    handle: Handle<SocketAddr>,
    server: JoinHandle<()>,
    keepers: Vec<JoinHandle<()>>,
}

// === impl Webhook ===

impl Webhook {
    /// Serves it, with the certificates that are in the Secret by then.
    ///
    /// # Errors
    ///
    /// Where the address cannot be served.
    pub async fn start(
        client: Client,
        options: Options,
        inquiries: mpsc::Sender<Inquiry>,
        leading: watch::Receiver<bool>,
        metrics: Admission,
    ) -> anyhow::Result<Self> {
        let serving = Arc::new(Serving::default());
        let handle = Handle::new();
        let listening = server::listen(
            options.addr,
            serving.config()?,
            handle.clone(),
            server::router(inquiries, metrics.clone()),
        )
        .await?;
        let (keeper, bundles) = Keeper::new(client.clone(), options.secret, serving, metrics);
        let mut keepers = vec![tokio::spawn(keeper.run(leading.clone()))];
        if let Some(name) = options.configuration {
            keepers.push(tokio::spawn(installation::keep(client, name, bundles, leading)));
        }
        Ok(Self { addr: listening.addr, handle, server: listening.task, keepers })
    }

    /// Answers what has been asked, and ends.
    pub async fn stop(self) {
        for keeper in self.keepers {
            keeper.abort();
        }
        self.handle.graceful_shutdown(Some(LAST_WORDS));
        // A server that failed has been logged.
        let _ = self.server.await;
    }
}
