//! Envoy's CORS filter, and the resources that become its settings: the route's `cors`, Istio's `VirtualService`, Gateway API's
//! `HTTPRoute`, and Envoy Gateway's `SecurityPolicy`.

mod gateway;
mod istio;

use serde_json::Value;

use crate::SourceFile;
use crate::blocks;
use crate::expression::{Anchor, Expression};
use crate::fields::{
    documents, headers_of_cors, of_other_kinds, seconds, split, text, texts, truth,
};
use crate::hosts::{Host, Lost, hostnames, leave_alone, name_lost, without_port};
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, Own, PlainOptions, Vary};
use crate::matches::{Beside, Match, NoPrefix, arrange};
use crate::settings::{Block, BlockPath, Conditions, Failure, Note, Settings};

pub(crate) use gateway::{read_routes, read_security_policies};
pub(crate) use istio::read as read_virtual_services;

/// The name of the filter.
const CORS: &str = "envoy.filters.http.cors";
const PRODUCT: &str = "Envoy 1.40.0";

/// The fields of a `CorsPolicy` that are read; `shadow_enabled` changes no answer.
const FIELDS: [&str; 11] = [
    "@type",
    "disabled",
    "allow_origin_string_match",
    "allow_methods",
    "allow_headers",
    "expose_headers",
    "max_age",
    "allow_credentials",
    "filter_enabled",
    "shadow_enabled",
    "forward_not_matching_preflights",
];

/// Its answers, as measured: a preflight that does not match is forwarded, and nothing varies by origin.
const HABITS: Habits = Habits {
    star_always: false,
    comparison: Comparison::Bytes,
    success_status: 200,
    refused_origin: None,
    refused_names: None,
    refused_request: None,
    checks_method: false,
    plain_options: PlainOptions::Forwarded,
    vary: Vary::Never,
    own: Own::Replaced,
    errors: true,
};

/// Reads the virtual hosts of route configurations, wherever they stand in a document.
pub(crate) fn read(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let mut all = Vec::new();
    let mut lost = Vec::new();
    for (file, document) in documents(files)? {
        let document = snake(document);
        let mut configurations = Vec::new();
        find(&document, "virtual_hosts", &mut configurations);
        let first = all.len();
        for configuration in configurations {
            all.extend(of_configuration(configuration, &file, &mut lost)?);
        }
        if let Some(settings) = all.get_mut(first) {
            settings.notes.extend(headers_of_cors(&document, &file));
            settings.notes.extend(without_filter(&document, &file));
        }
    }
    name_lost(&mut all, lost)?;
    if all.is_empty() {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        return Err(Failure::unreadable(
            place,
            "it has no virtual host with `envoy.filters.http.cors`",
        ));
    }
    Ok(all)
}

