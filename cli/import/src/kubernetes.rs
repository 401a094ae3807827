//! Objects of Kubernetes that have settings and no routes: Traefik's `Middleware`, Kong's `KongPlugin`.

use serde_json::Value;

use crate::SourceFile;
use crate::blocks;
use crate::envoy::{rule, unread};
use crate::expression::Anchor;
use crate::fields::{headers_of_cors, objects, of_other_kinds, seconds, split, text, texts, truth};
use crate::hosts::NO_HOST;
use crate::ingress;
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, PlainOptions, Vary};
use crate::settings::{Block, Failure, Note, Settings};

const TRAEFIK: Habits = Habits {
    star_always: false,
    comparison: Comparison::Bytes,
    success_status: 200,
    refused_origin: Some(200),
    plain_options: PlainOptions::Forwarded,
    ..ingress::HABITS
};

const KONG: Habits =
    Habits { success_status: 200, refused_origin: Some(200), vary: Vary::All, ..TRAEFIK };

/// The fields of a plugin's `config` that are read.
const KONG_FIELDS: [&str; 6] =
    ["origins", "methods", "headers", "exposed_headers", "credentials", "max_age"];

/// Reads the middlewares with `headers`.
pub(crate) fn read_middlewares(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let kinds = ["Middleware"];
    let missing = "it has no Middleware with accessControlAllowOriginList";
    read(files, &kinds, "Traefik", missing, |object, place, notes| {
        notes.extend(headers_of_cors(object, place));
        let Some(headers) = object.pointer("/spec/headers") else {
            return Ok(None);
        };
        let list = |name| texts(headers, name).unwrap_or_default();
        let mut origins: Vec<OriginRule> = Vec::new();
        for origin in list("/accessControlAllowOriginList") {
            origins.push(if origin == "*" { OriginRule::Star } else { OriginRule::Exact(origin) });
        }
        for source in list("/accessControlAllowOriginListRegex") {
            origins.extend(rule(&source, Anchor::Anywhere, false, place, notes));
        }
        if origins.is_empty() {
            let is_cors = headers.to_string().contains("accessControl");
            let text = "`accessControl*` without an origin allows none: the object has no policy";
            notes.extend(is_cors.then(|| Note::remark("", place, text)));
            return Ok(None);
        }
        let varies = truth(headers, "/addVaryHeader") == Some(true);
        Ok(Some(Layer {
            origins,
            methods: Names::Listed(list("/accessControlAllowMethods")),
            headers: Names::Listed(list("/accessControlAllowHeaders")),
            expose: list("/accessControlExposeHeaders"),
            credentials: truth(headers, "/accessControlAllowCredentials").unwrap_or(false),
            max_age: seconds(headers, "/accessControlMaxAge"),
            paths: None,
            habits: Habits { vary: if varies { Vary::All } else { Vary::Never }, ..TRAEFIK },
        }))
    })
}

/// Reads the plugins named `cors`.
pub(crate) fn read_kong_plugins(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let kinds = ["KongPlugin", "KongClusterPlugin"];
    let missing = "it has no KongPlugin with `plugin: cors`";
    read(files, &kinds, "Kong", missing, |object, place, notes| {
        if text(object, "/plugin") != Some("cors") {
            notes.extend(headers_of_cors(object, place));
            return Ok(None);
        }
        if truth(object, "/disabled") == Some(true) {
            notes.push(Note::remark("", place, "`disabled: true`: the plugin was not in force"));
            return Ok(None);
        }
        for field in ["configFrom", "configPatches"] {
            if object.get(field).is_some() {
                let text = format!(
                    "`{field}` has settings in a Secret: write them into `config`, and import again"
                );
                return Err(Failure::unreadable(place, text));
            }
        }
        if text(object, "/kind") == Some("KongClusterPlugin") {
            let text = "the plugin is for every namespace, and a policy for one: write one in each namespace that needs it";
            notes.push(Note::decide("", place, text));
        }
        let config = object.get("config").unwrap_or(&Value::Null);
        unread(config, "config", &KONG_FIELDS, place, notes);
        kong_layer(config, place, notes).map(Some)
    })
}

fn kong_layer(config: &Value, place: &str, notes: &mut Vec<Note>) -> Result<Layer, Failure> {
    let list = |name: &str| texts(config, &format!("/{name}"));
    let credentials = truth(config, "/credentials").unwrap_or(false);
    // An empty list is every origin, as none.
    let written = list("origins").filter(|it| !it.is_empty());
    let written = written.unwrap_or_else(|| vec!["*".to_owned()]);
    // One alone is answered as it is written; several are compared.
    let are_compared = written.len() > 1;
    let mut origins = Vec::new();
    for origin in written {
        let is_literal = origin.chars().all(|c| c.is_ascii_alphanumeric() || "-.:/".contains(c));
        if origin == "*" && credentials {
            return Err(Failure::dangerous(
                place,
                "`*` with credentials answers each origin with itself and `true`: every site acts with the cookies of its visitors. \
                 Nothing is translated. List the origins that need cookies, or turn credentials off, and import again",
            ));
        } else if origin == "*" {
            origins.push(OriginRule::Star);
        } else if is_literal {
            origins.push(OriginRule::Exact(if are_compared { normal(&origin) } else { origin }));
        } else if origin.contains(':') {
            origins.extend(rule(&origin, Anchor::Whole, false, place, notes));
        } else {
            // A regex without a colon is compared with the host alone.
            let source = format!("https?://(?:{origin})(?::[0-9]+)?");
            origins.extend(rule(&source, Anchor::Whole, false, place, notes));
        }
    }
    let methods = "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT";
    Ok(Layer {
        origins,
        methods: Names::Listed(list("methods").unwrap_or_else(|| split(methods))),
        headers: list("headers").map_or(Names::Requested, Names::Listed),
        expose: list("exposed_headers").unwrap_or_default(),
        credentials,
        max_age: seconds(config, "/max_age"),
        paths: None,
        habits: KONG,
    })
}

/// An origin as Kong compares it: without a path and a default port.
fn normal(origin: &str) -> String {
    let Some((scheme, rest)) = origin.split_once("://") else { return origin.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    let default = if scheme == "https" { ":443" } else { ":80" };
    format!("{scheme}://{}", authority.strip_suffix(default).unwrap_or(authority))
}

fn read(
    files: &[SourceFile],
    kinds: &[&str],
    product: &'static str,
    missing: &str,
    layer: impl Fn(&Value, &str, &mut Vec<Note>) -> Result<Option<Layer>, Failure>,
) -> Result<Vec<Settings>, Failure> {
    let mut all: Vec<Settings> = Vec::new();
    let mut orphans = Vec::new();
    for (file, object) in objects(files, kinds)? {
        let name = text(&object, "/metadata/name").unwrap_or("imported");
        let kind = text(&object, "/kind").unwrap_or_default();
        let place = format!("{file}, {kind} {name}");
        let mut notes = Vec::new();
        let Some(layer) = layer(&object, &place, &mut notes)? else {
            orphans.extend(notes);
            continue;
        };
        notes.push(Note::decide("", &place, NO_HOST));
        let namespace = text(&object, "/metadata/namespace");
        let blocks = vec![Block { path: None, layer: Some(layer) }];
        all.push(blocks::settings(product, name, namespace, Vec::new(), blocks, notes));
    }
    orphans.extend(of_other_kinds(files, kinds)?);
    let Some(first) = all.first_mut() else {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        let text = orphans.first().map_or(missing, |note| note.text.as_str());
        return Err(Failure::unreadable(place, text));
    };
    first.notes.extend(orphans);
    Ok(all)
}
