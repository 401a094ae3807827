//! Root: one plugin instance. Reads its configuration and hands it to the requests.

use std::rc::Rc;
use std::time::Duration;

use corsward_policy::Compiled;
use corsward_policy::wire::{OnInvalid, gauge_of};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::config::{self, Configuration, Unusable};
use crate::host::{Host, LogLevel};
use crate::http::Http;
use crate::labels::Labels;
use crate::worker::Worker;

/// Interval of the heartbeat of each virtual machine. It is the only sign that a proxy lets requests pass a dead filter: Envoy
/// counts no failure then.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// One plugin instance: Envoy makes a new one in the same virtual machine for each new configuration.
pub(crate) struct Root<H: Host> {
    /// By which the proxy knows it in this virtual machine.
    id: u32,
    host: H,
    worker: Rc<Worker>,
    /// The configuration in force: a whole one, or none.
    compiled: Rc<Compiled>,
}

// === impl Root ===

impl<H: Host> Root<H> {
    pub(crate) fn new(id: u32, host: H, worker: Rc<Worker>) -> Self {
        Self { id, host, worker, compiled: Rc::default() }
    }

    /// Reads `bytes`; `false` asks the proxy to refuse them.
    fn configure(&mut self, bytes: &[u8]) -> bool {
        match self.read(bytes) {
            Ok(configuration) => {
                let Configuration { compiled, digest } = configuration;
                // Each worker does this, and the machine in which Envoy tries the configuration: the same bytes.
                // Not an inert default: a slot that starts with one must not take another's last good from it.
                if !digest.is_empty() {
                    self.host.share(&self.last_good_key(), bytes);
                }
                let digest = gauge_of(&digest);
                self.worker.metrics.accepted(&self.host, &compiled);
                self.worker.metrics.in_force(&self.host, self.id, digest);
                self.compiled = Rc::new(compiled);
                true
            }
            Err(unusable) => self.refuse(&unusable),
        }
    }

    /// Reads a configuration, and keeps the policies for this proxy.
    fn read(&self, bytes: &[u8]) -> Result<Configuration, Unusable> {
        let mut configuration = config::read(bytes)?;
        if configuration.compiled.needs_labels() {
            let own = Labels::new(self.host.own_labels().unwrap_or_default());
            let has_label = &mut |key: &str, value: &str| own.has(key, value);
            configuration.compiled = configuration.compiled.for_proxy(has_label);
        }
        Ok(configuration)
    }

    /// Refuses a configuration in the way its publisher asked for.
    fn refuse(&mut self, unusable: &Unusable) -> bool {
        let Unusable { on_invalid, reason } = unusable;
        self.worker.metrics.refused(&self.host);
        let consequence = match on_invalid {
            OnInvalid::Reject => "the proxy keeps what it has",
            OnInvalid::Keep if self.restore() => "the last good one stays in force",
            OnInvalid::Keep => "there is no good one yet, so nothing is enforced",
        };
        let line = format!("plugin configuration refused: {reason}: {consequence}");
        self.host.log(LogLevel::Error, &line);
        *on_invalid == OnInvalid::Keep
    }

    /// Puts the last good configuration of this plugin into force, if there was one in this process.
    fn restore(&mut self) -> bool {
        let bytes = self.host.shared(&self.last_good_key());
        let Some(Ok(configuration)) = bytes.map(|bytes| self.read(&bytes)) else { return false };
        let Configuration { compiled, digest } = configuration;
        // It counts as neither accepted nor refused.
        self.worker.metrics.in_force(&self.host, self.id, gauge_of(&digest));
        self.compiled = Rc::new(compiled);
        true
    }

    /// Shared data belongs to a virtual machine id, which other plugins may share: hence the root id.
    fn last_good_key(&self) -> String {
        let root_id = String::from_utf8(self.host.root_id().unwrap_or_default());
        format!("corsward.{}.last_good", root_id.unwrap_or_default())
    }
}

/// The proxy has no more use for this instance: it has a new one, or none. The SDK drops what is deleted; its `on_done`
/// would be a call more in every request.
impl<H: Host> Drop for Root<H> {
    fn drop(&mut self) {
        self.worker.metrics.retired(&self.host, self.id);
    }
}

impl<H: Host> Context for Root<H> {}

