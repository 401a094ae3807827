//! The views of a proxy's operator: counters, the access log, the warning line. Never a name that a client chose.

use std::collections::BTreeMap;
use std::fs;

use corsward_test_harness::envoy_fixture::{EnvoyFixture, cross_origin, preflight, request};
use corsward_test_harness::policies;
use corsward_test_harness::series::{self, Series};
use corsward_tests::model;
use corsward_tests::suite::Suite;
use serde_json::{Value, json};

const SHOP: &str = "https://shop.example";

#[test]
fn every_decision_on_the_corpus_is_counted_as_what_it_was() {
    let suites = Suite::all().unwrap();
    let groups = Suite::groups(&suites);
    let objects: Vec<_> = groups[0].iter().flat_map(|suite| &suite.policies).collect();
    let (_, compiled) = policies::compile(&objects).unwrap();
    let mut fixture = EnvoyFixture::running(&objects).unwrap();
    let before = fixture.series().unwrap();
    let mut want: BTreeMap<String, u64> = BTreeMap::new();
    for case in groups[0].iter().flat_map(|suite| &suite.cases) {
        // Envoy refuses it before any filter.
        if case.name == "options-in-lower-case" {
            continue;
        }
        fixture.answer(case).unwrap();
        let told = model::answer(&compiled, case).explanation.unwrap();
        if !told.verdict.is_empty() {
            *want.entry(counter("decisions", &told.verdict)).or_default() += 1;
        }
        if let Some((verdict, comparison)) = told.shadow.split_once(", ") {
            *want.entry(counter("shadow_decisions", verdict)).or_default() += 1;
            let comparison = comparison.replace(' ', "_");
            let name = series::name("shadow_comparisons", &[("comparison", comparison.as_str())]);
            *want.entry(name).or_default() += 1;
        }
    }
    let mut got = series::growth(&before, &fixture.series().unwrap());
    let counted = ["decisions", "shadow_decisions", "shadow_comparisons"];
    got.retain(|name, _| {
        counted.iter().any(|kind| name.starts_with(&format!("corsward_{kind}{{")))
    });
    assert_eq!(got, want);
}

#[test]
fn a_policys_own_counters_tell_it_from_others() {
    let mut fixture = fixture();
    let before = fixture.series().unwrap();
    fixture.send(&cross_origin(&of("open"), SHOP), &[]).unwrap();
    fixture.send(&cross_origin(&of("open"), "https://evil.test"), &[]).unwrap();
    fixture.send(&cross_origin(&of("fence"), "https://evil.test"), &[]).unwrap();
    let mut grown = series::growth(&before, &fixture.series().unwrap());
    grown.retain(|name, _| name.starts_with("corsward_policy{"));
    let want = [own("open", "allowed"), own("open", "refused"), own("fence", "rejected")];
    assert_eq!(grown, want.map(|name| (name, 1)).into_iter().collect());
}

#[test]
fn no_count_of_any_worker_is_lost() {
    const CLIENTS: usize = 8;
    const REQUESTS: u64 = 50;
    let plan = EnvoyFixture::plan().unwrap();
    let mut fixture = plan.bootstrap(|bootstrap| bootstrap.concurrency(4)).start().unwrap();
    configure(&mut fixture);
    fixture.wait_for_workers().unwrap();
    let (allowed, rejected) =
        (cross_origin(&of("open"), SHOP), cross_origin(&of("fence"), "https://evil.test"));
    let shared = &fixture;
    // Counted by what clients saw: a worker may get the configuration later than the others.
    let client = || {
        let mut seen = [0, 0];
        for _ in 0..REQUESTS {
            let answer = shared.send(&allowed, &[]).unwrap();
            seen[0] += u64::from(answer.get("access-control-allow-origin").is_some());
            seen[1] += u64::from(shared.send(&rejected, &[]).unwrap().status == 403);
        }
        seen
    };
    let seen: Vec<[u64; 2]> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let total = |at: usize| seen.iter().map(|seen| seen[at]).sum::<u64>();
    assert!(total(0) > REQUESTS && total(1) > REQUESTS, "{seen:?}");
    // Each shell passes its values on with a configuration at the latest.
    fixture.series().unwrap();
    let want = [(own("open", "allowed"), total(0)), (own("fence", "rejected"), total(1))];
    let want: Series = want.into();
    fixture
        .envoy()
        .wait_for("the count of all workers", |admin| {
            let mut all = series::read(&admin.prometheus()?);
            all.retain(|name, _| want.contains_key(name));
            Ok(all == want)
        })
        .unwrap();
}

#[test]
fn no_name_of_a_metric_holds_what_a_client_sent() {
    let mut fixture = fixture();
    let before = names(&mut fixture);
    for at in 0..50 {
        let origin = format!("https://secret-{at}.example");
        fixture.send(&cross_origin(&of("open"), &origin), &[]).unwrap();
        fixture.send(&preflight(&of("fence"), &origin, &format!("SECRET{at}")), &[]).unwrap();
    }
    assert_eq!(names(&mut fixture), before, "names come with a configuration");
}

