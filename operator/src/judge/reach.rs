//! Reach: how far an origin regex goes, judged on the parsed expression.
//!
//! A regex is always matched against the whole origin, so its own anchors say nothing new and are read as nothing.

use corsward_policy::validate::RegexReach;
use regex_syntax::ast::{Ast, GroupKind};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::{probes, suffixes};

/// Shortest text that can be a tuple origin.
const SHORTEST_ORIGIN: usize = "a://b".len();

/// What can be said about `regex`; one that cannot be analyzed is unbounded.
pub(super) fn of(regex: &str) -> RegexReach {
    if probes::accepts_every_stranger(regex) {
        return RegexReach::Everything;
    }
    let Some((ast, hir)) = parse(regex) else { return RegexReach::Unbounded };
    if can_match_nothing(&hir) {
        return RegexReach::Nothing;
    }
    if is_alternation(&ast) {
        return RegexReach::Unbounded;
    }
    match Bounds::of(&hir) {
        Some(bounds) if !probes::accepts_a_neighbour(regex, &hir, &bounds.domain) => bounds.reach(),
        _ => RegexReach::Unbounded,
    }
}

/// Reads the expression as `regex-lite` does: without Unicode classes.
fn parse(regex: &str) -> Option<(Ast, Hir)> {
    let ast = regex_syntax::ast::parse::Parser::new().parse(regex).ok()?;
    let mut translator =
        regex_syntax::hir::translate::TranslatorBuilder::new().unicode(false).utf8(false).build();
    let hir = translator.translate(regex, &ast).ok()?;
    Some((ast, hir))
}

/// Is there an alternation at the top, within groups perhaps?
fn is_alternation(ast: &Ast) -> bool {
    match ast {
        Ast::Alternation(_) => true,
        Ast::Group(group) => match &group.kind {
            GroupKind::CaptureIndex(_)
            | GroupKind::CaptureName { .. }
            | GroupKind::NonCapturing(_) => is_alternation(&group.ast),
        },
        Ast::Concat(concat) => {
            let mut parts = concat.asts.iter().filter(|ast| !is_width_zero(ast));
            matches!((parts.next(), parts.next()), (Some(only), None) if is_alternation(only))
        }
        _ => false,
    }
}

/// Anchors, flags and nothing.
fn is_width_zero(ast: &Ast) -> bool {
    matches!(ast, Ast::Assertion(_) | Ast::Flags(_) | Ast::Empty(_))
}

/// Is the expression unable to match `://`, and so any tuple origin?
fn can_match_nothing(hir: &Hir) -> bool {
    let too_short = hir.properties().maximum_len().is_some_and(|longest| longest < SHORTEST_ORIGIN);
    too_short || !can_match_byte(hir, b':') || !can_match_byte(hir, b'/')
}

/// Does `byte` occur in anything that the expression matches? `true` in doubt.
fn can_match_byte(hir: &Hir, byte: u8) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&byte),
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&byte))
        }
        HirKind::Class(Class::Unicode(class)) => {
            let c = char::from(byte);
            class.iter().any(|range| (range.start()..=range.end()).contains(&c))
        }
        HirKind::Repetition(repetition) => can_match_byte(&repetition.sub, byte),
        HirKind::Capture(capture) => can_match_byte(&capture.sub, byte),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().any(|part| can_match_byte(part, byte))
        }
    }
}

/// What every origin that a bounded regex accepts has in common.
struct Bounds {
    scheme: String,
    /// The host itself, or a registrable domain above it.
    domain: String,
}

/// A stretch of the expression: its text where that is literal.
type Piece = Option<String>;

// === impl Bounds ===

impl Bounds {
    /// The bounds that stand in the expression letter by letter, or `None` where they do not.
    fn of(hir: &Hir) -> Option<Self> {
        let mut pieces = Vec::new();
        flatten(hir, &mut pieces);
        let prefix: String = pieces.iter().map_while(Option::as_deref).collect();
        let (scheme, host) = prefix.split_once("://")?;
        if !scheme.bytes().all(is_scheme_byte) {
            return None;
        }
        let scheme = scheme.to_owned();
        if pieces.iter().all(Option::is_some) {
            return Some(Self { scheme, domain: without_port(host)?.to_owned() });
        }
        let mut suffix: Vec<&str> = pieces.iter().rev().map_while(Option::as_deref).collect();
        suffix.reverse();
        let suffix = suffix.concat();
        let (_, domain) = without_port(&suffix)?.split_once('.')?;
        is_registrable(domain).then(|| Self { scheme, domain: domain.to_owned() })
    }

    fn reach(&self) -> RegexReach {
        let domain = self.domain.as_str();
        let ipv4: Option<std::net::Ipv4Addr> = domain.parse().ok();
        let is_loopback = domain == "localhost"
            || domain.ends_with(".localhost")
            || domain == "[::1]"
            || ipv4.is_some_and(|ipv4| ipv4.is_loopback());
        if self.scheme == "http" && !is_loopback {
            RegexReach::Insecure
        } else {
            RegexReach::Bounded
        }
    }
}

