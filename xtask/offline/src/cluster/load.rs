//! Images of this machine's docker, in a cluster's node.

use std::process::Command;

use anyhow::{Context, Result};

use crate::{command, docker};

/// The label of an image in the node: the ID of docker's image.
const MARK: &str = "corsward.id";

/// Loads those of the images that the node does not have yet, in one archive: what they share is in it once.
///
/// # Errors
///
/// Fails if an image is not there, or containerd refuses it.
pub(super) fn into_node(node: &str, images: &[String]) -> Result<()> {
    let listed = command::read(&mut containerd(node, &["images", "list"]))?;
    let listed = String::from_utf8_lossy(&listed);
    let mut missing = Vec::new();
    for name in images {
        let id = docker::inspect("image", name, "{{.Id}}")
            .with_context(|| format!("docker has no image {name}"))?;
        if !is_listed(&listed, name, &id) {
            missing.push((name, id));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(name, _)| name.as_str()).collect();
    eprintln!("loading {} into {node} …", names.join(", "));
    let mut save = docker::cli(&["save"]);
    command::pipe(save.args(names), &mut containerd(node, &["images", "import", "-"]))?;
    for (name, id) in missing {
        let mark = format!("{MARK}={id}");
        command::read(&mut containerd(node, &["images", "label", &full(name), &mark]))?;
    }
    Ok(())
}

/// A command to the node's containerd, about what Kubernetes uses.
fn containerd(node: &str, args: &[&str]) -> Command {
    let mut ctr = docker::cli(&["exec", "--interactive", node, "ctr", "--namespace", "k8s.io"]);
    ctr.args(args);
    ctr
}

/// Whether containerd lists this very image.
fn is_listed(listed: &str, name: &str, id: &str) -> bool {
    let mark = format!("{MARK}={id}");
    listed.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(&full(name))
            && words.next_back().is_some_and(|labels| labels.split(',').any(|label| label == mark))
    })
}

/// An image's whole name, as containerd has it.
fn full(name: &str) -> String {
    let first = name.split('/').next().filter(|_| name.contains('/'));
    match first {
        Some(host) if host.contains(['.', ':']) || host == "localhost" => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_the_name_that_containerd_gives_it() {
        for (name, want) in [
            ("corsward-operator:0.1.0", "docker.io/library/corsward-operator:0.1.0"),
            ("corsward-e2e/backends:dev", "docker.io/corsward-e2e/backends:dev"),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            ("localhost/a:b", "localhost/a:b"),
            ("localhost:5000/a:b", "localhost:5000/a:b"),
        ] {
            assert_eq!(full(name), want, "{name}");
        }
    }

    #[test]
    fn only_the_very_same_image_need_not_be_loaded_again() {
        let listed = "REF TYPE DIGEST SIZE PLATFORMS LABELS
docker.io/corsward/pilot:1 application/x sha256:1 90.1 MiB linux/amd64 corsward.id=sha256:a,io.cri-containerd.image=managed
docker.io/corsward/other:1 application/x sha256:2 9.1 MiB linux/amd64 -
";
        for (name, id, want) in [
            ("corsward/pilot:1", "sha256:a", true),
            ("corsward/pilot:1", "sha256:b", false),
            ("corsward/other:1", "sha256:a", false),
            ("corsward/pilot:2", "sha256:a", false),
        ] {
            assert_eq!(is_listed(listed, name, id), want, "{name} {id}");
        }
    }
}
