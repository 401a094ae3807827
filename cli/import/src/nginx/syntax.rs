//! Syntax: the directives of nginx's configuration.

use crate::settings::Failure;

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 32;

/// A directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    /// Its name.
    pub(super) name: String,
    /// Its arguments, without quotes.
    pub(super) arguments: Vec<String>,
    /// The directives of its block, where it has one.
    pub(super) block: Option<Vec<Directive>>,
    /// Its place, such as `nginx.conf:12`.
    pub(super) place: String,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Semicolon,
    Open,
    Close,
}

/// Reads the directives of a file.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Directive>, Failure> {
    let tokens = tokens(file, text)?;
    let mut rest = tokens.iter();
    let (directives, closed) = block(file, &mut rest, 0)?;
    match closed {
        None => Ok(directives),
        Some(line) => Err(Failure::unreadable(format!("{file}:{line}"), "a `}` closes nothing")),
    }
}

type Tokens<'t> = std::slice::Iter<'t, (Token, usize)>;

/// The directives up to the end or to a `}`, whose line is returned.
fn block(
    file: &str,
    tokens: &mut Tokens<'_>,
    depth: usize,
) -> Result<(Vec<Directive>, Option<usize>), Failure> {
    let mut directives = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut start = 0;
    while let Some((token, line)) = tokens.next() {
        let place = format!("{file}:{}", if words.is_empty() { *line } else { start });
        match token {
            Token::Word(word) => {
                if words.is_empty() {
                    start = *line;
                }
                words.push(word.clone());
            }
            Token::Close if words.is_empty() => return Ok((directives, Some(*line))),
            Token::Close => {
                return Err(Failure::unreadable(place, "a directive has no `;` at its end"));
            }
            Token::Semicolon | Token::Open => {
                let mut arguments = std::mem::take(&mut words).into_iter();
                let Some(name) = arguments.next() else {
                    return Err(Failure::unreadable(place, "a directive has no name"));
                };
                let inner = match token {
                    Token::Open if depth >= MAX_DEPTH => {
                        return Err(Failure::unreadable(place, "blocks are nested too deep"));
                    }
                    Token::Open => {
                        let (inner, closed) = block(file, tokens, depth.saturating_add(1))?;
                        if closed.is_none() {
                            return Err(Failure::unreadable(place, "a block has no `}`"));
                        }
                        Some(inner)
                    }
                    _ => None,
                };
                directives.push(Directive {
                    name,
                    arguments: arguments.collect(),
                    block: inner,
                    place,
                });
            }
        }
    }
    if words.is_empty() {
        Ok((directives, None))
    } else {
        let text = "a directive has no `;` at its end";
        Err(Failure::unreadable(format!("{file}:{start}"), text))
    }
}

fn tokens(file: &str, text: &str) -> Result<Vec<(Token, usize)>, Failure> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    let mut line = 1_usize;
    while let Some(c) = chars.next() {
        match c {
            '\n' => line = line.saturating_add(1),
            c if c.is_whitespace() => {}
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            ';' => tokens.push((Token::Semicolon, line)),
            '{' => tokens.push((Token::Open, line)),
            '}' => tokens.push((Token::Close, line)),
            '"' | '\'' => {
                let start = line;
                let word = quoted(c, &mut chars, &mut line).ok_or_else(|| {
                    let text = format!("a text has no {c} at its end");
                    Failure::unreadable(format!("{file}:{start}"), text)
                })?;
                tokens.push((Token::Word(word), start));
            }
            first => tokens.push((Token::Word(bare(first, &mut chars)), line)),
        }
    }
    Ok(tokens)
}

type Characters<'t> = std::iter::Peekable<std::str::Chars<'t>>;

/// The text up to the closing quote.
fn quoted(quote: char, chars: &mut Characters<'_>, line: &mut usize) -> Option<String> {
    let mut word = String::new();
    loop {
        match chars.next()? {
            end if end == quote => return Some(word),
            '\\' => match chars.next()? {
                escaped if escaped == quote || escaped == '\\' => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            other => {
                *line = line.saturating_add(usize::from(other == '\n'));
                word.push(other);
            }
        }
    }
}

/// A word without quotes; `${name}` is a part of it.
fn bare(first: char, chars: &mut Characters<'_>) -> String {
    let mut word = String::from(first);
    let mut in_variable = false;
    while let Some(next) = chars.peek().copied() {
        let opens = next == '{' && word.ends_with('$');
        let closes = next == '}' && in_variable;
        if (next.is_whitespace() || matches!(next, ';' | '{' | '}')) && !opens && !closes {
            break;
        }
        in_variable = opens || (in_variable && !closes);
        word.push(next);
        chars.next();
        // A backslash keeps the next character, a brace of a regex as well.
        if next == '\\'
            && let Some(escaped) = chars.next()
        {
            word.push(escaped);
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_have_words_quotes_blocks_and_places() {
        let text = "map $http_origin $cors {\n  default \"\";\n  '~^https://a\\.example$' $http_origin; # all\n}\nset $x \"${y}z\"; set $z ${y}q;";
        let read = read("n.conf", text).unwrap();
        let written: Vec<String> = read
            .iter()
            .chain(read[0].block.iter().flatten())
            .map(|d| format!("{} {} {}", d.place, d.name, d.arguments.join("|")))
            .collect();
        assert_eq!(
            written,
            [
                "n.conf:1 map $http_origin|$cors",
                "n.conf:5 set $x|${y}z",
                "n.conf:5 set $z|${y}q",
                "n.conf:2 default ",
                "n.conf:3 ~^https://a\\.example$ $http_origin",
            ]
        );
    }

    #[test]
    fn a_fault_has_its_line() {
        for (text, want) in [
            ("a {\n b;", "n:1: a block has no `}`"),
            ("}\n", "n:1: a `}` closes nothing"),
            ("a;\nb", "n:2: a directive has no `;` at its end"),
            ("a 'b", "n:1: a text has no ' at its end"),
        ] {
            assert_eq!(read("n", text).unwrap_err().to_string(), want);
        }
    }
}
