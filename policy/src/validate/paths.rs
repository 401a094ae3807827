//! Paths: why a rule cannot have its path, and the path that was probably meant.

use std::collections::HashMap;

use super::report::Field;
use crate::draft::{PathType, RuleDraft};
use crate::finding::{MeantPath, RuleReason};
use crate::path::PathInterpretations;
use crate::path_syntax::{self, PathSyntax};
use crate::scope::{HostPattern, InvalidPath, PathMatch, split_authority};

/// The paths of a policy's rules that stand as they are written, each with its first rule.
pub(super) struct Taken<'f> {
    rules: &'f Field,
    hosts: &'f [HostPattern],
    first: HashMap<PathMatch, usize>,
}

// === impl Taken ===

impl<'f> Taken<'f> {
    pub(super) fn of(list: &[RuleDraft], rules: &'f Field, hosts: &'f [HostPattern]) -> Self {
        let mut first = HashMap::new();
        for (at, draft) in list.iter().enumerate() {
            if PathSyntax::of(&draft.path_value).is_none()
                && let Ok(path) = PathMatch::parse(draft.path_type, &draft.path_value)
            {
                first.entry(path).or_insert(at);
            }
        }
        Self { rules, hosts, first }
    }

    /// The refusal of the path of `draft`.
    pub(super) fn refusal(&self, draft: &RuleDraft) -> Option<RuleReason> {
        let value = draft.path_value.clone();
        let text = bare(&value);
        if let Some(syntax) = PathSyntax::of(&value).or_else(|| PathSyntax::of(text)) {
            let exact = draft.path_type == PathType::Exact;
            let prefix = path_syntax::meant_prefix(text)
                .and_then(|prefix| self.meant(PathType::PathPrefix, &prefix));
            let each = self.each(draft.path_type, text);
            let literal = (syntax == PathSyntax::Glob)
                .then(|| self.meant(draft.path_type, &path_syntax::spell(text)))
                .flatten()
                .filter(|literal| literal.taken_by.is_none())
                .map(|literal| literal.path);
            return Some(RuleReason::OtherSyntax { value, syntax, exact, prefix, each, literal });
        }
        let why = PathMatch::parse(draft.path_type, &value).err()?;
        let instead = match PathMatch::parse(draft.path_type, text) {
            Ok(_) => Some(text.to_owned()),
            Err(InvalidPath::NotAbsolute) => Some(self.absolute(text)),
            Err(InvalidPath::Query) => text.split(['?', '#']).next().map(str::to_owned),
            Err(InvalidPath::TooLong) => None,
            Err(InvalidPath::Ambiguous) => folded(text),
            Err(InvalidPath::NotNormal(normal)) => Some(normal),
        };
        let instead = instead.and_then(|path| self.meant(draft.path_type, &path));
        Some(RuleReason::InvalidPath { value, why, instead })
    }

    /// The path of a URL, or what is below the root.
    fn absolute(&self, value: &str) -> String {
        if let Some((_, rest)) = value.split_once("://") {
            return rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/").to_owned();
        }
        let path = matched(value).or_else(|| self.below_own_host(value));
        path.map_or_else(|| format!("/{value}"), str::to_owned)
    }

    /// The text after a host of the policy.
    fn below_own_host<'v>(&self, value: &'v str) -> Option<&'v str> {
        let (authority, path) = value.split_at_checked(value.find('/').unwrap_or(value.len()))?;
        let (host, _) = split_authority(authority.as_bytes());
        let host = str::from_utf8(host).ok()?.to_ascii_lowercase();
        let is_own = self.hosts.iter().any(|own| match own {
            HostPattern::Any => false,
            HostPattern::Exact(own) => *own == host,
            HostPattern::Subdomains(rest) => {
                host.strip_suffix(rest.as_str()).is_some_and(|labels| labels.ends_with('.'))
            }
        });
        is_own.then_some(if path.is_empty() { "/" } else { path })
    }

    /// The paths that `value` names, where there can be a new rule for each.
    fn each(&self, path_type: PathType, value: &str) -> Vec<String> {
        let alternatives = path_syntax::alternatives(value);
        let paths = alternatives.iter().map(|path| {
            let path = match PathSyntax::of(path) {
                Some(_) => path_syntax::meant_prefix(path)?,
                None => path.clone(),
            };
            self.meant(path_type, &path).filter(|it| it.taken_by.is_none()).map(|it| it.path)
        });
        paths.collect::<Option<_>>().unwrap_or_default()
    }

    /// `text` in its normal form, where a rule can have that.
    fn meant(&self, path_type: PathType, text: &str) -> Option<Box<MeantPath>> {
        let path = match PathMatch::parse(path_type, text) {
            Err(InvalidPath::NotNormal(normal)) => normal,
            Err(_) => return None,
            Ok(_) => text.to_owned(),
        };
        let parsed = PathMatch::parse(path_type, &path).ok()?;
        let first = self.first.get(&parsed).map(|at| self.rules.at(*at).to_string());
        PathSyntax::of(&path).is_none().then(|| Box::new(MeantPath { path, taken_by: first }))
    }
}

