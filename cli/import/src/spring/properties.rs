//! Properties: the documents of `application.properties`, in which a key is the whole way to a value.

use std::str::Chars;

use serde_json::{Map, Value};

use super::sources::{MAX_DEPTH, too_deep};
use crate::settings::Failure;

/// Most entries of a list.
const MAX_ENTRIES: usize = 1_000;

/// One step of the way to a value.
enum Step {
    /// The field of a name; that of a pattern has its brackets.
    Field(String),
    /// The entry of a list.
    Entry(usize),
}

/// The documents of a file, each with its keys in the order of the text.
pub(super) fn documents(file: &str, text: &str) -> Result<Vec<(Value, Vec<String>)>, Failure> {
    let mut all = vec![(Value::Null, Vec::new())];
    let mut lines = text.lines().zip(1_usize..);
    while let Some((line, number)) = lines.next() {
        if matches!(line.trim_end(), "#---" | "!---") {
            all.push((Value::Null, Vec::new()));
            continue;
        }
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while is_continued(&line) {
            line.pop();
            let Some((next, _)) = lines.next() else { break };
            line.push_str(next.trim_start());
        }
        let (key, value) = pair(&line);
        let steps = steps(&key);
        if steps.len() > MAX_DEPTH {
            return Err(too_deep(&format!("{file}:{number}"), &key));
        }
        if let Some((document, keys)) = all.last_mut() {
            keys.push(written(&steps));
            put(document, &steps, value);
        }
    }
    Ok(all)
}

/// Whether the next line goes on with this one: two backslashes are one of the text.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The key and the value of a line.
fn pair(line: &str) -> (String, String) {
    let mut key = String::new();
    let mut chars = line.chars();
    let mut is_ended = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => key.extend(escaped(&mut chars)),
            '=' | ':' => {
                is_ended = true;
                break;
            }
            c if c.is_whitespace() => break,
            c => key.push(c),
        }
    }
    let rest = chars.as_str().trim_start();
    let rest = if is_ended { rest } else { rest.strip_prefix(['=', ':']).unwrap_or(rest) };
    let mut value = String::new();
    let mut chars = rest.trim_start().chars();
    while let Some(c) = chars.next() {
        if c == '\\' { value.extend(escaped(&mut chars)) } else { value.push(c) }
    }
    (key, value)
}

/// The character behind a backslash.
fn escaped(chars: &mut Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'f' => '\u{c}',
        'u' => {
            let digits: String = chars.by_ref().take(4).collect();
            u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)?
        }
        c => c,
    })
}

/// The steps of a key: `routes[0].id`, `cors-configurations.[/v1.0/**].max-age`.
fn steps(key: &str) -> Vec<Step> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for c in key.chars() {
        if depth == 0 && matches!(c, '.' | '[') {
            parts.push(String::new());
        }
        depth = match c {
            '[' => depth.saturating_add(1),
            ']' => depth.saturating_sub(1),
            _ => depth,
        };
        if let Some(part) = parts.last_mut()
            && (c != '.' || depth > 0)
        {
            part.push(c);
        }
    }
    parts.retain(|part| !part.is_empty());
    let step = |part: String| {
        let inside = part.strip_prefix('[').and_then(|part| part.strip_suffix(']'));
        match inside.and_then(|inside| inside.parse().ok()) {
            Some(at) => Step::Entry(at),
            None => Step::Field(part),
        }
    };
    parts.into_iter().map(step).collect()
}

/// The key with a dot before each pattern, as YAML has it.
fn written(steps: &[Step]) -> String {
    let names = steps.iter().filter_map(|step| match step {
        Step::Field(name) => Some(name.as_str()),
        Step::Entry(_) => None,
    });
    names.collect::<Vec<_>>().join(".")
}

/// Puts a text at the end of its way.
fn put(value: &mut Value, steps: &[Step], text: String) {
    let Some((step, rest)) = steps.split_first() else {
        *value = text.into();
        return;
    };
    match step {
        Step::Field(name) => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            if let Value::Object(fields) = value {
                put(fields.entry(name.clone()).or_insert(Value::Null), rest, text);
            }
        }
        Step::Entry(at) => {
            if !value.is_array() {
                *value = Value::Array(Vec::new());
            }
            if let Value::Array(entries) = value
                && *at < MAX_ENTRIES
            {
                entries.resize(entries.len().max(at.saturating_add(1)), Value::Null);
                if let Some(entry) = entries.get_mut(*at) {
                    put(entry, rest, text);
                }
            }
        }
    }
}
