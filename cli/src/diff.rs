//! Diff: the requests that two sets of policies answer differently.

mod markdown;
mod text;

use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::ValueEnum;
use corsward_diff::{Comparison, Member, compare, compare_sets};
use corsward_operator_core::targets::Target;
use corsward_policy::{Policy, Severity};
use serde::Serialize;

use crate::outcome::Outcome;
use crate::policies::Policies;

const EXAMPLES: &str = "\
Examples:
  Compare a folder with its state in the main branch:
    git worktree add /tmp/main main
    corsward diff /tmp/main/deploy deploy
  Compare what is in the cluster with a file:
    kubectl get corspolicies -A -o yaml | corsward diff - deploy/api.yaml
  Write the comment of a pull request:
    corsward diff -o markdown /tmp/main/deploy deploy
  Compare folders that one Envoy reads, where each policy is for the same proxy:
    corsward diff --one-proxy old new

Each difference names hosts, paths, origins and requests, and one request as its witness. Policies in DryRun and Off answer no request.

Exit codes: 0 the sets are proved equal, 1 they differ, or a part is undecided, 2 a set cannot be read, or a policy is refused.";

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DiffArgs {
    /// The old policies: a file, a folder with all that is below it, or `-`, standard input.
    old: PathBuf,
    /// The new policies.
    new: PathBuf,
    /// The format.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    /// Compare each set as the policies of one proxy, whatever namespaces and targets they name.
    #[arg(long)]
    one_proxy: bool,
}

/// A format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A paragraph for each difference.
    #[default]
    Text,
    /// One object.
    Json,
    /// Tables, as for a pull request.
    Markdown,
}

/// The JSON of a comparison.
#[derive(Serialize)]
struct Report<'r> {
    equal: bool,
    #[serde(flatten)]
    comparison: &'r Comparison,
}

/// Compares the sets.
pub(crate) fn run(args: &DiffArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    if args.old == args.new && args.old.as_os_str() == "-" {
        bail!("OLD and NEW are both standard input: name a file or a folder for one of them");
    }
    let (old, new) = (read(&args.old)?, read(&args.new)?);
    if old.policies.is_empty() && new.policies.is_empty() {
        bail!("no CorsPolicy in {} or {}", args.old.display(), args.new.display());
    }
    let comparison = if args.one_proxy {
        let [old, new] =
            [&old, &new].map(|set| set.accepted().map(|(_, it)| &*it.policy).collect());
        let (old, new): (Vec<&Policy>, Vec<&Policy>) = (old, new);
        compare(&old, &new)
    } else {
        compare_sets(&members(&old), &members(&new))
    };
    match args.output {
        Format::Text => text::write(&comparison, std::io::stdout().is_terminal(), out)?,
        Format::Json => {
            let report = Report { equal: comparison.is_equal(), comparison: &comparison };
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        }
        Format::Markdown => markdown::write(&comparison, out)?,
    }
    Ok(if comparison.is_equal() { Outcome::Success } else { Outcome::Fault })
}

/// Reads one set. A refused policy has no answers that could be compared.
fn read(path: &Path) -> anyhow::Result<Policies> {
    let policies = Policies::read(&[path]);
    let refusals = policies.findings.iter().filter(|it| it.finding.severity() == Severity::Refusal);
    let refusals: Vec<String> = refusals
        .map(|it| {
            let file = policies.files.get(it.place.file).map(|file| file.name.as_str());
            let subject = it.subject.as_ref().map(|subject| subject.id.to_string());
            let field = Some(it.finding.field.clone()).filter(|field| !field.is_empty());
            let place: Vec<String> =
                file.map(str::to_owned).into_iter().chain(subject).chain(field).collect();
            format!("{}: {}", place.join(": "), it.finding.message())
        })
        .collect();
    if let Some(first) = refusals.first() {
        let more = match refusals.len().saturating_sub(1) {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        bail!("{first}{more}; `corsward check {}` shows the place and the fix", path.display());
    }
    Ok(policies)
}

/// The policies with the targets that they name.
fn members(policies: &Policies) -> Vec<Member<'_>> {
    let member = |policy, target: &Target| Member {
        policy,
        targets: match target {
            Target::Namespace => Vec::new(),
            Target::Selector(_) => vec![target.to_string()],
            Target::Refs(refs) => {
                let one = |reference| Target::Refs(vec![reference]).to_string();
                refs.iter().cloned().map(one).collect()
            }
        },
    };
    policies.accepted().map(|(_, it)| member(&*it.policy, &it.target)).collect()
}
