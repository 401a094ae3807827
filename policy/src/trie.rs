//! A trie over byte strings cut into segments: host labels from the right, path segments from the left.

use crate::hash_index::HashIndex;

/// Values at the ends of segment sequences. A walk hashes every segment once, however many entries there are.
#[derive(Clone, Debug)]
pub(crate) struct Trie<V> {
    // INVARIANT: empty without values; the first node is the root; `children` are indices into it.
    nodes: Vec<Node<V>>,
}

#[derive(Clone, Debug)]
struct Node<V> {
    children: HashIndex<usize>,
    value: Option<V>,
}

// === impl Node ===

impl<V> Default for Node<V> {
    fn default() -> Self {
        Self { children: HashIndex::default(), value: None }
    }
}

// === impl Trie ===

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self { nodes: Vec::new() }
    }
}

impl<V> Trie<V> {
    /// Returns whether the trie has no value.
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns the value at the end of `segments`, inserted by `default` if it is missing.
    pub(crate) fn entry<'s>(
        &mut self,
        segments: impl Iterator<Item = &'s [u8]>,
        default: impl FnOnce() -> V,
    ) -> Option<&mut V> {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0;
        for segment in segments {
            let next = self.nodes.len();
            at = *self.nodes.get_mut(at)?.children.entry(segment, || next)?;
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        Some(self.nodes.get_mut(at)?.value.get_or_insert_with(default))
    }

    /// Returns the values along `segments`, each with the number of segments that lead to it.
    pub(crate) fn walk<'t, 's>(
        &'t self,
        segments: impl Iterator<Item = &'s [u8]>,
    ) -> impl Iterator<Item = (usize, &'t V)> {
        let mut segments = segments.fuse();
        let mut depth = 0_usize;
        let mut node = self.nodes.first();
        std::iter::from_fn(move || {
            loop {
                let here = node?;
                let found = here.value.as_ref().map(|value| (depth, value));
                node = segments
                    .next()
                    .and_then(|segment| here.children.get(segment))
                    .and_then(|&child| self.nodes.get(child));
                depth = depth.saturating_add(1);
                if found.is_some() {
                    return found;
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(host: &str) -> impl Iterator<Item = &[u8]> {
        host.rsplit('.').map(str::as_bytes)
    }

    #[test]
    fn a_walk_meets_every_value_on_its_way_with_its_depth() {
        let mut trie = Trie::default();
        for host in ["example", "a.example", "c.b.a.example"] {
            *trie.entry(labels(host), String::new).unwrap() = host.to_owned();
        }
        let met = |host| {
            trie.walk(labels(host)).map(|(depth, v)| (depth, v.as_str())).collect::<Vec<_>>()
        };
        assert_eq!(met("b.a.example"), [(1, "example"), (2, "a.example")]);
        assert_eq!(met("c.b.a.example"), [(1, "example"), (2, "a.example"), (4, "c.b.a.example")]);
        assert_eq!(met("other"), []);
    }

    #[test]
    fn the_root_has_a_value_too() {
        let mut trie = Trie::default();
        assert!(trie.is_empty());
        trie.entry(std::iter::empty(), || 7);
        assert!(!trie.is_empty());
        assert_eq!(trie.walk(labels("x")).collect::<Vec<_>>(), [(0, &7)]);
    }
}
