//! Refusals by authorization filters, and whether the page that sent the request may read them.

use anyhow::{Result, ensure};
use corsward_test_harness::answer::Answer;
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::cluster::socks_proxy::{ALLOW_ORIGIN, SocksProxy, header, request};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::workload::Workload;
use serde_json::json;

use crate::release::Release;
use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;
use crate::sharing::{SHOP, STRANGER, allowing, wait_for_shared};
use crate::upstream::{ANSWER, was_reached};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "a page reads the 403 of an AuthorizationPolicy and the 401 of a bad token, and its preflights pass both",
        a_page_reads_refusals,
    ),
    Scenario::new(
        "what an external authorizer refuses is out of a WasmPlugin's reach",
        an_external_authorizer_comes_before_a_wasm_plugin,
    ),
    Scenario::alone(
        "a page reads what an external authorizer refuses where EnvoyFilters bring the policy",
        an_envoy_filter_comes_before_an_external_authorizer,
    ),
];

fn a_page_reads_refusals(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("authorization")?;
    ns.run(&Workload::echo("api"))?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
    ns.apply(DENY)?;
    let denied = wait_for_status(socks_proxy, &host, &[], 403)?;
    ensure!(header(&denied, ALLOW_ORIGIN)?.is_none(), "without a policy of ours: {denied:?}");
    let preflight = socks_proxy.preflight(&host, "/", SHOP, "PUT", "")?;
    ensure!(preflight.status == 403, "without a policy of ours: {preflight:?}");

    let mut spec = allowing("api", &[SHOP]);
    spec["cors"]["allowHeaders"] = json!(["authorization"]);
    ns.policy("api", &spec)?;
    wait_for_shared(socks_proxy, &host, SHOP)?;
    ensure_readable(&wait_for_status(socks_proxy, &host, &[], 403)?)?;
    ensure_preflight_passes(socks_proxy, &host)?;
    let stranger = socks_proxy.get(&host, "/", Some(STRANGER))?;
    ensure!(stranger.status == 403, "a stranger: {stranger:?}");
    ensure!(header(&stranger, ALLOW_ORIGIN)?.is_none(), "a stranger: {stranger:?}");

    ns.read(&["delete", "authorizationpolicy", "deny"])?;
    ns.apply(TOKENS)?;
    let forged = ("authorization", "Bearer not.a.token");
    ensure_readable(&wait_for_status(socks_proxy, &host, &[forged], 401)?)?;
    ensure_readable(&wait_for_status(socks_proxy, &host, &[], 403)?)?;
    ensure_preflight_passes(socks_proxy, &host)
}

fn an_external_authorizer_comes_before_a_wasm_plugin(cluster: &ScenarioCluster) -> Result<()> {
    let ns = external_authorizer(cluster)?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
    let refused = wait_for_refusal(socks_proxy, &host)?;
    ensure!(header(&refused, ALLOW_ORIGIN)?.is_none(), "it is in reach after all: {refused:?}");
    let preflight = socks_proxy.send(&host, 80, &refused_preflight(&host))?;
    ensure!(preflight.status == 403, "it is in reach after all: {preflight:?}");
    let authorized = socks_proxy.get(&host, "/", Some(SHOP))?;
    ensure!(authorized.status == 200 && was_reached(&authorized), "{authorized:?}");
    ensure!(header(&authorized, ALLOW_ORIGIN)?.as_deref() == Some(SHOP), "{authorized:?}");
    Ok(())
}

fn an_envoy_filter_comes_before_an_external_authorizer(cluster: &ScenarioCluster) -> Result<()> {
    let release = Release::of(cluster)?;
    release.with(&["publish.istio.kind=EnvoyFilter"], || {
        let ns = external_authorizer(cluster)?;
        let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
        ensure_readable(&wait_for_refusal(socks_proxy, &host)?)?;
        let preflight = socks_proxy.send(&host, 80, &refused_preflight(&host))?;
        ensure!(preflight.status == 204, "{preflight:?}");
        ensure!(header(&preflight, ALLOW_ORIGIN)?.as_deref() == Some(SHOP), "{preflight:?}");
        Ok(())
    })
}

