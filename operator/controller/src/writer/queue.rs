//! Queue: which statuses wait to be written, the latest of each object.

use std::collections::{HashMap, HashSet, VecDeque};

use corsward_operator_core::json_text::JsonText;

use corsward_operator_core::resource_ref::ResourceRef;

/// Statuses that wait, and the objects whose status is being written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    latest: HashMap<ResourceRef, JsonText>,
    // INVARIANT: the keys of `latest`, in the order in which they are written.
    order: VecDeque<ResourceRef>,
    writing: HashSet<ResourceRef>,
    /// The rejected statuses without a newer one.
    refused: HashMap<ResourceRef, JsonText>,
}

// === impl Queue ===

impl Queue {
    /// A status is to be written; one that waits for the same object is not any more.
    pub(super) fn push(&mut self, resource: ResourceRef, status: JsonText) {
        self.refused.remove(&resource);
        if self.latest.insert(resource.clone(), status).is_none() {
            self.order.push_back(resource);
        }
    }

    /// The next status to write. Two of one object are not written at the same time: the older one might come second.
    pub(super) fn next(&mut self) -> Option<(ResourceRef, JsonText)> {
        let at = self.order.iter().position(|resource| !self.writing.contains(resource))?;
        let resource = self.order.remove(at)?;
        let status = self.latest.remove(&resource)?;
        self.writing.insert(resource.clone());
        Some((resource, status))
    }

    /// A status is not being written any more.
    pub(super) fn done(&mut self, resource: &ResourceRef) {
        self.writing.remove(resource);
    }

    /// A status could not be written: it is again, unless there is a newer one.
    pub(super) fn again(&mut self, resource: ResourceRef, status: JsonText) {
        self.done(&resource);
        if !self.latest.contains_key(&resource) {
            self.push(resource, status);
        }
    }

    /// Notes a rejected status: it waits until [all of them](Self::send_refused) are sent again, unless there is a newer one.
    pub(super) fn refused(&mut self, resource: ResourceRef, status: JsonText) {
        self.done(&resource);
        if !self.latest.contains_key(&resource) {
            self.refused.insert(resource, status);
        }
    }

    /// Sends the rejected statuses again.
    pub(super) fn send_refused(&mut self) {
        for (resource, status) in std::mem::take(&mut self.refused) {
            self.push(resource, status);
        }
    }

    /// The number of writes in flight.
    pub(super) fn writing(&self) -> usize {
        self.writing.len()
    }

    /// Forgets everything; says how much it was.
    pub(super) fn clear(&mut self) -> usize {
        let Self { latest, order: _, writing, refused: _ } = std::mem::take(self);
        latest.len().saturating_add(writing.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corsward_operator_core::resource_ref::ResourceKind;
    use serde_json::json;

    fn resource(name: &str) -> ResourceRef {
        ResourceRef {
            kind: ResourceKind::CorsPolicy,
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
            uid: "u".to_owned(),
        }
    }

    fn status(number: i32) -> JsonText {
        JsonText::of(&json!(number))
    }

    #[test]
    fn of_each_object_the_latest_status_is_written_in_the_order_of_the_first() {
        let mut queue = Queue::default();
        for (name, number) in [("a", 1), ("b", 2), ("a", 3)] {
            queue.push(resource(name), status(number));
        }
        assert_eq!(queue.next(), Some((resource("a"), status(3))));
        assert_eq!(queue.next(), Some((resource("b"), status(2))));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn a_status_waits_while_an_older_one_of_its_object_is_written() {
        let mut queue = Queue::default();
        queue.push(resource("a"), status(1));
        queue.next();
        queue.push(resource("a"), status(2));
        queue.push(resource("b"), status(3));
        assert_eq!(queue.next(), Some((resource("b"), status(3))), "others need not wait");
        assert_eq!(queue.next(), None);
        queue.done(&resource("a"));
        assert_eq!(queue.next(), Some((resource("a"), status(2))));
    }

    #[test]
    fn what_failed_is_written_again_unless_there_is_a_newer_one() {
        let mut queue = Queue::default();
        queue.push(resource("a"), status(1));
        let (failed, old) = queue.next().unwrap();
        queue.again(failed, old);
        let (failed, old) = queue.next().unwrap();
        assert_eq!(old, status(1));
        queue.push(resource("a"), status(2));
        queue.again(failed, old);
        assert_eq!(queue.next(), Some((resource("a"), status(2))));
    }

    #[test]
    fn what_was_refused_is_written_when_it_is_sent_again_unless_there_is_a_newer_one() {
        let mut queue = Queue::default();
        for name in ["a", "c", "b"] {
            queue.push(resource(name), status(1));
            let (refused, old) = queue.next().unwrap();
            if name == "b" {
                queue.push(resource(name), status(2));
            }
            queue.refused(refused, old);
        }
        assert_eq!(queue.next(), Some((resource("b"), status(2))), "the others wait");
        assert_eq!(queue.next(), None);
        queue.done(&resource("b"));
        queue.push(resource("c"), status(2));
        queue.send_refused();
        let mut sent: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        sent.sort_by_key(|(resource, _)| resource.name.clone());
        assert_eq!(sent, [(resource("a"), status(1)), (resource("c"), status(2))]);
    }

    #[test]
    fn what_is_forgotten_is_counted() {
        let mut queue = Queue::default();
        for name in ["a", "b", "c"] {
            queue.push(resource(name), status(1));
        }
        queue.next();
        assert_eq!(queue.clear(), 3);
        assert_eq!((queue.next(), queue.writing()), (None, 0));
    }
}
