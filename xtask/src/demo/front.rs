//! `cargo xtask demo --upstream …`: operator and Envoy alone, in front of a user's server. Test suites run through
//! it: standard output says `ready` and nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::signals::Signals;
use super::stack::{Programs, Stack, Voice};
use super::{Args, address, say_ready};
use crate::envoy::{Bootstrap, Listener, Refusals, route};
use crate::ports;

/// The default port of its listener.
const LISTEN_PORT: u16 = 8600;

/// The arguments of the command line, checked.
pub(super) struct Front {
    policies: PathBuf,
    listen: SocketAddr,
    upstream: SocketAddr,
    admin: SocketAddr,
}

// === impl Front ===

impl Front {
    /// The requested front, if there is one.
    pub(super) fn of(args: &Args) -> Result<Option<Self>> {
        let Args { upstream: Some(upstream), policies: Some(policies), listen, admin, .. } = args
        else {
            return Ok(None);
        };
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listen = listen.unwrap_or_else(|| local(ports::preferred(LISTEN_PORT)));
        let admin = admin.unwrap_or_else(|| local(ports::free()));
        address::ensure_free("--listen", listen)?;
        address::ensure_free("--admin", admin)?;
        Ok(Some(Self { policies: folder(policies)?, listen, upstream: *upstream, admin }))
    }

    /// Runs it until a stop signal.
    pub(super) fn run(&self, programs: &Programs, signals: Signals) -> Result<()> {
        let mut stack =
            Stack::start(programs, &self.policies, Voice::Full, |filter| self.bootstrap(filter))?;
        self.say_where(&stack)?;
        say_ready()?;
        signals.wait(|| stack.ensure_running())?;
        stack.stop()
    }

    fn bootstrap(&self, filter: Value) -> Bootstrap {
        let listener = Listener::new("front")
            .at(self.listen)
            .http_filter(filter)
            .routes([route("/", "upstream")])
            .refusals(Refusals::Stdout);
        Bootstrap::new()
            .admin(self.admin)
            .concurrency(2)
            .listener(listener)
            .upstream("upstream", self.upstream)
    }

    fn say_where(&self, stack: &Stack) -> Result<()> {
        let Self { policies, upstream, .. } = self;
        let listen = stack.envoy().address("front")?;
        let admin = stack.envoy().admin_addr();
        let operator = stack.operator_addr();
        eprintln!("http://{listen} -> {upstream} under the policies of {}", policies.display());
        eprintln!("Envoy's admin interface: http://{admin}   the operator's: http://{operator}");
        if !address::answers(*upstream) {
            eprintln!("nobody listens on {upstream} yet: Envoy answers 503 until somebody does");
        }
        Ok(())
    }
}

/// Refuses a folder of policies that is not there, or is a file.
fn folder(policies: &Path) -> Result<PathBuf> {
    let shown = policies.display();
    let folder = policies.canonicalize().with_context(|| {
        format!("--policies {shown}: name a folder that is there; it may be empty, and policies that come later count")
    })?;
    ensure!(folder.is_dir(), "--policies {shown}: a file; name the folder that it is in");
    Ok(folder)
}
