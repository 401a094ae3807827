//! The demo as other programs use it: its command line, what it prints, how it ends.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use xtask::{demo, ports, wait};

const TIMEOUT: Duration = Duration::from_secs(60);

/// The demo in front of an upstream, its temporary files in a folder of their own.
struct Front {
    child: Child,
    stdout: BufReader<ChildStdout>,
    listen: SocketAddr,
    admin: SocketAddr,
    temporary: TempDir,
}

fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("demo").args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    xtask(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn policies() -> String {
    demo::policies().display().to_string()
}

fn local() -> SocketAddr {
    ([127, 0, 0, 1], ports::free()).into()
}

// === impl Front ===

impl Front {
    fn start(policies: &Path, upstream: SocketAddr) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let (listen, admin) = (local(), local());
        let mut child = xtask(&["--policies", &policies.display().to_string()])
            .args(["--listen", &listen.to_string(), "--upstream", &upstream.to_string()])
            .args(["--admin", &admin.to_string()])
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, listen, admin, temporary }
    }

    fn wait_until_ready(&mut self) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{}", self.last_words());
    }

    /// The end of its output, after its end has begun.
    fn last_words(&mut self) -> String {
        let ended = wait::until("the demo to end", TIMEOUT, || Ok(self.child.try_wait()?));
        let mut text = format!("{ended:?}: ");
        if ended.is_ok() {
            let _ = self.child.stderr.take().unwrap().read_to_string(&mut text);
        }
        text
    }

    /// Asks it for a path as a page of `origin` would, and returns the headers of the answer.
    fn ask(&self, path: &str, origin: &str) -> ureq::http::HeaderMap {
        let request = ureq::get(format!("http://{}{path}", self.listen))
            .header("host", "localhost")
            .header("origin", origin);
        let answer = request.config().http_status_as_error(false).build().call().unwrap();
        answer.headers().clone()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end and returns the exit code, the rest of its stdout, and its stderr.
    fn end(mut self) -> (Option<i32>, String, String) {
        let status =
            wait::until("the demo to end", TIMEOUT, || Ok(self.child.try_wait()?)).unwrap();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let left: Vec<_> = fs::read_dir(self.temporary.path()).unwrap().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        assert!(TcpListener::bind(self.listen).is_ok(), "somebody still listens");
        (status.code(), stdout, stderr)
    }

    /// The pid of the child process whose program is called `name`.
    fn child_called(&self, name: &str) -> Pid {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks
            .map(|task| fs::read_to_string(task.unwrap().path().join("children")).unwrap())
            .flat_map(|children| children.split(' ').map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|pid| pid.parse::<i32>().ok())
            .find(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim() == name)
            .and_then(Pid::from_raw)
            .unwrap()
    }
}

/// An address without a server: Envoy answers 503 for it.
fn nobody() -> SocketAddr {
    local()
}

#[test]
fn standard_output_says_ready_and_nothing_else_and_signals_end_it_cleanly() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut front = Front::start(&demo::policies(), nobody());
        front.wait_until_ready();
        // Envoy's own answer carries the policy's headers: the first configuration is in force.
        let headers = front.ask("/plain", "http://localhost:3000");
        assert_eq!(headers["access-control-allow-origin"], "http://localhost:3000");
        front.signal(signal);
        let (code, stdout, stderr) = front.end();
        assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    }
}

#[test]
fn who_was_refused_is_in_the_log_and_in_the_metrics_with_labels() {
    let mut front = Front::start(&demo::policies(), nobody());
    front.wait_until_ready();
    front.ask("/plain", "https://stranger.example");
    let url = format!("http://{}/stats/prometheus", front.admin);
    let lines = [
        r#"corsward_decisions{kind="actual",verdict="refused",reason="origin"} 1"#,
        r#"corsward_policy{verdict="refused",namespace="demo",policy="api"} 1"#,
        r#"corsward_policy_shadow_comparisons{comparison="agree",namespace="demo",policy="api"} 0"#,
        r#"corsward_shadow_comparisons{comparison="agree"} 0"#,
        "corsward_wire_v1{} 1",
    ];
    // The filter passes its counters on once a second.
    wait::until("the metrics", TIMEOUT, || {
        let metrics = ureq::get(&url).call()?.body_mut().read_to_string()?;
        Ok(lines.iter().all(|line| metrics.contains(line)).then_some(()))
    })
    .unwrap();
    front.signal(Signal::TERM);
    let (_, _, stderr) = front.end();
    let line =
        "GET localhost/plain 503 verdict=refused reason=origin origin=\"https://stranger.example\"";
    assert!(stderr.contains(line), "{stderr}");
}

