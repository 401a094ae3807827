//! The control plane: the real operator before a real API server that holds many policies.

mod turns;

use std::fmt::Write as _;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Args, memory, report, sections};
use crate::http::Client;
use crate::kubernetes::{ApiServer, Asked};
use crate::process::Process;
use crate::{build, command, paths, ports, tools, wait};

/// Timeout of every step.
const TIMEOUT: Duration = Duration::from_secs(600);
/// Number of policies that are changed, one after the other.
const CHANGES: usize = 20;
/// Number of parallel writers of policies.
const MAKERS: usize = 4;
/// The operator's namespace, and its account's name.
const OWN: &str = "corsward-system";
/// The account, as the audit log writes it.
const USER: &str = "system:serviceaccount:corsward-system:corsward-system";
/// The histogram of what the loop does for an event.
const WORK: &str = "corsward_plan_seconds";

/// The measurements.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    /// Seconds of work from an empty index to everything compiled, and of it all from start to readiness.
    full: f64,
    ready: f64,
    /// Seconds of work for one change: the mean, and the upper bound of the longest piece.
    change: f64,
    longest: f64,
    /// Seconds from a change to its status.
    seen: f64,
    /// The most memory that was resident, in MiB, after the first start and after the restart.
    memory: f64,
    memory_again: f64,
    /// Writes after the restart, beside those of the Lease.
    writes: usize,
}

/// A cluster with many policies.
struct Cluster {
    server: ApiServer,
    kubeconfig: PathBuf,
    policies: usize,
    namespaces: usize,
}

/// A running operator.
struct Operator {
    process: Process,
    admin: Client,
    began: Instant,
}

/// Measures, prints, and writes its section of `docs/benchmarks.md`.
pub(super) fn run(args: &Args) -> Result<()> {
    eprintln!("build the operator (static, as it is shipped)");
    let program = build::shipped(build::OPERATOR)?;
    let (heading, section) = match &args.against {
        Some(earlier) => {
            (sections::CONTROL_PLANE_AGAINST, turns::measure(args, earlier, &program)?)
        }
        None => {
            let cluster = Cluster::start(args, &paths::root().join("crds"))?;
            (sections::CONTROL_PLANE, section(args, &cluster.measure(&program)?)?)
        }
    };
    println!("{section}");
    if args.no_write { Ok(()) } else { sections::replace(Some(heading), &section) }
}

fn section(args: &Args, figures: &Figures) -> Result<String> {
    let Figures { full, ready, change, longest, seen, memory, memory_again, writes } = figures;
    let (policies, namespaces) = (args.policies, args.namespaces);
    let mut text = format!(
        "{}\n\n\
         Written by `cargo xtask bench --control-plane --policies {policies} --namespaces {namespaces}` on {}: the operator\n\
         (static, as it is shipped) before a real kube-apiserver and etcd on the same machine, {policies} policies in {namespaces} namespaces, each with a\n\
         selector of its own, published as `WasmPlugin`s.\n\n\
         | | measured | target |\n|---|---|---|\n",
        sections::CONTROL_PLANE,
        report::machine()?
    );
    for (what, measured, target) in [
        (
            "everything compiled, from nothing: work of the loop",
            format!("{full:.2} s"),
            "below 1 s",
        ),
        ("… from the start of the process to `/readyz`", format!("{ready:.1} s"), ""),
        ("one policy changed: work of the loop", format!("{:.1} ms", change * 1e3), "below 20 ms"),
        ("… the longest piece of it", format!("below {:.0} ms", longest * 1e3), ""),
        ("… from the change to its status", format!("{:.0} ms", seen * 1e3), ""),
        ("resident memory at most", format!("{memory:.0} MiB"), "below 256 MiB"),
        ("… after a restart", format!("{memory_again:.0} MiB"), "below 256 MiB"),
        ("writes after a restart without a change", writes.to_string(), "0"),
    ] {
        writeln!(text, "| {what} | {measured} | {target} |")?;
    }
    Ok(text)
}

// === impl Cluster ===

