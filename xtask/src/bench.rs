//! `cargo xtask bench`: what the filter costs, side by side with less and with nothing, in one run.
//!
//! ```text
//! bench --> stand (five Envoys before one upstream) --> load (wrk, CPU ticks) --> report --> docs/benchmarks.md
//!       --> memory, native
//! bench --control-plane --> the operator before an API server --> its section of docs/benchmarks.md
//! bench --controller --> operator/core/benches/controller.rs --> its section of docs/benchmarks.md
//! bench --command --> the command beside an earlier program, in turn --> its section of docs/benchmarks.md
//! bench --against --> an earlier build and this one in turn (turns, pairs) --> its section of docs/benchmarks.md
//! ```

mod command;
mod control_plane;
mod controller;
mod fixture;
mod load;
mod memory;
mod native;
mod pairs;
mod policies;
mod report;
mod sections;
mod turns;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use self::fixture::BenchFixture;
use self::load::{Cell, Load};
use self::report::Report;
use crate::tools;

/// The durations of the measurements.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Rounds; in each, every filter meets every kind of request once
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of load for each filter and kind of request in a round
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Measure the operator before an API server, and nothing else
    #[arg(long)]
    control_plane: bool,
    /// Measure the operator's core without an API server: time, instructions where valgrind is installed, and memory
    #[arg(long, conflicts_with = "control_plane")]
    controller: bool,
    /// Measure the command: check, diff and --help
    #[arg(long, conflicts_with_all = ["control_plane", "controller"])]
    command: bool,
    /// With --control-plane, --controller or --command: how many policies there are
    #[arg(long, default_value_t = 10_000)]
    policies: usize,
    /// With --control-plane or --controller: over how many namespaces
    #[arg(long, default_value_t = 500)]
    namespaces: usize,
    /// Measure an earlier build and this one in turn, and print their ratios: its operator with --control-plane, its benchmark with
    /// --controller, its command or an operator that has `validate` with --command, else its module
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
    /// A Wasm filter that makes corsward's host calls and thinks nothing.
    Floor,
    /// The filter.
    Corsward,
    /// An earlier build of the filter.
    Earlier,
}

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
    if args.control_plane {
        return control_plane::run(args);
    }
    if args.controller {
        return controller::run(args);
    }
    if args.command {
        return command::run(args);
    }
    if let Some(earlier) = &args.against {
        return turns::run(args, earlier);
    }
    let scratch = tempfile::tempdir()?;
    let load = Load::new(tools::wrk()?, scratch.path(), Duration::from_secs(args.seconds));
    let native = native::measure()?;
    let memory = memory::measure(&scratch.path().join("memory"))?;
    let fixture = BenchFixture::start(scratch.path(), &Contestant::ALL, None)?;
    let mut cells: Vec<Cell> = Vec::new();
    for round in 1..=args.rounds {
        for kind in Kind::ALL {
            // Side by side: what the machine does meanwhile meets all of them.
            for contestant in Contestant::ALL {
                eprintln!(
                    "round {round} of {}: {}, {}",
                    args.rounds,
                    kind.name(),
                    contestant.name()
                );
                let measurement =
                    load.run(fixture.pid(contestant), fixture.address(contestant, kind), kind)?;
                cells.push(Cell { contestant, kind, measurement });
            }
        }
    }
    let report = Report { args, cells: &cells, memory: &memory, native: &native }.render()?;
    println!("{report}");
    if args.no_write { Ok(()) } else { sections::replace(None, &report) }
}

// === impl Contestant ===

impl Contestant {
    /// Those that a filter's cost is compared with, and the filter.
    const ALL: [Self; 5] = [Self::Nothing, Self::Native, Self::Empty, Self::Floor, Self::Corsward];

    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no filter",
            Self::Native => "native CORS filter",
            Self::Empty => "empty Wasm filter",
            Self::Floor => "floor",
            Self::Corsward => "corsward",
            Self::Earlier => "earlier",
        }
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

    /// The host calls that corsward makes for it; a test of the filter compares.
    const fn script(self) -> &'static str {
        match self {
            Self::NoOrigin => include_str!("../../tests/bench-filters/floor/scripts/no-origin.txt"),
            Self::Allowed => include_str!("../../tests/bench-filters/floor/scripts/allowed.txt"),
            Self::Preflight => {
                include_str!("../../tests/bench-filters/floor/scripts/preflight.txt")
            }
            Self::Refused => include_str!("../../tests/bench-filters/floor/scripts/refused.txt"),
        }
    }
}
