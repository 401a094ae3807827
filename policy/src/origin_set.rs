//! `OriginSet`: the origins of a list, with a look-up time that does not grow with their number.

use std::net::IpAddr;

use crate::hash_index::HashIndex;
use crate::limits::{MAX_HOST_LEN, MAX_ORIGIN_LEN};
use crate::origin::{HostKind, Origin};
use crate::pattern::cidr::Cidr;
use crate::pattern::{HostShape, OriginPattern, PortPattern, TuplePattern};
use crate::regex::OriginRegex;
use crate::trie::Trie;

/// The patterns and regexes of one list, looked up together.
#[derive(Clone, Debug, Default)]
pub(crate) struct OriginSet {
    any: bool,
    null: bool,
    /// Origins without a star, in their normal form. Each is one that a browser writes, so a request whose bytes are among them needs
    /// no parsing.
    exact: HashIndex<()>,
    /// Most lists have none.
    patterns: Option<Box<Patterns>>,
}

/// What accepts origins that are not listed.
#[derive(Clone, Debug, Default)]
struct Patterns {
    /// Hosts without a star that have any port, by `scheme://host`.
    any_port: HashIndex<()>,
    /// Hosts with a star, by scheme.
    wildcards: HashIndex<Wildcards>,
    regexes: Vec<OriginRegex>,
}

/// The place of an origin without a star in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed(usize);

/// The patterns of one scheme that have a star in their host.
#[derive(Clone, Debug, Default)]
struct Wildcards {
    any_host: Ports,
    /// Blocks of addresses, with stars or a prefix length, by the length of their prefix and its bits: one look-up for each
    /// length in use, of which there are at most 33, however many blocks there are.
    ipv4: Vec<OfLength<Ports>>,
    /// The same, of which there are at most 129.
    ipv6: Vec<OfLength<Ports>>,
    /// By the labels right of the star's label, from the right.
    names: Trie<Rest>,
}

/// The patterns that share what stands right of the star's label.
#[derive(Clone, Debug, Default)]
struct Rest {
    subdomains: Ports,
    /// Stars inside a label, by the length of what stands before the star.
    prefixes: Vec<OfLength<Vec<OfLength<Ports>>>>,
}

/// Texts of one length: one look-up for all of them. Those before a star lead to those after it, so that a label whose
/// beginning no pattern has takes one look-up for each length of a beginning, and no label takes more than one for each
/// pair of lengths: there are fewer than 2000 of those ([`MAX_LABEL_LEN`](crate::limits::MAX_LABEL_LEN)).
#[derive(Clone, Debug)]
struct OfLength<V> {
    len: usize,
    known: HashIndex<V>,
}

#[derive(Clone, Debug, Default)]
struct Ports {
    any: bool,
    default: bool,
    // INVARIANT: sorted, unique.
    numbers: Vec<u16>,
}

// === impl OriginSet ===

impl OriginSet {
    pub(crate) fn new(patterns: &[OriginPattern], regexes: &[OriginRegex]) -> Self {
        let mut set = Self::default();
        if !regexes.is_empty() {
            let patterns = Patterns { regexes: regexes.to_vec(), ..Patterns::default() };
            set.patterns = Some(Box::new(patterns));
        }
        for pattern in patterns {
            match pattern {
                OriginPattern::Any => set.any = true,
                OriginPattern::Null => set.null = true,
                OriginPattern::Tuple(tuple) => set.insert(tuple),
            }
        }
        set
    }

    /// Returns whether `*` is listed.
    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    /// Returns whether `null` is listed.
    pub(crate) fn accepts_null(&self) -> bool {
        self.null
    }

    /// Returns the place of `raw` among the origins without a star.
    pub(crate) fn listed(&self, raw: &[u8]) -> Option<Listed> {
        self.exact.place(raw).map(Listed)
    }

    /// Returns the bytes of a listed origin.
    pub(crate) fn text(&self, Listed(place): Listed) -> &[u8] {
        self.exact.key(place).unwrap_or_default()
    }

    /// Returns whether a pattern or a regex accepts `origin`.
    pub(crate) fn accepts(&self, origin: &Origin<'_>) -> bool {
        self.listed(origin.as_bytes()).is_some() || self.accepts_unlisted(origin)
    }

    /// The same of an origin that is not listed as it is.
    pub(crate) fn accepts_unlisted(&self, origin: &Origin<'_>) -> bool {
        self.any
            || origin.has_upper_case() && self.accepts_lower(origin)
            || self.patterns.as_ref().is_some_and(|patterns| patterns.accepts(origin))
    }

