//! Readiness: the leader names a module in plugins only when every ready server of modules has it. A proxy whose plugin names a
//! module that it cannot fetch loses its filter, and does not try again by itself.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::error_log::ErrorLog;
use crate::source::kube::WATCH_SECONDS;

/// What is said before anybody was asked.
pub(super) const NOT_ASKED: &str = "the module servers have not been asked for the module yet";
/// How soon those that had it not are asked again.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// How often those that had it are asked again.
const RESYNC_INTERVAL: Duration = Duration::from_secs(30);
/// How long a server may take to answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// How many of those that are waited for are named.
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
    let config = watcher::Config::default().labels(&selector).timeout(WATCH_SECONDS);
    let mut events = watcher(slices, config).default_backoff().boxed();
    let (mut known, mut error_log) = (Slices::default(), ErrorLog::default());
    let client = HttpClient::builder(TokioExecutor::new()).build_http();
    loop {
        let leads = *leading.borrow_and_update();
        let verdict = if leads && known.listed {
            servers.ask(&client, &known.ready(servers.port), &path).await
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
            event = events.next() => {
                let Some(event) = event else { return };
                error_log.watch("EndpointSlice", event.as_ref());
                if let Ok(event) = event {
                    known.on(event);
                }
            }
            changed = leading.changed() => if changed.is_err() {
                return;
            },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Where a Service's endpoints are.
#[derive(Debug, Default)]
struct Slices {
    known: BTreeMap<String, EndpointSlice>,
    listing: BTreeMap<String, EndpointSlice>,
    listed: bool,
}

// === impl ModuleServers ===

impl ModuleServers {
    /// Asks every server for the module, and says why it cannot be named.
    async fn ask(
        &self,
        client: &ProbeClient,
        ready: &BTreeSet<SocketAddr>,
        path: &str,
    ) -> Option<String> {
        if ready.is_empty() {
            let Self { namespace, service, .. } = self;
            return Some(format!(
                "no module server is ready: the Service `{namespace}/{service}` has no ready endpoint"
            ));
        }
        let questions =
            ready.iter().map(|addr| async move { (addr, has(client, *addr, path).await) });
        let answers = join_all(questions).await;
        let missing: Vec<_> = answers
            .into_iter()
            .filter_map(|(addr, answer)| Some(format!("{addr}: {}", answer.err()?)))
            .collect();
        if missing.is_empty() {
            return None;
        }
        let (count, all) = (missing.len(), ready.len());
        let more = if count > MAX_NAMED { ", …" } else { "" };
        let named = missing.into_iter().take(MAX_NAMED).collect::<Vec<_>>().join(", ");
        Some(format!("waiting for {count} of {all} module servers ({named}{more})"))
    }
}

// === impl Slices ===

impl Slices {
    fn on(&mut self, event: watcher::Event<EndpointSlice>) {
        match event {
            watcher::Event::Init => self.listing.clear(),
            watcher::Event::InitApply(slice) => {
                self.listing.insert(slice.name_any(), slice);
            }
            watcher::Event::InitDone => {
                self.known = std::mem::take(&mut self.listing);
                self.listed = true;
            }
            watcher::Event::Apply(slice) => {
                self.known.insert(slice.name_any(), slice);
            }
            watcher::Event::Delete(slice) => {
                self.known.remove(&slice.name_any());
            }
        }
    }

    /// The ready endpoints, at `port` where they listen there, else at their only port.
    fn ready(&self, port: u16) -> BTreeSet<SocketAddr> {
        self.known.values().flat_map(|slice| addresses(slice, port)).collect()
    }
}

fn addresses(slice: &EndpointSlice, port: u16) -> Vec<SocketAddr> {
    let ports = slice.ports.iter().flatten().filter_map(|port| port.port);
    let ports: BTreeSet<u16> = ports.filter_map(|port| u16::try_from(port).ok()).collect();
    let only = ports.first().filter(|_| ports.len() == 1);
    let Some(port) = ports.get(&port).or(only).copied() else { return Vec::new() };
    // Not known counts as ready, as Kubernetes has it.
    let is_ready = |ready: Option<bool>| ready.unwrap_or(true);
    let ready = slice.endpoints.iter().flatten().filter(|endpoint| {
        is_ready(endpoint.conditions.as_ref().and_then(|conditions| conditions.ready))
    });
    ready
        .filter_map(|endpoint| endpoint.addresses.first()?.parse::<IpAddr>().ok())
        .map(|ip| SocketAddr::new(ip, port))
        .collect()
}

async fn has(client: &ProbeClient, addr: SocketAddr, path: &str) -> Result<(), String> {
    let request = Request::builder().method(Method::HEAD).uri(format!("http://{addr}{path}"));
    let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
    match tokio::time::timeout(REQUEST_TIMEOUT, client.request(request)).await {
        Ok(Ok(answer)) if answer.status() == StatusCode::OK => Ok(()),
        // A replica of an earlier release answers 404.
        Ok(Ok(answer))
            if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::NOT_FOUND]
                .contains(&answer.status()) =>
        {
            Err("it does not have the module yet".to_owned())
        }
        Ok(Ok(answer)) => Err(format!("it answers {}", answer.status())),
        Ok(Err(_)) => Err("it cannot be reached".to_owned()),
        Err(_) => Err(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs())),
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
                    {"addresses": ["10.0.0.3"]},
                    {"addresses": ["fd00::1"]},
                ],
            }))
            .unwrap()
        };
        let ready = |ports: serde_json::Value| {
            let mut slices = Slices::default();
            slices.on(watcher::Event::Apply(slice("a", ports)));
            let ready = slices.ready(8606).into_iter();
            ready.map(|addr| addr.to_string()).collect::<Vec<_>>()
        };
        let at_8606 = ["10.0.0.1:8606", "10.0.0.3:8606", "[fd00::1]:8606"];
        assert_eq!(ready(json!([{"port": 9443}, {"port": 8606}])), at_8606);
        assert_eq!(ready(json!([{"port": 80}]))[0], "10.0.0.1:80");
        assert_eq!(ready(json!([{"port": 80}, {"port": 81}])), [""; 0], "which one is not known");
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
            servers.ask(&client, &BTreeSet::new(), "/x").await.unwrap(),
            "no module server is ready: the Service `corsward-system/corsward` has no ready endpoint"
        );
        // A port that was free a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(
            servers.ask(&client, &[addr].into(), "/x").await.unwrap(),
            format!("waiting for 1 of 1 module servers ({addr}: it cannot be reached)")
        );
    }
}
