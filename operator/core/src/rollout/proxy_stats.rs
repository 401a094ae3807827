//! Proxy stats: what a proxy's metrics say of the filter in it.

use std::net::SocketAddr;

/// The path, with a filter that Envoy applies to the names of metrics before it writes them: `^wasmcustom\.corsward\.config\.`
pub(super) const PATH: &str = "/stats/prometheus?filter=%5Ewasmcustom%5C.corsward%5C.config%5C.";
/// The longest answer; an ordinary one has some 200 bytes.
pub const MAX_LEN: usize = 16 * 1024;

/// The report of a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyStats {
    /// The first bits of the digest of what its filter runs; none where it has no filter of ours.
    pub digest: Option<u64>,
    /// The number of configurations that the filter refused.
    pub refused: u64,
}

/// The URI of the metrics that a proxy serves at that address.
#[must_use]
pub fn uri(address: SocketAddr) -> String {
    format!("http://{address}{PATH}")
}

// === impl ProxyStats ===

impl ProxyStats {
    /// Reads metrics as Prometheus does. Foreign metrics count for nothing, and so does any other page.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut answer = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let name = name.split_once('{').map_or(name, |(name, _)| name);
            // Envoy writes whole numbers; a collector in between may write a double.
            let number = || value.parse().ok().or_else(|| whole(value.parse().ok()?));
            match name {
                "corsward_config_digest" => answer.digest = number(),
                "corsward_config_refused" => answer.refused = number().unwrap_or_default(),
                _ => {}
            }
        }
        answer
    }
}

/// A double that is a whole number that a double can hold.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is looked at first"
)]
fn whole(number: f64) -> Option<u64> {
    const MAX: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && (0.0..=MAX).contains(&number)).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_says_what_its_filter_runs_and_refused() {
        let envoy = "# TYPE corsward_config_accepted counter\ncorsward_config_accepted{} 3\n\
                     # TYPE corsward_config_refused counter\ncorsward_config_refused{} 2\n\
                     # TYPE corsward_config_digest gauge\ncorsward_config_digest{} 6004799503160661\n";
        for (why, text, digest, refused) in [
            ("as Envoy writes it", envoy, Some(6_004_799_503_160_661), 2),
            ("no filter", "", None, 0),
            ("somebody else's page", "<html>corsward_config_digest 7</html>", None, 0),
            ("with labels", "corsward_config_digest{a=\"b c\"} 7", Some(7), 0),
            ("without braces", "corsward_config_digest 7", Some(7), 0),
            (
                "as a double",
                "corsward_config_digest{} 6.004799503160661e15",
                Some(6_004_799_503_160_661),
                0,
            ),
            ("not a number", "corsward_config_digest{} NaN", None, 0),
            ("below zero", "corsward_config_digest{} -1", None, 0),
        ] {
            assert_eq!(ProxyStats::read(text), ProxyStats { digest, refused }, "{why}");
        }
    }

    #[test]
    fn a_pod_is_asked_at_its_address() {
        for address in ["10.0.0.1:15090", "[fd00::1]:19001"] {
            let want = format!("http://{address}/stats/prometheus?");
            assert!(uri(address.parse().unwrap()).starts_with(&want), "{address}");
        }
    }
}
