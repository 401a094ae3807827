//! The table: for each code an object about which it is said. One row, one fault; add as many as help.

use serde_json::{Value, json};

use crate::object;

/// Codes that name what to write into other objects than corsward's own.
pub(crate) const ROWS_OF_OTHER_OBJECTS: [(&str, &str); 13] = [
    ("CORS-W524", "a pod template"),
    ("CORS-W526", "a pod template"),
    ("CORS-W532", "a VirtualService"),
    ("CORS-W533", "an HTTPRoute"),
    ("CORS-W534", "an HTTPRoute"),
    ("CORS-W535", "an annotation of the namespace"),
    ("CORS-W541", "a block that takes its author"),
    ("CORS-W531", "its edits are those of the refusal that it was"),
    ("CORS-I522", "another policy"),
    ("CORS-E506", "another file"),
    ("CORS-E528", "a label that takes its author"),
    ("CORS-E601", "an origin that takes its author"),
    ("CORS-E611", "a guardrail that takes its author"),
];

/// An object, and a finding about it.
pub(crate) struct Row {
    pub(crate) code: &'static str,
    pub(crate) why: &'static str,
    pub(crate) object: Value,
    /// The objects that it depends on.
    pub(crate) beside: Vec<Value>,
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = of_policies();
    rows.extend(of_cors());
    rows.extend(of_origins());
    rows.extend(of_dangers());
    rows.extend(of_paths());
    rows.extend(crate::shapes::rows());
    rows.extend(of_dependencies());
    rows.extend([another_version()]);
    rows
}

fn another_version() -> Row {
    let mut row = spec("CORS-E507", "another version", good());
    row.object["apiVersion"] = "corsward.io/v1".into();
    row
}

/// A row about a policy with that spec.
pub(crate) fn spec(code: &'static str, why: &'static str, spec: Value) -> Row {
    Row { code, why, object: object("CorsPolicy", &spec), beside: Vec::new() }
}

/// A row about a policy with these fields in its `cors`, beside an origin.
pub(crate) fn cors(code: &'static str, why: &'static str, fields: Value) -> Row {
    let mut block = json!({"allowOrigins": ["https://a.example"], "maxAge": 600});
    for (name, value) in fields.as_object().unwrap() {
        block[name] = value.clone();
    }
    spec(code, why, json!({"cors": block}))
}

/// A row about one origin of a policy.
fn origin(code: &'static str, origin: &'static str) -> Row {
    cors(code, origin, json!({"allowOrigins": [origin]}))
}

/// A row about one origin of a policy with credentials.
fn danger(code: &'static str, origin: &'static str) -> Row {
    cors(code, origin, json!({"allowOrigins": [origin], "allowCredentials": true}))
}

/// A row about one regex of a policy.
fn regex(code: &'static str, regex: &'static str) -> Row {
    cors(code, regex, json!({"allowOriginRegexes": [regex]}))
}

/// A row about one regex of a policy with credentials.
fn regex_danger(code: &'static str, regex: &'static str) -> Row {
    cors(code, regex, json!({"allowOriginRegexes": [regex], "allowCredentials": true}))
}

/// A row about the path of a rule.
fn path(code: &'static str, path: &'static str) -> Row {
    rule_path(code, path, json!({"type": "PathPrefix", "value": path}))
}

fn rule_path(code: &'static str, why: &'static str, path: Value) -> Row {
    let rules =
        json!([{"path": path, "cors": {"allowOrigins": ["https://a.example"], "maxAge": 600}}]);
    spec(code, why, json!({"rules": rules}))
}

