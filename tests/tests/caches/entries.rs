//! Entries of real caches: which origins share one, and which never do.

use std::fs;

use corsward_test_harness::answer::Answer;
use corsward_test_harness::case::{Request, Upstream};
use corsward_test_harness::envoy_fixture::{EnvoyFixture, cross_origin, preflight, request};
use corsward_test_harness::{client, upstream};
use serde_json::Value;
use xtask::paths;

use crate::cache::{Cache, is_hit};

/// The host of the policy that `docs/caches.md` shows, and one without a policy.
const HOST: &str = "api.shop.example";
const UNCOVERED: &str = "uncovered.example";

const SHOP: &str = "https://shop.example";
const ADMIN: &str = "https://admin.example";
const EVIL: &str = "https://evil.test";

/// The answer of the upstream that two caches keep; its `Vary` comes in two lines.
const KEPT: &str = "kept";

/// The answer of an upstream that echoes the origin and does not say so.
const ECHOED: &str = "echoed";

#[test]
fn two_origins_never_share_an_entry_and_public_ones_share_theirs() {
    let fixture = fixture();
    let envoy = fixture.address().unwrap();
    for cache in [Cache::nginx(envoy), Cache::varnish(envoy)] {
        two_origins_have_entries_of_their_own(&cache);
        a_request_without_an_origin_poisons_nothing(&cache);
        a_refused_origin_poisons_nothing(&cache);
        a_public_path_has_one_entry_for_all(&cache);
        a_preflight_is_never_kept(&cache);
        without_a_policy_an_entry_is_poisoned(&cache);
        cache.stop();
    }
    fixture.ensure_healthy().unwrap();
}

fn two_origins_have_entries_of_their_own(cache: &Cache) {
    let ask = |origin| at("/two", cross_origin(HOST, origin));
    for (why, origin, hit) in [
        ("the first of one origin", SHOP, false),
        ("its second", SHOP, true),
        ("the first of another origin", ADMIN, false),
        ("its second", ADMIN, true),
        ("the first origin again", SHOP, true),
    ] {
        let answer = get(cache, &ask(origin), KEPT);
        let told = format!("{}: {why}: {answer:?}", cache.name);
        assert_eq!(is_hit(&answer), hit, "{told}");
        assert_eq!(answer.text("access-control-allow-origin"), origin, "{told}");
        assert!(answer.passes(&ask(origin)), "{told}");
    }
}

fn a_request_without_an_origin_poisons_nothing(cache: &Cache) {
    let plain = at("/plain", request("GET", HOST, &[]));
    let cross = at("/plain", cross_origin(HOST, SHOP));
    for (why, ask, hit) in [
        ("an image", &plain, false),
        ("the image again", &plain, true),
        ("a fetch of it", &cross, false),
        ("the fetch again", &cross, true),
        ("the image once more", &plain, true),
    ] {
        let answer = get(cache, ask, KEPT);
        let told = format!("{}: {why}: {answer:?}", cache.name);
        assert_eq!(is_hit(&answer), hit, "{told}");
        assert_eq!(answer.passes(ask), std::ptr::eq(ask, &cross), "{told}");
    }
}

fn a_refused_origin_poisons_nothing(cache: &Cache) {
    let ask = |origin| at("/refused", cross_origin(HOST, origin));
    for (why, origin, hit, passes) in [
        ("another site", EVIL, false, false),
        ("an allowed one", SHOP, false, true),
        ("the other site again", EVIL, true, false),
    ] {
        let answer = get(cache, &ask(origin), KEPT);
        let told = format!("{}: {why}: {answer:?}", cache.name);
        assert_eq!((is_hit(&answer), answer.passes(&ask(origin))), (hit, passes), "{told}");
    }
}

fn a_public_path_has_one_entry_for_all(cache: &Cache) {
    let origins = [None, Some(SHOP), Some(ADMIN), Some(EVIL), Some("null")];
    for (at_step, origin) in origins.into_iter().enumerate() {
        let ask = match origin {
            Some(origin) => cross_origin(HOST, origin),
            None => request("GET", HOST, &[]),
        };
        let answer = get(cache, &at("/public/font.woff2", ask), KEPT);
        let told = format!("{}: {origin:?}: {answer:?}", cache.name);
        assert_eq!(is_hit(&answer), at_step > 0, "{told}");
        assert_eq!(answer.text("access-control-allow-origin"), "*", "{told}");
    }
}

fn a_preflight_is_never_kept(cache: &Cache) {
    for origin in [SHOP, ADMIN, SHOP] {
        let ask = at("/two", preflight(HOST, origin, "PUT"));
        let answer = get(cache, &ask, KEPT);
        let told = format!("{}: {origin}: {answer:?}", cache.name);
        assert!(!is_hit(&answer) && answer.passes(&ask), "{told}");
        assert_eq!(answer.text("access-control-allow-origin"), origin, "{told}");
    }
}

/// The fault that the other tests of this file would show.
fn without_a_policy_an_entry_is_poisoned(cache: &Cache) {
    let ask = |origin| at("/echoed", cross_origin(UNCOVERED, origin));
    assert!(get(cache, &ask(SHOP), ECHOED).passes(&ask(SHOP)), "{}", cache.name);
    let answer = get(cache, &ask(ADMIN), ECHOED);
    assert!(is_hit(&answer) && !answer.passes(&ask(ADMIN)), "{}: {answer:?}", cache.name);
}

fn fixture() -> EnvoyFixture {
    let page = fs::read_to_string(paths::root().join("docs/caches.md")).unwrap();
    let (_, example) = page.split_once("```yaml\n").unwrap();
    let policy: Value = serde_saphyr::from_str(example.split("```").next().unwrap()).unwrap();
    let fixture = EnvoyFixture::running(&[&policy]).unwrap();
    let answer = |case: &str, headers: &[(&str, &str)]| {
        let line = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        let mut headers: Vec<_> = headers.iter().map(line).collect();
        headers.push(("Cache-Control".into(), b"public, max-age=600".to_vec()));
        fixture.upstream().answer(case, Upstream { status: 200, headers });
    };
    answer(KEPT, &[("Vary", "Accept-Encoding"), ("Vary", "Accept-Language")]);
    answer(ECHOED, &[("Access-Control-Allow-Origin", SHOP)]);
    fixture
}

fn get(cache: &Cache, request: &Request, case: &str) -> Answer {
    client::send(cache.address, request, &[(upstream::CASE, case)]).unwrap()
}

fn at(path: &str, request: Request) -> Request {
    Request { path: path.into(), ..request }
}
