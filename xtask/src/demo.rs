//! `cargo xtask demo`: operator and Envoy in front of back ends, on this machine.
//!
//! ```text
//! no argument    Sample { Stack { Operator, Envoy }, API, page }   until Ctrl-C
//! --once         Sample, and the tour of the README                once
//! --upstream     Front { Stack } in front of somebody else's server          until Ctrl-C
//! ```

mod address;
mod api;
mod browser;
mod front;
mod operator;
mod page;
mod sample;
mod signals;
mod stack;
mod tour;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

pub use self::browser::{Browser, Row, Table};
use self::front::Front;
pub use self::sample::{Sample, policies};
use self::signals::Signals;
pub use self::stack::Programs;
pub use self::tour::{copy_of_policies, edit};
use crate::envoy::Shell;

/// The arguments of the subcommand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Run the tour of the README: print each request and response, check them, and end
    #[arg(long, conflicts_with_all = ["policies", "listen", "upstream", "admin"])]
    once: bool,
    /// Stand in front of this server instead of the demo's own: HOST:PORT
    #[arg(long, value_name = "ADDR", value_parser = address::parse, requires = "policies")]
    upstream: Option<SocketAddr>,
    /// The folder of policies to enforce there
    #[arg(long, value_name = "DIR", requires = "upstream")]
    policies: Option<PathBuf>,
    /// Envoy's address with an upstream [default: 127.0.0.1:8600, or a free port if that is taken]
    #[arg(long, value_name = "ADDR", value_parser = address::parse, requires = "upstream")]
    listen: Option<SocketAddr>,
    /// The address of Envoy's admin interface with an upstream [default: any free port]
    #[arg(long, value_name = "ADDR", value_parser = address::parse, requires = "upstream")]
    admin: Option<SocketAddr>,
    /// The shell of the filter: a module of WebAssembly, or a dynamic module of Envoy
    #[arg(long, value_enum, default_value_t = Shell::Wasm)]
    filter: Shell,
}

/// Runs the demo until a stop signal.
///
/// # Errors
///
/// Fails if a part is missing, does not start, or ends before the stop signal.
pub fn run(args: &Args) -> Result<()> {
    let front = Front::of(args)?;
    let programs = Programs::get(args.filter)?;
    // From here on there is something to clean up.
    let signals = Signals::catch()?;
    let ended = match front {
        Some(front) => front.run(&programs, signals),
        None if args.once => tour::run(&programs),
        None => show(&programs, signals),
    };
    // Told to stop while it was starting: that is no failure.
    if Signals::told_to_stop() { Ok(()) } else { ended }
}

/// Runs the whole demo, until a stop signal.
fn show(programs: &Programs, signals: Signals) -> Result<()> {
    let policies = sample::policies();
    let mut sample = Sample::start(programs, &policies)?;
    println!("{}", sample.invitation(&policies));
    say_ready()?;
    signals.wait(|| sample.ensure_running())?;
    sample.stop()
}

/// Other programs wait for this line.
fn say_ready() -> Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "ready")?;
    Ok(stdout.flush()?)
}
