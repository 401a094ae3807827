//! Istio: the kinds that publishers need, and the versions of istiod.

use corsward_operator_core::publish::istio::IstioKind;
use corsward_operator_core::publish::istiod::{ALIVE, Istiod, SELECTOR, decide};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::check::Check;
use crate::live::{ApiClient, Failure, encoded};

/// The minor versions of Istio whose Envoy runs the filter in tests: Envoy 1.36 to 1.39.
const TRIED: std::ops::RangeInclusive<u32> = 28..=31;

/// Checks the kinds that `publish.istio.kind` needs, and istiod.
pub(super) async fn check(client: &ApiClient, wanted: &str) -> Vec<Check> {
    let istiods = istiods(client).await;
    let kinds = kinds(client, wanted, istiods.as_deref().ok()).await;
    vec![kinds, versions(istiods)]
}

async fn istiods(client: &ApiClient) -> Result<Vec<Istiod>, Failure> {
    let selector = format!("labelSelector={}&fieldSelector={}", encoded(SELECTOR), encoded(ALIVE));
    let pods = client.list("/api/v1/pods", &selector).await?;
    let pods = pods.into_iter().filter_map(|pod| serde_json::from_value::<Pod>(pod).ok());
    Ok(pods.map(|pod| Istiod::of(&pod)).collect())
}

async fn kinds(client: &ApiClient, wanted: &str, istiods: Option<&[Istiod]>) -> Check {
    const NAME: &str = "istio-kinds";
    let resources = IstioKind::resources();
    let needed: Vec<_> = match wanted {
        // Either will do.
        "Auto" => resources.iter().filter(|it| it.kind != "EnvoyFilter").collect(),
        wanted => resources.iter().filter(|it| it.kind == wanted).collect(),
    };
    let mut served = Vec::new();
    for resource in needed {
        let path = format!("/apis/{}/{}", resource.group, resource.version);
        let list = match client.get(&path).await {
            Ok(list) => list,
            Err(Failure::NotFound(_)) => continue,
            Err(why) => return Check::unseen(NAME, &path, &why),
        };
        let names = list.get("resources").and_then(Value::as_array).into_iter().flatten();
        let mut names = names.filter_map(|it| it.get("kind")?.as_str());
        if names.any(|kind| kind == resource.kind) {
            served.push(resource.kind.as_str());
        }
    }
    if served.is_empty() {
        let kind = if wanted == "Auto" { "WasmPlugin or TrafficExtension" } else { wanted };
        return Check::fail(
            NAME,
            format!("the API server does not serve {kind} (publish.istio.kind: {wanted})"),
            "install Istio, or set `publish.to=configmap` for Envoys without a mesh",
        );
    }
    match (wanted, istiods) {
        ("Auto", Some(istiods)) => {
            let choice = decide(served.contains(&"TrafficExtension"), istiods);
            Check::ok(NAME, format!("Auto is {:?}: {}", choice.kind, choice.why))
        }
        _ => Check::ok(NAME, format!("the API server serves {}", served.join(" and "))),
    }
}

fn versions(istiods: Result<Vec<Istiod>, Failure>) -> Check {
    const NAME: &str = "istio-version";
    let istiods = match istiods {
        Ok(istiods) => istiods,
        Err(why) => return Check::unseen(NAME, "pods of istiod", &why),
    };
    let hint = |minor: u32| {
        let (first, last) = (TRIED.start(), TRIED.end());
        if minor < *first {
            format!(
                "upgrade Istio: the filter is tested with Envoy 1.36 and later, and Istio 1.{first} is the first that has it"
            )
        } else {
            format!("the filter is not tested with it: 1.{last} is the latest that is")
        }
    };
    let mut minors = Vec::new();
    for Istiod { place, minor } in &istiods {
        match minor {
            None => {
                let message = format!("the version of the istiod {place} is not known");
                return Check::warn(
                    NAME,
                    message,
                    "its label `app.kubernetes.io/version` or the tag of its image names none",
                );
            }
            Some(minor) if !TRIED.contains(minor) => {
                let message = format!("the istiod {place} is of version 1.{minor}");
                return Check::warn(NAME, message, hint(*minor));
            }
            Some(minor) => minors.push(format!("1.{minor}")),
        }
    }
    minors.sort();
    minors.dedup();
    if minors.is_empty() {
        return Check::warn(
            NAME,
            "no pod has the label app=istiod",
            "an istiod outside of the cluster is not seen: set `publish.istio.kind` to the kind that it reads",
        );
    }
    Check::ok(NAME, format!("istiod {}", minors.join(", ")))
}
