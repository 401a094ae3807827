//! Objects of an API server for tests: what a watch makes of one.

use corsward_operator_core::cluster_state::Delta;
use corsward_operator_core::event::Event;
use serde_json::Value;

use super::kinds::{
    ClusterPolicies, GatewayClasses, Gateways, HttpRoutes, Namespaces, ObjectKey as _, OriginSets,
    Pods, Policies, Services, VirtualServices, Watched,
};

/// The event of an object that is new or changed, or `is_gone`.
pub(crate) fn event(object: &Value, is_gone: bool) -> Event {
    let of = match object["kind"].as_str() {
        Some("CorsPolicy") => event_of::<Policies>,
        Some("OriginSet") => event_of::<OriginSets>,
        Some("ClusterCorsPolicy") => event_of::<ClusterPolicies>,
        Some("Namespace") => event_of::<Namespaces>,
        Some("Service") => event_of::<Services>,
        Some("Pod") => event_of::<Pods>,
        Some("Gateway") => event_of::<Gateways>,
        Some("GatewayClass") => event_of::<GatewayClasses>,
        Some("HTTPRoute") => event_of::<HttpRoutes>,
        Some("VirtualService") => event_of::<VirtualServices>,
        kind => panic!("the kind {kind:?} is not watched"),
    };
    of(object, is_gone)
}

fn event_of<K: Watched>(object: &Value, is_gone: bool) -> Event {
    let raw: super::Raw<K::Spec, K::Status> = serde_json::from_value(object.clone()).unwrap();
    let key = K::Key::of(&raw.metadata);
    K::event(if is_gone { Delta::Delete(key) } else { Delta::Apply(key, K::value(raw)) })
}
