//! The corpus and the vectors, each case sent through an injected sidecar, and judged as everywhere else.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};
use corsward_test_harness::case::Case;
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::cluster::socks_proxy::SocksProxy;
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::policies;
use corsward_test_harness::workload::Workload;
use corsward_tests::differences::{differences, report};
use corsward_tests::suite::{self, Suite};
use serde_json::{Value, json};

use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;
use crate::sharing::SHOP;
use crate::upstream::{ANSWER, answering, without_mark};

/// Number of cases under way at a time.
const CLIENTS: usize = 4;

/// Number of wrong answers that are printed in full.
const TOLD: usize = 10;

/// The machines whose limits a sidecar has: it is an Envoy.
const MACHINES: [&str; 2] = ["envoy", "mesh"];

/// The status that opens a web socket, and the header lines that belong to it.
const SWITCHING: u16 = 101;
const OPENING: [&str; 3] = ["connection", "upgrade", "sec-websocket-accept"];

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::new(
    "every case of the corpus and of the vectors is answered by a sidecar as it should be",
    every_case_is_answered_as_it_should_be,
)];

fn every_case_is_answered_as_it_should_be(cluster: &ScenarioCluster) -> Result<()> {
    let suites = Suite::all()?;
    let skips = skips()?;
    let ns = cluster.meshed("corpus")?;
    // The one policy of the corpus that selects pods selects these.
    ns.run(&Workload::echo("near"))?;
    let (mut cases, mut wrong) = (0, Vec::new());
    // The large group comes last: there is no need to delete it.
    for (number, group) in Suite::groups(&suites).into_iter().rev().enumerate() {
        ns.read(&["delete", "corspolicies", "--all"])?;
        let policies = group.iter().flat_map(|suite| &suite.policies);
        put_in_force(&ns, cluster.socks_proxy(), &policies.collect::<Vec<_>>(), number)?;
        let able = group.iter().flat_map(|suite| &suite.cases);
        let able: Vec<&Case> = able.filter(|case| !skips.contains_key(&case.id())).collect();
        cases += able.len();
        wrong.extend(ask(cluster.socks_proxy(), &ns.host("near"), &ns.name, &able)?);
    }
    cluster.figure("cases through a sidecar", cases);
    for (case, reason) in &skips {
        cluster.figure("skipped", format!("{case}: {reason}"));
    }
    if !wrong.is_empty() {
        let told = wrong.get(..TOLD).unwrap_or(&wrong);
        bail!("{} of {cases} answers are wrong:\n{}", wrong.len(), told.join("\n"));
    }
    Ok(())
}

/// Cases that a sidecar cannot run, with the reason.
fn skips() -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for machine in MACHINES {
        all.extend(suite::skips(machine)?);
    }
    Ok(all)
}

/// Applies the policies in the order of their age, and waits until the proxy has them.
fn put_in_force(
    ns: &TestNamespace<'_>,
    socks_proxy: SocksProxy,
    policies: &[&Value],
    number: usize,
) -> Result<()> {
    let age = |policy: &Value| policy["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
    let (mut aged, ageless): (Vec<&Value>, Vec<&Value>) =
        policies.iter().partition(|policy| age(policy).is_some());
    aged.sort_by_key(|policy| age(policy));
    for policy in aged {
        ns.create(&moved(policy)?.to_string())?;
        // A creationTimestamp has seconds.
        let second = since_epoch()?;
        eventually("the next second", || Ok(since_epoch()? > second))?;
    }
    let sentinel = format!("sentinel-{number}.test");
    let spec = json!({ "hostnames": [sentinel], "cors": { "allowOrigins": [SHOP] } });
    let mut items = ageless.into_iter().map(moved).collect::<Result<Vec<_>>>()?;
    // Nor may age decide where it is the name that should.
    items.sort_by_key(|policy| policy["metadata"]["name"].to_string());
    let spec = spec.as_object().cloned().unwrap_or_default();
    items.push(moved(&policies::policy("stand", &format!("sentinel-{number}"), spec))?);
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    ns.create(&list.to_string())?;
    eventually(&format!("the policies of group {number}"), || {
        let asked = corsward_test_harness::cluster::socks_proxy::request(
            "GET",
            &sentinel,
            "/",
            Some(SHOP),
            &[],
        );
        let answer = socks_proxy.send(&ns.host("near"), 80, &asked)?;
        Ok(answer.get(corsward_test_harness::cluster::socks_proxy::ALLOW_ORIGIN).map(drop))
    })
}

/// A policy as it is in the scenario's namespace: its name says which one the corpus has it in, so that names keep their order.
fn moved(policy: &Value) -> Result<Value> {
    let word = |key: &str| policy["metadata"][key].as_str().context("a policy has a name");
    let name = moved_name(word("namespace")?, word("name")?);
    let mut policy = policy.clone();
    policy["metadata"] = json!({ "name": name });
    Ok(policy)
}

fn moved_name(namespace: &str, name: &str) -> String {
    format!("{namespace}.{name}")
}

fn since_epoch() -> Result<u64> {
    Ok(SystemTime::UNIX_EPOCH.elapsed()?.as_secs())
}

/// Sends every case; the reports of those that are answered wrongly.
fn ask(
    socks_proxy: SocksProxy,
    host: &str,
    namespace: &str,
    cases: &[&Case],
) -> Result<Vec<String>> {
    let (next, wrong, broken) = (AtomicUsize::new(0), Mutex::default(), Mutex::default());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match ask_one(socks_proxy, host, &expecting(case, namespace)) {
                        Ok(found) => push(&wrong, found),
                        Err(error) => push(&broken, Some(format!("{}: {error:#}", case.id()))),
                    }
                }
            });
        }
    });
    let broken: Vec<String> = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(broken.is_empty(), "no answer to {}:\n{}", broken.len(), broken.join("\n"));
    Ok(wrong.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn push(list: &Mutex<Vec<String>>, item: Option<String>) {
    list.lock().unwrap_or_else(PoisonError::into_inner).extend(item);
}

fn ask_one(socks_proxy: SocksProxy, host: &str, case: &Case) -> Result<Option<String>> {
    let mut asked = case.request.clone();
    let mut lines = case.upstream.headers.clone();
    if case.upstream.status == SWITCHING {
        // The back end opens web sockets by itself.
        lines.retain(|(name, _)| !OPENING.iter().any(|one| name.eq_ignore_ascii_case(one)));
    }
    let wanted = answering(case.upstream.status, &lines);
    asked.headers.push((ANSWER.to_owned(), wanted.into_bytes()));
    let answer = without_mark(socks_proxy.send(host, 80, &asked)?);
    let wrong = differences(case, &answer);
    Ok((!wrong.is_empty()).then(|| report(case, &answer, &wrong)))
}

/// The case with its policies under the names they have here.
fn expecting(case: &Case, namespace: &str) -> Case {
    let mut case = case.clone();
    let there = format!("{}/", case.suite);
    for (_, part) in &mut case.expect.contains {
        if let Some(name) = part.strip_prefix(&there) {
            *part = format!("{namespace}/{}", moved_name(&case.suite, name));
        }
    }
    case
}
