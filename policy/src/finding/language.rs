//! Language: an entry that is no origin because it is written in a different language.

/// The language of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// The origin of each request: `$http_origin` of nginx, `origin: true` of Express.
    Reflection,
    /// A source expression of a Content Security Policy, or a word of a different header about sites.
    Csp,
    /// A URL of a page that has no origin of its own.
    OpaqueUrl,
    /// A variable of a shell, of Helm or of a program.
    Template,
    /// A regex.
    Regex,
    /// A match of Istio or Envoy by a part of the origin, as in `prefix:https://app`.
    Match,
    /// The word of a program for a value that is absent.
    Placeholder,
    /// An exception, as in `!https://app.example` and `except https://app.example`.
    Exception,
}

// === impl Language ===

impl Language {
    /// The language that `value` is written in, unless that is the one of origins.
    pub(crate) fn of(value: &str) -> Option<Self> {
        let is_quote = |c: char| c.is_whitespace() || "\"`".contains(c);
        let value = value.trim_matches(is_quote).to_ascii_lowercase();
        let word = value.trim_matches('\'');
        if is_exception(&value) {
            Some(Self::Exception)
        } else if is_reflection(word) {
            Some(Self::Reflection)
        } else if is_csp(&value) {
            Some(Self::Csp)
        } else if is_opaque_url(word) {
            Some(Self::OpaqueUrl)
        } else if ["prefix:", "suffix:", "contains:"].iter().any(|it| value.starts_with(it)) {
            Some(Self::Match)
        } else if is_template(&value) {
            Some(Self::Template)
        } else if is_regex(&value) {
            Some(Self::Regex)
        } else if ["undefined", "none", "nil", "nan", "false"].contains(&word) {
            Some(Self::Placeholder)
        } else {
            None
        }
    }

    /// The fix.
    pub(crate) fn fix(self) -> &'static str {
        match self {
            Self::Reflection => {
                "name your origins, because this stands for the origin of each request, which is every origin"
            }
            Self::Csp => {
                "name the origins of other sites, because this is a word of a Content Security Policy, and pages of the same origin need no entry"
            }
            Self::OpaqueUrl => {
                "name the origin of the page that makes it, because such a page has that origin or `null`"
            }
            Self::Template => {
                "write the origin itself, because nothing replaces variables in a policy"
            }
            Self::Regex => {
                "write regexes into `allowOriginRegexes`, or a pattern such as `https://*.app.example`"
            }
            Self::Match => {
                "write whole origins, or a pattern such as `https://*.app.example`, because no match by a part is there"
            }
            Self::Placeholder => {
                "write an origin such as `https://app.example`, or remove the entry where no origin is meant"
            }
            Self::Exception => {
                "remove what the entry excludes, because a policy has no exceptions and allows only what it lists"
            }
        }
    }
}

/// Whether it is a word or a sign of other systems before what a list excludes.
pub(crate) fn is_word_of_exception(word: &str) -> bool {
    const WORDS: [&str; 8] =
        ["not", "except", "exclude", "excluding", "deny", "block", "disallow", "forbid"];
    WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether a part of a value excludes what follows it.
fn is_exception(value: &str) -> bool {
    let is_separator = |c: char| c.is_whitespace() || ",;|".contains(c);
    let parts: Vec<&str> = value.split(is_separator).filter(|part| !part.is_empty()).collect();
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric() || ".*".contains(c))
            && text.contains('.')
    };
    let is_marked = |part: &str| {
        // A hyphen alone begins the end of a host, as in `-app.example`.
        let after_hyphen =
            part.strip_prefix('-').filter(|rest| parts.len() > 1 || rest.contains("://"));
        part.strip_prefix('!').or(after_hyphen).is_some_and(is_name)
    };
    let is_worded = |part: &str| {
        let named = part.split_once(':');
        named.is_some_and(|(word, rest)| is_word_of_exception(word) && is_name(rest))
    };
    let are_worded =
        |word: &str, next: &str| is_word_of_exception(word.trim_end_matches(':')) && is_name(next);
    parts.iter().any(|part| is_marked(part) || is_worded(part))
        || parts.iter().zip(parts.iter().skip(1)).any(|(word, next)| are_worded(word, next))
}

/// Whether it is a word of other systems for every origin.
pub(crate) fn is_every_origin(value: &str) -> bool {
    const WORDS: [&str; 13] =
        ["*", "**", "*.*", "*:*", "*/*", "all", "any", "*://*", ".*", ".+", "^.*$", "^.+$", "^.*"];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(value))
}

fn is_reflection(value: &str) -> bool {
    const WORDS: [&str; 7] =
        ["true", "origin", "reflect", "reflected", "request", "request-origin", "requestorigin"];
    let is_of_request = value.contains("http_origin")
        || (value.contains("header") || value.contains("hdr(") || value.starts_with("req"))
            && value.contains("origin");
    WORDS.contains(&value) || (!value.contains("://") && is_of_request && !is_name(value))
}

