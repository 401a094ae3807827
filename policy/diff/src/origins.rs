//! Origins: lists of patterns and regexes, and the search for an origin that some lists accept and others do not.
//!
//! Containment of patterns and well-chosen origins decide most entries. The rest is decided by automata of serialized origins, which
//! hold a superset of what is searched for; the lists themselves have the last word about each origin that is found.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use corsward_policy::contain::Cover;
use corsward_policy::origin::Origin;
use corsward_policy::pattern::cidr::Cidr;
use corsward_policy::pattern::{HostShape, OriginPattern, PortPattern, TuplePattern};
use corsward_policy::regex::OriginRegex;

use crate::automaton::{Language, Search, search};
use crate::language;

/// Most exact origins in an automaton.
const MAX_EXACT: usize = 100;
/// Most automata that are kept.
const MAX_LANGUAGES: usize = 256;
/// Ports that few lists name.
const RARE_PORTS: [u16; 4] = [47_811, 39_119, 1, 61_613];

/// A list of origins, as a policy has it.
pub(crate) struct OriginList<'l> {
    patterns: &'l [OriginPattern],
    regexes: &'l [OriginRegex],
    accepts: Box<dyn Fn(&Origin<'_>) -> bool + 'l>,
    cover: Cover,
    texts: HashSet<&'l str>,
}

/// The entries of a list that accept an origin of those that are searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The entries, each with the entries of the excluded lists that it contains.
    pub(crate) entries: Vec<(String, Vec<String>)>,
    /// One of the origins.
    pub(crate) witness: Option<String>,
    /// What could not be decided.
    pub(crate) undecided: Vec<String>,
}

/// Origins that all of `within` accept and none of `without`.
#[derive(Clone, Copy)]
pub(crate) struct Question<'q> {
    pub(crate) within: &'q [&'q OriginList<'q>],
    pub(crate) without: &'q [&'q OriginList<'q>],
}

/// The automata that were made.
#[derive(Debug, Default)]
pub(crate) struct Languages(RefCell<HashMap<String, Option<Language>>>);

/// An entry of a list.
#[derive(Clone, Copy)]
enum Entry<'e> {
    Any,
    Tuple(&'e OriginPattern, &'e TuplePattern),
    Regex(&'e OriginRegex),
}

// === impl OriginList ===

impl<'l> OriginList<'l> {
    pub(crate) fn new(
        patterns: &'l [OriginPattern],
        regexes: &'l [OriginRegex],
        accepts: impl Fn(&Origin<'_>) -> bool + 'l,
    ) -> Self {
        let texts = regexes.iter().map(OriginRegex::as_str).collect();
        Self { patterns, regexes, accepts: Box::new(accepts), cover: Cover::new(patterns), texts }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty() && self.regexes.is_empty()
    }

    fn is_any(&self) -> bool {
        self.patterns.contains(&OriginPattern::Any)
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let patterns = self.patterns.iter().filter_map(|pattern| match pattern {
            OriginPattern::Any => Some(Entry::Any),
            OriginPattern::Null => None,
            OriginPattern::Tuple(tuple) => Some(Entry::Tuple(pattern, tuple)),
        });
        patterns.chain(self.regexes.iter().map(Entry::Regex))
    }

    /// Returns whether one entry is known to accept all that `entry` does.
    fn covers(&self, entry: Entry<'_>) -> bool {
        match entry {
            Entry::Any => self.is_any(),
            Entry::Tuple(pattern, _) => self.cover.contains(pattern),
            Entry::Regex(regex) => self.is_any() || self.texts.contains(regex.as_str()),
        }
    }

    /// The entries that the other list covers, and those that it may not cover.
    fn split(&self, other: &Self) -> (Vec<Entry<'_>>, Vec<Entry<'_>>) {
        self.entries().partition(|entry| other.covers(*entry))
    }

    /// The entries that stand for all origins of both lists; `None` where no entries do.
    pub(crate) fn shared(&self, other: &Self) -> Option<BTreeSet<String>> {
        let (mut shared, own) = self.split(other);
        let (of_other, others) = other.split(self);
        let is_apart = |one: Entry<'_>, other: Entry<'_>| match other {
            Entry::Tuple(_, tuple) => !one.may_meet(tuple),
            Entry::Any | Entry::Regex(_) => false,
        };
        let are_apart = own.iter().all(|one| others.iter().all(|other| is_apart(*one, *other)));
        shared.extend(of_other);
        are_apart.then(|| shared.into_iter().map(|entry| entry.to_string()).collect())
    }

    fn tuples(&self) -> impl Iterator<Item = &TuplePattern> {
        self.patterns.iter().filter_map(|pattern| match pattern {
            OriginPattern::Tuple(tuple) => Some(tuple),
            OriginPattern::Any | OriginPattern::Null => None,
        })
    }
}

// === impl Question ===

impl Question<'_> {
    /// Answers with all entries of the first list of `within` that accept such an origin, or with any one where there is none.
    pub(crate) fn entries(&self, languages: &Languages) -> Found {
        let mut found = Found::default();
        let Some(first) = self.within.first() else { return self.any(languages) };
        for entry in first.entries() {
            match self.search(entry, languages) {
                Search::Found(origin) => {
                    found.entries.push((entry.to_string(), self.exceptions(entry)));
                    found.witness.get_or_insert(origin);
                }
                Search::Empty => {}
                Search::TooLarge => found.undecided.push(entry.to_string()),
            }
        }
        found
    }

