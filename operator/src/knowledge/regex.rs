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
use corsward_policy::validate::{DeadBranch, Glob, OpenDot, RegexHazard, RegexReach};
use regex_automata::nfa::thompson::NFA;
use regex_syntax::ast::Span;

use expression::Expression;
use product::{Budget, Graph, Nearest, TooLarge};

pub(super) use rewrite::in_own_syntax;

/// Most branches of one regex that are looked at one by one.
const MAX_BRANCHES: usize = 32;

/// Everything there is to say about `text`, which `regex-lite` reads.
pub(super) fn reach(text: &str) -> RegexReach {
    read(text, &Budget::full()).unwrap_or_else(|| {
        let hazard = if hazards::is_any_origin(text) {
            RegexHazard::AnyOrigin
        } else {
            RegexHazard::Unjudged
        };
        RegexReach { hazards: vec![hazard], ..RegexReach::default() }
    })
}

/// `None`: too complex to tell.
fn read(text: &str, budget: &Budget) -> Option<RegexReach> {
    let expression = Expression::parse(text)?;
    let nfa = expression.automaton()?;
    let graph = Graph::of(&nfa, budget).ok()?;
    if let Verdict::Never(nearest) = Verdict::of(&nfa, &graph, budget).ok()? {
        let misfit = misfit(nearest.as_ref(), text, budget, |text| Some(text.to_owned()));
        return Some(RegexReach { misfit: Some(misfit), ..RegexReach::default() });
    }
    let pattern = rewrite::as_pattern(text);
    let glob =
        expression.repeated_separator().map(|repeated| Glob { repeated, pattern: pattern.clone() });
    let dots = expression.open_dots();
    let all = closed(&expression, &dots, budget);
    // The dot behind a glob's star can be none.
    let most = || closed(&expression, dots.get(1..)?, budget);
    let (instead, graph) = match all {
        Some((text, graph)) => (Some(text).filter(|_| glob.is_none()), graph),
        None => (None, most().map_or(graph, |(_, graph)| graph)),
    };
    Some(RegexReach {
        misfit: None,
        dead_branches: dead_branches(&expression, budget),
        glob,
        open_dot: (!dots.is_empty()).then_some(OpenDot { instead, pattern }),
        hazards: hazards::of(text, &graph),
    })
}

/// The expression with those dots escaped, where that leaves it something to match.
fn closed(expression: &Expression, dots: &[Span], budget: &Budget) -> Option<(String, Graph)> {
    if dots.is_empty() {
        return None;
    }
    let text = expression.replace(dots, |_| r"\.".to_owned())?;
    let graph = Graph::of(&Expression::parse(&text)?.automaton()?, budget).ok()?;
    (!graph.is_empty()).then_some((text, graph))
}

/// Branches that match nothing, in an expression that matches something.
fn dead_branches(expression: &Expression, budget: &Budget) -> Vec<DeadBranch> {
    let mut dead = Vec::new();
    for branch in expression.branches().into_iter().take(MAX_BRANCHES) {
        let Some(own) = branch.text(expression) else { continue };
        let whole = |own: &str| branch.alone(own, expression);
        let verdict = whole(own).and_then(|alone| Verdict::of_text(&alone, budget));
        let Some(Verdict::Never(nearest)) = verdict else { continue };
        let mut misfit = misfit(nearest.as_ref(), own, budget, whole);
        if let Some(Replacement::Regex(own)) = &misfit.instead {
            misfit.instead = branch.replaced(own, expression).map(Replacement::Regex);
        }
        dead.push(DeadBranch { branch: own.to_owned(), misfit });
    }
    dead
}

/// Whether an expression matches an origin.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It matches one; where a text is given, that one.
    Matches(Option<String>),
    /// It matches none; this text comes closest, if it matches anything.
    Never(Option<Nearest>),
}

// === impl Verdict ===

impl Verdict {
    /// `None`: too complex to tell.
    fn of_text(text: &str, budget: &Budget) -> Option<Self> {
        let nfa = Expression::parse(text)?.automaton()?;
        Self::of(&nfa, &Graph::of(&nfa, budget).ok()?, budget).ok()
    }

    fn of(nfa: &NFA, graph: &Graph, budget: &Budget) -> Result<Self, TooLarge> {
        let nearest = product::nearest(nfa, budget)?;
        if graph.is_empty() {
            return Ok(Self::Never(nearest));
        }
        let Some(Nearest { text, .. }) = nearest else { return Ok(Self::Matches(None)) };
        if Origin::parse(text.as_bytes()).is_some() {
            return Ok(Self::Matches(Some(text)));
        }
        // Lengths and the form of IPv6 addresses are beyond the automaton.
        let fault = if text.len() > MAX_ORIGIN_LEN {
            OriginFault::TooLong
        } else if hazards::has_only_misspelled_ipv6(graph) {
            OriginFault::Ipv6
        } else {
            return Ok(Self::Matches(None));
        };
        Ok(Self::Never(Some(Nearest { faults: vec![(text.len(), fault)], text })))
    }
}

/// The cause, and what to write in place of `own`, which `whole` puts where it stands.
fn misfit(
    nearest: Option<&Nearest>,
    own: &str,
    budget: &Budget,
    whole: impl Fn(&str) -> Option<String>,
) -> Misfit {
    use OriginFault as F;
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
