//! Pods: the proxy, the ports and the workload of each, what it says about a sidecar, and the Services before it.

use std::collections::{BTreeMap, BTreeSet};

use corsward_operator_core::cluster_state::{
    Inbound, Injection, Labels, Pod, PodProxy, Service, is_tcp,
};
use corsward_operator_core::traffic::INJECT;
use k8s_openapi::api::core::v1::{ContainerPort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::Raw;

/// The container of Istio's sidecar.
const PROXY: &str = "istio-proxy";
/// The argument of its agent in a gateway: `proxy router`.
const ROUTER: &str = "router";
/// The marks of a pod in Istio's ambient mode: the label that requests it, and the annotation that confirms it.
const AMBIENT: [(&str, &str); 2] =
    [("istio.io/dataplane-mode", "ambient"), ("ambient.istio.io/redirection", "enabled")];
/// The annotation of a pod that says how connections come to its sidecar; `NONE`: not at all.
const INTERCEPTION: (&str, &str) = ("sidecar.istio.io/interceptionMode", "NONE");
/// The annotation with the ports whose connections come to the sidecar; `*`, or absent: all.
const INCLUDED: &str = "traffic.sidecar.istio.io/includeInboundPorts";
/// The annotation with the ports, of all, whose connections do not.
const EXCLUDED: &str = "traffic.sidecar.istio.io/excludeInboundPorts";
/// The labels by which rollout controllers tell their `ReplicaSet` objects apart, and `kubectl`'s name of the kind.
const ROLLED_OUT: [(&str, &str); 2] =
    [("pod-template-hash", "deployment"), ("rollouts-pod-template-hash", "rollout")];
/// Fewest digits at the end of a job's name that are the minute at which a `CronJob` was due.
const MINUTE_LEN: usize = 8;

/// The used part of a pod's spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::source::kube) struct PodSpec {
    host_network: Option<bool>,
    containers: Option<Vec<ContainerSpec>>,
    init_containers: Option<Vec<ContainerSpec>>,
}

/// The used part of a pod's status.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::source::kube) struct PodStatus {
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
}

/// The used part of a container.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerSpec {
    name: String,
    args: Option<Vec<String>>,
    restart_policy: Option<String>,
    ports: Option<Vec<ContainerPort>>,
}

/// A Service, as the controller keeps it.
pub(super) fn service(raw: Raw<ServiceSpec>) -> Service {
    Service::of(raw.spec.unwrap_or_default())
}

/// A pod, as the controller keeps it.
pub(super) fn pod(raw: Raw<PodSpec, PodStatus>) -> Pod {
    let PodStatus { pod_ip } = raw.status.unwrap_or_default();
    let address = pod_ip.and_then(|address| address.parse().ok());
    let terminating = raw.metadata.deletion_timestamp.is_some();
    let PodSpec { host_network, containers, init_containers } = raw.spec.unwrap_or_default();
    // The order in which EndpointSlices look a named port up: containers, then native sidecars.
    let mut running = containers.unwrap_or_default();
    running.extend(
        init_containers
            .unwrap_or_default()
            .into_iter()
            .filter(|container| container.restart_policy.as_deref() == Some("Always")),
    );
    let proxy = running.iter().find(|container| container.name == PROXY);
    let proxy = match proxy.map(|proxy| proxy.args.as_deref().unwrap_or_default()) {
        None => PodProxy::None,
        Some(args) if args.iter().any(|word| word == ROUTER) => PodProxy::Gateway,
        Some(_) => PodProxy::Sidecar,
    };
    let ambient = proxy == PodProxy::None
        && (has(raw.metadata.labels.as_ref(), AMBIENT[0])
            || has(raw.metadata.annotations.as_ref(), AMBIENT[1]));
    let mut ports = BTreeMap::new();
    for port in running.into_iter().flat_map(|container| container.ports.unwrap_or_default()) {
        let ContainerPort { name, container_port, protocol, .. } = port;
        if let (Some(name), Ok(number), true) =
            (name, u16::try_from(container_port), is_tcp(protocol.as_deref()))
        {
            ports.entry(name).or_insert(number);
        }
    }
    Pod {
        ports,
        proxy,
        ambient,
        address,
        terminating,
        workload: workload(&raw.metadata),
        injection: injection(&raw.metadata, host_network),
        inbound: inbound(&raw.metadata),
        labels: raw.metadata.labels.unwrap_or_default(),
    }
}

fn has(labels: Option<&Labels>, (name, value): (&str, &str)) -> bool {
    labels.and_then(|labels| labels.get(name)).is_some_and(|found| found == value)
}

/// The workload of a pod, as `kubectl` names it: `deployment/api` rather than one of its `ReplicaSet` objects.
fn workload(metadata: &ObjectMeta) -> String {
    let owners = metadata.owner_references.iter().flatten();
    let Some(owner) = owners.into_iter().find(|owner| owner.controller == Some(true)) else {
        return format!("pod/{}", metadata.name.as_deref().unwrap_or_default());
    };
    let name = owner.name.as_str();
    let labels = metadata.labels.as_ref();
    let lasting = match owner.kind.as_str() {
        "ReplicaSet" => ROLLED_OUT.iter().find_map(|(label, kind)| {
            let hash = labels?.get(*label)?;
            Some((*kind, name.strip_suffix(hash.as_str())?.strip_suffix('-')?))
        }),
        "Job" => name.rsplit_once('-').and_then(|(name, due)| {
            let is_due = due.len() >= MINUTE_LEN && due.bytes().all(|byte| byte.is_ascii_digit());
            is_due.then_some(("cronjob", name))
        }),
        _ => None,
    };
    match lasting {
        Some((kind, name)) => format!("{kind}/{name}"),
        None => format!("{}/{name}", owner.kind.to_ascii_lowercase()),
    }
}

/// A pod's declaration about a sidecar: its label counts, else its annotation.
fn injection(metadata: &ObjectMeta, host_network: Option<bool>) -> Injection {
    let label = metadata.labels.as_ref().and_then(|labels| labels.get(INJECT));
    let inject = label.or_else(|| annotation(metadata, INJECT));
    if host_network == Some(true) {
        Injection::HostNetwork
    } else if inject.is_some_and(|inject| inject == "false") {
        Injection::OptedOut
    } else {
        Injection::Usual
    }
}

/// The ports that a pod leaves to its sidecar.
fn inbound(metadata: &ObjectMeta) -> Inbound {
    let (interception, none) = INTERCEPTION;
    if annotation(metadata, interception).is_some_and(|mode| mode == none) {
        return Inbound::Only(BTreeSet::new());
    }
    match annotation(metadata, INCLUDED).map(String::as_str) {
        // The one list counts where the other says all.
        None | Some("*") => match annotation(metadata, EXCLUDED).map(|list| ports(list)) {
            Some(ports) if !ports.is_empty() => Inbound::Except(ports),
            _ => Inbound::All,
        },
        Some(list) => Inbound::Only(ports(list)),
    }
}

fn annotation<'m>(metadata: &'m ObjectMeta, name: &str) -> Option<&'m String> {
    metadata.annotations.as_ref()?.get(name)
}

fn ports(list: &str) -> BTreeSet<u16> {
    list.split(',').filter_map(|port| port.trim().parse().ok()).collect()
}