    /// Answers with one origin.
    pub(crate) fn any(&self, languages: &Languages) -> Found {
        let entries: Vec<Entry<'_>> = match self.within.first() {
            Some(first) => first.entries().collect(),
            None => vec![Entry::Any],
        };
        let quick = entries.iter().find_map(|entry| self.try_instances(*entry));
        if quick.is_some() {
            return Found { witness: quick, ..Found::default() };
        }
        let mut found = Found::default();
        for entry in entries {
            match self.search(entry, languages) {
                Search::Found(origin) => {
                    return Found { witness: Some(origin), ..Found::default() };
                }
                Search::Empty => {}
                Search::TooLarge => found.undecided.push(entry.to_string()),
            }
        }
        found
    }

    fn passes(&self, origin: &str) -> bool {
        Origin::parse(origin.as_bytes()).is_some_and(|origin| {
            self.within.iter().all(|list| (list.accepts)(&origin))
                && !self.without.iter().any(|list| (list.accepts)(&origin))
        })
    }

    fn try_instances(&self, entry: Entry<'_>) -> Option<String> {
        entry.instances().into_iter().find(|origin| self.passes(origin))
    }

    fn search(&self, entry: Entry<'_>, languages: &Languages) -> Search {
        if self.without.iter().any(|list| list.covers(entry)) {
            return Search::Empty;
        }
        if let Some(origin) = self.try_instances(entry) {
            return Search::Found(origin);
        }
        let others: Vec<&TuplePattern> = self.others().flat_map(OriginList::tuples).collect();
        let others: Vec<&TuplePattern> =
            others.into_iter().filter(|tuple| entry.may_meet(tuple)).collect();
        let has_regexes = self.others().any(|list| !list.regexes.is_empty());
        if let Entry::Tuple(_, tuple) = entry
            && (matches!(tuple.host(), HostShape::Exact(_)) || tuple.host().block().is_some())
        {
            let mut origins = address_origins(tuple, &others);
            if let Some(origin) = origins.find(|origin| self.passes(origin)) {
                return Search::Found(origin);
            }
            // Every class of addresses and ports that patterns tell apart was tried.
            if !has_regexes {
                return Search::Empty;
            }
        }
        self.search_automata(entry, &others, languages)
    }

    /// The lists beside the one that the entry is of.
    fn others(&self) -> impl Iterator<Item = &OriginList<'_>> {
        self.within.iter().skip(1).chain(self.without).copied()
    }

    fn search_automata(
        &self,
        entry: Entry<'_>,
        others: &[&TuplePattern],
        languages: &Languages,
    ) -> Search {
        let mut within = Vec::new();
        match entry {
            Entry::Any => {}
            Entry::Tuple(_, tuple) => match language::of_tuple(tuple) {
                Some(text) => within.push(text),
                None => return Search::TooLarge,
            },
            Entry::Regex(regex) => within.push(regex.as_str().to_owned()),
        }
        let mut without = Vec::new();
        for list in self.without {
            // An exact origin is refused by `passes` as soon as the search meets it.
            let is_wide = |tuple: &&&TuplePattern| !is_one_origin(tuple);
            let wide: Vec<&TuplePattern> = others.iter().filter(is_wide).copied().collect();
            let (patterns, _) = patterns_of(list, &wide);
            without.extend((!patterns.is_empty()).then(|| patterns.join("|")));
            without.extend(list.regexes.iter().map(|regex| regex.as_str().to_owned()));
        }
        for list in self.within.iter().skip(1).filter(|list| !list.is_any()) {
            let (mut all, complete) = patterns_of(list, others);
            all.extend(list.regexes.iter().map(|regex| format!("(?:{})", regex.as_str())));
            match complete {
                true if all.is_empty() => return Search::Empty,
                true => within.push(all.join("|")),
                false => {}
            }
        }
        let mut result = Search::Empty;
        for (universe, excluded) in universes(entry) {
            let within = std::iter::once(&universe).chain(&within);
            let within: Option<Vec<Language>> = within.map(|text| languages.get(text)).collect();
            let Some(within) = within else { return Search::TooLarge };
            // Without one of these the search meets more texts, which `passes` refuses.
            let without = std::iter::once(&excluded).chain(&without);
            let without: Vec<Language> = without.filter_map(|text| languages.get(text)).collect();
            let (within, without): (Vec<_>, Vec<_>) =
                (within.iter().collect(), without.iter().collect());
            match search(&within, &without, &mut |text| self.passes(text)) {
                Search::Empty => {}
                Search::TooLarge => result = Search::TooLarge,
                found @ Search::Found(_) => return found,
            }
        }
        result
    }

    /// The entries of `without` that are a part of `entry`.
    fn exceptions(&self, entry: Entry<'_>) -> Vec<String> {
        let Entry::Tuple(pattern, tuple) = entry else { return Vec::new() };
        if is_one_origin(tuple) {
            return Vec::new();
        }
        let cover = Cover::new([pattern]);
        let all = self.without.iter().flat_map(|list| list.patterns);
        let contained: BTreeSet<String> =
            all.filter(|other| cover.contains(other)).map(ToString::to_string).collect();
        contained.into_iter().collect()
    }
}

