//! Instructions of a request in a whole Envoy, counted by callgrind: slow, and the same on a busy machine.
//!
//! A filter's instructions fall into those of its own code, which lie between the hooks that Envoy calls and the callbacks that
//! the hooks call, and those of Envoy's interface.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::fixture::{BenchFixture, Modules};
use super::{Args, COPIES, Chain, Contestant, Kind, report, sections};
use crate::{command, tools};

/// Requests that are counted. Timers of Envoy that run meanwhile are divided by their number.
const REQUESTS: usize = 400;

/// Requests before: caches of the allocator and of Envoy are filled.
const WARM_UP: usize = 40;

const HOOK: &str = "envoy_dynamic_module_on_";
const CALLBACK: &str = "envoy_dynamic_module_callback_";

/// The instructions of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    all: f64,
    /// Of the code of dynamic modules.
    own: f64,
}

/// The counts of one chain by kind of request.
type Counts = Vec<(Kind, Count)>;

/// Counts, prints, and writes the section of `docs/benchmarks.md`.
pub(super) fn run(args: &Args) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let modules = Modules::build(args.against.as_deref())?;
    let contestants: Vec<Contestant> = Contestant::all(args)
        .into_iter()
        .filter(|contestant| contestant.runs_no_machine())
        .collect();
    let mut all = Vec::new();
    for chain in Chain::all(&contestants) {
        eprintln!("counting: {}, {} in the chain", chain.contestant.name(), chain.copies);
        all.push((chain, count(scratch.path(), chain, &modules)?));
    }
    let text = render(&contestants, &all)?;
    println!("{text}");
    if args.no_write { Ok(()) } else { sections::replace(Some(sections::INSTRUCTIONS), &text) }
}

fn count(scratch: &Path, chain: Chain, modules: &Modules) -> Result<Counts> {
    let folder = scratch.join(format!("{:?}-{}", chain.contestant, chain.copies));
    fs::create_dir_all(&folder)?;
    let envoy = valgrind(&folder)?;
    let fixture = BenchFixture::start_as(&envoy, &folder, &[chain], modules)?;
    let pid = fixture.pid(chain)?;
    let control = |arguments: &[&str]| {
        command::read(Command::new("callgrind_control").args(arguments).arg(pid.to_string()))
    };
    control(&["--instr=on"])?;
    let agent = ureq::Agent::new_with_defaults();
    let mut counts = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| chain.meets(*kind)) {
        let send =
            |requests| (0..requests).try_for_each(|_| fixture.send(&agent, chain, kind).map(drop));
        send(WARM_UP)?;
        control(&["--zero"])?;
        send(REQUESTS)?;
        control(&["--dump"])?;
        let profile = fs::read_to_string(folder.join(format!("profile.{}", counts.len() + 1)))?;
        counts.push((kind, Count::read(&profile)?));
    }
    Ok(counts)
}

