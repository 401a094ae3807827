//! Probes: requests at the boundaries of the settings, each with its relation to them.

mod plan;

use crate::exchange::{Exchange, Response};
use crate::expression::Expression;
use crate::layer::{Layer, Names, OriginRule};
use crate::settings::{Conditions, Elsewhere, Settings};
use crate::unique::unique_by;
use plan::Plan;

/// The host of a request where no setting names one.
const HOST: &str = "api.example";

/// A request, with its relation to the settings.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) exchange: Exchange,
    pub(crate) origin: Relation,
    /// Whether an entry of the settings is meant for the whole origin.
    pub(crate) is_meant: bool,
    /// Whether the settings cover its path by a part of a segment.
    pub(crate) is_part_of_segment: bool,
    pub(crate) application: Application,
    /// The settings that answer it in the place of those of its path and host.
    pub(crate) elsewhere: Option<Elsewhere>,
}

/// The relation of an origin to the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Relation {
    /// No `Origin`.
    Absent,
    /// An origin of the settings.
    Named,
    /// A text that a regex of the settings matches.
    Sample,
    /// The same with a name behind it.
    BeyondName,
    /// The same with a port behind it.
    BeyondPort,
    /// An origin of the settings with its scheme, its port or its host changed.
    Neighbour,
    /// The same as no browser writes it.
    Misspelled,
    /// `null`.
    Null,
    /// Any other origin.
    Foreign,
}

/// An origin, with its relation to the settings.
type Origin = (Relation, String);

/// The answer of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Application {
    /// 200.
    Plain,
    /// 404 or 500.
    Error,
    /// 200 with an `Access-Control-Allow-Origin` of its own.
    Own,
}

/// The probes for settings.
pub(crate) struct Probes {
    /// The requests, each once.
    pub(crate) all: Vec<Probe>,
    /// The number of requests at the pairs of a path and an origin that are not judged, because there are too many.
    pub(crate) left_out: usize,
}

/// The probes for settings.
pub(crate) fn probes(settings: &Settings) -> Probes {
    let authority = settings.hostnames.first().map_or(HOST, String::as_str);
    let authority = authority.replacen("*.", "a.", 1);
    let layers = distinct(settings);
    let Probes { mut all, left_out } = Plan::of(settings, &layers, &authority).probes();
    unique_by(&mut all, |probe| probe.exchange.clone());
    for probe in &mut all {
        let path = &probe.exchange.path;
        let mut of_blocks = settings.blocks.iter().filter_map(|block| block.path.as_ref());
        probe.is_part_of_segment = of_blocks.any(|block| block.covers_part_of_segment(path));
        let origin = probe.exchange.header("origin").unwrap_or_default();
        let mut rules = layers.iter().flat_map(|layer| &layer.origins);
        probe.is_meant = rules.any(|rule| rule.is_meant_for(origin));
    }
    Probes { all, left_out }
}

/// The layers of settings, each once.
fn distinct(settings: &Settings) -> Vec<&Layer> {
    let mut layers: Vec<&Layer> = Vec::new();
    for layer in settings.blocks.iter().filter_map(|block| block.layer.as_ref()) {
        if !layers.contains(&layer) {
            layers.push(layer);
        }
    }
    layers
}

/// The requests that other settings answer. `named` is the first origin of the layers.
fn of_elsewhere(elsewhere: &Elsewhere, named: Option<&Origin>, authority: &str) -> Vec<Probe> {
    let Elsewhere { conditions, path, layer } = elsewhere;
    let Conditions { method, authority: other, headers, .. } = conditions;
    let write = Writer { authority: other.as_deref().unwrap_or(authority), path };
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let own: Vec<&Layer> = layer.iter().collect();
    let own = first_named(&own);
    let mut probes = Vec::new();
    for (relation, origin) in [own.as_ref(), named].into_iter().flatten() {
        let origin = (*relation, origin.as_str());
        probes.push(write.probe(method.as_deref().unwrap_or("GET"), origin, &headers, plain()));
        // A preflight has no header and no method of the request that follows.
        if headers.is_empty() && method.is_none() {
            probes.push(write.preflight(origin, "PUT", ""));
        }
    }
    for probe in &mut probes {
        probe.elsewhere = Some(elsewhere.clone());
    }
    probes
}

/// The first origin of layers, or a foreign one; absent: there is no layer.
fn first_named(layers: &[&Layer]) -> Option<Origin> {
    let mut origins = origins(layers).into_iter();
    origins.find(|(relation, _)| {
        !layers.is_empty() && (relation.is_of_settings() || *relation == Relation::Foreign)
    })
}

