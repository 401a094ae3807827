//! Arguments and environment: read here and nowhere else.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Parser, Subcommand, ValueEnum};
use corsward_operator_core::publish::ecds::{EnvoyModule, Shell};
use hyper::Uri;

use crate::modules;

/// The dynamic module in the operator's image.
const NATIVE_IN_IMAGE: &str = concat!("/libcorsward-", env!("CARGO_PKG_VERSION"), ".so");

const EXAMPLES: &str = "\
Examples:
  Enforce the policies of a folder in an Envoy that reads its filter from another:
    corsward-operator run --source dir:policies --publish file:/etc/envoy/corsward --module /etc/envoy/corsward_filter.wasm
  Enforce the policies of a cluster in its Istio sidecars:
    corsward-operator run --source kube --publish istio --module /corsward_filter.wasm --module-addr 0.0.0.0:8606
  Look at what is in force, and at what is not:
    curl -s http://127.0.0.1:8605/policies
  Put the resources into a cluster:
    corsward-operator crd | kubectl apply -f -";

/// Watches CORS policies, validates them, and publishes their configuration to proxies.
#[derive(Debug, Parser)]
#[command(name = "corsward-operator", version, after_help = EXAMPLES)]
pub struct Args {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// A subcommand.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch, validate and publish policies until SIGINT or SIGTERM; a second signal stops at once.
    Run(Box<RunArgs>),
    /// Print the definitions of the resources for a Kubernetes API server.
    Crd,
    /// Wait until all addresses answer with success. Exits 1 if one does not.
    Probe(ProbeArgs),
    /// Copy the filter's module into a folder, for an Envoy in the same pod.
    Module(ModuleArgs),
    /// Stop the operator of a cluster and delete its objects; definitions and policies stay. `helm uninstall` runs this command.
    Cleanup(CleanupArgs),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The source of policies: `kube`, the API server of a cluster, or `dir:PATH`, a folder whose *.yaml, *.yml and *.json files
    /// are watched.
    #[arg(long, value_name = "kube|dir:PATH", env = "CORSWARD_SOURCE")]
    pub source: SourceArg,
    /// The destination of configuration: with `kube`, `istio` (one object for each bundle, which Istio distributes to the proxies)
    /// or `configmap` (an ECDS resource, which Envoy reads from a mounted volume); with a folder, `file:DIR`, in which DIR/corsward.yaml
    /// is an ECDS resource.
    #[arg(long, value_name = "istio|configmap|file:DIR", env = "CORSWARD_PUBLISH")]
    pub publish: PublishArg,
    /// The kind of the filter's module. Istio's proxies run `wasm`; an Envoy of your own (1.38 or later) may run `native`, which costs
    /// less for each request.
    #[arg(long, value_enum, env = "CORSWARD_FILTER", default_value_t = FilterArg::Wasm)]
    pub filter: FilterArg,
    /// The filter's module: a file as Envoy sees it, with `istio` a file that this program serves, or an image by its digest
    /// (`oci://REGISTRY/NAME@sha256:DIGEST`) [default: `/etc/corsward/corsward_filter.wasm`, or `/etc/corsward/libcorsward.so` for
    /// a native filter].
    #[arg(long, value_name = "PATH|oci://IMAGE", env = "CORSWARD_MODULE")]
    pub module: Option<String>,
    /// The address of /healthz, /readyz, /metrics and /policies. Port 0 takes a free port and logs it. In a cluster /policies answers
    /// only the pod itself, and so users with the right to `kubectl port-forward` to it.
    #[arg(long, value_name = "ADDR", env = "CORSWARD_ADMIN", default_value = "127.0.0.1:8605")]
    pub admin: SocketAddr,
    /// The file that stores the specs in force, with its copy beside it (`.copy`) [default: corsward.state.json beside the
    /// published file]. A cluster stores them in the policies' status.
    #[arg(long, value_name = "FILE", env = "CORSWARD_STATE")]
    pub state: Option<PathBuf>,
    /// Enforce no policy: validate all policies, and publish a configuration without effect.
    #[arg(long, env = "CORSWARD_OFF")]
    pub off: bool,
    /// The format of log lines.
    #[arg(long, value_enum, env = "CORSWARD_LOG_FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// The filter of log lines: a level, or directives such as `warn,corsward_operator=debug`. The Kubernetes client's own line for each
    /// failed request needs a directive of its own: `info,kube_client=debug`.
    #[arg(long, value_name = "FILTER", env = "CORSWARD_LOG", default_value = "info")]
    pub log: String,
    /// The options of a cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Arguments of `run` in a cluster.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "With --source kube")]
pub struct ClusterArgs {
    /// The kubeconfig of the API server [default: KUBECONFIG, or the cluster around this pod].
    #[arg(long, value_name = "FILE", env = "CORSWARD_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,
    /// The operator's own namespace: of its Lease, its modules and its certificates.
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "POD_NAMESPACE",
        default_value = "corsward-system"
    )]
    pub namespace: String,
    /// The name of this replica's pod. No other replica has the same.
    #[arg(long, value_name = "NAME", env = "POD_NAME", default_value = "corsward-operator-0")]
    pub name: String,
    /// The Lease of the leader, the one replica that writes.
    #[arg(long, value_name = "NAME", env = "CORSWARD_LEASE", default_value = "corsward-operator")]
    pub lease: String,
    /// The `ConfigMap` whose field `enforcement` is `On` or `Off` for the whole cluster: the chart's value of that name. A change is in
    /// force within seconds; a deleted `ConfigMap` or an invalid value changes nothing. Absent: `On`.
    #[arg(long, value_name = "NAME", env = "CORSWARD_ENFORCEMENT")]
    pub enforcement: Option<String>,
    /// Watch no Gateways, their classes and routes: no policy can target a Gateway, and no finding names a route with CORS of its own.
    #[arg(long, env = "CORSWARD_NO_GATEWAYS")]
    pub no_gateways: bool,
    /// The kind of Istio's objects.
    #[arg(long, value_enum, env = "CORSWARD_ISTIO_KIND", default_value_t = IstioKindArg::Auto)]
    pub istio_kind: IstioKindArg,
    /// Seconds from the publication of an object's replacement to the deletion of the object.
    #[arg(long, value_name = "SECONDS", env = "CORSWARD_GRACE", default_value_t = 10)]
    pub grace: u64,
    /// Seconds after the stop signal in which modules and reviews are still served, until no client is sent here.
    #[arg(long, value_name = "SECONDS", env = "CORSWARD_DRAIN", default_value_t = 5)]
    pub drain: u64,
    /// The address of the module server, which has /filter-SHA256.wasm. Absent: no module server.
    #[arg(long, value_name = "ADDR", env = "CORSWARD_MODULE_ADDR")]
    pub module_addr: Option<SocketAddr>,
    /// The Service by which proxies reach all replicas' modules, in the operator's own namespace.
    #[arg(
        long,
        value_name = "NAME",
        env = "CORSWARD_MODULE_SERVICE",
        default_value = "corsward-modules"
    )]
    pub module_service: String,
    /// The address of the validating webhook. Absent: no webhook.
    #[arg(long, value_name = "ADDR", env = "CORSWARD_WEBHOOK_ADDR")]
    pub webhook_addr: Option<SocketAddr>,
    /// The Service by which the API server reaches the webhook.
    #[arg(
        long,
        value_name = "NAME",
        env = "CORSWARD_WEBHOOK_SERVICE",
        default_value = "corsward-webhook"
    )]
    pub webhook_service: String,
    /// The Secret of the webhook's certificates.
    #[arg(
        long,
        value_name = "NAME",
        env = "CORSWARD_WEBHOOK_SECRET",
        default_value = "corsward-webhook-certificate"
    )]
    pub webhook_secret: String,
    /// The Secret is filled by other means, such as cert-manager.
    #[arg(long, env = "CORSWARD_WEBHOOK_SECRET_EXTERNAL")]
    pub webhook_secret_external: bool,
    /// The `ValidatingWebhookConfiguration` whose `caBundle` the operator writes. Absent: it is written by other means.
    #[arg(long, value_name = "NAME", env = "CORSWARD_WEBHOOK_CONFIGURATION")]
    pub webhook_configuration: Option<String>,
    /// Further names and addresses of the webhook, for its certificate.
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "CORSWARD_WEBHOOK_NAMES")]
    pub webhook_names: Vec<String>,
}

