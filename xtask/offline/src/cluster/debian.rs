//! Debian without a registry: root file systems, made by debootstrap, as images.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::docker::Image;
use crate::fingerprint::Fingerprint;
use crate::{command, paths, tools};

const SUITE: &str = "bookworm";

/// The packages of a node beside Kubernetes.
const NODE: &str = "systemd,systemd-sysv,dbus,containerd,runc,containernetworking-plugins,iptables,iproute2,\
    conntrack,ebtables,ethtool,socat,kmod,mount,util-linux,procps,hostname,ca-certificates,curl,jq";

/// The packages of Istio's programs and of the tests' back ends: one root, so that a node has it once.
const PODS: &str = "iptables,iproute2,ca-certificates,curl,procps,python3,nodejs,nginx-light";

/// Makes a root in memory, in a mount namespace of its own, and writes it to the standard output as an archive: it
/// leaves neither files nor mounts, even after a failure. Manuals and translations are left out.
const MAKE: &str = r#"
mount -t tmpfs -o mode=0755 corsward "$2"
"$1" --variant=minbase --include="$4" "$3" "$2" >&2
tar --create --one-file-system --directory="$2" \
  --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/doc/*' \
  --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' --exclude='./usr/share/locale/*' .
"#;

/// The images that all others are made from.
#[derive(Clone, Debug)]
pub(super) struct Roots {
    /// Of a node.
    pub(super) node: Image,
    /// Of what runs in pods.
    pub(super) pods: Image,
}

// === impl Roots ===

impl Roots {
    /// Both, made if they are not there.
    ///
    /// # Errors
    ///
    /// Fails if debootstrap cannot make one.
    pub(super) fn ensure() -> Result<Self> {
        Ok(Self { node: root("node", NODE)?, pods: pods()? })
    }
}

/// The root of what runs in pods, made if it is not there.
///
/// # Errors
///
/// Fails if debootstrap cannot make it.
pub(super) fn pods() -> Result<Image> {
    root(SUITE, PODS)
}

/// The image `corsward/debian:TAG`.
fn root(tag: &str, packages: &str) -> Result<Image> {
    let made_of = Fingerprint::default().word(SUITE).word(packages).word(MAKE);
    let image = Image { name: format!("corsward/debian:{tag}"), made_of };
    if !image.is_made() {
        let log = paths::target().join(format!("cluster/debian-{tag}.log"));
        eprintln!("making {} (debootstrap, a minute; log: {}) …", image.name, log.display());
        image.import(&[], |archive| make(packages, &log, Stdio::from(archive)))?;
    }
    Ok(image)
}

/// Writes the archive of a root.
fn make(packages: &str, log: &Path, archive: Stdio) -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut make = Command::new("unshare");
    make.args(["--mount", "sh", "-euc", MAKE, "sh"]).arg(tools::debootstrap()?).arg(place.path());
    make.args([SUITE, packages]).stdout(archive).stderr(command::log_file(log)?);
    let status = make.status().context("`unshare` did not start")?;
    ensure!(status.success(), "debootstrap failed ({status}): {} says why", log.display());
    Ok(())
}
