//! Gateways: the `CORS` filter of an `HTTPRoute`, and the `cors` of Envoy Gateway's `SecurityPolicy`.

use serde_json::Value;

use super::{HABITS, checked, found, unread, wildcard};
use crate::SourceFile;
use crate::blocks;
use crate::fields::{created, headers_of_cors, objects, seconds, text, texts, truth};
use crate::hosts::{Object, Order, Part, policies};
use crate::layer::{Habits, Layer, Names, OriginRule};
use crate::matches::{Beside, Match};
use crate::settings::{Block, BlockPath, Conditions, Failure, Listener, Note, Settings};

const ROUTE: &str = "Gateway API's HTTPRoute, Envoy 1.40.0";
const SECURITY_POLICY: &str = "Envoy Gateway's SecurityPolicy, Envoy 1.40.0";
/// The fields of `cors` that are read.
const FIELDS: [&str; 6] =
    ["allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge", "allowCredentials"];

/// Reads the routes.
pub(crate) fn read_routes(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let objects = objects(files, &["HTTPRoute"])?;
    let objects: Vec<Object> =
        objects.iter().map(|(file, object)| of_route(object, file)).collect::<Result<_, _>>()?;
    let all = policies(&objects, Order::Longest)?;
    found(all, files, "HTTPRoute", "it has no HTTPRoute with a filter of type CORS")
}

fn of_route(object: &Value, file: &str) -> Result<Object, Failure> {
    let name = text(object, "/metadata/name").unwrap_or("route");
    let namespace = text(object, "/metadata/namespace");
    let place = format!("{file}, HTTPRoute {name}");
    let mut notes = Vec::new();
    let mut matches = Vec::new();
    for rule in object.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten() {
        let filters = rule.get("filters").and_then(Value::as_array);
        let cors = filters.into_iter().flatten().find_map(|filter| filter.get("cors"));
        let layer = cors.map(|cors| layer(cors, &place, &mut notes)).transpose()?;
        let conditions = rule.get("matches").and_then(Value::as_array);
        let one =
            |(path, beside)| Match { path, layer: layer.clone(), beside, place: place.clone() };
        match conditions.filter(|conditions| !conditions.is_empty()) {
            None => matches.push(one((None, Beside::Nothing))),
            Some(all) => matches.extend(all.iter().map(condition).map(one)),
        }
    }
    let back_ends = object.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
    if back_ends
        .filter_map(|rule| rule.get("backendRefs"))
        .any(|all| all.to_string().contains("\"cors\""))
    {
        let text = "a filter of type CORS at a back end is left out: a gateway reads it at a rule";
        notes.push(Note::decide("", &place, text));
    }
    notes.extend(headers_of_cors(object, &place));
    let parents = object.pointer("/spec/parentRefs").and_then(Value::as_array);
    let listeners = parents.into_iter().flatten().map(|parent| {
        let of = text(parent, "/namespace").or(namespace).unwrap_or("default");
        Listener {
            of: format!("{of}/{}", text(parent, "/name").unwrap_or_default()),
            section: text(parent, "/sectionName").map(str::to_owned),
            port: parent.get("port").and_then(Value::as_u64),
        }
    });
    Ok(Object {
        product: ROUTE,
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        place: place.clone(),
        created: created(object),
        listeners: listeners.collect(),
        parts: vec![Part { hosts: texts(object, "/spec/hostnames").unwrap_or_default(), matches }],
        notes,
    })
}

