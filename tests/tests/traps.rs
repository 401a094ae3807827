//! Traffic after the filter's machine dies under a request, which the shipped filter never does.

use std::thread;
use std::time::{Duration, Instant};

use corsward_test_harness::case::Request;
use corsward_test_harness::envoy_fixture::{EnvoyFixture, cross_origin, module_for, request};
use corsward_test_harness::{client, policies, upstream};
use serde_json::json;
use xtask::envoy::{Plugin, Shell, Stats};
use xtask::{tools, wasm};

const SHOP: &str = "https://shop.example";
const HOST: &str = "shop.traps.test";

/// For how long Envoy makes no second machine in place of a dead one.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Interval of the heartbeats of each of the filter's machines.
const HEARTBEAT: Duration = Duration::from_secs(5);

#[test]
fn a_request_that_traps_fails_alone_and_the_next_one_meets_a_fresh_machine() {
    let mut fixture = fixture("FAIL_RELOAD");
    // Nothing tells that the back-off has passed.
    thread::sleep(BACK_OFF * 2);
    assert_eq!(send_trap(&fixture), 503);
    assert_eq!(answer(&fixture), (200, true), "the fresh machine has the configuration");
    let stats = fixture.envoy().stats().unwrap();
    assert_eq!(stats["wasm.corsward.vm_reload_success"], 1);
    assert_eq!(stats["wasm.corsward.vm_reload_backoff"], 0);
    assert!(log_names_the_trap(&mut fixture));
}

#[test]
fn a_machine_that_dies_at_once_again_is_replaced_after_the_back_off() {
    let mut fixture = fixture("FAIL_RELOAD");
    thread::sleep(BACK_OFF * 2);
    assert_eq!(send_trap(&fixture), 503);
    assert_eq!(answer(&fixture), (200, true));
    assert_eq!(send_trap(&fixture), 503);
    // Meanwhile everybody's requests fail, and this is why a filter must not trap.
    assert_eq!(answer(&fixture), (503, false));
    let begun = Instant::now();
    let address = fixture.address().unwrap();
    fixture
        .envoy()
        .wait_for("a fresh machine", |_| {
            Ok(client::send(address, &cross_origin(HOST, SHOP), &[])?.status == 200)
        })
        .unwrap();
    println!("figure: requests failed for {:?} after a second trap", begun.elapsed());
    assert_eq!(answer(&fixture), (200, true));
    let stats = fixture.envoy().stats().unwrap();
    assert_eq!(stats["wasm.corsward.vm_reload_success"], 2);
    assert!(stats["wasm.corsward.vm_reload_backoff"] > 0);
}

#[test]
fn failing_open_requests_pass_a_dead_machine_unfiltered_until_the_next_configuration() {
    let mut fixture = fixture("FAIL_OPEN");
    fixture.envoy().wait_for("a heartbeat", |admin| Ok(heartbeats(&admin.stats()?) > 0)).unwrap();
    let before = failures(&fixture.envoy().stats().unwrap());
    assert_eq!(send_trap(&fixture), 503);
    let (alive, begun) = (heartbeats(&fixture.envoy().stats().unwrap()), Instant::now());
    for _ in 0..20 {
        assert_eq!(answer(&fixture), (200, false));
    }
    assert!(log_names_the_trap(&mut fixture));
    let after = failures(&fixture.envoy().stats().unwrap());
    assert_eq!(after, before, "Envoy itself counts nothing when a filter fails open");
    // That nothing comes any more can only be waited for. The main thread's own machine lives on; with the worker's it would be twice that.
    thread::sleep(HEARTBEAT * 3);
    let beats = heartbeats(&fixture.envoy().stats().unwrap()) - alive;
    let of_one = begun.elapsed().as_secs() / HEARTBEAT.as_secs() + 1;
    assert!(beats <= of_one, "{beats} heartbeats, of one machine {of_one}");
    configure(&mut fixture);
    assert_eq!(answer(&fixture), (200, true), "a new configuration brings a new machine");
}

