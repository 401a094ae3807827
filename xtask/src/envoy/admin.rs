//! Questions to Envoy's admin interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::http::Client;

/// Counters and gauges by their name in Envoy.
pub type Stats = BTreeMap<String, u64>;

/// The admin interface of one Envoy.
#[derive(Clone, Debug)]
pub struct Admin(Client);

// === impl Admin ===

impl Admin {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self(Client::new(address))
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Whether Envoy serves.
    pub fn is_ready(&self) -> bool {
        self.0.get("/ready").is_ok()
    }

    /// The body of an answer to `GET path`.
    ///
    /// # Errors
    ///
    /// Fails if it does not answer 200.
    pub fn get(&self, path: &str) -> Result<String> {
        self.0.get(path)
    }

    /// An answer parsed as JSON.
    ///
    /// # Errors
    ///
    /// Fails if it does not answer 200 with JSON.
    pub fn json(&self, path: &str) -> Result<Value> {
        self.0.json(path)
    }

    /// Every counter and gauge.
    ///
    /// # Errors
    ///
    /// Fails if it does not answer.
    pub fn stats(&self) -> Result<Stats> {
        Ok(parse_stats(&self.get("/stats")?))
    }

    /// One counter or gauge, if Envoy has it.
    ///
    /// # Errors
    ///
    /// Fails if it does not answer.
    pub fn stat(&self, name: &str) -> Result<Option<u64>> {
        let filter = name.replace('.', "%5C.");
        Ok(parse_stats(&self.get(&format!("/stats?filter=^{filter}$"))?).remove(name))
    }

    /// Every metric as Prometheus reads it, with labels.
    ///
    /// # Errors
    ///
    /// Fails if it does not answer.
    pub fn prometheus(&self) -> Result<String> {
        self.get("/stats/prometheus")
    }

    pub(super) fn listener(&self, name: &str) -> Result<SocketAddr> {
        let listeners = self.json("/listeners?format=json")?;
        listener_address(&listeners, name)
            .with_context(|| format!("Envoy has no listener `{name}`: {listeners}"))
    }
}

/// `name: value` lines; histograms, whose value is not a number, are left out.
fn parse_stats(text: &str) -> Stats {
    text.lines()
        .filter_map(|line| line.rsplit_once(": "))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

fn listener_address(listeners: &Value, name: &str) -> Option<SocketAddr> {
    let statuses = listeners["listener_statuses"].as_array()?;
    let status = statuses.iter().find(|status| status["name"] == name)?;
    let address = &status["local_address"]["socket_address"];
    let ip = address["address"].as_str()?.parse().ok()?;
    let port = address["port_value"].as_u64()?.try_into().ok()?;
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_no_numbers() {
        let stats = parse_stats("a.b: 3\nc: P0(nan,1.0)\nserver.live: 1\n");
        assert_eq!(stats, Stats::from([("a.b".into(), 3), ("server.live".into(), 1)]));
    }
}
