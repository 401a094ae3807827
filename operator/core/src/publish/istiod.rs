//! Istiod: its version, and the kind of Istio's objects that `Auto` means. `TrafficExtension` where the API server serves it and every istiod
//! reads it, else `WasmPlugin`.
//!
//! The definition alone is not enough: Istio's chart `base` installs it before istiod is upgraded, and an older istiod brings objects of
//! that kind to no proxy.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::istio::IstioKind;

/// The API server's list of Istio's extensions.
pub const GROUP: &str = "extensions.istio.io/v1alpha1";
/// The plural of `TrafficExtension`.
pub const PLURAL: &str = "trafficextensions";
/// The pods of every istiod, of all revisions.
pub const SELECTOR: &str = "app=istiod";
/// Pods that run, or will.
pub const ALIVE: &str = "status.phase!=Succeeded,status.phase!=Failed";
/// The label with the version in Istio's charts.
const VERSION_LABEL: &str = "app.kubernetes.io/version";
/// The label of Istio's charts as its repository has them: no version.
const UNVERSIONED: &str = "1.0.0";
/// istiod's container.
pub const CONTAINER: &str = "discovery";
/// The first version of istiod that reads objects of the kind `TrafficExtension`: 1.30.
const FIRST_MINOR: u32 = 30;

/// The chosen kind, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindChoice {
    /// The kind.
    pub kind: IstioKind,
    /// The reason, as the log says it.
    pub why: String,
}

/// A pod of istiod.
#[derive(Clone, Debug)]
pub struct Istiod {
    /// Its namespace and name.
    pub place: String,
    /// Of its version 1.x the lowest x that its label and its image name; nothing where neither names one.
    pub minor: Option<u32>,
}

/// The kind for these istiods. `served`: does the API server serve `TrafficExtension`?
pub fn decide(served: bool, istiods: &[Istiod]) -> KindChoice {
    let plugin = |why: String| KindChoice { kind: IstioKind::WasmPlugin, why };
    if !served {
        return plugin("the API server does not serve TrafficExtension".to_owned());
    }
    if istiods.is_empty() {
        return plugin(
            "no pod has the label app=istiod: the version of Istio is not known".to_owned(),
        );
    }
    for Istiod { place, minor } in istiods {
        match minor {
            None => return plugin(format!("the version of the istiod `{place}` is not known")),
            Some(minor) if *minor < FIRST_MINOR => {
                return plugin(format!(
                    "the istiod `{place}` is of version 1.{minor}, and TrafficExtension needs 1.{FIRST_MINOR}"
                ));
            }
            Some(_) => {}
        }
    }
    let why = "the API server serves it, and every istiod reads it".to_owned();
    KindChoice { kind: IstioKind::TrafficExtension, why }
}

/// The minor version of Istio in a label or a tag: `1.30`, `1.31.2-distroless`. A product built on Istio may have versions of its own: any
/// other major version counts for nothing.
fn minor(text: &str) -> Option<u32> {
    let (major, rest) = text.strip_prefix('v').unwrap_or(text).split_once('.')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    if major == "1" { rest.get(..end)?.parse().ok() } else { None }
}

/// The tag of an image.
fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next()?.rsplit('/').next()?;
    Some(name.split_once(':')?.1)
}

// === impl Istiod ===

