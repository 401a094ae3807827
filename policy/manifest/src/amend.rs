//! Amend: the edits of findings, made on an object.

use std::fmt;

use corsward_policy::finding::{Edit, Written};
use serde_json::{Map, Value};

/// The reason why an edit cannot be made on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotApplied {
    /// The field is not in the object.
    Absent,
    /// The place of the edit has a value already.
    Occupied,
}

/// One step of a field's path.
enum PathStep<'p> {
    Name(&'p str),
    Index(usize),
}

/// Makes an edit on an object, from `apiVersion` to `spec`.
///
/// # Errors
///
/// Fails if the object is not that of the finding, or the edit moves a value onto an existing one. The object is then
/// unchanged.
pub fn apply(object: &mut Value, edit: &Edit) -> Result<(), NotApplied> {
    let mut amended = object.clone();
    change(&mut amended, edit)?;
    *object = amended;
    Ok(())
}

fn change(object: &mut Value, edit: &Edit) -> Result<(), NotApplied> {
    match edit {
        Edit::Write { field, value } => {
            let value = of(value, get(object, field).unwrap_or(&Value::Null));
            put(object, field, value)
        }
        Edit::Spread { field, entries } => {
            let (list, index) = entry(object, field)?;
            list.splice(index..=index, entries.iter().map(|entry| Value::from(entry.as_str())));
            Ok(())
        }
        Edit::Add { field, entries } => {
            let entries = entries.iter().map(|entry| Value::from(entry.as_str()));
            add(object, field, entries.collect())
        }
        Edit::Remove { field } => take(object, field).map(drop),
        Edit::Move { field, to, value } => {
            let mut moved = take(object, field)?;
            if let Some(value) = value {
                moved = of(value, &moved);
            }
            match (get(object, to), moved) {
                (None | Some(Value::Null), moved) => put(object, to, moved),
                (Some(_), Value::Array(entries)) => add(object, to, entries),
                (Some(_), entry) => add(object, to, vec![entry]),
            }
        }
        _ => Err(NotApplied::Absent),
    }
}

/// The value as JSON has it; `present` is what stands there.
fn of(value: &Written, present: &Value) -> Value {
    match value {
        Written::Text(text) => Value::from(text.as_str()),
        Written::List(entries) => {
            Value::Array(entries.iter().map(|entry| of(entry, present)).collect())
        }
        Written::Number(number) => Value::from(*number),
        Written::Truth(truth) => Value::from(*truth),
        Written::Mapping(entries) => {
            let entries = entries.iter().map(|(name, value)| (name.clone(), of(value, present)));
            Value::Object(entries.collect())
        }
        Written::Listed => Value::Array(vec![present.clone()]),
        _ => Value::Null,
    }
}

/// Adds what is not there yet to the list at `field`.
fn add(object: &mut Value, field: &str, entries: Vec<Value>) -> Result<(), NotApplied> {
    if get(object, field).is_none_or(Value::is_null) {
        return put(object, field, Value::Array(entries));
    }
    let Some(Value::Array(list)) = get_mut(object, field) else {
        return Err(NotApplied::Occupied);
    };
    for entry in entries {
        if !list.contains(&entry) {
            list.push(entry);
        }
    }
    Ok(())
}

/// Writes a value, and the mappings around it where they are absent.
fn put(object: &mut Value, field: &str, value: Value) -> Result<(), NotApplied> {
    let mut place = object;
    let mut rest = field;
    let mut within = "";
    while !rest.is_empty() {
        let (step, after) = match within {
            // What is there is one label, dots and all.
            "matchLabels" => (PathStep::Name(rest), ""),
            _ => step(place, rest),
        };
        rest = after;
        if let PathStep::Name(name) = step {
            within = name;
        }
        place = match (step, place) {
            (PathStep::Index(index), Value::Array(list)) => {
                list.get_mut(index).ok_or(NotApplied::Absent)?
            }
            (PathStep::Name(name), place @ (Value::Object(_) | Value::Null)) => {
                if place.is_null() {
                    *place = Value::Object(Map::new());
                }
                let fields = place.as_object_mut().ok_or(NotApplied::Absent)?;
                fields.entry(name).or_insert(Value::Null)
            }
            _ => return Err(NotApplied::Absent),
        };
    }
    *place = value;
    Ok(())
}