pub(crate) fn with(mut spec: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

pub(crate) fn good() -> Value {
    json!({"hostnames": ["a.example"], "cors": {"allowOrigins": ["https://a.example"], "maxAge": 600}})
}

fn of_policies() -> Vec<Row> {
    let more = |code, why, fields| spec(code, why, with(good(), fields));
    vec![
        more(
            "CORS-W008",
            "nothing to keep",
            json!({"upstreamOrigin": "Remove", "upstreamCorsHeaders": "Keep"}),
        ),
        more("CORS-I006", "a rehearsal", json!({"upstreamOrigin": "Remove", "mode": "DryRun"})),
        more("CORS-E005", "another status", json!({"preflight": {"successStatus": 404}})),
        more("CORS-W003", "two layers", json!({"upstreamCorsHeaders": "Keep"})),
        more(
            "CORS-W004",
            "an answer that is stripped",
            json!({"preflight": {"onFailure": "Forward"}}),
        ),
        more("CORS-I005", "nothing is rejected", json!({"trustedOrigins": ["https://b.example"]})),
        more(
            "CORS-E122",
            "every site",
            json!({"disallowedRequests": "Reject", "trustedOrigins": ["https://*"]}),
        ),
        more(
            "CORS-E136",
            "every extension",
            json!({"disallowedRequests": "Reject", "trustedOrigins": ["moz-extension://*"]}),
        ),
        more(
            "CORS-E123",
            "any frame",
            json!({"disallowedRequests": "Reject", "trustedOrigins": ["null"]}),
        ),
        more("CORS-E402", "an origin", json!({"hostnames": ["https://api.shop.example"]})),
        more("CORS-E403", "a port", json!({"hostnames": ["api.shop.example:8080"]})),
        more("CORS-E405", "a dot", json!({"hostnames": ["api.shop.example."]})),
        more("CORS-E409", "a namespace", json!({"hostnames": ["shop/api.shop.example"]})),
        more("CORS-E409", "a regex", json!({"hostnames": ["regex:api"]})),
        more("CORS-E409", "a suffix", json!({"hostnames": [".shop.example"]})),
        more("CORS-E409", "hosts in one text", json!({"hostnames": ["a.example,b.example"]})),
        more("CORS-E409", "a placeholder", json!({"hostnames": ["{tenant}.shop.example"]})),
        spec(
            "CORS-E503",
            "a time beside the answer to preflights",
            json!({"cors": {"allowOrigins": ["https://a.example"]}, "preflight": {"maxAge": 600}}),
        ),
        more("CORS-W401", "a word", json!({"hostnames": ["all"]})),
        more(
            "CORS-E529",
            "a namespace",
            json!({"targetRefs": [{"group": "", "kind": "Service", "name": "shop/api"}]}),
        ),
        more(
            "CORS-E529",
            "the host of a Service",
            json!({"targetRefs": [{"group": "", "kind": "Service", "name": "api.shop.svc.cluster.local"}]}),
        ),
        more(
            "CORS-E529",
            "a port",
            json!({"targetRefs": [{"group": "", "kind": "Service", "name": "api:8080"}]}),
        ),
        more(
            "CORS-E529",
            "upper case",
            json!({"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "API"}]}),
        ),
        more(
            "CORS-E530",
            "a port and its number",
            json!({"targetRefs": [{"group": "", "kind": "Service", "name": "api", "sectionName": "http:8080"}]}),
        ),
        more(
            "CORS-I401",
            "a rule that says nothing new",
            json!({"rules": [{"path": {"type": "PathPrefix", "value": "/a"}, "cors": good()["cors"]}]}),
        ),
        more(
            "CORS-E421",
            "a block of a path left alone",
            json!({"rules": [rule_off(json!({"cors": good()["cors"]}))]}),
        ),
        more(
            "CORS-E422",
            "a rule that is rehearsed",
            json!({"rules": [rule_off(json!({"mode": "DryRun"}))]}),
        ),
        more(
            "CORS-W502",
            "every path left alone",
            json!({"rules": [{"path": {"type": "PathPrefix", "value": "/"}, "mode": "Off"}]}),
        ),
        more(
            "CORS-I402",
            "a block that is never used",
            json!({"rules": [{"path": {"type": "PathPrefix", "value": "/"}, "cors": {"allowOrigins": ["https://b.example"], "maxAge": 600}}]}),
        ),
    ]
}

fn of_cors() -> Vec<Row> {
    let methods = |code, why, list| cors(code, why, json!({"allowMethods": list}));
    let allow = |code, why, list| cors(code, why, json!({"allowHeaders": list}));
    let expose = |code, why, list| cors(code, why, json!({"exposeHeaders": list}));
    vec![
        cors("CORS-E002", "before now", json!({"maxAge": -1})),
        cors("CORS-E003", "for ever", json!({"maxAge": 2_147_483_648_i64})),
        cors("CORS-W006", "absent", json!({"maxAge": null})),
        cors("CORS-I003", "a day and a second", json!({"maxAge": 86_401})),
        methods("CORS-E301", "joined by commas", json!(["GET, PUT"])),
        methods("CORS-E301", "joined by spaces", json!(["GET PUT", "PATCH"])),
        methods("CORS-E301", "joined by semicolons", json!(["GET;PUT"])),
        methods("CORS-E301", "a comma behind it", json!(["PUT,"])),
        methods("CORS-E302", "forbidden", json!(["TRACE", "PUT"])),
        methods("CORS-E305", "a glob", json!(["P*"])),
        methods("CORS-W301", "lower case", json!(["put"])),
        methods("CORS-W302", "lower case", json!(["patch"])),
        methods("CORS-W308", "a letter too few", json!(["DELET"])),
        methods("CORS-I301", "the preflight's own", json!(["OPTIONS", "PUT"])),
        methods("CORS-I303", "covered", json!(["*", "PUT"])),
        cors(
            "CORS-I303",
            "one that is covered",
            json!({"allowMethods": ["*", "PROPFIND", "PUT"], "allowCredentials": true}),
        ),
        allow("CORS-I305", "covered", json!(["*", "x-a", "Authorization"])),
        expose("CORS-I305", "covered", json!(["x-a", "*"])),
        allow("CORS-E303", "joined by commas", json!(["x-a, x-b"])),
        allow("CORS-E303", "joined by spaces", json!(["x-a x-b"])),
        expose("CORS-E303", "joined by commas", json!(["x-a,x-b,x-c"])),
        allow("CORS-E303", "white space around", json!([" x-a "])),
        allow("CORS-E304", "a glob", json!(["x-amz-*", "x-a"])),
        expose("CORS-E304", "a glob", json!(["X-*"])),
        allow("CORS-W303", "forbidden", json!(["Origin", "x-a"])),
        allow("CORS-W304", "cookies", json!(["Cookie", "x-a"])),
        allow("CORS-W305", "of responses", json!(["Access-Control-Allow-Origin", "x-a"])),
        expose("CORS-W307", "unreadable", json!(["Set-Cookie"])),
        allow("CORS-W309", "a letter too few", json!(["Autorization"])),
        allow("CORS-W309", "no hyphen", json!(["ContentType", "Content_Type"])),
        allow("CORS-W309", "beside what is meant", json!(["authorization", "Authorisation"])),
        allow("CORS-E303", "a space for a hyphen", json!(["Content Type"])),
        expose("CORS-W309", "two letters too few", json!(["Content-Disposion"])),
        expose("CORS-I311", "of the protocol", json!(["Access-Control-Allow-Origin"])),
        allow("CORS-I306", "not covered", json!(["*"])),
        allow("CORS-I307", "safelisted", json!(["Accept", "x-a"])),
        expose("CORS-I308", "safelisted", json!(["Content-Type"])),
        cors("CORS-I309", "not exposed", json!({"allowHeaders": ["mcp-session-id"]})),
        allow("CORS-I310", "half of the tracing headers", json!(["traceparent"])),
        allow("CORS-I001", "twice", json!(["x-a", "X-A"])),
    ]
}

fn of_origins() -> Vec<Row> {
    vec![
        origin("CORS-E102", " https://a.example"),
        origin("CORS-E102", "https://a.example https://b.example"),
        origin("CORS-E103", "a.example"),
        origin("CORS-E103", "NULL"),
        origin("CORS-E104", "*://a.example"),
        origin("CORS-E105", "https://me@a.example"),
        origin("CORS-E106", "https://a.example/"),
        origin("CORS-E107", "https://a.example/login"),
        origin("CORS-E108", "https://a.example?a=b"),
        origin("CORS-E109", "https://a.example#top"),
        origin("CORS-E112", "https://b\u{fc}cher.example"),
        origin("CORS-E113", "https://a.example."),
        origin("CORS-E107", "https://a.example,https://b.example"),
        origin("CORS-E107", "https://a.example;https://b.example"),
        origin("CORS-E132", "http://172.16.5.0/12"),
        origin("CORS-E134", "http://192.168.*.*/16"),
        origin("CORS-W113", "htps://app.example"),
        origin("CORS-W114", "http://192.168.1.x"),
        origin("CORS-W104", "ws://a.example"),
        origin("CORS-I002", "HTTPS://A.example"),
        cors("CORS-E121", "beside others", json!({"allowOrigins": ["*", "https://a.example"]})),
        regex("CORS-E126", "*.app.example"),
        regex("CORS-W106", r"https://App\.example"),
        regex("CORS-W107", r"https://app\.example(:8443|:443)"),
        regex("CORS-W108", "https://*.app.example"),
        regex("CORS-W115", r"https://[app|www]\.app\.example"),
        regex("CORS-W109", "https://app.example"),
        cors("CORS-E124", "nothing", json!({"allowOriginRegexes": [""]})),
        cors(
            "CORS-I101",
            "covered",
            json!({"allowOrigins": ["https://*.a.example", "https://b.a.example"]}),
        ),
        cors(
            "CORS-I102",
            "half of the loopback",
            json!({"allowOrigins": ["http://localhost:3000"]}),
        ),
        cors(
            "CORS-I001",
            "twice",
            json!({"allowOrigins": ["https://a.example", "https://a.example"]}),
        ),
    ]
}

fn of_dangers() -> Vec<Row> {
    vec![
        danger("CORS-E202", "https://*"),
        danger("CORS-E213", "moz-extension://*"),
        danger("CORS-E203", "http://a.example"),
        danger("CORS-E204", "https://*.github.io"),
        danger("CORS-E205", "null"),
        regex_danger("CORS-E206", r"https://app\..*"),
        regex_danger("CORS-E207", "https://app.example"),
        regex_danger("CORS-E208", r".*://app\.example"),
        danger("CORS-I103", "http://localhost:3000"),
        cors("CORS-W201", "unneeded", json!({"dangerouslyAllow": ["NullOriginWithCredentials"]})),
    ]
}

fn of_paths() -> Vec<Row> {
    let mut rows: Vec<Row> = [
        "/api/*",
        "/*",
        "*",
        "/account/**",
        "/api/:id",
        "/api/{id}",
        "/api/.*",
        "/api/<int:pk>",
        "/api/?",
        "^/api/.*$",
        "/api/[0-9]+",
        "/files/*.json",
        "/{proxy+}",
        "/api/%",
        "api/*",
        "^api/(?P<pk>[0-9]+)/$",
        r"/api/\d+",
        "/api$",
    ]
    .map(|value| path("CORS-E419", value))
    .into();
    rows.extend([
        rule_path("CORS-E419", "exact", json!({"type": "Exact", "value": "/api/*"})),
        path("CORS-E411", "public"),
        path("CORS-E411", "GET /api"),
        path("CORS-E411", "$default"),
        path("CORS-E411", "PathPrefix(`/api`)"),
        path("CORS-E419", "r'^api/'"),
        path("CORS-E411", "path('api/')"),
        path("CORS-E411", ""),
        path("CORS-E411", "https://a.example/public"),
        path("CORS-E412", "/public?a=b"),
        path("CORS-E412", "/public#top"),
        path("CORS-E414", "/a//b"),
        path("CORS-E414", "/a;v=1/b"),
        path("CORS-E414", r"/a\b"),
        path("CORS-E415", "/a/../b"),
        path("CORS-E415", "/caf\u{e9}"),
        path("CORS-E415", "/%61/%2A"),
    ]);
    rows
}

fn of_dependencies() -> Vec<Row> {
    let dependency = |kind, code, why, spec: Value| Row {
        code,
        why,
        object: object(kind, &spec),
        beside: Vec::new(),
    };
    let bounds = |bounds: Value| vec![object("ClusterCorsPolicy", &json!({"guardrails": bounds}))];
    let bounded =
        |code, why, bound, policy| Row { beside: bounds(bound), ..spec(code, why, policy) };
    let expression = json!([{"key": "team", "operator": "Exists", "values": ["shop"]}]);
    vec![
        dependency("OriginSet", "CORS-E106", "a slash", json!({"origins": ["https://a.example/"]})),
        dependency(
            "OriginSet",
            "CORS-E509",
            "a list in one text",
            json!({"origins": "https://a.example, https://b.example"}),
        ),
        dependency(
            "OriginSet",
            "CORS-E503",
            "a field of a policy",
            json!({"allowOrigins": ["https://a.example"]}),
        ),
        dependency(
            "ClusterCorsPolicy",
            "CORS-E305",
            "a glob",
            json!({"guardrails": {"allowedMethods": ["P*"]}}),
        ),
        dependency(
            "ClusterCorsPolicy",
            "CORS-E503",
            "outside of its block",
            json!({"guardrails": {"maxMaxAge": 600}, "allowedMethods": ["PUT"]}),
        ),
        dependency(
            "ClusterCorsPolicy",
            "CORS-E610",
            "values that are not compared",
            json!({"namespaceSelector": {"matchExpressions": expression}, "guardrails": {"maxMaxAge": 600}}),
        ),
        in_namespace(),
        Row {
            beside: vec![object("OriginSet", &json!({"origins": ["https://b.example"]}))],
            ..spec(
                "CORS-I621",
                "a set twice",
                cors_spec(json!({"allowOriginsFrom": [set(), set()]})),
            )
        },
        bounded("CORS-E604", "longer", json!({"maxMaxAge": 60}), good()),
        bounded(
            "CORS-E607",
            "not rejected",
            json!({"requireDisallowedRequests": "Reject"}),
            good(),
        ),
    ]
}

fn in_namespace() -> Row {
    let mut object = object("ClusterCorsPolicy", &json!({"guardrails": {"maxMaxAge": 600}}));
    object["metadata"]["namespace"] = "shop".into();
    Row { code: "CORS-W609", why: "a namespace", object, beside: Vec::new() }
}

/// A rule that leaves its path alone, but for these fields.
fn rule_off(fields: Value) -> Value {
    with(json!({"path": {"type": "PathPrefix", "value": "/a"}, "mode": "Off"}), fields)
}

/// The set of that file.
fn set() -> Value {
    json!({"kind": "OriginSet", "name": "a"})
}

fn cors_spec(fields: Value) -> Value {
    let mut spec = good();
    for (name, value) in fields.as_object().unwrap() {
        spec["cors"][name] = value.clone();
    }
    spec
}
