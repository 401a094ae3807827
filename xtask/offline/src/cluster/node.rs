//! A node for kind where none can be pulled: Debian's packages, and programs built from Go modules.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::docker::{self, Context, Image};
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

// === impl Programs ===

impl Programs {
    /// All, built if they are not there.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be built.
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
    /// Fails if docker cannot.
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
        let context = Context::new()?;
        for entry in sources.read_dir()? {
            context.put(&entry?.path())?;
        }
        for program in ["kubeadm", "kubectl", "kubelet"] {
            context.put(&self.kubernetes.join(program))?;
        }
        context.put(&self.wrappers.join("runc-wrapper"))?;
        let control_plane = ControlPlane { programs: self, root, made_of: &image.made_of };
        let pause = control_plane.save(&context.path().join("images.tar"))?;
        let args = [
            "--build-arg",
            &format!("BASE={}", root.name),
            "--build-arg",
            &format!("VERSION=v{version}"),
            "--build-arg",
            &format!("PAUSE={pause}"),
        ];
        image.build(&context, &args, &log("node"))?;
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
                let context = Context::new()?;
                context.put(&self.programs.kubernetes.join(program))?;
                let dockerfile = paths::root().join(SOURCES).join("kube-proxy.Dockerfile");
                context.put_as(Path::new("Dockerfile"), &dockerfile)?;
                let base = format!("BASE={}", self.root.name);
                image.build(&context, &["--build-arg", &base], &log(program))
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