fn take(object: &mut Value, field: &str) -> Result<Value, NotApplied> {
    // A name may end in brackets too.
    if let Ok((list, index)) = entry(object, field) {
        return Ok(list.remove(index));
    }
    let mut place = object;
    let mut rest = field;
    loop {
        let (step, after) = step(place, rest);
        if after.is_empty() {
            let (PathStep::Name(name), Some(fields)) = (step, place.as_object_mut()) else {
                return Err(NotApplied::Absent);
            };
            return fields.remove(name).ok_or(NotApplied::Absent);
        }
        rest = after;
        place = follow_mut(place, &step).ok_or(NotApplied::Absent)?;
    }
}

/// The list of an entry that is there, and its place in it.
fn entry<'v>(
    object: &'v mut Value,
    field: &str,
) -> Result<(&'v mut Vec<Value>, usize), NotApplied> {
    let split = field.strip_suffix(']').and_then(|field| field.rsplit_once('['));
    let (list, index) = split.ok_or(NotApplied::Absent)?;
    let index = index.parse().map_err(|_| NotApplied::Absent)?;
    match get_mut(object, list) {
        Some(Value::Array(list)) if index < list.len() => Ok((list, index)),
        _ => Err(NotApplied::Absent),
    }
}

/// The value of a field.
pub fn get<'v>(object: &'v Value, field: &str) -> Option<&'v Value> {
    let mut place = object;
    let mut rest = field;
    while !rest.is_empty() {
        let (step, after) = step(place, rest);
        rest = after;
        place = match step {
            PathStep::Name(name) => place.get(name)?,
            PathStep::Index(index) => place.get(index)?,
        };
    }
    Some(place)
}

fn get_mut<'v>(object: &'v mut Value, field: &str) -> Option<&'v mut Value> {
    let mut place = object;
    let mut rest = field;
    while !rest.is_empty() {
        let (step, after) = step(place, rest);
        rest = after;
        place = follow_mut(place, &step)?;
    }
    Some(place)
}

fn follow_mut<'v>(place: &'v mut Value, step: &PathStep<'_>) -> Option<&'v mut Value> {
    match *step {
        PathStep::Name(name) => place.get_mut(name),
        PathStep::Index(index) => place.get_mut(index),
    }
}

/// The first step of a path at `place`, and the rest. A name may hold dots, as labels do: the longest one that is there is
/// taken.
fn step<'p>(place: &Value, path: &'p str) -> (PathStep<'p>, &'p str) {
    if let Some((index, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']'))
        && let Ok(index) = index.parse()
    {
        return (PathStep::Index(index), rest.strip_prefix('.').unwrap_or(rest));
    }
    let there = place.as_object().into_iter().flatten().filter_map(|(name, _)| {
        let rest = path.strip_prefix(name.as_str())?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
    });
    let first = || path.find(['.', '[']).and_then(|end| path.get(end..)).unwrap_or_default();
    let rest = there.min_by_key(|rest| rest.len()).unwrap_or_else(first);
    let name = path.strip_suffix(rest).unwrap_or(path);
    (PathStep::Name(name), rest.strip_prefix('.').unwrap_or(rest))
}

impl fmt::Display for NotApplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "the field is not there",
            Self::Occupied => "another value is there",
        })
    }
}

impl std::error::Error for NotApplied {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn write(field: &str, value: Written) -> Edit {
        Edit::Write { field: field.into(), value }
    }

    fn moved(field: &str, to: &str) -> Edit {
        Edit::Move { field: field.into(), to: to.into(), value: None }
    }

