//! Queue: which statuses wait to be written, the latest of each object.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use super::ResourceRef;
use crate::compact::Compact;

/// Statuses that wait, and the objects whose status is being written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    latest: HashMap<ResourceRef, Compact>,
    // INVARIANT: the keys of `latest`, in the order in which they are written.
    order: VecDeque<ResourceRef>,
    writing: HashSet<ResourceRef>,
}

// === impl Queue ===

impl Queue {
    /// A status is to be written; one that waits for the same object is not any more.
    pub(super) fn push(&mut self, resource: ResourceRef, status: &Value) {
        if self.latest.insert(resource.clone(), Compact::of(status)).is_none() {
            self.order.push_back(resource);
        }
    }

    /// The next status to write. Two of one object are not written at the same time: the older one might come second.
    pub(super) fn next(&mut self) -> Option<(ResourceRef, Value)> {
        let at = self.order.iter().position(|resource| !self.writing.contains(resource))?;
        let resource = self.order.remove(at)?;
        let status = self.latest.remove(&resource)?.value();
        self.writing.insert(resource.clone());
        Some((resource, status))
    }

    /// A status is not being written any more.
    pub(super) fn done(&mut self, resource: &ResourceRef) {
        self.writing.remove(resource);
    }

    /// A status could not be written: it is again, unless there is a newer one.
    pub(super) fn again(&mut self, resource: ResourceRef, status: &Value) {
        self.done(&resource);
        if !self.latest.contains_key(&resource) {
            self.push(resource, status);
        }
    }

    /// How many are being written.
    pub(super) fn writing(&self) -> usize {
        self.writing.len()
    }

    /// Forgets everything; says how much it was.
    pub(super) fn clear(&mut self) -> usize {
        let Self { latest, order: _, writing } = std::mem::take(self);
        latest.len().saturating_add(writing.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::ResourceKind;
    use serde_json::json;

    fn resource(name: &str) -> ResourceRef {
        ResourceRef {
            kind: ResourceKind::CorsPolicy,
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
            uid: "u".to_owned(),
        }
    }

    #[test]
    fn of_each_object_the_latest_status_is_written_in_the_order_of_the_first() {
        let mut queue = Queue::default();
        for (name, status) in [("a", 1), ("b", 2), ("a", 3)] {
            queue.push(resource(name), &json!(status));
        }
        assert_eq!(queue.next(), Some((resource("a"), json!(3))));
        assert_eq!(queue.next(), Some((resource("b"), json!(2))));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn a_status_waits_while_an_older_one_of_its_object_is_written() {
        let mut queue = Queue::default();
        queue.push(resource("a"), &json!(1));
        queue.next();
        queue.push(resource("a"), &json!(2));
        queue.push(resource("b"), &json!(3));
        assert_eq!(queue.next(), Some((resource("b"), json!(3))), "others need not wait");
        assert_eq!(queue.next(), None);
        queue.done(&resource("a"));
        assert_eq!(queue.next(), Some((resource("a"), json!(2))));
    }

    #[test]
    fn what_failed_is_written_again_unless_there_is_a_newer_one() {
        let mut queue = Queue::default();
        queue.push(resource("a"), &json!(1));
        let (failed, status) = queue.next().unwrap();
        queue.again(failed, &status);
        let (failed, status) = queue.next().unwrap();
        assert_eq!(status, json!(1));
        queue.push(resource("a"), &json!(2));
        queue.again(failed, &status);
        assert_eq!(queue.next(), Some((resource("a"), json!(2))));
    }

    #[test]
    fn what_is_forgotten_is_counted() {
        let mut queue = Queue::default();
        for name in ["a", "b", "c"] {
            queue.push(resource(name), &json!(1));
        }
        queue.next();
        assert_eq!(queue.clear(), 3);
        assert_eq!((queue.next(), queue.writing()), (None, 0));
    }
}
