//! The CORS settings of other systems: read from their own files, written as policies, with a report of the requests that they judge differently.
//!
//! ```text
//! files --reader--> Settings --translate--> CorsPolicy
//!                      |                        |
//!                   System ----- probes ----- Proxy ----> Report
//! ```
//!
//! No IO, and no code of the settings is run.

mod blocks;
mod django;
mod envoy;
mod exchange;
mod express;
mod expression;
mod fields;
mod hosts;
mod ingress;
mod judgement;
mod kubernetes;
mod layer;
mod manifest;
mod matches;
mod nginx;
mod one_line;
mod probe;
mod proxy;
mod python;
mod report;
mod settings;
mod spring;
mod starlette;
mod translation;
mod unique;

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use corsward_policy::Policy;
use corsward_policy::draft::PolicyId;

pub use exchange::{Answer, Exchange, Response};
pub use judgement::{Access, Aspect, Difference};
pub use report::{Case, Class, Effect, Report, differences};
pub use settings::{Failure, Note};

use proxy::Proxy;
use settings::Settings;
use translation::Translation;

/// A system whose settings are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// django-cors-headers: `settings.py`.
    Django,
    /// nginx: `nginx.conf`.
    Nginx,
    /// Starlette and `FastAPI`: the Python module that adds `CORSMiddleware`.
    #[value(alias = "fastapi")]
    Starlette,
    /// ingress-nginx: the annotations of an `Ingress`.
    IngressNginx,
    /// Istio: `corsPolicy` of a `VirtualService`.
    Istio,
    /// Gateway API: the filter `CORS` of an `HTTPRoute`.
    GatewayApi,
    /// Envoy: `envoy.filters.http.cors` of virtual hosts and routes.
    Envoy,
    /// Envoy Gateway: `cors` of a `SecurityPolicy`.
    EnvoyGateway,
    /// Spring Cloud Gateway: `globalcors` of `application.yaml` or `application.properties`.
    Spring,
    /// Express: the options of the package `cors`, as JSON.
    Express,
    /// Traefik: a `Middleware` with `headers`.
    Traefik,
    /// Kong: a `KongPlugin` named `cors`.
    Kong,
}

/// A file of settings.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its name, for messages.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What the settings do not say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The name of the policy, or the prefix of the names of several.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its hosts.
    pub hosts: Vec<String>,
    /// Environment variables that settings look up.
    pub environment: BTreeMap<String, String>,
    /// The profiles of Spring that are active; none: those of the settings.
    pub profiles: Vec<String>,
}

/// A translated policy.
#[derive(Clone, Debug)]
pub struct Import {
    /// The manifest, as YAML.
    pub manifest: String,
    /// The remarks that are comments in it.
    pub notes: Vec<Note>,
    /// The difference report.
    pub report: Report,
}

/// Translates files of settings.
///
/// # Errors
///
/// See [`Failure`].
pub fn import(
    source: Source,
    files: &[SourceFile],
    options: &Options,
) -> Result<Vec<Import>, Failure> {
    if source != Source::Spring && !options.profiles.is_empty() {
        return Err(Failure::unreadable("", "--profile names a profile of Spring: leave it out"));
    }
    let mut all = read(source, files, options)?;
    if !options.hosts.is_empty() {
        all.retain(|settings| !settings.is_exception());
    }
    conflicts(&mut all);
    let from: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let from = from.join(", ");
    let is_one = all.len() == 1;
    if !is_one && !options.hosts.is_empty() {
        let names: Vec<&str> = all.iter().map(|settings| settings.name.as_str()).collect();
        let text = format!(
            "--host names the hosts of one policy, and the settings make several ({}); leave it out, and write `hostnames` in the policies",
            names.join(", ")
        );
        return Err(Failure::unreadable(from, text));
    }
    let mut ids = BTreeSet::new();
    let mut translated = Vec::new();
    for mut settings in all {
        let id = id(&settings, options, is_one, &mut ids);
        if !options.hosts.is_empty() {
            settings.hostnames.clone_from(&options.hosts);
            settings.notes.retain(|note| note.text != hosts::NO_HOST);
        }
        let translation = translation::translate(&settings, &id)?;
        translated.push((settings, id, translation));
    }
    // The policies of a namespace are for the same proxies.
    let mut of_namespaces: BTreeMap<&str, Vec<&Policy>> = BTreeMap::new();
    for (_, id, translation) in &translated {
        of_namespaces.entry(&id.namespace).or_default().push(&translation.policy);
    }
    let proxies: BTreeMap<&str, Proxy> = of_namespaces
        .into_iter()
        .map(|(namespace, policies)| (namespace, Proxy::new(&policies)))
        .collect();
    let import = |(settings, id, translation): &(Settings, PolicyId, Translation)| {
        let from = format!("{from} ({})", settings.product);
        let Translation { spec, notes, .. } = translation;
        let manifest = manifest::write(id, spec, notes, &from);
        let proxy = proxies.get(id.namespace.as_str())?;
        let report = report::report(settings, proxy, notes, id.to_string());
        Some(Import { manifest, notes: notes.clone(), report })
    };
    Ok(translated.iter().filter_map(import).collect())
}

