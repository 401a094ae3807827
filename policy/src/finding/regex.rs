//! Reasons about origin regexes: syntax, parts that no origin has, and what a regex accepts too much.

use super::danger::or_listed;
use super::quoted::{OneLine, Quoted};
use super::{Danger, Explain, Place, Proposal, Sentence, Written};

/// Reasons about an entry of `allowOriginRegexes`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegexReason {
    /// Nothing written.
    Empty,
    /// Too long, or too large when compiled.
    TooLong(String),
    /// Within bounds one by one, too large together.
    TogetherTooLarge,
    /// Not a regex.
    Syntax {
        /// The entry as written.
        value: String,
        /// The engine's own words.
        message: String,
        /// The same in the syntax that the engine reads.
        instead: Option<Replacement>,
    },
    /// It accepts every probe origin.
    Everything(String),
    /// It accepts no serialized origin.
    NeverMatches {
        /// The entry as written.
        value: String,
        /// The cause.
        misfit: Box<Misfit>,
    },
    /// One branch of an alternation accepts no serialized origin.
    BranchNeverMatches {
        /// The entry as written.
        value: String,
        /// The branch as written.
        branch: String,
        /// The cause.
        misfit: Box<Misfit>,
        /// The entry of `allowOrigins` that the branch was meant as.
        beside: Option<String>,
    },
    /// A star repeats a separator, as in a glob.
    Glob {
        /// The entry as written.
        value: String,
        /// The repeated separator, with its operator.
        repeated: String,
        /// The pattern that was probably meant.
        pattern: Option<String>,
    },
    /// Words in a class, as in `[app|www]`.
    WordsInClass {
        /// The entry as written.
        value: String,
        /// The class.
        class: String,
        /// The regex with a group in its place.
        instead: Option<Replacement>,
    },
    /// A dot in the host stands for any character.
    OpenDot {
        /// The entry as written.
        value: String,
        /// The regex with that dot escaped.
        instead: Option<String>,
        /// A pattern for the same origins.
        pattern: Option<String>,
    },
    /// The same, with credentials.
    OpenDotWithCredentials {
        /// The entry as written.
        value: String,
        /// The regex with that dot escaped.
        instead: Option<String>,
        /// A pattern for the same origins.
        pattern: Option<String>,
    },
    /// With credentials, any scheme is accepted.
    AnySchemeWithCredentials(String),
    /// With credentials, a regex of which nothing is known.
    UnjudgedWithCredentials {
        /// The entry as written.
        value: String,
        /// Whether it is too complex itself; otherwise the policy's regexes are together.
        is_reached: bool,
    },
}

/// The text that a finding proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// A regex in place of the entry.
    Regex(String),
    /// An entry of `allowOrigins`.
    Pattern(String),
}

/// The reason why an expression accepts no serialized origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The differences between an origin and the nearest text that the expression accepts; empty if it accepts no
    /// text.
    pub faults: Vec<OriginFault>,
    /// The part of that text with the first fault.
    pub part: Option<String>,
    /// The probably intended expression.
    pub instead: Option<Replacement>,
}

/// A difference between a text and a serialized origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OriginFault {
    /// `^` after, or `$` before, a character.
    Anchor,
    /// Delimiters and flags, as in PHP and JavaScript.
    Delimiters,
    /// A character before the scheme.
    Prefix,
    /// No scheme.
    NoScheme,
    /// An upper-case scheme.
    SchemeCase,
    /// Not `://` after the scheme.
    Separator,
    /// No host.
    NoHost,
    /// Upper-case letters in the host.
    HostCase,
    /// A host beyond ASCII.
    NonAscii,
    /// `user@`.
    Userinfo,
    /// A literal star in the host.
    Star,
    /// A comma, semicolon or space, as in a list.
    List,
    /// A character that no host or port has.
    Character,
    /// An empty label in the host.
    EmptyLabel,
    /// A host that ends in a number and is no IPv4 address.
    Ipv4,
    /// An IPv6 address that is not compressed.
    Ipv6,
    /// Brackets around something else than an IPv6 address.
    NoIpv6,
    /// A host of `chrome-extension` that is no ID.
    ExtensionId,
    /// A colon without a port.
    EmptyPort,
    /// A port with leading zeros, or zero.
    PortZeros,
    /// A port above 65535.
    PortRange,
    /// Two ports with a hyphen between them.
    PortSpan,
    /// A dot at the end of the host.
    TrailingDot,
    /// The scheme's default port.
    DefaultPort,
    /// A trailing slash.
    TrailingSlash,
    /// A path.
    Path,
    /// A query.
    Query,
    /// A fragment.
    Fragment,
    /// Longer than an origin can be.
    TooLong,
}