impl Istiod {
    /// The istiod in a pod.
    pub fn of(pod: &Pod) -> Self {
        let place = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
        let label = pod.labels().get(VERSION_LABEL).filter(|label| *label != UNVERSIONED);
        let label = label.and_then(|label| minor(label));
        let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let image = containers
            .find(|container| container.name == CONTAINER)
            .and_then(|container| minor(tag(container.image.as_deref()?)?));
        // A chart may run another image than its own.
        Self { place, minor: label.into_iter().chain(image).min() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(label: Option<&str>, image: &str) -> Value {
        let mut labels = json!({"app": "istiod"});
        if let Some(label) = label {
            labels[VERSION_LABEL] = label.into();
        }
        json!({
            "metadata": {"namespace": "istio-system", "name": "istiod-0", "labels": labels},
            "spec": {"containers": [
                {"name": "helper", "image": "helper:9.9"},
                {"name": CONTAINER, "image": image},
            ]},
        })
    }

    type Row = (&'static str, bool, Vec<Value>, IstioKind, &'static str);

    fn check(rows: Vec<Row>) {
        for (why, served, pods, kind, said) in rows {
            let pods = pods.into_iter().map(|pod| serde_json::from_value::<Pod>(pod).unwrap());
            let choice = decide(served, &pods.map(|pod| Istiod::of(&pod)).collect::<Vec<_>>());
            assert_eq!(choice.kind, kind, "{why}: {choice:?}");
            assert!(choice.why.contains(said), "{why}: {choice:?}");
        }
    }

    #[test]
    fn auto_takes_the_newer_kind_where_it_is_served_and_every_istiod_reads_it() {
        let new = pod(Some("1.31.0"), "docker.io/istio/pilot:1.31.0");
        check(vec![
            (
                "a new Istio",
                true,
                vec![new.clone()],
                IstioKind::TrafficExtension,
                "every istiod reads it",
            ),
            (
                "the first that reads it",
                true,
                vec![pod(None, "istio/pilot:1.30.0")],
                IstioKind::TrafficExtension,
                "every",
            ),
            ("not served", false, vec![new.clone()], IstioKind::WasmPlugin, "does not serve"),
            ("Istio elsewhere", true, vec![], IstioKind::WasmPlugin, "no pod"),
            (
                "one is older, as during an upgrade",
                true,
                vec![new.clone(), pod(Some("1.29.4"), "istio/pilot:1.29.4")],
                IstioKind::WasmPlugin,
                "`istio-system/istiod-0` is of version 1.29",
            ),
        ]);
    }

    #[test]
    fn the_lowest_version_that_a_pod_names_counts_and_none_is_guessed() {
        let new = pod(Some("1.31.0"), "docker.io/istio/pilot:1.31.0");
        check(vec![
            (
                "an older image in a newer chart",
                true,
                vec![pod(Some("1.31.0"), "r.example:5000/istio/pilot:1.28.1-distroless")],
                IstioKind::WasmPlugin,
                "1.28",
            ),
            (
                "nothing says which version",
                true,
                vec![new.clone(), pod(None, "r.example:5000/pilot@sha256:00")],
                IstioKind::WasmPlugin,
                "is not known",
            ),
            (
                "a tag that is no version",
                true,
                vec![pod(None, "pilot:latest")],
                IstioKind::WasmPlugin,
                "is not known",
            ),
            (
                "a digest, and a label",
                true,
                vec![pod(Some("1.30"), "pilot@sha256:00")],
                IstioKind::TrafficExtension,
                "every",
            ),
            (
                "the charts of Istio's repository",
                true,
                vec![pod(Some("1.0.0"), "pilot:1.31.1")],
                IstioKind::TrafficExtension,
                "every",
            ),
            (
                "a product made of Istio, with versions of its own",
                true,
                vec![pod(Some("1.28.2"), "r.example/mesh/pilot:3.2")],
                IstioKind::WasmPlugin,
                "1.28",
            ),
            (
                "a product whose versions are all that is known",
                true,
                vec![pod(None, "r.example/mesh/pilot:3.2")],
                IstioKind::WasmPlugin,
                "is not known",
            ),
        ]);
    }

    #[test]
    fn a_version_is_read_from_labels_and_tags() {
        for (text, read) in [
            ("1.30", Some(30)),
            ("1.31.2-distroless", Some(31)),
            ("v1.30.0", Some(30)),
            ("1.30-alpha.0a1b", Some(30)),
            ("2.30.0", None),
            ("latest", None),
            ("1", None),
            ("1.x", None),
            ("", None),
        ] {
            assert_eq!(minor(text), read, "{text}");
        }
        for (image, read) in [
            ("pilot:1.2", Some("1.2")),
            ("r.example:5000/a/pilot:1.2@sha256:00", Some("1.2")),
            ("r.example:5000/a/pilot", None),
        ] {
            assert_eq!(tag(image), read, "{image}");
        }
    }
}
