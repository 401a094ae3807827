//! Paths that Envoys normalize differently and back ends read in two ways: no reading shares a closed path. `docs/filters.md` tells of it.

use corsward_test_harness::envoy_fixture::{EnvoyFixture, cross_origin, envoy_version};
use corsward_test_harness::{client, policies, upstream};
use serde_json::json;

const SHOP: &str = "https://shop.example";

/// A path, what the back end receives and whether that is shared: from Envoys up to 1.37, and from 1.39 on.
type Row = (&'static str, &'static str, (&'static str, bool), (&'static str, bool));

/// With Envoy's `normalize_path`.
const NORMALIZED: [Row; 12] = [
    ("open", "/open/b", ("/open/b", true), ("/open/b", true)),
    ("closed", "/closed/b", ("/closed/b", false), ("/closed/b", false)),
    ("dots", "/open/../closed/b", ("/closed/b", false), ("/closed/b", false)),
    ("escaped dots", "/open/%2e%2e/closed/b", ("/closed/b", false), ("/closed/b", false)),
    (
        "an escaped slash",
        "/open/..%2fclosed",
        ("/open/..%2fclosed", false),
        ("/open/..%2fclosed", false),
    ),
    ("a parameter in the rule's segment", "/open;x/b", ("/open;x/b", false), ("/open;x/b", false)),
    ("the same, closed", "/closed;x/b", ("/closed;x/b", false), ("/closed;x/b", false)),
    ("a parameter below the rule", "/open/b;x", ("/open/b;x", true), ("/open/b;x", true)),
    (
        "dots with a parameter: out",
        "/open/..;/closed/b",
        ("/open/..;/closed/b", false),
        ("/closed/b", false),
    ),
    (
        "dots with a parameter: in",
        "/closed/..;/open/b",
        ("/closed/..;/open/b", false),
        ("/open/b", true),
    ),
    (
        "escaped dots with a parameter: Envoy decodes them and leaves them",
        "/open/%2E%2e;/closed/b",
        ("/open/..;/closed/b", false),
        ("/open/..;/closed/b", false),
    ),
    (
        "dots with parameters, twice",
        "/open/b/..;x/..;y/closed",
        ("/open/b/..;x/..;y/closed", false),
        ("/closed", false),
    ),
];

/// Paths that reach the back end as they came, without `normalize_path`, and whether they are shared.
const RAW: [(&str, &str, bool); 9] = [
    ("open", "/open/b", true),
    ("closed", "/closed/b", false),
    ("dots out of it", "/open/../closed/b", false),
    ("a parameter in the rule's segment", "/open;x/b", false),
    ("a parameter below the rule", "/open/b;x", true),
    ("dots with a parameter: out", "/open/..;/closed/b", false),
    ("dots with a parameter: in", "/closed/..;/open/b", false),
    ("escaped dots with a parameter", "/open/%2E%2e;/closed/b", false),
    ("an escaped slash", "/open/..%2fclosed", false),
];

#[test]
fn what_envoy_normalizes_is_shared_by_what_the_back_end_receives() {
    let fixture = fixture(true);
    for (why, path, until, since) in NORMALIZED {
        let (received, shared) = if resolves_dots_with_parameters() { since } else { until };
        assert_shared(&fixture, why, path, received, shared);
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn what_envoy_leaves_is_shared_only_where_both_readings_are_open() {
    let fixture = fixture(false);
    for (why, path, shared) in RAW {
        assert_shared(&fixture, why, path, path, shared);
    }
    fixture.ensure_healthy().unwrap();
}

#[track_caller]
fn assert_shared(fixture: &EnvoyFixture, why: &str, path: &str, received: &str, shared: bool) {
    let mut ask = cross_origin(&policies::host("normalization", "two"), SHOP);
    ask.path = path.into();
    let more = [(upstream::CASE, path)];
    let answer = client::send(fixture.address().unwrap(), &ask, &more).unwrap();
    let arrived = fixture.upstream().received(path).remove(0).path;
    let told = format!("{why}: {path} on Envoy {}: {arrived}, {answer:?}", envoy_version());
    assert_eq!((arrived.as_str(), answer.passes(&ask)), (received, shared), "{told}");
    // Whatever the table says.
    let is_open = |path: &str| path.starts_with("/open/");
    let both = is_open(&resolved(&arrived)) && is_open(&resolved(&without_parameters(&arrived)));
    assert!(!shared || both, "{told}");
}

/// A path as a servlet container reads it.
fn without_parameters(path: &str) -> String {
    let segment = |segment: &str| segment.split(';').next().unwrap_or_default().to_owned();
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// A path as RFC 3986 section 5.2.4 reads it.
fn resolved(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Whether this Envoy's normalization takes `..;x` for `..`.
fn resolves_dots_with_parameters() -> bool {
    let version = envoy_version();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap());
    (numbers.next(), numbers.next()) >= (Some(1), Some(39))
}

fn fixture(normalizes: bool) -> EnvoyFixture {
    let rule = |path: &str, origin: &str| {
        json!({
            "path": { "type": "PathPrefix", "value": path },
            "cors": { "allowOrigins": [origin] },
        })
    };
    let spec = json!({
        "cors": { "allowOrigins": ["https://rest.example"] },
        "rules": [rule("/open", "*"), rule("/closed", "https://admin.example")],
    });
    let policy = policies::policy("normalization", "two", spec.as_object().cloned().unwrap());
    let plan = EnvoyFixture::plan().unwrap();
    let plan = if normalizes { plan.normalize_path() } else { plan };
    let mut fixture = plan.start().unwrap();
    fixture.configure(&[&policy]).unwrap();
    fixture
}