/// `value` without what stands around a path: a method, the call of a program, white space, quotes and brackets.
fn bare(value: &str) -> &str {
    // The route of API Gateway for all that has no route.
    if value == "$default" {
        return "/";
    }
    let value = after_method(value).or_else(|| argument(value)).unwrap_or(value);
    let is_around = |c: char| c.is_whitespace() || "\"'`".contains(c);
    let text = value.trim_matches(is_around);
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside
        .map(|inside| inside.trim_matches(is_around))
        .filter(|it| it.starts_with('/'))
        .unwrap_or(text)
}

/// The path after a method, as in `GET /api`.
fn after_method(value: &str) -> Option<&str> {
    let (method, path) = value.split_once(' ')?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    Some(path.trim_start()).filter(|path| is_method && path.starts_with('/'))
}

/// The quoted text in ``PathPrefix(`/api`)``, `path('api/', view)` and `r'^api/'`.
fn argument(value: &str) -> Option<&str> {
    let (name, rest) = value.split_at_checked(value.find(['"', '\'', '`'])?)?;
    let is_call = name.strip_suffix('r').unwrap_or(name).strip_suffix('(').is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    let quote = rest.chars().next()?;
    let (text, after) = rest.strip_prefix(quote)?.split_once(quote)?;
    let is_whole = after.trim() == ")" || after.starts_with(',') && after.ends_with(')');
    // A slash at the end says nothing more: all below is covered.
    let text = text.strip_suffix('/').filter(|text| !text.is_empty()).unwrap_or(text);
    (is_call && is_whole || name == "r" && after.is_empty()).then_some(text)
}

/// The path of a location of nginx, `= /api`, or of a match of a different system, `prefix:/api`.
fn matched(value: &str) -> Option<&str> {
    let (kind, path) = value.split_at_checked(value.find('/')?)?;
    let is_kind = kind.trim_end().ends_with(['=', ':']);
    is_kind.then_some(path)
}

