//! Product: the texts that an expression and the grammar of origins accept together, as a graph.
//!
//! The expression stays an NFA: the graph has at most as many nodes as there are pairs of its states and places of the grammar, so
//! that no expression makes it explode.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use corsward_policy::finding::OriginFault as Fault;
use corsward_policy::validate::Steps;
use regex_automata::nfa::thompson::{NFA, State, Transition};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;

use super::expression::Expression;
use super::grammar::{BEYOND_ASCII, Finish, ReadState};

/// Most steps for one expression, over all of its parts and repairs; one that takes more is not judged.
pub(super) const MAX_STEPS: usize = 50_000 * NODE_STEPS;
/// The steps of a visit to one node.
const NODE_STEPS: usize = 32;
/// The steps that it takes to make one state of an automaton.
const STATE_STEPS: usize = 8;

/// A set of bytes, [`BEYOND_ASCII`] for all beyond ASCII.
pub(super) type Bytes = u128;

/// A state of the expression at a place of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Node {
    state: StateID,
    pub(super) place: ReadState,
    /// Whether the last byte is one of a word; `false` in expressions that do not ask.
    after_word: bool,
    /// The classes that anchors and word boundaries let follow: [`WORD`], [`OTHER`] and [`END`].
    next: u8,
}

const WORD: u8 = 1;
const OTHER: u8 = 2;
const END: u8 = 4;

/// An edge between two nodes, for any one of `bytes`, or without a byte if there are none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    to: Node,
    pub(super) bytes: Bytes,
    faults: [Option<Fault>; 2],
}

/// A text with what keeps it from being an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nearest {
    pub(super) text: String,
    /// Faults with their offsets in the text, from left to right.
    pub(super) faults: Vec<(usize, Fault)>,
}

/// The nodes that can be reached without a fault, by index, with their edges.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Vec<(usize, Bytes)>>,
    /// Nodes at which an origin may end.
    pub(super) ends: Vec<usize>,
}

/// The steps that may still be taken: for one expression, and for all of a policy.
#[derive(Debug)]
pub(super) struct Budget<'s> {
    own: Cell<usize>,
    shared: &'s Steps,
}

/// The budget is spent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

// === impl Budget ===

impl<'s> Budget<'s> {
    pub(super) fn new(shared: &'s Steps) -> Self {
        Self { own: Cell::new(MAX_STEPS), shared }
    }

    #[cfg(test)]
    pub(super) fn spent(&self) -> usize {
        MAX_STEPS.saturating_sub(self.own.get())
    }

    /// The automaton of an expression; `None` where it or the steps for it are too large.
    pub(super) fn automaton(&self, expression: &Expression) -> Option<NFA> {
        // Nothing is made once nothing can be read.
        self.spend(1).ok()?;
        let nfa = expression.automaton()?;
        self.spend(nfa.states().len().saturating_mul(STATE_STEPS)).ok()?;
        Some(nfa)
    }

    /// Takes steps off both budgets. Once one of them is spent, so is the other for this expression.
    pub(super) fn spend(&self, steps: usize) -> Result<(), TooLarge> {
        let left = self.own.get().checked_sub(steps).filter(|_| self.shared.take(steps).is_ok());
        self.own.set(left.unwrap_or_default());
        left.map(|_| ()).ok_or(TooLarge)
    }
}

// === impl Node ===

impl Node {
    fn start(nfa: &NFA) -> Self {
        let state = nfa.start_anchored();
        Self { state, place: ReadState::Begin, after_word: false, next: WORD | OTHER | END }
    }

    /// Whether the expression and the grammar both end here.
    fn end(&self, nfa: &NFA) -> Finish {
        let matches = matches!(nfa.state(self.state), State::Match { .. }) && self.next & END != 0;
        if matches { self.place.end() } else { Finish::Never }
    }

    fn edges(&self, nfa: &NFA) -> Vec<Edge> {
        let mut edges = Vec::new();
        let read = |trans: Transition, edges: &mut Vec<Edge>| {
            self.read(trans, nfa.look_set_any().contains_word(), edges);
        };
        if let Some((place, fault)) = self.place.without_scheme() {
            edges.push(Edge { to: Self { place, ..*self }, bytes: 0, faults: [fault, None] });
        }
        let mut free = |state: StateID| {
            edges.push(Edge { to: Self { state, ..*self }, bytes: 0, faults: [None, None] });
        };
        match nfa.state(self.state) {
            State::ByteRange { trans } => {
                read(*trans, &mut edges);
            }
            State::Sparse(sparse) => {
                for trans in &sparse.transitions {
                    read(*trans, &mut edges);
                }
            }
            State::Dense(dense) => {
                for (byte, next) in (0..=u8::MAX).zip(&dense.transitions) {
                    read(Transition { start: byte, end: byte, next: *next }, &mut edges);
                }
            }
            State::Union { alternates } => alternates.iter().copied().for_each(free),
            State::BinaryUnion { alt1, alt2 } => {
                free(*alt1);
                free(*alt2);
            }
            State::Capture { next, .. } => free(*next),
            State::Look { look, next } => edges.extend(self.look(*look, *next)),
            State::Fail | State::Match { .. } => {}
        }
        edges
    }

