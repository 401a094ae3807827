//! Regex: what an origin regex accepts, decided on its automaton and that of the grammar of origins.
//!
//! A regex is always matched against the whole origin, so its outer anchors say nothing new.

mod ends;
mod expression;
mod grammar;
mod hazards;
mod host;
mod port;
mod product;
mod repair;
mod rewrite;

#[cfg(test)]
mod tests;

use corsward_policy::finding::{Misfit, OriginFault, Replacement};
use corsward_policy::limits::MAX_ORIGIN_LEN;
use corsward_policy::origin::Origin;
use corsward_policy::validate::{DeadBranch, Glob, OpenDot, RegexHazard, RegexReach, Steps};
use regex_automata::nfa::thompson::NFA;
use regex_syntax::ast::Span;

use expression::Expression;
use product::{Budget, Graph, Nearest, TooLarge};

pub(super) use rewrite::in_own_syntax;

/// Most branches of one regex that are looked at one by one.
const MAX_BRANCHES: usize = 32;

/// The automaton of an origin regex, anchored where it begins; one byte stands for all characters beyond ASCII, which no origin has.
/// `None`: the parser does not know the expression, or the automaton is too large.
pub fn automaton(regex: &str) -> Option<NFA> {
    Expression::parse(regex)?.automaton()
}

/// Everything there is to say about `text`, which `regex-lite` reads, in the steps that are left.
pub(super) fn reach(text: &str, steps: &Steps) -> RegexReach {
    let mut reach = read(text, &Budget::new(steps)).unwrap_or_else(|| {
        let hazard = if hazards::is_any_origin(text) {
            RegexHazard::AnyOrigin
        } else {
            RegexHazard::Unjudged
        };
        RegexReach { hazards: vec![hazard], ..RegexReach::default() }
    });
    if steps.left() == 0 {
        let unjudged = reach.hazards.iter_mut().filter(|hazard| **hazard == RegexHazard::Unjudged);
        unjudged.for_each(|hazard| *hazard = RegexHazard::NotReached);
    }
    reach
}

/// `None`: too complex to tell.
fn read(text: &str, budget: &Budget<'_>) -> Option<RegexReach> {
    let expression = Expression::parse(text)?;
    let nfa = budget.automaton(&expression)?;
    let graph = Graph::of(&nfa, budget).ok()?;
    let (nearest, hazards) = match Verdict::of(&expression, &nfa, &graph, budget).ok()? {
        Verdict::Matches(_) => return Some(matching(&expression, graph, budget)),
        Verdict::Unsent(host) => (Some(host), hazards::of(text, &graph, budget)),
        Verdict::Never(nearest) => (nearest, Vec::new()),
    };
    let misfit = misfit(nearest.as_ref(), text, budget, |text| Some(text.to_owned()));
    Some(RegexReach { misfit: Some(misfit), hazards, ..RegexReach::default() })
}

/// The same for an expression that matches an origin.
fn matching(expression: &Expression, graph: Graph, budget: &Budget<'_>) -> RegexReach {
    let text = &expression.text;
    let schemes = hazards::schemes(&graph, budget).unwrap_or_default().into_iter().collect();
    let pattern = rewrite::as_pattern(text);
    let glob =
        expression.repeated_separator().map(|repeated| Glob { repeated, pattern: pattern.clone() });
    let dots = expression.open_dots();
    let all = closed(expression, &dots, budget);
    // The dot behind a glob's star can be none.
    let most = || closed(expression, dots.get(1..)?, budget);
    let (instead, graph) = match all {
        Some((text, graph)) => (Some(text).filter(|_| glob.is_none()), graph),
        None => (None, most().map_or(graph, |(_, graph)| graph)),
    };
    RegexReach {
        misfit: None,
        hazards: hazards::of(text, &graph, budget),
        dead_branches: dead_branches(expression, budget),
        schemes,
        glob,
        open_dot: (!dots.is_empty()).then_some(OpenDot { instead, pattern }),
    }
}

/// The expression with those dots escaped, where that leaves it something to match.
fn closed(expression: &Expression, dots: &[Span], budget: &Budget<'_>) -> Option<(String, Graph)> {
    if dots.is_empty() {
        return None;
    }
    let text = expression.replace(dots, |_| r"\.".to_owned())?;
    let graph = Graph::of(&budget.automaton(&Expression::parse(&text)?)?, budget).ok()?;
    (!graph.is_empty()).then_some((text, graph))
}

/// Branches that match nothing, in an expression that matches something.
fn dead_branches(expression: &Expression, budget: &Budget<'_>) -> Vec<DeadBranch> {
    let mut dead = Vec::new();
    for branch in expression.branches().into_iter().take(MAX_BRANCHES) {
        let Some(own) = branch.text(expression) else { continue };
        let whole = |own: &str| branch.alone(own, expression);
        let verdict = whole(own).and_then(|alone| Verdict::of_text(&alone, budget));
        let nearest = match verdict {
            None | Some(Verdict::Matches(_)) => continue,
            Some(Verdict::Unsent(host)) => Some(host),
            Some(Verdict::Never(nearest)) => nearest,
        };
        let mut misfit = misfit(nearest.as_ref(), own, budget, whole);
        if let Some(Replacement::Regex(own)) = &misfit.instead {
            misfit.instead = branch.replaced(own, expression).map(Replacement::Regex);
        }
        let without = branch.removed(expression);
        dead.push(DeadBranch { branch: own.to_owned(), misfit, without });
    }
    dead
}

