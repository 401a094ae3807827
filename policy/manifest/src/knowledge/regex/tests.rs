//! Causes and repairs, one by one; verdicts beside brute force.

use corsward_policy::limits::{MAX_REGEX_STEPS, MAX_REGEXES_PER_PROXY};
use corsward_policy::regex::OriginRegex;

use super::*;
use OriginFault as F;

fn reach(regex: &str) -> RegexReach {
    super::reach(regex, &Steps::for_policy())
}

fn misfit_of(regex: &str) -> Option<Misfit> {
    OriginRegex::parse(regex).unwrap_or_else(|why| panic!("{regex}: {why:?}"));
    reach(regex).misfit
}

/// `why`, the regex, its faults, the part with the first one, and what to write.
type Mended = (&'static str, &'static str, &'static [F], &'static str, &'static str);

const MENDED: &[Mended] = &[
    (
        "capitals in the host",
        r"https://App\.example",
        &[F::HostCase],
        "App.example",
        r"https://app\.example",
    ),
    (
        "a class of capitals",
        r"https://[A-Z]+\.example",
        &[F::HostCase],
        "A.example",
        r"https://[a-z]+\.example",
    ),
    (
        "an upper-case scheme",
        r"HTTPS://a\.example",
        &[F::SchemeCase],
        "HTTPS",
        r"https://a\.example",
    ),
    ("443 of https", r"https://a\.example:443", &[F::DefaultPort], ":443", r"https://a\.example"),
    ("80 of http", r"^http://a\.example:80$", &[F::DefaultPort], ":80", r"^http://a\.example$"),
    (
        "leading zeros",
        r"https://a\.example:08443",
        &[F::PortZeros],
        ":08443",
        r"https://a\.example:8443",
    ),
    ("a colon alone", r"https://a\.example:$", &[F::EmptyPort], ":", r"https://a\.example$"),
    ("a trailing slash", r"https://a\.example/", &[F::TrailingSlash], "/", r"https://a\.example"),
    (
        "an escaped one",
        r"^https:\/\/a\.example\/$",
        &[F::TrailingSlash],
        "/",
        r"^https:\/\/a\.example$",
    ),
    ("a path", r"https://a\.example/login", &[F::Path], "/login", r"https://a\.example"),
    ("any path", r"https://a\.example/.*", &[F::TrailingSlash], "/", r"https://a\.example"),
    ("a path in a group", r"(https://a\.example/x)", &[F::Path], "/x", r"(https://a\.example)"),
    ("a query", r"https://a\.example\?x", &[F::Query], "?x", r"https://a\.example"),
    ("a fragment", r"https://a\.example#x", &[F::Fragment], "#x", r"https://a\.example"),
    ("a user", r"https://me@a\.example", &[F::Userinfo], "me@", r"https://a\.example"),
    ("no scheme", r"[a-z]+\.bar\.org", &[F::NoScheme], "a.bar.org", r"https://[a-z]+\.bar\.org"),
    ("no scheme, anchored", r"^a\.example$", &[F::NoScheme], "a.example", r"^https://a\.example$"),
    ("no scheme, a port", r"localhost:\d+", &[F::NoScheme], "localhost:1", r"http://localhost:\d+"),
    ("relative", r"//a\.example", &[F::Prefix, F::NoScheme], "//a.example", r"https://a\.example"),
    ("one slash", r"https:/a\.example", &[F::Separator], "https:/a.example", r"https://a\.example"),
    ("no colon", r"https//a\.example", &[F::Separator], "https//a.example", r"https://a\.example"),
    (
        "beyond ASCII",
        "https://b\u{fc}cher\\.example",
        &[F::NonAscii],
        "",
        r"https://xn--bcher-kva\.example",
    ),
    (
        "delimiters of PHP",
        r"#^https://a\.example$#i",
        &[F::Delimiters],
        "",
        r"^https://a\.example$",
    ),
    (
        "of JavaScript",
        r"/^https:\/\/[a-z]+\.a\.example$/",
        &[F::Delimiters],
        "",
        r"^https:\/\/[a-z]+\.a\.example$",
    ),
    (
        "with capitals",
        r"/^https:\/\/A\.example$/i",
        &[F::Delimiters, F::HostCase],
        "",
        r"^https:\/\/a\.example$",
    ),
    ("without anchors", r"~https://a\.example~", &[F::Delimiters], "", r"https://a\.example"),
    ("quotes", r#""https://a\.example""#, &[F::Delimiters], "", r"https://a\.example"),
    (
        "a space before",
        r" https://a\.example",
        &[F::Prefix],
        " https://a.example",
        r"https://a\.example",
    ),
    (
        "a space behind",
        r"https://a\.example ",
        &[F::List],
        "https://a.example ",
        r"https://a\.example",
    ),
    (
        "two at once",
        r"https://A\.example:443/",
        &[F::HostCase, F::TrailingSlash],
        "A.example",
        r"https://a\.example",
    ),
];

#[test]
fn what_no_origin_has_is_named_and_mended() {
    for &(why, regex, faults, part, instead) in MENDED {
        let misfit = misfit_of(regex).unwrap_or_else(|| panic!("{why}: {regex} matches"));
        let want = Misfit {
            faults: faults.to_vec(),
            part: (!part.is_empty()).then(|| part.to_owned()),
            instead: Some(Replacement::Regex(instead.to_owned())),
        };
        // Any digit will do.
        let part = misfit.part.clone().map(|part| part.replace([':', '0'], ""));
        assert_eq!(part, want.part.clone().map(|part| part.replace([':', '0'], "")), "{why}");
        assert_eq!((misfit.faults, misfit.instead), (want.faults, want.instead), "{why}: {regex}");
        assert_eq!(misfit_of(instead), None, "{why}: {instead}");
    }
}

#[test]
fn what_cannot_be_mended_is_named_all_the_same() {
    let pattern = |pattern: &str| Some(Replacement::Pattern(pattern.to_owned()));
    for (why, regex, fault, instead) in [
        (
            "a literal star",
            r"https://\*\.a\.example",
            Some(F::Star),
            pattern("https://*.a.example"),
        ),
        ("two of them", r"^https://\*\.\*\.example$", Some(F::Star), None),
        ("a list", r"https://a\.example,https://b\.example", Some(F::List), None),
        ("a list with a space", r"https://a\.example https://b\.example", Some(F::List), None),
        ("a large port", r"https://a\.example:65536", Some(F::PortRange), None),
        ("no IPv4", r"https://256\.1\.1\.1", Some(F::Ipv4), None),
        ("three octets", r"https://[0-9]+\.1\.1", Some(F::Ipv4), None),
        ("a leading zero in an octet", r"https://192\.168\.01\.1", Some(F::Ipv4), None),
        ("IPv6, not compressed", r"http://\[0:0:0:0:0:0:0:1\]", Some(F::Ipv6), None),
        ("IPv6 with dots", r"http://\[::ffff:1\.2\.3\.4\]", Some(F::Ipv6), None),
        ("an empty label", r"https://a\.\.example", Some(F::EmptyLabel), None),
        ("no host", r"https://", Some(F::NoHost), None),
        ("nothing", r"^$", Some(F::NoScheme), None),
        ("one character", r".", Some(F::NoScheme), None),
        ("a percent sign", r"https://a%20\.example", Some(F::Character), None),
        ("an anchor inside", r"https://a\.example$x", Some(F::Anchor), None),
        ("a line's end inside", r"(?m)https://a\.example$x", Some(F::Anchor), None),
        ("no text at all", r"https://a\.example\Bx\b\B", None, None),
        ("a word boundary inside a word", r"https://a\bb\.example", None, None),
    ] {
        let misfit = misfit_of(regex).unwrap_or_else(|| panic!("{why}: {regex} matches"));
        assert_eq!(misfit.faults.first().copied(), fault, "{why}: {regex}: {misfit:?}");
        assert_eq!(misfit.instead, instead, "{why}: {regex}");
    }
    let long = r"https://(a{60}\.){6}example";
    assert_eq!(misfit_of(long).map(|misfit| misfit.faults), Some(vec![F::TooLong]));
}

#[test]
fn what_origins_have_is_no_misfit() {
    for (why, regex) in [
        ("escaped slashes", r"https?:\/\/a\.example"),
        ("case folded", r"(?i)https://App\.Example"),
        ("capitals beside others", r"https://[A-Za-z0-9.-]+\.example"),
        ("an optional slash", r"https://a\.example/?"),
        ("an optional default port", r"https://a\.example(:443)?"),
        ("443 under http", r"http://a\.example:443"),
        ("80 under https", r"https://a\.example:80"),
        ("capitals in another scheme's host", r"safari-web-extension://[0-9A-F-]{36}"),
        ("a word boundary", r"\bhttps://a\.example\b"),
        ("halves of it", r"\b{start}https://a\.example\b{end}"),
        ("anchors in a group", r"(^https://a\.example$)"),
        ("of lines and text", r"(?m)\A^https://a\.example$\z"),
        ("a trailing dot is another host", r"https://a\.example\."),
        ("underscores", r"https://a_b\.example"),
        ("one label", r"http://localhost"),
        ("an address", r"https://255\.255\.255\.255:65535"),
        ("an IPv6 address", r"http://\[2001:db8::1\]"),
        ("a local file", r"file://"),
        ("verbose", "(?x) https:// a \\. example # comment"),
        ("unread flag", r"(?-u)https://a\.example"),
        ("beyond ASCII, optional", "https://b[u\u{fc}]cher\\.example"),
    ] {
        assert_eq!(misfit_of(regex), None, "{why}: {regex}");
    }
}

#[test]
fn a_dead_branch_is_named_and_the_whole_is_mended() {
    for (why, regex, branch, instead) in [
        (
            "at the top",
            r"https://a\.example|https://B\.example",
            r"https://B\.example",
            r"https://a\.example|https://b\.example",
        ),
        ("in a group", r"https://(a|B)\.example", "B", r"https://(a|b)\.example"),
        ("a port", r"https://a\.example(:8443|:443)", ":443", r"https://a\.example(:8443|)"),
        ("a scheme", r"(https|HTTP)://a\.example", "HTTP", r"(https|http)://a\.example"),
        (
            "nested",
            r"(?:https://(?:a|(?:b|C))\.example)",
            "C",
            r"(?:https://(?:a|(?:b|c))\.example)",
        ),
        (
            "a path",
            r"https://a\.example|https://b\.example/",
            r"https://b\.example/",
            r"https://a\.example|https://b\.example",
        ),
    ] {
        let found = reach(regex);
        assert_eq!(found.misfit, None, "{why}");
        let dead = found.dead_branches.last().unwrap_or_else(|| panic!("{why}: {regex}"));
        assert_eq!(dead.branch, branch, "{why}");
        assert_eq!(dead.misfit.instead, Some(Replacement::Regex(instead.to_owned())), "{why}");
        assert_eq!(reach(instead).dead_branches, [], "{why}: {instead}");
    }
    for regex in [
        r"https://(a|b)\.example",
        r"https://a\.example(|:8443)",
        r"https?://(a|A)\.example|ftp://x",
    ] {
        let dead: Vec<_> = reach(regex).dead_branches.into_iter().map(|dead| dead.branch).collect();
        assert!(dead.is_empty() || dead == ["A"], "{regex}: {dead:?}");
    }
}

#[test]
fn no_expression_takes_more_than_its_budget() {
    for (why, regex) in [
        ("nested repetitions", r"(a{100}){100}"),
        ("many ways through", r"(.*a){9}.*\.example"),
        ("optional ones", r"((((.?){10}){10}){10})"),
        ("wide and long", r".{1,200}.{1,200}"),
        ("classes by turns", r"([a-z.]*[0-9.]*){20}"),
        ("exponential as a DFA", r"https://(.*\.)?[ab]*a[ab]{30}\.app\.example"),
        ("branches of branches", r"(((a|b|.*)(c|d|.*)(e|f|.*)){3}(g|h|.*)){3}"),
    ] {
        let steps = Steps::for_policy();
        let budget = Budget::new(&steps);
        let _ = read(regex, &budget);
        assert!(budget.spent() <= product::MAX_STEPS, "{why}: {}", budget.spent());
    }
    // Many labels, each of many lengths: the bound on work ends the reading.
    let tops: Vec<String> =
        ('a'..='z').flat_map(|a| ['c', 'e', 'o'].map(|b| format!("{a}{b}"))).collect();
    let wide = format!(r"https?://[a-z0-9-]{{1,40}}\.({})", tops.join("|"));
    let steps = Steps::for_policy();
    assert!(read(&wide, &Budget::new(&steps)).is_some());
    let regex = r"https://[a-z0-9-]{1,63}\.(staging|prod)\.app\.example(:\d{2,5})?";
    let budget = Budget::new(&steps);
    assert!(read(regex, &budget).is_some());
    assert!(budget.spent() < 100_000, "an ordinary one takes {}", budget.spent());
}

#[test]
fn the_expressions_of_a_policy_share_their_steps() {
    let steps = Steps::new(product::MAX_STEPS * 2);
    let wide = |at: usize| format!(r".{{1,30}}.{{1,30}}{at}");
    let hazards: Vec<_> = (0..9).map(|at| super::reach(&wide(at), &steps).hazards).collect();
    assert!(hazards[0].contains(&RegexHazard::Unjudged), "{hazards:?}");
    assert_eq!(hazards[8], [RegexHazard::NotReached]);
    assert_eq!(steps.left(), 0);
    // Nothing is taken for harmless then, and what needs no step is told all the same.
    let ordinary = super::reach(r"https://[a-z]+\.app\.example", &steps);
    assert_eq!(ordinary.hazards, [RegexHazard::NotReached]);
    assert_eq!(super::reach("https?://.*", &steps).hazards, [RegexHazard::AnyOrigin]);
}

#[test]
fn as_many_ordinary_expressions_as_a_proxy_may_have_are_judged() {
    let regexes = [
        r"https://[a-z0-9-]+\.app\.example(:\d+)?",
        r"https://(.*\.)?shop\.example",
        r"https?://(localhost|127\.0\.0\.1):\d+",
        r"https://[a-z]+\.example",
    ];
    let steps = Steps::for_policy();
    for regex in regexes {
        assert_eq!(super::reach(regex, &steps).misfit, None);
    }
    let spent = MAX_REGEX_STEPS - steps.left();
    assert!(spent / regexes.len() * MAX_REGEXES_PER_PROXY <= MAX_REGEX_STEPS, "{spent}");
}

#[test]
fn an_alternation_with_too_many_ends_is_not_judged() {
    let labels = |letters: &str| {
        let each = letters.chars().flat_map(|a| letters.chars().map(move |b| format!("{a}{b}")));
        each.collect::<Vec<_>>().join("|")
    };
    let few = format!(r"https://a\.({})\.example", labels("abcdefgh"));
    assert_eq!(reach(&few).hazards, []);
    // Twice a label of any of them: each pair is a domain.
    let many = format!(r"https://[a-z]+\.({0})\.({0})", labels("abcdefghijkl"));
    assert_eq!(reach(&many).hazards, [RegexHazard::Unjudged]);
}

/// Numbers from a seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let below = self.0.checked_rem(u64::try_from(end).unwrap()).unwrap();
        usize::try_from(below).unwrap()
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn origin(&mut self) -> String {
        loop {
            let scheme = self.one_of(&["https", "http", "https", "app", "wss"]);
            let labels =
                ["a", "b1", "app", "x-y", "1", "10", "0x1", "example", "co_m", "localhost"];
            let mut host = self.one_of(&labels).to_owned();
            for _ in 0..self.below(4) {
                host = format!("{host}.{}", self.one_of(&labels));
            }
            let host = match self.below(8) {
                0 => "[::1]".to_owned(),
                1 => format!("10.0.{}.7", self.below(256)),
                _ => host,
            };
            let port = self.one_of(&["", "", ":8443", ":80", ":443", ":1", ":65535"]);
            let origin = format!("{scheme}://{host}{port}");
            if Origin::parse(origin.as_bytes()).is_some() {
                return origin;
            }
        }
    }

    /// An expression that is near `origin`.
    fn regex(&mut self, origin: &str) -> String {
        let pieces = [
            "A", "B", "/", "/x", ":443", ":80", ".", ".*", "[a-z]+", r"\d+", "(a|B)", "$", "^",
            r"\b", "?", "(x)?", "(/|$)", r"\*", "#", "@", ",", "\u{fc}", "[^/]+", "[A-F0-9]",
            r"\.", "x{0,2}", "(?i)", ":",
        ];
        let mut regex = String::new();
        for c in origin.chars() {
            match self.below(24) {
                0 => regex.push_str(self.one_of(&pieces)),
                1 => {}
                2 => regex.push(c.to_ascii_uppercase()),
                3 => regex.push('.'),
                _ if ".[]".contains(c) => regex.extend(['\\', c]),
                _ => regex.push(c),
            }
        }
        if self.below(3) == 0 {
            regex.push_str(self.one_of(&pieces));
        }
        regex
    }
}

#[test]
fn a_verdict_agrees_with_brute_force() {
    let mut random = Random(0x2026_1129);
    let (mut matching, mut never) = (0, 0);
    while matching < 200 || never < 200 {
        let origin = random.origin();
        let text = random.regex(&origin);
        let Ok(regex) = OriginRegex::parse(&text) else { continue };
        match Verdict::of_text(&text, &Budget::new(&Steps::for_policy())) {
            Some(Verdict::Matches(witness)) => {
                matching += 1;
                let Some(witness) = witness else {
                    assert!(text.contains('['), "{text}: no witness");
                    continue;
                };
                assert!(regex.accepts(&witness), "{text} does not accept {witness}");
                assert!(Origin::parse(witness.as_bytes()).is_some(), "{witness}");
            }
            Some(Verdict::Unsent(host)) => assert!(regex.accepts(&format!("{}://", host.text))),
            Some(Verdict::Never(nearest)) => {
                never += 1;
                let others = (0..50).map(|_| random.origin());
                for origin in others.chain([origin]) {
                    assert!(!regex.accepts(&origin), "{text} accepts {origin}");
                }
                let is_ascii = |near: &Nearest| !near.text.contains('\u{7f}');
                let has = |near: &Nearest, fault| near.faults.iter().any(|(_, own)| *own == fault);
                if let Some(near) = nearest.filter(|near| is_ascii(near) && !has(near, F::Anchor)) {
                    assert!(regex.accepts(&near.text), "{text} does not accept {}", near.text);
                    assert!(Origin::parse(near.text.as_bytes()).is_none(), "{}", near.text);
                }
            }
            None => {}
        }
    }
}