// === impl Languages ===

impl Languages {
    fn get(&self, regex: &str) -> Option<Language> {
        let mut known = self.0.borrow_mut();
        if known.len() > MAX_LANGUAGES {
            known.clear();
        }
        known.entry(regex.to_owned()).or_insert_with(|| Language::of(regex)).clone()
    }
}

// === impl Entry ===

impl Entry<'_> {
    /// Some of its origins; none of a regex.
    fn instances(self) -> Vec<String> {
        match self {
            Self::Any => [
                "https://any.example",
                "https://zq9.zq9.test:47811",
                "http://192.0.2.7",
                "https://[2001:db8::7]",
                "zq9://page",
            ]
            .map(str::to_owned)
            .to_vec(),
            Self::Tuple(_, tuple) => {
                let ports = ports(tuple.port(), &[]);
                let origins = hosts(tuple.host()).into_iter().flat_map(|host| {
                    let origin = |port| format!("{}://{host}{port}", tuple.scheme());
                    ports.iter().map(origin).collect::<Vec<_>>()
                });
                origins.collect()
            }
            Self::Regex(_) => Vec::new(),
        }
    }

    /// Returns `false` only if no origin is one of both.
    fn may_meet(self, other: &TuplePattern) -> bool {
        let Self::Tuple(_, tuple) = self else { return true };
        let same = tuple.scheme() == other.scheme();
        let apart = match (tail(tuple.host()), tail(other.host())) {
            (Some(one), Some(two)) => !one.ends_with(two) && !two.ends_with(one),
            _ => false,
        };
        same && !apart
    }
}

impl std::fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Tuple(pattern, _) => pattern.fmt(f),
            Self::Regex(regex) => write!(f, "/{}/", regex.as_str()),
        }
    }
}

/// The end that all names of a shape have; `None` for addresses and any host.
fn tail(host: &HostShape) -> Option<&str> {
    match host {
        HostShape::Exact(host) => Some(host),
        HostShape::Subdomains(rest) | HostShape::Label { rest, .. } => Some(rest),
        HostShape::Ipv4(_) | HostShape::Cidr(_) | HostShape::Any => None,
    }
}

fn is_one_origin(tuple: &TuplePattern) -> bool {
    matches!(tuple.host(), HostShape::Exact(_)) && tuple.port() != PortPattern::Any
}

/// Some hosts of a shape, the plainest first.
fn hosts(host: &HostShape) -> Vec<String> {
    match host {
        HostShape::Exact(host) => vec![host.clone()],
        HostShape::Subdomains(rest) => {
            ["www", "zq9", "zq9.zq9", "_zq"].map(|labels| format!("{labels}.{rest}")).to_vec()
        }
        HostShape::Label { prefix, suffix, rest } => {
            let dot = if rest.is_empty() { "" } else { "." };
            ["1", "zq9", "-zq-"].map(|star| format!("{prefix}{star}{suffix}{dot}{rest}")).to_vec()
        }
        HostShape::Ipv4(_) | HostShape::Cidr(_) => {
            host.block().map(|block| vec![written(block.network())]).unwrap_or_default()
        }
        HostShape::Any => ["any.example", "zq9.zq9.test", "192.0.2.7", "[2001:db8::7]"]
            .map(str::to_owned)
            .to_vec(),
    }
}

