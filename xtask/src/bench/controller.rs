//! The controller by itself, without an API server: `operator/core/benches/controller.rs`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::pairs::{self, Pairs};
use super::{Args, callgrind, report, sections};
use crate::command;

/// The phases, and what the tables call them.
const PHASES: [(&str, &str); 4] = [
    ("compile", "everything compiled, from nothing"),
    ("start", "… and published, and every status written"),
    ("restart", "a restart that finds everything written"),
    ("change", "one policy changed, until its status says so"),
];
/// The function of the benchmark in which callgrind counts.
const COUNTED: &str = "controller::measured";

/// The figures of one phase.
struct Figures {
    seconds: f64,
    /// Bytes in use at the end, for each policy.
    bytes: f64,
}

/// A row of the table.
struct Row {
    what: String,
    pairs: Pairs,
    shown: fn(f64) -> String,
}

/// Measures, prints, and writes its section of `docs/benchmarks.md`.
pub(super) fn run(args: &Args) -> Result<()> {
    let program = callgrind::program("corsward-operator-core", "controller")?;
    let section = section(args, &measure(args, &program)?)?;
    println!("{section}");
    if args.no_write { Ok(()) } else { sections::replace(Some(sections::CONTROLLER), &section) }
}

fn measure(args: &Args, now: &Path) -> Result<Vec<Row>> {
    let earlier = args.against.as_deref().unwrap_or(now);
    let valgrind = command::find("valgrind");
    let mut rows = Vec::new();
    for (phase, what) in PHASES {
        let (mut time, mut bytes) = (Pairs::default(), Pairs::default());
        for round in 1..=args.rounds {
            eprintln!("round {round} of {}: {what}", args.rounds);
            let before = figures(args, earlier, phase)?;
            let after = figures(args, now, phase)?;
            time.push(before.seconds, after.seconds);
            bytes.push(before.bytes, after.bytes);
        }
        rows.push(Row { what: format!("{what}: time"), pairs: time, shown: milliseconds });
        if valgrind.is_some() {
            let mut pairs = Pairs::default();
            pairs.push(instructions(args, earlier, phase)?, instructions(args, now, phase)?);
            rows.push(Row { what: "… instructions".to_owned(), pairs, shown: millions });
        }
        if phase != "compile" {
            let what = "… in use for each policy".to_owned();
            rows.push(Row { what, pairs: bytes, shown: kilobytes });
        }
    }
    Ok(rows)
}

fn section(args: &Args, rows: &[Row]) -> Result<String> {
    let Args { policies, namespaces, rounds, called, against, .. } = args;
    let beside = against.as_ref().map(|_| format!(" --against PROGRAM --called {called}"));
    let mut text = format!(
        "{}\n\n\
         Written by `cargo xtask bench --controller{} --policies {policies} --namespaces {namespaces} --rounds {rounds}` on {}:\n\
         `operator/core/benches/controller.rs`, which is the controller and the reconciler before an API server that answers at once, with the policies of the\n\
         control plane above. Instructions are counted by callgrind, once. ",
        sections::CONTROLLER,
        beside.unwrap_or_default(),
        report::machine()?,
    );
    match against {
        Some(_) => write!(
            text,
            "PROGRAM is the same benchmark as it was built at {called}. {}",
            pairs::legend(called)
        )?,
        None => text.push_str("\n\n| | median |\n|---|---|\n"),
    }
    for Row { what, pairs, shown } in rows {
        let cells = if against.is_some() { pairs.cells(shown) } else { pairs.now(shown) };
        writeln!(text, "| {what} | {cells} |")?;
    }
    Ok(text)
}

/// The arguments of one phase.
fn phase_args(args: &Args, phase: &str) -> [String; 3] {
    [phase.to_owned(), args.policies.to_string(), args.namespaces.to_string()]
}

fn figures(args: &Args, program: &Path, phase: &str) -> Result<Figures> {
    let printed = command::read(Command::new(program).args(phase_args(args, phase)))?;
    let printed: Value = serde_json::from_slice(&printed)?;
    let number = |name: &str| printed[name].as_f64().with_context(|| format!("no {name}"));
    Ok(Figures {
        seconds: number("seconds")? / number("count")?,
        bytes: number("bytes")? / args.policies as f64,
    })
}

/// The number of instructions of a phase.
fn instructions(args: &Args, program: &Path, phase: &str) -> Result<f64> {
    let (collected, printed) = callgrind::count(program, COUNTED, &phase_args(args, phase))?;
    let printed: Value = serde_json::from_slice(&printed)?;
    Ok(collected / printed["count"].as_f64().context("no count")?)
}

fn milliseconds(figure: f64) -> String {
    format!("{:.1} ms", figure * 1e3)
}

fn millions(figure: f64) -> String {
    format!("{:.1} million", figure / 1e6)
}

fn kilobytes(figure: f64) -> String {
    format!("{:.1} kB", figure / 1e3)
}