// === impl RegexReason ===

impl Explain for RegexReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::Empty => {
                Sentence::remove("CORS-E124", "the regex is empty, and matches no origin")
            }
            Self::TooLong(value) => Sentence::new(
                "CORS-E125",
                format!("{} is too long, or too large when compiled", Quoted(value)),
                "use several shorter ones, or patterns in `allowOrigins`",
            ),
            Self::TogetherTooLarge => Sentence::new(
                "CORS-E127",
                "the regexes are too large together, and every refused origin runs through all",
                "use patterns in `allowOrigins`, or shorter regexes with fewer repetitions",
            ),
            Self::Syntax { value, message, instead } => syntax(value, message, instead.as_ref()),
            Self::Everything(value) => Sentence::new(
                "CORS-W105",
                format!("{} accepts any origin", Quoted(value)),
                "write `*` into `allowOrigins`, or a narrower regex",
            ),
            Self::NeverMatches { value, misfit } => misfit.sentence(
                "CORS-W106",
                format!("{} matches no origin, because {}", Quoted(value), misfit.cause()),
            ),
            Self::BranchNeverMatches { value, branch, misfit, beside } => {
                dead_branch(value, branch, misfit, beside.as_deref())
            }
            Self::Glob { value, repeated, pattern } => glob(value, repeated, pattern.clone()),
            Self::WordsInClass { value, class, instead } => write(
                "CORS-W115",
                format!("{} in {} is one character, and no word", Quoted(class), Quoted(value)),
                instead.as_ref(),
                "write a group, such as `(app|www)`",
            ),
            Self::OpenDot { value, instead, pattern } => {
                escape_dot("CORS-W109", open_dot(value), instead.as_ref(), pattern.as_ref())
            }
            Self::OpenDotWithCredentials { value, instead, pattern } => {
                let matter = format!("{}, with credentials", open_dot(value));
                let escaped = escape_dot("CORS-E207", matter, instead.as_ref(), pattern.as_ref());
                or_listed(escaped, Danger::UnboundedRegexWithCredentials)
            }
            Self::AnySchemeWithCredentials(value) => unbounded(
                "CORS-E208",
                format!("{} accepts any scheme, with credentials", Quoted(value)),
                "begin it with `https://` or another scheme in full",
            ),
            Self::UnjudgedWithCredentials { value, is_reached } => unjudged(value, *is_reached),
        }
    }
}

fn dead_branch(value: &str, branch: &str, misfit: &Misfit, beside: Option<&str>) -> Sentence {
    let matter = format!(
        "in {} the branch {} matches no origin, because {}",
        Quoted(value),
        Quoted(branch),
        misfit.cause()
    );
    let sentence = misfit.sentence("CORS-W107", matter);
    match beside {
        Some(pattern) => sentence.and(&format!(", and {} into `allowOrigins`", Quoted(pattern))),
        None => sentence,
    }
}

fn unjudged(value: &str, is_reached: bool) -> Sentence {
    let value = Quoted(value);
    let (matter, fix) = if is_reached {
        (
            format!("{value} is too complex to tell what it accepts with credentials"),
            "write patterns into `allowOrigins`, or a shorter regex",
        )
    } else {
        (
            format!(
                "the regexes of the policy are too complex together to tell what {value} accepts with credentials"
            ),
            "write patterns into `allowOrigins`, or fewer and shorter regexes",
        )
    };
    unbounded("CORS-E209", matter, fix)
}

