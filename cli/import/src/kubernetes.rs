//! Objects of Kubernetes that are no gateway's: the annotations of ingress-nginx, Traefik's `Middleware`, Kong's `KongPlugin`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::SourceFile;
use crate::blocks::{self, NoPrefix};
use crate::envoy::rule;
use crate::expression::Anchor;
use crate::fields::{objects, seconds, split, text, texts, truth};
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, Own, PlainOptions, Vary};
use crate::settings::{Block, BlockPath, Failure, Note, Settings};

const ANNOTATION: &str = "/metadata/annotations/nginx.ingress.kubernetes.io~1";
const INGRESS_METHODS: &str = "GET, PUT, POST, DELETE, PATCH, OPTIONS";
const INGRESS_HEADERS: &str = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization";
const INGRESS_MAX_AGE: u64 = 1_728_000;

const INGRESS: Habits = Habits {
    star_always: true,
    comparison: Comparison::IgnoreCase,
    success_status: 204,
    refused_origin: None,
    refused_names: None,
    refused_request: None,
    checks_method: false,
    plain_options: PlainOptions::AnsweredIfAllowed,
    vary: Vary::Never,
    own: Own::Replaced,
    errors: true,
};

const TRAEFIK: Habits = Habits {
    star_always: false,
    comparison: Comparison::Bytes,
    success_status: 200,
    refused_origin: Some(200),
    plain_options: PlainOptions::Forwarded,
    ..INGRESS
};

const KONG: Habits =
    Habits { success_status: 200, refused_origin: Some(200), vary: Vary::All, ..TRAEFIK };

/// Reads the ingresses with `enable-cors`.
pub(crate) fn read_ingresses(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    read(
        files,
        "Ingress",
        "it has no Ingress with nginx.ingress.kubernetes.io/enable-cors",
        |object, place, notes| {
            let annotation = |name: &str| text(object, &format!("{ANNOTATION}{name}"));
            if annotation("enable-cors") != Some("true") {
                return Ok(Vec::new());
            }
            let list = |name, default: &str| split(annotation(name).unwrap_or(default));
            let mut origins = Vec::new();
            for origin in list("cors-allow-origin", "*") {
                match origin.as_str() {
                    "*" => origins.push(OriginRule::Star),
                    // A part of one label.
                    starred if starred.contains('*') => {
                        let starred = starred.to_ascii_lowercase();
                        let source =
                            regex_syntax::escape(&starred).replacen("\\*", "[a-z0-9-]+", 1);
                        origins.extend(rule(&source, Anchor::Whole, false, place, notes));
                    }
                    _ => origins.push(OriginRule::Exact(origin)),
                }
            }
            let layer = Layer {
                origins,
                methods: Names::Listed(list("cors-allow-methods", INGRESS_METHODS)),
                headers: Names::Listed(list("cors-allow-headers", INGRESS_HEADERS)),
                expose: list("cors-expose-headers", ""),
                credentials: annotation("cors-allow-credentials") != Some("false"),
                max_age: annotation("cors-max-age")
                    .map_or(Some(INGRESS_MAX_AGE), |age| age.parse().ok()),
                paths: None,
                habits: INGRESS,
            };
            let of_hosts = ingress_hosts(object, &layer, place, notes);
            if !of_hosts.is_empty() && annotation("rewrite-target").is_some() {
                notes.push(blocks::rewritten(place));
            }
            Ok(of_hosts
                .into_iter()
                .map(|(hosts, blocks)| ("ingress-nginx", hosts, blocks))
                .collect())
        },
    )
}

