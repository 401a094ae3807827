//! Plan: from what there is to what should be: configuration for proxies, and the status of every policy. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use corsward_policy::draft::Mode;
use corsward_policy::finding::PlacementReason;
use corsward_policy::{Compiled, Finding, Policy, PolicyId, compile, wire};
use sha2::{Digest as _, Sha256};

use crate::index::{Entry, InForce, Index};
use crate::status::{Circumstances, Status};

/// The name of the one attachment of a folder, and of the filter in the proxy.
pub const ATTACHMENT: &str = "corsward";
/// Configuration of one attachment beyond which a warning is due: proxies parse it on every thread.
pub const WARN_LEN: usize = 256 * 1024;
/// Largest configuration of one attachment: what etcd and a `ConfigMap` hold.
pub const MAX_LEN: usize = 1024 * 1024;
/// How many of the policies in a large attachment are named.
const NAMED: usize = 3;

/// What should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What to publish, by name.
    pub attachments: Vec<Attachment>,
    /// What is in force once that is published.
    pub in_force: BTreeMap<PolicyId, InForce>,
    /// What every policy's status says then.
    pub statuses: Vec<Status>,
    /// Why not everything that is wanted may be published; `attachments` is then what may be.
    pub held: Option<String>,
}

/// A set of proxies that get the same bytes, and those bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// The compiled policies, as text.
    pub compiled: String,
    /// The digest of `compiled`.
    pub digest: String,
}

/// Plans.
#[must_use]
pub fn plan(index: &Index) -> Plan {
    let wanted = collect(index, Entry::wanted);
    let policies = policies(&wanted);
    let compiled = compile(&policies);
    let attachment = Attachment::of(&compiled);
    let large = large(&attachment, &policies);
    if let Some(why) = hold(&attachment, &policies) {
        return hold_back(index, why, &large);
    }
    let digest = Some(attachment.digest.as_str());
    let statuses = statuses(index, &wanted, &compiled, digest, None, &large);
    Plan { attachments: vec![attachment], in_force: wanted, statuses, held: None }
}

/// The plan where what is wanted must not be published: as much of it as may be, and what is gone or `Off` is withdrawn.
fn hold_back(index: &Index, why: String, large: &BTreeMap<PolicyId, Finding>) -> Plan {
    let without_newcomers =
        |entry: &Entry| entry.wanted().filter(|wanted| is_off(wanted) || entry.in_force.is_some());
    let without_changes =
        |entry: &Entry| entry.wanted().filter(is_off).or_else(|| entry.in_force.clone());
    let mut in_force = collect(index, without_newcomers);
    if publishable(&in_force).is_none() {
        in_force = collect(index, without_changes);
    }
    let compiled = compile(&policies(&in_force));
    let attachments: Vec<Attachment> = publishable(&in_force).into_iter().collect();
    let digest = attachments.first().map(|attachment| attachment.digest.as_str());
    let digest = digest.or(index.digest());
    let statuses = statuses(index, &in_force, &compiled, digest, Some(&why), large);
    Plan { attachments, in_force, statuses, held: Some(why) }
}

fn is_off(in_force: &InForce) -> bool {
    in_force.policy.mode() == Mode::Off
}

/// The attachment of these policies, where it may be published.
fn publishable(in_force: &BTreeMap<PolicyId, InForce>) -> Option<Attachment> {
    let policies = policies(in_force);
    let attachment = Attachment::of(&compile(&policies));
    hold(&attachment, &policies).is_none().then_some(attachment)
}

// === impl Plan ===

impl Plan {
    /// Takes into `index` that this is carried out.
    pub fn settle(&self, index: &mut Index) {
        let digest = self.attachments.first().map(|attachment| attachment.digest.as_str());
        index.settle(&self.in_force, digest);
    }

    /// The same plan where what somebody published before must stay, whatever it is.
    #[must_use]
    pub fn kept(mut self, why: &str) -> Self {
        for status in &mut self.statuses {
            status.hold_back(why);
        }
        Self { attachments: Vec::new(), held: Some(why.to_owned()), ..self }
    }

