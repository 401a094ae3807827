//! Amend: the edits of findings, made in a text. The rest of the text stays as it is, to the byte.

use std::ops::Range;

use corsward_manifest::amend;
use corsward_policy::finding::{Edit, Written};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Content, Field, LISTS, Node, Step, objects};

/// The text with an edit of its object that is `at` in order. `None`: the edit cannot be made in the text, or would change anything but its
/// field.
pub fn amended(text: &str, at: usize, edit: &Edit) -> Option<String> {
    let lines = text.replace("\r\n", "\n");
    // A text whose lines end in different ways stays as it is.
    if lines == text || lines.matches('\n').count() > text.matches("\r\n").count() {
        return amended_lines(text, at, edit);
    }
    Some(amended_lines(&lines, at, edit)?.replace('\n', "\r\n"))
}

fn amended_lines(text: &str, at: usize, edit: &Edit) -> Option<String> {
    let text_after = change(text, at, edit)?;
    let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    if is_json(text) && !is_json(&text_after) {
        return None;
    }
    let mut expected = values(text)?;
    amend::apply(expected.get_mut(at)?, edit).ok()?;
    (values(&text_after)? == expected).then_some(text_after)
}

/// The text with quotes around the plain text of a field, which a reader of YAML 1.1 takes for a truth value or a number. `None`: it is no
/// plain text, or would change.
pub fn quoted(text: &str, at: usize, field: &str) -> Option<String> {
    let objects = objects(text)?;
    let place = Place::of(text, objects.get(at)?, field)?;
    let plain =
        place.node.text().filter(|plain| place.rest.is_empty() && place.source() == *plain)?;
    let text_after = place.replaced(&json(&Written::text(plain)))?;
    (values(&text_after)? == values(text)?).then_some(text_after)
}

/// The values of the objects of a text.
fn values(text: &str) -> Option<Vec<Value>> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options).ok()?;
    let mut values = Vec::new();
    for document in documents {
        add(document, &mut values);
    }
    Some(values)
}

/// Adds an object, or those that it is a list of.
fn add(mut value: Value, values: &mut Vec<Value>) {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    if LISTS.contains(&kind)
        && let Some(Value::Array(items)) = value.get_mut("items")
    {
        for item in std::mem::take(items) {
            add(item, values);
        }
    } else if !value.is_null() {
        values.push(value);
    }
}

fn change(text: &str, at: usize, edit: &Edit) -> Option<String> {
    let objects = objects(text)?;
    let place = |field| Place::of(text, objects.get(at)?, field);
    match edit {
        Edit::Write { field, value } => write(&place(field)?, value),
        Edit::Spread { field, entries } => spread(&place(field)?, entries),
        Edit::Add { field, entries } => add_entries(&place(field)?, entries),
        Edit::Remove { field } => remove(&place(field)?),
        Edit::Move { field, to, value } => move_to(&place(field)?, at, to, value.as_ref()),
        _ => None,
    }
}

/// A field of an object, or the place of an absent one.
struct Place<'t> {
    text: &'t str,
    /// The values around it, from the object to the closest one.
    around: Vec<(&'t Node, Step)>,
    /// The value, or the closest one around an absent field.
    node: &'t Node,
    /// The rest of the path of an absent field.
    rest: &'t str,
}

// === impl Place ===

impl<'t> Place<'t> {
    fn of(text: &'t str, object: &'t Node, field: &'t str) -> Option<Self> {
        let (steps, rest) = object.walk(field);
        let (mut around, mut node) = (Vec::new(), object);
        for step in steps {
            around.push((node, step));
            node = node.at(step)?;
        }
        Some(Self { text, around, node, rest })
    }

    /// A value as the text has it, with the quotes of the one whose place it takes.
    fn spelled(&self, before: &str, value: &Written, is_in_flow: bool) -> String {
        if is_json(self.text) { json(value) } else { spelled(before, value, is_in_flow) }
    }

    /// A name as the text has it, with the quotes of the one whose place it takes.
    fn name(&self, before: &str, name: &str) -> String {
        let is_quoted = is_json(self.text) || before.starts_with('"');
        if is_quoted { json(&Written::text(name)) } else { name.to_owned() }
    }

    fn is_in_flow(&self) -> bool {
        self.around.iter().any(|(node, _)| node.is_flow())
    }

