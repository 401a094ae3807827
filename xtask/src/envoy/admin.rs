//! Questions to Envoy's admin interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use ureq::Agent;

/// Counters and gauges by their name in Envoy.
pub type Stats = BTreeMap<String, u64>;

/// The admin interface of one Envoy.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    agent: Agent,
}

// === impl Admin ===

impl Admin {
    pub(super) fn new(address: SocketAddr) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .build()
            .into();
        Self { address, agent }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether Envoy serves.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.get("/ready").is_ok()
    }

    /// The body of an answer to `GET path`.
    ///
    /// # Errors
    ///
    /// When it does not answer 200.
    pub fn get(&self, path: &str) -> Result<String> {
        let mut response = self
            .agent
            .get(format!("http://{}{path}", self.address))
            .call()
            .with_context(|| format!("ask Envoy's admin interface for {path}"))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_string()?;
        ensure!(status == 200, "Envoy's admin interface answers {path} with {status}: {body}");
        Ok(body)
    }

    /// An answer parsed as JSON.
    ///
    /// # Errors
    ///
    /// When it does not answer 200 with JSON.
    pub fn json(&self, path: &str) -> Result<Value> {
        serde_json::from_str(&self.get(path)?).with_context(|| format!("{path} is not JSON"))
    }

    /// Every counter and gauge.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn stats(&self) -> Result<Stats> {
        Ok(parse_stats(&self.get("/stats")?))
    }

    /// Every metric as Prometheus reads it, with labels.
    ///
    /// # Errors
    ///
    /// When it does not answer.
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
