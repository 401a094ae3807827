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
//! The proxies that a policy is for are the caller's matter: a comparison of many proxies lists those with one difference together.
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
mod probe;
mod proxies;
mod request_class;

pub use compare::compare;
pub use difference::{Answer, Change, Comparison, Difference, OriginClass, Place, Undecided};
pub use probe::{Observed, Probe, Verdict};
pub use proxies::{Compared, ProxyComparison};
