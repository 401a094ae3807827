//! Gateways: the `CORS` filter of an `HTTPRoute`, and the `cors` of Envoy Gateway's `SecurityPolicy`.

use serde_json::Value;

use super::{HABITS, checked, nothing, wildcard};
use crate::SourceFile;
use crate::blocks::{self, left_out};
use crate::fields::{objects, seconds, text, texts, truth};
use crate::layer::{Habits, Layer, Names, OriginRule};
use crate::settings::{Block, BlockPath, Failure, Note, Settings};

const ROUTE: &str = "Gateway API's HTTPRoute, Envoy 1.40.0";
const SECURITY_POLICY: &str = "Envoy Gateway's SecurityPolicy, Envoy 1.40.0";

/// Reads the routes.
pub(crate) fn read_routes(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let mut all = Vec::new();
    for (file, object) in objects(files, &["HTTPRoute"])? {
        let name = text(&object, "/metadata/name").unwrap_or("route");
        let place = format!("{file}, HTTPRoute {name}");
        let mut notes = Vec::new();
        let mut blocks = Vec::new();
        let mut is_shared = false;
        for rule in object.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten() {
            let filters = rule.get("filters").and_then(Value::as_array);
            let cors = filters.into_iter().flatten().find_map(|filter| filter.get("cors"));
            let layer = cors.map(|cors| layer(cors, &place, &mut notes)).transpose()?;
            is_shared |= layer.is_some();
            blocks.extend(
                paths(rule, layer.as_ref(), &place, &mut notes)
                    .into_iter()
                    .map(|path| Block { path, layer: layer.clone() }),
            );
        }
        if blocks.iter().any(|block| block.layer.is_some()) {
            let hostnames = texts(&object, "/spec/hostnames").unwrap_or_default();
            let namespace = text(&object, "/metadata/namespace");
            all.push(blocks::settings(ROUTE, name, namespace, hostnames, blocks, notes));
        } else {
            all.extend(nothing(&place, is_shared)?);
        }
    }
    found(all, files, "it has no HTTPRoute with a filter of type CORS")
}

/// Reads the policies.
pub(crate) fn read_security_policies(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let mut all = Vec::new();
    for (file, object) in objects(files, &["SecurityPolicy"])? {
        let Some(cors) = object.pointer("/spec/cors") else { continue };
        let name = text(&object, "/metadata/name").unwrap_or("security-policy");
        let place = format!("{file}, SecurityPolicy {name}");
        let mut notes = vec![Note::decide(
            "",
            &place,
            "the policy covers every workload of its namespace: name those behind the target in `targetRefs` or `selector`",
        )];
        let layer = layer(cors, &place, &mut notes)?;
        let blocks = vec![Block { path: None, layer: Some(layer) }];
        let namespace = text(&object, "/metadata/namespace");
        all.push(blocks::settings(SECURITY_POLICY, name, namespace, Vec::new(), blocks, notes));
    }
    found(all, files, "it has no SecurityPolicy with cors")
}

fn found(all: Vec<Settings>, files: &[SourceFile], text: &str) -> Result<Vec<Settings>, Failure> {
    if all.is_empty() {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        return Err(Failure::unreadable(place, text));
    }
    Ok(all)
}

/// The paths of a rule; none written is every path.
fn paths(
    rule: &Value,
    layer: Option<&Layer>,
    place: &str,
    notes: &mut Vec<Note>,
) -> Vec<Option<BlockPath>> {
    let matches = rule.get("matches").and_then(Value::as_array);
    let Some(matches) = matches.filter(|matches| !matches.is_empty()) else {
        return vec![None];
    };
    let mut paths = Vec::new();
    for condition in matches {
        let is_narrower =
            condition.as_object().is_some_and(|fields| fields.keys().any(|field| field != "path"));
        let value = text(condition, "/path/value").unwrap_or("/");
        let path = match text(condition, "/path/type").unwrap_or("PathPrefix") {
            "Exact" => Some(BlockPath::Exact(value.to_owned())),
            "PathPrefix" => blocks::prefix(value),
            _ => {
                let text = "a match has a regex for its path: write the rules that it means";
                notes.push(Note::decide("", place, text));
                continue;
            }
        };
        if is_narrower {
            notes.push(left_out(place, path.as_ref(), layer));
        } else {
            paths.push(path);
        }
    }
    paths
}

fn layer(cors: &Value, place: &str, notes: &mut Vec<Note>) -> Result<Layer, Failure> {
    let credentials = truth(cors, "/allowCredentials").unwrap_or(false);
    let mut origins = Vec::new();
    for origin in texts(cors, "/allowOrigins").unwrap_or_default() {
        match origin.as_str() {
            "*" => origins.push(OriginRule::Echo),
            _ => origins.extend(wildcard(&origin, ".*", place, notes)),
        }
    }
    let list = |pointer| texts(cors, pointer).unwrap_or_default();
    // With credentials the specification has a gateway answer `*` with what was asked.
    let names = |pointer| match list(pointer) {
        names if credentials && names.iter().any(|name| name == "*") => Names::Requested,
        names => Names::Listed(names),
    };
    let layer = Layer {
        origins,
        methods: names("/allowMethods"),
        headers: names("/allowHeaders"),
        expose: list("/exposeHeaders"),
        credentials,
        // The API writes 5 where nothing is written, which is the browser's own default.
        max_age: seconds(cors, "/maxAge"),
        paths: None,
        // Istio and Envoy Gateway answer a preflight of an origin that is not allowed.
        habits: Habits { refused_origin: Some(200), ..HABITS },
    };
    checked(layer, place)
}
