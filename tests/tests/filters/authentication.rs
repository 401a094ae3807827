//! Filters that ask who sends a request: their refusals are readable, and preflights, which carry no credentials, never meet them.

use std::net::SocketAddr;
use std::path::Path;

use corsward_browser::CredentialsMode;
use corsward_test_harness::case::{Request, Upstream};
use corsward_test_harness::client;
use corsward_test_harness::envoy_fixture::plain_answer;
use serde_json::{Value, json};

use crate::proxy::{
    EVIL, Filter, PROTOCOLS, Proxy, SHOP, asking, behind, kind, method, secret, switched_on, to,
    upstream_route, with,
};

const BASIC: &str = "envoy.filters.http.basic_auth";
const CSRF: &str = "envoy.filters.http.csrf";
const EXT_AUTHZ: &str = "envoy.filters.http.ext_authz";
const OAUTH2: &str = "envoy.filters.http.oauth2";

/// A key for HMAC, and a token that is signed with it.
const JWKS: &str = r#"{"keys":[{"kty":"oct","alg":"HS256","kid":"test","k":"dGhlIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzLi4"}]}"#;
const TOKEN: &str = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJpc3MiOiJ0ZXN0cyIsInN1YiI6ImFubiJ9.1eSmMcmfKiRWOXg2s1kl1De5XaQJPtn07gHWBz-SxHQ";

#[test]
fn a_jwt_filters_401_is_readable_and_preflights_need_no_token() {
    let proxy = Proxy::shared();
    proxy.assert_decorated("no token", "/jwt", 401);
    let ask = with(to("dynamic", "/jwt", SHOP), "Authorization", TOKEN);
    let answer = proxy.get(&ask);
    assert_eq!((answer.status, answer.passes(&ask)), (200, true), "{answer:?}");
    let without = asking("uncovered", "/jwt", SHOP, "PUT");
    let answer = proxy.get(&without);
    assert_eq!((answer.status, answer.passes(&without)), (401, false), "without corsward");
}

#[test]
fn a_basic_auth_filters_401_is_readable_and_preflights_need_no_password() {
    let proxy = Proxy::shared();
    proxy.assert_decorated("no password", "/basic", 401);
    let ask = to("dynamic", "/basic", SHOP);
    assert!(proxy.get(&ask).text("www-authenticate").starts_with("Basic"), "the challenge stays");
    let ask = with(ask, "Authorization", "Basic YW5uOnNlY3JldA==");
    let answer = proxy.get(&ask);
    assert_eq!((answer.status, answer.passes(&ask)), (200, true), "{answer:?}");
}

