//! `cargo xtask bench`: what the filter costs, side by side with less and with nothing, in one run.
//!
//! ```text
//! bench --> fixture (an Envoy for each contestant and chain) --> load (wrk, CPU time) --> report --> docs/benchmarks.md
//!       --> memory, native
//! bench --instructions --> the same fixture below valgrind --> its section of docs/benchmarks.md
//! bench --control-plane --> the operator before an API server --> its section of docs/benchmarks.md
//! bench --controller --> operator/core/benches/controller.rs --> its section of docs/benchmarks.md
//! bench --command --> the command beside an earlier program, in turn --> its section of docs/benchmarks.md
//! ```

mod callgrind;
mod command;
mod control_plane;
mod controller;
mod fixture;
mod instructions;
mod load;
mod memory;
mod native;
mod pairs;
mod policies;
mod quartiles;
mod report;
mod sections;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use self::fixture::{BenchFixture, Modules};
use self::load::{Load, Measurement};
use self::report::Report;
use crate::tools;

/// The durations of the measurements.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Rounds; in each, every filter meets every kind of request once, alone in its chain and eight times in it
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of load for each filter and kind of request in a round
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Count the instructions of a request in Envoy, with each filter that needs no virtual machine, by callgrind of valgrind
    #[arg(long)]
    instructions: bool,
    /// Measure the operator before an API server, and nothing else
    #[arg(long, conflicts_with = "instructions")]
    control_plane: bool,
    /// Measure the operator's core without an API server: time, instructions where valgrind is installed, and memory
    #[arg(long, conflicts_with_all = ["instructions", "control_plane"])]
    controller: bool,
    /// Measure the command: check, diff and --help
    #[arg(long, conflicts_with_all = ["instructions", "control_plane", "controller"])]
    command: bool,
    /// With --control-plane, --controller or --command: how many policies there are
    #[arg(long, default_value_t = 10_000)]
    policies: usize,
    /// With --control-plane or --controller: over how many namespaces
    #[arg(long, default_value_t = 500)]
    namespaces: usize,
    /// Measure an earlier build too, in turn, and print ratios: its operator with --control-plane, its benchmark with --controller, its
    /// command or an operator that has `validate` with --command, else its Wasm module
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
    /// With --control-plane and --against: the folder of the earlier build's definitions, where they differ
    #[arg(long, value_name = "DIR")]
    against_crds: Option<PathBuf>,
    /// With --against: what the tables call the earlier build, such as its commit
    #[arg(long, value_name = "NAME", default_value = "before")]
    called: String,
    /// Print only: leave docs/benchmarks.md as it is
    #[arg(long)]
    no_write: bool,
}

/// The proxy in front of the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contestant {
    /// No filter but the router.
    Nothing,
    /// Envoy's own CORS filter.
    Native,
    /// A Wasm filter that does nothing.
    Empty,
    /// A Wasm filter that makes the host calls of corsward, and does nothing else.
    Calls,
    /// An earlier build of the filter.
    Earlier,
    /// The filter as a Wasm module.
    Corsward,
    /// A dynamic module that does nothing.
    Module,
    /// The filter as a dynamic module, without policies: it is called and does nothing.
    Inert,
    /// The filter as a dynamic module.
    Dynamic,
}

/// A contestant, as often as this in one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chain {
    contestant: Contestant,
    copies: usize,
}

/// One measurement.
struct Cell {
    round: usize,
    chain: Chain,
    kind: Kind,
    measurement: Measurement,
}

/// The copies of a filter in the longer chain: the noise of what they add together is divided by their number.
const COPIES: usize = 8;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Without `Origin`.
    NoOrigin,
    /// An actual request whose origin is allowed.
    Allowed,
    /// A preflight that passes.
    Preflight,
    /// An actual request whose origin is not allowed.
    Refused,
}

