//! django-cors-headers.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Stdio;

use corsward_import::{Answer, Exchange, Response, Source};
use corsward_test_harness::client;
use corsward_test_harness::envoy_fixture::EnvoyFixture;
use corsward_test_harness::eventually::eventually;
use xtask::process::Process;
use xtask::{ports, tools};

use crate::side_by_side::{FEWEST, compare, import, request};

/// A running application, with its settings in a file.
struct Django {
    address: SocketAddr,
    _folder: tempfile::TempDir,
    _process: Process,
}

#[test]
fn the_report_on_settings_of_django_names_what_a_real_django_does_otherwise() {
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    let mut requests = 0;
    for (name, settings) in [
        ("settings.py", include_str!("../../../cli/tests/import/settings.py")),
        ("public.py", "CORS_ALLOW_ALL_ORIGINS = True\nCORS_EXPOSE_HEADERS = ['x-id']\n"),
    ] {
        let django = Django::with(settings);
        requests +=
            compare(&import(Source::Django, name, settings), &mut fixture, |_, exchange| {
                django.answer(exchange)
            });
    }
    assert!(requests >= FEWEST, "{requests}");
}

// === impl Django ===

impl Django {
    fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.py");
        std::fs::write(&file, settings).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let mut command = tools::django("cors.py").unwrap();
        command.env("PORT", address.port().to_string()).env("SETTINGS", file);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = Process::spawn("django", command).unwrap();
        eventually("Django to listen", || {
            let ended = process.exited()?;
            anyhow::ensure!(ended.is_none(), "it ended: {ended:?}");
            Ok(TcpStream::connect(address).ok())
        })
        .unwrap();
        Self { address, _folder: folder, _process: process }
    }

    fn answer(&self, exchange: &Exchange) -> Answer {
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
