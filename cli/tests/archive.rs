//! The archive that users fetch, installed by a real krew and called by a real kubectl.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::arch::Arch;
use xtask::{archives, command, tools};

/// A small program that is this very binary, by the name that it is called: to compress a binary with debug information takes minutes.
fn program(folder: &Path) -> PathBuf {
    let program = folder.join("program");
    let script =
        format!("#!/usr/bin/env bash\nexec -a \"$0\" {} \"$@\"\n", env!("CARGO_BIN_EXE_corsward"));
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    program
}

fn text(command: &mut Command) -> String {
    String::from_utf8(command::read(command).unwrap()).unwrap()
}

#[test]
fn krew_installs_the_archive_and_kubectl_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let binary = program(folder.path());
    let archive = archives::write(&binary, Arch::here().unwrap(), &binary, folder.path()).unwrap();
    let mut check = Command::new("sha256sum");
    let digest = format!("{}.sha256", archive.display());
    text(check.args(["--check", "--strict", &digest]).current_dir(folder.path()));

    let manifest = archives::write_manifest(folder.path(), "https://downloads.example/v1").unwrap();
    let mut install = Command::new(tools::krew().unwrap());
    install.env("KREW_ROOT", place("krew")).env("HOME", folder.path());
    install.arg("install").arg(format!("--manifest={}", manifest.display()));
    text(install.arg(format!("--archive={}", archive.display())));

    let mut kubectl = Command::new(tools::kubectl().unwrap());
    let path = format!("{}:/usr/bin:/bin", place("krew/bin").display());
    kubectl.env("PATH", path).env("HOME", folder.path());
    let version = text(kubectl.args(["cors", "--version"]));
    assert_eq!(version, format!("kubectl-cors {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_archive_holds_the_licence_completions_and_a_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let binary = program(folder.path());
    let archive = archives::write(&binary, Arch::Amd64, &binary, folder.path()).unwrap();
    let listed = text(Command::new("tar").args(["--list", "--file"]).arg(&archive));
    let top = format!("corsward-{}-linux-amd64/", env!("CARGO_PKG_VERSION"));
    let files: Vec<&str> = listed.lines().map(|file| file.strip_prefix(&top).unwrap()).collect();
    for file in [
        "corsward",
        "LICENSE",
        "completions/_corsward",
        "completions/corsward.bash",
        "completions/corsward.fish",
        "man/corsward.1",
        "man/corsward-check.1",
        "man/corsward-import.1",
    ] {
        assert!(files.contains(&file), "{file}: {files:?}");
    }
    text(
        Command::new("tar").args(["--extract", "--file"]).arg(&archive).current_dir(folder.path()),
    );
    let unpacked = folder.path().join(&top).join("corsward");
    let version = text(Command::new(unpacked).arg("--version"));
    assert_eq!(version, format!("corsward {}\n", env!("CARGO_PKG_VERSION")));
    let again = tempfile::tempdir().unwrap();
    let other = archives::write(&binary, Arch::Amd64, &binary, again.path()).unwrap();
    assert_eq!(fs::read(archive).unwrap(), fs::read(other).unwrap(), "the same bytes");
}
