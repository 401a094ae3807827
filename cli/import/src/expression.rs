//! Expression: a regex of an old system, said as patterns where the grammar of patterns can say the same.

use corsward_policy::limits::MAX_REGEX_SIZE;
use corsward_policy::pattern::OriginPattern;
use regex_lite::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Most patterns that one regex is said by.
const MAX_BRANCHES: usize = 32;
/// The place of a repeated class in a sample.
const PLACE: char = '\u{1}';
/// The bytes of a host label, beyond which the star inside a label does not reach.
const LABEL: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-";

/// A regex over origins or paths.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    source: String,
    regex: Regex,
    whole: Regex,
    hir: Hir,
}

/// The part of a text that a regex must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// The beginning, as Python's `re.match`.
    Start,
    /// Any part, as nginx's `~`.
    Anywhere,
    /// The whole.
    Whole,
}

/// A part of a branch: a byte, or a star.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Byte(u8),
    /// One or more bytes of a label.
    Label,
    /// One or more bytes, dots included.
    Names,
    /// One or more digits.
    Digits,
}

// === impl Expression ===

/// Two texts with the same anchor and case.
impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.hir == other.hir
    }
}

impl Eq for Expression {}

impl Expression {
    /// Compiles a regex; an error where this engine cannot.
    pub(crate) fn parse(source: &str, anchor: Anchor, ignore_case: bool) -> Result<Self, String> {
        let pattern = match anchor {
            Anchor::Start => format!("^(?:{source})"),
            Anchor::Anywhere => format!("(?:{source})"),
            Anchor::Whole => format!("^(?:{source})$"),
        };
        let build = |pattern: &str| {
            RegexBuilder::new(pattern)
                .case_insensitive(ignore_case)
                .size_limit(MAX_REGEX_SIZE.saturating_mul(8))
                .build()
                .map_err(|error| error.to_string())
        };
        let (regex, whole) = (build(&pattern)?, build(&format!("^(?:{source})$"))?);
        let hir = ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .case_insensitive(ignore_case)
            .build()
            .parse(&pattern)
            .map_err(|_| "its syntax is not that of Rust's regex".to_owned())?;
        let source = if ignore_case { format!("(?i){source}") } else { source.to_owned() };
        Ok(Self { source, regex, whole, hir })
    }

