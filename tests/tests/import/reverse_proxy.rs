//! Reverse proxy: an old system in front of an upstream that answers as each request wants.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use corsward_import::{Answer, Exchange};
use corsward_test_harness::client;
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::upstream::{CASE, Upstream};
use xtask::ports;
use xtask::process::Process;

use crate::side_by_side::{read, request, upstream};

/// A running proxy and its upstream.
pub(crate) struct ReverseProxy {
    address: SocketAddr,
    upstream: Upstream,
    _folder: tempfile::TempDir,
    _process: Process,
}

// === impl ReverseProxy ===

impl ReverseProxy {
    /// Starts it with the command that `write` returns after it has put the settings into the folder: the proxy listens on the first
    /// address, and the upstream on the second.
    pub(crate) fn start(
        name: &'static str,
        write: impl FnOnce(&Path, SocketAddr, SocketAddr) -> Command,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let upstream = Upstream::start().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let mut command = write(folder.path(), address, upstream.address());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = Process::spawn(name, command).unwrap();
        eventually(&format!("{name} to listen"), || {
            let ended = process.exited()?;
            anyhow::ensure!(ended.is_none(), "it ended: {ended:?}");
            Ok(TcpStream::connect(address).ok())
        })
        .unwrap();
        Self { address, upstream, _folder: folder, _process: process }
    }

    /// Its answer, where the upstream answers as the exchange wants.
    pub(crate) fn answer(&self, exchange: &Exchange) -> Answer {
        let case = "proxied";
        self.upstream.answer(case, upstream(exchange));
        let before = self.upstream.received(case).len();
        let mut answer = client::send(self.address, &request(exchange), &[(CASE, case)]).unwrap();
        answer.upstream_reached = self.upstream.received(case).len() > before;
        read(&answer)
    }
}
