//! Plan: from what there is to what should be: the configuration of every bundle, and what of each policy is in it. Pure, and
//! made anew only where something changed.

mod admission;
mod members;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corsward_policy::draft::Mode;
use corsward_policy::{Finding, PolicyId};

use crate::bundle::{Bundle, BundleKey, Desired, PublishStatus, is_about_size};
use crate::cluster_state::Namespace;
use crate::finding::{GuardrailReason, OriginSetReason, PlacementReason, SizeReason};
use crate::guardrails::Guardrail;
use crate::index::{Entry, Index, PolicyInForce, Scope};
use crate::object::Object;
use crate::targets::{Placement, ProxySet, TargetProxies};
use crate::traffic::Traffic;
use members::{BuiltBundle, BundlePolicy, group, narrow};

/// The desired state, part by part.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    scopes: BTreeMap<Scope, ScopePlan>,
}

/// The desired state of one part.
#[derive(Clone, Debug, Default)]
pub struct ScopePlan {
    made: BTreeMap<BundleKey, BuiltBundle>,
    /// Every policy of it.
    pub policies: BTreeMap<PolicyId, Planned>,
    /// The number of policies that exceed each guardrail.
    exceeded: BTreeMap<String, usize>,
    /// Some bundles may not be published, not even as they are in force: what is there stays as it is.
    pub frozen: bool,
}

/// The desired bundles of all parts.
#[derive(Debug, Default)]
pub struct DesiredBundles {
    desired: Desired,
    /// They did not change since they were taken.
    is_taken: bool,
}

/// The plan of one policy.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// The spec that proxies should run.
    pub in_force: Option<PolicyInForce>,
    /// Is what it says now accepted, in the cluster as it stands?
    pub accepted: bool,
    /// The bundles that hold it, in ascending order.
    pub keys: Box<[BundleKey]>,
    /// The place in which it applies.
    pub placement: Placement,
    /// The policy that wins in its place, everywhere.
    pub overridden_by: Option<PolicyId>,
    /// Its findings beside those of its validation.
    pub findings: Vec<Finding>,
    /// Refusals among them, by a guardrail.
    pub exceeds: bool,
    /// Would what was in force still be, but for a guardrail?
    pub suspended: bool,
    /// The number of proxies that it is for, if known.
    pub matched: Option<usize>,
    /// The reason why its current spec cannot be published together with the other policies of its proxies.
    pub held: Option<String>,
}

/// The policies whose specs in force may change; `None`: every one. Of the others what is in force stays.
type AllowedChanges<'c> = Option<&'c BTreeSet<PolicyId>>;

/// A policy as it should be in force, and where that is.
#[derive(Clone, Debug)]
struct Chosen<'i> {
    id: &'i PolicyId,
    entry: &'i Entry,
    in_force: Option<PolicyInForce>,
    accepted: bool,
    placement: Placement,
    /// The limits that it exceeds.
    exceeded: Vec<Finding>,
    /// A guardrail alone keeps what was in force from being so.
    suspended: bool,
}

// === impl Plan ===

impl Plan {
    /// Plans a part anew.
    pub fn update(&mut self, index: &Index, scope: &Scope) {
        let previous = self.scopes.remove(scope).unwrap_or_default();
        let mut planned = ScopePlan::new(index, scope, &previous);
        planned.count_exceeded();
        if *scope == Scope::All || !planned.policies.is_empty() {
            self.scopes.insert(scope.clone(), planned);
        }
    }

    /// The findings that a new or changed policy would cause for the other policies of the same proxies.
    pub fn beside_others(&self, index: &mut Index, object: Object) -> Vec<Finding> {
        let (id, nothing) = (object.id.clone(), ScopePlan::default());
        let scope = Scope::Namespace(id.namespace.clone());
        let previous = self.scopes.get(&scope).unwrap_or(&nothing);
        // What would be said if it were admitted: a review is answered at once, and not by trials.
        let plan = index.rehearse(object, |index| ScopePlan::with(index, &scope, previous, None));
        plan.policies
            .get(&id)
            .map(|planned| planned.about_other_policies().cloned().collect())
            .unwrap_or_default()
    }

    /// Every part.
    pub fn scopes(&self) -> &BTreeMap<Scope, ScopePlan> {
        &self.scopes
    }

