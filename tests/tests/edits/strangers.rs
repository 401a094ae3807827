//! Rows about fields that other systems have, and about names that are the way to a field.

use serde_json::{Value, json};

use crate::rows::{Row, cors, good, spec, with};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = dots();
    rows.extend(switches());
    rows.extend(preflights());
    rows.extend(origins());
    rows.extend(reflections());
    rows.extend(blocks());
    rows.extend(pasted());
    rows.extend(scopes());
    rows.extend(paths());
    rows.extend(targets());
    rows
}

fn beside_good(why: &'static str, fields: Value) -> Row {
    spec("CORS-E503", why, with(good(), fields))
}

fn dots() -> Vec<Row> {
    let mut rows = vec![
        beside_good("a way to a list", json!({"cors.exposeHeaders": ["x-a"]})),
        beside_good(
            "a way to a danger",
            json!({"cors.dangerouslyAllow": ["NullOriginWithCredentials"]}),
        ),
        beside_good("a dot in front", json!({".preflight.successStatus": 200})),
        beside_good("a way in another system's words", json!({"cors.exposed-headers": ["x-a"]})),
        beside_good("a way from the root", json!({"spec.preflight.onFailure": "Reject"})),
        beside_good("a property of Spring", json!({"spring.graphql.cors.exposed-headers": "x-a"})),
        beside_good("a way through two mappings", json!({"selector.matchLabels.app": "api"})),
        spec(
            "CORS-E503",
            "a way from the root to the only list",
            json!({"spec.cors.allowOrigins": ["https://a.example"]}),
        ),
        spec(
            "CORS-E503",
            "a way in a selector",
            with(good(), json!({"selector": {"matchLabels.app": "api"}})),
        ),
        spec(
            "CORS-E503",
            "a way in a rule",
            json!({"rules": [{"path": {"type": "Exact", "value": "/a"}, "cors.allowOrigins": ["https://a.example"]}]}),
        ),
    ];
    for (why, name, value) in [
        ("a block beside the spec", "cors", json!({"allowOrigins": ["https://a.example"]})),
        ("a way beside the spec", "spec.cors.exposeHeaders", json!(["x-a"])),
        ("a list beside the spec", "exposedHeaders", json!(["x-a"])),
        ("a mode beside the spec", "mode", json!("DryRun")),
        ("origins beside the spec", "allowOrigins", json!(["https://a.example/"])),
        ("a block beside the spec that is refused", "cors", json!({"allowOrigins": ["a.example"]})),
    ] {
        let mut row = spec("CORS-E503", why, if name == "cors" { json!({}) } else { good() });
        row.object[name] = value;
        rows.push(row);
    }
    rows
}

fn switches() -> Vec<Row> {
    [
        ("off", "enabled", json!(false)),
        ("on", "enabled", json!(true)),
        (
            "an annotation of ingress-nginx",
            "nginx.ingress.kubernetes.io/enable-cors",
            json!("false"),
        ),
        ("disabled", "disabled", json!(true)),
        ("a rehearsal", "dryRun", json!(true)),
        ("a rehearsal of Envoy", "shadow_enabled", json!(true)),
        ("a word of Gatekeeper", "enforcement", json!("audit")),
        ("a header for debugging", "debug", json!(true)),
    ]
    .map(|(why, name, value)| beside_good(why, json!({name: value})))
    .into()
}

fn preflights() -> Vec<Row> {
    let mut rows = Vec::from(
        [
            ("Express's status", "optionsSuccessStatus", json!(200)),
            ("a status as a text", "options_success_status", json!("204")),
            ("gin's status", "OptionsResponseStatusCode", json!(200)),
            ("a status that no preflight gets", "optionsSuccessStatus", json!(201)),
            ("Express's forwarding", "preflightContinue", json!(true)),
            ("nothing is forwarded", "preflight_continue", json!(false)),
            ("rs/cors", "OptionsPassthrough", json!(true)),
            ("Istio forwards", "unmatchedPreflights", json!("FORWARD")),
            ("Istio ignores", "unmatchedPreflights", json!("IGNORE")),
            ("Envoy forwards", "forward_not_matching_preflights", json!(true)),
        ]
        .map(|(why, name, value)| beside_good(why, json!({name: value}))),
    );
    rows.extend(
        [
            ("within the block", json!({"optionsSuccessStatus": 200})),
            ("Istio's word within the block", json!({"unmatchedPreflights": "IGNORE"})),
            ("a draft's header", json!({"allowPrivateNetwork": true})),
            ("Envoy's word for it", json!({"allow_private_network_access": true})),
            ("Kong's word for it", json!({"private_network": true})),
            ("Traefik's `Vary`", json!({"addVaryHeader": true})),
        ]
        .map(|(why, fields)| cors("CORS-E503", why, fields)),
    );
    let on_failure =
        |why, preflight| spec("CORS-E532", why, with(good(), json!({"preflight": preflight})));
    rows.extend([
        on_failure("the status of a preflight that passes", json!({"onFailure": 204})),
        on_failure("the other one, as a text", json!({"onFailure": "200"})),
        on_failure("with the status beside it", json!({"onFailure": 204, "successStatus": 200})),
    ]);
    rows
}

