//! Origin sets: what an `OriginSet` says, and how its origins come into the policies that use it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use corsward_api::v1alpha1::OriginSetSpec;
use corsward_manifest::knowledge::FullKnowledge;
use corsward_policy::finding::{ListReason, OriginReason};
use corsward_policy::{Finding, validate};
use serde_json::{Map, Value};

use crate::cluster_state::{Key, RawObject};
use crate::finding::OriginSetReason;
use crate::object::{ValidatedObject, read_spec};

/// The origins of each set; `None`: the set is refused.
pub type Sets = BTreeMap<Key, Option<Vec<String>>>;

/// The origin sets of a cluster, validated.
#[derive(Debug, Default)]
pub struct OriginSets {
    /// The origins of each set.
    pub origins: Sets,
    /// The findings about each set, and the text that they are about.
    pub validated: BTreeMap<Key, ValidatedObject>,
}

/// The resolution of the sets that a spec names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    /// The findings about the names; some refuse the policy.
    pub findings: Vec<Finding>,
    /// The ranges of each set's origins, by the path of the list, for each block that names sets.
    lists: BTreeMap<String, Vec<SetRange>>,
}

/// The range of one set's origins.
#[derive(Clone, Debug, PartialEq)]
struct SetRange {
    /// `spec.cors.allowOriginsFrom[0]`.
    field: String,
    set: String,
    range: Range<usize>,
}

/// The origins of a set, as written, and what there is to say about its spec. `None`: a finding refuses it.
pub fn parse(spec: &Value) -> (Option<Vec<String>>, Vec<Finding>) {
    let read = |OriginSetSpec { origins }, _: &[Finding], findings: &mut Vec<Finding>| {
        findings.extend(validate::patterns(&origins, "spec.origins", &FullKnowledge).1);
        if let Some(at) = origins.iter().position(|origin| origin == "*") {
            findings.push(Finding::new(format!("spec.origins[{at}]"), OriginSetReason::Any));
        }
        if origins.is_empty() {
            findings.push(Finding::new("spec.origins", OriginSetReason::Empty));
        }
        origins
    };
    let (origins, findings) = read_spec(corsward_api::ORIGIN_SET_KIND, spec, read);
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
/// names. The result is a self-contained spec. `lookup` has the origins of a set, or the reason why there are none.
///
/// The spec has been through the check of its shape. Later findings of `validate` and of guardrails go through
/// [`Resolved::address`].
pub(crate) fn resolve<'s>(
    spec: &mut Value,
    lookup: impl Fn(&str) -> Result<&'s [String], OriginSetReason>,
) -> Resolved {
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
    pub fn validate(&mut self, all: &BTreeMap<Key, RawObject>) -> BTreeSet<Key> {
        self.validated.retain(|key, _| all.contains_key(key));
        let gone = self.origins.extract_if(.., |key, _| !all.contains_key(key));
        let mut changed: BTreeSet<Key> = gone.map(|(key, _)| key).collect();
        for (key, object) in all {
            if let Some(known) = self.validated.get_mut(key)
                && known.object.spec == object.spec
            {
                known.object.clone_from(object);
                continue;
            }
            let (origins, findings) = parse(&object.spec);
            let object = object.clone();
            self.validated.insert(key.clone(), ValidatedObject { object, findings });
            if self.origins.get(key) != Some(&origins) {
                self.origins.insert(key.clone(), origins);
                changed.insert(key.clone());
            }
        }
        changed
    }
}

// === impl Resolved ===

impl Resolved {
    /// Whether a finding asks for origins in a block that names sets: what there is to say of that is said of the names.
    pub(crate) fn says_what_is_allowed(&self, finding: &Finding) -> bool {
        finding.reason == OriginReason::Nobody.into() && self.lists.contains_key(&finding.field)
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
                Finding::new(field.clone(), OriginSetReason::Of { set: set.clone(), reason })
            }
            None => Finding { field, reason },
        }
    }

    /// The set that an entry of a list came from, such as `spec.cors.allowOrigins[17]`.
    fn place(&self, field: &str) -> Option<&SetRange> {
        let (list, index) = field.strip_suffix(']')?.rsplit_once('[')?;
        let index = index.parse().ok()?;
        self.lists.get(list)?.iter().find(|place| place.range.contains(&index))
    }

    fn resolve_block<'s>(
        &mut self,
        block: &mut Value,
        path: &str,
        lookup: &impl Fn(&str) -> Result<&'s [String], OriginSetReason>,
    ) {
        let Some(Value::Object(cors)) = block.get_mut("cors") else { return };
        let Some(Value::Array(references)) = cors.remove("allowOriginsFrom") else { return };
        if references.is_empty() {
            return;
        }
        let ranges = self.lists.entry(format!("{path}.cors.allowOrigins")).or_default();
        let (mut seen, mut is_elsewhere) = (BTreeSet::new(), false);
        for (at, reference) in references.iter().enumerate() {
            let Some(name) = reference.get("name").and_then(Value::as_str) else { continue };
            let (field, set) = (format!("{path}.cors.allowOriginsFrom[{at}]"), name.to_owned());
            let reason = match lookup(name) {
                _ if !seen.insert(name) => OriginSetReason::Repeated(set),
                Err(reason) => reason,
                Ok(origins) => {
                    let list =
                        cors.entry("allowOrigins").or_insert_with(|| Vec::<Value>::new().into());
                    if let Value::Array(list) = list {
                        let start = list.len();
                        list.extend(origins.iter().cloned().map(Value::String));
                        ranges.push(SetRange { field, set, range: start..list.len() });
                    }
                    continue;
                }
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
}

#[cfg(test)]
mod tests;
