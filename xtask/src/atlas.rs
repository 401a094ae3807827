//! Atlas: the answers of real CORS implementations, measured and compared with those of the repository.
//!
//! ```text
//! tests/atlas (applications, pinned packages) --> probe --> answer: tests/atlas/answers.jsonl --> page: docs/atlas.md
//! ```

mod answer;
mod cell;
mod implementation;
mod page;
mod picture;
mod probe;
mod surprise;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::Process;
use crate::{paths, ports, tools, wait};
use answer::{Answer, Answers, Head};
use implementation::{IMPLEMENTATIONS, Implementation};
use probe::{PROBES, Setting};

/// The time that an application may take to listen.
const PATIENCE: Duration = Duration::from_secs(300);

/// The arguments of the subcommand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only implementations with one of these texts in their name
    pub names: Vec<String>,
    /// Write tests/atlas/answers.jsonl, docs/atlas.md and docs/atlas.svg
    #[arg(long)]
    pub write: bool,
}

/// Measures, and prints each change. An implementation whose program is missing is skipped by name.
///
/// # Errors
///
/// Fails if an answer differs from the committed one and is not to be written, or an implementation cannot be built or does not answer.
pub fn run(args: &Args) -> Result<()> {
    let is_meant = |one: &&Implementation| {
        let name = one.name.to_lowercase();
        args.names.is_empty() || args.names.iter().any(|part| name.contains(&part.to_lowercase()))
    };
    let committed = answer::committed()?;
    let (mut changes, mut measured) = (0, 0);
    let (mut skipped, mut failed) = (Vec::new(), Vec::new());
    for implementation in IMPLEMENTATIONS.iter().filter(is_meant) {
        eprintln!("measuring {} …", implementation.name);
        match measure(implementation) {
            Ok(answers) => {
                measured += 1;
                for change in answer::changes(&committed, &answers) {
                    println!("{change}");
                    changes += 1;
                }
                if args.write {
                    // At once: what comes after may fail or be interrupted.
                    write(answers)?;
                }
            }
            Err(error) if error.is::<tools::Missing>() => {
                println!("{}: skipped, its committed answers stay: {error}", implementation.name);
                skipped.push(implementation.name);
            }
            Err(error) => failed.push(format!("{}: {error:#}", implementation.name)),
        }
    }
    println!("{measured} implementations, {changes} changes, {} skipped", skipped.len());
    ensure!(failed.is_empty(), "not measured:\n{}", failed.join("\n"));
    ensure!(measured + skipped.len() > 0, "no implementation has such a name");
    ensure!(measured > 0, "every program is missing");
    ensure!(
        changes == 0 || args.write,
        "answers changed; `cargo xtask atlas --write` takes them over"
    );
    Ok(())
}