/// Measures, prints, and writes `docs/benchmarks.md`.
///
/// # Errors
///
/// Fails if a tool is missing, an Envoy does not start or answers something else than expected.
pub fn run(args: &Args) -> Result<()> {
    if args.instructions {
        return instructions::run(args);
    }
    if args.control_plane {
        return control_plane::run(args);
    }
    if args.controller {
        return controller::run(args);
    }
    if args.command {
        return command::run(args);
    }
    let scratch = tempfile::tempdir()?;
    let load = Load::new(tools::wrk()?, scratch.path(), Duration::from_secs(args.seconds));
    let native = native::measure()?;
    let contestants = Contestant::all(args);
    let chains = Chain::all(&contestants);
    let modules = Modules::build(args.against.as_deref())?;
    let scratch_of_memory = scratch.path().join("memory");
    let measure = |module: &Path| memory::measure(&scratch_of_memory, module);
    let memory = [
        (Contestant::Corsward, measure(&modules.corsward)?),
        (Contestant::Dynamic, measure(&modules.dynamic)?),
    ];
    let fixture = BenchFixture::start(scratch.path(), &chains, &modules)?;
    let mut cells: Vec<Cell> = Vec::new();
    for round in 1..=args.rounds {
        for kind in Kind::ALL {
            let mut chains: Vec<Chain> =
                chains.iter().copied().filter(|it| it.meets(kind)).collect();
            // Side by side: what the machine does meanwhile meets all of them; and each begins in turn.
            let first = round % chains.len();
            chains.rotate_left(first);
            eprintln!("round {round} of {}: {}", args.rounds, kind.name());
            for chain in chains {
                let address = fixture.address(chain)?;
                let measurement = load.run(fixture.pid(chain)?, address, kind)?;
                cells.push(Cell { round, chain, kind, measurement });
            }
        }
    }
    let resident = contestants.iter().map(|contestant| {
        let chain = Chain { contestant: *contestant, copies: 1 };
        Ok((*contestant, memory::resident(fixture.pid(chain)?)?))
    });
    let report = Report {
        args,
        contestants: &contestants,
        cells: &cells,
        counts_instructions: load.counts_instructions(),
        resident: &resident.collect::<Result<Vec<_>>>()?,
        memory: &memory,
        native: &native,
    };
    let report = report.render()?;
    println!("{report}");
    if args.no_write { Ok(()) } else { sections::replace(None, &report) }
}

// === impl Contestant ===

impl Contestant {
    /// Those that a filter's cost is compared with, and the filter. An earlier build is there where one is given.
    fn all(args: &Args) -> Vec<Self> {
        let mut all = vec![Self::Nothing, Self::Native, Self::Empty, Self::Calls, Self::Earlier];
        all.extend([Self::Corsward, Self::Module, Self::Inert, Self::Dynamic]);
        all.retain(|contestant| *contestant != Self::Earlier || args.against.is_some());
        all
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no filter",
            Self::Native => "Envoy's CORS filter",
            Self::Empty => "empty Wasm filter",
            Self::Calls => "the host calls alone, Wasm",
            Self::Earlier => "corsward, Wasm, earlier",
            Self::Corsward => "corsward, Wasm",
            Self::Module => "empty native module",
            Self::Inert => "corsward, native, no policies",
            Self::Dynamic => "corsward, native",
        }
    }

    /// Does it answer preflights? The others forward them.
    const fn answers_preflights(self) -> bool {
        matches!(self, Self::Native | Self::Earlier | Self::Corsward | Self::Dynamic)
    }

    /// Does it run without a virtual machine, whose code is made while it runs?
    const fn runs_no_machine(self) -> bool {
        !matches!(self, Self::Empty | Self::Calls | Self::Earlier | Self::Corsward)
    }

    /// What it is compared with: no filter, and for preflights the least filter that answers them.
    const fn base(kind: Kind) -> Self {
        match kind {
            Kind::Preflight => Self::Native,
            _ => Self::Nothing,
        }
    }
}

// === impl Chain ===

impl Chain {
    /// Each contestant once in its chain and, where it is a filter, [`COPIES`] times.
    fn all(contestants: &[Contestant]) -> Vec<Self> {
        let chains = contestants
            .iter()
            .flat_map(|&contestant| [1, COPIES].map(|copies| Self { contestant, copies }));
        chains.filter(|it| it.copies == 1 || it.contestant != Contestant::Nothing).collect()
    }

    /// Returns whether it is measured by this kind of request: the first copy answers a preflight, or all forward it.
    fn meets(self, kind: Kind) -> bool {
        kind != Kind::Preflight || (self.copies == 1 && self.contestant.answers_preflights())
    }
}

// === impl Kind ===

impl Kind {
    const ALL: [Self; 4] = [Self::NoOrigin, Self::Allowed, Self::Preflight, Self::Refused];

    const fn name(self) -> &'static str {
        match self {
            Self::NoOrigin => "no origin",
            Self::Allowed => "allowed",
            Self::Preflight => "preflight",
            Self::Refused => "refused",
        }
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Preflight => "OPTIONS",
            _ => "GET",
        }
    }

    /// The request's header lines.
    const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::NoOrigin => &[],
            Self::Allowed => &[("Origin", policies::ORIGIN)],
            Self::Preflight => &[
                ("Origin", policies::ORIGIN),
                ("Access-Control-Request-Method", "PUT"),
                ("Access-Control-Request-Headers", "x-token"),
            ],
            Self::Refused => &[("Origin", "https://evil.example")],
        }
    }
}
