//! Names: a list of what a finding is about, bounded, so that no status grows with a cluster.

use std::fmt;

use super::quoted::Quoted;

/// Number of names that a finding shows.
const SHOWN: usize = 3;

/// The first of some names, and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    first: Vec<String>,
    more: usize,
}

// === impl Names ===

impl Names {
    /// The first names that are shown; callers sort them for a stable sentence.
    pub fn shown(&self) -> &[String] {
        &self.first
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

impl<S: Into<String>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut names = names.into_iter();
        let first = names.by_ref().take(SHOWN).map(Into::into).collect();
        Self { first, more: names.count() }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.first.iter().enumerate() {
            let is_last = self.more == 0 && at.saturating_add(1) == self.first.len();
            let between = match at {
                0 => "",
                _ if is_last => " and ",
                _ => ", ",
            };
            write!(f, "{between}{}", Quoted(name))?;
        }
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_ends_in_how_many_more_there_are() {
        for (names, want) in [
            ("", ""),
            ("a", "`a`"),
            ("a b", "`a` and `b`"),
            ("a b c", "`a`, `b` and `c`"),
            ("a b c d e", "`a`, `b`, `c` and 2 more"),
        ] {
            assert_eq!(names.split_whitespace().collect::<Names>().to_string(), want);
        }
    }
}
