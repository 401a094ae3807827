//! Json: a document as a tree, taken apart field by field.
//!
//! A reader of our own (RFC 8259), because the filter's module has to be small: readers derived for each shape took 30 KB
//! more of it, and a general one brings floating-point arithmetic along, of which the wire needs none.

use std::borrow::Cow;

use crate::limits::MAX_WIRE_LEN;
use crate::syntax::hex_value;
use crate::wire::DecodeError;

/// Deepest nesting of lists and objects; the wire needs less than half of it.
const MAX_DEPTH: u32 = 16;

/// A JSON value; text without escapes is borrowed from the document.
#[derive(Debug, PartialEq)]
pub(super) enum Json<'d> {
    Flag(bool),
    Number(u32),
    Text(Cow<'d, str>),
    List(Vec<Self>),
    Object(Object<'d>),
    /// `null`, and numbers that are not of the wire.
    Other,
}

/// A JSON object whose fields are taken out one by one, so that what is left is unknown.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Object<'d>(Vec<(Cow<'d, str>, Json<'d>)>);

/// A document, and how far it has been read.
struct Reader<'d> {
    text: &'d str,
    at: usize,
}

// === impl Object ===

impl<'d> Object<'d> {
    /// Reads a document.
    pub(super) fn read(bytes: &'d [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_WIRE_LEN {
            return Err(DecodeError::TooLong);
        }
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|error| DecodeError::json(bytes, error.valid_up_to()))?;
        let mut reader = Reader { text, at: 0 };
        match reader.document() {
            Some(Json::Object(object)) => Ok(object),
            Some(_) => Err(DecodeError::value("", "not an object")),
            None => Err(DecodeError::json(bytes, reader.at)),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool, DecodeError> {
        match self.take(name) {
            None => Ok(false),
            Some(Json::Flag(flag)) => Ok(flag),
            Some(_) => Err(DecodeError::value(name, "neither true nor false")),
        }
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<u32>, DecodeError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Number(number)) => Ok(Some(number)),
            Some(_) => Err(DecodeError::value(name, "not a whole number of 32 bits")),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<Cow<'d, str>>, DecodeError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(DecodeError::value(name, "not a string")),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, DecodeError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Object(object)) => Ok(Some(object)),
            Some(_) => Err(DecodeError::value(name, "not an object")),
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Vec<Json<'d>>, DecodeError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Json::List(list)) => Ok(list),
            Some(_) => Err(DecodeError::value(name, "not a list")),
        }
    }

    /// All fields, of any name.
    pub(super) fn into_fields(self) -> Vec<(Cow<'d, str>, Json<'d>)> {
        self.0
    }

    /// Nothing may be left: an older reader must not overlook what a newer writer meant.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(DecodeError::value(name, "unknown, or there twice")),
        }
    }

    fn take(&mut self, name: &str) -> Option<Json<'d>> {
        let at = self.0.iter().position(|(field, _)| field == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

// === impl Json ===

impl<'d> Json<'d> {
    pub(super) fn into_object(self) -> Result<Object<'d>, DecodeError> {
        match self {
            Self::Object(object) => Ok(object),
            _ => Err(DecodeError::value("", "not an object")),
        }
    }

    pub(super) fn as_text(&self) -> Result<&str, DecodeError> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(DecodeError::value("", "not a string")),
        }
    }
}

// === impl Reader ===

