//! Words: a command line as its shell reads it: a POSIX shell with the `$'…'` of bash and zsh, or `cmd` on Windows.

use std::iter::Peekable;
use std::str::Chars;

use anyhow::{Context as _, bail};

/// A quote that has no end.
const OPEN: &str = "a quote of the command is not closed";

/// Splits a command. A caret before a quote or at the end of a line is one of `cmd`.
pub(super) fn split(command: &str) -> anyhow::Result<Vec<String>> {
    let ends_in_caret = |line: &str| line.trim_end_matches('\r').ends_with('^');
    if command.contains("^\"") || command.split('\n').any(ends_in_caret) {
        of_cmd(&without_carets(command))
    } else {
        of_posix(command)
    }
}

/// The words of a command for a POSIX shell.
fn of_posix(command: &str) -> anyhow::Result<Vec<String>> {
    let mut chars = command.chars().peekable();
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    while let Some(char) = chars.next() {
        match char {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\\' if ends_line(&mut chars) => {}
            '\\' => push(word.get_or_insert_default(), chars.next().context(OPEN)?),
            '\'' => {
                let word = word.get_or_insert_default();
                until_quote(&mut chars, '\'', |char, _| {
                    push(word, char);
                    Ok(())
                })?;
            }
            '$' if chars.next_if_eq(&'\'').is_some() => {
                let word = word.get_or_insert_default();
                until_quote(&mut chars, '\'', |char, chars| match char {
                    '\\' => ansi_c(word, chars),
                    char => {
                        push(word, char);
                        Ok(())
                    }
                })?;
            }
            '"' => {
                let word = word.get_or_insert_default();
                until_quote(&mut chars, '"', |char, chars| {
                    if char == '\\' && ends_line(chars) {
                        return Ok(());
                    }
                    let escaped = chars.next_if(|next| char == '\\' && "\\\"$`".contains(*next));
                    push(word, escaped.unwrap_or(char));
                    Ok(())
                })?;
            }
            char => push(word.get_or_insert_default(), char),
        }
    }
    words.extend(word);
    Ok(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// Takes a line break.
fn ends_line(chars: &mut Peekable<Chars<'_>>) -> bool {
    let mut ahead = chars.clone();
    ahead.next_if_eq(&'\r');
    let ends = ahead.next() == Some('\n');
    if ends {
        *chars = ahead;
    }
    ends
}

/// Takes all characters up to the closing quote.
fn until_quote<'c>(
    chars: &mut Peekable<Chars<'c>>,
    quote: char,
    mut take: impl FnMut(char, &mut Peekable<Chars<'c>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    loop {
        match chars.next() {
            None => bail!(OPEN),
            Some(char) if char == quote => return Ok(()),
            Some(char) => take(char, chars)?,
        }
    }
}

fn push(word: &mut Vec<u8>, char: char) {
    word.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Takes an escape of `$'…'`, behind its backslash.
fn ansi_c(word: &mut Vec<u8>, chars: &mut Peekable<Chars<'_>>) -> anyhow::Result<()> {
    let char = chars.next().context(OPEN)?;
    let code = |chars: &mut Peekable<Chars<'_>>, radix, most| {
        let mut code: Option<u32> = None;
        for _ in 0..most {
            let digit = chars.peek().and_then(|char| char.to_digit(radix));
            let Some(digit) = digit else { break };
            chars.next();
            code = Some(code.unwrap_or(0).saturating_mul(radix).saturating_add(digit));
        }
        code
    };
    match char {
        'a' => word.push(0x07),
        'b' => word.push(0x08),
        'e' | 'E' => word.push(0x1b),
        'f' => word.push(0x0c),
        'n' => word.push(b'\n'),
        'r' => word.push(b'\r'),
        't' => word.push(b'\t'),
        'v' => word.push(0x0b),
        'x' => word.extend(code(chars, 16, 2).and_then(|byte| u8::try_from(byte).ok())),
        'u' | 'U' => {
            let code = code(chars, 16, if char == 'u' { 4 } else { 8 });
            push(word, code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        '0'..='7' => {
            let first = char.to_digit(8).unwrap_or_default();
            let mut octal = first;
            for _ in 0..2 {
                let Some(digit) = chars.peek().and_then(|char| char.to_digit(8)) else { break };
                chars.next();
                octal = octal.saturating_mul(8).saturating_add(digit);
            }
            word.extend(u8::try_from(octal).ok());
        }
        char => push(word, char),
    }
    Ok(())
}

/// The text that `cmd` passes on: outside of quotes a caret makes the next character an ordinary one, and takes a line break away.
fn without_carets(command: &str) -> String {
    let mut text = String::new();
    let mut chars = command.chars().peekable();
    let mut is_quoted = false;
    while let Some(char) = chars.next() {
        if char == '^' && !is_quoted {
            // The character behind the line break is ordinary as well.
            ends_line(&mut chars);
            text.extend(chars.next());
            continue;
        }
        is_quoted ^= char == '"';
        text.push(char);
    }
    text
}

/// The words that a program for Windows makes of its command line: a backslash is an escape only before a quote.
fn of_cmd(command: &str) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    let mut backslashes = 0_usize;
    let mut chars = command.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\\' {
            backslashes = backslashes.saturating_add(1);
            continue;
        }
        let count = std::mem::take(&mut backslashes);
        let is_escaped = char == '"' && count % 2 == 1;
        let kept = if char == '"' { count / 2 } else { count };
        if kept > 0 {
            word.get_or_insert_default().extend(std::iter::repeat_n('\\', kept));
        }
        match char {
            '"' if is_escaped => word.get_or_insert_default().push('"'),
            '"' if is_quoted && chars.next_if_eq(&'"').is_some() => {
                word.get_or_insert_default().push('"');
            }
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' | '\t' | '\n' | '\r' if !is_quoted => words.extend(word.take()),
            char => word.get_or_insert_default().push(char),
        }
    }
    if is_quoted {
        bail!(OPEN);
    }
    word.get_or_insert_default().extend(std::iter::repeat_n('\\', backslashes));
    words.extend(word.filter(|word| !word.is_empty()));
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_its_shell_does() {
        for (command, want) in [
            (r"curl 'a b' c\ d", &["curl", "a b", "c d"][..]),
            ("curl \\\n  -H 'a: b' \\\r\n  -X PUT", &["curl", "-H", "a: b", "-X", "PUT"]),
            (r#"curl "a\"b\$c\d" '' x"#, &["curl", r#"a"b$c\d"#, "", "x"]),
            (r"curl $'it\'s \u0021 \x41\n\101\\' $a", &["curl", "it's ! A\nA\\", "$a"]),
            (r"curl --data-raw $'{\'a\':\'\xc3\xbc\'}'", &["curl", "--data-raw", "{'a':'ü'}"]),
            (
                "curl ^\"https://a.example/?a=1^&b=2^\" ^\n  -H ^\"a: ^\\^\"b^\\^\"^\" ^\r\n  -X PUT",
                &["curl", "https://a.example/?a=1&b=2", "-H", "a: \"b\"", "-X", "PUT"],
            ),
            (
                "curl ^\"https://a.example/^%^20^\" --data-raw ^\"a^\n\nb^\"",
                &["curl", "https://a.example/%20", "--data-raw", "a\nb"],
            ),
            (
                "curl \"https://a.example/?a^b\" ^\n -H \"a: \\\"b\\\"\" -H \"c: \"\"d\"\"\"",
                &["curl", "https://a.example/?a^b", "-H", "a: \"b\"", "-H", "c: \"d\""],
            ),
        ] {
            assert_eq!(split(command).unwrap(), want, "{command}");
        }
        for open in ["curl 'a", "curl \"a", r"curl $'a\'", "curl a\\", "curl ^\"a"] {
            assert_eq!(split(open).unwrap_err().to_string(), OPEN, "{open}");
        }
    }
}
