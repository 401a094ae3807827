//! The native module: the sources of both shells, the Envoys that load it, and what an Envoy does that cannot, or after a panic.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use corsward_policy::Workload;
use corsward_policy::wire::OnInvalid;
use corsward_test_harness::envoy_fixture::{EnvoyFixture, cross_origin, module_for, preflight};
use corsward_test_harness::text::from_latin1;
use corsward_test_harness::{case, client, policies, upstream};
use serde_json::{Value, json};
use xtask::envoy::{Listener, Plugin, Shell, Slot, route};
use xtask::{native, paths};

const SHOP: &str = "https://shop.example";
const HOST: &str = "shop.native.test";

/// The Envoys that load the one file, by ABI v0.1.0 and v0.2.0.
const LOADED_BY: [&str; 3] = ["1.38.3", "1.39.3", "1.40.0"];

#[test]
fn unsafe_code_is_in_three_files_each_place_with_its_reason() {
    let shells = [("filter/native", &["abi.rs", "convert.rs"][..]), ("filter/wasm", &["abi.rs"])];
    for (shell, files) in shells {
        only_these_are_unsafe(&paths::root().join(shell), files);
    }
}

fn only_these_are_unsafe(shell: &Path, files: &[&str]) {
    for entry in fs::read_dir(shell.join("src")).unwrap() {
        let file = entry.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let places = code.filter(|line| line.contains("unsafe") && !line.contains("unsafe_code"));
        let allowed = files.iter().any(|name| file.ends_with(name));
        assert!(allowed || places.count() == 0, "{}", file.display());
    }
    let manifest = |folder: &Path| -> toml::Table {
        fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
    };
    let (manifest, workspace) = (manifest(shell), manifest(&paths::root()));
    let (own, of_all) = (&manifest["lints"], &workspace["workspace"]["lints"]);
    assert_eq!(own["rust"]["unsafe_code"].as_str(), Some("deny"));
    assert_eq!(own["clippy"]["undocumented_unsafe_blocks"].as_str(), Some("deny"));
    // All others are those of the workspace.
    for tool in ["rust", "clippy"] {
        for (lint, level) in of_all[tool].as_table().unwrap() {
            assert!(lint == "unsafe_code" || own[tool].get(lint) == Some(level), "{lint}");
        }
    }
}

#[test]
fn each_envoy_since_1_38_loads_the_same_file() {
    for version in LOADED_BY {
        let mut fixture =
            plan(module_for(Shell::Native).unwrap()).envoy_version(version).start().unwrap();
        fixture.configure(&[&shop()]).unwrap();
        let answer = fixture.send(&cross_origin(HOST, SHOP), &[]).unwrap();
        assert_eq!(answer.get("access-control-allow-origin").as_deref(), Some(SHOP.as_bytes()));
        let answer = fixture.send(&preflight(HOST, "https://evil.test", "PUT"), &[]).unwrap();
        assert_eq!(answer.status, 403, "{version}");
        // Envoy 1.38 publishes values with the next request.
        let address = fixture.address().unwrap();
        fixture
            .envoy()
            .wait_for("the counters", |admin| {
                client::send(address, &cross_origin(HOST, SHOP), &[])?;
                let page = admin.prometheus()?;
                let series = "corsward_decisions{kind=\"preflight\",verdict=\"refused\",reason=\"origin\"} 1";
                Ok(page.contains(series) && page.contains("corsward_wire_v1{} 1"))
            })
            .unwrap();
        fixture.ensure_healthy().unwrap();
    }
}

