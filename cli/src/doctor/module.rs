//! Module: where proxies fetch the filter.

use super::check::Check;
use super::registry::{self, Answer};
use crate::live::{ApiClient, Installation};

const NAME: &str = "module";

/// Checks the source of the filter.
pub(super) async fn check(client: &ApiClient, installation: &Installation) -> Check {
    let module = installation.arg("--module").unwrap_or_default();
    if !installation.publishes_to_istio() {
        return Check::ok(
            NAME,
            format!("{module} in each Envoy (publish.to=configmap), which is not seen from here"),
        );
    }
    if let Some(image) = module.strip_prefix("oci://") {
        return of_image(image);
    }
    let Some(service) = installation.arg("--module-service") else {
        return Check::ok(NAME, format!("at {module}"));
    };
    let namespace = &installation.namespace;
    match installation.endpoints(client, service).await {
        Ok(0) => Check::fail(
            NAME,
            format!(
                "Service {namespace}/{service} has no ready endpoint: new proxies fetch no filter"
            ),
            "a replica that is ready is one",
        ),
        Ok(number) => Check::ok(
            NAME,
            format!("served at http://{service}.{namespace}, by {number} endpoints"),
        ),
        Err(why) => Check::unseen(NAME, &format!("endpoints of {namespace}/{service}"), &why),
    }
}

/// The check of an image, asked from this machine.
fn of_image(image: &str) -> Check {
    let (message, hint) = match registry::ask(image) {
        Answer::There => {
            return Check::ok(NAME, format!("{image} can be pulled without credentials"));
        }
        Answer::Absent => {
            let hint = "push it by the digest in `module.oci.url`: `cargo xtask images` builds it";
            return Check::fail(NAME, format!("the registry has no {image}"), hint);
        }
        Answer::Refused(status) => (
            format!("the registry asks for credentials for {image} ({status})"),
            "istio's proxies need them too: a Secret that `imagePullSecret` of the plugin names, or a registry that answers all",
        ),
        Answer::Unknown(why) => (
            format!("the registry of {image} gives no answer to this machine: {why}"),
            "the proxies of the cluster may reach it: the metric `envoy_wasm_remote_load_fetch_failures` of a proxy counts failures",
        ),
    };
    Check::warn(NAME, message, hint)
}