/// The origins at the boundaries of the settings.
fn origins(layers: &[&Layer]) -> Vec<Origin> {
    let mut origins = vec![(Relation::Absent, String::new())];
    origins.extend(layers.iter().flat_map(|layer| &layer.origins).flat_map(of_rule));
    origins.extend(
        [
            (Relation::Foreign, "https://evil.test"),
            (Relation::Foreign, "http://localhost:3000"),
            (Relation::Foreign, "http://127.0.0.1:8000"),
            (Relation::Foreign, "https://192.0.2.1"),
            (Relation::Foreign, "chrome-extension://abcdefghijklmnopabcdefghijklmnop"),
            (Relation::Null, "null"),
            (Relation::Misspelled, "evil.test"),
            (Relation::Misspelled, "https://"),
            (Relation::Misspelled, "NULL"),
        ]
        .map(|(relation, origin)| (relation, origin.to_owned())),
    );
    unique_by(&mut origins, |(_, origin)| origin.clone());
    origins
}

/// The origins at the boundaries of a rule.
fn of_rule(rule: &OriginRule) -> Vec<Origin> {
    match rule {
        OriginRule::Star | OriginRule::Echo => Vec::new(),
        OriginRule::Exact(origin) => around(origin),
        OriginRule::Regex(expression) => matched(expression),
    }
}

fn around(written: &str) -> Vec<Origin> {
    let origin = written.trim_end_matches('/');
    let Some((scheme, host)) = origin.split_once("://") else {
        return vec![(Relation::Misspelled, origin.to_owned())];
    };
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    let origin = format!("{scheme}://{host}");
    let other = if scheme == "https" { "http" } else { "https" };
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    let mut around = vec![
        (Relation::Named, origin.clone()),
        (Relation::Neighbour, format!("{other}://{host}")),
        (Relation::Neighbour, format!("{scheme}://{name}:8443")),
        (Relation::Neighbour, format!("{scheme}://{name}")),
        (Relation::Neighbour, format!("{scheme}://sub.{host}")),
        (Relation::Neighbour, format!("{scheme}://evil{host}")),
        (Relation::Neighbour, format!("{scheme}://{name}.evil.test")),
        (Relation::Misspelled, origin.to_ascii_uppercase()),
        (Relation::Misspelled, format!("{}://{host}", scheme.to_ascii_uppercase())),
        (Relation::Misspelled, format!("{origin}/")),
        (Relation::Misspelled, format!("{origin}/path")),
        (Relation::Misspelled, format!("{scheme}://user@{host}")),
        (Relation::Misspelled, format!("{origin}.")),
        (Relation::Misspelled, format!("{origin} https://evil.test")),
    ];
    let default = if scheme == "https" { 443 } else { 80 };
    if name == host {
        around.push((Relation::Misspelled, format!("{origin}:{default}")));
    }
    if let Some((_, parent)) = host.split_once('.')
        && parent.contains('.')
    {
        around.push((Relation::Neighbour, format!("{scheme}://{parent}")));
    }
    around
}

fn matched(expression: &Expression) -> Vec<Origin> {
    let mut origins = Vec::new();
    for sample in expression.samples() {
        let is_end = !sample.contains("://") && expression.is_open_at_start();
        let sample = if is_end { format!("https://a{sample}") } else { sample };
        let swapped = match sample.strip_prefix("https://") {
            Some(host) => format!("http://{host}"),
            None => sample.replacen("http://", "https://", 1),
        };
        origins.push((Relation::Sample, sample.clone()));
        origins.push((Relation::BeyondName, format!("{sample}.evil.test")));
        origins.push((Relation::BeyondPort, format!("{sample}:8443")));
        origins.push((Relation::Misspelled, format!("{sample}/")));
        origins.push((Relation::Misspelled, format!("{sample}/path")));
        origins.push((Relation::Neighbour, swapped));
        origins.push((Relation::Neighbour, sample.replace("://", "://evil-")));
        origins.push((Relation::Misspelled, sample.to_ascii_uppercase()));
        if let Some(at) = sample.rfind('.') {
            let (before, after) = sample.split_at_checked(at).unwrap_or((&sample, ""));
            let joined = format!("{before}x{}", after.trim_start_matches('.'));
            origins.push((Relation::Neighbour, joined));
        }
    }
    origins
}

/// The methods and the header names that preflights ask for.
struct Listed {
    methods: Vec<String>,
    names: Vec<String>,
    /// All the names as one value.
    all: String,
}

/// A writer of the requests at one path.
struct Writer<'a> {
    authority: &'a str,
    path: &'a str,
}

// === impl Relation ===