/// The hosts of an ingress with the layer at each of their paths; hosts with the same paths are together.
fn ingress_hosts(
    object: &Value,
    layer: &Layer,
    place: &str,
    notes: &mut Vec<Note>,
) -> Vec<(Vec<String>, Vec<Block>)> {
    let everywhere = || vec![Block { path: None, layer: Some(layer.clone()) }];
    let rules = object.pointer("/spec/rules").and_then(Value::as_array);
    let mut of_hosts: BTreeMap<Option<&str>, Vec<Option<BlockPath>>> = BTreeMap::new();
    let mut have_paths = false;
    for rule in rules.into_iter().flatten() {
        let of_host = of_hosts.entry(text(rule, "/host")).or_default();
        let written = rule.pointer("/http/paths").and_then(Value::as_array);
        for written in written.into_iter().flatten() {
            have_paths = true;
            if let Ok(path) = path(written, is_regex(object)) {
                of_host.push(path);
            } else {
                let path = text(written, "/path").unwrap_or_default();
                let text = format!(
                    "`{path}` is a regex, and a rule has a prefix: write the rules that it means"
                );
                notes.push(Note::decide("", place, text));
            }
        }
    }
    let mut groups: Vec<(Vec<String>, Vec<Option<BlockPath>>)> = Vec::new();
    for (host, mut paths) in of_hosts {
        if have_paths && paths.is_empty() {
            let host = host.unwrap_or("*");
            let text = format!("the host `{host}` has no path, and is left out: write its policy");
            notes.push(Note::decide("", place, text));
            continue;
        }
        paths.sort();
        paths.dedup();
        // A rule without a host is a policy of its own: it covers every host.
        let same = groups
            .iter_mut()
            .find(|(hosts, others)| host.is_some() && !hosts.is_empty() && *others == paths);
        match (same, host) {
            (Some((hosts, _)), Some(host)) => hosts.push(host.to_owned()),
            (_, host) => groups.push((host.into_iter().map(str::to_owned).collect(), paths)),
        }
    }
    if groups.is_empty() && !have_paths {
        return vec![(Vec::new(), everywhere())];
    }
    // Other paths of a host are other ingresses'.
    let blocks = |paths: Vec<Option<BlockPath>>| {
        if paths.is_empty() || paths.contains(&None) {
            return everywhere();
        }
        paths.into_iter().map(|path| Block { path, layer: Some(layer.clone()) }).collect()
    };
    groups.into_iter().map(|(hosts, paths)| (hosts, blocks(paths))).collect()
}

/// Whether the paths of an ingress are regexes.
fn is_regex(ingress: &Value) -> bool {
    let annotation = |name: &str| text(ingress, &format!("{ANNOTATION}{name}"));
    annotation("use-regex") == Some("true") || annotation("rewrite-target").is_some()
}

fn path(path: &Value, is_regex: bool) -> Result<Option<BlockPath>, NoPrefix> {
    let (value, kind) = (text(path, "/path").unwrap_or("/"), text(path, "/pathType"));
    if !is_regex {
        return Ok(match kind {
            Some("Exact") => Some(BlockPath::Exact(value.to_owned())),
            Some("Prefix") => blocks::prefix(value),
            _ => blocks::start(value),
        });
    }
    let is_literal = |path: &str| !path.contains(|c| "()[]{}|*+?^$\\".contains(c));
    if let Some(path) = value.strip_suffix("(/|$)(.*)").filter(|path| is_literal(path)) {
        return Ok(blocks::prefix(path));
    }
    let path = [".*", "(.*)"].iter().find_map(|end| value.strip_suffix(end)).unwrap_or(value);
    if is_literal(path) { Ok(blocks::start(path)) } else { Err(NoPrefix) }
}

/// Reads the middlewares with `headers`.
pub(crate) fn read_middlewares(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    read(
        files,
        "Middleware",
        "it has no Middleware with accessControlAllowOriginList",
        |object, place, notes| {
            let Some(headers) = object.pointer("/spec/headers") else {
                return Ok(Vec::new());
            };
            let list = |name| texts(headers, name).unwrap_or_default();
            let mut origins: Vec<OriginRule> = Vec::new();
            for origin in list("/accessControlAllowOriginList") {
                origins.push(if origin == "*" {
                    OriginRule::Star
                } else {
                    OriginRule::Exact(origin)
                });
            }
            for source in list("/accessControlAllowOriginListRegex") {
                origins.extend(rule(&source, Anchor::Anywhere, false, place, notes));
            }
            if origins.is_empty() {
                return Ok(Vec::new());
            }
            let varies = truth(headers, "/addVaryHeader") == Some(true);
            let layer = Layer {
                origins,
                methods: Names::Listed(list("/accessControlAllowMethods")),
                headers: Names::Listed(list("/accessControlAllowHeaders")),
                expose: list("/accessControlExposeHeaders"),
                credentials: truth(headers, "/accessControlAllowCredentials").unwrap_or(false),
                max_age: seconds(headers, "/accessControlMaxAge"),
                paths: None,
                habits: Habits { vary: if varies { Vary::All } else { Vary::Never }, ..TRAEFIK },
            };
            Ok(vec![("Traefik", Vec::new(), vec![Block { path: None, layer: Some(layer) }])])
        },
    )
}