fn syntax(value: &str, message: &str, instead: Option<&Replacement>) -> Sentence {
    let matter = format!("{} is not a regex ({})", Quoted(value), OneLine(message));
    let rules = "use the syntax of Rust's regex-lite, which has no look-around, back references, `\\p{…}` or nested classes";
    write("CORS-E126", matter, instead, rules)
}

fn glob(value: &str, repeated: &str, pattern: Option<String>) -> Sentence {
    let matter = format!(
        "{} in {} repeats its first character, and stands for no name as in a glob",
        Quoted(repeated),
        Quoted(value)
    );
    let example = "write a pattern such as `https://*.app.example` into `allowOrigins`";
    write("CORS-W108", matter, pattern.map(Replacement::Pattern).as_ref(), example)
}

/// A refusal that a word of its own opens.
fn unbounded(code: &'static str, matter: String, fix: &str) -> Sentence {
    or_listed(Sentence::new(code, matter, fix), Danger::UnboundedRegexWithCredentials)
}

fn open_dot(value: &str) -> String {
    format!(
        "a dot in the host of {} stands for any character, so that other domains match",
        Quoted(value)
    )
}

fn escape_dot(
    code: &'static str,
    matter: String,
    instead: Option<&String>,
    pattern: Option<&String>,
) -> Sentence {
    let pattern = pattern.cloned().map(Replacement::Pattern);
    match (instead.cloned().map(Replacement::Regex), pattern) {
        (Some(regex), Some(pattern)) => write(code, matter, Some(&regex), "")
            .and(&format!(", or {}", pattern.named()))
            .with_edit(pattern.proposal()),
        (regex, pattern) => {
            write(code, matter, regex.or(pattern).as_ref(), "write `\\.` where a dot is meant")
        }
    }
}

/// A sentence whose fix is to write `instead`, or what `otherwise` says.
fn write(
    code: &'static str,
    matter: String,
    instead: Option<&Replacement>,
    otherwise: &str,
) -> Sentence {
    match instead {
        Some(instead) => Sentence::new(code, matter, format!("write {}", instead.named()))
            .with_edit(instead.proposal()),
        None => Sentence::new(code, matter, otherwise),
    }
}

// === impl Replacement ===

impl Replacement {
    /// The text, and the list for which it is.
    fn named(&self) -> String {
        match self {
            Self::Regex(regex) => Quoted(regex).to_string(),
            Self::Pattern(pattern) => format!("{} into `allowOrigins`", Quoted(pattern)),
        }
    }

    fn proposal(&self) -> Proposal {
        match self {
            Self::Regex(regex) => Proposal::Write(Place::Here, Written::text(regex)),
            Self::Pattern(pattern) => {
                let entries = Written::texts([pattern.as_str()]);
                Proposal::Move(Place::beside("allowOrigins"), Some(entries))
            }
        }
    }
}

// === impl Misfit ===

impl Misfit {
    /// A clause that follows "because".
    fn cause(&self) -> String {
        let Some((first, others)) = self.faults.split_first() else {
            return "its parts exclude each other".to_owned();
        };
        let (subject, predicate) = first.clause();
        let cause = match &self.part {
            Some(part) if first.has_part() => format!("{subject} {} {predicate}", Quoted(part)),
            Some(text) => format!("in {} {subject} {predicate}", Quoted(text)),
            None => format!("{subject} {predicate}"),
        };
        others.iter().fold(cause, |cause, other| {
            let (subject, predicate) = other.clause();
            format!("{cause}, and {subject} {predicate}")
        })
    }

    /// A sentence with what to write.
    fn sentence(&self, code: &'static str, matter: String) -> Sentence {
        let example =
            "write it from the scheme to the port, such as `https://[a-z]+\\.app\\.example`";
        let otherwise = self.faults.first().map_or(example, |fault| fault.fix());
        write(code, matter, self.instead.as_ref(), otherwise)
    }
}

// === impl OriginFault ===

impl OriginFault {
    /// Whether a part of the text has the fault, and not the text as a whole.
    fn has_part(self) -> bool {
        !matches!(
            self,
            Self::Anchor
                | Self::Prefix
                | Self::NoScheme
                | Self::Separator
                | Self::List
                | Self::Character
                | Self::Ipv6
                | Self::NoIpv6
                | Self::PortSpan
        )
    }

