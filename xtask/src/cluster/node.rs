//! A node for kind where none can be pulled: Debian's packages, and programs built from Go modules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::docker::{self, Image};
use crate::fingerprint::Fingerprint;
use crate::{command, paths, tools};

/// The files of the image that are in the repository.
const SOURCES: &str = "tests/cluster/node";

/// The programs of a node.
#[derive(Debug)]
pub(super) struct Programs {
    /// The folder of Kubernetes' own.
    kubernetes: PathBuf,
    coredns: PathBuf,
    /// The folder of `pause` and `runc-wrapper`.
    wrappers: PathBuf,
}

/// The images that a control plane runs.
#[derive(Debug)]
struct ControlPlane<'a> {
    programs: &'a Programs,
    root: &'a Image,
    made_of: &'a Fingerprint,
}

/// A place for what images are built of. In the cache, where most of it is: it need not be copied.
///
/// # Errors
///
/// When it cannot be made.
pub(super) fn context() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix(".context-").tempdir_in(paths::cache())?)
}

/// Puts a file into a folder, under the name that it has, without copying it where that is possible.
///
/// # Errors
///
/// When it cannot be read.
pub(super) fn put(file: &Path, folder: &Path) -> Result<()> {
    let place = folder.join(file.file_name().context("a file has a name")?);
    fs::hard_link(file, &place)
        .or_else(|_| fs::copy(file, &place).map(drop))
        .with_context(|| format!("cannot copy {}", file.display()))
}

// === impl Programs ===

impl Programs {
    /// All, built if they are not there.
    ///
    /// # Errors
    ///
    /// When one cannot be built.
    pub(super) fn build() -> Result<Self> {
        Ok(Self {
            wrappers: tools::node_wrappers()?,
            kubernetes: tools::node_programs()?,
            coredns: tools::coredns()?,
        })
    }

    /// The node's image, made if it is not there.
    ///
    /// # Errors
    ///
    /// When docker cannot.
    pub(super) fn image(&self, root: &Image) -> Result<Image> {
        let sources = paths::root().join(SOURCES);
        let made_of = Fingerprint::default()
            .word(&root.made_of.to_string())
            .word(&self.kubernetes.to_string_lossy())
            .word(&self.coredns.to_string_lossy())
            .word(&self.wrappers.to_string_lossy())
            .tree(&sources)?;
        let version = tools::KUBERNETES_VERSION;
        let image = Image { name: format!("corsward/kind-node:{version}"), made_of };
        if image.is_made() {
            return Ok(image);
        }
        let context = context()?;
        let folder = context.path();
        for entry in sources.read_dir()? {
            put(&entry?.path(), folder)?;
        }
        for program in ["kubeadm", "kubectl", "kubelet"] {
            put(&self.kubernetes.join(program), folder)?;
        }
        put(&self.wrappers.join("runc-wrapper"), folder)?;
        let control_plane = ControlPlane { programs: self, root, made_of: &image.made_of };
        let pause = control_plane.save(&folder.join("images.tar"))?;
        let args = [
            "--build-arg",
            &format!("BASE={}", root.name),
            "--build-arg",
            &format!("VERSION=v{version}"),
            "--build-arg",
            &format!("PAUSE={pause}"),
        ];
        image.build(folder, &args, &log("node"))?;
        Ok(image)
    }
}

// === impl ControlPlane ===

impl ControlPlane<'_> {
    /// Writes all images into one archive. The answer is the name of the one that holds a pod's namespaces open.
    fn save(&self, archive: &Path) -> Result<String> {
        let mut list = Command::new(self.programs.kubernetes.join("kubeadm"));
        list.args(["config", "images", "list", "--kubernetes-version"]);
        list.arg(format!("v{}", tools::KUBERNETES_VERSION));
        let names = String::from_utf8(command::read(&mut list)?)?;
        let names: Vec<&str> = names.lines().collect();
        eprintln!("making the control plane's {} images …", names.len());
        for name in &names {
            self.make(name)?;
        }
        command::read(docker::cli(&["save", "--output"]).arg(archive).args(&names))?;
        // From now on the node has them.
        command::read(docker::cli(&["image", "rm"]).args(&names))?;
        let pause = names.iter().find(|name| program_of(name) == "pause");
        pause.map(ToString::to_string).context("kubeadm lists an image of pause")
    }

    fn make(&self, name: &str) -> Result<()> {
        const PATH: &str = "ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let image = Image { name: name.to_owned(), made_of: self.made_of.clone() };
        let program = program_of(name);
        let entrypoint = format!(r#"ENTRYPOINT ["/usr/local/bin/{program}"]"#);
        match program {
            "kube-proxy" => {
                let context = context()?;
                put(&self.programs.kubernetes.join(program), context.path())?;
                let sources = paths::root().join(SOURCES);
                fs::copy(sources.join("kube-proxy.Dockerfile"), context.path().join("Dockerfile"))?;
                let base = format!("BASE={}", self.root.name);
                image.build(context.path(), &["--build-arg", &base], &log(program))
            }
            "coredns" => image.of_program(&self.programs.coredns, &[PATH, &entrypoint]),
            "pause" => {
                image.of_program(&self.programs.wrappers.join(program), &[PATH, &entrypoint])
            }
            // Their manifests say what to run.
            _ => image.of_program(&self.programs.kubernetes.join(program), &[PATH]),
        }
    }
}

/// The program that an image is named after.
fn program_of(image: &str) -> &str {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split(':').next().unwrap_or(name)
}

fn log(step: &str) -> PathBuf {
    paths::target().join(format!("cluster/{step}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_after_its_program() {
        for (image, want) in [
            ("registry.k8s.io/coredns/coredns:v1.12.1", "coredns"),
            ("registry.k8s.io/kube-proxy:v1.34.2", "kube-proxy"),
            ("localhost:5000/pause:3.10", "pause"),
            ("etcd", "etcd"),
        ] {
            assert_eq!(program_of(image), want, "{image}");
        }
    }
}
