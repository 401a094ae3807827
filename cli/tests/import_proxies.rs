//! `corsward import` of routes and paths: order, conditions, parts of segments, regexes, inherited fields.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

#[path = "common/importing.rs"]
mod importing;

/// The policy and the report of settings, with the words of comments joined.
fn import(from: &str, text: &str) -> (String, String) {
    importing::import(&[from], &[("settings", text)])
}

/// A `VirtualService` with these routes.
fn virtual_service(routes: &str) -> String {
    format!(
        "kind: VirtualService\nmetadata: {{name: v}}\nspec:\n  hosts: [api.example]\n  http:\n{routes}"
    )
}

/// A virtual host of Envoy with these routes, and this policy if it is not empty.
fn virtual_host(policy: &str, routes: &str) -> String {
    let own = if policy.is_empty() {
        String::new()
    } else {
        format!("  typed_per_filter_config: {{envoy.filters.http.cors: {policy}}}\n")
    };
    format!("virtual_hosts:\n- name: v\n  domains: [api.example]\n{own}  routes:\n{routes}")
}

/// A route of Envoy with this match and policy.
fn route(matched: &str, policy: &str) -> String {
    format!(
        "  - {{match: {{{matched}}}, typed_per_filter_config: {{envoy.filters.http.cors: {policy}}}}}\n"
    )
}

const SHOP: &str = "allow_origin_string_match: [{exact: 'https://shop.example'}]";

#[test]
fn a_prefix_of_a_proxy_covers_parts_of_segments() {
    let istio = virtual_service(
        "  - match: [{uri: {prefix: /api}}]\n    corsPolicy: {allowOrigins: [{exact: 'https://shop.example'}]}\n",
    );
    let envoy = virtual_host("", &route("prefix: /api", &format!("{{{SHOP}}}")));
    for (from, text) in [("istio", istio), ("envoy", envoy)] {
        let (policy, report) = import(from, &text);
        assert!(policy.contains("path: {type: PathPrefix, value: /api}"), "{from}: {policy}");
        assert!(report.contains("`GET /apix`"), "{from}: {report}");
        assert!(
            report.contains("The settings cover a part of a segment, and a rule whole ones"),
            "{from}: {report}"
        );
    }
    let (_, report) = import(
        "envoy",
        &virtual_host("", &route("path_separated_prefix: /api", &format!("{{{SHOP}}}"))),
    );
    assert!(!report.contains("/apix"), "{report}");
    // A prefix that ends with a slash leaves the path without it out, and a rule covers both.
    let (_, report) =
        import("envoy", &virtual_host("", &route("prefix: /api/", &format!("{{{SHOP}}}"))));
    assert!(report.contains("A rule of the policy covers whole segments"), "{report}");
}

#[test]
fn the_first_route_that_covers_a_path_has_it() {
    let of = |path: &str, origin: &str| {
        format!(
            "  - match: [{{uri: {{prefix: {path}}}}}]\n    corsPolicy: {{allowOrigins: [{{exact: '{origin}'}}]}}\n"
        )
    };
    let outer = of("/", "https://shop.example");
    let inner = of("/public", "https://public.example");
    let (policy, report) = import("istio", &virtual_service(&format!("{outer}{inner}")));
    assert!(
        policy.contains("the match at `/public` stands behind the one at `/`, which takes"),
        "{policy}"
    );
    assert!(!policy.contains("- https://public.example"), "{policy}");
    assert!(!report.contains("https://public.example"), "{report}");
    let (policy, _) = import("istio", &virtual_service(&format!("{inner}{outer}")));
    assert!(policy.contains("- https://public.example"), "{policy}");
    assert!(!policy.contains("stands behind"), "{policy}");
}

