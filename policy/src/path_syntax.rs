//! Path syntax: a rule's path in the syntax of a different system, which no request matches.
//!
//! A path is refused here only if its characters have a meaning elsewhere. Literal characters of a URL stay:
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
    /// `!/admin`, all but that.
    Negation,
}

// === impl PathSyntax ===

impl PathSyntax {
    /// The syntax that `path` is written in, unless it is a path.
    pub fn of(path: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte);
        if path.bytes().all(is_plain) {
            return None;
        }
        let syntax = if path.starts_with('!') {
            Self::Negation
        } else if is_list(path) {
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
        } else if path.contains('*') || has_mark(path) || ends_in_wildcard(path) {
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
            Self::Parameter => "a path with a parameter",
            Self::Template => "a path template",
            Self::Converter => "a path with a converter of Django",
            Self::Like => "a pattern of SQL's `LIKE`",
            Self::List => "a list in one text",
            Self::Negation => "a negation",
        })
    }
}

/// Returns the prefix that `path`, in a foreign syntax, stands for. There is none where literal text follows the first part that is
/// not literal, because the prefix before it would cover more, and where a wildcard is a part of a segment, because prefixes are
/// compared by whole segments.
pub fn meant_prefix(path: &str) -> Option<String> {
    if is_list(path) || path.starts_with('!') || has_open_end(path) {
        return None;
    }
    let segments: Vec<&str> =
        without_ends(path).split('/').filter(|segment| !segment.is_empty()).collect();
    let is_literal = |segment: &&&str| {
        let says_more = segment.contains(['*', '?', '#', '(', ')', '|', '\\', '[', '{', '<', '$']);
        !says_more && PathSyntax::of(segment).is_none()
    };
    let literal = segments.iter().take_while(is_literal).count();
    let (prefix, rest) = segments.split_at_checked(literal)?;
    if has_literal(&rest.join("/")) {
        return None;
    }
    match prefix {
        // `/` in place of `/{tenant}/{id}` would be a rule for every path.
        [] if path.split('/').filter(|segment| !segment.is_empty()).count() > 1 => None,
        [] => Some("/".to_owned()),
        _ => Some(format!("/{}", prefix.join("/"))),
    }
}

/// Returns the paths of a list, or those of a regex that names each of them: none where `path` is neither.
pub fn alternatives(path: &str) -> Vec<String> {
    if is_list(path) {
        return pieces(path).map(str::to_owned).collect();
    }
    let path = without_ends(path);
    let (head, names, tail) = match path.split_once('(') {
        Some((head, rest)) => match rest.split_once(')') {
            Some((names, tail)) => (head, names.strip_prefix("?:").unwrap_or(names), tail),
            None => return Vec::new(),
        },
        // Of `/users|items` each is below the root.
        None => ("/", path, ""),
    };
    let names =
        names.split('|').map(|name| if head == "/" { name.trim_start_matches('/') } else { name });
    if names.clone().count() < 2 {
        return Vec::new();
    }
    names.map(|name| format!("{head}{name}{tail}")).collect()
}

/// Returns whether `path` ends in a wildcard that goes on with its last segment, as in `/img-*`.
fn has_open_end(path: &str) -> bool {
    let bare = without_ends(path);
    let end = without_start(path).strip_prefix(bare).unwrap_or_default();
    let is_closed = bare.is_empty() || bare.ends_with('/') || end.starts_with(['/', '$']);
    !is_closed && !end.starts_with("(/") && end.contains(['*', '+', '%'])
}

/// Returns `path` without the anchors of a regex at its start.
fn without_start(path: &str) -> &str {
    // A location of nginx begins with `~`, or with `~*`.
    path.strip_prefix("~*").unwrap_or(path).trim_start_matches(['^', '~', ' '])
}