impl Cluster {
    /// Starts an API server with these definitions and with the policies.
    fn start(args: &Args, crds: &Path) -> Result<Self> {
        let Args { policies, namespaces, .. } = *args;
        eprintln!("start an API server, and make {policies} policies");
        let server = ApiServer::start()?;
        server.apply(crds)?;
        server.apply(&tools::istio_crds()?)?;
        let kubeconfig = {
            server.api().create("/api/v1/namespaces", &named(OWN))?;
            server.service_account(OWN, OWN)?
        };
        let mut bind = server.kubectl();
        bind.args(["create", "clusterrolebinding", OWN, "--clusterrole=cluster-admin"]);
        command::read(bind.arg(format!("--serviceaccount={OWN}:{OWN}")))?;
        for namespace in 0..namespaces {
            server.api().create("/api/v1/namespaces", &named(&format!("n{namespace}")))?;
        }
        let made = Self { server, kubeconfig, policies, namespaces };
        let cluster = &made;
        std::thread::scope(|scope| {
            let makers: Vec<_> =
                (0..MAKERS).map(|maker| scope.spawn(move || cluster.make(maker))).collect();
            makers.into_iter().try_for_each(|maker| {
                maker.join().map_err(|_| anyhow::anyhow!("a maker of policies panics"))?
            })
        })?;
        Ok(made)
    }

    /// Makes one maker's share of the policies.
    fn make(&self, maker: usize) -> Result<()> {
        for nth in (maker..self.policies).step_by(MAKERS) {
            let policies = self.policies_of(nth);
            self.server.api().create(&policies, &policy(nth))?;
        }
        Ok(())
    }

    fn measure(&self, program: &Path) -> Result<Figures> {
        let mut figures = Figures::default();
        eprintln!("first start");
        let mut operator = Operator::start(self, program, "first")?;
        figures.ready = operator.wait_until_ready()?;
        figures.full = operator.work()?;
        operator.wait_for("every policy to be in force", |metrics| {
            metric(metrics, "corsward_policies{state=\"programmed\"}") >= Some(self.policies as f64)
        })?;
        operator.wait_for("every status to be written", |metrics| {
            metric(metrics, "corsward_status_writes_total{result=\"written\"}")
                >= Some(self.policies as f64)
        })?;
        // The last answer has come when a change is answered.
        self.change(0, 1)?;
        let (before, buckets) = (operator.work()?, operator.buckets()?);
        let mut seen = Duration::ZERO;
        for nth in 1..=CHANGES {
            seen += self.change(nth, 1)?;
        }
        let count = CHANGES as f64;
        figures.change = (operator.work()? - before) / count;
        figures.longest = longest(&buckets, &operator.buckets()?);
        figures.seen = seen.as_secs_f64() / count;
        figures.memory = memory::most_resident(operator.process.pid())?;
        operator.process.stop(TIMEOUT)?;

        eprintln!("restart");
        let asked = self.writes()?.len();
        let mut operator = Operator::start(self, program, "second")?;
        operator.wait_until_ready()?;
        // Once a change is answered, everything that was to be written before it has been.
        self.change(0, 2)?;
        let later = self.writes()?.split_off(asked);
        // What a change of `p0` needs: its plugin, its status, an event.
        let foreign = |write: &&Asked| {
            let of_status = write.resource.ends_with("/status");
            let is_near = write.namespace.as_deref() == Some("n0");
            !is_near || of_status && write.name.as_deref() != Some("p0")
        };
        for write in later.iter().filter(foreign).take(5) {
            eprintln!("written after the restart: {write:?}");
        }
        figures.writes = later.iter().filter(foreign).count();
        figures.memory_again = memory::most_resident(operator.process.pid())?;
        operator.process.stop(TIMEOUT)?;
        Ok(figures)
    }

    /// Changes a policy, and waits until its status says that the change is in force.
    fn change(&self, nth: usize, version: usize) -> Result<Duration> {
        let path = format!("{}/p{nth}", self.policies_of(nth));
        let began = Instant::now();
        let patch = json!({"spec": {"cors": {"maxAge": 600 + version}}});
        let generation = self.server.api().merge(&path, &patch)?["metadata"]["generation"].clone();
        wait::until("a change to be in force", TIMEOUT, || {
            let object = self.server.api().get(&path)?.context("the policy is there")?;
            let in_force = &object["status"]["inForce"]["generation"];
            Ok((*in_force == generation && is_programmed(&object)).then(|| began.elapsed()))
        })
    }

    /// The operator's writes so far, without those of the Lease.
    fn writes(&self) -> Result<Vec<Asked>> {
        let mut asked = self.server.asked_by(USER)?;
        let reads = ["get", "list", "watch"];
        asked.retain(|asked| !reads.contains(&asked.verb.as_str()) && asked.resource != "leases");
        Ok(asked)
    }

