//! `explain`: walks with policies, captures and a real server, as the binary prints them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of tests stops the test where it cannot go on"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;

use rcgen::CertifiedKey;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};

/// The folder of the repository, where the examples are.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Runs `corsward explain` in the root of the repository, with that standard input.
fn run(args: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    command.current_dir(ROOT).arg("explain").args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The output and the exit code.
fn told(args: &[&str]) -> String {
    let output = run(args, "");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!(
        "{}{}exit code: {}",
        text(&output.stdout),
        text(&output.stderr),
        output.status.code().unwrap()
    )
}

const PAGE: [&str; 4] = ["--origin", "https://app.example", "--url", "https://api.example/items"];

#[test]
fn a_policy_that_refuses_is_explained_with_the_edits_that_let_the_request_pass() {
    insta::assert_snapshot!(
        "policy_refuses",
        told(&[
            "examples/shop.yaml",
            "--origin",
            "https://app.example/cart",
            "--url",
            "https://api.shop.example/cart",
            "--method",
            "put",
            "-H",
            "Content-Type: application/json",
            "-H",
            "x-trace: 1",
            "--credentials",
            "include",
        ])
    );
}

#[test]
fn a_policy_that_allows_is_explained_step_by_step() {
    insta::assert_snapshot!(
        "policy_allows",
        told(&[
            "examples/shop.yaml",
            "--origin",
            "https://shop.example",
            "--url",
            "https://api.shop.example/cart?full=1",
            "--method",
            "DELETE",
            "--credentials",
            "include",
        ])
    );
}

#[test]
fn the_report_for_programs_has_the_same_steps() {
    insta::assert_snapshot!(
        "json",
        told(&[
            "examples/shop.yaml",
            "-o",
            "json",
            "--origin",
            "https://shop.example",
            "--url",
            "https://api.shop.example/public/news",
            "-H",
            "x-trace: 1",
        ])
    );
}

#[test]
fn the_policy_that_takes_precedence_is_named_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let policy = |name: &str, hosts: &str, origin: &str| {
        let text = format!(
            "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\n\
             metadata: {{namespace: shop, name: {name}}}\n\
             spec:\n  hostnames: [\"{hosts}\"]\n  cors:\n    allowOrigins: [\"{origin}\"]\n"
        );
        std::fs::write(folder.path().join(format!("{name}.yaml")), text).unwrap();
    };
    policy("every-host", "*.example", "https://app.example");
    policy("one-host", "api.example", "https://other.example");
    let mut args = vec![folder.path().to_str().unwrap()];
    args.extend(PAGE);
    insta::assert_snapshot!("precedence", told(&args));
}

#[test]
fn hosts_take_precedence_as_policies_read_them() {
    let policy = |name: &str, hosts: &str| {
        format!(
            "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: {name}}}\n\
             spec:\n{hosts}  cors: {{allowOrigins: ['https://{name}.example']}}\n---\n"
        )
    };
    let explain = |policies: &str, url: &str| {
        let output = run(&["-", "--origin", "https://a.example", "--url", url], policies);
        String::from_utf8(output.stdout).unwrap()
    };
    // A star is every host, as no hostname is.
    let any = policy("a", "  hostnames: ['*']\n") + &policy("b", "");
    let said = explain(&any, "http://api.example/");
    assert!(said.contains("`shop/b` alone: actual refused (origin); the path"), "{said}");
    // One address has many spellings.
    let address = "  hostnames: ['[0:0:0:0:0:0:0:1]']\n";
    let addresses = policy("a", address) + &policy("b", "") + &policy("c", address);
    let said = explain(&addresses, "http://[::1]/");
    assert!(said.contains("`shop/b` alone: actual refused (origin); the hostname"), "{said}");
    assert!(said.contains("`shop/c` alone: actual refused (origin); the path"), "{said}");
}

#[test]
fn credentials_with_any_origin_are_explained() {
    insta::assert_snapshot!(
        "any_origin_with_credentials",
        told(&[
            "examples/public-api.yaml",
            "--origin",
            "https://app.example",
            "--url",
            "https://api.weather.example/now",
            "--credentials",
            "include",
        ])
    );
}

#[test]
fn no_policy_covers_a_request_of_another_host() {
    let mut args = vec!["examples/shop.yaml"];
    args.extend(PAGE);
    insta::assert_snapshot!("no_policy", told(&args));
}

