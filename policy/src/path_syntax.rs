//! Path syntax: a rule's path in the syntax of another system, which no request matches.
//!
//! A path is refused here only where its characters mean something elsewhere. What a URL holds as itself stays:
//! `/v1/things:batchGet`, `/$metadata`, `/a+b`, `/Products(1)`.

use std::fmt;

/// The syntax that a path is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathSyntax {
    /// `/api/*`, `/account/**`.
    Glob,
    /// `/api/.*`, `^/api`, `/api/[0-9]+`.
    Regex,
    /// `/api/:id`, as Express and others write it.
    Parameter,
    /// `/api/{id}`, as gateways of APIs write it.
    Template,
    /// `/api/<int:pk>`, as Django and Flask write it.
    Converter,
    /// `/api/%`, as `LIKE` of SQL writes it.
    Like,
    /// `/api, /v2`, several in one text.
    List,
}

// === impl PathSyntax ===

impl PathSyntax {
    /// The syntax that `path` is written in, unless it is a path.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let syntax = if is_list(path) {
            Self::List
        } else if has_braces(path) {
            Self::Template
        } else if is_regex(path) {
            Self::Regex
        } else if encloses(path, '<', '>') {
            Self::Converter
        } else if path.split('/').any(|segment| encloses(segment, '[', ']')) {
            Self::Template
        } else if path.split('/').any(is_parameter) {
            Self::Parameter
        } else if path.contains('*') || has_mark(path) {
            Self::Glob
        } else if path.ends_with('%') || path.split('/').any(|segment| segment == "%") {
            Self::Like
        } else {
            return None;
        };
        Some(syntax)
    }
}

impl fmt::Display for PathSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Glob => "a glob",
            Self::Regex => "a regex",
            Self::Parameter => "a path with a parameter of Express",
            Self::Template => "a path template",
            Self::Converter => "a path with a converter of Django",
            Self::Like => "a pattern of SQL's `LIKE`",
            Self::List => "a list in one text",
        })
    }
}