    /// The same plan where it could not be published: what `index` has in force stays so.
    #[must_use]
    pub fn unpublished(&self, index: &Index, error: &str) -> Self {
        let mut statuses = self.statuses.clone();
        for status in &mut statuses {
            let entry = index.entries().get(&status.policy);
            let in_force = entry.and_then(|entry| entry.in_force.clone());
            status.unpublished(error, in_force, index.digest());
        }
        Self { attachments: Vec::new(), statuses, ..self.clone() }
    }
}

// === impl Attachment ===

impl Attachment {
    fn of(compiled: &Compiled) -> Self {
        Self::new(wire::encode(compiled))
    }

    fn new(compiled: String) -> Self {
        let mut digest = "sha256:".to_owned();
        for byte in Sha256::digest(compiled.as_bytes()) {
            let _ = write!(digest, "{byte:02x}");
        }
        Self { name: ATTACHMENT.to_owned(), compiled, digest }
    }
}

fn collect(
    index: &Index,
    select: impl Fn(&Entry) -> Option<InForce>,
) -> BTreeMap<PolicyId, InForce> {
    index.entries().iter().filter_map(|(id, entry)| Some((id.clone(), select(entry)?))).collect()
}

fn policies(in_force: &BTreeMap<PolicyId, InForce>) -> Vec<&Policy> {
    in_force.values().map(|in_force| &*in_force.policy).collect()
}

/// The status of every policy when `compiled` is what the proxies run.
fn statuses(
    index: &Index,
    in_force: &BTreeMap<PolicyId, InForce>,
    compiled: &Compiled,
    digest: Option<&str>,
    held: Option<&str>,
    large: &BTreeMap<PolicyId, Finding>,
) -> Vec<Status> {
    let overridden: BTreeMap<PolicyId, PolicyId> = compiled.overridden().into_iter().collect();
    let status = |(id, entry): (&PolicyId, &Entry)| {
        let mut findings: Vec<Finding> = large.get(id).cloned().into_iter().collect();
        let overridden_by = overridden.get(id).cloned();
        if let Some(winner) = &overridden_by {
            let reason = PlacementReason::Overridden(winner.to_string());
            findings.push(Finding::new("metadata.name", reason));
        }
        let in_force = in_force.get(id).cloned();
        let enforced = in_force.as_ref().is_some_and(|in_force| !is_off(in_force));
        if !entry.is_accepted() && enforced {
            findings.push(Finding::new("spec", PlacementReason::LastGoodInForce));
        }
        let (digest, held) = (digest.map(str::to_owned), held.map(str::to_owned));
        Status::of(entry, Circumstances { in_force, digest, held, overridden_by, findings })
    };
    index.entries().iter().map(status).collect()
}

/// Why these bytes must not be published.
fn hold(attachment: &Attachment, policies: &[&Policy]) -> Option<String> {
    let len = attachment.compiled.len();
    if len > MAX_LEN {
        let largest = largest(policies).into_iter().map(|id| id.to_string());
        let largest = largest.collect::<Vec<_>>().join(", ");
        return Some(format!(
            "the policies of one proxy make {len} bytes, and {MAX_LEN} can be published: shorten or split {largest}"
        ));
    }
    // What the filter would refuse is not published. It reads what we write, or one of us is wrong.
    let error = wire::decode(&attachment.compiled).err()?;
    Some(format!("the filter would refuse the configuration: {error}"))
}

/// What to say to which policies about a large attachment.
fn large(attachment: &Attachment, policies: &[&Policy]) -> BTreeMap<PolicyId, Finding> {
    let len = attachment.compiled.len();
    if len <= WARN_LEN {
        return BTreeMap::new();
    }
    let finding = Finding::new("spec", PlacementReason::Large { len, max: MAX_LEN });
    largest(policies).into_iter().map(|id| (id, finding.clone())).collect()
}

