//! Settings: the CORS settings of an old system, as its reader found them.

use std::fmt;

use corsward_policy::draft::PathType;
use corsward_policy::scope::PathMatch;

use crate::exchange::{Answer, Exchange, System};
use crate::layer::Layer;

/// The settings that become one policy.
pub(crate) struct Settings {
    /// The name of the old system, with the version whose answers were measured.
    pub(crate) product: &'static str,
    /// The name that the policy gets.
    pub(crate) name: String,
    /// Its namespace, where the settings have one.
    pub(crate) namespace: Option<String>,
    /// The hosts, where the settings have some.
    pub(crate) hostnames: Vec<String>,
    /// The listeners that serve the hosts; none: all.
    pub(crate) listeners: Vec<Listener>,
    /// The settings for the paths without a block of their own, first, and those with one.
    pub(crate) blocks: Vec<Block>,
    /// Remarks that become comments of the policy.
    pub(crate) notes: Vec<Note>,
    /// The model of the old system.
    pub(crate) system: Box<dyn System>,
    /// Paths at the boundaries of the settings.
    pub(crate) paths: Vec<String>,
    /// Requests that the old system answers by other settings, and no policy says so.
    pub(crate) elsewhere: Vec<Elsewhere>,
    /// The status of a passed preflight, where the settings say it.
    pub(crate) success_status: Option<u16>,
}

/// A listener of a proxy; settings of one listener take nothing away from those of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listener {
    /// The gateway, the class of the controller, or the address.
    pub(crate) of: String,
    /// The name of its section; absent: all.
    pub(crate) section: Option<String>,
    /// The port; absent: all.
    pub(crate) port: Option<u64>,
}

/// The settings for a path.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The path; absent: every path without a block of its own.
    pub(crate) path: Option<BlockPath>,
    /// The layer; absent: no CORS at this path.
    pub(crate) layer: Option<Layer>,
}

/// The path of a block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BlockPath {
    /// To the letter.
    Exact(String),
    /// Whole segments from the left.
    Prefix(String),
    /// Any text from the left, a part of a segment included.
    Start(String),
}

/// The part of a request that fulfils conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    /// The method.
    pub(crate) method: Option<String>,
    /// The host.
    pub(crate) authority: Option<String>,
    /// The query, without `?`.
    pub(crate) query: Vec<String>,
    /// The header lines.
    pub(crate) headers: Vec<(String, String)>,
}

/// A request that the old system answers by other settings than those of its path and host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    /// The conditions that it fulfils.
    pub(crate) conditions: Conditions,
    /// Its path.
    pub(crate) path: String,
    /// The layer that answers it; absent: no CORS.
    pub(crate) layer: Option<Layer>,
}

/// A remark about a setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The field of `cors` that it is about, such as `allowOrigins`; empty for the policy.
    pub field: &'static str,
    /// The place of the setting, such as `settings.py:12`.
    pub place: String,
    /// The remark.
    pub text: String,
    /// Whether a person must decide.
    pub decide: bool,
}

/// The reason why nothing is translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The file is unreadable, or has no CORS settings.
    Unreadable {
        /// The place.
        place: String,
        /// The fault and its fix.
        text: String,
    },
    /// A translation would be dangerous.
    Dangerous {
        /// The place.
        place: String,
        /// The danger and the decision to make.
        text: String,
    },
}

// === impl Note ===

impl Note {
    /// A remark that needs no decision.
    pub(crate) fn remark(field: &'static str, place: &str, text: impl Into<String>) -> Self {
        Self { field, place: place.to_owned(), text: text.into(), decide: false }
    }

    /// A remark after which a person must decide.
    pub(crate) fn decide(field: &'static str, place: &str, text: impl Into<String>) -> Self {
        Self { decide: true, ..Self::remark(field, place, text) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decide = if self.decide { "decide: " } else { "" };
        match self.place.as_str() {
            "" => write!(f, "{decide}{}", self.text),
            place => write!(f, "{decide}{} ({place})", self.text),
        }
    }
}

// === impl Failure ===

impl Failure {
    pub(crate) fn unreadable(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Unreadable { place: place.into(), text: text.into() }
    }