/// Returns `path` without the anchors of a regex, and without what stands for all below it.
fn without_ends(path: &str) -> &str {
    const ENDS: [&str; 13] =
        ["/+", "/...", "/?", "(/|$)", "(/.*)?", "(.*)", ".*", ".+", "/*", "*", "%", "?", "$"];
    let mut path = without_start(path);
    while let Some(rest) = ENDS.iter().find_map(|end| path.strip_suffix(end)) {
        path = rest;
    }
    path
}

/// Returns whether text stands beside the wildcards, classes, parameters and groups of `pattern`.
fn has_literal(pattern: &str) -> bool {
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = match c {
            '[' => after.trim_start_matches(['^', ']']).split_once(']').map_or("", |(_, it)| it),
            '<' => after.split_once('>').map_or("", |(_, it)| it),
            '{' => after_braces(after),
            // The name of a parameter, and that of a variable.
            ':' | '$' => after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'),
            // The kind of a group: `(?:`, `(?P<name>`.
            '?' => after.strip_prefix(['P', ':']).unwrap_or(after),
            '\\' => match after.strip_prefix(['d', 'D', 'w', 'W', 's', 'S', '/']) {
                Some(class) => class,
                None => return true,
            },
            c if c.is_alphanumeric() || c == '_' => return true,
            _ => after,
        };
    }
    false
}

