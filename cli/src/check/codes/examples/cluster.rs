//! One finding of every kind that only a cluster shows.

use corsward_operator_core::finding::{
    GatewayReason, SizeReason, TargetReason, TrafficReason, WithoutSidecar,
};
use corsward_policy::Finding;

pub(super) fn targets() -> Vec<Finding> {
    use TargetReason as R;
    let name = || "api".to_owned();
    let section = "grpc".to_owned();
    vec![
        Finding::new(
            "spec.targetRefs[0]",
            R::NotFound { kind: "Service".into(), name: name(), namespace: "shop".into() },
        ),
        Finding::new(
            "spec.targetRefs[0].sectionName",
            R::SectionNotFound { kind: "Service".into(), name: name(), section },
        ),
        Finding::new("spec.targetRefs[0]", R::ServiceWithoutSelector(name())),
        Finding::new("spec.targetRefs", R::Ambient("shop".into())),
        Finding::new("spec.selector.matchLabels.app", R::ImpossibleLabel("app=my api".into())),
    ]
}

pub(super) fn gateways() -> Vec<Finding> {
    use GatewayReason as R;
    vec![
        Finding::new(
            "spec.targetRefs[0]",
            R::UnsupportedController {
                gateway: "edge".into(),
                class: "nginx".into(),
                controller: "gateway.nginx.org/nginx-gateway-controller".into(),
                product: "NGINX Gateway Fabric",
            },
        ),
        Finding::new(
            "spec.targetRefs[0]",
            R::UnknownController {
                gateway: "edge".into(),
                class: "company".into(),
                controller: "company.example/controller".into(),
            },
        ),
        Finding::new(
            "spec.targetRefs[0]",
            R::ClassNotFound { gateway: "edge".into(), class: "isto".into() },
        ),
        Finding::new(
            "spec.targetRefs",
            R::RouteUnenforced {
                routes: ["shop/api"].into_iter().collect(),
                gateways: ["infra/edge"].into_iter().collect(),
            },
        ),
    ]
}

pub(super) fn sizes() -> Vec<Finding> {
    use SizeReason as R;
    vec![
        Finding::new("spec", R::TooLarge { len: 2_000_000, max: 1_048_576 }),
        Finding::new("spec", R::TooLong { len: 700_000, max: 655_360 }),
        Finding::new("spec", R::Large { len: 300_000, max: 1_048_576 }),
        Finding::new(
            "spec",
            R::Unpublishable(
                "the filter would refuse the configuration: policies: more regexes than one proxy may have"
                    .into(),
            ),
        ),
    ]
}

pub(super) fn traffic() -> Vec<Finding> {
    use TrafficReason as R;
    let names = |names: &str| names.split_whitespace().collect();
    let causes = [
        ("deployment/api statefulset/cart", WithoutSidecar::NotAsked),
        ("deployment/api", WithoutSidecar::OptedOut),
        ("deployment/api deployment/cart deployment/web pod/a", WithoutSidecar::Older),
        ("daemonset/agent", WithoutSidecar::HostNetwork),
        ("deployment/api", WithoutSidecar::Ambient),
    ];
    let without = causes.into_iter().map(|(workloads, cause)| {
        let (workloads, namespace) = (names(workloads), "shop".to_owned());
        Finding::new("spec.selector", R::WithoutSidecar { workloads, namespace, cause })
    });
    let tls = || ["api:8443 (https)"].into_iter().collect();
    let others = [
        R::Undeclared(names("api:8000 api:8001")),
        R::NotHttp { ports: tls(), beside: false },
        R::NotHttp { ports: tls(), beside: true },
        R::Excluded(names("deployment/api:8000")),
        R::VirtualService(names("shop/api")),
        R::RouteBefore(names("shop/api")),
        R::RouteWithin { routes: names("shop/api"), kept: false },
    ];
    without.chain(others.map(|reason| Finding::new("spec.targetRefs", reason))).collect()
}
