//! Load from `wrk`, and what it cost the process that met it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Kind;
use crate::command;

/// Connections that `wrk` keeps busy; one Envoy worker is saturated by far fewer.
const CONNECTIONS: &str = "16";

/// Script that prints the figures in a form that can be read back.
const DONE: &str = r#"
done = function(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write
  io.write(string.format("figures %d %d %d %d %d %d\n", summary.requests, errors.status, broken,
    errors.timeout, latency:percentile(50), latency:percentile(99)))
end
"#;

/// A load generator.
pub(super) struct Load {
    wrk: PathBuf,
    scratch: PathBuf,
    duration: Duration,
    /// `perf`, where it can count instructions on this machine.
    perf: Option<PathBuf>,
}

/// The figures of one run of load.
#[derive(Clone, Copy)]
pub(super) struct Measurement {
    /// Microseconds of CPU that the process used for each request.
    pub(super) cpu: f64,
    /// Instructions for each request; not a number where they are not counted.
    pub(super) instructions: f64,
    /// Microseconds until half of the requests were answered.
    pub(super) median: f64,
    /// Microseconds until 99 of 100 were.
    pub(super) slow: f64,
}

// === impl Load ===

impl Load {
    pub(super) fn new(wrk: PathBuf, scratch: &Path, duration: Duration) -> Self {
        let perf = command::find("perf").filter(|perf| counts(perf, scratch).unwrap_or_default());
        Self { wrk, scratch: scratch.into(), duration, perf }
    }

    /// Returns whether instructions are counted.
    pub(super) fn counts_instructions(&self) -> bool {
        self.perf.is_some()
    }

    /// Loads `address` and watches `pid`.
    pub(super) fn run(&self, pid: u32, address: SocketAddr, kind: Kind) -> Result<Measurement> {
        let (script, counted) = (self.scratch.join("load.lua"), self.scratch.join("counted"));
        fs::write(&script, lua(kind))?;
        let mut wrk = match &self.perf {
            None => Command::new(&self.wrk),
            Some(perf) => {
                let mut perf = counting(perf, &counted);
                perf.args(["--pid", &pid.to_string(), "--"]).arg(&self.wrk);
                perf
            }
        };
        // A machine that is busy with something else may stop everybody for seconds.
        wrk.args(["--threads", "1", "--connections", CONNECTIONS, "--timeout", "20s"]);
        wrk.arg(format!("--duration={}s", self.duration.as_secs()));
        wrk.arg("--script").arg(&script).arg(format!("http://{address}/"));
        let before = on_cpu(pid)?;
        let printed = command::read(&mut wrk)?;
        let used = on_cpu(pid)?.saturating_sub(before);
        let printed = String::from_utf8_lossy(&printed);
        let line = printed.lines().find_map(|line| line.strip_prefix("figures "));
        let figures = line.with_context(|| format!("wrk said:\n{printed}"))?;
        let figures = figures.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let [requests, errors @ .., median, slow] = &figures[..] else {
            anyhow::bail!("wrk said:\n{printed}");
        };
        let (requests, median, slow) = (*requests, *median, *slow);
        ensure!(
            requests > 0.0 && errors.iter().all(|count| *count == 0.0),
            "of {requests} requests, these failed by status, connection, time: {errors:?}"
        );
        let instructions = match &self.perf {
            None => f64::NAN,
            Some(_) => instructions(&fs::read_to_string(&counted)?).context("perf counts")?,
        };
        Ok(Measurement {
            cpu: used.as_secs_f64() * 1e6 / requests,
            instructions: instructions / requests,
            median,
            slow,
        })
    }
}

/// Returns whether `perf` counts instructions on this machine: many virtual ones do not let it.
fn counts(perf: &Path, scratch: &Path) -> Result<bool> {
    let counted = scratch.join("counted");
    command::read(counting(perf, &counted).args(["--", "true"]))?;
    Ok(instructions(&fs::read_to_string(&counted)?).is_some())
}

/// A `perf stat` that writes what it counts into a file.
fn counting(perf: &Path, counted: &Path) -> Command {
    let mut command = Command::new(perf);
    command.args(["stat", "--field-separator=,", "--event=instructions", "--output"]).arg(counted);
    command
}

/// The number that `perf` wrote.
fn instructions(counted: &str) -> Option<f64> {
    let line = counted.lines().find(|line| line.contains(",instructions"))?;
    line.split(',').next()?.parse().ok()
}

fn lua(kind: Kind) -> String {
    let headers = kind.headers().iter();
    let headers = headers.map(|(name, value)| format!("wrk.headers[\"{name}\"] = \"{value}\"\n"));
    format!("wrk.method = \"{}\"\n{}{DONE}", kind.method(), headers.collect::<String>())
}

/// The time that the threads of a process were on a CPU, as the scheduler counts it: in nanoseconds, where [`cpu_time`] has ticks
/// of ten milliseconds. An Envoy ends no thread while it serves.
fn on_cpu(pid: u32) -> Result<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
        sum += schedstat.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(sum))
}

/// User and system time of a process, all its threads together (`man 5 proc_pid_stat`, fields 14 and 15).
pub(super) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks(&stat).with_context(|| format!("/proc/{pid}/stat says {stat}"))?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_micros(ticks * 1_000_000 / per_second))
}

/// The second field, the program's name, is in parentheses and may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_past_any_program_name() {
        let stat = "12 (a ) b) S 1 12 12 0 -1 4194560 1 0 0 0 70 30 0 0 20 0 1 0 5 1 1";
        assert_eq!(ticks(stat), Some(100));
        assert_eq!(ticks("12 (a) S 1"), None);
        assert!(cpu_time(std::process::id()).is_ok());
        assert!(on_cpu(std::process::id()).is_ok());
    }

    #[test]
    fn what_perf_counts_is_read() {
        let counted = "# started\n\n123456,,instructions,1000,100.00,,\n";
        assert_eq!(instructions(counted), Some(123_456.0));
        assert_eq!(instructions("<not supported>,,instructions:u,0,100.00,,\n"), None);
        assert_eq!(instructions(""), None);
    }

    #[test]
    fn a_preflight_is_loaded_as_one() {
        let script = lua(Kind::Preflight);
        assert!(script.starts_with("wrk.method = \"OPTIONS\"\nwrk.headers[\"Origin\"] = "));
        assert!(script.contains("wrk.headers[\"Access-Control-Request-Method\"] = \"PUT\""));
    }
}
