//! The validating webhook: says at `kubectl apply` what the status would say. It asks the loop, and decides nothing itself.
//!
//! It never stands in the way of anything but a refused text: what it cannot judge is allowed, and a warning says so.

mod answer;
mod question;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;

use kube::Client;
use tokio::sync::{mpsc, watch};

use crate::admission_check::AdmissionCheck;
use crate::certificates::installation;
use crate::certificates::secret::{self, SecretStore};
use crate::certificates::serving::ServingCertificate;
use crate::metrics::Metrics;
use crate::server::Server;
use crate::tasks::{TaskEnded, Tasks};

/// The options of the webhook.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// Its address. Port 0 takes a free one.
    pub addr: SocketAddr,
    /// The Secret of its certificates.
    pub secret: secret::SecretOptions,
    /// The `ValidatingWebhookConfiguration` whose `caBundle` the operator writes; `None` if a foreign writer does.
    pub configuration: Option<String>,
}

/// A webhook that is served until it is stopped.
#[derive(Debug)]
pub struct Webhook {
    /// Its address.
    pub addr: SocketAddr,
    /// It shows the certificate that there is.
    pub settled: watch::Receiver<bool>,
    server: Server,
    keepers: Tasks,
}

// === impl Webhook ===

impl Webhook {
    /// Serves it, with the certificates that are in the Secret by then.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be served.
    pub async fn start(
        client: Client,
        options: WebhookOptions,
        admission_checks: mpsc::Sender<AdmissionCheck>,
        leading: watch::Receiver<bool>,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let serving = Arc::new(ServingCertificate::default());
        let settled = serving.settled();
        let router = server::router(admission_checks, Arc::clone(&metrics));
        let server = server::listen(options.addr, serving.config()?, router).await?;
        let (store, bundles) = SecretStore::new(client.clone(), options.secret, serving, metrics);
        let mut keepers = Tasks::default();
        keepers.spawn("certificates", store.run(leading.clone()));
        if let Some(name) = options.configuration {
            keepers.spawn("caBundle", installation::keep(client, name, bundles, leading));
        }
        Ok(Self { addr: server.addr, settled, server, keepers })
    }

    /// Waits for an unexpected event: the end of one of its tasks.
    pub(crate) async fn ended(&mut self) -> TaskEnded {
        tokio::select! {
            ended = self.keepers.ended() => ended,
            ended = self.server.ended() => ended,
        }
    }

    /// Answers what has been asked, and ends.
    pub async fn stop(self) {
        drop(self.keepers);
        self.server.stop().await;
    }
}
