//! Counterparts: the names in corsward of fields of other systems outside of `cors` blocks.

use corsward_api::GATEWAY_GROUP;
use corsward_policy::finding::Written;
use corsward_policy::header_line;
use serde_json::{Map, Value};

use crate::foreign::{self, fold, truth};

/// The counterpart of a field of a different system.
pub(crate) enum Counterpart {
    /// A field of the resource.
    Field {
        /// The field, from the root of the object.
        field: String,
        /// The new value.
        becomes: Becomes,
        /// A note for the author.
        note: &'static str,
    },
    /// No field: what to do instead.
    Advice(&'static str),
}

/// The fate of a value.
pub(crate) enum Becomes {
    /// It is moved as it stands, or as something else that is meant by it.
    Itself,
    /// This is written.
    Value(Written),
    /// Its author knows.
    Unknown,
}

/// The place of a foreign field.
struct Site<'a> {
    /// The mapping that it is in.
    path: &'a str,
    /// The rule that this is, or is in.
    rule: Option<&'a str>,
    value: &'a Value,
}

/// Names around a block of CORS in configuration of Spring.
const WRAPPERS: [&str; 10] = [
    "spring",
    "cloud",
    "gateway",
    "webflux",
    "mvc",
    "graphql",
    "globalcors",
    "cors",
    "corsconfigurations",
    "mappings",
];

/// The block of CORS that other mappings are around; `None`: it is the block of some paths alone.
pub(crate) fn unwrapped(block: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let mut block = block;
    loop {
        let mut entries = block.iter();
        let (Some((name, Value::Object(inner))), None) = (entries.next(), entries.next()) else {
            return Some(block);
        };
        match path_of_block(name) {
            Some("/**" | "/*") => {}
            Some(_) => return None,
            None if WRAPPERS.contains(&fold(name).as_str()) => {}
            None => return Some(block),
        }
        block = inner;
    }
}

/// The path, in the syntax of Spring, that a block of CORS is for: `/**`, in `globalcors.cors-configurations.[/**].allowedOrigins`.
pub(crate) fn path_of_block(name: &str) -> Option<&str> {
    let path = match name.split_once("[/") {
        Some((before, _)) => {
            let rest = name.get(before.len().saturating_add(1)..)?;
            rest.split_once(']').map_or(rest, |(path, _)| path)
        }
        None => name.trim_matches(['\'', '"']),
    };
    path.starts_with('/').then_some(path)
}

pub(crate) const EVERY_ORIGIN: &str = "list the origins that may read responses in `allowOrigins`: such a value stands for the origin of each request, which allows every origin";
const FUNCTION: &str = "list the origins that it accepts in `allowOrigins`, or patterns of them such as `https://*.app.example`: a policy has no code";
const NO_ORIGIN: &str = "remove it: an origin is allowed only where a list names it";
const PRIVATE_NETWORK: &str =
    "remove it: no browser asks for that header any more, as `docs/private-networks.md` says";
const VARY: &str = "remove it: `Vary` is sent wherever an answer depends on the origin";
pub(crate) const RULE_FOR_EACH: &str = "write a rule for each path into `rules`: `path: {type: PathPrefix, value: /api}`, with the `cors` of that path";
const PATH_OF_RULE: &str =
    "write `path: {type: PathPrefix, value: /api}`, and a rule for each path";
const HOST_OF_RULE: &str =
    "write a policy of its own with `hostnames`: a rule has a path and no host";
const NOT_FORWARDED: &str =
    "remove it: preflights are forwarded only where `preflight: {onFailure: Forward}` says so";
const WILDCARD: &str = "remove it: a star in `allowOrigins` is a pattern without it";
const EACH_HEADER: &str = "write the value of each header of CORS into a field of `cors`, such as `allowOrigins` for `Access-Control-Allow-Origin`";
const OTHER_HEADER: &str = "remove it: a policy sets the headers of CORS alone";
const NAMESPACE: &str = "write it as `metadata.namespace`: a policy is for its own namespace";
const OWN_NAMESPACE: &str = "remove it: a target is of the policy's own namespace";
const ISTIO_GATEWAY: &str = "name the Gateway of `gateway.networking.k8s.io` in `targetRefs`, or the labels of its pods in `selector`";
const EXPRESSIONS: &str = "list the labels in `matchLabels`: there are no expressions here";
const WHOLE_NAMESPACE: &str =
    "remove it: without `selector` every workload of the namespace is meant";

