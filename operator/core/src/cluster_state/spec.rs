//! Specs of Kubernetes: the used part of a Service and of a Gateway.

use k8s_openapi::api::core::v1::{self, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::{Gateway, Service, ServicePort, TargetPort};

// === impl Service ===

impl Service {
    /// The Service of that spec.
    pub fn of(spec: ServiceSpec) -> Self {
        let ServiceSpec { type_, selector, ports, .. } = spec;
        // Kubernetes ignores the selector of a name for something outside of the cluster.
        let selects = type_.as_deref() != Some("ExternalName");
        Self {
            selector: selector.filter(|_| selects).unwrap_or_default(),
            ports: ports.unwrap_or_default().into_iter().filter_map(ServicePort::of).collect(),
        }
    }
}

// === impl ServicePort ===

impl ServicePort {
    /// A port that filters of proxies see requests of.
    fn of(port: v1::ServicePort) -> Option<Self> {
        let v1::ServicePort { name, port, target_port, protocol, app_protocol, .. } = port;
        let port = u16::try_from(port).ok()?;
        let target = match target_port {
            None | Some(IntOrString::Int(0)) => TargetPort::Number(port),
            Some(IntOrString::Int(number)) => TargetPort::Number(u16::try_from(number).ok()?),
            Some(IntOrString::String(name)) => TargetPort::Name(name),
        };
        is_tcp(protocol.as_deref()).then_some(Self { name, port, target, app_protocol })
    }
}

/// Absent, the protocol is TCP. No filter of a proxy sees requests over any other.
pub fn is_tcp(protocol: Option<&str>) -> bool {
    protocol.is_none_or(|protocol| protocol == "TCP")
}

// === impl Gateway ===

impl Gateway {
    /// The Gateway of that spec. Its schema is not known to be ours: what does not fit is left out.
    pub fn of(spec: &Value) -> Self {
        let listeners = spec.get("listeners").and_then(Value::as_array).into_iter().flatten();
        let listeners = listeners.filter_map(|listener| {
            let name = listener.get("name")?.as_str()?.to_owned();
            let port = listener.get("port")?.as_u64()?;
            Some((name, u16::try_from(port).ok()?))
        });
        let class = spec.get("gatewayClassName").and_then(Value::as_str);
        Self { class: class.unwrap_or_default().to_owned(), listeners: listeners.collect() }
    }
}
