//! Injection: what runs a pod, and what the pod says about a sidecar.

use std::collections::BTreeSet;

use corsward_operator_core::cluster_state::{Inbound, Injection};
use corsward_operator_core::traffic::INJECT;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

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

/// The workload of a pod, as `kubectl` names it: `deployment/api` rather than one of its `ReplicaSet` objects.
pub(super) fn workload(metadata: &ObjectMeta) -> String {
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
pub(super) fn injection(metadata: &ObjectMeta, host_network: Option<bool>) -> Injection {
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
pub(super) fn inbound(metadata: &ObjectMeta) -> Inbound {
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
