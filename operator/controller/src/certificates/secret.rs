//! The Secret that all replicas share: made by the first of them, replaced by the leader, loaded by each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use corsward_operator_core::names::{FIELD_MANAGER, MANAGED_BY};
use futures::StreamExt as _;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use rustls::pki_types::UnixTime;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::inspection::{is_bundle, served, vouched};
use super::serving::ServingCertificate;
use super::{Content, Damage, Names, RenewalReason, step};
use crate::error_log::{ErrorLog, News};
use crate::kubernetes::sentence;
use crate::metrics::Metrics;
use crate::tasks::ticks;
use crate::watches;

/// Interval of checks without an event: certificates become valid, they expire, and failed writes are retried.
const RESYNC_INTERVAL: Duration = Duration::from_secs(5);

/// The webhook's fields of the Secret, in the order of [`Content`].
const FIELDS: [&str; 4] = ["tls.crt", "tls.key", "ca.crt", "ca.key"];

/// The Secret's name and namespace.
#[derive(Clone, Debug)]
pub struct SecretOptions {
    /// Its namespace: the operator's own.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The names of the certificate.
    pub names: Names,
    /// Whether a foreign writer fills it: then it is only read.
    pub external: bool,
}

/// Keeps the Secret, and what is shown of it.
#[derive(Debug)]
pub struct SecretStore {
    options: SecretOptions,
    secrets: Api<Secret>,
    serving: Arc<ServingCertificate>,
    metrics: Arc<Metrics>,
    /// The bundle of authorities, for the task that installs it.
    bundle: watch::Sender<Option<Vec<u8>>>,
    /// Whether it is known if it is there.
    looked: bool,
    /// As it is there now.
    known: Option<Secret>,
    /// The content read last, and the damage that keeps it from being served.
    seen: Option<(Content, Option<Damage>)>,
    /// Of what is written.
    error_log: ErrorLog,
}

// === impl SecretStore ===

impl SecretStore {
    /// A keeper, and whom to trust because of what it finds.
    pub fn new(
        client: Client,
        options: SecretOptions,
        serving: Arc<ServingCertificate>,
        metrics: Arc<Metrics>,
    ) -> (Self, watch::Receiver<Option<Vec<u8>>>) {
        let (bundle, bundles) = watch::channel(None);
        let secrets = Api::namespaced(client, &options.namespace);
        let (looked, known, seen) = (false, None, None);
        let error_log = ErrorLog::default();
        (
            Self { options, secrets, serving, metrics, bundle, looked, known, seen, error_log },
            bundles,
        )
    }

    /// Watches the Secret for as long as it is polled.
    pub async fn run(mut self, mut leading: watch::Receiver<bool>) {
        let mut found = watches::of_object(self.secrets.clone(), "Secret", &self.options.name);
        let mut look = ticks(RESYNC_INTERVAL);
        loop {
            tokio::select! {
                found = found.next() => match found {
                    Some(Ok(secret)) => (self.looked, self.known) = (true, secret),
                    Some(Err(_)) => continue,
                    None => return,
                },
                changed = leading.changed() => if changed.is_err() { return },
                _ = look.tick() => {}
            }
            let leads = *leading.borrow_and_update();
            if self.looked {
                self.look(leads).await;
            }
        }
    }

    /// Loads what is there, and writes what should be.
    async fn look(&mut self, leads: bool) {
        let found = self.known.as_ref().map(content);
        let now = UnixTime::now();
        match &found {
            Some(content) => self.load(content, now),
            None if self.options.external => self.miss(),
            None => {}
        }
        if self.options.external {
            // Whoever owes a certificate keeps nobody from serving modules.
            self.serving.settle();
            return;
        }
        // Whoever is first makes it; only the leader replaces it, so that two replicas never take turns.
        if found.is_some() && !leads {
            return;
        }
        let kept = self.keep(found.as_ref(), now).await;
        let (secret, namespace) = (&self.options.name, &self.options.namespace);
        match self.error_log.news(kept.err().map(|error| format!("{error:#}"))) {
            Some(News::Failed(error)) => error!(
                secret,
                namespace,
                error,
                "cannot store the webhook's certificates; tried again every {RESYNC_INTERVAL:?}"
            ),
            Some(News::Works) => {
                info!(secret, namespace, "stored the webhook's certificates again");
            }
            None => {}
        }
    }

    /// Notes that a foreign Secret is missing.
    fn miss(&mut self) {
        let missing = (Content::default(), None);
        if self.seen.replace(missing.clone()) != Some(missing) {
            let (secret, namespace) = (&self.options.name, &self.options.namespace);
            error!(
                secret,
                namespace,
                "the webhook has no certificate, because the Secret is missing: create it, with `tls.crt`, `tls.key` and `ca.crt`"
            );
        }
    }