    /// Opaque hosts compare case-insensitively: looks up the pattern's normal form.
    #[cold]
    fn accepts_lower(&self, origin: &Origin<'_>) -> bool {
        let mut lower = [0; MAX_ORIGIN_LEN];
        let lower = to_lower(origin.as_bytes(), &mut lower);
        self.listed(lower).is_some()
            || self.patterns.as_ref().is_some_and(|patterns| patterns.any_port(lower, origin))
    }

    fn insert(&mut self, pattern: &TuplePattern) {
        let port = match pattern.port() {
            PortPattern::Number(_) => pattern.port().to_string(),
            PortPattern::Default | PortPattern::Any => String::new(),
        };
        match (pattern.host(), pattern.port()) {
            (HostShape::Exact(host), PortPattern::Default | PortPattern::Number(_)) => {
                let parts = [pattern.scheme(), "://", host, &port].map(str::as_bytes);
                self.exact.entry_of(&parts, || ());
            }
            _ => self.patterns.get_or_insert_default().insert(pattern),
        }
    }
}

// === impl Patterns ===

impl Patterns {
    fn insert(&mut self, pattern: &TuplePattern) {
        let scheme = pattern.scheme();
        if let HostShape::Exact(host) = pattern.host() {
            self.any_port.entry_of(&[scheme, "://", host].map(str::as_bytes), || ());
        } else if let Some(set) = self.wildcards.entry(scheme.as_bytes(), Wildcards::default) {
            set.insert(pattern.host(), pattern.port());
        }
    }

    fn accepts(&self, origin: &Origin<'_>) -> bool {
        self.any_port(origin.as_bytes(), origin)
            || self.wildcards.get(origin.scheme().as_bytes()).is_some_and(|set| set.accepts(origin))
            || self.regexes.iter().any(|regex| regex.accepts(origin.as_str()))
    }

    /// Returns whether the host of `raw`, which is `origin` in some case, has any port.
    fn any_port(&self, raw: &[u8], origin: &Origin<'_>) -> bool {
        let host = raw.get(..origin.len_without_port()).unwrap_or_default();
        self.any_port.get(host).is_some()
    }
}

// === impl Wildcards ===

impl Wildcards {
    fn insert(&mut self, shape: &HostShape, port: PortPattern) {
        match shape {
            // Exact hosts are looked up whole, before any wildcard.
            HostShape::Exact(_) => {}
            HostShape::Any => Ports::insert(Some(&mut self.any_host), port),
            HostShape::Ipv4(_) | HostShape::Cidr(_) => {
                let Some(block) = shape.block() else { return };
                let (network, prefix) = (block.network(), block.prefix());
                let blocks = if network.is_ipv4() { &mut self.ipv4 } else { &mut self.ipv6 };
                let key = Cidr::key(network, prefix);
                Ports::insert(OfLength::entry(blocks, usize::from(prefix), &key), port);
            }
            HostShape::Subdomains(rest) => {
                if let Some(rest) = self.names.entry(labels(rest.as_bytes()), Rest::default) {
                    Ports::insert(Some(&mut rest.subdomains), port);
                }
            }
            HostShape::Label { prefix, suffix, rest } => {
                if let Some(rest) = self.names.entry(labels(rest.as_bytes()), Rest::default) {
                    rest.insert(prefix.as_bytes(), suffix.as_bytes(), port);
                }
            }
        }
    }

    fn accepts(&self, origin: &Origin<'_>) -> bool {
        self.any_host.accept(origin)
            || match origin.kind() {
                HostKind::Ipv6(address) => accepts_address(&self.ipv6, address.into(), origin),
                HostKind::Ipv4(octets) => accepts_address(&self.ipv4, octets.into(), origin),
                HostKind::Name => self.accepts_name(origin),
            }
    }

    fn accepts_name(&self, origin: &Origin<'_>) -> bool {
        let mut lower = [0; MAX_HOST_LEN];
        let host = to_lower(origin.host_bytes(), &mut lower);
        let count = host.split(|&byte| byte == b'.').count();
        let first = host.split(|&byte| byte == b'.').next().unwrap_or_default();
        self.names.walk(labels(host)).any(|(depth, rest)| {
            // At least one label is left for the star; a star inside a label takes exactly one.
            (depth < count && rest.subdomains.accept(origin))
                || (depth.saturating_add(1) == count && rest.accepts_label(first, origin))
        })
    }
}

