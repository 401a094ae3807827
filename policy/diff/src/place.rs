//! Place: a class of hosts and paths for which each set has one answer, with one host and path as its witness.
//!
//! The hosts and paths that either set names cut the requests into classes: each named host, all hosts below a wildcard that no
//! longer one and no exact one takes, and all others; paths alike. A path that back ends read in more than one way has a class for
//! each pair of those readings. The target `*` of `OPTIONS` is no path, and no page can ask for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use corsward_policy::Compiled;
use corsward_policy::scope::{HostPattern, PathMatch};
use corsward_policy::survey::{Scope, Selected};

use crate::probe::Probe;

/// A class of hosts.
#[derive(Debug)]
pub(crate) struct HostClass<'c> {
    /// The name of the class.
    pub(crate) text: String,
    /// One of its hosts.
    pub(crate) host: String,
    /// The paths that the policies of either set name there.
    pub(crate) paths: BTreeSet<&'c PathMatch>,
}

/// A class of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathClass {
    /// The name of the class.
    pub(crate) text: String,
    /// One of its paths.
    pub(crate) path: String,
}

/// The scopes of one set by their hosts.
struct ByHost<'c>(HashMap<&'c HostPattern, Vec<Scope<'c>>>);

// === impl HostClass ===

impl<'c> HostClass<'c> {
    /// Returns the classes whose policies differ between the sets.
    pub(crate) fn changed(old: &'c Compiled, new: &'c Compiled) -> Vec<Self> {
        let (old, new) = (ByHost::new(old), ByHost::new(new));
        let all: BTreeSet<&HostPattern> = old.0.keys().chain(new.0.keys()).copied().collect();
        let mut classes = Vec::new();
        for pattern in &all {
            let chain = chain(pattern);
            let (old, new) = (old.of(&chain), new.of(&chain));
            if old != new
                && let Some(host) = witness(pattern, &all)
            {
                let text = match pattern {
                    HostPattern::Any if all.len() > 1 => "any other host".to_owned(),
                    HostPattern::Any => "any host".to_owned(),
                    named => named.to_string(),
                };
                let paths = old.iter().chain(&new).flat_map(Scope::paths).collect();
                classes.push(Self { text, host, paths });
            }
        }
        classes
    }

    /// Returns the classes of its paths.
    pub(crate) fn paths(&self, old: &Compiled, new: &Compiled) -> Vec<PathClass> {
        let atoms = Atom::all(&self.paths);
        let mut classes: Vec<PathClass> = atoms.iter().map(Atom::class).collect();
        if self.paths.is_empty() {
            return classes;
        }
        let ambiguous =
            |path: String| PathClass { text: format!("{path}, read in two ways"), path };
        for below in &atoms {
            let above = atoms.iter().filter(|above| above.is_above(below));
            classes.extend(above.filter_map(|above| above.merged(below)).map(ambiguous));
        }
        classes.extend(self.dotted(&atoms, old, new).into_iter().map(ambiguous));
        classes
    }

    /// Paths with dot segments that only some back ends resolve: one for each pair of rule sets that the readings select.
    fn dotted(&self, atoms: &[Atom<'_>], old: &Compiled, new: &Compiled) -> Vec<String> {
        let selected = |compiled, path: &str| {
            let probe = Probe { host: self.host.clone(), path: path.into(), ..Probe::default() };
            Selected::of(compiled, &probe).map(|selected| selected.number())
        };
        let mut by_rule_sets: BTreeMap<_, Vec<&Atom<'_>>> = BTreeMap::new();
        for atom in atoms {
            let key = (selected(old, &atom.path), selected(new, &atom.path));
            by_rule_sets.entry(key).or_default().push(atom);
        }
        let mut paths = Vec::new();
        for ((old, new), literal) in &by_rule_sets {
            // The literal reading decides where it selects a rule set.
            if old.is_some() && new.is_some() {
                paths.extend(literal.iter().find_map(|atom| atom.dotted(atom)));
                continue;
            }
            for folded in by_rule_sets.values() {
                let pairs = literal.iter().flat_map(|one| folded.iter().map(move |two| (one, two)));
                paths.extend(pairs.take(MAX_PAIRS).find_map(|(one, two)| one.dotted(two)));
            }
        }
        paths
    }
}

/// Most pairs of readings that are tried for one pair of rule sets.
const MAX_PAIRS: usize = 10_000;

/// The patterns that cover all hosts of `pattern`.
fn chain(pattern: &HostPattern) -> Vec<HostPattern> {
    let mut chain = vec![pattern.clone()];
    if let HostPattern::Exact(name) | HostPattern::Subdomains(name) = pattern {
        let rests = std::iter::successors(name.split_once('.'), |(_, rest)| rest.split_once('.'));
        chain.extend(rests.map(|(_, rest)| HostPattern::Subdomains(rest.to_owned())));
        chain.push(HostPattern::Any);
    }
    chain
}

/// A host whose narrowest pattern among `all` is `pattern`.
fn witness(pattern: &HostPattern, all: &BTreeSet<&HostPattern>) -> Option<String> {
    let numbered = || (0..=all.len()).map(|number| format!("h{number}"));
    let is_exact = |host: &String| all.contains(&HostPattern::Exact(host.clone()));
    let is_free = |host: &String| {
        !is_exact(host)
            && chain(&HostPattern::Exact(host.clone()))
                .iter()
                .all(|other| *other == HostPattern::Any || !all.contains(other))
    };
    match pattern {
        HostPattern::Exact(host) => Some(host.clone()),
        HostPattern::Subdomains(rest) => {
            let labels = std::iter::once("www".to_owned()).chain(numbered());
            labels.map(|label| format!("{label}.{rest}")).find(|host| !is_exact(host))
        }
        HostPattern::Any => {
            std::iter::once("any.example".to_owned()).chain(numbered()).find(is_free)
        }
    }
}

// === impl ByHost ===

impl<'c> ByHost<'c> {
    fn new(compiled: &'c Compiled) -> Self {
        let mut by_host: HashMap<&'c HostPattern, Vec<Scope<'c>>> = HashMap::new();
        for scope in Scope::all(compiled) {
            for host in scope.hosts() {
                by_host.entry(host).or_default().push(scope);
            }
        }
        Self(by_host)
    }

