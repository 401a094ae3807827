//! Strangers: fields that a schema does not know, and the fields that are meant by them.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use corsward_policy::Finding;
use corsward_policy::finding::Written;
use corsward_policy::header_line;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::{Map, Value};

use super::{Check, join, similar, word};
use crate::amend;
use crate::counterpart::{self, Becomes, Counterpart};
use crate::finding::{Meant, MeantField, ShapeReason};
use crate::foreign::{self, Match};

/// A field that a schema does not know.
pub(super) struct Stranger {
    /// The place of its finding.
    at: usize,
    /// The mapping that it is in.
    path: String,
    name: String,
    value: Value,
}

/// A place for a stranger's value.
struct Place {
    around: String,
    leaf: String,
    becomes: Becomes,
    note: &'static str,
}

/// The field of the spec that is meant by one outside of it.
pub(crate) fn outside(kind: &str, spec: &Value, (name, value): (&str, &Value)) -> Option<Meant> {
    let mut findings = Vec::new();
    let mut check = Check::new(kind, corsward_api::spec_schema(kind), &mut findings);
    check.credentialed = check.blocks_with_credentials(spec);
    let (path, name, value) = ("spec".to_owned(), name.to_owned(), value.clone());
    let stranger = Stranger { at: 0, path, name, value };
    let meant = if check.field(&join("spec", &stranger.name)).is_some() {
        let place = Place::new("spec", &stranger.name);
        check.placed(&stranger, place, spec)
    } else {
        check.meant(&stranger, spec)
    };
    Some(match meant? {
        Meant::Field(mut meant) => {
            check.settle_field(&mut meant, spec);
            Meant::Field(MeantField { beside: String::new(), ..meant })
        }
        advice @ Meant::Advice(_) => advice,
    })
}

// === impl Place ===

impl Place {
    /// The value as it stands, in that field.
    fn new(around: &str, leaf: &str) -> Self {
        let (around, leaf) = (around.to_owned(), leaf.to_owned());
        Self { around, leaf, becomes: Becomes::Itself, note: "" }
    }

    /// The same for the path of a field. A label's name may have dots.
    fn at(field: &str) -> Option<Self> {
        const LABELS: &str = "matchLabels";
        let label = field.split_once(&format!(".{LABELS}."));
        if let Some((selector, label)) = label {
            return Some(Self::new(&join(selector, LABELS), label));
        }
        let (around, leaf) = field.rsplit_once('.')?;
        Some(Self::new(around, leaf))
    }
}