    pub(crate) fn dangerous(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Dangerous { place: place.into(), text: text.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unreadable { place, text } | Self::Dangerous { place, text }) = self;
        match place.as_str() {
            "" => f.write_str(text),
            place => write!(f, "{place}: {text}"),
        }
    }
}

impl std::error::Error for Failure {}

// === impl Settings ===

impl Settings {
    /// Whether their policy leaves its hosts alone.
    pub(crate) fn is_exception(&self) -> bool {
        self.blocks.iter().all(|block| block.layer.is_none())
    }
}

// === impl Listener ===

impl Listener {
    /// All listeners of a gateway or of a class.
    pub(crate) fn all_of(of: impl Into<String>) -> Self {
        Self { of: of.into(), ..Self::default() }
    }

    /// Whether a listener serves both.
    pub(crate) fn meet(some: &[Self], others: &[Self]) -> bool {
        some.is_empty()
            || others.is_empty()
            || some.iter().any(|one| others.iter().any(|other| one.meets(other)))
    }

    fn meets(&self, other: &Self) -> bool {
        let sections = self.section.as_ref().zip(other.section.as_ref());
        let ports = self.port.zip(other.port);
        self.of == other.of
            && sections.is_none_or(|(one, other)| one == other)
            && ports.is_none_or(|(one, other)| one == other)
    }
}

// === impl Elsewhere ===

impl System for Elsewhere {
    fn answer(&self, exchange: &Exchange) -> Answer {
        self.layer.as_ref().map_or_else(|| exchange.forwarded(), |layer| layer.answer(exchange))
    }
}

// === impl Block ===

impl Block {
    /// Whether it covers every path of the other, but for parts of segments.
    pub(crate) fn hides(&self, other: &Self) -> bool {
        match (&self.path, &other.path) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(path), Some(other)) => path.hides(other),
        }
    }

    /// The path as written.
    pub(crate) fn written(&self) -> &str {
        self.path.as_ref().map_or("/", BlockPath::as_str)
    }
}

// === impl BlockPath ===

impl BlockPath {
    /// The path as written.
    pub(crate) fn as_str(&self) -> &str {
        let (Self::Exact(path) | Self::Prefix(path) | Self::Start(path)) = self;
        path
    }

    /// Whether a rule can have it.
    pub(crate) fn is_sayable(&self) -> bool {
        let (kind, path) = match self {
            Self::Exact(path) => (PathType::Exact, path.as_str()),
            Self::Prefix(path) | Self::Start(path) => {
                (PathType::PathPrefix, path.trim_end_matches('/'))
            }
        };
        path.is_empty() || PathMatch::parse(kind, path).is_ok()
    }

    /// A path that it covers.
    pub(crate) fn inside(&self) -> String {
        match self {
            Self::Exact(path) => path.clone(),
            Self::Prefix(path) | Self::Start(path) => {
                format!("{}/orders", path.trim_end_matches('/'))
            }
        }
    }

    /// Whether it covers a path that the rule with its text does not.
    pub(crate) fn covers_part_of_segment(&self, path: &str) -> bool {
        matches!(self, Self::Start(_))
            && self.covers(path)
            && !Self::Prefix(self.as_str().to_owned()).covers(path)
    }

    /// Whether it covers every path of the other, but for parts of segments.
    pub(crate) fn hides(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(path), Self::Exact(other)) => path == other,
            (Self::Exact(_), _) => false,
            (Self::Prefix(_) | Self::Start(_), other) => self.covers(other.as_str()),
        }
    }

    /// Whether it covers a request's path.
    pub(crate) fn covers(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == path,
            Self::Start(start) => path.starts_with(start),
            Self::Prefix(prefix) => {
                let prefix = prefix.trim_end_matches('/');
                path.strip_prefix(prefix)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }
}