impl Relation {
    /// Whether the settings have the origin.
    fn is_of_settings(self) -> bool {
        matches!(self, Self::Named | Self::Sample)
    }

    /// Whether the answers to it tell the settings of one path from those of another.
    fn is_telling(self) -> bool {
        self.is_of_settings() || matches!(self, Self::Foreign | Self::Absent)
    }

    /// Whether the answers of applications are judged with it.
    fn has_applications(self) -> bool {
        matches!(self, Self::Absent | Self::Named | Self::Null | Self::Foreign)
    }
}

// === impl Listed ===

impl Listed {
    /// Those of layers, at most so many of each, and others.
    fn of(layers: &[&Layer], most: usize) -> Self {
        let listed = |names: fn(&Layer) -> &Names, others: &[&str]| {
            let lists = layers.iter().filter_map(|layer| match names(layer) {
                Names::Listed(list) => Some(list),
                Names::Requested => None,
            });
            let listed: Vec<String> = lists.flatten().take(most).cloned().collect();
            let lower: Vec<String> = listed.iter().map(|name| name.to_ascii_lowercase()).collect();
            let others = others.iter().map(|name| (*name).to_owned());
            let mut all: Vec<String> = listed.into_iter().chain(lower).chain(others).collect();
            unique_by(&mut all, String::clone);
            all
        };
        let methods = listed(
            |layer| &layer.methods,
            &["HEAD", "POST", "PUT", "PATCH", "DELETE", "QUERY", "patch", "PROPFIND"],
        );
        let names = listed(
            |layer| &layer.headers,
            &["authorization", "content-type", "x-unlisted", "accept"],
        );
        let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
        all.sort_unstable();
        let all = all.join(",").to_ascii_lowercase();
        Self { methods, names, all }
    }

    fn len(&self) -> usize {
        self.methods.len().saturating_add(self.names.len()).saturating_add(1)
    }
}

// === impl Writer ===

impl Writer<'_> {
    fn probe(
        &self,
        method: &str,
        (relation, origin): (Relation, &str),
        headers: &[(&str, &str)],
        (application, response): (Application, Response),
    ) -> Probe {
        let mut lines = Vec::new();
        if relation != Relation::Absent {
            lines.push(("origin".to_owned(), origin.to_owned()));
        }
        lines.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let exchange = Exchange {
            method: method.to_owned(),
            authority: self.authority.to_owned(),
            path: self.path.to_owned(),
            headers: lines,
            application: response,
        };
        Probe {
            exchange,
            origin: relation,
            is_meant: false,
            is_part_of_segment: false,
            application,
            elsewhere: None,
        }
    }

    fn preflight(&self, origin: (Relation, &str), method: &str, names: &str) -> Probe {
        let mut headers = vec![("access-control-request-method", method)];
        if !names.is_empty() {
            headers.push(("access-control-request-headers", names));
        }
        self.probe("OPTIONS", origin, &headers, plain())
    }

    fn requests(&self, relation: Relation, origin: &str) -> Vec<Probe> {
        let origin = (relation, origin);
        let mut probes = vec![
            self.probe("GET", origin, &[], plain()),
            self.probe("PUT", origin, &[], plain()),
            self.probe("OPTIONS", origin, &[], plain()),
        ];
        if relation != Relation::Absent {
            probes.push(self.preflight(origin, "GET", ""));
            probes.push(self.preflight(origin, "PUT", "content-type"));
        }
        probes
    }

    fn names(&self, (relation, origin): &Origin, listed: &Listed) -> Vec<Probe> {
        let origin = (*relation, origin.as_str());
        let Listed { methods, names, all } = listed;
        let by_method = methods.iter().map(|method| self.preflight(origin, method, ""));
        let by_name = names.iter().map(|name| self.preflight(origin, "POST", name));
        by_method.chain(by_name).chain([self.preflight(origin, "PUT", all)]).collect()
    }

    fn applications(&self, relation: Relation, origin: &str) -> Vec<Probe> {
        let mut probes = Vec::new();
        for (application, status, lines) in [
            (Application::Error, 404, &[][..]),
            (Application::Error, 500, &[]),
            (Application::Plain, 200, &[("vary", "Accept-Encoding")]),
            (Application::Own, 200, &[("access-control-allow-origin", "*")]),
        ] {
            let mut response = Response::empty(status);
            for (name, value) in lines {
                response.append(name, *value);
            }
            probes.push(self.probe("GET", (relation, origin), &[], (application, response)));
        }
        probes
    }
}

fn plain() -> (Application, Response) {
    (Application::Plain, Response::empty(200))
}