fn origins() -> Vec<Row> {
    let block = |why, fields| spec("CORS-E503", why, json!({"cors": fields}));
    vec![
        block("Django, all", json!({"CORS_ALLOW_ALL_ORIGINS": true})),
        block("ASP.NET, any", json!({"AllowAnyOrigin": true})),
        cors("CORS-E503", "all beside one", json!({"allowAllOrigins": true})),
        cors("CORS-E503", "not all", json!({"allow_all_origins": false})),
        cors("CORS-E503", "any method", json!({"allowAnyMethod": true})),
        cors("CORS-E503", "any header", json!({"allowAnyHeader": true})),
        block("reflected in Express", json!({"origin": true})),
        block("reflected by nginx", json!({"origin": "$http_origin"})),
        block("Django", json!({"CORS_ALLOWED_ORIGINS": ["https://a.example"]})),
        cors("CORS-E503", "Django's time", json!({"CORS_PREFLIGHT_MAX_AGE": 60})),
        block("FastAPI", json!({"allow_origin_regex": "https://[a-z]+[.]a[.]example"})),
        block("Traefik", json!({"accessControlAllowOriginList": ["https://a.example"]})),
        block("APISIX", json!({"allow_origins_by_regex": ["https://[a-z]+[.]a[.]example"]})),
        cors("CORS-E503", "Kong", json!({"exposed_headers": ["x-a"]})),
        spec(
            "CORS-E503",
            "ingress-nginx",
            json!({"nginx.ingress.kubernetes.io/cors-allow-origin": "https://a.example, https://b.example"}),
        ),
        block("a list of Istio's matches", json!({"origins": [{"exact": "https://a.example"}]})),
        cors("CORS-E509", "every method", json!({"allowMethods": true})),
    ]
}

/// Lines and properties of other systems, as they are pasted.
fn pasted() -> Vec<Row> {
    const SPRING: &str = "spring.cloud.gateway.globalcors.cors-configurations.[/**]";
    let block = |why, fields| spec("CORS-E503", why, json!({"cors": fields}));
    let of_spec = |why, fields| spec("CORS-E503", why, fields);
    let gateway = |path: &str| {
        json!({"spring": {"cloud": {"gateway": {"globalcors": {"cors-configurations": {path: {
            "allowedOrigins": ["https://a.example"], "allowedMethods": "PUT", "maxAge": "1h",
        }}}}}}})
    };
    let lines = "add_header 'Access-Control-Allow-Origin' 'https://a.example' always;\nadd_header Access-Control-Allow-Methods 'PUT, DELETE';\nadd_header Access-Control-Max-Age 600;\n";
    vec![
        block("a property", json!({format!("{SPRING}.allowed-origins"): "https://a.example"})),
        of_spec(
            "one with an index",
            json!({format!("{SPRING}.allowedOrigins[0]"): "https://a.example"}),
        ),
        of_spec(
            "one of some paths",
            with(
                good(),
                json!({SPRING.replace("**", "api/**") + ".allowedOrigins": "https://b.example"}),
            ),
        ),
        of_spec("properties as mappings", gateway("[/**]")),
        of_spec("mappings of some paths", with(good(), gateway("[/api/**]"))),
        of_spec(
            "a part of them",
            json!({"globalcors": {"corsConfigurations": {"[/**]": {"allowedOrigins": "https://a.example"}}}}),
        ),
        block(
            "nginx, up to the value",
            json!({"add_header Access-Control-Allow-Origin": "https://a.example always"}),
        ),
        cors(
            "CORS-E503",
            "nginx, the directive",
            json!({"add_header": "Access-Control-Allow-Methods 'PUT, DELETE' always;"}),
        ),
        cors("CORS-E503", "nginx, a number", json!({"add_header Access-Control-Max-Age": 600})),
        cors("CORS-E503", "another header", json!({"add_header": "X-Frame-Options DENY"})),
        cors(
            "CORS-E503",
            "nginx reflects",
            json!({"add_header": "Access-Control-Allow-Origin $http_origin always"}),
        ),
        cors(
            "CORS-E503",
            "several directives",
            json!({"add_header": ["Access-Control-Allow-Methods PUT", "Vary Origin"]}),
        ),
        of_spec(
            "a snippet of ingress-nginx",
            json!({"nginx.ingress.kubernetes.io/configuration-snippet": lines}),
        ),
        spec("CORS-E509", "lines in the place of the block", json!({"cors": lines})),
        cors(
            "CORS-E509",
            "a line in the place of a list",
            json!({"allowMethods": "add_header Access-Control-Allow-Methods 'PUT, DELETE';"}),
        ),
        cors(
            "CORS-E509",
            "a line in the place of a number",
            json!({"maxAge": "Access-Control-Max-Age: 600"}),
        ),
        cors(
            "CORS-E301",
            "a line in a list of methods",
            json!({"allowMethods": ["Access-Control-Allow-Methods: PUT, DELETE"]}),
        ),
        cors(
            "CORS-E102",
            "a line of nginx as an origin",
            json!({"allowOrigins": ["add_header Access-Control-Allow-Origin https://a.example always;"]}),
        ),
        cors(
            "CORS-E102",
            "a header as an origin",
            json!({"allowOrigins": ["Access-Control-Allow-Origin: https://a.example"]}),
        ),
        cors(
            "CORS-E104",
            "a property as an origin",
            json!({"allowOrigins": [format!("{SPRING}.allowedOrigins=https://a.example")]}),
        ),
    ]
}

