//! Runner: runs scenarios, several at a time, prints a line for each, and keeps what is to be seen of those that fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{sync, thread};

use anyhow::{Result, anyhow};

use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;

/// Runs them, and returns whether all ended well.
pub(crate) fn tell(
    cluster: &ScenarioCluster,
    scenarios: &[&Scenario],
    jobs: usize,
) -> Result<bool> {
    let begun = Instant::now();
    let failed = Mutex::new(Vec::new());
    let (alone, together): (Vec<&Scenario>, Vec<_>) =
        scenarios.iter().partition(|scenario| scenario.alone);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(scenario) = together.get(next.fetch_add(1, Ordering::Relaxed)) {
                    tell_one(cluster, scenario, &failed);
                }
            });
        }
    });
    for scenario in alone {
        tell_one(cluster, scenario, &failed);
    }
    let failed = failed.into_inner().unwrap_or_else(sync::PoisonError::into_inner);
    let (all, seconds) = (scenarios.len(), begun.elapsed().as_secs());
    println!("\n{} of {all} scenarios ended well, in {seconds} s", all - failed.len());
    failed.iter().for_each(|name| println!("FAILED: {name}"));
    Ok(failed.is_empty())
}

fn tell_one(cluster: &ScenarioCluster, scenario: &Scenario, failed: &Mutex<Vec<&'static str>>) {
    let cluster = cluster.for_scenario(scenario.name);
    let begun = Instant::now();
    let told = catch_unwind(AssertUnwindSafe(|| (scenario.tell)(&cluster)));
    let told = told.unwrap_or_else(|_| Err(anyhow!("it panicked: see above")));
    let took = seconds(begun.elapsed());
    let mut lines = String::new();
    for figure in cluster.figures() {
        lines += &format!("\n             {figure}");
    }
    match told {
        Ok(()) => {
            println!("ok     {took}  {}{lines}", scenario.name);
            if let Err(error) = cluster.clean() {
                eprintln!("{}: its namespaces stay: {error:#}", scenario.name);
            }
        }
        Err(error) => {
            let kept = cluster.note(scenario.name);
            let kept = kept.map_or_else(
                |why| format!("nothing: {why:#}"),
                |folder| folder.display().to_string(),
            );
            println!(
                "FAILED {took}  {}{lines}\n             {error:#}\n             kept: {kept}",
                scenario.name
            );
            failed.lock().unwrap_or_else(sync::PoisonError::into_inner).push(scenario.name);
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:5.1} s", time.as_secs_f64())
}
