//! Gateways: those of the Gateway API with their classes, and the CORS settings that it and a mesh have by themselves, cut to where they
//! lead.

use corsward_api::GATEWAY_GROUP;
use corsward_operator_core::cluster_state::{
    Delta, Gateway, GatewayClass, Key, NativeCors, ParentGateway,
};
use serde_json::Value;

use super::Raw;

/// The feature of a controller that enforces the CORS filters of `HTTPRoute` objects.
const CORS: &str = "HTTPRouteCORS";

/// A Gateway.
pub(super) fn gateway(raw: Raw<Value>) -> Gateway {
    Gateway::of(&raw.spec.unwrap_or_default())
}

/// A class of Gateways.
pub(super) fn class(raw: Raw<Value, Value>) -> GatewayClass {
    let (spec, status) = (raw.spec.unwrap_or_default(), raw.status.unwrap_or_default());
    let features = status.get("supportedFeatures").and_then(Value::as_array);
    let features = features.filter(|features| !features.is_empty());
    // Before Gateway API 1.2 a feature was its name alone.
    let is_cors = |feature: &Value| feature.get("name").unwrap_or(feature).as_str() == Some(CORS);
    GatewayClass {
        controller: text(&spec, "controllerName").unwrap_or_default().to_owned(),
        supports_cors: features.map(|features| features.iter().any(is_cors)),
    }
}

/// A `VirtualService`.
pub(super) fn virtual_service(raw: Raw<Value>) -> NativeCors {
    let namespace = raw.metadata.namespace.unwrap_or_default();
    let spec = raw.spec.unwrap_or_default();
    let routes = list(&spec, "http").filter(|route| is_there(route, "corsPolicy"));
    let hosts = routes.flat_map(|route| {
        let mut hosts: Vec<&str> =
            list(route, "route").filter_map(|to| text(to.get("destination")?, "host")).collect();
        // What is delegated goes where the host is; what is answered at once goes nowhere.
        if hosts.is_empty() && is_there(route, "delegate") {
            hosts.extend(list(&spec, "hosts").filter_map(Value::as_str));
        }
        hosts
    });
    let services = hosts.filter_map(|host| service(host, &namespace)).collect();
    NativeCors { services, ..NativeCors::default() }
}

/// An `HTTPRoute`.
pub(super) fn http_route(raw: Raw<Value>) -> NativeCors {
    let namespace = raw.metadata.namespace.unwrap_or_default();
    let spec = raw.spec.unwrap_or_default();
    let mut native = NativeCors::default();
    let mut is_cors = false;
    for rule in list(&spec, "rules") {
        let of_rule = has_cors_filter(rule);
        is_cors |= of_rule;
        for backend in list(rule, "backendRefs") {
            let of_backend = has_cors_filter(backend);
            is_cors |= of_backend;
            if (of_rule || of_backend) && is_of(backend, "", "Service") {
                native.services.extend(named(backend, &namespace));
            }
        }
    }
    if is_cors {
        let (parents, others): (Vec<_>, Vec<_>) =
            list(&spec, "parentRefs").partition(|parent| is_of(parent, GATEWAY_GROUP, "Gateway"));
        native.in_mesh = !others.is_empty();
        let parents = parents.into_iter();
        native.gateways.extend(parents.filter_map(|parent| {
            let section = text(parent, "sectionName").map(str::to_owned);
            let gateway = named(parent, &namespace)?;
            Some(ParentGateway { gateway, section, port: port(parent) })
        }));
    }
    native
}

/// The same without the objects that say nothing: there are many, and none is kept.
pub(super) fn telling(delta: Delta<Key, NativeCors>) -> Delta<Key, NativeCors> {
    match delta {
        Delta::Apply(key, native) if native.is_empty() => Delta::Delete(key),
        Delta::Reset(mut all) => {
            all.retain(|_, native| !native.is_empty());
            Delta::Reset(all)
        }
        other => other,
    }
}

/// The Service that a host of a mesh is: a short name is one of the namespace, and of others only the whole name is known.
fn service(host: &str, namespace: &str) -> Option<Key> {
    let mut labels = host.split('.');
    let name = labels.next().filter(|name| !name.is_empty() && *name != "*")?.to_owned();
    match (labels.next(), labels.next(), labels.next()) {
        (None, _, _) => Some(Key { namespace: namespace.to_owned(), name }),
        (Some(namespace), Some("svc"), Some(_)) => {
            Some(Key { namespace: namespace.to_owned(), name })
        }
        _ => None,
    }
}

/// The object that a reference names.
fn named(reference: &Value, namespace: &str) -> Option<Key> {
    let namespace = text(reference, "namespace").unwrap_or(namespace).to_owned();
    Some(Key { namespace, name: text(reference, "name")?.to_owned() })
}

/// Is a reference to that kind? It is where it says nothing.
fn is_of(reference: &Value, group: &str, kind: &str) -> bool {
    text(reference, "group").unwrap_or(group) == group
        && text(reference, "kind").unwrap_or(kind) == kind
}

fn has_cors_filter(holder: &Value) -> bool {
    list(holder, "filters").any(|filter| text(filter, "type") == Some("CORS"))
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field).and_then(Value::as_str)
}

fn is_there(value: &Value, field: &str) -> bool {
    value.get(field).is_some_and(|value| !value.is_null())
}

fn port(value: &Value) -> Option<u16> {
    value.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok())
}
