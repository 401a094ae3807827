//! Traffic while the configuration changes, is bad, or goes away.

use std::process::{Command, Stdio};
use std::thread;

use corsward_policy::wire::OnInvalid;
use corsward_test_harness::envoy_fixture::{EnvoyFixture, cross_origin, preflight, request};
use corsward_test_harness::{case, client, policies, upstream};
use serde_json::{Value, json};
use xtask::envoy::{Listener, Slot, route};
use xtask::tools;

const SHOP: &str = "https://shop.example";
const HOST: &str = "shop.configuration.test";

/// Configurations that no filter can use, each under both kinds of `onInvalid` where it says which.
fn bad_configurations() -> Vec<(&'static str, String)> {
    let good = policies::compile(&[&shop(SHOP)]).unwrap().0;
    let envelope = policies::envelope(good, OnInvalid::Reject);
    let compiled = |text: &str, on_invalid| policies::envelope(text.to_owned(), on_invalid);
    vec![
        ("empty", String::new()),
        ("not JSON", "\u{0}\u{7f}nonsense".into()),
        ("JSON, but no envelope", "[]".into()),
        ("a truncated envelope", envelope[..envelope.len() / 2].to_owned()),
        (
            "a future envelope",
            r#"{"v":99,"digest":"","onInvalid":"Reject","compiled":"{}"}"#.into(),
        ),
        ("compiled nonsense, Reject", compiled("nonsense", OnInvalid::Reject)),
        ("compiled nonsense, Keep", compiled("nonsense", OnInvalid::Keep)),
        (
            "longer than any publisher writes, Reject",
            compiled(&" ".repeat(5 << 20), OnInvalid::Reject),
        ),
        ("half a compiled form, Reject", compiled(r#"{"policies":[{"#, OnInvalid::Reject)),
        ("half a compiled form, Keep", compiled(r#"{"policies":[{"#, OnInvalid::Keep)),
    ]
}

#[test]
fn a_cold_start_with_bad_bytes_serves_requests_as_if_there_were_no_filter() {
    for (why, bad) in bad_configurations() {
        let plan = EnvoyFixture::plan().unwrap();
        plan.slot().publish(&plan.plugin().clone().configured(&bad), "1").unwrap();
        let fixture = plan.start().unwrap();
        let answer = fixture.send(&cross_origin(HOST, SHOP), &[]).unwrap();
        assert_eq!(answer.status, 200, "{why}");
        assert_eq!(answer.lines(is_ours).count(), 0, "{why}");
        fixture.ensure_healthy().unwrap_or_else(|error| panic!("{why}: {error:#}"));
    }
}

#[test]
fn after_a_cold_start_with_bad_bytes_a_good_configuration_comes_into_force() {
    let plan = EnvoyFixture::plan().unwrap();
    let (_, bad) = bad_configurations().remove(5);
    plan.slot().publish(&plan.plugin().clone().configured(&bad), "bad").unwrap();
    let mut fixture = plan.start().unwrap();
    fixture.configure(&[&shop(SHOP)]).unwrap();
    assert!(shares(&fixture, SHOP));
}

#[test]
fn good_bad_good_the_last_good_one_holds_in_between() {
    let mut fixture = EnvoyFixture::running(&[&shop(SHOP)]).unwrap();
    for (at, (why, bad)) in bad_configurations().into_iter().enumerate() {
        let before = reactions(&mut fixture);
        fixture.publish(&bad).unwrap();
        fixture.envoy().wait_for(why, |admin| Ok(seen(&admin.stats()?) > before)).unwrap();
        let origin = if at == 0 { SHOP.to_owned() } else { format!("https://{}.example", at - 1) };
        assert!(shares(&fixture, &origin), "{why}: {origin} is still allowed");
        assert!(!shares(&fixture, "https://evil.test"), "{why}: nobody else is");
        let next = format!("https://{at}.example");
        fixture.configure(&[&shop(&next)]).unwrap();
        assert!(shares(&fixture, &next), "{why}: {next} is allowed after it");
        assert!(!shares(&fixture, &origin), "{why}: {origin} is not any more");
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn what_is_no_discovery_file_leaves_the_last_good_one_in_force() {
    let mut fixture = EnvoyFixture::running(&[&shop(SHOP)]).unwrap();
    let failures = |stats: &xtask::envoy::Stats| sum(stats, "update_failure");
    for text in ["", "{", "resources: [{}]"] {
        let before = failures(&fixture.envoy().stats().unwrap());
        fixture.slot().publish_text(text).unwrap();
        fixture
            .envoy()
            .wait_for("Envoy to refuse the file", |admin| {
                let stats = admin.stats()?;
                Ok(failures(&stats) + sum(&stats, "update_rejected") > before)
            })
            .unwrap();
        assert!(shares(&fixture, SHOP), "{text:?}");
    }
}

#[test]
fn a_removed_file_leaves_the_last_good_one_in_force() {
    let mut fixture = EnvoyFixture::running(&[&shop(SHOP)]).unwrap();
    std::fs::remove_file(fixture.slot().file()).unwrap();
    assert!(shares(&fixture, SHOP));
    // What is published after it is seen, and so Envoy had its chance to notice.
    fixture.configure(&[&shop("https://next.example")]).unwrap();
    assert!(shares(&fixture, "https://next.example"));
    fixture.ensure_healthy().unwrap();
}

#[test]
fn a_folder_that_kubernetes_swaps_is_followed() {
    let mut fixture = EnvoyFixture::running(&[&shop(SHOP)]).unwrap();
    // A ConfigMap is a link to a link: `corsward.yaml` -> `..data/corsward.yaml`, and `..data` is what is renamed.
    let file = fixture.slot().file();
    for (version, origin) in ["one", "two", "three"].into_iter().zip([
        "https://1.example",
        "https://2.example",
        "https://3.example",
    ]) {
        let sentinel = fixture.sentinel();
        let (compiled, _) = policies::compile(&[&shop(origin), &sentinel]).unwrap();
        fixture.stage(&policies::envelope(compiled, OnInvalid::Reject), version).unwrap();
        let (next, data) =
            (fixture.directory().join("..data_tmp"), fixture.directory().join("..data"));
        std::os::unix::fs::symlink(format!("..{version}"), &next).unwrap();
        std::fs::rename(&next, &data).unwrap();
        if version == "one" {
            let link = fixture.directory().join("link");
            std::os::unix::fs::symlink("..data/corsward.yaml", &link).unwrap();
            std::fs::rename(link, &file).unwrap();
        }
        fixture.wait_for_sentinel(&sentinel).unwrap();
        assert!(shares(&fixture, origin), "{version}");
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn a_second_slot_with_bad_bytes_in_a_process_that_had_good_ones_serves_requests() {
    let (mut fixture, listeners) = stand_with_dynamic_listeners();
    fixture.configure(&[&shop(SHOP)]).unwrap();
    let mut slots = Vec::new();
    for (at, (why, bad)) in bad_configurations().into_iter().enumerate() {
        let name = format!("slot-{at}");
        let slot = Slot::new(fixture.directory(), listeners.plugin.clone()).named(&name);
        slot.publish(&listeners.plugin.clone().configured(&bad), "1").unwrap();
        slots.push(slot);
        listeners.publish(&slots, &at.to_string());
        let address = wait_for_listener(&mut fixture, &name);
        let answer = client::send(address, &cross_origin(HOST, SHOP), &[]).unwrap();
        assert_eq!(answer.status, 200, "{why}");
        assert!(shares(&fixture, SHOP), "{why}: the first slot has what it had");
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn a_listener_that_is_removed_and_added_again_with_bad_bytes_serves_requests() {
    let (mut fixture, listeners) = stand_with_dynamic_listeners();
    let slot = Slot::new(fixture.directory(), listeners.plugin.clone()).named("second");
    let good = policies::envelope(policies::compile(&[&shop(SHOP)]).unwrap().0, OnInvalid::Reject);
    let bad = bad_configurations();
    for (turn, (why, bad)) in bad.into_iter().enumerate() {
        slot.publish(&listeners.plugin.clone().configured(&good), &format!("{turn}-good")).unwrap();
        listeners.publish(std::slice::from_ref(&slot), &format!("{turn}-added"));
        let address = wait_for_listener(&mut fixture, "second");
        fixture
            .envoy()
            .wait_for("the good configuration", |_| {
                let answer = client::send(address, &cross_origin(HOST, SHOP), &[])?;
                Ok(answer.get("access-control-allow-origin").is_some())
            })
            .unwrap();
        listeners.publish(&[], &format!("{turn}-removed"));
        wait_for_no_listener(&mut fixture);
        slot.publish(&listeners.plugin.clone().configured(&bad), &format!("{turn}-bad")).unwrap();
        listeners.publish(std::slice::from_ref(&slot), &format!("{turn}-again"));
        let address = wait_for_listener(&mut fixture, "second");
        let answer = client::send(address, &cross_origin(HOST, SHOP), &[]).unwrap();
        assert_eq!(answer.status, 200, "{why}");
        listeners.publish(&[], &format!("{turn}-end"));
        wait_for_no_listener(&mut fixture);
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn without_a_default_configuration_keep_still_serves_requests() {
    for (why, bad) in bad_configurations() {
        // `Reject` is written only by publishers that own a default.
        if why.ends_with("Reject") {
            continue;
        }
        let plan = EnvoyFixture::plan().unwrap().without_default();
        plan.slot().publish(&plan.plugin().clone().configured(&bad), "1").unwrap();
        let fixture = plan.start().unwrap();
        let answer = fixture.send(&cross_origin(HOST, SHOP), &[]).unwrap();
        assert_eq!(answer.status, 200, "{why}");
    }
}

#[test]
fn a_request_is_answered_by_one_configuration_from_beginning_to_end() {
    let mut fixture = EnvoyFixture::running(&[&shop(SHOP)]).unwrap();
    fixture.upstream().hold("slow");
    let address = fixture.address().unwrap();
    let slow = thread::spawn(move || {
        client::send(address, &cross_origin(HOST, SHOP), &[(upstream::CASE, "slow")])
    });
    fixture.upstream().wait_for_request("slow");
    fixture.configure(&[&shop("https://next.example")]).unwrap();
    assert!(!shares(&fixture, SHOP), "the new policy is in force for new requests");
    fixture.upstream().release("slow");
    let answer = slow.join().unwrap().unwrap();
    assert_eq!(answer.get("access-control-allow-origin").as_deref(), Some(SHOP.as_bytes()));
    fixture.ensure_healthy().unwrap();
}

#[test]
fn a_policy_that_goes_away_while_the_upstream_thinks_still_answers() {
    let mut fixture = EnvoyFixture::running(&[&shop(SHOP)]).unwrap();
    fixture.upstream().answer(
        "gone",
        case::Upstream {
            status: 200,
            headers: vec![("Access-Control-Allow-Origin".into(), b"*".to_vec())],
        },
    );
    fixture.upstream().hold("gone");
    let address = fixture.address().unwrap();
    let slow = thread::spawn(move || {
        client::send(address, &cross_origin(HOST, "https://evil.test"), &[(upstream::CASE, "gone")])
    });
    fixture.upstream().wait_for_request("gone");
    fixture.configure(&[]).unwrap();
    fixture.upstream().release("gone");
    let answer = slow.join().unwrap().unwrap();
    assert_eq!(answer.get("access-control-allow-origin"), None, "the old policy removed it");
    assert_eq!(answer.vary(), ["origin"]);
}

#[test]
fn a_hundred_changes_under_load_lose_no_request_and_close_no_connection() {
    const CONNECTIONS: u64 = 8;
    let plan = EnvoyFixture::plan().unwrap();
    let filter = plan.slot().http_filter();
    let load = Listener::new("load").http_filter(filter).routes([route("/", "upstream")]);
    let mut fixture = plan.bootstrap(|bootstrap| bootstrap.listener(load)).start().unwrap();
    let versions = ["x-one", "x-two"].map(|exposed| {
        let cors = json!({ "allowOrigins": [SHOP], "exposeHeaders": [exposed] });
        policy("shop", json!({ "cors": cors }))
    });
    fixture.configure(&[&versions[0]]).unwrap();
    // The upstream of the load listener is the same; its threads keep their connections.
    let script = fixture.directory().join("load.lua");
    std::fs::write(&script, LOAD).unwrap();
    let address = fixture.envoy().address("load").unwrap();
    let wrk = Command::new(tools::wrk().unwrap())
        .args(["--threads", "1", "--connections", &CONNECTIONS.to_string()])
        .args(["--duration", "600s", "--timeout", "30s", "--script"])
        .arg(&script)
        .arg(format!("http://{address}/"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let load = |stats: &xtask::envoy::Stats, what: &str| {
        stats.get(&format!("http.load.downstream_{what}")).copied().unwrap_or_default()
    };
    fixture.envoy().wait_for("load", |admin| Ok(load(&admin.stats()?, "rq_total") > 100)).unwrap();
    // wrk looks whether somebody is there before it begins.
    let before = fixture.envoy().stats().unwrap();
    for change in 0..100 {
        fixture.configure(&[&versions[(change + 1) % 2]]).unwrap();
    }
    let changed = load(&fixture.envoy().stats().unwrap(), "rq_total");
    fixture
        .envoy()
        .wait_for("more load", |admin| Ok(load(&admin.stats()?, "rq_total") > changed))
        .unwrap();
    let after = fixture.envoy().stats().unwrap();
    interrupt(&wrk);
    let output = wrk.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(output.status.success() && told.contains("corsward-wrong: 0 of"), "{told}");
    assert!(!told.contains("Socket errors") && !told.contains("Non-2xx"), "{told}");
    for what in ["cx_total", "cx_destroy"] {
        assert_eq!(load(&after, what), load(&before, what), "{what} of the listener under load");
    }
    assert_eq!(load(&after, "cx_active"), CONNECTIONS);
    assert_eq!(load(&after, "rq_5xx"), 0);
    fixture.ensure_healthy().unwrap();
}

#[test]
fn a_thousand_policies_each_answer_for_their_own_host() {
    let names: Vec<String> = (0..1000).map(|at| format!("p{at}")).collect();
    let objects: Vec<Value> = names
        .iter()
        .map(|name| {
            let origin = format!("https://{name}.example");
            policy(name, json!({ "cors": { "allowOrigins": [origin] } }))
        })
        .collect();
    let fixture = EnvoyFixture::running(&objects.iter().collect::<Vec<_>>()).unwrap();
    for name in names.iter().step_by(37) {
        let host = policies::host("configuration", name);
        let ask = |origin: &str| {
            let answer = fixture.send(&preflight(&host, origin, "GET"), &[]).unwrap();
            (answer.status, answer.get("access-control-allow-origin").is_some())
        };
        assert_eq!(ask(&format!("https://{name}.example")), (204, true), "{name}");
        assert_eq!(ask("https://p.example"), (403, false), "{name}");
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn every_worker_runs_the_new_configuration() {
    let plan = EnvoyFixture::plan().unwrap();
    let mut fixture = plan.bootstrap(|bootstrap| bootstrap.concurrency(4)).start().unwrap();
    fixture.configure(&[&shop(SHOP)]).unwrap();
    fixture.wait_for_workers().unwrap();
    for _ in 0..40 {
        assert!(shares(&fixture, SHOP));
    }
}

#[test]
fn the_filter_says_which_configuration_is_in_force() {
    let (compiled, _) = policies::compile(&[&shop(SHOP)]).unwrap();
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    fixture.publish(&policies::envelope(compiled.clone(), OnInvalid::Reject)).unwrap();
    wait_for_digest(&mut fixture, &compiled);
    let version = fixture.stat("wire.v1");
    assert_eq!(fixture.envoy().admin().stat(&version).unwrap(), Some(1));
}

#[test]
fn the_filter_says_what_is_in_force_after_another_one_of_the_proxy_is_gone() {
    let (mut fixture, listeners) = stand_with_dynamic_listeners();
    let (stays, _) = policies::compile(&[&shop(SHOP)]).unwrap();
    fixture.publish(&policies::envelope(stays.clone(), OnInvalid::Reject)).unwrap();
    wait_for_digest(&mut fixture, &stays);
    let (goes, _) = policies::compile(&[&shop("https://retiring.example")]).unwrap();
    let slot = Slot::new(fixture.directory(), listeners.plugin.clone()).named("retiring");
    let retiring = policies::envelope(goes.clone(), OnInvalid::Reject);
    slot.publish(&listeners.plugin.clone().configured(&retiring), "1").unwrap();
    listeners.publish(std::slice::from_ref(&slot), "added");
    wait_for_digest(&mut fixture, &goes);
    listeners.publish(&[], "removed");
    wait_for_digest(&mut fixture, &stays);
    fixture.ensure_healthy().unwrap();
}

/// Waits until the filter says that it runs `compiled`.
fn wait_for_digest(fixture: &mut EnvoyFixture, compiled: &str) {
    let digest = policies::digest(compiled);
    let bits = u64::from_str_radix(&digest["sha256:".len()..][..16], 16).unwrap() >> 11;
    let gauge = fixture.stat("config.digest");
    fixture.envoy().wait_for("the digest", |admin| Ok(admin.stat(&gauge)? == Some(bits))).unwrap();
}

/// A wrk script: every request comes from the shop, and every answer must be shared with it.
const LOAD: &str = r#"
wrk.headers["Origin"] = "https://shop.example"
wrk.headers["Host"] = "shop.configuration.test"
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) wrong = 0; seen = 0 end
function response(status, headers, body)
  seen = seen + 1
  local exposed = headers["access-control-expose-headers"]
  if status ~= 200 or headers["access-control-allow-origin"] ~= "https://shop.example"
      or not (exposed == "x-one" or exposed == "x-two") then
    wrong = wrong + 1
  end
end
function done(summary, latency, requests)
  local wrong, seen = 0, 0
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get("wrong")
    seen = seen + thread:get("seen")
  end
  io.write(string.format("corsward-wrong: %d of %d\n", wrong, seen))
end
"#;

/// Listeners that come and go by a discovery file.
struct DynamicListeners {
    file: std::path::PathBuf,
    plugin: xtask::envoy::Plugin,
}

impl DynamicListeners {
    /// Puts one listener for each slot into the file, called after it.
    fn publish(&self, slots: &[Slot], version: &str) {
        let listener = |slot: &Slot| {
            let file = slot.file();
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            Listener::new(name).http_filter(slot.http_filter()).routes([route("/", "upstream")])
        };
        let listeners: Vec<Listener> = slots.iter().map(listener).collect();
        let text = Listener::discovery_response(&listeners, version).to_string();
        let written = self.file.with_extension("new");
        std::fs::write(&written, text).unwrap();
        std::fs::rename(written, &self.file).unwrap();
    }
}

fn stand_with_dynamic_listeners() -> (EnvoyFixture, DynamicListeners) {
    let plan = EnvoyFixture::plan().unwrap();
    let file = plan.directory().join("listeners.json");
    let listeners = DynamicListeners { file: file.clone(), plugin: plan.plugin().clone() };
    listeners.publish(&[], "0");
    let fixture = plan.bootstrap(|bootstrap| bootstrap.listeners_from(&file)).start().unwrap();
    (fixture, listeners)
}

fn wait_for_listener(fixture: &mut EnvoyFixture, name: &str) -> std::net::SocketAddr {
    fixture
        .envoy()
        .wait_for("the listener", |admin| {
            Ok(admin.get("/listeners")?.lines().any(|line| line.starts_with(&format!("{name}::"))))
        })
        .unwrap();
    fixture.envoy().address(name).unwrap()
}

/// Waits until the dynamic listeners are gone for good. One that still drains keeps what its slot was last offered, and a listener
/// added meanwhile with that slot would be refused for it.
fn wait_for_no_listener(fixture: &mut EnvoyFixture) {
    fixture
        .envoy()
        .wait_for("the listener to go", |admin| {
            let stats = admin.stats()?;
            let count = |state: &str| {
                stats.get(&format!("listener_manager.total_listeners_{state}")).copied()
            };
            Ok((count("active"), count("draining")) == (Some(1), Some(0)))
        })
        .unwrap();
}

/// Ctrl-C for wrk, which then prints its summary.
fn interrupt(child: &std::process::Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn shop(origin: &str) -> Value {
    policy("shop", json!({ "cors": { "allowOrigins": [origin] } }))
}

fn policy(name: &str, spec: Value) -> Value {
    policies::policy("configuration", name, spec.as_object().cloned().unwrap())
}

fn shares(fixture: &EnvoyFixture, origin: &str) -> bool {
    let answer = fixture.send(&cross_origin(HOST, origin), &[]).unwrap();
    assert_eq!(answer.status, 200);
    answer.get("access-control-allow-origin").as_deref() == Some(origin.as_bytes())
}

fn is_ours(name: &str) -> bool {
    name.starts_with("access-control-") || name == "vary"
}

/// The number of reactions of Envoy and the filter to a configuration.
fn seen(stats: &xtask::envoy::Stats) -> u64 {
    sum(stats, "update_rejected") + sum(stats, "config.refused") + sum(stats, "update_failure")
}

fn reactions(fixture: &mut EnvoyFixture) -> u64 {
    seen(&fixture.envoy().stats().unwrap())
}

fn sum(stats: &xtask::envoy::Stats, ending: &str) -> u64 {
    stats.iter().filter(|(name, _)| name.ends_with(ending)).map(|(_, count)| count).sum()
}

#[test]
fn nothing_is_enforced_before_the_first_configuration() {
    let fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    let answer = fixture.send(&request("GET", HOST, &[("Origin", SHOP)]), &[]).unwrap();
    assert_eq!((answer.status, answer.lines(is_ours).count()), (200, 0));
}
