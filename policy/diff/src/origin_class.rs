//! Origin class: the origins that two rule sets treat alike, each in its way.

use corsward_policy::draft::DisallowedRequests;
use corsward_policy::survey::Selected;

use crate::difference::OriginClass;
use crate::origins::{Languages, OriginList, Question};

/// The origins of two lists.
const SHARED: &str = "each origin that both list";
/// Most entries of two lists that are named.
const MAX_NAMED: usize = 3;

/// A class of values of `Origin`, with one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origins {
    pub(crate) classes: Vec<OriginClass>,
    pub(crate) witness: String,
}

/// The lists of one rule set that a decision looks at.
struct Lists<'l> {
    /// `None`: every value is treated alike.
    allowed: Option<OriginList<'l>>,
    trusted: Option<OriginList<'l>>,
}

/// The origins that a rule set treats alike: those that `within` accepts and `without` does not.
struct Cell<'l> {
    within: Option<&'l OriginList<'l>>,
    without: Vec<&'l OriginList<'l>>,
    is_allowed: bool,
}

/// Returns the classes, and the entries that could not be decided.
pub(crate) fn classes(
    old: Option<Selected<'_>>,
    new: Option<Selected<'_>>,
    languages: &Languages,
) -> (Vec<Origins>, Vec<String>) {
    let (old, new) = (Lists::of(old.as_ref()), Lists::of(new.as_ref()));
    let mut classes = Vec::new();
    let mut undecided = Vec::new();
    let is_uniform = old.is_uniform() && new.is_uniform();
    for of_old in old.cells() {
        for of_new in new.cells() {
            let (mut class, open) = common(&of_old, &of_new, languages);
            if is_uniform {
                class = class.map(|class| Origins { classes: vec![words("any origin")], ..class });
            }
            classes.extend(class);
            undecided.extend(open);
        }
    }
    if !is_uniform {
        let value = |text, witness: &str| Origins {
            classes: vec![words(text)],
            witness: witness.to_owned(),
        };
        classes.push(value("null", "null"));
        classes.push(value("values that are no origin", "https://any.example/"));
    }
    (classes, undecided)
}

/// The origins of two cells.
fn common(old: &Cell<'_>, new: &Cell<'_>, languages: &Languages) -> (Option<Origins>, Vec<String>) {
    let mut within: Vec<&OriginList<'_>> = old.within.iter().chain(&new.within).copied().collect();
    if !old.is_allowed && new.is_allowed {
        within.reverse();
    }
    let without: Vec<&OriginList<'_>> = old.without.iter().chain(&new.without).copied().collect();
    let question = Question { within: &within, without: &without };
    let both = old.within.is_some() && new.within.is_some();
    if within.is_empty() || both {
        let found = question.any(languages);
        let classes = match &within[..] {
            _ if !both => vec![words("any other origin")],
            [one, other] if without.is_empty() => shared(one, other),
            _ => vec![words(SHARED)],
        };
        let class = found.witness.map(|witness| Origins { classes, witness });
        return (class, found.undecided);
    }
    let found = question.entries(languages);
    let class = |(origins, except)| OriginClass { origins, except };
    let entries = found.entries.into_iter().map(class).collect();
    (found.witness.map(|witness| Origins { classes: entries, witness }), found.undecided)
}

/// The entries of both lists by name, where they are few.
fn shared(one: &OriginList<'_>, other: &OriginList<'_>) -> Vec<OriginClass> {
    let named = one.shared(other).filter(|entries| (1..=MAX_NAMED).contains(&entries.len()));
    let classes = named.map(|entries| entries.iter().map(|entry| words(entry)).collect());
    classes.unwrap_or_else(|| vec![words(SHARED)])
}

fn words(text: &str) -> OriginClass {
    OriginClass { origins: text.to_owned(), except: Vec::new() }
}

// === impl Lists ===

impl<'l> Lists<'l> {
    fn of(selected: Option<&'l Selected<'_>>) -> Self {
        let Some(selected) = selected.filter(|selected| !selected.ambiguous) else {
            return Self { allowed: None, trusted: None };
        };
        let cors = selected.cors();
        let allowed = selected.is_dynamic().then(|| {
            OriginList::new(cors.origins(), cors.regexes(), |origin| selected.allows(origin))
        });
        let rejects = selected.disallowed_requests == DisallowedRequests::Reject;
        let trusted =
            || OriginList::new(selected.trusted_origins(), &[], |origin| selected.trusts(origin));
        let trusted = rejects.then(trusted).filter(|list| !list.is_empty());
        Self { allowed, trusted }
    }

    fn is_uniform(&self) -> bool {
        self.allowed.is_none() && self.trusted.is_none()
    }

    fn cells(&'l self) -> Vec<Cell<'l>> {
        let mut cells = Vec::new();
        let mut without = Vec::new();
        for (list, is_allowed) in [(&self.allowed, true), (&self.trusted, false)] {
            if let Some(list) = list {
                cells.push(Cell { within: Some(list), without: without.clone(), is_allowed });
                without.push(list);
            }
        }
        cells.push(Cell { within: None, without, is_allowed: false });
        cells
    }
}