    /// The regex as written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Whether it matches.
    pub(crate) fn accepts(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Whether it matches the whole text.
    pub(crate) fn accepts_whole(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }

    /// Whether a match may begin after the text does, in a part that is no scheme.
    pub(crate) fn is_open_at_start(&self) -> bool {
        let is_anchored = self.hir.properties().look_set_prefix().contains(Look::Start);
        !is_anchored && self.samples().iter().any(|sample| !sample.starts_with("http"))
    }

    /// Whether a match may end before the text does.
    pub(crate) fn is_open(&self) -> bool {
        !self.hir.properties().look_set_suffix().contains(Look::End)
    }

    /// Patterns that accept the same origins, where there are some.
    pub(crate) fn patterns(&self) -> Option<Vec<String>> {
        let branches = branches(&self.hir)?;
        let mut patterns = Vec::new();
        for branch in &branches {
            let without_port = branch.strip_suffix(&[Item::Byte(b':'), Item::Digits][..]);
            let pattern = match without_port {
                // `(:\d+)?`: the same origin without a port is a branch of its own.
                Some(host) if branches.iter().any(|other| other == host) => {
                    format!("{}:*", pattern(host)?)
                }
                Some(_) => return None,
                None => pattern(branch)?,
            };
            let parsed = OriginPattern::parse(&pattern).ok()?;
            patterns.push(parsed.pattern.to_string());
        }
        let with_any_port: Vec<String> =
            patterns.iter().filter_map(|p| p.strip_suffix(":*").map(str::to_owned)).collect();
        patterns.retain(|pattern| !with_any_port.contains(pattern));
        patterns.dedup();
        (!patterns.is_empty()).then_some(patterns)
    }

    /// Texts at its boundaries, each with its relation to the regex.
    pub(crate) fn samples(&self) -> Vec<String> {
        let mut shapes = Vec::new();
        sample(&self.hir, &mut vec![String::new()], &mut shapes);
        let mut samples = Vec::new();
        for shape in shapes.iter().take(MAX_BRANCHES) {
            for name in ["a", "a.b", "a-1", "a_1", "7"] {
                samples.push(shape.replace(PLACE, name));
                if !shape.contains(PLACE) {
                    break;
                }
            }
        }
        samples.dedup();
        samples
    }

    /// The path prefix that the regex covers: `/api`, of `^/api/.*$`.
    pub(crate) fn path_prefix(&self) -> Option<String> {
        let literal = self.source.strip_prefix('^').unwrap_or(&self.source);
        let rest = [".*$", ".*"].iter().find_map(|end| literal.strip_suffix(end));
        let literal = rest.unwrap_or(literal);
        let literal = literal.replace("\\/", "/");
        let is_literal = literal.chars().all(|c| c.is_ascii_alphanumeric() || "/-_~".contains(c));
        (is_literal && (literal.is_empty() || literal.starts_with('/'))).then_some(literal)
    }
}

/// One pattern, where the branch is one.
fn pattern(branch: &[Item]) -> Option<String> {
    let mut text = String::new();
    for (at, item) in branch.iter().enumerate() {
        match item {
            Item::Byte(byte) => text.push(char::from(*byte)),
            Item::Digits => return None,
            Item::Names => {
                let is_whole = text.ends_with("://")
                    && branch.get(at.checked_add(1)?) == Some(&Item::Byte(b'.'));
                if !is_whole {
                    return None;
                }
                text.push('*');
            }
            Item::Label => {
                let is_alone = text.ends_with("://")
                    && matches!(
                        branch.get(at.checked_add(1)?),
                        None | Some(Item::Byte(b'.' | b':'))
                    );
                // A star alone stands for several labels.
                if is_alone {
                    return None;
                }
                text.push('*');
            }
        }
    }
    // The star of text is none of a pattern.
    let stars = branch.iter().filter(|item| matches!(item, Item::Label | Item::Names)).count();
    (text.matches('*').count() == stars && stars <= 1).then_some(text)
}

/// The branches of an expression without alternatives inside.
fn branches(hir: &Hir) -> Option<Vec<Vec<Item>>> {
    Some(match hir.kind() {
        // Anchors at the ends only: `re.match` and the pattern agree there.
        HirKind::Empty | HirKind::Look(Look::Start | Look::End) => vec![Vec::new()],
        HirKind::Look(_) => return None,
        HirKind::Literal(literal) => {
            vec![literal.0.iter().map(|byte| Item::Byte(byte.to_ascii_lowercase())).collect()]
        }
        HirKind::Class(class) => {
            let bytes = lower(class);
            match bytes.as_slice() {
                [byte] => vec![vec![Item::Byte(*byte)]],
                _ if bytes.len() <= 4 => bytes.iter().map(|byte| vec![Item::Byte(*byte)]).collect(),
                _ => return None,
            }
        }
        HirKind::Capture(capture) => branches(&capture.sub)?,
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(branches(part)?);
            }
            all
        }
        HirKind::Concat(parts) => {
            let mut all = vec![Vec::new()];
            for part in parts {
                let ends = branches(part)?;
                all = all
                    .iter()
                    .flat_map(|start| {
                        ends.iter().map(|end| [start.as_slice(), end.as_slice()].concat())
                    })
                    .collect();
                if all.len() > MAX_BRANCHES {
                    return None;
                }
            }
            all
        }
        HirKind::Repetition(repeated) => match (repeated.min, repeated.max) {
            (0, Some(1)) => {
                let mut all = branches(&repeated.sub)?;
                all.push(Vec::new());
                all
            }
            (0 | 1, None) => vec![vec![star(&repeated.sub, repeated.min)?]],
            (1, Some(5..)) if star(&repeated.sub, 1) == Some(Item::Digits) => {
                vec![vec![Item::Digits]]
            }
            _ => return None,
        },
    })
}

/// The star that a repeated class is.
fn star(hir: &Hir, min: u32) -> Option<Item> {
    let HirKind::Class(class) = hir.kind() else {
        return match hir.kind() {
            HirKind::Capture(capture) => star(&capture.sub, min),
            _ => None,
        };
    };
    let bytes = lower(class);
    let of_names: Vec<u8> = LABEL.iter().copied().chain(*b"._").collect();
    let has_all = |wanted: &[u8]| wanted.iter().all(|byte| bytes.contains(byte));
    if has_all(&of_names) {
        return Some(Item::Names);
    }
    let is_only = |wanted: &[u8]| has_all(wanted) && bytes.len() == wanted.len();
    match min {
        1 if is_only(LABEL) => Some(Item::Label),
        1 if is_only(b"0123456789") => Some(Item::Digits),
        _ => None,
    }
}

/// The bytes of a class that an origin has.
fn lower(class: &Class) -> Vec<u8> {
    let has = |byte: u8| match class {
        Class::Bytes(class) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&byte))
        }
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&char::from(byte))),
    };
    let of_origins = (b'!'..=b'~').filter(|byte| !byte.is_ascii_uppercase());
    // The other case of the same letter is the same byte of an origin.
    of_origins.filter(|byte| has(*byte)).collect()
}