/// `None`: what stands at `at` is not what should be there.
impl<'d> Reader<'d> {
    fn document(&mut self) -> Option<Json<'d>> {
        let value = self.value(0)?;
        self.skip_space();
        (self.at == self.text.len()).then_some(value)
    }

    fn value(&mut self, depth: u32) -> Option<Json<'d>> {
        self.skip_space();
        match self.peek()? {
            b'{' if depth < MAX_DEPTH => self.object(depth),
            b'[' if depth < MAX_DEPTH => self.list(depth),
            b'"' => self.string().map(Json::Text),
            b't' => self.word("true", Json::Flag(true)),
            b'f' => self.word("false", Json::Flag(false)),
            b'n' => self.word("null", Json::Other),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: u32) -> Option<Json<'d>> {
        let mut fields = Vec::new();
        while self.comes_another(fields.is_empty(), b'}')? {
            let name = self.string()?;
            self.skip_space();
            self.expect(b':')?;
            fields.push((name, self.value(depth.saturating_add(1))?));
        }
        Some(Json::Object(Object(fields)))
    }

    fn list(&mut self, depth: u32) -> Option<Json<'d>> {
        let mut list = Vec::new();
        while self.comes_another(list.is_empty(), b']')? {
            list.push(self.value(depth.saturating_add(1))?);
        }
        Some(Json::List(list))
    }

    /// Steps over the bracket before the first element, or the comma before the next one; `false`: over the bracket
    /// `end`.
    fn comes_another(&mut self, first: bool, end: u8) -> Option<bool> {
        if first {
            self.step();
        }
        self.skip_space();
        if self.expect(end).is_some() {
            return Some(false);
        }
        if !first {
            self.expect(b',')?;
            self.skip_space();
        }
        Some(true)
    }

    fn word(&mut self, word: &str, value: Json<'d>) -> Option<Json<'d>> {
        self.text.get(self.at..)?.starts_with(word).then_some(())?;
        self.at = self.at.saturating_add(word.len());
        Some(value)
    }

    fn number(&mut self) -> Option<Json<'d>> {
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
        Some(number.map_or(Json::Other, Json::Number))
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

    fn string(&mut self) -> Option<Cow<'d, str>> {
        self.expect(b'"')?;
        let mut read = Cow::Borrowed("");
        loop {
            let begin = self.at;
            while self.peek().is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)) {
                self.step();
            }
            let piece = self.text.get(begin..self.at)?;
            if read.is_empty() {
                read = Cow::Borrowed(piece);
            } else {
                read.to_mut().push_str(piece);
            }
            if self.expect(b'"').is_some() {
                return Some(read);
            }
            self.expect(b'\\')?;
            read.to_mut().push(self.escaped()?);
        }
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

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.step();
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

    /// The value that `serde_json` reads, as far as the wire tells values apart; `None` for numbers that it cannot
    /// hold.
    fn theirs(value: &Value) -> Json<'_> {
        match value {
            Value::Null => Json::Other,
            Value::Bool(flag) => Json::Flag(*flag),
            Value::Number(number) => {
                // Printed as a whole number where it is one.
                let number = number.as_f64().and_then(|number| number.to_string().parse().ok());
                number.map_or(Json::Other, Json::Number)
            }
            Value::String(text) => Json::Text(Cow::Borrowed(text)),
            Value::Array(list) => Json::List(list.iter().map(theirs).collect()),
            Value::Object(fields) => {
                let field = |(name, value)| (Cow::Borrowed(String::as_str(name)), theirs(value));
                Json::Object(Object(fields.iter().map(field).collect()))
            }
        }
    }

    /// Reads as `serde_json` does.
    #[track_caller]
    fn assert_read_alike(text: &str) {
        let ours = Reader { text, at: 0 }.document();
        let value: Option<Value> = serde_json::from_str(text).ok();
        assert_eq!(ours, value.as_ref().map(theirs), "{text:?}");
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
            ("a large exponent", "1e30000", Json::Other),
            ("an exponent beyond all bounds", "1e99999999999999999999", Json::Other),
            ("a small one", "1e-30000", Json::Other),
            ("nothing, however often", "0e30000", Json::Number(0)),
            ("more digits than a float holds", "1.00000000000000000000000000001", Json::Other),
            ("more zeros than a float holds", "1.00000000000000000000000000000", Json::Number(1)),
        ] {
            assert_eq!(Reader { text, at: 0 }.document(), Some(want), "{why}: {text}");
        }
    }

    #[test]
    fn a_deep_document_is_refused() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let reads = |depth: usize| Reader { text: &deep(depth), at: 0 }.document().is_some();
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
            let error = Object::read(bytes).unwrap_err();
            let (line, column) = want;
            assert_eq!(error, DecodeError::Json { line, column }, "{}", bytes.escape_ascii());
        }
    }
}
