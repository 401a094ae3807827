//! Repair: a text that matches an origin, made from one that matches none.

use corsward_policy::finding::{OriginFault as Fault, Replacement};
use corsward_policy::regex::OriginRegex;

use regex_syntax::ast::Ast;

use super::expression::{Expression, literals};
use super::product::{Budget, Nearest};
use super::{Verdict, rewrite};
use crate::knowledge::punycode;

/// Most mistakes of one expression that are repaired one after the other.
const MAX_REPAIRS: usize = 8;

/// The replacement of `own` with which the result of `whole` matches an origin.
pub(super) fn instead(
    own: &str,
    budget: &Budget<'_>,
    whole: impl Fn(&str) -> Option<String>,
) -> Option<Replacement> {
    let mut own = own.to_owned();
    for _ in 0..MAX_REPAIRS {
        let text = whole(&own)?;
        OriginRegex::parse(&text).ok()?;
        let faults = match Verdict::of_text(&text, budget)? {
            Verdict::Matches(_) => return Some(Replacement::Regex(own)),
            Verdict::Unsent(host) => host.faults,
            Verdict::Never(nearest) => nearest.map(|nearest| nearest.faults).unwrap_or_default(),
        };
        let has = |fault| faults.iter().any(|(_, own)| *own == fault);
        if has(Fault::NoScheme)
            && let Some(pattern) = rewrite::as_suffix(&own)
        {
            return Some(Replacement::Pattern(pattern));
        }
        if has(Fault::Star)
            && let Some(pattern) = rewrite::as_pattern(&own)
        {
            return Some(Replacement::Pattern(pattern));
        }
        own = faults
            .iter()
            .find_map(|(_, fault)| without(*fault, &own).filter(|better| *better != own))?;
    }
    None
}

/// `text` without one kind of fault; not always better.
fn without(fault: Fault, text: &str) -> Option<String> {
    match fault {
        Fault::Anchor | Fault::Prefix | Fault::Delimiters => without_delimiters(text)
            .or_else(|| Some(text.trim().to_owned()).filter(|trimmed| *trimmed != text))
            .or_else(|| with_scheme(text).filter(|_| fault == Fault::Prefix)),
        Fault::SchemeCase | Fault::HostCase => lower_case(text),
        Fault::NoScheme => with_scheme(text),
        Fault::Separator => with_separator(text),
        Fault::NonAscii => in_punycode(text),
        Fault::Userinfo => without_user(text),
        Fault::DefaultPort => Some(without_all(text, &[r"\:443", ":443", r"\:80", ":80"])),
        Fault::PortZeros => Some(text.replace(":0", ":")),
        Fault::EmptyPort => without_last_colon(text),
        Fault::TrailingSlash | Fault::Path | Fault::Query | Fault::Fragment => {
            without_delimiters(text).or_else(|| without_path(text))
        }
        Fault::List | Fault::Character => Some(text.trim().to_owned()),
        Fault::NoHost
        | Fault::Star
        | Fault::EmptyLabel
        | Fault::Ipv4
        | Fault::Ipv6
        | Fault::NoIpv6
        | Fault::ExtensionId
        | Fault::PortRange
        | Fault::PortSpan
        | Fault::TrailingDot
        | Fault::TooLong => None,
    }
}

