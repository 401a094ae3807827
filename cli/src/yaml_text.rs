//! YAML text: the objects of a file with the place of each of their parts, for underlines and for edits.

mod amend;

use std::ops::Range;

use corsward_api::GROUP;
use corsward_manifest::outline::{Outline, Part};
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

pub use self::amend::{amended, quoted};

/// The kinds of lists of objects.
const LISTS: [&str; 4] = ["List", "CorsPolicyList", "OriginSetList", "ClusterCorsPolicyList"];

/// A value in a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Its bytes; of a block, from its first key or dash to the end of its last value.
    pub(crate) span: Range<usize>,
    /// Its content.
    pub(crate) content: Content,
}

/// The content of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// A scalar, as a text.
    Scalar(String),
    /// An alias of a value.
    Alias,
    /// A list. In a flow it is in brackets.
    List {
        /// Whether it is in brackets.
        is_flow: bool,
        /// Its entries.
        entries: Vec<Node>,
    },
    /// A mapping.
    Mapping {
        /// Whether it is in braces.
        is_flow: bool,
        /// Its fields.
        fields: Vec<Field>,
    },
}

/// A field of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// The bytes of its name.
    pub(crate) key: Range<usize>,
    /// Its name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: Node,
}

/// One step of a field's path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The field at that index of a mapping.
    Field(usize),
    /// The entry at that index of a list.
    Entry(usize),
}

/// The documents of a file, each with the line of its `---`. No value goes on behind such a line.
pub(crate) fn documents(text: &str) -> Vec<&str> {
    let (mut documents, mut rest) = (Vec::new(), text);
    loop {
        let breaks = rest.match_indices("\n---").map(|(at, _)| at.saturating_add(1));
        let mut starts = breaks.filter(|at| {
            let after = rest.get(*at..).and_then(|line| line.strip_prefix("---"));
            after
                .is_some_and(|after| after.is_empty() || after.starts_with([' ', '\t', '\r', '\n']))
        });
        let Some((document, after)) = starts.next().and_then(|at| rest.split_at_checked(at)) else {
            documents.push(rest);
            return documents;
        };
        documents.push(document);
        rest = after;
    }
}

/// The objects of a file in their order, where each item of a list of objects is one. `None`: it is no YAML.
pub(crate) fn objects(text: &str) -> Option<Vec<Node>> {
    let mut is_yaml = true;
    let parts = Parser::new_from_str(text)
        .map_while(|event| {
            is_yaml = event.is_ok();
            event.ok()
        })
        .map(|(event, span)| part(event, &span));
    let objects = of_parts(text, parts);
    is_yaml.then_some(objects)
}

/// The same of a text that was read before, by its outline.
pub(crate) fn outlined(text: &str, outline: &Outline) -> Vec<Node> {
    of_parts(text, outline.parts(text))
}

fn of_parts<'t>(text: &str, parts: impl Iterator<Item = (Part<'t>, Range<usize>)>) -> Vec<Node> {
    let (mut parts, mut objects) = (parts.fuse(), Vec::new());
    while let Some((part, bytes)) = parts.next() {
        if let Some(node) = node(text, part, bytes, &mut parts) {
            add(node, &mut objects);
        }
    }
    objects
}

/// The part of a value that an event of the parser is.
fn part<'t>(event: Event<'t>, span: &Span) -> (Part<'t>, Range<usize>) {
    let part = match event {
        Event::Scalar(value, ScalarStyle::Literal | ScalarStyle::Folded, ..) => Part::Block(value),
        Event::Scalar(value, ..) => Part::Scalar(value),
        Event::Alias(_) => Part::Alias,
        Event::SequenceStart(style, ..) => Part::List { is_flow: style == StructureStyle::Flow },
        Event::MappingStart(style, ..) => Part::Mapping { is_flow: style == StructureStyle::Flow },
        Event::SequenceEnd | Event::MappingEnd => Part::End,
        _ => Part::Other,
    };
    // A text in memory has a place for each event.
    (part, span.byte_range().unwrap_or_default())
}

