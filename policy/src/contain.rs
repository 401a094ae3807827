//! Containment: whether one pattern accepts every origin of a second one, by the grammar (design section 3.1).

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::origin::{is_http, parse_ipv4, parse_ipv6};
use crate::pattern::cidr::Cidr;
use crate::pattern::{HostShape, OriginPattern, PortPattern, TuplePattern};

/// A set of patterns, with look-ups for those that contain a given one, because lists may be long.
///
/// A pattern that only several of them cover together is contained in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    any: bool,
    null: bool,
    /// By one notation for each set of origins, the first of them as it was written.
    tuples: HashMap<TuplePattern, TuplePattern>,
    /// Those of `tuples` with a star inside a label, by scheme, port and what follows that label: one pattern stands for them.
    labels: HashMap<TuplePattern, Labels>,
    /// The prefix lengths of their blocks of addresses.
    prefixes: BTreeSet<u8>,
    /// Whether one of them accepts any port: in most lists none does, and none is looked up.
    any_port: bool,
}

/// Patterns with a star inside a label, by the text before the star and the one behind it.
type Labels = HashMap<String, HashMap<String, TuplePattern>>;

// === impl OriginPattern ===

impl OriginPattern {
    /// Is every origin that this pattern accepts accepted by `other`?
    pub fn is_contained_in(&self, other: &Self) -> bool {
        Cover::new([other]).contains(self)
    }
}

// === impl Cover ===

impl Cover {
    /// A cover of those patterns.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p OriginPattern>) -> Self {
        let mut cover = Self::default();
        for pattern in patterns {
            match pattern {
                OriginPattern::Any => cover.any = true,
                OriginPattern::Null => cover.null = true,
                OriginPattern::Tuple(tuple) => {
                    if let HostShape::Label { prefix, suffix, rest } = tuple.host() {
                        let labels = cover.labels.entry(below(tuple, rest, tuple.port()));
                        let by_suffix = labels.or_default().entry(prefix.clone()).or_default();
                        by_suffix.entry(suffix.clone()).or_insert_with(|| tuple.clone());
                    }
                    cover.any_port |= tuple.port() == PortPattern::Any;
                    cover.prefixes.extend(tuple.host().block().map(|block| block.prefix()));
                    let one = tuple.in_one_notation();
                    cover.tuples.entry(one).or_insert_with(|| tuple.clone());
                }
            }
        }
        cover
    }

    /// Is all that `pattern` accepts accepted by one of them?
    pub fn contains(&self, pattern: &OriginPattern) -> bool {
        self.any
            || match pattern {
                OriginPattern::Any => false,
                OriginPattern::Null => self.null,
                OriginPattern::Tuple(tuple) => {
                    self.tuples.contains_key(&tuple.in_one_notation())
                        || self.wider_than(tuple).is_some()
                }
            }
    }

    /// A further pattern, `*` aside, that accepts every origin of `tuple`.
    pub(crate) fn wider_than(&self, tuple: &TuplePattern) -> Option<&TuplePattern> {
        let tuple = &tuple.in_one_notation();
        let mut hosts = self.wider_hosts(tuple);
        hosts.push(tuple.host().clone());
        for host in hosts {
            for port in self.wider_ports(tuple) {
                let wider = tuple.with(host.clone(), port);
                if wider != *tuple
                    && let Some(wider) = self.tuples.get(&wider)
                {
                    return Some(wider);
                }
            }
        }
        self.star_over(tuple)
    }

    /// The ports in use that accept those of `tuple`.
    fn wider_ports(&self, tuple: &TuplePattern) -> impl Iterator<Item = PortPattern> + use<> {
        [tuple.port()].into_iter().chain(self.any_port.then_some(PortPattern::Any))
    }

    /// A further pattern with a star inside a label that accepts every host and port of `tuple`.
    fn star_over(&self, tuple: &TuplePattern) -> Option<&TuplePattern> {
        if self.labels.is_empty() {
            return None;
        }
        let (first, rest) = match tuple.host() {
            HostShape::Exact(host) => host.split_once('.').unwrap_or((host, "")),
            // What stands for its star is something the other star may stand for.
            HostShape::Label { prefix, suffix, rest } => {
                (&*format!("{prefix}{A_STAR_BYTE}{suffix}"), rest.as_str())
            }
            HostShape::Subdomains(_) | HostShape::Ipv4(_) | HostShape::Cidr(_) | HostShape::Any => {
                return None;
            }
        };
        self.wider_ports(tuple).find_map(|port| {
            let labels = self.labels.get(&below(tuple, rest, port))?;
            let mut around = around_stars(labels, first);
            around.find(|wider| wider.host() != tuple.host() || port != tuple.port())
        })
    }

    /// The shapes, stars inside a label aside, that accept all hosts of `tuple`, in any of their spellings.
    fn wider_hosts(&self, tuple: &TuplePattern) -> Vec<HostShape> {
        let mut wider = match (block_of(tuple), tuple.host()) {
            (_, HostShape::Any) => return Vec::new(),
            (Some(block), _) => self.wider_blocks(block),
            (None, HostShape::Exact(name)) => parents(name),
            (None, HostShape::Subdomains(rest)) => parents(rest),
            (None, HostShape::Label { rest, .. }) if !rest.is_empty() => {
                let mut wider = parents(rest);
                wider.push(HostShape::Subdomains(rest.clone()));
                wider
            }
            (None, HostShape::Label { .. } | HostShape::Ipv4(_) | HostShape::Cidr(_)) => Vec::new(),
        };
        wider.push(HostShape::Any);
        wider
    }

    /// The blocks around `block`, itself included, whose prefix has a length that is in use.
    fn wider_blocks(&self, block: Cidr) -> Vec<HostShape> {
        let mut wider = Vec::new();
        for &prefix in self.prefixes.range(..=block.prefix()) {
            let Some(around) = Cidr::around(block.network(), prefix) else { continue };
            wider.push(HostShape::from(around));
        }
        wider
    }
}

