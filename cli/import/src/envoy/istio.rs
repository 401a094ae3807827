//! Istio: the `corsPolicy` of a `VirtualService`.

use serde_json::Value;

use super::{HABITS, checked, hostnames, names, nothing, string_match};
use crate::SourceFile;
use crate::blocks::{self, Match, NoPrefix};
use crate::fields::{objects, seconds, text, texts, truth};
use crate::layer::{Habits, Layer, OriginRule};
use crate::settings::{BlockPath, Failure, Note, Settings};

const PRODUCT: &str = "Istio's VirtualService, Envoy 1.40.0";

/// Reads the objects.
pub(crate) fn read(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let mut all = Vec::new();
    for (file, object) in objects(files, &["VirtualService"])? {
        all.extend(of_object(&object, &file)?);
    }
    if all.is_empty() {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        return Err(Failure::unreadable(place, "it has no VirtualService with a corsPolicy"));
    }
    Ok(all)
}

fn of_object(object: &Value, file: &str) -> Result<Option<Settings>, Failure> {
    let name = text(object, "/metadata/name").unwrap_or("virtual-service");
    let place = format!("{file}, VirtualService {name}");
    let mut notes = Vec::new();
    let mut matches = Vec::new();
    let mut is_shared = false;
    for route in object.pointer("/spec/http").and_then(Value::as_array).into_iter().flatten() {
        let layer =
            route.get("corsPolicy").map(|cors| layer(cors, &place, &mut notes)).transpose()?;
        is_shared |= layer.is_some();
        if layer.is_some() && route.pointer("/rewrite/uri").is_some() {
            notes.push(blocks::rewritten(&place));
        }
        let conditions = route.get("match").and_then(Value::as_array);
        let Some(conditions) = conditions.filter(|conditions| !conditions.is_empty()) else {
            matches.push(Match { path: None, layer, is_narrower: false });
            continue;
        };
        for condition in conditions {
            let Ok(path) = path(condition) else {
                let text = "a match has a regex for its path: write the rules that it means";
                notes.push(Note::decide("", &place, text));
                continue;
            };
            let is_narrower = condition.as_object().is_some_and(|fields| {
                fields.keys().any(|field| !matches!(field.as_str(), "uri" | "name"))
            });
            matches.push(Match { path, layer: layer.clone(), is_narrower });
        }
    }
    let blocks = blocks::of_matches(matches, &place, &mut notes);
    if blocks.iter().all(|block| block.layer.is_none()) {
        return nothing(&place, is_shared);
    }
    let hosts = texts(object, "/spec/hosts").unwrap_or_default();
    let hostnames = hostnames(&hosts, &place, &mut notes);
    let namespace = text(object, "/metadata/namespace");
    Ok(Some(blocks::settings(PRODUCT, name, namespace, hostnames, blocks, notes)))
}

/// The path of a match; absent: every path.
fn path(condition: &Value) -> Result<Option<BlockPath>, NoPrefix> {
    if let Some(path) = text(condition, "/uri/exact") {
        return Ok(Some(BlockPath::Exact(path.to_owned())));
    }
    match text(condition, "/uri/prefix") {
        Some(path) => Ok(blocks::start(path)),
        None if condition.get("uri").is_none() => Ok(None),
        None => Err(NoPrefix),
    }
}

fn layer(cors: &Value, place: &str, notes: &mut Vec<Note>) -> Result<Layer, Failure> {
    let matchers = cors.get("allowOrigins").and_then(Value::as_array);
    let mut origins = Vec::new();
    for matcher in matchers.into_iter().flatten() {
        origins.extend(string_match(matcher, "/regex", place, notes));
    }
    // The former field.
    for origin in texts(cors, "/allowOrigin").unwrap_or_default() {
        origins.push(match origin.as_str() {
            "*" => OriginRule::Echo,
            _ => OriginRule::Exact(origin),
        });
    }
    let answers = text(cors, "/unmatchedPreflights") == Some("IGNORE");
    let list = |pointer| texts(cors, pointer).unwrap_or_default();
    let layer = Layer {
        origins,
        methods: names(list("/allowMethods")),
        headers: names(list("/allowHeaders")),
        expose: list("/exposeHeaders"),
        credentials: truth(cors, "/allowCredentials").unwrap_or(false),
        max_age: seconds(cors, "/maxAge"),
        paths: None,
        habits: Habits { refused_origin: if answers { Some(200) } else { None }, ..HABITS },
    };
    checked(layer, place)
}