#[test]
fn requests_whose_machine_dies_while_the_upstream_thinks_fail_with_it() {
    for policy in ["FAIL_RELOAD", "FAIL_OPEN"] {
        let fixture = fixture(policy);
        fixture.upstream().hold("slow");
        let address = fixture.address().unwrap();
        let slow = thread::spawn(move || {
            client::send(address, &cross_origin(HOST, SHOP), &[(upstream::CASE, "slow")])
        });
        fixture.upstream().wait_for_request("slow");
        assert_eq!(send_trap(&fixture), 503);
        fixture.upstream().release("slow");
        assert_eq!(slow.join().unwrap().unwrap().status, 503, "{policy}");
    }
}

#[test]
fn the_alerts_about_filters_ask_for_metrics_that_envoy_has() {
    let template = xtask::paths::root().join("charts/corsward/templates/prometheusrule.yaml");
    let template = std::fs::read_to_string(template).unwrap();
    let (_, about_proxies) = template.split_once("-proxies").unwrap();
    let expressions = about_proxies.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named: Vec<&str> = expressions
        .flat_map(|expression| expression.split(|c| !is_part(c)))
        .filter(|word| word.contains("corsward") || word.starts_with("envoy_"))
        .collect();
    assert!(named.len() >= 4, "{named:?}");
    let mut wasm = fixture("FAIL_RELOAD");
    wasm.envoy().wait_for("a heartbeat", |admin| Ok(heartbeats(&admin.stats()?) > 0)).unwrap();
    let module = module_for(Shell::Native).unwrap();
    // An earlier Envoy loads no native filter.
    let native = EnvoyFixture::plan_with(Plugin::new(&module)).unwrap();
    let mut native = native.envoy_version(tools::ENVOY_VERSION).start().unwrap();
    configure(&mut native);
    let pages = [wasm, native].map(|mut fixture| fixture.envoy().admin().prometheus().unwrap());
    for name in named {
        let sample = format!("\n{name}{{}} ");
        assert!(pages.iter().any(|page| page.contains(&sample)), "{name}: {pages:?}");
    }
}

/// A stand that enforces a policy by the module that traps.
fn fixture(policy: &'static str) -> EnvoyFixture {
    let plugin = Plugin::new(&wasm::trapping().unwrap()).failing(policy);
    let mut fixture = EnvoyFixture::plan_with(plugin).unwrap().start().unwrap();
    configure(&mut fixture);
    assert_eq!(answer(&fixture), (200, true), "{policy}");
    fixture
}

fn configure(fixture: &mut EnvoyFixture) {
    let spec = json!({ "cors": { "allowOrigins": [SHOP] } });
    let policy = policies::policy("traps", "shop", spec.as_object().cloned().unwrap());
    fixture.configure(&[&policy]).unwrap();
}

/// The status of a request that traps.
fn send_trap(fixture: &EnvoyFixture) -> u16 {
    let names: Vec<String> = (0..wasm::TRAPPED_HEADERS).map(|at| format!("x-{at}")).collect();
    let lines: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let trap: Request = request("GET", HOST, &lines);
    fixture.send(&trap, &[]).unwrap().status
}

/// The status of a further request, and whether its answer is shared with the shop.
fn answer(fixture: &EnvoyFixture) -> (u16, bool) {
    let answer = fixture.send(&cross_origin(HOST, SHOP), &[]).unwrap();
    (answer.status, answer.get("access-control-allow-origin").is_some())
}

fn log_names_the_trap(fixture: &mut EnvoyFixture) -> bool {
    fixture.envoy().log().unwrap().contains("Function: proxy_on_request_headers failed")
}

fn heartbeats(stats: &Stats) -> u64 {
    stats.get("wasmcustom.corsward.heartbeats").copied().unwrap_or_default()
}

/// Envoy's counters of machines.
fn failures(stats: &Stats) -> Stats {
    let of_machines = stats.iter().filter(|(name, _)| name.starts_with("wasm."));
    of_machines.map(|(name, count)| (name.clone(), *count)).collect()
}
