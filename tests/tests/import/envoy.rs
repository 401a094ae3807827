//! Envoy's own CORS filter, by its own settings and by those of Istio and Gateway API that become the same.

use corsward_import::{Exchange, Response, Source};
use corsward_test_harness::case::{Case, Expect};
use corsward_test_harness::envoy_fixture::EnvoyFixture;
use corsward_test_harness::series;
use serde_json::{Value, json};
use xtask::envoy::route;

use crate::side_by_side::{FEWEST, compare, import, read, request, upstream};

const CORS: &str = "envoy.filters.http.cors";
const CORS_POLICY: &str = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy";
/// The header by which a request goes to the route with Envoy's own filter.
const SIDE: &str = "x-side";

const SETTINGS: &str = include_str!("../../../cli/tests/import/envoy.yaml");
const VIRTUAL_SERVICE: &str = r"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [api.shop.example]
  http:
  - corsPolicy:
      allowOrigins:
      - exact: https://shop.example
      - regex: https://pr-[a-z0-9-]+\.shop\.example
      allowMethods: [GET, PUT]
      allowHeaders: [content-type]
      exposeHeaders: [x-id]
      allowCredentials: true
      maxAge: 10m
";
const ROUTE: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: shop}
spec:
  hostnames: [api.shop.example]
  rules:
  - filters:
    - type: CORS
      cors:
        allowOrigins: ["https://shop.example", "https://pr-1.shop.example"]
        allowMethods: [GET, PUT]
        allowHeaders: [content-type]
        exposeHeaders: [x-id]
        allowCredentials: true
        maxAge: 600
"#;

#[test]
fn the_report_on_settings_of_envoy_names_what_its_own_filter_does_otherwise() {
    let mut requests = 0;
    let regex = json!({ "safe_regex": { "regex": r"https://pr-[a-z0-9-]+\.shop\.example" } });
    let one = json!({ "exact": "https://pr-1.shop.example" });
    for (source, name, settings, second, forwards) in [
        (Source::Envoy, "envoy.yaml", SETTINGS, &regex, true),
        (Source::Istio, "istio.yaml", VIRTUAL_SERVICE, &regex, true),
        (Source::GatewayApi, "route.yaml", ROUTE, &one, false),
    ] {
        let mut fixture = fixture(second, forwards);
        requests += compare(&import(source, name, settings), &mut fixture, |fixture, exchange| {
            read(&fixture.answer(&through_its_own(exchange)).unwrap())
        });
    }
    assert!(requests >= FEWEST, "{requests}");
}

#[test]
fn the_report_on_routes_of_envoy_has_their_order_their_prefixes_and_their_stars() {
    let exact = |origin: &str| json!([{ "exact": origin }]);
    let routes = [
        ("/public", json!({ "allow_origin_string_match": exact("https://public.example") })),
        ("/public/drafts", json!({ "allow_origin_string_match": exact("https://drafts.example") })),
        (
            "/",
            json!({
                "allow_origin_string_match": exact("https://shop.example"),
                "allow_methods": "*",
                "allow_headers": "*",
                "allow_credentials": true,
            }),
        ),
    ];
    let routes = routes.map(|(prefix, mut cors)| {
        cors["@type"] = json!(CORS_POLICY);
        let mut route = route(prefix, "upstream");
        route["typed_per_filter_config"] = json!({ CORS: cors });
        route
    });
    let virtual_host = json!({ "name": "shop", "domains": ["api.shop.example"], "routes": routes });
    let settings = json!({ "virtual_hosts": [virtual_host] }).to_string();
    let mut plan = EnvoyFixture::plan().unwrap().filter(filter());
    for mut route in routes {
        route["match"]["headers"] = on_its_side();
        plan = plan.route(route);
    }
    let import = import(Source::Envoy, "envoy.json", &settings);
    let requests = compare(&import, &mut plan.start().unwrap(), |fixture, exchange| {
        read(&fixture.answer(&through_its_own(exchange)).unwrap())
    });
    assert!(requests >= FEWEST, "{requests}");
}

#[test]
fn a_dry_run_before_envoys_own_filter_is_compared_with_its_answers() {
    let mut fixture = fixture(&json!({ "exact": "https://old.example" }), true);
    let import = import(Source::Envoy, "envoy.yaml", SETTINGS);
    let mut policy: Value = serde_saphyr::from_str(&import.manifest).unwrap();
    policy["spec"]["mode"] = json!("DryRun");
    policy["spec"]["cors"]["allowOrigins"] = json!(["https://shop.example", "https://new.example"]);
    fixture.configure(&[&policy]).unwrap();
    for (origin, want) in [
        ("https://shop.example", "agree"),
        ("https://evil.test", "agree"),
        ("https://new.example", "ours_only"),
        ("https://old.example", "upstream_only"),
    ] {
        for method in ["GET", "OPTIONS"] {
            let mut headers = vec![("origin".to_owned(), origin.to_owned())];
            if method == "OPTIONS" {
                headers.push(("access-control-request-method".to_owned(), "PUT".to_owned()));
            }
            let exchange = Exchange {
                method: method.to_owned(),
                authority: "api.shop.example".to_owned(),
                path: "/orders".to_owned(),
                headers,
                application: Response { status: 200, headers: Vec::new() },
            };
            let mut case = through_its_own(&exchange);
            case.request.authority = exchange.authority;
            let name = series::name("shadow_comparisons", &[("comparison", want)]);
            let before = fixture.series().unwrap();
            let answer = fixture.answer(&case).unwrap();
            let grown = series::growth(&before, &fixture.series().unwrap());
            assert_eq!(grown.get(&name), Some(&1), "{method}, {origin}: {want}, {answer:?}");
        }
    }
}

/// An Envoy with a second route, which has the settings of its own filter.
fn fixture(second: &Value, forwards: bool) -> EnvoyFixture {
    let mut with_cors = route("/", "upstream");
    with_cors["match"]["headers"] = on_its_side();
    with_cors["typed_per_filter_config"] = json!({ CORS: {
        "@type": CORS_POLICY,
        "allow_origin_string_match": [{ "exact": "https://shop.example" }, second],
        "allow_methods": "GET, PUT",
        "allow_headers": "content-type",
        "expose_headers": "x-id",
        "max_age": "600",
        "allow_credentials": true,
        "forward_not_matching_preflights": forwards,
    }});
    EnvoyFixture::plan().unwrap().filter(filter()).route(with_cors).start().unwrap()
}

/// Envoy's own filter.
fn filter() -> Value {
    json!({
        "name": CORS,
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors" },
    })
}

/// The condition of a route with Envoy's own filter.
fn on_its_side() -> Value {
    json!([{ "name": SIDE, "string_match": { "exact": "own" } }])
}

/// The request to the route with Envoy's own filter, on a host that no policy covers.
fn through_its_own(exchange: &Exchange) -> Case {
    let mut request = request(exchange);
    request.authority = "own.test".into();
    request.headers.push((SIDE.into(), b"own".to_vec()));
    Case {
        suite: "import".into(),
        name: "own".into(),
        why: String::new(),
        request,
        upstream: upstream(exchange),
        expect: Expect::default(),
    }
}