/// The policies to split: the largest, and a few more if they are nearly as large.
fn largest(policies: &[&Policy]) -> Vec<PolicyId> {
    let len = |policy: &Policy| wire::encode(&compile(&[policy])).len();
    let mut sized: Vec<(usize, &PolicyId)> =
        policies.iter().map(|policy| (len(policy), policy.id())).collect();
    sized.sort_by(|(a, x), (b, y)| b.cmp(a).then(x.cmp(y)));
    let worth_naming = sized.first().map_or(0, |(largest, _)| largest / 2);
    let named = sized.into_iter().take(NAMED).take_while(|(len, _)| *len >= worth_naming);
    named.map(|(_, id)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Index;
    use crate::object::{Object, Text};
    use crate::status::{ConditionType, Reason};
    use crate::testing::{GOOD, REFUSED, id, object};
    use corsward_policy::validate::NoJudge;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn index(objects: impl IntoIterator<Item = Object>) -> Index {
        let mut index = Index::new(Arc::new(NoJudge));
        for object in objects {
            index.apply(object);
        }
        index
    }

    #[track_caller]
    fn reason(plan: &Plan, name: &str, kind: ConditionType) -> (bool, Reason, String) {
        let status = plan.statuses.iter().find(|status| status.policy == id(name)).unwrap();
        let condition = status.condition(kind).unwrap();
        (condition.holds, condition.reason, condition.message.clone())
    }

    fn with_origins(name: &str, count: usize) -> Object {
        let origins: Vec<Value> = (0..count)
            .map(|at| json!(format!("https://tenant-{at:06}.{name}.shop.example")))
            .collect();
        object(name, &json!({"cors": {"allowOrigins": origins}}))
    }

    #[test]
    fn no_policy_is_an_explicit_nothing() {
        let plan = plan(&index([]));
        assert_eq!(plan.attachments.len(), 1);
        assert!(wire::decode(&plan.attachments[0].compiled).unwrap().policies().next().is_none());
    }

    #[test]
    fn the_order_in_which_policies_came_does_not_matter() {
        let mut objects: Vec<Object> =
            (0..8).map(|at| with_origins(&format!("p{at}"), 2)).collect();
        let forward = plan(&index(objects.clone()));
        objects.reverse();
        assert_eq!(plan(&index(objects.clone())), forward);
        objects.rotate_left(3);
        assert_eq!(plan(&index(objects)), forward);
    }

    #[test]
    fn conditions_say_what_holds_and_why() {
        use ConditionType::{Accepted, Programmed};
        let off = json!({"cors": {"allowOrigins": ["https://a.example"]}, "mode": "Off"});
        let dry = json!({"cors": {"allowOrigins": ["https://a.example"]}, "mode": "DryRun"});
        let plan = plan(&index([
            object("good", &GOOD),
            object("refused", &REFUSED),
            object("off", &off),
            object("dry", &dry),
        ]));
        for (name, kind, want) in [
            ("good", Accepted, (true, Reason::Accepted)),
            ("good", Programmed, (true, Reason::Programmed)),
            ("refused", Accepted, (false, Reason::Invalid)),
            ("refused", Programmed, (false, Reason::Invalid)),
            ("off", Accepted, (true, Reason::Accepted)),
            ("off", Programmed, (false, Reason::Off)),
            ("dry", Programmed, (true, Reason::Programmed)),
        ] {
            let (holds, reason, message) = reason(&plan, name, kind);
            assert_eq!((holds, reason), want, "{name} {kind:?}: {message}");
        }
    }

    #[test]
    fn a_policy_that_wins_nowhere_names_the_winner() {
        let plan = plan(&index([object("a", &GOOD), object("b", &GOOD)]));
        let (holds, why, message) = reason(&plan, "b", ConditionType::Programmed);
        assert_eq!((holds, why), (false, Reason::Overridden));
        assert!(message.contains("shop/a"), "{message}");
        assert!(reason(&plan, "b", ConditionType::Accepted).0);
        assert!(reason(&plan, "a", ConditionType::Programmed).0);
    }

    #[test]
    fn the_winners_deletion_brings_the_next_into_force() {
        let mut index = index([object("a", &GOOD), object("b", &GOOD)]);
        index.delete(&id("a"));
        assert!(reason(&plan(&index), "b", ConditionType::Programmed).0);
    }

    #[test]
    fn a_large_attachment_is_published_with_a_warning() {
        let plan = plan(&index([with_origins("large", 8_000), object("small", &GOOD)]));
        assert_eq!(plan.attachments.len(), 1);
        let codes = |name| {
            let status = plan.statuses.iter().find(|status| status.policy == id(name)).unwrap();
            status.findings.iter().map(Finding::code).collect::<Vec<_>>()
        };
        assert!(codes("large").contains(&"CORS-W521"), "{:?}", codes("large"));
    }

    #[test]
    fn too_large_an_attachment_is_held_back_and_what_was_in_force_stays() {
        let mut index = index([object("small", &GOOD)]);
        let before = plan(&index);
        before.settle(&mut index);
        for name in ["large", "larger"] {
            index.apply(with_origins(name, 16_000));
        }
        let plan = plan(&index);
        assert_eq!(plan.attachments, before.attachments);
        assert_eq!(plan.in_force, before.in_force);
        let (holds, why, message) = reason(&plan, "large", ConditionType::Programmed);
        assert_eq!((holds, why), (false, Reason::NotPublishable));
        assert!(message.contains("split shop/larger, shop/large;"), "{message}");
        assert!(
            reason(&plan, "large", ConditionType::Accepted).0,
            "there is nothing wrong with it"
        );
        assert!(reason(&plan, "small", ConditionType::Programmed).0, "it is in force as it was");
    }

    fn with_regexes(name: &str, mode: &str) -> Object {
        let regexes: Vec<Value> =
            (0..16).map(|at| json!(format!("https://t{at}[0-9]\\.{name}\\.example"))).collect();
        let cors = json!({"allowOriginRegexes": regexes});
        let hostname = format!("{name}.shop.example");
        object(name, &json!({"hostnames": [hostname], "cors": cors, "mode": mode}))
    }

    /// Carries out 63 policies with 16 regexes each, one small one, and then a plan with two more of 16.
    fn crowded() -> Index {
        let mut index = index((0..63).map(|at| with_regexes(&format!("p{at}"), "Active")));
        index.apply(object("small", &GOOD));
        plan(&index).settle(&mut index);
        for name in ["late", "later"] {
            index.apply(with_regexes(name, "Active"));
        }
        let held = plan(&index);
        assert_eq!(reason(&held, "late", ConditionType::Programmed).1, Reason::NotPublishable);
        held.settle(&mut index);
        index
    }

    #[test]
    fn what_does_not_fit_keeps_no_removal_no_off_and_no_edit_from_taking_effect() {
        let names = |plan: &Plan| {
            let compiled = wire::decode(&plan.attachments[0].compiled).unwrap();
            compiled.policies().map(|id| id.name.clone()).collect::<Vec<_>>()
        };
        let mut index = crowded();
        assert!(names(&plan(&index)).contains(&"small".to_owned()));
        index.delete(&id("small"));
        assert!(!names(&plan(&index)).contains(&"small".to_owned()), "deleted");
        let mut index = crowded();
        let off = json!({"cors": {"allowOrigins": ["https://a.example"]}, "mode": "Off"});
        index.apply(object("small", &off));
        let plan_off = plan(&index);
        assert!(!names(&plan_off).contains(&"small".to_owned()), "off");
        assert_eq!(reason(&plan_off, "small", ConditionType::Programmed).1, Reason::Off);
        let mut index = crowded();
        index.apply(object("small", &json!({"cors": {"allowOrigins": ["https://b.example"]}})));
        let edited = plan(&index);
        assert!(edited.attachments[0].compiled.contains("b.example"), "edited");
        assert!(reason(&edited, "small", ConditionType::Programmed).0);
    }

    #[test]
    fn an_edit_that_does_not_fit_leaves_what_was_in_force_before_it() {
        let mut index = crowded();
        index.delete(&id("late"));
        plan(&index).settle(&mut index);
        let Object { text, .. } = with_regexes("small", "Active");
        index.apply(Object { text, ..object("small", &GOOD) });
        let edited = plan(&index);
        let (_, why, message) = reason(&edited, "small", ConditionType::Programmed);
        assert_eq!(why, Reason::NotPublishable);
        assert!(message.contains("generation 1 is still in force"), "{message}");
        assert!(edited.attachments[0].compiled.contains("a.example"));
    }

    #[test]
    fn a_digest_is_that_of_the_bytes() {
        let attachment = Attachment::new("abc".to_owned());
        assert_eq!(
            attachment.digest,
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_name_and_a_spec_are_all_that_counts() {
        let placed = |place: &str| Object { place: Some(place.into()), ..object("a", &GOOD) };
        assert_eq!(
            plan(&index([placed("a.yaml")])).attachments,
            plan(&index([placed("b.yaml")])).attachments
        );
        let text = Text::Unreadable(Vec::new());
        let broken = Object { text, ..object("a", &GOOD) };
        assert_eq!(plan(&index([broken])).in_force, BTreeMap::new());
    }
}
