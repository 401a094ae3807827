//! `corsward import` of objects that share hosts: each policy covers what its own object has, and the report has the rest.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

#[path = "common/importing.rs"]
mod importing;

use std::fs;
use std::process::Command;

/// The policies and the reports of settings, with the words of comments joined.
fn import(from: &str, text: &str) -> (String, String) {
    importing::import(&[from], &[("settings", text)])
}

/// An `Ingress` with these annotations, each after `nginx.ingress.kubernetes.io/`, for a host.
fn ingress(name: &str, annotations: &[(&str, &str)], host: &str, paths: &str) -> String {
    let annotations: Vec<String> = annotations
        .iter()
        .map(|(name, value)| format!("nginx.ingress.kubernetes.io/{name}: '{value}'"))
        .collect();
    format!(
        "---\nkind: Ingress\nmetadata: {{name: {name}, annotations: {{{}}}}}\nspec: {{rules: [{{host: '{host}', http: {{paths: [{paths}]}}}}]}}\n",
        annotations.join(", ")
    )
}

const SHARED: [(&str, &str); 2] =
    [("enable-cors", "true"), ("cors-allow-origin", "https://a.example")];

/// A `VirtualService` for hosts.
fn virtual_service(name: &str, hosts: &str, routes: &str) -> String {
    format!(
        "---\nkind: VirtualService\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  hosts: [{hosts}]\n  gateways: [public]\n  http:\n{routes}"
    )
}

/// An `HTTPRoute` for hosts.
fn http_route(name: &str, hosts: &str, rules: &str) -> String {
    format!(
        "---\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  hostnames: [{hosts}]\n  rules:\n{rules}"
    )
}

const ISTIO_CORS: &str = "corsPolicy: {allowOrigins: [{exact: 'https://a.example'}]}";
const GATEWAY_CORS: &str = "filters: [{type: CORS, cors: {allowOrigins: ['https://a.example']}}]";

#[test]
fn paths_without_cors_of_the_same_host_are_left_alone() {
    let whole = "{path: /, pathType: Prefix}";
    let admin = "{path: /admin, pathType: Prefix}";
    let ingresses = ingress("a", &SHARED, "api.example", whole)
        + &ingress("b", &[], "api.example", admin)
        + &ingress("c", &[], "other.example", "{path: /else, pathType: Prefix}");
    let services = virtual_service("a", "api.example", &format!("  - {ISTIO_CORS}\n"))
        + &virtual_service("b", "api.example", "  - match: [{uri: {prefix: /admin}}]\n")
        + &virtual_service("c", "other.example", "  - match: [{uri: {prefix: /else}}]\n");
    let routes = http_route("a", "api.example", &format!("  - {GATEWAY_CORS}\n"))
        + &http_route("b", "api.example", "  - matches: [{path: {value: /admin}}]\n")
        + &http_route("c", "other.example", "  - matches: [{path: {value: /else}}]\n");
    for (from, text) in [("ingress-nginx", ingresses), ("istio", services), ("gateway-api", routes)]
    {
        let (policy, report) = import(from, &text);
        let want = "- path: {type: PathPrefix, value: /admin} mode: \"Off\"";
        assert!(policy.contains(want), "{from}: {policy}");
        assert!(!policy.contains("/else"), "{from}: {policy}");
        assert_eq!(policy.matches("kind: CorsPolicy").count(), 1, "{from}: {policy}");
        assert!(!report.contains("`GET /admin/orders`"), "{from}: {report}");
    }
}

#[test]
fn a_path_without_cors_around_one_with_it_stays_without() {
    let api = "{path: /api, pathType: Prefix}";
    let ingresses = ingress("a", &[], "api.example", "{path: /, pathType: Prefix}")
        + &ingress("b", &SHARED, "api.example", api)
        + &ingress("c", &[], "api.example", "{path: /api/private, pathType: Exact}");
    let (policy, _) = import("ingress-nginx", &ingresses);
    let want = "hostnames: - api.example rules: - path: {type: Exact, value: /api/private} mode: \"Off\" - path: {type: PathPrefix, value: /api} cors:";
    assert!(policy.contains(want), "{policy}");
}

