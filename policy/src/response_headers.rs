//! Headers: the response headers of a decision.

use std::borrow::Cow;

use crate::compiled::CompiledCors;
use crate::header_name::{ACAC, ACAO};

type Header<'c> = (&'static str, Cow<'c, [u8]>);

/// At most [`Headers::CAPACITY`] response headers, held without the heap.
#[derive(Debug, Default)]
pub struct Headers<'c> {
    items: [Option<Header<'c>>; Headers::CAPACITY],
    len: usize,
}

// === impl Headers ===

impl<'c> Headers<'c> {
    /// Seven of the CORS protocol, `Vary`, `Cache-Control` and the diagnostics.
    pub const CAPACITY: usize = 10;

    /// Returns the headers in the order of their insertion.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.items.iter().take(self.len).flatten().map(|(name, value)| (*name, value.as_ref()))
    }

    /// Returns whether `name` is set.
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|(present, _)| present == name)
    }

    /// Adds the two headers of the CORS check: the allowed origin, and `true` for credentials.
    pub(crate) fn push_sharing(&mut self, cors: &CompiledCors, with: Cow<'c, [u8]>) {
        self.push(ACAO, with);
        if cors.source.credentials {
            self.push(ACAC, &b"true"[..]);
        }
    }

    pub(crate) fn push(&mut self, name: &'static str, value: impl Into<Cow<'c, [u8]>>) {
        if let Some(slot) = self.items.get_mut(self.len) {
            *slot = Some((name, value.into()));
            self.len = self.len.saturating_add(1);
        }
    }
}