    /// Edges for the bytes of a range.
    fn read(&self, trans: Transition, tells_words: bool, edges: &mut Vec<Edge>) {
        let Transition { start, end, next: state } = trans;
        // `BEYOND_ASCII` stands in the place of DEL.
        let ascii = start..end.saturating_add(1).min(BEYOND_ASCII);
        for byte in ascii.chain((end > BEYOND_ASCII).then_some(BEYOND_ASCII)) {
            let is_word = byte.is_ascii_alphanumeric() || byte == b'_';
            let allowed = if is_word { WORD } else { OTHER };
            let anchor = match self.next {
                next if next & allowed != 0 => None,
                END => Some(Fault::Anchor),
                _ => continue,
            };
            let Some((place, fault)) = self.place.step(byte) else { continue };
            let to =
                Self { state, place, after_word: is_word && tells_words, next: WORD | OTHER | END };
            let faults = [anchor, fault];
            let bit = 1_u128.checked_shl(u32::from(byte)).unwrap_or_default();
            match edges.last_mut() {
                Some(last) if last.to == to && last.faults == faults => last.bytes |= bit,
                _ => edges.push(Edge { to, bytes: bit, faults }),
            }
        }
    }

    /// An edge for an assertion, where it can hold. No origin has a line break.
    fn look(&self, look: Look, state: StateID) -> Option<Edge> {
        let (here, there) = if self.after_word { (OTHER | END, WORD) } else { (WORD, OTHER | END) };
        let mut fault = None;
        let next = match look {
            Look::Start | Look::StartLF | Look::StartCRLF => {
                fault = (self.place != ReadState::Begin).then_some(Fault::Anchor);
                self.next
            }
            Look::End | Look::EndLF | Look::EndCRLF => self.next & END,
            Look::WordAscii | Look::WordUnicode => self.next & here,
            Look::WordAsciiNegate | Look::WordUnicodeNegate => self.next & there,
            Look::WordStartAscii
            | Look::WordStartUnicode
            | Look::WordStartHalfAscii
            | Look::WordStartHalfUnicode
                if self.after_word =>
            {
                0
            }
            Look::WordEndAscii | Look::WordEndUnicode if !self.after_word => 0,
            Look::WordStartAscii | Look::WordStartUnicode => self.next & WORD,
            Look::WordEndAscii
            | Look::WordEndUnicode
            | Look::WordEndHalfAscii
            | Look::WordEndHalfUnicode => self.next & (OTHER | END),
            Look::WordStartHalfAscii | Look::WordStartHalfUnicode => self.next,
        };
        let to = Self { state, next, ..*self };
        (next != 0).then_some(Edge { to, bytes: 0, faults: [fault, None] })
    }
}

// === impl Graph ===

impl Graph {
    /// All nodes that lie on a way from the beginning to an end, without a fault.
    pub(super) fn of(nfa: &NFA, budget: &Budget<'_>) -> Result<Self, TooLarge> {
        let mut graph = Self::default();
        let mut known: HashMap<Node, usize> = HashMap::new();
        graph.add(Node::start(nfa), &mut known);
        let mut at = 0;
        while let Some(node) = graph.nodes.get(at).copied() {
            if node.end(nfa) == Finish::Clean {
                graph.ends.push(at);
            }
            let mut edges = Vec::new();
            for edge in node.edges(nfa).iter().filter(|edge| edge.faults == [None, None]) {
                edges.push((graph.add(edge.to, &mut known), edge.bytes));
            }
            if let Some(own) = graph.edges.get_mut(at) {
                *own = edges;
            }
            budget.spend(NODE_STEPS)?;
            at = at.saturating_add(1);
        }
        graph.keep_useful();
        Ok(graph)
    }

