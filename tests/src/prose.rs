//! Prose: the sentences of a page or of doc comments, and two measures of how easily a stranger reads them.
//!
//! - Indefinite pronouns, such as *somebody*, hide the subject. A thing of the glossary belongs in their place.
//! - An opening with a question word delays it: *Where a pod has no sidecar, …*. Questions are not counted.
//!
//! Code, links' targets and HTML comments are no prose. A heading, an item of a list and a cell of a table are a sentence each.

use std::fmt;

/// Indefinite pronouns; `no one` is counted apart, because it is two words.
const PRONOUNS: [&str; 9] = [
    "anybody",
    "anyone",
    "another",
    "everybody",
    "nobody",
    "somebody",
    "someone",
    "whatever",
    "whoever",
];

/// Words that open a question, and should open nothing else.
const QUESTION_WORDS: [&str; 12] = [
    "how", "what", "whatever", "when", "whenever", "where", "wherever", "which", "who", "whoever",
    "whose", "why",
];

/// A measure of one text or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// All words.
    pub words: usize,
    /// All sentences.
    pub sentences: usize,
    /// The sentences with an indefinite pronoun, once for each pronoun.
    pub pronouns: Vec<String>,
    /// The sentences that begin with a question word and are no questions.
    pub openings: Vec<String>,
}

impl Measure {
    /// Measures the prose of a Markdown page.
    pub fn of_page(markdown: &str) -> Self {
        let mut measure = Self::default();
        for sentence in sentences(markdown) {
            measure.add(sentence);
        }
        measure
    }

    /// Measures the doc comments of a Rust file.
    pub fn of_doc_comments(code: &str) -> Self {
        let comment = |line: &str| {
            let line = line.trim_start();
            let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
            text.map(|text| text.strip_prefix(' ').unwrap_or(text).to_owned()).unwrap_or_default()
        };
        Self::of_page(&code.lines().map(comment).collect::<Vec<_>>().join("\n"))
    }

    /// Adds the measure of a further text.
    pub fn extend(&mut self, other: Self) {
        self.words += other.words;
        self.sentences += other.sentences;
        self.pronouns.extend(other.pronouns);
        self.openings.extend(other.openings);
    }

    /// Indefinite pronouns in 1 000 words.
    pub fn pronouns_per_mille(&self) -> f64 {
        ratio(self.pronouns.len(), self.words) * 1000.0
    }

    /// Openings with a question word in 100 sentences.
    pub fn openings_per_cent(&self) -> f64 {
        ratio(self.openings.len(), self.sentences) * 100.0
    }

    fn add(&mut self, sentence: String) {
        let words: Vec<String> = sentence
            .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        self.words += words.len();
        self.sentences += 1;
        let single = words.iter().filter(|word| PRONOUNS.contains(&stem(word))).count();
        let pairs = words.iter().zip(words.iter().skip(1));
        let double =
            pairs.filter(|(first, second)| *first == "no" && stem(second) == "one").count();
        self.pronouns.extend(std::iter::repeat_n(sentence.clone(), single + double));
        let opens = words.first().is_some_and(|word| QUESTION_WORDS.contains(&stem(word)));
        if opens && !sentence.ends_with('?') {
            self.openings.push(sentence);
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pronouns, openings) = (self.pronouns_per_mille(), self.openings_per_cent());
        write!(f, "{pronouns:.1} pronouns in 1000 words, {openings:.1} % openings")?;
        self.pronouns.iter().try_for_each(|sentence| write!(f, "\n  pronoun: {sentence}"))?;
        self.openings.iter().try_for_each(|sentence| write!(f, "\n  opening: {sentence}"))
    }
}

/// A word without `'s` and the like.
fn stem(word: &str) -> &str {
    word.split(['\'', '’']).next().unwrap_or(word)
}

#[expect(clippy::cast_precision_loss, reason = "texts are shorter than 2^52 words")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The sentences of a Markdown text.
fn sentences(markdown: &str) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    let mut open = String::new();
    let mut is_code = false;
    for line in without_comments(markdown).lines() {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            is_code = !is_code;
        }
        let is_list = trimmed.split_once(' ').is_some_and(|(mark, _)| is_mark(mark));
        let is_break = trimmed.is_empty() || trimmed.starts_with("```") || is_code;
        if is_break || is_list || trimmed.starts_with('|') {
            units.push(std::mem::take(&mut open));
        }
        if is_break || line.starts_with("    ") {
            continue;
        }
        if trimmed.starts_with('|') {
            units.extend(plain(trimmed).split('|').map(str::to_owned));
        } else {
            let text = if is_list {
                trimmed.split_once(' ').map_or("", |(_, text)| text)
            } else {
                trimmed
            };
            open.push_str(text);
            open.push(' ');
        }
    }
    units.push(open);
    units.iter().flat_map(|unit| split(&plain(unit))).collect()
}