    /// The field whose value it is.
    fn field(&self) -> Option<&'t Field> {
        let (node, step) = self.around.last()?;
        match (step, &node.content) {
            (Step::Field(at), Content::Mapping { fields, .. }) => fields.get(*at),
            _ => None,
        }
    }

    fn source(&self) -> &'t str {
        self.text.get(self.node.span.clone()).unwrap_or_default()
    }

    /// The text with another value in its place. A comment in a block would be lost.
    fn replaced(&self, value: &str) -> Option<String> {
        let span = self.node.span.clone();
        let is_block = !self.node.is_flow() && self.node.text().is_none();
        if is_block && self.source().lines().any(|line| line.contains('#')) {
            return None;
        }
        match self.field() {
            Some(field) if is_block || span.is_empty() => {
                let after = self.text.get(field.key.end..)?;
                let colon = field.key.end.checked_add(after.find(':')?)?.checked_add(1)?;
                splice(self.text, colon..span.end.max(colon), &format!(" {value}"))
            }
            _ => splice(self.text, span, value),
        }
    }

    /// The text with an additional field, or with one in a value that is null.
    fn inserted(&self, value: &str) -> Option<String> {
        let names = names(self.rest)?;
        let wrap = |value: String, name: &&str| format!("{}: {value}", self.name("", name));
        let (first, others) = names.split_first()?;
        let inner = others
            .iter()
            .rev()
            .fold(value.to_owned(), |value, name| format!("{{{}}}", wrap(value, name)));
        let line = wrap(inner, first);
        let Content::Mapping { is_flow, fields } = &self.node.content else {
            let is_null = is_null(self.source());
            return self.replaced(&format!("{{{line}}}")).filter(|_| is_null);
        };
        match (fields.last(), is_flow) {
            (None, _) => self.replaced(&format!("{{{line}}}")),
            (Some(last), true) => {
                splice(self.text, last.value.end()..last.value.end(), &format!(", {line}"))
            }
            (Some(last), false) => {
                let indent = column(self.text, fields.first()?.key.start);
                let end = last.value.span.end.max(last.key.end);
                self.line_inserted(end, &format!("{}{line}", " ".repeat(indent)))
            }
        }
    }

    /// The text with a line behind that of a byte.
    fn line_inserted(&self, after: usize, line: &str) -> Option<String> {
        let end = line_end(self.text, after);
        let before = self.text.get(..end)?;
        let inserted =
            if before.ends_with('\n') { format!("{line}\n") } else { format!("\n{line}") };
        splice(self.text, end..end, &inserted)
    }
}

fn write(place: &Place<'_>, value: &Written) -> Option<String> {
    if !place.rest.is_empty() {
        return place.inserted(&place.spelled("", value, true));
    }
    if *value != Written::Listed {
        return place.replaced(&place.spelled(place.source(), value, place.is_in_flow()));
    }
    if place.node.is_flow() || place.node.text().is_some() {
        return place.replaced(&format!("[{}]", place.source()));
    }
    // A block becomes the one entry: a dash before its first line, and its other lines further in.
    let source = place.source();
    let (first, rest) = source.split_once('\n').unwrap_or((source, ""));
    let lines =
        rest.lines().map(|line| format!("\n{}{line}", if line.is_empty() { "" } else { "  " }));
    splice(place.text, place.node.span.clone(), &format!("- {first}{}", lines.collect::<String>()))
}

fn spread(place: &Place<'_>, entries: &[String]) -> Option<String> {
    let is_absent = !place.rest.is_empty();
    let (list, _) = place.around.last().filter(|_| !is_absent)?;
    let spelled = |entry: &String| place.spelled("", &Written::text(entry), place.is_in_flow());
    let entries: Vec<String> = entries.iter().map(spelled).collect();
    let dash = if list.is_flow() { None } else { dash(place.text, place.node.span.start) };
    let separator = match dash {
        Some(dash) => format!("\n{}- ", " ".repeat(column(place.text, dash))),
        None => ", ".to_owned(),
    };
    splice(place.text, place.node.span.clone(), &entries.join(&separator))
}

