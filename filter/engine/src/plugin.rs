//! Plugin: one instance of the filter, with the configuration that it runs.

use std::sync::Arc;
use std::time::Duration;

use corsward_policy::wire::{OnInvalid, gauge_of};

use crate::candidate::{Candidate, Refused};
use crate::configuration::{Configuration, Unusable};
use crate::engine::Engine;
use crate::exchange::Exchange;
use crate::host::{Host, LogLevel, PluginHost};
use crate::running::Running;

/// Interval of a shell's heartbeats. They are the only sign that a proxy lets requests pass a dead filter: Envoy counts
/// no failure then.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// One instance of the filter: a proxy makes a new one for each new configuration.
#[derive(Debug)]
pub struct Plugin {
    /// By which the engine knows it.
    id: u32,
    running: Arc<Running>,
}

/// The workers of one process may share an instance.
const _: () = {
    const fn is_shared_by_threads<T: Send + Sync>() {}
    is_shared_by_threads::<Plugin>();
};

// === impl Plugin ===

impl Plugin {
    /// Returns an instance that enforces nothing yet.
    pub fn new(engine: &mut Engine) -> Self {
        Self { id: engine.next_id(), running: Arc::default() }
    }

    /// Reads a configuration and puts it into force; `false` asks the proxy to refuse it.
    pub fn configure(
        &mut self,
        engine: &mut Engine,
        host: &mut impl PluginHost,
        bytes: &[u8],
    ) -> bool {
        let candidate = Candidate::read(host, bytes);
        self.run(engine, host, candidate)
    }

    /// Puts what was read into force; `false` asks the proxy to refuse it.
    pub fn run(
        &mut self,
        engine: &mut Engine,
        host: &mut impl PluginHost,
        candidate: Candidate<'_>,
    ) -> bool {
        let Candidate { bytes, outcome } = candidate;
        match outcome {
            Ok(configuration) => {
                // There may be several instances for one configuration, which keep the same bytes.
                // Not an inert default: a slot that starts with one must not take another's last good from it.
                if !configuration.digest.is_empty() {
                    host.keep_last_good(bytes);
                }
                engine.metrics.accepted(host, &configuration.compiled);
                self.put_into_force(engine, host, configuration);
                true
            }
            Err(refused) => self.refuse(engine, host, refused),
        }
    }

    /// Returns the state for one request and its response, answered by the configuration in force.
    pub fn exchange(&self) -> Exchange {
        Exchange::new(Arc::clone(&self.running))
    }

    /// Ends this instance: the proxy has a new one, or none.
    pub fn retire(&self, engine: &mut Engine, host: &impl Host) {
        engine.metrics.retired(host, self.id);
    }

    /// Refuses a configuration in the way its publisher asked for.
    fn refuse(&mut self, engine: &mut Engine, host: &impl PluginHost, refused: Refused) -> bool {
        let Refused { unusable: Unusable { on_invalid, reason }, last_good } = refused;
        engine.metrics.refused(host);
        let consequence = match (on_invalid, last_good) {
            (OnInvalid::Reject, _) => "the proxy keeps what it has",
            (OnInvalid::Keep, Some(configuration)) => {
                // It counts as neither accepted nor refused.
                self.put_into_force(engine, host, configuration);
                "the last good one stays in force"
            }
            (OnInvalid::Keep, None) => "there is no good one yet, so nothing is enforced",
        };
        let line = format!("plugin configuration refused: {reason}: {consequence}");
        host.log(LogLevel::Error, &line);
        on_invalid == OnInvalid::Keep
    }

