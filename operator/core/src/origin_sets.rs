//! Origin sets: what an `OriginSet` says, and how its origins come into the policies that use it.

use std::collections::{BTreeMap, BTreeSet};

use corsward_api::v1alpha1::OriginSetSpec;
use corsward_manifest::shape;
use corsward_policy::finding::{self, ListReason, OriginReason};
use corsward_policy::{Finding, Knowledge, validate};
use serde_json::{Map, Value};

use crate::cluster_state::{Key, RawObject};
use crate::finding::OriginSetReason;
use crate::object::ValidatedObject;

/// The origins of each set; `None`: the set is refused.
pub type Sets = BTreeMap<Key, Option<Vec<String>>>;

/// The origin sets of a cluster, validated.
#[derive(Debug, Default)]
pub struct OriginSets {
    origins: Sets,
    /// The findings about each set, and the text that they are about.
    validated: BTreeMap<Key, ValidatedObject>,
}

/// The state of a set that a policy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetLookup<'s> {
    /// It is not there.
    Missing,
    /// It is not among the files of `corsward check`, and may be in the cluster.
    Elsewhere,
    /// It is there, and refused.
    Refused,
    /// Its origins, as written.
    Origins(&'s [String]),
}

/// The resolution of the sets that a spec names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    /// The findings about the names; some refuse the policy.
    pub findings: Vec<Finding>,
    /// The ranges of each set's origins, by the path of the list.
    lists: BTreeMap<String, Vec<SetRange>>,
    /// The lists of origins of the blocks that name sets.
    named: BTreeSet<String>,
}

/// The range of one set's origins.
#[derive(Clone, Debug, PartialEq)]
struct SetRange {
    /// `spec.cors.allowOriginsFrom[0]`.
    field: String,
    set: String,
    start: usize,
    end: usize,
}

/// The origins of a set, as written, and what there is to say about its spec. `None`: a finding refuses it.
pub fn parse(spec: &Value, knowledge: &dyn Knowledge) -> (Option<Vec<String>>, Vec<Finding>) {
    let (mut spec, mut findings) = (spec.clone(), Vec::new());
    let repairs = shape::check(corsward_api::ORIGIN_SET_KIND, &mut spec, &mut findings);
    let mut later = Vec::new();
    let spec = shape::read(corsward_api::ORIGIN_SET_KIND, spec, &mut later);
    let origins = spec.map(|OriginSetSpec { origins }| {
        later.extend(validate::patterns(&origins, "spec.origins", knowledge).1);
        if let Some(at) = origins.iter().position(|origin| origin == "*") {
            later.push(Finding::new(format!("spec.origins[{at}]"), OriginSetReason::Any));
        }
        if origins.is_empty() {
            later.push(Finding::new("spec.origins", OriginSetReason::Empty));
        }
        origins
    });
    findings.extend(repairs.beside(later));
    finding::sort(&mut findings);
    let refused = findings.iter().any(Finding::is_refusal);
    (origins.filter(|_| !refused), findings)
}

/// The names of the sets that a policy's spec uses, as far as it can be read.
pub fn names(spec: &Value) -> BTreeSet<String> {
    let blocks = spec.get("rules").and_then(Value::as_array).into_iter().flatten();
    std::iter::once(spec)
        .chain(blocks)
        .filter_map(|block| block.get("cors")?.get("allowOriginsFrom")?.as_array())
        .flatten()
        .filter_map(|reference| Some(reference.get("name")?.as_str()?.to_owned()))
        .collect()
}

/// Writes the origins of the sets that `spec` names into its lists of origins, behind the entries of the list, and removes the
/// names. The result is a self-contained spec.
///
/// The spec has been through the check of its shape. Later findings of `validate` and of guardrails go through
/// [`Resolved::address`].
pub(crate) fn resolve<'s>(spec: &mut Value, lookup: impl Fn(&str) -> SetLookup<'s>) -> Resolved {
    let mut resolved = Resolved::default();
    resolved.resolve_block(spec, "spec", &lookup);
    if let Some(Value::Array(rules)) = spec.get_mut("rules") {
        for (at, rule) in rules.iter_mut().enumerate() {
            resolved.resolve_block(rule, &format!("spec.rules[{at}]"), &lookup);
        }
    }
    resolved
}

/// Whether a block lists `*` and nothing else.
fn lists_any_origin_alone(cors: &Map<String, Value>) -> bool {
    let list = |name: &str| cors.get(name).and_then(Value::as_array).map(Vec::as_slice);
    let has_regexes = list("allowOriginRegexes").is_some_and(|regexes| !regexes.is_empty());
    !has_regexes && matches!(list("allowOrigins"), Some([only]) if only == "*")
}

// === impl OriginSets ===

