//! ingress-nginx: the annotations of an `Ingress`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::SourceFile;
use crate::blocks;
use crate::envoy::rule;
use crate::expression::Anchor;
use crate::fields::{
    created, names_header_of_cors, objects, of_other_kinds, shortened, split, text,
};
use crate::hosts::{Object, Order, Part, policies};
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, Own, PlainOptions, Vary};
use crate::matches::{Beside, Match, NoPrefix};
use crate::settings::{BlockPath, Failure, Listener, Note, Settings};

const PRODUCT: &str = "ingress-nginx";
const ANNOTATION: &str = "nginx.ingress.kubernetes.io/";
const METHODS: &str = "GET, PUT, POST, DELETE, PATCH, OPTIONS";
const HEADERS: &str = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization";
const MAX_AGE: u64 = 1_728_000;

pub(crate) const HABITS: Habits = Habits {
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

/// An `Ingress`, with the file that it stands in.
struct Ingress<'v> {
    object: &'v Value,
    place: String,
}

/// The hosts of the ingresses of a class.
struct Hosts {
    /// Those of rules.
    all: BTreeSet<String>,
    /// Those whose paths are regexes: one ingress with such paths makes those of every other one of the host regexes.
    with_regexes: BTreeSet<Option<String>>,
    /// The other names of a host, which have all of its paths.
    aliases: BTreeMap<String, Vec<String>>,
}

/// Reads the ingresses, those without `enable-cors` for the paths that they have at the hosts of the others.
pub(crate) fn read(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let objects = objects(files, &["Ingress"])?;
    let ingresses: Vec<Ingress<'_>> = objects
        .iter()
        .map(|(file, object)| Ingress {
            object,
            place: format!(
                "{file}, Ingress {}",
                text(object, "/metadata/name").unwrap_or_default()
            ),
        })
        .collect();
    let mut of_classes: BTreeMap<Option<&str>, Hosts> = BTreeMap::new();
    for ingress in &ingresses {
        let class = ingress.class();
        of_classes.entry(class).or_insert_with(|| hosts(&ingresses, class));
    }
    let object = |ingress: &Ingress<'_>| ingress.object(of_classes.get(&ingress.class())?);
    let objects: Vec<Object> = ingresses.iter().filter_map(object).collect();
    let mut all = policies(&objects, Order::Longest)?;
    let Some(first) = all.first_mut() else {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        let text = "it has no Ingress with nginx.ingress.kubernetes.io/enable-cors";
        return Err(Failure::unreadable(place, text));
    };
    first.notes.extend(of_other_kinds(files, &["Ingress"])?);
    Ok(all)
}

/// The hosts of the ingresses that a controller of that class may serve.
fn hosts(ingresses: &[Ingress<'_>], class: Option<&str>) -> Hosts {
    let mut hosts =
        Hosts { all: BTreeSet::new(), with_regexes: BTreeSet::new(), aliases: BTreeMap::new() };
    let is_served = |ingress: &&Ingress<'_>| {
        !ingress.is_canary()
            && class.zip(ingress.class()).is_none_or(|(class, other)| class == other)
    };
    let in_force = || ingresses.iter().filter(is_served);
    for ingress in in_force() {
        let has_regexes =
            ingress.is_true("use-regex") || ingress.annotation("rewrite-target").is_some();
        for rule in ingress.rules() {
            let host = text(rule, "/host").map(str::to_ascii_lowercase);
            hosts.all.extend(host.clone());
            if has_regexes {
                hosts.with_regexes.insert(host);
            }
        }
    }
    for ingress in in_force() {
        // The controller leaves out those that are hosts of rules.
        let mut aliases = ingress.list("server-alias", "");
        aliases.retain(|alias| {
            !alias.starts_with('~') && !hosts.all.contains(&alias.to_ascii_lowercase())
        });
        if let Some(host) = ingress.rules().filter_map(|rule| text(rule, "/host")).min() {
            hosts.aliases.entry(host.to_owned()).or_default().extend(aliases);
        }
    }
    hosts
}

// === impl Ingress ===

