//! Sources: the documents of Spring Boot's configuration, of which a later one overrides each key of an earlier one.

use granit_parser::{Event, Parser};
use serde_json::{Map, Value};

use super::properties;
use crate::fields::{documents, text, texts};
use crate::settings::{Failure, Note};
use crate::{Options, SourceFile};

/// Most placeholders that one text is read through.
const MAX_PLACEHOLDERS: usize = 32;

/// Most names that stand inside of each other.
pub(super) const MAX_DEPTH: usize = 64;

/// A document that is in force.
pub(super) struct Document {
    /// The name of its file.
    pub(super) file: String,
    /// Its values by their canonical names.
    pub(super) value: Value,
    /// Its scalars, names included, as they stand in the text.
    scalars: Vec<String>,
}

/// The documents that are in force, in the order of the files, with a remark on each other one that says anything of CORS.
pub(super) fn active(
    files: &[SourceFile],
    options: &Options,
    notes: &mut Vec<Note>,
) -> Result<Vec<Document>, Failure> {
    if let Some(written) = options.profiles.iter().find(|profile| !is_name(profile)) {
        let text = format!(
            "--profile has `{written}`: write the name of one active profile, and repeat it for several"
        );
        return Err(Failure::unreadable("", text));
    }
    let mut all = Vec::new();
    for file in files {
        if file.name.ends_with(".properties") {
            for (value, scalars) in properties::documents(&file.name, &file.text)? {
                let value = canonical(value, false);
                all.push(Document { file: file.name.clone(), value, scalars });
            }
            continue;
        }
        let values = documents(std::slice::from_ref(file))?;
        let scalars = scalars(&file.text);
        let are_aligned = scalars.len() == values.len();
        for (at, (_, value)) in values.into_iter().enumerate() {
            if let Some(name) = deep_name(&value, 0) {
                return Err(too_deep(&file.name, name));
            }
            let of_document = scalars.get(at).filter(|_| are_aligned).cloned();
            all.push(Document {
                file: file.name.clone(),
                value: canonical(value, false),
                scalars: of_document.unwrap_or_else(|| scalars.concat()),
            });
        }
    }
    let mut profiles = options.profiles.clone();
    if profiles.is_empty() {
        let mut named = all.iter().filter_map(|it| texts(&it.value, "/spring/profiles/active"));
        profiles = named.next_back().unwrap_or_else(|| vec!["default".to_owned()]);
    }
    all.retain(|document| document.is_active(&profiles, notes));
    Ok(all)
}

/// The documents in one: the last one wins for each key, and a list is replaced whole.
pub(super) fn merged(documents: &[Document]) -> Value {
    let mut all = Value::Null;
    for document in documents {
        merge(&mut all, document.value.clone());
    }
    all
}

/// The scalars of each document that has some.
fn scalars(text: &str) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for event in Parser::new_from_str(text) {
        match event {
            Ok((Event::DocumentStart(..), _)) => all.push(Vec::new()),
            Ok((Event::Scalar(scalar, ..), _)) => {
                if let Some(last) = all.last_mut() {
                    last.push(scalar.into_owned());
                }
            }
            _ => {}
        }
    }
    all.retain(|scalars| scalars.len() > 1);
    all
}

/// A value whose names with dots are names inside of names, as Spring binds them: `allowed-origins` is `allowedOrigins`. Names in
/// brackets are patterns, and those below `metadata` are the application's own.
fn canonical(value: Value, is_raw: bool) -> Value {
    match value {
        Value::Array(items) => {
            items.into_iter().map(|item| canonical(item, is_raw)).collect::<Vec<_>>().into()
        }
        Value::Object(fields) => {
            let mut outer = Value::Object(Map::new());
            for (name, value) in fields {
                merge(&mut outer, nested(&name, value, is_raw));
            }
            outer
        }
        value => value,
    }
}

/// The first name below which more than [`MAX_DEPTH`] names stand inside of each other; one with dots is several names.
fn deep_name(value: &Value, depth: usize) -> Option<&str> {
    match value {
        Value::Array(items) => {
            items.iter().find_map(|item| deep_name(item, depth.saturating_add(1)))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let depth = depth.saturating_add(name.split('.').count());
            if depth > MAX_DEPTH { Some(name.as_str()) } else { deep_name(value, depth) }
        }),
        _ => None,
    }
}

/// The failure where names are nested too deep.
pub(super) fn too_deep(place: &str, name: &str) -> Failure {
    let short: String = name.chars().take(40).collect();
    let text = format!(
        "`{short}…` is nested too deep: at most {MAX_DEPTH} names may stand inside of each other"
    );
    Failure::unreadable(place, text)
}

/// The field, as an object of one field.
fn nested(name: &str, value: Value, is_raw: bool) -> Value {
    let dot = name.match_indices('.').map(|(at, _)| at).find(|at| {
        let before = name.get(..*at).unwrap_or_default();
        before.matches('[').count() == before.matches(']').count()
    });
    let (first, rest) = match dot.and_then(|at| name.split_at_checked(at)) {
        Some((first, rest)) => (first, rest.strip_prefix('.')),
        None => (name, None),
    };
    let is_pattern = first.starts_with(['[', '/']);
    let first = if is_raw || is_pattern {
        first.to_owned()
    } else {
        first.replace(['-', '_'], "").to_ascii_lowercase()
    };
    let is_raw = is_raw || first == "metadata";
    let value = match rest {
        Some(rest) => nested(rest, value, is_raw),
        None => canonical(value, is_raw),
    };
    Value::Object(Map::from_iter([(first, value)]))
}