#[test]
fn a_policy_that_is_not_enforced_is_named_with_its_mode() {
    for (spec, want) in [
        ("{mode: DryRun, CORS}", "`spec.mode: DryRun` keeps it from answering"),
        ("{mode: 'Off', CORS}", "`spec.mode: Off` keeps it from answering"),
        (
            "{rules: [{path: {type: PathPrefix, value: /items}, mode: 'Off'}], CORS}",
            "`spec.rules[0].mode: Off` keeps it from answering",
        ),
        (
            "{mode: DryRun, rules: [{path: {type: PathPrefix, value: /items}, mode: 'Off'}], CORS}",
            "`spec.mode: DryRun` and `spec.rules[0].mode: Off` keeps it from answering",
        ),
    ] {
        let cors = "hostnames: [api.example], cors: {allowOrigins: ['https://app.example'], allowMethods: [PUT]}";
        let policy = format!(
            "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: api}}\nspec: {}\n",
            spec.replace("CORS", cors)
        );
        let (codes, report) = put(&["-"], &policy);
        assert_eq!(codes, "not-enforced", "{spec}");
        let message = report["diagnoses"][0]["message"].as_str().unwrap();
        assert!(message.contains(want), "{message}");
        assert!(message.contains("with `mode: Active`: preflight allowed"), "{message}");
    }
}

#[test]
fn a_request_that_no_browser_sends_is_refused_by_name() {
    let mut args = vec!["examples/shop.yaml", "--method", "TRACE"];
    args.extend(PAGE);
    insta::assert_snapshot!("forbidden_method", told(&args));
}

#[test]
fn edits_are_those_of_the_block_that_decides_and_pass_validation() {
    for (args, want) in [
        // A rule has a `cors` of its own.
        (
            "--origin https://a.example --url https://api.shop.example/public/a --method PUT",
            "`shop/api`: add `PUT` to `spec.rules[0].cors.allowMethods`",
        ),
        (
            "--origin https://a.example --url https://api.shop.example/cart",
            "`shop/api`: add `https://a.example` to `spec.cors.allowOrigins`",
        ),
        (
            "--origin https://shop.example --url https://api.shop.example/ --method PATCH -H x-b:1 -H x-a:1",
            "`shop/api`: add `PATCH` to `spec.cors.allowMethods` | \
             `shop/api`: add `x-a` to `spec.cors.allowHeaders` | \
             `shop/api`: add `x-b` to `spec.cors.allowHeaders`",
        ),
        ("--origin https://shop.example --url https://api.shop.example/", ""),
    ] {
        let words = args.split(' ');
        let args: Vec<&str> =
            ["examples/shop.yaml", "-o", "json"].into_iter().chain(words).collect();
        let report: serde_json::Value = serde_json::from_slice(&run(&args, "").stdout).unwrap();
        let edits = report["edits"].as_array().unwrap().iter();
        let edits: Vec<&str> = edits.map(|edit| edit.as_str().unwrap()).collect();
        assert_eq!(edits.join(" | "), want);
    }
}

#[test]
fn an_edit_that_validation_refuses_is_told_with_its_finding() {
    insta::assert_snapshot!(
        "refused_edit",
        told(&["examples/shop.yaml", "--origin", "null", "--url", "https://api.shop.example/"])
    );
}

#[test]
fn the_policies_of_one_namespace_answer_alone() {
    let policies = ["examples/shop.yaml", "examples/public-api.yaml", "--namespace", "weather"];
    let request = ["--origin", "https://shop.example", "--url", "https://api.shop.example/"];
    insta::assert_snapshot!("namespace", told(&[policies, request].concat()));
}

#[test]
fn captured_answers_are_diagnosed() {
    for (name, args) in [("nginx-error.txt", &PAGE[..]), ("redirect.har", &[]), ("csp.har", &[])] {
        let file = format!("cli/tests/captures/{name}");
        let args = [&["--response", &file], args].concat();
        insta::assert_snapshot!(name, told(&args));
    }
}

