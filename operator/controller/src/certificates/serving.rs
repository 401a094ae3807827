//! The certificate that clients get: the one loaded last, and none before the first.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::sync::watch;

use super::inspection::{provider, shown};
use super::{Content, Damage};

/// The certificate in use.
#[derive(Debug, Default)]
pub struct ServingCertificate {
    certificate: RwLock<Option<Arc<CertifiedKey>>>,
    settled: watch::Sender<bool>,
}

// === impl ServingCertificate ===

impl ServingCertificate {
    /// Shows this certificate from the next connection on.
    ///
    /// # Errors
    ///
    /// Fails if it is none; what was shown before stays.
    pub fn load(&self, content: &Content) -> Result<(), Damage> {
        let certified = shown(content)?;
        let mut certificate = self.certificate.write().unwrap_or_else(PoisonError::into_inner);
        *certificate = Some(Arc::new(certified));
        self.settle();
        Ok(())
    }

    /// Marks the current certificate, or its absence, as final.
    pub(super) fn settle(&self) {
        self.settled.send_replace(true);
    }

    /// Is what there is to show shown?
    pub fn settled(&self) -> watch::Receiver<bool> {
        self.settled.subscribe()
    }

    /// The TLS configuration of a server with it.
    ///
    /// # Errors
    ///
    /// Fails if this build knows no version of TLS.
    pub fn config(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
