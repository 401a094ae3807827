//! Rewrites of an expression in the syntax of patterns, or in that of `regex-lite`.

use corsward_policy::finding::Replacement;
use corsward_policy::pattern::OriginPattern;
use corsward_policy::regex::OriginRegex;

/// Characters that are no letters of a pattern, unless they are escaped.
const OPERATORS: &str = r"\^$|?+()[]{}";

/// The pattern of `allowOrigins` that reads the same.
pub(super) fn as_pattern(regex: &str) -> Option<String> {
    let body = regex.strip_prefix('^').unwrap_or(regex);
    let body = body.strip_suffix('$').unwrap_or(body);
    let mut text = String::new();
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(chars.next().filter(char::is_ascii_punctuation)?),
            _ if OPERATORS.contains(c) => return None,
            _ => text.push(c),
        }
    }
    let pattern = OriginPattern::parse(&text).ok()?.pattern;
    matches!(pattern, OriginPattern::Tuple(_)).then(|| pattern.to_string())
}

/// The pattern of all hosts with the same end, for the end of a host in an engine that searches.
pub(super) fn as_suffix(regex: &str) -> Option<String> {
    let is_end = |text: &str| {
        let label = text.trim_start_matches('\\').strip_prefix(['.', '-']);
        label.is_some_and(|label| label.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    if is_end(regex) { as_pattern(&format!("https://*{regex}")) } else { None }
}

/// Rewrites an expression that `regex-lite` does not read into its syntax, or into a pattern.
pub(in crate::knowledge) fn in_own_syntax(regex: &str) -> Option<Replacement> {
    let glob = as_pattern(regex).or_else(|| as_pattern(&format!("https://{regex}")));
    if let Some(pattern) = glob {
        return Some(Replacement::Pattern(pattern));
    }
    let own = in_lite(&without_quotation(regex));
    let differs = own != regex;
    (differs && OriginRegex::parse(&own).is_ok()).then_some(Replacement::Regex(own))
}

/// `\Q…\E` of RE2, PCRE and Java as escaped characters.
fn without_quotation(regex: &str) -> String {
    let mut text = String::new();
    let mut rest = regex;
    while let Some((before, quoted)) = rest.split_once(r"\Q") {
        text.push_str(before);
        let (quoted, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
        for c in quoted.chars() {
            if OPERATORS.contains(c) || ".*".contains(c) {
                text.push('\\');
            }
            text.push(c);
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Escapes what `regex-lite` wants escaped, and respells what it spells otherwise.
fn in_lite(regex: &str) -> String {
    let mut text = String::new();
    let mut in_class = false;
    let mut after_set = false;
    let mut rest = regex;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let mut is_set = false;
        let (piece, own) = match c {
            '\\' => {
                let piece = escape_of(rest);
                is_set = matches!(piece, r"\w" | r"\d" | r"\s" | r"\W" | r"\D" | r"\S");
                (piece, respelled(piece, in_class))
            }
            // A class cannot begin a range.
            '-' if in_class && after_set && !after.starts_with(']') => ("-", r"\-".to_owned()),
            '[' if in_class && !after.starts_with(':') => ("[", r"\[".to_owned()),
            '[' if in_class => match rest.split_inclusive(":]").next() {
                Some(posix) => (posix, posix.to_owned()),
                None => ("[", r"\[".to_owned()),
            },
            '[' => {
                in_class = true;
                let opening = ["[^]", "[]", "[^"].into_iter().find(|text| rest.starts_with(text));
                let opening = opening.unwrap_or("[");
                (opening, opening.replace(']', r"\]"))
            }
            ']' if in_class => {
                in_class = false;
                ("]", "]".to_owned())
            }
            '(' if after.starts_with("?>") => ("(?>", "(?:".to_owned()),
            '{' if !in_class && after.starts_with(',') => ("{,", "{0,".to_owned()),
            _ => {
                let piece = rest.get(..c.len_utf8()).unwrap_or_default();
                (piece, piece.to_owned())
            }
        };
        after_set = is_set;
        text.push_str(&own);
        rest = rest.get(piece.len()..).unwrap_or_default();
    }
    text
}

/// The escape sequence at the beginning of `rest`.
fn escape_of(rest: &str) -> &str {
    let braced = [r"\p{", r"\P{", r"\x{"].into_iter().any(|begin| rest.starts_with(begin));
    let end = if braced {
        rest.find('}').map(|at| at.saturating_add(1))
    } else {
        rest.char_indices().nth(2).map(|(at, _)| at)
    };
    end.and_then(|end| rest.get(..end)).unwrap_or(rest)
}

/// An escape sequence in the words of `regex-lite`. Origins are ASCII.
fn respelled(escape: &str, in_class: bool) -> String {
    let range = match escape {
        r"\Z" => return "$".to_owned(),
        r"\p{L}" | r"\p{Letter}" | r"\p{Alphabetic}" | r"\p{Alpha}" => "A-Za-z",
        r"\p{Ll}" | r"\p{Lower}" | r"\p{javaLowerCase}" => "a-z",
        r"\p{Lu}" | r"\p{Upper}" => "A-Z",
        r"\p{N}" | r"\p{Nd}" | r"\p{Digit}" => "0-9",
        r"\p{Alnum}" => "A-Za-z0-9",
        r"\_" | r"\:" | r"\@" => return escape.trim_start_matches('\\').to_owned(),
        _ => return escape.to_owned(),
    };
    if in_class { range.to_owned() } else { format!("[{range}]") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_engines_read_is_said_in_the_syntax_of_this_one() {
        for (why, regex, want) in [
            ("a hyphen behind a class", r"https://[\w-_]+\.a", r"https://[\w\-_]+\.a"),
            ("a quotation", r"https://\Qapp.example\E", r"https://app\.example"),
            ("one without end", r"https://[a-z]\.\Qa.example", r"https://[a-z]\.a\.example"),
            ("an atomic group", r"https://(?>a|b)\.c", r"https://(?:a|b)\.c"),
            ("the end of PCRE", r"https://[a-z]\.a\Z", r"https://[a-z]\.a$"),
            ("a class of Unicode", r"https://\p{L}+\.a", r"https://[A-Za-z]+\.a"),
            ("within a class", r"https://[\p{L}\d]+\.a", r"https://[A-Za-z\d]+\.a"),
            ("a bracket within a class", r"https://[[a-z]+\.a", r"https://[\[a-z]+\.a"),
        ] {
            assert!(OriginRegex::parse(regex).is_err(), "{why}: {regex} is read");
            match in_own_syntax(regex) {
                Some(Replacement::Regex(own)) => assert_eq!(own, want, "{why}"),
                other => panic!("{why}: {regex}: {other:?}"),
            }
        }
        for (why, regex) in [
            ("look-around", r"https://(?!a)b\.c"),
            ("a back reference", r"(a)\1"),
            ("an unclosed group", r"https://(a"),
        ] {
            assert_eq!(in_own_syntax(regex), None, "{why}: {regex}");
        }
    }
}