/// Returns the counterpart of the field `name` of the mapping at `path`.
pub(crate) fn of(path: &str, name: &str, value: &Value) -> Option<Counterpart> {
    let folded = fold(name.rsplit('/').next().unwrap_or(name));
    let rule = path.starts_with("spec.rules[").then(|| {
        let end = path.find(']').map_or(path.len(), |end| end.saturating_add(1));
        path.get(..end).unwrap_or(path)
    });
    let site = Site { path, rule, value };
    if path == "spec.selector" {
        // Any other name may be a label's.
        return site.labels(&folded);
    }
    if foreign::field(name) == Some("allowOrigins") || folded == "originregex" {
        return site.reflected();
    }
    if let Some(found) = site.header(name) {
        return Some(found);
    }
    let name = folded.as_str();
    if let Some(decided) = site.decided(name) {
        return Some(decided);
    }
    site.switch(name)
        .or_else(|| site.preflight(name))
        .or_else(|| site.every(name))
        .or_else(|| site.scope(name))
        .or_else(|| site.path(name))
        .or_else(|| site.others(name))
}

// === impl Counterpart ===

impl Counterpart {
    fn field(field: impl Into<String>, value: impl Into<Option<Written>>) -> Self {
        let becomes = value.into().map_or(Becomes::Unknown, Becomes::Value);
        Self::Field { field: field.into(), becomes, note: "" }
    }

    fn itself(field: impl Into<String>) -> Self {
        Self::Field { field: field.into(), becomes: Becomes::Itself, note: "" }
    }
}

// === impl Site ===