/// Envoy cannot see a wrong signature: each callback of a stream shows its effect.
#[test]
fn each_envoy_does_what_each_callback_asks_for() {
    let spec = json!({
        "hostnames": [HOST], "cors": { "allowOrigins": [SHOP] }, "upstreamOrigin": "Remove",
    });
    let policy = policies::policy("native", "shop", spec.as_object().cloned().unwrap());
    for version in LOADED_BY {
        let plan = plan(module_for(Shell::Native).unwrap()).envoy_version(version);
        let refusals = plan.directory().join("refusals.log");
        let labels = json!({ "LABELS": { "app": "shop" } });
        let plan = plan.bootstrap(|bootstrap| bootstrap.node("corsward", labels));
        let mut fixture = plan.refusals(&refusals).start().unwrap();
        // The attribute: only requests to this port are covered.
        let port = Some(fixture.address().unwrap().port());
        let workload = Workload { labels: [("app".into(), "shop".into())].into(), port };
        fixture.configure_for(&[(&policy, &[workload])]).unwrap();
        let lines = [
            ("vary", "accept"),
            ("access-control-allow-methods", "*"),
            ("vary", "cookie"),
            ("access-control-allow-origin", "https://other.example"),
        ];
        let headers = lines.map(|(name, value)| (name.into(), value.into())).into();
        fixture.upstream().answer(version, case::Upstream { status: 200, headers });
        let of_case = [(upstream::CASE, version)];
        let answer = fixture.send(&cross_origin(HOST, SHOP), &of_case).unwrap();
        // All lines are read, one is removed, two are set; and the request has lost one.
        let value = |name: &str| answer.get(name).map(|value| from_latin1(&value));
        assert_eq!(value("vary").as_deref(), Some("accept,cookie, Origin"), "{version}");
        assert_eq!(value("access-control-allow-methods"), None, "{version}");
        assert_eq!(value("access-control-allow-origin").as_deref(), Some(SHOP), "{version}");
        assert_eq!(fixture.upstream().received(version)[0].text("origin"), "", "{version}");
        // Two lines of a request's header, which contradict each other, are both read.
        let twice = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        let evil = cross_origin(HOST, "https://evil.test");
        fixture.send(&evil, &twice).unwrap();
        // A value for access logs, and a line of Envoy's own.
        let words = "verdict=refused reason=origin origin=\"https://evil.test\" policy=native/shop";
        let written = || fs::read_to_string(&refusals).unwrap_or_default();
        fixture.envoy().wait_for("the access log", |_| Ok(written().contains(words))).unwrap();
        assert!(fixture.envoy().log().unwrap().contains(words), "{version}");
        let reply = fixture.send(&preflight(HOST, "https://evil.test", "PUT"), &[]).unwrap();
        assert_eq!((reply.status, reply.get("vary").is_some()), (403, true), "{version}");
        fixture.ensure_healthy().unwrap();
    }
}

#[test]
fn an_envoy_that_cannot_load_it_says_why() {
    let module = module_for(Shell::Native).unwrap();
    let refused = plan(module).envoy_version("1.37.0").start().unwrap_err();
    // Protobuf writes spaces of its own between the words, other ones in each process.
    let words = format!("{refused:#}").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("DynamicModuleConfig, near"), "{refused:#}");
    assert!(words.contains("no such field: 'module'"), "{refused:#}");

    let nowhere = PathBuf::from("/nowhere/libcorsward.so");
    let refused = plan(nowhere).start().unwrap_err();
    assert!(format!("{refused:#}").contains("/nowhere/libcorsward.so"), "{refused:#}");
}

#[test]
fn a_request_that_panics_passes_unfiltered_and_counts_and_envoy_lives_on() {
    let mut fixture = plan(native::panicking().unwrap()).start().unwrap();
    fixture.configure(&[&shop()]).unwrap();
    let pid = fixture.envoy().pid();
    let ask = |more: &[(&str, &str)]| {
        let answer = fixture.send(&cross_origin(HOST, SHOP), more).unwrap();
        (answer.status, answer.get("access-control-allow-origin").is_some())
    };
    for _ in 0..3 {
        assert_eq!(ask(&[("x-corsward-panic", "1")]), (200, false));
        assert_eq!(ask(&[]), (200, true), "the next request");
    }
    let panics = Shell::Native.stat("panics");
    let counted = |admin: &xtask::envoy::Admin| Ok(admin.stat(&panics)? == Some(3));
    fixture.envoy().wait_for("the counter of panics", counted).unwrap();
    let log = fixture.envoy().log().unwrap();
    assert!(
        log.contains("corsward panicked at") && log.contains("the request asks for it"),
        "{log}"
    );
    assert_eq!(fixture.envoy().pid(), pid);
    assert!(fixture.envoy().exited().unwrap().is_none());
}

