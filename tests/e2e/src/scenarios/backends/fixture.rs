//! Fixture: the back ends in one namespace that the complaints share, each complaint under a name of its own.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use corsward_browser::{
    CorsRequest, CorsResponse, CredentialsMode, Preflight, cors_check, preflight_check,
};
use corsward_test_harness::answer::Answer;
use corsward_test_harness::case::Request;
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::cluster::socks_proxy::{SocksProxy, header};
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};

use crate::scenario_cluster::ScenarioCluster;

/// The pods and their Services.
const MANIFESTS: [&str; 3] = [
    include_str!("../../../backends/apps/django/pod.yaml"),
    include_str!("../../../backends/apps/node/pod.yaml"),
    include_str!("../../../backends/apps/nginx/pod.yaml"),
];

/// The namespace of the complaints.
const NAMESPACE: &str = "backends";

/// The owner of the namespace: no single scenario, so it stays until a next run makes it anew.
const OWNER: &str = "back ends";

/// A back end under one name, and pages that ask it.
#[derive(Debug)]
pub(super) struct BackendsFixture<'c> {
    ns: TestNamespace<'c>,
    socks_proxy: SocksProxy,
    service: String,
    /// The back end.
    pub(super) host: String,
    /// The origin of our front end.
    pub(super) front: String,
    /// The origin of a second page of the shop.
    pub(super) admin: String,
    /// The origin of a foreign page.
    pub(super) stranger: String,
}

/// Starts the back ends and the front end's server, and waits until each name leads to an answer.
pub(in crate::scenarios) fn start(ns: &TestNamespace<'_>) -> Result<()> {
    for manifest in MANIFESTS {
        ns.apply(manifest)?;
    }
    for deployment in ["deployment/django", "deployment/node", "deployment/front"] {
        ns.rolled_out(deployment)?;
    }
    // A pod that is ready is one thing; that every Service leads to it, and its proxy knows every port, another.
    let services = ns.read(&["get", "services", "-o", "jsonpath={.items[*].metadata.name}"])?;
    for service in services.split(' ') {
        ns.wait_for_answer(service)?;
    }
    Ok(())
}

/// The policy that the shop's pages need, for the request authorities `hosts`.
pub(in crate::scenarios) fn policy(ns: &TestNamespace<'_>, hosts: &[String]) -> Value {
    let origins = ["front", "admin"].map(|page| format!("http://{}", ns.host(page)));
    json!({
        "hostnames": hosts,
        "cors": {
            "allowOrigins": origins,
            "allowMethods": ["PUT"],
            "allowHeaders": ["authorization", "content-type", "x-csrftoken"],
            "allowCredentials": true,
            "maxAge": 60,
            // There is no TLS in here.
            "dangerouslyAllow": ["InsecureOriginWithCredentials"],
        },
        "disallowedRequests": "Forward",
    })
}

