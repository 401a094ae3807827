//! Cargo's own words about each test binary, gathered.

use std::fmt;

/// The result lines of one `cargo test`, each with the binary that it is about.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Cargo's latest announcement.
    running: String,
    results: Vec<Outcome>,
    /// The tests that failed, each as `binary: test`.
    failed: Vec<String>,
}

/// The result of one test binary.
#[derive(Debug)]
struct Outcome {
    binary: String,
    /// The text after `test result:`.
    said: String,
}

// === impl Summary ===

impl Summary {
    /// Takes in one line of cargo's output.
    pub(super) fn read(&mut self, line: &str) {
        let line = line.trim();
        if let Some(file) = line.strip_prefix("Running ") {
            self.running = binary_name(file);
        } else if let Some(library) = line.strip_prefix("Doc-tests ") {
            self.running = format!("{library} (docs)");
        } else if let Some(said) = line.strip_prefix("test result: ") {
            self.results.push(Outcome { binary: self.running.clone(), said: said.to_owned() });
        } else if let Some(test) = failed_test(line) {
            self.failed.push(format!("{}: {test}", self.running));
        }
    }

    /// The number of tests of all binaries.
    pub(super) fn total(&self) -> String {
        let total = |word| self.results.iter().map(|outcome| outcome.count(word)).sum::<usize>();
        // The result of a binary is missing where it could not print all of a very long message.
        let failed = total("failed").max(self.failed.len());
        let (passed, ignored) = (total("passed"), total("ignored"));
        format!("{passed} passed, {failed} failed, {ignored} ignored")
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_tests = || self.results.iter().filter(|outcome| !outcome.is_empty());
        let width = with_tests().map(|outcome| outcome.binary.len()).max().unwrap_or_default();
        for Outcome { binary, said } in with_tests() {
            writeln!(f, "{binary:width$}  {said}")?;
        }
        for test in &self.failed {
            writeln!(f, "failed: {test}")?;
        }
        writeln!(f, "in all: {}", self.total())
    }
}

// === impl Outcome ===

impl Outcome {
    /// The number before `word` in cargo's sentence.
    fn count(&self, word: &str) -> usize {
        let counts = self.said.split(['.', ';']).filter_map(|part| part.trim().split_once(' '));
        let mut counted = counts.filter(|(_, name)| *name == word);
        counted.next().and_then(|(number, _)| number.parse().ok()).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        ["passed", "failed", "ignored"].iter().all(|word| self.count(word) == 0)
    }
}

/// `unittests src/lib.rs (target/debug/deps/corsward_policy-0a1b)` is `corsward_policy`.
fn binary_name(announced: &str) -> String {
    let file = announced.rsplit(['/', '\\', '(']).next().unwrap_or(announced);
    let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
    name.trim_end_matches([')', ' ']).to_owned()
}

/// The name in `test NAME ... FAILED`.
fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_binary_is_named_and_all_are_added_up() {
        let output = "
   Compiling corsward-policy v0.1.0
     Running unittests src/lib.rs (target/debug/deps/corsward_policy-0a1b2c)

running 3 tests
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running unittests src/main.rs (target/debug/deps/empty-0a1b2c)
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running envoy.rs (target/debug/deps/envoy-0a1b2c)
test a_cold_start_is_inert ... ok
test the_last_good_one_holds ... FAILED
test result: FAILED. 4 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.10s
   Doc-tests corsward_policy
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let mut summary = Summary::default();
        output.lines().for_each(|line| summary.read(line));
        let want = "\
corsward_policy         ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
envoy                   FAILED. 4 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.10s
corsward_policy (docs)  ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
failed: envoy: the_last_good_one_holds
in all: 8 passed, 1 failed, 2 ignored
";
        assert_eq!(summary.to_string(), want);
    }
    #[test]
    fn a_failed_test_of_a_binary_without_a_result_is_counted() {
        let mut summary = Summary::default();
        for line in ["Running demo.rs (deps/demo-0a)", "test it_ends ... FAILED"] {
            summary.read(line);
        }
        assert_eq!(summary.total(), "0 passed, 1 failed, 0 ignored");
    }
}