#[test]
fn each_object_with_cors_keeps_its_own_policy() {
    let ingresses = ingress("a", &SHARED, "api.example", "{path: /, pathType: Prefix}")
        + &ingress(
            "b",
            &[("enable-cors", "True")],
            "api.example",
            "{path: /open, pathType: Prefix}",
        );
    let (policies, _) = import("ingress-nginx", &ingresses);
    assert_eq!(policies.matches("kind: CorsPolicy").count(), 2, "{policies}");
    assert_eq!(policies.matches("value: /open").count(), 1, "{policies}");
    assert!(!policies.contains("mode: \"Off\""), "{policies}");
    // One of two objects with the same path is in force.
    let same = ingress("a", &SHARED, "api.example", "{path: /, pathType: Prefix}")
        + &ingress("b", &[("enable-cors", "true")], "api.example", "{path: /, pathType: Prefix}");
    let (policies, _) = import("ingress-nginx", &same);
    assert_eq!(policies.matches("kind: CorsPolicy").count(), 1, "{policies}");
    assert!(policies.contains("and the older object is first: it is left out"), "{policies}");
}

#[test]
fn a_match_that_no_rule_says_has_a_witness_in_the_report() {
    let service = virtual_service("a", "api.example", &format!("  - {ISTIO_CORS}\n"))
        + &virtual_service(
            "b",
            "api.example",
            "  - match: [{uri: {prefix: /orders}, headers: {x-env: {exact: dev}}}, {uri: {regex: '/v[0-9]/.*'}}]\n",
        );
    let (policy, report) = import("istio", &service);
    assert!(
        policy.contains("decide: a match at `/orders` without CORS has conditions"),
        "{policy}"
    );
    assert!(
        policy.contains("decide: `/v[0-9]/.*` is a regex, and a rule has a prefix"),
        "{policy}"
    );
    assert!(report.contains("Wider: the policy allows more"), "{report}");
    for witness in ["`host: api.example` `origin: https://a.example` `x-env: dev`", "GET /v"] {
        assert!(report.contains(witness), "{witness}: {report}");
    }
    // A path without the annotation that makes it a regex.
    let odd = ingress("a", &SHARED, "API.example", "{path: /, pathType: Prefix}")
        + &ingress(
            "b",
            &[],
            "api.example",
            "{path: '/x(/|$)(.*)', pathType: ImplementationSpecific}",
        );
    let (policy, report) = import("ingress-nginx", &odd);
    assert!(policy.contains("decide: `/x(/|$)(.*)` is no path of a rule"), "{report}");
    assert!(report.contains("`GET /x(/\\|$)(.*)` `host: API.example`"), "{report}");
    let envoy = "virtual_hosts:\n- name: a\n  domains: [api.example]\n  typed_per_filter_config: {envoy.filters.http.cors: \
                 {allow_origin_string_match: [{exact: 'https://a.example'}]}}\n  routes:\n  - match: {prefix: /, query_parameters: [{name: x, \
                 string_match: {exact: y}}]}\n    typed_per_filter_config: {envoy.filters.http.cors: {disabled: true}}\n  - match: {prefix: /}\n";
    let (_, report) = import("envoy", envoy);
    assert!(report.contains("`GET /orders?x=y` `host: api.example`"), "{report}");
    let route = http_route(
        "a",
        "api.example",
        &format!("  - {GATEWAY_CORS}\n  - matches: [{{method: PUT}}]\n"),
    );
    let (_, report) = import("gateway-api", &route);
    assert!(
        report.contains("`PUT /orders` `host: api.example` `origin: https://a.example`"),
        "{report}"
    );
    // What loses its origins has one, too.
    let canary = format!(
        "  - match: [{{headers: {{x-canary: {{exact: '1'}}}}}}]\n    corsPolicy: {{allowOrigins: [{{exact: 'https://canary.example'}}]}}\n  - {ISTIO_CORS}\n"
    );
    let (_, report) = import("istio", &virtual_service("a", "api.example", &canary));
    let lost = "| allowed without credentials | refused | `GET /orders` `host: api.example` `origin: https://canary.example` `x-canary: 1` |";
    assert!(report.contains(lost), "{report}");
}

