//! Real back ends whose own CORS refuses what the proxy allows: what they answer with `upstreamOrigin: Keep` and `Remove`.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Stdio;

use corsward_test_harness::answer::Answer;
use corsward_test_harness::case::Request;
use corsward_test_harness::envoy_fixture::{EnvoyFixture, request};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::policies;
use serde_json::{Value, json};
use xtask::envoy::route;
use xtask::process::Process;
use xtask::{ports, tools};

/// The front end that the policies allow, and no back end knows.
const SHOP: &str = "https://shop.example";
/// The front end that the policies allow, and every back end knows.
const OLD: &str = "https://old.example";
/// An origin that nothing allows.
const EVIL: &str = "https://evil.test";

/// The back ends behind one Envoy.
struct Shops {
    fixture: EnvoyFixture,
    _processes: Vec<Process>,
}

/// All of it in one test: a Java takes seconds to start.
#[test]
fn real_back_ends_work_behind_the_proxy_as_they_should() {
    let shops = Shops::open(&["gin", "spring", "django"]);
    a_layer_that_refuses_unknown_origins_sleeps_where_the_proxy_removes_origin(&shops);
    a_layer_that_knows_the_origins_can_be_left_on(&shops);
    a_layer_that_lets_unknown_origins_pass_can_be_left_on(&shops);
    a_layer_still_refuses_what_the_proxy_does_not_allow(&shops);
    djangos_csrf_check_leans_on_origin_and_else_on_referer(&shops);
    shops.fixture.ensure_healthy().unwrap();
}

fn a_layer_that_refuses_unknown_origins_sleeps_where_the_proxy_removes_origin(shops: &Shops) {
    for name in ["gin", "spring"] {
        let mut orders = 0;
        for method in ["GET", "POST"] {
            let keep = shops.ask(name, method, "keep", &[("Origin", SHOP)]);
            assert_eq!(keep.status, 403, "{name}, {method}: its list does not have the origin");
            assert_eq!(shared_with(&keep), SHOP, "{name}, {method}: the page can read the refusal");

            let remove = shops.ask(name, method, "remove", &[("Origin", SHOP)]);
            assert_eq!(remove.status, 200, "{name}, {method}: {}", body(&remove));
            assert_eq!(shared_with(&remove), SHOP, "{name}, {method}");
            assert_eq!(cors_lines(&remove), 2, "{name}, {method}: the policy's and no other");
            orders += u64::from(method == "POST");
            assert_eq!(count(&remove), orders, "{name}, {method}: counted once, not while refused");
        }
    }
}

fn a_layer_that_knows_the_origins_can_be_left_on(shops: &Shops) {
    for name in ["gin", "spring", "django"] {
        let answer = shops.ask(name, "GET", "keep", &[("Origin", OLD)]);
        assert_eq!(answer.status, 200, "{name}: {}", body(&answer));
        assert_eq!(shared_with(&answer), OLD, "{name}: one line, the proxy's");
        let own = shops.ask(name, "GET", "uncovered", &[("Origin", OLD)]);
        assert_eq!(shared_with(&own), OLD, "{name}: it has a line of its own");
    }
}

fn a_layer_that_lets_unknown_origins_pass_can_be_left_on(shops: &Shops) {
    let own = shops.ask("django", "GET", "uncovered", &[("Origin", SHOP)]);
    assert_eq!((own.status, cors_lines(&own)), (200, 0), "django-cors-headers refuses nothing");
    let answer = shops.ask("django", "GET", "keep", &[("Origin", SHOP)]);
    assert_eq!((answer.status, shared_with(&answer)), (200, SHOP.into()));
}

fn a_layer_still_refuses_what_the_proxy_does_not_allow(shops: &Shops) {
    for name in ["gin", "spring"] {
        for (why, headers) in [
            ("the origin is not allowed", &[("Origin", EVIL)][..]),
            ("nor `null`", &[("Origin", "null")]),
        ] {
            let answer = shops.ask(name, "POST", "remove", headers);
            assert_eq!(answer.status, 403, "{name}: {why}, so `Origin` stays");
            assert_eq!(cors_lines(&answer), 0, "{name}: {why}");
        }
        let answer = shops.ask(name, "POST", "remove", &[]);
        assert_eq!(answer.status, 200, "{name}: without `Origin` it is no CORS request");
    }
}

