//! The native module: the sources of both shells, the Envoys that load it, and what an Envoy does that cannot, or after a panic.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use corsward_policy::Workload;
use corsward_test_harness::envoy_fixture::{EnvoyFixture, cross_origin, module_for, preflight};
use corsward_test_harness::policies;
use serde_json::{Value, json};
use xtask::envoy::{Plugin, Shell};
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
                corsward_test_harness::client::send(address, &cross_origin(HOST, SHOP), &[])?;
                let page = admin.prometheus()?;
                let series = "corsward_decisions{kind=\"preflight\",verdict=\"refused\",reason=\"origin\"} 1";
                Ok(page.contains(series) && page.contains("corsward_wire_v1{} 1"))
            })
            .unwrap();
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
    assert!(log.contains("panicked at") && log.contains("the request asks for it"), "{log}");
    assert_eq!(fixture.envoy().pid(), pid);
    assert!(fixture.envoy().exited().unwrap().is_none());
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