    /// The desired state of a part.
    pub fn scope(&self, scope: &Scope) -> Option<&ScopePlan> {
        self.scopes.get(scope)
    }
}

// === impl ScopePlan ===

impl ScopePlan {
    fn new(index: &Index, scope: &Scope, previous: &Self) -> Self {
        let wanted = Self::with(index, scope, previous, None);
        if wanted.held_keys().next().is_none() {
            return wanted;
        }
        let with =
            |admitted: &BTreeSet<PolicyId>| Self::with(index, scope, previous, Some(admitted));
        let mut plan = admission::admit(index, &wanted, with);
        // The finding is for the policies that made it too much.
        for (id, planned) in &mut plan.policies {
            let Some(wanted_of) = wanted.policies.get(id) else { continue };
            let large = wanted_of.findings.iter().filter(|finding| is_about_size(finding));
            planned.findings.retain(|finding| !is_about_size(finding));
            planned.findings.extend(large.cloned());
            let of_wanted =
                wanted_of.keys.iter().find_map(|key| wanted.made.get(key)?.held.clone());
            let any = || wanted.made.values().find_map(|made| made.held.clone());
            let differs = planned.in_force != wanted_of.in_force;
            planned.held = differs.then(|| of_wanted.or_else(any)).flatten();
        }
        for planned in plan.policies.values_mut().filter(|planned| planned.held.is_none()) {
            planned.held = planned.keys.iter().find_map(|key| plan.made.get(key)?.held.clone());
        }
        let frozen = plan.held_keys().next().is_some();
        plan.frozen = frozen;
        plan
    }