#[test]
fn a_request_without_an_origin_is_not_counted() {
    let mut fixture = fixture();
    let before = fixture.series().unwrap();
    let ask = request("GET", &of("open"), &[]);
    fixture.send(&ask, &[]).unwrap();
    let mut grown = series::growth(&before, &fixture.series().unwrap());
    grown.retain(|name, _| name.contains("verdict"));
    assert_eq!(grown, Series::new());
}

#[test]
fn a_refused_request_leaves_verdict_reason_and_origin_for_the_access_log() {
    let plan = EnvoyFixture::plan().unwrap();
    let file = plan.directory().join("refusals.log");
    let mut fixture = plan.refusals(&file).start().unwrap();
    configure(&mut fixture);
    fixture.send(&cross_origin(&of("open"), SHOP), &[]).unwrap();
    fixture.send(&cross_origin(&of("open"), "https://evil.test"), &[]).unwrap();
    fixture.send(&cross_origin(&of("fence"), "null"), &[]).unwrap();
    fixture.send(&preflight(&of("fence"), SHOP, "PATCH"), &[]).unwrap();
    let lines = wait_for_lines(&mut fixture, &file, 3);
    for (line, words) in lines.iter().zip([
        ["verdict=refused", "reason=origin", "https://evil.test", "seen/open"],
        ["verdict=rejected", "reason=null_origin", "null", "seen/fence"],
        ["verdict=refused", "reason=method", SHOP, "kind=preflight"],
    ]) {
        for word in words {
            assert!(line.contains(word), "{line:?} lacks {word}");
        }
    }
    assert_eq!(lines.len(), 3, "an allowed request leaves nothing: {lines:#?}");
}

#[test]
fn what_a_client_sends_cannot_forge_a_line_of_a_log_or_make_it_long() {
    let plan = EnvoyFixture::plan().unwrap();
    let file = plan.directory().join("refusals.log");
    let mut fixture = plan.refusals(&file).start().unwrap();
    configure(&mut fixture);
    let long = "a".repeat(30_000);
    let forged = [
        r#"https://x" policy=other/forged verdict=allowed origin=""#,
        "https://\u{e9}\u{ff}.test",
        "https://a\tb.test",
        r"https://\n\x00.test",
        long.as_str(),
    ];
    for origin in forged {
        let mut ask = cross_origin(&of("open"), "");
        ask.headers = vec![("Origin".into(), corsward_test_harness::text::latin1(origin).unwrap())];
        fixture.send(&ask, &[]).unwrap();
    }
    let lines = wait_for_lines(&mut fixture, &file, forged.len());
    assert_eq!(lines.len(), forged.len(), "{lines:#?}");
    for line in &lines {
        assert!(line.len() < 2_000, "{} bytes", line.len());
        assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line:?}");
        assert!(!line.contains(r#"" policy=other/forged"#), "{line:?}");
    }
    let log = fixture.envoy().log().unwrap();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("malformed_origin")).collect();
    assert!(!told.is_empty(), "a warning line says so");
    assert!(told.len() < forged.len(), "and not one for each request: {told:#?}");
    assert!(told.iter().all(|line| line.len() < 2_000 && line.is_ascii()), "{told:#?}");
}

fn fixture() -> EnvoyFixture {
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    configure(&mut fixture);
    fixture
}

fn configure(fixture: &mut EnvoyFixture) {
    let cors = json!({ "allowOrigins": [SHOP] });
    let policy = |name: &str, spec: Value| {
        policies::policy("seen", name, spec.as_object().cloned().unwrap())
    };
    let objects = [
        policy("open", json!({ "cors": cors })),
        policy("fence", json!({ "cors": cors, "disallowedRequests": "Reject" })),
    ];
    fixture.configure(&objects.iter().collect::<Vec<_>>()).unwrap();
}

fn of(policy: &str) -> String {
    policies::host("seen", policy)
}

/// The counter of a policy's own verdicts.
fn own(policy: &str, verdict: &str) -> String {
    series::name("policy", &[("namespace", "seen"), ("policy", policy), ("verdict", verdict)])
}

/// `decisions`, `preflight refused header` to the name of the counter.
fn counter(family: &str, verdict: &str) -> String {
    let mut words = verdict.split(' ');
    let mut next = || words.next().unwrap_or("none");
    let labels = [("kind", next()), ("verdict", next()), ("reason", next())];
    series::name(family, &labels)
}

fn names(fixture: &mut EnvoyFixture) -> Vec<String> {
    fixture.series().unwrap().into_keys().collect()
}

/// The lines of an access log once there are as many as that.
fn wait_for_lines(fixture: &mut EnvoyFixture, file: &std::path::Path, count: usize) -> Vec<String> {
    let read = || fs::read_to_string(file).unwrap_or_default();
    fixture
        .envoy()
        .wait_for("the access log", |_| Ok(read().lines().count() >= count))
        .unwrap_or_else(|error| panic!("{error:#}\n{}", read()));
    read().lines().map(str::to_owned).collect()
}