#[test]
fn a_signal_before_it_is_ready_ends_it_cleanly_too() {
    let front = Front::start(&demo::policies(), nobody());
    // It has begun to clean up after itself once its folder is there.
    wait::until("its folder", TIMEOUT, || {
        Ok(fs::read_dir(front.temporary.path())?.next().map(drop))
    })
    .unwrap();
    front.signal(Signal::TERM);
    let (code, _, stderr) = front.end();
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn when_a_child_dies_the_demo_says_which_and_fails() {
    for (program, said) in [("envoy", "Envoy"), ("corsward-operat", "the operator")] {
        let mut front = Front::start(&demo::policies(), nobody());
        front.wait_until_ready();
        kill_process(front.child_called(program), Signal::KILL).unwrap();
        let (code, stdout, stderr) = front.end();
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert!(stderr.contains(&format!("error: {said}")), "{stderr}");
        assert!(stderr.contains("its log ends with:"), "{stderr}");
    }
}

#[test]
fn a_folder_without_policies_forwards() {
    let empty = tempfile::tempdir().unwrap();
    let mut front = Front::start(empty.path(), nobody());
    front.wait_until_ready();
    front.signal(Signal::TERM);
    assert_eq!(front.end().0, Some(0));
}

#[test]
fn a_mistake_on_the_command_line_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let policies = policies();
    for (why, arguments, want) in [
        (
            "no port",
            ["--policies", &policies, "--listen", "127.0.0.1:0", "--upstream", "localhost"],
            "`localhost` is not an address such as 127.0.0.1:8600",
        ),
        (
            "no such folder",
            ["--policies", "/nowhere", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9"],
            "--policies /nowhere: name a folder that is there; it may be empty, and policies that come later count: No such file",
        ),
        (
            "a file",
            ["--policies", "/proc/version", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9"],
            "--policies /proc/version: a file; name the folder that it is in",
        ),
        (
            "somebody listens there",
            ["--policies", &policies, "--listen", &taken, "--upstream", "127.0.0.1:9"],
            "Address already in use",
        ),
    ] {
        let output = run(&arguments);
        assert!(!output.status.success(), "{why}");
        assert!(output.stdout.is_empty(), "{why}");
        assert!(stderr(&output).contains(want), "{why}: {}", stderr(&output));
    }
    for incomplete in [["--policies", &policies], ["--upstream", "127.0.0.1:9"]] {
        let output = run(&incomplete);
        assert_eq!(output.status.code(), Some(2), "{incomplete:?}: {}", stderr(&output));
    }
}

#[test]
fn the_tour_is_as_it_is_told_in_the_readme_too() {
    let output = run(&["--once"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", stderr(&output));
    assert!(!stdout.contains("\n! "), "{stdout}");
    let readme = fs::read_to_string(xtask::paths::root().join("README.md")).unwrap();
    for step in quoted_steps(&readme) {
        assert!(stdout.contains(step), "the README tells\n{step}\nand the tour\n{stdout}");
    }
}

/// The steps in the block after `<!-- tour -->`; it may leave steps out, and quotes whole ones.
fn quoted_steps(readme: &str) -> impl Iterator<Item = &str> {
    let block = readme.split_once("<!-- tour -->").map_or("", |(_, rest)| rest);
    let block = block.trim_start().strip_prefix("```text\n").unwrap_or_default();
    let block = block.split_once("\n```").map_or("", |(block, _)| block);
    block.split("\n\n").map(str::trim).filter(|step| !step.is_empty())
}
