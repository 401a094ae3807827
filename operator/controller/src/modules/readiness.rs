//! Readiness: the leader names a module in plugins only when every server of modules that proxies reach has it. A proxy whose plugin
//! names a module that it cannot fetch loses its filter, and does not try again by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, Client};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::watches::{self, WatchEvent};

/// The message before the first poll.
pub(super) const NOT_ASKED: &str = "the module servers have not been asked for the module yet";
/// Interval of polls of servers without the module.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Interval of polls of servers with the module.
const RESYNC_INTERVAL: Duration = Duration::from_secs(30);
/// Timeout for a server's answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Most missing servers that a message names.
const MAX_NAMED: usize = 3;

type ProbeClient = HttpClient<HttpConnector, Empty<Bytes>>;

/// The servers of modules.
#[derive(Clone, Debug)]
pub(super) struct ModuleServers {
    pub(super) namespace: String,
    /// The Service in front of them.
    pub(super) service: String,
    /// The port they listen at, all the same.
    pub(super) port: u16,
}

/// Says for ever, while leading, why the module at `path` cannot be named.
pub(super) async fn watch(
    client: Client,
    servers: ModuleServers,
    path: String,
    mut leading: watch::Receiver<bool>,
    module_readiness: watch::Sender<Option<String>>,
) {
    let slices: Api<EndpointSlice> = Api::namespaced(client, &servers.namespace);
    let selector = format!("kubernetes.io/service-name={}", servers.service);
    let mut events = watches::of_labels(slices, "EndpointSlice", &selector);
    let (mut known, mut listed) = (BTreeMap::new(), false);
    let client = HttpClient::builder(TokioExecutor::new()).build_http();
    loop {
        let leads = *leading.borrow_and_update();
        let verdict = if leads && listed {
            servers.ask(&client, &Endpoints::of(known.values(), servers.port), &path).await
        } else {
            Some(NOT_ASKED.to_owned())
        };
        let wait = if verdict.is_some() { RETRY_INTERVAL } else { RESYNC_INTERVAL };
        module_readiness.send_if_modified(|said| {
            let changed = *said != verdict;
            if changed {
                match &verdict {
                    Some(why) if why != NOT_ASKED => warn!(why, "plugins cannot name the module"),
                    Some(_) => {}
                    None => info!("every module server has the module: plugins can name it"),
                }
                *said = verdict;
            }
            changed
        });
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => {
                    listed |= matches!(event, WatchEvent::All(_));
                    event.store(&mut known);
                }
                Some(Err(_)) => {}
                None => return,
            },
            changed = leading.changed() => if changed.is_err() {
                return;
            },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// A Service's endpoints.
#[derive(Debug, Default, PartialEq, Eq)]
struct Endpoints {
    ready: BTreeSet<SocketAddr>,
    /// Those of pods that stop. Connections reach them until every node has read that they stop.
    terminating: BTreeSet<SocketAddr>,
}

// === impl ModuleServers ===

impl ModuleServers {
    /// Asks every server for the module, and says why it cannot be named. A server that stops counts for as long as it answers.
    async fn ask(&self, client: &ProbeClient, endpoints: &Endpoints, path: &str) -> Option<String> {
        let Endpoints { ready, terminating } = endpoints;
        if ready.is_empty() {
            let Self { namespace, service, .. } = self;
            return Some(format!(
                "no module server is ready: the Service `{namespace}/{service}` has no ready endpoint"
            ));
        }
        let requests = ready.union(terminating);
        let requests = requests.map(|addr| async move { (addr, probe(client, *addr, path).await) });
        let answers = join_all(requests).await.into_iter();
        let missing: Vec<String> = answers
            .filter_map(|(addr, answer)| match answer {
                Ok(true) => None,
                Ok(false) => Some(format!("{addr}: it does not have the module yet")),
                Err(why) => ready.contains(addr).then(|| format!("{addr}: {why}")),
            })
            .collect();
        if missing.is_empty() {
            return None;
        }
        let (count, all) = (missing.len(), ready.union(terminating).count());
        let more = if count > MAX_NAMED { ", …" } else { "" };
        let named = missing.into_iter().take(MAX_NAMED).collect::<Vec<_>>().join(", ");
        Some(format!("waiting for {count} of {all} module servers ({named}{more})"))
    }
}

// === impl Endpoints ===

impl Endpoints {
    /// Those of a Service's slices, at `port` where they listen there, else at their only port.
    fn of<'s>(slices: impl IntoIterator<Item = &'s EndpointSlice>, port: u16) -> Self {
        let mut endpoints = Self::default();
        for slice in slices {
            endpoints.extend(slice, port);
        }
        endpoints
    }

    fn extend(&mut self, slice: &EndpointSlice, port: u16) {
        let ports = slice.ports.iter().flatten().filter_map(|port| port.port);
        let ports: BTreeSet<u16> = ports.filter_map(|port| u16::try_from(port).ok()).collect();
        let only = ports.first().filter(|_| ports.len() == 1);
        let Some(port) = ports.get(&port).or(only).copied() else { return };
        for endpoint in slice.endpoints.iter().flatten() {
            let ip = endpoint.addresses.first().and_then(|address| address.parse::<IpAddr>().ok());
            let Some(ip) = ip else { continue };
            let addr = SocketAddr::new(ip, port);
            let conditions = endpoint.conditions.as_ref();
            // An absent `ready` counts as ready (discovery.k8s.io/v1, `EndpointConditions`).
            if conditions.and_then(|conditions| conditions.ready).unwrap_or(true) {
                self.ready.insert(addr);
            } else if conditions.and_then(|conditions| conditions.terminating) == Some(true) {
                self.terminating.insert(addr);
            }
        }
    }
}