/// The path of a match, and what stands beside it.
fn condition(condition: &Value) -> (Option<BlockPath>, Beside) {
    let value = text(condition, "/path/value").unwrap_or("/");
    let path = match text(condition, "/path/type").unwrap_or("PathPrefix") {
        "Exact" => Some(BlockPath::Exact(value.to_owned())),
        "PathPrefix" => blocks::prefix(value),
        _ => return (None, Beside::Regex(value.to_owned())),
    };
    let mut wanted = Conditions::default();
    let mut is_known = true;
    let mut has_some = false;
    for (name, value) in condition.as_object().into_iter().flatten() {
        let mut pairs = Vec::new();
        for item in value.as_array().into_iter().flatten() {
            is_known &= text(item, "/type").is_none_or(|kind| kind == "Exact");
            pairs.push(text(item, "/name").zip(text(item, "/value")));
        }
        let pairs = pairs.into_iter().flatten();
        match name.as_str() {
            "path" => continue,
            "method" => wanted.method = value.as_str().map(str::to_owned),
            "headers" => wanted
                .headers
                .extend(pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))),
            "queryParams" => {
                wanted.query.extend(pairs.map(|(name, value)| format!("{name}={value}")));
            }
            _ => is_known = false,
        }
        has_some = true;
    }
    if has_some {
        (path, Beside::Conditions(is_known.then_some(wanted)))
    } else {
        (path, Beside::Nothing)
    }
}

/// Reads the policies.
pub(crate) fn read_security_policies(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let objects = objects(files, &["SecurityPolicy"])?;
    let mut all = Vec::new();
    for (file, object) in &objects {
        let Some(cors) = object.pointer("/spec/cors") else { continue };
        let name = text(object, "/metadata/name").unwrap_or("security-policy");
        let place = format!("{file}, SecurityPolicy {name}");
        let mut notes = vec![Note::decide(
            "",
            &place,
            "the policy covers every workload of its namespace: name those behind the target in `targetRefs` or `selector`",
        )];
        // A policy of a route stands in the place of its Gateway's, whole.
        if targets(object).iter().any(|target| target.kind == "Gateway") {
            let others = objects.iter().filter(|(_, other)| other != object);
            notes.extend(others.filter_map(|(file, other)| in_its_place(file, other)));
        }
        let layer = layer(cors, &place, &mut notes)?;
        let blocks = vec![Block { path: None, layer: Some(layer) }];
        let namespace = text(object, "/metadata/namespace");
        all.push(blocks::settings(SECURITY_POLICY, name, namespace, Vec::new(), blocks, notes));
    }
    found(all, files, "SecurityPolicy", "it has no SecurityPolicy with cors")
}

/// A target of a policy.
struct Target<'v> {
    kind: &'v str,
    name: &'v str,
}

fn targets(object: &Value) -> Vec<Target<'_>> {
    let many = object.pointer("/spec/targetRefs").and_then(Value::as_array);
    let one = object.pointer("/spec/targetRef");
    let selectors = object.pointer("/spec/targetSelectors").and_then(Value::as_array);
    let all = many.into_iter().flatten().chain(one).chain(selectors.into_iter().flatten());
    all.map(|target| Target {
        kind: text(target, "/kind").unwrap_or_default(),
        name: text(target, "/name").unwrap_or("by its labels"),
    })
    .collect()
}

/// The remark on a policy that stands in the place of a Gateway's at a route.
fn in_its_place(file: &str, object: &Value) -> Option<Note> {
    if text(object, "/spec/mergeType").is_some() {
        return None;
    }
    let targets = targets(object);
    let routes = targets.iter().filter(|target| target.kind.ends_with("Route"));
    let routes: Vec<&str> = routes.map(|target| target.name).collect();
    if routes.is_empty() {
        return None;
    }
    let name = text(object, "/metadata/name").unwrap_or_default();
    let text = match object.pointer("/spec/cors") {
        Some(_) => format!(
            "SecurityPolicy {name} takes the place of this one at the route {}: give its policy the hosts and paths of the route",
            routes.join(", ")
        ),
        None => format!(
            "SecurityPolicy {name} takes the place of this one at the route {}, and has no `cors`: its requests had no CORS; write a rule \
             with `mode: \"Off\"` for each of its paths",
            routes.join(", ")
        ),
    };
    Some(Note::decide("", file, text))
}

fn layer(cors: &Value, place: &str, notes: &mut Vec<Note>) -> Result<Layer, Failure> {
    unread(cors, "cors", &FIELDS, place, notes);
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
