//! Rights: those that the operator's service account needs for the enabled parts, as the chart's roles grant them.

use std::collections::BTreeSet;
use std::fmt;

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::check::Check;
use crate::live::{ApiClient, Failure, Installation};

const NAME: &str = "rights";
/// Reviews that are under way at one time.
const MAX_CONCURRENT: usize = 8;

/// One verb on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    group: &'static str,
    /// The resource, with its subresource: `corspolicies/status`.
    resource: &'static str,
    verb: &'static str,
    /// Of this object; empty: of all.
    name: String,
    /// In this namespace; empty: in all.
    namespace: String,
}

/// Asks the API server for each right.
pub(super) async fn check(client: &ApiClient, installation: &Installation) -> Check {
    let rights = needed(installation);
    let (namespace, account) = (&installation.namespace, installation.service_account());
    let reviews = rights.iter().map(|right| review(client, right, namespace, account));
    let answers: Vec<Result<bool, Failure>> =
        stream::iter(reviews).buffered(MAX_CONCURRENT).collect().await;
    let mut missing = Vec::new();
    for (right, answer) in rights.iter().zip(answers) {
        match answer {
            Ok(true) => {}
            Ok(false) => missing.push(right.to_string()),
            Err(why) => {
                let what = format!("the rights of {namespace}/{account}");
                return Check::unseen(NAME, &what, &why);
            }
        }
    }
    if missing.is_empty() {
        let message =
            format!("service account {namespace}/{account} has all {} that it needs", rights.len());
        return Check::ok(NAME, message);
    }
    let message = format!("service account {namespace}/{account} may not {}", missing.join(", "));
    Check::fail(
        NAME,
        message,
        "repeat `helm upgrade` with `rbac.create=true`, or give your own roles the rights",
    )
}

async fn review(
    client: &ApiClient,
    right: &Right,
    namespace: &str,
    account: &str,
) -> Result<bool, Failure> {
    let (resource, subresource) = right.resource.split_once('/').unwrap_or((right.resource, ""));
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": format!("system:serviceaccount:{namespace}:{account}"),
            "groups": [
                "system:serviceaccounts",
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated",
            ],
            "resourceAttributes": {
                "namespace": right.namespace,
                "verb": right.verb,
                "group": right.group,
                "resource": resource,
                "subresource": subresource,
                "name": right.name,
            },
        },
    });
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let answer = client.create(path, &review).await?;
    Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or_default())
}

/// The rights for the parts that the operator's arguments enable.
fn needed(installation: &Installation) -> BTreeSet<Right> {
    let mut rights = Rights::default();
    rights.of_sources(installation);
    rights.of_publisher(installation);
    rights.of_replicas(installation);
    rights.0
}

/// A set of rights.
#[derive(Default)]
struct Rights(BTreeSet<Right>);

const READ: [&str; 2] = ["list", "watch"];
const EXTENSIONS: &str = "extensions.istio.io";
const NETWORKING: &str = "networking.istio.io";

// === impl Rights ===

impl Rights {
    fn add(&mut self, group: &'static str, resource: &'static str, verbs: &[&'static str]) {
        self.add_within(group, resource, verbs, "", "");
    }

    fn add_within(
        &mut self,
        group: &'static str,
        resource: &'static str,
        verbs: &[&'static str],
        namespace: &str,
        name: &str,
    ) {
        self.0.extend(verbs.iter().map(|verb| Right {
            group,
            resource,
            verb,
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        }));
    }

    /// The objects that are read, and the statuses and Events about them.
    fn of_sources(&mut self, installation: &Installation) {
        const GROUP: &str = "corsward.io";
        const GATEWAYS: &str = "gateway.networking.k8s.io";
        let is_istio = installation.publishes_to_istio();
        for resource in ["corspolicies", "clustercorspolicies", "originsets"] {
            self.add(GROUP, resource, &READ);
        }
        for status in ["corspolicies/status", "clustercorspolicies/status", "originsets/status"] {
            self.add(GROUP, status, &["patch"]);
        }
        self.add("events.k8s.io", "events", &["create"]);
        for resource in ["namespaces", "pods", "services"] {
            self.add("", resource, &READ);
        }
        if !installation.has("--no-gateways") {
            self.add(GATEWAYS, "gateways", &READ);
            self.add(GATEWAYS, "httproutes", &READ);
            if is_istio {
                self.add(GATEWAYS, "gatewayclasses", &READ);
            }
        }
        if is_istio {
            self.add(NETWORKING, "virtualservices", &READ);
        }
    }

    /// The objects that are written, and those of kinds that were written before.
    fn of_publisher(&mut self, installation: &Installation) {
        const WRITE: [&str; 5] = ["list", "watch", "create", "patch", "delete"];
        const MAPS: [&str; 4] = ["list", "watch", "create", "patch"];
        self.add(NETWORKING, "envoyfilters", &["list"]);
        if !installation.publishes_to_istio() {
            self.add("", "configmaps", &MAPS);
            self.add(EXTENSIONS, "wasmplugins", &["list"]);
            self.add(EXTENSIONS, "trafficextensions", &["list"]);
            return;
        }
        let (plugins, extensions): (&[&str], &[&str]) =
            match installation.arg("--istio-kind").unwrap_or("Auto") {
                "EnvoyFilter" => {
                    self.add(NETWORKING, "envoyfilters", &WRITE);
                    (&["list"], &["list"])
                }
                "WasmPlugin" => (&WRITE, &["list", "delete"]),
                "TrafficExtension" => (&["list", "delete"], &WRITE),
                _ => (&WRITE, &WRITE),
            };
        self.add(EXTENSIONS, "wasmplugins", plugins);
        self.add(EXTENSIONS, "trafficextensions", extensions);
    }

    /// The objects of the operator itself.
    fn of_replicas(&mut self, installation: &Installation) {
        const LEASES: &str = "coordination.k8s.io";
        let namespace = installation.namespace.as_str();
        if let Some(name) = installation.arg("--enforcement") {
            self.add_within("", "configmaps", &READ, namespace, name);
        }
        if let Some(name) = installation.arg("--lease") {
            self.add_within(LEASES, "leases", &["get", "update"], namespace, name);
            self.add_within(LEASES, "leases", &["create"], namespace, "");
        }
        if installation.arg("--module-service").is_some() {
            let verbs = ["list", "watch", "create", "delete"];
            self.add_within("", "configmaps", &verbs, namespace, "");
            self.add_within("discovery.k8s.io", "endpointslices", &READ, namespace, "");
        }
        if let Some(name) = installation.arg("--webhook-configuration") {
            let resource = "validatingwebhookconfigurations";
            let verbs = ["list", "watch", "patch"];
            self.add_within("admissionregistration.k8s.io", resource, &verbs, "", name);
        }
        if let Some(name) = installation.arg("--webhook-secret") {
            self.add_within("", "secrets", &READ, namespace, name);
            if !installation.has("--webhook-secret-external") {
                self.add_within("", "secrets", &["update"], namespace, name);
                self.add_within("", "secrets", &["create"], namespace, "");
            }
        }
    }
}

// === impl Right ===

impl fmt::Display for Right {
    /// As `kubectl auth can-i` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, resource, verb, name, namespace } = self;
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        write!(f, "{verb} {resource}")?;
        if !group.is_empty() {
            write!(f, ".{group}")?;
        }
        for part in [subresource, name] {
            if !part.is_empty() {
                write!(f, "/{part}")?;
            }
        }
        if namespace.is_empty() { Ok(()) } else { write!(f, " in {namespace}") }
    }
}