#[test]
fn a_host_that_a_wildcard_would_cover_is_left_alone() {
    let ingresses = ingress("a", &SHARED, "*.shop.example", "{path: /, pathType: Prefix}")
        + &ingress("b", &[], "plain.shop.example", "{path: /, pathType: Prefix}")
        + &ingress("c", &[], "else.example", "{path: /, pathType: Prefix}");
    let services = virtual_service("a", "'*.shop.example'", &format!("  - {ISTIO_CORS}\n"))
        + &virtual_service("b", "plain.shop.example", "  - route: []\n");
    let hosts = "virtual_hosts:\n- {name: a, domains: ['*.shop.example'], typed_per_filter_config: {envoy.filters.http.cors: \
                 {allow_origin_string_match: [{exact: 'https://a.example'}]}}}\n- {name: b, domains: ['plain.shop.example:443']}\n";
    let servers = "server { server_name .shop.example; add_header Access-Control-Allow-Origin https://a.example; }\n\
                   server { server_name plain.shop.example; }\n";
    for (from, text) in [
        ("ingress-nginx", ingresses),
        ("istio", services),
        ("envoy", hosts.to_owned()),
        ("nginx", servers.to_owned()),
    ] {
        let (policies, _) = import(from, &text);
        let want = "spec: hostnames: - plain.shop.example rules: - path: {type: PathPrefix, value: /} mode: \"Off\"";
        assert!(policies.contains(want), "{from}: {policies}");
        assert!(!policies.contains("else.example"), "{from}: {policies}");
    }
}

#[test]
fn a_host_of_a_listener_takes_nothing_away_from_that_of_another() {
    let all = "'*.shop.example'";
    let one = "api.shop.example";
    let at = |text: String, from: &str, to: &str| text.replace(from, to);
    let service = |gateway: &str, name: &str, hosts: &str, routes: &str| {
        at(virtual_service(name, hosts, routes), "[public]", &format!("[{gateway}]"))
    };
    let route = |parent: &str, name: &str, hosts: &str, rules: &str| {
        let parents = format!("spec:\n  parentRefs: [{{name: edge{parent}}}]");
        at(http_route(name, hosts, rules), "spec:", &parents)
    };
    let server = |listen: &str, name: &str, more: &str| {
        format!("server {{ {listen} server_name {name}; {more} }}\n")
    };
    let istio = |gateway: &str| {
        service(gateway, "redirect", one, "  - redirect: {scheme: https}\n")
            + &service("https", "shop", all, &format!("  - {ISTIO_CORS}\n"))
    };
    let gateway = |parent: &str, hosts: &str| {
        route(parent, "redirect", one, "  - filters: [{type: RequestRedirect}]\n")
            + &route(", sectionName: https", "shop", hosts, &format!("  - {GATEWAY_CORS}\n"))
    };
    let nginx = |listen: &str| {
        let cors = "add_header Access-Control-Allow-Origin https://a.example;";
        server(listen, one, "return 301 https://$host$request_uri;")
            + &server("listen 443 ssl; listen [::]:443 ssl;", "*.shop.example", cors)
    };
    for (from, other, shared) in [
        ("istio", istio("http"), istio("https")),
        ("istio", istio("infra/https"), istio("shop/https")),
        ("gateway-api", gateway(", sectionName: http", all), gateway("", all)),
        ("gateway-api", gateway(", namespace: infra", all), gateway(", port: 443", all)),
        ("nginx", nginx("listen 80;"), nginx("listen 127.0.0.1:443;")),
        ("nginx", nginx(""), nginx("listen 80; listen [::1]:443;")),
        ("nginx", nginx("listen unix:/run/nginx.sock;"), nginx("listen 400-500;")),
    ] {
        let (policies, said) = import(from, &other);
        assert!(policies.contains("allowOrigins: - https://a.example"), "{from}: {said}{other}");
        assert!(!policies.contains("mode: \"Off\""), "{from}: {policies}{other}");
        let note =
            "the host `api.shop.example` has other settings at another gateway, class or port";
        assert!(policies.contains(note), "{from}: {policies}{other}");
        let (policies, said) = import(from, &shared);
        assert!(policies.contains("mode: \"Off\""), "{from}: {said}{policies}{shared}");
        // A host of both is left alone.
        let (policies, said) = import(from, &format!("{other}{shared}"));
        assert!(policies.contains("mode: \"Off\""), "{from}: {said}{policies}");
        assert!(!policies.contains("it covers both"), "{from}: {policies}");
    }
    // The same host.
    let (policy, said) = import("gateway-api", &gateway(", sectionName: http", one));
    assert!(policy.contains("allowOrigins: - https://a.example"), "{said}");
    let (policy, said) = import("gateway-api", &gateway(", sectionName: https", one));
    assert!(policy.is_empty() && said.contains("the older object is first"), "{said}{policy}");
}

