//! One line: texts of others, which may have line breaks and escapes, in a comment of YAML and in a table of Markdown.

/// A text in which each character that ends a line, commands a terminal or changes the order of what is shown is written as in Rust,
/// `\u{1b}`.
pub(crate) fn one_line(text: &str) -> String {
    escaped(text, |c| c.escape_default().to_string())
}

/// A text in double quotes, as YAML 1.1 and 1.2 and JSON read it alike. The printable characters of YAML have neither DEL nor C1.
pub(crate) fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    escaped(&json, |c| format!("\\u{:04x}", u32::from(c)))
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    text.chars().map(|c| if is_escaped(c) { escape(c) } else { c.to_string() }).collect()
}

fn is_escaped(c: char) -> bool {
    // Those after U+FEFF are no characters, and YAML has none of them.
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}'..='\u{ffff}'
        )
}