fn add_entries(place: &Place<'_>, entries: &[String]) -> Option<String> {
    let all = Written::texts(entries);
    let is_null = place.node.text().is_some() && is_null(place.source());
    if !place.rest.is_empty() || is_null {
        return write(place, &all);
    }
    let Content::List { is_flow, entries: there } = &place.node.content else { return None };
    let is_new = |entry: &&String| !there.iter().any(|it| it.text() == Some(entry.as_str()));
    let new: Vec<&String> = entries.iter().filter(is_new).collect();
    let Some(last) = there.last() else { return place.replaced(&all.to_string()) };
    if *is_flow {
        let new =
            new.iter().map(|it| format!(", {}", place.spelled("", &Written::text(*it), true)));
        return splice(place.text, last.end()..last.end(), &new.collect::<String>());
    }
    let indent = " ".repeat(column(place.text, dash(place.text, last.span.start)?));
    let new = new.iter().map(|it| format!("{indent}- {}", spelled("", &Written::text(*it), false)));
    let new: Vec<String> = new.collect();
    if new.is_empty() {
        return Some(place.text.to_owned());
    }
    place.line_inserted(last.end(), &new.join("\n"))
}

fn remove(place: &Place<'_>) -> Option<String> {
    let (list, step) = place.around.last().filter(|_| place.rest.is_empty())?;
    let (at, spans, empty): (usize, Vec<Range<usize>>, _) = match (step, &list.content) {
        (Step::Field(at), Content::Mapping { fields, .. }) => {
            let span = |it: &Field| it.key.start..it.value.span.end.max(it.key.end);
            (*at, fields.iter().map(span).collect(), "{}")
        }
        (Step::Entry(at), Content::List { entries, .. }) => {
            (*at, entries.iter().map(|it| it.span.clone()).collect(), "[]")
        }
        _ => return None,
    };
    let span = spans.get(at)?;
    if spans.len() == 1 {
        let around = place.around.iter().copied();
        let around = around.take(place.around.len().checked_sub(1)?).collect();
        let parent = Place { text: place.text, around, node: list, rest: "" };
        return parent.replaced(empty);
    }
    if list.is_flow() {
        let range = match at.checked_sub(1).and_then(|before| spans.get(before)) {
            Some(before) => before.end..span.end,
            None => span.start..spans.get(1)?.start,
        };
        return splice(place.text, range, "");
    }
    let start = if empty == "[]" { dash(place.text, span.start)? } else { span.start };
    let line_start = start.checked_sub(column(place.text, start))?;
    if place.text.get(line_start..start)?.trim().is_empty() {
        let end = line_end(place.text, span.end);
        let has_break = place.text.get(end..)?.starts_with('\n');
        let end = if has_break { end.checked_add(1)? } else { end };
        return splice(place.text, line_start..end, "");
    }
    // The first field beside the dash of its list: the next one takes its place.
    splice(place.text, span.start..spans.get(at.checked_add(1)?)?.start, "")
}

/// Moves a value: by another name, where it stays in its mapping.
fn move_to(place: &Place<'_>, at: usize, to: &str, value: Option<&Written>) -> Option<String> {
    let (mapping, _) = place.around.last()?;
    let objects_before = objects(place.text)?;
    let target = Place::of(place.text, objects_before.get(at)?, to)?;
    let is_beside = target.node.span == mapping.span && !target.rest.contains(['.', '[']);
    if let Some(field) = place.field().filter(|_| is_beside && !target.rest.is_empty()) {
        let text = match value {
            Some(value) => write(place, value)?,
            None => place.text.to_owned(),
        };
        let key = field.key.clone();
        let name = place.name(text.get(key.clone())?, target.rest);
        return splice(&text, key, &name);
    }
    let source = match value {
        Some(Written::Listed) => format!("[{}]", flow(place, place.node)?),
        Some(value) => place.spelled("", value, true),
        None => flow(place, place.node)?,
    };
    let entries = moved_entries(place, value);
    let text = remove(place)?;
    let objects = objects(&text)?;
    let target = Place::of(&text, objects.get(at)?, to)?;
    if target.rest.is_empty() && !is_null(target.source()) {
        return add_entries(&target, &entries?);
    }
    if target.rest.is_empty() { target.replaced(&source) } else { target.inserted(&source) }
}

/// The texts that a list gets of a value that moves to it.
fn moved_entries(place: &Place<'_>, value: Option<&Written>) -> Option<Vec<String>> {
    let text = |node: &Node| node.text().map(str::to_owned);
    match (value, &place.node.content) {
        (Some(Written::List(entries)), _) => {
            entries.iter().map(|it| it.as_text().map(str::to_owned)).collect()
        }
        (Some(value), _) => Some(vec![value.as_text()?.to_owned()]),
        (None, Content::List { entries, .. }) => entries.iter().map(text).collect(),
        (None, _) => Some(vec![text(place.node)?]),
    }
}

