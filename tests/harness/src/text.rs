//! Text of the test files as bytes: one character is one byte (latin-1), so that any header can be written down.

use anyhow::{Result, bail};
use serde::Deserialize;

/// A header value as the test files write it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Written {
    /// The value.
    Text(String),
    /// Pieces to be joined: long values stay short to read.
    Pieces(Vec<Piece>),
}

/// A piece of a value.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Piece {
    /// Once.
    Once(String),
    /// Several times.
    Times(String, usize),
}

// === impl Written ===

impl Written {
    /// The value as one string.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Pieces(pieces) => pieces.iter().map(Piece::text).collect(),
        }
    }

    /// The value as bytes.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        latin1(&self.text())
    }
}

impl Piece {
    fn text(&self) -> String {
        match self {
            Self::Once(text) => text.clone(),
            Self::Times(text, times) => text.repeat(*times),
        }
    }
}

/// The bytes that `text` stands for.
pub fn latin1(text: &str) -> Result<Vec<u8>> {
    let Some(odd) = text.chars().find(|&c| u8::try_from(c).is_err()) else {
        return Ok(text.chars().filter_map(|c| u8::try_from(c).ok()).collect());
    };
    bail!("`{odd}` is no byte: write bytes as the latin-1 characters of the same number")
}

/// The text that stands for `bytes`.
pub fn from_latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_and_characters_are_bytes() {
        for (why, json, want) in [
            ("plain", r#""a""#, &b"a"[..]),
            ("repeated", r#"["x", [",y", 2]]"#, b"x,y,y"),
            ("latin-1", r#""\u00ff""#, b"\xff"),
        ] {
            let written: Written = serde_json::from_str(json).unwrap();
            assert_eq!(written.bytes().unwrap(), want, "{why}");
        }
        assert!(latin1("\u{100}").is_err());
        assert_eq!(from_latin1(b"\xff\x00"), "\u{ff}\0");
    }
}
