//! Proxy: one Envoy with many filters behind ours, each switched on by a route of its own, shared by the tests that run at a time.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

use corsward_test_harness::answer::Answer;
use corsward_test_harness::case::Request;
use corsward_test_harness::envoy_fixture::{EnvoyFixture, Send, cross_origin, preflight};
use corsward_test_harness::upstream::{CASE, Received, Upstream};
use corsward_test_harness::{client, http2, policies};
use serde_json::{Value, json};
use xtask::envoy::{Listener, Slot};

use crate::{authentication, limits, order, routes, upstreams};

pub(crate) const SHOP: &str = "https://shop.example";
pub(crate) const EVIL: &str = "https://evil.test";

/// The protocols of each case.
pub(crate) const PROTOCOLS: [(&str, Send); 2] =
    [("HTTP/1.1", client::send), ("HTTP/2", http2::send)];

pub(crate) struct Proxy {
    pub(crate) fixture: EnvoyFixture,
    /// The authorization server of `ext_authz`.
    pub(crate) authorizer: Upstream,
}

/// A filter of the chain and its configuration.
pub(crate) struct Filter {
    pub(crate) name: &'static str,
    pub(crate) config: Value,
    /// Whether only the routes that name it have it.
    pub(crate) disabled: bool,
}

// === impl Proxy ===

impl Proxy {
    /// The proxy that other tests share, started by the first of them.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Proxy>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(proxy) = shared.upgrade() {
            return proxy;
        }
        let proxy = Arc::new(Self::start());
        *shared = Arc::downgrade(&proxy);
        proxy
    }

    fn start() -> Self {
        let authorizer = Upstream::start().unwrap();
        let mut plan = EnvoyFixture::plan().unwrap().only_under("/upstream");
        let filters = authentication::filters(plan.directory(), authorizer.address());
        let filters = [filters, limits::filters(), routes::filters(), upstreams::filters()];
        for filter in filters.into_iter().flatten() {
            plan = plan.filter(filter.render());
        }
        let routes = [authentication::routes(), limits::routes(), routes::routes()];
        for route in routes.into_iter().flatten().chain(upstreams::routes()) {
            plan = plan.route(route);
        }
        let misordered = misordered(plan.slot());
        let mut fixture = plan
            .bootstrap(|bootstrap| {
                bootstrap
                    .upstream("authorizer", authorizer.address())
                    .upstream("resetting", resetting())
                    .listener(misordered)
            })
            .start()
            .unwrap();
        let objects = policies();
        fixture.configure(&objects.iter().collect::<Vec<_>>()).unwrap();
        Self { fixture, authorizer }
    }

    /// Sends `request` to the listener `main` as a request of `case`.
    #[track_caller]
    pub(crate) fn send(&self, send: Send, request: &Request, case: &str) -> Answer {
        send(self.fixture.address().unwrap(), request, &[(CASE, case)]).unwrap()
    }

    /// The same over HTTP/1.1.
    #[track_caller]
    pub(crate) fn get(&self, request: &Request) -> Answer {
        self.send(client::send, request, "")
    }

    /// The requests of `case` that reached the back end.
    pub(crate) fn received(&self, case: &str) -> Vec<Received> {
        self.fixture.upstream().received(case)
    }

    /// Asserts that an answer of a filter behind ours is shared with the allowed origin and with no other, over both
    /// protocols, and that a preflight is answered before that filter.
    #[track_caller]
    pub(crate) fn assert_decorated(&self, why: &str, path: &str, status: u16) {
        for (protocol, send) in PROTOCOLS {
            let told = |answer: &Answer| format!("{why}, {path}, {protocol}: {answer:?}");
            let ask = to("dynamic", path, SHOP);
            let answer = self.send(send, &ask, "");
            assert_eq!(answer.status, status, "{}", told(&answer));
            assert!(answer.passes(&ask), "{}", told(&answer));
            assert_eq!(answer.text("access-control-allow-origin"), SHOP, "{}", told(&answer));
            assert_eq!(answer.text("access-control-allow-credentials"), "true");

            let ask = to("dynamic", path, EVIL);
            let answer = self.send(send, &ask, "");
            assert_eq!(answer.status, status, "{}", told(&answer));
            assert!(!answer.passes(&ask), "{}", told(&answer));
            assert!(answer.vary().contains(&"origin".into()), "{}", told(&answer));

            let ask = to("fenced", path, EVIL);
            let answer = self.send(send, &ask, "");
            assert_eq!(
                (answer.status, answer.body.as_slice()),
                (403, &b""[..]),
                "{}",
                told(&answer)
            );
            assert!(!answer.passes(&ask), "{}", told(&answer));

            let ask = asking("dynamic", path, SHOP, "PUT");
            let answer = self.send(send, &ask, "");
            assert!(answer.passes(&ask), "{}", told(&answer));
            let ask = asking("dynamic", path, EVIL, "PUT");
            assert!(!self.send(send, &ask, "").passes(&ask), "{}", told(&answer));
        }
    }
}

