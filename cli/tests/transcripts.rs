//! The pages of the documentation: the files that they show, their commands, and the output of each.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests stops the test where it cannot go on"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages.
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
/// The folders of their files.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");

#[test]
fn the_pages_of_migrations_show_their_files_and_the_output_of_their_commands() {
    for page in pages() {
        let folder = page.trim_end_matches(".md");
        compare(&format!("migrate/{page}"), &format!("import/migrate/{folder}"));
    }
}

#[test]
fn the_page_on_debugging_shows_its_files_and_the_output_of_its_commands() {
    compare("debugging.md", "captures/debugging");
}

#[test]
fn the_index_of_migrations_leads_to_each_page() {
    let index = fs::read_to_string(Path::new(DOCS).join("migrate/README.md")).unwrap();
    for page in pages() {
        assert!(index.contains(&format!("]({page})")), "docs/migrate/README.md leads to {page}");
    }
}

/// The pages of migrations.
fn pages() -> BTreeSet<String> {
    let mut pages = names(Path::new(DOCS).join("migrate"));
    pages.remove("README.md");
    pages
}

/// Compares a page with its files, and with the output of its commands in a folder of them.
fn compare(page: &str, files: &str) {
    let text = fs::read_to_string(Path::new(DOCS).join(page)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = Path::new(FILES).join(files);
    for name in names(&files) {
        let file = fs::read_to_string(files.join(&name)).unwrap();
        assert!(text.contains(&format!("\n{file}")), "{page} shows {name}");
        fs::write(folder.path().join(&name), file).unwrap();
    }
    let transcripts = transcripts(&text);
    assert!(!transcripts.is_empty(), "{page} has no command");
    for (command, shown) in transcripts {
        assert_eq!(shown, output(folder.path(), &command), "{page}: {command}");
    }
}

fn names(folder: impl AsRef<Path>) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The commands of the blocks of a console, each with the output below it.
fn transcripts(page: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let blocks = page.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    for block in blocks.map(|block| block.replace("\\\n", " ")) {
        for line in block.split_inclusive('\n') {
            match (line.strip_prefix("$ "), all.last_mut()) {
                (Some(command), _) => all.push((command.trim_end().to_owned(), String::new())),
                (None, Some((_, shown))) => shown.push_str(line),
                (None, None) => panic!("`{line}` stands before a command"),
            }
        }
    }
    all
}

/// The standard output of a command.
fn output(folder: &Path, command: &str) -> String {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_corsward"));
    let path = std::env::join_paths(
        binary
            .parent()
            .map(Path::to_path_buf)
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder).env("PATH", path.unwrap());
    String::from_utf8(shell.output().unwrap().stdout).unwrap()
}