/// A policy of ours, and an authorizer that refuses what has a header [`ANSWER`]: Istio's mesh configuration has it as the
/// provider `corsward-e2e`, and tells it of that header.
fn external_authorizer(cluster: &ScenarioCluster) -> Result<TestNamespace<'_>> {
    let ns = cluster.meshed("authorization-custom")?;
    let authorizer = Workload::new("authz").command(&["node", "-e", AUTHORIZER]);
    ns.apply(&authorizer.port("http", 80, 8080).objects().to_string())?;
    ns.run(&Workload::echo("api"))?;
    ns.rolled_out("deployment/authz")?;
    ns.policy("api", &allowing("api", &[SHOP]))?;
    wait_for_shared(cluster.socks_proxy(), &ns.host("api"), SHOP)?;
    ns.apply(CUSTOM)?;
    Ok(ns)
}

/// Waits for a page's answer from the authorizer that refuses it.
fn wait_for_refusal(socks_proxy: SocksProxy, host: &str) -> Result<Answer> {
    eventually("the authorizer to refuse", || {
        let refused =
            socks_proxy.send(host, 80, &request("GET", host, "/", Some(SHOP), &[(ANSWER, "")]))?;
        Ok((refused.status == 403 && refused.get("x-authorizer").is_some()).then_some(refused))
    })
}

fn refused_preflight(host: &str) -> corsward_test_harness::case::Request {
    let lines = [("access-control-request-method", "PUT"), (ANSWER, "")];
    request("OPTIONS", host, "/", Some(SHOP), &lines)
}

/// Waits for a page's answer with that status from a host.
fn wait_for_status(
    socks_proxy: SocksProxy,
    host: &str,
    more: &[(&str, &str)],
    status: u16,
) -> Result<Answer> {
    eventually(&format!("a {status} of {host}"), || {
        let answer = socks_proxy.send(host, 80, &request("GET", host, "/", Some(SHOP), more))?;
        ensure!(answer.status == status, "it answers {}", answer.status);
        Ok(Some(answer))
    })
}

/// The page may read it, and a cache keeps it apart from what others get.
fn ensure_readable(answer: &Answer) -> Result<()> {
    ensure!(header(answer, ALLOW_ORIGIN)?.as_deref() == Some(SHOP), "{answer:?}");
    ensure!(answer.vary() == ["origin"], "{answer:?}");
    Ok(())
}

fn ensure_preflight_passes(socks_proxy: SocksProxy, host: &str) -> Result<()> {
    let preflight = socks_proxy.preflight(host, "/", SHOP, "PUT", "authorization")?;
    ensure!(preflight.status == 204, "{preflight:?}");
    ensure!(header(&preflight, ALLOW_ORIGIN)?.as_deref() == Some(SHOP), "{preflight:?}");
    let names = header(&preflight, "access-control-allow-headers")?;
    ensure!(names.as_deref() == Some("authorization"), "{preflight:?}");
    Ok(())
}

/// Every request is refused.
const DENY: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny}
spec: {action: DENY, selector: {matchLabels: {app: api}}, rules: [{}]}
";

/// Tokens are required, and must verify. The private half of the key does not exist any more.
const TOKENS: &str = r#"
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens}
spec:
  selector: {matchLabels: {app: api}}
  jwtRules:
    - issuer: shop.example
      jwks: '{"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", "e": "AQAB", "n": "25ieG5FqGwEG35WAptBJi2Ayqahpgm8Z2jGgh84AR9xmKrK_g7CapO-5OwqvAtI0XCOpcad3HZ0Vc0MtB4KZWA5JdmdXZl-Axl_c1ZgF7z28DW3nBt4f65Hi31pRpzaj-RaaRzXZ7tynDPBwtbeqyJBgeZhIQMy-GkBszn1jmdWgynJeBkBOxuI61mxzb-WGdEOIyCNaIKim3FXrAk5pZMU8QTXhmjUMYDeXLcOwjz515O8EUBJbXrgKIFa8oGR4G1geq16fih4e1_tNRtHvEhntsuM7I-etCClvY_tRa4D8NJx-IkOizVELmIv5Zm_zpF5wSVOz-LCv2m4mhrDwcQ"}]}'
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: tokens}
spec:
  selector: {matchLabels: {app: api}}
  rules: [{from: [{source: {requestPrincipals: ["shop.example/*"]}}]}]
"#;

const AUTHORIZER: &str = "require('node:http').createServer((request, response) => {
  response.writeHead('x-answer' in request.headers ? 403 : 200, { 'x-authorizer': 'asked' });
  response.end();
}).listen(8080);";

/// Every request is asked about.
const CUSTOM: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ask}
spec:
  selector: {matchLabels: {app: api}}
  action: CUSTOM
  provider: {name: corsward-e2e}
  rules: [{}]
";
