//! Reasons about requests that a policy's proxies never see, or that a second CORS layer answers.

use corsward_policy::finding::{Explain, Names, Quoted, Sentence};

/// Reasons about the way of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrafficReason {
    /// Workloads without a sidecar.
    WithoutSidecar {
        /// The workloads, as `kubectl` names them: `deployment/api`.
        workloads: Names,
        /// Their namespace.
        namespace: String,
        /// The cause.
        cause: WithoutSidecar,
    },
    /// Ports of Services without a declared protocol: `api:8000`.
    Undeclared(Names),
    /// Ports of Services that are declared to carry something else than HTTP in the clear.
    NotHttp {
        /// The ports, with their declarations: `api:8443 (https)`.
        ports: Names,
        /// Does the policy cover ports of HTTP beside them?
        beside: bool,
    },
    /// Ports of workloads that the sidecar is not given: `deployment/api:8000`.
    Excluded(Names),
    /// Istio's `VirtualService` objects with a `corsPolicy` of their own.
    VirtualService(Names),
    /// `HTTPRoute` objects with a CORS filter, before the policy's proxies.
    RouteBefore(Names),
    /// `HTTPRoute` objects with a CORS filter, in the policy's own proxies.
    RouteWithin {
        /// The routes.
        routes: Names,
        /// Does the policy keep what it finds (`upstreamCorsHeaders: Keep`)?
        kept: bool,
    },
}

/// The reason why a workload has no sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WithoutSidecar {
    /// Neither its namespace nor itself asks for one.
    NotAsked,
    /// It asks to have none.
    OptedOut,
    /// Its pods are older than the wish.
    Older,
    /// It uses the network of its node.
    HostNetwork,
    /// It is in ambient mode.
    Ambient,
}

// === impl TrafficReason ===

impl Explain for TrafficReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::WithoutSidecar { workloads, namespace, cause } => {
                cause.sentence(workloads, namespace)
            }
            Self::Undeclared(ports) => Sentence::new(
                "CORS-W528",
                format!(
                    "the protocol of {ports} is not declared, so that requests of clients in the mesh may pass by the filter"
                ),
                "name the port `http` or `http-…`, or write `appProtocol: http`",
            ),
            Self::NotHttp { ports, beside: false } => Sentence::new(
                "CORS-W529",
                format!("no filter sees requests to {ports}, declared as something else than HTTP"),
                "where it is HTTP without TLS of its own, name the port `http` or write `appProtocol: http`",
            ),
            Self::NotHttp { ports, beside: true } => Sentence::new(
                "CORS-I523",
                format!("no filter sees requests to {ports}, declared as something else than HTTP"),
                "leave TLS to the proxies where browsers use that port, and write `appProtocol: http`",
            ),
            Self::Excluded(ports) => Sentence::new(
                "CORS-W530",
                format!(
                    "requests to {ports} pass by the sidecar, because the pods keep it from that port"
                ),
                "correct the annotations of `traffic.sidecar.istio.io` and `interceptionMode` in the pod template",
            ),
            Self::VirtualService(names) => Sentence::new(
                "CORS-W532",
                format!(
                    "`corsPolicy` of VirtualService {names} applies too: it is nearer the client, answers preflights and has the last word"
                ),
                "remove `corsPolicy` there, or this policy",
            ),
            Self::RouteBefore(names) => Sentence::new(
                "CORS-W533",
                format!(
                    "the CORS filter of HTTPRoute {names} applies too: it is nearer the client, answers preflights and has the last word"
                ),
                "remove the filter of type `CORS` there, or this policy",
            ),
            Self::RouteWithin { routes, kept } => Sentence::new(
                "CORS-W534",
                format!(
                    "the CORS filter of HTTPRoute {routes} applies at the same Gateway: {}",
                    if *kept {
                        "this policy answers preflights, and leaves the last word to it (`Keep`)"
                    } else {
                        "this policy answers preflights and has the last word"
                    }
                ),
                "remove the filter of type `CORS` there, or this policy",
            ),
        }
    }
}

// === impl WithoutSidecar ===

impl WithoutSidecar {
    fn sentence(self, workloads: &Names, namespace: &str) -> Sentence {
        let again = restart(workloads, namespace);
        let without = format!("there is no sidecar in {workloads}, because");
        let quoted = Quoted(namespace);
        match self {
            Self::NotAsked => Sentence::new(
                "CORS-W523",
                format!("{without} namespace {quoted} is not labelled for injection"),
                format!(
                    "label it (`kubectl label --overwrite namespace {namespace} istio-injection=enabled`, or `istio.io/rev`), then {again}"
                ),
            ),
            Self::OptedOut => Sentence::new(
                "CORS-W524",
                format!("{without} of `sidecar.istio.io/inject: \"false\"`"),
                "remove that from the pod template, or narrow the policy to other workloads",
            ),
            Self::Older => Sentence::new(
                "CORS-W525",
                format!("{without} the pods were started before injection was switched on"),
                again,
            ),
            Self::HostNetwork => Sentence::new(
                "CORS-W526",
                format!("{without} the pods use the network of their node"),
                "remove `hostNetwork: true`, or narrow the policy to other workloads",
            ),
            Self::Ambient => Sentence::new(
                "CORS-W527",
                format!("{without} of ambient mode"),
                "name the waypoint in `targetRefs` (kind `Gateway`), or leave ambient mode for sidecars",
            ),
        }
    }
}

/// The command that gives these workloads new pods.
fn restart(workloads: &Names, namespace: &str) -> String {
    const KINDS: [&str; 3] = ["deployment/", "statefulset/", "daemonset/"];
    let is_kept = |name: &&String| KINDS.iter().any(|kind| name.starts_with(kind));
    let kept: Vec<&str> = workloads.shown().iter().filter(is_kept).map(String::as_str).collect();
    if kept.is_empty() {
        return "create the pods again".to_owned();
    }
    format!("restart with `kubectl --namespace {namespace} rollout restart {}`", kept.join(" "))
}
