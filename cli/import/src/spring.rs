//! Spring Cloud Gateway: `globalcors` of `application.yaml`.

use granit_parser::{Event, Parser};
use serde_json::{Map, Value};

use crate::SourceFile;
use crate::blocks;
use crate::envoy::rule;
use crate::expression::Anchor;
use crate::fields::{documents, seconds, texts, truth};
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, Own, PlainOptions, Vary};
use crate::matches::NoPrefix;
use crate::settings::{Block, BlockPath, Failure, Note, Settings};

const PRODUCT: &str = "Spring Cloud Gateway 5.0.4";
/// The places of the settings, in the order of the releases.
const ROOTS: [&str; 3] = [
    "/spring/cloud/gateway/server/webflux/globalcors",
    "/spring/cloud/gateway/globalcors",
    "/spring/cloud/gateway/mvc/globalcors",
];

/// Its answers, as measured: 403 for what is not allowed, requests included.
const HABITS: Habits = Habits {
    star_always: false,
    comparison: Comparison::IgnoreCaseAndSlash,
    success_status: 200,
    refused_origin: Some(403),
    refused_names: Some(403),
    refused_request: Some(403),
    checks_method: true,
    plain_options: PlainOptions::Forwarded,
    vary: Vary::All,
    own: Own::Doubled,
    errors: true,
};

/// Reads the configuration of each path.
pub(crate) fn read(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let mut blocks = Vec::new();
    let mut notes = Vec::new();
    for (file, document) in documents(files)? {
        let document = nested(document);
        let configurations = ROOTS.iter().find_map(|root| {
            let root = document.pointer(root)?;
            root.get("cors-configurations").or_else(|| root.get("corsConfigurations"))?.as_object()
        });
        let text = files.iter().find(|it| it.name == file).map_or("", |it| it.text.as_str());
        for (pattern, cors) in configurations.into_iter().flat_map(|all| in_order(all, text)) {
            let place = format!("{file}, {pattern}");
            let Ok(path) = path(pattern) else {
                let text = format!("`{pattern}` is no prefix: write the rules that it means");
                notes.push(Note::decide("", &place, text));
                continue;
            };
            // Spring takes the first pattern that matches, not the longest.
            if blocks.iter().any(|earlier: &Block| covers(earlier.path.as_ref(), path.as_ref())) {
                let text = format!(
                    "`{pattern}` is left out: a pattern before it matches all its paths, and Spring takes the first that matches"
                );
                notes.push(Note::remark("", &place, text));
                continue;
            }
            blocks.push(Block { path, layer: Some(layer(cors, &place, &mut notes)?) });
        }
    }
    if blocks.is_empty() {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        let text = "it has no spring.cloud.gateway.globalcors.cors-configurations";
        return Err(Failure::unreadable(place, text));
    }
    Ok(vec![blocks::settings(PRODUCT, "spring", None, Vec::new(), blocks, notes)])
}

/// A document whose names with dots are names inside of names, as Spring binds them.
fn nested(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let mut outer = Map::new();
    for (name, value) in fields {
        // A name in brackets is one name.
        let is_one = name.starts_with('[');
        let (first, rest) = match name.split_once('.') {
            Some((first, rest)) if !is_one => (first, Some(rest)),
            _ => (name.as_str(), None),
        };
        let value = match rest {
            Some(rest) => nested(Value::Object(Map::from_iter([(rest.to_owned(), value)]))),
            None => nested(value),
        };
        merge(outer.entry(first).or_insert(Value::Null), value);
    }
    Value::Object(outer)
}