#[test]
fn a_condition_beside_a_path_is_named_only_where_it_changes_the_answer() {
    let header = "headers: [{name: x-env, present_match: true}]";
    // A canary with the policy of the others.
    let alike = virtual_host(
        &format!("{{{SHOP}}}"),
        &format!("  - {{match: {{prefix: /, {header}}}}}\n  - {{match: {{prefix: /}}}}\n"),
    );
    let (policy, _) = import("envoy", &alike);
    assert!(!policy.contains("conditions"), "{policy}");
    // A route without a policy of its own has that of the virtual host, and the others have theirs.
    let other = route("prefix: /", "{allow_origin_string_match: [{exact: 'https://b.example'}]}");
    let differs = virtual_host(
        &format!("{{{SHOP}}}"),
        &format!("  - {{match: {{prefix: /, {header}}}}}\n{other}"),
    );
    let (policy, _) = import("envoy", &differs);
    assert!(policy.contains("conditions beside its path"), "{policy}");
    assert!(policy.contains("lose its origins (https://shop.example)"), "{policy}");
    let canary = "  - match: [{headers: {x-canary: {exact: a}}}]\n    corsPolicy: {allowOrigins: [{exact: 'https://a.example'}]}\n";
    let rest = "  - corsPolicy: {allowOrigins: [{exact: 'https://a.example'}]}\n";
    let (policy, _) = import("istio", &virtual_service(&format!("{canary}{rest}")));
    assert!(!policy.contains("conditions"), "{policy}");
    let public =
        "  - match: [{uri: {prefix: /public}}]\n    corsPolicy: {allowOrigins: [{exact: '*'}]}\n";
    let (policy, _) = import("istio", &virtual_service(&format!("{canary}{public}{rest}")));
    assert!(policy.contains("conditions beside its path"), "{policy}");
}

#[test]
fn a_route_of_envoy_has_the_missing_fields_of_its_virtual_host() {
    let host = format!("{{{SHOP}, allow_methods: 'GET, PUT', allow_credentials: true}}");
    let public = route(
        "prefix: /public",
        "{allow_origin_string_match: [{exact: '*'}], allow_credentials: false}",
    );
    let (policy, _) = import("envoy", &virtual_host(&host, &public));
    let want = "value: /public} cors: allowOrigins: - \"*\" allowMethods: - GET - PUT";
    assert!(policy.contains(want), "{policy}");
    // Without the word, credentials are the virtual host's, and any origin has them.
    let dangerous = route("prefix: /public", "{allow_origin_string_match: [{exact: '*'}]}");
    let (policy, said) = import("envoy", &virtual_host(&host, &dangerous));
    assert!(policy.is_empty() && said.contains("every site acts with the cookies"), "{said}");
    let off = route("prefix: /own", "{disabled: true}");
    let (policy, _) = import("envoy", &virtual_host(&host, &off));
    assert!(policy.contains("value: /own} mode: \"Off\""), "{policy}");
    let none = route(
        "prefix: /own",
        "{allow_origin_string_match: [{exact: 'https://b.example'}], filter_enabled: {default_value: {numerator: 0}}}",
    );
    let (policy, _) = import("envoy", &virtual_host(&host, &none));
    assert!(policy.contains("value: /own} mode: \"Off\""), "{policy}");
    let any_case = route("prefix: /own, case_sensitive: false", "{}");
    let (policy, _) = import("envoy", &virtual_host(&host, &any_case));
    assert!(policy.contains("a rule for each spelling that clients use"), "{policy}");
}

#[test]
fn a_star_of_envoy_is_the_requested_names() {
    let (policy, report) = import(
        "istio",
        &virtual_service(
            "  - corsPolicy: {allowOrigins: [{exact: 'https://shop.example'}], allowHeaders: ['*'], allowMethods: ['*'], allowCredentials: true}\n",
        ),
    );
    assert!(policy.contains("allowHeaders: - \"*\" - authorization"), "{policy}");
    assert!(policy.contains("allowMethods: - \"*\""), "{policy}");
    assert!(!policy.contains("decide:"), "{policy}");
    assert!(!report.contains("does not list"), "{report}");
    for any in ["regex: .*", "prefix: ''", "exact: '*'"] {
        let (policy, _) = import(
            "istio",
            &virtual_service(&format!("  - corsPolicy: {{allowOrigins: [{{{any}}}]}}\n")),
        );
        assert!(policy.contains("allowOrigins: - \"*\""), "{any}: {policy}");
    }
}