/// Values and names by which other systems answer with the origin of the request.
fn reflections() -> Vec<Row> {
    let block = |why, fields| spec("CORS-E503", why, json!({"cors": fields}));
    vec![
        block("a word of Hapi and others", json!({"origin": "dynamic"})),
        block("a star with credentials", json!({"allowOrigin": "*", "allowCredentials": true})),
        block("Express's star with credentials", json!({"origin": "*", "credentials": "include"})),
        block(
            "any origin with credentials",
            json!({"AllowAnyOrigin": true, "allowCredentials": true}),
        ),
        block(
            "a list of Envoy that matches all",
            json!({"allow_origin_string_match": [{"safe_regex": {"regex": ".*"}}]}),
        ),
        block("a prefix that matches all", json!({"allow_origin_string_match": [{"prefix": "*"}]})),
        block(
            "a list of Envoy's regexes",
            json!({"allow_origin_string_match": [{"safe_regex": {"regex": "https://[a-z]+[.]a[.]example"}}]}),
        ),
        block(
            "a function of Go",
            json!({"AllowOriginFunc": "func(o string) bool { return true }"}),
        ),
        block("another one", json!({"AllowOriginVaryRequestFunc": "f"})),
        block("Fiber's function", json!({"AllowOriginsFunc": "f"})),
        block("a function of ASP.NET", json!({"SetIsOriginAllowed": "_ => true"})),
        block("a predicate of tower-http", json!({"allow_origin_predicate": "f"})),
        block("a switch that reflects", json!({"reflectOrigin": true})),
        block("a switch that mirrors", json!({"mirror_request": true})),
        cors("CORS-E503", "a switch that does not", json!({"reflect_origin": false})),
    ]
}

fn blocks() -> Vec<Row> {
    let spec = |why, fields| spec("CORS-E503", why, fields);
    vec![
        spec("Istio's block", json!({"corsPolicy": {"allowOrigins": ["https://a.example"]}})),
        spec(
            "Istio's block in Istio's words",
            json!({"corsPolicy": {
                "allowOrigins": [{"exact": "https://a.example"}, {"regex": "https://[a-z]+[.]a[.]example"}],
                "allowMethods": ["PUT"], "allowCredentials": true, "maxAge": "24h",
            }}),
        ),
        spec(
            "Contour's block",
            json!({"corsPolicy": {"allowOrigin": ["https://a.example"], "allowMethods": ["PUT"], "maxAge": "10m"}}),
        ),
        spec(
            "S3's block",
            json!({"CORSRules": {"AllowedOrigins": ["https://a.example"], "MaxAgeSeconds": 60}}),
        ),
        spec(
            "a block of unknown words",
            json!({"corsPolicy": {"allowOrigin": ["https://a.example"], "shadowEnabled": {}}, "cors": {"allowOrigins": ["https://a.example"]}}),
        ),
    ]
}

