//! Webhook: its configuration, its endpoints, and an answer of it.

use std::collections::BTreeMap;

use corsward_api::API_VERSION;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt as _};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::check::Check;
use crate::live::{ApiClient, Failure, Installation, path};

const NAME: &str = "webhook";
/// The code of the finding about the policy that is tried.
const CODE: &str = "CORS-E106";

/// Checks the webhook.
pub(super) async fn check(client: &ApiClient, installation: &Installation) -> Check {
    let Some(name) = installation.arg("--webhook-configuration") else {
        let message = "not installed (webhook.enabled=false): findings are in statuses alone";
        return Check::ok(NAME, message);
    };
    let namespace = &installation.namespace;
    let path =
        format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{name}");
    let what = format!("ValidatingWebhookConfiguration {name}");
    let configuration = match client.get(&path).await {
        Ok(configuration) => configuration,
        Err(Failure::NotFound(_)) => {
            let hint = "repeat `helm upgrade`: the chart writes it";
            return Check::fail(NAME, format!("{what} is not there"), hint);
        }
        Err(why) => return Check::unseen(NAME, &what, &why),
    };
    let webhooks = configuration.get("webhooks").and_then(Value::as_array);
    let is_unsigned = |webhook: &Value| {
        let bundle = webhook.pointer("/clientConfig/caBundle").and_then(Value::as_str);
        bundle.is_none_or(str::is_empty)
    };
    if webhooks.is_none_or(|webhooks| webhooks.iter().any(is_unsigned)) {
        let hint = format!(
            "the operator writes its authority there: `kubectl -n {namespace} logs deployment/{}` names the obstacle",
            installation.name
        );
        return Check::fail(
            NAME,
            format!("{what} has no caBundle: the API server trusts no answer"),
            hint,
        );
    }
    let mut selected = Vec::new();
    for webhook in webhooks.into_iter().flatten() {
        selected.push(selects(client, webhook, namespace).await);
    }
    if selected.iter().all(|selected| *selected == Some(false)) {
        return Check::warn(
            NAME,
            format!("not for namespace {namespace} (`webhook.namespaceSelector`): not tried"),
            "try it in a namespace that it is for: `kubectl apply --dry-run=server` refuses a policy whose origin ends in a slash",
        );
    }
    answer(client, installation).await
}

/// Is a webhook for the objects of a namespace, as far as its labels are seen?
async fn selects(client: &ApiClient, webhook: &Value, namespace: &str) -> Option<bool> {
    let selector = webhook.get("namespaceSelector").unwrap_or(&Value::Null);
    let selector = Option::<LabelSelector>::deserialize(selector).ok()?;
    let selector = Selector::try_from(selector.unwrap_or_default()).ok()?;
    let object = client.get(&format!("/api/v1/namespaces/{namespace}")).await.ok()?;
    let labels = object.pointer("/metadata/labels").unwrap_or(&Value::Null);
    let labels = Option::<BTreeMap<String, String>>::deserialize(labels).ok()?;
    Some(selector.matches(&labels.unwrap_or_default()))
}

/// Checks that the API server gets an answer: it refuses a policy that the webhook refuses, in a dry run.
async fn answer(client: &ApiClient, installation: &Installation) -> Check {
    let namespace = &installation.namespace;
    let policy = json!({
        "apiVersion": API_VERSION,
        "kind": "CorsPolicy",
        "metadata": {"generateName": "corsward-doctor-"},
        // An origin ends before the slash: `CODE`.
        "spec": {"cors": {"allowOrigins": ["https://doctor.example/"]}},
    });
    let path = format!("{}?dryRun=All", path(API_VERSION, "corspolicies", Some(namespace)));
    match client.create(&path, &policy).await {
        Err(why) if why.to_string().contains(CODE) => {
            Check::ok(NAME, "the API server reaches it, and it refuses a policy with a fault")
        }
        Ok(_) if has_no_endpoint(client, installation).await => Check::fail(
            NAME,
            "its Service has no ready endpoint: the API server takes policies without its word",
            "a replica that is ready is one: the check `replicas` has more",
        ),
        Ok(_) => Check::fail(
            NAME,
            "the API server takes a policy that the webhook refuses: the webhook is not reached",
            "allow the API server's connections to port 9443 of the pods (firewall, NetworkPolicy, host network)",
        ),
        // The words of the API server.
        Err(why) if why.to_string().contains("failed calling webhook") => Check::fail(
            NAME,
            format!("the API server does not reach it: {why}"),
            "allow the API server's connections to port 9443 of the pods (firewall, NetworkPolicy, host network); the check `replicas` has more",
        ),
        Err(why) => {
            let hint = match why {
                Failure::Forbidden(_) => "run it as a user who may create CorsPolicies",
                _ => "the API server's log has more",
            };
            Check::warn(NAME, format!("it has a caBundle; its answer is not tried: {why}"), hint)
        }
    }
}

async fn has_no_endpoint(client: &ApiClient, installation: &Installation) -> bool {
    let Some(service) = installation.arg("--webhook-service") else { return false };
    installation.endpoints(client, service).await == Ok(0)
}
