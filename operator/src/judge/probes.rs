//! Probes: origins of strangers, which a good regex does not accept.

use corsward_policy::limits::MAX_ORIGIN_LEN;
use corsward_policy::regex::OriginRegex;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Origins that have nothing in common with anybody's; `test` can never be registered (RFC 6761 section 6.2).
const STRANGERS: [&str; 6] = [
    "https://corsward-probe.test",
    "http://corsward-probe.test",
    "https://a.b-c.corsward-probe.test:8443",
    "http://0-9.corsward-probe.test:3000",
    "https://198.51.100.7",
    "http://203.0.113.7:8080",
];

/// Does the regex accept whoever comes?
pub(super) fn accepts_every_stranger(regex: &str) -> bool {
    OriginRegex::parse(regex)
        .is_ok_and(|regex| STRANGERS.iter().all(|stranger| regex.accepts(stranger)))
}

/// Does the regex accept something that looks like one of its origins, and is not within `domain`?
pub(super) fn accepts_a_neighbour(regex: &str, hir: &Hir, domain: &str) -> bool {
    let mut example = String::new();
    if !write_example(hir, &mut example) {
        return true;
    }
    let Ok(regex) = OriginRegex::parse(regex) else { return true };
    let Some((scheme, host, port)) = parts(&example) else { return true };
    let mut probes = vec![
        format!("{scheme}://{host}.corsward-probe.test{port}"),
        format!("{scheme}://{host}corsward-probe.test{port}"),
        format!("{scheme}://corsward-probe.test.{host}{port}"),
        format!("{scheme}://corsward-probe{domain}{port}"),
        format!("corsward-probe+{scheme}://{host}{port}"),
        format!("http://{host}{port}"),
    ];
    probes.extend(host.match_indices('.').filter_map(|(at, dot)| {
        let (before, after) = (host.get(..at)?, host.get(at.checked_add(dot.len())?..)?);
        Some(format!("{scheme}://{before}x{after}{port}"))
    }));
    let below = format!(".{domain}");
    probes.iter().any(|probe| {
        let foreign = parts(probe).is_none_or(|(probe_scheme, host, _)| {
            probe_scheme != scheme || (host != domain && !host.ends_with(&below))
        });
        foreign && regex.accepts(probe)
    })
}

/// Scheme, host and port, its colon included.
fn parts(origin: &str) -> Option<(&str, &str, &str)> {
    let (scheme, authority) = origin.split_once("://")?;
    let after_host = authority.rfind(']').map_or(0, |bracket| bracket.saturating_add(1));
    let colon = authority.get(after_host..)?.find(':').map(|at| at.saturating_add(after_host));
    let (host, port) = authority.split_at_checked(colon.unwrap_or(authority.len()))?;
    Some((scheme, host, port))
}

/// Appends something that the expression matches, and says whether that was possible within an origin's length.
fn write_example(hir: &Hir, example: &mut String) -> bool {
    let possible = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => {
                example.push_str(text);
                true
            }
            Err(_) => false,
        },
        HirKind::Class(class) => match character_of(class) {
            Some(c) => {
                example.push(c);
                true
            }
            None => false,
        },
        HirKind::Repetition(repetition) => {
            let times = repetition.min.max(repetition.max.unwrap_or(1).min(1));
            (0..times).all(|_| write_example(&repetition.sub, example))
        }
        HirKind::Capture(capture) => write_example(&capture.sub, example),
        HirKind::Concat(parts) => parts.iter().all(|part| write_example(part, example)),
        HirKind::Alternation(parts) => {
            parts.first().is_some_and(|part| write_example(part, example))
        }
    };
    possible && example.len() <= MAX_ORIGIN_LEN
}

/// A character of the class: a dot where it can be one, so that an unescaped dot is tried as what was meant.
fn character_of(class: &Class) -> Option<char> {
    let has = |c: char| match class {
        Class::Bytes(class) => u8::try_from(c).is_ok_and(|byte| {
            class.iter().any(|range| (range.start()..=range.end()).contains(&byte))
        }),
        Class::Unicode(class) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&c))
        }
    };
    ['.'].into_iter().chain('a'..='z').chain('0'..='9').chain(['-', ':', '/']).find(|c| has(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_falls_into_scheme_host_and_port() {
        for (origin, want) in [
            ("https://a.example", Some(("https", "a.example", ""))),
            ("https://a.example:1", Some(("https", "a.example", ":1"))),
            ("http://[::1]:3000", Some(("http", "[::1]", ":3000"))),
            ("http://[::1]", Some(("http", "[::1]", ""))),
            ("a.example", None),
        ] {
            assert_eq!(parts(origin), want, "{origin}");
        }
    }

    #[test]
    fn a_neighbour_is_found_where_the_regex_lets_one_in() {
        for (why, regex, domain, want) in [
            ("held", r"https://[a-z]+\.app\.example", "app.example", false),
            ("appended", r"https://[a-z]+\.app\.example.*", "app.example", true),
            ("prepended", r"https://.*app\.example", "app.example", true),
            ("another scheme", r".*://a\.app\.example", "app.example", true),
            ("without TLS", r"https?://a\.app\.example", "app.example", true),
            ("a dot replaced", r"https://[a-z]+\.app.example", "app.example", true),
            ("endless", r"https://(a{100}){100}\.app\.example", "app.example", true),
        ] {
            let hir = regex_syntax::parse(regex).unwrap();
            assert_eq!(accepts_a_neighbour(regex, &hir, domain), want, "{why}: {regex}");
        }
    }
}