/// A program that is Envoy below valgrind. It counts when it is told to: its start takes long enough without.
fn valgrind(folder: &Path) -> Result<PathBuf> {
    let (program, profile) = (folder.join("envoy"), folder.join("profile"));
    let envoy = tools::envoy(tools::ENVOY_VERSION)?;
    let options = "--quiet --tool=callgrind --instr-atstart=no";
    let script = format!(
        "#!/bin/sh\nexec valgrind {options} --callgrind-out-file='{}' '{}' \"$@\"\n",
        profile.display(),
        envoy.display()
    );
    fs::write(&program, script)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

fn render(contestants: &[Contestant], all: &[(Chain, Counts)]) -> Result<String> {
    let mut text = format!(
        "{}\n\nWritten by `cargo xtask bench --instructions` on {}, Envoy {}: what callgrind counts in an Envoy for {REQUESTS} requests, one after\n\
         the other, divided by their number. Each filter as what it adds to no filter, and preflights to Envoy's CORS filter; in parentheses the\n\
         part of the module's own code. The rest is Envoy's, also where a module does nothing.\n",
        sections::INSTRUCTIONS,
        report::machine()?,
        tools::ENVOY_VERSION,
    );
    for copies in [1, COPIES] {
        let kinds: Vec<Kind> =
            Kind::ALL.into_iter().filter(|kind| copies == 1 || *kind != Kind::Preflight).collect();
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let divided = if copies == 1 { String::new() } else { format!(", divided by {copies}") };
        writeln!(text, "\n{copies} in the chain{divided}:\n\n| | {} |", names.join(" | "))?;
        writeln!(text, "|---|{}", "---|".repeat(kinds.len()))?;
        for &contestant in contestants {
            let cell = |kind: &Kind| cell(all, Chain { contestant, copies }, *kind);
            let cells: Vec<String> = kinds.iter().map(cell).collect();
            writeln!(text, "| {} | {} |", contestant.name(), cells.join(" | "))?;
        }
    }
    Ok(text)
}

fn cell(all: &[(Chain, Counts)], chain: Chain, kind: Kind) -> String {
    let find = |chain| {
        let (_, counts) = all.iter().find(|(candidate, _)| *candidate == chain)?;
        counts.iter().find(|(candidate, _)| *candidate == kind).map(|(_, count)| *count)
    };
    let base_chain = Chain { contestant: Contestant::base(kind), copies: 1 };
    match (find(chain), find(base_chain)) {
        (Some(count), _) if chain == base_chain => format!("base: {:.0}", count.all),
        (Some(count), Some(base)) => {
            let copies = chain.copies as f64;
            format!("{:+.0} ({:.0})", (count.all - base.all) / copies, count.own / copies)
        }
        _ if chain.contestant == Contestant::base(kind) => "base".to_owned(),
        _ => "forwarded".to_owned(),
    }
}

// === impl Count ===

impl Count {
    /// Reads a profile of callgrind, as the manual of valgrind defines it.
    fn read(profile: &str) -> Result<Self> {
        let all = profile.lines().find_map(|line| line.strip_prefix("summary: "));
        let all: f64 = all.context("callgrind counted nothing")?.trim().parse()?;
        let mut names = BTreeMap::new();
        let (mut called, mut is_call) = ("", false);
        let mut own = 0.0;
        for line in profile.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                name_of(&mut names, name);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                called = name_of(&mut names, name);
            } else if is_call {
                // All that was counted in the called function, and below it.
                let cost = line.rsplit(' ').next().unwrap_or_default();
                if called.starts_with(HOOK) {
                    own += cost.parse::<f64>()?;
                } else if called.starts_with(CALLBACK) {
                    own -= cost.parse::<f64>()?;
                }
            }
            is_call = line.starts_with("calls=");
        }
        let requests = REQUESTS as f64;
        Ok(Self { all: all / requests, own: own / requests })
    }
}

/// A name has its number before it, and is written out once only.
fn name_of<'p>(names: &mut BTreeMap<&'p str, &'p str>, written: &'p str) -> &'p str {
    match written.split_once(' ') {
        Some((number, name)) => {
            names.insert(number, name);
            name
        }
        None => names.get(written).copied().unwrap_or(written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modules_own_code_lies_between_hooks_and_callbacks() {
        let profile = "events: Ir\nsummary: 800000\n\nfn=(1) 0x12\n16 100\ncfn=(2) envoy_dynamic_module_on_http_filter_new\n\
                       calls=400 0\n16 20000\n\nfn=(2)\n0 12000\ncfn=(3) envoy_dynamic_module_callback_log\ncalls=400 0\n+3 8000\n\n\
                       fn=(4) f\ncfn=(2)\ncalls=400 0\n* 4000\n";
        assert_eq!(Count::read(profile).unwrap(), Count { all: 2000.0, own: 40.0 });
        assert!(Count::read("events: Ir\n").is_err());
    }
}
