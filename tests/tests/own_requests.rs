//! A site's own requests in Chromium: under `disallowedRequests: Reject` a page of the site itself works.

use anyhow::{Result, ensure};
use corsward_test_harness::envoy_fixture::{EnvoyFixture, cross_origin};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::site::{Resource, Site};
use serde_json::json;
use xtask::demo::Browser;
use xtask::envoy::route;
use xtask::test::NO_BROWSER;

/// Requests that the page makes, and the `Origin` that Chromium sends with them: `site` stands for the site's own.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("a module script", "/module.js", "site"),
    ("a module that it imports", "/imported.js", "site"),
    ("a font", "/font.woff2", "site"),
    ("a mask of CSS", "/mask.svg", "site"),
    ("an image with `crossorigin`", "/image.svg", "site"),
    ("a style sheet with `crossorigin`", "/style.css", "site"),
    ("a form", "/form", "site"),
    ("a form under `Referrer-Policy: no-referrer`", "/form/no-referrer", "null"),
    ("a call", "/call", "site"),
];

#[test]
fn a_page_of_the_site_itself_works_behind_the_fence() -> Result<()> {
    if std::env::var_os(NO_BROWSER).is_some() {
        println!("left out: the browser ({NO_BROWSER} is set)");
        return Ok(());
    }
    let site = Site::start(find)?;
    let plan = EnvoyFixture::plan()?.route(route("/", "site"));
    let mut fixture =
        plan.bootstrap(|bootstrap| bootstrap.upstream("site", site.address())).start()?;
    fixture.configure(&[&json!({
        "metadata": { "namespace": "own", "name": "fence" },
        "spec": {
            "hostnames": ["127.0.0.1"],
            "cors": { "allowOrigins": ["https://partner.example"] },
            "disallowedRequests": "Reject",
        },
    })])?;
    let foreign = fixture.send(&cross_origin("127.0.0.1", "https://evil.test"), &[])?;
    ensure!(foreign.status == 403, "the fence stands: {}", foreign.status);

    let origin = format!("http://{}", fixture.address()?);
    let browser = Browser::open(&origin)?;
    for (what, path, want) in REQUESTS {
        let visit = eventually(&format!("{what} ({path})"), || Ok(site.visit(path)))?;
        let want = if *want == "site" { origin.as_str() } else { want };
        let (sent, from) = (visit.header("origin"), visit.header("sec-fetch-site"));
        ensure!(sent.as_deref() == Some(want), "{what}: {visit:?}");
        ensure!(from.as_deref() == Some("same-origin"), "{what}: {visit:?}");
    }
    browser.close()?;
    fixture.ensure_healthy()
}

fn find(path: &str) -> Option<Resource> {
    const IMAGE: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>"#;
    let (media_type, text) = match path {
        "/" => ("text/html", PAGE),
        "/module.js" => ("text/javascript", MODULE),
        "/imported.js" => ("text/javascript", ""),
        "/style.css" => ("text/css", STYLE),
        "/mask.svg" | "/image.svg" => ("image/svg+xml", IMAGE),
        "/framed" => ("text/html", r#"<form method="post" action="/form"></form>"#),
        "/framed/no-referrer" => ("text/html", NO_REFERRER),
        _ => ("text/plain", ""),
    };
    Some((media_type, text.to_owned()))
}

const PAGE: &str = r#"<!doctype html>
<link rel="stylesheet" href="/style.css" crossorigin>
<p>masked</p>
<img src="/image.svg" crossorigin>
<iframe src="/framed"></iframe>
<iframe src="/framed/no-referrer"></iframe>
<script type="module" src="/module.js"></script>"#;

const NO_REFERRER: &str = r#"<meta name="referrer" content="no-referrer">
<form method="post" action="/form/no-referrer"></form>"#;

const MODULE: &str = r#"import "/imported.js";
await fetch("/call", { method: "POST" });
const send = (frame) => frame.contentDocument.forms[0].submit();
const sendFrom = (frame) => frame.contentDocument.forms[0] ? send(frame) : (frame.onload = () => send(frame));
document.querySelectorAll("iframe").forEach(sendFrom);"#;

const STYLE: &str = r#"@font-face { font-family: own; src: url("/font.woff2") }
p { font-family: own; mask-image: url("/mask.svg") }"#;