#[test]
fn captured_preflights_are_diagnosed() {
    let starlette = ["--preflight", "cli/tests/captures/starlette.txt"];
    let args = ["--method", "PUT", "-H", "x-b: 1"];
    insta::assert_snapshot!("starlette.txt", told(&[&starlette, &PAGE[..], &args].concat()));
    let doubled = [
        "--preflight",
        "cli/tests/captures/doubled-preflight.txt",
        "--response",
        "cli/tests/captures/doubled.txt",
    ];
    let args = ["--method", "PUT", "--credentials", "include"];
    insta::assert_snapshot!("doubled.txt", told(&[&doubled, &PAGE[..], &args].concat()));
}

/// The codes and the text of a report about `PUT`.
fn put(args: &[&str], stdin: &str) -> (String, serde_json::Value) {
    let args = [args, &["-o", "json", "--method", "PUT"], &PAGE[..]].concat();
    let output = run(&args, stdin);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let codes = report["diagnoses"].as_array().unwrap().iter();
    let codes: Vec<&str> = codes.map(|it| it["code"].as_str().unwrap()).collect();
    (codes.join(" "), report)
}

#[test]
fn an_answer_is_the_preflights_by_its_option_or_its_request_line() {
    for (head, want) in [
        ("401 Unauthorized\nwww-authenticate: Bearer\n", "preflight-unauthorized"),
        ("403 Forbidden\nserver: a\n", "preflight-status"),
        ("404 Not Found\nserver: a\n", "preflight-404"),
        ("307 -\nlocation: /items/\n", "preflight-redirect"),
        ("200 OK\nserver: a\n", "no-allow-origin"),
    ] {
        let plain = format!("HTTP/1.1 {head}");
        let (codes, _) = put(&["--preflight", "-"], &plain);
        assert!(codes.starts_with(want), "{codes}: {plain}");
        let sent = "> OPTIONS /items HTTP/1.1\n> Host: a\n>\n";
        let verbose = format!("{sent}< {}<\n", plain.replace('\n', "\n< ").trim_end_matches("< "));
        let (codes, _) = put(&["--response", "-"], &verbose);
        assert!(codes.starts_with(want), "{codes}: {verbose}");
    }
}

#[test]
fn an_answer_to_the_request_is_no_preflights_by_its_status_or_headers() {
    let answer =
        "HTTP/1.1 204 -\naccess-control-allow-origin: *\naccess-control-allow-methods: PUT\n";
    let (codes, report) = put(&["--response", "-"], answer);
    assert_eq!((codes.as_str(), &report["result"]), ("", &"unknown".into()));
    assert_eq!(report["steps"][2]["answer"]["status"], 204);
    let capture = &report["steps"][1]["capture"];
    assert_eq!(capture["option"], "--preflight");
    let want = "curl -si -X OPTIONS https://api.example/items -H 'Access-Control-Request-Method: PUT' -H 'Origin: https://app.example'";
    assert_eq!(capture["command"], want);
}

#[test]
fn a_command_for_a_missing_answer_is_quoted() {
    let url = "https://api.example/items?a=1&b='2'";
    let passing = "HTTP/1.1 204 -\naccess-control-allow-origin: *\naccess-control-allow-methods: PUT\n\
                   access-control-allow-headers: x-a\n";
    let args = [
        "--preflight",
        "-",
        "--url",
        url,
        "--origin",
        "null",
        "--method",
        "PUT",
        "-H",
        "x-a: $b 'c'",
    ];
    let text = String::from_utf8(run(&args, passing).stdout).unwrap();
    let line = text.lines().find(|line| line.contains("curl -si -X PUT")).unwrap();
    let words = shlex::split(line).unwrap();
    assert!(words.contains(&"x-a: $b 'c'".to_owned()), "{words:?}");
    assert!(
        words.iter().any(|word| word.starts_with("https://api.example/items?a=1&b=")),
        "{words:?}"
    );
}

#[test]
fn an_answer_to_another_method_is_not_the_requests() {
    let (_, report) = put(&["--response", "-"], "> GET /items HTTP/2\n>\n< HTTP/2 200\n<\n");
    assert_eq!(report["steps"][2]["capture"]["option"], "--response");
}

#[test]
fn the_answers_of_a_proxy_on_the_way_do_not_count() {
    let text = "HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n\
                HTTP/1.1 404 Not Found\r\nserver: a\r\n\r\n";
    assert_eq!(put(&["--preflight", "-"], text).0, "preflight-404");
}