/// Returns what follows the brace that closes.
fn after_braces(text: &str) -> &str {
    let mut depth = 1_u32;
    let close = text.find(|c| {
        match c {
            '{' => depth = depth.saturating_add(1),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    });
    close.and_then(|at| text.get(at.saturating_add(1)..)).unwrap_or_default()
}

/// `path`, in normal form, with the characters escaped that belong to a foreign syntax.
pub fn spell(path: &str) -> String {
    let spelled =
        path.replace('*', "%2A").replace("/:", "/%3A").replace(".+", ".%2B").replace(")+", ")%2B");
    match spelled.strip_suffix('$') {
        Some(rest) => format!("{rest}%24"),
        None => spelled,
    }
}

/// `path` with those characters as themselves: requests are compared so.
pub(crate) fn unspell(path: &str) -> String {
    const SPELLED: [(&str, &str, &str); 4] =
        [("%2A", "%2a", "*"), ("%3A", "%3a", ":"), ("%2B", "%2b", "+"), ("%24", "%24", "$")];
    SPELLED.iter().fold(path.to_owned(), |path, (upper, lower, plain)| {
        path.replace(upper, plain).replace(lower, plain)
    })
}

/// Are there several paths, each with its slash?
fn is_list(path: &str) -> bool {
    pieces(path).count() > 1 && pieces(path).all(|piece| piece.starts_with('/'))
}

fn pieces(path: &str) -> impl Iterator<Item = &str> {
    path.split([',', ';', ' ']).filter(|piece| !piece.is_empty())
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

/// Returns whether the last segment stands for all below it, as in MQTT, Go and Bazel.
fn ends_in_wildcard(path: &str) -> bool {
    let above = path.strip_suffix("/+").or_else(|| path.strip_suffix("/..."));
    above.is_some_and(|above| !above.is_empty())
}

/// Returns whether the segment begins with a colon and a name. A colon elsewhere is literal, as in `things:batchGet`.
fn is_parameter(segment: &str) -> bool {
    if let Some(name) = segment.strip_prefix('$') {
        // OData and FHIR have operations such as `$metadata` and `$validate`.
        return ["id", "uuid"].contains(&name) || name.ends_with("Id") || name.ends_with("_id");
    }
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
    use PathSyntax::{Converter, Glob, Like, List, Negation, Parameter, Regex, Template};

    #[test]
    fn another_syntax_is_told_by_its_marks() {
        for (path, syntax, prefix) in [
            ("/api/*", Glob, Some("/api")),
            ("/*", Glob, Some("/")),
            ("*", Glob, Some("/")),
            ("api/*", Glob, Some("/api")),
            ("/account/**", Glob, Some("/account")),
            ("/files/*.json", Glob, None),
            ("/api*", Glob, None),
            ("/img-*", Glob, None),
            ("/api/**", Glob, Some("/api")),
            ("/a/b*/c", Glob, None),
            ("/a/file?.txt", Glob, None),
            ("/api/:id", Parameter, Some("/api")),
            ("/api/:id/posts", Parameter, None),
            ("/api/:from-:to", Parameter, Some("/api")),
            ("/:tenant", Parameter, Some("/")),
            ("/api/{id}", Template, Some("/api")),
            ("/{proxy+}", Template, Some("/")),
            ("/api/{id:[0-9]+}/x", Template, None),
            ("/api/${ID}", Template, Some("/api")),
            ("/blog/[slug]", Template, Some("/blog")),
            ("/blog/[...slug]", Template, Some("/blog")),
            ("/api/<int:pk>", Converter, Some("/api")),
            ("/api/<id>/", Converter, Some("/api")),
            ("/api/.*", Regex, Some("/api")),
            ("/api/.+", Regex, Some("/api")),
            ("/api.*", Regex, None),
            ("/public-.*", Regex, None),
            ("/api(/|$)(.*)", Regex, Some("/api")),
            ("!/admin", Negation, None),
            ("!/admin/*", Negation, None),
            ("^/api/.*$", Regex, Some("/api")),
            ("^/api", Regex, Some("/api")),
            ("^api/(?P<pk>[0-9]+)/$", Regex, Some("/api")),
            ("~ ^/api/", Regex, Some("/api")),
            ("~* ^/api/", Regex, Some("/api")),
            ("/api/[0-9]+", Regex, Some("/api")),
            ("/v[12]/x", Regex, None),
            ("/api/[^/]+/x", Regex, None),
            (r"/api/\d+", Regex, Some("/api")),
            (r"/v1\.0/x", Regex, None),
            ("/(api|auth)/x", Regex, None),
            ("/api/(.*)", Regex, Some("/api")),
            ("/api/?", Regex, Some("/api")),
            ("/api(/.*)?", Regex, Some("/api")),
            ("/api$", Regex, Some("/api")),
            ("/api/:id?", Regex, Some("/api")),
            ("/api/%", Like, Some("/api")),
            ("/api%", Like, None),
            ("/api, /v2", List, None),
            ("/api,/v2", List, None),
            ("/api /v2/*", List, None),
            ("/api/$id", Parameter, Some("/api")),
            ("/api/$userId/x", Parameter, None),
            ("/api/$user_id", Parameter, Some("/api")),
            ("/api/...", Glob, Some("/api")),
            ("/api/+", Glob, Some("/api")),
            ("/users|items", Regex, None),
            ("/file.(png|jpg)", Regex, None),
            (r"~* \.(png|jpg)$", Regex, None),
            ("/*.json", Glob, None),
            ("/api/x*y", Glob, None),
            ("/api/*/public", Glob, None),
            ("/api/v*", Glob, None),
            ("/api/v[0-9]+", Regex, None),
            ("/api/v{version}", Template, None),
            ("/api/{a}/{b:[0-9]{2}}", Template, Some("/api")),
            ("/:tenant/:id", Parameter, None),
        ] {
            assert_eq!(PathSyntax::of(path), Some(syntax), "{path}");
            assert_eq!(meant_prefix(path).as_deref(), prefix, "{path}");
        }
    }

    #[test]
    fn the_paths_of_an_alternation_are_named() {
        for (path, want) in [
            ("/users|items", &["/users", "/items"][..]),
            ("/(users|items)", &["/users", "/items"]),
            ("^/(users|/items)/?$", &["/users", "/items"]),
            ("/users|/items", &["/users", "/items"]),
            ("/api/(?:a|b|c)/x", &["/api/a/x", "/api/b/x", "/api/c/x"]),
            ("/file.(png|jpg)", &["/file.png", "/file.jpg"]),
            ("/api, /v2", &["/api", "/v2"]),
            ("/api/(a)", &[]),
            ("/api/(a", &[]),
            ("/api/*", &[]),
        ] {
            assert_eq!(alternatives(path), want, "{path}");
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
            "/Patient/1/$validate",
            "/+",
            "/a/+b",
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
