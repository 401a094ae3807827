//! Whom the API server trusts: `caBundle` of the webhook's configuration, one field of an object that is otherwise the chart's.

use std::time::Duration;

use corsward_operator_core::names::FIELD_MANAGER;
use futures::StreamExt as _;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::{error, info};

use crate::error_log::{ErrorLog, News};
use crate::kubernetes::sentence;
use crate::tasks::ticks;
use crate::watches;

/// Interval of retries.
const RESYNC_INTERVAL: Duration = Duration::from_secs(30);

/// Keeps the `caBundle` of the webhook's configuration while leading, and repairs foreign changes.
pub async fn keep(
    client: Client,
    name: String,
    mut bundles: watch::Receiver<Option<Vec<u8>>>,
    mut leading: watch::Receiver<bool>,
) {
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client);
    let kind = "ValidatingWebhookConfiguration";
    let mut found = watches::of_object(configurations.clone(), kind, &name);
    let mut look = ticks(RESYNC_INTERVAL);
    let (mut known, mut error_log) = (None, ErrorLog::default());
    loop {
        tokio::select! {
            found = found.next() => match found {
                Some(Ok(found)) => known = found,
                Some(Err(_)) => continue,
                None => return,
            },
            changed = bundles.changed() => if changed.is_err() { return },
            changed = leading.changed() => if changed.is_err() { return },
            _ = look.tick() => {}
        }
        let (bundle, leads) = (bundles.borrow_and_update().clone(), *leading.borrow_and_update());
        let (Some(found), Some(bundle), true) = (&known, bundle, leads) else { continue };
        let Some(patch) = patch(found, &bundle) else { continue };
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match configurations.patch(&name, &params, &Patch::Apply(&patch)).await {
            Ok(written) => {
                error_log.news(None);
                info!(name, "wrote the webhook's caBundle");
                known = Some(written);
            }
            Err(error) => {
                if let Some(News::Failed(error)) = error_log.news(Some(sentence(&error))) {
                    error!(
                        name,
                        error,
                        "cannot write the webhook's caBundle, so policies are not validated at admission; tried again every {RESYNC_INTERVAL:?}"
                    );
                }
            }
        }
    }
}

/// Our one field, in every webhook of that configuration; `None`: it is there already.
fn patch(found: &ValidatingWebhookConfiguration, bundle: &[u8]) -> Option<Value> {
    let webhooks = found.webhooks.as_deref().unwrap_or_default();
    let bundle = ByteString(bundle.to_vec());
    if webhooks.iter().all(|webhook| webhook.client_config.ca_bundle.as_ref() == Some(&bundle)) {
        return None;
    }
    let webhooks: Vec<Value> = webhooks
        .iter()
        .map(|webhook| json!({"name": webhook.name, "clientConfig": {"caBundle": bundle}}))
        .collect();
    // With its uid: one that is gone by now must not be made again by this.
    Some(json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": found.name_any(), "uid": found.uid()},
        "webhooks": webhooks,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(bundle: Option<&[u8]>) -> ValidatingWebhookConfiguration {
        let bundle = bundle.map(|bytes| ByteString(bytes.to_vec()));
        serde_json::from_value(json!({
            "metadata": {"name": "corsward", "uid": "u"},
            "webhooks": [{
                "name": "policies.corsward.io",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"service": {"name": "corsward", "namespace": "corsward"}, "caBundle": bundle},
            }],
        }))
        .unwrap()
    }

    #[test]
    fn one_field_is_written_and_only_where_it_differs() {
        let patch_of = |bundle: Option<&[u8]>| patch(&configuration(bundle), b"ours");
        let want = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "corsward", "uid": "u"},
            "webhooks": [{"name": "policies.corsward.io", "clientConfig": {"caBundle": "b3Vycw=="}}],
        });
        assert_eq!(patch_of(None), Some(want.clone()));
        assert_eq!(patch_of(Some(b"another")), Some(want));
        assert_eq!(patch_of(Some(b"ours")), None);
    }
}