/// The expression's stretches from left to right.
fn flatten(hir: &Hir, pieces: &mut Vec<Piece>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => pieces.push(String::from_utf8(literal.0.to_vec()).ok()),
        HirKind::Capture(capture) => flatten(&capture.sub, pieces),
        HirKind::Concat(parts) => parts.iter().for_each(|part| flatten(part, pieces)),
        HirKind::Class(_) | HirKind::Repetition(_) | HirKind::Alternation(_) => pieces.push(None),
    }
}

fn is_scheme_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.')
}

/// The end of a host, without the port after it; `None` where something else follows.
fn without_port(authority: &str) -> Option<&str> {
    match authority.rsplit_once(':') {
        Some((host, _)) if authority.ends_with(']') && host.starts_with('[') => Some(authority),
        Some((host, port)) => port.bytes().all(|byte| byte.is_ascii_digit()).then_some(host),
        None => Some(authority),
    }
}

/// Is `domain` one that has an owner? An address has none above it, a public suffix many below.
fn is_registrable(domain: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    };
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
        && !suffixes::is_public_suffix(domain)
        && !suffixes::is_ancestor_of_public_suffix(domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use RegexReach::{Bounded, Everything, Insecure, Nothing, Unbounded};

    #[test]
    fn a_regex_is_bounded_by_a_literal_scheme_and_a_literal_domain() {
        for (why, regex, want) in [
            ("one label", r"https://[a-z]+\.app\.example", Bounded),
            ("any depth", r"https://.*\.app\.example", Bounded),
            ("with a port", r"https://[a-z]+\.app\.example:8443", Bounded),
            ("anchors say nothing new", r"^https://[a-z]+\.app\.example$", Bounded),
            ("within a group", r"(https://[a-z]+\.app\.example)", Bounded),
            ("groups around its parts", r"(https)://([a-z]+)(\.app\.example)", Bounded),
            ("an alternation inside", r"https://(a|b)\.app\.example", Bounded),
            ("a listed suffix, registrable below", r"https://\w+\.me\.github\.io", Bounded),
            ("a whole literal host", r"https://app\.example", Bounded),
            ("a whole literal host and port", r"https://app\.example:8443", Bounded),
            ("a literal address", r"https://192\.168\.1\.7:3000", Bounded),
            ("unlisted top level", r"https://[a-z]+\.internal", Bounded),
            ("another scheme", r"tauri://localhost", Bounded),
            ("http", r"http://[a-z]+\.app\.example", Insecure),
            ("http, whole", r"http://app\.example", Insecure),
            ("http, a neighbour of loopback", r"http://128\.0\.0\.1", Insecure),
            ("http on this machine", r"http://localhost:3000", Bounded),
            ("http below localhost", r"http://[a-z]+\.localhost:3000", Bounded),
            ("http on a loopback address", r"http://127\.0\.0\.1:3000", Bounded),
            ("http on the IPv6 loopback", r"http://\[::1\]:3000", Bounded),
        ] {
            assert_eq!(of(regex), want, "{why}: {regex}");
        }
    }

    #[test]
    fn everything_else_is_unbounded() {
        for (why, regex) in [
            ("two schemes", r"https?://[a-z]+\.app\.example"),
            ("any scheme", r".*://app\.example"),
            ("alternation at the top", r"https://a\.example|https://b\.example"),
            ("in a group", r"(https://a\.example|https://b\.example)"),
            ("in a group between anchors", r"^(?:https://a\.example|https://b\.example)$"),
            ("no dot before the domain", r"https://.*app\.com"),
            ("an unescaped dot before it", r"https://[a-z]+.app\.com"),
            ("an unescaped dot in it", r"https://[a-z]+\.app.example"),
            ("any port", r"https://app\.example:\d+"),
            ("perhaps a port", r"https://app\.example(:8443)?"),
            ("an open end", r"https://app\.example.*"),
            ("a public suffix", r"https://[a-z]+\.com"),
            ("a private one", r"https://[a-z]+\.github\.io"),
            ("above one", r"https://.*\.amazonaws\.com"),
            ("addresses", r"http://192\.168\.1\.\d+"),
            ("the end of an address", r"http://.*\.1\.7"),
            ("an identifier that is not literal", r"chrome-extension://[a-p]{32}"),
            ("case folded", r"(?i)https://[a-z]+\.app\.example"),
            ("what this parser does not know", r"https://(?P<a>x)(?P<a>y)\.app\.example"),
        ] {
            assert_eq!(of(regex), Unbounded, "{why}: {regex}");
        }
    }

    #[test]
    fn the_two_ends_are_told_apart() {
        for (why, regex, want) in [
            ("all", ".*", Everything),
            ("all but empty", ".+", Everything),
            ("all, anchored", "^.*$", Everything),
            ("all of the web", r"https?://.*", Everything),
            ("all with a host", r"https?://[^/]+", Everything),
            ("https only", r"https://.*", Unbounded),
            ("no scheme", r"([a-z]+)\.bar\.org", Nothing),
            ("too short", ".", Nothing),
            ("a host alone", r"app\.example", Nothing),
            ("a scheme or not", r"(https://)?app\.example", Unbounded),
        ] {
            assert_eq!(of(regex), want, "{why}: {regex}");
        }
    }
}
