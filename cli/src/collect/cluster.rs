//! Cluster: the parts of an archive that the API server has.

use std::collections::BTreeSet;

use corsward_operator_core::publish::istiod::SELECTOR;
use futures::future::join_all;
use serde_json::Value;

use super::archive::Archive;
use super::mask::{self, OriginMask};
use super::objects::{Collection, OF_NAMESPACE, OF_POLICIES, PUBLISHED};
use super::versions;
use crate::live::{ApiClient, Connection, Failure, Installation, encoded};
use crate::output::note;

/// The last lines of each log.
const LOG_LINES: usize = 2000;
/// The longest log.
const MAX_LOG_LEN: usize = 8 * 1024 * 1024;
/// The operator's container.
const OPERATOR: &str = "operator";
/// Most proxies whose metrics are read.
const MAX_PROXIES: usize = 20;
/// The port of the metrics of Istio's proxies.
const STATS_PORT: u16 = 15_090;
/// The container of Istio's proxies.
const PROXY: &str = "istio-proxy";

/// The parts of an archive, as they are read.
struct Reading<'r> {
    client: &'r ApiClient,
    /// The namespace of the context.
    namespace: &'r str,
    archive: &'r mut Archive,
    mask: OriginMask,
}

/// Reads all parts; one that cannot be read is left out, with the reason.
pub(super) async fn read(
    connection: &Connection,
    namespace: Option<&str>,
    version: Value,
    archive: &mut Archive,
) {
    let mask = match OriginMask::new() {
        Ok(mask) => mask,
        Err(why) => return archive.fail("all parts", &why.to_string()),
    };
    let mut reading =
        Reading { client: &connection.client, namespace: &connection.namespace, archive, mask };
    note("reading policies, origin sets and guardrails");
    let mut namespaces = BTreeSet::new();
    for collection in OF_POLICIES {
        namespaces.extend(reading.collection(collection, None).await);
    }
    note("reading published objects");
    for collection in PUBLISHED {
        reading.collection(collection, None).await;
    }
    note("reading the operator");
    let installations = reading.installations(namespace).await;
    namespaces.extend(installations.iter().map(|it| it.namespace.clone()));
    note("reading the namespaces of policies");
    for namespace in &namespaces {
        reading.namespace(namespace).await;
    }
    reading.proxies(&namespaces).await;
    let istiods = format!("labelSelector={}", encoded(SELECTOR));
    let istiods = reading.client.list("/api/v1/pods", &istiods).await.unwrap_or_else(|why| {
        reading.archive.fail("versions.json, istiodImages", &why.to_string());
        Vec::new()
    });
    let versions = versions(&version, &installations, &istiods);
    reading.archive.add("versions.json", format!("{versions:#}\n").into_bytes());
}

// === impl Reading ===

