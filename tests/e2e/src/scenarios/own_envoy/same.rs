//! The same back ends behind injected sidecars and behind Envoys of their own: the same answers.

use anyhow::{Result, ensure};
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::cluster::socks_proxy::{ALLOW_ORIGIN, header, request};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::workload::Workload;
use serde_json::json;
use xtask::envoy::Shell;

use super::pods::{App, Pods};
use super::shares;
use crate::scenario_cluster::ScenarioCluster;
use crate::sharing::STRANGER;

/// Status and header lines.
type Seen = (u16, Vec<(String, String)>);

/// An origin that no back end allows by itself.
const OURS: &str = "https://ours.example";

const ORIGINS: [Option<&str>; 3] = [Some(OURS), Some(STRANGER), None];

/// The path of the WebSocket, and the headers of its handshake.
const HANDSHAKE: &str = "/socket";
const UPGRADE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

const ASKED: [(&str, &str); 10] = [
    ("GET", "/"),
    ("GET", "/session"),
    ("GET", "/orders"),
    ("GET", "/star"),
    ("GET", "/nowhere"),
    ("GET", "/menu.json"),
    ("GET", "/dead"),
    ("GET", HANDSHAKE),
    ("PUT", "/stock"),
    ("OPTIONS", "/stock"),
];

/// Django without CORS.
const NONE: App<'static> = App {
    name: "none",
    command: &[
        "env",
        "DJANGO_SETTINGS_MODULE=shop.settings",
        "python3",
        "-m",
        "gunicorn",
        "--bind=0.0.0.0:8080",
        "--keep-alive=75",
        "shop.wsgi",
    ],
    probe: "/session",
    config_map: "corsward",
};

/// Django with headers written by hand, each in its own wrong way.
const BY_HAND: App<'static> = App {
    name: "by-hand",
    command: &[
        "env",
        "DJANGO_SETTINGS_MODULE=shop.settings.by_hand",
        "python3",
        "-m",
        "gunicorn",
        "--bind=0.0.0.0:8080",
        "--keep-alive=75",
        "shop.by_hand",
    ],
    probe: "/star",
    config_map: "corsward",
};

/// A Node.js server with CORS by hand.
const PRICES: App<'static> = App {
    name: "prices",
    command: &["node", "/apps/node/prices.js", "8080"],
    probe: "/",
    config_map: "corsward",
};

/// Django with django-cors-headers, and an nginx before it that adds the same headers.
const DOUBLED: App<'static> = App {
    name: "doubled",
    command: &[
        "sh",
        "-c",
        "DJANGO_SETTINGS_MODULE=shop.settings.cors_headers python3 -m gunicorn --bind=127.0.0.1:8002 --keep-alive=75 shop.wsgi & \
         exec nginx -c /apps/nginx/in-front-of-django.conf",
    ],
    probe: "/session",
    config_map: "corsward",
};

/// Django without CORS, and an nginx before it that adds headers to answers of some statuses only, and has a dead upstream.
const LOSING: App<'static> = App {
    name: "losing",
    command: &[
        "sh",
        "-c",
        "DJANGO_SETTINGS_MODULE=shop.settings python3 -m gunicorn --bind=127.0.0.1:8001 --keep-alive=75 shop.wsgi & \
         sed -e 's/listen 8080;/listen 9080;/' -e 's#listen 8081;#listen 8080; location /dead { proxy_pass http://127.0.0.1:9; }#' \
         /apps/nginx/in-front-of-django.conf > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf",
    ],
    probe: "/session",
    config_map: "corsward",
};

/// Files, by an nginx that adds headers always.
const ALWAYS: App<'static> = App {
    name: "always",
    command: &[
        "sh",
        "-c",
        "sed -e 's/listen 8080;/listen 9080;/' -e 's/listen 8083;/listen 8080;/' /apps/nginx/in-front-of-django.conf > /tmp/nginx.conf && \
         exec nginx -c /tmp/nginx.conf",
    ],
    probe: "/menu.json",
    config_map: "corsward",
};

/// A WebSocket.
const SOCKETS: App<'static> = App {
    name: "sockets",
    command: &["node", "/apps/node/sockets.js", "8080"],
    probe: "/",
    config_map: "corsward",
};

const APPS: [App<'static>; 7] = [NONE, BY_HAND, PRICES, DOUBLED, LOSING, ALWAYS, SOCKETS];

pub(super) fn the_same_answers(cluster: &ScenarioCluster) -> Result<()> {
    let meshed = cluster.meshed("own-envoy-mesh")?;
    for App { name, command, .. } in &APPS {
        meshed.run(&Workload::new(name).command(command).port("http", 80, 8080))?;
    }
    cover(&meshed)?;
    let in_the_mesh = answers(cluster, &meshed)?;

    let pods = Pods::switch_to_config_maps(cluster, Shell::Wasm)?;
    let plain = cluster.test_namespace("own-envoy-plain")?;
    cover(&plain)?;
    for app in &APPS {
        pods.run(&plain, app)?;
    }
    let by_themselves = answers(cluster, &plain)?;
    for ((asked, mesh), (_, own)) in in_the_mesh.iter().zip(&by_themselves) {
        ensure!(mesh == own, "{asked}\nin the mesh {mesh:#?}\nwith an Envoy of its own {own:#?}");
    }
    cluster.figure("answers compared", in_the_mesh.len());
    pods.switch_back()
}

fn cover(ns: &TestNamespace<'_>) -> Result<()> {
    let cors =
        json!({ "allowOrigins": [OURS], "allowMethods": ["PUT"], "allowHeaders": ["x-ours"] });
    ns.policy("all", &json!({ "cors": cors })).map(drop)
}

/// The answer of each back end to each request of each origin, once the policy is in force.
fn answers(cluster: &ScenarioCluster, ns: &TestNamespace<'_>) -> Result<Vec<(String, Seen)>> {
    let mut seen = Vec::new();
    for App { name, .. } in &APPS {
        let host = ns.host(name);
        eventually(&format!("the policy at {host}"), || {
            let answer = cluster.socks_proxy().get(&host, "/nowhere", Some(OURS))?;
            Ok(answer.status < 500 && shares(&answer)?)
        })?;
        let asked = ASKED.iter().filter(|(_, path)| *path != HANDSHAKE || *name == SOCKETS.name);
        for ((method, path), origin) in
            asked.flat_map(|asked| ORIGINS.map(|origin| (asked, origin)))
        {
            let asks = [("access-control-request-method", "PUT")];
            let more = match (*method, *path) {
                ("OPTIONS", _) => &asks[..],
                (_, HANDSHAKE) => &UPGRADE,
                _ => &[],
            };
            let answer = cluster.socks_proxy().send(
                &host,
                80,
                &request(method, &host, path, origin, more),
            )?;
            let mut lines: Vec<(String, String)> = answer
                .lines(is_about_cors)
                .map(|(name, value)| (name, String::from_utf8_lossy(value).into_owned()))
                .collect();
            lines.sort();
            // No browser looks for the header in the answer to a handshake.
            if *path == HANDSHAKE {
                ensure!(answer.status == 101, "{host}: {answer:?}");
            } else {
                let shared = (origin == Some(OURS)).then(|| OURS.to_owned());
                ensure!(header(&answer, ALLOW_ORIGIN)? == shared, "{host} {path}: {answer:?}");
            }
            seen.push((format!("{name}: {method} {path} of {origin:?}"), (answer.status, lines)));
        }
    }
    Ok(seen)
}

fn is_about_cors(name: &str) -> bool {
    name.starts_with("access-control-") || name == "vary"
}
