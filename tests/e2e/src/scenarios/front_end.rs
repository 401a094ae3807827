//! A front end in React, with `fetch` and Axios, in a real browser: what it sees without corsward, and with it.

mod browser;

use anyhow::{Context, Result, ensure};
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::cluster::socks_proxy::header;
use corsward_test_harness::eventually::eventually;
use serde_json::json;

use self::browser::{Browser, Visit};
use super::backends::{policy, start};
use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::new(
    "a React front end logs in, reads every error, and no other page does: with corsward, and not without",
    front_end,
)];

/// The results of the page's calls, without corsward and with it.
const OURS: [(&str, &str, &str); 23] = [
    ("csrf token", "blocked", "read 200"),
    ("login", "blocked", "read 200 as alice"),
    ("session", "blocked", "read 200 as alice"),
    ("orders", "blocked", "read 200 as alice"),
    ("order", "blocked", "read 201 as alice"),
    ("order without the CSRF token", "blocked", "read 403"),
    ("orders without a login: 401", "blocked", "read 401"),
    ("orders with a token in a header", "blocked", "read 200 as alice"),
    ("reports without permission: 403", "blocked", "read 403"),
    ("405 on OPTIONS", "blocked", "read 200"),
    // The page itself is sound: a back end that is set up well needs nobody.
    ("django-cors-headers alone", "read 200 as nobody", "read 200 as nobody"),
    ("two layers, two headers", "blocked", "read 200 as nobody"),
    ("`*` with credentials", "blocked", "read 200"),
    ("whoever asks is allowed", "read 200", "read 200"),
    ("a list of origins", "blocked", "read 200"),
    ("a header doubled by its own server", "blocked", "read 200"),
    ("nginx, 200", "read 200 as nobody", "read 200 as nobody"),
    ("nginx loses its headers on a 401", "blocked", "read 401"),
    ("a dead upstream: 502", "blocked", "read 502"),
    ("a static 404", "read 404", "read 404"),
    ("prices from the cache", "read 200", "read 200"),
    ("cookie of the socket", "blocked", "read 200"),
    ("socket", "open as alice", "open as alice"),
];

/// The results of a foreign page in the same browser without corsward; with it, nothing.
const OF_A_STRANGER: [(&str, &str); 5] = [
    ("two layers, two headers", "read 200 as nobody"),
    ("whoever asks is allowed", "read 200"),
    ("nginx, 200", "read 200 as nobody"),
    ("a static 404", "read 404"),
    ("socket", "open as alice"),
];

/// The console's messages without corsward, as users quote them in their questions.
const COMPLAINTS: [&str; 4] = [
    "No 'Access-Control-Allow-Origin' header is present on the requested resource",
    "Response to preflight request doesn't pass access control check",
    "header contains multiple values",
    "must not be the wildcard '*' when the request's credentials mode is 'include'",
];

fn front_end(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("front-end")?;
    start(&ns)?;
    without_corsward(cluster, &ns).context("without corsward")?;

    let all = format!("*.{}.svc.cluster.local", ns.name);
    ns.policy("front-end", &policy(&ns, &[all]))?;
    let mut sockets = policy(&ns, &[ns.host("sockets")]);
    sockets["disallowedRequests"] = json!("Reject");
    ns.policy("sockets", &sockets)?;
    wait_for_policies(cluster, &ns)?;
    with_corsward(cluster, &ns).context("with corsward")
}

fn without_corsward(cluster: &ScenarioCluster, ns: &TestNamespace<'_>) -> Result<()> {
    let mut browser = Browser::open(cluster.socks_proxy())?;
    let visit = visit(&mut browser, ns, "front")?;
    ensure_agreement(&visit, &OURS.map(|(id, without, _)| (id, without)))?;
    for complaint in COMPLAINTS {
        let said = visit.errors.iter().any(|error| error.contains(complaint));
        ensure!(said, "the console does not say `{complaint}`: {:#?}", visit.errors);
    }
    // The shared cache hands out what was made for the first page.
    let admin = self::visit(&mut browser, ns, "admin")?;
    let prices = admin.rows.iter().find(|(id, _)| id == "prices from the cache");
    ensure!(prices.is_some_and(|(_, said)| said == "blocked"), "{prices:?}");

    let stranger = self::visit(&mut browser, ns, "stranger")?;
    ensure_agreement(&stranger, &of_a_stranger(&OF_A_STRANGER))?;
    browser.close()
}

fn with_corsward(cluster: &ScenarioCluster, ns: &TestNamespace<'_>) -> Result<()> {
    let mut browser = Browser::open(cluster.socks_proxy())?;
    let expected = OURS.map(|(id, _, with)| (id, with));
    for page in ["front", "admin", "front"] {
        ensure_agreement(&visit(&mut browser, ns, page)?, &expected).context(page)?;
    }
    // With the cookies of our user.
    let stranger = visit(&mut browser, ns, "stranger")?;
    ensure_agreement(&stranger, &of_a_stranger(&[("socket", "refused")])).context("a stranger")?;
    browser.close()
}

/// Every call blocked, except these.
fn of_a_stranger(except: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let said = |id: &str| except.iter().find(|(one, _)| *one == id).map(|(_, said)| *said);
    OURS.iter().map(|(id, _, _)| (*id, said(id).unwrap_or("blocked"))).collect()
}

fn visit(browser: &mut Browser, ns: &TestNamespace<'_>, page: &str) -> Result<Visit> {
    browser.visit(&format!("http://{}/", ns.host(page)))
}

fn ensure_agreement(visit: &Visit, expected: &[(&str, &str)]) -> Result<()> {
    let wrong = visit.disagreements(expected);
    ensure!(wrong.is_empty(), "the page disagrees: {wrong:#?}; the console: {:#?}", visit.errors);
    // Any other failure would look the same to the page.
    let blocked = expected.iter().filter(|(_, said)| *said == "blocked").count();
    let said = visit.errors.iter().filter(|error| error.contains("blocked by CORS policy")).count();
    ensure!(said >= blocked, "{said} of {blocked} are CORS's doing: {:#?}", visit.errors);
    Ok(())
}

/// Waits until the pods of both policies keep them.
fn wait_for_policies(cluster: &ScenarioCluster, ns: &TestNamespace<'_>) -> Result<()> {
    let front = format!("http://{}", ns.host("front"));
    let stranger = format!("http://{}", ns.host("stranger"));
    let socks_proxy = cluster.socks_proxy();
    eventually("the front end's policy", || {
        let preflight = socks_proxy.preflight(&ns.host("api"), "/login", &front, "PUT", "")?;
        let allowed = header(&preflight, "access-control-allow-origin")?;
        Ok(allowed.as_ref() == Some(&front))
    })?;
    eventually("the sockets' policy", || {
        let answer = socks_proxy.get(&ns.host("sockets"), "/", Some(&stranger))?;
        Ok(answer.status == 403)
    })?;
    // The cache keeps what it was given before, as caches do.
    ns.restart("front")
}
