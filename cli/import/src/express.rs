//! Express: the options of the package `cors`, as JSON.

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

/// Reads the options, one object in each file.
pub(crate) fn read(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let mut all = Vec::new();
    for (file, options) in documents(files)? {
        if !options.is_object() {
            return Err(Failure::unreadable(
                file,
                "it is no object of options, such as {\"origin\": [\"https://app.example\"]}",
            ));
        }
        let mut notes = Vec::new();
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
        });
    }
    Ok(all)
}

fn layer(options: &Value, place: &str, notes: &mut Vec<Note>) -> Result<Layer, Failure> {
    let credentials = truth(options, "/credentials").unwrap_or(false);
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
        Some(Value::Bool(false)) => {
            return Err(Failure::unreadable(
                place,
                "`origin: false` turns CORS off: there is no policy to write",
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
                "`origin` is no text, list or truth value: write what the function allows",
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
        habits: HABITS,
    })
}

/// An origin, or a regex as JavaScript writes it.
fn origin(text: &str, place: &str, notes: &mut Vec<Note>) -> Option<OriginRule> {
    let regex = text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    match regex {
        Some((source, flags)) => rule(source, Anchor::Anywhere, flags.contains('i'), place, notes),
        None => Some(OriginRule::Exact(text.to_owned())),
    }
}