/// Arguments of `probe`.
#[derive(Debug, clap::Args)]
pub struct ProbeArgs {
    /// Addresses, such as `http://127.0.0.1:8605/readyz`.
    #[arg(required = true, value_name = "URL", value_parser = http_url)]
    pub urls: Vec<Uri>,
    /// The timeout in seconds, for all addresses together.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub seconds: u64,
}

/// Arguments of `module`.
#[derive(Debug, clap::Args)]
pub struct ModuleArgs {
    /// The target folder. The file keeps its name.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// The kind of the module.
    #[arg(long, value_enum, env = "CORSWARD_FILTER", default_value_t = FilterArg::Wasm)]
    pub filter: FilterArg,
    /// The module [default: its path in the operator's image: `/corsward_filter.wasm`, or `/libcorsward-VERSION.so`, to which a
    /// link `libcorsward.so` leads in the target folder].
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
}

/// Arguments of `cleanup`.
#[derive(Debug, clap::Args)]
pub struct CleanupArgs {
    /// The operator's namespace.
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: String,
    /// The operator's Deployment, which is scaled to zero first. Absent: stop the operator yourself.
    #[arg(long, value_name = "NAME")]
    pub deployment: Option<String>,
    /// The Lease, which is deleted too.
    #[arg(long, value_name = "NAME")]
    pub lease: Option<String>,
    /// The Secret with the webhook's certificate, which is deleted too.
    #[arg(long, value_name = "NAME")]
    pub secret: Option<String>,
    /// Delete only the `ConfigMap`s of the operator's namespace: an operator that publishes Istio's objects has no others.
    #[arg(long)]
    pub own_config_maps: bool,
    /// The timeout in seconds for the operator's stop.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub seconds: u64,
    /// The API server [default: KUBECONFIG, ~/.kube/config, or the cluster around this pod].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// A source of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceArg {
    /// A folder.
    Dir(PathBuf),
    /// The API server of a cluster.
    Kube,
}