fn djangos_csrf_check_leans_on_origin_and_else_on_referer(shops: &Shops) {
    const REFERER: &str = "https://shop.example/cart";
    const OLD_REFERER: &str = "https://old.example/cart";
    let token = Token::of(&shops.ask("django", "GET", "uncovered", &[]));
    for (why, policy, tls, origin, referer, want) in [
        ("Keep: `CSRF_TRUSTED_ORIGINS` does not have it", "keep", false, SHOP, None, "Origin"),
        ("Keep: it does", "keep", false, OLD, None, ""),
        ("Keep: then nothing looks at `Referer`", "keep", true, OLD, None, ""),
        ("Remove, http: only the token is checked", "remove", false, SHOP, None, ""),
        (
            "Remove, https: `Referer` takes the place",
            "remove",
            true,
            SHOP,
            Some(REFERER),
            "Referer",
        ),
        ("Remove, https: and has to be there", "remove", true, SHOP, None, "Referer"),
        ("Remove, https: a trusted origin needs it too", "remove", true, OLD, None, "Referer"),
        ("Remove, https: a trusted one with it", "remove", true, OLD, Some(OLD_REFERER), ""),
    ] {
        let mut headers = token.headers();
        headers.push(("Origin", origin));
        headers.extend(tls.then_some(("X-Forwarded-Proto", "https")));
        headers.extend(referer.map(|referer| ("Referer", referer)));
        let answer = shops.ask("django", "POST", policy, &headers);
        let refused = format!("{want} checking failed");
        let as_wanted = match want {
            "" => answer.status == 200,
            _ => answer.status == 403 && body(&answer).contains(&refused),
        };
        assert!(as_wanted, "{why}: {} {}", answer.status, body(&answer));
        assert_eq!(shared_with(&answer), origin, "{why}: the page can read the answer");
    }
    for policy in ["keep", "remove"] {
        let answer = shops.ask("django", "POST", policy, &[("Origin", OLD)]);
        assert_eq!(
            answer.status,
            403,
            "{policy}: a POST without the token is refused: {}",
            body(&answer)
        );
    }
}

// === impl Shops ===

impl Shops {
    /// Starts these back ends behind an Envoy.
    fn open(names: &[&'static str]) -> Self {
        let mut plan = EnvoyFixture::plan().unwrap();
        let mut processes = Vec::new();
        let mut addresses = Vec::new();
        for &name in names {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
            let mut command = match name {
                "gin" => tools::gin(),
                "spring" => tools::spring(),
                _ => tools::django("shop.py"),
            }
            .unwrap();
            command.env("PORT", address.port().to_string()).stdin(Stdio::null());
            command.stdout(Stdio::null());
            processes.push(Process::spawn(name, command).unwrap());
            addresses.push(address);
            plan = plan
                .route(route(&format!("/{name}/"), name))
                .bootstrap(|bootstrap| bootstrap.upstream(name, address));
        }
        let mut fixture = plan.start().unwrap();
        let objects = policies();
        fixture.configure(&objects.iter().collect::<Vec<_>>()).unwrap();
        for (process, address) in processes.iter_mut().zip(addresses) {
            let what = format!("{} to listen", process.name());
            eventually(&what, || {
                let ended = process.exited()?;
                anyhow::ensure!(ended.is_none(), "it ended: {ended:?}");
                Ok(TcpStream::connect(address).ok())
            })
            .unwrap();
        }
        Self { fixture, _processes: processes }
    }

    /// Asks the back end `name`, on the host of a policy.
    #[track_caller]
    fn ask(&self, name: &str, method: &str, policy: &str, headers: &[(&str, &str)]) -> Answer {
        let ask = request(method, &policies::host("backends", policy), headers);
        let path = format!("/{name}/orders").into_bytes();
        self.fixture.send(&Request { path, ..ask }, &[]).unwrap()
    }
}

/// The parts of a POST that Django's CSRF check reads.
struct Token {
    cookie: String,
    value: String,
}

impl Token {
    fn of(answer: &Answer) -> Self {
        let cookie = text(answer, "set-cookie");
        let cookie = cookie.split(';').next().unwrap().trim().to_owned();
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        Self { cookie, value: body["csrfToken"].as_str().unwrap().to_owned() }
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        vec![("Cookie", &self.cookie), ("X-CSRFToken", &self.value)]
    }
}

/// The same policy twice: one keeps `Origin`, one removes it.
fn policies() -> Vec<Value> {
    ["Keep", "Remove"]
        .map(|upstream_origin| {
            let spec = json!({
                "cors": { "allowOrigins": [SHOP, OLD], "allowCredentials": true },
                "upstreamOrigin": upstream_origin,
            });
            let name = upstream_origin.to_lowercase();
            policies::policy("backends", &name, spec.as_object().cloned().unwrap())
        })
        .to_vec()
}

fn shared_with(answer: &Answer) -> String {
    text(answer, "access-control-allow-origin")
}

fn cors_lines(answer: &Answer) -> usize {
    answer.lines(|name| name.starts_with("access-control-")).count()
}

/// The number of orders that a back end reports.
fn count(answer: &Answer) -> u64 {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["orders"].as_u64().unwrap()
}

fn body(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn text(answer: &Answer, name: &str) -> String {
    String::from_utf8_lossy(&answer.get(name).unwrap_or_default()).into_owned()
}