impl Site<'_> {
    fn truth(&self) -> Option<bool> {
        match self.value {
            Value::Bool(truth) => Some(*truth),
            Value::String(text) => truth(text),
            _ => None,
        }
    }

    /// A list of origins by which the origin of each request is meant.
    fn reflected(&self) -> Option<Counterpart> {
        match self.value {
            Value::Bool(false) => Some(Counterpart::Advice(NO_ORIGIN)),
            Value::Array(entries)
                if entries.iter().any(|entry| entry.is_object() && foreign::is_every(entry)) =>
            {
                Some(Counterpart::Advice(EVERY_ORIGIN))
            }
            value => foreign::reflects("allowOrigins", value)
                .then_some(Counterpart::Advice(EVERY_ORIGIN)),
        }
    }

    /// A directive that sets a header, or lines of such directives.
    fn header(&self, name: &str) -> Option<Counterpart> {
        const SNIPPETS: [&str; 4] =
            ["configurationsnippet", "serversnippet", "locationsnippet", "snippet"];
        const DIRECTIVES: [&str; 4] = ["addheader", "addheaders", "moresetheaders", "httpresponse"];
        let folded = fold(name.rsplit('/').next().unwrap_or(name));
        let block = match self.path {
            path if foreign::leaf(path) == "cors" => path.to_owned(),
            _ => format!("{}.cors", self.rule.unwrap_or("spec")),
        };
        let text = match self.value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => self.value.to_string(),
            _ => {
                return DIRECTIVES
                    .contains(&folded.as_str())
                    .then_some(Counterpart::Advice(EACH_HEADER));
            }
        };
        if SNIPPETS.contains(&folded.as_str()) {
            return Some(match foreign::block_of_lines(&block, &text) {
                Some(lines) => Counterpart::field(block, lines),
                None => Counterpart::Advice(EACH_HEADER),
            });
        }
        let line = format!("{name} {text}");
        let (header, value) = header_line::read(&line)?;
        let Some(field) = foreign::field(header) else {
            return Some(Counterpart::Advice(match fold(header).as_str() {
                "vary" => VARY,
                "accesscontrolallowprivatenetwork" => PRIVATE_NETWORK,
                _ => OTHER_HEADER,
            }));
        };
        let field = format!("{block}.{field}");
        if foreign::reflects(&field, &Value::from(value)) {
            return Some(Counterpart::Advice(EVERY_ORIGIN));
        }
        let value = foreign::of_header(&field, value);
        Some(Counterpart::field(field, value))
    }

    /// Code or a switch that decides about the origin of each request.
    fn decided(&self, name: &str) -> Option<Counterpart> {
        const CODE: [&str; 8] = [
            "func",
            "function",
            "fn",
            "callback",
            "predicate",
            "resolver",
            "validator",
            "delegate",
        ];
        const SWITCHES: [&str; 4] = ["reflect", "echo", "mirror", "dynamic"];
        let is_of_origin = name.contains("origin");
        let is_code = is_of_origin && CODE.iter().any(|end| name.ends_with(end));
        if is_code || matches!(name, "isoriginallowed" | "setisoriginallowed" | "checkorigin") {
            return Some(Counterpart::Advice(FUNCTION));
        }
        let is_switch = name == "mirrorrequest"
            || SWITCHES.iter().any(|it| name == *it || is_of_origin && name.contains(it));
        is_switch.then(|| match self.truth() {
            Some(false) => Counterpart::Advice(NO_ORIGIN),
            _ => Counterpart::Advice(EVERY_ORIGIN),
        })
    }

    /// Whether anything is enforced, or only counted.
    fn switch(&self, name: &str) -> Option<Counterpart> {
        let (on, off) = match name {
            "enabled" | "enable" | "enablecors" | "corsenabled" | "corsenable" | "active"
            | "filterenabled" => ("Active", "Off"),
            "disabled" | "disable" | "disablecors" | "corsdisabled" | "suspend" | "suspended"
            | "paused" => ("Off", "Active"),
            "dryrun" | "reportonly" | "shadow" | "shadowmode" | "shadowenabled" | "audit" => {
                ("DryRun", "Active")
            }
            "enforcement" | "enforcementmode" | "state" => {
                let word = foreign::word("mode", self.value.as_str()?)?;
                return Some(Counterpart::field("spec.mode", Written::text(word)));
            }
            _ => return None,
        };
        let word = self.truth().map(|is_on| if is_on { on } else { off });
        if let Some(rule) = self.rule
            && word != Some("DryRun")
        {
            let field = format!("{rule}.mode");
            let becomes = word.map_or(Becomes::Unknown, |word| Becomes::Value(Written::text(word)));
            let note = if word == Some("Off") { ", which stands beside `path` alone" } else { "" };
            return Some(Counterpart::Field { field, becomes, note });
        }
        Some(Counterpart::field("spec.mode", word.map(Written::text)))
    }

    /// The status of a preflight that passes.
    fn success_status(&self) -> Option<i64> {
        let text = self.value.as_str().and_then(|text| text.trim().parse().ok());
        self.value.as_i64().or(text).filter(|status| matches!(status, 200 | 204))
    }

    /// Counterparts in the answers to preflights.
    fn preflight(&self, name: &str) -> Option<Counterpart> {
        let on_failure = |word| {
            let note = " (the proxy still answers a preflight that passes)";
            let becomes = Becomes::Value(Written::text(word));
            Counterpart::Field { field: "spec.preflight.onFailure".into(), becomes, note }
        };
        match name {
            "onfailure" if self.success_status().is_none() => None,
            "onfailure"
            | "optionssuccessstatus"
            | "optionssuccessstatuscode"
            | "optionsstatus"
            | "optionsstatuscode"
            | "optionsresponsestatuscode"
            | "preflightstatus"
            | "preflightstatuscode"
            | "preflightresponsestatuscode" => {
                let status = self.success_status();
                let becomes =
                    status.map_or(Becomes::Unknown, |it| Becomes::Value(Written::Number(it)));
                let note = if status.is_some() { "" } else { ", which is 200 or 204" };
                Some(Counterpart::Field {
                    field: "spec.preflight.successStatus".into(),
                    becomes,
                    note,
                })
            }
            "preflightcontinue"
            | "optionspassthrough"
            | "forwardpreflight"
            | "forwardpreflights"
            | "passthroughpreflight"
            | "passthroughpreflights" => match self.truth() {
                Some(false) => Some(Counterpart::Advice(NOT_FORWARDED)),
                _ => Some(on_failure("Forward")),
            },
            "unmatchedpreflights" => match self.value.as_str().map(fold).as_deref() {
                Some("ignore") => Some(on_failure("Ignore")),
                _ => Some(on_failure("Forward")),
            },
            "forwardnotmatchingpreflights" => match self.truth() {
                Some(false) => Some(on_failure("Ignore")),
                _ => Some(on_failure("Forward")),
            },
            _ => None,
        }
    }

    /// Every origin, method or header.
    fn every(&self, name: &str) -> Option<Counterpart> {
        let list = match name {
            "corsallowallorigins"
            | "corsoriginallowall"
            | "allowallorigins"
            | "allowanyorigin"
            | "allowanyorigins"
            | "anyorigin"
            | "allorigins" => "allowOrigins",
            "allowallmethods" | "allowanymethod" | "allowanymethods" | "anymethod" => {
                "allowMethods"
            }
            "allowallheaders" | "allowanyheader" | "allowanyheaders" | "anyheader" => {
                "allowHeaders"
            }
            _ => return None,
        };
        if self.truth() == Some(false) {
            return Some(Counterpart::Advice(match list {
                "allowOrigins" => NO_ORIGIN,
                _ => "remove it: a method or header is allowed only where a list names it",
            }));
        }
        Some(Counterpart::field(self.in_block(list), Written::texts(["*"])))
    }

    /// A field of the `cors` block that is meant.
    fn in_block(&self, name: &str) -> String {
        match self.path {
            path if foreign::leaf(path) == "cors" => format!("{path}.{name}"),
            _ => format!("{}.cors.{name}", self.rule.unwrap_or("spec")),
        }
    }

    /// Counterparts in the scope of the policy.
    fn scope(&self, name: &str) -> Option<Counterpart> {
        Some(match name {
            "hostnames" | "hosts" | "host" | "hostname" | "servername" | "servernames"
            | "virtualhost" | "virtualhosts" | "vhosts" | "authority" | "authorities" => {
                match self.rule {
                    Some(_) => Counterpart::Advice(HOST_OF_RULE),
                    None => Counterpart::itself("spec.hostnames"),
                }
            }
            "workloadselector" | "podselector" | "labelselector" | "endpointselector"
            | "targetselector" | "targetselectors" => match self.selector() {
                Some(Written::Mapping(labels)) if labels.is_empty() => {
                    Counterpart::Advice(WHOLE_NAMESPACE)
                }
                selector => Counterpart::field("spec.selector", selector),
            },
            "parentref" | "parentrefs" | "gatewayref" | "gatewayrefs" => {
                self.targets(GATEWAY_GROUP, "Gateway")
            }
            "service" | "services" | "servicename" | "serviceref" | "backendref"
            | "backendrefs" | "target" | "targets" => self.targets("", "Service"),
            "gateway" | "gateways" => Counterpart::Advice(ISTIO_GATEWAY),
            "namespace" if self.path.starts_with("spec.targetRefs[") => {
                Counterpart::Advice(OWN_NAMESPACE)
            }
            "namespace" | "namespaces" if self.path == "spec" => Counterpart::Advice(NAMESPACE),
            _ => return None,
        })
    }

    /// Counterparts in a selector.
    fn labels(&self, name: &str) -> Option<Counterpart> {
        match name {
            "labels" if self.value.is_object() => {
                Some(Counterpart::itself("spec.selector.matchLabels"))
            }
            "matchexpressions" => Some(Counterpart::Advice(EXPRESSIONS)),
            _ => None,
        }
    }

    /// Labels of pods, as other resources and people write them; an empty mapping: every pod.
    fn selector(&self) -> Option<Written> {
        let selector = match self.value {
            Value::Array(entries) if entries.len() == 1 => entries.first()?,
            value => value,
        };
        let fields = selector.as_object()?;
        let labels = fields.get("matchLabels").or_else(|| fields.get("labels"));
        let labels = match (labels, fields.len()) {
            (Some(labels), 1) => labels,
            (Some(_), _) => return None,
            (None, _) => selector,
        };
        let labels = labels.as_object()?;
        if labels.is_empty() {
            return Some(Written::Mapping(Vec::new()));
        }
        let text =
            |(name, value): (&String, &Value)| Some((name.clone(), Written::text(value.as_str()?)));
        let labels = labels.iter().map(text).collect::<Option<_>>()?;
        Some(Written::Mapping(vec![("matchLabels".into(), Written::Mapping(labels))]))
    }

    /// Targets of that kind, by their names.
    fn targets(&self, group: &str, kind: &str) -> Counterpart {
        let target = |value: &Value| {
            let name = value.as_str().or_else(|| {
                let fields = value.as_object()?;
                let is = |field: &str, want: &str| {
                    fields.get(field).is_none_or(|it| it.as_str() == Some(want))
                };
                let is_target = is("kind", kind) && is("group", group);
                let others = ["kind", "group", "name", "port", "weight"];
                let is_all = fields.keys().all(|name| others.contains(&name.as_str()));
                (is_target && is_all).then(|| fields.get("name")?.as_str()).flatten()
            })?;
            let of = |name: &str, value: &str| (name.to_owned(), Written::text(value));
            Some(Written::Mapping(vec![of("group", group), of("kind", kind), of("name", name)]))
        };
        let targets: Option<Vec<Written>> = match self.value {
            Value::Array(entries) => entries.iter().map(target).collect(),
            value => target(value).map(|target| vec![target]),
        };
        let targets = targets.filter(|targets| !targets.is_empty());
        Counterpart::field("spec.targetRefs", targets.map(Written::List))
    }

    /// Counterparts in paths.
    fn path(&self, name: &str) -> Option<Counterpart> {
        let is_path = matches!(
            name,
            "match"
                | "matches"
                | "uri"
                | "uris"
                | "url"
                | "urls"
                | "prefix"
                | "exact"
                | "pathprefix"
                | "paths"
                | "pathpattern"
                | "pathpatterns"
                | "pattern"
                | "patterns"
                | "location"
                | "locations"
                | "route"
                | "routes"
                | "mapping"
                | "mappings"
                | "resource"
                | "resources"
                | "http"
                | "corsurlsregex"
                | "path"
        );
        match self.rule {
            _ if !is_path => None,
            Some(rule) if self.path == rule => Some(match path(name, self.value) {
                Some(path) => Counterpart::field(format!("{rule}.path"), path),
                None => Counterpart::Advice(PATH_OF_RULE),
            }),
            None if matches!(self.path, "spec" | "spec.cors") => {
                Some(Counterpart::Advice(RULE_FOR_EACH))
            }
            // A path's own fields are judged as a whole.
            Some(_) | None => None,
        }
    }

    fn others(&self, name: &str) -> Option<Counterpart> {
        let block = self.rule.unwrap_or("spec");
        Some(match name {
            "allowprivatenetwork"
            | "allowprivatenetworkaccess"
            | "privatenetwork"
            | "accesscontrolallowprivatenetwork"
            | "corsallowprivatenetwork"
            | "supportsprivatenetwork" => Counterpart::Advice(PRIVATE_NETWORK),
            "addvaryheader" | "varyheader" | "vary" | "varyorigin" => Counterpart::Advice(VARY),
            "allowwildcard" => Counterpart::Advice(WILDCARD),
            "corspolicy" | "corspolicies" | "corsconfig" | "corsconfiguration"
            | "corsconfigurations" | "corsrule" | "corsrules" | "corsfilter" | "corssettings"
            | "corsspec" | "httpcors" | "httpcorsfilter" | "globalcors" | "corsoptions"
            | "spring" => match self.value {
                Value::Object(written) if unwrapped(written).is_none() => {
                    Counterpart::Advice(RULE_FOR_EACH)
                }
                _ => Counterpart::itself(format!("{block}.cors")),
            },
            "csrftrustedorigins" => Counterpart::itself(format!("{block}.trustedOrigins")),
            "debug" | "verbose" => match self.truth() {
                Some(true) => Counterpart::field("spec.diagnostics", Written::text("Header")),
                _ => return None,
            },
            _ => return None,
        })
    }
}