fn accepts_address(blocks: &[OfLength<Ports>], address: IpAddr, origin: &Origin<'_>) -> bool {
    blocks.iter().any(|of| {
        let prefix = u8::try_from(of.len).unwrap_or(u8::MAX);
        of.known.get(&Cidr::key(address, prefix)).is_some_and(|ports| ports.accept(origin))
    })
}

/// Returns the labels of a host from the right; none for an empty host.
fn labels(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    host.rsplit(|&byte| byte == b'.').filter(|_| !host.is_empty())
}

// === impl Rest ===

impl Rest {
    fn insert(&mut self, prefix: &[u8], suffix: &[u8], port: PortPattern) {
        let suffixes = OfLength::entry(&mut self.prefixes, prefix.len(), prefix);
        let ports = suffixes.and_then(|all| OfLength::entry(all, suffix.len(), suffix));
        Ports::insert(ports, port);
    }

    fn accepts_label(&self, label: &[u8], origin: &Origin<'_>) -> bool {
        self.prefixes.iter().any(|prefixes| {
            let Some((prefix, rest)) = label.split_at_checked(prefixes.len) else {
                return false;
            };
            let suffixes = prefixes.known.get(prefix).map_or(&[][..], Vec::as_slice);
            suffixes.iter().any(|suffixes| suffixes.accept(rest, origin))
        })
    }
}

// === impl OfLength ===

impl<V: Default> OfLength<V> {
    /// Returns the value of `text` from the table for its length.
    fn entry<'a>(all: &'a mut Vec<Self>, len: usize, text: &[u8]) -> Option<&'a mut V> {
        let at = all.iter().position(|of| of.len == len).unwrap_or(all.len());
        if at == all.len() {
            all.push(Self { len, known: HashIndex::default() });
        }
        all.get_mut(at)?.known.entry(text, V::default)
    }
}

impl OfLength<Ports> {
    /// Returns whether `rest` is at least one character for the star, and then one of these texts.
    fn accept(&self, rest: &[u8], origin: &Origin<'_>) -> bool {
        let Some(star_end) = rest.len().checked_sub(self.len).filter(|len| *len > 0) else {
            return false;
        };
        let (star, suffix) = rest.split_at_checked(star_end).unwrap_or_default();
        let is_star = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        self.known.get(suffix).is_some_and(|ports| ports.accept(origin)) && star.iter().all(is_star)
    }
}

// === impl Ports ===

impl Ports {
    fn insert(ports: Option<&mut Self>, port: PortPattern) {
        let Some(ports) = ports else { return };
        match port {
            PortPattern::Any => ports.any = true,
            PortPattern::Default => ports.default = true,
            PortPattern::Number(number) => {
                if let Err(at) = ports.numbers.binary_search(&number) {
                    ports.numbers.insert(at, number);
                }
            }
        }
    }

    fn accept(&self, origin: &Origin<'_>) -> bool {
        self.any
            || origin.port().map_or(self.default, |port| self.numbers.binary_search(&port).is_ok())
    }
}

