//! Local cluster: an API server on this machine with the resources that the operator works with, and the operator's own roles.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use anyhow::{Context, Result};
use xtask::kubernetes::{ApiServer, ApiServerPlan};
use xtask::{command, paths, tools};

use super::Cluster;
use super::operator::{Operator, OperatorPlan};
use crate::api_server::{crds, create_namespace};

/// The operator's namespace, and its ServiceAccount's name.
pub const OPERATOR_NAMESPACE: &str = "corsward-system";

/// The module comes from an image, and reviews are left out: what most scenarios are not about.
const IMAGE: [&str; 6] = [
    "--set",
    "webhook.enabled=false",
    "--set",
    "module.from=oci",
    "--set",
    "module.oci.url=oci://registry.example/filter@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
];

/// The foreign resources that the operator uses.
const ASKED_FOR: [&str; 7] = [
    "wasmplugins.extensions.istio.io",
    "trafficextensions.extensions.istio.io",
    "envoyfilters.networking.istio.io",
    "virtualservices.networking.istio.io",
    "gatewayclasses.gateway.networking.k8s.io",
    "gateways.gateway.networking.k8s.io",
    "httproutes.gateway.networking.k8s.io",
];

/// An API server that knows Istio's and the Gateway API's resources and ours.
#[derive(Debug)]
pub struct LocalCluster {
    /// The API server.
    pub server: ApiServer,
    cluster: Cluster,
    kubeconfig: PathBuf,
}

impl Deref for LocalCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

// === impl LocalCluster ===

impl LocalCluster {
    /// The one that ordinary scenarios share.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<LocalCluster> = OnceLock::new();
        let new = || -> Result<Self> {
            let plan = ApiServer::plan().below(&leftovers()?);
            Self::new(plan, istio_and_gateways()?.iter().map(String::as_str))
        };
        SHARED.get_or_init(|| new().unwrap())
    }

    /// The same, with an operator that runs as long as the tests do.
    ///
    /// # Panics
    ///
    /// Panics if one of them does not start.
    pub fn operated() -> &'static Self {
        static OPERATOR: OnceLock<Mutex<Operator>> = OnceLock::new();
        OPERATOR.get_or_init(|| Mutex::new(Self::shared().operator("shared").start().unwrap()));
        Self::shared()
    }

    /// One for a scenario that others would not survive. It knows of other people's resources only those that the operator asks for: each
    /// takes the API server a tenth of a second.
    pub fn own() -> Result<Self> {
        let all = istio_and_gateways()?;
        let is_named = |one: &&String, name: &str| one.contains(&format!("\n  name: {name}\n"));
        let asked_for: Vec<&str> = ASKED_FOR
            .iter()
            .map(|name| {
                let found = all.iter().find(|one| is_named(one, name));
                Ok(found.with_context(|| format!("there is no definition {name}"))?.as_str())
            })
            .collect::<Result<_>>()?;
        Self::new(ApiServer::plan(), asked_for.into_iter())
    }

    fn new<'d>(plan: ApiServerPlan, definitions: impl Iterator<Item = &'d str>) -> Result<Self> {
        let server = plan.start()?;
        let file = server.directory().join("definitions.yaml");
        fs::write(&file, definitions.collect::<Vec<_>>().join("\n---\n"))?;
        for file in [file, crds()] {
            server.apply(&file)?;
        }
        create_namespace(server.api(), OPERATOR_NAMESPACE)?;
        install(&server, &[])?;
        let kubeconfig = server.service_account(OPERATOR_NAMESPACE, "corsward")?;
        Ok(Self { cluster: Cluster::of(&server), server, kubeconfig })
    }

    /// Applies what the chart renders with a further value, as `helm upgrade` does.
    pub fn upgrade(&self, value: &str) -> Result<()> {
        install(&self.server, &["--set", value])
    }

    /// The kubeconfig of the operator: it may do what the chart lets it.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// An operator in a pod of that name, yet to start.
    pub fn operator(&self, pod: &str) -> OperatorPlan {
        OperatorPlan::new(self, pod)
    }
}

/// The definitions of Istio's and the Gateway API's resources.
fn istio_and_gateways() -> Result<Vec<String>> {
    let mut all = Vec::new();
    for file in [tools::istio_crds()?, tools::gateway_crds()?] {
        all.extend(fs::read_to_string(file)?.split("\n---\n").map(str::to_owned));
    }
    Ok(all)
}

fn install(server: &ApiServer, values: &[&str]) -> Result<()> {
    let file = server.directory().join("chart.yaml");
    fs::write(&file, chart(values)?)?;
    server.apply(&file)
}

/// The objects that `helm install` would apply with these values, without the definitions.
fn chart(values: &[&str]) -> Result<Vec<u8>> {
    let mut template = Command::new(tools::helm()?);
    template.args(["template", "corsward"]).arg(paths::root().join("charts/corsward"));
    template.args(["--namespace", OPERATOR_NAMESPACE, "--no-hooks"]);
    template.args(["--set", "crds.install=false"]).args(IMAGE).args(values);
    command::read(&mut template)
}

/// A folder for files that outlive their owner: shared fixtures are never stopped. It removes those of earlier runs.
fn leftovers() -> Result<PathBuf> {
    let all = paths::target().join("tmp/kubernetes");
    for folder in fs::read_dir(&all).into_iter().flatten().flatten() {
        let owner = Path::new("/proc").join(folder.file_name());
        if !owner.exists() {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
    let ours = all.join(std::process::id().to_string());
    fs::create_dir_all(&ours)?;
    Ok(ours)
}