    #[test]
    fn each_edit_changes_one_thing() {
        let add = |field: &str, entry: &str| Edit::Add {
            field: field.into(),
            entries: vec![entry.into()],
        };
        let spread = Edit::Spread { field: "a[1]".into(), entries: vec!["x".into(), "y".into()] };
        let listed = write("a", Written::Listed);
        for (why, object, edit, want) in [
            (
                "a value",
                json!({"a": {"b": 1}}),
                write("a.b", Written::Number(2)),
                json!({"a": {"b": 2}}),
            ),
            (
                "an absent mapping",
                json!({}),
                write("a.b", Written::Truth(true)),
                json!({"a": {"b": true}}),
            ),
            (
                "an entry",
                json!({"a": [1, 2]}),
                write("a[1]", Written::text("x")),
                json!({"a": [1, "x"]}),
            ),
            ("a list of one", json!({"a": {"b": 1}}), listed, json!({"a": [{"b": 1}]})),
            (
                "entries",
                json!({"a": ["w", "x y", "z"]}),
                spread,
                json!({"a": ["w", "x", "y", "z"]}),
            ),
            ("an addition", json!({"a": ["x"]}), add("a", "y"), json!({"a": ["x", "y"]})),
            ("an addition that is there", json!({"a": ["x"]}), add("a", "x"), json!({"a": ["x"]})),
            ("an addition to nothing", json!({}), add("a.b", "y"), json!({"a": {"b": ["y"]}})),
        ] {
            assert_amended(why, object, &edit, &want);
        }
    }

    #[test]
    fn what_is_taken_is_gone_or_elsewhere() {
        let remove = |field: &str| Edit::Remove { field: field.into() };
        for (why, object, edit, want) in [
            (
                "a removal",
                json!({"a": [{"b": 1, "c": 2}]}),
                remove("a[0].b"),
                json!({"a": [{"c": 2}]}),
            ),
            ("a removal of an entry", json!({"a": [1, 2]}), remove("a[0]"), json!({"a": [2]})),
            (
                "a name with dots",
                json!({"l": {"x.io/a": 1, "x": 2}}),
                remove("l.x.io/a"),
                json!({"l": {"x": 2}}),
            ),
            (
                "a label",
                json!({"x.io/a": 1}),
                moved("x.io/a", "matchLabels.x.io/a"),
                json!({"matchLabels": {"x.io/a": 1}}),
            ),
            ("a move", json!({"a": 1}), moved("a", "b.a"), json!({"b": {"a": 1}})),
            (
                "a move to a list",
                json!({"a": ["y"], "b": ["x"]}),
                moved("a", "b"),
                json!({"b": ["x", "y"]}),
            ),
        ] {
            assert_amended(why, object, &edit, &want);
        }
    }

    #[track_caller]
    fn assert_amended(why: &str, object: Value, edit: &Edit, want: &Value) {
        let mut amended = object;
        assert_eq!(apply(&mut amended, edit), Ok(()), "{why}");
        assert_eq!(amended, *want, "{why}");
    }

    #[test]
    fn what_cannot_be_changed_stays_as_it_is() {
        let object = json!({"a": [1], "b": 2, "c": 3});
        for (why, edit, want) in [
            ("no such entry", write("a[1]", Written::Number(2)), NotApplied::Absent),
            ("no mapping", write("b.c", Written::Number(2)), NotApplied::Absent),
            ("nothing to remove", Edit::Remove { field: "x.y".into() }, NotApplied::Absent),
            ("nothing to remove at all", Edit::Remove { field: String::new() }, NotApplied::Absent),
            ("onto another value", moved("b", "c"), NotApplied::Occupied),
            ("out of nothing", moved("x", "y"), NotApplied::Absent),
            (
                "to a value",
                Edit::Add { field: "b".into(), entries: vec!["x".into()] },
                NotApplied::Occupied,
            ),
        ] {
            let mut amended = object.clone();
            assert_eq!(apply(&mut amended, &edit), Err(want), "{why}");
            assert_eq!(amended, object, "{why}");
        }
    }
}
