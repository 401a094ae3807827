//! Chromium's cache of preflights: an answer serves the page's next request too.
//!
//! Chromium keeps one answer for each URL, the latest, and asks again where it does not list what the next request needs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use corsward_tests::stand::Stand;
use serde_json::{Value, json};
use xtask::demo::Browser;
use xtask::test::NO_BROWSER;

/// The counter of preflights that passed.
const PREFLIGHTS: &str = "wasmcustom.corsward.decisions.kind.preflight.verdict.allowed.reason.none";

/// How often a page takes its turns.
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
    let pages = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let origin = format!("http://{}", pages.local_addr()?);
    let mut stand = Stand::running(&[&policy(&origin)])?;
    let api = stand.address()?;
    thread::spawn(move || serve(&pages, api));

    let mut browser = Browser::open(&origin)?;
    for (at, page) in PAGES.iter().enumerate() {
        if at > 0 {
            browser.reload()?;
        }
        let before = preflights(&mut stand)?;
        let said: Vec<String> = browser.next_report()?;
        let asked = preflights(&mut stand)? - before;
        let calls = page.calls.len() * TURNS;
        let passed = said.iter().filter(|said| *said == "200").count();
        ensure!(passed == calls, "{}: {said:?}", page.why);
        println!("{asked} preflights for {calls} calls: {}", page.why);
        ensure!(asked == page.preflights, "{}: {asked} preflights for {calls} calls", page.why);
    }
    browser.close()?;
    stand.ensure_healthy()
}

/// How many preflights have passed so far.
fn preflights(stand: &mut Stand) -> Result<usize> {
    let count = stand.envoy().admin().stat(PREFLIGHTS)?.context("preflights are counted")?;
    Ok(usize::try_from(count)?)
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

/// Serves the next page each time `/` is asked for.
fn serve(listener: &TcpListener, api: SocketAddr) -> Result<()> {
    let mut pages = PAGES.iter();
    for connection in listener.incoming() {
        let mut connection = connection?;
        let mut lines = BufReader::new(connection.try_clone()?).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
        let page = if first.starts_with("GET / ") { pages.next() } else { None };
        let (status, body) = match page {
            Some(page) => ("200 OK", html(page, api)),
            None => ("404 Not Found", String::new()),
        };
        let length = body.len();
        write!(
            connection,
            "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nCache-Control: no-store\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )?;
    }
    Ok(())
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
