//! Turns: an earlier build of the operator and this one, start by start, each before an API server with the same policies.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use super::{CHANGES, Cluster, Operator, TIMEOUT, metric};
use crate::bench::pairs::{self, Pairs};
use crate::bench::{Args, load, memory, report, sections};
use crate::paths;

/// The account that may read everything and write nothing.
const READER: &str = "reader";

/// A build, and the API server before which it runs.
struct Side<'s> {
    program: &'s Path,
    cluster: Cluster,
    reader: PathBuf,
    /// Number of changes made to each policy.
    version: usize,
}

/// The figures of one round.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    /// Of a replica that does not write, from its start to readiness: seconds of CPU, seconds of the loop's work, MiB.
    cold: [f64; 3],
    /// Of a leader that finds everything as it was left, from its start to readiness: seconds of CPU, seconds of the loop's work.
    warm: [f64; 2],
    /// For a change of one policy: seconds of CPU, seconds of the loop's work.
    change: [f64; 2],
    /// The most memory that the leader had resident, in MiB.
    memory: f64,
}

/// The rows: what is measured, where it is in a round, and how it is written.
type Row = (&'static str, fn(&Round) -> f64, fn(f64) -> String);

const ROWS: [Row; 8] = [
    ("replica that does not write, from its start to `/readyz`: CPU", |it| it.cold[0], seconds),
    ("… work of the loop", |it| it.cold[1], seconds),
    ("… resident memory at most", |it| it.cold[2], mebibytes),
    ("leader after a restart, from its start to `/readyz`: CPU", |it| it.warm[0], seconds),
    ("… work of the loop", |it| it.warm[1], seconds),
    ("one policy changed, until its status says so: CPU", |it| it.change[0], milliseconds),
    ("… work of the loop", |it| it.change[1], milliseconds),
    ("leader: resident memory at most", |it| it.memory, mebibytes),
];

/// Measures both builds, and returns the section about them.
pub(super) fn measure(args: &Args, earlier: &Path, now: &Path) -> Result<String> {
    let crds = paths::root().join("crds");
    // An API server adds the defaults of its definitions, which an earlier build may not know.
    let crds_of_earlier = args.against_crds.as_ref().unwrap_or(&crds);
    let mut sides = [Side::start(args, earlier, crds_of_earlier)?, Side::start(args, now, &crds)?];
    let mut rounds = Vec::new();
    for round in 1..=args.rounds {
        let mut pair = [Round::default(); 2];
        for (side, figures) in sides.iter().zip(&mut pair) {
            eprintln!("round {round} of {}: {} reads", args.rounds, side.program.display());
            figures.cold = side.cold()?;
        }
        rounds.push(pair);
    }
    for side in &mut sides {
        eprintln!("{} writes everything", side.program.display());
        side.write_everything()?;
    }
    for (nth, pair) in rounds.iter_mut().enumerate() {
        for (side, figures) in sides.iter_mut().zip(pair) {
            eprintln!("round {} of {}: {} leads", nth + 1, args.rounds, side.program.display());
            side.warm(figures)?;
        }
    }
    section(args, &rounds)
}

fn section(args: &Args, rounds: &[[Round; 2]]) -> Result<String> {
    let Args { policies, namespaces, rounds: count, called, .. } = args;
    let mut text = format!(
        "{}\n\n\
         Written by `cargo xtask bench --control-plane --against OPERATOR --against-crds CRDS --called {called} --policies {policies} --namespaces {namespaces} --rounds {count}`\n\
         on {}. OPERATOR and CRDS are the operator and the definitions as they were shipped at {called}. In each of {count} rounds the two builds took turns,\n\
         {CHANGES} policies changed one after the other. CPU is the process's user and system time: the machine does other things\n\
         meanwhile, which stretches wall time, the loop's work among it. {}",
        sections::CONTROL_PLANE_AGAINST,
        report::machine()?,
        pairs::legend(called),
    );
    for (what, figure, shown) in ROWS {
        let mut pairs = Pairs::default();
        for [earlier, now] in rounds {
            pairs.push(figure(earlier), figure(now));
        }
        writeln!(text, "| {what} | {} |", pairs.cells(shown))?;
    }
    Ok(text)
}

fn seconds(figure: f64) -> String {
    format!("{figure:.2} s")
}

fn milliseconds(figure: f64) -> String {
    format!("{:.1} ms", figure * 1e3)
}

fn mebibytes(figure: f64) -> String {
    format!("{figure:.0} MiB")
}

// === impl Side ===

impl<'s> Side<'s> {
    fn start(args: &Args, program: &'s Path, crds: &Path) -> Result<Self> {
        let cluster = Cluster::start(args, crds)?;
        let api = cluster.server.api();
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let rule =
            json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]});
        let role = json!({"metadata": {"name": READER}, "rules": [rule]});
        api.create(&format!("{rbac}/clusterroles"), &role)?;
        let binding = json!({
            "metadata": {"name": READER},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": READER},
            "subjects": [{"kind": "ServiceAccount", "namespace": super::OWN, "name": READER}],
        });
        api.create(&format!("{rbac}/clusterrolebindings"), &binding)?;
        let reader = cluster.server.service_account(super::OWN, READER)?;
        Ok(Self { program, cluster, reader, version: 0 })
    }

    /// Starts a replica that may not write.
    fn cold(&self) -> Result<[f64; 3]> {
        let mut operator = Operator::start_as(&self.cluster, self.program, "cold", &self.reader)?;
        operator.wait_until_ready()?;
        let pid = operator.process.pid();
        let cpu = load::cpu_time(pid)?.as_secs_f64();
        let figures = [cpu, operator.work()?, memory::most_resident(pid)?];
        // A build that refuses the policies has less to do.
        let policies = self.cluster.policies as f64;
        operator.wait_for("every policy to be accepted", |metrics| {
            metric(metrics, "corsward_policies{state=\"accepted\"}") >= Some(policies)
        })?;
        operator.process.stop(TIMEOUT)?;
        Ok(figures)
    }

    /// Has a first leader write every object and every status.
    fn write_everything(&mut self) -> Result<()> {
        let mut operator = Operator::start(&self.cluster, self.program, "first")?;
        operator.wait_until_ready()?;
        let policies = self.cluster.policies as f64;
        operator.wait_for("every status to be written", |metrics| {
            let is_all = |name| metric(metrics, name) >= Some(policies);
            is_all("corsward_policies{state=\"programmed\"}")
                && is_all("corsward_status_writes_total{result=\"written\"}")
        })?;
        self.version += 1;
        self.cluster.change(0, self.version)?;
        operator.process.stop(TIMEOUT).map(drop)
    }

    /// Starts a leader that finds everything written, and changes policies.
    fn warm(&mut self, figures: &mut Round) -> Result<()> {
        let mut operator = Operator::start(&self.cluster, self.program, "again")?;
        operator.wait_until_ready()?;
        let pid = operator.process.pid();
        let cpu = || Ok::<f64, anyhow::Error>(load::cpu_time(pid)?.as_secs_f64());
        figures.warm = [cpu()?, operator.work()?];
        self.version += 1;
        // Once a change is answered, everything that was to be done before it has been.
        self.cluster.change(0, self.version)?;
        let before = [cpu()?, operator.work()?];
        for nth in 1..=CHANGES {
            self.cluster.change(nth, self.version)?;
        }
        let count = CHANGES as f64;
        figures.change = [(cpu()? - before[0]) / count, (operator.work()? - before[1]) / count];
        figures.memory = memory::most_resident(pid).context("the operator runs")?;
        operator.process.stop(TIMEOUT).map(drop)
    }
}