/// Returns the most lenient interpretation, which is the same to every back end.
fn folded(value: &str) -> Option<String> {
    let folded = PathInterpretations::of(value.as_bytes()).folded?.path;
    String::from_utf8(folded).ok().map(|path| path_syntax::spell(&path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::Mode;

    fn rule(path_value: &str) -> RuleDraft {
        RuleDraft {
            path_type: PathType::PathPrefix,
            path_value: path_value.to_owned(),
            mode: Mode::Off,
            cors: None,
            disallowed_requests: None,
            trusted_origins: None,
            upstream_origin: None,
        }
    }

    #[test]
    fn a_path_is_proposed_where_a_rule_can_have_it() {
        let field = Field::root("spec.rules");
        let hosts = [
            HostPattern::Exact("api.shop.example".into()),
            HostPattern::Subdomains("app.example".into()),
        ];
        for (why, value, want) in [
            ("the root", "/*", Some("/")),
            ("a prefix", "/api/*", Some("/api")),
            ("white space before", " /api", Some("/api")),
            ("white space after", "/api ", Some("/api")),
            ("quotes", "\"/api\"", Some("/api")),
            ("quotes around a glob", "'/api/*'", Some("/api")),
            ("a list of one", "[/api]", Some("/api")),
            ("a list of one in quotes", "[\"/my-api\"]", Some("/my-api")),
            ("the policy's own host", "api.shop.example/api", Some("/api")),
            ("the policy's own host with a port", "API.shop.example:8080/api", Some("/api")),
            ("the policy's own host alone", "a.app.example", Some("/")),
            ("a folder with a dot", "a.example/api", Some("/a.example/api")),
            ("the prefix is more than was meant", "/api/*/public", None),
            ("the prefix is more than was meant", "/api/:id/public", None),
            ("the prefix is more than was meant", "/api/x*y", None),
            ("every path is more than was meant", "/*.json", None),
            ("every path is more than was meant", "/users|items", None),
            ("every path is more than was meant", "/*/public", None),
            ("every path is more than was meant", "/{tenant}/public", None),
            ("every path is more than was meant", "/(a|b)/c", None),
            ("beyond ASCII", "/caf\u{e9}/*", Some("/caf%C3%A9")),
            ("beyond ASCII, in a URL", "https://a.example/caf\u{e9}", Some("/caf%C3%A9")),
            ("beyond ASCII, with a query", "/caf\u{e9}?a=b", Some("/caf%C3%A9")),
            ("a space", "/a b/*", Some("/a%20b")),
            ("dots", "/a/../b/*", Some("/b")),
            ("a location of nginx", "= /api", Some("/api")),
            ("a method", "GET /api", Some("/api")),
            ("a method and a glob", "GET /api/*", Some("/api")),
            ("a default route", "$default", Some("/")),
            ("a rule of Traefik", "PathPrefix(`/api`)", Some("/api")),
            ("two rules of Traefik", "PathPrefix(`/a`) || PathPrefix(`/b`)", None),
            ("a raw string", "r'^api/'", Some("/api")),
            ("a route of Django", "path('api/')", Some("/api")),
            ("a route of Django with a view", "path('api/', view)", Some("/api")),
            ("a negation", "!/admin", None),
            ("a part of a segment", "/img-*", None),
            ("a match of Istio", "prefix:/api", Some("/api")),
            ("a colon further on", "api/a:/b", Some("/api/a:/b")),
            ("an escape in lower case", "/caf%c3%a9/{id}", Some("/caf%C3%A9")),
            ("a parameter that back ends drop", "/a;v=1/*", None),
            ("two slashes before the root's star", "//*", Some("/")),
            ("an escaped slash", "/a%2Fb/*", None),
            ("too long", &format!("/{}/*", "a".repeat(2_000)), None),
        ] {
            let refusal = Taken::of(&[], &field, &hosts).refusal(&rule(value)).expect(value);
            let meant = match refusal {
                RuleReason::OtherSyntax { prefix, .. } => prefix,
                RuleReason::InvalidPath { instead, .. } => instead,
                other => panic!("{value}: {other:?}"),
            };
            assert_eq!(meant.map(|meant| meant.path).as_deref(), want, "{why}: {value}");
        }
    }

    #[test]
    fn the_paths_of_an_alternation_are_proposed_where_each_can_have_a_rule() {
        let field = Field::root("spec.rules");
        let list = [rule("/taken")];
        let taken = Taken::of(&list, &field, &[]);
        for (value, want) in [
            ("/users|items", &["/users", "/items"][..]),
            ("/api /v2/*", &["/api", "/v2"]),
            ("/users|taken", &[]),
            ("/users|a*b", &[]),
            ("/api/*", &[]),
        ] {
            let refusal = taken.refusal(&rule(value)).expect(value);
            let RuleReason::OtherSyntax { each, .. } = refusal else {
                panic!("{value}: {refusal:?}");
            };
            assert_eq!(each, want, "{value}");
        }
    }

    #[test]
    fn a_path_of_another_rule_is_named_with_it() {
        let field = Field::root("spec.rules");
        let list = [rule("/api/*"), rule("/b"), rule("/api/")];
        let taken = Taken::of(&list, &field, &[]);
        for value in ["/api/*", "api", "/api?a", "/x/../api"] {
            let refusal = taken.refusal(&rule(value)).expect(value);
            let (RuleReason::OtherSyntax { prefix: meant, .. }
            | RuleReason::InvalidPath { instead: meant, .. }) = refusal
            else {
                panic!("{value}: {refusal:?}");
            };
            let taken_by = meant.and_then(|meant| meant.taken_by);
            assert_eq!(taken_by.as_deref(), Some("spec.rules[2]"), "{value}");
        }
    }
}