fn scopes() -> Vec<Row> {
    let rule = |fields: Value| {
        let path = json!({"path": {"type": "Exact", "value": "/a"}, "cors": {"allowOrigins": ["https://b.example"]}});
        json!({"rules": [with(path, fields)]})
    };
    vec![
        beside_good("Istio's hosts", json!({"hosts": ["api.a.example"]})),
        beside_good("one host", json!({"host": "api.a.example"})),
        beside_good("hosts of a rule", rule(json!({"hosts": ["api.a.example"]}))),
        beside_good("hostnames of a rule", rule(json!({"hostnames": ["api.a.example"]}))),
        cors("CORS-E503", "hosts in the block", json!({"hosts": ["api.a.example"]})),
        beside_good("Istio's selector", json!({"workloadSelector": {"labels": {"app": "api"}}})),
        beside_good("a NetworkPolicy's", json!({"podSelector": {"matchLabels": {"app": "api"}}})),
        beside_good("a Service's", json!({"podSelector": {"app": "api"}})),
        beside_good("every pod", json!({"podSelector": {}})),
        beside_good("labels", json!({"selector": {"labels": {"app": "api"}}})),
        beside_good("a label called labels", json!({"selector": {"labels": "api"}})),
        beside_good("a label called service", json!({"selector": {"service": "api"}})),
        beside_good("Gateway API's parents", json!({"parentRefs": [{"name": "web"}]})),
        beside_good("a service", json!({"service": "api"})),
        beside_good("Istio's gateways", json!({"gateways": ["web"]})),
        beside_good("a namespace", json!({"namespace": "shop"})),
        beside_good(
            "a target's namespace",
            json!({"targetRefs": [{"group": "", "kind": "Service", "name": "api", "namespace": "shop"}]}),
        ),
    ]
}

fn paths() -> Vec<Row> {
    let rule = |fields: Value| {
        let cors = json!({"cors": {"allowOrigins": ["https://b.example"]}});
        with(good(), json!({"rules": [with(cors, fields)]}))
    };
    let named = |why, fields| spec("CORS-E503", why, rule(fields));
    let foreign = |why, path| spec("CORS-E534", why, rule(json!({"path": path})));
    vec![
        named("Istio's match", json!({"match": [{"uri": {"prefix": "/api"}}]})),
        named("an exact match", json!({"match": {"uri": {"exact": "/api"}}})),
        named(
            "Gateway API's matches",
            json!({"matches": [{"path": {"type": "PathPrefix", "value": "/api"}}]}),
        ),
        named("a prefix", json!({"prefix": "/api"})),
        named("one path", json!({"paths": ["/api"]})),
        named(
            "two paths",
            json!({"paths": ["/api", "/web"], "path": {"type": "Exact", "value": "/a"}}),
        ),
        beside_good("paths of the whole", json!({"paths": ["/api"]})),
        beside_good("Istio's match of the whole", json!({"match": [{"uri": {"prefix": "/api"}}]})),
        beside_good("django-cors-headers", json!({"CORS_URLS_REGEX": "^/api/.*$"})),
        foreign("Envoy's path", json!({"prefix": "/api"})),
        foreign("Istio's path", json!({"uri": {"exact": "/api"}})),
        foreign("a path in the path", json!({"type": "PathPrefix", "path": "/api"})),
        spec("CORS-E511", "a path without its type", rule(json!({"path": {"value": "/api"}}))),
    ]
}

fn targets() -> Vec<Row> {
    let target = |why, group: &str, kind: &str| {
        let target = json!({"group": group, "kind": kind, "name": "api"});
        spec("CORS-E522", why, with(good(), json!({"targetRefs": [target]})))
    };
    let without =
        |why, target| spec("CORS-E511", why, with(good(), json!({"targetRefs": [target]})));
    vec![
        target("the group of Deployments", "apps", "Service"),
        target("a version", "v1", "Service"),
        target("a name of the empty group", "core", "Service"),
        target("that name with a version", "core/v1", "Service"),
        target("the group of Gateways", "gateway.networking.k8s.io", "Service"),
        target("a version in the group", "gateway.networking.k8s.io/v1", "Gateway"),
        target("no group", "", "Gateway"),
        target("a kind in lower case", "", "service"),
        target("a Gateway in lower case", "gateway.networking.k8s.io", "gateway"),
        without("a Service without its group", json!({"kind": "Service", "name": "api"})),
        without("a Gateway without its group", json!({"kind": "Gateway", "name": "api"})),
    ]
}
