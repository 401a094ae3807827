//! `cleanup`: deletes the operator's objects, after its last pod has ended. `helm uninstall` runs it.
//!
//! The Deployment is scaled to nothing first: an operator that still ran would repair what is deleted, as it repairs any drift.
//! Definitions, policies and their status stay, so that what was in force is known when the operator comes back.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use corsward_operator_core::names::MANAGED_BY;
use corsward_operator_core::publish::istio::IstioKind;
use corsward_operator_core::publish::istiod::ALIVE;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::args::CleanupArgs;
use crate::kubernetes::{found, list_metadata};

/// Interval between two counts of the pods.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Stops the operator and deletes what it made, wherever it is; says what it did.
///
/// # Errors
///
/// Fails if the operator does not stop in time, or an object could not be deleted. The other objects are deleted
/// nevertheless.
pub async fn cleanup(client: Client, args: &CleanupArgs, out: &mut impl Write) -> Result<()> {
    stop(&client, args, out).await?;
    let mut failures = Vec::new();
    // Those of proxies precede the modules that they name.
    let mut kinds = IstioKind::resources();
    kinds.push(ApiResource::erase::<ConfigMap>(&()));
    for resource in kinds {
        match delete_all(&client, args, &resource).await {
            Ok(0) => {}
            Ok(deleted) => writeln!(out, "{} deleted: {deleted}", resource.kind)?,
            Err(error) => failures.push(format!("{}: {error:#}", resource.plural)),
        }
    }
    let mut lines = Vec::new();
    for (resource, name) in [
        (ApiResource::erase::<Lease>(&()), &args.lease),
        (ApiResource::erase::<Secret>(&()), &args.secret),
    ] {
        let (Some(name), kind) = (name, &resource.kind) else { continue };
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), &args.namespace, &resource);
        match delete(&api, name).await {
            Ok(true) => writeln!(lines, "{kind} deleted: {name}")?,
            Ok(false) => {}
            Err(error) => failures.push(format!("the {kind} {name}: {error}")),
        }
    }
    // Both are gone before an `out` that cannot be written ends this.
    out.write_all(&lines)?;
    ensure!(failures.is_empty(), "not everything could be deleted: {}", failures.join("; "));
    Ok(())
}

/// Scales the operator to nothing, if its Deployment is given, and waits until none of its pods is left.
async fn stop(client: &Client, args: &CleanupArgs, out: &mut impl Write) -> Result<()> {
    let Some(deployment) = &args.deployment else { return Ok(()) };
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &args.namespace);
    let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
    let scale = deployments.patch_scale(deployment, &PatchParams::default(), &none).await;
    let scale = found(scale).with_context(|| format!("cannot stop the Deployment {deployment}"))?;
    let Some(scale) = scale else { return Ok(()) };
    let selector = scale.status.and_then(|status| status.selector).unwrap_or_default();
    ensure!(
        !selector.is_empty(),
        "the Deployment {deployment} does not say which pods are its own"
    );
    let pods: Api<Pod> = Api::namespaced(client.clone(), &args.namespace);
    let alive = ListParams::default().labels(&selector).fields(ALIVE);
    let gone = async {
        let counted = "cannot count the operator's pods";
        while !pods.list_metadata(&alive).await.context(counted)?.items.is_empty() {
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    };
    let late = |_| bail!("the operator still runs after {} s", args.seconds);
    timeout(Duration::from_secs(args.seconds), gone).await.unwrap_or_else(late)?;
    writeln!(out, "stopped: Deployment {deployment}")?;
    Ok(())
}

/// Deletes every object of a kind that the operator made; none where the kind is not served.
async fn delete_all(client: &Client, args: &CleanupArgs, resource: &ApiResource) -> Result<usize> {
    let listed: Api<DynamicObject> = if args.own_config_maps && resource.kind == "ConfigMap" {
        Api::namespaced_with(client.clone(), &args.namespace, resource)
    } else {
        Api::all_with(client.clone(), resource)
    };
    let mut deleted: usize = 0;
    let (label, us) = MANAGED_BY;
    for object in list_metadata(&listed, &format!("{label}={us}")).await? {
        let (Some(namespace), Some(name)) = (&object.namespace, &object.name) else { continue };
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
        let is_deleted = delete(&api, name).await.with_context(|| format!("{namespace}/{name}"))?;
        deleted = deleted.saturating_add(is_deleted.into());
    }
    Ok(deleted)
}

/// Deletes an object; `false`: it was gone already.
async fn delete(api: &Api<DynamicObject>, name: &str) -> kube::Result<bool> {
    Ok(found(api.delete(name, &DeleteParams::background()).await)?.is_some())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::extract::State;
    use axum::http::{Method, StatusCode, Uri};
    use axum::response::{IntoResponse as _, Response};

    use super::*;

    type Deleted = Arc<Mutex<Vec<String>>>;

    /// An API server that lists nothing, and has every object that is to be deleted.
    async fn answer(State(deleted): State<Deleted>, method: Method, uri: Uri) -> Response {
        if method != Method::DELETE {
            return StatusCode::NOT_FOUND.into_response();
        }
        deleted.lock().unwrap().extend(uri.path().rsplit('/').next().map(str::to_owned));
        axum::Json(json!({"apiVersion": "v1", "kind": "Status", "status": "Success"}))
            .into_response()
    }

    #[tokio::test]
    async fn the_secret_is_deleted_even_where_the_output_cannot_be_written() {
        let deleted = Deleted::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&deleted));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let args = CleanupArgs {
            namespace: "corsward-system".into(),
            deployment: None,
            lease: Some("lease".into()),
            secret: Some("secret".into()),
            own_config_maps: true,
            seconds: 1,
            kubeconfig: None,
        };
        let mut full: &mut [u8] = &mut [];
        assert!(cleanup(client, &args, &mut full).await.is_err());
        assert_eq!(*deleted.lock().unwrap(), ["lease", "secret"]);
    }
}
