//! nginx.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use corsward_import::Source;
use corsward_test_harness::envoy_fixture::EnvoyFixture;
use xtask::tools;

use crate::reverse_proxy::ReverseProxy;
use crate::side_by_side::{FEWEST, compare, import};

/// A map per request, without `always`, and a public path.
const MAPPED: &str = include_str!("../../../cli/tests/import/nginx.conf");

/// What many copy: a condition, a variable, and one block for each combination.
const CONDITIONAL: &str = r#"
worker_processes 1;
events { worker_connections 64; }
http {
  include mime.types;
  server {
    listen 80;
    server_name api.example.com;
    location / {
      set $cors "";
      if ($http_origin ~* "^https://(www|app)\.shop\.example$") { set $cors "true"; }
      if ($request_method = OPTIONS) { set $cors "${cors}options"; }
      if ($cors = "true") {
        add_header Access-Control-Allow-Origin $http_origin always;
        add_header Access-Control-Allow-Credentials true always;
        add_header Vary Origin always;
      }
      if ($cors = "trueoptions") {
        add_header Access-Control-Allow-Origin $http_origin;
        add_header Access-Control-Allow-Credentials true;
        add_header Access-Control-Allow-Methods "GET, PUT, PATCH";
        add_header Access-Control-Allow-Headers $http_access_control_request_headers;
        add_header Access-Control-Max-Age 1728000;
        return 204;
      }
      proxy_pass http://upstream;
    }
    location ^~ /static/ {
      add_header Access-Control-Allow-Origin https://www.shop.example;
      proxy_pass http://upstream;
    }
  }
}
"#;

#[test]
fn the_report_on_settings_of_nginx_names_what_a_real_nginx_does_otherwise() {
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    let mut requests = 0;
    // An answer of the file itself is no application that could be asked.
    for settings in [&MAPPED.replace("return 200;", "proxy_pass http://upstream;"), CONDITIONAL] {
        let nginx = ReverseProxy::start("nginx", |folder, address, upstream| {
            configure(settings, folder, address, upstream)
        });
        requests +=
            compare(&import(Source::Nginx, "nginx.conf", settings), &mut fixture, |_, exchange| {
                nginx.answer(exchange)
            });
    }
    assert!(requests >= FEWEST, "{requests}");
}

/// Writes the settings with those of the machine.
fn configure(settings: &str, folder: &Path, address: SocketAddr, upstream: SocketAddr) -> Command {
    let path = folder.display();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let around: String =
        kinds.into_iter().map(|kind| format!("{kind}_temp_path {path}/{kind};\n")).collect();
    let text = settings
        .replace(
            "include mime.types;",
            &format!("access_log off; proxy_http_version 1.1;\n{around}"),
        )
        .replace("listen 80;", &format!("listen {address};"))
        .replace("http://upstream", &format!("http://{upstream}"));
    let file = folder.join("nginx.conf");
    let head = format!("daemon off; master_process off; pid {path}/nginx.pid;\n");
    fs::write(&file, head + &text).unwrap();
    let mut command = Command::new(tools::nginx().unwrap());
    command.arg("-p").arg(folder).arg("-c").arg(&file).args(["-e", "stderr"]);
    command
}
