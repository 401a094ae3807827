//! A client of the webhook that is no API server: its trust and its bytes are free.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use corsward_test_harness::eventually::eventually;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// The webhook's answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// A client that trusts some authorities.
#[derive(Clone, Debug)]
pub(super) struct Client {
    address: SocketAddr,
    authorities: Vec<u8>,
}

// === impl Answer ===

impl Answer {
    /// The body, as JSON.
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

// === impl Client ===

impl Client {
    pub(super) fn new(address: SocketAddr, authorities: &[u8]) -> Self {
        Self { address, authorities: authorities.to_vec() }
    }

    /// The certificate that the webhook shows for its Service's name, if this client trusts it.
    pub(super) fn certificate(&self) -> Result<Vec<u8>, String> {
        let mut stream = self.connect()?;
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|error| error.to_string())?;
        }
        let shown = stream.conn.peer_certificates().and_then(|chain| chain.first());
        Ok(shown.unwrap().as_ref().to_vec())
    }

    /// The answer to a review.
    pub(super) fn review(&self, review: &Value) -> Answer {
        self.post("/validate", review.to_string().as_bytes())
    }

    /// The answer to a review once it is judged: an operator that starts, or is busy, allows it unjudged and says so.
    #[track_caller]
    pub(super) fn judged(&self, review: &Value) -> Answer {
        eventually("a review to be judged", || {
            let answer = self.review(review);
            assert_eq!(answer.status, 200, "{answer:?}");
            Some(answer).filter(|answer| !answer.body.contains("not judged now"))
        })
        .unwrap()
    }

    /// The answer to these bytes.
    pub(super) fn post(&self, path: &str, body: &[u8]) -> Answer {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: webhook\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat())
    }

    /// The answer to these bytes as they are.
    pub(super) fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect().unwrap();
        // Whoever is refused early may find the connection closed before all is sent; the answer is there all the same.
        let _ = stream.write_all(bytes);
        let _ = stream.flush();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer { status: status.unwrap_or(0), body: body.to_owned() }
    }

    fn connect(&self) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
        let words = |error: &dyn std::error::Error| error.to_string();
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(&self.authorities) {
            roots.add(authority.map_err(|error| words(&error))?).map_err(|error| words(&error))?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(self.address).map_err(|error| words(&error))?;
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Ok(StreamOwned::new(client, socket))
    }
}
