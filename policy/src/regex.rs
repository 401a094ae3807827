//! `OriginRegex`: an entry of `allowOriginRegexes`, always matched against the whole origin in linear time.

use std::fmt;

use regex_lite::{Regex, RegexBuilder};

use crate::limits::{MAX_REGEX_LEN, MAX_REGEX_SIZE};

/// A regex over serialized tuple origins.
#[derive(Clone)]
pub struct OriginRegex {
    source: String,
    regex: Regex,
}

/// The reason why a regex is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidRegex {
    /// Nothing written: it would match no origin.
    Empty,
    /// Longer than a regex may be, as text or compiled.
    TooLong,
    /// Not a regex; the engine's own words.
    Syntax(String),
}

// === impl OriginRegex ===

impl OriginRegex {
    /// Compiles a regex as an author writes it.
    ///
    /// # Errors
    ///
    /// See [`InvalidRegex`].
    pub fn parse(source: &str) -> Result<Self, InvalidRegex> {
        if source.is_empty() {
            return Err(InvalidRegex::Empty);
        }
        if source.len() > MAX_REGEX_LEN {
            return Err(InvalidRegex::TooLong);
        }
        let compile = |text: &str| RegexBuilder::new(text).size_limit(MAX_REGEX_SIZE).build();
        // By itself first: `a)|(b` must not become an expression by being wrapped.
        compile(source).map_err(|error| InvalidRegex::of(&error))?;
        // In verbose mode a comment swallows the closing parenthesis, which is an error, unless its line ends first.
        let regex = compile(&format!("^(?:{source})$"))
            .or_else(|_| compile(&format!("^(?:{source}\n)$")))
            .map_err(|error| InvalidRegex::of(&error))?;
        Ok(Self { source: source.to_owned(), regex })
    }

    /// Returns whether the regexes together are within the size for one `cors` block.
    pub fn fit_together(regexes: &[Self]) -> bool {
        let sources = regexes.iter().map(|regex| format!("(?:{}\n)", regex.source));
        let all = sources.collect::<Vec<_>>().join("|");
        RegexBuilder::new(&all).size_limit(MAX_REGEX_SIZE).build().is_ok()
    }

    /// Returns the expression as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Returns whether the regex matches the whole of `origin`.
    pub fn accepts(&self, origin: &str) -> bool {
        self.regex.is_match(origin)
    }
}

// === impl InvalidRegex ===

impl InvalidRegex {
    fn of(error: &regex_lite::Error) -> Self {
        let message = error.to_string();
        if message.ends_with("size limit") { Self::TooLong } else { Self::Syntax(message) }
    }
}

impl PartialEq for OriginRegex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for OriginRegex {}

impl fmt::Debug for OriginRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OriginRegex").field(&self.source).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regex_matches_the_whole_origin_or_not_at_all() {
        for (why, regex, origin, want) in [
            ("whole", r"https://[a-z]+\.example", "https://a.example", true),
            ("appended", r"https://[a-z]+\.example", "https://a.example.evil.test", false),
            ("prepended", r"https://[a-z]+\.example", "xhttps://a.example", false),
            (
                "alternation is held together",
                r"https://a\.example|https://b",
                "https://a.example.evil",
                false,
            ),
            ("a dot matches one character", ".", "https://a.example", false),
            ("anchors of its own are harmless", r"^https://a\.example$", "https://a.example", true),
            (
                "multi-line mode is no way out",
                r"(?m)https://a\.example$",
                "https://a.example",
                true,
            ),
        ] {
            assert_eq!(OriginRegex::parse(regex).unwrap().accepts(origin), want, "{why}");
        }
    }

    #[test]
    fn what_is_no_regex_is_refused_with_its_reason() {
        assert_eq!(OriginRegex::parse(""), Err(InvalidRegex::Empty));
        assert!(matches!(OriginRegex::parse("a)|(b"), Err(InvalidRegex::Syntax(_))));
        assert!(matches!(OriginRegex::parse("["), Err(InvalidRegex::Syntax(_))));
        assert_eq!(OriginRegex::parse("(a{1000}){1000}"), Err(InvalidRegex::TooLong));
        assert_eq!(OriginRegex::parse(&"a".repeat(MAX_REGEX_LEN + 1)), Err(InvalidRegex::TooLong));
    }

    #[test]
    fn many_small_regexes_fit_together_and_a_few_large_ones_do_not() {
        let parse = |source: &str| OriginRegex::parse(source).unwrap();
        let small: Vec<_> =
            (0..16).map(|n| parse(&format!(r"https://[a-z0-9-]+\.app{n}\.example"))).collect();
        assert!(OriginRegex::fit_together(&small));
        assert!(OriginRegex::fit_together(&[parse("(?x) a # comment")]));
        let large = parse(&".*".repeat(100));
        assert!(OriginRegex::fit_together(std::slice::from_ref(&large)));
        assert!(!OriginRegex::fit_together(&vec![large; 16]));
    }

    #[test]
    fn a_comment_in_verbose_mode_swallows_nothing_of_ours() {
        let verbose = OriginRegex::parse("(?x) https://a\\.example # ours").unwrap();
        assert!(verbose.accepts("https://a.example"));
        assert!(!verbose.accepts("https://a.example.evil"));
        assert!(OriginRegex::parse("https://(?:a|b#c)").unwrap().accepts("https://a"));
    }
}