/// A document with the names of Envoy's own files; `istioctl proxy-config` prints them in lower camel case.
fn snake(value: Value) -> Value {
    let name = |name: String| {
        let is_camel = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let word = |c: char| match c {
            c if is_camel && c.is_ascii_uppercase() => format!("_{}", c.to_ascii_lowercase()),
            c => c.to_string(),
        };
        name.chars().map(word).collect::<String>()
    };
    match value {
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (name(key), snake(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(snake).collect(),
        value => value,
    }
}

/// The virtual hosts of a configuration. A request has the one with its exact host, else the longest wildcard, else `*`.
fn of_configuration(
    configuration: &Value,
    file: &str,
    lost: &mut Vec<Lost>,
) -> Result<Vec<Settings>, Failure> {
    let mut all = Vec::new();
    let mut hosts: Vec<Host> = Vec::new();
    let written = configuration.get("virtual_hosts").and_then(Value::as_array);
    for host in written.into_iter().flatten() {
        let mut settings = of_virtual_host(host, own_policy(configuration), file, lost)?;
        let place = place(host, file);
        for name in texts(host, "/domains").unwrap_or_default() {
            let bare = without_port(&name);
            let other = hosts.iter().find(|it| without_port(&it.name) == bare && it.place != place);
            if let (Some(other), Some(settings)) = (other, &mut settings) {
                let text = format!(
                    "`{}` of {} is the same host at another port, and a policy has no port: it covers both",
                    other.name, other.place
                );
                settings.notes.push(Note::decide("", &place, text));
            }
            let has_cors = settings.is_some();
            let listeners = Vec::new();
            hosts.push(Host { name, place: place.clone(), has_cors, listeners });
        }
        all.extend(settings);
    }
    leave_alone(&mut all, &hosts);
    Ok(all)
}

/// The remark on filter chains without the filter, which alone reads a `CorsPolicy`.
fn without_filter(document: &Value, file: &str) -> Option<Note> {
    let mut chains = Vec::new();
    find(document, "http_filters", &mut chains);
    let is_in_force = |filter: &Value| {
        let kind = text(filter, "/typed_config/@type").unwrap_or_default();
        let is_cors = kind.ends_with(".cors.v3.Cors") || text(filter, "/name") == Some(CORS);
        is_cors && truth(filter, "/disabled") != Some(true)
    };
    let is_without = |chain: &&Value| {
        let filters = chain.get("http_filters").and_then(Value::as_array);
        filters.is_some_and(|filters| !filters.iter().any(is_in_force))
    };
    chains.iter().any(is_without).then(|| {
        let text = "a chain of `http_filters` has no `envoy.filters.http.cors`, so the settings are not in force there today, and the policy \
                    allows more than before";
        Note::decide("", file, text)
    })
}

fn place(host: &Value, file: &str) -> String {
    format!("{file}, virtual host {}", text(host, "/name").unwrap_or("envoy"))
}

fn of_virtual_host(
    host: &Value,
    outer: Option<&Value>,
    file: &str,
    lost: &mut Vec<Lost>,
) -> Result<Option<Settings>, Failure> {
    let mut notes = Vec::new();
    let name = text(host, "/name").unwrap_or("envoy");
    let place = place(host, file);
    let of_host = completed(own_policy(host), outer);
    let of_policy = |policy: Option<&Value>, notes: &mut Vec<Note>| match policy {
        Some(cors) if !is_off(cors) => layer(cors, &place, notes).map(Some),
        _ => Ok(None),
    };
    let own = of_policy(of_host.as_ref(), &mut notes)?;
    if host.get("matcher").is_some_and(|matcher| matcher.to_string().contains("CorsPolicy")) {
        let text = "a `matcher` has a `CorsPolicy`, and is not read: write the rules that it means";
        notes.push(Note::decide("", &place, text));
    }
    let mut matches = Vec::new();
    for route in host.pointer("/routes").and_then(Value::as_array).into_iter().flatten() {
        let layer = match own_policy(route) {
            None => own.clone(),
            of_route => of_policy(completed(of_route, of_host.as_ref()).as_ref(), &mut notes)?,
        };
        let clusters = route.pointer("/route/weighted_clusters");
        if clusters.is_some_and(|clusters| clusters.to_string().contains("CorsPolicy")) {
            let text = "a weighted cluster has a `CorsPolicy` of its own, which is left out: a rule has one for all of its requests";
            notes.push(Note::decide("", &place, text));
        }
        if layer.is_some() && truth(route, "/match/case_sensitive") == Some(false) {
            let text = "a route matches its path in any case, and a rule in the case that it has: write a rule for each spelling that clients use";
            notes.push(Note::decide("", &place, text));
        }
        let (path, beside) = match path(route) {
            Ok(path) => (path, beside(route)),
            Err(NoPrefix(source)) => (None, Beside::Regex(source)),
        };
        matches.push(Match { path, layer, beside, place: place.clone() });
    }
    let is_shared = matches.iter().any(|it| it.layer.is_some());
    let (mut blocks, elsewhere) = arrange(matches, &mut notes);
    if !blocks.iter().any(|block| block.path.is_none()) {
        blocks.push(Block { path: None, layer: own });
    }
    let domains = texts(host, "/domains").unwrap_or_default();
    if blocks.iter().all(|block| block.layer.is_none()) {
        if is_shared {
            let elsewhere = elsewhere.into_iter().map(|it| it.at(&domains)).collect();
            lost.push(Lost { place, notes, elsewhere });
        }
        return Ok(None);
    }
    let hostnames = hostnames(&domains, &place, &mut notes);
    let mut settings =
        blocks::settings(PRODUCT, &object_name(name), None, hostnames, blocks, notes);
    settings.elsewhere = elsewhere;
    Ok(Some(settings))
}

/// The path of a route; absent: every path.
fn path(route: &Value) -> Result<Option<BlockPath>, NoPrefix> {
    let matched = |field| text(route, &format!("/match/{field}"));
    if let Some(path) = matched("path") {
        return Ok(Some(BlockPath::Exact(path.to_owned())));
    }
    if let Some(path) = matched("path_separated_prefix") {
        return Ok(blocks::prefix(path));
    }
    if let Some(path) = matched("prefix") {
        return Ok(blocks::start(path));
    }
    match matched("safe_regex/regex") {
        Some(".*" | "/.*") => Ok(None),
        source => Err(NoPrefix(source.unwrap_or("a match without a path").to_owned())),
    }
}

/// `typed_per_filter_config` by the name of the filter or by its type, and the field that came before it.
fn own_policy(value: &Value) -> Option<&Value> {
    let filters = value.get("typed_per_filter_config");
    let is_cors = |filter: &&Value| {
        text(filter, "/@type").is_some_and(|kind| kind.ends_with(".cors.v3.CorsPolicy"))
    };
    filters
        .and_then(|filters| filters.get(CORS))
        .or_else(|| filters.and_then(Value::as_object)?.values().find(is_cors))
        .map(|filter| filter.get("config").unwrap_or(filter))
        .or_else(|| value.pointer("/route/cors"))
        .or_else(|| value.pointer("/cors"))
}

/// A policy whose missing fields are those of the policy around it.
fn completed(own: Option<&Value>, outer: Option<&Value>) -> Option<Value> {
    let mut policy = own.or(outer)?.clone();
    let outer = outer.and_then(Value::as_object);
    if let Some(fields) = policy.as_object_mut() {
        for (name, value) in outer.into_iter().flatten() {
            let is_missing = fields.get(name).is_none_or(|value| {
                value.as_str() == Some("") || value.as_array().is_some_and(Vec::is_empty)
            });
            // The innermost policy alone says whether it is in force.
            if is_missing && !matches!(name.as_str(), "disabled" | "filter_enabled") {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
    Some(policy)
}

fn layer(cors: &Value, place: &str, notes: &mut Vec<Note>) -> Result<Layer, Failure> {
    unread(cors, "CorsPolicy", &FIELDS, place, notes);
    let credentials = truth(cors, "/allow_credentials").unwrap_or(false);
    let matchers = cors.get("allow_origin_string_match").and_then(Value::as_array);
    let mut origins = Vec::new();
    for matcher in matchers.into_iter().flatten() {
        origins.extend(string_match(matcher, "/safe_regex/regex", place, notes));
    }
    if cors.get("filter_enabled").is_some_and(|share| !is_whole(share)) {
        notes.push(Note::decide("", place, "`filter_enabled` applies the settings to a share of the requests; the policy covers all"));
    }
    let forwards = truth(cors, "/forward_not_matching_preflights").unwrap_or(true);
    let list = |pointer| text(cors, pointer).map(split).unwrap_or_default();
    checked(
        Layer {
            origins,
            methods: names(list("/allow_methods")),
            headers: names(list("/allow_headers")),
            expose: list("/expose_headers"),
            credentials,
            max_age: seconds(cors, "/max_age"),
            paths: None,
            habits: Habits { refused_origin: if forwards { None } else { Some(200) }, ..HABITS },
        },
        place,
    )
}

/// Whether a policy is in force for no request, at any time.
fn is_off(cors: &Value) -> bool {
    let is_none = |share: &Value| {
        let numerator = share.pointer("/default_value/numerator").and_then(Value::as_u64);
        numerator.unwrap_or(0) == 0 && share.get("runtime_key").is_none()
    };
    truth(cors, "/disabled") == Some(true) || cors.get("filter_enabled").is_some_and(is_none)
}

/// Whether a share is every request, at any time.
fn is_whole(share: &Value) -> bool {
    let numerator = share.pointer("/default_value/numerator").and_then(Value::as_u64);
    let denominator = match text(share, "/default_value/denominator") {
        None | Some("HUNDRED") => 100,
        Some("TEN_THOUSAND") => 10_000,
        Some(_) => 1_000_000,
    };
    numerator == Some(denominator) && share.get("runtime_key").is_none()
}

/// A list of the filter: `*` alone is answered with the requested names, with credentials too.
fn names(listed: Vec<String>) -> Names {
    if listed == ["*"] { Names::Requested } else { Names::Listed(listed) }
}

/// Refuses any origin with credentials.
fn checked(layer: Layer, place: &str) -> Result<Layer, Failure> {
    let is_any = layer.origins.iter().any(|rule| matches!(rule, OriginRule::Echo));
    if layer.credentials && is_any {
        return Err(Failure::dangerous(
            place,
            "the origin `*` with credentials is answered with each origin itself and `true`: every site acts with the cookies of its \
             visitors. Nothing is translated. List the origins that need cookies, or turn credentials off, and import again",
        ));
    }
    Ok(layer)
}

/// A `StringMatcher` of Envoy, and the `StringMatch` of Istio.
fn string_match(
    matcher: &Value,
    regex: &str,
    place: &str,
    notes: &mut Vec<Note>,
) -> Option<OriginRule> {
    let ignore_case = truth(matcher, "/ignore_case").unwrap_or(false);
    let escaped = |text: &str| regex_syntax::escape(text);
    let (source, anchor) = if let Some(exact) = text(matcher, "/exact") {
        return Some(match exact {
            "*" => OriginRule::Echo,
            exact if ignore_case => OriginRule::Exact(exact.to_ascii_lowercase()),
            exact => OriginRule::Exact(exact.to_owned()),
        });
    } else if let Some(prefix) = text(matcher, "/prefix") {
        (format!("{}.*", escaped(prefix)), Anchor::Whole)
    } else if let Some(suffix) = text(matcher, "/suffix") {
        (format!(".*{}", escaped(suffix)), Anchor::Whole)
    } else if let Some(part) = text(matcher, "/contains") {
        (format!(".*{}.*", escaped(part)), Anchor::Whole)
    } else {
        (text(matcher, regex)?.to_owned(), Anchor::Whole)
    };
    match rule(&source, anchor, ignore_case, place, notes) {
        // The filter takes a matcher of the text `*` for one of every origin.
        Some(OriginRule::Regex(expression)) if expression.accepts("*") => Some(OriginRule::Echo),
        rule => rule,
    }
}

/// A regex, or a remark where it cannot be read.
pub(crate) fn rule(
    source: &str,
    anchor: Anchor,
    ignore_case: bool,
    place: &str,
    notes: &mut Vec<Note>,
) -> Option<OriginRule> {
    match Expression::parse(source, anchor, ignore_case) {
        Ok(expression) => Some(OriginRule::Regex(expression)),
        Err(error) => {
            let text = format!("`{source}` is left out: {error}; write the origins as patterns");
            notes.push(Note::decide("allowOriginRegexes", place, text));
            None
        }
    }
}

/// A wildcard in an origin, where it stands for any text.
fn wildcard(origin: &str, star: &str, place: &str, notes: &mut Vec<Note>) -> Option<OriginRule> {
    if !origin.contains('*') {
        return Some(OriginRule::Exact(origin.to_owned()));
    }
    let parts: Vec<String> = origin.split('*').map(regex_syntax::escape).collect();
    rule(&parts.join(star), Anchor::Whole, false, place, notes)
}

/// The conditions of a route beside its path.
fn beside(route: &Value) -> Beside {
    const PATHS: [&str; 4] = ["path", "prefix", "path_separated_prefix", "case_sensitive"];
    let mut wanted = Conditions::default();
    let mut is_known = true;
    let mut has_some = false;
    for (name, value) in route.get("match").and_then(Value::as_object).into_iter().flatten() {
        if PATHS.contains(&name.as_str()) {
            continue;
        }
        has_some = true;
        is_known &= matches!(name.as_str(), "headers" | "query_parameters");
        for header in value.as_array().into_iter().flatten() {
            let exact =
                text(header, "/string_match/exact").or_else(|| text(header, "/exact_match"));
            match (text(header, "/name"), exact) {
                (Some(query), Some(value)) if name == "query_parameters" => {
                    wanted.query.push(format!("{query}={value}"));
                }
                (Some(":method"), Some(method)) => wanted.method = Some(method.to_owned()),
                (Some(":authority"), Some(host)) => wanted.authority = Some(host.to_owned()),
                (Some(name), Some(value)) => {
                    wanted.headers.push((name.to_ascii_lowercase(), value.to_owned()));
                }
                _ => is_known = false,
            }
        }
    }
    if !has_some {
        return Beside::Nothing;
    }
    Beside::Conditions(is_known.then_some(wanted))
}

/// The settings with remarks on the objects of other kinds, or the fault that there are none.
fn found(
    mut all: Vec<Settings>,
    files: &[SourceFile],
    kind: &str,
    missing: &str,
) -> Result<Vec<Settings>, Failure> {
    let Some(first) = all.first_mut() else {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        return Err(Failure::unreadable(place, missing));
    };
    first.notes.extend(of_other_kinds(files, &[kind])?);
    Ok(all)
}

/// Remarks on the fields of settings that this import does not read.
pub(crate) fn unread(cors: &Value, name: &str, known: &[&str], place: &str, notes: &mut Vec<Note>) {
    for field in cors.as_object().into_iter().flat_map(|fields| fields.keys()) {
        if !known.contains(&field.as_str()) {
            let text = format!("`{field}` of `{name}` is not read: the policy has nothing of it");
            notes.push(Note::decide("", place, text));
        }
    }
}

/// A name that an object may have; of a name without a letter or a digit, such as `*`, that of the product.
fn object_name(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.', "-");
    let parts = name.split('.').map(|part| part.trim_matches('-'));
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "envoy".to_owned() } else { parts.join(".") }
}

/// Collects the objects with that field, at any depth.
fn find<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key(name) {
                found.push(value);
            }
            fields.values().for_each(|value| find(value, name, found));
        }
        Value::Array(items) => items.iter().for_each(|value| find(value, name, found)),
        _ => {}
    }
}