/// Adds an object, or those that it is a list of, as the reader of manifests does.
fn add(node: Node, objects: &mut Vec<Node>) {
    let word = |name| node.field(name).and_then(|field| field.value.text()).unwrap_or_default();
    let kind = word("kind").to_owned();
    let (group, _) = word("apiVersion").split_once('/').unwrap_or_default();
    let is_list = match group {
        "" => kind == "List",
        GROUP => LISTS.contains(&&*kind) && kind != "List",
        _ => false,
    };
    let items = node.field("items").filter(|_| is_list).map(|items| &items.value.content);
    if let Some(Content::List { entries, .. }) = items {
        for entry in entries {
            add(entry.clone(), objects);
        }
    } else if !node.is_null() {
        objects.push(node);
    }
}

/// The value that begins with that part; `None`: it begins none.
fn node<'t>(
    text: &str,
    part: Part<'t>,
    mut bytes: Range<usize>,
    parts: &mut impl Iterator<Item = (Part<'t>, Range<usize>)>,
) -> Option<Node> {
    let content = match part {
        Part::Scalar(value) => Content::Scalar(value.into_owned()),
        Part::Block(value) => {
            bytes = of_block(text, bytes)?;
            Content::Scalar(value.into_owned())
        }
        Part::Alias => Content::Alias,
        Part::List { is_flow } => {
            let mut entries = Vec::new();
            loop {
                let (part, place) = parts.next()?;
                if part == Part::End {
                    bytes.end = end(is_flow, &place, entries.last(), bytes.end);
                    break Content::List { is_flow, entries };
                }
                entries.extend(node(text, part, place, parts));
            }
        }
        Part::Mapping { is_flow } => {
            let mut fields: Vec<Field> = Vec::new();
            loop {
                let (part, place) = parts.next()?;
                if part == Part::End {
                    let last = fields.last().map(|field| &field.value);
                    bytes.end = end(is_flow, &place, last, bytes.end);
                    break Content::Mapping { is_flow, fields };
                }
                let Some(key) = node(text, part, place, parts) else { continue };
                let value = loop {
                    let (part, place) = parts.next()?;
                    if let Some(value) = node(text, part, place, parts) {
                        break value;
                    }
                };
                let name = match key.content {
                    Content::Scalar(name) => name,
                    _ => String::new(),
                };
                fields.push(Field { key: key.span, name, value });
            }
        }
        Part::End | Part::Other => return None,
    };
    Some(Node { span: bytes, content })
}

/// The bytes of a scalar in lines of its own, from its `|` or `>` to the end of its last line.
fn of_block(text: &str, bytes: Range<usize>) -> Option<Range<usize>> {
    let is_mark = |start: &str| start.starts_with(['|', '>']);
    let start = if text.get(bytes.start..).is_some_and(is_mark) {
        bytes.start
    } else {
        text.get(..bytes.start)?.rfind(['|', '>'])?
    };
    let len = text.get(start..bytes.end)?.trim_end().len();
    Some(start..start.saturating_add(len))
}

/// The end of a list or mapping. A block ends with its last value; what follows is somebody else's.
fn end(is_flow: bool, closing: &Range<usize>, last: Option<&Node>, start: usize) -> usize {
    if is_flow { closing.end } else { last.map_or(start, |last| last.span.end) }
}

