//! The wire is for ever: what an old operator wrote, every filter reads, and means the same by it.

use std::collections::BTreeMap;
use std::fs;

use corsward_policy::{Compiled, wire};
use corsward_test_harness::case::{self, Case, Expect, Upstream};
use corsward_test_harness::envoy_fixture::{cross_origin, preflight, request};
use corsward_test_harness::policies;
use corsward_tests::{model, suite};

/// Files that proxies in production hold, with their digests: a file that must change is a new version of the wire.
const VERSION_1: [(&str, &str); 8] = [
    ("blocks.json", "sha256:6ccdffc4c3210c6f31314b2f6a1500cc1587182f6709334d1e989ea8a456b315"),
    ("every-field.json", "sha256:b4128ceb7a3a35a5d3e332516cd59e759c5439524a97fcdf58d5fd62ef26099c"),
    (
        "every-origin.json",
        "sha256:809e18458f4bfb89d7567f035ab5f3f771beaabee064c91000d3ce4bdf22d34f",
    ),
    ("left-alone.json", "sha256:b58fa931806d4c86b275b98a2ab7866c40a06e448d7dc17f30d3964a10a20d25"),
    ("modes.json", "sha256:7a56fee6bae9723d34f75731b1299960114b326debf971cc2638556681bf0222"),
    ("nothing.json", "sha256:cd59036f92de48974d69907bc470ba06f9a27cbf83dea3582fc895678fca4164"),
    ("smallest.json", "sha256:548ca184d20f1daaae76313a8f4ed216b0aea7777e0335f53fe0450484bb2f47"),
    ("workloads.json", "sha256:37ef77b636acc2008e35b3510b2f4e22b952001cfd8c4479c571f97930eef7d7"),
];

