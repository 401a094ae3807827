//! The real binary on folders of its own, and how to wait for what it does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

use corsward_policy::wire::{self, Envelope};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test gives up on it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The folders of one operator; they outlive it.
pub(crate) struct OperatorDirs {
    root: TempDir,
}

/// A running operator.
pub(crate) struct Operator {
    child: Child,
    admin: SocketAddr,
    lines: Receiver<Value>,
    seen: Vec<Value>,
}

/// A policy file: `names` may read for `origin`.
pub(crate) fn policy(name: &str, origin: &str) -> String {
    format!(
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: {name}}}\n\
         spec:\n  hostnames: [{name}.shop.example]\n  cors:\n    allowOrigins: ['{origin}']\n"
    )
}

/// Runs the binary to its end.
pub(crate) fn corsward(args: &[&str], input: &str) -> Output {
    let mut command = command();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Waits until `look` sees something.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < TIMEOUT, "waited in vain for {what}");
        thread::sleep(POLL_INTERVAL);
    }
}

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_corsward-operator"))
}

// === impl OperatorDirs ===

impl OperatorDirs {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("policies")).unwrap();
        fs::write(root.path().join("filter.wasm"), "").unwrap();
        Self { root }
    }

    pub(crate) fn policies(&self) -> PathBuf {
        self.root.path().join("policies")
    }

    pub(crate) fn published_file(&self) -> PathBuf {
        self.root.path().join("envoy/corsward.yaml")
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        self.root.path().join("envoy/corsward.state.json")
    }

    pub(crate) fn state_copy(&self) -> PathBuf {
        self.state_file().with_added_extension("copy")
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.policies().join(file), text).unwrap();
    }

    pub(crate) fn remove(&self, file: &str) {
        fs::remove_file(self.policies().join(file)).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.policies().join(from), self.policies().join(to)).unwrap();
    }

    /// The arguments of `run` here.
    pub(crate) fn args(&self, admin: &str) -> Vec<String> {
        let root = self.root.path().display();
        let args = format!(
            "run --log-format json --admin {admin} --source dir:{root}/policies --publish file:{root}/envoy --module {root}/filter.wasm"
        );
        args.split(' ').map(str::to_owned).collect()
    }

    /// Starts an operator, and waits until it is ready.
    pub(crate) fn start(&self) -> Operator {
        let operator = self.start_unready();
        wait_for("readiness", || operator.get("/readyz").starts_with("HTTP/1.1 200").then_some(()));
        operator
    }

    /// Starts an operator, and waits until it answers.
    pub(crate) fn start_unready(&self) -> Operator {
        let mut child =
            command().args(self.args("127.0.0.1:0")).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let mut operator =
            Operator { child, admin: ([0, 0, 0, 0], 0).into(), lines, seen: Vec::new() };
        operator.admin = wait_for("the admin address", || {
            let line = operator.said("admin address").pop()?;
            line["addr"].as_str()?.parse().ok()
        });
        operator
    }

    /// The digest that is published, and the policies in it.
    pub(crate) fn published(&self) -> (String, Vec<String>) {
        let text = fs::read_to_string(self.published_file()).unwrap();
        let resource: Value = serde_saphyr::from_str(&text).unwrap();
        let config = &resource["resources"][0]["typed_config"]["config"];
        let envelope = config["configuration"]["value"].as_str().unwrap();
        let envelope = Envelope::decode(envelope.as_bytes()).unwrap();
        let compiled = wire::decode(&envelope.compiled).unwrap();
        (envelope.digest, compiled.policies().map(|id| id.name.clone()).collect())
    }

    /// Waits until exactly these policies are published, and names the digest.
    #[track_caller]
    pub(crate) fn wait_for_published(&self, names: &[&str]) -> String {
        wait_for(&format!("{names:?} to be published"), || {
            if !self.published_file().exists() {
                return None;
            }
            let (digest, published) = self.published();
            (published == names).then_some(digest)
        })
    }
}

// === impl Operator ===

impl Operator {
    /// What an admin path answers, head and body.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// What `/policies` says.
    pub(crate) fn report(&self) -> Value {
        let answer = self.get("/policies");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    /// Waits until `/policies` says something of the policy `name`, and returns all that is said of it.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("{name}: {what}; got {:#}", self.report()), || {
            let report = self.report();
            let policies = report["policies"].as_array().unwrap();
            policies.iter().find(|policy| policy["name"] == name && holds(policy)).cloned()
        })
    }

    /// Waits until `/policies` says that the policy `name` is in force as it is written.
    #[track_caller]
    pub(crate) fn wait_for_in_force(&self, name: &str, generation: i64) -> Value {
        self.wait_for(name, "in force", |policy| {
            policy["programmed"] == true && policy["inForce"]["generation"] == generation
        })
    }

    /// Waits until `/policies` says that the policy `name` is refused.
    #[track_caller]
    pub(crate) fn wait_for_refused(&self, name: &str) -> Value {
        self.wait_for(name, "refused", |policy| policy["accepted"] == false)
    }

    /// Waits until a file has a finding of that code.
    #[track_caller]
    pub(crate) fn wait_for_problem(&self, code: &str) -> Value {
        wait_for(&format!("{code}; got {:#}", self.report()), || {
            let report = self.report();
            let files = report["files"].as_array().unwrap();
            let says = |file: &&Value| {
                file["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == code)
            };
            files.iter().find(says).cloned()
        })
    }

    /// The log lines so far that say `message`.
    pub(crate) fn said(&mut self, message: &str) -> Vec<Value> {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().filter(|line| line["message"] == message).cloned().collect()
    }

    /// The log lines so far about a finding of that code.
    pub(crate) fn said_of(&mut self, code: &str) -> Vec<Value> {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().filter(|line| line["code"] == code).cloned().collect()
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        wait_for("the operator to stop", || self.child.try_wait().unwrap()).code()
    }

    /// Asks it to stop, and returns all its log lines.
    pub(crate) fn stop_and_read(mut self, signal: &str) -> Vec<Value> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        wait_for("the operator to stop", || self.child.try_wait().unwrap());
        // The channel ends with the pipe.
        self.seen.extend(self.lines.iter());
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What tells one version of a file from another.
pub(crate) fn identity(path: &Path) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path).unwrap();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
}