/// Asks a module server whether it has a module.
async fn probe(client: &ProbeClient, addr: SocketAddr, path: &str) -> Result<bool, String> {
    let request = Request::head(format!("http://{addr}{path}")).body(Empty::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, client.request(request)).await;
    let answer = answer.map_err(|_| format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()))?;
    match answer.map_err(|_| "it cannot be reached".to_owned())?.status() {
        StatusCode::OK => Ok(true),
        // A replica of an earlier release answers 404.
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::NOT_FOUND => Ok(false),
        status => Err(format!("it answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_ready_endpoints_are_asked_where_they_serve_modules() {
        let slice = |name: &str, ports: serde_json::Value| {
            serde_json::from_value::<EndpointSlice>(json!({
                "metadata": {"name": name},
                "addressType": "IPv4",
                "ports": ports,
                "endpoints": [
                    {"addresses": ["10.0.0.1"], "conditions": {"ready": true}},
                    {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
                    {"addresses": ["10.0.0.4"], "conditions": {"ready": false, "terminating": true}},
                    {"addresses": ["10.0.0.3"]},
                    {"addresses": ["fd00::1"]},
                ],
            }))
            .unwrap()
        };
        let endpoints = |ports: serde_json::Value| Endpoints::of(&[slice("a", ports)], 8606);
        let addresses = |addresses: &[&str]| addresses.iter().map(|a| a.parse().unwrap()).collect();
        let at_8606 = Endpoints {
            ready: addresses(&["10.0.0.1:8606", "10.0.0.3:8606", "[fd00::1]:8606"]),
            terminating: addresses(&["10.0.0.4:8606"]),
        };
        assert_eq!(endpoints(json!([{"port": 9443}, {"port": 8606}])), at_8606);
        assert!(
            endpoints(json!([{"port": 80}])).ready.contains(&"10.0.0.1:80".parse().unwrap()),
            "their only port"
        );
        let unknown = endpoints(json!([{"port": 80}, {"port": 81}]));
        assert_eq!(unknown, Endpoints::default(), "which port has modules is not known");
    }

    #[tokio::test]
    async fn whoever_is_waited_for_is_named() {
        let servers = ModuleServers {
            namespace: "corsward-system".into(),
            service: "corsward".into(),
            port: 1,
        };
        let client = HttpClient::builder(TokioExecutor::new()).build_http();
        assert_eq!(
            servers.ask(&client, &Endpoints::default(), "/x").await.unwrap(),
            "no module server is ready: the Service `corsward-system/corsward` has no ready endpoint"
        );
        // A port that was free a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        drop(listener);
        let endpoints = Endpoints { ready: [addr].into(), ..Endpoints::default() };
        assert_eq!(
            servers.ask(&client, &endpoints, "/x").await.unwrap(),
            format!("waiting for 1 of 1 module servers ({addr}: it cannot be reached)")
        );
    }
}
