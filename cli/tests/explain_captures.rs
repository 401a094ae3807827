//! `explain` with captures: what browsers and curl record beside a CORS request.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests stops the test where it cannot go on"
)]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const API: &str = "https://api.example/items";

/// Runs `corsward explain` with that standard input.
fn run(args: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    command.arg("explain").args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn report(args: &[&str], stdin: &str) -> Value {
    let output = run(&[args, &["-o", "json"]].concat(), stdin);
    let error = || String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", error()))
}

fn codes(report: &Value) -> Vec<&str> {
    report["diagnoses"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect()
}

fn headers(lines: &[(&str, &str)]) -> Value {
    lines.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

/// An entry of a HAR: begun at that second, with a duration of half a second.
fn entry(
    second: u32,
    method: &str,
    url: &str,
    sent: &[(&str, &str)],
    status: i64,
    got: &[(&str, &str)],
) -> Value {
    json!({
        "startedDateTime": format!("2026-01-01T00:00:{second:02}.000+01:00"),
        "time": 500.0,
        "request": {"method": method, "url": url, "headers": headers(sent)},
        "response": {"status": status, "headers": headers(got)},
    })
}

fn har(entries: &[Value]) -> String {
    json!({"log": {"version": "1.2", "entries": entries}}).to_string()
}

const ORIGIN: (&str, &str) = ("Origin", "https://app.example");
const REFERRER: (&str, &str) = ("Referer", "https://app.example/");
const CORS: (&str, &str) = ("Sec-Fetch-Mode", "cors");
const SHARED: [(&str, &str); 2] =
    [("access-control-allow-origin", "https://app.example"), ("vary", "origin")];

#[test]
fn requests_beside_cors_are_no_failed_fetches() {
    let fetch = entry(9, "GET", API, &[ORIGIN, CORS], 200, &SHARED);
    let no_cors = ("sec-fetch-mode", "no-cors");
    let navigate = ("sec-fetch-mode", "navigate");
    let mut websocket = entry(1, "GET", "wss://api.example/socket", &[ORIGIN], 101, &[]);
    websocket["_resourceType"] = json!("websocket");
    let mut picture = entry(1, "GET", "https://cdn.example/b.png", &[REFERRER], 200, &[]);
    picture["_resourceType"] = json!("image");
    let others = [
        entry(1, "GET", "https://cdn.example/a.png", &[REFERRER, no_cors], 200, &[]),
        entry(2, "GET", "https://other.example/", &[REFERRER, navigate], 200, &[]),
        entry(2, "POST", "https://other.example/form", &[ORIGIN, navigate], 302, &[]),
        entry(3, "GET", "https://app.example/data", &[REFERRER, CORS], 200, &[]),
        entry(
            3,
            "GET",
            "https://app.example/own",
            &[REFERRER, ("sec-fetch-mode", "same-origin")],
            200,
            &[],
        ),
        entry(4, "GET", "https://other.example/no-type.js", &[REFERRER], 200, &[]),
        websocket,
        picture,
    ];
    for other in &others {
        let report = report(&["--response", "-"], &har(&[other.clone(), fetch.clone()]));
        assert_eq!(report["request"]["url"], API, "{other}");
        assert_eq!(report["result"], "readable", "{other}");
    }
    let output = run(&["--response", "-", "--url", "https://cdn.example/a.png"], &har(&others));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("has the mode `no-cors`: it is no matter of CORS"), "{error}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_preflight_is_that_of_the_method_and_of_the_time() {
    let preflight = |second, method, status, got: &[(&str, &str)]| {
        let sent = [ORIGIN, ("Access-Control-Request-Method", method)];
        entry(second, "OPTIONS", API, &sent, status, got)
    };
    let put = |second, status| {
        let got = if status == 0 { &[][..] } else { &SHARED };
        entry(second, "PUT", API, &[ORIGIN, CORS], status, got)
    };
    let allows = [SHARED[0], SHARED[1], ("access-control-allow-methods", "PUT")];
    let (good, bad) = (
        |second| preflight(second, "PUT", 204, &allows),
        |second| preflight(second, "PUT", 403, &[]),
    );
    for (why, entries, want) in [
        (
            "of another method",
            vec![preflight(1, "DELETE", 403, &[]), good(2), put(3, 200)],
            "readable",
        ),
        ("of an earlier try", vec![bad(1), good(5), put(6, 200)], "readable"),
        ("of a later try", vec![good(1), put(2, 200), bad(9)], "readable"),
        ("in the order of the file", vec![good(5), put(6, 200), bad(1)], "readable"),
        // Chromium begins the request first.
        ("within the time of its request", vec![bad(1), put(4, 200), good(4)], "readable"),
        ("none of its own", vec![preflight(1, "DELETE", 204, &allows), put(2, 200)], "unknown"),
        ("that fails", vec![good(1), bad(5), put(6, 0)], "blocked"),
    ] {
        let report = report(&["--response", "-"], &har(&entries));
        assert_eq!(report["result"], want, "{why}: {report:#}");
    }
}

#[test]
fn a_copied_command_has_the_quotes_of_its_shell() {
    let posix = r"curl 'https://api.example/items' -X 'PUT' -H 'origin: https://app.example' \
  -H $'x-a: it\'s \u0021' --data-raw $'{\'a\':1}'";
    let cmd = "curl ^\"https://api.example/items^\" ^\r\n  -X ^\"PUT^\" ^\r\n  -H ^\"origin: https://app.example^\" ^\r\n  -H ^\"x-a: it's ^!^\" ^\r\n  --data-raw ^\"^{^\\^\"a^\\^\":1^}^\"";
    let answer = "HTTP/1.1 204 -\n";
    for command in [posix, cmd] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("preflight.txt");
        std::fs::write(&file, answer).unwrap();
        let args = ["--preflight", file.to_str().unwrap(), "--curl", "-"];
        let request = report(&args, command)["request"].clone();
        assert_eq!(request["method"], "PUT", "{command}");
        assert_eq!(request["headers"], json!([{"name": "x-a", "value": "it's !"}]), "{command}");
    }
}

#[test]
fn headers_of_the_browser_are_not_the_pages() {
    let added = [
        "alt-used: api.example",
        "if-none-match: \"1\"",
        "if-modified-since: Thu, 01 Jan 2026 00:00:00 GMT",
        "sec-gpc: 1",
        "sec-ch-ua: \"a\"",
        "priority: u=1, i",
        "save-data: on",
        "upgrade-insecure-requests: 1",
        "te: trailers",
    ];
    let headers = added.map(|line| format!("-H '{line}'")).join(" ");
    let command = format!("curl '{API}' -H 'origin: https://app.example' {headers} -H 'x-own: 1'");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer.txt");
    std::fs::write(&file, "HTTP/1.1 200 OK\n").unwrap();
    let report = report(&["--response", file.to_str().unwrap(), "--curl", "-"], &command);
    assert_eq!(report["request"]["headers"], json!([{"name": "x-own", "value": "1"}]));
}

const PAGE: [&str; 6] = ["--response", "-", "--origin", "https://app.example", "--url", API];

#[test]
fn the_answer_behind_a_redirect_is_that_of_another_url() {
    let own = "access-control-allow-origin: https://app.example\r\nvary: origin\r\n";
    let redirect = format!("HTTP/2 302 \r\nlocation: /login\r\n{own}\r\n");
    let plain = format!("{redirect}HTTP/2 200 \r\ncontent-type: text/html\r\n\r\n<p>\n");
    let verbose = format!(
        "> GET /items HTTP/2\n>\n< {}<\n> GET /login HTTP/2\n>\n< HTTP/2 200\n<\n",
        redirect.trim_end().replace("\r\n", "\n< ") + "\n"
    );
    for text in [&plain, &verbose] {
        let report = report(&PAGE, text);
        assert_eq!(report["steps"][2]["answer"]["status"], 302, "{text}");
        assert_eq!(codes(&report), ["redirect"], "{text}");
    }
}

#[test]
fn a_body_with_the_lines_of_a_head_is_a_body() {
    let body =
        "a\nHTTP/1.1 500 Internal Server Error\nx: y\n\n* Connection refused\n< HTTP/1.1 404 -\n";
    let own = "access-control-allow-origin: *\n";
    let plain = format!("HTTP/1.1 200 OK\n{own}\n{}", body.replace('<', ""));
    let verbose = format!("> GET /items HTTP/1.1\n>\n< HTTP/1.1 200 OK\n< {own}<\n{body}");
    for text in [&plain, &verbose] {
        let report = report(&PAGE, text);
        assert_eq!(report["steps"][2]["answer"]["status"], 200, "{text}");
        assert_eq!((codes(&report), &report["result"]), (vec![], &json!("readable")), "{text}");
    }
}

#[test]
fn a_preflight_is_that_of_the_page_and_of_the_headers() {
    let preflight = |origin: &str, names: &str, allowed: &str| {
        let mut sent = vec![("origin", origin), ("access-control-request-method", "PUT")];
        sent.extend(Some(("access-control-request-headers", names)).filter(|_| !names.is_empty()));
        let got = [
            ("access-control-allow-origin", origin),
            ("access-control-allow-methods", "PUT"),
            ("access-control-allow-headers", allowed),
        ];
        entry(1, "OPTIONS", "https://api.example/items#part", &sent, 204, &got)
    };
    let own = "https://app.example";
    for (why, preflight, own_header, want) in [
        ("its own", preflight(own, "x-a", "x-a"), "x-a", "readable"),
        ("of another page", preflight("https://other.example", "x-a", "x-a"), "x-a", "unknown"),
        ("for another header", preflight(own, "x-b", "x-b"), "x-a", "unknown"),
        ("for one header more", preflight(own, "x-a,x-b", "x-a, x-b"), "x-a", "unknown"),
        ("for one header less", preflight(own, "", ""), "x-a", "unknown"),
        // A browser leaves credentials out of what it exports.
        (
            "for a token",
            preflight(own, "authorization,x-a", "authorization, x-a"),
            "x-a",
            "readable",
        ),
        ("for a refused token", preflight(own, "authorization,x-a", "x-a"), "x-a", "blocked"),
        // The page sets a header that browsers set, too.
        (
            "for a cache",
            preflight(own, "cache-control", "cache-control"),
            "cache-control",
            "readable",
        ),
    ] {
        let put = entry(2, "PUT", API, &[ORIGIN, CORS, (own_header, "1")], 200, &SHARED);
        let har = har(&[preflight, put]);
        assert_eq!(report(&["--response", "-"], &har)["result"], want, "{why}");
        // A page that is not known to read the response is none that reads it.
        let code = run(&["--response", "-"], &har).status.code();
        assert_eq!(code, Some(i32::from(want != "readable")), "{why}");
    }
}

#[test]
fn no_page_reads_a_redirect_that_the_browser_follows() {
    let got = |more| format!("HTTP/1.1 302 Found\r\naccess-control-allow-origin: *\r\n{more}\r\n");
    let followed = report(&PAGE, &got("location: /login\r\n"));
    let conclusion = followed["steps"][2]["conclusion"].as_str().unwrap();
    assert!(conclusion.starts_with("the CORS check passes: the browser follows"), "{conclusion}");
    assert_eq!(followed["result"], "unknown");
    // Without a place to go to it is an answer as any other.
    let read = report(&PAGE, &got(""));
    assert!(
        read["steps"][2]["conclusion"].as_str().unwrap().contains("the page reads"),
        "{read:#}"
    );
    assert_eq!(read["result"], "readable");
}

#[test]
fn a_command_beside_cors_and_one_of_two_pages_are_refused() {
    let answer = "HTTP/1.1 200 OK\naccess-control-allow-origin: *\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer.txt");
    std::fs::write(&file, answer).unwrap();
    let args = ["--response", file.to_str().unwrap(), "--curl", "-"];
    let origin = "-H 'origin: https://app.example'";
    for (more, want) in [
        ("-H 'sec-fetch-mode: no-cors'", "has the mode `no-cors`: it is no matter of CORS"),
        ("-H 'Sec-Fetch-Mode: navigate'", "has the mode `navigate`: it is no matter of CORS"),
        (
            "-H 'Origin: https://b.example'",
            "two headers `origin`, `https://app.example` and `https://b.example`",
        ),
    ] {
        let output = run(&args, &format!("curl {API} {origin} {more}"));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(want), "{more}: {error}");
        assert_eq!(output.status.code(), Some(2), "{more}");
    }
    let read = format!("curl {API} {origin} {origin} -H 'sec-fetch-mode: cors' --url-query a=b");
    let report = report(&args, &read);
    assert_eq!(
        (&report["result"], &report["request"]["url"]),
        (&json!("readable"), &json!(format!("{API}?a=b")))
    );
}