    /// The part with the fault, and what is said of it.
    fn clause(self) -> (&'static str, &'static str) {
        match self {
            Self::Anchor => ("an anchor", "stands between characters"),
            Self::Delimiters => {
                ("the delimiters and flags", "of another language match themselves")
            }
            Self::Prefix => ("a character", "precedes the scheme"),
            Self::NoScheme => ("the scheme", "is missing with its `://`"),
            Self::SchemeCase => ("the scheme", "has capitals, and browsers send lower case"),
            Self::Separator => ("the `://`", "after the scheme is incomplete"),
            Self::NoHost => ("the host", "is missing"),
            Self::HostCase => ("the host", "has capitals, and browsers send lower case"),
            Self::NonAscii => ("the host", "is beyond ASCII, and browsers send punycode"),
            Self::Userinfo => ("the user", "precedes the host, and an origin has none"),
            Self::Star => ("the host", "has a literal `*`, and no host has one"),
            Self::List => ("a separator", "joins several entries, and an origin is alone"),
            Self::Character => ("one character", "is none that a host or port has"),
            Self::EmptyLabel => ("the host", "has an empty label"),
            Self::Ipv4 => ("the host", "ends in a number and is no IPv4 address"),
            Self::Ipv6 => ("the address", "is not compressed as browsers send it"),
            Self::NoIpv6 => ("the brackets", "hold no IPv6 address"),
            Self::ExtensionId => {
                ("the host", "is no ID of an extension, which has 32 letters from `a` to `p`")
            }
            Self::EmptyPort => ("the colon", "has no port behind it"),
            Self::PortZeros => ("the port", "begins with a zero"),
            Self::PortRange => ("the port", "is above 65535"),
            Self::PortSpan => ("a range", "stands in the place of the port, and an origin has one"),
            Self::TrailingDot => {
                ("the host", "ends in a dot, and a regex matches the whole origin")
            }
            Self::DefaultPort => ("the port", "is the default one, which browsers leave out"),
            Self::TrailingSlash => {
                ("the slash", "follows the host or port, and an origin has none")
            }
            Self::Path => ("the path", "follows the host or port, and an origin has none"),
            Self::Query => ("the query", "follows the host or port, and an origin has none"),
            Self::Fragment => ("the fragment", "follows the host or port, and an origin has none"),
            Self::TooLong => ("the text", "is longer than an origin can be"),
        }
    }

    /// The fix without a better guess.
    fn fix(self) -> &'static str {
        match self {
            Self::Anchor | Self::Delimiters | Self::Prefix => {
                "write the expression alone, without delimiters, flags and inner anchors"
            }
            Self::NoScheme | Self::Separator | Self::SchemeCase | Self::NoHost => {
                "write it from the scheme to the port, such as `https://[a-z]+\\.app\\.example`"
            }
            Self::HostCase => "write the host in lower case",
            Self::NonAscii => "write the host in its `xn--` form",
            Self::Star => "write `[a-z0-9-]+` for one label, or a pattern into `allowOrigins`",
            Self::List => "write one entry for each origin",
            Self::Userinfo | Self::TrailingSlash | Self::Path | Self::Query | Self::Fragment => {
                "write only scheme, host and port"
            }
            Self::Character | Self::EmptyLabel => "use `a-z`, `0-9`, `-`, `_` and `.` in the host",
            Self::Ipv4 => "write four numbers from 0 to 255 without leading zeros",
            Self::Ipv6 => "write the address compressed, such as `http://\\[::1\\]:3000`",
            Self::NoIpv6 => "write an IPv6 address in brackets, such as `http://\\[::1\\]:3000`",
            Self::ExtensionId => "write the ID, 32 letters from `a` to `p`",
            Self::EmptyPort | Self::PortZeros | Self::PortRange | Self::DefaultPort => {
                "write a port from 1 to 65535 that is not the default, or none"
            }
            Self::PortSpan => "write each port, such as `:(8080|8081)`, or `:[0-9]+` for any",
            Self::TrailingDot => "write the host to its end",
            Self::TooLong => "write a shorter one",
        }
    }
}