// === impl Node ===

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text) => Some(text),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        self.span.is_empty() && matches!(self.content, Content::Scalar(_))
    }

    /// The field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        match &self.content {
            Content::Mapping { fields, .. } => fields.iter().find(|field| field.name == name),
            _ => None,
        }
    }

    /// The way to a field, as far as it is there, and the rest of its path. A name may hold dots, as labels do: the longest one that is
    /// there is taken.
    pub(crate) fn walk<'p>(&self, path: &'p str) -> (Vec<Step>, &'p str) {
        let (mut steps, mut rest, mut node) = (Vec::new(), path, self);
        while !rest.is_empty() {
            let Some((step, after)) = node.step(rest) else { break };
            let Some(next) = node.at(step) else { break };
            steps.push(step);
            (node, rest) = (next, after);
        }
        (steps, rest)
    }

    fn step<'p>(&self, path: &'p str) -> Option<(Step, &'p str)> {
        let after = |rest: &'p str| rest.strip_prefix('.').unwrap_or(rest);
        if let Some((index, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) {
            return Some((Step::Entry(index.parse().ok()?), after(rest)));
        }
        let Content::Mapping { fields, .. } = &self.content else { return None };
        let there = fields.iter().enumerate().filter_map(|(at, field)| {
            let rest = path.strip_prefix(field.name.as_str())?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then_some((Step::Field(at), rest))
        });
        there.min_by_key(|(_, rest)| rest.len()).map(|(step, rest)| (step, after(rest)))
    }

    /// The value one step further.
    pub(crate) fn at(&self, step: Step) -> Option<&Self> {
        match (step, &self.content) {
            (Step::Entry(at), Content::List { entries, .. }) => entries.get(at),
            (Step::Field(at), Content::Mapping { fields, .. }) => {
                fields.get(at).map(|field| &field.value)
            }
            _ => None,
        }
    }

    /// The bytes to underline for a finding about a field: its value, or its name where the value is a block or where `is_name` says that
    /// the finding is about the name. Where the field is absent, that of the closest mapping.
    pub(crate) fn underline(&self, path: &str, is_name: bool) -> Range<usize> {
        let (steps, rest) = self.walk(path);
        let (mut node, mut name) = (self, None);
        for step in steps {
            name = match (step, &node.content) {
                (Step::Field(at), Content::Mapping { fields, .. }) => {
                    fields.get(at).map(|field| field.key.clone())
                }
                _ => None,
            };
            node = node.at(step).unwrap_or(node);
        }
        let is_short = match &node.content {
            Content::Scalar(_) | Content::Alias => !node.span.is_empty(),
            Content::List { is_flow, .. } | Content::Mapping { is_flow, .. } => *is_flow,
        };
        match name {
            Some(name) if is_name || !is_short || !rest.is_empty() => name,
            _ if is_short => node.span.clone(),
            // An item of a list, or the whole object: its first name.
            _ => node.first_name().unwrap_or(node.span.start..node.span.start),
        }
    }

    fn first_name(&self) -> Option<Range<usize>> {
        match &self.content {
            Content::Mapping { fields, .. } => fields.first().map(|field| field.key.clone()),
            Content::List { entries, .. } => entries.first().and_then(Self::first_name),
            Content::Scalar(_) | Content::Alias => Some(self.span.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use corsward_manifest::document;
    use corsward_manifest::yaml::Reader;

    use super::*;

    /// Compares the objects by the outline of a text, if it has one, with those that the parser sees.
    #[track_caller]
    fn is_outlined(text: &str) -> bool {
        let read = document::read_outlined(text.as_bytes(), Reader::Kubectl);
        let Some(outline) = read.ok().and_then(|(_, outline)| outline) else { return false };
        assert_eq!(Some(outlined(text, &outline)), objects(text), "{text}");
        true
    }

    #[test]
    fn an_outline_has_the_places_of_the_parser() {
        for (why, text, want) in [
            ("blocks", "a: b\nc:\n- d\n- e: f\n  g: h\n-\n  - i\n", true),
            ("flows", "{a: [b, 'c', \"d\", {e: f}, []], g: {}}\n", true),
            ("comments and documents", "# a\na: b # c\n---\n# d\n'c d':   e\n...\n", true),
            (
                "a list of objects",
                "kind: List\napiVersion: v1\nitems:\n- {kind: A}\n- {kind: B}",
                true,
            ),
            ("letters of several bytes", "ä: 'ö'\nü:\n- ß: é\n", false),
            ("line breaks of Windows", "a: b\r\nc:\r\n- d\r\n", true),
            ("a long text", &format!("a: {}\nb: c\n", "x".repeat(40_000)), true),
            ("an escape", "a: \"\\u0062\"\n", false),
            ("a scalar of two lines", "a: b\n  c\n", false),
            ("a block of text", "a: |\n  b\n", false),
            ("an anchor", "a: &b c\nd: *b\n", false),
        ] {
            assert_eq!(is_outlined(text), want, "{why}");
        }
    }

    /// Examples with one character replaced by one that means something, at every few places.
    #[test]
    fn outlines_of_examples_have_the_places_of_the_parser() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let (mut files, mut compared) = (0, 0);
        for entry in fs::read_dir(folder).unwrap() {
            let Ok(text) = fs::read_to_string(entry.unwrap().path()) else { continue };
            files += usize::from(is_outlined(&text));
            let marks = "\"'&*!{}[]:,#\t-\n|>%?@`~0x. <";
            for (at, mark) in (0..text.len()).step_by(37).zip(marks.chars().cycle()) {
                let Some((before, rest)) = text.split_at_checked(at) else { continue };
                let rest: String = rest.chars().skip(1).collect();
                compared += usize::from(is_outlined(&format!("{before}{mark}{rest}")));
            }
        }
        assert!(files > 2 && compared > 20, "{files} files, {compared} texts");
    }
}
