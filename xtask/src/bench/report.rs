//! `docs/benchmarks.md`: what was measured, how, and on what.

use std::fmt::Write as _;
use std::fs;
use std::thread;

use anyhow::Result;

use super::load::Measurement;
use super::memory::{self, Memory};
use super::quartiles::Quartiles;
use super::{Args, COPIES, Cell, Chain, Contestant, Kind};
use crate::tools;

/// All figures of a run.
pub(super) struct Report<'r> {
    pub(super) args: &'r Args,
    pub(super) contestants: &'r [Contestant],
    pub(super) cells: &'r [Cell],
    pub(super) counts_instructions: bool,
    /// Resident memory of the Envoy of each contestant, in MiB.
    pub(super) resident: &'r [(Contestant, f64)],
    /// Resident memory over changes of the configuration.
    pub(super) memory: &'r [(Contestant, Memory)],
    pub(super) native: &'r str,
}

/// One of the figures of a measurement.
type Figure = fn(&Measurement) -> f64;

/// What is put beside each other, and the highest ratio that is aimed at.
const RATIOS: [(Contestant, Contestant, &str); 5] = [
    (Contestant::Corsward, Contestant::Earlier, "0.85 for no origin and allowed"),
    (Contestant::Calls, Contestant::Earlier, "the price of the host calls"),
    (Contestant::Dynamic, Contestant::Corsward, "0.2"),
    (Contestant::Dynamic, Contestant::Native, "1.5 for no origin and allowed"),
    (Contestant::Module, Contestant::Native, "the price of Envoy's interface"),
];

const NOT_RESOLVED: &str = "not resolved";

// === impl Report ===

