//! `explain` with the answers of the atlas: the implementation behind them.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests stops the test where it cannot go on"
)]

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::Value;

/// An answer as `curl -i` prints it.
fn capture(answer: &Value) -> String {
    let mut text = format!("HTTP/1.1 {} -\r\n", answer["status"]);
    for line in answer["headers"].as_array().unwrap() {
        let [name, value] = [0, 1].map(|at| line[at].as_str().unwrap());
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    text + "\r\n"
}

/// The captures of each implementation: a preflight that passes (P16), and a response that is shared (P14).
fn atlas() -> Vec<(String, [String; 2])> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/atlas/answers.jsonl");
    let mut all: Vec<(String, [String; 2])> = Vec::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(name) = line["implementation"].as_str() {
            all.push((name.to_owned(), Default::default()));
            continue;
        }
        let at = ["P16", "P14"].iter().position(|probe| line["probe"] == *probe);
        if let Some(capture_of) = at.and_then(|at| all.last_mut().unwrap().1.get_mut(at)) {
            *capture_of = capture(&line);
        }
    }
    all
}

/// The guess of `corsward explain` for a `PUT` with `x-a` that is answered so.
fn guess([preflight, response]: &[String; 2]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let [asked, answered] = ["preflight.txt", "response.txt"].map(|name| folder.path().join(name));
    fs::write(&asked, preflight).unwrap();
    fs::write(&answered, response).unwrap();
    let mut explain = Command::new(env!("CARGO_BIN_EXE_corsward"));
    explain.arg("explain").arg("--preflight").arg(asked).arg("--response").arg(answered);
    explain.args(["--origin", "https://app.example", "--url", "https://api.example/ok"]);
    explain.args(["--method", "PUT", "-H", "x-a: 1", "--credentials", "include", "-o", "json"]);
    let output = explain.output().unwrap();
    let error = || String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", error()));
    report["implementation"].clone()
}

#[test]
fn every_implementation_of_the_atlas_is_recognized_and_most_with_high_confidence() {
    let atlas = atlas();
    let mut certain = 0;
    for (name, captures) in &atlas {
        let guess = guess(captures);
        let names = guess["names"].as_array().unwrap_or_else(|| panic!("{name}: no guess"));
        assert!(names.iter().any(|guessed| guessed == name), "{name}: {guess}");
        certain += usize::from(guess["confidence"] == "high");
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/explain.md");
    let page = fs::read_to_string(page).unwrap().replace('\n', " ");
    let told = format!("{certain} of the {} apart with high confidence", atlas.len());
    assert!(page.contains(&told), "docs/explain.md: {told}");
}