/// Adds to each text in `texts` what the expression matches; at the end of each branch it is a sample.
fn sample(hir: &Hir, texts: &mut Vec<String>, done: &mut Vec<String>) {
    *texts = grow(hir, texts);
    done.append(texts);
}

fn grow(hir: &Hir, texts: &[String]) -> Vec<String> {
    let append = |end: &str| texts.iter().map(|text| format!("{text}{end}")).collect();
    let mut grown: Vec<String> = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => texts.to_vec(),
        HirKind::Literal(literal) => append(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => {
            let bytes = lower(class);
            let byte = bytes.iter().find(|byte| byte.is_ascii_alphanumeric()).or(bytes.first());
            append(&byte.map(|byte| char::from(*byte).to_string()).unwrap_or_default())
        }
        HirKind::Capture(capture) => grow(&capture.sub, texts),
        HirKind::Concat(parts) => {
            parts.iter().fold(texts.to_vec(), |texts, part| grow(part, &texts))
        }
        HirKind::Alternation(parts) => parts.iter().flat_map(|part| grow(part, texts)).collect(),
        HirKind::Repetition(repeated) => {
            let is_class = matches!(repeated.sub.kind(), HirKind::Class(_));
            let is_number = star(&repeated.sub, 1) == Some(Item::Digits);
            let once: Vec<String> = if is_number {
                append("8443")
            } else if is_class && repeated.max.is_none() {
                append(&PLACE.to_string())
            } else {
                let times = usize::try_from(repeated.min.max(1)).unwrap_or(1).min(64);
                (0..times).fold(texts.to_vec(), |texts, _| grow(&repeated.sub, &texts))
            };
            let none = if repeated.min == 0 { texts } else { &[] };
            once.into_iter().chain(none.iter().cloned()).collect()
        }
    };
    grown.truncate(MAX_BRANCHES);
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regex_that_the_grammar_can_say_becomes_patterns() {
        for (source, want) in [
            (r"^https://app\.example$", Some("https://app.example")),
            (r"^https://(app|www)\.example$", Some("https://app.example https://www.example")),
            (r"^https?://app\.example$", Some("https://app.example http://app.example")),
            (r"^https://.*\.app\.example$", Some("https://*.app.example")),
            (r"^https://(.+\.)?app\.example$", Some("https://*.app.example https://app.example")),
            (r"^https://pr-[a-z0-9-]+\.app\.example$", Some("https://pr-*.app.example")),
            (r"^http://localhost(:\d+)?$", Some("http://localhost:*")),
            (r"^http://localhost(:[0-9]{1,5})?$", Some("http://localhost:*")),
            (r"(?i)^https://APP\.example$", Some("https://app.example")),
            // One label, which no pattern says.
            (r"^https://\w+\.app\.example$", None),
            (r"^https://[^.]+\.app\.example$", None),
            (r"^https://[a-z0-9-]+\.app\.example$", None),
            (r"^https://pr-\d+\.app\.example$", None),
            (r"^http://localhost:\d+$", None),
            (r"^https://app.example$", None),
            (r"^https://a.*b\.example$", None),
        ] {
            let expression = Expression::parse(source, Anchor::Start, false).unwrap();
            let patterns = expression.patterns().map(|patterns| patterns.join(" "));
            assert_eq!(patterns.as_deref(), want, "{source}");
        }
    }

    #[test]
    fn a_regex_without_an_end_is_open() {
        for (source, want) in [
            (r"^https://app\.example$", false),
            (r"^https://a\.example$|^https://b\.example$", false),
            (r"^https://a\.example|^https://b\.example$", true),
            (r"https://app\.example", true),
        ] {
            let expression = Expression::parse(source, Anchor::Start, false).unwrap();
            assert_eq!(expression.is_open(), want, "{source}");
        }
    }

    #[test]
    fn a_regex_over_paths_is_a_prefix_where_it_is_one() {
        for (source, want) in [
            (r"^/api/.*$", Some("/api/")),
            (r"^/api/", Some("/api/")),
            (r"^.*$", Some("")),
            (r"^\/api\/v1\/.*", Some("/api/v1/")),
            (r"^/api$", None),
            (r"^/(api|rest)/.*$", None),
        ] {
            let expression = Expression::parse(source, Anchor::Start, false).unwrap();
            assert_eq!(expression.path_prefix().as_deref(), want, "{source}");
        }
    }
}