    fn of(&self, chain: &[HostPattern]) -> Vec<Scope<'c>> {
        chain.iter().filter_map(|pattern| self.0.get(pattern)).flatten().copied().collect()
    }
}

/// The paths that one path of a rule takes, and no narrower one does.
#[derive(Debug)]
struct Atom<'p> {
    kind: Kind<'p>,
    /// One of them.
    path: String,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind<'p> {
    /// All that no rule takes.
    Other,
    Exact(&'p str),
    Prefix(&'p str),
}

// === impl Atom ===

impl<'p> Atom<'p> {
    fn all(paths: &BTreeSet<&'p PathMatch>) -> Vec<Self> {
        let free = |prefix: &str| {
            let own = if prefix.is_empty() { "/".to_owned() } else { prefix.to_owned() };
            let numbered = (0..=paths.len()).map(|number| format!("{prefix}/p{number}"));
            let is_free = |path: &String| {
                !paths.contains(&PathMatch::Exact(path.clone()))
                    && (path == prefix || !paths.contains(&PathMatch::Prefix(path.clone())))
            };
            std::iter::once(own).chain(numbered).find(is_free)
        };
        let mut atoms = Vec::new();
        for path in paths {
            let (kind, witness, text) = match path {
                PathMatch::Exact(path) => (Kind::Exact(path), Some(path.clone()), path.clone()),
                PathMatch::Prefix(path) if path.is_empty() => {
                    (Kind::Prefix(path), free(path), "any other path".to_owned())
                }
                PathMatch::Prefix(path) => {
                    (Kind::Prefix(path), free(path), format!("{path} and below"))
                }
            };
            atoms.extend(witness.map(|path| Self { kind, path, text }));
        }
        let has_root = paths.contains(&PathMatch::Prefix(String::new()));
        let other = if paths.is_empty() { "any path" } else { "any other path" };
        if !has_root {
            let text = other.to_owned();
            atoms.extend(free("").map(|path| Self { kind: Kind::Other, path, text }));
        }
        atoms
    }

    fn class(&self) -> PathClass {
        PathClass { text: self.text.clone(), path: self.path.clone() }
    }

    /// The path without what follows the rule's; `None` without a rule.
    fn rule(&self) -> Option<&'p str> {
        match self.kind {
            Kind::Exact(path) | Kind::Prefix(path) => Some(path),
            Kind::Other => None,
        }
    }

    /// Returns whether some path is this class's by the letter, and `below`'s once slashes are merged.
    fn is_above(&self, below: &Self) -> bool {
        let Some(path) = below.rule() else { return false };
        match self.kind {
            Kind::Other => true,
            Kind::Exact(_) => false,
            Kind::Prefix(prefix) => {
                prefix != path
                    && path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
            }
        }
    }

    /// Such a path.
    fn merged(&self, below: &Self) -> Option<String> {
        let path = below.path.as_str();
        match self.kind {
            Kind::Other => Some(format!("/{path}")),
            Kind::Prefix(prefix) => Some(format!("{prefix}/{}", path.strip_prefix(prefix)?)),
            Kind::Exact(_) => None,
        }
    }

    /// A path that is this class's by the letter, and `folded`'s once back ends resolve all its dot segments.
    fn dotted(&self, folded: &Self) -> Option<String> {
        let to = folded.path.strip_prefix('/')?;
        let path = self.path.as_str();
        if !matches!(self.kind, Kind::Exact(_)) {
            let path = path.strip_suffix('/').unwrap_or(path);
            let up = "..%2F".repeat(path.matches('/').count());
            return Some(format!("{path}/x%2F..%2F{up}{}", to.replace('/', "%2F")));
        }
        if self.path == folded.path {
            return Some(format!("/;/..{path}"));
        }
        // The last segment is the same in both readings.
        let (parent, last) = path.rsplit_once('/')?;
        let into = match folded.kind {
            Kind::Exact(_) => to.strip_suffix(last)?.strip_suffix('/').unwrap_or_default(),
            _ => to,
        };
        let up = "x%2F../../".repeat(parent.matches('/').count());
        let into = if into.is_empty() {
            String::new()
        } else {
            format!("{}%2Fx/../", into.replace('/', "%2F"))
        };
        Some(format!("{parent}/{up}{into}{last}"))
    }
}
