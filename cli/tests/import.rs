//! `corsward import`, as its users run it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use corsward_api::KIND;
use corsward_api::v1alpha1::CorsPolicySpec;
use corsward_manifest::document::{self, Document};
use corsward_manifest::knowledge::FullKnowledge;
use corsward_manifest::yaml::Reader;
use corsward_manifest::{convert, shape};
use corsward_policy::draft::{PolicyId, Specificity};
use corsward_policy::validate;
use insta::assert_snapshot;

/// Runs it in the folder of the settings.
fn import(arguments: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    command.current_dir(folder).arg("import").args(arguments).output().unwrap()
}

/// Its exit code, stdout and stderr.
fn transcript(arguments: &[&str]) -> String {
    let output = import(arguments);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!(
        "exit code {}\n{}\n--- stderr\n{}",
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr)
    )
}

#[test]
fn settings_of_django_become_a_policy_and_a_report() {
    let host = ["--host", "api.shop.example", "--name", "api", "--namespace", "shop"];
    assert_snapshot!(transcript(&[&["django", "settings.py"][..], &host].concat()));
}

#[test]
fn the_servers_of_nginx_become_policies_and_reports() {
    assert_snapshot!(transcript(&["nginx", "nginx.conf"]));
}

#[test]
fn the_middleware_of_starlette_becomes_a_policy_and_a_report() {
    assert_snapshot!(transcript(&["fastapi", "app.py"]));
}

#[test]
fn the_settings_of_proxies_and_libraries_become_policies_and_reports() {
    for (from, file) in [
        ("istio", "istio.yaml"),
        ("gateway-api", "httproute.yaml"),
        ("envoy", "envoy.yaml"),
        ("envoy-gateway", "security-policy.yaml"),
        ("ingress-nginx", "ingress.yaml"),
        ("spring", "application.yaml"),
        ("express", "express.json"),
        ("traefik", "middleware.yaml"),
        ("kong", "kong.yaml"),
    ] {
        assert_snapshot!(from, transcript(&[from, file]));
    }
}

#[test]
fn a_policy_is_accepted_by_check() {
    for (from, file) in [
        ("django", "settings.py"),
        ("nginx", "nginx.conf"),
        ("istio", "istio.yaml"),
        ("spring", "application.yaml"),
        ("express", "express.json"),
        ("ingress-nginx", "ingress.yaml"),
    ] {
        let manifest = import(&[from, file]).stdout;
        let documents = document::read(&manifest, Reader::Kubectl).unwrap();
        assert!(!documents.is_empty(), "{from}");
        for document in documents {
            let Document::Manifest(mut manifest) = document else { panic!("{document:?}") };
            let mut findings = std::mem::take(&mut manifest.findings);
            let mut spec = manifest.spec.unwrap();
            shape::check(KIND, &mut spec, &mut findings);
            assert_eq!(findings, [], "{from}");
            let spec: CorsPolicySpec = serde_json::from_value(spec).unwrap();
            let id = PolicyId { namespace: manifest.namespace, name: manifest.name };
            let draft = convert::draft(&id, &spec, Specificity::Namespace, None);
            assert!(validate(&draft, &FullKnowledge).policy.is_some(), "{from}: {draft:?}");
        }
    }
}

#[test]
fn any_origin_with_credentials_is_refused_by_name() {
    assert_snapshot!(transcript(&["django", "any-origin.py"]));
}

#[test]
fn an_environment_variable_is_a_named_hole_until_it_is_given() {
    assert_snapshot!("hole", transcript(&["django", "environment.py"]));
    let given = [
        "--env",
        "CORS_ORIGINS=https://a.example,https://b.example",
        "--env",
        "CORS_CREDENTIALS=on",
    ];
    assert_snapshot!("given", transcript(&[&["django", "environment.py"][..], &given].concat()));
}

