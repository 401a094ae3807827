//! The outlet into a cluster: what should be published, statuses and notices, each handed to the task that writes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::attachment::{AttachmentKey, Desired, Sighting};
use crate::compact::Compact;
use crate::events::{Notice, Notices};
use crate::index::{Index, Scope};
use crate::plan::ScopePlan;
use crate::status::{ConditionType, Reason, Status, resource};
use crate::surroundings::Key;
use crate::writer::{ResourceKind, ResourceRef, StatusWrite, condition_times};

/// The tasks that write into a cluster, as the loop sees them.
#[derive(Debug)]
pub(crate) struct Cluster {
    desired: Desired,
    keys: BTreeMap<Scope, Vec<Arc<AttachmentKey>>>,
    is_stale: bool,
    /// Statuses that were sent and not seen yet, and what was seen when they were.
    sent: BTreeMap<ResourceRef, Sent>,
    leading: bool,
    publisher: watch::Sender<Arc<Desired>>,
    writer: mpsc::UnboundedSender<StatusWrite>,
    notices: Notices,
}

#[derive(Debug)]
struct Sent {
    status: Compact,
    instead_of: Compact,
}

// === impl Cluster ===

impl Cluster {
    pub(crate) fn new(
        publisher: watch::Sender<Arc<Desired>>,
        writer: mpsc::UnboundedSender<StatusWrite>,
        notices: Notices,
    ) -> Self {
        let (desired, keys, sent) = Default::default();
        let (is_stale, leading) = (true, false);
        Self { desired, keys, is_stale, sent, leading, publisher, writer, notices }
    }

    /// This replica writes from now on, or does not any more.
    pub(super) fn lead(&mut self, leading: bool) {
        self.leading = leading;
        // What the last leader sent may never have arrived.
        self.sent.clear();
    }

