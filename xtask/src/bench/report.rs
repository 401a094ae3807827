//! `docs/benchmarks.md`: what was measured, how, and on what.

use std::fmt::Write as _;
use std::fs;
use std::thread;

use anyhow::Result;

use super::load::{Cell, Measurement};
use super::memory::{self, Memory};
use super::{Args, Contestant, Kind};
use crate::tools;

/// All figures of a run.
pub(super) struct Report<'r> {
    pub(super) args: &'r Args,
    pub(super) cells: &'r [Cell],
    pub(super) memory: &'r Memory,
    pub(super) native: &'r str,
}

// === impl Report ===

impl Report<'_> {
    pub(super) fn render(&self) -> Result<String> {
        let Args { rounds, seconds, .. } = self.args;
        let mut text = format!(
            "# Benchmarks\n\n\
             Written by `cargo xtask bench --rounds {rounds} --seconds {seconds}` on {}, Envoy {} with one worker.\n\
             Take the ratios; the figures belong to the machine.\n\n",
            machine()?,
            tools::ENVOY_VERSION,
        );
        self.write_cpu(&mut text)?;
        self.write_latency(&mut text)?;
        self.write_memory(&mut text)?;
        writeln!(text, "## The core by itself\n\n{}", self.native.trim_end())?;
        Ok(text)
    }

    fn write_cpu(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "## CPU for each request\n\n\
             Microseconds of CPU (user and system, all threads) that the Envoy process used for a request: the median of\n\
             {} rounds in which the five took turns. *Floor* is a Wasm filter that makes the host calls that corsward\n\
             makes for that kind of request, and does nothing else. Preflights are answered by the CORS filters and\n\
             forwarded where there is none; the native filter neither judges nor counts, and sends no `Vary`.\n",
            self.args.rounds
        )?;
        self.write_table(text, |contestant, kind| {
            format!("{:.1}", self.median(contestant, kind, |m| m.cpu))
        })?;
        writeln!(
            text,
            "\nAdded to an Envoy without a filter (for preflights: to the native filter, the least that answers them), and\n\
             that as a multiple of what the floor adds:\n"
        )?;
        self.write_table(text, |contestant, kind| self.added(contestant, kind))
    }

    /// The addition of a contestant, for kinds in which nothing else changes: a preflight that is not forwarded is
    /// not comparable.
    fn added(&self, contestant: Contestant, kind: Kind) -> String {
        let cpu = |contestant| self.median(contestant, kind, |m| m.cpu);
        let base = if kind == Kind::Preflight { Contestant::Native } else { Contestant::Nothing };
        let added = cpu(contestant) - cpu(base);
        let floor = cpu(Contestant::Floor) - cpu(base);
        match contestant {
            _ if contestant == base => "(base)".to_owned(),
            Contestant::Nothing | Contestant::Empty if kind == Kind::Preflight => {
                "forwarded".to_owned()
            }
            Contestant::Corsward => format!("{added:+.1} ({:.2} x floor)", added / floor),
            _ => format!("{added:+.1}"),
        }
    }

    fn write_latency(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "\n## Latency\n\n\
             Microseconds under full load from 16 connections, median / 99th percentile: load generator, Envoy and\n\
             upstream share the machine, so this is time in queues more than in filters.\n"
        )?;
        self.write_table(text, |contestant, kind| {
            let median = self.median(contestant, kind, |m| m.median);
            let slow = self.median(contestant, kind, |m| m.slow);
            format!("{median:.0} / {slow:.0}")
        })
    }

    fn write_memory(&self, text: &mut String) -> Result<()> {
        let Memory { inert, first, last } = self.memory;
        writeln!(
            text,
            "\n## Memory\n\n\
             Resident memory of an Envoy: {inert:.1} MiB with an inert filter, {first:.1} MiB with the first\n\
             configuration of {} policies, {last:.1} MiB after {} changes of all of them.\n",
            memory::POLICIES,
            memory::UPDATES
        )?;
        Ok(())
    }

    fn write_table(
        &self,
        text: &mut String,
        cell: impl Fn(Contestant, Kind) -> String,
    ) -> Result<()> {
        let kinds = Kind::ALL.map(Kind::name).join(" | ");
        writeln!(text, "| | {kinds} |\n|---|---|---|---|---|")?;
        for contestant in Contestant::ALL {
            let cells = Kind::ALL.map(|kind| cell(contestant, kind)).join(" | ");
            writeln!(text, "| {} | {cells} |", contestant.name())?;
        }
        Ok(())
    }

    fn median(
        &self,
        contestant: Contestant,
        kind: Kind,
        figure: impl Fn(&Measurement) -> f64,
    ) -> f64 {
        let cells = self.cells.iter();
        let mine = cells.filter(|cell| cell.contestant == contestant && cell.kind == kind);
        let mut figures: Vec<f64> = mine.map(|cell| figure(&cell.measurement)).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Processor and its number of cores: nothing that names the machine.
pub(super) fn machine() -> Result<String> {
    let cores = thread::available_parallelism()?;
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.map_or("an unnamed processor", |model| model.trim_start_matches([' ', '\t', ':']));
    Ok(format!("{model}, {cores} cores"))
}
