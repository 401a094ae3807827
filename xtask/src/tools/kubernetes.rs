//! A real API server and its store, kubectl and Helm, and the resources of those we work with.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};

use super::go::{builder, in_module};
use super::{cached, named_by, version};
use crate::{command, paths};

/// The Kubernetes that everything is tried with. The same as in `tests/cluster/kubernetes/go.mod`.
pub const KUBERNETES_VERSION: &str = "1.34.2";

/// The Helm that is built where there is none.
pub const HELM_VERSION: &str = "4.3.1";

/// The Istio whose resources are published to: of its `istio.io/api`.
pub const ISTIO_VERSION: &str = "1.31.1";

/// The Gateway API whose resources policies may target.
pub const GATEWAY_API_VERSION: &str = "1.5.1";

/// The Prometheus operator whose resources the chart can make.
pub const PROMETHEUS_OPERATOR_VERSION: &str = "0.85.0";

/// kubectl works with API servers one minor version away from its own.
const OLDEST_KUBECTL: (u32, u32) = (1, 33);

/// The oldest Helm that knows all that the chart's tests ask of it.
const OLDEST_HELM: (u32, u32) = (3, 18);

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
/// When one is missing and cannot be built.
pub fn kubernetes() -> Result<Kubernetes> {
    Ok(Kubernetes {
        apiserver: asset("kube-apiserver", "KUBE_APISERVER_BIN", || {
            build("k8s.io/kubernetes/cmd/kube-apiserver", "about five minutes on two cores")
        })?,
        etcd: asset("etcd", "ETCD_BIN", || build("go.etcd.io/etcd/server/v3", "half a minute"))?,
        kubectl: asset("kubectl", "KUBECTL_BIN", || {
            let found = command::find("kubectl");
            let fits = |kubectl: &PathBuf| {
                version(kubectl, &["version", "--client"]) >= Some(OLDEST_KUBECTL)
            };
            found
                .filter(fits)
                .map_or_else(|| build("k8s.io/kubernetes/cmd/kubectl", "a minute"), Ok)
        })?,
    })
}

/// The program that `HELM_BIN` names, else one on the `PATH` that is new enough, else built from its Go module.
///
/// # Errors
///
/// When it cannot be built.
pub fn helm() -> Result<PathBuf> {
    if let Some(named) = named_by("HELM_BIN")? {
        return Ok(named);
    }
    let found = command::find("helm");
    if let Some(found) = found.filter(|helm| version(helm, &["version"]) >= Some(OLDEST_HELM)) {
        return Ok(found);
    }
    cached(&format!("helm-{HELM_VERSION}/helm"), |folder| {
        let package = format!("helm.sh/helm/v4/cmd/helm@v{HELM_VERSION}");
        let mut install = builder("install")?;
        install.args(["-ldflags", "-s -w", &package]);
        install.current_dir(folder.path()).env("GOBIN", folder.path());
        command::wait_for(
            &format!("building Helm {HELM_VERSION} (go install; about three minutes on two cores)"),
            &mut install,
        )?;
        Ok(folder.path().join("helm"))
    })
}

/// The definitions of all of Istio's resources, in one file.
///
/// # Errors
///
/// When the module cannot be fetched.
pub fn istio_crds() -> Result<PathBuf> {
    cached(&format!("istio-{ISTIO_VERSION}/crds.yaml"), |folder| {
        let module = format!("istio.io/api@v{ISTIO_VERSION}");
        let file = in_module(&module, "kubernetes/customresourcedefinitions.gen.yaml")?;
        let copy = folder.path().join("crds.yaml");
        fs::write(&copy, fs::read(file)?)?;
        Ok(copy)
    })
}

/// The definitions of the Gateway API's standard resources, in one file.
///
/// # Errors
///
/// When the module cannot be fetched.
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
/// When the module cannot be fetched.
pub fn prometheus_crds() -> Result<PathBuf> {
    cached(&format!("prometheus-operator-{PROMETHEUS_OPERATOR_VERSION}/crds.yaml"), |folder| {
        let module = format!(
            "github.com/prometheus-operator/prometheus-operator@v{PROMETHEUS_OPERATOR_VERSION}"
        );
        let definitions = in_module(&module, "example/prometheus-operator-crd")?;
        let mut text = String::new();
        for plural in ["prometheusrules", "servicemonitors"] {
            let file = definitions.join(format!("monitoring.coreos.com_{plural}.yaml"));
            text += &fs::read_to_string(file)?;
        }
        let file = folder.path().join("crds.yaml");
        fs::write(&file, text)?;
        Ok(file)
    })
}

/// A program of Kubernetes: of the user, or of `other`.
fn asset(name: &str, variable: &str, other: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
    if let Some(named) = named_by(variable)? {
        return Ok(named);
    }
    let assets = env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty());
    let theirs = assets.map(|folder| Path::new(&folder).join(name));
    theirs.filter(|program| program.is_file()).map_or_else(other, Ok)
}

/// Builds a program of the module `tests/cluster/kubernetes`, once.
fn build(package: &str, lasts: &str) -> Result<PathBuf> {
    let name = if package.contains("etcd") { "etcd" } else { last_of(package)? };
    cached(&format!("kubernetes-{KUBERNETES_VERSION}/{name}"), |folder| {
        let program = folder.path().join(name);
        let mut build = builder("build")?;
        build.current_dir(paths::root().join("tests/cluster/kubernetes"));
        build.args(["-ldflags", &stamp(), "-o"]).arg(&program).arg(package);
        let what =
            format!("building {name} of Kubernetes {KUBERNETES_VERSION} (go build; {lasts})");
        command::wait_for(&what, &mut build)?;
        Ok(program)
    })
}

/// What tells the programs which version they are: nobody checks the sources out with their tags.
fn stamp() -> String {
    let minor = KUBERNETES_VERSION.split('.').nth(1).unwrap_or_default();
    let component = "k8s.io/component-base/version";
    format!(
        "-s -w -X {component}.gitVersion=v{KUBERNETES_VERSION} -X {component}.gitMajor=1 -X {component}.gitMinor={minor} \
         -X k8s.io/client-go/pkg/version.gitVersion=v{KUBERNETES_VERSION}"
    )
}

fn last_of(package: &str) -> Result<&str> {
    package.rsplit('/').next().context("a package has a name")
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

    #[test]
    fn what_is_built_is_what_the_programs_say_they_are() {
        let module = paths::root().join("tests/cluster/kubernetes/go.mod");
        let text = fs::read_to_string(module).unwrap();
        assert!(text.contains(&format!("k8s.io/kubernetes v{KUBERNETES_VERSION}\n")));
        let staging = KUBERNETES_VERSION.replacen("1.", "0.", 1);
        assert!(text.contains(&format!("=> k8s.io/apiserver v{staging}\n")));
    }
}
