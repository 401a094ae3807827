//! The real binary, as a pod of the chart would run it.

use corsward_test_harness::eventually::eventually;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use xtask::build;
use xtask::http::Client;
use xtask::process::Process;

use super::{Cluster, OPERATOR_NAMESPACE};

/// An operator that has yet to start.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pod: String,
    /// A copy of its log.
    log: PathBuf,
    kubeconfig: PathBuf,
    args: Vec<String>,
}

/// A running operator.
pub(crate) struct Operator {
    process: Process,
    admin: Client,
    lines: Receiver<Value>,
    seen: Vec<Value>,
}

// === impl Plan ===

impl Plan {
    /// With the arguments that the chart gives it, as far as they fit a process that is no pod.
    pub(super) fn new(cluster: &Cluster, pod: &str) -> Self {
        let path = format!("/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/deployments/corsward");
        let deployment = cluster.api().get(&path).unwrap().unwrap();
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        let args = args.as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned());
        let log = cluster.server.directory().join(format!("operator-{pod}.log"));
        let kubeconfig = cluster.kubeconfig().into();
        let plan = Self { pod: pod.into(), log, kubeconfig, args: args.collect() };
        plan.arg("--admin", "127.0.0.1:0").arg("--grace", "1").also("--drain=0")
    }

    /// Changes the value of an argument.
    pub(crate) fn arg(mut self, name: &str, value: &str) -> Self {
        let prefix = format!("{name}=");
        let arg = self.args.iter_mut().find(|arg| arg.starts_with(&prefix));
        *arg.unwrap_or_else(|| panic!("the chart gives no {name}")) = prefix + value;
        self
    }

    /// Changes its identity at the API server.
    pub(crate) fn kubeconfig(mut self, kubeconfig: PathBuf) -> Self {
        self.kubeconfig = kubeconfig;
        self
    }

    /// With an argument that the chart may not give: `--name` or `--name=value`.
    pub(crate) fn also(mut self, arg: &str) -> Self {
        let name = |arg: &str| arg.split('=').next().map(str::to_owned);
        self.args.retain(|given| name(given) != name(arg));
        self.args.push(arg.to_owned());
        self
    }

    /// Starts it, and waits until it is ready.
    pub(crate) fn start(self) -> Operator {
        let mut operator = self.start_unready();
        let ready = eventually("readiness", || operator.admin.get("/readyz").ok());
        assert!(ready.is_ok(), "not ready; its log:\n{}", operator.log());
        operator
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start_unready(self) -> Operator {
        let Self { pod, log, kubeconfig, args } = self;
        let mut command = Command::new(binary());
        command.args(args);
        command.env("KUBECONFIG", kubeconfig);
        command.env("POD_NAME", &pod).env("POD_NAMESPACE", OPERATOR_NAMESPACE);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process::spawn(format!("operator {pod}"), command).unwrap();
        let stderr = BufReader::new(process.stderr().unwrap());
        let (sender, lines) = channel();
        let mut log = File::options().create(true).append(true).open(log).unwrap();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = writeln!(log, "{line}");
                let _ = sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let nobody = Client::new(([127, 0, 0, 1], 0).into());
        let mut operator = Operator { process, admin: nobody, lines, seen: Vec::new() };
        let address = eventually("its address", || {
            assert_eq!(operator.process.exited().unwrap(), None, "{}", operator.log());
            operator.said("admin address").pop()?["addr"].as_str()?.parse::<SocketAddr>().ok()
        });
        let address =
            address.unwrap_or_else(|_| panic!("no address; its log:\n{}", operator.log()));
        operator.admin = Client::new(address);
        operator
    }
}

// === impl Operator ===

impl Operator {
    /// The value of one series in `/metrics`, given with its labels.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let text = self.admin.get("/metrics").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|number| number.trim().parse().unwrap())
    }

    /// The body of an admin path, if its status is 200.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        self.admin.get(path).ok()
    }

    /// The log lines so far.
    pub(crate) fn lines(&mut self) -> Vec<Value> {
        self.seen.extend(self.lines.try_iter());
        self.seen.clone()
    }

    /// The log lines so far that say `message`.
    pub(crate) fn said(&mut self, message: &str) -> Vec<Value> {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().filter(|line| line["message"] == message).cloned().collect()
    }

    /// Waits for a log line.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, message: &str) -> Value {
        eventually(&format!("the line {message:?}"), || self.said(message).pop()).unwrap()
    }

    /// Everything it logged.
    pub(crate) fn log(&mut self) -> String {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Asks it to stop.
    #[track_caller]
    pub(crate) fn ask_to_stop(&self) {
        self.process.ask_to_stop().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        let ended = self.process.stop(Duration::from_secs(30));
        assert!(ended.as_ref().is_ok_and(|status| status.success()), "{ended:?}: {}", self.log());
    }
}

/// The binary of this tree, built once.
fn binary() -> PathBuf {
    static BINARY: OnceLock<Mutex<Option<PathBuf>>> = OnceLock::new();
    let mut built = BINARY.get_or_init(Mutex::default).lock().unwrap();
    built.get_or_insert_with(|| build::operator().unwrap()).clone()
}
