//! The certificate that clients get: the one loaded last, and none before the first.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

/// The certificate in use, from the next connection on.
#[derive(Debug, Default)]
pub struct ServingCertificate(pub(crate) watch::Sender<Option<Arc<CertifiedKey>>>);

// === impl ServingCertificate ===

impl ServingCertificate {
    /// The TLS configuration of a server with it.
    ///
    /// # Errors
    ///
    /// Fails if this build knows no version of TLS.
    pub fn config(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.borrow().clone()
    }
}
