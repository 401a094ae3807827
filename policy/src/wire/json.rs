//! Json: a document as one list of nodes, taken apart field by field.
//!
//! A reader of our own (RFC 8259), because the filter's module has to be small: readers derived for each shape took 30 KB
//! more of it, and a general one brings floating-point arithmetic along, of which the wire needs none.

use std::borrow::Cow;

use crate::limits::MAX_WIRE_LEN;
use crate::syntax::hex_value;
use crate::wire::DecodeError;

/// Deepest nesting of lists and objects; the wire needs less than half of it.
const MAX_DEPTH: usize = 16;

/// The bytes of a text for each of its nodes, about: reserved nodes need no copies of a list that grows.
const BYTES_PER_NODE: usize = 7;

/// A document: each value is followed by the values inside it, and each of an object by its name.
#[derive(Debug, PartialEq)]
pub(super) struct Document<'d>(Vec<Node<'d>>);

/// A value, or the name of a field.
#[derive(Debug, PartialEq)]
struct Node<'d> {
    value: Value<'d>,
    /// How many nodes belong to it, itself included.
    // INVARIANT: 1 at least.
    nodes: u32,
}

/// Text without escapes is borrowed from the document.
#[derive(Debug, PartialEq)]
enum Value<'d> {
    Flag(bool),
    Number(u32),
    Text(Cow<'d, str>),
    List,
    Object,
    /// `null`, and numbers that are not of the wire.
    Other,
}

/// A value in a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'n>(&'n [Node<'n>]);

/// A JSON object whose fields are taken out one by one, so that what is left is unknown. One that has its fields in the order in
/// which they are taken is read in one pass.
#[derive(Debug, Default)]
pub(super) struct Object<'n> {
    /// The fields that are left, and those taken behind one that is left.
    nodes: &'n [Node<'n>],
    /// A bit for each of the first fields in `nodes`; an object of the wire has fewer than there are bits.
    taken: u64,
}

/// The values of a list.
#[derive(Clone, Debug, Default)]
pub(super) struct List<'n>(&'n [Node<'n>]);

/// The names and values of an object.
#[derive(Clone, Debug)]
pub(super) struct Fields<'n>(List<'n>);

/// A text, and how far it has been read.
struct Reader<'d> {
    text: &'d str,
    at: usize,
    nodes: Vec<Node<'d>>,
}

// === impl Document ===

impl<'d> Document<'d> {
    /// Reads a document.
    pub(super) fn read(bytes: &'d [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_WIRE_LEN {
            return Err(DecodeError::TooLong);
        }
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|error| DecodeError::json(bytes, error.valid_up_to()))?;
        let nodes = Vec::with_capacity(bytes.len() / BYTES_PER_NODE);
        let mut reader = Reader { text, at: 0, nodes };
        match reader.document() {
            Some(()) => Ok(Self(reader.nodes)),
            None => Err(DecodeError::json(bytes, reader.at)),
        }
    }

    /// The object that the document is.
    pub(super) fn object(&self) -> Result<Object<'_>, DecodeError> {
        Json(&self.0).object()
    }
}

// === impl Object ===

impl<'n> Object<'n> {
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, DecodeError> {
        match self.take(name) {
            None => Ok(false),
            Some(Json([Node { value: Value::Flag(flag), .. }, ..])) => Ok(*flag),
            Some(_) => Err(DecodeError::value(name, "neither true nor false")),
        }
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<u32>, DecodeError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json([Node { value: Value::Number(number), .. }, ..])) => Ok(Some(*number)),
            Some(_) => Err(DecodeError::value(name, "not a whole number of 32 bits")),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<&'n str>, DecodeError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json([Node { value: Value::Text(text), .. }, ..])) => Ok(Some(text)),
            Some(_) => Err(DecodeError::value(name, "not a string")),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, DecodeError> {
        let object = self.take(name).map(Json::object).transpose();
        object.map_err(|_| DecodeError::value(name, "not an object"))
    }

