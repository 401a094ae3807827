//! Walks: what a page shows of an API server is what one says.

use std::fs;
use std::process::Command;

use corsward_test_harness::cluster::LocalCluster;
use corsward_test_harness::command::run;
use corsward_test_harness::eventually::eventually;
use corsward_tests::suite;
use xtask::tools;

/// A command of a page, and what it prints there.
struct Step {
    command: String,
    printed: String,
}

/// The steps of a page: what stands in its `text` blocks, each after a `$`.
fn steps(page: &str) -> Vec<Step> {
    let path = suite::folder().join("../docs").join(page);
    let text = fs::read_to_string(path).unwrap();
    let mut steps: Vec<Step> = Vec::new();
    for block in text.split("```text\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                steps.push(Step { command: command.into(), printed: String::new() });
            } else {
                let step = steps.last_mut().unwrap_or_else(|| panic!("{page}: {line}"));
                step.printed += line;
                step.printed.push('\n');
            }
        }
    }
    steps
}

/// Columns are as wide as they must be, and an age is what it is.
fn normal(printed: &str) -> String {
    let is_age = |word: &str| {
        let digits = word.trim_end_matches(['s', 'm', 'h']);
        digits.len() < word.len() && digits.chars().all(|c| c.is_ascii_digit() || "ms".contains(c))
    };
    let line = |line: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if let Some(last) = words.last_mut().filter(|last| is_age(last)) {
            *last = "AGE";
        }
        words.join(" ")
    };
    printed.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Runs what a page says, line by line; what only looks is done until it sees what the page shows.
fn walk(cluster: &LocalCluster, page: &str) {
    let kubectl = tools::kubectl().unwrap();
    let path = format!("{}:{}", kubectl.parent().unwrap().display(), env!("PATH"));
    let steps = steps(page);
    assert!(steps.len() > 3, "{page} shows nothing");
    for Step { command, printed } in steps {
        let run = || {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("{command} 2>&1")]);
            shell.env("PATH", &path).env("KUBECONFIG", cluster.server.kubeconfig());
            shell.current_dir(suite::folder().join(".."));
            run(&mut shell, "").unwrap().out
        };
        let mut last = run();
        let looks = command.contains(" get ");
        let _ = eventually("the printed output", || {
            let is_so = normal(&last) == normal(&printed);
            if !is_so && looks {
                last = run();
            }
            is_so || !looks
        });
        assert_eq!(normal(&last), normal(&printed), "{page}: {command}\n{last}");
    }
}

#[test]
fn the_page_of_guardrails_is_true() {
    let cluster = LocalCluster::own().unwrap();
    let operator = cluster.operator("operator-0").start().unwrap();
    walk(&cluster, "guardrails.md");
    drop(operator);
}
