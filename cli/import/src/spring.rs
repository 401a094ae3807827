//! Spring Cloud Gateway: `globalcors` and the `metadata.cors` of routes in `application.yaml` and `application.properties`.

mod properties;
mod sources;

use serde_json::Value;

use crate::blocks;
use crate::envoy::{rule, unread};
use crate::expression::Anchor;
use crate::fields::{
    headers_of_cors, names_header_of_cors, seconds, shortened, split, text, texts, truth,
};
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, Own, PlainOptions, Vary};
use crate::matches::NoPrefix;
use crate::settings::{Block, BlockPath, Conditions, Elsewhere, Failure, Note, Settings};
use crate::{Options, SourceFile};
use sources::{Document, active, merged, resolve};

const PRODUCT: &str = "Spring Cloud Gateway 5.0.4";
/// The places of the settings, in the order of the releases.
const ROOTS: [&str; 3] =
    ["/spring/cloud/gateway/server/webflux", "/spring/cloud/gateway", "/spring/cloud/gateway/mvc"];
/// The filter that removes lines which are there twice.
const DEDUPE: &str = "DedupeResponseHeader";
/// The settings of other parts of an application.
const OTHERS: [(&str, &str); 2] = [
    ("/management/endpoints/web/cors", "management.endpoints.web.cors"),
    ("/spring/graphql/cors", "spring.graphql.cors"),
];
/// The fields of a configuration that are read, as Spring names them.
const FIELDS: [&str; 7] = [
    "allowedOrigins",
    "allowedOriginPatterns",
    "allowedMethods",
    "allowedHeaders",
    "exposedHeaders",
    "allowCredentials",
    "maxAge",
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

/// The configuration of a pattern.
struct Configuration {
    pattern: String,
    cors: Value,
    place: String,
}

/// Reads the configuration of each path.
pub(crate) fn read(files: &[SourceFile], options: &Options) -> Result<Vec<Settings>, Failure> {
    let mut notes = Vec::new();
    let documents = active(files, options, &mut notes)?;
    let all = merged(&documents);
    let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
    let mut configurations = Vec::new();
    for root in ROOTS {
        if !configurations.is_empty() && all.pointer(&format!("{root}/globalcors")).is_some() {
            let text =
                format!("`{root}/globalcors` is left out: a release reads one of the two names");
            notes.push(Note::decide("", &place, text));
        } else if configurations.is_empty() {
            configurations = of_routes(&all, root, &place, &mut notes);
            let globals = of_patterns(&documents, &all, root);
            let is_new = |new: &Configuration| {
                !configurations.iter().any(|old: &Configuration| old.pattern == new.pattern)
            };
            let globals: Vec<Configuration> = globals.into_iter().filter(is_new).collect();
            configurations.extend(globals);
        }
    }
    let mut blocks: Vec<Block> = Vec::new();
    let mut elsewhere = Vec::new();
    for Configuration { pattern, mut cors, place } in configurations {
        resolve(&mut cors, options, &all, &place, &mut notes);
        match path(&pattern) {
            Ok(path) => blocks.extend(block(&pattern, path, &cors, &place, &blocks, &mut notes)?),
            Err(NoPrefix(_)) if is_hidden(folder(&pattern).as_ref(), &blocks) => {
                notes.push(hidden(&pattern, &place));
            }
            Err(NoPrefix(path)) => {
                let text = format!("`{pattern}` is no prefix: write the rules that it means");
                notes.push(Note::decide("", &place, text));
                let layer = Some(layer(&cors, &place, &mut notes)?);
                // A path that a pattern before it matches says nothing of this one.
                if !is_hidden(Some(&BlockPath::Exact(path.clone())), &blocks) {
                    elsewhere.push(Elsewhere { conditions: Conditions::default(), path, layer });
                }
            }
        }
    }
    for (pointer, name) in OTHERS {
        if all.pointer(pointer).is_some() {
            let text = format!(
                "`{name}` is left out: its paths have settings of their own; write them as rules"
            );
            notes.push(Note::decide("", &place, text));
        }
    }
    notes.extend(of_filters(&all, &place));
    if blocks.is_empty() {
        let missing = "it has no spring.cloud.gateway.globalcors.cors-configurations";
        let mut text: Vec<&str> = notes.iter().map(|note| note.text.as_str()).collect();
        text.extend(text.is_empty().then_some(missing));
        let text = text.join("; ");
        return Err(Failure::unreadable(place, text));
    }
    let mut settings = blocks::settings(PRODUCT, "spring", None, Vec::new(), blocks, notes);
    settings.elsewhere = elsewhere;
    Ok(vec![settings])
}

/// The remarks on filters that write or join headers of CORS.
fn of_filters(all: &Value, place: &str) -> Vec<Note> {
    let mut gateway = all.pointer("/spring/cloud/gateway").cloned().unwrap_or_default();
    let mut dedupes = Vec::new();
    take_dedupes(&mut gateway, &mut dedupes);
    let mut notes: Vec<Note> = dedupes.iter().map(|written| deduped(written, place)).collect();
    notes.extend(headers_of_cors(&gateway, place));
    notes
}

/// The remark on a pattern whose requests one before it has. Spring takes the first pattern that matches, not the longest.
fn hidden(pattern: &str, place: &str) -> Note {
    let text = format!(
        "`{pattern}` is left out: a pattern before it matches all its paths, and Spring takes the first that matches"
    );
    Note::remark("", place, text)
}

/// Takes out the filters that remove all but one of several lines of a header.
fn take_dedupes(value: &mut Value, taken: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.retain_mut(|item| {
            let written = match &*item {
                Value::String(short) => short.clone(),
                item => item.to_string(),
            };
            let name = text(item, "/name").unwrap_or(&written);
            let is_taken = name.trim_start().starts_with(DEDUPE) && names_header_of_cors(&written);
            if is_taken {
                taken.push(written);
            } else {
                take_dedupes(item, taken);
            }
            !is_taken
        }),
        Value::Object(fields) => fields.values_mut().for_each(|value| take_dedupes(value, taken)),
        _ => {}
    }
}

