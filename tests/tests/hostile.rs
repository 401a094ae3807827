//! Hostile bytes of clients and upstreams: no panic, no 5xx of the filter's making, and the filter lives on.

use corsward_policy::wire::OnInvalid;
use corsward_test_harness::answer::Answer;
use corsward_test_harness::envoy_fixture::{EnvoyFixture, cross_origin, request};
use corsward_test_harness::{case, client, policies, upstream};
use serde_json::{Value, json};
use xtask::envoy::Stats;

const SHOP: &str = "https://shop.example";

/// One host for each kind of policy that looks at a request in its own way.
const HOSTS: [&str; 5] = ["plain", "static", "echo", "fence", "rules"];

/// Request headers that the filter reads.
const READ: [&str; 8] = [
    "Origin",
    "Access-Control-Request-Method",
    "Access-Control-Request-Headers",
    "Sec-Fetch-Site",
    "X-Forwarded-Proto",
    "Upgrade",
    "Cookie",
    "Authorization",
];

/// Values that no browser sends, within what HTTP allows in a field value.
fn odd_values() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("empty", b"".to_vec()),
        ("not UTF-8", b"\xff\xfe\x80".to_vec()),
        ("half a character", b"https://\xc3.example".to_vec()),
        ("beyond ASCII", "https://b\u{fc}cher.example".as_bytes().to_vec()),
        ("every byte that is allowed", (0x21..=0x7e).chain(0x80..=0xff).collect()),
        ("commas", vec![b','; 10_000]),
        ("spaces in between", b"a \t b , c".to_vec()),
        ("long", vec![b'a'; 30_000]),
        ("long and not UTF-8", vec![0xff; 30_000]),
        ("many names", b"x-a,".repeat(8_000)),
        ("64 KiB of names, more than Envoy lets in", b"x-a,".repeat(16 * 1024)),
        ("a long origin", [&b"https://"[..], &b"a.".repeat(10_000)].concat()),
        ("many ports", b"https://a:1:2:3:4".to_vec()),
        ("brackets", b"http://[[[[]]]]::".to_vec()),
        ("stars", b"***".to_vec()),
    ]
}

