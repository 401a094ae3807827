//! Istio: the `corsPolicy` of a `VirtualService`.

use serde_json::Value;

use super::{HABITS, checked, found, names, string_match, unread};
use crate::SourceFile;
use crate::blocks;
use crate::fields::{created, headers_of_cors, objects, seconds, text, texts, truth};
use crate::hosts::{Object, Order, Part, policies};
use crate::layer::{Habits, Layer, OriginRule};
use crate::matches::{Beside, Match, NoPrefix};
use crate::settings::{BlockPath, Conditions, Failure, Listener, Note, Settings};

const PRODUCT: &str = "Istio's VirtualService, Envoy 1.40.0";
/// The fields of a `corsPolicy` that are read.
const FIELDS: [&str; 8] = [
    "allowOrigins",
    "allowOrigin",
    "allowMethods",
    "allowHeaders",
    "exposeHeaders",
    "maxAge",
    "allowCredentials",
    "unmatchedPreflights",
];

/// Reads the objects.
pub(crate) fn read(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let objects = objects(files, &["VirtualService"])?;
    let objects: Vec<Object> =
        objects.iter().map(|(file, object)| of_object(object, file)).collect::<Result<_, _>>()?;
    let all = policies(&objects, Order::Written)?;
    found(all, files, "VirtualService", "it has no VirtualService with a corsPolicy")
}

fn of_object(object: &Value, file: &str) -> Result<Object, Failure> {
    let name = text(object, "/metadata/name").unwrap_or("virtual-service");
    let namespace = text(object, "/metadata/namespace");
    let place = format!("{file}, VirtualService {name}");
    let mut notes = Vec::new();
    let mut matches = Vec::new();
    for route in object.pointer("/spec/http").and_then(Value::as_array).into_iter().flatten() {
        let layer =
            route.get("corsPolicy").map(|cors| layer(cors, &place, &mut notes)).transpose()?;
        if layer.is_some() && route.pointer("/rewrite/uri").is_some() {
            notes.push(blocks::rewritten(&place));
        }
        if let Some(delegate) = text(route, "/delegate/name") {
            let text = format!(
                "a route delegates to the VirtualService `{delegate}`, whose `corsPolicy` has no host of its own: write its rules into the \
                 policy of these hosts"
            );
            notes.push(Note::decide("", &place, text));
        }
        let conditions = route.get("match").and_then(Value::as_array);
        let one = |path, beside| Match { path, layer: layer.clone(), beside, place: place.clone() };
        match conditions.filter(|conditions| !conditions.is_empty()) {
            None => matches.push(one(None, Beside::Nothing)),
            Some(all) => matches.extend(all.iter().map(|condition| match path(condition) {
                Ok(path) => one(path, beside(condition)),
                Err(NoPrefix(source)) => one(None, Beside::Regex(source)),
            })),
        }
    }
    notes.extend(headers_of_cors(object, &place));
    let gateways = texts(object, "/spec/gateways").unwrap_or_else(|| vec!["mesh".to_owned()]);
    let listeners = gateways.into_iter().map(|gateway| match namespace {
        Some(namespace) if gateway != "mesh" && !gateway.contains('/') => {
            Listener::all_of(format!("{namespace}/{gateway}"))
        }
        _ => Listener::all_of(gateway),
    });
    Ok(Object {
        product: PRODUCT,
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        place,
        created: created(object),
        listeners: listeners.collect(),
        parts: vec![Part { hosts: texts(object, "/spec/hosts").unwrap_or_default(), matches }],
        notes,
    })
}

/// The path of a match; absent: every path.
fn path(condition: &Value) -> Result<Option<BlockPath>, NoPrefix> {
    if let Some(path) = text(condition, "/uri/exact") {
        return Ok(Some(BlockPath::Exact(path.to_owned())));
    }
    if let Some(path) = text(condition, "/uri/prefix") {
        return Ok(blocks::start(path));
    }
    match text(condition, "/uri/regex") {
        None | Some(".*" | "/.*") => Ok(None),
        Some(source) => Err(NoPrefix(source.to_owned())),
    }
}

/// The conditions of a match beside its path.
fn beside(condition: &Value) -> Beside {
    let mut wanted = Conditions::default();
    let mut is_known = true;
    let mut has_some = false;
    for (name, value) in condition.as_object().into_iter().flatten() {
        match name.as_str() {
            "uri" | "name" => continue,
            "method" => wanted.method = text(value, "/exact").map(str::to_owned),
            "authority" => wanted.authority = text(value, "/exact").map(str::to_owned),
            "headers" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    let value = text(value, "/exact");
                    is_known &= value.is_some();
                    let line = (name.to_ascii_lowercase(), value.unwrap_or_default().to_owned());
                    wanted.headers.push(line);
                }
            }
            "queryParams" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    let value = text(value, "/exact");
                    is_known &= value.is_some();
                    wanted.query.push(format!("{name}={}", value.unwrap_or_default()));
                }
            }
            _ => is_known = false,
        }
        has_some = true;
    }
    if !has_some {
        return Beside::Nothing;
    }
    is_known &= wanted != Conditions::default();
    Beside::Conditions(is_known.then_some(wanted))
}

fn layer(cors: &Value, place: &str, notes: &mut Vec<Note>) -> Result<Layer, Failure> {
    unread(cors, "corsPolicy", &FIELDS, place, notes);
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
