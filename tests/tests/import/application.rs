//! Applications of `tests/backends` with the settings of a file, which answer what a request asks for.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use corsward_import::{Answer, Exchange, Response};
use corsward_test_harness::client;
use corsward_test_harness::eventually::eventually;
use xtask::ports;
use xtask::process::Process;

use crate::side_by_side::request;

/// A running application, with its settings in a file.
pub(crate) struct Application {
    address: SocketAddr,
    _folder: tempfile::TempDir,
    _process: Process,
}

// === impl Application ===

impl Application {
    /// Starts it with these settings.
    pub(crate) fn with(name: &'static str, mut command: Command, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.py");
        std::fs::write(&file, settings).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        command.env("PORT", address.port().to_string()).env("SETTINGS", file);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = Process::spawn(name, command).unwrap();
        eventually("the application to listen", || {
            let ended = process.exited()?;
            anyhow::ensure!(ended.is_none(), "it ended: {ended:?}");
            Ok(TcpStream::connect(address).ok())
        })
        .unwrap();
        Self { address, _folder: folder, _process: process }
    }

    /// Its answer, with the application's own as the exchange wants it.
    pub(crate) fn answer(&self, exchange: &Exchange) -> Answer {
        let Response { status, headers } = &exchange.application;
        let status = status.to_string();
        let mut more = vec![("x-want-status", status.as_str())];
        let line = headers
            .first()
            .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)));
        more.extend(line.iter().map(|line| ("x-want-header", line.as_str())));
        let answer = client::send(self.address, &request(exchange), &more).unwrap();
        let reached = answer.get("x-reached").is_some();
        Answer { response: Response { status: answer.status, headers: answer.headers }, reached }
    }
}
