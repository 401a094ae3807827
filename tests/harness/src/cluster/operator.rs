//! Operator: the real binary, as a pod of the chart would run it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use anyhow::{Context, Error, Result, anyhow, ensure};
use serde_json::Value;
use xtask::build;
use xtask::http::Client;
use xtask::process::Process;

use super::{LocalCluster, OPERATOR_NAMESPACE};
use crate::command::run;
use crate::eventually::{PATIENCE, eventually};

/// An operator that has yet to start.
#[derive(Clone, Debug)]
pub struct OperatorPlan {
    pod: String,
    /// A copy of its log.
    log: PathBuf,
    kubeconfig: PathBuf,
    args: Vec<String>,
}

/// A running operator.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    admin: Client,
    lines: Receiver<Value>,
    seen: Vec<Value>,
}

// === impl OperatorPlan ===

impl OperatorPlan {
    /// With the arguments that the chart gives it, as far as they fit a process that is no pod.
    pub(super) fn new(cluster: &LocalCluster, pod: &str) -> Self {
        let deployment = cluster.at(OPERATOR_NAMESPACE).get("deployments", "corsward");
        let deployment = deployment.unwrap_or_default();
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        let args = args.as_array().into_iter().flatten().filter_map(Value::as_str);
        let args = args.map(str::to_owned).collect();
        let log = cluster.server.directory().join(format!("operator-{pod}.log"));
        let plan = Self { pod: pod.into(), log, kubeconfig: cluster.kubeconfig().into(), args };
        plan.also("--admin=127.0.0.1:0").also("--grace=1").also("--drain=0")
    }

    /// Changes the value of an argument.
    ///
    /// # Panics
    ///
    /// Panics if the chart gives no such argument.
    pub fn arg(mut self, name: &str, value: &str) -> Self {
        let prefix = format!("{name}=");
        let arg = self.args.iter_mut().find(|arg| arg.starts_with(&prefix));
        *arg.unwrap_or_else(|| panic!("the chart gives no {name}")) = prefix + value;
        self
    }

    /// Changes its identity at the API server.
    pub fn kubeconfig(mut self, kubeconfig: PathBuf) -> Self {
        self.kubeconfig = kubeconfig;
        self
    }

    /// With an argument that the chart may not give: `--name` or `--name=value`.
    pub fn also(mut self, arg: &str) -> Self {
        let name = |arg: &str| arg.split('=').next().map(str::to_owned);
        self.args.retain(|given| name(given) != name(arg));
        self.args.push(arg.to_owned());
        self
    }

    /// Starts it, and waits until it is ready.
    pub fn start(self) -> Result<Operator> {
        self.start_unready()?.ready()
    }

    /// Starts it, and waits until it answers.
    pub fn start_unready(self) -> Result<Operator> {
        let Self { pod, log, kubeconfig, args } = self;
        let mut command = Command::new(binary()?);
        command.args(args);
        command.env("KUBECONFIG", kubeconfig);
        command.env("POD_NAME", &pod).env("POD_NAMESPACE", OPERATOR_NAMESPACE);
        let log = File::options().create(true).append(true).open(log)?;
        Operator::spawn(&format!("operator {pod}"), command, Some(log))
    }
}

// === impl Operator ===

impl Operator {
    /// Runs a command that is an operator with a JSON log, and waits until it answers.
    pub fn spawn(name: &str, mut command: Command, mut log: Option<File>) -> Result<Self> {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process::spawn(name, command)?;
        let stderr = BufReader::new(process.stderr().context("its log is a pipe")?);
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some(log) = &mut log {
                    let _ = writeln!(log, "{line}");
                }
                let _ = sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let unknown = Client::new(([127, 0, 0, 1], 0).into());
        let mut operator = Self { process, admin: unknown, lines, seen: Vec::new() };
        let address = eventually("its address", || {
            let said = operator.said("admin address").pop();
            let ended = operator.process.exited()?;
            let address = said.and_then(|line| line["addr"].as_str()?.parse::<SocketAddr>().ok());
            // An operator that has ended says nothing more.
            Ok(address.map(Ok).or(ended.map(Err)))
        });
        match address {
            Ok(Ok(address)) => operator.admin = Client::new(address),
            failed => return Err(operator.failure(&format!("it does not answer: {failed:?}"))),
        }
        Ok(operator)
    }

    /// Waits until it is ready.
    pub fn ready(mut self) -> Result<Self> {
        match eventually("its readiness", || self.admin.get("/readyz").map(Some)) {
            Ok(_) => Ok(self),
            Err(error) => Err(self.failure(&format!("it does not get ready: {error:#}"))),
        }
    }

    fn failure(&mut self, what: &str) -> Error {
        let log = self.log();
        anyhow!("{}: {what}; its log:\n{log}", self.process.name())
    }

    /// The value of one series in `/metrics`, given with its labels.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics")?;
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        line.trim().parse().ok()
    }

    /// The body of an admin path, if its status is 200.
    pub fn get(&self, path: &str) -> Option<String> {
        self.admin.get(path).ok()
    }

    /// The status of an admin path.
    pub fn status(&self, path: &str) -> Result<u16> {
        self.admin.status(path)
    }

    /// The log lines so far.
    pub fn lines(&mut self) -> Vec<Value> {
        self.seen.extend(self.lines.try_iter());
        self.seen.clone()
    }

    /// The log lines so far that say `message`.
    pub fn said(&mut self, message: &str) -> Vec<Value> {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().filter(|line| line["message"] == message).cloned().collect()
    }

    /// Waits for a log line.
    pub fn wait_for_line(&mut self, message: &str) -> Result<Value> {
        eventually(&format!("the line {message:?}"), || self.said(message).pop())
    }

    /// Everything it logged.
    pub fn log(&mut self) -> String {
        self.lines().iter().map(|line| format!("{line}\n")).collect()
    }

    /// Ends it as a power cut would.
    pub fn kill(self) {
        drop(self);
    }

    /// Sends it a signal (`-TERM`), and waits until it ends.
    pub fn end(&mut self, signal: &str) -> Result<ExitStatus> {
        let pid = self.process.pid().to_string();
        run(Command::new("kill").args([signal, &pid]), "")?.ok()?;
        self.process.wait(PATIENCE)
    }

    /// All lines of one that has ended: they end with its output.
    pub fn into_lines(mut self) -> Vec<Value> {
        self.seen.extend(self.lines.iter());
        self.seen
    }

    /// Asks it to stop.
    pub fn ask_to_stop(&self) -> Result<()> {
        self.process.ask_to_stop()
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        let ended = self.process.stop(PATIENCE);
        let succeeded = ended.as_ref().is_ok_and(|status| status.success());
        ensure!(succeeded, "{ended:?}: {}", self.log());
        Ok(())
    }
}

/// The binary of this tree, built once.
fn binary() -> Result<PathBuf> {
    static BINARY: OnceLock<Mutex<Option<PathBuf>>> = OnceLock::new();
    let built = BINARY.get_or_init(Mutex::default);
    let mut built = built.lock().unwrap_or_else(PoisonError::into_inner);
    if built.is_none() {
        *built = Some(build::operator()?);
    }
    built.clone().context("the operator was just built")
}