impl Reading<'_> {
    /// Adds the objects of a kind; the namespaces that they are in.
    async fn collection(
        &mut self,
        collection: Collection,
        namespace: Option<&str>,
    ) -> BTreeSet<String> {
        let file = collection.file(namespace);
        match self.list(collection, namespace).await {
            // A kind that is not served has no objects.
            Err(Failure::NotFound(_)) => BTreeSet::new(),
            Err(why) => {
                self.archive.fail(&file, &why.to_string());
                BTreeSet::new()
            }
            Ok(objects) if objects.is_empty() => BTreeSet::new(),
            Ok(objects) => {
                let namespace = |object: &Value| {
                    object.pointer("/metadata/namespace")?.as_str().map(str::to_owned)
                };
                let namespaces = objects.iter().filter_map(namespace).collect();
                self.add_objects(&file, objects.into_iter().map(|it| collection.clean(it)));
                namespaces
            }
        }
    }

    /// The objects of a kind: where the user may not list all, those of the context's namespace.
    async fn list(
        &mut self,
        collection: Collection,
        namespace: Option<&str>,
    ) -> Result<Vec<Value>, Failure> {
        let (selector, own) = (collection.selector(), self.namespace);
        if namespace.is_some() {
            return self.client.list(&collection.path(namespace), &selector).await;
        }
        let path = |namespace: Option<&str>| collection.path(namespace);
        let (objects, refused) = self.client.list_or_within(path, &selector, own).await?;
        if let Some(refused) = refused {
            let why = format!("those of other namespaces than {own}: {refused}");
            self.archive.fail(&collection.file(None), &why);
        }
        Ok(objects)
    }

    /// Adds objects as documents of a YAML file.
    fn add_objects(&mut self, file: &str, objects: impl Iterator<Item = Value>) {
        let mut text = String::new();
        for object in objects {
            match serde_saphyr::to_string(&object) {
                Ok(document) => {
                    text.push_str(if text.is_empty() { "" } else { "---\n" });
                    text.push_str(&document);
                }
                Err(why) => self.archive.fail(file, &why.to_string()),
            }
        }
        self.archive.add(file, text.into_bytes());
    }

    /// Adds a namespace that has policies, or the operator.
    async fn namespace(&mut self, name: &str) {
        let file = format!("namespaces/{name}/namespace.yaml");
        match self.client.get(&format!("/api/v1/namespaces/{name}")).await {
            Ok(mut namespace) => {
                mask::tidy(&mut namespace);
                self.add_objects(&file, [namespace].into_iter());
            }
            Err(why) => self.archive.fail(&file, &why.to_string()),
        }
        for collection in OF_NAMESPACE {
            self.collection(collection, Some(name)).await;
        }
    }

    /// Adds the operator: its objects, its logs and its metrics.
    async fn installations(&mut self, namespace: Option<&str>) -> Vec<Installation> {
        let installations = match Installation::find(self.client, namespace).await {
            Ok(installations) => installations,
            Err(why) => {
                self.archive.fail("operator", &why.to_string());
                return Vec::new();
            }
        };
        if installations.is_empty() {
            self.archive.fail("operator", "no Deployment of the chart is there");
        }
        for installation in &installations {
            let within = |it: &&Installation| it.namespace == installation.namespace;
            let mut folder = format!("operator/{}", installation.namespace);
            if installations.iter().filter(within).count() > 1 {
                folder = format!("{folder}/{}", installation.name);
            }
            let mut deployment = installation.deployment.clone();
            mask::own(&mut deployment);
            self.add_objects(&format!("{folder}/deployment.yaml"), [deployment].into_iter());
            self.single(&folder, installation).await;
            match installation.pods(self.client).await {
                Ok(pods) => self.pods(&folder, installation, pods).await,
                Err(why) => self.archive.fail(&format!("{folder}/pods.yaml"), &why.to_string()),
            }
        }
        installations
    }

    /// Adds the objects that the operator's arguments name.
    async fn single(&mut self, folder: &str, installation: &Installation) {
        let within = |root: &str, plural: &str, name: &str| {
            format!("{root}/namespaces/{}/{plural}/{name}", installation.namespace)
        };
        let arg = |name: &str| installation.arg(name);
        let leases = "/apis/coordination.k8s.io/v1";
        let webhooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
        let objects = [
            ("lease.yaml", arg("--lease").map(|name| within(leases, "leases", name))),
            (
                "enforcement.yaml",
                arg("--enforcement").map(|it| within("/api/v1", "configmaps", it)),
            ),
            ("webhook.yaml", arg("--webhook-configuration").map(|it| format!("{webhooks}/{it}"))),
        ];
        for (file, path) in objects {
            let (Some(path), file) = (path, format!("{folder}/{file}")) else { continue };
            match self.client.get(&path).await {
                Ok(mut object) => {
                    mask::own(&mut object);
                    self.add_objects(&file, [object].into_iter());
                }
                Err(why) => self.archive.fail(&file, &why.to_string()),
            }
        }
    }

    async fn pods(&mut self, folder: &str, installation: &Installation, pods: Vec<Value>) {
        let name = |pod: &Value| {
            let name = pod.pointer("/metadata/name")?.as_str()?.to_owned();
            Some((name, has_restarted(pod)))
        };
        let names: Vec<(String, bool)> = pods.iter().filter_map(name).collect();
        let masked = pods.into_iter().map(|mut pod| {
            mask::own(&mut pod);
            pod
        });
        self.add_objects(&format!("{folder}/pods.yaml"), masked);
        for (name, has_restarted) in names {
            let pod = format!("/api/v1/namespaces/{}/pods/{name}", installation.namespace);
            let log = format!(
                "{pod}/log?container={OPERATOR}&tailLines={LOG_LINES}&limitBytes={MAX_LOG_LEN}"
            );
            self.masked_text(&format!("{folder}/{name}.log"), &log).await;
            if has_restarted {
                let (file, log) =
                    (format!("{folder}/{name}.previous.log"), format!("{log}&previous=true"));
                self.masked_text(&file, &log).await;
            }
            let address = installation.arg("--admin").unwrap_or_default();
            let port = address.rsplit(':').next().unwrap_or_default();
            let metrics = format!("{pod}:{port}/proxy/metrics");
            self.masked_text(&format!("{folder}/{name}.metrics"), &metrics).await;
        }
    }

    /// Adds the filter's metrics of the first proxies in the namespaces of policies.
    async fn proxies(&mut self, namespaces: &BTreeSet<String>) {
        note("reading metrics of proxies");
        let mut proxies = Vec::new();
        for namespace in namespaces {
            let path = format!("/api/v1/namespaces/{namespace}/pods");
            let selector = format!("fieldSelector={}", encoded("status.phase=Running"));
            match self.client.list(&path, &selector).await {
                Ok(pods) => proxies
                    .extend(pods.iter().filter_map(proxy).map(|name| (namespace.clone(), name))),
                Err(why) => self.archive.fail(&format!("proxies/{namespace}"), &why.to_string()),
            }
        }
        if let Some(more) = proxies.len().checked_sub(MAX_PROXIES).filter(|more| *more > 0) {
            self.archive.fail("proxies", &format!("{more} of {} are not asked", proxies.len()));
        }
        let client = self.client;
        let asked = proxies.into_iter().take(MAX_PROXIES).map(async |(namespace, name)| {
            let pod = format!("/api/v1/namespaces/{namespace}/pods/{name}");
            let text = client.text(&format!("{pod}:{STATS_PORT}/proxy/stats/prometheus")).await;
            (format!("proxies/{namespace}/{name}.metrics"), text)
        });
        for (file, text) in join_all(asked).await {
            self.add_masked(&file, text, |line| line.contains("corsward"));
        }
    }

    /// Adds a text, without origins.
    async fn masked_text(&mut self, file: &str, path: &str) {
        let text = self.client.text(path).await;
        self.add_masked(file, text, |_| true);
    }

    /// Adds the lines of a text that are wanted, without origins.
    fn add_masked(
        &mut self,
        file: &str,
        text: Result<String, Failure>,
        is_wanted: impl Fn(&str) -> bool,
    ) {
        match text {
            Ok(text) => {
                let lines = text.split_inclusive('\n').filter(|line| is_wanted(line));
                let text = self.mask.mask(&lines.collect::<String>());
                self.archive.add(file, text.into_bytes());
            }
            Err(why) => self.archive.fail(file, &why.to_string()),
        }
    }
}

/// Has the operator of a pod ended before?
fn has_restarted(pod: &Value) -> bool {
    let containers = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    let mut containers = containers.into_iter().flatten();
    let is_operator = |it: &&Value| it.get("name").and_then(Value::as_str) == Some(OPERATOR);
    let restarts = containers.find(is_operator).and_then(|it| it.get("restartCount")?.as_u64());
    restarts.is_some_and(|restarts| restarts > 0)
}

/// The name of a pod that has a proxy of Istio's.
fn proxy(pod: &Value) -> Option<String> {
    // A native sidecar is an init container.
    let containers = ["/spec/containers", "/spec/initContainers"].into_iter();
    let mut containers = containers.filter_map(|path| pod.pointer(path)?.as_array()).flatten();
    let is_proxy = |it: &Value| it.get("name").and_then(Value::as_str) == Some(PROXY);
    let name = pod.pointer("/metadata/name")?.as_str()?;
    containers.any(is_proxy).then(|| name.to_owned())
}
