//! Envoy's CORS filter, and the resources that become its settings: the route's `cors`, Istio's `VirtualService`, Gateway API's
//! `HTTPRoute`, and Envoy Gateway's `SecurityPolicy`.

mod gateway;
mod istio;

use serde_json::Value;

use crate::SourceFile;
use crate::blocks::{self, Match, NoPrefix};
use crate::expression::{Anchor, Expression};
use crate::fields::{documents, seconds, split, text, texts, truth};
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, Own, PlainOptions, Vary};
use crate::settings::{Block, BlockPath, Failure, Note, Settings};

pub(crate) use gateway::{read_routes, read_security_policies};
pub(crate) use istio::read as read_virtual_services;

const PRODUCT: &str = "Envoy 1.40.0";

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
    for (file, document) in documents(files)? {
        let mut configurations = Vec::new();
        find(&document, "virtual_hosts", &mut configurations);
        for configuration in configurations {
            let hosts = configuration.get("virtual_hosts").and_then(Value::as_array);
            for host in hosts.into_iter().flatten() {
                all.extend(of_virtual_host(host, own_policy(configuration), &file)?);
            }
        }
    }
    if all.is_empty() {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        return Err(Failure::unreadable(
            place,
            "it has no virtual host with `envoy.filters.http.cors`",
        ));
    }
    Ok(all)
}

fn of_virtual_host(
    host: &Value,
    outer: Option<&Value>,
    file: &str,
) -> Result<Option<Settings>, Failure> {
    let mut notes = Vec::new();
    let name = text(host, "/name").unwrap_or("envoy");
    let place = format!("{file}, virtual host {name}");
    let of_host = completed(own_policy(host), outer);
    let of_policy = |policy: Option<&Value>, notes: &mut Vec<Note>| match policy {
        Some(cors) if truth(cors, "/disabled") != Some(true) => {
            layer(cors, &place, notes).map(Some)
        }
        _ => Ok(None),
    };
    let own = of_policy(of_host.as_ref(), &mut notes)?;
    let mut matches = Vec::new();
    let mut is_shared = false;
    for route in host.pointer("/routes").and_then(Value::as_array).into_iter().flatten() {
        let Ok(path) = path(route) else {
            let text = "a route has a regex for its path: write the rules that it means";
            notes.push(Note::decide("", &place, text));
            continue;
        };
        let layer = match own_policy(route) {
            None => own.clone(),
            of_route => of_policy(completed(of_route, of_host.as_ref()).as_ref(), &mut notes)?,
        };
        is_shared |= layer.is_some();
        matches.push(Match { path, layer, is_narrower: is_narrower(route) });
    }
    let mut blocks = blocks::of_matches(matches, &place, &mut notes);
    if !blocks.iter().any(|block| block.path.is_none()) {
        blocks.push(Block { path: None, layer: own });
    }
    if blocks.iter().all(|block| block.layer.is_none()) {
        return nothing(&place, is_shared);
    }
    let domains = texts(host, "/domains").unwrap_or_default();
    let hostnames = hostnames(&domains, &place, &mut notes);
    Ok(Some(blocks::settings(PRODUCT, &object_name(name), None, hostnames, blocks, notes)))
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
    matched("prefix").map(blocks::start).ok_or(NoPrefix)
}

/// `typed_per_filter_config`, and the field that came before it.
fn own_policy(value: &Value) -> Option<&Value> {
    let filters =
        value.get("typed_per_filter_config").or_else(|| value.get("typedPerFilterConfig"));
    filters
        .and_then(|filters| filters.get("envoy.filters.http.cors"))
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

/// The hosts without their ports, and a remark on each that `hostnames` cannot have.
fn hostnames(written: &[String], place: &str, notes: &mut Vec<Note>) -> Vec<String> {
    let mut hostnames = Vec::new();
    for domain in written {
        let host = domain.rsplit_once(':').map_or(domain.as_str(), |(host, _)| host);
        if host != "*" && host.contains('.') {
            hostnames.push(host.to_owned());
            continue;
        }
        let text = format!(
            "the host `{domain}` is left out of `hostnames`: write the full names under which browsers reach it; a policy without \
             `hostnames` covers every host"
        );
        notes.push(Note::decide("", place, text));
    }
    hostnames
}

/// Whether a route of Envoy has conditions beside its path.
fn is_narrower(route: &Value) -> bool {
    const PATHS: [&str; 4] = ["path", "prefix", "path_separated_prefix", "case_sensitive"];
    let fields = route.get("match").and_then(Value::as_object);
    fields.is_some_and(|fields| fields.keys().any(|field| !PATHS.contains(&field.as_str())))
}

/// No settings, or the refusal of those that are left out as a whole.
fn nothing(place: &str, is_shared: bool) -> Result<Option<Settings>, Failure> {
    if is_shared {
        return Err(Failure::unreadable(
            place,
            "every match with CORS has a regex for its path or conditions beside it, and a rule has a path alone: there is no policy to write",
        ));
    }
    Ok(None)
}

/// A name that an object may have.
fn object_name(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.', "-");
    name.trim_matches(['-', '.']).to_owned()
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