/// The remark on such a filter.
fn deduped(written: &str, place: &str) -> Note {
    let text = format!(
        "`{}` keeps one of the lines that the gateway and an application both set, and the report has the answers without it: the policy replaces the \
         application's lines, so remove the filter with these settings",
        shortened(written)
    );
    Note::remark("", place, text)
}

/// The block of a pattern; absent: it is never in force.
fn block(
    pattern: &str,
    path: Option<BlockPath>,
    cors: &Value,
    place: &str,
    before: &[Block],
    notes: &mut Vec<Note>,
) -> Result<Option<Block>, Failure> {
    if is_hidden(path.as_ref(), before) {
        notes.push(hidden(pattern, place));
        return Ok(None);
    }
    if pattern.starts_with('/') {
        let text = format!(
            "`{pattern}` has no brackets, and Spring drops the `/` and `*` of such a name: confirm that `[{pattern}]` is meant"
        );
        notes.push(Note::decide("", place, text));
    }
    Ok(Some(Block { path, layer: Some(layer(cors, place, notes)?) }))
}

/// The configurations of `globalcors`: those of the last document first, as Spring binds them.
fn of_patterns(documents: &[Document], all: &Value, root: &str) -> Vec<Configuration> {
    let pointer = format!("{root}/globalcors/corsconfigurations");
    let mut found: Vec<Configuration> = Vec::new();
    for document in documents.iter().rev() {
        let Some(map) = document.value.pointer(&pointer).and_then(Value::as_object) else {
            continue;
        };
        for pattern in document.in_order(map) {
            let cors = all.pointer(&pointer).and_then(|all| all.get(pattern));
            if let Some(cors) = cors
                && !found.iter().any(|earlier| earlier.pattern == *pattern)
            {
                let place = format!("{}, {pattern}", document.file);
                found.push(Configuration { pattern: pattern.clone(), cors: cors.clone(), place });
            }
        }
    }
    found
}