    fn count_exceeded(&mut self) {
        for planned in self.policies.values() {
            for name in planned.exceeded() {
                let count = self.exceeded.entry(name.to_owned()).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    /// The number of policies that exceed that guardrail, as they are written.
    pub(crate) fn exceeding(&self, name: &str) -> usize {
        self.exceeded.get(name).copied().unwrap_or_default()
    }

    /// The bundles that may not be published.
    fn held_keys(&self) -> impl Iterator<Item = &BundleKey> {
        self.made.iter().filter(|(_, made)| made.held.is_some()).map(|(key, _)| key)
    }

    /// The reason why a part of the desired state is not published.
    pub(crate) fn why_not_all(&self) -> Option<&str> {
        self.policies.values().find_map(|planned| planned.held.as_deref())
    }

    fn with(index: &Index, scope: &Scope, previous: &Self, allowed: AllowedChanges<'_>) -> Self {
        // For one place they hold for every namespace.
        let rails = index.guardrails_of(scope.namespace().unwrap_or_default());
        let chosen: Vec<Chosen<'_>> = index
            .entries_of(scope)
            .map(|(id, entry)| choose(index, &rails, id, entry, allowed))
            .collect();
        let off = index.why_off(scope).is_some();
        let mut plan = Self::default();
        for (key, members) in members(scope, &chosen, off) {
            let members = members.into_boxed_slice();
            let known = previous.made.get(&key).filter(|known| known.members == members);
            let made = known.cloned().unwrap_or_else(|| BuiltBundle::new(key.clone(), members));
            plan.made.insert(key, made);
        }
        let surveyed = scope.namespace().filter(|_| !chosen.is_empty());
        let traffic = surveyed.map(|namespace| index.traffic(namespace));
        let mut holding: BTreeMap<&PolicyId, Vec<(&BundleKey, &BuiltBundle)>> = BTreeMap::new();
        for (key, made) in &plan.made {
            for member in &*made.members {
                holding.entry(&member.id).or_default().push((key, made));
            }
        }
        let policies = chosen.into_iter().map(|chosen| {
            let holding = holding.get(chosen.id).map(Vec::as_slice).unwrap_or_default();
            let (id, mut planned) = (chosen.id.clone(), Planned::new(index, chosen, holding));
            if let Some(traffic) = &traffic {
                planned.see(traffic);
            }
            (id, planned)
        });
        plan.policies = policies.collect();
        plan
    }

    /// The bundles to publish.
    pub fn bundles(&self) -> impl Iterator<Item = (&BundleKey, &Arc<Bundle>)> {
        let publishable = self.made.iter().filter(|(_, made)| made.held.is_none());
        publishable.map(|(key, made)| (key, &made.bundle))
    }

    /// The bundle to publish under that key.
    pub fn bundle(&self, key: &BundleKey) -> Option<&Arc<Bundle>> {
        let made = self.made.get(key).filter(|made| made.held.is_none());
        made.map(|made| &made.bundle)
    }

    /// The bundles to publish, each with its number of policies in force.
    pub(crate) fn bundles_with_counts(&self) -> impl Iterator<Item = (&Bundle, usize)> {
        let publishable = self.made.values().filter(|made| made.held.is_none());
        publishable.map(|made| (&*made.bundle, made.members.len()))
    }

    /// Is there a bundle of that key, whether it may be published or not?
    pub(crate) fn has(&self, key: &BundleKey) -> bool {
        self.made.contains_key(key)
    }

    /// The content of a retiring bundle until its deletion: that of its replacement, or no policy. If that is too large for one bundle,
    /// its previous content; `None` if that is too large as well.
    pub(crate) fn retiring(
        &self,
        index: &Index,
        scope: &Scope,
        key: &BundleKey,
    ) -> Option<Arc<Bundle>> {
        let off = index.why_off(scope).is_some();
        let nobody = BTreeSet::new();
        let before = || Self::with(index, scope, &Self::default(), Some(&nobody));
        self.in_one(key, off).or_else(|| before().in_one(key, off))
    }

    /// Everything that is in force for these proxies in one bundle, where that may be published.
    fn in_one(&self, key: &BundleKey, off: bool) -> Option<Arc<Bundle>> {
        let in_force = self.policies.iter().filter_map(|(id, planned)| {
            let in_force = planned.in_force.clone()?;
            narrow(key, id, &in_force, &planned.placement.places, off)
        });
        let made = BuiltBundle::new(key.clone(), in_force.collect());
        made.held.is_none().then_some(made.bundle)
    }
}

// === impl DesiredBundles ===

impl DesiredBundles {
    /// The desired state.
    pub fn desired(&self) -> &Desired {
        &self.desired
    }

    /// The desired state, if it changed since the last call. The first call returns one.
    pub fn take_changed(&mut self) -> Option<Arc<Desired>> {
        let is_taken = std::mem::replace(&mut self.is_taken, true);
        (!is_taken).then(|| Arc::new(self.desired.clone()))
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
                let retiring = retiring.or_else(|| goes.then(|| self.last_of(key)));
                desired.extend(retiring.map(|bundle| (key.clone(), (bundle, goes))));
            }
        }
        // What is too much for one even so stays as it is.
        if plan.frozen {
            self.keep(scope, &mut desired);
        }
        self.freeze(scope, plan.frozen);
        for bundles in [&mut self.desired.bundles, &mut self.desired.retiring] {
            let before = bundles.of_namespace(scope.namespace()).map(|(key, _)| key);
            let gone: Vec<_> =
                before.filter(|key| !desired.contains_key(&***key)).cloned().collect();
            for key in gone {
                self.is_taken &= bundles.remove(&key).is_none();
            }
        }
        for (key, (bundle, retiring)) in desired {
            let key = Arc::new(key);
            let Desired { bundles, retiring: old, frozen: _ } = &mut self.desired;
            let (to, from) = if retiring { (old, bundles) } else { (bundles, old) };
            self.is_taken &= from.remove(&key).is_none();
            if to.get(&key) != Some(&bundle) {
                to.insert(key, bundle);
                self.is_taken = false;
            }
        }
    }

    /// The content of a bundle until its deletion, if what takes its place is too large for it: what was wanted of it, or no policy.
    fn last_of(&self, key: &BundleKey) -> Arc<Bundle> {
        let Desired { bundles, retiring, frozen: _ } = &self.desired;
        let wanted = retiring.get(key).or_else(|| bundles.get(key));
        wanted.cloned().unwrap_or_else(|| BuiltBundle::new(key.clone(), Box::default()).bundle)
    }

    /// Takes in whether objects of a part may be deleted.
    fn freeze(&mut self, scope: &Scope, is_frozen: bool) {
        let Some(namespace) = scope.namespace() else { return };
        let frozen = &mut self.desired.frozen;
        let is_new =
            if is_frozen { frozen.insert(namespace.to_owned()) } else { frozen.remove(namespace) };
        self.is_taken &= !is_new;
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

// === impl Planned ===

impl Planned {
    /// The plan of a policy that these bundles hold.
    fn new(index: &Index, chosen: Chosen<'_>, holding: &[(&BundleKey, &BuiltBundle)]) -> Self {
        let Chosen { id, entry, in_force, accepted, placement, exceeded, suspended } = chosen;
        let mut planned = Self { accepted, suspended, ..Self::default() };
        planned.keys = holding.iter().map(|(key, _)| (*key).clone()).collect();
        // It wins somewhere unless it loses everywhere.
        let mut winners = holding.iter().map(|(_, made)| made.overridden.get(id));
        if let Some(Some(first)) = winners.next()
            && winners.all(|winner| winner.is_some())
        {
            planned.overridden_by = Some(first.clone());
            let reason = PlacementReason::Overridden(first.to_string());
            planned.findings.push(Finding::new("metadata.name", reason));
        }
        let switching_off = holding.iter().find_map(|(_, made)| made.switching_off.get(id));
        planned.findings.extend(switching_off.cloned());
        let large = holding.iter().find_map(|(_, made)| made.large.get(id));
        planned.findings.extend(large.cloned());
        planned.findings.extend(placement.findings().cloned());
        let namespace = index.cluster_state.namespaces.get(&id.namespace);
        planned.findings.extend(namespace.and_then(Namespace::unknown_mode));
        planned.exceeds = exceeded.iter().any(Finding::is_refusal);
        planned.findings.extend(exceeded);
        planned.matched = index.count(&placement, &id.namespace);
        let enforced =
            in_force.as_ref().is_some_and(|in_force| in_force.policy.mode() != Mode::Off);
        let is_older = in_force.as_ref().is_some_and(|kept| kept.generation != entry.generation);
        if !accepted && enforced && (is_older || entry.validation.accepted.is_none()) {
            planned.findings.push(Finding::new("spec", PlacementReason::LastGoodInForce));
        }
        Self { in_force, placement, ..planned }
    }

    /// Takes in how requests come to its proxies.
    fn see(&mut self, traffic: &Traffic<'_>) {
        let placement = &self.placement;
        let enforced = self.in_force.as_ref().filter(|it| it.policy.mode() != Mode::Off);
        let enforced = enforced.filter(|_| placement.refused.is_empty());
        if let Some(enforced) = enforced {
            let (field, keeps) = (enforced.target.field(), enforced.policy.keeps());
            self.findings.extend(traffic.findings(field, placement, keeps));
        } else if let Some((_, finding)) = placement.unserved.first() {
            self.findings.extend(traffic.findings(&finding.field, placement, false));
        }
    }

    /// The findings about other policies of the same proxies.
    pub fn about_other_policies(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| {
            matches!(
                finding.reason.downcast_ref(),
                Some(PlacementReason::Overridden(_) | PlacementReason::SwitchesOff { .. })
            )
        })
    }

    /// The findings about the size of all policies of its proxies.
    pub fn about_size(&self) -> impl Iterator<Item = Finding> {
        let held = self.held.clone().map(SizeReason::Unpublishable);
        let large = self.findings.iter().filter(|finding| is_about_size(finding)).cloned();
        large.chain(held.map(|reason| Finding::new("spec", reason)))
    }

    /// The guardrails that the policy exceeds, as it is written.
    fn exceeded(&self) -> BTreeSet<&str> {
        let guardrails = self.findings.iter().filter_map(|finding| {
            let reason = match finding.reason.downcast_ref() {
                Some(OriginSetReason::Of { reason, .. }) => reason,
                _ => &finding.reason,
            };
            match reason.downcast_ref()? {
                GuardrailReason::Exceeded { guardrail, .. } => Some(&**guardrail),
                _ => None,
            }
        });
        guardrails.collect()
    }
}

/// The desired spec in force of a policy, and its bundles.
fn choose<'i>(
    index: &Index,
    rails: &[Guardrail],
    id: &'i PolicyId,
    entry: &'i Entry,
    allowed: AllowedChanges<'_>,
) -> Chosen<'i> {
    let place = |in_force: &PolicyInForce| index.place(&in_force.target, &id.namespace);
    let written = entry.written();
    let placed = written.as_ref().map(place).unwrap_or_default();
    let exceeded: Vec<Finding> =
        written.as_ref().map(|written| written.exceeded(rails)).unwrap_or_default();
    let exceeds = exceeded.iter().any(Finding::is_refusal);
    // What is in force is judged by today's guardrails too.
    let is_forbidden = |kept: &PolicyInForce| kept.exceeded(rails).iter().any(Finding::is_refusal);
    let can_be_placed = placed.missing.is_empty() && placed.refused.is_empty();
    // Where some of its targets are there, it is in force at those.
    let can_begin = placed.refused.is_empty() && !placed.places.is_empty();
    let accepted = written.is_some() && can_be_placed && !exceeds;
    let last_good = || {
        let kept = entry.last_good().filter(|kept| !is_forbidden(kept));
        // What is missing is what the author has to hear of.
        let placement = kept.as_ref().map(place).unwrap_or_default();
        let Placement { places, .. } = placement;
        (kept, Placement { places, ..placed.clone() })
    };
    let is_off = |in_force: &Option<PolicyInForce>| {
        in_force.as_ref().is_some_and(|in_force| in_force.policy.mode() == Mode::Off)
    };
    // An accepted text that no proxy can run is in force nowhere, and nothing else is in its place.
    let runs_nowhere = accepted && placed.why_nowhere().is_some();
    let may_change = allowed.is_none_or(|admitted| admitted.contains(id));
    let is_new = entry.in_force.is_none();
    let (in_force, placement) = if is_off(&written) && may_change {
        (written, placed)
    } else if is_off(&written) && !is_new {
        // A stop takes effect whatever else does not. A policy that never was in force has nothing to stop.
        (written, last_good().1)
    } else if runs_nowhere || (is_new && !may_change) {
        (None, placed)
    } else if may_change && (accepted || (is_new && can_begin && !exceeds)) {
        // Of a new one as much as there is.
        (written, placed)
    } else {
        last_good()
    };
    let suspended = in_force.is_none() && entry.in_force.as_ref().is_some_and(is_forbidden);
    Chosen { id, entry, in_force, accepted, placement, exceeded, suspended }
}

