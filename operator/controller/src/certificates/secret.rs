//! The Secret that all replicas share: made by the first of them, replaced by the leader, loaded by each.

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

use super::inspection::{Authorities, Leaf, certificates};
use super::serving::ServingCertificate;
use super::{Content, Damage, RenewalReason, step};
use crate::error_log::{ErrorLog, News};
use crate::kubernetes::sentence;
use crate::metrics::Metrics;
use crate::tasks::ticks;
use crate::watches;

/// Interval of checks without an event: certificates become valid, they expire, and failed writes are retried.
const RESYNC_INTERVAL: Duration = Duration::from_secs(5);

/// The webhook's fields of the Secret, in the order of [`Content`].
const FIELDS: [&str; 4] = ["tls.crt", "tls.key", "ca.crt", "ca.key"];

/// Keeps the Secret, and what is shown of it.
#[derive(Debug, Default)]
pub struct SecretStore {
    /// The Secret's namespace: the operator's own.
    pub namespace: String,
    /// The Secret's name.
    pub name: String,
    /// The names of the certificate.
    pub names: Vec<String>,
    /// Whether a foreign writer fills it: then it is only read.
    pub external: bool,
    /// Where its certificate is shown.
    pub serving: Arc<ServingCertificate>,
    /// Where the certificate's end is counted.
    pub metrics: Arc<Metrics>,
    /// The bundle of authorities, for the task that installs it.
    pub(crate) bundle: watch::Sender<Option<Vec<u8>>>,
    /// Whether the current certificate, or its absence, is final.
    pub(crate) settled: watch::Sender<bool>,
    /// As it is there now.
    pub(crate) known: Option<Secret>,
    /// The content read last, and the damage that keeps it from being served.
    pub(crate) seen: Option<(Content, Option<Damage>)>,
    /// Of what is written.
    pub(crate) error_log: ErrorLog,
}

// === impl SecretStore ===

impl SecretStore {
    /// Watches the Secret for as long as it is polled.
    pub async fn run(mut self, client: Client, mut leading: watch::Receiver<bool>) {
        let secrets: Api<Secret> = Api::namespaced(client, &self.namespace);
        let mut found = watches::of_object(secrets.clone(), "Secret", &self.name);
        // Whether it is known if it is there.
        let (mut looked, mut look) = (false, ticks(RESYNC_INTERVAL));
        loop {
            tokio::select! {
                found = found.next() => match found {
                    Some(Ok(secret)) => (looked, self.known) = (true, secret),
                    Some(Err(_)) => continue,
                    None => return,
                },
                changed = leading.changed() => if changed.is_err() { return },
                _ = look.tick() => {}
            }
            let leads = *leading.borrow_and_update();
            if looked {
                self.look(&secrets, leads).await;
            }
        }
    }

