//! Operator: its Deployment, its pods, and the switch of the whole cluster.

use serde_json::Value;

use super::check::Check;
use crate::live::{ApiClient, Failure, Installation, Switch};

const NAME: &str = "operator";

/// The installation to examine, and the check that found it.
pub(super) async fn find(
    client: &ApiClient,
    namespace: Option<&str>,
) -> (Option<Installation>, Check) {
    let place = namespace.map_or("any namespace".to_owned(), |it| format!("namespace {it}"));
    let found = match Installation::find(client, namespace).await {
        Ok(found) => found,
        Err(why @ Failure::Forbidden(_)) if namespace.is_none() => {
            let message = format!("Deployments of all namespaces cannot be read: {why}");
            let hint = "name the operator's namespace: `--namespace corsward-system`";
            return (None, Check::warn(NAME, message, hint));
        }
        Err(why) => return (None, Check::unseen(NAME, &format!("Deployments in {place}"), &why)),
    };
    let places: Vec<String> =
        found.iter().map(|it| format!("{}/{}", it.namespace, it.name)).collect();
    let mut found = found.into_iter();
    let check = match (found.len(), places.first()) {
        (1, Some(place)) => Check::ok(NAME, format!("Deployment {place} of the chart is there")),
        (number, Some(first)) => Check::warn(
            NAME,
            format!("{number} Deployments of the chart are there: {}", places.join(", ")),
            format!(
                "two operators write the same objects: uninstall one; the checks below are about {first}"
            ),
        ),
        (_, None) => Check::fail(
            NAME,
            format!("no Deployment of the chart is in {place}"),
            "install the chart: `helm install corsward charts/corsward --namespace corsward-system --create-namespace`",
        ),
    };
    (found.next(), check)
}

/// Checks the replicas.
pub(super) async fn replicas(client: &ApiClient, installation: &Installation) -> Check {
    const NAME: &str = "replicas";
    let number = |path: &str| installation.deployment.pointer(path).and_then(Value::as_u64);
    let wanted = number("/spec/replicas").unwrap_or(1);
    let ready = number("/status/readyReplicas").unwrap_or_default();
    let message = format!("{ready} of {wanted} are ready, of image {}", installation.image());
    let Installation { namespace, name, .. } = installation;
    if wanted == 0 {
        let hint = format!(
            "start the operator: `kubectl -n {namespace} scale deployment/{name} --replicas=2`"
        );
        return Check::fail(NAME, message, hint);
    }
    if ready >= wanted {
        return Check::ok(NAME, message);
    }
    let obstacles = match installation.pods(client).await {
        Ok(pods) => pods.iter().filter_map(obstacle).collect::<Vec<_>>().join("; "),
        Err(why) => format!("its pods cannot be read: {why}"),
    };
    let hint = if obstacles.is_empty() {
        format!("`kubectl -n {namespace} logs deployment/{name}` names what the operator waits for")
    } else {
        obstacles
    };
    if ready == 0 { Check::fail(NAME, message, hint) } else { Check::warn(NAME, message, hint) }
}

/// The reason why a pod is not ready, as Kubernetes reports it.
fn obstacle(pod: &Value) -> Option<String> {
    let name = pod.pointer("/metadata/name").and_then(Value::as_str)?;
    let list = |path: &str| pod.pointer(path).and_then(Value::as_array).into_iter().flatten();
    let words = |value: &Value| {
        let word = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        format!("pod {name}: {} {}", word("reason"), word("message")).trim_end().to_owned()
    };
    let waiting = list("/status/containerStatuses").find_map(|it| it.pointer("/state/waiting"));
    let scheduled = list("/status/conditions").find(|it| {
        let is = |field: &str, word: &str| it.get(field).and_then(Value::as_str) == Some(word);
        is("type", "PodScheduled") && is("status", "False")
    });
    waiting.or(scheduled).map(words)
}

/// Checks the switch of the whole cluster.
pub(super) async fn enforcement(client: &ApiClient, installation: &Installation) -> Check {
    const NAME: &str = "enforcement";
    let map = format!(
        "ConfigMap {}/{}",
        installation.namespace,
        installation.arg("--enforcement").unwrap_or_default()
    );
    let hint = "`helm upgrade … --set enforcement=On` writes it";
    match installation.switch(client).await {
        Ok(Switch::Absent) => Check::ok(NAME, "On: the operator has no switch"),
        Ok(Switch::On) => Check::ok(NAME, "On"),
        Ok(Switch::Off) => Check::warn(NAME, "Off: every policy of the cluster is inert", hint),
        Ok(Switch::Unknown(word)) => {
            Check::fail(NAME, format!("{map} says `{word}`, which is no value"), hint)
        }
        Err(Failure::NotFound(_)) => Check::fail(NAME, format!("{map} is not there"), hint),
        Err(why) => Check::unseen(NAME, &map, &why),
    }
}