/// Adds the fields of a value.
fn merge(into: &mut Value, value: Value) {
    match (into, value) {
        (Value::Object(into), Value::Object(fields)) => {
            for (name, value) in fields {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, value) => *into = value,
    }
}

/// The patterns in the order of the text, in which Spring tries them.
fn in_order<'v>(all: &'v Map<String, Value>, text: &str) -> Vec<(&'v String, &'v Value)> {
    let scalars: Vec<String> = Parser::new_from_str(text)
        .filter_map(|event| match event {
            Ok((Event::Scalar(scalar, ..), _)) => Some(scalar.into_owned()),
            _ => None,
        })
        .collect();
    let is_name = |scalar: &String, pattern: &str| {
        let before = scalar.strip_suffix(pattern);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let mut ordered: Vec<_> = all.iter().collect();
    ordered.sort_by_key(|(pattern, _)| scalars.iter().position(|it| is_name(it, pattern)));
    ordered
}

/// The path of `[/**]`, `[/api/**]` or `[/api]`; absent: every path.
fn path(pattern: &str) -> Result<Option<BlockPath>, NoPrefix> {
    let path = pattern.trim_start_matches('[').trim_end_matches(']');
    let is_literal = |path: &str| !path.contains(['*', '?', '{']);
    match path.strip_suffix("/**") {
        Some(prefix) if is_literal(prefix) => Ok(blocks::prefix(prefix)),
        None if is_literal(path) => Ok(Some(BlockPath::Exact(path.to_owned()))),
        _ => Err(NoPrefix(pattern.to_owned())),
    }
}

/// Whether one path covers all of another.
fn covers(one: Option<&BlockPath>, other: Option<&BlockPath>) -> bool {
    one.is_none_or(|one| other.is_some_and(|other| one.hides(other)))
}

fn layer(cors: &Value, place: &str, notes: &mut Vec<Note>) -> Result<Layer, Failure> {
    // Spring binds `allowed-origins` and `allowedOrigins` alike.
    let list = |kebab: &str, camel: &str| {
        texts(cors, &format!("/{kebab}")).or_else(|| texts(cors, &format!("/{camel}")))
    };
    let credentials =
        truth(cors, "/allow-credentials").or_else(|| truth(cors, "/allowCredentials"));
    let credentials = credentials.unwrap_or(false);
    let mut origins = Vec::new();
    for origin in list("allowed-origins", "allowedOrigins").unwrap_or_default() {
        match origin.as_str() {
            "*" if credentials => {
                return Err(Failure::dangerous(
                    place,
                    "`*` in allowed-origins with allow-credentials: Spring answers 500 to every request with an Origin, so no page has \
                     worked with it. Nothing is translated. List the origins, or turn credentials off, and import again",
                ));
            }
            "*" => origins.push(OriginRule::Star),
            origin => origins.push(OriginRule::Exact(origin.trim_end_matches('/').to_owned())),
        }
    }
    for pattern in list("allowed-origin-patterns", "allowedOriginPatterns").unwrap_or_default() {
        if pattern == "*" && credentials {
            return Err(Failure::dangerous(
                place,
                "`*` in allowed-origin-patterns with allow-credentials answers each origin with itself and `true`: every site acts with \
                 the cookies of its visitors. Nothing is translated. List the origins that need cookies, and import again",
            ));
        }
        if pattern == "*" {
            origins.push(OriginRule::Star);
        } else {
            origins.extend(rule(&source(&pattern), Anchor::Whole, false, place, notes));
        }
    }
    let names = |list: Option<Vec<String>>| match list.unwrap_or_default() {
        names if names.iter().any(|name| name == "*") => Names::Requested,
        names => Names::Listed(names),
    };
    let methods = list("allowed-methods", "allowedMethods");
    let methods = methods.or_else(|| Some(vec!["GET".to_owned(), "HEAD".to_owned()]));
    Ok(Layer {
        origins,
        methods: names(methods),
        headers: names(list("allowed-headers", "allowedHeaders")),
        expose: list("exposed-headers", "exposedHeaders").unwrap_or_default(),
        credentials,
        max_age: seconds(cors, "/max-age").or_else(|| seconds(cors, "/maxAge")),
        paths: None,
        habits: HABITS,
    })
}

/// The regex of a pattern: `*` is any text, and `:[*]` any port.
fn source(pattern: &str) -> String {
    let (host, port) = match pattern.strip_suffix(']').and_then(|rest| rest.rsplit_once(":[")) {
        Some((host, "*")) => (host, r"(:\d+)?".to_owned()),
        Some((host, ports)) => (host, format!(":({})", ports.replace(',', "|"))),
        None => (pattern, String::new()),
    };
    let parts: Vec<String> = host.split('*').map(regex_syntax::escape).collect();
    format!("{}{port}", parts.join(".*"))
}
