//! `cargo xtask images`: what is pushed to a registry. The filter's module, as Istio fetches it, and the operator.
//!
//! ```text
//! wasm::build --> layer (tar.gz) --> layout (OCI) --> agent (what Istio's proxies would make of it) --> target/images
//! ```

mod agent;
mod layer;
mod layout;
mod operator;

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use self::layout::Layout;
pub use self::operator::tag as operator_tag;
use crate::{paths, wasm};

/// The version of everything here: that of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The arguments of the subcommand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Build the operator's image too: a static binary, the module, and nothing else
    #[arg(long)]
    pub operator: bool,
}

/// Builds the images and says where they are and what their digests are.
///
/// # Errors
///
/// Fails if something cannot be built, or Istio's agent would refuse what was built.
pub fn run(args: &Args) -> Result<()> {
    let folder = paths::target().join("images");
    let module = wasm::build()?;
    filter(&module, &folder)?;
    if args.operator {
        operator::build(&module, &folder.join("operator"))?;
    } else {
        println!("left out: the operator (`cargo xtask images --operator`)");
    }
    Ok(())
}

/// The image of the filter's module: as a folder, and as an archive of it.
fn filter(module: &Path, folder: &Path) -> Result<()> {
    let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let layout = Layout::of(&bytes, VERSION)?;
    let place = folder.join("corsward-filter");
    let archive = folder.join("corsward-filter.tar");
    layout.write(&place)?;
    layout.archive(File::create(&archive)?)?;
    ensure!(
        agent::fetch(&place)? == bytes,
        "the image in {} does not hold the module",
        place.display()
    );
    let (manifest, module) = (layout.digest(), layout::digest_of(&bytes));
    println!("filter: {}", place.display());
    println!("        {}", archive.display());
    println!("image   {manifest}");
    println!("module  {module}");
    println!(
        "push it: skopeo copy oci-archive:{} docker://REGISTRY/corsward-filter:{VERSION}\n\
         use it:  helm upgrade … --set module.from=oci --set module.oci.url=oci://REGISTRY/corsward-filter@{manifest}",
        archive.display()
    );
    Ok(())
}