/// One path, as a match of a different system writes it; `None` for a regex, several paths, or no path.
pub(crate) fn path(name: &str, value: &Value) -> Option<Written> {
    let exact = |text: &str| match foreign::path(text) {
        Written::Mapping(fields) => Written::Mapping(
            fields
                .into_iter()
                .map(|(name, value)| match name.as_str() {
                    "type" => (name, Written::text("Exact")),
                    _ => (name, value),
                })
                .collect(),
        ),
        other => other,
    };
    match value {
        // What is no literal path has a finding of its own.
        Value::String(text) if text.contains(['*', '{', '(', '[', '?', '#', '$', ':']) => None,
        Value::String(text) if text.starts_with('/') => match name {
            "exact" => Some(exact(text)),
            "regex" | "saferegex" | "corsurlsregex" => None,
            _ => Some(foreign::path(text)),
        },
        Value::Array(entries) => match entries.as_slice() {
            [entry] => path(name, entry),
            _ => None,
        },
        Value::Object(fields) => {
            let kind = fields.get("type").and_then(Value::as_str).map(fold);
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            if let (Some(kind), Some(value)) = (kind, text("value").or_else(|| text("path"))) {
                return match kind.as_str() {
                    kind @ ("exact" | "prefix" | "pathprefix") => path(kind, &Value::from(value)),
                    _ => None,
                };
            }
            let mut entries = fields.iter();
            match (entries.next(), entries.next()) {
                (Some((name, value)), None) => match fold(name).as_str() {
                    name @ ("exact" | "prefix" | "pathprefix" | "uri" | "path" | "value"
                    | "pathmatch" | "startswith") => path(name, value),
                    _ => None,
                },
                _ => None,
            }
        }
        _ => None,
    }
}