    /// Takes in what should be published in a part.
    pub(super) fn desire<'k>(
        &mut self,
        scope: &Scope,
        plan: &ScopePlan,
        known: impl Iterator<Item = (&'k AttachmentKey, &'k Sighting)>,
        off: bool,
    ) {
        let mut desired: BTreeMap<AttachmentKey, _> = plan
            .attachments()
            .map(|(key, attachment)| (key.clone(), (Arc::clone(attachment), false)))
            .collect();
        for (key, sighting) in known {
            if sighting.digest.is_some() && !plan.has(key) {
                desired.insert(key.clone(), (plan.retiring(key, off), true));
            }
        }
        let before = self.keys.remove(scope).unwrap_or_default();
        for key in before.iter().filter(|key| !desired.contains_key(*key)) {
            self.is_stale |= self.desired.attachments.remove(key).is_some();
            self.is_stale |= self.desired.retiring.remove(key).is_some();
        }
        if !desired.is_empty() {
            self.keys.insert(scope.clone(), desired.keys().cloned().map(Arc::new).collect());
        }
        for (key, (attachment, retiring)) in desired {
            let key = Arc::new(key);
            let Desired { attachments, retiring: old } = &mut self.desired;
            let (to, from) = if retiring { (old, attachments) } else { (attachments, old) };
            self.is_stale |= from.remove(&key).is_some();
            if to.get(&key) != Some(&attachment) {
                to.insert(key, attachment);
                self.is_stale = true;
            }
        }
    }

    /// Tells the publisher, if there is anything new.
    pub(super) fn flush(&mut self) {
        if std::mem::take(&mut self.is_stale) {
            self.publisher.send_replace(Arc::new(self.desired.clone()));
        }
    }

    /// Has statuses written where they differ from what is there.
    pub(super) fn report(&mut self, index: &Index, statuses: &[Status]) {
        if !self.leading {
            return;
        }
        for status in statuses {
            self.report_one(index, status);
        }
    }

    fn report_one(&mut self, index: &Index, status: &Status) {
        let Some(record) =
            index.entries().get(&status.policy).and_then(|entry| entry.object.record.as_ref())
        else {
            return;
        };
        let resource = ResourceRef {
            kind: ResourceKind::CorsPolicy,
            namespace: Some(status.policy.namespace.clone()),
            name: status.policy.name.clone(),
            uid: record.uid.clone(),
        };
        let news = |known: &Value| notice(&resource, status, known);
        let news = self.write(&resource, resource::of(status), &record.status, news);
        if let Some(notice) = news.flatten() {
            self.notices.send(notice);
        }
    }

    /// Has the statuses of these sets and guardrails written where they differ from what is there.
    pub(super) fn report_neighbors(
        &mut self,
        index: &Index,
        sets: impl Iterator<Item = Key>,
        guardrails: impl Iterator<Item = (String, usize)>,
    ) {
        if !self.leading {
            return;
        }
        let neighbors = index.neighbors();
        for key in sets {
            let Some(said) = neighbors.set(&key) else { continue };
            let origins =
                neighbors.sets().get(&key).and_then(|origins| Some(origins.as_ref()?.len()));
            let resource = ResourceRef {
                kind: ResourceKind::OriginSet,
                uid: said.written().uid.clone(),
                namespace: Some(key.namespace),
                name: key.name,
            };
            let status = resource::of_set(said, origins);
            self.write(&resource, status, &Compact::of(&said.written().status), |_| ());
        }
        for (name, exceeded_by) in guardrails {
            let Some(held) = neighbors.guardrail(&name) else { continue };
            let resource = ResourceRef {
                kind: ResourceKind::ClusterCorsPolicy,
                uid: held.said.written().uid.clone(),
                namespace: None,
                name,
            };
            let status = resource::of_guardrail(held, exceeded_by);
            let observed = Compact::of(&held.said.written().status);
            self.write(&resource, status, &observed, |_| ());
        }
    }

    /// Has a status written, unless `observed` says the same or that very status is on its way; what `news` makes of what was
    /// known before.
    fn write<N>(
        &mut self,
        resource: &ResourceRef,
        mut new: Value,
        observed: &Compact,
        news: impl FnOnce(&Value) -> N,
    ) -> Option<N> {
        // Somebody else wrote in between: what was sent is not there any more.
        let pending = self
            .sent
            .remove(resource)
            .filter(|sent| sent.status != *observed && sent.instead_of == *observed);
        let known = pending.as_ref().map_or(observed, |sent| &sent.status).value();
        condition_times(&mut new, &known, Timestamp::now());
        if new == known {
            self.sent.extend(pending.map(|sent| (resource.clone(), sent)));
            return None;
        }
        let news = news(&known);
        let status = Compact::of(&new);
        let write = StatusWrite { resource: resource.clone(), status: new };
        if self.writer.send(write).is_ok() {
            let sent = Sent { status, instead_of: observed.clone() };
            self.sent.insert(resource.clone(), sent);
        }
        Some(news)
    }
}

/// What a user must know of a policy that had the status `known` before.
fn notice(resource: &ResourceRef, status: &Status, known: &Value) -> Option<Notice> {
    let before = |kind: ConditionType| {
        let conditions = known.get("conditions")?.as_array()?;
        let of_kind = |condition: &&Value| {
            condition.get("type").and_then(Value::as_str) == Some(kind.as_str())
        };
        Some(conditions.iter().find(of_kind)?.get("reason")?.as_str()?.to_owned())
    };
    let accepted = status.condition(ConditionType::Accepted)?;
    let programmed = status.condition(ConditionType::Programmed)?;
    let is_new = |kind, reason: Reason| before(kind).as_deref() != Some(reason.as_str());
    let is_edited =
        known.get("observedGeneration").and_then(Value::as_i64) != Some(status.observed_generation);
    let (condition, warning) = if !accepted.holds {
        let is_news = is_edited || is_new(accepted.kind, accepted.reason);
        (is_news.then_some(accepted)?, true)
    } else if programmed.reason != Reason::Reconciling && is_new(programmed.kind, programmed.reason)
    {
        (programmed, !programmed.holds && programmed.reason != Reason::Off)
    } else {
        return None;
    };
    let mut note = condition.message.clone();
    if !accepted.holds {
        note = format!("{note}; {}", programmed.message);
    }
    let action = if accepted.holds { "Publish" } else { "Judge" };
    Some(Notice {
        resource: resource.clone(),
        warning,
        reason: condition.reason.as_str().to_owned(),
        action: action.to_owned(),
        note,
    })
}
