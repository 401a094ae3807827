//! Cache: nginx or Varnish in front of an Envoy, on a port of its own; it ends with its value.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use corsward_test_harness::answer::Answer;
use corsward_test_harness::eventually::eventually;
use tempfile::TempDir;
use xtask::process::Process;
use xtask::{ports, tools};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The response header in which both caches say `HIT` or `MISS`.
const STATUS: &str = "x-cache";

pub(crate) struct Cache {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    process: Process,
    _folder: TempDir,
}

// === impl Cache ===

impl Cache {
    /// nginx with `proxy_cache`, as one process that stays in the foreground.
    pub(crate) fn nginx(origin: SocketAddr) -> Self {
        Self::start("nginx", |folder, address| {
            let file = folder.join("nginx.conf");
            fs::write(&file, nginx_configuration(folder, address, origin)).unwrap();
            let mut command = Command::new(tools::nginx().unwrap());
            command.arg("-p").arg(folder).arg("-c").arg(file).args(["-e", "stderr"]);
            command
        })
    }

    /// Varnish with its built-in rules, which already say what is kept and how it varies.
    pub(crate) fn varnish(origin: SocketAddr) -> Self {
        Self::start("Varnish", |folder, address| {
            let file = folder.join("default.vcl");
            fs::write(&file, varnish_configuration(origin)).unwrap();
            let mut command = Command::new(tools::varnishd().unwrap());
            command.args(["-F", "-j", "none", "-s", "malloc,16m", "-T", "none"]);
            command.args(["-a", &address.to_string()]).arg("-f").arg(file);
            command.arg("-n").arg(folder.join("work"));
            command
        })
    }

    fn start(name: &'static str, command: impl FnOnce(&Path, SocketAddr) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let log = folder.path().join("log");
        let mut command = command(folder.path(), address);
        let file = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let mut process = Process::spawn(name, command).unwrap();
        eventually(name, || {
            if let Some(status) = process.exited()? {
                anyhow::bail!("it ended ({status}): {}", fs::read_to_string(&log)?);
            }
            Ok(TcpStream::connect(address).ok())
        })
        .unwrap();
        Self { name, address, process, _folder: folder }
    }

    /// Ends it and waits until it is gone, its children included.
    pub(crate) fn stop(mut self) {
        self.process.stop(TIMEOUT).unwrap();
    }
}

/// Whether an answer came out of the cache.
pub(crate) fn is_hit(answer: &Answer) -> bool {
    answer.text(STATUS) == "HIT"
}

fn nginx_configuration(folder: &Path, address: SocketAddr, origin: SocketAddr) -> String {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = |kind| format!("{kind}_temp_path {}/{kind};\n", folder.display());
    let temporary: String = kinds.into_iter().map(temporary).collect();
    let folder = folder.display();
    format!(
        "daemon off;
         master_process off;
         pid {folder}/nginx.pid;
         events {{ }}
         http {{
           access_log off;
           {temporary}
           proxy_cache_path {folder}/entries keys_zone=entries:1m;
           server {{
             listen {address};
             location / {{
               proxy_pass http://{origin};
               proxy_http_version 1.1;
               proxy_set_header Host $host;
               proxy_cache entries;
               add_header {STATUS} $upstream_cache_status always;
             }}
           }}
         }}
        "
    )
}

fn varnish_configuration(origin: SocketAddr) -> String {
    let (host, port) = (origin.ip(), origin.port());
    format!(
        "vcl 4.1;
         backend default {{ .host = \"{host}\"; .port = \"{port}\"; }}
         sub vcl_deliver {{
           if (obj.hits > 0) {{ set resp.http.{STATUS} = \"HIT\"; }}
           else {{ set resp.http.{STATUS} = \"MISS\"; }}
         }}
        "
    )
}
