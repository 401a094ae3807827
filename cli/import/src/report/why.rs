//! Why: the reason of a difference, and its effect on users.

use corsward_policy::{Outcome, Refusal};
use serde::Serialize;

use crate::judgement::{Access, Aspect, Difference, judge};
use crate::layer::OriginRule;
use crate::probe::{Application, Probe, Relation};
use crate::report::Case;
use crate::settings::{Note, Settings};

/// The effect of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// A page or a client loses what it had.
    Loss,
    /// The policy allows more.
    Wider,
    /// The policy repairs a fault.
    Fix,
}

/// The reason of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Why {
    ElsewhereLost,
    LeftOut,
    Origin,
    Null,
    BeyondPort,
    Method,
    Header,
    PathUncovered,
    Segment,
    OnlyAnonymous,
    PlainOptions,
    LessExposed,
    Age,
    Rejected,
    Other,
    ElsewhereWider,
    PathCovered,
    SegmentWider,
    More,
    Misspelled,
    NullWithCredentials,
    BeyondName,
    OwnHeader,
    OneLine,
    OwnKept,
    Errors,
    PreflightAnswered,
    RefusalForwarded,
    OriginAlone,
    Cache,
    CacheLost,
}

const REFUSAL_FORWARDED: &str = "The old system refused the request itself; the policy forwards it, and the browser keeps the response \
     from the page. `disallowedRequests: Reject` refuses it.";
const ORIGIN: &str =
    "The settings allow the origin for some of the requests to the path, and the policy for none.";
const ELSEWHERE_LOST: &str = "The settings have a match for the request that no rule says; a comment in the policy names it, and its origins.";
const ELSEWHERE_WIDER: &str = "The settings answer the request without these origins, which no rule says; a comment in the policy names \
     the match or the host: write its paths as rules with `mode: \"Off\"`, or list the hosts in `hostnames`.";

/// Whether the old system shared the response with every origin: no part of one was compared.
fn is_for_all(case: &Case) -> bool {
    case.old.response.header("access-control-allow-origin").as_deref() == Some(b"*")
}

// === impl Why ===

impl Why {
    /// The reason of one difference of a probe.
    pub(crate) fn of(
        probe: &Probe,
        case: &Case,
        difference: &Difference,
        outcome: Option<Outcome>,
    ) -> Self {
        let (old, new) = (judge(&case.exchange, &case.old), judge(&case.exchange, &case.new));
        let is_read = !matches!(difference.aspect, Aspect::Cache | Aspect::Application);
        if probe.elsewhere.is_some() && is_read {
            let is_wider = new.access > old.access;
            return if is_wider { Self::ElsewhereWider } else { Self::ElsewhereLost };
        }
        if probe.is_part_of_segment {
            match difference.aspect {
                Aspect::Preflight | Aspect::Response if new.access > old.access => {
                    return Self::SegmentWider;
                }
                Aspect::ExposedHeaders if new.exposed.is_superset(&old.exposed) => {
                    return Self::SegmentWider;
                }
                Aspect::Cache if new.cached_by_origin => {}
                Aspect::Application => {}
                _ => return Self::Segment,
            }
        }
        match difference.aspect {
            Aspect::Cache if new.cached_by_origin => Self::Cache,
            Aspect::Cache => Self::CacheLost,
            Aspect::MaxAge => Self::Age,
            Aspect::ExposedHeaders if new.exposed.is_superset(&old.exposed) => Self::More,
            Aspect::ExposedHeaders => Self::LessExposed,
            Aspect::Application if new.reached && case.exchange.method == "OPTIONS" => {
                Self::PlainOptions
            }
            Aspect::Application if new.reached => match outcome.and_then(Outcome::refusal) {
                Some(_) => Self::RefusalForwarded,
                None => Self::OriginAlone,
            },
            Aspect::Application if case.exchange.is_preflight() => Self::PreflightAnswered,
            Aspect::Application => Self::Rejected,
            Aspect::Preflight | Aspect::Response if new.access < old.access => {
                Self::of_loss(probe, case, [old.access, new.access], outcome)
            }
            Aspect::Preflight | Aspect::Response => Self::of_gain(probe, case),
        }
    }

    fn of_loss(
        probe: &Probe,
        case: &Case,
        [old, new]: [Access; 2],
        outcome: Option<Outcome>,
    ) -> Self {
        if probe.application == Application::Own {
            return Self::OwnHeader;
        }
        if new == Access::Anonymous {
            return Self::OnlyAnonymous;
        }
        match (outcome.and_then(Outcome::refusal), probe.origin) {
            (None, _) if outcome.is_none() => Self::PathUncovered,
            (Some(Refusal::MalformedOrigin), _) => Self::Misspelled,
            (Some(Refusal::NullOrigin), _) if old == Access::Credentialed => {
                Self::NullWithCredentials
            }
            (Some(Refusal::NullOrigin), _) => Self::Null,
            (Some(Refusal::Origin), _) if probe.is_meant || is_for_all(case) => Self::LeftOut,
            (Some(Refusal::Origin), Relation::BeyondPort) => Self::BeyondPort,
            (Some(Refusal::Origin), _) => Self::BeyondName,
            (Some(Refusal::Method), _) => Self::Method,
            (Some(Refusal::Header), _) => Self::Header,
            _ => Self::Other,
        }
    }

