//! Render: what proxies get for the policies of files, as the operator publishes it.

mod bootstrap;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use corsward_operator_core::bundle::{Bundle, BundleKey, hold};
use corsward_operator_core::filter_module::{self, Module, is_digest};
use corsward_operator_core::publish::ecds::{self, EnvoyModule, Shell};
use corsward_operator_core::publish::istio::IstioKind;
use corsward_operator_core::publish::output::Output;
use corsward_policy::wire;
use serde_json::{Value, json};

use crate::outcome::Outcome;
use crate::output::{note, write_json};
use crate::policies::{AbsentSet, FileFinding, Policies};

const EXAMPLES: &str = "\
Examples:
  Show the configuration of each set of proxies:
    corsward render deploy/
  Write the resource that an Envoy beside a folder of policies reads:
    corsward render --as ecds policies/ > corsward.yaml
  Write the pieces of the bootstrap of an Envoy that runs these policies, or that reads them from a file of `--as ecds`:
    corsward render --as bootstrap policies/
    corsward render --as bootstrap \\
      --watch /etc/corsward-policies/corsward.yaml policies/
  Compare what Istio's proxies get with what is in the cluster, where the operator serves the module (`module.from: served`):
    corsward render --as istio deploy/ \\
      --module http://corsward.corsward-system.svc:80/filter-SHA256.wasm \\
      | kubectl diff --server-side --field-manager corsward-operator -f -
  Do the same for an image, and for Istio before 1.30:
    corsward render --as istio --kind WasmPlugin deploy/ \\
      --module oci://registry.example/corsward@sha256:DIGEST

Exit codes: 0 rendered, 1 a policy is refused, or not published beside the others, and nothing is rendered, 2 a file cannot be read, or none holds a policy.";

/// Arguments of `render`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RenderArgs {
    /// Files, folders with all that is below them, or `-`, standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The form.
    #[arg(
        long = "as",
        short = 'o',
        alias = "output",
        value_enum,
        value_name = "FORM",
        default_value_t
    )]
    form: Form,
    /// The kind of Istio's objects. The operator's `Auto` is `TrafficExtension` from Istio 1.30 on, `WasmPlugin` before.
    #[arg(long, value_enum, value_name = "KIND", default_value_t)]
    kind: Kind,
    /// The filter's module: for Istio the URL that the operator serves, `http://HOST/filter-SHA256.wasm`, another URL beside `--sha256`,
    /// or an image by its digest, `oci://REGISTRY/NAME@sha256:DIGEST`; for Envoy a path, by default `/etc/corsward/corsward_filter.wasm`.
    #[arg(long, value_name = "MODULE", required_if_eq("form", "istio"))]
    module: Option<String>,
    /// The kind of the module of an Envoy: `native` is a dynamic module, by default `/etc/corsward/libcorsward.so`.
    #[arg(long, value_enum, value_name = "KIND", default_value_t)]
    filter: Filter,
    /// The SHA-256 digest of the module at a URL, 64 hexadecimal digits.
    #[arg(long, value_name = "DIGEST", requires = "module")]
    sha256: Option<String>,
    /// With `--as bootstrap`: the file of an ECDS resource that Envoy watches. The policies are in force until it holds one.
    #[arg(long, value_name = "FILE")]
    watch: Option<PathBuf>,
}

/// A form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// JSON: each set of proxies, and the compiled configuration that it gets.
    #[default]
    Config,
    /// YAML: the ECDS resource of one Envoy that all policies are for, as of a folder.
    Ecds,
    /// YAML: the pieces of the bootstrap of one Envoy that all policies are for: the filter, and the labels of its metrics.
    Bootstrap,
    /// YAML: the `ConfigMap` objects with an ECDS resource for each set of proxies.
    Configmap,
    /// YAML: the objects that bring the configuration to Istio's proxies.
    Istio,
}

/// A kind of the filter's module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Filter {
    /// A WebAssembly module.
    #[default]
    Wasm,
    /// A dynamic module: Envoy 1.38 and later.
    Native,
}

/// A kind of Istio's objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// `extensions.istio.io/v1alpha1`, before Istio 1.30.
    #[value(name = "WasmPlugin")]
    WasmPlugin,
    /// `extensions.istio.io/v1alpha1`, from Istio 1.30 on.
    #[default]
    #[value(name = "TrafficExtension")]
    TrafficExtension,
    /// `networking.istio.io/v1alpha3`.
    #[value(name = "EnvoyFilter")]
    EnvoyFilter,
}

