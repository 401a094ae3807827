//! Reason: everything that a finding can say. A crate that finds something of its own has reasons of its own.

use std::any::Any;
use std::fmt;
use std::sync::OnceLock;

use super::{Sentence, Severity};

/// The reasons of one subject: data first, one sentence each.
pub trait Explain: Any + Clone + PartialEq + fmt::Debug + Send + Sync {
    /// The sentence.
    fn sentence(&self) -> Sentence;
}

/// A reason of any subject.
pub struct Reason {
    explain: Box<dyn AnyExplain>,
    /// The code of the sentence, from the first time on that it is asked for: a sentence is long to write.
    code: OnceLock<&'static str>,
}

/// [`Explain`] for a type that is not known here.
trait AnyExplain: Any + fmt::Debug + Send + Sync {
    fn sentence(&self) -> Sentence;
    fn boxed(&self) -> Box<dyn AnyExplain>;
    fn equals(&self, other: &dyn Any) -> bool;
}

// === impl Reason ===

impl Reason {
    /// The reason, if it is one of that subject.
    pub fn downcast_ref<R: Explain>(&self) -> Option<&R> {
        let any: &dyn Any = &*self.explain;
        any.downcast_ref()
    }

    /// The same, to change it.
    pub fn downcast_mut<R: Explain>(&mut self) -> Option<&mut R> {
        self.code = OnceLock::new();
        let any: &mut dyn Any = &mut *self.explain;
        any.downcast_mut()
    }

    /// The stable code; never reused.
    pub fn code(&self) -> &'static str {
        self.code.get_or_init(|| self.sentence().code)
    }

    /// The severity; the code's letter says the same.
    pub fn severity(&self) -> Severity {
        match self.code().as_bytes().get("CORS-".len()) {
            Some(b'E') => Severity::Refusal,
            Some(b'W') => Severity::Warning,
            _ => Severity::Hint,
        }
    }

    /// The sentence.
    pub fn sentence(&self) -> Sentence {
        self.explain.sentence()
    }
}

impl<R: Explain> From<R> for Reason {
    fn from(reason: R) -> Self {
        Self { explain: Box::new(reason), code: OnceLock::new() }
    }
}

impl Clone for Reason {
    fn clone(&self) -> Self {
        Self { explain: self.explain.boxed(), code: self.code.clone() }
    }
}

impl PartialEq for Reason {
    fn eq(&self, other: &Self) -> bool {
        self.explain.equals(&*other.explain)
    }
}

impl Eq for Reason {}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.explain.fmt(f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sentence { code: _, matter, fix, edits: _ } = self.sentence();
        write!(f, "{matter}: {fix}")
    }
}

// === impl AnyExplain ===

impl<R: Explain> AnyExplain for R {
    fn sentence(&self) -> Sentence {
        Explain::sentence(self)
    }

    fn boxed(&self) -> Box<dyn AnyExplain> {
        Box::new(self.clone())
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{MethodReason, OriginReason};

    #[test]
    fn a_reason_is_equal_to_its_like_alone_and_is_what_it_was_made_of() {
        let mut null = Reason::from(OriginReason::Null);
        assert_eq!(null, OriginReason::Null.into());
        assert_ne!(null, OriginReason::Nobody.into());
        assert_ne!(null, MethodReason::None.into());
        assert_eq!(null.clone().downcast_ref(), Some(&OriginReason::Null));
        assert_eq!(null.downcast_ref::<MethodReason>(), None);
        let code = null.code();
        *null.downcast_mut().unwrap() = OriginReason::Nobody;
        assert_ne!(null.code(), code);
        assert_eq!(null, OriginReason::Nobody.into());
        assert_eq!(format!("{null:?}"), "Nobody");
    }
}
