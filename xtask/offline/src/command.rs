//! Command: a program of others. Each is shown before it runs, and its failure is one sentence.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::paths;

/// Interval of the progress lines of a long step.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Lines of a failed program's output in its error.
const TAIL_LINES: usize = 20;

/// Variables that `cargo run` sets for its program. A cargo started from there must not see it: build scripts that
/// watch these would run again, and all that depends on them be built again.
const SET_BY_CARGO_RUN: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];

/// Cargo, in the root of the repository, as if typed at a prompt.
pub fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(paths::root());
    for (name, _) in env::vars_os() {
        let set_by_cargo_run = name
            .to_str()
            .is_some_and(|n| SET_BY_CARGO_RUN.iter().any(|prefix| n.starts_with(prefix)));
        if set_by_cargo_run {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The compiler that this repository pins.
pub fn rustc() -> Command {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(paths::root());
    rustc
}

/// The path of `program` by the `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

/// Runs a program whose output the user sees as it comes.
///
/// # Errors
///
/// Fails if it does not start or does not succeed.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let status = command.status().with_context(|| not_started(command))?;
    succeeded(command, status)
}

/// Runs a program for what it prints on its standard output; the rest the user sees.
///
/// # Errors
///
/// Fails if it does not start or does not succeed.
pub fn read(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| not_started(command))?;
    succeeded(command, output.status)?;
    Ok(output.stdout)
}

/// Runs a program in silence, saying what for and, while it lasts, how long already.
///
/// # Errors
///
/// Fails if it does not start or does not succeed; the error repeats the end of what it printed.
pub fn wait_for(what: &str, command: &mut Command) -> Result<()> {
    let begun = Instant::now();
    eprintln!("{what} …");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = patiently(what, begun, command).with_context(|| not_started(command))?;
    if !output.status.success() {
        let said = tail(&[output.stdout, output.stderr].concat());
        bail!("{what}: `{}` failed ({}){said}", shown(command), output.status);
    }
    eprintln!("{what}: done in {} s", begun.elapsed().as_secs());
    Ok(())
}

/// Runs a program in silence like [`wait_for`], with what it prints in a file.
///
/// # Errors
///
/// Fails if it does not start or does not succeed; the error repeats the end of what it printed, and names the file.
pub fn log(what: &str, command: &mut Command, file: &Path) -> Result<()> {
    let begun = Instant::now();
    eprintln!("{what} …");
    let log = log_file(file)?;
    command.stdout(log.try_clone()?).stderr(log).stdin(Stdio::null());
    let output = patiently(what, begun, command).with_context(|| not_started(command))?;
    if !output.status.success() {
        let said = tail(&fs::read(file)?);
        bail!(
            "{what}: `{}` failed ({}){said}\n  all of it: {}",
            shown(command),
            output.status,
            file.display()
        );
    }
    eprintln!("{what}: done in {} s", begun.elapsed().as_secs());
    Ok(())
}

/// An empty file for what a program prints, in a folder that is made for it.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn log_file(file: &Path) -> Result<File> {
    fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))
        .and_then(|()| File::create(file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Runs two programs, the output of the first being the input of the second.
///
/// # Errors
///
/// Fails if one of them does not start or does not succeed.
pub fn pipe(from: &mut Command, to: &mut Command) -> Result<()> {
    let mut source = from.stdout(Stdio::piped()).spawn().with_context(|| not_started(from))?;
    let output = source.stdout.take().context("its output is a pipe")?;
    let arrived = to.stdin(output).stdout(Stdio::null()).status();
    // The command keeps the reading end open; let it go, or a source whose reader is gone waits for ever.
    to.stdin(Stdio::null());
    let left = source.wait()?;
    succeeded(to, arrived.with_context(|| not_started(to))?)?;
    succeeded(from, left)
}

/// Runs a program, shows both its outputs as they come, and hands each line to `each` too.
/// Whether it succeeded is the answer, not an error: what it printed says why.
///
/// # Errors
///
/// Fails if it does not start or its output cannot be read.
pub fn watch(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool> {
    eprintln!("$ {}", shown(command));
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer).stdin(Stdio::null());
    let mut child = command.spawn().with_context(|| not_started(command))?;
    // The command keeps the writing end open; let it go, or the reader never sees the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        writeln!(io::stdout(), "{line}")?;
        each(&line);
    }
    Ok(child.wait()?.success())
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '"', '\'', '$', '*', '\\']) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn patiently(what: &str, begun: Instant, command: &mut Command) -> io::Result<Output> {
    let child = command.spawn()?;
    let (done, finished) = mpsc::channel::<()>();
    let waiter = thread::spawn(move || {
        let output = child.wait_with_output();
        drop(done);
        output
    });
    while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(TIMEOUT) {
        eprintln!("{what}: still at it, {} s", begun.elapsed().as_secs());
    }
    waiter.join().unwrap_or_else(|_| Err(io::Error::other("the waiting thread panicked")))
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

fn not_started(command: &Command) -> String {
    format!("`{}` did not start", shown(command))
}

fn tail(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let lines: Vec<_> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    end.iter().map(|line| format!("\n  {line}")).collect()
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        for (why, script, want) in [
            ("a plain word", "true", "sh -c true"),
            ("a space", "echo a", "sh -c 'echo a'"),
            ("a quote", "it's", r"sh -c 'it'\''s'"),
            ("nothing", "", "sh -c ''"),
        ] {
            assert_eq!(shown(&shell(script)), want, "{why}");
        }
    }

    #[test]
    fn a_failure_repeats_the_end_of_what_was_printed() {
        let failed = wait_for("fetching", &mut shell("seq 30; echo no such host >&2; exit 3"));
        let said = failed.unwrap_err().to_string();
        assert!(said.starts_with("fetching: `sh -c "), "{said}");
        assert!(said.contains("exit status: 3"), "{said}");
        assert!(said.ends_with("\n  30\n  no such host"), "{said}");
        assert!(!said.contains("\n  5\n"), "{said}");
    }

    #[test]
    fn what_is_logged_is_in_the_file_and_a_failure_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("logs/step.log");
        log("packing", &mut shell("echo one; echo two >&2"), &file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one\ntwo\n");
        let said =
            log("packing", &mut shell("echo broken; exit 4"), &file).unwrap_err().to_string();
        assert!(said.contains("\n  broken\n"), "{said}");
        assert!(said.ends_with(&file.display().to_string()), "{said}");
    }

    #[test]
    fn a_pipe_fails_with_either_end() {
        let ends = |from: &str, to: &str| pipe(&mut shell(from), &mut shell(to));
        ends("echo text", "grep text").unwrap();
        let lost = ends("echo text; exit 3", "cat").unwrap_err().to_string();
        assert!(lost.contains("exit status: 3"), "{lost}");
        // More than a pipe holds: the source must not wait for a reader that is gone.
        let refused = ends("seq 100000", "exit 4").unwrap_err().to_string();
        assert!(refused.contains("exit status: 4"), "{refused}");
    }

    #[test]
    fn both_outputs_are_watched_in_their_order() {
        let mut lines = Vec::new();
        let mut command = shell("echo one; echo two >&2; echo three; exit 1");
        let succeeded = watch(&mut command, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["one", "two", "three"]);
        assert!(!succeeded);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("corsward-no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "`corsward-no-such-program` did not start");
    }
}
