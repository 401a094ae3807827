//! Importing: `corsward import` of files of a test.

use std::fs;
use std::process::Command;

/// The policies of files, each by its name and text, and what is said, with the words of comments joined. `arguments` come after `import`.
pub(crate) fn import(arguments: &[&str], files: &[(&str, &str)]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    command.current_dir(folder.path()).arg("import").args(arguments);
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
        command.arg(name);
    }
    let output = command.output().unwrap();
    let words = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap().replace('#', "");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    (words(output.stdout), words(output.stderr))
}