#[test]
fn a_host_that_no_hostname_says_has_a_witness() {
    let text = "virtual_hosts:\n- {name: a, domains: ['*'], typed_per_filter_config: {envoy.filters.http.cors: \
                {allow_origin_string_match: [{exact: 'https://a.example'}]}}}\n- {name: b, domains: ['admin.*']}\n";
    let (policy, report) = import("envoy", text);
    assert!(policy.contains("decide: the host `admin.*` has other settings"), "{policy}");
    assert!(
        report.contains("`GET /orders` `host: admin.a` `origin: https://a.example`"),
        "{report}"
    );
}

#[test]
fn settings_of_envoy_that_no_filter_reads_are_named() {
    let host = "{name: a, domains: [a.example], matcher: {x: {'@type': a.CorsPolicy}}, typed_per_filter_config: {cors: {'@type': \
                a.cors.v3.CorsPolicy, allow_origin_string_match: [{exact: 'https://a.example'}]}}}";
    let with = |filters: &str| {
        import(
            "envoy",
            &format!("http_filters: [{filters}]\nroute_config: {{virtual_hosts: [{host}]}}\n"),
        )
        .0
    };
    let policy = with("{name: envoy.filters.http.router}");
    assert!(
        policy.contains("decide: a chain of `http_filters` has no `envoy.filters.http.cors`"),
        "{policy}"
    );
    assert!(policy.contains("decide: a `matcher` has a `CorsPolicy`"), "{policy}");
    let policy = with("{name: x, typed_config: {'@type': a.cors.v3.Cors}}");
    assert!(!policy.contains("a chain of `http_filters`"), "{policy}");
}

#[test]
fn hosts_of_envoy_are_without_ports_and_once() {
    let host = |name: &str, domains: &str, origin: &str| {
        format!(
            "- {{name: {name}, domains: [{domains}], typed_per_filter_config: {{envoy.filters.http.cors: \
             {{allow_origin_string_match: [{{exact: '{origin}'}}]}}}}}}\n"
        )
    };
    let one = host("a", "'api.example', 'api.example:8443', 'v*.api.example'", "https://a.example");
    let (policy, _) = import("envoy", &format!("virtual_hosts:\n{one}"));
    assert_eq!(policy.matches("- api.example").count(), 1, "{policy}");
    assert!(policy.contains("decide: the host `v*.api.example` is left out"), "{policy}");
    // As `istioctl proxy-config` prints it.
    let camel = one.replace("typed_per_filter_config", "typedPerFilterConfig");
    let camel = camel.replace("allow_origin_string_match", "allowOriginStringMatch");
    let (policy, said) = import("envoy", &format!("virtualHosts:\n{camel}"));
    assert!(policy.contains("allowOrigins: - https://a.example"), "{said}{policy}");
    let two = host("a", "'api.example'", "https://a.example")
        + &host("b", "'api.example:8443'", "https://b.example");
    let (policies, _) = import("envoy", &format!("virtual_hosts:\n{two}"));
    assert!(policies.contains("is the same host at another port"), "{policies}");
    assert!(policies.contains("`a` has the same host and path with other settings"), "{policies}");
}