/// `bytes` in lower case, in `buffer`; what does not fit is cut (callers have bounded it).
pub(crate) fn to_lower<'b>(bytes: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
    let len =
        buffer.iter_mut().zip(bytes).map(|(to, from)| *to = from.to_ascii_lowercase()).count();
    buffer.get(..len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn accepts(pattern: &str, origin: &str) -> bool {
        let pattern = OriginPattern::parse(pattern).unwrap().pattern;
        let origin = Origin::parse(origin.as_bytes()).expect("an origin");
        OriginSet::new(&[pattern], &[]).accepts(&origin)
    }

    /// Pattern, origins it accepts, origins near them that it does not.
    const FORMS: &[(&str, &[&str], &[&str])] = &[
        (
            "https://a.example",
            &["https://a.example"],
            &[
                "http://a.example",
                "https://a.example:444",
                "https://b.a.example",
                "https://a.example.",
            ],
        ),
        (
            "https://a.example:8443",
            &["https://a.example:8443"],
            &["https://a.example", "https://a.example:8444"],
        ),
        (
            "https://*.a.example",
            &["https://b.a.example", "https://c.b.a.example", "https://_x.a.example"],
            &[
                "https://a.example",
                "https://ba.example",
                "https://b.a.example:444",
                "https://b.a.example.",
                "https://b.a.example.evil",
            ],
        ),
        (
            "https://pr-*--app.a.example",
            &["https://pr-1--app.a.example", "https://pr---app--app.a.example"],
            &[
                "https://pr---app.a.example",
                "https://pr-1.2--app.a.example",
                "https://pr-1_2--app.a.example",
                "https://x.pr-1--app.a.example",
                "https://pr-1--app.b.a.example",
                "https://pr--app.a.example",
            ],
        ),
        (
            "https://*example.com",
            &["https://my-example.com"],
            &["https://example.com", "https://a.example.com"],
        ),
        ("https://a*", &["https://ab"], &["https://a", "https://ab.example"]),
        (
            "http://192.168.1.*:3000",
            &["http://192.168.1.7:3000"],
            &[
                "http://192.168.1.7",
                "http://192.168.2.7:3000",
                "http://192.168.1.evil.example:3000",
            ],
        ),
        (
            "http://10.0.*.*:*",
            &["http://10.0.3.4", "http://10.0.3.4:81"],
            &["http://10.1.3.4", "https://10.0.3.4"],
        ),
        (
            "http://172.16.0.0/12:*",
            &["http://172.16.0.0", "http://172.31.255.255:8080", "http://172.20.1.2:3000"],
            &[
                "http://172.15.255.255",
                "http://172.32.0.0",
                "https://172.16.0.1",
                "http://[::ffff:ac10:1]",
                "http://172.16.0.1.evil.example",
            ],
        ),
        (
            "http://10.0.0.0/15:8080",
            &["http://10.1.255.255:8080"],
            &["http://10.1.0.1", "http://10.2.0.0:8080"],
        ),
        (
            "http://0.0.0.0/0",
            &["http://255.0.0.1", "http://1.2.3.4"],
            &["http://a", "http://[::1]"],
        ),
        (
            "http://[fd00::]/8:*",
            &["http://[fd00::1]", "http://[fdff:ffff::]:3000"],
            &["http://[fc00::1]", "http://[fe00::]", "http://10.0.0.1", "https://[fd00::1]"],
        ),
        (
            "http://[::ffff:7f00:0]/104",
            &["http://[::ffff:7f00:1]", "http://[::ffff:7fff:ffff]"],
            &["http://127.0.0.1", "http://[::1]"],
        ),
        ("http://[::]/0", &["http://[2001:db8::1]"], &["http://1.2.3.4"]),
        ("http://*.*.*.*", &["http://1.2.3.4"], &["http://a.b.c.d", "http://1.2.3.4:81"]),
        (
            "http://localhost:*",
            &["http://localhost", "http://localhost:3000"],
            &["https://localhost", "http://localhost.evil"],
        ),
        ("http://[::1]:3000", &["http://[::1]:3000"], &["http://[::1]", "http://[::2]:3000"]),
        (
            "https://*",
            &["https://a.example", "https://1.2.3.4", "https://[::1]"],
            &["https://a.example:444", "http://a.example"],
        ),
        ("https://*:*", &["https://a.example:444", "https://a.example"], &["http://a.example"]),
        (
            "chrome-extension://AbC",
            &["chrome-extension://abc", "chrome-extension://ABC"],
            &["chrome-extension://abd"],
        ),
        ("app://*.x", &["app://A.X"], &["app://x"]),
        ("file://", &["file://"], &["https://file"]),
        ("app://", &["app://"], &["app://.", "app://a", "file://"]),
        ("app://.", &["app://."], &["app://", "app://a", "app://.:3000", "other://."]),
        ("app://*", &["app://.", "app://", "app://-"], &["app://.:3000"]),
        ("app://*.a", &["app://b.a"], &["app://.", "app://"]),
        ("*", &["https://a.example", "app://x"], &[]),
    ];

    #[test]
    fn each_form_accepts_what_it_says_and_nothing_near_it() {
        for (pattern, yes, no) in FORMS {
            for origin in *yes {
                assert!(accepts(pattern, origin), "{pattern} accepts {origin}");
            }
            for origin in *no {
                assert!(!accepts(pattern, origin), "{pattern} does not accept {origin}");
            }
        }
    }

    #[test]
    fn a_refused_address_takes_one_look_up_for_each_prefix_length_however_many_blocks_there_are() {
        let blocks: Vec<_> = (0..=255_u8)
            .flat_map(|b| [format!("http://10.{b}.0.0/16"), format!("http://11.{b}.0.0/17:*")])
            .chain((0..=255_u8).map(|b| format!("http://[fd00:{b:x}::]/32")))
            .map(|raw| OriginPattern::parse(&raw).unwrap().pattern)
            .collect();
        let set = OriginSet::new(&blocks, &[]);
        let http = set.patterns.as_ref().unwrap().wildcards.get(b"http").unwrap();
        assert_eq!((http.ipv4.len(), http.ipv6.len()), (2, 1));
        for (origin, want) in [
            ("http://10.255.1.1", true),
            ("http://11.255.1.1:9", true),
            ("http://11.255.128.1:9", false),
            ("http://[fd00:ff::1]", true),
            ("http://[fd01:ff::1]", false),
        ] {
            assert_eq!(set.accepts(&Origin::parse(origin.as_bytes()).unwrap()), want, "{origin}");
        }
    }

    #[test]
    fn what_is_listed_is_an_origin_and_accepted() {
        let forms = FORMS.iter().map(|(pattern, ..)| *pattern);
        let odd = [
            "https://A.Example:443",
            "http://a_b.example",
            "http://1.2.3.4:8080",
            "http://[2001:DB8::1]:81",
            "app://[::1]",
            "app://.",
            "file://",
            "app://-:3000",
            "ws://a.example",
            "vscode-webview://1bDgh0",
        ];
        let mut listed = 0;
        for raw in forms.chain(odd) {
            let pattern = OriginPattern::parse(raw).unwrap().pattern;
            let set = OriginSet::new(std::slice::from_ref(&pattern), &[]);
            let text = pattern.to_string();
            let Some(place) = set.listed(text.as_bytes()) else { continue };
            assert_eq!(set.text(place), text.as_bytes());
            let origin = Origin::parse(text.as_bytes()).expect("a listed origin is one");
            assert!(set.accepts(&origin), "{raw}");
            listed += 1;
        }
        assert!(listed > odd.len());
        let set =
            OriginSet::new(&[OriginPattern::parse("https://a.example").unwrap().pattern], &[]);
        for other in ["https://a.example:443", "https://A.example", "https://a.example ", ""] {
            assert_eq!(set.listed(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn null_is_accepted_only_where_it_is_named() {
        let set = |raw| OriginSet::new(&[OriginPattern::parse(raw).unwrap().pattern], &[]);
        assert!(set("null").accepts_null());
        assert!(!set("*").accepts_null());
    }

    #[test]
    fn stars_inside_a_label_of_all_lengths_are_told_apart() {
        let text = |len: usize| "a".repeat(len);
        let lengths = || (0..=62).flat_map(|len| (0..=62 - len).map(move |other| (len, other)));
        let lengths: Vec<_> =
            lengths().filter(|(len, other)| (1..62).contains(&(len + other))).collect();
        let patterns: Vec<_> = lengths
            .iter()
            .map(|(len, other)| {
                format!(
                    "https://{}*{}.b.example:{}",
                    text(*len),
                    text(*other),
                    1 + len * 64 + other
                )
            })
            .map(|raw| OriginPattern::parse(&raw).unwrap().pattern)
            .collect();
        let set = OriginSet::new(&patterns, &[]);
        let accepts = |label: &str, port: usize| {
            let origin = format!("https://{label}.b.example:{port}");
            set.accepts(&Origin::parse(origin.as_bytes()).unwrap())
        };
        for (len, other) in lengths {
            let port = 1 + len * 64 + other;
            assert!(accepts(&format!("{}x{}", text(len), text(other)), port), "{len}, {other}");
            assert!(accepts(&text(63), port), "{len}, {other}");
            assert!(!accepts(&text(len + other), port), "{len}, {other}: nothing for the star");
        }
        assert!(!accepts(&text(63), 9999));
    }

    #[test]
    fn many_patterns_are_asked_at_once() {
        let raw = [
            "https://a.example",
            "https://*.b.example:*",
            "https://x-*.b.example",
            "https://y-*.b.example",
        ];
        let patterns: Vec<_> =
            raw.iter().map(|raw| OriginPattern::parse(raw).unwrap().pattern).collect();
        let regex = OriginRegex::parse(r"https://[0-9]+\.c\.example").unwrap();
        let set = OriginSet::new(&patterns, &[regex]);
        for origin in [
            "https://a.example",
            "https://q.b.example:9",
            "https://y-1.b.example",
            "https://42.c.example",
        ] {
            assert!(set.accepts(&Origin::parse(origin.as_bytes()).unwrap()), "{origin}");
        }
        assert!(!set.accepts(&Origin::parse(b"https://x.c.example").unwrap()));
    }
}