/// `*.rest` for everything after a dot.
fn parents(name: &str) -> Vec<HostShape> {
    let rests = std::iter::successors(name.split_once('.'), |(_, rest)| rest.split_once('.'));
    rests.map(|(_, rest)| HostShape::Subdomains(rest.to_owned())).collect()
}

/// The addresses that the hosts of `tuple` are, where they are addresses.
fn block_of(tuple: &TuplePattern) -> Option<Cidr> {
    match tuple.host() {
        // Hosts of other schemes are names, whatever they look like; addresses in brackets aside.
        HostShape::Exact(host) => {
            let ipv4 = parse_ipv4(host).filter(|_| is_http(tuple.scheme())).map(IpAddr::from);
            ipv4.or_else(|| parse_ipv6(host).map(IpAddr::from)).map(Cidr::of)
        }
        other => other.block(),
    }
}

/// A pattern that stands for those of a scheme and port with a star inside the label before `rest`.
fn below(tuple: &TuplePattern, rest: &str, port: PortPattern) -> TuplePattern {
    tuple.with(HostShape::Subdomains(rest.to_owned()), port)
}

/// The patterns whose texts before and behind the star enclose one or more characters of `label` that the star stands for.
fn around_stars<'l>(labels: &'l Labels, label: &str) -> impl Iterator<Item = &'l TuplePattern> {
    let prefixes = label.char_indices().filter_map(|(at, _)| label.split_at_checked(at));
    prefixes.filter_map(|(prefix, behind)| Some((labels.get(prefix)?, behind))).flat_map(
        |(by_suffix, behind)| {
            let star = behind.char_indices().take_while(|(_, c)| is_star_char(*c));
            let suffixes = star.filter_map(|(at, c)| behind.get(at.saturating_add(c.len_utf8())..));
            suffixes.filter_map(|suffix| by_suffix.get(suffix))
        },
    )
}

/// Stands for what a star stands for, and is itself part of no pattern.
const A_STAR_BYTE: char = '*';