#[test]
fn the_faults_of_single_answers_have_their_codes() {
    const OWN: &str = "access-control-allow-origin: https://app.example\n";
    for (answer, args, want) in [
        (format!("HTTP/1.1 200 OK\n{OWN}"), "", "missing-vary"),
        (format!("HTTP/1.1 200 OK\n{OWN}vary: accept, origin\n"), "", ""),
        ("HTTP/1.1 200 OK\naccess-control-allow-origin: *\n".to_owned(), "", ""),
        (
            "HTTP/1.1 200 OK\naccess-control-allow-origin: *\n".to_owned(),
            "--credentials=include",
            "wildcard-with-credentials",
        ),
        (
            "HTTP/1.1 200 OK\naccess-control-allow-origin: https://b.example\nvary: origin\n"
                .to_owned(),
            "",
            "other-origin",
        ),
        (
            format!("HTTP/1.1 200 OK\n{OWN}vary: origin\n"),
            "--credentials=include",
            "credentials-not-allowed",
        ),
        ("HTTP/1.1 200 OK\n".to_owned(), "", "no-allow-origin"),
        ("HTTP/1.1 404 Not Found\n".to_owned(), "", "missing-on-error"),
        (
            format!("HTTP/1.1 302 -\n{OWN}vary: origin\nlocation: https://login.example/\n"),
            "",
            "redirect",
        ),
        ("HTTP/1.1 302 -\nlocation: /login\n".to_owned(), "", "redirect no-allow-origin"),
    ] {
        assert_codes(&answer, args, want);
    }
}

#[test]
fn the_faults_of_preflights_have_their_codes() {
    const OWN: &str = "access-control-allow-origin: https://app.example\nvary: origin\n";
    let ok = format!("HTTP/1.1 204 -\n{OWN}");
    assert_eq!(put(&["--preflight", "-"], &ok).0, "method-not-allowed");
    let not_allowed = "HTTP/1.1 405 Method Not Allowed\nallow: GET\n";
    assert!(put(&["--preflight", "-"], not_allowed).0.starts_with("preflight-405"));
    let both = format!(
        "> OPTIONS / HTTP/2\n< HTTP/2 204\n< {}<\n> PUT / HTTP/2\n< HTTP/2 200\n< {}<\n",
        OWN.replace("\nv", "\n< v"),
        OWN.replace("\nv", "\n< v")
    );
    assert_eq!(put(&["--response", "-"], &both).0, "method-not-allowed judged-differently");
}

#[test]
fn failures_before_http_have_codes_of_their_own() {
    for (text, want) in [
        ("curl: (6) Could not resolve host: api.example\n", "dns"),
        ("curl: (60) SSL certificate problem: certificate has expired\n", "certificate"),
        ("* Trying 192.0.2.1:443...\n* Connection refused\n", "connection"),
    ] {
        assert_codes(text, "", want);
    }
}

/// Asserts the codes of the faults of an answer, joined by spaces.
#[track_caller]
fn assert_codes(answer: &str, args: &str, want: &str) {
    let mut all = vec!["--response", "-", "-o", "json"];
    all.extend(PAGE);
    all.extend(Some(args).filter(|args| !args.is_empty()));
    let output = run(&all, answer);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let codes = report["diagnoses"].as_array().unwrap().iter();
    let codes: Vec<&str> = codes.map(|it| it["code"].as_str().unwrap()).collect();
    assert_eq!(codes.join(" "), want, "{args} {answer}");
    assert_eq!(output.status.code(), Some(i32::from(!want.is_empty())), "{answer}");
}

#[test]
fn a_url_that_is_blocked_before_cors_is_told_apart() {
    let args = [
        "--response",
        "-",
        "-o",
        "json",
        "--origin",
        "https://app.example",
        "--url",
        "http://api.example/",
    ];
    let output = run(&args, "HTTP/1.1 200 OK\naccess-control-allow-origin: *\n");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["diagnoses"][0]["code"], "mixed-content");
    assert_eq!(report["result"], "blocked");
}

