//! A real API server and its store, kubectl and Helm, and the resources of those we work with.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Result;

use super::go::{Module, in_module, installed};
use super::{cached, named_by, version};
use crate::command;

/// The Kubernetes that everything is tried with. The same as in `tests/cluster/kubernetes/go.mod`.
pub const KUBERNETES_VERSION: &str = "1.34.2";

/// The Helm that is built where there is none.
pub const HELM_VERSION: &str = "4.3.1";

/// The Gateway API whose resources policies may target.
pub const GATEWAY_API_VERSION: &str = "1.5.1";

/// The Prometheus operator whose resources the chart can make.
pub const PROMETHEUS_OPERATOR_VERSION: &str = "0.85.0";

/// kubectl works with API servers one minor version away from its own.
const OLDEST_KUBECTL: (u32, u32) = (1, 33);

/// The oldest Helm that knows all that the chart's tests ask of it.
const OLDEST_HELM: (u32, u32) = (3, 18);

/// The programs of a node, and the packages of the module `tests/cluster/kubernetes` that they are built from.
const PACKAGES: [(&str, &str); 8] = [
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
    ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    ("kubeadm", "k8s.io/kubernetes/cmd/kubeadm"),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
];

/// The programs of a control plane, without what runs pods.
#[derive(Clone, Debug)]
pub struct Kubernetes {
    /// `kube-apiserver`.
    pub apiserver: PathBuf,
    /// `etcd`.
    pub etcd: PathBuf,
    /// `kubectl`.
    pub kubectl: PathBuf,
}

/// The programs of a control plane: those that `KUBE_APISERVER_BIN`, `ETCD_BIN` and `KUBECTL_BIN` name, else those in the folder that
/// `KUBEBUILDER_ASSETS` names, else built from their Go modules.
///
/// # Errors
///
/// Fails if one is missing and cannot be built.
pub fn kubernetes() -> Result<Kubernetes> {
    let theirs = [
        asset("kube-apiserver", "KUBE_APISERVER_BIN")?,
        asset("etcd", "ETCD_BIN")?,
        own_kubectl()?,
    ];
    let names = ["kube-apiserver", "etcd", "kubectl"];
    let missing = names.iter().zip(&theirs).filter(|(_, program)| program.is_none());
    let built = build(&missing.map(|(name, _)| *name).collect::<Vec<_>>())?;
    let [apiserver, etcd, kubectl] = theirs;
    Ok(Kubernetes {
        apiserver: apiserver.unwrap_or_else(|| built.join("kube-apiserver")),
        etcd: etcd.unwrap_or_else(|| built.join("etcd")),
        kubectl: kubectl.unwrap_or_else(|| built.join("kubectl")),
    })
}

/// The program that `KUBECTL_BIN` names, else one that is here and new enough, else built from its Go module.
///
/// # Errors
///
/// Fails if it cannot be built.
pub fn kubectl() -> Result<PathBuf> {
    own_kubectl()?.map_or_else(|| Ok(build(&["kubectl"])?.join("kubectl")), Ok)
}

/// The folder of all programs that a node is made of, each built here and of [`KUBERNETES_VERSION`].
///
/// # Errors
///
/// Fails if one cannot be built.
pub fn node_programs() -> Result<PathBuf> {
    let names: Vec<_> = PACKAGES.iter().map(|(name, _)| *name).collect();
    build(&names)
}

/// The program that `HELM_BIN` names, else one on the `PATH` that is new enough, else built from its Go module.
///
/// # Errors
///
/// Fails if it cannot be built.
pub fn helm() -> Result<PathBuf> {
    if let Some(named) = named_by("HELM_BIN")? {
        return Ok(named);
    }
    let found = command::find("helm");
    if let Some(found) = found.filter(|helm| version(helm, &["version"]) >= Some(OLDEST_HELM)) {
        return Ok(found);
    }
    installed("helm", HELM_VERSION, "helm.sh/helm/v4/cmd/helm", "about three minutes on two cores")
}

