//! `cleanup`: deletes the operator's objects, after its last pod has ended. `helm uninstall` runs it.
//!
//! The Deployment is scaled to nothing first: an operator that still ran would repair what is deleted, as it repairs any drift.
//! Definitions, policies and their status stay, so that what was in force is known when the operator comes back.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::args::CleanupArgs;
use crate::kubernetes::list_metadata;

/// The label of everything that the operator makes.
const MADE_BY_US: &str = "app.kubernetes.io/managed-by=corsward-operator";
/// Pods that still run, or will.
const ALIVE: &str = "status.phase!=Succeeded,status.phase!=Failed";
/// Interval between two counts of the pods.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The kinds of the operator's objects: group, version, kind, plural. Those of proxies precede the modules that they
/// name.
const KINDS: [[&str; 4]; 4] = [
    ["extensions.istio.io", "v1alpha1", "WasmPlugin", "wasmplugins"],
    ["extensions.istio.io", "v1alpha1", "TrafficExtension", "trafficextensions"],
    ["networking.istio.io", "v1alpha3", "EnvoyFilter", "envoyfilters"],
    ["", "v1", "ConfigMap", "configmaps"],
];

/// Stops the operator and deletes what it made, wherever it is; says what it did.
///
/// # Errors
///
/// Fails if the operator does not stop in time, or an object could not be deleted. The other objects are deleted
/// nevertheless.
pub async fn cleanup(client: Client, args: &CleanupArgs, out: &mut impl Write) -> Result<()> {
    if let Some(deployment) = &args.deployment {
        stop(&client, args, deployment, out).await?;
    }
    let mut failures = Vec::new();
    for kind in KINDS {
        let resource = resource(kind);
        let api: Api<DynamicObject> = if args.own_config_maps && resource.kind == "ConfigMap" {
            Api::namespaced_with(client.clone(), &args.namespace, &resource)
        } else {
            Api::all_with(client.clone(), &resource)
        };
        match delete_all(&client, &api, &resource).await {
            Ok(0) => {}
            Ok(deleted) => writeln!(out, "{} deleted: {deleted}", resource.kind)?,
            Err(error) => failures.push(format!("{}: {error:#}", resource.plural)),
        }
    }
    let own = [
        own::<Lease>(&client, args, args.lease.as_deref()).await,
        own::<Secret>(&client, args, args.secret.as_deref()).await,
    ];
    for outcome in own {
        match outcome {
            Ok(said) => out.write_all(said.as_bytes())?,
            Err(problem) => failures.push(problem),
        }
    }
    if !failures.is_empty() {
        bail!("not everything could be deleted: {}", failures.join("; "));
    }
    Ok(())
}

/// Deletes one object of the operator's namespace, if one is named; says so if it was there.
async fn own<K>(client: &Client, args: &CleanupArgs, name: Option<&str>) -> Result<String, String>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let Some(name) = name else { return Ok(String::new()) };
    let api: Api<K> = Api::namespaced(client.clone(), &args.namespace);
    let kind = K::kind(&());
    match delete(&api, name).await {
        Ok(true) => Ok(format!("{kind} deleted: {name}\n")),
        Ok(false) => Ok(String::new()),
        Err(error) => Err(format!("the {kind} {name}: {error}")),
    }
}

/// Scales the operator to nothing, and waits until none of its pods is left.
async fn stop(
    client: &Client,
    args: &CleanupArgs,
    deployment: &str,
    out: &mut impl Write,
) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &args.namespace);
    let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
    let scale = match deployments.patch_scale(deployment, &PatchParams::default(), &none).await {
        Ok(scale) => scale,
        Err(error) if is_not_found(&error) => return Ok(()),
        Err(error) => {
            return Err(error).context(format!("cannot stop the Deployment {deployment}"));
        }
    };
    let selector = scale.status.and_then(|status| status.selector).unwrap_or_default();
    if selector.is_empty() {
        bail!("the Deployment {deployment} does not say which pods are its own");
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), &args.namespace);
    let alive = ListParams::default().labels(&selector).fields(ALIVE);
    let gone = async {
        loop {
            match pods.list_metadata(&alive).await {
                Ok(list) if list.items.is_empty() => return Ok(()),
                Ok(_) => sleep(POLL_INTERVAL).await,
                Err(error) => return Err(error),
            }
        }
    };
    match timeout(Duration::from_secs(args.seconds), gone).await {
        Ok(counted) => counted.context("cannot count the operator's pods")?,
        Err(_) => bail!("the operator still runs after {} s", args.seconds),
    }
    writeln!(out, "stopped: Deployment {deployment}")?;
    Ok(())
}

/// Deletes every object that is `listed` and that the operator made; none where the kind is not served.
async fn delete_all(
    client: &Client,
    listed: &Api<DynamicObject>,
    resource: &ApiResource,
) -> Result<usize> {
    let mut deleted: usize = 0;
    for object in list_metadata(listed, MADE_BY_US).await? {
        let (Some(namespace), Some(name)) = (&object.namespace, &object.name) else { continue };
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
        if delete(&api, name).await.with_context(|| format!("{namespace}/{name}"))? {
            deleted = deleted.saturating_add(1);
        }
    }
    Ok(deleted)
}

/// Deletes an object; `false`: it was gone already.
async fn delete<K>(api: &Api<K>, name: &str) -> kube::Result<bool>
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned,
{
    match api.delete(name, &DeleteParams::background()).await {
        Ok(_) => Ok(true),
        Err(error) if is_not_found(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn resource([group, version, kind, plural]: [&str; 4]) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
