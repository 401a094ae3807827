//! The runner against a real Envoy, without the filter.

use std::net::TcpListener;

use serde_json::json;

use super::*;
use crate::tools;

fn binary() -> PathBuf {
    tools::envoy(tools::ENVOY_VERSION).unwrap()
}

fn direct(status: u16) -> serde_json::Value {
    json!({ "match": { "prefix": "/" }, "direct_response": { "status": status } })
}

#[test]
fn an_envoy_starts_on_free_ports_answers_and_stops() {
    let directory = tempfile::tempdir().unwrap();
    let bootstrap = Bootstrap::new().listener(Listener::new("main").routes([direct(204)]));
    let envoy = Envoy::start(&binary(), &bootstrap, directory.path()).unwrap();
    let url = format!("http://{}/", envoy.address("main").unwrap());
    assert_eq!(ureq::get(url).call().unwrap().status(), 204);
    assert_eq!(envoy.stats().unwrap()["http.main.downstream_rq_2xx"], 1);
    assert!(envoy.config_dump().unwrap()["configs"].is_array());
    envoy.stop().unwrap();
}

#[test]
fn an_upstream_without_endpoints_is_answered_503() {
    let directory = tempfile::tempdir().unwrap();
    let bootstrap = Bootstrap::new()
        .listener(Listener::new("main").routes([route("/", "nobody")]))
        .empty_upstream("nobody");
    let envoy = Envoy::start(&binary(), &bootstrap, directory.path()).unwrap();
    let url = format!("http://{}/", envoy.address("main").unwrap());
    let answer = ureq::get(url).config().http_status_as_error(false).build().call().unwrap();
    assert_eq!(answer.status(), 503);
}

#[test]
fn a_refused_bootstrap_shows_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let bootstrap = Bootstrap::new().cluster(json!({ "nmae": "typing error" }));
    let error = Envoy::start(&binary(), &bootstrap, directory.path()).unwrap_err();
    assert!(error.to_string().contains("nmae"), "{error:#}");
}

#[test]
fn a_taken_port_is_refused_not_shared() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = Listener::new("main").at(taken.local_addr().unwrap()).routes([direct(204)]);
    let error = Envoy::start(&binary(), &Bootstrap::new().listener(listener), directory.path())
        .unwrap_err();
    assert!(error.to_string().contains("Address already in use"), "{error:#}");
}

#[test]
fn envoy_warns_about_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let refusals = Refusals::File(directory.path().join("refusals.log"));
    let bootstrap = Bootstrap::forwarding("127.0.0.1:9".parse().unwrap(), [])
        .listener(Listener::new("second").refusals(refusals).routes([direct(200)]));
    let envoy = Envoy::start(&binary(), &bootstrap, directory.path()).unwrap();
    let log = envoy.log().unwrap();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("[warning]")).collect();
    assert_eq!(warnings, Vec::<&str>::new());
}

#[test]
fn the_stats_tags_of_the_docs_are_those_of_the_runner() {
    let file = crate::paths::root().join("docs/stats-tags.yaml");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, stats_tags::document()).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(written, stats_tags::document(), "write it with UPDATE_GOLDEN=1");
}