impl Report<'_> {
    pub(super) fn render(&self) -> Result<String> {
        let Args { rounds, seconds, against, called, .. } = self.args;
        let beside = against.as_ref().map(|_| format!(" --against MODULE --called {called}"));
        let mut text = format!(
            "# Benchmarks\n\n\
             Written by `cargo xtask bench{} --rounds {rounds} --seconds {seconds}` on {}, Envoy {} with one worker.\n\
             Take the ratios; the figures belong to the machine.\n\n",
            beside.unwrap_or_default(),
            machine()?,
            tools::ENVOY_VERSION,
        );
        self.write_method(&mut text)?;
        self.write_added(&mut text, "Microseconds of CPU for each request", |m| m.cpu)?;
        if self.counts_instructions {
            self.write_added(&mut text, "Instructions for each request", |m| m.instructions)?;
        } else {
            text.push_str(
                "## Instructions for each request\n\nThis machine counts none by itself.\n\n",
            );
        }
        self.write_ratios(&mut text)?;
        self.write_latency(&mut text)?;
        self.write_memory(&mut text)?;
        writeln!(text, "## The core by itself\n\n{}", self.native.trim_end())?;
        Ok(text)
    }

    fn write_method(&self, text: &mut String) -> Result<()> {
        let Args { rounds, called, against, .. } = self.args;
        writeln!(
            text,
            "## Method\n\n\
             Each filter has an Envoy with one copy of it in the chain, for the whole, and an Envoy with {COPIES}, whose cost divided by\n\
             {COPIES} is that of one with the noise divided too; {} of the {COPIES} run in warm caches, which flatters Wasm most. In each of\n\
             {rounds} rounds all of them take turns, and each begins in turn. A cell is the median of the differences within a round to\n\
             an Envoy without a filter (for preflights: to Envoy's CORS filter, the least that answers them), with its quartiles; where\n\
             zero lies between the quartiles it is *{NOT_RESOLVED}*. CPU is that of all threads of the process, as the scheduler counts it.\n\
             Preflights are answered by the CORS filters and forwarded by the others; Envoy's CORS filter neither judges nor counts, and\n\
             sends no `Vary`.{}\n",
            COPIES - 1,
            against
                .as_ref()
                .map(|_| format!(" *Earlier* is the module at {called}."))
                .unwrap_or_default(),
        )?;
        Ok(())
    }

    fn write_added(&self, text: &mut String, what: &str, figure: Figure) -> Result<()> {
        writeln!(
            text,
            "## {what}\n\nOne filter in the chain; *base* is the whole of what the others are added to:\n"
        )?;
        self.write_table(text, &Kind::ALL, |contestant, kind| {
            let chain = Chain { contestant, copies: 1 };
            if contestant == Contestant::base(kind) {
                let Quartiles { low, median, high } = self.quartiles(chain, kind, figure);
                return format!("base: {median:.1} [{low:.1}, {high:.1}]");
            }
            self.added(chain, kind, figure)
        })?;
        let kinds: Vec<Kind> =
            Kind::ALL.into_iter().filter(|kind| *kind != Kind::Preflight).collect();
        writeln!(text, "\n{COPIES} copies in the chain, divided by {COPIES}:\n")?;
        self.write_table(text, &kinds, |contestant, kind| {
            self.added(Chain { contestant, copies: COPIES }, kind, figure)
        })?;
        text.push('\n');
        Ok(())
    }

    fn added(&self, chain: Chain, kind: Kind, figure: Figure) -> String {
        if kind == Kind::Preflight && !chain.contestant.answers_preflights() {
            return "forwarded".to_owned();
        }
        if chain.contestant == Contestant::base(kind) {
            return "base".to_owned();
        }
        let differences = Quartiles::of(&self.differences(chain, kind, figure));
        if !differences.is_resolved() {
            return NOT_RESOLVED.to_owned();
        }
        let Quartiles { low, median, high } = differences;
        format!("{median:+.1} [{low:.1}, {high:.1}]")
    }

    /// What each copy of a filter adds, round by round.
    fn differences(&self, chain: Chain, kind: Kind, figure: Figure) -> Vec<f64> {
        let base = Chain { contestant: Contestant::base(kind), copies: 1 };
        let (with, without) = (self.figures(chain, kind, figure), self.figures(base, kind, figure));
        let pairs = with.iter().zip(&without);
        pairs.map(|(with, without)| (with - without) / chain.copies as f64).collect()
    }

    fn write_ratios(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "## Ratios\n\n\
             Of what each of two filters adds in CPU, median and quartiles over the rounds: {COPIES} copies, and one for preflights.\n\
             *{NOT_RESOLVED}*: one of both adds nothing that is resolved.\n"
        )?;
        let kinds = Kind::ALL.map(Kind::name).join(" | ");
        writeln!(text, "| | {kinds} | at most |\n|---|---|---|---|---|---|")?;
        for (one, other, aim) in RATIOS {
            if !self.contestants.contains(&one) || !self.contestants.contains(&other) {
                continue;
            }
            let cells = Kind::ALL.map(|kind| self.ratio(one, other, kind)).join(" | ");
            writeln!(text, "| {} / {} | {cells} | {aim} |", one.name(), other.name())?;
        }
        text.push('\n');
        Ok(())
    }

    fn ratio(&self, one: Contestant, other: Contestant, kind: Kind) -> String {
        if other == Contestant::base(kind) {
            return "base".to_owned();
        }
        let answer = one.answers_preflights() && other.answers_preflights();
        if kind == Kind::Preflight && !answer {
            return "forwarded".to_owned();
        }
        let copies = if kind == Kind::Preflight { 1 } else { COPIES };
        let added = |contestant| self.differences(Chain { contestant, copies }, kind, |m| m.cpu);
        let (one, other) = (added(one), added(other));
        if !Quartiles::of(&one).is_resolved() || !Quartiles::of(&other).is_resolved() {
            return NOT_RESOLVED.to_owned();
        }
        let ratios: Vec<f64> = one.iter().zip(&other).map(|(one, other)| one / other).collect();
        let Quartiles { low, median, high } = Quartiles::of(&ratios);
        format!("{median:.2} [{low:.2}, {high:.2}]")
    }

    fn write_latency(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "## Latency\n\n\
             Microseconds under full load from 16 connections with one filter in the chain, median and 99th percentile with its\n\
             quartiles over the rounds: load generator, Envoy and upstream share the machine, so this is time in queues more than\n\
             in filters. *Apart*: its quartiles and those of the base have nothing in common.\n"
        )?;
        self.write_table(text, &Kind::ALL, |contestant, kind| {
            let chain = Chain { contestant, copies: 1 };
            if !chain.meets(kind) {
                return "forwarded".to_owned();
            }
            let median = self.quartiles(chain, kind, |m| m.median).median;
            let slow = self.quartiles(chain, kind, |m| m.slow);
            let base = Chain { contestant: Contestant::base(kind), copies: 1 };
            let overlaps = slow.overlap(self.quartiles(base, kind, |m| m.slow));
            let Quartiles { low, median: middle, high } = slow;
            let apart = if overlaps { "" } else { ", apart" };
            format!("{median:.0} / {middle:.0} [{low:.0}, {high:.0}]{apart}")
        })
    }

    fn write_memory(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "\n## Memory\n\nResident memory of an Envoy after all rounds, one filter in its chain:\n"
        )?;
        writeln!(text, "| | MiB |\n|---|---|")?;
        for (contestant, resident) in self.resident {
            writeln!(text, "| {} | {resident:.1} |", contestant.name())?;
        }
        let (policies, updates) = (memory::POLICIES, memory::UPDATES);
        writeln!(
            text,
            "\nWith {policies} policies, in MiB:\n\n\
             | | inert | first configuration | after {updates} changes of all policies |\n|---|---|---|---|"
        )?;
        for (contestant, Memory { inert, first, last }) in self.memory {
            let name = contestant.name();
            writeln!(text, "| {name} | {inert:.1} | {first:.1} | {last:.1} |")?;
        }
        text.push('\n');
        Ok(())
    }

    fn write_table(
        &self,
        text: &mut String,
        kinds: &[Kind],
        cell: impl Fn(Contestant, Kind) -> String,
    ) -> Result<()> {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        writeln!(text, "| | {} |\n|---|{}", names.join(" | "), "---|".repeat(kinds.len()))?;
        for &contestant in self.contestants {
            let cells: Vec<String> = kinds.iter().map(|kind| cell(contestant, *kind)).collect();
            writeln!(text, "| {} | {} |", contestant.name(), cells.join(" | "))?;
        }
        Ok(())
    }

    fn quartiles(&self, chain: Chain, kind: Kind, figure: Figure) -> Quartiles {
        Quartiles::of(&self.figures(chain, kind, figure))
    }

    /// A figure of a chain, round by round.
    fn figures(&self, chain: Chain, kind: Kind, figure: Figure) -> Vec<f64> {
        let mine = self.cells.iter().filter(|cell| cell.chain == chain && cell.kind == kind);
        let mut figures: Vec<(usize, f64)> =
            mine.map(|cell| (cell.round, figure(&cell.measurement))).collect();
        figures.sort_by_key(|(round, _)| *round);
        figures.into_iter().map(|(_, figure)| figure).collect()
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