/// Renders the policies of the files.
pub(crate) fn run(args: &RenderArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    args.require_consistent()?;
    let policies = Policies::read(&args.paths);
    let refusal = |found: &&FileFinding| found.finding.is_refusal();
    let refusals: Vec<&FileFinding> = policies.findings.iter().filter(refusal).collect();
    for found in &refusals {
        let file = policies.files.get(found.place.file).map_or("", |file| &file.name);
        let object = found.subject.as_ref().map(|it| format!("{}: ", it.name()));
        note(format_args!("{file}: {}{}", object.unwrap_or_default(), found.finding));
    }
    if refusals.iter().any(|found| found.place.document.is_none()) {
        return Ok(Outcome::Unusable);
    }
    if !refusals.is_empty() {
        return Ok(Outcome::Fault);
    }
    if policies.policies.is_empty() {
        bail!("no file holds a policy");
    }
    if !matches!(args.form, Form::Ecds | Form::Bootstrap)
        && let [first, ..] = policies.unseen()
    {
        bail!(
            "{first} is in no file, and decides which proxies get the policy: add it to the files"
        );
    }
    for AbsentSet { policy, set, field } in policies.absent_sets() {
        let namespace = &policy.namespace;
        note(format_args!(
            "note: OriginSet {namespace}/{set}, which {policy} names in {field}, is in no file: its origins are not in the output"
        ));
    }
    match args.form {
        Form::Config => {
            let bundles: Vec<Value> = policies.bundles().map(|bundle| config(bundle)).collect();
            write_json(&bundles, out)?;
        }
        Form::Ecds | Form::Bootstrap => {
            let bundle = Bundle::new(BundleKey::All, wire::encode(&policies.compiled()));
            if let Some(why) = unpublishable(&policies, &bundle) {
                note(&why);
                return Ok(Outcome::Fault);
            }
            write!(out, "{}", for_one_envoy(args, &bundle))?;
        }
        Form::Configmap => {
            let output = Output::ConfigMap { module: args.envoy_module() };
            write_objects(&policies, &output, out)?;
        }
        Form::Istio => {
            let url = args.module.as_deref().unwrap_or_default();
            let module = module(url, args.sha256.as_deref())?;
            write_objects(&policies, &Output::Istio { kind: args.kind.into(), module }, out)?;
        }
    }
    Ok(Outcome::Success)
}

/// The module for Istio: an image by its digest, or a URL with the digest that its name or `sha256` has.
fn module(url: &str, sha256: Option<&str>) -> anyhow::Result<Module> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        if sha256.is_some() {
            bail!("--sha256: an image has its digest in --module: leave --sha256 out");
        }
        return Module::image(url).context("--module");
    }
    let file = url.rsplit_once('/').map_or(url, |(_, file)| file);
    let named = file.strip_prefix("filter-").and_then(|rest| rest.strip_suffix(".wasm"));
    let named = named.filter(|name| is_digest(name));
    match (named, sha256) {
        (_, Some(given)) if !is_digest(given) => {
            bail!("--sha256: {given} is no digest: write 64 hexadecimal digits in lower case")
        }
        (Some(named), Some(given)) if named != given => {
            bail!(
                "--sha256: the name of the module at {url} has another digest: leave --sha256 out"
            )
        }
        (None, None) => {
            bail!(
                "--module: the digest of the module at {url} is unknown: write `http://HOST/filter-SHA256.wasm`, or add --sha256"
            )
        }
        (named, given) => {
            let sha256 = given.or(named).unwrap_or_default().to_owned();
            Ok(Module { url: url.to_owned(), sha256 })
        }
    }
}

/// The reason why the operator would not publish all policies for one proxy.
fn unpublishable(policies: &Policies, bundle: &Bundle) -> Option<String> {
    let sized = policies.accepted().map(|(id, accepted)| (accepted.compiled.len(), id));
    let refusal = wire::decode(&bundle.compiled).err();
    hold(bundle, refusal.as_ref(), &sized.collect::<Vec<_>>())
}

/// The proxies of a bundle, and their configuration.
fn config(bundle: &Bundle) -> Value {
    let Bundle { key, compiled, digest } = bundle;
    let configuration: Value = serde_json::from_str(compiled).unwrap_or_default();
    json!({
        "namespace": key.namespace(),
        "name": key.object_name(),
        "proxies": key.proxies(),
        "digest": digest,
        "configuration": configuration,
    })
}

/// The text for one Envoy: an ECDS resource, or the pieces of a bootstrap.
fn for_one_envoy(args: &RenderArgs, bundle: &Bundle) -> String {
    let module = &args.envoy_module();
    if args.form == Form::Bootstrap {
        return bootstrap::pieces(bundle, module, args.watch.as_deref());
    }
    // The operator's comment says who writes its file.
    let resource = ecds::resource(bundle, module);
    resource.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect()
}

fn write_objects(policies: &Policies, output: &Output, out: &mut impl Write) -> anyhow::Result<()> {
    let objects = policies.bundles().filter_map(|bundle| output.object(bundle, None));
    for (at, object) in objects.enumerate() {
        let separator = if at == 0 { "" } else { "---\n" };
        write!(out, "{separator}{}", serde_saphyr::to_string(&object)?)?;
    }
    Ok(())
}

// === impl RenderArgs ===

impl RenderArgs {
    /// Fails for arguments that contradict each other.
    fn require_consistent(&self) -> anyhow::Result<()> {
        if self.watch.is_some() && self.form != Form::Bootstrap {
            bail!("--watch is for `--as bootstrap`: leave it out");
        }
        if self.filter == Filter::Native && self.form == Form::Istio {
            bail!("--filter native: Istio brings its proxies a Wasm filter alone: leave it out");
        }
        if matches!(self.form, Form::Ecds | Form::Bootstrap | Form::Configmap) {
            filter_module::path(self.module.as_deref().unwrap_or_default()).context("--module")?;
        }
        Ok(())
    }

    fn envoy_module(&self) -> EnvoyModule {
        let shell = match self.filter {
            Filter::Wasm => Shell::Wasm,
            Filter::Native => Shell::Native,
        };
        EnvoyModule::at(shell, self.module.as_deref())
    }
}

// === impl Kind ===

impl From<Kind> for IstioKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::WasmPlugin => Self::WasmPlugin,
            Kind::TrafficExtension => Self::TrafficExtension,
            Kind::EnvoyFilter => Self::EnvoyFilter,
        }
    }
}
