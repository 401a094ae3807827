//! Outline: the places of the values of a text, so that it need not be parsed again for them. It takes a fraction of the text's memory.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{ScalarStyle, Span, StructureStyle};

/// The places of the values of a text, those of all its documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline(Box<[u8]>);

/// A part of a value, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'t> {
    /// A scalar beside its name, or in quotes.
    Scalar(Cow<'t, str>),
    /// A scalar in lines of its own, below `|` or `>`.
    Block(Cow<'t, str>),
    /// An alias of a value.
    Alias,
    /// The start of a list.
    List {
        /// Whether it is in brackets.
        is_flow: bool,
    },
    /// The start of a mapping.
    Mapping {
        /// Whether it is in braces.
        is_flow: bool,
    },
    /// The end of the innermost list or mapping.
    End,
    /// Anything beside values, such as the start of a document.
    Other,
}

/// An outline while its text is read.
#[derive(Debug, Default)]
pub(crate) struct Outliner {
    bytes: Vec<u8>,
    /// The start of the last part.
    last: usize,
    /// A part is not as it stands in the text, or before the last one.
    is_lost: bool,
}

/// The marks of the parts. A part is a mark, the distance from the start of the part before it, and its length.
mod mark {
    pub(super) const PLAIN: u8 = 0;
    pub(super) const QUOTED: u8 = 1;
    pub(super) const LIST: u8 = 2;
    pub(super) const FLOW_LIST: u8 = 3;
    pub(super) const MAPPING: u8 = 4;
    pub(super) const FLOW_MAPPING: u8 = 5;
    /// The end of a block, which is that of its last value: there is no place beside it.
    pub(super) const END: u8 = 6;
    pub(super) const FLOW_END: u8 = 7;
}

/// The bits of a number in one byte; the eighth says that the next byte has more of them.
const BITS: usize = 7;

// === impl Outline ===

impl Outline {
    /// The parts of the values of `text`, of which it is the outline, with their bytes.
    pub fn parts<'t>(&self, text: &'t str) -> impl Iterator<Item = (Part<'t>, Range<usize>)> {
        let mut bytes = self.0.iter().copied();
        let mut last = 0_usize;
        std::iter::from_fn(move || {
            let mark = bytes.next()?;
            if mark == mark::END {
                return Some((Part::End, last..last));
            }
            last = last.saturating_add(number(&mut bytes)?);
            let range = last..last.saturating_add(number(&mut bytes)?);
            let part = match mark {
                mark::PLAIN => Part::Scalar(text.get(range.clone())?.into()),
                mark::QUOTED => Part::Scalar(inside(text.get(range.clone())?)?.into()),
                mark::LIST | mark::FLOW_LIST => Part::List { is_flow: mark == mark::FLOW_LIST },
                mark::MAPPING | mark::FLOW_MAPPING => {
                    Part::Mapping { is_flow: mark == mark::FLOW_MAPPING }
                }
                _ => Part::End,
            };
            Some((part, range))
        })
    }
}

fn number(bytes: &mut impl Iterator<Item = u8>) -> Option<usize> {
    let mut number = 0_usize;
    for shift in (0..usize::BITS).step_by(BITS) {
        let byte = bytes.next()?;
        number |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The text in quotes.
fn inside(quoted: &str) -> Option<&str> {
    quoted.get(1..quoted.len().checked_sub(1)?)
}

// === impl Outliner ===

impl Outliner {
    /// Adds a scalar of `text`.
    pub(crate) fn scalar(&mut self, text: &str, scalar: &str, style: ScalarStyle, span: &Span) {
        let written = span.byte_range().and_then(|bytes| text.get(bytes)).unwrap_or_default();
        let (mark, written) = match style {
            ScalarStyle::Plain => (mark::PLAIN, Some(written)),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                (mark::QUOTED, inside(written))
            }
            ScalarStyle::Literal | ScalarStyle::Folded => (mark::PLAIN, None),
        };
        self.is_lost |= written != Some(scalar);
        self.add(mark, span);
    }

    /// Adds the start of a list.
    pub(crate) fn list(&mut self, style: StructureStyle, span: &Span) {
        let is_flow = style == StructureStyle::Flow;
        self.add(if is_flow { mark::FLOW_LIST } else { mark::LIST }, span);
    }

    /// Adds the start of a mapping.
    pub(crate) fn mapping(&mut self, style: StructureStyle, span: &Span) {
        let is_flow = style == StructureStyle::Flow;
        self.add(if is_flow { mark::FLOW_MAPPING } else { mark::MAPPING }, span);
    }

    /// Adds the end of a list or mapping with that style.
    pub(crate) fn end(&mut self, style: StructureStyle, span: &Span) {
        if style == StructureStyle::Flow {
            self.add(mark::FLOW_END, span);
        } else {
            self.bytes.push(mark::END);
        }
    }

    fn add(&mut self, mark: u8, span: &Span) {
        let place = span.byte_range();
        let Some((bytes, distance)) =
            place.and_then(|bytes| Some((bytes.clone(), bytes.start.checked_sub(self.last)?)))
        else {
            self.is_lost = true;
            return;
        };
        self.bytes.push(mark);
        self.number(distance);
        self.number(bytes.len());
        self.last = bytes.start;
    }

    fn number(&mut self, mut number: usize) {
        while number >= 0x80 {
            // The lowest seven bits, and the mark that more follow.
            self.bytes.push(number.to_le_bytes().first().copied().unwrap_or_default() | 0x80);
            number /= 0x80;
        }
        self.bytes.extend(u8::try_from(number));
    }

    /// The outline; `None`: a part of the text is not in it.
    pub(crate) fn finish(self) -> Option<Outline> {
        (!self.is_lost).then(|| Outline(self.bytes.into()))
    }
}