#[test]
fn an_authorization_servers_403_is_readable_and_preflights_never_reach_it() {
    const DENIED: &str = "filters/denied";
    let proxy = Proxy::shared();
    let headers = [("Access-Control-Allow-Origin", "*"), ("X-Reason", "no seat")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    proxy.authorizer.answer(DENIED, Upstream { status: 403, headers: headers.into() });
    for (protocol, send) in PROTOCOLS {
        let before = proxy.authorizer.received(DENIED).len();
        let ask = asking("dynamic", "/authorized", SHOP, "PUT");
        assert!(proxy.send(send, &ask, DENIED).passes(&ask), "{protocol}");
        assert_eq!(proxy.authorizer.received(DENIED).len(), before, "{protocol}: a preflight");

        let ask = to("dynamic", "/authorized", SHOP);
        let answer = proxy.send(send, &ask, DENIED);
        assert_eq!((answer.status, answer.passes(&ask)), (403, true), "{protocol}: {answer:?}");
        assert_eq!(answer.text("x-reason"), "no seat", "{protocol}: {answer:?}");
        let lines = answer.lines(|name| name == "access-control-allow-origin").count();
        assert_eq!(lines, 1, "{protocol}: the server's own `*` goes: {answer:?}");
        assert_eq!(proxy.authorizer.received(DENIED).len(), before + 1, "{protocol}");

        let ask = to("fenced", "/authorized", EVIL);
        assert_eq!(proxy.send(send, &ask, DENIED).status, 403, "{protocol}");
        assert_eq!(proxy.authorizer.received(DENIED).len(), before + 1, "{protocol}: rejected");
    }
    assert!(proxy.received(DENIED).is_empty(), "the back end behind it");

    const ALLOWED: &str = "filters/allowed";
    proxy.authorizer.answer(ALLOWED, plain_answer(200));
    let ask = to("dynamic", "/authorized", SHOP);
    let answer = proxy.send(client::send, &ask, ALLOWED);
    assert_eq!((answer.status, answer.passes(&ask)), (200, true), "{answer:?}");
    assert_eq!(proxy.received(ALLOWED).len(), 1);
}

#[test]
fn an_oauth2_redirect_is_shared_and_the_fetch_ends_at_the_identity_provider() {
    let proxy = Proxy::shared();
    proxy.assert_decorated("no session", "/oauth2", 302);
    let ask = to("dynamic", "/oauth2", SHOP);
    let location = proxy.get(&ask).text("location");
    assert!(location.starts_with("https://login.example/authorize?"), "{location}");
    // Fetch, "HTTP-redirect fetch": on the way from one foreign origin to another the origin becomes opaque. The provider stands
    // for any that allows the site by name.
    let follow_up = to("dynamic", "/upstream", "null");
    let answer = proxy.get(&follow_up);
    assert_eq!((answer.status, answer.passes(&follow_up)), (200, false), "{answer:?}");
}

#[test]
fn an_oauth2_filter_that_denies_redirects_to_fetches_answers_a_readable_401() {
    let proxy = Proxy::shared();
    for (protocol, send) in PROTOCOLS {
        let ask = with(to("dynamic", "/oauth2", SHOP), "Sec-Fetch-Mode", "cors");
        let answer = proxy.send(send, &ask, "");
        assert_eq!((answer.status, answer.passes(&ask)), (401, true), "{protocol}: {answer:?}");
        assert_eq!(answer.get("location"), None, "{protocol}: {answer:?}");
    }
}

#[test]
fn a_csrf_filters_403_is_readable_and_it_needs_its_own_list_of_origins() {
    let proxy = Proxy::shared();
    for (why, path, origin, status, passes) in [
        ("an origin that only corsward allows", "/csrf", SHOP, 403, true),
        ("an origin that both allow", "/csrf-listed", SHOP, 200, true),
        ("an origin that neither allows", "/csrf-listed", EVIL, 403, false),
    ] {
        for (protocol, send) in PROTOCOLS {
            let ask = method("DELETE", to("dynamic", path, origin));
            let ask = Request { credentials: CredentialsMode::Include, ..ask };
            let answer = proxy.send(send, &ask, "");
            let got = (answer.status, answer.passes(&ask));
            assert_eq!(got, (status, passes), "{why}, {protocol}: {answer:?}");
            let ask = asking("dynamic", path, origin, "DELETE");
            assert_eq!(
                proxy.send(send, &ask, "").passes(&ask),
                origin == SHOP,
                "{why}, {protocol}"
            );
        }
    }
}

#[test]
fn a_csrf_filter_refuses_what_comes_without_the_origin_that_was_removed() {
    let proxy = Proxy::shared();
    for (why, policy, status) in [("kept", "dynamic", 200), ("removed", "removing", 403)] {
        for (protocol, send) in PROTOCOLS {
            let ask = method("DELETE", to(policy, "/csrf-listed", SHOP));
            let answer = proxy.send(send, &ask, "");
            let got = (answer.status, answer.passes(&ask));
            assert_eq!(got, (status, true), "{why}, {protocol}: {answer:?}");
        }
    }
}

pub(crate) fn filters(folder: &Path, authorizer: SocketAddr) -> Vec<Filter> {
    let authorization = json!({
        "@type": kind("ext_authz.v3.ExtAuthz"),
        "allowed_headers": { "patterns": [{ "exact": "x-case" }] },
        "http_service": {
            "server_uri": {
                "uri": format!("http://{authorizer}"), "cluster": "authorizer", "timeout": "10s",
            },
            "authorization_response": { "allowed_client_headers": { "patterns": [
                { "prefix": "access-control-" }, { "exact": "x-reason" },
            ]}},
        },
    });
    let jwt = json!({
        "@type": kind("jwt_authn.v3.JwtAuthentication"),
        "providers": { "tests": { "issuer": "tests", "local_jwks": { "inline_string": JWKS } } },
        "rules": [{ "match": { "prefix": "/jwt" }, "requires": { "provider_name": "tests" } }],
    });
    let basic = json!({
        "@type": kind("basic_auth.v3.BasicAuth"),
        "users": { "inline_string": "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=" },
    });
    let csrf = csrf_policy(0, &[]);
    vec![
        Filter::everywhere("envoy.filters.http.jwt_authn", jwt),
        Filter::disabled(BASIC, basic),
        Filter::disabled(EXT_AUTHZ, authorization),
        Filter::disabled(OAUTH2, oauth2(folder)),
        Filter::everywhere(CSRF, csrf),
    ]
}

pub(crate) fn routes() -> Vec<Value> {
    vec![
        upstream_route("/jwt"),
        behind("/basic", BASIC, switched_on()),
        behind("/authorized", EXT_AUTHZ, switched_on()),
        behind("/oauth2", OAUTH2, switched_on()),
        behind("/csrf-listed", CSRF, csrf_policy(100, &["shop.example"])),
        behind("/csrf", CSRF, csrf_policy(100, &[])),
    ]
}

fn csrf_policy(percent: u32, additional_origins: &[&str]) -> Value {
    let exact = |origin: &&str| json!({ "exact": origin });
    json!({
        "@type": kind("csrf.v3.CsrfPolicy"),
        "filter_enabled": { "default_value": { "numerator": percent } },
        "additional_origins": additional_origins.iter().map(exact).collect::<Vec<_>>(),
    })
}

fn oauth2(folder: &Path) -> Value {
    json!({
        "@type": kind("oauth2.v3.OAuth2"),
        "config": {
            "token_endpoint": {
                "uri": "http://login.example/token", "cluster": "authorizer", "timeout": "10s",
            },
            "authorization_endpoint": "https://login.example/authorize",
            "redirect_uri": "http://%REQ(:authority)%/callback",
            "redirect_path_matcher": { "path": { "exact": "/callback" } },
            "signout_path": { "path": { "exact": "/signout" } },
            "credentials": {
                "client_id": "tests",
                "token_secret": secret(folder, "token"),
                "hmac_secret": secret(folder, "hmac"),
            },
            "deny_redirect_matcher": [
                { "name": "sec-fetch-mode", "string_match": { "exact": "cors" } },
            ],
        },
    })
}
