//! The plugin of kubectl, called by a real kubectl.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use xtask::tools;

/// The output of kubectl, with the links of the plugin in `folder`, which is its `PATH`.
fn kubectl(folder: &Path, args: &[&str]) -> String {
    let mut kubectl = Command::new(tools::kubectl().unwrap());
    kubectl.args(args).current_dir(folder).env("PATH", folder).env("HOME", folder);
    let output = kubectl.output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn linked(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        symlink(env!("CARGO_BIN_EXE_corsward"), folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn kubectl_finds_the_plugin_under_both_names() {
    let folder = linked(&["kubectl-cors", "kubectl-corsward"]);
    for name in ["cors", "corsward"] {
        let help = kubectl(folder.path(), &[name, "--help"]);
        assert!(help.contains(&format!("Usage: kubectl {name} <COMMAND>")), "{help}");
        let help = kubectl(folder.path(), &[name, "check", "--help"]);
        assert!(help.contains(&format!("Usage: kubectl {name} check [OPTIONS]")), "{help}");
    }
    let listed = kubectl(folder.path(), &["plugin", "list"]);
    assert!(listed.contains("/kubectl-cors\n"), "{listed}");
}

#[test]
fn kubectl_completes_commands_options_and_files() {
    let folder = linked(&["kubectl-cors", "kubectl_complete-cors"]);
    fs::write(folder.path().join("shop.yaml"), "").unwrap();
    fs::create_dir(folder.path().join("shops")).unwrap();
    let complete =
        |words: &[&str]| kubectl(folder.path(), &[&["__complete", "cors"], words].concat());
    for (words, want) in [
        (
            &["ch"][..],
            "check\tPrint every finding about the policies of files, with the text and the fix\n:4\n",
        ),
        (&["check", "--deny"], "--deny-warnings\tExit 1 if there is a warning\n:4\n"),
        (&["check", "-o", "sa"], "sarif\tSARIF 2.1.0, for code scanning\n:4\n"),
        (&["check", "shop"], "shop.yaml\nshops/\n:6\n"),
        (&["check", "shop."], "shop.yaml\n:4\n"),
        (&["check", "--suppress", "CORS"], ":0\n"),
    ] {
        assert_eq!(complete(words), want, "{words:?}");
    }
}

#[test]
fn commands_of_examples_fit_a_narrow_terminal() {
    let folder = linked(&["kubectl-cors"]);
    for command in ["check", "collect", "diff", "doctor", "explain", "import", "render", "test"] {
        let help = kubectl(folder.path(), &["cors", command, "--help"]);
        let (_, examples) = help.split_once("Examples:").unwrap();
        let indented = examples.lines().filter(|line| line.contains("corsward "));
        for line in indented.filter(|line| line.starts_with("  ")) {
            assert!(line.len() <= 80, "{command}: {line}");
        }
    }
}