impl Check<'_> {
    /// Keeps a field that the schema does not know: what is meant by it depends on all others.
    pub(super) fn note_stranger(&mut self, path: &str, name: &str, value: &Value) {
        let explain = self.explain(path);
        let reason = ShapeReason::UnknownField { name: name.to_owned(), meant: None, explain };
        if !self.is_trial {
            let at = self.findings.len();
            let (path, name, value) = (path.to_owned(), name.to_owned(), value.clone());
            self.strangers.push(Stranger { at, path, name, value });
        }
        self.findings.push(Finding::new(join(path, name), reason));
    }

    /// Says what is meant by the fields that the schema does not know, beside what else the spec says.
    pub(super) fn meet_strangers(&mut self, spec: &Value) {
        self.credentialed = self.blocks_with_credentials(spec);
        for finding in self.findings.iter_mut() {
            if let Some(ShapeReason::WrongType { found, instead, .. }) =
                finding.reason.downcast_ref()
                && let Some((block, "allowOrigins")) = finding.field.rsplit_once('.')
                && self.credentialed.contains(block)
                && *instead == Some(Written::texts(["*"]))
            {
                let found = found.trim_matches('"').to_owned();
                finding.reason = ShapeReason::Reflected { found }.into();
            }
        }
        for stranger in mem::take(&mut self.strangers) {
            let found = self.meant(&stranger, spec).map(Box::new);
            if let Some(finding) = self.findings.get_mut(stranger.at)
                && let Some(ShapeReason::UnknownField { meant, .. }) = finding.reason.downcast_mut()
            {
                *meant = found;
            }
        }
        let is_free = |meant: &MeantField| {
            let field = join(&meant.around, &meant.leaf);
            self.field(&field).is_some_and(|schema| !self.is_taken(&field, schema, spec))
        };
        let mut taken = Vec::new();
        for (at, finding) in self.findings.iter().enumerate() {
            if let Some(ShapeReason::Misplaced { meant, .. }) = finding.reason.downcast_ref()
                && let Meant::Field(meant) = &**meant
                && !is_free(meant)
            {
                taken.push(at);
            }
        }
        for at in taken {
            if let Some(finding) = self.findings.get_mut(at)
                && let Some(ShapeReason::Misplaced { meant, .. }) = finding.reason.downcast_mut()
                && let Meant::Field(meant) = &mut **meant
            {
                meant.is_edit = false;
            }
        }
        self.leave_out_what_is_moved_there();
    }

    /// A field that is missing, and that the fix of a stranger writes, needs no finding of its own.
    fn leave_out_what_is_moved_there(&mut self) {
        let is_missing = |finding: &Finding| {
            matches!(finding.reason.downcast_ref(), Some(ShapeReason::MissingField { .. }))
        };
        let missing: BTreeSet<String> = self
            .findings
            .iter()
            .filter(|finding| is_missing(finding))
            .map(|it| it.field.clone())
            .collect();
        let mut written = BTreeSet::new();
        for finding in self.findings.iter_mut() {
            if let Some(ShapeReason::UnknownField { meant: Some(meant), .. }) =
                finding.reason.downcast_mut()
                && let Meant::Field(meant) = &mut **meant
                && meant.is_edit
                && let Some(field) = [meant.around.clone(), join(&meant.around, &meant.leaf)]
                    .into_iter()
                    .find(|field| missing.contains(field))
            {
                meant.is_required = true;
                written.insert(field);
            }
        }
        self.findings.retain(|it| !(is_missing(it) && written.contains(&it.field)));
    }

    /// The `cors` blocks that allow credentials, in any spelling.
    fn blocks_with_credentials(&self, spec: &Value) -> BTreeSet<String> {
        const FIELD: &str = "allowCredentials";
        let rules = spec.get("rules").and_then(Value::as_array).map_or(0, Vec::len);
        let rules = (0..rules).map(|at| format!("spec.rules[{at}].cors"));
        let is_allowed = |block: &String| {
            let named = get(spec, &join(block, FIELD)).and_then(Value::as_bool);
            let mut strangers = self.strangers.iter();
            named == Some(true)
                || strangers.any(|Stranger { path, name, value, .. }| {
                    let field = join(block, FIELD);
                    let is_it = path == block && foreign::field(name) == Some(FIELD);
                    let meant = || foreign::instead("boolean", &field, value);
                    is_it && (value == &Value::Bool(true) || meant() == Some(Written::Truth(true)))
                })
        };
        [String::from("spec.cors")].into_iter().chain(rules).filter(is_allowed).collect()
    }

    /// The intended field in place of one that the schema lacks.
    fn meant(&self, stranger: &Stranger, spec: &Value) -> Option<Meant> {
        let Stranger { path, name, value, .. } = stranger;
        if let Some(place) = self.nested(path, name) {
            return self.placed(stranger, place, spec);
        }
        // Properties of other systems end in the field's name.
        let last = header_line::last_name(name);
        let last = if last.contains('/') { name } else { last };
        let is_policy = self.field("spec.cors").is_some();
        let is_of_some =
            counterpart::path_of_block(name).is_some_and(|it| it != "/**" && it != "/*");
        if is_policy && is_of_some && name.contains("[/") {
            return Some(Meant::Advice(counterpart::RULE_FOR_EACH));
        }
        match counterpart::of(path, last, value).filter(|_| is_policy) {
            Some(Counterpart::Advice(advice)) => return Some(Meant::Advice(advice)),
            Some(Counterpart::Field { field, becomes, note }) => {
                let place = Place::at(&field)?;
                return self.placed(stranger, Place { becomes, note, ..place }, spec);
            }
            None => {}
        }
        let known = places(path, last).into_iter().find(|field| self.field(field).is_some());
        let field = known.or_else(|| {
            let known = self.field(path)?.properties.as_ref()?;
            Some(join(path, &similar(name, known.keys().map(String::as_str))?))
        })?;
        let mut place = Place::at(&field)?;
        if let Some(regexes) = self.only_regexes(&field, value) {
            "allowOriginRegexes".clone_into(&mut place.leaf);
            place.becomes = Becomes::Value(Written::List(regexes));
        }
        self.placed(stranger, place, spec)
    }

    /// The regexes of a list of matches with nothing else in it.
    fn only_regexes(&self, field: &str, value: &Value) -> Option<Vec<Written>> {
        let mut lists = BTreeMap::new();
        self.list(field, value, &mut lists)?;
        let regexes = lists.remove("allowOriginRegexes")?;
        (lists.is_empty() && foreign::leaf(field) == "allowOrigins").then_some(regexes)
    }

    /// The field to which a name with dots is the way.
    fn nested(&self, path: &str, name: &str) -> Option<Place> {
        let way = name.trim_start_matches('.');
        if !name.contains('.') {
            return None;
        }
        let ends = path.match_indices('.').map(|(end, _)| end).chain([path.len()]);
        let bases: Vec<&str> =
            [0].into_iter().chain(ends).filter_map(|end| path.get(..end)).collect();
        bases.iter().rev().find_map(|base| {
            let field = join(base, way);
            let place = Place::at(&field).filter(|_| field.starts_with("spec."))?;
            if self.field(&field).is_some() {
                return Some(place);
            }
            let ours = foreign::field(&place.leaf)?;
            let field = join(&place.around, ours);
            self.field(&field).is_some().then(|| Place::new(&place.around, ours))
        })
    }

    /// The field at a place, as a finding names it.
    fn placed(&self, stranger: &Stranger, place: Place, spec: &Value) -> Option<Meant> {
        let Place { around, leaf, becomes, note } = place;
        let Stranger { path, value, .. } = stranger;
        let field = join(&around, &leaf);
        let schema = self.field(&field)?;
        let mut present = None;
        let (value, fits) = match becomes {
            Becomes::Value(value) => (Some(value), true),
            Becomes::Unknown => (None, false),
            Becomes::Itself if self.would_fit(schema, value, &field) => {
                present = foreign::written(value);
                (None, true)
            }
            Becomes::Itself => {
                let instead = self.instead(schema, &field, value);
                let fits = instead.is_some();
                (instead, fits)
            }
        };
        let entry = value.as_ref().or(present.as_ref());
        let is_every = leaf == "allowOrigins" && entry == Some(&Written::texts(["*"]));
        if is_every && self.credentialed.contains(&around) {
            return Some(Meant::Advice(counterpart::EVERY_ORIGIN));
        }
        let is_edit = fits
            && !self.is_taken(&field, schema, spec)
            && (!is_every || may_be_alone(spec, &around))
            && (leaf != "mode"
                || entry != Some(&Written::text("Off"))
                || may_be_off(spec, &around));
        let beside = path.clone();
        let is_required = false;
        let field = MeantField { beside, around, leaf, value, present, is_edit, is_required, note };
        Some(Meant::Field(field))
    }

    /// Is there a value already? Lists take more.
    fn is_taken(&self, field: &str, schema: &JSONSchemaProps, spec: &Value) -> bool {
        match get(spec, field) {
            None | Some(Value::Null) => false,
            Some(Value::Array(_)) if schema.type_.as_deref() == Some("array") => false,
            // What is missing has been put there.
            Some(_) => !self.repairs.replaced(field),
        }
    }

    /// The intended value in place of one that does not fit that field.
    fn instead(&self, schema: &JSONSchemaProps, field: &str, value: &Value) -> Option<Written> {
        let expected = schema.type_.as_deref().unwrap_or_default();
        match value {
            Value::Object(block) if foreign::leaf(field) == "cors" => {
                self.block(schema, field, counterpart::unwrapped(block)?)
            }
            Value::Array(_) if expected == "array" => {
                let mut lists = BTreeMap::new();
                self.list(field, value, &mut lists)?;
                // Nothing of it is meant for another list.
                let list = lists.remove(foreign::leaf(field))?;
                lists.is_empty().then_some(Written::List(list))
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) if schema.enum_.is_some() => {
                let words = schema.enum_.iter().flatten().filter_map(|word| word.0.as_str());
                let words: Vec<&str> = words.collect();
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                word(field, &text, &words).map(Written::Text)
            }
            value => foreign::instead(expected, field, value),
        }
    }

    /// A `cors` block with the names and values of a different system.
    fn block(
        &self,
        schema: &JSONSchemaProps,
        path: &str,
        block: &Map<String, Value>,
    ) -> Option<Written> {
        let known = schema.properties.as_ref()?;
        let mut lists = BTreeMap::new();
        let mut fields = BTreeMap::new();
        for (name, value) in block {
            let ours = known.get_key_value(name).map(|(name, _)| name.as_str());
            let ours = ours.or_else(|| foreign::field(name))?;
            let field = join(path, ours);
            let schema = known.get(ours)?;
            if value.is_array() {
                self.list(&field, value, &mut lists)?;
            } else if self.would_fit(schema, value, &field) {
                fields.insert(ours.to_owned(), foreign::written(value)?);
            } else {
                fields.insert(ours.to_owned(), self.instead(schema, &field, value)?);
            }
        }
        fields.extend(lists.into_iter().map(|(name, list)| (name, Written::List(list))));
        Some(Written::Mapping(fields.into_iter().collect()))
    }

    /// The entries of a list, and of others where matches of its entries are meant for them.
    fn list(
        &self,
        field: &str,
        value: &Value,
        lists: &mut BTreeMap<String, Vec<Written>>,
    ) -> Option<()> {
        self.field(field)?;
        for entry in value.as_array()? {
            let (list, entry) = match entry {
                Value::Object(written) => Match::of(field, written)?.entry?,
                Value::String(text) => (None, Written::text(text.as_str())),
                _ => return None,
            };
            let list = list.unwrap_or_else(|| foreign::leaf(field));
            lists.entry(list.to_owned()).or_default().push(entry);
        }
        Some(())
    }

    /// Would the value fit there, and all in it?
    fn would_fit(&self, schema: &JSONSchemaProps, value: &Value, field: &str) -> bool {
        let mut findings = Vec::new();
        let mut trial = Check::new(&self.kind, self.root, &mut findings);
        trial.is_trial = true;
        trial.fits(schema, &mut value.clone(), field) && findings.is_empty()
    }
}

