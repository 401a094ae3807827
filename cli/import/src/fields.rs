//! Fields: the values of YAML and JSON settings, in the several ways in which they are written.

use corsward_manifest::document::{self, Document};
use corsward_manifest::yaml::Reader;
use serde_json::Value;

use crate::SourceFile;
use crate::settings::{Failure, Note};

/// The documents of files, each with the name of its file.
pub(crate) fn documents(files: &[SourceFile]) -> Result<Vec<(String, Value)>, Failure> {
    let mut all = Vec::new();
    for file in files {
        let documents = document::read(file.text.as_bytes(), Reader::Folder)
            .map_err(|finding| Failure::unreadable(&file.name, finding.message()))?;
        for document in documents {
            if let Document::Other { value, .. } = document {
                all.push((file.name.clone(), value));
            }
        }
    }
    Ok(all)
}

/// The objects of those kinds, those of lists included.
pub(crate) fn objects(
    files: &[SourceFile],
    kinds: &[&str],
) -> Result<Vec<(String, Value)>, Failure> {
    let mut all = documents(files)?;
    all.retain(|(_, value)| kinds.contains(&text(value, "/kind").unwrap_or_default()));
    if all.is_empty() {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        let text = format!("it has no object of kind {}", kinds.join(" or "));
        return Err(Failure::unreadable(place, text));
    }
    Ok(all)
}

/// The text at a JSON pointer.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str()
}

/// The truth value at a pointer, written as such or as a text.
pub(crate) fn truth(value: &Value, pointer: &str) -> Option<bool> {
    match value.pointer(pointer)? {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => Some(text.eq_ignore_ascii_case("true")),
        _ => None,
    }
}

/// The texts at a pointer: a list, or one text with commas.
pub(crate) fn texts(value: &Value, pointer: &str) -> Option<Vec<String>> {
    match value.pointer(pointer)? {
        Value::Array(items) => {
            Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Value::String(text) => Some(split(text)),
        _ => None,
    }
}

/// The elements of a text with commas.
pub(crate) fn split(text: &str) -> Vec<String> {
    let elements = text.split(',').map(str::trim).filter(|element| !element.is_empty());
    elements.map(str::to_owned).collect()
}

/// The seconds at a pointer: a number, or a duration such as `24h` or `1h30m`.
pub(crate) fn seconds(value: &Value, pointer: &str) -> Option<u64> {
    match value.pointer(pointer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => duration(text),
        _ => None,
    }
}

fn duration(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let mut total = 0_u64;
    let mut number = String::new();
    let mut units = text.trim().replace("ms", "\u{1}");
    units.retain(|c| !c.is_whitespace());
    for c in units.chars() {
        let factor = match c {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            // Less than a second is none.
            '\u{1}' => 0,
            c => {
                number.push(c);
                continue;
            }
        };
        let whole = number.split('.').next().unwrap_or_default().parse::<u64>().ok()?;
        total = total.checked_add(whole.checked_mul(factor)?)?;
        number.clear();
    }
    number.is_empty().then_some(total)
}

/// The time at which a cluster created an object.
pub(crate) fn created(object: &Value) -> Option<String> {
    text(object, "/metadata/creationTimestamp").map(str::to_owned)
}

/// The fields whose CORS settings the readers read.
const READ: [&str; 5] =
    ["corsPolicy", "cors", "envoy.filters.http.cors", "globalcors", "annotations"];

/// The kinds of applications.
const WORKLOADS: [&str; 6] = ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "Pod"];

/// A remark where headers of CORS stand in other settings of an object, such as those that add a response header.
pub(crate) fn headers_of_cors(object: &Value, place: &str) -> Option<Note> {
    let (field, written) = header_of_cors(object, "")?;
    let text = format!(
        "`{field}` has `{}`, which this import does not read: write its origins into the policy, and remove it",
        shortened(written)
    );
    Some(Note::decide("", place, text))
}

/// The first field with such a header, and its text.
fn header_of_cors<'v>(value: &'v Value, field: &'v str) -> Option<(&'v str, &'v str)> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| !READ.contains(&name.as_str()))
            .find_map(|(name, value)| {
                let is_header = names_header_of_cors(name);
                is_header.then_some((field, name.as_str())).or_else(|| header_of_cors(value, name))
            }),
        Value::Array(items) => items.iter().find_map(|item| header_of_cors(item, field)),
        Value::String(text) => names_header_of_cors(text).then_some((field, text.as_str())),
        _ => None,
    }
}

/// Whether a text names a response header of CORS.
pub(crate) fn names_header_of_cors(text: &str) -> bool {
    text.to_ascii_lowercase().contains("access-control-allow-")
}

/// The first line that names a header of CORS, cut where it is long.
pub(crate) fn shortened(text: &str) -> String {
    let line = text.lines().find(|line| names_header_of_cors(line)).unwrap_or(text);
    let line = line.trim();
    let short: String = line.chars().take(80).collect();
    if short.len() < line.len() { format!("{short}…") } else { short }
}

/// Remarks on the objects of other kinds that say anything of CORS.
pub(crate) fn of_other_kinds(files: &[SourceFile], kinds: &[&str]) -> Result<Vec<Note>, Failure> {
    let mut notes = Vec::new();
    for (file, value) in documents(files)? {
        let Some(kind) = text(&value, "/kind").filter(|kind| !kinds.contains(kind)) else {
            continue;
        };
        let written = value.to_string().to_ascii_lowercase();
        let is_word = |(at, _): (usize, &str)| {
            !written.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_alphabetic()))
        };
        if names_header_of_cors(&written) || written.match_indices("cors").any(is_word) {
            let name = text(&value, "/metadata/name").unwrap_or_default();
            let text = format!(
                "the object says `cors` or names its headers, and this import reads {} alone: import it by the word of its system, or write \
                 what it says (origins, hosts, paths) into the policy",
                kinds.join(" and ")
            );
            let place = format!("{file}, {kind} {name}");
            // An application's own settings are behind the policy.
            let decide = !WORKLOADS.contains(&kind);
            notes.push(Note { decide, ..Note::remark("", &place, text) });
        }
    }
    Ok(notes)
}
