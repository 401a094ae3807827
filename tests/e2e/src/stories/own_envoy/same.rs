//! The same back ends behind injected sidecars and behind Envoys of their own: the same answers.

use anyhow::{Result, ensure};
use serde_json::json;

use super::pods::{App, Pods};
use super::shares;
use crate::cluster::Cluster;
use crate::door::{ALLOW_ORIGIN, header, request};
use crate::place::Place;
use crate::sharing::STRANGER;
use crate::until::until;
use crate::workload::Workload;

/// Status and header lines.
type Seen = (u16, Vec<(String, String)>);

/// An origin that no back end allows by itself.
const OURS: &str = "https://ours.example";

const ORIGINS: [Option<&str>; 3] = [Some(OURS), Some(STRANGER), None];

const ASKED: [(&str, &str); 7] = [
    ("GET", "/"),
    ("GET", "/session"),
    ("GET", "/orders"),
    ("GET", "/star"),
    ("GET", "/nowhere"),
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

const APPS: [App<'static>; 4] = [NONE, BY_HAND, PRICES, DOUBLED];

pub(super) fn the_same_answers(cluster: &Cluster) -> Result<()> {
    let meshed = cluster.meshed("own-envoy-mesh")?;
    for App { name, command, .. } in &APPS {
        meshed.run(&Workload::new(name).command(command).port("http", 80, 8080))?;
    }
    cover(&meshed)?;
    let in_the_mesh = answers(cluster, &meshed)?;

    let pods = Pods::switch_to_config_maps(cluster)?;
    let plain = cluster.place("own-envoy-plain")?;
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

fn cover(place: &Place<'_>) -> Result<()> {
    let cors =
        json!({ "allowOrigins": [OURS], "allowMethods": ["PUT"], "allowHeaders": ["x-ours"] });
    place.policy("all", &json!({ "cors": cors }))
}

/// What each back end answers to each request of each origin, once the policy is in force.
fn answers(cluster: &Cluster, place: &Place<'_>) -> Result<Vec<(String, Seen)>> {
    let mut seen = Vec::new();
    for App { name, .. } in &APPS {
        let host = place.host(name);
        until(&format!("the policy at {host}"), || {
            let answer = cluster.door().get(&host, "/nowhere", Some(OURS))?;
            Ok((answer.status < 500 && shares(&answer)?).then_some(()))
        })?;
        for ((method, path), origin) in
            ASKED.iter().flat_map(|asked| ORIGINS.map(|origin| (asked, origin)))
        {
            let asks = [("access-control-request-method", "PUT")];
            let more = if *method == "OPTIONS" { &asks[..] } else { &[] };
            let answer =
                cluster.door().send(&host, 80, &request(method, &host, path, origin, more))?;
            let mut lines: Vec<(String, String)> = answer
                .lines(is_about_cors)
                .map(|(name, value)| (name, String::from_utf8_lossy(value).into_owned()))
                .collect();
            lines.sort();
            let shared = (origin == Some(OURS)).then(|| OURS.to_owned());
            ensure!(header(&answer, ALLOW_ORIGIN)? == shared, "{host} {path}: {answer:?}");
            seen.push((format!("{name}: {method} {path} of {origin:?}"), (answer.status, lines)));
        }
    }
    Ok(seen)
}

fn is_about_cors(name: &str) -> bool {
    name.starts_with("access-control-") || name == "vary"
}
