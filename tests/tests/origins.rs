//! Origins and patterns against independent readings of the same standards: the `url` crate, and a naive matcher.

use corsward_policy::origin::Origin;
use corsward_policy::validate::NoKnowledge;
use corsward_policy::{compile, validate};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use url::Url;

#[path = "../../policy/fuzz/laws.rs"]
#[allow(dead_code, reason = "the properties use the rest")]
mod laws;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn an_origin_is_what_the_url_standard_serializes(text in origin_like()) {
        let ours = Origin::parse(text.as_bytes()).is_some();
        let theirs = Url::parse(&text).is_ok_and(|url| url.origin().ascii_serialization() == text);
        // Ours is the narrower: no page is served from port 0, a host with an empty label or other characters.
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b":/.-_[]".contains(&byte);
        let narrow = text.bytes().all(known) && !text.contains("..") && !text.contains("/.")
            && !text.ends_with(":0");
        prop_assert_eq!(ours, theirs && narrow, "{}", text);
    }

    #[test]
    fn a_policy_accepts_what_a_naive_reading_of_its_patterns_accepts(
        patterns in subsequence(PATTERNS, 0..PATTERNS.len()),
        origin in origin_like(),
    ) {
        let draft = laws::policy_of(&patterns);
        let policy = validate(&draft, &NoKnowledge).policy.expect("the patterns are valid");
        let compiled = compile(&[&policy]);
        let parses = Origin::parse(origin.as_bytes()).is_some();
        let want = parses && patterns.iter().any(|pattern| naive(pattern, &origin));
        prop_assert_eq!(laws::shares_with(&compiled, origin.as_bytes()), want, "{} {:?}", origin, patterns);
    }
}

/// Each valid beside all others, and overlapping with some.
const PATTERNS: &[&str] = &[
    "https://a.test",
    "https://a.test:8443",
    "http://a.test",
    "https://*.a.test",
    "https://*.a.test:*",
    "https://*.b.a.test:8443",
    "http://*.test",
    "https://pr-*--x.a.test",
    "https://x*.test",
    "https://*x.test:*",
    "http://10.0.0.1",
    "http://10.0.*.*",
    "http://10.*.*.*:8080",
    "http://*:9",
    "https://[::1]:*",
    "http://10.0.0.0/9:*",
    "https://10.0.0.0/14",
    "https://[::]/1",
];

/// The grammar of design section 3.1, as slowly and plainly as it can be read.
fn naive(pattern: &str, origin: &str) -> bool {
    let (pattern_scheme, pattern_rest) = pattern.split_once("://").expect("a pattern has a scheme");
    let (scheme, rest) = origin.split_once("://").expect("an origin has a scheme");
    let (pattern_host, pattern_port) = split(pattern_rest);
    let (host, port) = split(rest);
    let port_matches = pattern_port == Some("*") || pattern_port == port;
    pattern_scheme == scheme && port_matches && naive_host(pattern_host, host)
}

fn naive_host(pattern: &str, host: &str) -> bool {
    if let Some((network, prefix)) = pattern.split_once('/') {
        let prefix = prefix.parse().expect("a prefix length");
        return match (bits(network), bits(host)) {
            (Some(network), Some(host)) => {
                network.len() == host.len()
                    && network.chars().take(prefix).eq(host.chars().take(prefix))
            }
            _ => false,
        };
    }
    let octets = pattern.split('.').count() == 4 && pattern.ends_with(".*");
    if octets {
        let is_address = host.split('.').count() == 4
            && host.split('.').all(|octet| octet.parse::<u8>().is_ok());
        let pairs = pattern.split('.').zip(host.split('.'));
        return is_address && pairs.into_iter().all(|(p, h)| p == "*" || p == h);
    }
    if pattern == "*" {
        return true;
    }
    if let Some(base) = pattern.strip_prefix("*.") {
        let left = host.strip_suffix(base).and_then(|left| left.strip_suffix('.'));
        return left.is_some_and(|left| !left.is_empty());
    }
    if let Some((before, after)) = pattern.split_once('*') {
        let star = host.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let is_inside =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        return star.is_some_and(|star| !star.is_empty() && star.bytes().all(is_inside));
    }
    pattern == host
}

/// An address in binary.
fn bits(host: &str) -> Option<String> {
    if let Some(inner) = host.strip_prefix('[') {
        let address: std::net::Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(format!("{:0128b}", u128::from(address)));
    }
    let address: std::net::Ipv4Addr = host.parse().ok()?;
    Some(format!("{:032b}", u32::from(address)))
}

fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn origin_like() -> impl Strategy<Value = String> {
    let scheme = select(vec!["https", "http", "https", "http", "HTTPS"]);
    let host = prop_oneof![
        select(vec![
            "a.test",
            "b.a.test",
            "c.b.a.test",
            "x.test",
            "xx.test",
            "pr-1--x.a.test",
            "pr---x.a.test",
            "pr-1.2--x.a.test",
            "yx.test",
            "x-.test",
            "10.0.0.1",
            "10.0.3.4",
            "10.9.8.7",
            "10.0.0.256",
            "[::1]",
            "[0::1]",
            "[::ffff:102:304]",
            "test",
            "a.test.",
            "A.test",
            "1.2.3",
            "0x7f.1",
            "a.0x1",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9_.-]{1,12}",
        "[a-z0-9.]{1,6}\\.a\\.test",
        "[0-9]{1,3}(\\.[0-9]{1,3}){0,4}",
        "\\[[0-9a-f:]{2,12}\\]",
    ];
    let port = prop_oneof![
        select(vec!["", "", "", ":8443", ":9", ":8080", ":443", ":80", ":0", ":08", ":65536", ":"])
            .prop_map(str::to_owned),
        "(:[0-9]{1,6})?",
    ];
    let more = select(vec!["", "", "", "", "/", "/x", "?", "#", " "]);
    let punycode = |text: &String| !text.contains("xn--");
    (scheme, host, port, more)
        .prop_map(|(scheme, host, port, more)| format!("{scheme}://{host}{port}{more}"))
        .prop_filter("what is punycode is for others to say", punycode)
}