#[test]
fn aliases_and_snippets_of_ingress_nginx_are_read_or_named() {
    let snippet = "add_header Access-Control-Allow-Origin \"https://b.example\";";
    let more = [
        SHARED[0],
        SHARED[1],
        ("server-alias", "alias.example, ~^www[0-9]"),
        ("configuration-snippet", snippet),
    ];
    let plain = "{path: /plain, pathType: Prefix}";
    let text = ingress("a", &more, "api.example", "{path: /, pathType: Prefix}")
        + &ingress(
            "b",
            &[("server-snippet", "more_set_headers \"access-control-allow-origin: *\";")],
            "api.example",
            plain,
        );
    let (policy, _) = import("ingress-nginx", &text);
    assert!(policy.contains("hostnames: - api.example - alias.example"), "{policy}");
    assert!(policy.contains("decide: `server-alias` has the regex `~^www[0-9]`"), "{policy}");
    assert!(
        policy.contains("decide: `configuration-snippet` has `add_header Access-Control"),
        "{policy}"
    );
    assert!(policy.contains("decide: `server-snippet` has `more_set_headers"), "{policy}");
    let inert = ingress("a", &SHARED, "api.example", "{path: /, pathType: Prefix}")
        + &ingress("b", &SHARED[1..], "api.example", plain);
    let (policy, _) = import("ingress-nginx", &inert);
    assert!(policy.contains("`cors-allow-origin` without `enable-cors"), "{policy}");
    let (policy, said) = import(
        "ingress-nginx",
        &ingress("a", &[("configuration-snippet", snippet)], "api.example", plain),
    );
    assert!(policy.is_empty() && said.contains("`configuration-snippet` has"), "{said}");
}

#[test]
fn authentication_of_ingress_nginx_is_named() {
    let text = |name: &str, shared: bool| {
        let more = [(name, "https://auth.example"), ("cors-max-age", "60"), SHARED[0], SHARED[1]];
        let annotations = if shared { &more[..] } else { &more[..1] };
        ingress("a", annotations, "api.example", "{path: /, pathType: Prefix}")
            + &ingress("b", &SHARED, "b.example", "{path: /, pathType: Prefix}")
    };
    for name in ["auth-url", "auth-type"] {
        let want = format!("decide: `{name}` asks for credentials, which preflights do not carry");
        let (policies, _) = import("ingress-nginx", &text(name, true));
        assert!(policies.contains(&want), "{policies}");
        // Without CORS there is nothing to move.
        let (policies, _) = import("ingress-nginx", &text(name, false));
        assert!(!policies.contains(name), "{policies}");
    }
}

#[test]
fn a_canary_and_a_regex_of_ingress_nginx_are_those_of_their_host() {
    let canary = [SHARED[0], SHARED[1], ("canary", "true")];
    let text = ingress("a", &SHARED, "api.example", "{path: /a, pathType: Prefix}")
        + &ingress("b", &canary, "api.example", "{path: /b, pathType: Prefix}")
        + &ingress("c", &[("use-regex", "true")], "api.example", "{path: /c, pathType: Prefix}");
    let (policy, report) = import("ingress-nginx", &text);
    assert_eq!(policy.matches("kind: CorsPolicy").count(), 1, "{policy}");
    assert!(
        policy.contains("a canary has the CORS annotations of the ingress beside it"),
        "{policy}"
    );
    assert!(!policy.contains("/b"), "{policy}");
    assert!(report.contains("`GET /ax`"), "{report}");
}

