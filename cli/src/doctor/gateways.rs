//! Gateways: the classes whose proxies run the filter.

use corsward_operator_core::capabilities::Reach;
use corsward_operator_core::publish::istio::REACH;
use serde_json::Value;

use super::check::Check;
use crate::live::{ApiClient, Failure};

const NAME: &str = "gateway-api";

/// Checks the classes.
pub(super) async fn check(client: &ApiClient) -> Check {
    let classes = match client.list("/apis/gateway.networking.k8s.io/v1/gatewayclasses", "").await {
        Ok(classes) => classes,
        Err(Failure::NotFound(_)) => {
            return Check::ok(NAME, "not served: no policy can name a Gateway");
        }
        Err(why) => return Check::unseen(NAME, "GatewayClasses", &why),
    };
    let Reach::Targets(served) = REACH else {
        return Check::ok(NAME, "not used");
    };
    let text = |class: &Value, path: &str| {
        class.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let is_served = |class: &&Value| {
        served.gateway_controllers.contains(&text(class, "/spec/controllerName").as_str())
    };
    let named = |class: &Value| {
        format!("{} ({})", text(class, "/metadata/name"), text(class, "/spec/controllerName"))
    };
    let (ours, others): (Vec<&Value>, Vec<&Value>) = classes.iter().partition(is_served);
    let [ours, others] =
        [ours, others].map(|classes| classes.into_iter().map(named).collect::<Vec<_>>().join(", "));
    let hint = "a Gateway of such a class needs `gatewayClassName: istio`, or the filter by other means (docs/own-envoy.md)";
    match (ours.as_str(), others.as_str()) {
        ("", "") => Check::warn(
            NAME,
            "served, and no GatewayClass is there: policies that name a Gateway reach no proxy",
            "istiod makes the class `istio`: see its log",
        ),
        ("", others) => Check::warn(NAME, format!("no class runs the filter: {others}"), hint),
        (ours, "") => Check::ok(NAME, format!("the filter runs in Gateways of {ours}")),
        (ours, others) => Check::ok(
            NAME,
            format!("the filter runs in Gateways of {ours}, and not in those of {others}"),
        ),
    }
}