impl<H: Host + Clone + 'static> RootContext for Root<H> {
    fn on_configure(&mut self, size: usize) -> bool {
        let bytes = self.host.plugin_configuration(size);
        self.host.tick_every(HEARTBEAT);
        self.configure(&bytes)
    }

    fn on_tick(&mut self) {
        self.worker.metrics.alive(&self.host);
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let (host, worker) = (self.host.clone(), Rc::clone(&self.worker));
        Some(Box::new(Http::new(host, worker, Rc::clone(&self.compiled))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::fake::{self, Fake};

    const INERT: &[u8] =
        br#"{"v":1,"digest":"","onInvalid":"Keep","compiled":"{\"policies\":[]}"}"#;
    const KEEP: &[u8] = br#"{"v":1,"digest":"","onInvalid":"Keep","compiled":"nonsense"}"#;
    const REJECT: &[u8] = br#"{"v":1,"digest":"","onInvalid":"Reject","compiled":"nonsense"}"#;

    fn root(fake: &Fake) -> Root<Fake> {
        Root::new(1, fake.clone(), Rc::default())
    }

    fn policies<H: Host>(root: &Root<H>) -> Vec<String> {
        root.compiled.policies().map(ToString::to_string).collect()
    }

    fn good(name: &str) -> Vec<u8> {
        fake::envelope(&[fake::draft("shop", name)], OnInvalid::Reject)
    }

    #[test]
    fn a_good_configuration_comes_into_force_whole() {
        let fake = Fake::default();
        let mut root = root(&fake);
        let size = fake.configure(&good("api"));
        assert!(root.on_configure(size));
        assert_eq!(policies(&root), ["shop/api"]);
        assert_eq!(fake.metric("corsward.config.accepted"), Some(1));
        assert_eq!(fake.metric("corsward.config.refused"), Some(0));
        assert_eq!(fake.shared_keys(), ["corsward.corsward.last_good"]);
    }

    #[test]
    fn a_machine_says_that_it_is_alive_whatever_its_configuration() {
        for bytes in [good("api"), KEEP.to_vec(), REJECT.to_vec()] {
            let fake = Fake::default();
            let mut root = root(&fake);
            root.on_configure(fake.configure(&bytes));
            assert_eq!(fake.period(), Some(HEARTBEAT));
            root.on_tick();
            root.on_tick();
            assert_eq!(fake.metric("corsward.heartbeats"), Some(2));
        }
    }

    #[test]
    fn bad_bytes_as_the_first_thing() {
        for (why, bytes, accepted) in [
            ("the publisher owns a default", REJECT, false),
            ("there is no default: false would be a 500 for everyone", KEEP, true),
            ("no envelope, so nobody says that there is a default", &b"{"[..], true),
            ("no configuration at all", b"", true),
        ] {
            let fake = Fake::default();
            let mut root = root(&fake);
            assert_eq!(root.configure(bytes), accepted, "{why}");
            assert_eq!(policies(&root), [""; 0], "{why}");
            assert_eq!(fake.metric("corsward.config.refused"), Some(1), "{why}");
            assert_eq!(fake.log_lines().len(), 1, "{why}");
        }
    }

    #[test]
    fn bad_bytes_after_good_bytes() {
        for (why, bytes, accepted, want) in [
            // Envoy drops the new root context and goes on with the old one.
            ("the proxy keeps what it has", REJECT, false, &[][..]),
            ("the last good one, from shared data", KEEP, true, &["shop/api"]),
            ("no envelope: as Keep", b"{", true, &["shop/api"]),
        ] {
            let fake = Fake::default();
            assert!(root(&fake).configure(&good("api")), "{why}");
            let fake = fake.another_machine();
            let mut root = Root::new(1, fake.clone(), Rc::default());
            assert_eq!(root.configure(bytes), accepted, "{why}");
            assert_eq!(policies(&root), want, "{why}");
            assert_eq!(fake.metric("corsward.config.refused"), Some(1), "{why}");
        }
    }

    #[test]
    fn the_last_good_one_is_the_last() {
        let fake = Fake::default();
        let worker = Rc::new(Worker::default());
        for (id, bytes) in [(1, good("one")), (2, good("two")), (3, KEEP.to_vec())] {
            let mut root = Root::new(id, fake.clone(), Rc::clone(&worker));
            assert!(root.configure(&bytes));
            if bytes == KEEP {
                assert_eq!(policies(&root), ["shop/two"]);
            }
        }
    }

    #[test]
    fn to_switch_everything_off_is_a_good_configuration() {
        let fake = Fake::default();
        let mut root = root(&fake);
        assert!(root.configure(&good("api")));
        assert!(root.configure(&fake::envelope(&[], OnInvalid::Reject)));
        assert_eq!(policies(&root), [""; 0]);
        assert!(root.configure(KEEP));
        assert_eq!(policies(&root), [""; 0], "the last good one enforces nothing");
    }

    fn labels_asked(fake: &Fake) -> usize {
        fake.calls().into_iter().filter(|call| call == "property labels").count()
    }

    /// `api` for the proxies with `app: api`, and `all` for all.
    fn narrowed() -> Vec<u8> {
        let compiled = fake::compiled_for(&[
            (fake::draft("shop", "all"), Vec::new()),
            (fake::draft("shop", "api"), vec![fake::workload("app", "api", None)]),
        ]);
        fake::envelope_of(&compiled, OnInvalid::Keep)
    }

    #[test]
    fn a_policy_is_for_the_proxies_that_have_its_labels() {
        for (why, label, want) in [
            ("its label", Some(("app", &b"api"[..])), &["shop/all", "shop/api"][..]),
            ("another value", Some(("app", b"web")), &["shop/all"]),
            ("bytes that are no text", Some(("app", b"\xff")), &["shop/all"]),
            ("another key", Some(("tier", b"api")), &["shop/all"]),
            ("no labels", None, &["shop/all"]),
        ] {
            let fake = Fake::default();
            if let Some((key, value)) = label {
                fake.label(key, value);
            }
            let mut root = root(&fake);
            assert!(root.configure(&narrowed()), "{why}");
            assert_eq!(policies(&root), want, "{why}");
            assert_eq!(labels_asked(&fake), 1, "{why}");
            let counted = fake.metric("corsward.policy.shop.api.verdict.allowed").is_some();
            assert_eq!(
                counted,
                want.len() == 2,
                "{why}: what is not for this proxy is not counted"
            );
        }
    }

    #[test]
    fn the_last_good_one_is_for_this_proxy_as_well() {
        let fake = Fake::default();
        let mut root = root(&fake);
        assert!(root.configure(&narrowed()));
        fake.label("app", b"api");
        assert!(root.configure(b"{"));
        assert_eq!(policies(&root), ["shop/all", "shop/api"]);
    }

    #[test]
    fn labels_are_looked_at_only_where_a_policy_is_narrowed() {
        let fake = Fake::default();
        assert!(root(&fake).configure(&good("api")));
        assert_eq!(labels_asked(&fake), 0);
    }

    #[test]
    fn an_inert_default_is_nobodys_last_good() {
        let (fake, worker) = (Fake::default(), Rc::new(Worker::default()));
        let mut running = Root::new(1, fake.clone(), Rc::clone(&worker));
        assert!(running.configure(&good("api")));
        // Another slot of the process starts with its default.
        let mut starting = Root::new(2, fake.clone(), worker);
        assert!(starting.configure(INERT));
        assert_eq!(policies(&starting), [""; 0]);
        assert_eq!(fake.metric("corsward.config.digest"), Some(0));
        assert!(running.configure(b"{"));
        assert_eq!(policies(&running), ["shop/api"]);
    }

    /// The gauge after these steps, in which root contexts of one virtual machine are configured or deleted.
    fn gauge_after(steps: &[(u32, Option<&[u8]>)]) -> Option<u64> {
        let (fake, worker) = (Fake::default(), Rc::new(Worker::default()));
        let mut roots = BTreeMap::new();
        for (id, step) in steps {
            if let Some(bytes) = step {
                let new = || Root::new(*id, fake.clone(), Rc::clone(&worker));
                roots.entry(*id).or_insert_with(new).configure(bytes);
            } else {
                roots.remove(id);
            }
        }
        fake.metric("corsward.config.digest")
    }

    #[test]
    fn the_gauge_says_what_is_still_in_force_when_another_instance_is_deleted() {
        let (one, two) = (good("one"), good("another"));
        let (one, two) = (one.as_slice(), two.as_slice());
        let alone = |bytes| gauge_after(&[(1, Some(bytes))]);
        assert_ne!(alone(one), alone(two));
        for (why, steps, want) in [
            (
                "a new one in place of an old one",
                &[(1, Some(one)), (2, Some(two)), (1, None)][..],
                two,
            ),
            (
                "two filters for a moment, the one that goes configured last",
                &[(1, Some(one)), (2, Some(two)), (2, None)],
                one,
            ),
            (
                "the older of two that stay said its word before",
                &[(1, Some(two)), (2, Some(one)), (3, Some(two)), (3, None)],
                one,
            ),
            (
                "one that was configured again is the last to have been",
                &[(1, Some(one)), (2, Some(two)), (1, Some(one)), (3, Some(two)), (3, None)],
                one,
            ),
            (
                "what runs the last good one counts too",
                &[(1, Some(one)), (2, Some(KEEP)), (3, Some(INERT)), (1, None), (3, None)],
                one,
            ),
            (
                "one that was refused never counted",
                &[(1, Some(one)), (2, Some(REJECT)), (2, None)],
                one,
            ),
            (
                "the last of all: another machine of the process may be the one that says what is in force",
                &[(1, Some(one)), (1, None)],
                one,
            ),
        ] {
            assert_eq!(gauge_after(steps), alone(want), "{why}");
        }
    }
}