/// Puts newly measured answers into the files.
fn write(answers: Answers) -> Result<()> {
    let mut all = answer::committed()?;
    answer::put(&mut all, answers);
    answer::write(&all)?;
    for (name, text) in [("docs/atlas.md", page()?), ("docs/atlas.svg", picture()?)] {
        let file = paths::root().join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The text of `docs/atlas.md`.
///
/// # Errors
///
/// Fails if the answers are not readable.
pub fn page() -> Result<String> {
    Ok(page::render(&answer::committed()?))
}

/// The text of `docs/atlas.svg`.
///
/// # Errors
///
/// Fails if the answers are not readable.
pub fn picture() -> Result<String> {
    Ok(picture::draw(&answer::committed()?))
}

/// Asks one implementation every probe.
fn measure(implementation: &Implementation) -> Result<Answers> {
    let head = Head {
        implementation: implementation.name.to_owned(),
        version: implementation.version()?,
        measured: implementation::today()?,
    };
    let mut by_probe = BTreeMap::new();
    for setting in Setting::ALL {
        let folder = tempfile::tempdir()?;
        let running = Running::start(implementation, setting, folder.path())?;
        for probe in PROBES.iter().filter(|probe| probe.setting == setting) {
            if implementation.skips.contains(&probe.id) {
                continue;
            }
            let (id, mut status, mut headers, mut ran) = (probe.id.to_owned(), None, vec![], false);
            if let Some(running) = &running {
                let before = running.runs()?;
                let response = probe.ask(running.address).with_context(|| probe.id)?;
                (status, headers) = (Some(response.0), response.1);
                ran = running.runs()? > before;
            }
            by_probe.insert(id.clone(), Answer { probe: id, status, headers, ran });
        }
    }
    Ok(Answers { head, by_probe })
}

/// A running implementation, with the application behind it if it is a proxy.
struct Running {
    address: SocketAddr,
    /// The file with a line for each run of a handler.
    output: std::path::PathBuf,
    _processes: Vec<Process>,
}

// === impl Running ===

impl Running {
    /// Starts it; `None`: it does not start with that setting.
    fn start(one: &Implementation, setting: Setting, folder: &Path) -> Result<Option<Self>> {
        let [address, upstream] =
            [(), ()].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free())));
        let output = folder.join("output");
        let mut commands = vec![(one.command(setting, address.port(), upstream, folder)?, address)];
        if one.is_proxy() {
            let mut application = tools::atlas::node("upstream")?;
            application.env("PORT", upstream.port().to_string());
            commands.insert(0, (application, upstream));
        }
        let mut processes = Vec::new();
        let opened = File::create(&output)?;
        for (mut command, address) in commands {
            let log = folder.join(format!("log-{}", address.port()));
            command.stdin(Stdio::null()).stdout(opened.try_clone()?).stderr(File::create(&log)?);
            let mut process = Process::spawn(one.name, command)?;
            let what = format!("{} to listen", one.name);
            let listens = wait::until(&what, PATIENCE, || {
                if process.exited()?.is_some() {
                    return Ok(Some(false));
                }
                Ok(TcpStream::connect(address).is_ok().then_some(true))
            });
            match listens {
                Ok(true) => processes.push(process),
                // The settings that every implementation understands have to work.
                Ok(false) if setting == Setting::Listed => {
                    bail!("it ended: {}", fs::read_to_string(&log).unwrap_or_default().trim())
                }
                Ok(false) => {
                    let said = fs::read_to_string(&log).unwrap_or_default();
                    // Traces are indented or name functions, and Rust ends with a note.
                    let is_cause = |line: &&str| {
                        line.contains(": ")
                            && !line.starts_with([' ', '\t'])
                            && !line.starts_with("note:")
                    };
                    let cause = said.trim().lines().rfind(is_cause).unwrap_or_default();
                    eprintln!("  does not start with {}: {cause}", setting.origin());
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(Self { address, output, _processes: processes }))
    }

    /// The number of runs of a handler so far.
    fn runs(&self) -> Result<usize> {
        let said = fs::read(&self.output)?;
        Ok(said.split(|byte| *byte == b'\n').filter(|line| line == b"ran").count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_the_picture_are_what_the_answers_render_to() {
        for (name, text) in [("docs/atlas.md", page()), ("docs/atlas.svg", picture())] {
            let committed = fs::read_to_string(paths::root().join(name)).unwrap();
            assert!(committed == text.unwrap(), "{name}: run `cargo xtask generate`");
        }
    }

    #[test]
    fn the_answers_are_those_of_the_pinned_versions_to_every_probe() {
        let all = answer::committed().unwrap();
        let measured: Vec<&str> = all.iter().map(|one| one.head.implementation.as_str()).collect();
        assert_eq!(measured, IMPLEMENTATIONS.map(|one| one.name));
        for answers in all {
            let Head { implementation, version, .. } = &answers.head;
            let one = IMPLEMENTATIONS.iter().find(|one| one.name == implementation).unwrap();
            if !one.packages.is_empty() {
                assert_eq!(*version, one.pinned().unwrap(), "measure {implementation} again");
            }
            for probe in PROBES {
                let is_asked = !one.skips.contains(&probe.id);
                assert_eq!(
                    answers.by_probe.contains_key(probe.id),
                    is_asked,
                    "{implementation}, {}",
                    probe.id
                );
            }
        }
    }
}
