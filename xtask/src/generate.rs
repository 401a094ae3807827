//! `cargo xtask generate`: the committed files that a program writes.

mod ancestors;
mod chart;
mod picture;

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{atlas, build, command, paths};

/// The arguments of the subcommand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Write nothing; fail when a file is not what would be written
    #[arg(long)]
    pub check: bool,
}

/// A committed file and what says how it must read.
struct Generated {
    path: &'static str,
    content: fn() -> Result<String>,
}

/// The ancestors come first: the operator, which prints the resource, is compiled with them.
const FILES: [Generated; 7] = [
    Generated { path: "policy/manifest/src/knowledge/ancestors.txt", content: ancestors::generate },
    Generated {
        path: "crds/clustercorspolicies.yaml",
        content: || resource("clustercorspolicies"),
    },
    Generated { path: "crds/corspolicies.yaml", content: || resource("corspolicies") },
    Generated { path: "crds/originsets.yaml", content: || resource("originsets") },
    Generated { path: "docs/data-path.svg", content: data_path },
    Generated { path: "docs/atlas.md", content: atlas::page },
    Generated { path: "docs/atlas.svg", content: atlas::picture },
];

/// Writes the generated files, or with `check` says which are out of date.
///
/// # Errors
///
/// Fails if one cannot be generated or written, or is out of date.
pub fn run(args: &Args) -> Result<()> {
    let mut stale = Vec::new();
    for Generated { path, content } in FILES {
        let wanted = content().with_context(|| format!("cannot generate {path}"))?;
        put(path, &wanted, args.check, &mut stale)?;
    }
    // The chart's copies come last: they are made of what was written above.
    for (path, wanted) in chart::files().context("cannot generate the chart's files")? {
        put(&path, &wanted, args.check, &mut stale)?;
    }
    if !stale.is_empty() {
        bail!(
            "out of date: {}; run `cargo xtask generate` and commit the change",
            stale.join(", ")
        );
    }
    Ok(())
}

/// Writes a file, or with `check` notes that it is out of date.
fn put(path: &str, wanted: &str, check: bool, stale: &mut Vec<String>) -> Result<()> {
    let file = paths::root().join(path);
    if fs::read_to_string(&file).is_ok_and(|found| found == wanted) {
        eprintln!("{path}: up to date");
    } else if check {
        stale.push(path.to_owned());
    } else {
        fs::write(&file, wanted).with_context(|| format!("cannot write {path}"))?;
        eprintln!("{path}: written");
    }
    Ok(())
}

/// The definition of a resource as `kubectl apply` wants it.
fn resource(plural: &str) -> Result<String> {
    let printed = String::from_utf8(command::read(Command::new(build::operator()?).arg("crd"))?)?;
    let name = format!("\n  name: {plural}.corsward.io\n");
    let definition = printed.split("---\n").find(|document| document.contains(&name));
    definition.map(str::to_owned).with_context(|| format!("the operator prints no {plural}"))
}

/// The picture of the README.
fn data_path() -> Result<String> {
    let text = fs::read_to_string(paths::root().join("docs/data-path.txt"))?;
    picture::draw(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_of_the_readme_is_drawn_from_its_text() {
        let committed = fs::read_to_string(paths::root().join("docs/data-path.svg")).unwrap();
        assert_eq!(data_path().unwrap(), committed, "run `cargo xtask generate`");
    }
}