#[test]
fn a_share_of_all_requests_is_no_share() {
    let with = |share: &str| {
        let (policy, _) = import(
            "envoy",
            &virtual_host(
                &format!("{{{SHOP}, filter_enabled: {share}}}"),
                "  - {match: {prefix: /}}\n",
            ),
        );
        policy.contains("`filter_enabled` applies the settings to a share")
    };
    assert!(!with("{default_value: {numerator: 100, denominator: HUNDRED}}"));
    assert!(with("{default_value: {numerator: 10, denominator: HUNDRED}}"));
    assert!(with("{default_value: {numerator: 100}, runtime_key: cors}"));
}

#[test]
fn a_gateway_answers_the_preflight_of_a_stranger_itself() {
    let route = "kind: HTTPRoute\nmetadata: {name: r}\nspec:\n  hostnames: [api.example]\n  rules:\n\
                 \x20 - matches: [{path: {value: /api}}]\n    filters: [{type: CORS, cors: {allowOrigins: ['https://shop.example']}}]\n\
                 \x20 - matches: [{path: {value: /api/internal}}]\n";
    let (policy, report) = import("gateway-api", route);
    assert!(!report.contains("The proxy answers the preflight"), "{report}");
    // A rule without the filter inside of one with it.
    assert!(policy.contains("value: /api/internal} mode: \"Off\""), "{policy}");
    let policy = "kind: SecurityPolicy\nmetadata: {name: p}\nspec: {cors: {allowOrigins: ['https://shop.example']}}\n";
    let (_, report) = import("envoy-gateway", policy);
    assert!(!report.contains("The proxy answers the preflight"), "{report}");
}

#[test]
fn names_of_spring_with_dots_are_names_inside_of_names() {
    let settings = "spring.cloud.gateway:\n  globalcors.cors-configurations:\n    '[/v1.0/**]':\n      allowed-origins: https://a.example\n\
                    spring:\n  application.name: shop\n  cloud.gateway.globalcors:\n    cors-configurations:\n      '[/v2/**]': {allowed-origins: https://b.example}\n";
    let (policy, said) = import("spring", settings);
    assert!(policy.contains("value: /v1.0} cors: allowOrigins: - https://a.example"), "{said}");
    assert!(policy.contains("value: /v2} cors: allowOrigins: - https://b.example"), "{policy}");
}

#[test]
fn paths_of_an_ingress_that_are_regexes_are_prefixes_or_named() {
    let ingress = |more: &str, paths: &str| {
        format!(
            "kind: Ingress\nmetadata: {{name: i, annotations: {{nginx.ingress.kubernetes.io/enable-cors: 'true', \
             nginx.ingress.kubernetes.io/cors-allow-origin: 'HTTPS://Shop.Example'{more}}}}}\n\
             spec: {{rules: [{{host: api.example, http: {{paths: [{paths}]}}}}]}}\n"
        )
    };
    let rewrite = ", nginx.ingress.kubernetes.io/rewrite-target: /$2";
    let (policy, report) = import(
        "ingress-nginx",
        &ingress(rewrite, "{path: '/shop(/|$)(.*)', pathType: ImplementationSpecific}"),
    );
    assert!(policy.contains("path: {type: PathPrefix, value: /shop}"), "{policy}");
    assert!(policy.contains("decide: the settings rewrite the path"), "{policy}");
    // The comparison ignores case.
    assert!(policy.contains("allowOrigins: - https://shop.example"), "{policy}");
    assert!(!report.contains("/shopx"), "{report}");
    let (policy, said) = import("ingress-nginx", &ingress(rewrite, "{path: '/(a|b)/.*'}"));
    assert!(policy.is_empty() && said.contains("`/(a|b)/.*` is a regex"), "{said}");
    let (policy, report) =
        import("ingress-nginx", &ingress("", "{path: /shop, pathType: ImplementationSpecific}"));
    assert!(policy.contains("path: {type: PathPrefix, value: /shop}"), "{policy}");
    assert!(report.contains("`GET /shopx`"), "{report}");
    let (_, report) = import("ingress-nginx", &ingress("", "{path: /shop, pathType: Prefix}"));
    assert!(!report.contains("/shopx"), "{report}");
}