#[test]
fn a_real_server_is_asked_and_recognized() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            connection.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let answer = "HTTP/1.1 200 OK\r\n\
             Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n\
             Access-Control-Allow-Origin: http://app.example\r\n\
             Access-Control-Allow-Methods: GET\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n";
        connection.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    });
    let url = format!("http://{address}/items");
    let curl = format!(
        "curl '{url}' -X PUT -H 'origin: http://app.example' -H 'x-a: 1' -H 'user-agent: a'"
    );
    let output = run(&["--live", "--curl", &curl, "-o", "json"], "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let head = asked.join().unwrap();
    assert!(head.starts_with("options /items http/1.1\r\n"), "{head}");
    assert!(head.contains("access-control-request-method: put\r\n"), "{head}");
    assert!(head.contains("access-control-request-headers: x-a\r\n"), "{head}");
    assert!(head.contains("origin: http://app.example\r\n"), "{head}");
    let codes: Vec<_> =
        report["diagnoses"].as_array().unwrap().iter().map(|it| it["code"].clone()).collect();
    assert_eq!(codes, ["local-network", "method-not-allowed"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_copied_command_comes_from_standard_input_and_a_host_without_an_address_is_no_matter_of_cors() {
    // RFC 6761 section 6.4: no name below `invalid` has an address.
    let command = "curl 'https://api.invalid/' -H 'origin: https://app.example'";
    let output = run(&["--live", "--curl", "-", "-o", "json"], command);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["diagnoses"][0]["code"], "dns", "{report}");
}

#[test]
fn an_untrusted_certificate_is_no_matter_of_cors() {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        // The client ends the handshake.
        connection.complete_io(&mut stream).unwrap_err();
    });
    let output = run(&["--live", &url, "--origin", "https://localhost", "-o", "json"], "");
    served.join().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["diagnoses"][0]["code"], "certificate", "{report}");
}

#[test]
fn a_server_that_is_not_there_is_no_matter_of_cors() {
    // The port is free again when the listener is dropped.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}/");
    let output = run(
        &["--live", &url, "--origin", "http://localhost:1", "--method", "PUT", "-o", "json"],
        "",
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["diagnoses"][0]["code"], "connection");
    assert_eq!(report["steps"].as_array().unwrap().len(), 2);
    assert_eq!(report["result"], "blocked");
}

#[test]
fn input_that_is_unusable_names_the_remedy() {
    for (args, want) in [
        (vec![], "error: nothing to ask: give policies"),
        (vec!["examples/shop.yaml"], "error: no URL: give `--url https://api.example/items`"),
        (vec!["examples/shop.yaml", "--url", "https://a.example"], "error: no origin of the page"),
        (
            vec!["examples/shop.yaml", "--url", "a.example", "--origin", "null"],
            "error: `--url`: `a.example` is no URL",
        ),
        (vec!["--response", "none.txt"], "error: read none.txt: "),
        (
            vec!["--response", "-", "--preflight", "-"],
            "error: `--preflight`, `--response`, `--upstream-response` and `--curl` share",
        ),
        (
            vec!["--preflight", "cli/tests/captures/csp.har"],
            "error: cli/tests/captures/csp.har: a HAR has both answers",
        ),
        (
            vec!["LICENSE", "--url", "https://a.example", "--origin", "null"],
            "error: there is no accepted policy at LICENSE",
        ),
        (vec!["--live", "--curl", "wget a"], "error: the command does not begin with `curl`"),
        (vec!["examples/shop.yaml", "-H", "x"], "error: `x` is no header; write `Name: value`"),
    ] {
        let output = run(&args, "");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with(want), "{args:?}: {error}");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

/// The captures and policies of the page, under the names that it gives them.
const OF_PAGE: [(&str, &str); 4] = [
    ("page.har", "cli/tests/captures/redirect.har"),
    ("answer.txt", "cli/tests/captures/nginx-error.txt"),
    ("put.txt", "cli/tests/captures/put.txt"),
    ("shop.yaml", "examples/shop.yaml"),
];

#[test]
fn the_transcripts_of_the_page_are_what_the_binary_prints() {
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in OF_PAGE {
        std::fs::copy(format!("{ROOT}/{file}"), folder.path().join(name)).unwrap();
    }
    let page = std::fs::read_to_string(format!("{ROOT}/docs/explain.md")).unwrap();
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut transcripts = 0;
    for block in blocks.filter(|block| block.starts_with("$ corsward explain")) {
        let block = block.replace("\\\n", " ");
        let (command, printed) = block.split_once('\n').unwrap();
        let words = shlex::split(command.strip_prefix("$ corsward ").unwrap()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_corsward"))
            .current_dir(folder.path())
            .args(words)
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, stdout, "{command}");
        transcripts += 1;
    }
    assert_eq!(transcripts, 4);
}
