//! The difference between two sets of policies: each class of requests that they answer differently, with one request as its witness.
//!
//! The result is decided on the sets themselves, not by samples. No IO.
//!
//! ```text
//! hosts and paths (place) --> rule sets --> origins (origins, automaton) --> requests (request_class) --> decide, twice
//! ```
//!
//! Requests form a product: a host, a path, an origin, a method, header names and the kind of the request. The selectors of both sets cut hosts
//! and paths into finitely many classes, and each set selects one rule set for all requests of a class. The lists of those two rule sets
//! cut origins, methods and header names into classes that neither tells apart any further. One request of each class is decided by
//! both sets; the classes are exhaustive, so that equal answers to all of them prove the sets equal.
//!
//! A proxy gets the policies of its namespace that name no target, and those that name a target of which it is one. Each target is compared by
//! itself, and each pair of targets where a policy comes, goes or moves, because a workload may be of both. Of three targets, a pair
//! decides each path that all back ends read alike.
//!
//! Only the classes of origins are hard to find: an origin that one list accepts and the other does not. Containment of patterns, probes of
//! each pattern and automata find one or prove that there is none; an automaton beyond its bound is reported as undecided, with
//! the entry's name.

mod automaton;
mod compare;
mod difference;
mod language;
mod origin_class;
mod origins;
mod place;
mod policy_set;
mod probe;
mod request_class;

pub use compare::compare;
pub use difference::{Answer, Change, Comparison, Difference, OriginClass, Place, Undecided};
pub use policy_set::{Member, compare_sets};
pub use probe::{Observed, Probe, Verdict};