/// True of what begins an item of a list or a heading.
fn is_mark(word: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    ["-", "*"].contains(&word)
        || word.trim_start_matches('#').is_empty()
        || word.strip_suffix('.').is_some_and(is_number)
}

/// The text without HTML comments.
fn without_comments(text: &str) -> String {
    let mut parts = text.split("<!--");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once("-->").map_or("", |(_, rest)| rest))
}

/// The text with `X` for each piece of code, and without marks of emphasis and the targets of links.
fn plain(text: &str) -> String {
    let mut words = String::new();
    for (at, part) in text.split('`').enumerate() {
        words.push_str(if at % 2 == 1 { "X" } else { part });
    }
    let mut parts = words.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    let linked =
        parts.fold(first, |text, part| text + part.split_once(')').map_or(part, |(_, rest)| rest));
    linked.chars().filter(|c| !"*[]".contains(*c)).collect()
}

/// The sentences of a paragraph.
fn split(text: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        open.push(word);
        let ends = word.trim_end_matches([')', '"', '\'']).ends_with(['.', '?', '!']);
        let next_opens = words.peek().is_none_or(|next| !next.starts_with(char::is_lowercase));
        if ends && next_opens {
            sentences.push(std::mem::take(&mut open).join(" "));
        }
    }
    sentences.push(open.join(" "));
    sentences.retain(|sentence| sentence.contains(char::is_alphabetic) && sentence != "X");
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_counted_and_code_is_not_prose() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("two sentences", "One two. Three\nfour.", &["One two.", "Three four."]),
            ("no end before a small letter", "One, i.e. two.", &["One, i.e. two."]),
            ("a number ends nothing", "Envoy 1.40 runs.", &["Envoy 1.40 runs."]),
            ("code is one word", "Write `a. B` here.", &["Write X here."]),
            ("a sentence may begin with code", "It ends. `x` begins.", &["It ends.", "X begins."]),
            ("a link is its text", "See [the page](a.md#b).", &["See the page."]),
            ("emphasis is no word", "**Bold.** Then *this*.", &["Bold.", "Then this."]),
            ("items", "- one\n- two\n  more\n1. three", &["one", "two more", "three"]),
            ("a heading", "## What it is\n\nText.", &["What it is", "Text."]),
            ("cells", "| one | `x` |\n|---|---|\n| two | three |", &["one", "two", "three"]),
            ("a block of code", "Before.\n```text\nWhat?\n```\nAfter.", &["Before.", "After."]),
            ("an indented block", "Run:\n\n    what this\n\nThen.", &["Run:", "Then."]),
            ("a comment", "One. <!-- what\nelse --> Two.", &["One.", "Two."]),
        ];
        for (why, text, want) in cases {
            assert_eq!(sentences(text), *want, "{why}");
        }
    }

    #[test]
    fn pronouns_and_openings_are_found() {
        for (text, pronouns, openings, why) in [
            ("The operator writes the object.", 0, 0, "a subject first"),
            ("Somebody else's object stays.", 1, 0, "a pronoun"),
            ("No one asks, and nobody answers.", 2, 0, "two words, and one"),
            ("No, one policy decides.", 1, 0, "a comma between the two is not seen"),
            ("Where a pod has none, it fails.", 0, 1, "a conjunction at the start"),
            ("It fails where a pod has none.", 0, 0, "a conjunction later"),
            ("Which policy decided?", 0, 0, "a question"),
            ("**What it is.** Text.", 0, 1, "emphasis hides nothing"),
            ("Whoever leads writes.", 1, 1, "both at once"),
            ("`where` is a field.", 0, 0, "code is no question word"),
        ] {
            let measure = Measure::of_page(text);
            let found = (measure.pronouns.len(), measure.openings.len());
            assert_eq!(found, (pronouns, openings), "{why}: {text}");
        }
    }

    #[test]
    fn doc_comments_are_read_and_code_and_plain_comments_are_not() {
        let code = "//! What a module is.\n\n/// Says who.\n///\n/// Where else?\nlet what = 1; // Whoever\n";
        let measure = Measure::of_doc_comments(code);
        assert_eq!((measure.sentences, measure.pronouns.len()), (3, 0));
        assert_eq!(measure.openings, ["What a module is."]);
        assert!((measure.openings_per_cent() - 100.0 / 3.0).abs() < 0.01);
    }
}