    pub(super) fn list(&mut self, name: &str) -> Result<List<'n>, DecodeError> {
        match self.take(name) {
            None => Ok(List::default()),
            Some(Json([Node { value: Value::List, .. }, inside @ ..])) => Ok(List(inside)),
            Some(_) => Err(DecodeError::value(name, "not a list")),
        }
    }

    /// All fields, of any name.
    pub(super) fn fields(&self) -> Fields<'n> {
        Fields(List(self.nodes))
    }

    /// Nothing may be left: an older reader must not overlook what a newer writer meant.
    pub(super) fn finish(mut self) -> Result<(), DecodeError> {
        match self.take_first(None) {
            None => Ok(()),
            Some((name, _)) => Err(DecodeError::value(name, "unknown, or there twice")),
        }
    }

    fn take(&mut self, name: &str) -> Option<Json<'n>> {
        self.take_first(Some(name)).map(|(_, value)| value)
    }

    /// Takes the first field that is left, of those with a certain name if one is given.
    fn take_first(&mut self, name: Option<&str>) -> Option<(&'n str, Json<'n>)> {
        let mut bit = 1;
        let mut fields = self.fields();
        while let Some((field, value)) = fields.next() {
            // No bit is left for a field beyond: it is never taken.
            if self.taken & bit == 0 && name.is_none_or(|name| name == field) {
                self.taken |= bit;
                if bit == 1 {
                    self.nodes = fields.0.0;
                    self.taken >>= 1;
                }
                return Some((field, value));
            }
            bit <<= 1;
        }
        None
    }
}

// === impl Json ===

impl<'n> Json<'n> {
    pub(super) fn object(self) -> Result<Object<'n>, DecodeError> {
        match self.0 {
            [Node { value: Value::Object, .. }, nodes @ ..] => Ok(Object { nodes, taken: 0 }),
            _ => Err(DecodeError::value("", "not an object")),
        }
    }

    pub(super) fn as_text(self) -> Result<&'n str, DecodeError> {
        match self.0 {
            [Node { value: Value::Text(text), .. }, ..] => Ok(text),
            _ => Err(DecodeError::value("", "not a string")),
        }
    }
}

// === impl List ===

impl List<'_> {
    pub(super) fn len(&self) -> usize {
        self.clone().count()
    }

    /// The length of a list of texts, and no less than that of any other, without a look at its values.
    pub(super) fn max_len(&self) -> usize {
        self.0.len()
    }
}

impl<'n> Iterator for List<'n> {
    type Item = Json<'n>;

    fn next(&mut self) -> Option<Self::Item> {
        let (value, rest) = self.0.split_at_checked(self.0.first()?.nodes as usize)?;
        self.0 = rest;
        Some(Json(value))
    }
}

// === impl Fields ===

impl<'n> Iterator for Fields<'n> {
    type Item = (&'n str, Json<'n>);

    fn next(&mut self) -> Option<Self::Item> {
        let (Node { value: Value::Text(name), .. }, rest) = self.0.0.split_first()? else {
            return None;
        };
        self.0.0 = rest;
        Some((name, self.0.next()?))
    }
}

// === impl Reader ===

/// `None`: what stands at `at` is not what should be there.
impl<'d> Reader<'d> {
    fn document(&mut self) -> Option<()> {
        // The lists and objects around what comes next: the places of their nodes, and their last brackets.
        let mut open = Vec::with_capacity(MAX_DEPTH);
        loop {
            let byte = self.token()?;
            let end = match byte {
                b'{' if open.len() < MAX_DEPTH => b'}',
                b'[' if open.len() < MAX_DEPTH => b']',
                _ => 0,
            };
            let mut first = end != 0;
            if first {
                open.push((self.nodes.len(), end));
                self.push(if end == b'}' { Value::Object } else { Value::List });
                self.step();
            } else {
                self.leaf(byte)?;
            }
            // Steps over all that stands before the next value.
            loop {
                let Some((begin, end)) = open.last().copied() else {
                    return self.token().is_none().then_some(());
                };
                let next = self.token()?;
                if next == end {
                    let nodes = u32::try_from(self.nodes.len().saturating_sub(begin)).ok()?;
                    self.nodes.get_mut(begin)?.nodes = nodes;
                    self.step();
                    open.pop();
                    first = false;
                    continue;
                }
                if !first {
                    (next == b',').then(|| self.step())?;
                }
                if end == b'}' {
                    (self.token()? == b'"').then_some(())?;
                    self.string()?;
                    (self.token()? == b':').then(|| self.step())?;
                }
                break;
            }
        }
    }

