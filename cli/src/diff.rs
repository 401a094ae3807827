//! Diff: the requests that two sets of policies answer differently.

mod markdown;
mod proxies;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::ValueEnum;
use corsward_diff::{Comparison, Undecided, compare};
use serde::Serialize;

use crate::outcome::Outcome;
use crate::output::write_json;
use crate::policies::{AbsentSet, Policies};

const EXAMPLES: &str = "\
Examples:
  Compare a folder with its state in the main branch:
    git worktree add /tmp/main main
    corsward diff /tmp/main/deploy deploy
  Compare what is in the cluster with a folder that holds all of it:
    kubectl get corspolicies,originsets,clustercorspolicies -A -o yaml \\
      | corsward diff - deploy/
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
    let [old, new] = Policies::read_both([&args.old, &args.new]);
    refuse(&args.old, &old)?;
    refuse(&args.new, &new)?;
    if old.policies.is_empty() && new.policies.is_empty() {
        bail!("no CorsPolicy in {} or {}", args.old.display(), args.new.display());
    }
    let mut comparison = if args.one_proxy {
        let [old, new] = [&old, &new].map(Policies::of_one_proxy);
        compare(&old.iter().collect::<Vec<_>>(), &new.iter().collect::<Vec<_>>())
    } else {
        proxies::compare(&old, &new)
    };
    comparison
        .undecided
        .extend(absent_sets([(&args.old, &old), (&args.new, &new)], args.one_proxy));
    match args.output {
        Format::Text => text::write(&comparison, std::io::stdout().is_terminal(), out)?,
        Format::Json => {
            let report = Report { equal: comparison.is_equal(), comparison: &comparison };
            write_json(&report, out)?;
        }
        Format::Markdown => markdown::write(&comparison, out)?,
    }
    Ok(if comparison.is_equal() { Outcome::Success } else { Outcome::Fault })
}

/// A refused policy has no answers that could be compared.
fn refuse(path: &Path, policies: &Policies) -> anyhow::Result<()> {
    match policies.first_refusal() {
        Some(first) => {
            bail!("{first}; `corsward check {}` shows the place and the fix", path.display())
        }
        None => Ok(()),
    }
}

/// The origin sets that a policy names and no file of its side shows. A namespace whose policies are the same on both sides has the same
/// answers, whatever the sets hold.
fn absent_sets(sides: [(&Path, &Policies); 2], one_proxy: bool) -> Vec<Undecided> {
    let by_namespace = sides.map(|(_, policies)| {
        let mut namespaces: BTreeMap<&str, Vec<AbsentSet<'_>>> = BTreeMap::new();
        for absent in policies.absent_sets() {
            namespaces.entry(&absent.policy.namespace).or_default().push(absent);
        }
        namespaces
    });
    let [old, new] = &by_namespace;
    let is_same = |namespace: &str| {
        let [old_policies, new_policies] = sides.map(|(_, policies)| {
            let own = policies.accepted().filter(|(id, _)| one_proxy || id.namespace == namespace);
            own.map(|(id, it)| (id, &*it.policy, &it.target)).collect::<Vec<_>>()
        });
        old.get(namespace) == new.get(namespace) && old_policies == new_policies
    };
    let mut undecided = Vec::new();
    for namespace in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        if is_same(namespace) {
            continue;
        }
        for (at, (path, _)) in sides.iter().enumerate() {
            let absent = by_namespace.get(at).and_then(|it| it.get(*namespace));
            undecided.extend(absent.into_iter().flatten().map(|absent| {
                let AbsentSet { policy, set, field } = absent;
                let name = || Some(policy.to_string());
                Undecided {
                    proxies: Vec::new(),
                    place: None,
                    entry: format!(
                        "OriginSet {namespace}/{set}, which {policy} names in {field}, is not in {}",
                        path.display()
                    ),
                    old_policy: name().filter(|_| at == 0),
                    new_policy: name().filter(|_| at == 1),
                }
            }));
        }
    }
    undecided
}
