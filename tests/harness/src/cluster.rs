//! Cluster: an API server, and the ways to ask it.

mod local;
mod objects;
pub mod operator;
mod published;
pub mod socks_proxy;
mod test_namespace;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xtask::kubernetes::{self, Api, ApiServer};
use xtask::process::Process;
use xtask::tools;

pub use local::{LocalCluster, OPERATOR_NAMESPACE};
pub use operator::Operator;
pub use published::Published;
use socks_proxy::SocksProxy;
pub use test_namespace::{APPLY, TestNamespace, object};

use crate::command::{CommandOutput, run};

/// A cluster.
#[derive(Debug)]
pub struct Cluster {
    kubectl: PathBuf,
    /// The environment of `kubectl`, beside that of this process.
    environment: Vec<(OsString, OsString)>,
    api: Api,
    /// The proxy behind `api`, where no owner of an API server keeps it.
    _proxy: Option<Process>,
    socks_proxy: OnceLock<SocksProxy>,
    /// The folder of the logs of operators on this machine.
    logs: Option<PathBuf>,
}

// === impl Cluster ===

impl Cluster {
    /// The cluster of an API server on this machine, which runs no pods.
    pub fn of(server: &ApiServer) -> Self {
        let kubectl = server.kubectl();
        let value = |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| {
            Some((name.to_owned(), value?.to_owned()))
        };
        Self {
            kubectl: kubectl.get_program().into(),
            environment: kubectl.get_envs().filter_map(value).collect(),
            api: server.api().clone(),
            _proxy: None,
            socks_proxy: OnceLock::new(),
            logs: Some(server.directory().to_owned()),
        }
    }

    /// The cluster that `KUBECONFIG` names, with the way in for requests.
    pub fn of_kubeconfig(labels: &Value) -> Result<Self> {
        ensure!(
            env::var_os("KUBECONFIG").is_some(),
            "KUBECONFIG is not set: `cargo xtask e2e` sets it"
        );
        let kubectl = tools::kubectl()?;
        let (proxy, api) = kubernetes::proxy(Command::new(&kubectl))?;
        let cluster = Self {
            kubectl,
            environment: Vec::new(),
            api,
            _proxy: Some(proxy),
            socks_proxy: OnceLock::new(),
            logs: None,
        };
        let socks_proxy = SocksProxy::open(&cluster, labels)?;
        let _ = cluster.socks_proxy.set(socks_proxy);
        Ok(cluster)
    }

    /// Plain requests to the API server.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The way in for requests.
    ///
    /// # Panics
    ///
    /// Panics for a cluster that runs no pods.
    pub fn socks_proxy(&self) -> SocksProxy {
        *self.socks_proxy.get().expect("only a cluster with pods has a way in")
    }

    /// `kubectl`, yet to run.
    pub fn command(&self) -> Command {
        let mut kubectl = Command::new(&self.kubectl);
        kubectl.envs(self.environment.iter().map(|(name, value)| (name, value)));
        kubectl
    }

    /// `kubectl` with an input: what it prints, and whether it succeeds.
    pub fn kubectl(&self, args: &[&str], input: &str) -> Result<CommandOutput> {
        run(self.command().args(args), input)
    }

    /// `kubectl`: what it prints.
    pub fn read(&self, args: &[&str]) -> Result<String> {
        self.read_with(args, "")
    }

    /// `kubectl` with an input: what it prints.
    fn read_with(&self, args: &[&str], input: &str) -> Result<String> {
        let said = self.kubectl(args, input)?.ok();
        said.map_err(|error| error.context(format!("`kubectl {}`", args.join(" "))))
    }

    /// `kubectl … -o json`.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let text = self.read(&[args, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("kubectl printed {text}"))
    }

    /// A new namespace.
    pub fn test_namespace(&self, name: &str) -> Result<TestNamespace<'_>> {
        crate::api_server::create_namespace(self.api(), name)?;
        Ok(self.at(name))
    }

    /// A namespace with these labels, made if it is not there.
    pub fn labelled_namespace(&self, name: &str, labels: &Value) -> Result<TestNamespace<'_>> {
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": name, "labels": labels },
        });
        self.api.apply(&format!("/api/v1/namespaces/{name}"), &namespace)?;
        Ok(self.at(name))
    }

    /// A namespace that is there.
    pub fn at(&self, name: &str) -> TestNamespace<'_> {
        TestNamespace { cluster: self, name: name.into() }
    }

    /// The ends of the logs of operators on this machine.
    fn logs(&self) -> String {
        const LINES: usize = 40;
        let mut all = String::new();
        for entry in self.logs.iter().flat_map(fs::read_dir).flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("operator-") {
                let text = fs::read_to_string(entry.path()).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let end = lines[lines.len().saturating_sub(LINES)..].join("\n");
                all += &format!("{name} ends:\n{end}\n");
            }
        }
        all
    }
}