    /// Reads a value that has no others inside.
    fn leaf(&mut self, first: u8) -> Option<()> {
        match first {
            b'"' => self.string(),
            b't' => self.word("true", Value::Flag(true)),
            b'f' => self.word("false", Value::Flag(false)),
            b'n' => self.word("null", Value::Other),
            _ => self.number(),
        }
    }

    #[inline]
    fn push(&mut self, value: Value<'d>) {
        self.nodes.push(Node { value, nodes: 1 });
    }

    fn word(&mut self, word: &str, value: Value<'d>) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then_some(())?;
        self.at = self.at.saturating_add(word.len());
        self.push(value);
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let begin = self.at;
        let negative = self.expect(b'-').is_some();
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            self.at = begin;
            return None;
        }
        let point = self.expect(b'.');
        let fraction = if point.is_some() { self.digits()? } else { "" };
        let exponent = self.expect(b'e').or_else(|| self.expect(b'E'));
        let exponent = if exponent.is_some() { self.exponent()? } else { "0" };
        let number = if negative { None } else { whole_number(whole, fraction, exponent) };
        self.push(number.map_or(Value::Other, Value::Number));
        Some(())
    }

    /// Steps over what follows the `e`.
    fn exponent(&mut self) -> Option<&'d str> {
        let begin = self.at;
        let _ = self.expect(b'+').or_else(|| self.expect(b'-'));
        self.digits()?;
        self.text.get(begin..self.at)
    }

    /// Steps over digits, one at least.
    fn digits(&mut self) -> Option<&'d str> {
        let begin = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.step();
        }
        self.text.get(begin..self.at).filter(|digits| !digits.is_empty())
    }

    /// Reads the string that begins here.
    fn string(&mut self) -> Option<()> {
        self.step();
        let piece = self.plain()?;
        let text = if self.expect(b'"').is_some() {
            Cow::Borrowed(piece)
        } else {
            Cow::Owned(self.rest_of_string(piece)?)
        };
        self.push(Value::Text(text));
        Some(())
    }

    /// Reads on behind what stands before the first escape.
    #[inline(never)]
    fn rest_of_string(&mut self, before: &str) -> Option<String> {
        let mut read = before.to_owned();
        loop {
            self.expect(b'\\')?;
            read.push(self.escaped()?);
            read.push_str(self.plain()?);
            if self.expect(b'"').is_some() {
                return Some(read);
            }
        }
    }

    /// Steps over all that stands for itself in a string.
    #[inline]
    fn plain(&mut self) -> Option<&'d str> {
        let bytes = self.text.as_bytes();
        let begin = self.at;
        while let Some(word) = bytes.get(self.at..)?.first_chunk() {
            let special = special_of(u64::from_le_bytes(*word));
            if special != 0 {
                self.at = self.at.saturating_add((special.trailing_zeros() / u8::BITS) as usize);
                return self.text.get(begin..self.at);
            }
            self.at = self.at.saturating_add(word.len());
        }
        while self.peek().is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)) {
            self.step();
        }
        self.text.get(begin..self.at)
    }

    fn escaped(&mut self) -> Option<char> {
        let byte = self.peek()?;
        self.step();
        Some(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                if unit & 0xfc00 != 0xd800 {
                    return char::from_u32(unit);
                }
                // Two units for one character: ten bits each.
                self.expect(b'\\')?;
                self.expect(b'u')?;
                let low = self.unit()?.wrapping_sub(0xdc00);
                let high = unit.wrapping_sub(0xd800);
                let both = (high << 10 | low).wrapping_add(0x1_0000);
                return char::from_u32(both).filter(|_| low < 0x400);
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | u32::from(hex_value(self.peek()?)?);
            self.step();
        }
        Some(unit)
    }

    /// Steps over white space, and returns what stands behind it.
    fn token(&mut self) -> Option<u8> {
        loop {
            match self.peek()? {
                b' ' | b'\t' | b'\n' | b'\r' => self.step(),
                byte => return Some(byte),
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.step())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }
}

