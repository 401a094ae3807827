//! The sources of images: registries, or builds from packages and Go modules.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::{debian, istio, node};
use crate::docker::{self, Image};
use crate::{paths, tools, wait};

/// The node that [`tools::KIND_VERSION`] would pull.
pub(super) const NODE_IMAGE: &str = "kindest/node:v1.34.0";

/// Timeout for a registry's answer about an image.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The source of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    /// Registries.
    Pulled,
    /// This machine.
    MadeHere,
}

/// The images of a cluster, ready to use, without those that are pulled on first use.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// The node's image.
    pub(super) node: Option<Image>,
    /// Istio's images.
    pub(super) istio: Option<istio::Images>,
}

// === impl Supply ===

impl Supply {
    /// Asks a registry once.
    ///
    /// # Errors
    ///
    /// Fails if none answers, and this is no machine to make images on.
    pub(super) fn decide() -> Result<Self> {
        if docker::inspect("image", NODE_IMAGE, "{{.Id}}").is_some() || registry_has(NODE_IMAGE) {
            return Ok(Self::Pulled);
        }
        eprintln!("no registry answers for {NODE_IMAGE}: the images are made here");
        ensure!(
            tools::is_root() && cfg!(target_os = "linux"),
            "images can neither be pulled (`docker pull {NODE_IMAGE}` says why) nor made, which takes root on Linux"
        );
        Ok(Self::MadeHere)
    }

    /// Gets everything ready that is not there yet.
    ///
    /// # Errors
    ///
    /// Fails if something cannot be built.
    pub(super) fn prepare(self, with_istio: bool) -> Result<Prepared> {
        tools::kind()?;
        tools::kubectl()?;
        tools::helm()?;
        if self == Self::Pulled {
            return Ok(Prepared::default());
        }
        let _alone = tools::lock(&paths::cache().join("images"))?;
        // Debian's roots take the network and the disk, Go programs the processors.
        let (roots, programs) = thread::scope(|scope| {
            let roots = scope.spawn(debian::Roots::ensure);
            let programs = node::Programs::build()
                .and_then(|node| Ok((node, with_istio.then(tools::istio_programs).transpose()?)));
            (roots.join(), programs)
        });
        let roots = roots.map_err(|_| anyhow!("the thread that makes Debian's roots panicked"))?;
        let (roots, (node, istio)) = (roots?, programs?);
        Ok(Prepared {
            node: Some(node.image(&roots.node)?),
            istio: istio
                .map(|programs| istio::Images::build(&programs, &roots.pods))
                .transpose()?,
        })
    }
}

/// Whether a registry says that it has an image, soon.
fn registry_has(image: &str) -> bool {
    let mut ask = docker::cli(&["manifest", "inspect", image]);
    ask.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let asked = ask.spawn().context("`docker` did not start").and_then(|mut child| {
        let answer = wait::until("a registry to answer", TIMEOUT, || Ok(child.try_wait()?));
        if answer.is_err() {
            // It has ended, or ends now.
            let _ = child.kill();
            let _ = child.wait();
        }
        answer
    });
    asked.is_ok_and(|status| status.success())
}