#[test]
fn a_configuration_that_panics_is_refused_and_says_so_and_the_last_good_one_serves() {
    let mut fixture = plan(native::panicking().unwrap()).start().unwrap();
    fixture.configure(&[&shop()]).unwrap();
    fixture.publish("x-corsward-panic").unwrap();
    let [panics, refused] = ["panics", "config.refused"].map(|name| Shell::Native.stat(name));
    let counted = |admin: &xtask::envoy::Admin| {
        Ok(admin.stat(&panics)? == Some(1) && admin.stat(&refused)? == Some(1))
    };
    fixture.envoy().wait_for("the counters", counted).unwrap();
    let log = fixture.envoy().log().unwrap();
    assert!(log.contains("the configuration asks for it"), "{log}");
    assert!(log.contains("plugin configuration refused: the filter panicked"), "{log}");
    let answer = fixture.send(&cross_origin(HOST, SHOP), &[]).unwrap();
    assert_eq!(answer.get("access-control-allow-origin").as_deref(), Some(SHOP.as_bytes()));
}

#[test]
fn an_update_that_cannot_be_loaded_leaves_the_last_good_configuration_in_force() {
    let mut fixture = plan(module_for(Shell::Native).unwrap()).start().unwrap();
    fixture.configure(&[&shop()]).unwrap();
    let nowhere = Plugin::new(Path::new("/nowhere/libcorsward.so"));
    fixture.slot().publish(&nowhere, "nowhere").unwrap();
    fixture
        .envoy()
        .wait_for("the rejection", |admin| {
            let stats = admin.stats()?;
            Ok(stats.iter().any(|(name, count)| name.ends_with("update_rejected") && *count > 0))
        })
        .unwrap();
    let answer = fixture.send(&cross_origin(HOST, SHOP), &[]).unwrap();
    assert_eq!(answer.get("access-control-allow-origin").as_deref(), Some(SHOP.as_bytes()));
    fixture.ensure_healthy().unwrap();
}

/// An old configuration lives as long as its longest stream, and has no thread of its own.
#[test]
fn configurations_of_long_streams_share_one_thread() {
    let mut fixture = plan(module_for(Shell::Native).unwrap()).start().unwrap();
    let address = fixture.address().unwrap();
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(address).unwrap();
        // Its body never ends.
        write!(stream, "POST / HTTP/1.1\r\nhost: {HOST}\r\ntransfer-encoding: chunked\r\n\r\n")
            .unwrap();
        streams.push(stream);
        fixture.configure(&[&shop()]).unwrap();
    }
    let tasks = fs::read_dir(format!("/proc/{}/task", fixture.envoy().pid())).unwrap();
    let names = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
    assert_eq!(names.filter(|name| name.trim() == "corsward").count(), 1);
    let answer = fixture.send(&cross_origin(HOST, SHOP), &[]).unwrap();
    assert_eq!(answer.get("access-control-allow-origin").as_deref(), Some(SHOP.as_bytes()));
}

/// The newest configuration is the one whose hook Envoy calls again and again.
#[test]
fn counters_of_a_busy_filter_are_published_beside_a_newer_one_without_requests() {
    for version in LOADED_BY {
        let plan = plan(module_for(Shell::Native).unwrap()).envoy_version(version);
        let idle = Slot::new(plan.directory(), plan.plugin().clone()).named("idle");
        idle.publish(plan.plugin(), "0").unwrap();
        let filter = idle.http_filter();
        let listener = Listener::new("idle").http_filter(filter).routes([route("/", "upstream")]);
        let mut fixture = plan.bootstrap(|bootstrap| bootstrap.listener(listener)).start().unwrap();
        fixture.configure(&[&shop()]).unwrap();
        let reloads = |admin: &xtask::envoy::Admin| {
            let stats = admin.stats()?;
            let reloads = stats.iter().filter(|(name, _)| name.ends_with("idle.config_reload"));
            Ok::<_, anyhow::Error>(reloads.map(|(_, count)| count).sum::<u64>())
        };
        let before = reloads(fixture.envoy().admin()).unwrap();
        let (compiled, _) = policies::compile_for(&[(&shop(), &[])]).unwrap();
        let plugin = Plugin::new(&module_for(Shell::Native).unwrap());
        let newer = plugin.configured(policies::envelope(compiled, OnInvalid::Reject));
        idle.publish(&newer, "1").unwrap();
        fixture.envoy().wait_for("the newer one", |admin| Ok(reloads(admin)? > before)).unwrap();
        let address = fixture.address().unwrap();
        let refused = preflight(HOST, "https://evil.test", "PUT");
        assert_eq!(client::send(address, &refused, &[]).unwrap().status, 403, "{version}");
        fixture
            .envoy()
            .wait_for("the counter", |admin| {
                client::send(address, &cross_origin(HOST, SHOP), &[])?;
                let series = "corsward_decisions{kind=\"preflight\",verdict=\"refused\",reason=\"origin\"} 1";
                Ok(admin.prometheus()?.contains(series))
            })
            .unwrap_or_else(|error| panic!("{version}: {error:#}"));
    }
}