impl OriginSets {
    /// Takes in the origin sets that there are, and names those that came to something else.
    pub fn validate(
        &mut self,
        all: &BTreeMap<Key, RawObject>,
        knowledge: &dyn Knowledge,
    ) -> BTreeSet<Key> {
        let mut changed: BTreeSet<Key> =
            self.validated.keys().filter(|key| !all.contains_key(*key)).cloned().collect();
        for key in &changed {
            self.validated.remove(key);
            self.origins.remove(key);
        }
        for (key, object) in all {
            let known = self.validated.get(key);
            if known.is_some_and(|known| known.object == *object) {
                continue;
            }
            if let Some(known) = self.validated.get_mut(key)
                && known.object.spec == object.spec
            {
                known.object = object.clone();
                continue;
            }
            let (origins, findings) = parse(&object.spec, knowledge);
            let (accepted, object) = (origins.is_some(), object.clone());
            self.validated.insert(key.clone(), ValidatedObject { object, accepted, findings });
            if self.origins.get(key) != Some(&origins) {
                self.origins.insert(key.clone(), origins);
                changed.insert(key.clone());
            }
        }
        changed
    }

    /// The origins of each set.
    pub fn origins(&self) -> &Sets {
        &self.origins
    }

    /// The findings about each set.
    pub fn validated(&self) -> &BTreeMap<Key, ValidatedObject> {
        &self.validated
    }
}

// === impl Resolved ===

impl Resolved {
    /// Whether a finding asks for origins in a block that names sets: what there is to say of that is said of the names.
    pub(crate) fn says_what_is_allowed(&self, finding: &Finding) -> bool {
        finding.reason == OriginReason::Nobody.into() && self.named.contains(&finding.field)
    }

    /// The same finding, about what its author wrote: where it is about an origin of a set, it names the set where the policy
    /// does.
    pub(crate) fn address(&self, finding: Finding) -> Finding {
        let Finding { field, mut reason } = finding;
        if let Some(ListReason::Repeated { first, .. }) = reason.downcast_mut()
            && let Some(place) = self.place(first)
        {
            first.clone_from(&place.field);
        }
        match self.place(&field) {
            Some(SetRange { field, set, .. }) => {
                let reason = OriginSetReason::Of { set: set.clone(), reason };
                Finding::new(field.clone(), reason)
            }
            None => Finding { field, reason },
        }
    }

    /// The set that an entry of a list came from, such as `spec.cors.allowOrigins[17]`.
    fn place(&self, field: &str) -> Option<&SetRange> {
        let (list, index) = field.strip_suffix(']')?.rsplit_once('[')?;
        let index: usize = index.parse().ok()?;
        self.lists.get(list)?.iter().find(|place| (place.start..place.end).contains(&index))
    }

    fn resolve_block<'s>(
        &mut self,
        block: &mut Value,
        path: &str,
        lookup: &impl Fn(&str) -> SetLookup<'s>,
    ) {
        let Some(Value::Object(cors)) = block.get_mut("cors") else { return };
        let Some(Value::Array(references)) = cors.remove("allowOriginsFrom") else { return };
        if !references.is_empty() {
            self.named.insert(format!("{path}.cors.allowOrigins"));
        }
        let (mut seen, mut is_elsewhere) = (BTreeSet::new(), false);
        for (at, reference) in references.iter().enumerate() {
            let Some(name) = reference.get("name").and_then(Value::as_str) else { continue };
            let field = format!("{path}.cors.allowOriginsFrom[{at}]");
            if !seen.insert(name) {
                let reason = OriginSetReason::Repeated(name.to_owned());
                self.findings.push(Finding::new(field, reason));
                continue;
            }
            let reason = match lookup(name) {
                SetLookup::Origins(origins) => {
                    self.inline(cors, path, field, name, origins);
                    continue;
                }
                SetLookup::Missing => OriginSetReason::Missing(name.to_owned()),
                SetLookup::Elsewhere => OriginSetReason::NotAmongFiles(name.to_owned()),
                SetLookup::Refused => OriginSetReason::Refused(name.to_owned()),
            };
            is_elsewhere |= matches!(reason, OriginSetReason::NotAmongFiles(_));
            self.findings.push(Finding::new(field, reason));
        }
        // `*` stands alone, whatever the set has.
        if is_elsewhere && lists_any_origin_alone(cors) {
            let field = format!("{path}.cors.allowOrigins[0]");
            self.findings.push(Finding::new(field, OriginReason::AnyBesideOthers));
        }
    }

    fn inline(
        &mut self,
        cors: &mut Map<String, Value>,
        path: &str,
        field: String,
        set: &str,
        origins: &[String],
    ) {
        let list = cors.entry("allowOrigins").or_insert_with(|| Value::Array(Vec::new()));
        if list.is_null() {
            *list = Value::Array(Vec::new());
        }
        let Value::Array(list) = list else { return };
        let start = list.len();
        list.extend(origins.iter().map(|origin| Value::String(origin.clone())));
        let place = SetRange { field, set: set.to_owned(), start, end: list.len() };
        self.lists.entry(format!("{path}.cors.allowOrigins")).or_default().push(place);
    }
}

#[cfg(test)]
mod tests;
