//! `test`: page requests with their expected results.

mod form;
mod generate;
mod judge;
mod report;
mod suite;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use self::report::{Report, SuiteReport};
use self::suite::{FILE_NAME, Suite};
use crate::outcome::Outcome;
use crate::output::{note, write_json};
use crate::policies::{FileFinding, Policies, STDIN};

const EXAMPLES: &str = "\
Examples:
  Write a first file from the policies of a folder, and read it before it is committed:
    corsward test --generate policies/ > policies/corsward-test.yaml
  Run every corsward-test.yaml below a folder:
    corsward test policies/
  Fail where a folder has none, and report to a CI server:
    corsward test --require-tests -o junit policies/ > report.xml

A file:
  apiVersion: cli.corsward.io/v1alpha1
  kind: Test
  metadata:
    name: shop
  policies: [corspolicy.yaml]            # files and folders beside this file
  results:
  - name: the shop writes with cookies
    origin: https://shop.example
    url: https://api.shop.example/items
    method: PUT                          # GET by default
    headers: {content-type: application/json}
    credentials: include                 # omit, same-origin (the default), include
    result: allowed                      # allowed, refused, rejected, uncovered
  - name: other sites do not write
    origin: https://other.example
    url: https://api.shop.example/items
    method: PUT
    result: refused
    reason: origin                       # optional, and so is `policy: shop/api`
    target: service/shop/api             # where several proxies have policies for the host

Exit codes: 0 every result is as expected, 1 one is not, 2 a file or a policy is unusable, or there is no test and one is required.";

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TestArgs {
    /// Test files, and folders in which each `corsward-test.yaml` is one. With `--generate`: files and folders of policies.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The format.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    /// Exit 2 if there is no test.
    #[arg(long)]
    require_tests: bool,
    /// Print a first test file, with the answers of today. It names a folder of policies as `.`, and a file by its name: put it there.
    #[arg(long, conflicts_with_all = ["require_tests", "output"])]
    generate: bool,
    /// With `--generate`: one proxy has all policies, as an Envoy beside a folder of policies. The file says `oneProxy: true`.
    #[arg(long, requires = "generate")]
    one_proxy: bool,
}

/// A format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each result.
    #[default]
    Text,
    /// One object.
    Json,
    /// The XML of `JUnit`.
    Junit,
}

/// Runs the tests.
pub(crate) fn run(args: &TestArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    if args.generate {
        if args.paths.iter().any(|path| path.as_os_str() == STDIN) {
            bail!(
                "a test file names the files of its policies, and `-` is none: write them to a file, and name it"
            );
        }
        generate::write(&policies(&args.paths)?, args.one_proxy, &args.paths, out)?;
        return Ok(Outcome::Success);
    }
    let mut files = Vec::new();
    for path in &args.paths {
        find(path, path, &mut files)?;
    }
    let mut suites = Vec::new();
    for file in &files {
        suites.push(test(file).with_context(|| file.display().to_string())?);
    }
    let report = Report { suites };
    match args.output {
        Format::Text => report.print(out)?,
        Format::Json => write_json(&report, out)?,
        Format::Junit => report.print_junit(out)?,
    }
    out.flush()?;
    note(report.summary());
    Ok(if report.failures() > 0 {
        Outcome::Fault
    } else if args.require_tests && report.tests() == 0 {
        Outcome::Unusable
    } else {
        Outcome::Success
    })
}

/// Adds the test files at a path, in the order of their names.
fn find(path: &Path, named: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let is_named = path == named;
    let metadata = fs::metadata(path).with_context(|| format!("read {}", path.display()))?;
    if !metadata.is_dir() {
        if is_named || path.file_name().is_some_and(|name| name == FILE_NAME) {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    let entries = fs::read_dir(path).with_context(|| format!("read {}", path.display()))?;
    let mut below = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    below.sort();
    let is_hidden = |path: &Path| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    for path in below.iter().filter(|path| !is_hidden(path) && !path.is_symlink()) {
        find(path, named, files)?;
    }
    Ok(())
}

/// Runs the tests of a file.
fn test(file: &Path) -> anyhow::Result<SuiteReport> {
    let suite = Suite::read(&fs::read_to_string(file)?)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let beside: Vec<PathBuf> = suite.policies.iter().map(|path| folder.join(path)).collect();
    SuiteReport::of(file, &suite, &policies(&beside)?)
}

/// All policies at the paths. A test beside half of them would prove less than it seems to, so each must be accepted.
fn policies(paths: &[PathBuf]) -> anyhow::Result<Policies> {
    let policies = Policies::read(paths);
    let shown = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ");
    let refused = policies.findings.iter().find(|it| it.finding.is_refusal());
    if let Some(FileFinding { place, subject, finding }) = refused {
        let file = policies.files.get(place.file).map(|file| file.name.as_str());
        let subject = subject.as_ref().map(|subject| format!(" {}", subject.id));
        bail!("{}{}: {finding}", file.unwrap_or_default(), subject.unwrap_or_default());
    }
    if policies.accepted().next().is_none() {
        bail!("there is no policy at {shown}");
    }
    Ok(policies)
}
