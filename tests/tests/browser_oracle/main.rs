//! `corsward-browser` against Chromium: a page runs generated requests, and a server that answers as a case says sees what arrives.

mod cases;
mod server;

use std::net::SocketAddr;
use std::sync::PoisonError;

use anyhow::{Result, ensure};
use corsward_browser::readable::readable_headers;
use corsward_browser::{
    CorsResponse, CredentialsMode, HeaderLine, PageOrigin, PageRequest, combined, cors_check, plan,
    preflight_check,
};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use xtask::demo::Browser;
use xtask::test::NO_BROWSER;

use crate::cases::{Case, cases};
use crate::server::{Arrivals, Seen, Server};

/// The page's word about one case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    ok: bool,
    names: Vec<String>,
}

/// Names and their values, where they are sent.
type Values = Vec<(String, Option<String>)>;

/// The events of one case, as the browser and as the crate have them.
#[derive(Debug, PartialEq, Eq)]
struct Events {
    /// The requested method and header names of the preflight.
    preflight: Option<(String, Option<String>)>,
    /// The method of the request, and its header lines that the page sets.
    request: Option<(String, Values)>,
    /// Whether a cookie travels with the request.
    cookie: bool,
    /// The header names that the page reads; `None`: an error.
    readable: Option<Vec<String>>,
}

#[test]
fn chromium_does_what_the_crate_says_in_every_generated_case() -> Result<()> {
    if std::env::var_os(NO_BROWSER).is_some() {
        println!("left out: the browser ({NO_BROWSER} is set)");
        return Ok(());
    }
    let cases = cases();
    let api = Server::bind()?;
    let site = Server::bind()?;
    let origin = format!("http://{}", site.address()?);
    let page = page(&cases, api.address()?);
    let (at_api, at_site) = (api.serve(&cases, &origin, "")?, site.serve(&cases, &origin, &page)?);

    let browser = Browser::open(&origin)?;
    let said: Vec<Said> = browser.next_report()?;
    browser.close()?;

    let (mut wrong, mut lenient) = (Vec::new(), 0);
    for (at, (case, said)) in cases.iter().zip(&said).enumerate() {
        let seen = if case.same_origin { &at_site } else { &at_api };
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.get(&at).cloned().unwrap_or_default();
        let target = if case.same_origin { site.address()? } else { api.address()? };
        let expected = expected(case, &origin, &format!("http://{target}/{at}"))?;
        let happened = happened(case, &seen, said);
        if expected == happened {
            continue;
        }
        if case.is_lenient_in_chromium() {
            lenient += 1;
        } else {
            wrong.push(format!(
                "{at}: {case:?}\n  crate:    {expected:?}\n  Chromium: {happened:?}"
            ));
        }
    }
    println!("{} cases, {} preflights", cases.len(), preflights(&at_api));
    ensure!(said.len() == cases.len() && cases.len() >= 200, "only {} cases", said.len());
    ensure!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(lenient == 1, "Chromium has changed its mind about `authorization` and `*`");
    Ok(())
}

fn preflights(seen: &Arrivals) -> usize {
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.values().flatten().filter(|seen| seen.is_preflight()).count()
}

/// The events by the crate.
fn expected(case: &Case, origin: &str, url: &str) -> Result<Events> {
    let lines = |headers: &[(&str, String)]| -> Vec<HeaderLine> {
        let line = |(name, value): &(&str, String)| {
            ((*name).to_owned(), value.replace("{origin}", origin).into_bytes())
        };
        headers.iter().map(line).collect()
    };
    let page = PageRequest {
        origin: PageOrigin::of(&Url::parse(origin)?),
        url: Url::parse(url)?,
        method: case.method.to_owned(),
        headers: lines(&case.headers),
        credentials: case.credentials,
        upload_listeners: case.upload_listeners,
    };
    let mut events = Events { preflight: None, request: None, cookie: false, readable: None };
    let Ok(plan) = plan(&page) else { return Ok(events) };
    if let Some(planned) = &plan.preflight {
        let text = |name: &str| {
            combined(&planned.request.headers, name)
                .map(|value| String::from_utf8_lossy(&value).into_owned())
        };
        let method = text("access-control-request-method").unwrap_or_default();
        events.preflight = Some((method, text("access-control-request-headers")));
        let headers = lines(&case.preflight.headers);
        let response = CorsResponse { status: case.preflight.status, headers: &headers };
        if preflight_check(&plan.cors, &planned.asks, response).is_err() {
            return Ok(events);
        }
    }
    events.request = Some((plan.request.method.clone(), set_by_page(case, &plan.request.headers)));
    events.cookie = match case.credentials {
        CredentialsMode::Omit => false,
        CredentialsMode::SameOrigin => case.same_origin,
        CredentialsMode::Include => true,
    };
    let headers = lines(&case.actual.headers);
    let response = CorsResponse { status: case.actual.status, headers: &headers };
    if !case.same_origin && cors_check(&plan.cors, response).is_err() {
        return Ok(events);
    }
    if !case.same_origin {
        events.readable = Some(readable_headers(&plan.cors, &headers).readable);
    } else {
        events.readable = Some(Vec::new());
    }
    Ok(events)
}