    fn add(&mut self, node: Node, known: &mut HashMap<Node, usize>) -> usize {
        *known.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            self.edges.push(Vec::new());
            self.nodes.len().saturating_sub(1)
        })
    }

    /// Forgets the edges to nodes from which no end can be reached.
    fn keep_useful(&mut self) {
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (from, edges) in self.edges.iter().enumerate() {
            for (to, _) in edges {
                before.get_mut(*to).into_iter().for_each(|list| list.push(from));
            }
        }
        let mut useful = vec![false; self.nodes.len()];
        let mut left = self.ends.clone();
        while let Some(at) = left.pop() {
            if let Some(flag) = useful.get_mut(at)
                && !*flag
            {
                *flag = true;
                left.extend(before.get(at).into_iter().flatten());
            }
        }
        let is_useful = |at: usize| useful.get(at) == Some(&true);
        for (from, edges) in self.edges.iter_mut().enumerate() {
            edges.retain(|(to, _)| is_useful(from) && is_useful(*to));
        }
    }

    /// The places that lie on a way to an end.
    pub(super) fn useful_places(&self) -> impl Iterator<Item = ReadState> {
        let starts = self.nodes.iter().zip(&self.edges).filter(|(_, edges)| !edges.is_empty());
        let ends = self.ends.iter().filter_map(|at| self.nodes.get(*at));
        starts.map(|(node, _)| node.place).chain(ends.map(|node| node.place))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// The text that the expression accepts and that comes closest to an origin; `None` where it accepts none.
pub(super) fn nearest(nfa: &NFA, budget: &Budget<'_>) -> Result<Option<Nearest>, TooLarge> {
    let mut found: Vec<(Node, Option<(usize, Edge)>)> = vec![(Node::start(nfa), None)];
    let mut best: HashMap<Node, (u32, u32)> = HashMap::new();
    let mut heap = BinaryHeap::from([Reverse((0_u32, 0_u32, 0_usize, false))]);
    while let Some(Reverse((cost, len, at, is_end))) = heap.pop() {
        let Some((node, _)) = found.get(at).copied() else { break };
        if is_end {
            let last = match node.end(nfa) {
                Finish::Faulty(fault) => Some(fault),
                Finish::Clean | Finish::Never => None,
            };
            return Ok(Some(trace(&found, at, last)));
        }
        if best.get(&node).is_some_and(|known| *known < (cost, len)) {
            continue;
        }
        budget.spend(NODE_STEPS)?;
        match node.end(nfa) {
            Finish::Clean => heap.push(Reverse((cost, len, at, true))),
            Finish::Faulty(fault) => {
                heap.push(Reverse((cost.saturating_add(weight(fault)), len, at, true)));
            }
            Finish::Never => {}
        }
        for edge in node.edges(nfa) {
            let more: u32 = edge.faults.iter().flatten().copied().map(weight).sum();
            let key = (cost.saturating_add(more), len.saturating_add(u32::from(edge.bytes != 0)));
            if best.get(&edge.to).is_none_or(|known| key < *known) {
                best.insert(edge.to, key);
                heap.push(Reverse((key.0, key.1, found.len(), false)));
                found.push((edge.to, Some((at, edge))));
            }
        }
    }
    Ok(None)
}

/// The weight of a fault: the less, the likelier it is the author's. Each letter of a name may have a fault of its own.
fn weight(fault: Fault) -> u32 {
    const LETTERS: u32 = 512;
    match fault {
        Fault::HostCase | Fault::SchemeCase | Fault::NonAscii | Fault::ExtensionId => 1,
        Fault::NoScheme => 5 * LETTERS,
        Fault::Anchor | Fault::Character | Fault::EmptyLabel => 3 * LETTERS,
        _ => 2 * LETTERS,
    }
}

/// The way to node `at`.
fn trace(found: &[(Node, Option<(usize, Edge)>)], mut at: usize, last: Option<Fault>) -> Nearest {
    let mut steps = Vec::new();
    while let Some((_, Some((from, edge)))) = found.get(at) {
        steps.push(edge);
        at = *from;
    }
    let (mut text, mut faults) = (String::new(), Vec::new());
    for edge in steps.into_iter().rev() {
        faults.extend(edge.faults.iter().flatten().map(|fault| (text.len(), *fault)));
        text.extend(friendliest(edge.bytes).map(char::from));
    }
    faults.extend(last.map(|fault| (text.len(), fault)));
    Nearest { text, faults }
}

/// The byte of a set that reads best.
pub(super) fn friendliest(bytes: Bytes) -> Option<u8> {
    let is_in = |byte: &u8| bytes.checked_shr(u32::from(*byte)).is_some_and(|bits| bits & 1 == 1);
    (b'a'..=b'z').chain(b'0'..=b'9').chain(b'A'..=b'Z').chain(0..=BEYOND_ASCII).find(is_in)
}