#[test]
fn odd_values_in_every_header_that_is_read_change_nothing_else() {
    let fixture = fixture();
    for header in READ {
        for (why, value) in odd_values() {
            for host in HOSTS {
                for method in ["GET", "OPTIONS"] {
                    let mut ask = request(method, &of(host), &[]);
                    ask.headers = vec![
                        ("Origin".into(), SHOP.into()),
                        ("Access-Control-Request-Method".into(), b"PUT".to_vec()),
                    ];
                    ask.headers.retain(|(name, _)| name != header);
                    // An upgrade that Envoy sees as one keeps the connection; these are none.
                    ask.headers.push((header.into(), value.clone()));
                    let answer = fixture.send(&ask, &[]).unwrap_or_else(|error| {
                        panic!("{header}: {why}, {method} {host}: {error:#}")
                    });
                    let told = format!("{header}: {why}, {method} {host}: {}", answer.status);
                    assert!(answer.status < 500, "{told}");
                    assert_shares_soundly(&answer, header, &value, &told);
                }
            }
        }
        assert_alive(&fixture);
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn odd_values_from_the_upstream_reach_nobody_and_break_nothing() {
    let fixture = fixture();
    let headers = [
        "Access-Control-Allow-Origin",
        "Access-Control-Allow-Credentials",
        "Access-Control-Allow-Methods",
        "Access-Control-Allow-Headers",
        "Access-Control-Expose-Headers",
        "Access-Control-Max-Age",
        "Access-Control-Allow-Private-Network",
        "Vary",
    ];
    for header in headers {
        // Envoy answers for an upstream that sends more headers than it takes.
        let values = odd_values().into_iter().filter(|(_, value)| value.len() <= 32_000);
        for (at, (why, value)) in values.enumerate() {
            let id = format!("{header}-{at}");
            let lines = vec![(header.to_owned(), value.clone()), (header.to_owned(), value)];
            fixture.upstream().answer(&id, case::Upstream { status: 200, headers: lines });
            let ask = cross_origin(&of("plain"), SHOP);
            let answer = fixture.send(&ask, &[(upstream::CASE, &id)]).unwrap();
            let told = format!("{header}: {why}: {}", answer.status);
            assert_eq!(answer.status, 200, "{told}");
            assert_eq!(text(&answer, "access-control-allow-origin"), SHOP, "{told}");
            let tokens = answer.vary();
            let origins = tokens.iter().filter(|token| *token == "origin").count();
            let star = tokens.iter().any(|token| token == "*");
            assert!(origins == 1 || star, "{told}: {origins} times Vary: Origin");
            let others = |name: &str| {
                name.starts_with("access-control-") && name != "access-control-allow-origin"
            };
            assert_eq!(answer.lines(others).count(), 0, "{told}");
        }
        assert_alive(&fixture);
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn two_origins_share_with_nobody() {
    let fixture = fixture();
    // Envoy joins an empty line and another to the other alone: nobody behind it can tell them from one line.
    for (first, second) in [(SHOP, SHOP), (SHOP, "https://evil.test"), ("null", SHOP), (SHOP, ",")]
    {
        for host in ["plain", "echo", "rules"] {
            let ask = request("GET", &of(host), &[("Origin", first), ("Origin", second)]);
            let answer = fixture.send(&ask, &[]).unwrap();
            assert_eq!(answer.status, 200);
            assert_eq!(
                answer.get("access-control-allow-origin"),
                None,
                "{first}, {second}: {host}"
            );
        }
    }
    assert_alive(&fixture);
    fixture.ensure_healthy().unwrap();
}

#[test]
fn control_characters_never_reach_an_answer() {
    let fixture = fixture();
    for byte in (0..0x20_u8).chain([0x7f]) {
        for header in ["Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"]
        {
            let mut ask = request("OPTIONS", &of("echo"), &[]);
            ask.headers = vec![
                ("Origin".into(), SHOP.into()),
                ("Access-Control-Request-Method".into(), b"PUT".to_vec()),
            ];
            ask.headers.retain(|(name, _)| name != header);
            ask.headers.push((header.into(), [b"x-a", &[byte][..], b"b: c"].concat()));
            let Ok(answer) = fixture.send(&ask, &[]) else {
                panic!("{header} with {byte:#x}: no answer");
            };
            assert!(answer.status < 500, "{header} with {byte:#x}: {}", answer.status);
            assert_eq!(answer.get("b"), None, "{header} with {byte:#x}");
            for (name, value) in &answer.headers {
                assert!(!value.contains(&byte) || byte == b'\t', "{header} with {byte:#x}: {name}");
            }
        }
    }
    assert_alive(&fixture);
    fixture.ensure_healthy().unwrap();
}

#[test]
fn odd_paths_and_hosts_are_answered() {
    let fixture = fixture();
    let long = |piece: &str| format!("/{}", piece.repeat(30_000 / piece.len())).into_bytes();
    for path in [
        long("a"),
        long("../"),
        long("%2e%2e%2f"),
        long("%"),
        long(";"),
        long("//"),
        b"/\xff\xfe".to_vec(),
        b"/%00%ff%".to_vec(),
        b"/?".repeat(1000),
        b"/a#b".to_vec(),
        b"*".to_vec(),
        b"http://rules.hostile.test/admin/..;/x".to_vec(),
    ] {
        for origin in [SHOP, "null", "https://evil.test"] {
            let ask = case::Request { path: path.clone(), ..cross_origin(&of("rules"), origin) };
            let answer = fixture.send(&ask, &[]).unwrap();
            assert!(answer.status < 500, "{}: {}", shown(&path), answer.status);
        }
    }
    for host in ["", ":", ":80", "[", "[::1", "[::1]:x", "..", "a..b", "\u{fc}.test", "a:1:2", "*"]
    {
        if let Ok(answer) = fixture.send(&cross_origin(host, SHOP), &[]) {
            assert!(answer.status < 500, "{host}: {}", answer.status);
        }
    }
    assert_alive(&fixture);
    fixture.ensure_healthy().unwrap();
}

#[test]
fn what_is_hardly_http_does_not_take_the_filter_down() {
    let fixture = fixture();
    let address = fixture.address().unwrap();
    for bytes in [
        &b"\x00\x01\x02\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\nOrigin: https://shop.example\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: plain.hostile.test\r\nOrigin: https://shop.example\r\nAccess-Control-Request-Method: PUT\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nOrigin: https://shop.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: plain.hostile.test\r\nOrigin : https://shop.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: plain.hostile.test\r\nOrigin: https://shop.example\r\n\t.evil\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: plain.hostile.test\r\nOrigin: https://shop.example\r\n\xff\xfe: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: plain.hostile.test\r\n\xc3rigin: https://shop.example\r\n\r\n",
        b"CONNECT plain.hostile.test:443 HTTP/1.1\r\nHost: plain.hostile.test:443\r\nOrigin: null\r\n\r\n",
    ] {
        if let Ok(answer) = client::exchange(address, bytes, false) {
            assert!(answer.status < 500, "{}: {}", bytes.escape_ascii(), answer.status);
        }
        assert_alive(&fixture);
    }
    fixture.ensure_healthy().unwrap();
}

#[test]
fn a_client_that_goes_away_in_the_middle_is_not_missed() {
    let fixture = fixture();
    fixture.upstream().hold("gone");
    let ask = client::bytes(&cross_origin(&of("plain"), SHOP), &[(upstream::CASE, "gone")]);
    for _ in 0..20 {
        use std::io::Write;
        let mut connection = std::net::TcpStream::connect(fixture.address().unwrap()).unwrap();
        connection.write_all(&ask).unwrap();
        fixture.upstream().wait_for_request("gone");
    }
    fixture.upstream().release("gone");
    assert_alive(&fixture);
    fixture.ensure_healthy().unwrap();
}

#[test]
fn a_configuration_with_any_byte_changed_never_turns_a_request_into_an_error() {
    let mut fixture = fixture();
    let objects = kinds();
    let (compiled, _) = policies::compile(&objects.iter().collect::<Vec<_>>()).unwrap();
    let good = policies::envelope(compiled, OnInvalid::Reject);
    // Numbers that look random and are the same every time.
    let mut state: usize = 12345;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..60 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = u8::try_from(0x20 + next(0x5f)).unwrap(),
                1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
            bytes.push(b'}');
        }
        let bad = String::from_utf8(bytes).unwrap();
        let before = reactions(&fixture.envoy().stats().unwrap());
        fixture.publish(&bad).unwrap();
        let react = |stats: &Stats| reactions(stats) > before;
        fixture.envoy().wait_for("a reaction", |admin| Ok(react(&admin.stats()?))).unwrap();
        for origin in [SHOP, "https://evil.test"] {
            let answer = fixture.send(&cross_origin(&of("plain"), origin), &[]).unwrap();
            assert!(answer.status == 200 || answer.status == 403, "{}: {bad}", answer.status);
        }
    }
    fixture.configure(&objects.iter().collect::<Vec<_>>()).unwrap();
    assert_alive(&fixture);
    fixture.ensure_healthy().unwrap();
}

/// The number of reactions of Envoy and the filter to a configuration.
fn reactions(stats: &Stats) -> u64 {
    let said = ["update_rejected", "update_failure", "config.refused", "config.accepted"];
    let counts = stats.iter().filter(|(name, _)| said.iter().any(|word| name.ends_with(word)));
    counts.map(|(_, count)| count).sum()
}

fn fixture() -> EnvoyFixture {
    let objects = kinds();
    EnvoyFixture::running(&objects.iter().collect::<Vec<_>>()).unwrap()
}

fn kinds() -> Vec<Value> {
    let policy = |name: &str, spec: Value| {
        policies::policy("hostile", name, spec.as_object().cloned().unwrap())
    };
    let any = json!(["*"]);
    vec![
        policy(
            "plain",
            json!({ "cors": { "allowOrigins": [SHOP, "https://*.shop.example"], "allowMethods": ["PUT"], "allowHeaders": ["x-a"] } }),
        ),
        policy(
            "static",
            json!({ "cors": { "allowOrigins": any, "allowMethods": any, "allowHeaders": any }, "disallowedRequests": "Reject" }),
        ),
        policy(
            "echo",
            json!({
                "cors": {
                    "allowOrigins": any, "allowMethods": any, "allowHeaders": any, "allowCredentials": true,
                    "dangerouslyAllow": ["AnyOriginWithCredentials"],
                },
                "diagnostics": "Header",
            }),
        ),
        policy(
            "fence",
            json!({
                "cors": { "allowOrigins": [SHOP], "allowOriginRegexes": [r"https://[a-z]+\.shop\.example"] },
                "disallowedRequests": "Reject", "diagnostics": "Header",
            }),
        ),
        policy(
            "rules",
            json!({
                "cors": { "allowOrigins": [SHOP] },
                "rules": [{ "path": { "type": "PathPrefix", "value": "/admin" }, "cors": { "allowOrigins": [] } }],
            }),
        ),
    ]
}

fn of(policy: &str) -> String {
    policies::host("hostile", policy)
}

/// A usual request gets the usual answer.
#[track_caller]
fn assert_alive(fixture: &EnvoyFixture) {
    let answer = fixture.send(&cross_origin(&of("plain"), SHOP), &[]).unwrap();
    assert_eq!((answer.status, text(&answer, "access-control-allow-origin")), (200, SHOP.into()));
}

/// For every request, the answer shares with the shop, with every origin, or with none.
#[track_caller]
fn assert_shares_soundly(answer: &Answer, header: &str, value: &[u8], told: &str) {
    if let Some(allowed) = answer.get("access-control-allow-origin") {
        let echoed = header == "Origin" && allowed == value;
        assert!(allowed == SHOP.as_bytes() || allowed == b"*" || echoed, "{told}");
        let credentials = answer.get("access-control-allow-credentials").is_some();
        assert!(allowed != b"*" || !credentials, "{told}");
    }
}

fn text(answer: &Answer, name: &str) -> String {
    String::from_utf8_lossy(&answer.get(name).unwrap_or_default()).into_owned()
}

fn shown(bytes: &[u8]) -> String {
    bytes.get(..60).unwrap_or(bytes).escape_ascii().to_string()
}