/// Whether an expression matches an origin.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It matches one; where a text is given, that one.
    Matches(Option<String>),
    /// It matches origins that no client sends, because this host stands in the place of their scheme.
    Unsent(Nearest),
    /// It matches none; this text comes closest, if it matches anything.
    Never(Option<Nearest>),
}

// === impl Verdict ===

impl Verdict {
    /// `None`: too complex to tell.
    fn of_text(text: &str, budget: &Budget<'_>) -> Option<Self> {
        let expression = Expression::parse(text)?;
        let nfa = budget.automaton(&expression)?;
        Self::of(&expression, &nfa, &Graph::of(&nfa, budget).ok()?, budget).ok()
    }

    fn of(
        expression: &Expression,
        nfa: &NFA,
        graph: &Graph,
        budget: &Budget<'_>,
    ) -> Result<Self, TooLarge> {
        let nearest = product::nearest(nfa, budget)?;
        if graph.is_empty() {
            return Ok(Self::Never(nearest));
        }
        let Some(Nearest { text, .. }) = nearest else { return Ok(Self::Matches(None)) };
        if Origin::parse(text.as_bytes()).is_some() {
            return Ok(match host_as_scheme(text.clone(), expression, graph, budget) {
                Some(host) => Self::Unsent(host),
                None if is_one_label_with_dot(&text) && expression.ends_in_dot() => {
                    let faults = vec![(text.len(), OriginFault::TrailingDot)];
                    Self::Unsent(Nearest { text, faults })
                }
                None => Self::Matches(Some(text)),
            });
        }
        // Lengths and the form of IPv6 addresses are beyond the automaton.
        let fault = if text.len() > MAX_ORIGIN_LEN {
            OriginFault::TooLong
        } else if hazards::has_only_misspelled_ipv6(graph, budget) {
            hazards::fault_of_ipv6(&text)
        } else {
            return Ok(Self::Matches(None));
        };
        Ok(Self::Never(Some(Nearest { faults: vec![(text.len(), fault)], text })))
    }
}

/// The host that stands in the place of a scheme, as in `localhost.*`, which accepts `localhost://`. A scheme that is the name of a
/// domain begins with its top level.
fn host_as_scheme(
    origin: String,
    expression: &Expression,
    graph: &Graph,
    budget: &Budget<'_>,
) -> Option<Nearest> {
    if expression.host_begins().is_some() || hazards::has_sites(graph) {
        return None;
    }
    // As in `app.example.*`, where the first dot stands for a dot.
    let dotted = || {
        let text = expression.replace(&expression.dots(), |_| r"\.".to_owned())?;
        let nfa = budget.automaton(&Expression::parse(&text)?)?;
        let Nearest { text, faults } = product::nearest(&nfa, budget).ok()??;
        faults.is_empty().then_some(text)
    };
    let origin = if expression.dots().is_empty() { origin } else { dotted().unwrap_or(origin) };
    let (scheme, _) = origin.split_once("://")?;
    let first = scheme.split('.').next()?;
    let is_host = scheme == "localhost"
        || scheme.contains('.') && !crate::knowledge::suffixes::is_public_suffix(first);
    let faults = vec![(0, OriginFault::NoScheme)];
    is_host.then(|| Nearest { text: scheme.to_owned(), faults })
}

/// Whether the host of an origin is one label and a dot, as in `https://app.`. More labels are a domain, from its root.
fn is_one_label_with_dot(origin: &str) -> bool {
    let host = origin.split_once("://").and_then(|(_, host)| host.strip_suffix('.'));
    host.is_some_and(|label| !label.contains('.'))
}

/// Whether a regex ends in two ports with a hyphen between them.
fn has_port_span(regex: &str) -> bool {
    let regex = regex.trim_end_matches('$');
    let ports = regex.rsplit_once(':').and_then(|(_, ports)| ports.split_once('-'));
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    ports.is_some_and(|(from, to)| is_port(from) && is_port(to))
}

/// The cause, and what to write in place of `own`, which `whole` puts where it stands.
fn misfit(
    nearest: Option<&Nearest>,
    own: &str,
    budget: &Budget<'_>,
    whole: impl Fn(&str) -> Option<String>,
) -> Misfit {
    use OriginFault as F;
    if has_port_span(own) {
        return Misfit { faults: vec![F::PortSpan], part: None, instead: None };
    }
    let instead = repair::instead(own, budget, whole);
    let Some(nearest) = nearest else {
        return Misfit { faults: Vec::new(), part: None, instead };
    };
    let has = |fault| nearest.faults.iter().any(|(_, own)| *own == fault);
    let is_delimited =
        (has(F::Prefix) || has(F::Anchor)) && repair::without_delimiters(own).is_some();
    let mut faults = Vec::new();
    for (_, fault) in &nearest.faults {
        let fault = match fault {
            F::Prefix | F::Anchor | F::Path | F::Query | F::Fragment if is_delimited => {
                F::Delimiters
            }
            F::TrailingSlash | F::Character if is_delimited => F::Delimiters,
            F::TrailingSlash if has(F::Path) => F::Path,
            fault => *fault,
        };
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    Misfit { faults, part: nearest.part().filter(|_| !is_delimited), instead }
}