/// Adds the fields of a value.
fn merge(into: &mut Value, value: Value) {
    match (into, value) {
        (Value::Object(into), Value::Object(fields)) => {
            for (name, value) in fields {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, value) => *into = value,
    }
}

/// Puts the values of placeholders such as `${ORIGIN:https://app.example}` into the texts of a value.
pub(super) fn resolve(
    value: &mut Value,
    options: &Options,
    all: &Value,
    place: &str,
    notes: &mut Vec<Note>,
) {
    match value {
        Value::Object(fields) => {
            for value in fields.values_mut() {
                resolve(value, options, all, place, notes);
            }
        }
        Value::Array(items) => {
            for value in items {
                resolve(value, options, all, place, notes);
            }
        }
        Value::String(text) => {
            for _ in 0..MAX_PLACEHOLDERS {
                let Some((before, inside, after)) = placeholder(text) else { break };
                let with = of_placeholder(inside, options, all, place, notes);
                *text = format!("{before}{with}{after}");
            }
        }
        _ => {}
    }
}

/// The text around the innermost placeholder, and its inside.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (head, after) = text.split_once('}')?;
    let (before, inside) = head.rsplit_once("${")?;
    Some((before, inside, after))
}

fn of_placeholder(
    inside: &str,
    options: &Options,
    all: &Value,
    place: &str,
    notes: &mut Vec<Note>,
) -> String {
    let (name, default) = match inside.split_once(':') {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let variable = name.replace(['.', '-'], "_").to_ascii_uppercase();
    if let Some(value) = [name, &variable].iter().find_map(|it| options.environment.get(*it)) {
        return value.clone();
    }
    let is_shallow = name.split('.').count() <= MAX_DEPTH;
    let pointer = is_shallow.then(|| nested(name, Value::Null, false));
    if let Some(found) = pointer.and_then(|pointer| at(all, &pointer)) {
        return texts(found, "").unwrap_or_default().join(",");
    }
    let stands = if default.is_some() { ", and its default stands here" } else { "" };
    let text = format!(
        "a value is that of `{name}`, which the files do not have{stands}: import again with --env {variable}=…, or add it here"
    );
    notes.push(Note::decide("", place, text));
    default.unwrap_or_default().to_owned()
}

/// The value under the names of an object of one field in one field.
fn at<'v>(value: &'v Value, path: &Value) -> Option<&'v Value> {
    match path.as_object().and_then(|fields| fields.iter().next()) {
        Some((name, rest)) => at(value.get(name)?, rest),
        None => Some(value),
    }
}

// === impl Document ===

impl Document {
    /// The names of a map in the order of the text.
    pub(super) fn in_order<'v>(&self, map: &'v Map<String, Value>) -> Vec<&'v String> {
        let is_name = |scalar: &String, name: &str| {
            scalar == name
                || scalar.contains(&format!(".{name}"))
                || scalar.starts_with(&format!("{name}."))
        };
        let mut names: Vec<&String> = map.keys().collect();
        names.sort_by_cached_key(|name| {
            self.scalars.iter().position(|scalar| is_name(scalar, name))
        });
        names
    }

    /// Whether it is in force with these profiles.
    fn is_active(&self, profiles: &[String], notes: &mut Vec<Note>) -> bool {
        let place = &self.file;
        let says_cors = self.value.pointer("/spring/cloud").is_some_and(|value| {
            let written = value.to_string();
            written.contains("cors")
                || written.to_ascii_lowercase().contains("access-control-allow-")
        });
        let import = self.value.pointer("/spring/config/import").is_some();
        let others = "`spring.config.import` names other sources, which are not read: give their files, too, if they have CORS settings";
        notes.extend(import.then(|| Note::decide("", place, others)));
        if let Some(platform) = text(&self.value, "/spring/config/activate/oncloudplatform") {
            let text = format!(
                "the document for the platform `{platform}` is left out: write what it means"
            );
            notes.extend(says_cors.then(|| Note::decide("", place, text)));
            return false;
        }
        let condition = texts(&self.value, "/spring/config/activate/onprofile")
            .or_else(|| texts(&self.value, "/spring/profiles"));
        let Some(condition) = condition else { return true };
        let is_any = condition.iter().map(|expression| holds(expression, profiles));
        if is_any.clone().any(|holds| holds == Some(true)) {
            return true;
        }
        let expression = condition.join(", ");
        let is_unread = is_any.clone().any(|holds| holds.is_none());
        let again = if is_unread {
            "write what it means".to_owned()
        } else if is_name(&expression) {
            format!("import again with --profile {expression}, if it is in force")
        } else {
            "import again with --profile NAME for each active profile, if it is in force".to_owned()
        };
        let text = format!("the document for the profile `{expression}` is left out: {again}");
        notes.extend(says_cors.then(|| Note::decide("", place, text)));
        false
    }
}

/// Whether a text is the name of one profile, and no expression or list.
fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(['!', '&', '|', '(', ')', ','])
}

/// Whether a profile expression holds; absent: it has parentheses, which are not read.
fn holds(expression: &str, profiles: &[String]) -> Option<bool> {
    if expression.contains(['(', ')']) {
        return None;
    }
    let is_active = |name: &str| match name.trim().strip_prefix('!') {
        Some(name) => !profiles.iter().any(|profile| profile == name.trim()),
        None => profiles.iter().any(|profile| profile == name.trim()),
    };
    Some(expression.split('|').any(|all| all.split('&').all(is_active)))
}
