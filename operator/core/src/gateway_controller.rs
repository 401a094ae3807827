//! Gateway controllers: which of them serve a Gateway with proxies that run the filter.

use corsward_policy::Finding;

use crate::cluster_state::{ClusterState, Gateway};
use crate::finding::GatewayReason;

/// Istio's controllers of Gateways without a proxy that reads requests by Envoy's HTTP filters.
const ISTIO_WITHOUT_FILTERS: [(&str, &str); 4] = [
    ("istio.io/agentgateway-controller", AGENTGATEWAY),
    ("istio.io/agentgateway-waypoint-controller", AGENTGATEWAY),
    (
        "istio.io/eastwest-controller",
        "Istio's east-west gateway, which forwards encrypted connections",
    ),
    ("istio.io/unmanaged-gateway", "Istio, and stands for a gateway outside of this cluster"),
];

const AGENTGATEWAY: &str = "agentgateway, which is not Envoy and runs no WebAssembly";

/// Other products, by the domain of their controller names. Those with an Envoy of their own read no object of Istio.
const OTHERS: [(&str, &str); 18] = [
    ("agentgateway.dev", AGENTGATEWAY),
    ("alb.networking.azure.io", "Azure Application Gateway for Containers"),
    ("apisix.apache.org", "Apache APISIX"),
    ("application-networking.k8s.aws", "Amazon VPC Lattice"),
    ("gateway.envoyproxy.io", "Envoy Gateway, whose Envoy reads no object of Istio"),
    ("gateway.k8s.aws", "the AWS Load Balancer Controller"),
    ("gateway.nginx.org", "NGINX Gateway Fabric"),
    ("haproxy-ingress.github.io", "HAProxy Ingress"),
    ("haproxy.org", "the HAProxy Kubernetes Ingress Controller"),
    ("hashicorp.com", "Consul API Gateway, whose Envoy reads no object of Istio"),
    ("io.cilium", "Cilium, whose Envoy reads no object of Istio"),
    ("k8s-gateway.nginx.org", "NGINX Gateway Fabric"),
    ("kgateway.dev", "kgateway, which reads no object of Istio"),
    ("konghq.com", "Kong"),
    ("networking.gke.io", "a load balancer of Google Cloud"),
    ("projectcontour.io", "Contour, whose Envoy reads no object of Istio"),
    ("solo.io", "Gloo Gateway, whose Envoy reads no object of Istio"),
    ("traefik.io", "Traefik"),
];

/// Classes that istiod serves without an object of that name.
const BUILT_IN: [(&str, &str); 6] = [
    ("istio", "istio.io/gateway-controller"),
    ("istio-agentgateway", "istio.io/agentgateway-controller"),
    ("istio-agentgateway-waypoint", "istio.io/agentgateway-waypoint-controller"),
    ("istio-east-west", "istio.io/eastwest-controller"),
    ("istio-remote", "istio.io/unmanaged-gateway"),
    ("istio-waypoint", "istio.io/mesh-controller"),
];

/// Whether the proxies of a Gateway run the filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FilterSupport {
    /// They do, or nothing speaks against it.
    Runs,
    /// It is not known.
    Doubtful(Finding),
    /// They do not.
    RunsNot(Finding),
}

/// Whether the proxies of `gateway` run the filter, which runs in those of `controllers`. `field` names the target.
pub(crate) fn serving(
    field: &str,
    name: &str,
    gateway: &Gateway,
    cluster_state: &ClusterState,
    controllers: &[&str],
) -> FilterSupport {
    // Until they are listed nothing is known of any class.
    let Some(classes) = &cluster_state.gateway_classes else { return FilterSupport::Runs };
    let class = &gateway.class;
    let listed = classes.get(class).map(|class| class.controller.as_str());
    let controller = listed.or_else(|| look_up(&BUILT_IN, class));
    let (gateway, class) = (name.to_owned(), class.clone());
    let Some(controller) = controller else {
        let reason = GatewayReason::ClassNotFound { gateway, class };
        return FilterSupport::Doubtful(Finding::new(field, reason));
    };
    if controllers.contains(&controller) {
        return FilterSupport::Runs;
    }
    let (domain, _) = controller.split_once('/').unwrap_or((controller, ""));
    let product = look_up(&ISTIO_WITHOUT_FILTERS, controller).or_else(|| look_up(&OTHERS, domain));
    let controller = controller.to_owned();
    if let Some(product) = product {
        let reason = GatewayReason::UnsupportedController { gateway, class, controller, product };
        return FilterSupport::RunsNot(Finding::new(field, reason));
    }
    let reason = GatewayReason::UnknownController { gateway, class, controller };
    FilterSupport::Doubtful(Finding::new(field, reason))
}

