//! Gateway: one that istiod deploys, for scenarios to put routes behind.

/// The Gateway `front`. No load balancer is asked for: kind has none.
const FRONT: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: front
  annotations: {networking.istio.io/service-type: ClusterIP}
spec:
  gatewayClassName: istio
  listeners:
    - {name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Same}}}
";

/// The Gateway `front`, and these objects.
pub(crate) fn front_with(objects: &str) -> String {
    format!("{FRONT}---{objects}")
}