#[test]
fn an_ingress_of_another_class_takes_nothing_away() {
    let root = "{path: /, pathType: Prefix}";
    let with_class = |text: String, class: &str| {
        text.replace("spec: {", &format!("spec: {{ingressClassName: {class}, "))
    };
    let cors = with_class(ingress("a", &SHARED, "api.example", root), "nginx");
    let plain = ingress("b", &[], "api.example", root);
    let annotated =
        plain.replace("annotations: {}", "annotations: {kubernetes.io/ingress.class: traefik}");
    for other in [with_class(plain.clone(), "traefik"), with_class(annotated, "nginx")] {
        let (policy, said) = import("ingress-nginx", &format!("{other}{cors}"));
        assert!(policy.contains("allowOrigins: - https://a.example"), "{said}{policy}");
    }
    for same in [plain.clone(), with_class(plain, "nginx")] {
        let (policy, said) = import("ingress-nginx", &format!("{same}{cors}"));
        assert!(policy.is_empty() && said.contains("the older object is first"), "{said}{policy}");
    }
    // The policy has no class, and covers the same host of both.
    let other = with_class(ingress("b", &[], "API.example", root), "traefik");
    let (policy, _) = import("ingress-nginx", &format!("{other}{cors}"));
    let apart = "the host `api.example` has other settings at another gateway, class or port";
    assert!(policy.contains(apart) && policy.contains("Ingress b)"), "{policy}");
    let (policy, _) = import("ingress-nginx", &cors);
    assert!(!policy.contains(apart), "{policy}");
    // Its paths, its regexes and its hosts neither.
    let admin = "{path: /admin, pathType: Prefix}";
    let regex = ingress("c", &[("use-regex", "true")], "api.example", admin);
    let below = ingress("d", &SHARED, "*.shop.example", root);
    let text = with_class(regex + &ingress("e", &[], "x.shop.example", root), "traefik")
        + &cors
        + &with_class(below, "nginx");
    let (policies, _) = import("ingress-nginx", &text);
    assert!(!policies.contains("mode: \"Off\""), "{policies}");
    assert!(policies.contains("the host `x.shop.example` has other settings"), "{policies}");
}

#[test]
fn an_object_that_no_rule_says_leaves_the_others_their_policies() {
    let regex = format!("  - match: [{{uri: {{regex: '/a.*'}}}}]\n    {ISTIO_CORS}\n");
    let lost = virtual_service("two", "two.example", &regex);
    let services = virtual_service("one", "one.example", &format!("  - {ISTIO_CORS}\n")) + &lost;
    let cors = "typed_per_filter_config: {envoy.filters.http.cors: {allow_origin_string_match: [{exact: 'https://a.example'}]}}";
    let lost_host = format!(
        "- {{name: two, domains: ['two.example:*'], routes: [{{match: {{safe_regex: {{regex: '/a.*'}}}}, {cors}}}, {{match: {{prefix: /}}}}]}}\n"
    );
    let hosts =
        format!("virtual_hosts:\n{lost_host}- {{name: one, domains: [one.example], {cors}}}\n");
    for (from, text) in [("istio", services), ("envoy", hosts)] {
        let (policies, report) = import(from, &text);
        assert!(policies.contains("hostnames: - one.example"), "{from}: {report}");
        assert_eq!(policies.matches("kind: CorsPolicy").count(), 1, "{from}: {policies}");
        for want in [
            "decide: every match with CORS has a regex for its path or conditions beside it",
            "decide: `/a.*` is a regex",
            " two)",
        ] {
            assert!(policies.contains(want), "{from}: {want}: {policies}");
        }
        let witness = "| allowed without credentials | refused | `GET /aa` `host: two.example` `origin: https://a.example` |";
        assert!(report.contains(witness), "{from}: {report}");
    }
    for (from, text) in [("istio", lost), ("envoy", format!("virtual_hosts:\n{lost_host}"))] {
        let (policies, said) = import(from, &text);
        assert!(
            policies.is_empty() && said.contains("there is no policy to write; `/a.*`"),
            "{said}"
        );
    }
}

