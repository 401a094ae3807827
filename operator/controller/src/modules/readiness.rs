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
    /// The path of the module.
    pub(super) path: String,
}

/// Says for ever, while leading, why the module cannot be named.
pub(super) async fn watch(
    client: Client,
    servers: ModuleServers,
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
            servers.ask(&client, &endpoints(known.values(), servers.port)).await
        } else {
            Some(NOT_ASKED.to_owned())
        };
        let wait = if verdict.is_some() { RETRY_INTERVAL } else { RESYNC_INTERVAL };
        if *module_readiness.borrow() != verdict {
            match &verdict {
                Some(why) if why != NOT_ASKED => warn!(why, "plugins cannot name the module"),
                Some(_) => {}
                None => info!("every module server has the module: plugins can name it"),
            }
            module_readiness.send_replace(verdict);
        }
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => {
                    listed |= matches!(event, WatchEvent::All(_));
                    event.store(&mut known);
                }
                Some(Err(_)) => {}
                None => return,
            },
            changed = leading.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

// === impl ModuleServers ===

impl ModuleServers {
    /// Asks every server for the module, and says why it cannot be named. A server that stops counts for as long as it answers.
    async fn ask(
        &self,
        client: &ProbeClient,
        endpoints: &BTreeMap<SocketAddr, bool>,
    ) -> Option<String> {
        let Self { namespace, service, path, .. } = self;
        if !endpoints.values().any(|ready| *ready) {
            return Some(format!(
                "no module server is ready: the Service `{namespace}/{service}` has no ready endpoint"
            ));
        }
        let problems = endpoints.iter().map(|(addr, ready)| async move {
            match status(client, *addr, path).await {
                Ok(StatusCode::OK) => None,
                // A replica of an earlier release answers 404.
                Ok(StatusCode::SERVICE_UNAVAILABLE | StatusCode::NOT_FOUND) => {
                    Some(format!("{addr}: it does not have the module yet"))
                }
                Ok(status) => ready.then(|| format!("{addr}: it answers {status}")),
                Err(why) => ready.then(|| format!("{addr}: {why}")),
            }
        });
        let missing: Vec<String> = join_all(problems).await.into_iter().flatten().collect();
        if missing.is_empty() {
            return None;
        }
        let (count, all) = (missing.len(), endpoints.len());
        let more = if count > MAX_NAMED { ", …" } else { "" };
        let named = missing.get(..MAX_NAMED).unwrap_or(&missing).join(", ");
        Some(format!("waiting for {count} of {all} module servers ({named}{more})"))
    }
}

/// The endpoints of a Service's slices, at `port` where they listen there, else at their only port: is each ready? The others are of
/// pods that stop. Connections reach them until every node has read that they stop.
fn endpoints<'s>(
    slices: impl IntoIterator<Item = &'s EndpointSlice>,
    port: u16,
) -> BTreeMap<SocketAddr, bool> {
    let mut endpoints = BTreeMap::new();
    for slice in slices {
        let ports = slice.ports.iter().flatten();
        let ports: BTreeSet<u16> =
            ports.filter_map(|port| u16::try_from(port.port?).ok()).collect();
        let only = ports.first().filter(|_| ports.len() == 1);
        let Some(port) = ports.get(&port).or(only) else { continue };
        for endpoint in slice.endpoints.iter().flatten() {
            let ip = endpoint.addresses.first().and_then(|address| address.parse::<IpAddr>().ok());
            let Some(ip) = ip else { continue };
            let conditions = endpoint.conditions.clone().unwrap_or_default();
            // An absent `ready` counts as ready (discovery.k8s.io/v1, `EndpointConditions`).
            let ready = conditions.ready.unwrap_or(true);
            if ready || conditions.terminating == Some(true) {
                *endpoints.entry(SocketAddr::new(ip, *port)).or_default() |= ready;
            }
        }
    }
    endpoints
}

/// The status of a module server's answer for a module.
async fn status(client: &ProbeClient, addr: SocketAddr, path: &str) -> Result<StatusCode, String> {
    let request = Request::head(format!("http://{addr}{path}")).body(Empty::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, client.request(request)).await;
    let answer = answer.map_err(|_| format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()))?;
    answer.map(|answer| answer.status()).map_err(|_| "it cannot be reached".to_owned())
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
        let endpoints = |ports: serde_json::Value| super::endpoints(&[slice("a", ports)], 8606);
        let at_8606 = [
            ("10.0.0.1:8606", true),
            ("10.0.0.3:8606", true),
            ("10.0.0.4:8606", false),
            ("[fd00::1]:8606", true),
        ];
        let at_8606 = at_8606.map(|(addr, ready)| (addr.parse().unwrap(), ready)).into();
        assert_eq!(endpoints(json!([{"port": 9443}, {"port": 8606}])), at_8606);
        assert!(
            endpoints(json!([{"port": 80}]))[&"10.0.0.1:80".parse().unwrap()],
            "their only port"
        );
        let unknown = endpoints(json!([{"port": 80}, {"port": 81}]));
        assert_eq!(unknown, BTreeMap::new(), "which port has modules is not known");
    }

    #[tokio::test]
    async fn whoever_is_waited_for_is_named() {
        let servers = ModuleServers {
            namespace: "corsward-system".into(),
            service: "corsward".into(),
            port: 1,
            path: "/x".into(),
        };
        let client = HttpClient::builder(TokioExecutor::new()).build_http();
        assert_eq!(
            servers.ask(&client, &BTreeMap::new()).await.unwrap(),
            "no module server is ready: the Service `corsward-system/corsward` has no ready endpoint"
        );
        // A port that was free a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        drop(listener);
        let endpoints = BTreeMap::from([(addr, true)]);
        assert_eq!(
            servers.ask(&client, &endpoints).await.unwrap(),
            format!("waiting for 1 of 1 module servers ({addr}: it cannot be reached)")
        );
    }
}
