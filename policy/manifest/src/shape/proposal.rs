//! Proposals: the values that findings propose, amended until the validation of their field accepts them.

use std::cmp::Reverse;

use corsward_api::v1alpha1::CorsPolicySpec;
use corsward_policy::draft::Specificity;
use corsward_policy::finding::{Edit, Written};
use corsward_policy::{Finding, PolicyId, validate};
use serde_json::{Map, Value, json};

use super::stranger::get;
use super::{Check, join};
use crate::finding::{Meant, MeantField, ShapeReason};
use crate::knowledge::FullKnowledge;
use crate::{amend, convert, foreign};

/// Most times that a proposed value is amended.
const MAX_ROUNDS: usize = 4;
/// Most proposals of an object: the fixes of further findings name no value.
const MAX_PROPOSALS: usize = 256;
/// Most refusals of a proposed value that are amended.
const MAX_REFUSALS: usize = 256;
/// Longest value that a finding shows beside the field that it is moved to.
const MAX_PRESENT: usize = 120;
/// An entry beside a proposed one in a list that has others.
const OTHER_ORIGIN: &str = "https://corsward.invalid";

impl Check<'_> {
    /// Amends each value that a finding proposes, or takes it out of the finding where its field refuses it.
    pub(super) fn settle_proposals(&mut self, spec: &Value) {
        let mut findings = std::mem::take(self.findings);
        let mut left = MAX_PROPOSALS;
        for finding in &mut findings {
            let Finding { field, reason } = finding;
            let Some(reason) = reason.downcast_mut() else { continue };
            let mut settle = |field: &str, value: Written| {
                left = left.checked_sub(1)?;
                self.settled(field, value, spec)
            };
            match reason {
                ShapeReason::WrongType { instead, .. } => {
                    *instead = instead.take().and_then(|value| settle(field, value));
                }
                ShapeReason::Match { entry, .. } => {
                    *entry = entry.take().and_then(|entry| {
                        let (list, value) = *entry;
                        let field = match (list, field.rsplit_once('.')) {
                            (Some(list), Some((block, _))) => format!("{}[0]", join(block, list)),
                            _ => field.clone(),
                        };
                        settle(&field, value).map(|value| Box::new((list, value)))
                    });
                }
                ShapeReason::UnknownField { meant: Some(meant), .. } => {
                    if let Meant::Field(meant) = &mut **meant {
                        settle_field(meant, settle);
                    }
                }
                _ => {}
            }
        }
        *self.findings = findings;
    }

    /// Amends the value that is meant for a field, where it is the only proposal.
    pub(super) fn settle_field(&self, meant: &mut MeantField, spec: &Value) {
        settle_field(meant, |field, value| self.settled(field, value, spec));
    }

    /// The value that `field` accepts in the place of `value`; several entries in the place of one are a list.
    fn settled(&self, field: &str, value: Written, spec: &Value) -> Option<Written> {
        let (list, entry) = match field.strip_suffix(']').and_then(|it| it.rsplit_once('[')) {
            Some((list, _)) => (list, Some(value.clone())),
            None => (field, None),
        };
        let Some(place) = place_of(list) else { return Some(value) };
        let proposed = entry.map_or(value, |entry| Written::List(vec![entry]));
        let mut object = self.around(list, &place, spec);
        amend::apply(&mut object, &Edit::Write { field: place.clone(), value: proposed }).ok()?;
        let has_others = list != field && has_others(list, spec);
        if has_others {
            let entries = vec![OTHER_ORIGIN.to_owned()];
            amend::apply(&mut object, &Edit::Add { field: place.clone(), entries }).ok()?;
        }
        amend_until_accepted(&mut object, &place)?;
        match foreign::written(amend::get(&object, &place)?)? {
            Written::List(mut entries) => {
                entries.retain(|entry| !has_others || *entry != Written::text(OTHER_ORIGIN));
                match entries.len() {
                    0 => None,
                    1 if list != field => entries.pop(),
                    _ => Some(Written::List(entries)),
                }
            }
            settled => Some(settled),
        }
    }

    /// A policy with what a value of that field depends on.
    fn around(&self, field: &str, place: &str, spec: &Value) -> Value {
        let mut cors = Map::new();
        if !place.starts_with("spec.cors.allowOrigin") && place != "spec.cors" {
            cors.insert("allowOrigins".to_owned(), json!([OTHER_ORIGIN]));
        }
        let block = field.rsplit_once('.').map_or(field, |(block, _)| block);
        if place.starts_with("spec.cors.") && place != "spec.cors.allowCredentials" {
            let credentials = self.credentialed.contains(block);
            cors.insert("allowCredentials".to_owned(), credentials.into());
            let allowed = get(spec, &join(block, "dangerouslyAllow"));
            if let Some(allowed) = allowed.filter(|_| !place.ends_with(".dangerouslyAllow")) {
                cors.insert("dangerouslyAllow".to_owned(), allowed.clone());
            }
        }
        json!({"spec": {"cors": cors}})
    }
}