// === impl Filter ===

impl Filter {
    /// One that runs only where a route says so; see [`switched_on`].
    pub(crate) fn disabled(name: &'static str, config: Value) -> Self {
        Self { name, config, disabled: true }
    }

    /// One that runs for every request.
    pub(crate) fn everywhere(name: &'static str, config: Value) -> Self {
        Self { name, config, disabled: false }
    }

    pub(crate) fn render(self) -> Value {
        let Self { name, config, disabled } = self;
        json!({ "name": name, "typed_config": config, "disabled": disabled })
    }
}

/// `type.googleapis.com/envoy.extensions.filters.http.<name>`.
pub(crate) fn kind(name: &str) -> String {
    format!("type.googleapis.com/envoy.extensions.filters.http.{name}")
}

/// A route to the upstream.
pub(crate) fn upstream_route(prefix: &str) -> Value {
    json!({ "match": { "prefix": prefix }, "route": { "cluster": "upstream" } })
}

/// A route to the upstream behind this filter, with its configuration for the route.
pub(crate) fn behind(prefix: &str, filter: &str, config: Value) -> Value {
    let mut route = upstream_route(prefix);
    route["typed_per_filter_config"] = json!({ filter: config });
    route
}

/// The route's entry for a disabled filter that is to run as the chain configures it.
pub(crate) fn switched_on() -> Value {
    json!({ "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {} })
}

/// A cross-origin request to the host of a policy.
pub(crate) fn to(policy: &str, path: &str, origin: &str) -> Request {
    at(path, cross_origin(&policies::host("filters", policy), origin))
}

/// A CORS-preflight request to the host of a policy.
pub(crate) fn asking(policy: &str, path: &str, origin: &str, method: &str) -> Request {
    at(path, preflight(&policies::host("filters", policy), origin, method))
}

/// The same request with one more header line.
pub(crate) fn with(mut request: Request, name: &str, value: &str) -> Request {
    request.headers.push((name.into(), value.into()));
    request
}

/// The same request with a different method.
pub(crate) fn method(method: &str, request: Request) -> Request {
    Request { method: method.into(), ..request }
}

fn at(path: &str, request: Request) -> Request {
    Request { path: path.into(), ..request }
}

fn policies() -> Vec<Value> {
    let policy = |name: &str, spec: Value| {
        policies::policy("filters", name, spec.as_object().cloned().unwrap())
    };
    let cors = json!({
        "allowOrigins": [SHOP],
        "allowMethods": ["PUT", "DELETE", "QUERY"],
        "allowHeaders": ["authorization", "content-type"],
        "exposeHeaders": ["retry-after", "x-ratelimit-remaining"],
        "allowCredentials": true,
    });
    vec![
        policy("dynamic", json!({ "cors": cors })),
        policy("fenced", json!({ "cors": cors, "disallowedRequests": "Reject" })),
        policy("removing", json!({ "cors": cors, "upstreamOrigin": "Remove" })),
        policy("retried", json!({ "cors": cors })),
        policy("ruled", routes::rules(&cors)),
    ]
}

/// A listener whose chain has RBAC before our filter.
fn misordered(slot: &Slot) -> Listener {
    Listener::new("misordered")
        .http_filter(order::rbac().render())
        .http_filter(slot.http_filter())
        .routes([upstream_route("/")])
}

/// A server that closes every connection without an answer.
fn resetting() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(drop));
    address
}

/// Writes a secret as a file of Envoy's secret discovery, and says where it is read.
pub(crate) fn secret(folder: &Path, name: &str) -> Value {
    let file = folder.join(format!("{name}.secret.json"));
    let secret = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": name,
        "generic_secret": { "secret": { "inline_string": "a secret of the tests" } },
    });
    fs::write(&file, json!({ "resources": [secret] }).to_string()).unwrap();
    json!({ "name": name, "sds_config": { "path_config_source": { "path": file } } })
}