/// The bundles that these policies need.
fn keys(scope: &Scope, chosen: &[Chosen<'_>]) -> BTreeSet<BundleKey> {
    let Scope::Namespace(namespace) = scope else { return [BundleKey::All].into() };
    let in_force = chosen.iter().filter(|chosen| chosen.in_force.is_some());
    let proxies = in_force.flat_map(|chosen| &chosen.placement.places).map(|place| &place.proxies);
    let (mut selectors, mut all) = (BTreeSet::new(), BTreeSet::new());
    for proxies in proxies {
        match proxies {
            TargetProxies::Workloads(labels) => drop(selectors.insert(labels)),
            TargetProxies::Gateway(_) => drop(all.insert(proxies.clone())),
        }
    }
    all.extend(group(selectors).into_iter().map(TargetProxies::Workloads));
    all.into_iter().map(|proxies| BundleKey::new(namespace, proxies)).collect()
}

/// The bundles that these policies need, each with its policies.
fn members(
    scope: &Scope,
    chosen: &[Chosen<'_>],
    off: bool,
) -> BTreeMap<BundleKey, Vec<BundlePolicy>> {
    let keys = keys(scope, chosen).into_iter();
    let mut members: BTreeMap<BundleKey, Vec<_>> = keys.map(|key| (key, Vec::new())).collect();
    for Chosen { id, in_force, placement, .. } in chosen {
        let Some(in_force) = in_force else { continue };
        let narrow = |key: &BundleKey| narrow(key, id, in_force, &placement.places, off);
        // Proxies that have a bundle to themselves are in no other one.
        let own = |place: &ProxySet| {
            let key = BundleKey::new(scope.namespace()?, place.proxies.clone());
            members.contains_key(&key).then_some(key)
        };
        match placement.places.iter().map(own).collect::<Option<BTreeSet<BundleKey>>>() {
            Some(own) => own.iter().for_each(|key| {
                members.entry(key.clone()).or_default().extend(narrow(key));
            }),
            None => members.iter_mut().for_each(|(key, members)| members.extend(narrow(key))),
        }
    }
    members
}

#[cfg(test)]
mod tests;
