//! Chromium's cache of preflights: an answer serves the page's next request too.
//!
//! Chromium keeps one answer for each URL, the latest, and asks again where it does not list what the next request needs.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use anyhow::{Context as _, Result, ensure};
use corsward_test_harness::envoy_fixture::EnvoyFixture;
use corsward_test_harness::series;
use corsward_test_harness::site::Site;
use serde_json::{Value, json};
use xtask::demo::Browser;
use xtask::test::NO_BROWSER;

/// Number of turns of a page.
const TURNS: usize = 4;

/// A page: the calls that it makes by turns, each a method and the names of its headers.
struct Page {
    why: &'static str,
    path: &'static str,
    calls: &'static [(&'static str, &'static [&'static str])],
    preflights: usize,
}

const PAGES: &[Page] = &[
    Page {
        why: "usual methods by turns, one with JSON: the first answer lists both",
        path: "/any",
        calls: &[("PUT", &["content-type"]), ("DELETE", &[])],
        preflights: 1,
    },
    Page {
        why: "a method and a header that are not usual: their answer serves the usual ones too",
        path: "/any/unusual",
        calls: &[("PUT", &["content-type"]), ("PROPFIND", &["x-depth"])],
        preflights: 2,
    },
    Page {
        why: "two that are not usual: the answer to one does not serve the other",
        path: "/any/two",
        calls: &[("PROPFIND", &["x-depth"]), ("MKCOL", &["x-owner"])],
        preflights: 2 * TURNS,
    },
    Page {
        why: "two that are not usual, written beside `*`: each answer lists them",
        path: "/named",
        calls: &[("PROPFIND", &["x-depth"]), ("MKCOL", &["x-owner"])],
        preflights: 1,
    },
    Page {
        why: "a token for some calls: `authorization` is named, and so always listed",
        path: "/named/token",
        calls: &[("GET", &["authorization"]), ("PUT", &["content-type"]), ("DELETE", &["x-depth"])],
        preflights: 1,
    },
];

#[test]
fn a_page_that_takes_turns_is_preflighted_once() -> Result<()> {
    if std::env::var_os(NO_BROWSER).is_some() {
        println!("left out: the browser ({NO_BROWSER} is set)");
        return Ok(());
    }
    // The pages know where the API is, whose policy knows where they are.
    let api = Arc::new(OnceLock::new());
    let (pages, place) = (Mutex::new(PAGES.iter()), Arc::clone(&api));
    let site = Site::start(move |path| {
        // The next page each time that the browser asks.
        let page = if path == "/" { pages.lock().ok()?.next() } else { None };
        Some(("text/html", html(page?, (*place.get()?)?)))
    })?;
    let origin = format!("http://{}", site.address());
    let mut fixture = EnvoyFixture::running(&[&policy(&origin)])?;
    api.get_or_init(|| fixture.address().ok()).context("Envoy listens")?;

    let mut before = preflights(&mut fixture)?;
    let mut browser = Browser::open(&origin)?;
    for (at, page) in PAGES.iter().enumerate() {
        if at > 0 {
            browser.reload()?;
        }
        let said: Vec<String> = browser.next_report()?;
        // The page makes no calls until it is asked for again.
        let after = preflights(&mut fixture)?;
        let asked = after - before;
        before = after;
        let calls = page.calls.len() * TURNS;
        let passed = said.iter().filter(|said| *said == "200").count();
        ensure!(passed == calls, "{}: {said:?}", page.why);
        println!("{asked} preflights for {calls} calls: {}", page.why);
        ensure!(asked == page.preflights, "{}: {asked} preflights for {calls} calls", page.why);
    }
    browser.close()?;
    fixture.ensure_healthy()
}

/// The number of preflights that have passed so far.
fn preflights(fixture: &mut EnvoyFixture) -> Result<usize> {
    let labels = [("kind", "preflight"), ("verdict", "allowed"), ("reason", "none")];
    let count = fixture.series()?.remove(&series::name("decisions", &labels));
    Ok(usize::try_from(count.context("preflights are counted")?)?)
}

fn policy(origin: &str) -> Value {
    let cors = |methods: &[&str], headers: &[&str]| {
        json!({
            "allowOrigins": [origin],
            "allowMethods": methods,
            "allowHeaders": headers,
            "allowCredentials": true,
            "maxAge": 600,
        })
    };
    let rule = |path: &str, cors: Value| json!({ "path": { "type": "PathPrefix", "value": path }, "cors": cors });
    let named = cors(&["*", "PROPFIND", "MKCOL"], &["*", "authorization", "x-depth", "x-owner"]);
    json!({
        "metadata": { "namespace": "cache", "name": "turns" },
        "spec": {
            "hostnames": ["127.0.0.1"],
            "rules": [rule("/any", cors(&["*"], &["*"])), rule("/named", named)],
        },
    })
}

fn html(page: &Page, api: SocketAddr) -> String {
    let Page { path, calls, .. } = page;
    let (url, calls) = (json!(format!("http://{api}{path}")), json!(calls));
    format!(
        r#"<!doctype html><script type="module">
        const said = [];
        for (let turn = 0; turn < {TURNS}; turn++) {{
          for (const [method, names] of {calls}) {{
            const value = (name) => (name === "content-type" ? "application/json" : "1");
            const headers = Object.fromEntries(names.map((name) => [name, value(name)]));
            try {{
              const response = await fetch({url}, {{ method, headers, credentials: "include" }});
              said.push(String(response.status));
            }} catch (error) {{
              said.push(`${{method}}: ${{error}}`);
            }}
          }}
        }}
        tableDone(said);
        </script>"#
    )
}