/// `docs/filter.md`: Envoy 1.38 may drop the counters with the configuration that had them.
#[test]
fn counters_go_on_where_they_were_after_a_change_of_configuration() {
    for version in LOADED_BY {
        let goes_on = !version.starts_with("1.38.");
        let plan = plan(module_for(Shell::Native).unwrap()).envoy_version(version);
        let mut fixture = plan.start().unwrap();
        let address = fixture.address().unwrap();
        for times in 1..=3 {
            let least = if goes_on { times } else { 1 };
            fixture.configure(&[&shop()]).unwrap();
            let refused = preflight(HOST, "https://evil.test", "PUT");
            assert_eq!(client::send(address, &refused, &[]).unwrap().status, 403, "{version}");
            fixture
                .envoy()
                .wait_for(&format!("{least} refused preflights"), |admin| {
                    client::send(address, &cross_origin(HOST, SHOP), &[])?;
                    let series = "corsward_decisions{kind=\"preflight\",verdict=\"refused\",reason=\"origin\"} ";
                    let page = admin.prometheus()?;
                    Ok((least..=times).any(|count| page.contains(&format!("{series}{count}\n"))))
                })
                .unwrap_or_else(|error| panic!("{version}: {error:#}"));
        }
    }
}

#[test]
fn pods_of_different_labels_enforce_the_policies_for_their_own() {
    let policy = |name: &str, origin: &str| {
        let spec = json!({
            "selector": { "matchLabels": { "app": name } },
            "hostnames": [HOST], "cors": { "allowOrigins": [origin] },
        });
        policies::policy("native", name, spec.as_object().cloned().unwrap())
    };
    let [api, web] = [policy("api", "https://api.example"), policy("web", "https://web.example")];
    let of = |name: &str| [Workload { labels: [("app".into(), name.into())].into(), port: None }];
    // One configuration for both.
    let narrowed = [(&api, &of("api")[..]), (&web, &of("web")[..])];
    for (app, other) in [("api", "web"), ("web", "api")] {
        let labels = json!({ "LABELS": { "app": app } });
        let plan = plan(module_for(Shell::Native).unwrap());
        let plan = plan.bootstrap(|bootstrap| bootstrap.node("corsward", labels));
        let mut fixture = plan.start().unwrap();
        fixture.configure_for(&narrowed).unwrap();
        for (origin, shared) in [(app, true), (other, false)] {
            let origin = format!("https://{origin}.example");
            let answer = fixture.send(&cross_origin(HOST, &origin), &[]).unwrap();
            let allowed = answer.get("access-control-allow-origin");
            assert_eq!(allowed.is_some(), shared, "{app}: {origin}");
        }
    }
}

fn plan(module: PathBuf) -> corsward_test_harness::envoy_fixture::EnvoyFixturePlan {
    EnvoyFixture::plan_with(Plugin::new(&module)).unwrap()
}

fn shop() -> Value {
    let spec = json!({ "hostnames": [HOST], "cors": { "allowOrigins": [SHOP] } });
    policies::policy("native", "shop", spec.as_object().cloned().unwrap())
}
