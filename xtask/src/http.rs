//! Plain questions to a server on this machine.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use ureq::Agent;

/// Asks one server, over connections that are kept.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    agent: Agent,
}

// === impl Client ===

impl Client {
    /// A client of the server at `address`; nothing is asked yet.
    pub fn new(address: SocketAddr) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .build()
            .into();
        Self { address, agent }
    }

    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The body of an answer to `GET path`.
    ///
    /// # Errors
    ///
    /// Fails if the answer is not 200.
    pub fn get(&self, path: &str) -> Result<String> {
        let url = format!("http://{}{path}", self.address);
        let mut response = self.agent.get(&url).call().with_context(|| format!("GET {url}"))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_string()?;
        ensure!(status == 200, "GET {url}: {status}: {body}");
        Ok(body)
    }

    /// The status of an answer to `GET path`.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer.
    pub fn status(&self, path: &str) -> Result<u16> {
        let url = format!("http://{}{path}", self.address);
        Ok(self.agent.get(&url).call().with_context(|| format!("GET {url}"))?.status().as_u16())
    }

    /// An answer parsed as JSON.
    ///
    /// # Errors
    ///
    /// Fails if the answer is not 200 with JSON.
    pub fn json(&self, path: &str) -> Result<Value> {
        serde_json::from_str(&self.get(path)?)
            .with_context(|| format!("GET http://{}{path}: not JSON", self.address))
    }
}