#[test]
fn no_golden_file_was_rewritten_or_forgotten() {
    let known: BTreeMap<&str, &str> = VERSION_1.into();
    let mut found = 0;
    for entry in fs::read_dir(suite::folder().join("golden/wire/v1")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let digest = policies::digest(&fs::read_to_string(&path).unwrap());
        let want = known.get(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(&digest, want, "{name} was rewritten: add a file of a new name instead");
        found += 1;
    }
    assert_eq!(found, known.len(), "a file of the table is gone");
}

#[test]
fn version_1_is_still_written_as_it_was() {
    for (name, _) in VERSION_1 {
        let text = read(name);
        let decoded = wire::decode(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(wire::encode(&decoded), text, "{name}");
    }
}

#[test]
fn version_1_still_means_what_it_meant() {
    for (file, what, request, want) in [
        ("nothing.json", "nothing", cross_origin("a.test", "https://a.example"), "200"),
        (
            "smallest.json",
            "allowed",
            cross_origin("a.test", "https://a.example"),
            "200 https://a.example",
        ),
        ("smallest.json", "refused", cross_origin("a.test", "https://b.example"), "200 -"),
        (
            "smallest.json",
            "explained",
            preflight("a.test", "https://a.example", "PUT"),
            "204 https://a.example",
        ),
        ("every-field.json", "host", cross_origin("shop.example", "https://shop.example"), "200"),
        (
            "every-field.json",
            "preflight",
            preflight("api.shop.example", "https://shop.example", "PATCH"),
            "200 https://shop.example true",
        ),
        (
            "every-field.json",
            "regex",
            cross_origin("x.shop.example", "https://a.re.example"),
            "200 https://a.re.example true",
        ),
        ("every-field.json", "rejected", cross_origin("[::1]", "https://evil.test"), "403 -"),
        ("every-field.json", "failed", preflight("[::1]", "https://evil.test", "GET"), "403 -"),
        ("every-field.json", "trusted", cross_origin("[::1]", "https://login.example"), "200 -"),
        (
            "every-field.json",
            "exact",
            at("/sso/acs", cross_origin("[::1]", "https://evil.test")),
            "200 -",
        ),
        (
            "every-field.json",
            "prefix",
            at("/public/x", cross_origin("[::1]", "https://evil.test")),
            "200 *",
        ),
        (
            "every-origin.json",
            "port",
            cross_origin("tuples.test", "https://a.example:8443"),
            "200 https://a.example:8443",
        ),
        (
            "every-origin.json",
            "labels",
            cross_origin("tuples.test", "https://x.y.b.example"),
            "200 https://x.y.b.example",
        ),
        (
            "every-origin.json",
            "octets",
            cross_origin("tuples.test", "http://10.1.2.3:4"),
            "200 http://10.1.2.3:4",
        ),
        ("every-origin.json", "null", cross_origin("tuples.test", "null"), "200 null"),
        ("every-origin.json", "other", cross_origin("tuples.test", "http://a.example"), "200 -"),
        ("every-origin.json", "anyone", request("GET", "anyone.test", &[]), "200 *"),
        ("every-origin.json", "nobody", cross_origin("nobody.test", "https://a.example"), "200 -"),
        (
            "every-origin.json",
            "echo",
            cross_origin("echo.test", "https://a.example"),
            "200 https://a.example true",
        ),
        (
            "modes.json",
            "active",
            cross_origin("m.test", "https://old.example"),
            "200 https://old.example",
        ),
        ("modes.json", "dry run", cross_origin("m.test", "https://new.example"), "200 -"),
        ("left-alone.json", "fenced", cross_origin("g.test", "https://evil.test"), "403 -"),
        (
            "left-alone.json",
            "left alone",
            at("/auth/x", cross_origin("g.test", "https://evil.test")),
            "200",
        ),
        (
            "left-alone.json",
            "a rule below it",
            at("/auth/session", cross_origin("g.test", "https://a.example")),
            "200 https://a.example",
        ),
        (
            "left-alone.json",
            "first of all",
            at("/own", cross_origin("alone.test", "https://a.example")),
            "200",
        ),
        (
            "left-alone.json",
            "beside it",
            at("/api", cross_origin("alone.test", "https://a.example")),
            "200 https://a.example",
        ),
        ("modes.json", "ignored", preflight("m.test", "https://off.example", "GET"), "204 -"),
    ] {
        let compiled = wire::decode(&read(file)).unwrap();
        assert_eq!(told(&compiled, request), want, "{file}: {what}");
    }
}

#[test]
fn version_1_still_means_the_same_blocks_and_hosts_of_applications() {
    let compiled = wire::decode(&read("blocks.json")).unwrap();
    for (what, origin, want) in [
        ("a dot", "app://.", "200 app://."),
        ("a dot and a port", "app://.:1", "200 app://.:1"),
        ("another host", "app://a", "200 -"),
        ("no host", "qrc://", "200 qrc://"),
        ("a block", "http://172.31.255.255:1", "200 http://172.31.255.255:1"),
        ("beside it", "http://172.32.0.0:1", "200 -"),
        ("the default port", "http://10.127.0.1", "200 http://10.127.0.1"),
        ("beside it", "http://10.128.0.1", "200 -"),
        ("a port", "http://10.128.0.1:3000", "200 http://10.128.0.1:3000"),
        ("no name", "http://172.16.example:1", "200 -"),
        ("IPv6", "https://[fd12::1]:9", "200 https://[fd12::1]:9"),
        ("another scheme", "http://[fd12::1]:9", "200 -"),
        (
            "bits of a group",
            "https://[2001:db8:7fff::1]:8443",
            "200 https://[2001:db8:7fff::1]:8443",
        ),
        ("beside them", "https://[2001:db8:8000::1]:8443", "200 -"),
    ] {
        assert_eq!(told(&compiled, cross_origin("blocks.test", origin)), want, "{what}: {origin}");
    }
}

#[test]
fn version_1_still_means_the_same_proxies_and_ports() {
    let compiled = wire::decode(&read("workloads.json")).unwrap();
    for (what, labels, authority, origin, want) in [
        ("a label", &[("app", "api")][..], "a.test", "api", "200 https://api.example"),
        ("no label", &[], "a.test", "api", "200 -"),
        (
            "two labels and a port",
            &[("app.kubernetes.io/name", "api"), ("tier", "")],
            "a.test:8080",
            "api",
            "200 https://api.example",
        ),
        (
            "two labels and another port",
            &[("app.kubernetes.io/name", "api"), ("tier", "")],
            "a.test:8081",
            "api",
            "200 -",
        ),
        ("one of two labels", &[("tier", "")], "a.test:8080", "api", "200 -"),
        ("a port alone", &[], "a.test:9000", "admin", "200 https://admin.example"),
        ("everything else", &[], "a.test:8080", "shop", "200 https://shop.example"),
    ] {
        let here = compiled.for_proxy(&mut |key, value| labels.contains(&(key, value)));
        let request = cross_origin(authority, &format!("https://{origin}.example"));
        assert_eq!(told(&here, request), want, "{what}");
    }
}

#[test]
fn version_1_still_means_the_same_removal() {
    let compiled = wire::decode(&read("left-alone.json")).unwrap();
    for (what, path, origin, want) in [
        ("allowed", "/", "https://a.example", false),
        ("a rule says nothing of it", "/auth/session", "https://a.example", true),
        ("left alone", "/auth", "https://a.example", true),
    ] {
        let answer = model::answer(&compiled, &case(at(path, cross_origin("g.test", origin))));
        let received = answer.received.unwrap_or_default();
        assert_eq!(received.iter().any(|(name, _)| name == "Origin"), want, "{what}");
    }
}

/// Status, sharing (`-`: with no origin, by a policy), and credentials.
fn told(compiled: &Compiled, request: case::Request) -> String {
    let answer = model::answer(compiled, &case(request));
    let text =
        |name: &str| answer.get(name).map(|value| format!(" {}", String::from_utf8_lossy(&value)));
    let nobody = if answer.vary().is_empty() { "" } else { " -" };
    let origin = text("access-control-allow-origin").unwrap_or_else(|| nobody.to_owned());
    let credentials = text("access-control-allow-credentials").unwrap_or_default();
    format!("{}{origin}{credentials}", answer.status)
}

fn case(request: case::Request) -> Case {
    Case {
        suite: "golden".into(),
        name: "golden".into(),
        why: "the wire is for ever".into(),
        request,
        upstream: Upstream { status: 200, headers: Vec::new() },
        expect: Expect::default(),
    }
}

fn at(path: &str, request: case::Request) -> case::Request {
    case::Request { path: path.into(), ..request }
}

fn read(name: &str) -> String {
    fs::read_to_string(suite::folder().join("golden/wire/v1").join(name)).unwrap()
}