/// The definitions of the Gateway API's standard resources, in one file.
///
/// # Errors
///
/// Fails if the module cannot be fetched.
pub fn gateway_crds() -> Result<PathBuf> {
    cached(&format!("gateway-api-{GATEWAY_API_VERSION}/crds.yaml"), |folder| {
        let module = format!("sigs.k8s.io/gateway-api@v{GATEWAY_API_VERSION}");
        let mut text = String::new();
        for file in definitions_in(&in_module(&module, "config/crd/standard")?)? {
            text += "---\n";
            text += &fs::read_to_string(file)?;
        }
        let file = folder.path().join("crds.yaml");
        fs::write(&file, text)?;
        Ok(file)
    })
}

/// The definitions of the Prometheus operator's resources that the chart can make, in one file.
///
/// # Errors
///
/// Fails if the module cannot be fetched.
pub fn prometheus_crds() -> Result<PathBuf> {
    cached(
        &format!("prometheus-operator-{PROMETHEUS_OPERATOR_VERSION}/monitoring.yaml"),
        |folder| {
            let module = format!(
                "github.com/prometheus-operator/prometheus-operator@v{PROMETHEUS_OPERATOR_VERSION}"
            );
            let definitions = in_module(&module, "example/prometheus-operator-crd")?;
            let mut text = String::new();
            for plural in ["podmonitors", "prometheusrules", "servicemonitors"] {
                let file = definitions.join(format!("monitoring.coreos.com_{plural}.yaml"));
                text += &fs::read_to_string(file)?;
            }
            let file = folder.path().join("monitoring.yaml");
            fs::write(&file, text)?;
            Ok(file)
        },
    )
}

/// A program of Kubernetes that the user names.
fn asset(name: &str, variable: &str) -> Result<Option<PathBuf>> {
    if let Some(named) = named_by(variable)? {
        return Ok(Some(named));
    }
    let assets = env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty());
    let theirs = assets.map(|folder| Path::new(&folder).join(name));
    Ok(theirs.filter(|program| program.is_file()))
}

/// The user's kubectl.
fn own_kubectl() -> Result<Option<PathBuf>> {
    if let Some(named) = asset("kubectl", "KUBECTL_BIN")? {
        return Ok(Some(named));
    }
    let found = command::find("kubectl");
    let fits =
        |kubectl: &PathBuf| version(kubectl, &["version", "--client"]) >= Some(OLDEST_KUBECTL);
    Ok(found.filter(fits))
}

/// The folder where the programs of these names are: those that are missing are built together.
fn build(names: &[&str]) -> Result<PathBuf> {
    Module {
        what: format!("Kubernetes {KUBERNETES_VERSION}"),
        sources: "tests/cluster/kubernetes",
        place: format!("kubernetes-{KUBERNETES_VERSION}"),
        stamp: stamp(),
        lasts: "up to nine minutes on two cores",
    }
    .build(PACKAGES.iter().filter(|(name, _)| names.contains(name)))
}

/// The version stamp of the programs: the sources come without their tags.
fn stamp() -> String {
    let minor = KUBERNETES_VERSION.split('.').nth(1).unwrap_or_default();
    let component = "k8s.io/component-base/version";
    format!(
        "-X {component}.gitVersion=v{KUBERNETES_VERSION} -X {component}.gitMajor=1 -X {component}.gitMinor={minor} \
         -X k8s.io/client-go/pkg/version.gitVersion=v{KUBERNETES_VERSION}"
    )
}

/// The definitions in a folder, without the policy that guards their upgrades.
fn definitions_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let file = entry?.path();
        let text = fs::read_to_string(&file)?;
        if text.contains("\nkind: CustomResourceDefinition\n") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths;

    #[test]
    fn what_is_built_is_what_the_programs_say_they_are() {
        let module = paths::root().join("tests/cluster/kubernetes/go.mod");
        let text = fs::read_to_string(module).unwrap();
        assert!(text.contains(&format!("k8s.io/kubernetes v{KUBERNETES_VERSION}\n")));
        let staging = KUBERNETES_VERSION.replacen("1.", "0.", 1);
        assert!(text.contains(&format!("=> k8s.io/apiserver v{staging}\n")));
    }
}