fn is_star_char(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '-' | A_STAR_BYTE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_LIST_LEN;
    use crate::origin::{Origin, OriginHeader};
    use crate::origin_set::OriginSet;

    /// Patterns of every form, each near others of its form.
    fn patterns() -> Vec<OriginPattern> {
        let hosts = [
            "a",
            "b.a",
            "c.b.a",
            "_.a",
            "*.a",
            "*.b.a",
            "*.c.b.a",
            "x*",
            "*x",
            "x*x",
            "xy*",
            "x_*",
            "*",
            "x*.a",
            "xy*.a",
            "*x.a",
            "*yx.a",
            "x*x.a",
            "x_*.a",
            "xy*yx.a",
            "x*.b.a",
            "1.2.3.4",
            "1.2.3.*",
            "1.2.*.*",
            "1.*.*.*",
            "*.*.*.*",
            "1.3.*.*",
            "[::1]",
            "*.3.4",
            "3.4",
            "*5",
            "xyx",
            "x-x.a",
            "xyyx.a",
            ".",
            "1.2.0.0/15",
            "1.2.0.0/16",
            "1.2.3.0/24",
            "1.2.3.4/31",
            "1.2.3.4/32",
            "0.0.0.0/0",
            "0.0.0.0/1",
            "[::]/0",
            "[::]/127",
            "[::]/126",
            "[::ffff:0:0]/96",
            "[::ffff:102:304]",
        ];
        let mut patterns = vec![OriginPattern::Any, OriginPattern::Null];
        for scheme in ["http", "app", "file"] {
            for host in hosts {
                for port in ["", ":81", ":*"] {
                    patterns.extend(OriginPattern::read(&format!("{scheme}://{host}{port}")));
                }
            }
        }
        patterns.extend(OriginPattern::read("file://"));
        patterns.extend(OriginPattern::read("app://"));
        patterns
    }

    /// Hosts of origins.
    const NAMES: &[&str] = &[
        "a",
        "b.a",
        "c.b.a",
        "d.c.b.a",
        "_.a",
        "q",
        "q.a",
        "q.b.a",
        "q.q.a",
        "q.c.b.a",
        "x",
        "xx",
        "xq",
        "qx",
        "xqx",
        "xyq",
        "x_q",
        "x_",
        "xy",
        "xyx",
        "xq.a",
        "xyq.a",
        "qx.a",
        "qyx.a",
        "xqx.a",
        "x_q.a",
        "xyqyx.a",
        "xyyx.a",
        "xy_.a",
        "x-x.a",
        "xx.a",
        "xq.b.a",
        "q.q",
        "1.2.3.4",
        "1.2.3.9",
        "1.2.9.9",
        "1.9.9.9",
        "9.9.9.9",
        "1.3.9.9",
        "[::1]",
        "[::2]",
        "9.3.4",
        "3.4",
        "q5",
        "q.x",
        "a.",
        "x1",
        "1x",
        "x9x",
        "x9.a",
        "9x.a",
        "_x.a",
        "_.b.a",
        "1.3.2.4",
        "1.2.3.5",
        "200.2.3.4",
        "[::3]",
        "[::9]",
        "[::ffff:102:304]",
        "[::ffff:102:305]",
        "[1::]",
        "[::]",
    ];

    /// Origins of every kind: among them a witness for each pair of patterns of which one does not contain the other.
    fn origins() -> Vec<String> {
        let mut origins = ["null", "file://", "app://", "app://.", "app://.:81", "app://.:82"]
            .map(str::to_owned)
            .to_vec();
        origins.extend(["file://.", "file://.:81", "file://.:82", "other://a"].map(str::to_owned));
        for scheme in ["http", "app", "file"] {
            for name in NAMES {
                for port in ["", ":81", ":82"] {
                    origins.push(format!("{scheme}://{name}{port}"));
                }
            }
        }
        origins
    }

    fn accepts(set: &OriginSet, origin: &str) -> bool {
        match OriginHeader::parse(origin.as_bytes()) {
            OriginHeader::Tuple(origin) => set.accepts(&origin),
            OriginHeader::Null => set.accepts_null() || set.is_any(),
            OriginHeader::Malformed => false,
        }
    }

    #[test]
    fn one_pattern_is_contained_in_another_where_and_only_where_every_origin_it_accepts_is() {
        let patterns = patterns();
        assert!(patterns.len() > 200, "{}", patterns.len());
        let origins: Vec<String> = origins();
        let accepted: Vec<Vec<bool>> = patterns
            .iter()
            .map(|pattern| {
                let set = OriginSet::new(std::slice::from_ref(pattern), &[]);
                origins.iter().map(|origin| accepts(&set, origin)).collect()
            })
            .collect();
        for (p, ours) in patterns.iter().zip(&accepted) {
            assert!(ours.contains(&true), "no origin shows what {p} accepts");
            for (q, theirs) in patterns.iter().zip(&accepted) {
                let witness =
                    origins.iter().zip(ours.iter().zip(theirs)).find(|(_, (p, q))| **p && !**q);
                assert_eq!(p.is_contained_in(q), witness.is_none(), "{p} in {q}: {witness:?}");
            }
        }
    }

    #[test]
    fn containment_is_judged_as_an_author_reads_it() {
        for (why, one, other, want) in [
            ("itself", "https://a.example", "https://a.example", true),
            ("a subdomain", "https://b.a.example", "https://*.a.example", true),
            ("not the domain itself", "https://a.example", "https://*.a.example", false),
            ("subdomains of a subdomain", "https://*.b.a.example", "https://*.a.example", true),
            ("not the other way", "https://*.a.example", "https://*.b.a.example", false),
            ("a part of a label", "https://pr-*.a.example", "https://*.a.example", true),
            (
                "a narrower part of a label",
                "https://pr-*--x.a.example",
                "https://pr-*.a.example",
                true,
            ),
            ("a wider one", "https://p*.a.example", "https://pr-*.a.example", false),
            ("one preview", "https://pr-7.a.example", "https://pr-*.a.example", true),
            (
                "a star takes no underscore",
                "https://pr-_7.a.example",
                "https://pr-*.a.example",
                false,
            ),
            ("a port", "http://localhost:3000", "http://localhost:*", true),
            ("every port", "http://localhost:*", "http://localhost:3000", false),
            ("another scheme", "http://a.example", "https://a.example", false),
            ("an address", "http://10.1.2.3:80", "http://10.1.*.*", true),
            ("an address of any host", "http://10.1.2.3", "http://*", true),
            ("a block in a block", "http://172.20.0.0/16", "http://172.16.0.0/12:*", true),
            ("stars in a block", "http://172.20.*.*", "http://172.16.0.0/12", true),
            ("a block in stars", "http://10.128.0.0/9", "http://10.*.*.*", true),
            ("a block of that size", "http://10.0.0.0/8", "http://10.*.*.*", true),
            ("stars of that size", "http://10.*.*.*", "http://10.0.0.0/8", true),
            ("a wider block", "http://10.0.0.0/7", "http://10.*.*.*", false),
            ("an address in a block", "http://[fd12::1]:9", "http://[fd00::]/8:*", true),
            ("a mapped address", "http://[::ffff:7f00:1]", "http://127.0.0.0/8", false),
            ("a block of any host", "http://[fd00::]/8", "http://*", true),
            ("every block of any host", "http://*", "http://0.0.0.0/0", false),
            ("no host", "app://", "app://*", true),
            ("a dot", "app://.", "app://*.a", false),
            ("every address of a name", "http://10.1.*.*", "http://*.example", false),
            ("everything", "https://*:*", "*", true),
            ("everything in any host", "*", "https://*:*", false),
            ("the opaque origin", "null", "*", true),
            ("a suffix trap", "https://evil-a.example", "https://*.a.example", false),
        ] {
            let [one, other] = [one, other].map(|text| OriginPattern::read(text).unwrap());
            assert_eq!(one.is_contained_in(&other), want, "{why}: {one} in {other}");
        }
    }

    #[test]
    fn every_star_of_a_long_list_is_compared() {
        let read = |text: String| OriginPattern::read(&text).unwrap();
        let stars = (0..MAX_LIST_LEN).map(|at| read(format!("https://a{at}-*.a.example")));
        let cover = Cover::new(&stars.collect::<Vec<_>>());
        let last = MAX_LIST_LEN - 1;
        assert!(cover.contains(&read(format!("https://a{last}-x.a.example"))));
        assert!(cover.contains(&read(format!("https://a{last}-x*y.a.example"))));
        assert!(!cover.contains(&read(format!("https://a{last}.a.example"))));
    }

    #[test]
    fn every_origin_here_is_one_that_a_browser_may_send() {
        // No IPv4 addresses, though they end in a number.
        let odd = ["http://9.3.4", "http://3.4"];
        let unread: Vec<String> = origins()
            .into_iter()
            .filter(|origin| origin != "null" && Origin::parse(origin.as_bytes()).is_none())
            .filter(|origin| !odd.iter().any(|odd| origin.starts_with(odd)))
            .collect();
        assert_eq!(unread, Vec::<String>::new());
    }
}