impl Ingress<'_> {
    fn annotation(&self, name: &str) -> Option<&str> {
        self.object.pointer("/metadata/annotations")?.get(format!("{ANNOTATION}{name}"))?.as_str()
    }

    /// A truth value, as Go's `strconv.ParseBool` reads it.
    fn is_true(&self, name: &str) -> bool {
        let annotations = self.object.pointer("/metadata/annotations");
        match annotations.and_then(|all| all.get(format!("{ANNOTATION}{name}"))) {
            Some(Value::Bool(truth)) => *truth,
            Some(Value::String(text)) => {
                matches!(text.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True")
            }
            _ => false,
        }
    }

    /// The class of the controller that serves it, by the annotation, which is older and comes first; absent: unknown.
    fn class(&self) -> Option<&str> {
        let annotations = self.object.pointer("/metadata/annotations");
        let annotation = annotations.and_then(|all| all.get("kubernetes.io/ingress.class"));
        annotation.and_then(Value::as_str).or_else(|| text(self.object, "/spec/ingressClassName"))
    }

    fn is_canary(&self) -> bool {
        self.is_true("canary")
    }

    fn rules(&self) -> impl Iterator<Item = &Value> {
        self.object.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten()
    }

    fn list(&self, name: &str, default: &str) -> Vec<String> {
        split(self.annotation(name).unwrap_or(default))
    }

    /// Its routes; absent: the controller takes neither its paths nor its annotations.
    fn object(&self, hosts: &Hosts) -> Option<Object> {
        if self.is_canary() && !self.is_true("enable-cors") {
            return None;
        }
        let mut notes = self.snippets();
        let layer = self.is_true("enable-cors").then(|| self.layer(&mut notes));
        if layer.is_none() && self.annotation("cors-allow-origin").is_some() {
            let text = "`cors-allow-origin` without `enable-cors: \"true\"` was never in force, and is left out";
            notes.push(Note::remark("", &self.place, text));
        }
        let parts = if self.is_canary() {
            let text = "a canary has the CORS annotations of the ingress beside it: its own were never in force, and are left out";
            notes.push(Note::remark("", &self.place, text));
            Vec::new()
        } else {
            self.parts(layer.as_ref(), hosts, &mut notes)
        };
        if layer.is_some() {
            let is_rewritten = self.annotation("rewrite-target").is_some();
            notes.extend(is_rewritten.then(|| blocks::rewritten(&self.place)));
            notes.extend(self.authentication());
        }
        Some(Object {
            product: PRODUCT,
            name: text(self.object, "/metadata/name").unwrap_or("imported").to_owned(),
            namespace: text(self.object, "/metadata/namespace").map(str::to_owned),
            place: self.place.clone(),
            created: created(self.object),
            listeners: self.class().map(Listener::all_of).into_iter().collect(),
            parts,
            notes,
        })
    }

    fn layer(&self, notes: &mut Vec<Note>) -> Layer {
        let mut origins = Vec::new();
        for origin in self.list("cors-allow-origin", "*") {
            match origin.as_str() {
                "*" => origins.push(OriginRule::Star),
                // The controller leaves out what has its `*` elsewhere.
                starred if starred.contains('*') && !is_first_label(starred) => {
                    let text = format!(
                        "`{starred}` is left out: the controller takes `*` as the first label of a host alone, so nothing was allowed by it"
                    );
                    notes.push(Note::decide("allowOrigins", &self.place, text));
                }
                // A part of one label.
                starred if starred.contains('*') => {
                    let starred = starred.to_ascii_lowercase();
                    let source = regex_syntax::escape(&starred).replacen("\\*", "[a-z0-9-]+", 1);
                    origins.extend(rule(&source, Anchor::Whole, false, &self.place, notes));
                }
                _ => origins.push(OriginRule::Exact(origin)),
            }
        }
        let credentials = self.annotation("cors-allow-credentials");
        Layer {
            origins,
            methods: self.names("cors-allow-methods", ("allowMethods", METHODS), "", notes),
            headers: self.names("cors-allow-headers", ("allowHeaders", HEADERS), "-_", notes),
            expose: self.list("cors-expose-headers", ""),
            credentials: credentials.is_none() || self.is_true("cors-allow-credentials"),
            max_age: Some(self.max_age()),
            paths: None,
            habits: HABITS,
        }
    }

    /// The names of an annotation, or the default where the controller does not take it: it takes letters and, for headers, digits and
    /// `also`, with at most a comma and a space between two names.
    fn names(
        &self,
        name: &str,
        (field, default): (&'static str, &str),
        also: &str,
        notes: &mut Vec<Note>,
    ) -> Names {
        let is_of_name = |c: char| {
            c.is_ascii_alphabetic() || !also.is_empty() && (c.is_ascii_digit() || also.contains(c))
        };
        let is_taken = |text: &&str| {
            let text = text.replace(", ", ",").replace(char::is_whitespace, ",");
            let text = text.strip_suffix(',').unwrap_or(&text);
            text.split(',').all(|name| !name.is_empty() && name.chars().all(is_of_name))
        };
        let written = self.annotation(name).filter(|text| !text.is_empty());
        let taken = written.filter(is_taken);
        if let (Some(written), None) = (written, taken) {
            let text = format!(
                "`{name}: {}` was never in force: the controller does not take it, and answers with its default, which is here",
                shortened(written)
            );
            notes.push(Note::decide(field, &self.place, text));
        }
        Names::Listed(split(taken.unwrap_or(default)))
    }

    /// The number of seconds, or the default where none is written.
    fn max_age(&self) -> u64 {
        self.annotation("cors-max-age").and_then(|age| age.parse().ok()).unwrap_or(MAX_AGE)
    }

    /// The routes of each host; hosts with the same ones are together.
    fn parts(&self, layer: Option<&Layer>, hosts: &Hosts, notes: &mut Vec<Note>) -> Vec<Part> {
        let one =
            |path, beside| Match { path, layer: layer.cloned(), beside, place: self.place.clone() };
        let mut of_hosts: BTreeMap<Option<&str>, Vec<Match>> = BTreeMap::new();
        for rule in self.rules() {
            let host = text(rule, "/host");
            let of_host = of_hosts.entry(host).or_default();
            let is_regex = hosts.with_regexes.contains(&host.map(str::to_ascii_lowercase));
            let written = rule.pointer("/http/paths").and_then(Value::as_array);
            of_host.extend(written.into_iter().flatten().map(|it| match path(it, is_regex) {
                Ok(path) => one(path, Beside::Nothing),
                Err(NoPrefix(source)) => one(None, Beside::Regex(source)),
            }));
        }
        if of_hosts.values().all(Vec::is_empty) {
            let hosts = of_hosts.keys().filter_map(|host| host.map(str::to_owned)).collect();
            return vec![Part { hosts, matches: vec![one(None, Beside::Nothing)] }];
        }
        let regexes = self.list("server-alias", "");
        for alias in regexes.iter().filter(|alias| layer.is_some() && alias.starts_with('~')) {
            let text = format!(
                "`server-alias` has the regex `{alias}`, and `hostnames` has none: write the hosts that it means"
            );
            notes.push(Note::decide("", &self.place, text));
        }
        let mut parts: Vec<Part> = Vec::new();
        for (host, mut matches) in of_hosts {
            if matches.is_empty() {
                let host = host.unwrap_or("*");
                let text =
                    format!("the host `{host}` has no path, and is left out: write its policy");
                notes.extend(layer.is_some().then(|| Note::decide("", &self.place, text)));
                continue;
            }
            matches.sort_by(|a, b| a.path.cmp(&b.path));
            let mut names: Vec<String> = host.map(str::to_owned).into_iter().collect();
            names.extend(
                host.and_then(|host| hosts.aliases.get(host)).into_iter().flatten().cloned(),
            );
            // A rule without a host is a policy of its own: it covers every host.
            let paths = |part: &Part| -> Vec<String> {
                part.matches.iter().map(|it| format!("{:?} {:?}", it.path, it.beside)).collect()
            };
            let new = Part { hosts: names, matches };
            let same = parts.iter_mut().find(|part| {
                host.is_some() && !part.hosts.is_empty() && paths(part) == paths(&new)
            });
            match same {
                Some(part) => part.hosts.extend(new.hosts),
                None => parts.push(new),
            }
        }
        parts
    }

    /// Remarks on the authentication, which the annotations of CORS come before.
    fn authentication(&self) -> impl Iterator<Item = Note> {
        let names = ["auth-url", "auth-type"].into_iter();
        names.filter(move |name| self.annotation(name).is_some()).map(move |name| {
            let text = format!(
                "`{name}` asks for credentials, which preflights do not carry: ingress-nginx answers preflights before it by these annotations, \
                 and without them it refuses preflights before the policy's filter: leave these paths to the annotations, with a rule and `mode: \"Off\"` \
                 here, or move the authentication behind the filter"
            );
            Note::decide("", &self.place, text)
        })
    }

    /// Remarks on headers of CORS in snippets, which are nginx's own directives.
    fn snippets(&self) -> Vec<Note> {
        let annotations = self.object.pointer("/metadata/annotations").and_then(Value::as_object);
        let mut notes = Vec::new();
        for (name, value) in annotations.into_iter().flatten() {
            let Some(name) = name.strip_prefix(ANNOTATION) else { continue };
            let value = value.as_str().unwrap_or_default();
            let is_snippet = !name.starts_with("cors-") && names_header_of_cors(value);
            if is_snippet {
                let text = format!(
                    "`{name}` has `{}`, and is not read: write what it means into the policy, and remove it with the annotations",
                    shortened(value)
                );
                notes.push(Note::decide("", &self.place, text));
            } else if name == "custom-headers" {
                let text = format!(
                    "`custom-headers` adds the headers of the ConfigMap `{value}`: look for `Access-Control-Allow-*` in it"
                );
                notes.push(Note::decide("", &self.place, text));
            }
        }
        notes
    }
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
    if is_literal(path) { Ok(blocks::start(path)) } else { Err(NoPrefix(value.to_owned())) }
}

/// Whether an origin has one `*`, as the first label of its host.
fn is_first_label(origin: &str) -> bool {
    let rest = origin.split_once("://*.").map(|(_, rest)| rest);
    rest.is_some_and(|rest| !rest.contains('*'))
}
