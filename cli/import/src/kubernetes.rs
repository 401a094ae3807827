//! Objects of Kubernetes that are no gateway's: the annotations of ingress-nginx, Traefik's `Middleware`, Kong's `KongPlugin`.

use serde_json::Value;

use crate::SourceFile;
use crate::blocks;
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
    comparison: Comparison::Bytes,
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
                return Ok(None);
            }
            let list = |name, default: &str| split(annotation(name).unwrap_or(default));
            let mut origins = Vec::new();
            for origin in list("cors-allow-origin", "*") {
                match origin.as_str() {
                    "*" => origins.push(OriginRule::Star),
                    // One label, in any case.
                    starred if starred.contains('*') => {
                        let source = regex_syntax::escape(starred).replacen("\\*", "[a-z0-9-]+", 1);
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
            Ok(Some(("ingress-nginx", hosts(object), ingress_blocks(object, &layer))))
        },
    )
}

/// The layer at each path of an ingress: other paths of its hosts are other ingresses'.
fn ingress_blocks(object: &Value, layer: &Layer) -> Vec<Block> {
    let rules = object.pointer("/spec/rules").and_then(Value::as_array);
    let paths =
        rules.into_iter().flatten().filter_map(|rule| rule.pointer("/http/paths")?.as_array());
    let mut blocks: Vec<Block> = paths
        .flatten()
        .map(|path| {
            let value = text(path, "/path").unwrap_or("/");
            let is_exact = text(path, "/pathType") == Some("Exact");
            let path = if is_exact {
                Some(BlockPath::Exact(value.to_owned()))
            } else {
                blocks::prefix(value)
            };
            Block { path, layer: Some(layer.clone()) }
        })
        .collect();
    if blocks.is_empty() || blocks.iter().any(|block| block.path.is_none()) {
        blocks = vec![Block { path: None, layer: Some(layer.clone()) }];
    }
    blocks
}

fn hosts(object: &Value) -> Vec<String> {
    let rules = object.pointer("/spec/rules").and_then(Value::as_array);
    rules.into_iter().flatten().filter_map(|rule| text(rule, "/host")).map(str::to_owned).collect()
}

/// Reads the middlewares with `headers`.
pub(crate) fn read_middlewares(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    read(
        files,
        "Middleware",
        "it has no Middleware with accessControlAllowOriginList",
        |object, place, notes| {
            let Some(headers) = object.pointer("/spec/headers") else {
                return Ok(None);
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
                return Ok(None);
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
            Ok(Some(("Traefik", Vec::new(), vec![Block { path: None, layer: Some(layer) }])))
        },
    )
}

/// Reads the plugins named `cors`.
pub(crate) fn read_kong_plugins(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    read(files, "KongPlugin", "it has no KongPlugin with `plugin: cors`", |object, place, notes| {
        if text(object, "/plugin") != Some("cors") {
            return Ok(None);
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
        Ok(Some(("Kong", Vec::new(), vec![Block { path: None, layer: Some(layer) }])))
    })
}

/// The product, the hosts, and the blocks.
type Read = Option<(&'static str, Vec<String>, Vec<Block>)>;

fn read(
    files: &[SourceFile],
    kind: &str,
    missing: &str,
    layer: impl Fn(&Value, &str, &mut Vec<Note>) -> Result<Read, Failure>,
) -> Result<Vec<Settings>, Failure> {
    let mut all = Vec::new();
    for (file, object) in objects(files, &[kind])? {
        let name = text(&object, "/metadata/name").unwrap_or("imported");
        let place = format!("{file}, {kind} {name}");
        let mut notes = Vec::new();
        if let Some((product, hosts, blocks)) = layer(&object, &place, &mut notes)? {
            if hosts.is_empty() {
                let text = "the object names no host: the policy covers every host of its namespace; import again with --host";
                notes.push(Note::decide("", &place, text));
            }
            let namespace = text(&object, "/metadata/namespace");
            all.push(blocks::settings(product, name, namespace, hosts, blocks, notes));
        }
    }
    if all.is_empty() {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        return Err(Failure::unreadable(place, missing));
    }
    Ok(all)
}