/// Has a bit in each byte that is a quotation mark, a backslash or a control character, up to the first of them; those above it are
/// not to be relied on. Eight bytes at once: most of a configuration is inside of strings.
const fn special_of(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    // A byte below the limit borrows from its highest bit, if that is not its own.
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(ONES.wrapping_mul(limit as u64)) & !word
    }
    const fn is(word: u64, byte: u8) -> u64 {
        below(word ^ ONES.wrapping_mul(byte as u64), 1)
    }
    (below(word, 0x20) | is(word, b'"') | is(word, b'\\')) & (ONES << 7)
}

/// The number that is written like this, if it is a whole one of 32 bits: a writer that knows only floating-point numbers, as a
/// proxy that re-encodes a structure may be, writes 1 as `1.0` or `1e0`.
fn whole_number(whole: &str, fraction: &str, exponent: &str) -> Option<u32> {
    let mut number = 0_u32;
    // How many digits still stand before the point.
    let mut before = i64::try_from(whole.len()).ok()?.saturating_add(exponent.parse().ok()?);
    for digit in whole.chars().chain(fraction.chars()).filter_map(|digit| digit.to_digit(10)) {
        if before > 0 {
            number = number.checked_mul(10)?.checked_add(digit)?;
        } else if digit > 0 {
            return None;
        }
        before = before.saturating_sub(1);
    }
    // 0 is 0, however far its point is moved; no other number has room for ten steps.
    while before > 0 && number > 0 {
        number = number.checked_mul(10)?;
        before = before.saturating_sub(1);
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The value that `serde_json` reads, as far as the wire tells values apart.
    fn theirs<'d>(value: &'d Value, nodes: &mut Vec<Node<'d>>) {
        let at = nodes.len();
        let text = |text| super::Value::Text(Cow::Borrowed(text));
        let own = match value {
            Value::Null => super::Value::Other,
            Value::Bool(flag) => super::Value::Flag(*flag),
            Value::Number(number) => {
                // Printed as a whole number where it is one.
                let number = number.as_f64().and_then(|number| number.to_string().parse().ok());
                number.map_or(super::Value::Other, super::Value::Number)
            }
            Value::String(string) => text(string),
            Value::Array(_) => super::Value::List,
            Value::Object(_) => super::Value::Object,
        };
        nodes.push(Node { value: own, nodes: 1 });
        match value {
            Value::Array(list) => list.iter().for_each(|value| theirs(value, nodes)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    nodes.push(Node { value: text(name), nodes: 1 });
                    theirs(value, nodes);
                }
            }
            _ => {}
        }
        nodes[at].nodes = u32::try_from(nodes[at..].len()).unwrap();
    }

    /// Reads a text; `None`: it is no document.
    fn read(text: &str) -> Option<Vec<Node<'_>>> {
        let mut reader = Reader { text, at: 0, nodes: Vec::new() };
        reader.document().map(|()| reader.nodes)
    }

    /// Reads as `serde_json` does.
    #[track_caller]
    fn assert_read_alike(text: &str) {
        let value: Option<Value> = serde_json::from_str(text).ok();
        let theirs = value.as_ref().map(|value| {
            let mut nodes = Vec::new();
            theirs(value, &mut nodes);
            nodes
        });
        assert_eq!(read(text), theirs, "{text:?}");
    }

    #[test]
    fn every_short_text_is_read_as_serde_json_reads_it() {
        const PIECES: [&str; 17] = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "u", " ", "0", "1", "-", ".", "e", "true",
            "n",
        ];
        let mut texts = vec![String::new()];
        for _ in 0..4 {
            texts = texts
                .iter()
                .flat_map(|text| PIECES.map(|piece| format!("{text}{piece}")))
                .collect();
            for text in &texts {
                assert_read_alike(text);
                assert_read_alike(&format!("\"{text}\""));
                assert_read_alike(&format!("[{text}]"));
                assert_read_alike(&format!("{{\"a\":{text}}}"));
            }
        }
    }

    #[test]
    fn values_of_every_kind_are_read_as_serde_json_reads_them() {
        for text in [
            "4294967295",
            "4294967296",
            "4294967295.0",
            "429496729.6e1",
            "18446744073709551616",
            "-0",
            "-0.0",
            "-1.0",
            "0e5",
            "1.50",
            "150e-2",
            "150e-1",
            "1.5E1",
            "100e-02",
            "10000000000e-10",
            "0.00000000001e11",
            "00",
            "01",
            "1.5e+10",
            "1e",
            "1.",
            ".5",
            "+1",
            "nul",
            "nulll",
            "falsey",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\ud83dx\"",
            "\"\\ud83d\\n\"",
            "\"\\ud83d\\ud83d\"",
            "\"\\ude00\"",
            "\"\\uD7FF\\uE000\\u0000\\u00fC\"",
            "\"\\u12\"",
            "\"\\u00+1\"",
            "\"\\x\"",
            "\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"",
            "\"a\nb\"",
            "\"a\u{1f}b\"",
            "\"a\u{7f}\u{fc}\u{1f600}\"",
            "\"\\n\\n\"",
            "\u{feff}{}",
            "\u{a0}1",
            " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } , \"c\" : [ ] } ",
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "{1:1}",
            "[1 2]",
            "{} {}",
            "[1]]",
            "[\"",
            "\"abc",
            "\"abc\\",
        ] {
            assert_read_alike(text);
        }
    }

    #[test]
    fn a_number_takes_no_longer_than_its_text() {
        for (why, text, want) in [
            ("a large exponent", "1e30000", super::Value::Other),
            ("an exponent beyond all bounds", "1e99999999999999999999", super::Value::Other),
            ("a small one", "1e-30000", super::Value::Other),
            ("nothing, however often", "0e30000", super::Value::Number(0)),
            (
                "more digits than a float holds",
                "1.00000000000000000000000000001",
                super::Value::Other,
            ),
            (
                "more zeros than a float holds",
                "1.00000000000000000000000000000",
                super::Value::Number(1),
            ),
        ] {
            let want = vec![Node { value: want, nodes: 1 }];
            assert_eq!(read(text), Some(want), "{why}: {text}");
        }
    }

    #[test]
    fn a_field_is_taken_once_and_what_is_left_is_refused() {
        let text = r#"{"a":[1,{"x":{}}],"b":"\n","c":true,"b":"2"}"#;
        let document = Document::read(text.as_bytes()).unwrap();
        let mut object = document.object().unwrap();
        assert_eq!(object.list("a").unwrap().len(), 2);
        assert_eq!(object.text("b"), Ok(Some("\n")));
        assert_eq!(object.flag("c"), Ok(true));
        assert_eq!(object.text("d"), Ok(None));
        assert_eq!(object.finish(), Err(DecodeError::value("b", "unknown, or there twice")));
        let many: Vec<String> = (0..100).map(|number| format!("\"f{number}\":true")).collect();
        let text = format!("{{{}}}", many.join(","));
        let document = Document::read(text.as_bytes()).unwrap();
        let mut object = document.object().unwrap();
        for number in 0..100 {
            assert_eq!(object.flag(&format!("f{number}")), Ok(true), "{number}");
        }
        assert_eq!(object.finish(), Ok(()));
        // In an order that no writer has, what is beyond the bits is never taken.
        let mut object = document.object().unwrap();
        for number in (0..100).rev() {
            assert_eq!(object.flag(&format!("f{number}")), Ok(true), "{number}");
        }
        assert_eq!(object.finish(), Err(DecodeError::value("f64", "unknown, or there twice")));
    }

    #[test]
    fn a_deep_document_is_refused() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let reads = |depth: usize| read(&deep(depth)).is_some();
        assert!(reads(16));
        for depth in [17, 100_000] {
            assert!(!reads(depth), "{depth}");
        }
    }

    #[test]
    fn a_mistake_is_found_where_it_is() {
        for (bytes, want) in [
            (&b""[..], (1, 1)),
            (b"{\n \"a\": x}", (2, 7)),
            (b"{\"a\":\xff}", (1, 6)),
            (b"{} x", (1, 4)),
        ] {
            let error = Document::read(bytes).unwrap_err();
            let (line, column) = want;
            assert_eq!(error, DecodeError::Json { line, column }, "{}", bytes.escape_ascii());
        }
    }
}