    /// Loads what is there, and writes what should be.
    async fn look(&mut self, secrets: &Api<Secret>, leads: bool) {
        let now = UnixTime::now();
        if let Some(secret) = &self.known {
            self.load(&content(secret), now);
        }
        let (secret, namespace) = (&self.name, &self.namespace);
        if self.external {
            let missing = (Content::default(), None);
            if self.known.is_none() && self.seen.replace(missing.clone()) != Some(missing) {
                error!(
                    secret,
                    namespace,
                    "the webhook has no certificate, because the Secret is missing: create it, with `tls.crt`, `tls.key` and `ca.crt`"
                );
            }
            // Whoever owes a certificate keeps nobody from serving modules.
            self.settled.send_replace(true);
            return;
        }
        // Whoever is first makes it; only the leader replaces it, so that two replicas never take turns.
        if self.known.is_some() && !leads {
            return;
        }
        let kept = self.keep(secrets, now).await;
        let (secret, namespace) = (&self.name, &self.namespace);
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

    fn load(&mut self, content: &Content, now: UnixTime) {
        let before = self.seen.as_ref().filter(|(seen, _)| seen == content);
        if before.is_some_and(|(_, damage)| damage.is_none()) {
            return;
        }
        let Self { name: secret, namespace, names, external, .. } = &*self;
        let checked = Leaf::read(content, now).and_then(|leaf| {
            if *external {
                return Ok(leaf);
            }
            // Ours is loaded where everything in it fits together, so that a damaged one is never handed on.
            leaf.verified(&Authorities::read(content, now)?.valid, names, now)
        });
        let damage = match checked {
            Ok(Leaf { certificate, certified }) => {
                self.serving.0.send_replace(Some(Arc::new(certified)));
                self.settled.send_replace(true);
                self.metrics.certificate(certificate.valid.end);
                info!(secret, namespace, "the webhook serves the Secret's certificate");
                let is_bundle = certificates(&content.authorities, "ca.crt").is_ok();
                if !is_bundle {
                    warn!(
                        secret,
                        namespace,
                        "`ca.crt` holds no authority: the API server calls the webhook only if its configuration gets a `caBundle` by other means"
                    );
                }
                self.bundle.send_replace(is_bundle.then(|| content.authorities.clone()));
                None
            }
            Err(damage) => {
                // A certificate that is not valid yet is looked at again, and said once. One of ours is replaced, and that is logged.
                if *external && before.is_none_or(|(_, known)| known.as_ref() != Some(&damage)) {
                    error!(secret, namespace, error = %damage, "the webhook cannot serve the Secret's certificate: replace it");
                }
                Some(damage)
            }
        };
        self.seen = Some((content.clone(), damage));
    }

    async fn keep(&mut self, secrets: &Api<Secret>, now: UnixTime) -> Result<()> {
        let found = self.known.as_ref().map(content);
        let step = step(found.as_ref(), &self.names, now);
        let Some((why, content)) = step else { return Ok(()) };
        let secret = self.written(content.context("no certificate can be made")?);
        let (name, namespace) = (&self.name, &self.namespace);
        let params = PostParams::default();
        let written = match found {
            None => secrets.create(&params, &secret).await,
            Some(_) => secrets.replace(name, &params, &secret).await,
        };
        match written {
            Ok(secret) => {
                if matches!(why, RenewalReason::Useless(_)) {
                    warn!(secret = name, namespace, %why, "replaced the webhook's certificates");
                } else {
                    info!(secret = name, namespace, %why, "created a certificate for the webhook");
                }
                // Loaded here and now: the watch will say the same.
                self.load(&self::content(&secret), now);
                self.known = Some(secret);
                Ok(())
            }
            // Somebody else was first: what they wrote comes by the watch.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => bail!("it cannot be written: {}", sentence(&error)),
        }
    }

    /// The Secret with that content; what others added to it stays.
    fn written(&self, content: Content) -> Secret {
        let mut secret = self.known.clone().unwrap_or_else(|| Secret {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                labels: Some([(MANAGED_BY.0.to_owned(), FIELD_MANAGER.to_owned())].into()),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            ..Secret::default()
        });
        let Content { certificate, key, authorities, authority_key } = content;
        let values = [certificate, key, authorities, authority_key].map(ByteString);
        let data = secret.data.get_or_insert_default();
        data.extend(FIELDS.map(str::to_owned).into_iter().zip(values));
        secret
    }
}

/// The webhook's part of a Secret; empty if there is none.
fn content(secret: &Secret) -> Content {
    let data = |name| Some(secret.data.as_ref()?.get(name)?.0.clone());
    let [certificate, key, authorities, authority_key] =
        FIELDS.map(|name| data(name).unwrap_or_default());
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
            let names = vec!["corsward.corsward-system.svc".to_owned()];
            let content = Content::new(&names, at(MADE)).unwrap();
            let mut store = SecretStore { names, external, ..SecretStore::default() };
            let bundle = store.bundle.subscribe();
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
            let before = format!("{:?}", store.serving);
            store.load(&Content::default(), at(MADE));
            assert_eq!(format!("{:?}", store.serving), before, "a damaged one replaces nothing");
            store.load(&content, at(MADE));
            assert!(bundle.borrow().is_some(), "the last good one goes on, external: {external}");
        }
    }
}
