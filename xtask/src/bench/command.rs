//! The command `corsward`: many policies checked, two sets compared, and its first word.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::pairs::{self, Pairs};
use super::{Args, memory, report, sections};
use crate::build;

/// Policies in one file.
const IN_A_FILE: usize = 20;
/// Policies of each of the two sets that are compared.
const COMPARED: usize = 1_000;
/// One of so many policies differs between them.
const CHANGED: usize = 20;

/// A row of the table, and its target.
struct Row {
    what: &'static str,
    target: &'static str,
    shown: fn(f64) -> String,
    pairs: Pairs,
}

/// Measures, prints, and writes its section of `docs/benchmarks.md`.
pub(super) fn run(args: &Args) -> Result<()> {
    let program = build::shipped(build::COMMAND)?;
    let scratch = tempfile::tempdir()?;
    write_policies(&scratch.path().join("all"), args.policies, usize::MAX)?;
    write_policies(&scratch.path().join("old"), COMPARED, usize::MAX)?;
    write_policies(&scratch.path().join("new"), COMPARED, CHANGED)?;
    let mut rows = [
        row("all policies checked: time", "a quarter of `validate`", milliseconds),
        row("… resident memory at most", "below 128 MiB", mebibytes),
        row("two sets of 1000 policies compared: time", "below 2 s", milliseconds),
        row("`--help`: time to its first byte", "below 15 ms", milliseconds),
    ];
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        let measured = |program: &Path| figures(program, scratch.path());
        // The second of two may find the machine warmer than the first: each is second in every other round.
        let (before, now) = match &args.against {
            None => (Vec::new(), measured(&program)?),
            Some(earlier) if round % 2 == 0 => {
                let now = measured(&program)?;
                (measured(earlier)?, now)
            }
            Some(earlier) => (measured(earlier)?, measured(&program)?),
        };
        for (at, (row, now)) in rows.iter_mut().zip(now).enumerate() {
            row.pairs.push(before.get(at).copied().unwrap_or(f64::NAN), now);
        }
    }
    let section = section(args, &rows)?;
    println!("{section}");
    if args.no_write { Ok(()) } else { sections::replace(Some(sections::COMMAND), &section) }
}

fn section(args: &Args, rows: &[Row]) -> Result<String> {
    let Args { policies, rounds, called, against, .. } = args;
    let beside = against.as_ref().map(|_| format!(" --against PROGRAM --called {called}"));
    let mut text = format!(
        "{}\n\n\
         Written by `cargo xtask bench --command{} --policies {policies} --rounds {rounds}` on {}: the static binary,\n\
         {policies} policies in {} files. ",
        sections::COMMAND,
        beside.unwrap_or_default(),
        report::machine()?,
        policies.div_ceil(IN_A_FILE),
    );
    match against {
        Some(_) => write!(text, "PROGRAM is the program of {called}. {}", pairs::legend(called))?,
        None => text.push_str("\n\n| | median | target |\n|---|---|---|\n"),
    }
    for Row { what, target, pairs, shown } in rows {
        let now = pairs.now(shown);
        match against {
            None => writeln!(text, "| {what} | {now} | {target} |")?,
            Some(_) if pairs.has_earlier() => {
                writeln!(text, "| {what} | {} |", pairs.cells(shown))?;
            }
            Some(_) => writeln!(text, "| {what} | | {now} | | |")?,
        }
    }
    Ok(text)
}

/// The figures of one program, in the order of the rows. An operator has `validate`, and no comparison.
fn figures(program: &Path, files: &Path) -> Result<Vec<f64>> {
    let [all, old, new] = ["all", "old", "new"].map(|name| files.join(name).display().to_string());
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    if name.contains("operator") {
        let validate = ["validate", &all];
        return Ok(vec![seconds(program, &validate)?, most_resident(program, &validate)?]);
    }
    let check = ["check", &all];
    Ok(vec![
        seconds(program, &check)?,
        most_resident(program, &check)?,
        seconds(program, &["diff", &old, &new])?,
        first_byte(program)?,
    ])
}

/// The time of a run, whatever it finds.
fn seconds(program: &Path, args: &[&str]) -> Result<f64> {
    let mut command = quiet(program, args);
    let begun = Instant::now();
    let status = command.status().with_context(|| format!("start {}", program.display()))?;
    let elapsed = begun.elapsed();
    ensure!(status.code().is_some_and(|code| code < 2), "{} {args:?}: {status}", program.display());
    Ok(elapsed.as_secs_f64())
}

/// The most memory that a run has resident, as often as it can be asked.
fn most_resident(program: &Path, args: &[&str]) -> Result<f64> {
    let mut child = quiet(program, args).spawn()?;
    let mut most = 0.0;
    while child.try_wait()?.is_none() {
        // A process that ends has none.
        most = memory::most_resident(child.id()).map_or(most, |now| now.max(most));
        std::thread::yield_now();
    }
    Ok(most)
}

/// The time from the start to the first byte of `--help`.
fn first_byte(program: &Path) -> Result<f64> {
    let mut command = quiet(program, &["--help"]);
    command.stdout(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let mut out = child.stdout.take().context("no standard output")?;
    out.read_exact(&mut [0])?;
    let elapsed = begun.elapsed();
    out.read_to_end(&mut Vec::new())?;
    child.wait()?;
    Ok(elapsed.as_secs_f64())
}

fn quiet(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Writes `count` policies into files of a folder; every `changed`th allows one more origin.
fn write_policies(folder: &Path, count: usize, changed: usize) -> Result<()> {
    fs::create_dir_all(folder)?;
    for file in 0..count.div_ceil(IN_A_FILE) {
        let numbers = file * IN_A_FILE..count.min((file + 1) * IN_A_FILE);
        let documents: Vec<String> = numbers.map(|number| policy(file, number, changed)).collect();
        fs::write(folder.join(format!("team-{file}.yaml")), documents.join("---\n"))?;
    }
    Ok(())
}

/// A policy of a workload, of which ten files make a namespace.
fn policy(file: usize, number: usize, changed: usize) -> String {
    let (team, name) = (file / 10, format!("api-{number}"));
    let more = if number % changed == 1 { "\n    - https://more.example" } else { "" };
    format!(
        r#"apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata:
  name: {name}
  namespace: team-{team}
spec:
  hostnames: [{name}.team-{team}.example]
  selector: {{matchLabels: {{app: {name}}}}}
  cors:
    allowOrigins:
    - https://app-{number}.team-{team}.example
    - https://*.team-{team}.example
    - https://partner-{number}.example{more}
    allowMethods: [GET, PUT, PATCH, DELETE]
    allowHeaders: [authorization, content-type, x-request-id]
    exposeHeaders: [x-request-id]
    allowCredentials: true
    maxAge: 600
  rules:
  - path: {{type: PathPrefix, value: /public}}
    cors: {{allowOrigins: ["*"], allowMethods: [PUT], allowHeaders: [content-type], maxAge: 600}}
"#
    )
}

fn row(what: &'static str, target: &'static str, shown: fn(f64) -> String) -> Row {
    Row { what, target, shown, pairs: Pairs::default() }
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1e3)
}

fn mebibytes(figure: f64) -> String {
    format!("{figure:.0} MiB")
}