#[test]
fn texts_of_others_stay_in_their_line() {
    let text = r#"virtual_hosts:
- name: "a\nspec: {x: y}\u2028\e[31m"
  domains: ["api.example", "x\0y\x7f"]
  typed_per_filter_config:
    envoy.filters.http.cors:
      allow_origin_string_match: [{exact: "https://a.example"}, {exact: "https://b.example\r\n::error::\e[31m"}]
      allow_methods: "GET,\x7f"
  routes: [{match: {prefix: "/a\x7f\x9b"}, typed_per_filter_config: {envoy.filters.http.cors: {disabled: true}}}, {match: {prefix: /}}]
"#;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("envoy.yaml"), text).unwrap();
    let corsward = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
        command.current_dir(folder.path()).args(arguments).output().unwrap()
    };
    let output = corsward(&["import", "envoy", "envoy.yaml", "--report", "report.md"]);
    fs::write(folder.path().join("policy.yaml"), &output.stdout).unwrap();
    let policy = String::from_utf8(output.stdout).unwrap();
    let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(policy.contains("virtual host a\\nspec: {x:"), "{policy}");
    assert!(policy.contains("`https://b.example\\r\\n::error::\\u{1b}[31m`"), "{policy}");
    assert!(report.contains("`GET /a\\u{7f}\\u{9b}`"), "{report}");
    for text in [&policy, &report] {
        let raw = |c: char| c.is_control() && c != '\n' || c == '\u{2028}';
        assert!(!text.contains(raw), "{text:?}");
    }
    let said = corsward(&["check", "policy.yaml"]);
    assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stdout));
}

#[test]
fn objects_of_other_kinds_that_say_cors_are_named() {
    let route = http_route("a", "api.example", &format!("  - {GATEWAY_CORS}\n"));
    let other = "---\nkind: SecurityPolicy\nmetadata: {name: p}\nspec: {cors: {allowOrigins: ['https://b.example']}}\n";
    let (policy, _) = import("gateway-api", &format!("{route}{other}"));
    assert!(policy.contains("decide: the object says `cors`"), "{policy}");
    assert!(policy.contains("SecurityPolicy p)"), "{policy}");
    let workload = "---\nkind: Deployment\nmetadata: {name: cors-demo}\n";
    let (policy, _) = import("gateway-api", &format!("{route}{workload}"));
    assert!(policy.contains("the object says `cors`") && !policy.contains("decide:"), "{policy}");
    let back_end = "  - backendRefs: [{name: s, filters: [{type: CORS, cors: {allowOrigins: ['https://c.example']}}]}]\n    matches: [{path: {value: /b}}]\n";
    let text = http_route("a", "api.example", &format!("  - {GATEWAY_CORS}\n{back_end}"));
    let (policy, _) = import("gateway-api", &text);
    assert!(policy.contains("decide: a filter of type CORS at a back end"), "{policy}");
    let filter = "  - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: Access-Control-Allow-Origin, value: '*'}]}}]\n    matches: [{path: {value: /own}}]\n";
    let text = http_route("a", "api.example", &format!("  - {GATEWAY_CORS}\n{filter}"));
    let (policy, _) = import("gateway-api", &text);
    assert!(policy.contains("decide: `name` has `Access-Control-Allow-Origin`"), "{policy}");
}

