//! Desired bundles: what should be published in all parts, gathered plan by plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bundle::{Bundle, BundleKey, Desired, PublishStatus};
use crate::index::{Index, Scope};
use crate::plan::ScopePlan;

/// The desired bundles of all parts.
#[derive(Debug)]
pub struct DesiredBundles {
    desired: Desired,
    is_stale: bool,
}

// === impl DesiredBundles ===

impl DesiredBundles {
    /// The desired state.
    #[must_use]
    pub fn desired(&self) -> &Desired {
        &self.desired
    }

    /// The desired state, if it changed since the last call. The first call returns one.
    pub fn take_changed(&mut self) -> Option<Arc<Desired>> {
        std::mem::take(&mut self.is_stale).then(|| Arc::new(self.desired.clone()))
    }

    /// Takes in what should be published in a part.
    pub fn desire<'k>(
        &mut self,
        index: &Index,
        scope: &Scope,
        plan: &ScopePlan,
        known: impl Iterator<Item = (&'k BundleKey, &'k PublishStatus)>,
    ) {
        let mut desired: BTreeMap<BundleKey, _> = plan
            .bundles()
            .map(|(key, bundle)| (key.clone(), (Arc::clone(bundle), false)))
            .collect();
        for (key, publish_status) in known {
            if publish_status.digest.is_some() && (plan.frozen || !plan.has(key)) {
                let retiring = plan.retiring(index, scope, key);
                // Where nothing takes its place it stays, without what is off, gone or not allowed any more.
                let goes = !plan.frozen;
                desired.extend(retiring.map(|bundle| (key.clone(), (bundle, goes))));
            }
        }
        // What is too much for one even so stays as it is.
        if plan.frozen {
            self.keep(scope, &mut desired);
        }
        for bundles in [&mut self.desired.bundles, &mut self.desired.retiring] {
            let before = bundles.of_namespace(scope.namespace()).map(|(key, _)| key);
            let gone: Vec<_> =
                before.filter(|key| !desired.contains_key(&***key)).cloned().collect();
            for key in gone {
                self.is_stale |= bundles.remove(&key).is_some();
            }
        }
        for (key, (bundle, retiring)) in desired {
            let key = Arc::new(key);
            let Desired { bundles, retiring: old } = &mut self.desired;
            let (to, from) = if retiring { (old, bundles) } else { (bundles, old) };
            self.is_stale |= from.remove(&key).is_some();
            if to.get(&key) != Some(&bundle) {
                to.insert(key, bundle);
                self.is_stale = true;
            }
        }
    }

    /// Leaves in place what was wanted of a part and nothing else is known of.
    fn keep(&self, scope: &Scope, desired: &mut BTreeMap<BundleKey, (Arc<Bundle>, bool)>) {
        for bundles in [&self.desired.bundles, &self.desired.retiring] {
            for (key, known) in bundles.of_namespace(scope.namespace()) {
                desired.entry((**key).clone()).or_insert_with(|| (Arc::clone(known), false));
            }
        }
    }
}

impl Default for DesiredBundles {
    fn default() -> Self {
        Self { desired: Desired::default(), is_stale: true }
    }
}