fn read(source: Source, files: &[SourceFile], options: &Options) -> Result<Vec<Settings>, Failure> {
    match source {
        Source::Django => django::read(files, options),
        Source::Nginx => nginx::read(files),
        Source::Starlette => starlette::read(files, options),
        Source::IngressNginx => ingress::read(files),
        Source::Istio => envoy::read_virtual_services(files),
        Source::GatewayApi => envoy::read_routes(files),
        Source::Envoy => envoy::read(files),
        Source::EnvoyGateway => envoy::read_security_policies(files),
        Source::Spring => spring::read(files, options),
        Source::Express => express::read(files),
        Source::Traefik => kubernetes::read_middlewares(files),
        Source::Kong => kubernetes::read_kong_plugins(files),
    }
}

/// Most policies that a remark names.
const MAX_NAMED: usize = 10;

/// Names the policies of which one alone would decide: those with the same host and the same path, and other settings.
fn conflicts(all: &mut [Settings]) {
    let mut by_host: BTreeMap<(Option<String>, Option<String>), Vec<usize>> = BTreeMap::new();
    for at in 0..all.len() {
        let Some((later, before)) = all.get_mut(..=at).and_then(<[_]>::split_last_mut) else {
            continue;
        };
        let hosts = later.hostnames.iter().cloned().map(Some);
        let any = later.hostnames.is_empty().then_some(None);
        let keys: Vec<_> = hosts.chain(any).map(|host| (later.namespace.clone(), host)).collect();
        let mut same_host: Vec<usize> =
            keys.iter().filter_map(|key| by_host.get(key)).flatten().copied().collect();
        same_host.sort_unstable();
        same_host.dedup();
        for key in keys {
            by_host.entry(key).or_default().push(at);
        }
        let others = same_host.into_iter().filter_map(|other| before.get(other));
        let rivals: Vec<&Settings> = others.filter(|other| differ(other, later)).collect();
        if rivals.is_empty() {
            continue;
        }
        let mut names: Vec<String> =
            rivals.iter().take(MAX_NAMED).map(|other| format!("`{}`", other.name)).collect();
        if let Some(more) = rivals.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
            names.push(format!("and {more} more"));
        }
        let have = if rivals.len() == 1 { "has" } else { "have" };
        let text = format!(
            "{} {have} the same host and path with other settings, and one policy decides: give each its own hosts, paths or workloads",
            names.join(", ")
        );
        later.notes.push(Note::decide("", "", text));
    }
}

/// Whether a path has one answer in the first, and a different one in the second.
fn differ(one: &Settings, other: &Settings) -> bool {
    one.blocks.iter().any(|block| {
        let mut same_path = other.blocks.iter().filter(|other| other.path == block.path);
        same_path.any(|other| other.layer != block.layer)
    })
}

/// The policy's name, which no other policy of the import has.
fn id(
    settings: &Settings,
    options: &Options,
    is_one: bool,
    ids: &mut BTreeSet<PolicyId>,
) -> PolicyId {
    let namespace = options.namespace.clone().or_else(|| settings.namespace.clone());
    let namespace = namespace.unwrap_or_else(|| "default".to_owned());
    let base = match &options.name {
        Some(name) if is_one => name.clone(),
        Some(prefix) => format!("{prefix}-{}", settings.name),
        None => settings.name.clone(),
    };
    let mut id = PolicyId { namespace, name: base.clone() };
    let mut number = 1_usize;
    while !ids.insert(id.clone()) {
        number = number.saturating_add(1);
        id.name = format!("{base}-{number}");
    }
    id
}