    fn put_into_force(
        &mut self,
        engine: &mut Engine,
        host: &impl Host,
        configuration: Configuration,
    ) {
        let Configuration { compiled, digest } = configuration;
        let counters = engine.metrics.in_force(host, self.id, gauge_of(&digest));
        let denial_log = Arc::clone(&engine.denial_log);
        self.running = Arc::new(Running { compiled, counters, denial_log });
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

    fn policies(plugin: &Plugin) -> Vec<String> {
        plugin.running.compiled.policies().map(ToString::to_string).collect()
    }

    /// Configures the first instance of an engine.
    fn configure(fake: &mut Fake, bytes: &[u8]) -> bool {
        let mut engine = Engine::default();
        Plugin::new(&mut engine).configure(&mut engine, fake, bytes)
    }

    fn good(name: &str) -> Vec<u8> {
        fake::envelope(&[fake::draft("shop", name)], OnInvalid::Reject)
    }

    #[test]
    fn a_good_configuration_comes_into_force_whole() {
        let mut fake = Fake::default();
        let mut engine = Engine::default();
        let mut plugin = Plugin::new(&mut engine);
        assert!(plugin.configure(&mut engine, &mut fake, &good("api")));
        assert_eq!(policies(&plugin), ["shop/api"]);
        assert_eq!(fake.metric("corsward.config.accepted"), Some(1));
        assert_eq!(fake.metric("corsward.config.refused"), Some(0));
        assert_eq!(fake.last_good(), Some(good("api")));
    }

    #[test]
    fn an_instance_is_alive_whatever_its_configuration() {
        for bytes in [good("api"), KEEP.to_vec(), REJECT.to_vec()] {
            let mut fake = Fake::default();
            let mut engine = Engine::default();
            let mut plugin = Plugin::new(&mut engine);
            plugin.configure(&mut engine, &mut fake, &bytes);
            engine.heartbeat(&fake);
            engine.heartbeat(&fake);
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
            let mut fake = Fake::default();
            let mut engine = Engine::default();
            let mut plugin = Plugin::new(&mut engine);
            assert_eq!(plugin.configure(&mut engine, &mut fake, bytes), accepted, "{why}");
            assert_eq!(policies(&plugin), [""; 0], "{why}");
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
            let mut fake = Fake::default();
            assert!(configure(&mut fake, &good("api")), "{why}");
            let mut fake = fake.another_machine();
            let mut engine = Engine::default();
            let mut plugin = Plugin::new(&mut engine);
            assert_eq!(plugin.configure(&mut engine, &mut fake, bytes), accepted, "{why}");
            assert_eq!(policies(&plugin), want, "{why}");
            assert_eq!(fake.metric("corsward.config.refused"), Some(1), "{why}");
        }
    }

    #[test]
    fn the_last_good_one_is_the_last() {
        let mut fake = Fake::default();
        let mut engine = Engine::default();
        for bytes in [good("one"), good("two"), KEEP.to_vec()] {
            let mut plugin = Plugin::new(&mut engine);
            assert!(plugin.configure(&mut engine, &mut fake, &bytes));
            if bytes == KEEP {
                assert_eq!(policies(&plugin), ["shop/two"]);
            }
        }
    }

    #[test]
    fn to_switch_everything_off_is_a_good_configuration() {
        let mut fake = Fake::default();
        let mut engine = Engine::default();
        let mut plugin = Plugin::new(&mut engine);
        assert!(plugin.configure(&mut engine, &mut fake, &good("api")));
        assert!(plugin.configure(&mut engine, &mut fake, &fake::envelope(&[], OnInvalid::Reject)));
        assert_eq!(policies(&plugin), [""; 0]);
        assert!(plugin.configure(&mut engine, &mut fake, KEEP));
        assert_eq!(policies(&plugin), [""; 0], "the last good one enforces nothing");
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
            let mut fake = Fake::default();
            if let Some((key, value)) = label {
                fake.label(key, value);
            }
            let mut engine = Engine::default();
            let mut plugin = Plugin::new(&mut engine);
            assert!(plugin.configure(&mut engine, &mut fake, &narrowed()), "{why}");
            assert_eq!(policies(&plugin), want, "{why}");
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
        let mut fake = Fake::default();
        let mut engine = Engine::default();
        let mut plugin = Plugin::new(&mut engine);
        assert!(plugin.configure(&mut engine, &mut fake, &narrowed()));
        fake.label("app", b"api");
        assert!(plugin.configure(&mut engine, &mut fake, b"{"));
        assert_eq!(policies(&plugin), ["shop/all", "shop/api"]);
    }

    #[test]
    fn labels_are_looked_at_only_where_a_policy_is_narrowed() {
        let mut fake = Fake::default();
        assert!(configure(&mut fake, &good("api")));
        assert_eq!(labels_asked(&fake), 0);
    }

    #[test]
    fn an_inert_default_is_nobodys_last_good() {
        let (mut fake, mut engine) = (Fake::default(), Engine::default());
        let mut running = Plugin::new(&mut engine);
        assert!(running.configure(&mut engine, &mut fake, &good("api")));
        // Another slot of the process starts with its default.
        let mut starting = Plugin::new(&mut engine);
        assert!(starting.configure(&mut engine, &mut fake, INERT));
        assert_eq!(policies(&starting), [""; 0]);
        assert_eq!(fake.metric("corsward.config.digest"), Some(0));
        assert!(running.configure(&mut engine, &mut fake, b"{"));
        assert_eq!(policies(&running), ["shop/api"]);
    }

    /// The gauge after these steps, in which instances of one engine are configured or retired.
    fn gauge_after(steps: &[(u32, Option<&[u8]>)]) -> Option<u64> {
        let (mut fake, mut engine) = (Fake::default(), Engine::default());
        let mut plugins = BTreeMap::new();
        for (id, step) in steps {
            let plugin = plugins.entry(*id).or_insert_with(|| Plugin::new(&mut engine));
            if let Some(bytes) = step {
                plugin.configure(&mut engine, &mut fake, bytes);
            } else {
                plugin.retire(&mut engine, &fake);
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