    fn of_gain(probe: &Probe, case: &Case) -> Self {
        let lines = case.old.response.headers.iter();
        let is_doubled = lines
            .filter(|(name, _)| name.eq_ignore_ascii_case("access-control-allow-origin"))
            .count()
            > 1;
        match probe.application {
            _ if is_doubled => Self::OneLine,
            Application::Own => Self::OwnKept,
            Application::Error => Self::Errors,
            Application::Plain if case.old == case.exchange.forwarded() => Self::PathCovered,
            Application::Plain => Self::More,
        }
    }

    /// The reason without a comment of the policy where the policy has none on the entry.
    pub(crate) fn with_comment(self, probe: &Probe, settings: &Settings, notes: &[Note]) -> Self {
        if self != Self::LeftOut {
            return self;
        }
        let origin = probe.exchange.header("origin").unwrap_or_default();
        let layers = settings.blocks.iter().filter_map(|block| block.layer.as_ref());
        let mut rules = layers.flat_map(|layer| &layer.origins);
        let is_named = |rule: &OriginRule| {
            let mut names = vec![rule.written().to_owned(), rule.written().to_ascii_lowercase()];
            if let OriginRule::Regex(expression) = rule {
                names.extend(expression.patterns().into_iter().flatten());
            }
            let mut names = names.iter().map(|name| format!("`{name}`"));
            names.any(|name| notes.iter().any(|note| note.text.contains(&name)))
        };
        let has_comment = rules.any(|rule| rule.is_meant_for(origin) && is_named(rule));
        if has_comment { self } else { Self::Origin }
    }

    /// Whether it is that other settings answer the request.
    pub(crate) fn is_elsewhere(self) -> bool {
        matches!(self, Self::ElsewhereLost | Self::ElsewhereWider)
    }

    pub(crate) fn effect(self) -> Effect {
        match self {
            Self::ElsewhereLost
            | Self::LeftOut
            | Self::Origin
            | Self::Null
            | Self::BeyondPort
            | Self::Method
            | Self::Header
            | Self::PathUncovered
            | Self::Segment
            | Self::OnlyAnonymous
            | Self::PlainOptions
            | Self::LessExposed
            | Self::Age
            | Self::Rejected
            | Self::PreflightAnswered
            | Self::CacheLost
            | Self::Other => Effect::Loss,
            Self::ElsewhereWider
            | Self::PathCovered
            | Self::SegmentWider
            | Self::More
            | Self::RefusalForwarded
            | Self::OriginAlone => Effect::Wider,
            Self::Misspelled
            | Self::NullWithCredentials
            | Self::BeyondName
            | Self::OwnHeader
            | Self::OneLine
            | Self::OwnKept
            | Self::Errors
            | Self::Cache => Effect::Fix,
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::ElsewhereLost => ELSEWHERE_LOST,
            Self::ElsewhereWider => ELSEWHERE_WIDER,
            Self::LeftOut => {
                "The policy leaves an entry of the settings out; a comment in it says why."
            }
            Self::Origin => ORIGIN,
            Self::Null => {
                "The policy does not name `null`, the origin of sandboxed frames of any site."
            }
            Self::BeyondPort => {
                "A regex without an end allowed any port; the policy compares the whole origin. Add `:*` where ports are meant."
            }
            Self::Method => "The policy does not list the method.",
            Self::Header => "The policy does not list the request header.",
            Self::PathUncovered => "No rule of the policy covers the path.",
            Self::Segment | Self::SegmentWider => {
                "The settings cover a part of a segment, and a rule whole ones: the path has the other settings of the policy, or none."
            }
            Self::OnlyAnonymous => "The policy allows the origin without credentials only.",
            Self::PlainOptions => {
                "The old system answered an `OPTIONS` that is no preflight; the policy answers preflights only, and the application gets the others."
            }
            Self::LessExposed => "The policy does not expose every header.",
            Self::Age => "The policy has another `maxAge`.",
            Self::Rejected => "The policy rejects requests of origins that it does not allow.",
            Self::Other => "The policy refuses the request.",
            Self::PathCovered => {
                "A rule of the policy covers whole segments of a path, and so a path that the settings leave out."
            }
            Self::More => "The policy allows more than the settings.",
            Self::RefusalForwarded => REFUSAL_FORWARDED,
            Self::OriginAlone => "Preflights aside, the policy judges by the origin alone.",
            Self::Misspelled => {
                "No browser writes an `Origin` like that; the policy reads it as the Fetch standard does."
            }
            Self::NullWithCredentials => {
                "`null` is the origin of sandboxed frames of any site, which then act with the cookies of their visitors."
            }
            Self::BeyondName => {
                "The settings match a part of an origin, and so hosts of strangers; the policy compares the whole origin."
            }
            Self::OwnHeader => {
                "A header that the application sets by itself reached every origin; the policy removes it."
            }
            Self::OneLine => {
                "Two lines of `Access-Control-Allow-Origin` are none to a browser; the policy sends one."
            }
            Self::OwnKept => {
                "A header that the application sets by itself stood in the place of the old system's; the policy's stands there now."
            }
            Self::Errors => "The page reads error responses, too, and shows their cause.",
            Self::PreflightAnswered => {
                "The proxy answers the preflight; an application that answered it itself is not asked any more."
            }
            Self::Cache => {
                "A shared cache gave the answer for one origin to another; the policy adds `Vary: Origin`."
            }
            Self::CacheLost => "The path has no rule, so nothing adds `Vary: Origin` there.",
        }
    }
}