/// Reads the plugins named `cors`.
pub(crate) fn read_kong_plugins(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    read(files, "KongPlugin", "it has no KongPlugin with `plugin: cors`", |object, place, notes| {
        if text(object, "/plugin") != Some("cors") {
            return Ok(Vec::new());
        }
        let list = |name: &str| texts(object, &format!("/config/{name}"));
        let credentials = truth(object, "/config/credentials").unwrap_or(false);
        let written = list("origins").unwrap_or_else(|| vec!["*".to_owned()]);
        let mut origins = Vec::new();
        for origin in written {
            let is_literal = origin.split_once("://").is_some_and(|(_, host)| {
                host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c))
            });
            if origin == "*" && credentials {
                return Err(Failure::dangerous(
                    place,
                    "`*` with credentials answers each origin with itself and `true`: every site acts with the cookies of its visitors. \
                     Nothing is translated. List the origins that need cookies, or turn credentials off, and import again",
                ));
            } else if origin == "*" {
                origins.push(OriginRule::Star);
            } else if is_literal {
                origins.push(OriginRule::Exact(origin));
            } else {
                origins.extend(rule(&origin, Anchor::Whole, false, place, notes));
            }
        }
        let methods = "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT";
        let layer = Layer {
            origins,
            methods: Names::Listed(list("methods").unwrap_or_else(|| split(methods))),
            headers: list("headers").map_or(Names::Requested, Names::Listed),
            expose: list("exposed_headers").unwrap_or_default(),
            credentials,
            max_age: seconds(object, "/config/max_age"),
            paths: None,
            habits: KONG,
        };
        Ok(vec![("Kong", Vec::new(), vec![Block { path: None, layer: Some(layer) }])])
    })
}

/// The product, the hosts, and the blocks of each policy.
type Read = Vec<(&'static str, Vec<String>, Vec<Block>)>;

fn read(
    files: &[SourceFile],
    kind: &str,
    missing: &str,
    layer: impl Fn(&Value, &str, &mut Vec<Note>) -> Result<Read, Failure>,
) -> Result<Vec<Settings>, Failure> {
    let mut all = Vec::new();
    let mut missing = missing.to_owned();
    for (file, object) in objects(files, &[kind])? {
        let name = text(&object, "/metadata/name").unwrap_or("imported");
        let place = format!("{file}, {kind} {name}");
        let mut notes = Vec::new();
        let policies = layer(&object, &place, &mut notes)?;
        if let (true, Some(note)) = (policies.is_empty(), notes.first()) {
            missing.clone_from(&note.text);
        }
        let is_one = policies.len() == 1;
        for (product, hosts, blocks) in policies {
            let mut notes = notes.clone();
            if hosts.is_empty() {
                let text = "the object names no host: the policy covers every host of its namespace; import again with --host";
                notes.push(Note::decide("", &place, text));
            }
            let name = match hosts.first() {
                Some(host) if !is_one => {
                    format!("{name}-{}", host.replace("*.", "").replace('.', "-"))
                }
                _ => name.to_owned(),
            };
            let namespace = text(&object, "/metadata/namespace");
            all.push(blocks::settings(product, &name, namespace, hosts, blocks, notes));
        }
    }
    if all.is_empty() {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        return Err(Failure::unreadable(place, missing));
    }
    Ok(all)
}