    fn policies_of(&self, nth: usize) -> String {
        let namespace = nth % self.namespaces;
        format!("/apis/corsward.io/v1alpha1/namespaces/n{namespace}/corspolicies")
    }
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

fn policy(nth: usize) -> Value {
    json!({
        "apiVersion": "corsward.io/v1alpha1",
        "kind": "CorsPolicy",
        "metadata": {"name": format!("p{nth}")},
        "spec": {
            "selector": {"matchLabels": {"app": format!("a{nth}")}},
            "cors": {
                "allowOrigins": [format!("https://p{nth}.example"), "https://*.shop.example"],
                "allowMethods": ["GET", "PUT", "DELETE"],
                "allowHeaders": ["authorization", "content-type"],
                "allowCredentials": true,
                "maxAge": 600,
            },
        },
    })
}

fn is_programmed(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Programmed" && condition["status"] == "True")
}

// === impl Operator ===

impl Operator {
    fn start(cluster: &Cluster, program: &Path, start: &str) -> Result<Self> {
        Self::start_as(cluster, program, start, &cluster.kubeconfig)
    }

    /// Starts it with the rights of the account in `kubeconfig`.
    fn start_as(cluster: &Cluster, program: &Path, start: &str, kubeconfig: &Path) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let digest = "0".repeat(64);
        let mut operator = Command::new(program);
        operator.args(["run", "--source=kube", "--publish=istio", "--name=operator-0"]);
        operator.args(["--istio-kind=WasmPlugin", "--drain=0"]);
        operator.arg(format!("--namespace={OWN}")).arg(format!("--admin={address}"));
        operator.arg(format!("--module=oci://registry.example/corsward@sha256:{digest}"));
        operator.arg("--kubeconfig").arg(kubeconfig);
        let log = cluster.server.directory().join(format!("operator-{start}.log"));
        operator.stderr(File::create(&log)?);
        let began = Instant::now();
        let process = Process::spawn("corsward-operator", operator)?;
        Ok(Self { process, admin: Client::new(address), began })
    }

    /// Seconds from its start to readiness.
    fn wait_until_ready(&mut self) -> Result<f64> {
        wait::until("the operator to be ready", TIMEOUT, || {
            ensure!(self.process.exited()?.is_none(), "the operator ends by itself");
            Ok(self.admin.get("/readyz").ok().map(|_| self.began.elapsed().as_secs_f64()))
        })
    }

    fn wait_for(&self, what: &str, reached: impl Fn(&str) -> bool) -> Result<()> {
        wait::until(what, TIMEOUT, || Ok(reached(&self.admin.get("/metrics")?).then_some(())))
    }

    /// Seconds of work so far.
    fn work(&self) -> Result<f64> {
        metric(&self.admin.get("/metrics")?, &format!("{WORK}_sum")).context("work is measured")
    }

    /// Number of operations within each bound.
    fn buckets(&self) -> Result<Vec<(f64, f64)>> {
        let metrics = self.admin.get("/metrics")?;
        let prefix = format!("{WORK}_bucket{{le=\"");
        let bucket = |line: &str| {
            let (bound, count) = line.strip_prefix(&prefix)?.split_once("\"} ")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, count.parse().ok()?))
        };
        Ok(metrics.lines().filter_map(bucket).collect())
    }
}

fn metric(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// The bound below which every piece of work was that came in between.
fn longest(before: &[(f64, f64)], after: &[(f64, f64)]) -> f64 {
    let total = |buckets: &[(f64, f64)]| buckets.last().map_or(0.0, |(_, count)| *count);
    let new = total(after) - total(before);
    let in_between =
        after.iter().zip(before).map(|((bound, after), (_, before))| (*bound, after - before));
    in_between.into_iter().find(|(_, count)| *count >= new).map_or(f64::NAN, |(bound, _)| bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let metrics = "# TYPE a gauge\na_sum 1.5\na_sum_of 2\na{state=\"x\"} 3\n";
        assert_eq!(metric(metrics, "a_sum"), Some(1.5));
        assert_eq!(metric(metrics, "a{state=\"x\"}"), Some(3.0));
        assert_eq!(metric(metrics, "b"), None);
    }

    #[test]
    fn the_longest_piece_is_below_the_first_bound_that_has_all_of_them() {
        let before = [(0.001, 5.0), (0.01, 7.0), (f64::INFINITY, 9.0)];
        let after = [(0.001, 15.0), (0.01, 18.0), (f64::INFINITY, 20.0)];
        assert!((longest(&before, &after) - 0.01).abs() < f64::EPSILON);
    }
}