#[test]
fn a_star_stays_a_wildcard_where_the_policy_leaves_credentials_out() {
    let middleware = "apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {name: cors}\nspec:\n  headers: {accessControlAllowOriginList: ['*'], accessControlAllowHeaders: ['*'], accessControlAllowMethods: ['*'], accessControlAllowCredentials: true}\n";
    let (policy, _) = import("traefik", middleware);
    assert!(policy.contains("allowMethods: - \"*\" allowHeaders: - \"*\""), "{policy}");
    assert!(!policy.contains("no wildcard"), "{policy}");
}

#[test]
fn origins_of_kong_are_compared_as_it_compares_them() {
    let plugin = |config: &str| {
        let text = format!(
            "apiVersion: configuration.konghq.com/v1\nkind: KongPlugin\nmetadata: {{name: c}}\nplugin: cors\nconfig: {{{config}, methods: [GET], headers: [x-a]}}\n"
        );
        import("kong", &text)
    };
    let (policy, said) = plugin("origins: [], credentials: true");
    assert!(
        policy.is_empty() && said.contains("every site acts with the cookies"),
        "{policy}{said}"
    );
    let (policy, _) = plugin("origins: ['https://c.example/', 'https://d.example:443']");
    assert!(policy.contains("allowOrigins: - https://c.example - https://d.example"), "{policy}");
    let (policy, _) = plugin("origins: [shop.example, 'https://a.example']");
    assert!(policy.contains("`shop.example` equals no origin that a browser sends"), "{policy}");
    // Without a colon it is the host.
    let (policy, report) = plugin("origins: ['(.*[.])?shop[.]example']");
    assert!(policy.contains("\"https://shop.example:*\""), "{policy}");
    assert!(!report.contains("Losses"), "{report}");
}

/// An `Ingress` with these annotations, each after `nginx.ingress.kubernetes.io/`.
fn ingress(annotations: &[(&str, &str)]) -> String {
    let annotation =
        |(name, value): &(&str, &str)| format!("nginx.ingress.kubernetes.io/{name}: '{value}'");
    let annotations: Vec<String> = annotations.iter().map(annotation).collect();
    format!(
        "kind: Ingress\nmetadata: {{name: a, annotations: {{{}}}}}\nspec: {{rules: [{{host: api.example, http: {{paths: [{{path: /, pathType: Prefix}}]}}}}]}}\n",
        annotations.join(", ")
    )
}

#[test]
fn values_that_the_controller_of_an_ingress_does_not_take_are_left_out() {
    let origins = "https://a.example, https://*.b.example, https://e.example:*";
    let annotations =
        [("enable-cors", "true"), ("cors-allow-origin", origins), ("cors-max-age", "soon")];
    let (policy, _) = import("ingress-nginx", &ingress(&annotations));
    assert!(policy.contains("`https://e.example:*` is left out: the controller takes"), "{policy}");
    assert!(!policy.contains("- https://e.example"), "{policy}");
    assert!(policy.contains("maxAge: 1728000"), "{policy}");
}

#[test]
fn names_that_the_controller_of_an_ingress_does_not_take_are_its_defaults() {
    let read = |methods, headers| {
        let annotations = [
            ("enable-cors", "true"),
            ("cors-allow-methods", methods),
            ("cors-allow-headers", headers),
        ];
        import("ingress-nginx", &ingress(&annotations)).0
    };
    let policy = read("GET;PUT", "X-A:X-B");
    assert!(policy.contains("`cors-allow-methods: GET;PUT` was never in force"), "{policy}");
    assert!(policy.contains("`cors-allow-headers: X-A:X-B` was never in force"), "{policy}");
    assert!(policy.contains("- PATCH") && policy.contains("- Range"), "{policy}");
    let policy = read("GET, QUERY,", "X-A,X_b");
    assert!(!policy.contains("was never in force"), "{policy}");
    assert!(policy.contains("- QUERY") && !policy.contains("- PATCH"), "{policy}");
    assert!(policy.contains("- X-A - X_b"), "{policy}");
}
