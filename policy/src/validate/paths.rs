//! Paths: why a rule cannot have its path, and the path that was probably meant.

use std::collections::HashMap;

use super::report::Field;
use crate::draft::{PathType, RuleDraft};
use crate::finding::{MeantPath, RuleReason};
use crate::path::PathInterpretations;
use crate::path_syntax::{self, PathSyntax};
use crate::scope::{InvalidPath, PathMatch};

/// The paths of a policy's rules that stand as they are written, each with its first rule.
pub(super) struct Taken<'f> {
    rules: &'f Field,
    first: HashMap<PathMatch, usize>,
}

// === impl Taken ===

impl<'f> Taken<'f> {
    pub(super) fn of(list: &[RuleDraft], rules: &'f Field) -> Self {
        let mut first = HashMap::new();
        for (at, draft) in list.iter().enumerate() {
            if PathSyntax::of(&draft.path_value).is_none()
                && let Ok(path) = PathMatch::parse(draft.path_type, &draft.path_value)
            {
                first.entry(path).or_insert(at);
            }
        }
        Self { rules, first }
    }

    /// What refuses the path of `draft`.
    pub(super) fn refusal(&self, draft: &RuleDraft) -> Option<RuleReason> {
        let value = draft.path_value.clone();
        if let Some(syntax) = PathSyntax::of(&value) {
            let exact = draft.path_type == PathType::Exact;
            let prefix =
                prefix(&value).and_then(|prefix| self.meant(PathType::PathPrefix, &prefix));
            let literal = (syntax == PathSyntax::Glob)
                .then(|| self.meant(draft.path_type, &path_syntax::spell(&value)))
                .flatten()
                .filter(|literal| literal.taken_by.is_none())
                .map(|literal| literal.path);
            return Some(RuleReason::OtherSyntax { value, syntax, exact, prefix, literal });
        }
        let why = PathMatch::parse(draft.path_type, &value).err()?;
        let instead = match &why {
            InvalidPath::NotAbsolute => Some(absolute(&value)),
            InvalidPath::Query => value.split(['?', '#']).next().map(str::to_owned),
            InvalidPath::TooLong => None,
            InvalidPath::Ambiguous => folded(&value),
            InvalidPath::NotNormal(normal) => Some(normal.clone()),
        };
        let instead = instead.and_then(|path| self.meant(draft.path_type, &path));
        Some(RuleReason::InvalidPath { value, why, instead })
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

/// The literal beginning of a path in another syntax.
fn prefix(value: &str) -> Option<String> {
    let prefix = path_syntax::literal_prefix(value);
    let segments = value.split('/').filter(|segment| !segment.is_empty()).count();
    match prefix.as_str() {
        // `/` in place of `/{tenant}/public` would be a rule for every path.
        "" if segments > 1 => None,
        "" => Some("/".to_owned()),
        _ => Some(prefix),
    }
}

/// The path of a URL, or what is below the root.
fn absolute(value: &str) -> String {
    match value.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/").to_owned(),
        None => matched(value).map_or_else(|| format!("/{value}"), str::to_owned),
    }
}

/// The path of a location of nginx, `= /api`, or of a match of another system, `prefix:/api`.
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
        for (why, value, want) in [
            ("the root", "/*", Some("/")),
            ("a prefix", "/api/*/public", Some("/api")),
            ("every path is more than was meant", "/*/public", None),
            ("every path is more than was meant", "/{tenant}/public", None),
            ("every path is more than was meant", "/(a|b)/c", None),
            ("beyond ASCII", "/caf\u{e9}/*", Some("/caf%C3%A9")),
            ("beyond ASCII, in a URL", "https://a.example/caf\u{e9}", Some("/caf%C3%A9")),
            ("beyond ASCII, with a query", "/caf\u{e9}?a=b", Some("/caf%C3%A9")),
            ("a space", "/a b/*", Some("/a%20b")),
            ("dots", "/a/../b/*", Some("/b")),
            ("a location of nginx", "= /api", Some("/api")),
            ("a match of Istio", "prefix:/api", Some("/api")),
            ("a colon further on", "api/a:/b", Some("/api/a:/b")),
            ("an escape in lower case", "/caf%c3%a9/{id}", Some("/caf%C3%A9")),
            ("a parameter that back ends drop", "/a;v=1/*", None),
            ("two slashes before the root's star", "//*", Some("/")),
            ("an escaped slash", "/a%2Fb/*", None),
            ("too long", &format!("/{}/*", "a".repeat(2_000)), None),
        ] {
            let refusal = Taken::of(&[], &field).refusal(&rule(value)).expect(value);
            let meant = match refusal {
                RuleReason::OtherSyntax { prefix, .. } => prefix,
                RuleReason::InvalidPath { instead, .. } => instead,
                other => panic!("{value}: {other:?}"),
            };
            assert_eq!(meant.map(|meant| meant.path).as_deref(), want, "{why}: {value}");
        }
    }

    #[test]
    fn a_path_of_another_rule_is_named_with_it() {
        let field = Field::root("spec.rules");
        let list = [rule("/api/*"), rule("/b"), rule("/api/")];
        let taken = Taken::of(&list, &field);
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
