//! Objects of an API server for tests: what a watch makes of one.

use corsward_operator_core::event::Event;
use kube::Resource;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::kinds::{
    CLUSTER_POLICIES, GATEWAY_CLASSES, GATEWAYS, HTTP_ROUTES, Kind, NAMESPACES, ORIGIN_SETS, PODS,
    POLICIES, SERVICES, VIRTUAL_SERVICES,
};
use crate::watches::WatchEvent;

/// The event of an object that is new or changed, or `is_gone`.
pub(crate) fn event(object: &Value, is_gone: bool) -> Event {
    match object["kind"].as_str() {
        Some("CorsPolicy") => event_of(&POLICIES, object, is_gone),
        Some("OriginSet") => event_of(&ORIGIN_SETS, object, is_gone),
        Some("ClusterCorsPolicy") => event_of(&CLUSTER_POLICIES, object, is_gone),
        Some("Namespace") => event_of(&NAMESPACES, object, is_gone),
        Some("Service") => event_of(&SERVICES, object, is_gone),
        Some("Pod") => event_of(&PODS, object, is_gone),
        Some("Gateway") => event_of(&GATEWAYS, object, is_gone),
        Some("GatewayClass") => event_of(&GATEWAY_CLASSES, object, is_gone),
        Some("HTTPRoute") => event_of(&HTTP_ROUTES, object, is_gone),
        Some("VirtualService") => event_of(&VIRTUAL_SERVICES, object, is_gone),
        kind => panic!("the kind {kind:?} is not watched"),
    }
}

fn event_of<R, K, V, E>(kind: &Kind<R, K, V, E>, object: &Value, is_gone: bool) -> Event
where
    R: Resource + DeserializeOwned,
    K: Ord,
    E: Into<Event>,
{
    let raw: R = serde_json::from_value(object.clone()).unwrap();
    let object = ((kind.key)(raw.meta()), (kind.value)(raw));
    kind.event(if is_gone { WatchEvent::Deleted(object) } else { WatchEvent::Applied(object) })
}