/// The configurations in the metadata of routes, which come before those of `globalcors`.
fn of_routes(all: &Value, root: &str, file: &str, notes: &mut Vec<Note>) -> Vec<Configuration> {
    let routes = all.pointer(&format!("{root}/routes")).and_then(Value::as_array);
    let mut routes: Vec<&Value> = routes.into_iter().flatten().collect();
    routes.sort_by_key(|route| route.get("order").and_then(Value::as_i64).unwrap_or(0));
    let mut found: Vec<Configuration> = Vec::new();
    for route in routes {
        let Some(written) = route.pointer("/metadata/cors").and_then(Value::as_object) else {
            continue;
        };
        let place = format!("{file}, route {}", text(route, "/id").unwrap_or_default());
        let mut cors = serde_json::Map::new();
        for (name, value) in written {
            if FIELDS.contains(&name.as_str()) {
                cors.insert(name.to_ascii_lowercase(), value.clone());
            } else {
                let text = format!(
                    "`{name}` of `metadata.cors` is left out: the gateway reads {} there, to the letter",
                    FIELDS.join(", ")
                );
                notes.push(Note::decide("", &place, text));
            }
        }
        let patterns = patterns(route);
        if let [_, others @ ..] = patterns.as_slice()
            && !others.is_empty()
        {
            let text = format!(
                "the gateway gives `metadata.cors` to the first pattern of a route alone, and {} has none of it",
                others.join(", ")
            );
            notes.push(Note::remark("", &place, text));
        }
        let pattern = patterns.into_iter().next().unwrap_or_else(|| "/**".to_owned());
        let new = Configuration { pattern: format!("[{pattern}]"), cors: cors.into(), place };
        match found.iter_mut().find(|earlier| earlier.pattern == new.pattern) {
            Some(earlier) => *earlier = new,
            None => found.push(new),
        }
    }
    found
}

/// The patterns of the predicates `Path`.
fn patterns(route: &Value) -> Vec<String> {
    let predicates = route.get("predicates").and_then(Value::as_array);
    let of_predicate = |predicate: &Value| match predicate {
        Value::String(short) => short.trim().strip_prefix("Path=").map(split),
        predicate if text(predicate, "/name") == Some("Path") => {
            let arguments = predicate.get("args")?.as_object()?;
            let named = ["patterns", "pattern"].iter().find(|name| arguments.contains_key(**name));
            match named {
                Some(name) => texts(predicate, &format!("/args/{name}")),
                None => {
                    Some(arguments.values().filter_map(Value::as_str).map(str::to_owned).collect())
                }
            }
        }
        _ => None,
    };
    predicates.into_iter().flatten().filter_map(of_predicate).flatten().collect()
}

/// The path of `[/**]`, `[/api/**]` or `[/api]`; absent: every path. A pattern that is no prefix is one path that it matches.
fn path(pattern: &str) -> Result<Option<BlockPath>, NoPrefix> {
    let path = pattern.trim_start_matches('[').trim_end_matches(']');
    let is_literal = |path: &str| !path.contains(['*', '?', '{']);
    match path.strip_suffix("/**") {
        Some(prefix) if is_literal(prefix) => Ok(blocks::prefix(prefix)),
        None if is_literal(path) => Ok(Some(BlockPath::Exact(path.to_owned()))),
        _ => Err(NoPrefix(sample(path))),
    }
}

/// The folder of all paths that a pattern matches; absent: every path.
fn folder(pattern: &str) -> Option<BlockPath> {
    let path = pattern.trim_start_matches('[');
    let literal = path.split(['*', '?', '{']).next().unwrap_or_default();
    literal.rsplit_once('/').and_then(|(folder, _)| blocks::prefix(folder))
}

/// A path that a pattern matches, where its variables have no regex.
fn sample(pattern: &str) -> String {
    let mut sample = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        sample.push_str(before);
        sample.push('a');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    sample.push_str(rest);
    sample.replace("**", "a").replace(['*', '?'], "a")
}

/// Whether an earlier block covers all of a path.
fn is_hidden(path: Option<&BlockPath>, before: &[Block]) -> bool {
    before.iter().any(|earlier| match &earlier.path {
        None => true,
        Some(earlier) => path.is_some_and(|path| earlier.hides(path)),
    })
}

fn layer(cors: &Value, place: &str, notes: &mut Vec<Note>) -> Result<Layer, Failure> {
    let known: Vec<String> = FIELDS.iter().map(|name| name.to_ascii_lowercase()).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    unread(cors, "cors-configurations", &known, place, notes);
    let list = |name: &str| {
        let mut list = texts(cors, &format!("/{name}"))?;
        // A placeholder without a value.
        list.retain(|item| !item.is_empty());
        Some(list)
    };
    let credentials = truth(cors, "/allowcredentials").unwrap_or(false);
    let mut origins = Vec::new();
    for origin in list("allowedorigins").unwrap_or_default() {
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
    for pattern in list("allowedoriginpatterns").unwrap_or_default() {
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
    let methods = list("allowedmethods");
    let methods = methods.or_else(|| Some(vec!["GET".to_owned(), "HEAD".to_owned()]));
    Ok(Layer {
        origins,
        methods: names(methods),
        headers: names(list("allowedheaders")),
        expose: list("exposedheaders").unwrap_or_default(),
        credentials,
        max_age: seconds(cors, "/maxage"),
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