/// A value in one line. A comment in it would be lost.
fn flow(place: &Place<'_>, node: &Node) -> Option<String> {
    let source = place.text.get(node.span.clone())?;
    match &node.content {
        Content::Scalar(_) | Content::Alias if source.contains('\n') => None,
        Content::Scalar(_) | Content::Alias => {
            let is_plain = !source.starts_with(['"', '\'']);
            let quoted = || Written::texts([source]).to_string();
            let needs = is_plain && source.contains([',', '[', ']', '{', '}']);
            let quoted = || quoted().trim_matches(['[', ']']).to_owned();
            Some(if needs { quoted() } else { source.to_owned() })
        }
        _ if source.contains('#') => None,
        Content::List { entries, .. } => {
            let entries: Option<Vec<String>> = entries.iter().map(|it| flow(place, it)).collect();
            Some(format!("[{}]", entries?.join(", ")))
        }
        Content::Mapping { fields, .. } => {
            let one = |it: &Field| {
                let key = place.text.get(it.key.clone())?;
                Some(format!("{key}: {}", flow(place, &it.value)?))
            };
            let fields: Option<Vec<String>> = fields.iter().map(one).collect();
            Some(format!("{{{}}}", fields?.join(", ")))
        }
    }
}

/// Is the text of a scalar none?
fn is_null(source: &str) -> bool {
    matches!(source, "" | "~" | "null")
}

/// The names of a path.
fn names(path: &str) -> Option<Vec<&str>> {
    let names = match path.split_once("matchLabels.") {
        // What follows is one label, dots and all.
        Some((before, label)) => {
            before.split('.').filter(|it| !it.is_empty()).chain(["matchLabels", label]).collect()
        }
        None => path.split('.').collect(),
    };
    (!path.contains('[')).then_some(names)
}

/// Is it JSON? There every name and every text is in quotes.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// A value as JSON.
fn json(value: &Written) -> String {
    match value {
        Written::List(entries) => {
            format!("[{}]", entries.iter().map(json).collect::<Vec<_>>().join(", "))
        }
        Written::Mapping(entries) => {
            let one = |(name, value): &(String, Written)| {
                format!("{}: {}", Value::from(name.as_str()), json(value))
            };
            format!("{{{}}}", entries.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        Written::Text(text) => Value::from(text.as_str()).to_string(),
        value => value.to_string(),
    }
}

/// A value as YAML, with the quotes of the one whose place it takes.
fn spelled(before: &str, value: &Written, is_in_flow: bool) -> String {
    let Written::Text(text) = value else { return value.to_string() };
    let quoted = || {
        let list = Written::texts([text]).to_string();
        list.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(&list).to_owned()
    };
    match before.chars().next() {
        Some('\'') => format!("'{}'", text.replace('\'', "''")),
        Some('"') => quoted(),
        _ if is_in_flow && text.contains([',', '[', ']', '{', '}', ':']) => quoted(),
        _ => value.to_string(),
    }
}

fn splice(text: &str, range: Range<usize>, with: &str) -> Option<String> {
    Some([text.get(..range.start)?, with, text.get(range.end..)?].concat())
}

/// The bytes between the start of its line and a byte.
fn column(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.rsplit('\n').next().map_or(0, str::len)
}

/// The end of the line of a byte; the byte itself at the start of a line, where a block of text ends.
fn line_end(text: &str, at: usize) -> usize {
    if text.get(..at).is_some_and(|before| before.ends_with('\n')) {
        return at;
    }
    let rest = text.get(at..).unwrap_or_default();
    at.saturating_add(rest.find('\n').unwrap_or(rest.len()))
}

/// The dash of an entry that begins at that byte.
fn dash(text: &str, at: usize) -> Option<usize> {
    text.get(..at)?.rfind('-')
}

// === impl Node ===

impl Node {
    fn is_flow(&self) -> bool {
        match &self.content {
            Content::List { is_flow, .. } | Content::Mapping { is_flow, .. } => *is_flow,
            Content::Scalar(_) | Content::Alias => false,
        }
    }

    fn end(&self) -> usize {
        self.span.end
    }
}