#[test]
fn plugins_and_middlewares_that_meet_or_are_off_are_named() {
    let plugin = |name: &str, more: &str| {
        format!("---\nkind: KongPlugin\nmetadata: {{name: {name}}}\nplugin: cors\n{more}\n")
    };
    let one = plugin("a", "config: {origins: ['https://a.example'], private_network: true}");
    let two = plugin("b", "config: {origins: ['https://b.example']}");
    // The report has the answers of a proxy with both.
    let (_, report) = import("kong", &format!("{one}{two}"));
    let lost = "| response (1) | allowed without credentials | refused | `GET /orders` `origin: https://b.example` | 6 |";
    assert!(report.contains(lost), "{report}");
    let off = plugin("c", "disabled: true");
    let (policies, said) = import("kong", &format!("{one}{two}{off}"));
    assert_eq!(policies.matches("kind: CorsPolicy").count(), 2, "{said}");
    for want in [
        "decide: `a` has the same host and path with other settings",
        "decide: `private_network` of `config` is not read",
        "`disabled: true`: the plugin was not in force",
    ] {
        assert!(policies.contains(want), "{want}: {policies}");
    }
    let (policy, _) = import("kong", &one.replace("KongPlugin", "KongClusterPlugin"));
    assert!(policy.contains("decide: the plugin is for every namespace"), "{policy}");
    let (policy, said) =
        import("kong", &plugin("a", "configFrom: {secretKeyRef: {name: s, key: k}}"));
    assert!(policy.is_empty() && said.contains("`configFrom` has settings in a Secret"), "{said}");
    let middleware = |name: &str, headers: &str| {
        format!(
            "---\nkind: Middleware\nmetadata: {{name: {name}}}\nspec: {{headers: {{{headers}}}}}\n"
        )
    };
    let (policies, _) = import(
        "traefik",
        &(middleware("a", "accessControlAllowOriginList: ['https://a.example']")
            + &middleware("b", "accessControlAllowOriginList: ['https://b.example']")
            + "---\nkind: IngressRoute\nmetadata: {name: r}\nspec: {routes: [{middlewares: [{name: cors}, {name: b}]}]}\n"),
    );
    assert!(
        policies.contains("decide: `a` has the same host and path with other settings"),
        "{policies}"
    );
    assert!(policies.contains("decide: the object says `cors`"), "{policies}");
    let text = middleware("a", "accessControlAllowOriginList: ['https://a.example']")
        + &middleware("b", "customResponseHeaders: {Access-Control-Allow-Origin: '*'}");
    let (policy, _) = import("traefik", &text);
    assert!(
        policy.contains("decide: `customResponseHeaders` has `Access-Control-Allow-Origin`"),
        "{policy}"
    );
}

#[test]
fn a_security_policy_of_a_route_takes_the_place_of_its_gateways() {
    let policy = |name: &str, kind: &str, more: &str| {
        format!(
            "---\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\nspec: {{targetRefs: [{{kind: {kind}, name: {name}}}]{more}}}\n"
        )
    };
    let cors = |origin: &str| format!(", cors: {{allowOrigins: ['{origin}']}}");
    let text = policy("edge", "Gateway", &cors("https://a.example"))
        + &policy("jwt", "HTTPRoute", ", jwt: {}")
        + &policy("own", "HTTPRoute", &cors("https://b.example"));
    let (policies, _) = import("envoy-gateway", &text);
    for want in [
        "SecurityPolicy jwt takes the place of this one at the route jwt, and has no `cors`",
        "SecurityPolicy own takes the place of this one at the route own: give",
        "`edge` has the same host and path with other settings",
    ] {
        assert!(policies.contains(want), "{want}: {policies}");
    }
}

#[test]
fn options_of_express_that_turn_cors_off_are_no_star() {
    for (options, want) in [
        ("{\"origin\": null}", "turns CORS off"),
        ("{\"origin\": \"\"}", "turns CORS off"),
        (
            "{\"origin\": \"https://a.example\", \"credentials\": \"true\"}",
            "decide: `credentials` is no truth value",
        ),
    ] {
        let (policy, said) = import("express", options);
        assert!(said.contains(want) || policy.contains(want), "{options}: {said}{policy}");
        assert!(!policy.contains("allowCredentials: true"), "{policy}");
    }
}
