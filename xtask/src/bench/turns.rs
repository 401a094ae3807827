//! Turns: an earlier build of the filter and this one, request for request.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::fixture::BenchFixture;
use super::load::Load;
use super::pairs::{self, Pairs};
use super::{Args, Contestant, Kind, report, sections};
use crate::tools;

/// Measures both builds, prints, and writes its section of `docs/benchmarks.md`.
pub(super) fn run(args: &Args, earlier: &Path) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let load = Load::new(tools::wrk()?, scratch.path(), Duration::from_secs(args.seconds));
    let contestants = [Contestant::Earlier, Contestant::Corsward];
    let fixture = BenchFixture::start(scratch.path(), &contestants, Some(earlier))?;
    let mut rows = Kind::ALL.map(|kind| (kind, Pairs::default()));
    for round in 1..=args.rounds {
        for (kind, pairs) in &mut rows {
            eprintln!("round {round} of {}: {}", args.rounds, kind.name());
            let measured = |contestant| -> Result<f64> {
                let (pid, address) = (fixture.pid(contestant), fixture.address(contestant, *kind));
                Ok(load.run(pid, address, *kind)?.cpu)
            };
            // The second of two may find the machine warmer than the first: each is second in every other round.
            let (earlier, now) = if round % 2 == 0 {
                let now = measured(Contestant::Corsward)?;
                (measured(Contestant::Earlier)?, now)
            } else {
                (measured(Contestant::Earlier)?, measured(Contestant::Corsward)?)
            };
            pairs.push(earlier, now);
        }
    }
    let section = section(args, &rows)?;
    println!("{section}");
    if args.no_write { Ok(()) } else { sections::replace(Some(sections::FILTER_AGAINST), &section) }
}

fn section(args: &Args, rows: &[(Kind, Pairs)]) -> Result<String> {
    let Args { rounds, seconds, called, .. } = args;
    let mut text = format!(
        "{}\n\n\
         Written by `cargo xtask bench --against MODULE --called {called} --rounds {rounds} --seconds {seconds}` on {},\n\
         Envoy {} with one worker. MODULE is the filter's module at {called}. Microseconds of CPU (user and system, all threads) that the\n\
         Envoy process used for a request; in each of {rounds} rounds the two modules took turns. {}",
        sections::FILTER_AGAINST,
        report::machine()?,
        tools::ENVOY_VERSION,
        pairs::legend(called),
    );
    for (kind, pairs) in rows {
        let cells = pairs.cells(|micros| format!("{micros:.1}"));
        writeln!(text, "| {} | {cells} |", kind.name())?;
    }
    Ok(text)
}