    fn load(&mut self, content: &Content, now: UnixTime) {
        let before = self.seen.take().filter(|(seen, _)| seen == content);
        if let Some((_, None)) = before {
            self.seen = before;
            return;
        }
        let (secret, namespace) = (&self.options.name, &self.options.namespace);
        // Ours is loaded where everything in it fits together, so that a damaged one is never handed on.
        let checked = match &self.options {
            SecretOptions { external: true, .. } => served(content, now),
            SecretOptions { names, .. } => vouched(content, names, now),
        };
        let loaded = checked.and_then(|certificate| {
            self.serving.load(content).map(|()| self.metrics.certificate(certificate.not_after))
        });
        match &loaded {
            Ok(()) => {
                info!(secret, namespace, "the webhook serves the Secret's certificate");
                let bundle = is_bundle(&content.authorities).then(|| content.authorities.clone());
                if bundle.is_none() {
                    warn!(
                        secret,
                        namespace,
                        "`ca.crt` holds no authority: the API server calls the webhook only if its configuration gets a `caBundle` by other means"
                    );
                }
                self.bundle.send_replace(bundle);
            }
            // A certificate that is not valid yet is looked at again, and said once.
            Err(damage) if before.is_some_and(|(_, known)| known.as_ref() == Some(damage)) => {}
            Err(damage) if self.options.external => {
                error!(secret, namespace, error = %damage, "the webhook cannot serve the Secret's certificate: replace it");
            }
            // It is replaced, and that is logged.
            Err(_) => {}
        }
        self.seen = Some((content.clone(), loaded.err()));
    }

    async fn keep(&mut self, found: Option<&Content>, now: UnixTime) -> Result<()> {
        let step = step(found, &self.options.names, now);
        let Some(step) = step.context("no certificate can be made")? else { return Ok(()) };
        let (secret, params) = (self.written(&step.content), PostParams::default());
        let written = if found.is_none() {
            self.secrets.create(&params, &secret).await
        } else {
            self.secrets.replace(&self.options.name, &params, &secret).await
        };
        match written {
            Ok(secret) => {
                let (name, namespace) = (&self.options.name, &self.options.namespace);
                let why = step.why;
                if matches!(why, RenewalReason::Useless(_)) {
                    warn!(secret = name, namespace, %why, "replaced the webhook's certificates");
                } else {
                    info!(secret = name, namespace, %why, "created a certificate for the webhook");
                }
                // Loaded here and now: the watch will say the same.
                self.load(&content(&secret), now);
                self.known = Some(secret);
                Ok(())
            }
            // Somebody else was first: what they wrote comes by the watch.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => bail!("it cannot be written: {}", sentence(&error)),
        }
    }

    /// The Secret with that content; what others added to it stays.
    fn written(&self, content: &Content) -> Secret {
        let mut secret = self.known.clone().unwrap_or_else(|| Secret {
            metadata: ObjectMeta {
                name: Some(self.options.name.clone()),
                namespace: Some(self.options.namespace.clone()),
                labels: Some(BTreeMap::from([(MANAGED_BY.0.to_owned(), FIELD_MANAGER.to_owned())])),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            ..Secret::default()
        });
        let Content { certificate, key, authorities, authority_key } = content.clone();
        let values = [certificate, key, authorities, authority_key].map(ByteString);
        let data = secret.data.get_or_insert_default();
        data.extend(FIELDS.map(str::to_owned).into_iter().zip(values));
        secret
    }
}

/// The webhook's part of a Secret; empty if there is none.
fn content(secret: &Secret) -> Content {
    let [certificate, key, authorities, authority_key] = FIELDS.map(|name| {
        let data = secret.data.as_ref().and_then(|data| data.get(name));
        data.map(|ByteString(bytes)| bytes.clone()).unwrap_or_default()
    });
    Content { certificate, key, authorities, authority_key }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some time.
    const MADE: u64 = 1_800_000_000;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn a_certificate_that_is_not_valid_yet_is_shown_when_it_is() {
        for external in [false, true] {
            let names = Names::of("corsward", "corsward-system", &[]);
            let content = Content::new(&names, at(MADE)).unwrap();
            let (namespace, name) = ("corsward-system".to_owned(), "corsward".to_owned());
            let options = SecretOptions { namespace, name, names, external };
            let nowhere = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
            let client = Client::try_from(nowhere).unwrap();
            let (mut store, bundle) =
                SecretStore::new(client, options, Arc::default(), Arc::default());
            // It is backdated by an hour.
            let valid_from = MADE - 60 * 60;
            for (why, second, is_shown) in [
                ("this replica's clock is a second behind", valid_from - 1, false),
                ("it still is", valid_from - 1, false),
                ("the second is over", valid_from, true),
                ("it is shown already", MADE, true),
            ] {
                store.load(&content, at(second));
                assert_eq!(bundle.borrow().is_some(), is_shown, "{why}, external: {external}");
            }
            store.load(&Content::default(), at(MADE));
            store.load(&content, at(MADE));
            assert!(bundle.borrow().is_some(), "the last good one goes on, external: {external}");
        }
    }
}
