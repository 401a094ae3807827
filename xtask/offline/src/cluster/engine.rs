//! The docker engine: the one that answers, or one that we start.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::{docker, paths, tools, wait};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Timeout for the start of an engine that was just installed.
const AFTER_ITS_PACKAGE: Duration = Duration::from_secs(10);

/// Makes sure that an engine answers.
///
/// # Errors
///
/// Fails if none does and none can be started.
pub(super) fn ensure() -> Result<()> {
    if docker::answers() {
        return Ok(());
    }
    ensure!(
        tools::is_root(),
        "no docker answers here: start it, or, if it runs, let your user talk to it (`docker version` says why it does not)"
    );
    let dockerd = tools::dockerd()?;
    // Where systemd runs, an engine starts with its package.
    let by_itself = || {
        wait::until("docker to start", AFTER_ITS_PACKAGE, || Ok(docker::answers().then_some(())))
    };
    if Path::new("/run/systemd/system").exists() && by_itself().is_ok() {
        return Ok(());
    }
    let wrapper = tools::node_wrappers()?.join("runc-wrapper");
    let folder = folder();
    fs::create_dir_all(&folder)?;
    // Not the machine's own: whoever starts docker by other means is to find it as it was.
    let settings = folder.join("daemon.json");
    let runtimes =
        json!({ "runtimes": { "wrapped": { "path": wrapper } }, "default-runtime": "wrapped" });
    fs::write(&settings, runtimes.to_string())?;
    forget_the_dead(&[
        (pid_file(), "dockerd"),
        (PathBuf::from("/var/run/docker/containerd/containerd.pid"), "containerd"),
    ]);
    let log = folder.join("dockerd.log");
    eprintln!("starting the docker engine (log: {}) …", log.display());
    let mut engine = start(&dockerd, &settings, &log)?;
    let answers = wait::until("the docker engine to answer", TIMEOUT, || {
        let ended = engine.try_wait()?;
        ensure!(ended.is_none(), "the docker engine ended: {ended:?}");
        Ok(docker::answers().then_some(()))
    });
    answers.with_context(|| format!("{} says why", log.display()))
}

/// Whether the engine that runs was started by [`ensure`].
pub(super) fn is_ours() -> bool {
    running(&pid_file(), "dockerd").is_some()
}

/// Stops the engine, if it is ours.
///
/// # Errors
///
/// Fails if it does not stop.
pub(super) fn stop() -> Result<()> {
    let Some(pid) = running(&pid_file(), "dockerd") else {
        bail!(
            "no docker engine runs that `cargo xtask cluster up` started: one that somebody else started goes on"
        );
    };
    kill_process(pid, Signal::TERM).context("cannot stop the docker engine")?;
    wait::until("the docker engine to stop", TIMEOUT, || Ok((!is_ours()).then_some(())))
}

/// Starts it in a session of its own: it outlives us, our terminal and its Ctrl-C.
fn start(dockerd: &Path, settings: &Path, log: &Path) -> Result<Child> {
    let log = File::create(log)?;
    let mut start = Command::new("setsid");
    start.arg(dockerd).arg("--config-file").arg(settings).arg("--pidfile").arg(pid_file());
    start.current_dir("/").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    start.spawn().context("`setsid` did not start")
}

/// Removes the pid files that a killed engine left. An engine does not start while any process has a number from one
/// of them.
fn forget_the_dead(files: &[(PathBuf, &str)]) {
    for (file, program) in files {
        if file.exists() && running(file, program).is_none() {
            // Should it not go, the engine's log says so.
            let _ = fs::remove_file(file);
        }
    }
}

/// The process that a pid file names, if it is there and runs `program`.
fn running(file: &Path, program: &str) -> Option<Pid> {
    let number = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{number}/comm")).ok()?;
    (name.trim() == program).then(|| Pid::from_raw(number))?
}

fn folder() -> PathBuf {
    paths::cache().join("engine")
}

fn pid_file() -> PathBuf {
    folder().join("dockerd.pid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_of_a_dead_engine_goes_and_that_of_a_living_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            file
        };
        let us = std::process::id().to_string();
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        let living = file("living", &us);
        let reused = file("reused", &us);
        let gone = file("gone", "999999999");
        let files =
            [(living.clone(), name.trim()), (reused.clone(), "dockerd"), (gone.clone(), "dockerd")];
        forget_the_dead(&files);
        assert!(living.exists(), "its process runs");
        assert!(!reused.exists(), "another program has its number");
        assert!(!gone.exists(), "nobody has its number");
    }
}