/// Whether it could be the name of a host.
fn is_name(value: &str) -> bool {
    let is_name_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
    value.contains('.') && value.chars().all(is_name_char) && !value.starts_with("req")
}

fn is_csp(value: &str) -> bool {
    const KEYWORDS: [&str; 11] = [
        "'self'",
        "'none'",
        "'strict-dynamic'",
        "'report-sample'",
        "'inline-speculation-rules'",
        "self",
        "same-origin",
        "same-site",
        "cross-origin",
        "sameorigin",
        "samesite",
    ];
    let is_source = |begin: &&str| value.starts_with(*begin);
    // A scheme alone, as in `data:` and `https:`.
    let is_scheme = value.strip_suffix(':').is_some_and(|scheme| {
        let is_scheme_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+');
        !scheme.is_empty() && scheme != "localhost" && scheme.chars().all(is_scheme_char)
    });
    KEYWORDS.contains(&value)
        || ["'unsafe-", "'wasm-unsafe-", "'nonce-", "'sha"].iter().any(is_source)
        || is_scheme
}

/// Whether there is a variable or the place for a value, as in `https://{tenant}.app.example`.
fn is_template(value: &str) -> bool {
    let is_place = |open: char, close: char| {
        value.split_once(open).and_then(|(_, rest)| rest.split_once(close)).is_some_and(
            |(name, _)| {
                let is_name_char = |c: char| c.is_ascii_alphanumeric() || "_-. ".contains(c);
                name.starts_with(|c: char| c.is_ascii_alphabetic())
                    && name.chars().all(is_name_char)
            },
        )
    };
    // The `$` of a regex has no name after it.
    let is_shell_name =
        value.split('$').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
    is_shell_name
        || ["${", "{{", "$(", "%("].iter().any(|part| value.contains(part))
        || is_place('{', '}')
        || is_place('%', '%')
        || (is_place('<', '>') && !value.starts_with('<'))
}

fn is_opaque_url(value: &str) -> bool {
    let schemes = ["about:", "data:", "blob:", "filesystem:", "javascript:", "srcdoc"];
    !value.contains("://") && schemes.iter().any(|scheme| value.starts_with(scheme))
}

/// Whether it was meant as a regex: no origin has any of these.
fn is_regex(value: &str) -> bool {
    value.contains(['^', '$', '(', '|'])
        || ["\\.", "\\d", "\\w", "://.*", ".+", "[a-z", "[0-9", "[^"]
            .iter()
            .any(|part| value.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values, and the language that they are written in.
    const SPOKEN: &[(Option<Language>, &[&str])] = &[
        (
            Some(Language::Reflection),
            &[
                "$http_origin",
                "${http.request.header.Origin}",
                "{http.request.header.Origin}",
                "%{HTTP_ORIGIN}e",
                "%[req.hdr(Origin)]",
                "req.headers.origin",
                "request.headers['origin']",
                "true",
                "True",
                "origin",
                "'origin'",
            ],
        ),
        (
            Some(Language::Csp),
            &[
                "'self'",
                "self",
                "\"'self'\"",
                "'none'",
                "'unsafe-inline'",
                "'nonce-abc'",
                "data:",
                "blob:",
                "filesystem:",
                "https:",
                "chrome-extension:",
                "same-origin",
                "SAMEORIGIN",
            ],
        ),
        (
            Some(Language::OpaqueUrl),
            &["about:blank", "about:srcdoc", "data:text/html,x", "blob:null"],
        ),
        (
            Some(Language::Template),
            &[
                "${ORIGIN}",
                "${CORS_ORIGINS}",
                "{{ .Values.origin }}",
                "https://app-{env}.example.com",
                "https://<tenant>.example.com",
                "https://$HOST",
                "https://app.$DOMAIN:8443",
                "https://%HOST%",
            ],
        ),
        (Some(Language::Match), &["prefix:https://app", "suffix:.app.example"]),
        (Some(Language::Regex), &["^https://a$", r"https://a\.example", "https://(a|b).example"]),
        (Some(Language::Placeholder), &["undefined", "None", "false"]),
        (
            Some(Language::Exception),
            &[
                "!https://evil.example",
                "-https://evil.example",
                "deny:https://evil.example",
                "except https://evil.example",
                "not: evil.example",
                "https://app.example,-https://evil.example",
                "https://app.example !evil.example",
            ],
        ),
        (
            None,
            &[
                "app.example",
                "origin.example",
                "header.origin.example",
                "https://headers.origin.example/x",
                "localhost:",
                "localhost:3000",
                "app.example:",
                "blob:https://app.example/1",
                "all",
                "*",
                "null",
                "self.example",
                "<https://app.example>",
                "-app.example",
                "block:8080",
                "deny://app.example",
                "",
            ],
        ),
    ];

    #[test]
    fn an_entry_in_another_language_is_told_by_its_words() {
        for (language, values) in SPOKEN {
            for value in *values {
                assert_eq!(Language::of(value), *language, "{value}");
            }
        }
    }
}