/// A destination of configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishArg {
    /// A folder of ECDS resource files.
    File(PathBuf),
    /// Objects of Istio.
    Istio,
    /// ECDS resources in `ConfigMap`s.
    ConfigMap,
}

/// A kind of Istio's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum IstioKindArg {
    /// `TrafficExtension` if the API server serves it and every istiod of the cluster is of version 1.30 or later, else `WasmPlugin`. Checked
    /// every 15 s: the operator stops on a change, and writes the new kind after its restart.
    Auto,
    /// `extensions.istio.io/v1alpha1`, every supported Istio.
    WasmPlugin,
    /// `extensions.istio.io/v1alpha1`, Istio 1.30 and later.
    TrafficExtension,
    /// `networking.istio.io/v1alpha3`, before every other filter: for `AuthorizationPolicy` with the action `CUSTOM`.
    EnvoyFilter,
}

/// A kind of the filter's module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FilterArg {
    /// A WebAssembly module: every Envoy with V8, and Istio's proxies.
    Wasm,
    /// A dynamic module, in Envoy's own process: Envoy 1.38 and later.
    Native,
}

/// A format of log lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// One line for each event, for people.
    Text,
    /// One JSON object for each event, for programs.
    Json,
}

fn http_url(text: &str) -> Result<Uri, String> {
    match text.parse::<Uri>() {
        Ok(url) if url.scheme_str() == Some("http") && url.host().is_some() => Ok(url),
        _ => Err("write `http://`, a host, a port and a path".to_owned()),
    }
}

// === impl RunArgs ===

impl RunArgs {
    /// The filter's module for Envoys that read a resource.
    pub fn envoy_module(&self) -> EnvoyModule {
        EnvoyModule::at(self.filter.into(), self.module.as_deref())
    }
}

// === impl ModuleArgs ===

impl ModuleArgs {
    /// Copies the module; says where it is then.
    ///
    /// # Errors
    ///
    /// Fails if there is no module, or the folder cannot be written.
    pub fn copy(&self) -> anyhow::Result<PathBuf> {
        let (in_image, link) = match self.filter {
            FilterArg::Wasm => ("/corsward_filter.wasm", None),
            FilterArg::Native => (NATIVE_IN_IMAGE, Some(Shell::Native.file_name())),
        };
        let from = self.from.as_deref().unwrap_or(Path::new(in_image));
        modules::copy(self.filter.into(), from, &self.to, link)
    }
}

// === impl FilterArg ===

impl From<FilterArg> for Shell {
    fn from(filter: FilterArg) -> Self {
        match filter {
            FilterArg::Wasm => Self::Wasm,
            FilterArg::Native => Self::Native,
        }
    }
}

// === impl SourceArg ===

impl FromStr for SourceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "kube" => Ok(Self::Kube),
            Some(("dir", path)) if !path.is_empty() => Ok(Self::Dir(path.into())),
            _ => Err("write `kube`, or `dir:` and the path of a folder".to_owned()),
        }
    }
}

// === impl PublishArg ===

impl FromStr for PublishArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "istio" => Ok(Self::Istio),
            None if text == "configmap" => Ok(Self::ConfigMap),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err("write `istio`, `configmap`, or `file:` and the path of a folder".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_agree_with_each_other() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_help_of_each_subcommand_says_what_it_said_before() {
        // The width is of no account: another crate of a build may ask clap to wrap.
        let mut root = Args::command().term_width(0);
        root.build();
        let mut help = vec![("help".to_owned(), root.render_long_help().to_string())];
        for command in root.get_subcommands_mut() {
            let name = format!("help-{}", command.get_name());
            help.push((name, command.render_long_help().to_string()));
        }
        crate::testing::snapshot_settings("texts").bind(|| {
            for (name, text) in help {
                insta::assert_snapshot!(name, text);
            }
        });
    }

    #[test]
    fn only_plain_http_is_probed() {
        assert!(http_url("http://corsward-metrics:8605/readyz").is_ok());
        for text in ["", "/readyz", "https://a/", "corsward:8605", "http://"] {
            assert!(http_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_source_and_a_publisher_have_a_kind_and_a_path() {
        assert_eq!("dir:a:b".parse(), Ok(SourceArg::Dir("a:b".into())));
        assert_eq!("file:/x".parse(), Ok(PublishArg::File("/x".into())));
        assert_eq!("kube".parse(), Ok(SourceArg::Kube));
        assert_eq!("istio".parse(), Ok(PublishArg::Istio));
        assert_eq!("configmap".parse(), Ok(PublishArg::ConfigMap));
        for text in ["", "dir", "dir:", "kube:", "file:x", "DIR:x"] {
            assert!(text.parse::<SourceArg>().is_err(), "{text}");
        }
        for text in ["", "file", "file:", "istio:x", "dir:x"] {
            assert!(text.parse::<PublishArg>().is_err(), "{text}");
        }
    }
}
