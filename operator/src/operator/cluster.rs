//! The outlet into a cluster: what should be published, statuses and notices, each handed to the task that writes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use corsward_policy::PolicyId;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::attachment::{AttachmentKey, Desired, Sighting};
use crate::events::{Notice, Notices};
use crate::index::{Index, Scope};
use crate::plan::ScopePlan;
use crate::status::{ConditionType, Reason, Status, resource};
use crate::writer::{ResourceKind, ResourceRef, StatusWrite, condition_times};

/// The tasks that write into a cluster, as the loop sees them.
#[derive(Debug)]
pub(crate) struct Cluster {
    desired: Desired,
    keys: BTreeMap<Scope, Vec<AttachmentKey>>,
    is_stale: bool,
    /// Statuses that were sent and not seen yet, and what was seen when they were.
    sent: BTreeMap<PolicyId, Sent>,
    leading: bool,
    publisher: watch::Sender<Arc<Desired>>,
    writer: mpsc::UnboundedSender<StatusWrite>,
    notices: Notices,
}

#[derive(Debug)]
struct Sent {
    status: Value,
    instead_of: Arc<Value>,
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
            self.keys.insert(scope.clone(), desired.keys().cloned().collect());
        }
        for (key, (attachment, retiring)) in desired {
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
        let pending = self.sent.remove(&status.policy);
        // Somebody else wrote in between: what was sent is not there any more.
        let pending = pending.filter(|sent| {
            sent.status != *record.status && Arc::ptr_eq(&sent.instead_of, &record.status)
        });
        let known = pending.as_ref().map_or(&*record.status, |sent| &sent.status);
        let mut new = resource::of(status);
        condition_times(&mut new, known, Timestamp::now());
        let instead_of = Arc::clone(&record.status);
        if new == *known {
            self.sent.extend(pending.map(|sent| (status.policy.clone(), sent)));
            return;
        }
        let resource = ResourceRef {
            kind: ResourceKind::CorsPolicy,
            namespace: Some(status.policy.namespace.clone()),
            name: status.policy.name.clone(),
            uid: record.uid.clone(),
        };
        if let Some(notice) = notice(&resource, status, known) {
            self.notices.send(notice);
        }
        let write = StatusWrite { resource, status: new.clone() };
        if self.writer.send(write).is_ok() {
            self.sent.insert(status.policy.clone(), Sent { status: new, instead_of });
        }
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
