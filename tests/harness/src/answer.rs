//! Answer: what came back for a case, whichever machine gave it.

use crate::case::Request;
use crate::text::from_latin1;
use corsward_browser::{CorsResponse, combined, cors_check, preflight_check};

/// The final response to a case's request, and what is known about how it came about.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its header lines, in order; names in any case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its body.
    pub body: Vec<u8>,
    /// Whether the upstream was asked.
    pub upstream_reached: bool,
    /// The header lines that reached the upstream, where it was asked and the machine can tell.
    pub received: Option<Vec<(String, Vec<u8>)>>,
    /// The deciding policy, its verdict and its reason, if the machine can tell.
    pub explanation: Option<Explanation>,
}

/// The report about a decision of a machine with access to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// `preflight refused header`, `actual allowed`, …; empty without a decision.
    pub verdict: String,
    /// `namespace/name` of the policy that decided; empty without a decision.
    pub decided_by: String,
    /// The same as `verdict` for a `DryRun` policy, with its comparison with the upstream at the end.
    pub shadow: String,
}

// === impl Answer ===

impl Answer {
    /// The value of `name`, its lines joined as the Fetch standard's "get" does.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        combined(&self.headers, name)
    }

    /// The lines whose name passes `filter`, names in lower case.
    pub fn lines(&self, filter: impl Fn(&str) -> bool) -> impl Iterator<Item = (String, &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_slice()))
            .filter(move |(name, _)| filter(name))
    }

    /// The tokens of `Vary`, in lower case, repeats included.
    pub fn vary(&self) -> Vec<String> {
        let value = self.get("vary").unwrap_or_default();
        let tokens = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        tokens
            .filter(|token| !token.is_empty())
            .map(|token| from_latin1(token).to_ascii_lowercase())
            .collect()
    }

    /// The value of `name` as text; empty where there is none.
    pub fn text(&self, name: &str) -> String {
        from_latin1(&self.get(name).unwrap_or_default())
    }

    /// Returns true if a browser that sent `request` lets the page go on: the CORS-preflight fetch passes, or the page
    /// may read the response.
    pub fn passes(&self, request: &Request) -> bool {
        let response = CorsResponse { status: self.status, headers: &self.headers };
        match request.preflight() {
            Some(preflight) => preflight_check(&request.cors(), &preflight, response).is_ok(),
            None => cors_check(&request.cors(), response).is_ok(),
        }
    }
}