/// May that block allow every origin, which stands alone?
fn may_be_alone(spec: &Value, block: &str) -> bool {
    let field = |name: &str| get(spec, &join(block, name));
    let is_listed =
        |name| field(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    !["allowOrigins", "allowOriginRegexes", "allowOriginsFrom"].into_iter().any(is_listed)
}

/// May that rule, or the whole policy, be off as it stands?
fn may_be_off(spec: &Value, around: &str) -> bool {
    let rule = get(spec, around).and_then(Value::as_object);
    rule.is_none_or(|rule| rule.keys().all(|name| name == "path"))
}

/// The value of a field of the spec.
pub(super) fn get<'v>(spec: &'v Value, field: &str) -> Option<&'v Value> {
    amend::get(spec, field.strip_prefix("spec.")?)
}

/// The possible places of the field that other systems call `name`, written in the mapping at `path`.
fn places(path: &str, name: &str) -> Vec<String> {
    let ours = foreign::field(name);
    let around = path.rsplit_once('.').map_or("", |(around, _)| around);
    let mut places = Vec::new();
    if let Some(ours) = ours {
        places.push(join(path, ours));
        places.push(join(path, &format!("cors.{ours}")));
        let allowed = ours.replacen("allow", "allowed", 1);
        places.push(format!("{path}.guardrails.{allowed}"));
        if ours == "allowOrigins" {
            places.push(join(path, "origins"));
        }
    }
    let inner = ["cors", "preflight", "path", "guardrails", "selector"];
    for inner in inner {
        places.push(format!("{path}.{inner}.{name}"));
    }
    places.push(format!("{path}.matchLabels.{name}"));
    if path == "spec.preflight" {
        places.push(format!("spec.cors.{}", ours.unwrap_or(name)));
    }
    places.push(format!("{around}.{name}"));
    places
}
