//! The arguments: read here and nowhere else.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::check::CheckArgs;
#[cfg(not(target_family = "wasm"))]
use crate::collect::CollectArgs;
use crate::diff::DiffArgs;
#[cfg(not(target_family = "wasm"))]
use crate::doctor::DoctorArgs;
use crate::explain::ExplainArgs;
#[cfg(not(target_family = "wasm"))]
use crate::import::ImportArgs;
use crate::output::OneLine;
use crate::render::RenderArgs;
use crate::test::TestArgs;

const EXAMPLES: &str = "\
Examples:
  Find the cause of a red line in the console, from the request that the browser copies as cURL:
    corsward explain --live --curl -
  Check the policies of a folder, each fault with its fix:
    corsward check deploy/

`corsward COMMAND --help` has examples of each command.";

/// Checks, explains, tests, compares, imports and renders CORS policies, on your machine and in CI.
#[derive(Debug, Parser)]
#[command(name = "corsward", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A command; the help lists them by their use.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print every finding about the policies of files, with the text and the fix.
    Check(CheckArgs),
    /// Explain what a browser does with a page's request, and why.
    Explain(Box<ExplainArgs>),
    /// Test policies: page requests with their expected results.
    Test(TestArgs),
    /// Show the requests that two sets of policies answer differently.
    Diff(DiffArgs),
    /// Translate the CORS settings of another system into policies, with a report of each difference.
    #[cfg(not(target_family = "wasm"))]
    Import(ImportArgs),
    /// Print what proxies get for the policies of files, as the operator publishes it.
    Render(RenderArgs),
    /// Check a cluster: definitions, the operator and its rights, the webhook, Istio, and the filter's module.
    #[cfg(not(target_family = "wasm"))]
    Doctor(DoctorArgs),
    /// Write one archive for support: policies, statuses, published objects, logs and metrics, without Secrets.
    #[cfg(not(target_family = "wasm"))]
    Collect(CollectArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Write a man page for each command into a folder.
    Man(ManArgs),
}

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The folder; it is made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
}

/// Does kubectl ask for the words that complete an argument of the plugin?
pub(crate) fn completes_kubectl(arguments: &[OsString]) -> bool {
    let name = arguments.first().and_then(|program| Path::new(program).file_stem()?.to_str());
    matches!(name, Some("kubectl_complete-corsward" | "kubectl_complete-cors"))
}

/// Reads the arguments. As a plugin of kubectl, the help says `kubectl corsward` or `kubectl cors`.
pub(crate) fn parse(arguments: &[OsString]) -> clap::error::Result<Args> {
    let (name, typed) = names(arguments.first());
    let mut command = Args::command().name(name).bin_name(typed);
    let matches = command.try_get_matches_from_mut(arguments).map_err(|error| {
        // A name that a shell expands may be no option, and the error quotes it.
        let lines = arguments.iter().map(|it| OneLine(it.to_string_lossy()).to_string());
        command.try_get_matches_from_mut(lines).err().unwrap_or(error)
    });
    Args::from_arg_matches(&matches?)
}

/// The name of the program, and the words that call it.
fn names(program: Option<&OsString>) -> (&'static str, &'static str) {
    match program.and_then(|program| Path::new(program).file_stem()?.to_str()) {
        Some("kubectl-corsward") => ("kubectl-corsward", "kubectl corsward"),
        Some("kubectl-cors") => ("kubectl-cors", "kubectl cors"),
        _ => ("corsward", "corsward"),
    }
}
