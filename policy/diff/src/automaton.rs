//! Automata over serialized origins: the search for an origin that some languages have and others lack.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use corsward_policy::limits::MAX_ORIGIN_LEN;
use regex_automata::dfa::dense::{self, DFA};
use regex_automata::dfa::{Automaton as _, StartKind};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};

/// Largest automaton of one language, in bytes.
const MAX_SIZE: usize = 1 << 20;
/// Most states of a product.
const MAX_STATES: usize = 10_000;
/// Most texts that are tried in one search.
const MAX_TEXTS: usize = 20_000;
/// Most steps of one search for texts.
const MAX_STEPS: usize = 1_000_000;
/// The bytes of serialized origins; those that read best come first.
const BYTES: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-_./:+ABCDEFGHIJKLMNOPQRSTUVWXYZ[]";

/// A language of texts.
#[derive(Clone, Debug)]
pub(crate) struct Language(Rc<DFA<Vec<u32>>>);

/// The result of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// This text.
    Found(String),
    /// There is none.
    Empty,
    /// The search is too large.
    TooLarge,
}

/// The texts that all of `within` have and all of `without` lack, as a graph.
#[derive(Debug, Default)]
struct Product {
    /// Bytes, and the state that they lead to.
    edges: Vec<Vec<(Rc<[u8]>, usize)>>,
    ends: Vec<bool>,
    /// The number of bytes to the nearest end.
    distances: Vec<Option<usize>>,
}

// === impl Language ===

impl Language {
    /// The language of a regex that matches whole texts. `None`: it is too large.
    pub(crate) fn of(regex: &str) -> Option<Self> {
        let nfa = corsward_manifest::knowledge::automaton(regex)?;
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Anchored)
            .accelerate(false)
            .dfa_size_limit(Some(MAX_SIZE))
            .determinize_size_limit(Some(MAX_SIZE));
        let dfa = dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()?;
        Some(Self(Rc::new(dfa)))
    }

    fn start(&self) -> Option<StateID> {
        self.0.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()
    }

    fn ends(&self, state: StateID) -> bool {
        self.0.is_match_state(self.0.next_eoi_state(state))
    }
}

/// Searches for the shortest text of all of `within` and none of `without` that passes `test`.
pub(crate) fn search(
    within: &[&Language],
    without: &[&Language],
    test: &mut dyn FnMut(&str) -> bool,
) -> Search {
    let Some(product) = Product::of(within, without) else { return Search::TooLarge };
    product.search(test)
}

/// The bytes of origins in classes that no language tells apart.
fn classes(languages: &[&Language]) -> Vec<Rc<[u8]>> {
    let mut classes: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for &byte in BYTES {
        let key: Vec<u8> = languages.iter().map(|it| it.0.byte_classes().get(byte)).collect();
        match classes.iter_mut().find(|(known, _)| *known == key) {
            Some((_, bytes)) => bytes.push(byte),
            None => classes.push((key, vec![byte])),
        }
    }
    classes.into_iter().map(|(_, bytes)| bytes.into()).collect()
}

// === impl Product ===

impl Product {
    fn of(within: &[&Language], without: &[&Language]) -> Option<Self> {
        let all = || within.iter().chain(without);
        let start: Vec<StateID> = all().map(|language| language.start()).collect::<Option<_>>()?;
        let mut product = Self::default();
        let classes = classes(&all().copied().collect::<Vec<_>>());
        let mut known: HashMap<Vec<StateID>, usize> = HashMap::from([(start.clone(), 0)]);
        let mut left = VecDeque::from([start]);
        while let Some(states) = left.pop_front() {
            let mut edges = Vec::new();
            for bytes in &classes {
                let Some(byte) = bytes.first() else { continue };
                let next = all().zip(&states).map(|(it, state)| it.0.next_state(*state, *byte));
                let next: Vec<StateID> = next.collect();
                let dead = within.iter().zip(&next).any(|(it, state)| it.0.is_dead_state(*state));
                if dead {
                    continue;
                }
                let number = known.len();
                let to = *known.entry(next).or_insert_with_key(|next| {
                    left.push_back(next.clone());
                    number
                });
                edges.push((bytes.clone(), to));
            }
            product.edges.push(edges);
            let is_inside = within.iter().zip(&states).all(|(it, state)| it.ends(*state));
            let mut outside = without.iter().zip(states.iter().skip(within.len()));
            product.ends.push(is_inside && outside.all(|(it, state)| !it.ends(*state)));
            if known.len() > MAX_STATES {
                return None;
            }
        }
        product.measure();
        Some(product)
    }