/// `/^…$/i` of JavaScript, `#^…$#i` of PHP, `~^…$` of nginx, `r'^…$'` of Python, and quotes.
pub(super) fn without_delimiters(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix("~*^").or_else(|| text.strip_prefix("~^"))
        && !inner.contains('~')
    {
        return Some(format!("^{inner}"));
    }
    let text = text.strip_prefix('r').filter(|rest| rest.starts_with(['\'', '"'])).unwrap_or(text);
    let delimiter = text.chars().next().filter(|first| r#"/#~@!%"'"#.contains(*first))?;
    let (before, flags) = text.rsplit_once(delimiter)?;
    let inner = before.strip_prefix(delimiter)?;
    flags.bytes().all(|flag| flag.is_ascii_alphabetic()).then(|| inner.to_owned())
}

fn lower_case(text: &str) -> Option<String> {
    let expression = Expression::parse(text)?;
    let spans = literals(&expression.ast, &|literal| literal.c.is_ascii_uppercase());
    expression.replace(&spans, str::to_ascii_lowercase)
}

/// The expression of a host, or of one in each branch, with the scheme of its pages.
fn with_scheme(text: &str) -> Option<String> {
    let expression = Expression::parse(text)?;
    let Ast::Alternation(alternation) = &expression.ast else { return host_with_scheme(text) };
    let branches = alternation.asts.iter().map(|branch| {
        let span = branch.span();
        host_with_scheme(text.get(span.start.offset..span.end.offset)?)
    });
    Some(branches.collect::<Option<Vec<_>>>()?.join("|"))
}

fn host_with_scheme(text: &str) -> Option<String> {
    let (anchor, rest) = text.strip_prefix('^').map_or(("", text), |rest| ("^", rest));
    let mut rest = rest.strip_prefix("://").unwrap_or(rest);
    while let Some(after) = rest.strip_prefix('/').or_else(|| rest.strip_prefix(r"\/")) {
        rest = after;
    }
    if anchor.is_empty()
        && let Some(whole) = of_suffix(rest)
    {
        return Some(format!("https://{}", with_closed_end(&whole)?));
    }
    // What has a scheme gets no second one.
    if Expression::parse(rest)?.host_begins().is_some() {
        return None;
    }
    let is_local = ["localhost", r"127\."].iter().any(|host| rest.starts_with(host));
    // A word alone is the name of no page's host, and a class is one character.
    let is_host = is_local || begins_with_label(rest) && rest.contains('.');
    if !is_host || matches!(Expression::parse(rest)?.ast, Ast::ClassBracketed(_)) {
        return None;
    }
    let scheme = if is_local { "http" } else { "https" };
    Some(format!("{anchor}{scheme}://{}", with_closed_end(rest)?))
}

/// The hosts whose end an engine that searches would find.
fn of_suffix(text: &str) -> Option<String> {
    let itself = [r"(^|\.)", r"(?:^|\.)", r"(\.|^)", r"(?:\.|^)"];
    if let Some(domain) = itself.iter().find_map(|begin| text.strip_prefix(begin)) {
        return Some(format!(r"(.*\.)?{domain}"));
    }
    let is_name = |text: &str| text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if text.strip_prefix('-').is_some_and(is_name) {
        return Some(format!("[a-z0-9-]+{text}"));
    }
    let domain = text.strip_prefix(r"\.")?;
    (is_name(domain) || domain.starts_with('(')).then(|| format!(".*{text}"))
}

/// Whether a text can be the first label of a host, or a part of it.
fn begins_with_label(text: &str) -> bool {
    !text.starts_with(['.', '\\'])
        || [r"\w", r"\d", ".*", ".+"].iter().any(|it| text.starts_with(it))
}

/// A host with an open end, with ports in place of any further labels; `None` if no domain precedes that end.
fn with_closed_end(host: &str) -> Option<String> {
    let (body, anchor) = host.strip_suffix('$').map_or((host, ""), |body| (body, "$"));
    let Some(closed) = body.strip_suffix(".*").or_else(|| body.strip_suffix(".+")) else {
        return Some(host.to_owned());
    };
    let closed = closed.strip_suffix(':').unwrap_or(closed);
    let is_domain = closed == "localhost" || closed.trim_end_matches(['.', '\\']).contains('.');
    let ends = closed.ends_with(|c: char| c.is_ascii_alphanumeric() || c == ')');
    (is_domain && ends).then(|| format!("{closed}(:[0-9]+)?{anchor}"))
}

/// The expression with `://` behind its scheme, or before its host where what stands there can be no scheme.
fn with_separator(text: &str) -> Option<String> {
    let (anchor, body) = text.strip_prefix('^').map_or(("", text), |rest| ("^", rest));
    let schemes = ["https?", "(http|https)", "(https|http)", "http(s)?", "https", "http"];
    let is_separated = |rest: &&str| rest.starts_with([':', '/', '\\']);
    let found = schemes
        .into_iter()
        .find_map(|scheme| Some((scheme, body.strip_prefix(scheme).filter(is_separated)?)));
    match found {
        Some((scheme, rest)) => {
            Some(format!("{anchor}{scheme}://{}", rest.trim_start_matches([':', '/', '\\'])))
        }
        None => with_scheme(text),
    }
}

fn in_punycode(text: &str) -> Option<String> {
    let mut ascii = String::new();
    let mut label = String::new();
    let mut is_escaped = false;
    for c in text.chars().chain(['\\']) {
        if !is_escaped && (c.is_alphanumeric() || c == '-') {
            label.push(c);
            continue;
        }
        if label.is_ascii() {
            ascii.push_str(&label);
        } else {
            ascii.push_str(&punycode(&label)?);
        }
        label.clear();
        ascii.push(c);
        is_escaped = c == '\\' && !is_escaped;
    }
    ascii.pop();
    Some(ascii)
}

fn without_user(text: &str) -> Option<String> {
    let host = Expression::parse(text)?.host_begins()?;
    let (scheme, rest) = text.split_at_checked(host)?;
    Some(format!("{scheme}{}", rest.rsplit_once('@')?.1))
}

fn without_all(text: &str, pieces: &[&str]) -> String {
    pieces.iter().fold(text.to_owned(), |text, piece| text.replace(piece, ""))
}

fn without_last_colon(text: &str) -> Option<String> {
    let (body, anchor) = text.strip_suffix('$').map_or((text, ""), |body| (body, "$"));
    Some(format!("{}{anchor}", body.strip_suffix(':')?.trim_end_matches('\\')))
}

/// Without what stands between the first slash, `?` or `#` behind the host and the end of its branch or group.
fn without_path(text: &str) -> Option<String> {
    let begin = Expression::parse(text)?.host_begins().unwrap_or(0);
    let (mut depth, mut is_escaped, mut in_class) = (0_usize, false, false);
    let mut cut: Option<(usize, usize)> = None;
    for (at, c) in text.char_indices().filter(|(at, _)| *at >= begin) {
        let is_literal = is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        match c {
            ']' if !is_literal => in_class = false,
            _ if in_class => {}
            '/' | '#' | '?' if cut.is_none() && (c != '?' || is_literal) => {
                cut = Some((at.saturating_sub(usize::from(is_literal)), depth));
            }
            _ if is_literal => {}
            '[' => in_class = true,
            '(' => depth = depth.saturating_add(1),
            ')' | '|' => {
                if let Some((from, cut_depth)) = cut
                    && depth == cut_depth
                {
                    return Some(format!("{}{}", text.get(..from)?, text.get(at..)?));
                }
                depth = depth.saturating_sub(usize::from(c == ')'));
            }
            _ => {}
        }
    }
    let anchor = if text.ends_with('$') { "$" } else { "" };
    Some(format!("{}{anchor}", text.get(..cut?.0)?))
}

// === impl Nearest ===

impl Nearest {
    /// The part of the text with the first fault, where it can be shown.
    pub(super) fn part(&self) -> Option<String> {
        let text = &self.text;
        let (at, fault) = *self.faults.first()?;
        let begin = text.find("://").map_or(0, |at| at.saturating_add("://".len()));
        let authority = text.get(begin..)?;
        let host_len = authority.find([':', '/', '?', '#']).unwrap_or(authority.len());
        let host = authority.get(..host_len)?;
        let rest = authority.get(host_len..)?;
        let part = match fault {
            Fault::SchemeCase => text.split(':').next()?,
            Fault::HostCase
            | Fault::Star
            | Fault::Ipv4
            | Fault::EmptyLabel
            | Fault::TrailingDot
            | Fault::ExtensionId => host,
            Fault::DefaultPort | Fault::PortZeros | Fault::PortRange | Fault::EmptyPort => {
                rest.split(['/', '?', '#']).next()?
            }
            Fault::TrailingSlash | Fault::Path | Fault::Query | Fault::Fragment => {
                text.get(at..)?
            }
            Fault::Userinfo => authority.get(..=authority.find('@')?)?,
            Fault::Delimiters | Fault::Prefix | Fault::Anchor | Fault::List | Fault::Character => {
                text
            }
            Fault::NoScheme | Fault::Separator | Fault::Ipv6 | Fault::NoIpv6 => text,
            Fault::NonAscii | Fault::NoHost | Fault::PortSpan | Fault::TooLong => return None,
        };
        Some(part.to_owned()).filter(|part| !part.is_empty() && !part.contains('\u{7f}'))
    }
}
