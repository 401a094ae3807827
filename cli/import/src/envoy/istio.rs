//! Istio: the `corsPolicy` of a `VirtualService`.

use serde_json::Value;

use super::{HABITS, checked, hostnames, left_out, nothing, string_match};
use crate::SourceFile;
use crate::blocks;
use crate::fields::{objects, seconds, text, texts, truth};
use crate::layer::{Habits, Layer, Names, OriginRule};
use crate::settings::{Block, BlockPath, Failure, Note, Settings};

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
    let mut blocks = Vec::new();
    let mut is_shared = false;
    for route in object.pointer("/spec/http").and_then(Value::as_array).into_iter().flatten() {
        let layer =
            route.get("corsPolicy").map(|cors| layer(cors, &place, &mut notes)).transpose()?;
        is_shared |= layer.is_some();
        let matches = route.get("match").and_then(Value::as_array);
        let Some(matches) = matches.filter(|matches| !matches.is_empty()) else {
            blocks.push(Block { path: None, layer });
            continue;
        };
        for condition in matches {
            let is_narrower = condition.as_object().is_some_and(|fields| {
                fields.keys().any(|field| !matches!(field.as_str(), "uri" | "name"))
            });
            let path = match (text(condition, "/uri/exact"), text(condition, "/uri/prefix")) {
                (Some(path), _) => Some(BlockPath::Exact(path.to_owned())),
                (None, Some(path)) => blocks::prefix(path),
                (None, None) if condition.get("uri").is_none() => None,
                (None, None) => {
                    notes.push(Note::decide(
                        "",
                        &place,
                        "a match has a regex for its path: write the rules that it means",
                    ));
                    continue;
                }
            };
            if is_narrower {
                notes.push(left_out(&place, path.as_ref(), layer.as_ref()));
                continue;
            }
            blocks.push(Block { path, layer: layer.clone() });
        }
    }
    if blocks.iter().all(|block| block.layer.is_none()) {
        return nothing(&place, is_shared);
    }
    let hosts = texts(object, "/spec/hosts").unwrap_or_default();
    let hostnames = hostnames(&hosts, &place, &mut notes);
    let namespace = text(object, "/metadata/namespace");
    Ok(Some(blocks::settings(PRODUCT, name, namespace, hostnames, blocks, notes)))
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
        methods: Names::Listed(list("/allowMethods")),
        headers: Names::Listed(list("/allowHeaders")),
        expose: list("/exposeHeaders"),
        credentials: truth(cors, "/allowCredentials").unwrap_or(false),
        max_age: seconds(cors, "/maxAge"),
        paths: None,
        habits: Habits { refused_origin: if answers { Some(200) } else { None }, ..HABITS },
    };
    checked(layer, place)
}
