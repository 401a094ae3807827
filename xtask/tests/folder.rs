//! `cargo xtask demo --policies`: with any content of the folder it starts, and the valid part is in force.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;
use std::{fs, thread};

use tempfile::TempDir;
use xtask::process::{self, Process};
use xtask::{ports, wait};

/// Timeout for the build and the start of the demo.
const START: Duration = Duration::from_secs(600);
/// Timeout for a change.
const CHANGE: Duration = Duration::from_secs(30);

/// The origin of the policies.
const SHOP: &str = "https://shop.example";
/// The origin that the upstream shares with, by itself.
const OLD: &str = "https://old.example";
/// The log's line where no policy is in force.
const NOTHING: &str = "no policy is in force: requests pass as if there were no filter";

/// A running demo, in front of an upstream that has CORS headers of its own.
struct Demo {
    process: Process,
    listen: SocketAddr,
    stderr: Receiver<String>,
    said: String,
}

// === impl Demo ===

impl Demo {
    /// Starts it, and waits for `ready`.
    fn start(policies: &Path) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let mut command = demo(policies, listen, upstream());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::spawn("the demo", command).unwrap();
        let stdout = process::lines(process.stdout().unwrap());
        let stderr = process::lines(process.stderr().unwrap());
        let mut demo = Self { process, listen, stderr, said: String::new() };
        let is_ready = wait::until("the demo to be ready", START, || {
            anyhow::ensure!(demo.process.exited()?.is_none(), "the demo ended");
            Ok(stdout.try_iter().any(|line| line == "ready").then_some(()))
        });
        assert!(is_ready.is_ok(), "{is_ready:?}: {}", demo.said());
        demo
    }

    /// The `Access-Control-Allow-Origin` that answers a request to `host` from [`SHOP`].
    fn allowed(&self, host: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.listen).unwrap();
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: {SHOP}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let mut fields = answer.lines().filter_map(|line| line.split_once(": "));
        fields
            .find(|(name, _)| name.eq_ignore_ascii_case("access-control-allow-origin"))
            .map(|(_, value)| value.to_owned())
    }

    #[track_caller]
    fn wait_for_allowed(&self, host: &str, origin: &str) {
        let allowed = || Ok((self.allowed(host).as_deref() == Some(origin)).then_some(()));
        wait::until(&format!("{host} to allow {origin}"), CHANGE, allowed).unwrap();
    }

    /// All it has said in the terminal.
    fn said(&mut self) -> &str {
        for line in self.stderr.try_iter() {
            self.said += &line;
            self.said.push('\n');
        }
        &self.said
    }

    /// Waits for a line with all of `words`.
    #[track_caller]
    fn wait_for_line(&mut self, words: &[&str]) {
        let found = wait::until("the line", CHANGE, || {
            let has = |line: &str| words.iter().all(|word| line.contains(word));
            Ok(self.said().lines().any(has).then_some(()))
        });
        assert!(found.is_ok(), "no line with {words:?}: {}", self.said());
    }

    fn stop(mut self) {
        assert!(self.process.stop(CHANGE).unwrap().success(), "{}", self.said());
    }
}

fn demo(policies: &Path, listen: SocketAddr, upstream: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("demo").arg("--policies").arg(policies).stdin(Stdio::null());
    command.args(["--listen", &listen.to_string(), "--upstream", &upstream.to_string()]);
    command
}

/// A server that shares everything with [`OLD`].
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut request = BufReader::new(stream.try_clone()?);
                let mut line = String::new();
                while request.read_line(&mut line)? > 2 {
                    line.clear();
                }
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n";
                write!(stream, "{head}Access-Control-Allow-Origin: {OLD}\r\n\r\n")
            });
        }
    });
    address
}

fn policy(name: &str, origin: &str) -> String {
    format!(
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{hostnames: [{name}.example], cors: {{allowOrigins: ['{origin}']}}}}\n"
    )
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(folder: &TempDir, file: &str, text: &str) {
    let written = folder.path().join(".written");
    fs::write(&written, text).unwrap();
    fs::rename(written, folder.path().join(file)).unwrap();
}

#[test]
fn a_refused_policy_beside_a_good_one_is_named_and_the_good_one_is_in_force() {
    let policies = folder();
    write(&policies, "good.yaml", &policy("good", SHOP));
    write(&policies, "typo.yaml", &policy("typo", "https://shop.example/"));
    let mut demo = Demo::start(policies.path());
    assert_eq!(demo.allowed("good.example").as_deref(), Some(SHOP));
    assert_eq!(demo.allowed("typo.example").as_deref(), Some(OLD), "as without a policy");
    demo.wait_for_line(&["refused; nothing of it is in force", "default/typo", "typo.yaml"]);
    let field = "spec.cors.allowOrigins[0]";
    demo.wait_for_line(&["CORS-E106", "typo.yaml", field, "write `https://shop.example`"]);
    assert!(!demo.said().contains(NOTHING), "{}", demo.said());

    write(&policies, "typo.yaml", &policy("typo", SHOP));
    demo.wait_for_allowed("typo.example", SHOP);
    demo.wait_for_line(&["accepted", "default/typo", "typo.yaml"]);
    demo.stop();
}

#[test]
fn a_folder_without_a_usable_policy_leaves_requests_alone_until_it_has_one() {
    type Prepare = fn(&TempDir);
    let rows: [(&str, Prepare, &[&str]); 5] = [
        (
            "a refused policy alone",
            |folder| write(folder, "shop.yaml", &policy("shop", "shop.example")),
            &["CORS-E103", "shop.yaml"],
        ),
        ("nothing", |_| {}, &["the folder holds no policy"]),
        (
            "a file that cannot be read",
            |folder| symlink("/nonexistent/shop.yaml", folder.path().join("shop.yaml")).unwrap(),
            &["CORS-E501", "shop.yaml"],
        ),
        ("no YAML", |folder| write(folder, "shop.yaml", "spec: ["), &["CORS-E502", "shop.yaml"]),
        (
            "objects of other kinds",
            |folder| {
                write(
                    folder,
                    "shop.yaml",
                    "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n",
                )
            },
            &["the folder holds no policy", "others=1"],
        ),
    ];
    for (why, prepare, said) in rows {
        println!("{why}");
        let policies = folder();
        prepare(&policies);
        let mut demo = Demo::start(policies.path());
        assert_eq!(demo.allowed("shop.example").as_deref(), Some(OLD), "{why}");
        demo.wait_for_line(&[NOTHING]);
        demo.wait_for_line(said);
        write(&policies, "shop.yaml", &policy("shop", SHOP));
        demo.wait_for_allowed("shop.example", SHOP);
        demo.wait_for_line(&["accepted", "default/shop"]);
        demo.stop();
    }
}
