//! Gateways of the Gateway API, and their classes.

use corsward_operator_core::cluster_state::{Change, Delta, Gateway, GatewayClass, Key};
use corsward_operator_core::event::Event;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::native::GATEWAY_API;
use super::{Raw, Watched};

/// The feature of a controller that enforces the CORS filters of `HTTPRoute` objects.
const CORS: &str = "HTTPRouteCORS";

/// Gateways of the Gateway API.
pub(in crate::source::kube) struct Gateways;
/// The classes of Gateways.
pub(in crate::source::kube) struct GatewayClasses;

impl Watched for Gateways {
    // Whoever put the kind in may have put another schema in: what does not fit is left out, and the watch goes on.
    type Spec = Value;
    type Status = IgnoredAny;
    type Key = Key;
    type Value = Gateway;

    const RESOURCE: [&str; 4] = [GATEWAY_API, "v1", "Gateway", "gateways"];
    const IS_OPTIONAL: bool = true;

    fn value(raw: Raw<Value>) -> Gateway {
        let spec = raw.spec.unwrap_or_default();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let listeners = spec.get("listeners").and_then(Value::as_array).into_iter().flatten();
        let listeners = listeners.filter_map(|listener| {
            let port = listener.get("port").and_then(Value::as_u64)?;
            Some((text(listener.get("name"))?, u16::try_from(port).ok()?))
        });
        Gateway {
            class: text(spec.get("gatewayClassName")).unwrap_or_default(),
            listeners: listeners.collect(),
        }
    }

    fn event(delta: Delta<Key, Gateway>) -> Event {
        Event::ClusterState(Change::Gateway(delta))
    }
}

impl Watched for GatewayClasses {
    // As with Gateways: what does not fit is left out.
    type Spec = Value;
    type Status = Value;
    type Key = String;
    type Value = GatewayClass;

    const RESOURCE: [&str; 4] = [GATEWAY_API, "v1", "GatewayClass", "gatewayclasses"];

    // Roles of an older release may not let them be listed: then nothing is known of classes.
    const IS_ADVISORY: bool = true;

    fn value(raw: Raw<Value, Value>) -> GatewayClass {
        let controller = raw.spec.as_ref().and_then(|spec| spec.get("controllerName"));
        let features = raw.status.as_ref().and_then(|status| status.get("supportedFeatures"));
        let features = features.and_then(Value::as_array).filter(|features| !features.is_empty());
        // Before Gateway API 1.2 a feature was its name alone.
        let is_cors =
            |feature: &Value| feature.get("name").unwrap_or(feature).as_str() == Some(CORS);
        GatewayClass {
            controller: controller.and_then(Value::as_str).unwrap_or_default().to_owned(),
            supports_cors: features.map(|features| features.iter().any(is_cors)),
        }
    }

    fn event(delta: Delta<String, GatewayClass>) -> Event {
        Event::ClusterState(Change::GatewayClass(delta))
    }
}
