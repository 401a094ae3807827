//! Express: the options of the package `cors`, as JSON.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use crate::SourceFile;
use crate::envoy::rule;
use crate::expression::Anchor;
use crate::fields::{documents, seconds, split, texts, truth};
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, Own, PlainOptions, Vary};
use crate::settings::{Block, Failure, Note, Settings};

const PRODUCT: &str = "expressjs/cors 2.8.6";
const METHODS: &str = "GET,HEAD,PUT,PATCH,POST,DELETE";

/// Its answers, as measured: it answers every `OPTIONS`, and a header that the application sets stands in the place of its own.
const HABITS: Habits = Habits {
    star_always: true,
    comparison: Comparison::Bytes,
    success_status: 204,
    refused_origin: Some(204),
    refused_names: None,
    refused_request: None,
    checks_method: false,
    plain_options: PlainOptions::Answered,
    vary: Vary::UnlessOwn,
    own: Own::Kept,
    errors: true,
};

/// The options of the package.
const KEYS: [&str; 9] = [
    "origin",
    "methods",
    "allowedHeaders",
    "headers",
    "exposedHeaders",
    "credentials",
    "maxAge",
    "preflightContinue",
    "optionsSuccessStatus",
];
/// The extensions of JavaScript and TypeScript.
const EXTENSIONS: [&str; 6] = ["js", "cjs", "mjs", "ts", "cts", "mts"];
/// The words by which a file is JavaScript.
const SCRIPT: [&str; 6] = ["=>", "function", "require(", "module.exports", "export ", "const "];

/// Reads the options, one object in each file.
pub(crate) fn read(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let mut all = Vec::new();
    for file in files {
        let is_json = serde_json::from_str::<Value>(&file.text).is_ok();
        let extension = Path::new(&file.name).extension().and_then(OsStr::to_str);
        let is_script = extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
            || SCRIPT.iter().any(|word| file.text.contains(word));
        if !is_json && is_script {
            return Err(Failure::unreadable(
                &file.name,
                "this is JavaScript: write the options as JSON, such as {\"origin\": [\"https://app.example\"]}",
            ));
        }
    }
    for file in files {
        if documents(std::slice::from_ref(file))?.is_empty() {
            return Err(Failure::unreadable(
                &file.name,
                "it has no options object, such as {\"origin\": [\"https://app.example\"]}",
            ));
        }
    }
    for (file, options) in documents(files)? {
        if !options.is_object() {
            return Err(Failure::unreadable(
                file,
                "it is no object of options, such as {\"origin\": [\"https://app.example\"]}",
            ));
        }
        let mut notes = Vec::new();
        let success_status = success_status(&options);
        let layer = layer(&options, &file, &mut notes)?;
        all.push(Settings {
            product: PRODUCT,
            name: "express".to_owned(),
            namespace: None,
            hostnames: Vec::new(),
            blocks: vec![Block { path: None, layer: Some(layer.clone()) }],
            notes,
            system: Box::new(layer),
            paths: Vec::new(),
            success_status,
            elsewhere: Vec::new(),
            listeners: Vec::new(),
        });
    }
    Ok(all)
}

fn layer(options: &Value, place: &str, notes: &mut Vec<Note>) -> Result<Layer, Failure> {
    remarks(options, place, notes);
    // The package compares with `true`.
    let credentials = options.get("credentials") == Some(&Value::Bool(true));
    if truth(options, "/preflightContinue") == Some(true) {
        notes.push(Note::decide(
            "",
            place,
            "`preflightContinue` hands preflights to the application; the policy answers them",
        ));
    }
    let origins = match options.get("origin") {
        None => vec![OriginRule::Star],
        Some(Value::String(star)) if star == "*" => vec![OriginRule::Star],
        Some(off) if [Value::Bool(false), Value::Null, "".into()].contains(off) => {
            return Err(Failure::unreadable(
                place,
                "`origin: false`, or an empty one, turns CORS off: there is no policy to write",
            ));
        }
        Some(Value::Bool(true)) if credentials => {
            return Err(Failure::dangerous(
                place,
                "`origin: true` with credentials answers each origin with itself and `true`: every site acts with the cookies of its \
                 visitors. Nothing is translated. List the origins that need cookies, or turn credentials off, and import again",
            ));
        }
        Some(Value::Bool(true)) => vec![OriginRule::Echo],
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(Value::as_str)
            .filter_map(|item| origin(item, place, notes))
            .collect(),
        Some(Value::String(one)) => origin(one, place, notes).into_iter().collect(),
        Some(_) => {
            return Err(Failure::unreadable(
                place,
                "`origin` is no text, list or truth value: write a regex as the text \"/…/\", and a function as the list of the origins \
                 that it allows",
            ));
        }
    };
    let headers = texts(options, "/allowedHeaders").or_else(|| texts(options, "/headers"));
    Ok(Layer {
        origins,
        methods: Names::Listed(texts(options, "/methods").unwrap_or_else(|| split(METHODS))),
        headers: headers.map_or(Names::Requested, Names::Listed),
        expose: texts(options, "/exposedHeaders").unwrap_or_default(),
        credentials,
        max_age: seconds(options, "/maxAge"),
        paths: None,
        habits: Habits { success_status: success_status(options).unwrap_or(204), ..HABITS },
    })
}

/// The status of a passed preflight, where a policy can say it.
fn success_status(options: &Value) -> Option<u16> {
    match options.get("optionsSuccessStatus")?.as_u64()? {
        200 => Some(200),
        204 => Some(204),
        _ => None,
    }
}

/// Names what `JSON.stringify` may have dropped, and what no policy says.
fn remarks(options: &Value, place: &str, notes: &mut Vec<Note>) {
    if options.get("origin").is_none() {
        notes.push(Note::decide(
            "allowOrigins",
            place,
            "`origin` is missing, so the middleware allows `*`; `JSON.stringify` drops a function: confirm that it was none, or list the \
             origins that the function allows",
        ));
    }
    if options.get("credentials").is_some_and(|value| !value.is_boolean()) {
        notes.push(Note::decide(
            "allowCredentials",
            place,
            "`credentials` is no truth value, and the package sends none for it",
        ));
    }
    for (key, value) in options.as_object().into_iter().flatten() {
        let field = match key.as_str() {
            "origin" => "allowOrigins",
            "methods" => "allowMethods",
            "allowedHeaders" | "headers" => "allowHeaders",
            "exposedHeaders" => "exposeHeaders",
            _ => "",
        };
        for item in value.as_array().into_iter().flatten().filter(|item| !item.is_string()) {
            let text = format!(
                "`{item}` of `{key}` is no text and is left out; `JSON.stringify` writes a regex as `{{}}`: write it as the text \"/…/\""
            );
            notes.push(Note::decide(field, place, text));
        }
        if !KEYS.contains(&key.as_str()) {
            let text = format!("`{key}` is no option of the package; correct it, or leave it out");
            notes.push(Note::decide("", place, text));
        }
    }
    if let Some(status) = options.get("optionsSuccessStatus")
        && success_status(options).is_none()
    {
        let text = format!(
            "`optionsSuccessStatus` is {status}; the policy answers 204, or 200 by `preflight.successStatus`"
        );
        notes.push(Note::decide("", place, text));
    }
}

/// An origin, or a regex as JavaScript writes it.
fn origin(text: &str, place: &str, notes: &mut Vec<Note>) -> Option<OriginRule> {
    let regex = text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    match regex {
        Some((source, flags)) => rule(source, Anchor::Anywhere, flags.contains('i'), place, notes),
        None => Some(OriginRule::Exact(text.to_owned())),
    }
}