/// Does a star in that list of origins stand beside other origins?
fn has_others(list: &str, spec: &Value) -> bool {
    let Some((block, "allowOrigins")) = list.rsplit_once('.') else { return false };
    let count =
        |name: &str| get(spec, &join(block, name)).and_then(Value::as_array).map_or(0, Vec::len);
    count("allowOrigins") > 1 || count("allowOriginRegexes") > 0
}

/// Amends the value that is meant for a field, or leaves it to the author.
fn settle_field(meant: &mut MeantField, mut settle: impl FnMut(&str, Written) -> Option<Written>) {
    let field = join(&meant.around, &meant.leaf);
    let proposed = meant.value.as_ref().or(meant.present.as_ref()).filter(|_| meant.is_edit);
    if let Some(proposed) = proposed.cloned() {
        match settle(&field, proposed.clone()) {
            Some(settled) if settled == proposed => {}
            Some(settled) => meant.value = Some(settled),
            None => {
                meant.value = None;
                meant.present = None;
                meant.is_edit = false;
            }
        }
    }
    meant.present = meant.present.take().filter(|it| it.to_string().len() <= MAX_PRESENT);
}

/// The place of a field in a policy that has only it; `None` if no check covers its value.
fn place_of(field: &str) -> Option<String> {
    if let Some((_, within)) = field.split_once(".cors.") {
        return Some(format!("spec.cors.{within}"));
    }
    let name = match field.rsplit_once('.')? {
        ("spec", name @ ("hostnames" | "trustedOrigins" | "preflight")) => name,
        ("spec.preflight", _) => return Some(field.to_owned()),
        ("spec", "origins") | (_, "allowedOrigins") => "cors.allowOrigins",
        (_, "allowedMethods") => "cors.allowMethods",
        (_, "allowedHeaders") => "cors.allowHeaders",
        (_, "maxMaxAge") => "cors.maxAge",
        (_, "trustedOrigins") => "trustedOrigins",
        (_, "cors") => "cors",
        _ => return None,
    };
    Some(format!("spec.{name}"))
}

/// Applies the fixes of what refuses the value at `place`; `None`: a refusal has none there.
fn amend_until_accepted(object: &mut Value, place: &str) -> Option<()> {
    for _ in 0..MAX_ROUNDS {
        let mut refusals = refusals(object, place)?;
        if refusals.is_empty() {
            return Some(());
        }
        if refusals.len() > MAX_REFUSALS {
            return None;
        }
        // An edit of an entry moves those behind it.
        refusals.sort_by_key(|it| Reverse(position(&it.field)));
        refusals.dedup_by_key(|it| position(&it.field));
        for refusal in refusals {
            let edits = refusal.edits();
            let edit = edits.iter().find(|edit| is_at(edit, place))?;
            amend::apply(object, edit).ok()?;
        }
    }
    refusals(object, place)?.is_empty().then_some(())
}

/// The refusals of the value at `place`; `None` if it does not fit there.
fn refusals(object: &Value, place: &str) -> Option<Vec<Finding>> {
    let spec: CorsPolicySpec = serde_json::from_value(object.get("spec")?.clone()).ok()?;
    let id = PolicyId { namespace: String::new(), name: String::new() };
    let draft = convert::draft(&id, &spec, Specificity::Namespace, None);
    let mut findings = validate(&draft, &FullKnowledge).findings;
    findings.retain(|it| it.is_refusal() && is_within(&it.field, place));
    Some(findings)
}

/// The list and the index of an entry.
fn position(field: &str) -> (String, usize) {
    let entry = field.split_once('[');
    let (list, rest) = entry.unwrap_or((field, ""));
    let index = rest.split(']').next().and_then(|index| index.parse().ok());
    (list.to_owned(), index.unwrap_or_default())
}

fn is_within(field: &str, place: &str) -> bool {
    field.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Does the edit change nothing but the value at `place`?
fn is_at(edit: &Edit, place: &str) -> bool {
    match edit {
        Edit::Write { field, .. }
        | Edit::Spread { field, .. }
        | Edit::Add { field, .. }
        | Edit::Remove { field } => {
            is_within(field, place) && field != place
                || matches!(edit, Edit::Write { field, .. } if field == place)
        }
        _ => false,
    }
}
