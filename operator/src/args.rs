//! Arguments and environment: read here and nowhere else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use hyper::Uri;

const EXAMPLES: &str = "\
Examples:
  Enforce the policies of a folder in an Envoy that reads its filter from another:
    corsward-operator run --source dir:policies --publish file:/etc/envoy/corsward --module /etc/envoy/corsward_filter.wasm
  Enforce the policies of a cluster in its Istio sidecars:
    corsward-operator run --source kube --publish istio --module /corsward_filter.wasm --module-addr 0.0.0.0:8606
  Look at what is in force, and at what is not:
    curl -s http://127.0.0.1:8605/policies
  Check policies before they are committed:
    corsward-operator validate policies/*.yaml
  Put the resources into a cluster:
    corsward-operator crd | kubectl apply -f -";

/// Watches CORS policies, judges them, and publishes what they mean to proxies.
#[derive(Debug, Parser)]
#[command(name = "corsward-operator", version, after_help = EXAMPLES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch, judge and publish until told to stop (SIGINT or SIGTERM); told twice, it stops at once.
    Run(Box<RunArgs>),
    /// Print what there is to say about policies. Exits 1 where one is refused, 2 where something could not be read.
    Validate(ValidateArgs),
    /// Print the definitions of the resources for a Kubernetes API server.
    Crd,
    /// Wait until addresses answer with success. Exits 1 where one does not.
    Probe(ProbeArgs),
    /// Copy the filter's module into a folder, for an Envoy in the same pod.
    Module(ModuleArgs),
    /// Stop the operator of a cluster and delete what it made; definitions and policies stay. `helm uninstall` runs it.
    Cleanup(CleanupArgs),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Where policies come from: `kube`, the API server of a cluster, or `dir:PATH`, a folder whose *.yaml, *.yml and *.json files
    /// are watched.
    #[arg(long, value_name = "kube|dir:PATH", env = "CORSWARD_SOURCE")]
    pub source: SourceArg,
    /// Where configuration goes: with `kube`, `istio` (one object a bundle, which Istio brings to the proxies) or `configmap`
    /// (an ECDS resource, which Envoy reads from a mounted volume); with a folder, `file:DIR`, in which DIR/corsward.yaml is an
    /// ECDS resource.
    #[arg(long, value_name = "istio|configmap|file:DIR", env = "CORSWARD_PUBLISH")]
    pub publish: PublishArg,
    /// The filter's module: a file as Envoy sees it, with `istio` a file that this program serves, or an image by its digest
    /// (`oci://REGISTRY/NAME@sha256:DIGEST`).
    #[arg(
        long,
        value_name = "PATH|oci://IMAGE",
        env = "CORSWARD_MODULE",
        default_value = "/etc/corsward/corsward_filter.wasm"
    )]
    pub module: String,
    /// Where /healthz, /readyz, /metrics and /policies are served. Port 0 takes a free one and logs it. In a cluster /policies answers
    /// none but the pod itself, and so whoever may `kubectl port-forward` to it.
    #[arg(long, value_name = "ADDR", env = "CORSWARD_ADMIN", default_value = "127.0.0.1:8605")]
    pub admin: SocketAddr,
    /// The file that remembers what is in force, and its copy beside it (`.copy`) [default: corsward.state.json beside the
    /// published file]. A cluster remembers in the policies' status.
    #[arg(long, value_name = "FILE", env = "CORSWARD_STATE")]
    pub state: Option<PathBuf>,
    /// Enforce no policy anywhere: everything is read and judged, and what is published does nothing.
    #[arg(long, env = "CORSWARD_OFF")]
    pub off: bool,
    /// How log lines are written.
    #[arg(long, value_enum, env = "CORSWARD_LOG_FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Which log lines are written: a level, or directives such as `warn,corsward_operator=debug`. kube's own word on each request that
    /// failed is written where a directive names it: `info,kube_client=debug`.
    #[arg(long, value_name = "FILTER", env = "CORSWARD_LOG", default_value = "info")]
    pub log: String,
    /// What only a cluster has.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Arguments of `run` in a cluster.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "With --source kube")]
pub struct ClusterArgs {
    /// How the API server is reached [default: KUBECONFIG, or the cluster around this pod].
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
    /// This replica: its pod's name. No other replica has the same.
    #[arg(long, value_name = "NAME", env = "POD_NAME", default_value = "corsward-operator-0")]
    pub name: String,
    /// The Lease that says which replica writes.
    #[arg(long, value_name = "NAME", env = "CORSWARD_LEASE", default_value = "corsward-operator")]
    pub lease: String,
    /// The `ConfigMap` whose field `enforcement` says `On` or `Off` for the whole cluster: the chart's value of that name. A change is in
    /// force within seconds; a `ConfigMap` that is gone or says something else leaves all as it was. Absent: `On`.
    #[arg(long, value_name = "NAME", env = "CORSWARD_ENFORCEMENT")]
    pub enforcement: Option<String>,
    /// Watch no Gateways, no classes of theirs and no routes: no policy can be for a Gateway, and nobody says where a route has CORS of its own.
    #[arg(long, env = "CORSWARD_NO_GATEWAYS")]
    pub no_gateways: bool,
    /// Which of Istio's kinds holds an bundle.
    #[arg(long, value_enum, env = "CORSWARD_ISTIO_KIND", default_value_t = IstioKindArg::Auto)]
    pub istio_kind: IstioKindArg,
    /// For how many seconds proxies take what replaces an object before it is deleted.
    #[arg(long, value_name = "SECONDS", env = "CORSWARD_GRACE", default_value_t = 10)]
    pub grace: u64,
    /// For how many seconds modules are served and reviews are answered after it was told to stop: until nobody is sent here any more.
    #[arg(long, value_name = "SECONDS", env = "CORSWARD_DRAIN", default_value_t = 5)]
    pub drain: u64,
    /// Where modules are served, at /filter-SHA256.wasm. Absent: nowhere.
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
    /// Where the validating webhook is served. Absent: nowhere.
    #[arg(long, value_name = "ADDR", env = "CORSWARD_WEBHOOK_ADDR")]
    pub webhook_addr: Option<SocketAddr>,
    /// The Service by which the API server reaches it.
    #[arg(
        long,
        value_name = "NAME",
        env = "CORSWARD_WEBHOOK_SERVICE",
        default_value = "corsward-webhook"
    )]
    pub webhook_service: String,
    /// The Secret that keeps its certificates.
    #[arg(
        long,
        value_name = "NAME",
        env = "CORSWARD_WEBHOOK_SECRET",
        default_value = "corsward-webhook-certificate"
    )]
    pub webhook_secret: String,
    /// Somebody else fills that Secret.
    #[arg(long, env = "CORSWARD_WEBHOOK_SECRET_EXTERNAL")]
    pub webhook_secret_external: bool,
    /// The `ValidatingWebhookConfiguration` that is told whom to trust. Absent: somebody else tells it.
    #[arg(long, value_name = "NAME", env = "CORSWARD_WEBHOOK_CONFIGURATION")]
    pub webhook_configuration: Option<String>,
    /// Further names and addresses of the webhook, for its certificate.
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "CORSWARD_WEBHOOK_NAMES")]
    pub webhook_names: Vec<String>,
}

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
pub struct ValidateArgs {
    /// Files, or folders without the folders in them; `-` is standard input. The labels of `Namespace` objects among them decide which
    /// guardrails bound a policy, and their annotation `corsward.io/mode` counts; without its `Namespace` all guardrails bound it.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How findings are printed.
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text)]
    pub output: OutputFormat,
}

/// Arguments of `probe`.
#[derive(Debug, clap::Args)]
pub struct ProbeArgs {
    /// Addresses, such as `http://127.0.0.1:8605/readyz`.
    #[arg(required = true, value_name = "URL", value_parser = http_url)]
    pub urls: Vec<Uri>,
    /// How long to wait, for all of them together.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub seconds: u64,
}

/// Arguments of `module`.
#[derive(Debug, clap::Args)]
pub struct ModuleArgs {
    /// The folder. The file in it is called as it is here.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// The module; the operator's image has it here.
    #[arg(long, value_name = "FILE", default_value = "/corsward_filter.wasm")]
    pub from: PathBuf,
}

/// Arguments of `cleanup`.
#[derive(Debug, clap::Args)]
pub struct CleanupArgs {
    /// The operator's namespace.
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: String,
    /// The operator's Deployment: it is scaled to nothing first. Without it, stop the operator yourself.
    #[arg(long, value_name = "NAME")]
    pub deployment: Option<String>,
    /// The Lease, which is deleted too.
    #[arg(long, value_name = "NAME")]
    pub lease: Option<String>,
    /// The Secret with the webhook's certificate, which is deleted too.
    #[arg(long, value_name = "NAME")]
    pub secret: Option<String>,
    /// Of `ConfigMap`s delete those of the operator's namespace alone: where it publishes objects of Istio, it makes no others.
    #[arg(long)]
    pub own_config_maps: bool,
    /// How long the operator may take to stop.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub seconds: u64,
    /// The API server [default: KUBECONFIG, ~/.kube/config, or the cluster around this pod].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// Where policies come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceArg {
    /// A folder.
    Dir(PathBuf),
    /// The API server of a cluster.
    Kube,
}

/// Where configuration goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishArg {
    /// A folder of ECDS resource files.
    File(PathBuf),
    /// Objects of Istio.
    Istio,
    /// ECDS resources in `ConfigMap`s.
    ConfigMap,
}

/// Which of Istio's kinds holds a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IstioKindArg {
    /// `TrafficExtension` where the API server serves it and every istiod of the cluster is of version 1.30 or later, else `WasmPlugin`. Asked again
    /// every 15 s: the operator stops where the answer is another one, and changes the kind when it starts again.
    #[value(name = "Auto")]
    Auto,
    /// `extensions.istio.io/v1alpha1`: every Istio that is supported.
    #[value(name = "WasmPlugin")]
    WasmPlugin,
    /// `extensions.istio.io/v1alpha1`, Istio 1.30 and later.
    #[value(name = "TrafficExtension")]
    TrafficExtension,
    /// `networking.istio.io/v1alpha3`, before every other filter: for `AuthorizationPolicy` with the action `CUSTOM`.
    #[value(name = "EnvoyFilter")]
    EnvoyFilter,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OutputFormat {
    /// One line each, for people.
    Text,
    /// One array, for programs.
    Json,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line, for programs.
    Json,
}

fn http_url(text: &str) -> Result<Uri, String> {
    match text.parse::<Uri>() {
        Ok(url) if url.scheme_str() == Some("http") && url.host().is_some() => Ok(url),
        _ => Err("write `http://`, a host, a port and a path".to_owned()),
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
        let mut root = Args::command();
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