fn look_up(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_state::GatewayClass;
    use crate::publish::istio::CONTROLLERS;

    fn code(class: &str, controller: Option<&str>) -> String {
        let class_of = |controller: &str| GatewayClass {
            controller: controller.to_owned(),
            ..GatewayClass::default()
        };
        let listed = controller.map(|controller| (class.to_owned(), class_of(controller)));
        let cluster_state = ClusterState {
            gateway_classes: Some(listed.into_iter().collect()),
            ..ClusterState::default()
        };
        let gateway = Gateway { class: class.to_owned(), ..Gateway::default() };
        match serving("spec.targetRefs[0]", "edge", &gateway, &cluster_state, &CONTROLLERS) {
            FilterSupport::Runs => "runs".to_owned(),
            FilterSupport::Doubtful(finding) | FilterSupport::RunsNot(finding) => {
                finding.code().to_owned()
            }
        }
    }

    #[test]
    fn the_controller_of_a_class_says_whether_its_gateways_run_the_filter() {
        for (why, class, controller, want) in [
            ("Istio's gateways", "istio", Some("istio.io/gateway-controller"), "runs"),
            ("a class of one's own", "edge", Some("istio.io/gateway-controller"), "runs"),
            ("Istio's waypoints", "istio-waypoint", Some("istio.io/mesh-controller"), "runs"),
            (
                "Istio in OpenShift",
                "openshift-default",
                Some("openshift.io/gateway-controller/v1"),
                "runs",
            ),
            ("a class that istiod serves without an object", "istio", None, "runs"),
            ("the same of agentgateway", "istio-agentgateway", None, "CORS-W537"),
            (
                "an object counts before the name",
                "istio",
                Some("istio.io/agentgateway-controller"),
                "CORS-W537",
            ),
            (
                "agentgateway as a waypoint",
                "w",
                Some("istio.io/agentgateway-waypoint-controller"),
                "CORS-W537",
            ),
            (
                "a gateway elsewhere",
                "istio-remote",
                Some("istio.io/unmanaged-gateway"),
                "CORS-W537",
            ),
            ("nginx", "nginx", Some("gateway.nginx.org/nginx-gateway-controller"), "CORS-W537"),
            (
                "Envoy without Istio",
                "eg",
                Some("gateway.envoyproxy.io/gatewayclass-controller"),
                "CORS-W537",
            ),
            ("any controller of a product", "gke", Some("networking.gke.io/gateway"), "CORS-W537"),
            ("a name that begins alike", "x", Some("traefik.iox/gateway-controller"), "CORS-W538"),
            (
                "a controller that nothing is known of",
                "x",
                Some("company.example/controller"),
                "CORS-W538",
            ),
            (
                "Istio under a name of one's own",
                "x",
                Some("istio.io/gateway-controller-blue"),
                "CORS-W538",
            ),
            ("no such class", "isto", None, "CORS-W539"),
        ] {
            assert_eq!(code(class, controller), want, "{why}");
        }
    }

    #[test]
    fn nothing_is_said_of_classes_that_cannot_be_seen() {
        let gateway = Gateway { class: "nginx".to_owned(), ..Gateway::default() };
        let said = serving("spec", "edge", &gateway, &ClusterState::default(), &CONTROLLERS);
        assert_eq!(said, FilterSupport::Runs);
    }
}