/// Tells of a complaint: what is `seen` while no policy covers the back end, and what with the policy `holds`.
pub(super) fn complaint<'c>(
    cluster: &'c ScenarioCluster,
    service: &str,
    seen: impl FnOnce(&BackendsFixture<'c>) -> Result<()>,
    holds: impl FnOnce(&BackendsFixture<'c>) -> Result<()>,
) -> Result<()> {
    let told = BackendsFixture::open(cluster, service).and_then(|fixture| {
        seen(&fixture).context("without a policy")?;
        fixture.cover()?;
        holds(&fixture).context("with the policy")
    });
    if told.is_err() {
        // The namespace is not the scenario's own, so that nobody else writes down what is to be seen there.
        let kept = cluster.for_scenario(OWNER).note(OWNER)?;
        cluster.figure("the back ends", kept.display());
    }
    told
}

/// Fails unless a page of `origin` that asks with credentials reads this answer, and caches can tell it from others.
pub(super) fn ensure_read(origin: &str, status: u16, answer: &Answer) -> Result<()> {
    ensure!(answer.status == status, "not {status}: {}", shown(answer));
    ensure!(is_read(origin, answer), "a page of {origin} cannot read it: {}", shown(answer));
    // The oracle judges lines that are joined; a user counts them.
    for name in ["access-control-allow-origin", "access-control-allow-credentials"] {
        ensure!(header(answer, name)?.is_some(), "no {name}: {}", shown(answer));
    }
    let told_apart = answer.vary().iter().filter(|token| *token == "origin").count();
    ensure!(told_apart == 1, "Vary has Origin {told_apart} times: {}", shown(answer));
    Ok(())
}

/// Fails if a page of `origin` that asks with credentials reads this answer.
pub(super) fn ensure_refused(origin: &str, answer: &Answer) -> Result<()> {
    ensure!(!is_read(origin, answer), "a page of {origin} reads it: {}", shown(answer));
    Ok(())
}

/// An answer as a user would print it.
pub(super) fn shown(answer: &Answer) -> String {
    let lines = answer.headers.iter();
    let lines =
        lines.map(|(name, value)| format!("\n  {name}: {}", String::from_utf8_lossy(value)));
    format!("{}{}", answer.status, lines.collect::<String>())
}

fn is_read(origin: &str, answer: &Answer) -> bool {
    cors_check(&with_credentials(origin), response(answer)).is_ok()
}

fn with_credentials(origin: &str) -> CorsRequest {
    CorsRequest { origin: origin.as_bytes().to_vec(), credentials: CredentialsMode::Include }
}

fn response(answer: &Answer) -> CorsResponse<'_> {
    CorsResponse { status: answer.status, headers: &answer.headers }
}

// === impl BackendsFixture ===

impl<'c> BackendsFixture<'c> {
    /// The back end behind a Service; the first call starts them all.
    fn open(cluster: &'c ScenarioCluster, service: &str) -> Result<Self> {
        static STARTED: Mutex<bool> = Mutex::new(false);
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        if !*started {
            let own = cluster.for_scenario(OWNER);
            start(&own.meshed(NAMESPACE)?)?;
            *started = true;
        }
        let ns = cluster.at(NAMESPACE);
        let [front, admin, stranger] =
            ["front", "admin", "stranger"].map(|page| format!("http://{}", ns.host(page)));
        let (socks_proxy, host, service) =
            (cluster.socks_proxy(), ns.host(service), service.to_owned());
        Ok(Self { ns, socks_proxy, service, host, front, admin, stranger })
    }

    /// Covers the back end, and no other, with a policy; waits until it is in force.
    fn cover(&self) -> Result<()> {
        let mut spec = policy(&self.ns, std::slice::from_ref(&self.host));
        if self.service == "sockets" {
            // A handshake is no CORS request: only a refusal keeps a stranger out.
            spec["disallowedRequests"] = json!("Reject");
        }
        self.ns.policy(&self.service, &spec)?;
        eventually(&format!("the policy of {}", self.host), || {
            // A back end of its own may allow everybody or nobody; only the policy tells these two apart.
            let ours = self.preflight("/", &self.admin)?;
            ensure!(self.passes(&self.admin, &ours), "a page of ours: {}", shown(&ours));
            let others = self.preflight("/", &self.stranger)?;
            ensure!(!self.passes(&self.stranger, &others), "a stranger: {}", shown(&others));
            Ok(Some(()))
        })
    }

    /// The answer to a page of `origin`.
    pub(super) fn get(&self, path: &str, origin: Option<&str>) -> Result<Answer> {
        self.socks_proxy.get(&self.host, path, origin)
    }

    /// The answer to a request.
    pub(super) fn send(&self, request: &Request) -> Result<Answer> {
        self.socks_proxy.send(&self.host, 80, request)
    }

    /// The answer to a page of `origin` that asks whether it may send a PUT with a JSON.
    pub(super) fn preflight(&self, path: &str, origin: &str) -> Result<Answer> {
        self.socks_proxy.preflight(&self.host, path, origin, "PUT", "content-type")
    }

    /// Whether its browser then sends it.
    pub(super) fn passes(&self, origin: &str, answer: &Answer) -> bool {
        let asked =
            Preflight { method: b"PUT".to_vec(), unsafe_names: vec![b"content-type".to_vec()] };
        preflight_check(&with_credentials(origin), &asked, response(answer)).is_ok()
    }
}