/// Returns the segments of `path` before the first one that is not literal. The root is empty.
#[must_use]
pub fn literal_prefix(path: &str) -> String {
    /// A segment that stands for all after it.
    const ENDS: [&str; 9] = ["(/.*)?", "(.*)", ".*", ".+", "/*", "*", "%", "?", "$"];
    if is_list(path) {
        return String::new();
    }
    // A location of nginx begins with `~`, or with `~*`.
    let path = path.strip_prefix("~*").unwrap_or(path);
    let mut path = path.trim_start_matches(['^', '~', ' ']);
    while let Some(rest) = ENDS.iter().find_map(|end| path.strip_suffix(end)) {
        path = rest;
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let literal = segments.take_while(|segment| {
        let says_more = segment.contains(['*', '?', '#', '(', ')', '|', '\\', '[', '{', '<', '$']);
        !says_more && PathSyntax::of(segment).is_none()
    });
    literal.fold(String::new(), |prefix, segment| prefix + "/" + segment)
}

/// `path`, in normal form, with the characters escaped that would be taken for another syntax.
#[must_use]
pub fn spell(path: &str) -> String {
    let spelled =
        path.replace('*', "%2A").replace("/:", "/%3A").replace(".+", ".%2B").replace(")+", ")%2B");
    match spelled.strip_suffix('$') {
        Some(rest) => format!("{rest}%24"),
        None => spelled,
    }
}

/// `path` with those characters as themselves: requests are compared so.
#[must_use]
pub(crate) fn unspell(path: &str) -> String {
    const SPELLED: [(&str, &str, &str); 4] =
        [("%2A", "%2a", "*"), ("%3A", "%3a", ":"), ("%2B", "%2b", "+"), ("%24", "%24", "$")];
    SPELLED.iter().fold(path.to_owned(), |path, (upper, lower, plain)| {
        path.replace(upper, plain).replace(lower, plain)
    })
}

/// Are there several paths, each with its slash?
fn is_list(path: &str) -> bool {
    let pieces = path.split([',', ';', ' ']).filter(|piece| !piece.is_empty());
    pieces.clone().count() > 1 && pieces.into_iter().all(|piece| piece.starts_with('/'))
}

/// Characters that only a regex has: no path of a URL has most of them, and the others have no such neighbours.
fn is_regex(path: &str) -> bool {
    const PARTS: [&str; 9] = [".*", ".+", "(?", ")*", ")+", ")?", "]+", "]*", "]{"];
    let is_class = |rest: &str| rest.starts_with(|c: char| "dDwWsS./-{}()[]^$*+?".contains(c));
    let has_escape = path.split('\\').skip(1).any(is_class);
    let has_range = path.split('[').skip(1).any(|rest| {
        let class = rest.split(']').next().unwrap_or_default();
        rest.contains(']') && (class.starts_with('^') || class.contains('-') || is_digits(class))
    });
    path.trim_start_matches(['~', '*', ' ']).starts_with('^')
        || path.contains('|')
        || has_escape
        || has_range
        || PARTS.iter().any(|part| path.contains(part))
        || path.len() > 1 && path.ends_with('$')
        || path.len() > 1 && path.ends_with('?')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether a text stands between an `open` and a `close`.
fn encloses(text: &str, open: char, close: char) -> bool {
    text.split_once(open).is_some_and(|(_, rest)| rest.find(close).is_some_and(|at| at > 0))
}

/// Returns whether a name stands between braces; digits between braces belong to a regex.
fn has_braces(path: &str) -> bool {
    let is_name = |rest: &str| rest.starts_with(|c: char| !c.is_ascii_digit() && c != ',');
    path.split('{').skip(1).any(|rest| is_name(rest) && rest.find('}').is_some_and(|at| at > 0))
}

/// Returns whether the segment begins with a colon and a name. A colon elsewhere is literal, as in `things:batchGet`.
fn is_parameter(segment: &str) -> bool {
    let name = segment.strip_prefix(':').unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Returns whether a question mark stands at a place where no query begins.
fn has_mark(path: &str) -> bool {
    path.split('?').skip(1).any(|rest| rest.starts_with(['.', '/', '?']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use PathSyntax::{Converter, Glob, Like, List, Parameter, Regex, Template};

    #[test]
    fn another_syntax_is_told_by_its_marks() {
        for (path, syntax, prefix) in [
            ("/api/*", Glob, "/api"),
            ("/*", Glob, ""),
            ("*", Glob, ""),
            ("api/*", Glob, "/api"),
            ("/account/**", Glob, "/account"),
            ("/files/*.json", Glob, "/files"),
            ("/api*", Glob, "/api"),
            ("/a/b*/c", Glob, "/a"),
            ("/a/file?.txt", Glob, "/a"),
            ("/api/:id", Parameter, "/api"),
            ("/api/:id/posts", Parameter, "/api"),
            ("/api/:from-:to", Parameter, "/api"),
            ("/:tenant", Parameter, ""),
            ("/api/{id}", Template, "/api"),
            ("/{proxy+}", Template, ""),
            ("/api/{id:[0-9]+}/x", Template, "/api"),
            ("/api/${ID}", Template, "/api"),
            ("/blog/[slug]", Template, "/blog"),
            ("/blog/[...slug]", Template, "/blog"),
            ("/api/<int:pk>", Converter, "/api"),
            ("/api/<id>/", Converter, "/api"),
            ("/api/.*", Regex, "/api"),
            ("/api/.+", Regex, "/api"),
            ("/api.*", Regex, "/api"),
            ("^/api/.*$", Regex, "/api"),
            ("^/api", Regex, "/api"),
            ("^api/(?P<pk>[0-9]+)/$", Regex, "/api"),
            ("~ ^/api/", Regex, "/api"),
            ("~* ^/api/", Regex, "/api"),
            ("/api/[0-9]+", Regex, "/api"),
            ("/v[12]/x", Regex, ""),
            ("/api/[^/]+/x", Regex, "/api"),
            (r"/api/\d+", Regex, "/api"),
            (r"/v1\.0/x", Regex, ""),
            ("/(api|auth)/x", Regex, ""),
            ("/api/(.*)", Regex, "/api"),
            ("/api/?", Regex, "/api"),
            ("/api(/.*)?", Regex, "/api"),
            ("/api$", Regex, "/api"),
            ("/api/:id?", Regex, "/api"),
            ("/api/%", Like, "/api"),
            ("/api%", Like, "/api"),
            ("/api, /v2", List, ""),
            ("/api,/v2", List, ""),
            ("/api /v2/*", List, ""),
        ] {
            assert_eq!(PathSyntax::of(path), Some(syntax), "{path}");
            assert_eq!(literal_prefix(path), prefix, "{path}");
        }
    }

    #[test]
    fn a_path_stays_a_path() {
        for path in [
            "/",
            "",
            "/api",
            "/api/",
            "/api/v1.0/x",
            "/a+b",
            "/c++",
            "/a..b",
            "/~user",
            "/a:b",
            "/v1/things:batchGet",
            "/v1/things:",
            "/10:30",
            "/:80",
            "/$metadata",
            "/$batch",
            "/a/$count/x",
            "/Products(1)/Name",
            "/a(b)",
            "/@scope/pkg",
            "/a,b;c=d",
            "/a=b&c",
            "/it's!",
            "/a-b_c",
            "/%7Bid%7D",
            "/a/%2A",
            "/%3Aid",
            "/caf%C3%A9",
            "/a%zz",
            "/a?b=c",
            "/a?b",
            "/a#b",
            "/.well-known/x",
            "/...",
            "/a{",
            "/a}b{",
            "/a]",
            "/a>",
            "/a\\b",
            "/100%25",
        ] {
            assert_eq!(PathSyntax::of(path), None, "{path}");
        }
    }

    #[test]
    fn what_is_spelt_is_the_path_itself() {
        for (path, spelled) in [
            ("/a/*", "/a/%2A"),
            ("/:id", "/%3Aid"),
            ("/a.+b", "/a.%2Bb"),
            ("/a(b)+", "/a(b)%2B"),
            ("/a$", "/a%24"),
            ("/a:b", "/a:b"),
        ] {
            assert_eq!(spell(path), spelled);
            assert_eq!(PathSyntax::of(spelled), None, "{spelled}");
            assert_eq!(unspell(spelled), path);
            assert_eq!(unspell(&spelled.to_ascii_lowercase()), path.to_ascii_lowercase());
        }
    }
}
