//! Installation: the operator's Deployment, and what its arguments say about the rest of the chart.

use serde_json::Value;

use super::client::{ApiClient, Failure, encoded};

/// The labels of the chart's Deployment.
const SELECTOR: &str = "app.kubernetes.io/part-of=corsward,app.kubernetes.io/component=operator";

/// An installation of the chart.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    /// The namespace of the operator.
    pub(crate) namespace: String,
    /// The name of its Deployment.
    pub(crate) name: String,
    /// The Deployment.
    pub(crate) deployment: Value,
    args: Vec<String>,
}

/// The switch of the whole cluster: the value `enforcement` of the chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// The operator has none: all is on.
    Absent,
    On,
    Off,
    /// A word that is no value.
    Unknown(String),
}

// === impl Installation ===

impl Installation {
    /// The installations in a namespace, or in all.
    pub(crate) async fn find(
        client: &ApiClient,
        namespace: Option<&str>,
    ) -> Result<Vec<Self>, Failure> {
        let within = namespace.map(|namespace| format!("/namespaces/{namespace}"));
        let path = format!("/apis/apps/v1{}/deployments", within.unwrap_or_default());
        let selector = format!("labelSelector={}", encoded(SELECTOR));
        let deployments = client.list(&path, &selector).await?;
        Ok(deployments.into_iter().map(Self::of).collect())
    }

    fn of(deployment: Value) -> Self {
        let text = |path: &str| {
            deployment.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let args = deployment.pointer("/spec/template/spec/containers/0/args");
        let args = args.and_then(Value::as_array).into_iter().flatten();
        let args = args.filter_map(Value::as_str).map(str::to_owned).collect();
        Self {
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
            args,
            deployment,
        }
    }

    /// The value of an argument: that of the last one, as the operator reads them.
    pub(crate) fn arg(&self, name: &str) -> Option<&str> {
        let mut values =
            self.args.iter().filter_map(|arg| arg.strip_prefix(name)?.strip_prefix('='));
        values.next_back()
    }

    /// Is an argument without a value given?
    pub(crate) fn has(&self, name: &str) -> bool {
        self.args.iter().any(|arg| arg == name)
    }

    /// Does it publish objects of Istio?
    pub(crate) fn publishes_to_istio(&self) -> bool {
        self.arg("--publish").is_none_or(|to| to == "istio")
    }

    /// Its service account.
    pub(crate) fn service_account(&self) -> &str {
        let account = self.deployment.pointer("/spec/template/spec/serviceAccountName");
        account.and_then(Value::as_str).unwrap_or("default")
    }

    /// The image of the operator.
    pub(crate) fn image(&self) -> &str {
        let image = self.deployment.pointer("/spec/template/spec/containers/0/image");
        image.and_then(Value::as_str).unwrap_or_default()
    }

    /// Its switch of the whole cluster.
    pub(crate) async fn switch(&self, client: &ApiClient) -> Result<Switch, Failure> {
        let Some(name) = self.arg("--enforcement") else { return Ok(Switch::Absent) };
        let path = format!("/api/v1/namespaces/{}/configmaps/{name}", self.namespace);
        let map = client.get(&path).await?;
        let word = map.pointer("/data/enforcement").and_then(Value::as_str).unwrap_or_default();
        Ok(match word.trim() {
            word if word.eq_ignore_ascii_case("On") => Switch::On,
            word if word.eq_ignore_ascii_case("Off") => Switch::Off,
            word => Switch::Unknown(word.to_owned()),
        })
    }

    /// The pods of the Deployment.
    pub(crate) async fn pods(&self, client: &ApiClient) -> Result<Vec<Value>, Failure> {
        let labels = self.deployment.pointer("/spec/selector/matchLabels");
        let labels = labels.and_then(Value::as_object).into_iter().flatten();
        let selector: Vec<String> = labels
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .collect();
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        client.list(&path, &format!("labelSelector={}", encoded(&selector.join(",")))).await
    }

    /// The number of ready endpoints of one of its Services.
    pub(crate) async fn endpoints(
        &self,
        client: &ApiClient,
        service: &str,
    ) -> Result<usize, Failure> {
        let path =
            format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", self.namespace);
        let selector = encoded(&format!("kubernetes.io/service-name={service}"));
        let slices = client.list(&path, &format!("labelSelector={selector}")).await?;
        let endpoints = slices.iter().filter_map(|slice| slice.get("endpoints")?.as_array());
        let is_ready = |endpoint: &&Value| {
            endpoint.pointer("/conditions/ready").and_then(Value::as_bool) != Some(false)
        };
        Ok(endpoints.flatten().filter(is_ready).count())
    }
}