/// Ports of a pattern, as an origin ends in them; every class that `others` tell apart has one.
fn ports(port: PortPattern, others: &[&TuplePattern]) -> Vec<String> {
    let text = |number: u16| format!(":{number}");
    match port {
        PortPattern::Default => vec![String::new()],
        PortPattern::Number(number) => vec![text(number)],
        PortPattern::Any => {
            let named: BTreeSet<u16> = others
                .iter()
                .filter_map(|tuple| match tuple.port() {
                    PortPattern::Number(number) => Some(number),
                    PortPattern::Default | PortPattern::Any => None,
                })
                .collect();
            let is_rare = |port: &u16| !named.contains(port);
            let rare = RARE_PORTS.into_iter().chain(1024..=u16::MAX).find(is_rare);
            std::iter::once(String::new()).chain(rare.into_iter().chain(named).map(text)).collect()
        }
    }
}

/// Origins of a pattern for one host or for a block: one of each class that `others` tell apart.
fn address_origins<'t>(
    tuple: &'t TuplePattern,
    others: &[&'t TuplePattern],
) -> impl Iterator<Item = String> + 't {
    let mut all = hosts(tuple.host());
    if let Some(block) = tuple.host().block() {
        for other in others {
            let own = match other.host() {
                HostShape::Exact(host) => address(host).map(Cidr::of),
                host => host.block(),
            };
            let Some(own) = own.filter(|own| block.contains(own)) else { continue };
            all.push(written(own.network()));
            all.extend(after(own).filter(|next| block.contains(&Cidr::of(*next))).map(written));
        }
    }
    let ports = ports(tuple.port(), others);
    all.into_iter().flat_map(move |host| {
        let origin = |port| format!("{}://{host}{port}", tuple.scheme());
        ports.iter().map(origin).collect::<Vec<_>>()
    })
}

fn address(host: &str) -> Option<IpAddr> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.parse().ok()
}

/// An address as an origin has it.
fn written(address: IpAddr) -> String {
    HostShape::from(Cidr::of(address)).to_string()
}

/// The address after the last one of a block.
fn after(block: Cidr) -> Option<IpAddr> {
    match block.network() {
        IpAddr::V4(first) => {
            let size = 1_u32.checked_shl(32_u32.checked_sub(block.prefix().into())?)?;
            Some(Ipv4Addr::from(u32::from(first).checked_add(size)?).into())
        }
        IpAddr::V6(first) => {
            let size = 1_u128.checked_shl(128_u32.checked_sub(block.prefix().into())?)?;
            Some(Ipv6Addr::from(u128::from(first).checked_add(size)?).into())
        }
    }
}

/// The regexes of those patterns of `list` that are among `others`, and whether they are all of them.
fn patterns_of(list: &OriginList<'_>, others: &[&TuplePattern]) -> (Vec<String>, bool) {
    let own: HashSet<&TuplePattern> = list.tuples().collect();
    let own: HashSet<&TuplePattern> =
        others.iter().copied().filter(|tuple| own.contains(*tuple)).collect();
    let exact = own.iter().filter(|tuple| is_one_origin(tuple)).count();
    let mut texts = BTreeSet::new();
    let mut complete = true;
    for tuple in own {
        let is_left_out = exact > MAX_EXACT && is_one_origin(tuple);
        match language::of_tuple(tuple).filter(|_| !is_left_out) {
            Some(text) => drop(texts.insert(text)),
            None => complete = false,
        }
    }
    (texts.into_iter().collect(), complete)
}

/// The sets that an entry's origins are searched in, each with what is to be left out.
fn universes(entry: Entry<'_>) -> Vec<(String, String)> {
    let web = || (language::web_origins(), language::DEFAULT_PORTS.to_owned());
    let app = || (language::app_origins(), language::NO_APP.to_owned());
    match entry {
        Entry::Tuple(_, tuple) if matches!(tuple.scheme(), "http" | "https") => vec![web()],
        Entry::Tuple(..) => vec![app()],
        Entry::Any | Entry::Regex(_) => vec![web(), app()],
    }
}