#[test]
fn what_is_unreadable_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    for (from, name, text, want) in [
        ("django", "a.py", "CORS_ALLOWED_ORIGINS = [\n", "a.py:1: it is no Python here"),
        ("django", "b.py", "DEBUG = True\n", "b.py: it has no CORS_ALLOWED_ORIGINS"),
        ("django", "c.py", "CORS_ALLOWED_ORIGINS = [3]\n", "c.py:1: CORS_ALLOWED_ORIGINS"),
        ("istio", "f.yaml", "kind: Service\n", "f.yaml: it has no object of kind VirtualService"),
        ("express", "g.json", "[1]", "g.json: it is no object of options"),
        (
            "express",
            "h.js",
            "const o = {\n  origin: (o, cb) => cb(null, true),\n};\n",
            "this is JavaScript",
        ),
        ("nginx", "d.conf", "server {\n", "d.conf:1: a block has no `}`"),
        ("nginx", "e.conf", "server { listen 80; }\n", "e.conf: it has no server that adds"),
    ] {
        let output = import(&[from, &file(name, text)]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(want), "{said}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    }
    let missing = import(&["django", "missing.py"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8(missing.stderr).unwrap().contains("missing.py"));
}

#[test]
fn a_report_goes_where_it_is_sent_and_in_the_format_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let path = file.display().to_string();
    let output = import(&["nginx", "nginx.conf", "--report", &path, "-o", "json"]);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(report[0]["policy"], "default/api-example-com");
    let effects = report[0]["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class["effect"].as_str().unwrap());
    assert!(effects.into_iter().any(|effect| effect == "fix"), "{report}");
}

#[test]
fn what_json_drops_from_the_options_of_express_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = |text: &str, more: &[&str]| {
        let path = folder.path().join("cors.json");
        fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        let output = import(&[&["express", &path][..], more].concat());
        let words = String::from_utf8(output.stdout).unwrap().replace('#', "");
        let words: Vec<&str> = words.split_whitespace().collect();
        (output.status.code(), words.join(" "))
    };
    for (options, want) in [
        ("{}", "decide: `origin` is missing"),
        (r#"{"orgin": "https://a.example"}"#, "decide: `orgin` is no option"),
        (r#"{"origin": [{}, "https://a.example"]}"#, "decide: `{}` of `origin` is no text"),
        (
            r#"{"origin": "*", "optionsSuccessStatus": 202}"#,
            "decide: `optionsSuccessStatus` is 202",
        ),
    ] {
        let (code, said) = run(options, &[]);
        assert!(said.contains(want), "{said}");
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(run(options, &["--deny-decide"]).0, Some(1), "{said}");
    }
    let (code, said) = run(r#"{"origin": "*", "optionsSuccessStatus": 200}"#, &["--deny-decide"]);
    assert!(said.contains("preflight: successStatus: 200"), "{said}");
    assert!(!said.contains("decide:"), "{said}");
    assert_eq!(code, Some(0));
}

#[test]
fn several_servers_get_names_with_a_prefix_and_no_common_host() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nginx.conf");
    let server = |name: &str| {
        format!("server {{ server_name {name}; add_header Access-Control-Allow-Origin *; }}\n")
    };
    let servers = ["a.example", "b.example", "b.example"].map(server).concat();
    fs::write(&path, servers).unwrap();
    let path = path.display().to_string();
    let output = import(&["nginx", &path, "--name", "api"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  name: ")).collect();
    assert_eq!(names, ["api-a-example", "api-b-example", "api-b-example-2"], "{text}");
    let refused = import(&["nginx", &path, "--host", "c.example"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("--host names the hosts of one policy"), "{said}");
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
}

/// Runs it on one file of that text; the words of its comments are joined.
fn import_text(from: &str, text: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings");
    fs::write(&path, text).unwrap();
    let output = import(&[from, &path.display().to_string()]);
    let words = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap().replace('#', "");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    (output.status.code(), words(output.stdout), words(output.stderr))
}

#[test]
fn a_route_with_conditions_beside_its_path_is_left_out_by_name() {
    let (code, policy, said) = import_text(
        "istio",
        r#"kind: VirtualService
metadata: {name: v}
spec:
  hosts: ["*", short]
  http:
  - match: [{uri: {prefix: /a}, headers: {x-env: {exact: dev}}}]
    corsPolicy: {allowOrigins: [{exact: https://dev.example}], allowCredentials: true}
  - match: [{uri: {prefix: /a}}]
    corsPolicy: {allowOrigins: [{exact: https://prod.example}], allowCredentials: true}
  - match: [{authority: {exact: x.example}}]
    corsPolicy: {allowOrigins: [{exact: https://auth.example}]}
"#,
    );
    assert_eq!(code, Some(0), "{said}");
    for want in
        ["lose its origins (https://dev.example)", "lose its origins (https://auth.example)"]
    {
        assert!(policy.contains(want), "{policy}");
    }
    assert!(policy.contains("the host `*` is left out"), "{policy}");
    assert!(policy.contains("the host `short` is left out"), "{policy}");
    assert!(policy.contains("- https://prod.example"), "{policy}");
    assert!(!policy.contains("- https://dev.example"), "{policy}");
    assert!(!policy.contains("- https://auth.example"), "{policy}");

    let conditional = r#"kind: HTTPRoute
metadata: {name: r}
spec:
  hostnames: [api.example]
  rules:
  - matches: [{path: {value: /a}, headers: [{name: x-env, value: dev}]}, {method: PUT}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://dev.example"]}}]
"#;
    let (code, policy, said) = import_text("gateway-api", conditional);
    assert_eq!((code, policy.as_str()), (Some(2), ""), "{said}");
    assert!(said.contains("every match with CORS has"), "{said}");
    let more = r#"  - matches: [{path: {value: /a}}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://prod.example"]}}]
"#;
    let (_, policy, _) = import_text("gateway-api", &format!("{conditional}{more}"));
    assert!(policy.contains("a match at `/a` has conditions"), "{policy}");
    assert!(policy.contains("a match at `/` has conditions"), "{policy}");
    assert!(policy.contains("- https://prod.example"), "{policy}");
    assert!(!policy.contains("- https://dev.example"), "{policy}");
}

#[test]
fn each_host_of_an_ingress_keeps_its_own_paths() {
    let ingress = |rules: &str| {
        format!(
            "kind: Ingress\nmetadata: {{name: b, annotations: {{nginx.ingress.kubernetes.io/enable-cors: \"true\", \
             nginx.ingress.kubernetes.io/cors-allow-origin: \"https://c.example\"}}}}\nspec: {{rules: [{rules}]}}\n"
        )
    };
    let (code, policies, said) = import_text(
        "ingress-nginx",
        &ingress(
            "{host: pub.example, http: {paths: [{path: /pub, pathType: Prefix}]}}, \
             {host: priv.example, http: {paths: [{path: /v2, pathType: Exact}]}}, {host: \"*.w.example\"}",
        ),
    );
    assert_eq!(code, Some(0), "{said}");
    for (name, host, kind, path) in [
        ("b-pub-example", "pub.example", "PathPrefix", "/pub"),
        ("b-priv-example", "priv.example", "Exact", "/v2"),
    ] {
        let policy = format!(
            "name: {name} spec: hostnames: - {host} rules: - path: {{type: {kind}, value: {path}}} cors: allowOrigins: - https://c.example"
        );
        assert!(policies.contains(&policy), "{policies}");
    }
    assert_eq!(policies.matches("kind: CorsPolicy").count(), 2, "{policies}");
    assert!(policies.contains("decide: the host `*.w.example` has no path"), "{policies}");

    let same = "{host: a.example, http: {paths: [{path: /a}]}}, {host: b.example, http: {paths: [{path: /a}]}}";
    let (_, policy, _) = import_text("ingress-nginx", &ingress(same));
    assert!(policy.contains("name: b spec: hostnames: - a.example - b.example rules:"), "{policy}");
}

#[test]
fn origins_of_nginx_with_answers_of_their_own_are_named() {
    let server = |cors: &str, preflight: &str| {
        format!(
            "map $http_origin $cors {{ {cors} https://a.example https://a.example; }}\n\
             map $http_origin $cred {{ https://a.example true; }}\n\
             server {{ server_name api.example; location / {{\n\
             add_header Access-Control-Allow-Origin $cors always;\n\
             add_header Access-Control-Allow-Credentials $cred always;\n{preflight} }} }}\n"
        )
    };
    let preflight = "if ($request_method = OPTIONS) { add_header Access-Control-Allow-Origin $cors; \
                     add_header Access-Control-Allow-Credentials $cred; \
                     add_header Access-Control-Allow-Methods \"GET, PUT\"; return 204; }";
    let named = server("https://b.example https://b.example;", preflight);
    let (code, policy, report) = import_text("nginx", &named);
    assert_eq!(code, Some(0), "{report}");
    assert!(policy.contains("https://a.example (credentials; methods GET, PUT)"), "{policy}");
    assert!(policy.contains("https://b.example (no credentials; methods GET, PUT)"), "{policy}");
    assert!(!policy.contains("allowCredentials"), "{policy}");
    assert!(report.contains("allows the origin without credentials only"), "{report}");

    let (_, policy, report) = import_text("nginx", &server("default \"*\";", ""));
    assert!(policy.contains("any other origin (no credentials); https://a.example (credentials)"));
    assert!(!policy.contains("allowCredentials"), "{policy}");
    assert!(report.contains("allows the origin without credentials only"), "{report}");
    assert!(report.contains("origin: https://a.example"), "{report}");

    // An origin that is refused beside a rule for every other one.
    let refused = server("default \"*\"; https://evil.example \"\";", "");
    let (_, policy, report) = import_text("nginx", &refused);
    assert!(policy.contains("https://evil.example (refused)"), "{policy}");
    assert!(report.contains("origin: https://evil.example"), "{report}");
}

#[test]
fn an_empty_file_has_no_options_object() {
    let policy =
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {name: a}\nspec: {}\n";
    for text in ["", policy] {
        let (code, printed, said) = import_text("express", text);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{said}");
        assert!(said.contains("it has no options object"), "{said}");
    }
}

#[test]
fn sums_of_sums_in_python_end() {
    let list = format!("A = ['https://a.example']\n{}", "A = A + A\n".repeat(40));
    let nested = format!("A = ['https://a.example']\n{}", "A = [A, A]\n".repeat(40));
    let added = format!("A = ['https://a.example']\n{}", "A += A\n".repeat(40));
    let text = format!("B = 'https://a.example'\n{}A = [B]\n", "B = B + B\n".repeat(40));
    for start in [list, nested, added, text] {
        let settings = format!("{start}CORS_ALLOWED_ORIGINS = ['https://b.example'] + A\n");
        let (code, policy, said) = import_text("django", &settings);
        assert!(matches!(code, Some(0 | 2)), "{said}");
        assert!(policy.contains("decide:") || code == Some(2), "{policy}");
    }
}

#[test]
fn a_part_of_a_segment_and_a_nested_location_of_nginx_are_named() {
    let (code, policy, report) = import_text(
        "nginx",
        "server { server_name api.example; location /api { add_header Access-Control-Allow-Origin https://a.example always;\n\
         location /api/v2 { add_header Access-Control-Allow-Origin https://b.example always; } } }\n",
    );
    assert_eq!(code, Some(0), "{report}");
    assert!(policy.contains("value: /api/v2} cors: allowOrigins: - https://b.example"), "{policy}");
    assert!(report.contains("GET /apix"), "{report}");
}

#[test]
fn a_virtual_host_without_a_letter_gives_the_policy_the_name_of_the_product() {
    let envoy = |name: &str| {
        let cors = "{\"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy, allow_origin_string_match: [{exact: 'https://a.example'}]}";
        format!(
            "virtual_hosts:\n- name: '{name}'\n  domains: [a.example]\n  typed_per_filter_config: {{envoy.filters.http.cors: {cors}}}\n  routes: [{{match: {{prefix: /}}, route: {{cluster: c}}}}]\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    for (host, name) in
        [("*", "envoy"), ("-.-", "envoy"), ("a..b-.c", "a.b.c"), ("*.App_1", "app-1")]
    {
        let file = folder.path().join("envoy.yaml");
        fs::write(&file, envoy(host)).unwrap();
        let output = import(&["envoy", file.to_str().unwrap()]);
        let policy = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(policy.contains(&format!("  name: {name}\n")), "{host}: {policy}{output:?}");
    }
}

#[test]
fn an_argument_that_names_nothing_is_a_wrong_call() {
    for (argument, value, said) in [
        ("--host", "bad host!", "has ` ` in it"),
        ("--host", "https://api.example", "write `api.example`"),
        ("--name", "Shop API", "is not a name for a Kubernetes object"),
        ("--name", "", "is not a name for a Kubernetes object"),
        ("--namespace", "shop.prod", "is not a name for a namespace"),
    ] {
        let output = import(&["django", "settings.py", argument, value]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{value}: {error}");
        assert!(error.contains(said) && error.contains(argument), "{value}: {error}");
        assert!(output.stdout.is_empty());
    }
}