#[test]
fn a_request_of_a_har_is_the_one_that_is_asked() {
    let evil = ("Origin", "https://evil.example");
    let preflight = [ORIGIN, ("Access-Control-Request-Method", "PUT")];
    let allows = [SHARED[0], SHARED[1], ("access-control-allow-methods", "PUT")];
    let har = har(&[
        entry(1, "GET", API, &[evil], 200, &[]),
        entry(2, "GET", API, &[ORIGIN], 200, &SHARED),
        entry(3, "OPTIONS", API, &preflight, 204, &allows),
        entry(4, "PUT", API, &[ORIGIN], 200, &SHARED),
        entry(5, "GET", API, &[evil], 200, &[]),
    ]);
    for (args, origin, method, result) in [
        (&[][..], "https://evil.example", "GET", "blocked"),
        (&["--origin", "https://app.example"], "https://app.example", "GET", "readable"),
        (
            &["--origin", "https://app.example/cart", "--url", API],
            "https://app.example",
            "GET",
            "readable",
        ),
        (&["--origin", "https://evil.example"], "https://evil.example", "GET", "blocked"),
        (&["-X", "put"], "https://app.example", "PUT", "readable"),
    ] {
        let report = report(&[&["--response", "-"], args].concat(), &har);
        assert_eq!(report["request"]["origin"], origin, "{args:?}");
        assert_eq!(
            report["request"]["method"].as_str().map(str::to_uppercase).as_deref(),
            Some(method),
            "{args:?}"
        );
        assert_eq!(report["result"], result, "{args:?}");
    }
    let has = "the HAR has no such request; it has `GET https://api.example/items` from https://evil.example, \
               `GET https://api.example/items` from https://app.example, `PUT https://api.example/items` from https://app.example\n";
    for args in [
        &["-X", "DELETE"][..],
        &["-X", "PUT", "--origin", "https://evil.example"],
        &["--origin", "https://other.example", "--url", API],
        &["--url", "https://api.example/other"],
    ] {
        let output = run(&[&["--response", "-"], args].concat(), &har);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.ends_with(has), "{args:?}: {error}");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_304_without_the_headers_leaves_the_answer_to_the_stored_response() {
    let stored = entry(1, "GET", API, &[ORIGIN], 304, &[]);
    let other = entry(2, "GET", "https://api.example/other", &[ORIGIN], 200, &[]);
    let unknown = report(&["--response", "-"], &har(std::slice::from_ref(&stored)));
    assert_eq!((codes(&unknown), &unknown["result"]), (vec![], &json!("unknown")));
    let conclusion = unknown["steps"][2]["conclusion"].as_str().unwrap();
    assert!(
        conclusion.contains("304: the browser checks the response that it has stored"),
        "{conclusion}"
    );
    // It is no failure that comes before the others.
    let failed = report(&["--response", "-"], &har(&[stored, other]));
    assert_eq!(failed["request"]["url"], "https://api.example/other");
    let told = entry(1, "GET", API, &[ORIGIN], 304, &SHARED);
    assert_eq!(report(&["--response", "-"], &har(&[told]))["result"], "readable");
}

#[test]
fn a_folded_line_of_a_header_goes_on_with_its_value() {
    let args = ["--url", API, "--origin", "https://app.example", "--response", "-"];
    let lines = [
        "HTTP/1.1 200 OK",
        "Access-Control-Allow-Origin:",
        "\thttps://app.example",
        "Vary: Origin",
        "",
    ];
    for mark in ["", "< "] {
        let text = lines.map(|line| [mark, line, "\r\n"].concat()).concat();
        let request = if mark.is_empty() { "" } else { "> GET /items HTTP/1.1\r\n" };
        let output = run(&args, &format!("{request}{text}"));
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