/// The events by Chromium.
fn happened(case: &Case, seen: &[Seen], said: &Said) -> Events {
    let preflight = seen.iter().find(|seen| seen.is_preflight());
    let request = seen.iter().find(|seen| !seen.is_preflight());
    let text = |seen: &Seen, name: &str| {
        combined(&seen.headers, name).map(|value| String::from_utf8_lossy(&value).into_owned())
    };
    let of_case = |name: &&String| {
        let all = case.actual.headers.iter();
        all.clone().any(|(sent, _)| sent.eq_ignore_ascii_case(name))
    };
    let names = said.names.iter().filter(of_case).cloned().collect();
    Events {
        preflight: preflight.map(|seen| {
            let method = text(seen, "access-control-request-method").unwrap_or_default();
            (method, text(seen, "access-control-request-headers"))
        }),
        request: request.map(|seen| (seen.method.clone(), set_by_page(case, &seen.headers))),
        cookie: seen.iter().any(|seen| text(seen, "cookie").is_some()),
        readable: said.ok.then(|| if case.same_origin { Vec::new() } else { names }),
    }
}

/// The values of the headers that the page sets, those that browsers write themselves left out.
fn set_by_page(case: &Case, lines: &[HeaderLine]) -> Values {
    const OF_BROWSER: [&str; 9] = [
        "accept-encoding",
        "connection",
        "content-length",
        "cookie",
        "host",
        "origin",
        "referer",
        "sec-fetch-mode",
        "user-agent",
    ];
    let names = case.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
    let names = names.filter(|name| !OF_BROWSER.contains(&name.as_str()));
    let value = |name: &String| {
        combined(lines, name).map(|value| String::from_utf8_lossy(&value).into_owned())
    };
    names.map(|name| (name.clone(), value(&name))).collect()
}

/// The page that runs the cases, six at a time, and reports once.
fn page(cases: &[Case], api: SocketAddr) -> String {
    let list: Vec<Value> = cases
        .iter()
        .map(|case| {
            json!({
                "method": case.method,
                "headers": case.headers,
                "credentials": case.credentials.to_string(),
                "xhr": case.upload_listeners,
                "base": if case.same_origin { String::new() } else { format!("http://{api}") },
            })
        })
        .collect();
    let list = Value::Array(list);
    format!(
        r#"<!doctype html><link rel="icon" href="data:,"><script type="module">
        const cases = {list};
        const said = [];
        const ask = ({{ method, headers, credentials, xhr, base }}, url) => {{
          if (!xhr) return fetch(base + url, {{ method, headers, credentials }})
            .then((response) => [...response.headers.keys()]);
          return new Promise((resolve, reject) => {{
            const request = new XMLHttpRequest();
            request.open(method, base + url);
            request.withCredentials = credentials === "include";
            for (const [name, value] of headers) request.setRequestHeader(name, value);
            request.upload.onprogress = () => {{}};
            request.onload = () => resolve(
              request.getAllResponseHeaders().split("\r\n").filter(Boolean).map((line) => line.split(":")[0]));
            request.onerror = reject;
            request.send("body");
          }});
        }};
        let next = 0;
        const work = async () => {{
          while (next < cases.length) {{
            const at = next++;
            try {{
              said[at] = {{ ok: true, names: (await ask(cases[at], "/" + at)).sort() }};
            }} catch {{
              said[at] = {{ ok: false, names: [] }};
            }}
          }}
        }};
        await Promise.all(Array.from({{ length: 6 }}, work));
        tableDone(said);
        </script>"#
    )
}
