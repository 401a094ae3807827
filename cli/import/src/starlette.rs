//! Starlette and `FastAPI`: the arguments of `CORSMiddleware`.

use std::collections::BTreeMap;

use crate::expression::{Anchor, Expression};
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, Own, PlainOptions, Vary};
use crate::python::{Call, Module, Value, headers_of_cors, settle, texts};
use crate::settings::{Block, Failure, Note, Settings};
use crate::{Options, SourceFile};

const PRODUCT: &str = "Starlette 1.10.0";
const MIDDLEWARE: &str = "CORSMiddleware";
/// The methods that `*` stands for.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// The headers that are always listed.
const HEADERS: [&str; 4] = ["Accept", "Accept-Language", "Content-Language", "Content-Type"];
const DEFAULT_MAX_AGE: u64 = 600;

/// Its answers, as measured.
const HABITS: Habits = Habits {
    star_always: false,
    comparison: Comparison::Bytes,
    success_status: 200,
    refused_origin: Some(400),
    refused_names: Some(400),
    refused_request: None,
    checks_method: false,
    plain_options: PlainOptions::Forwarded,
    vary: Vary::All,
    own: Own::Replaced,
    errors: true,
};

/// Reads the call that adds the middleware, in the last file that has one.
pub(crate) fn read(files: &[SourceFile], options: &Options) -> Result<Vec<Settings>, Failure> {
    let module = Module::read(files, options, &[])?;
    let is_middleware = |call: &&Call| call.names.iter().any(|name| name.ends_with(MIDDLEWARE));
    let Some(call) = module.calls.iter().rfind(is_middleware) else {
        let place = files.last().map(|file| file.name.clone()).unwrap_or_default();
        let text = "it has no call with CORSMiddleware and its arguments";
        return Err(Failure::unreadable(place, text));
    };
    let mut arguments =
        Arguments { named: call.named.clone(), place: &call.place, notes: Vec::new() };
    let layer = arguments.layer()?;
    arguments.name_unread(call);
    arguments.notes.extend(headers_of_cors(files));
    for other in module.calls.iter().filter(is_middleware).filter(|other| other.place != call.place)
    {
        let text = format!(
            "a second CORSMiddleware at {} is left out: this one, the last that is added, answers first; write what the other means",
            other.place
        );
        arguments.notes.push(Note::decide("", &call.place, text));
    }
    Ok(vec![Settings {
        success_status: None,
        elsewhere: Vec::new(),
        listeners: Vec::new(),
        product: PRODUCT,
        name: "starlette".to_owned(),
        namespace: None,
        hostnames: Vec::new(),
        blocks: vec![Block { path: None, layer: Some(layer.clone()) }],
        notes: arguments.notes,
        system: Box::new(layer),
        paths: Vec::new(),
    }])
}

/// The arguments of the call.
struct Arguments<'a> {
    named: BTreeMap<String, Value>,
    place: &'a str,
    notes: Vec<Note>,
}

// === impl Arguments ===

impl Arguments<'_> {
    fn get(&mut self, name: &str, field: &'static str) -> Option<Value> {
        let value = self.named.remove(name)?;
        Some(settle(name, value, field, &mut self.notes))
    }

    fn texts(&mut self, name: &str, field: &'static str) -> Result<Option<Vec<String>>, Failure> {
        self.get(name, field).map(|value| texts(name, value, self.place)).transpose()
    }

    /// Names the arguments that are left.
    fn name_unread(&mut self, call: &Call) {
        for name in self.named.keys() {
            let text =
                format!("the argument `{name}` is not read: write what it means into the policy");
            self.notes.push(Note::decide("", self.place, text));
        }
        if call.plain > 1 {
            let text = "an argument without a name is not read: write it as `allow_origins=[…]` or the like, and import again";
            self.notes.push(Note::decide("", self.place, text));
        }
    }

    fn layer(&mut self) -> Result<Layer, Failure> {
        let credentials = self.get("allow_credentials", "allowCredentials");
        let credentials = credentials.and_then(|value| value.truth()).unwrap_or(false);
        let methods = self.texts("allow_methods", "allowMethods")?;
        let methods = methods.unwrap_or_else(|| vec!["GET".to_owned()]);
        let methods = if methods.iter().any(|method| method == "*") {
            METHODS.map(str::to_owned).to_vec()
        } else {
            methods
        };
        let headers = self.texts("allow_headers", "allowHeaders")?.unwrap_or_default();
        let headers = if headers.iter().any(|name| name == "*") {
            Names::Requested
        } else {
            Names::Listed([HEADERS.map(str::to_owned).to_vec(), headers].concat())
        };
        Ok(Layer {
            origins: self.origins(credentials)?,
            methods: Names::Listed(methods),
            headers,
            expose: self.texts("expose_headers", "exposeHeaders")?.unwrap_or_default(),
            credentials,
            max_age: match self.get("max_age", "maxAge") {
                Some(Value::Int(seconds)) => u64::try_from(seconds).ok(),
                _ => Some(DEFAULT_MAX_AGE),
            },
            paths: None,
            habits: HABITS,
        })
    }

    fn origins(&mut self, credentials: bool) -> Result<Vec<OriginRule>, Failure> {
        let origins = self.texts("allow_origins", "allowOrigins")?.unwrap_or_default();
        if origins.iter().any(|origin| origin == "*") {
            if credentials {
                let text = "allow_origins=[\"*\"] with allow_credentials=True answers every origin with itself and `true`: every site \
                            acts with the cookies of its visitors. Nothing is translated. List the origins that need cookies, or set \
                            allow_credentials to False, and import again";
                return Err(Failure::dangerous(self.place, text));
            }
            return Ok(vec![OriginRule::Star]);
        }
        let mut rules: Vec<OriginRule> = origins.into_iter().map(OriginRule::Exact).collect();
        if let Some(Value::Text(source)) = self.get("allow_origin_regex", "allowOriginRegexes") {
            match Expression::parse(&source, Anchor::Whole, false) {
                Ok(expression) => rules.push(OriginRule::Regex(expression)),
                Err(error) => {
                    let text =
                        format!("`{source}` is left out: {error}; write the origins as patterns");
                    self.notes.push(Note::decide("allowOriginRegexes", self.place, text));
                }
            }
        }
        Ok(rules)
    }
}
