//! Reasons about the Gateways of a policy and about the controllers that serve them.

use corsward_policy::finding::{Explain, Names, Quoted, Sentence};

/// Reasons about a Gateway and its `GatewayClass`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayReason {
    /// A Gateway whose controller serves it without the filter.
    UnsupportedController {
        /// The Gateway's name.
        gateway: String,
        /// The name of its `GatewayClass`.
        class: String,
        /// The controller of that class.
        controller: String,
        /// The product that the controller belongs to.
        product: &'static str,
    },
    /// A Gateway whose controller is not known.
    UnknownController {
        /// The Gateway's name.
        gateway: String,
        /// The name of its `GatewayClass`.
        class: String,
        /// The controller of that class.
        controller: String,
    },
    /// A Gateway of a `GatewayClass` that does not exist.
    ClassNotFound {
        /// The Gateway's name.
        gateway: String,
        /// The name of its `GatewayClass`.
        class: String,
    },
    /// `HTTPRoute` objects with a CORS filter that the controllers of their Gateways do not claim to support.
    RouteUnenforced {
        /// The routes.
        routes: Names,
        /// The Gateways that they are attached to.
        gateways: Names,
    },
}

// === impl GatewayReason ===

impl Explain for GatewayReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::UnsupportedController { gateway, class, controller, product } => Sentence::new(
                "CORS-W537",
                format!(
                    "the proxies of Gateway {} run no filter, because the controller of GatewayClass {} is {} of {product}",
                    Quoted(gateway),
                    Quoted(class),
                    Quoted(controller)
                ),
                "name the Services behind the Gateway, whose sidecars enforce the policy, or give the Gateway a class of Istio's Envoy such as `istio`",
            ),
            Self::UnknownController { gateway, class, controller } => Sentence::new(
                "CORS-W538",
                format!(
                    "the proxies of Gateway {} may run no filter, because the controller {} of GatewayClass {} is unknown",
                    Quoted(gateway),
                    Quoted(controller),
                    Quoted(class)
                ),
                "keep the target where that controller is Istio's under a different name, else name the Services behind the Gateway",
            ),
            Self::ClassNotFound { gateway, class } => Sentence::new(
                "CORS-W539",
                format!(
                    "no controller serves Gateway {}, because there is no GatewayClass {}",
                    Quoted(gateway),
                    Quoted(class)
                ),
                "create the class, or correct `gatewayClassName` of the Gateway; the policy takes effect then",
            ),
            Self::RouteUnenforced { routes, gateways } => Sentence::new(
                "CORS-W540",
                format!(
                    "the CORS filter of HTTPRoute {routes} is not enforced at Gateway {gateways}, whose GatewayClass does not list `HTTPRouteCORS` among its supported features"
                ),
                "remove the filter of type `CORS` there, so that this policy alone says what is allowed",
            ),
        }
    }
}
