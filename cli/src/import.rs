//! `import`: the CORS settings of another system become policies.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::ValueEnum;
use corsward_import::{Failure, Import, Options, Report, Source, SourceFile};
use corsward_policy::Finding;
use corsward_policy::finding::{BehaviorReason, HostReason, Reason};
use corsward_policy::host_syntax;
use corsward_policy::scope::HostPattern;
use corsward_policy::syntax::{is_dns_label, is_dns_subdomain};

use crate::outcome::Outcome;
use crate::output::note;
use crate::policies::files;

const EXAMPLES: &str = "\
Examples:
  # The policy on stdout, the difference report on stderr.
  corsward import django settings.py

  # Settings in two files, the base first, with the environment of production.
  corsward import django base.py production.py \\
    --env CORS_ORIGINS=https://app.example

  # The documents of one profile, on top of those for every one.
  corsward import spring application.yaml application-prod.yaml --profile prod

  # A policy for one host, and a report for a pull request.
  corsward import django settings.py --host api.example.com \\
    --name api --namespace shop --report report.md > policy.yaml

  # The options of Express as JSON; a pull request fails while a decision is open.
  corsward import express cors.json --deny-decide

The options of Express are JSON: a regex is the text \"/^https:.../\", and a function is the list of the origins that it allows.
A comment `decide:` in the policy marks a setting that a person must look at. Any origin with credentials is refused by name.
Exit codes: 0 translated, 1 refused because the policy would be dangerous, or a decision left with --deny-decide, 2 unreadable settings.";

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    /// The system that the settings are for.
    #[arg(value_name = "FROM")]
    from: Source,
    /// The files of its settings; a later one overrides an earlier one. `-` is stdin.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The policy's name; a prefix where the settings make several policies, as several servers of nginx do. The default is the name
    /// in the settings, such as that of the host, or FROM.
    #[arg(long, value_parser = name)]
    name: Option<String>,
    /// The policy's namespace. The default is that of the settings, or `default`.
    #[arg(long, short, value_parser = namespace)]
    namespace: Option<String>,
    /// A host of the policy, such as `api.example.com`; repeated for several. Refused where the settings make
    /// several policies.
    #[arg(long = "host", value_name = "HOST", value_parser = host)]
    hosts: Vec<String>,
    /// An environment variable that the settings look up; repeated for several.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    environment: Vec<(String, String)>,
    /// A profile of Spring that is active; repeated for several. The default is that of `spring.profiles.active`.
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
    /// A file for the difference report, in the place of stderr.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Exit 1 where a comment `decide:` is left in the policies.
    #[arg(long)]
    deny_decide: bool,
    /// The format of the difference report.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

/// The format of the difference report.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// Markdown.
    #[default]
    Markdown,
    /// JSON.
    Json,
}

/// Runs `import`.
pub(crate) fn run(args: &ImportArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let files: Vec<SourceFile> =
        args.files.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let options = Options {
        name: args.name.clone(),
        namespace: args.namespace.clone(),
        hosts: args.hosts.clone(),
        environment: args.environment.iter().cloned().collect(),
        profiles: args.profiles.clone(),
    };
    let imports = match corsward_import::import(args.from, &files, &options) {
        Ok(imports) => imports,
        Err(failure @ Failure::Dangerous { .. }) => {
            note(format_args!("refused: {failure}"));
            return Ok(Outcome::Fault);
        }
        Err(failure) => return Err(failure.into()),
    };
    let manifests: Vec<&str> = imports.iter().map(|import| import.manifest.as_str()).collect();
    out.write_all(manifests.join("---\n").as_bytes())?;
    let text = report(&imports, args.output)?;
    match &args.report {
        Some(path) => fs::write(path, text).with_context(|| format!("write {}", path.display()))?,
        None => io::stderr().write_all(text.as_bytes())?,
    }
    let is_left = imports.iter().flat_map(|import| &import.notes).any(|note| note.decide);
    Ok(if args.deny_decide && is_left { Outcome::Fault } else { Outcome::Success })
}

fn read(path: &Path) -> anyhow::Result<SourceFile> {
    let name = path.display().to_string();
    let bytes = files::read(path)
        .map_err(|reason| anyhow!("{name}: {}", Finding::new("", reason).message()))?;
    let text = String::from_utf8(bytes).with_context(|| format!("read {name}"))?;
    Ok(SourceFile { name, text })
}

fn report(imports: &[Import], format: Format) -> anyhow::Result<String> {
    Ok(match format {
        Format::Markdown => {
            let all: Vec<String> = imports.iter().map(|import| import.report.markdown()).collect();
            all.join("\n")
        }
        Format::Json => {
            let all: Vec<&Report> = imports.iter().map(|import| &import.report).collect();
            serde_json::to_string_pretty(&all)? + "\n"
        }
    })
}

fn name(text: &str) -> Result<String, String> {
    let fault = BehaviorReason::InvalidName(text.to_owned());
    if is_dns_subdomain(text) { Ok(text.to_owned()) } else { Err(Reason::from(fault).to_string()) }
}

fn namespace(text: &str) -> Result<String, String> {
    let fault = BehaviorReason::InvalidNamespace(text.to_owned());
    if is_dns_label(text) { Ok(text.to_owned()) } else { Err(Reason::from(fault).to_string()) }
}

fn host(text: &str) -> Result<String, String> {
    let fault = |why| {
        let (value, instead) = (text.to_owned(), host_syntax::meant(text));
        Reason::from(HostReason::Invalid { value, why, instead }).to_string()
    };
    HostPattern::parse(text).map(|_| text.to_owned()).map_err(fault)
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
