//! Collect: one archive with all that support asks for, without Secrets and without the origins of users.

mod archive;
mod cluster;
mod mask;
mod objects;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use corsward_operator_core::publish::istiod::CONTAINER;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use self::archive::Archive;
use crate::live::{Connection, ContextArgs, Installation};
use crate::outcome::Outcome;
use crate::output::note;
use crate::policies::STDIN;
use crate::{check, doctor};

const EXAMPLES: &str = "\
Examples:
  Write corsward-support.tar.gz from the cluster of the current context:
    corsward collect
  Look at what is in an archive, and at what was left out, before it is sent:
    corsward collect -o case-42.tar.gz
    tar -xOzf case-42.tar.gz corsward-support/index.txt
  Check the policies of an archive at the desk:
    tar -xzf case-42.tar.gz
    corsward check corsward-support/corsward.io

Left out: Secrets, which are never read; values of environment variables; origins in logs and metrics. Policies keep the origins that they
name.

Exit codes: 0 the archive is written, 2 the cluster does not answer, or the file is there already.";

/// Arguments of `collect`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CollectArgs {
    #[command(flatten)]
    context: ContextArgs,
    /// The namespace of the operator; all are searched by default.
    #[arg(long, short)]
    namespace: Option<String>,
    /// The archive, or `-`, standard output.
    #[arg(long, short, value_name = "FILE", default_value = "corsward-support.tar.gz")]
    output: PathBuf,
}

/// Writes the archive.
pub(crate) fn run(args: &CollectArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let is_stdout = args.output == Path::new(STDIN);
    if !is_stdout && fs::exists(&args.output).unwrap_or_default() {
        bail!("{} is there already: name another file by -o", args.output.display());
    }
    let connection = Connection::open(&args.context)?.remembering();
    let mut archive = Archive::default();
    let version = connection.wait(connection.client.version());
    let version = version.with_context(|| format!("ask {}", connection.server))?;
    connection.wait(cluster::read(&connection, args.namespace.as_deref(), version, &mut archive));
    findings(&connection, &mut archive)?;
    note("checking the installation");
    let checks = connection.wait(doctor::examine(&connection, args.namespace.as_deref()));
    archive.add("doctor.json", serde_json::to_vec_pretty(&checks)?);
    for left in archive.failures() {
        note(format_args!("left out: {left}"));
    }
    if is_stdout {
        archive.write(out)?;
        return Ok(Outcome::Success);
    }
    let folder = args.output.parent().filter(|it| !it.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .with_context(|| format!("write {}", args.output.display()))?;
    archive.write(&mut file)?;
    // Half an archive is none.
    file.persist_noclobber(&args.output)
        .with_context(|| format!("write {}", args.output.display()))?;
    note(format_args!("{}: {} files", args.output.display(), archive.len()));
    Ok(Outcome::Success)
}

/// Adds the findings about the live objects.
fn findings(connection: &Connection, archive: &mut Archive) -> anyhow::Result<()> {
    note("checking the policies");
    match connection.objects() {
        Ok(live) => {
            let mut report = Vec::new();
            check::report(&live, &mut report)?;
            archive.add("check.json", report);
        }
        Err(why) => archive.fail("check.json", &format!("{why:#}")),
    }
    Ok(())
}

/// The versions of everything that takes part.
fn versions(server: &Value, installations: &[Installation], istiods: &[Value]) -> Value {
    let images: Vec<&str> = installations.iter().map(Installation::image).collect();
    let image = |pod: &Value| {
        let mut containers = pod.pointer("/spec/containers")?.as_array()?.iter();
        let named = |it: &&Value| it.get("name").and_then(Value::as_str) == Some(CONTAINER);
        containers.find(named)?.get("image").cloned()
    };
    json!({
        "corsward": env!("CARGO_PKG_VERSION"),
        "apiServer": server,
        "operatorImages": images,
        "istiodImages": istiods.iter().filter_map(image).collect::<Vec<_>>(),
    })
}
