//! Settling: a value with holes becomes one without, with a remark for each hole.

use super::value::{Hole, Value};
use crate::settings::{Failure, Note};

/// The value of the setting `name` without holes.
pub(crate) fn settle(
    name: &str,
    value: Value,
    field: &'static str,
    notes: &mut Vec<Note>,
) -> Value {
    match value {
        Value::Hole(hole) => {
            notes.push(remark(name, &hole, None, field));
            Value::None
        }
        Value::Environment(hole, default) => {
            notes.push(remark(name, &hole, Some(&default), field));
            settle(name, *default, field, notes)
        }
        Value::List(items) => {
            let mut settled = Vec::new();
            for item in items {
                match settle(name, item, field, notes) {
                    Value::List(inner) => settled.extend(inner),
                    Value::None => {}
                    value => settled.push(value),
                }
            }
            Value::List(settled)
        }
        value => value,
    }
}

fn remark(name: &str, hole: &Hole, default: Option<&Value>, field: &'static str) -> Note {
    let again = match &hole.variable {
        Some(variable) => format!("import again with --env {variable}=…, or add it here"),
        None => "add it here".to_owned(),
    };
    let stands = match default.map(Value::truth) {
        Some(Some(true) | None) => ", and what is written beside it stands here",
        Some(Some(false)) | None => "",
    };
    let text = format!("{name} has its value from {}{stands}: {again}", hole.name);
    Note::decide(field, &hole.place, text)
}

/// The texts of a settled list.
pub(crate) fn texts(name: &str, value: Value, place: &str) -> Result<Vec<String>, Failure> {
    let items = match value {
        Value::List(items) => items,
        Value::None => return Ok(Vec::new()),
        _ => return Err(Failure::unreadable(place, format!("{name} is no list: write one"))),
    };
    let texts = items.into_iter().map(|item| match item {
        Value::Text(text) => Ok(text),
        _ => Err(Failure::unreadable(
            place,
            format!("{name} has an item that is no text: write texts"),
        )),
    });
    texts.collect()
}