    /// Fills in the distances.
    fn measure(&mut self) {
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.edges.len()];
        for (from, edges) in self.edges.iter().enumerate() {
            for (_, to) in edges {
                before.get_mut(*to).into_iter().for_each(|list| list.push(from));
            }
        }
        let ends = self.ends.iter().enumerate().filter(|(_, is_end)| **is_end);
        let mut left: VecDeque<(usize, usize)> = ends.map(|(at, _)| (at, 0)).collect();
        self.distances = vec![None; self.edges.len()];
        while let Some((at, distance)) = left.pop_front() {
            if let Some(own) = self.distances.get_mut(at)
                && own.is_none()
            {
                *own = Some(distance);
                let before = before.get(at).into_iter().flatten();
                left.extend(before.map(|from| (*from, distance.saturating_add(1))));
            }
        }
    }

    fn distance(&self, at: usize) -> Option<usize> {
        self.distances.get(at).copied().flatten()
    }

    /// Tries its texts, the shortest first.
    fn search(&self, test: &mut dyn FnMut(&str) -> bool) -> Search {
        let Some(shortest) = self.distance(0) else { return Search::Empty };
        let mut walk = Walk { product: self, test, text: Vec::new(), texts: 0, steps: 0 };
        for len in shortest..=MAX_ORIGIN_LEN {
            if walk.visit(0, len) {
                return Search::Found(String::from_utf8_lossy(&walk.text).into_owned());
            }
            if walk.is_over() {
                return Search::TooLarge;
            }
        }
        Search::Empty
    }
}

/// A walk over all texts of one length.
struct Walk<'w> {
    product: &'w Product,
    test: &'w mut dyn FnMut(&str) -> bool,
    text: Vec<u8>,
    texts: usize,
    steps: usize,
}

// === impl Walk ===

impl Walk<'_> {
    fn is_over(&self) -> bool {
        self.texts > MAX_TEXTS || self.steps > MAX_STEPS
    }

    /// Returns whether a text passes that goes on from `at` with `len` bytes; it is in `text` then.
    fn visit(&mut self, at: usize, len: usize) -> bool {
        self.steps = self.steps.saturating_add(1);
        let Some(rest) = len.checked_sub(1) else {
            if self.product.ends.get(at) != Some(&true) {
                return false;
            }
            self.texts = self.texts.saturating_add(1);
            return (self.test)(std::str::from_utf8(&self.text).unwrap_or_default());
        };
        let product = self.product;
        for (bytes, to) in product.edges.get(at).into_iter().flatten() {
            if product.distance(*to).is_none_or(|distance| distance > rest) {
                continue;
            }
            for byte in bytes.iter() {
                self.text.push(*byte);
                if self.visit(*to, rest) {
                    return true;
                }
                if self.is_over() {
                    return false;
                }
                self.text.pop();
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(within: &[&str], without: &[&str]) -> Search {
        let languages = |texts: &[&str]| -> Vec<Language> {
            texts.iter().map(|text| Language::of(text).unwrap()).collect()
        };
        let (within, without) = (languages(within), languages(without));
        search(&within.iter().collect::<Vec<_>>(), &without.iter().collect::<Vec<_>>(), &mut |_| {
            true
        })
    }

    #[test]
    fn the_shortest_text_of_a_difference_is_found() {
        assert_eq!(of(&["a+"], &["a", "aa"]), Search::Found("aaa".into()));
        assert_eq!(of(&["a|ab"], &["a"]), Search::Found("ab".into()));
        assert_eq!(of(&["[a-c]"], &["a|b", "c"]), Search::Empty);
        assert_eq!(of(&["a.*", ".*b"], &[]), Search::Found("ab".into()));
        assert_eq!(of(&["^a$"], &[r"a\b"]), Search::Empty);
    }

    #[test]
    fn texts_that_a_test_refuses_are_passed_over() {
        let any = Language::of("a*").unwrap();
        let found = search(&[&any], &[], &mut |text| text.len() > 5);
        assert_eq!(found, Search::Found("aaaaaa".into()));
        let few = Language::of("a{0,3}").unwrap();
        assert_eq!(search(&[&few], &[], &mut |_| false), Search::Empty);
        let many = Language::of("[a-z]{9}").unwrap();
        assert_eq!(search(&[&many], &[], &mut |_| false), Search::TooLarge);
    }
}
