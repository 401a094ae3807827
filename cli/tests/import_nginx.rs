//! `corsward import nginx`: included files, names of servers, and the directives that are not read.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

#[path = "common/importing.rs"]
mod importing;

/// The policies of files, and what is said, with the words of comments joined.
fn import(files: &[(&str, &str)]) -> (String, String) {
    importing::import(&["nginx"], files)
}

const ALLOW: &str = "add_header Access-Control-Allow-Origin https://a.example always;";

#[test]
fn an_included_file_stands_in_the_place_of_its_include() {
    let main = "http { server { server_name api.example; location /open { include snippets/cors.conf; } } }";
    let (policy, said) = import(&[("nginx.conf", main), ("cors.conf", ALLOW)]);
    assert!(policy.contains("rules: - path: {type: PathPrefix, value: /open} cors: allowOrigins: - https://a.example"), "{said}{policy}");
    assert!(!policy.contains("is not read"), "{policy}");
    let main = "http { include conf.d/*.conf; }";
    let server = format!("server {{ server_name api.example; {ALLOW} }}");
    let (policy, said) = import(&[("nginx.conf", main), ("api.conf", &server)]);
    assert!(policy.contains("hostnames: - api.example cors:"), "{said}{policy}");
    assert!(!policy.contains("is not read"), "{policy}");
}

#[test]
fn names_of_servers_that_no_hostname_says_are_named() {
    let server = |names: &str| format!("server {{ server_name {names}; {ALLOW} }}");
    let (policy, said) = import(&[("n.conf", &server(".api.example ~^v[0-9] www.*"))]);
    assert!(policy.contains("hostnames: - api.example - \"*.api.example\""), "{said}{policy}");
    assert!(policy.contains("decide: `server_name ~^v[0-9]` is no name"), "{policy}");
    assert!(policy.contains("decide: `server_name www.*` is no name"), "{policy}");
    let (policy, _) = import(&[("n.conf", &server("_"))]);
    assert!(policy.contains("decide: the settings name no host"), "{policy}");
}

#[test]
fn two_servers_of_one_name_and_other_settings_are_named() {
    let other = ALLOW.replace("a.example", "b.example");
    let text = format!(
        "server {{ server_name api.example; {ALLOW} }} server {{ server_name api.example; {other} }}"
    );
    let (policy, _) = import(&[("n.conf", &text)]);
    assert!(
        policy.contains("decide: `api-example` has the same host and path with other settings"),
        "{policy}"
    );
}

#[test]
fn directives_and_regexes_that_are_not_read_are_named() {
    let text = format!(
        "map $http_origin $o {{ default ''; '~^https://(?!evil).*$' $http_origin; }}\n\
         server {{ server_name api.example; {ALLOW}\n\
         location /lua {{ more_set_headers 'Access-Control-Allow-Origin: *'; }}\n\
         location /if {{ if ($http_origin ~ '(?=x)y') {{ return 403; }} }} }}"
    );
    let (policy, said) = import(&[("n.conf", &text)]);
    for want in [
        "decide: `more_set_headers Access-Control-Allow-Origin: *` is not read",
        "decide: `^https://(?!evil).*$` is a regex that is not read",
        "decide: `(?=x)y` is a regex that is not read",
    ] {
        assert!(policy.contains(want), "{want}: {said}{policy}");
    }
}

#[test]
fn a_named_group_of_a_regex_is_a_variable() {
    let text = "map $http_origin $o { '~^(?<name>https://[a-z]+\\.example)$' $name; }\n\
                server { server_name api.example; add_header Access-Control-Allow-Origin $o always; }\n\
                server { server_name two.example; if ($http_origin ~ '^(?<it>https://b\\.example)$') { add_header Access-Control-Allow-Origin $it; } }";
    let (policy, said) = import(&[("n.conf", text)]);
    assert!(policy.contains("https://[a-z]+\\\\.example"), "{said}{policy}");
    assert!(policy.contains("- https://b.example"), "{policy}");
}

#[test]
fn an_origin_that_no_path_answers_is_named() {
    let text = format!(
        "map $http_origin $o {{ https://lost.example $undefined; }}\nserver {{ server_name api.example; {ALLOW} }}"
    );
    let (policy, _) = import(&[("n.conf", &text)]);
    assert!(policy.contains("`https://lost.example` stands in the files, and no path"), "{policy}");
}

#[test]
fn the_root_alone_is_not_every_path() {
    let text = format!(
        "server {{ server_name api.example; location = / {{ {ALLOW} }} location @named {{ {ALLOW} }} }}"
    );
    let (policy, said) = import(&[("n.conf", &text)]);
    assert!(
        policy.contains("hostnames: - api.example rules: - path: {type: Exact, value: /} cors:"),
        "{said}{policy}"
    );
}

#[test]
fn a_location_without_cors_inside_of_one_with_it_is_left_alone() {
    for locations in [
        format!(
            "location /api {{ {ALLOW} }} location /api/plain {{ root /srv; add_header X-A b; }}"
        ),
        format!("location /api {{ {ALLOW} location /api/plain {{ add_header X-A b; }} }}"),
    ] {
        let text = format!("server {{ server_name api.example; {locations} }}");
        let (policy, said) = import(&[("n.conf", &text)]);
        let want = "- path: {type: PathPrefix, value: /api/plain} mode: \"Off\"";
        assert!(policy.contains(want), "{said}{policy}");
        assert!(!policy.contains("decide: `location"), "{policy}");
    }
}

#[test]
fn a_regex_of_a_location_has_a_witness_in_the_report() {
    let text = format!(
        "server {{ server_name api.example; {ALLOW} location ~ ^/v[0-9]/plain {{ add_header X-A b; }} }}"
    );
    let (policy, report) = import(&[("n.conf", &text)]);
    assert!(policy.contains("decide: `location ~ ^/v[0-9]/plain` is a regex"), "{policy}");
    assert!(report.contains("Wider") && report.contains("`GET /v0/plain`"), "{report}");
}

#[test]
fn a_star_of_a_regex_location_is_lost_and_no_fault_is_repaired() {
    let star = "location ~ \\.json$ { add_header Access-Control-Allow-Origin *; }";
    let text = format!("server {{ server_name api.example; {ALLOW} {star} }}");
    let (policy, report) = import(&[("n.conf", &text)]);
    assert!(policy.contains("decide: `location ~ \\.json$` is a regex"), "{policy}");
    let (losses, others) = report.split_once("Fixes:").unwrap_or((&report, ""));
    let witness = "`GET /orders.json` `origin: https://evil.test`";
    assert!(losses.contains("Losses:") && losses.contains(witness), "{report}");
    assert!(!others.contains("https://evil.test"), "{report}");
}

#[test]
fn a_backtick_of_a_path_stays_inside_its_code() {
    let text = format!(
        "server {{ server_name api.example; {ALLOW} location ~ ^/a`b {{ add_header X-A b; }} }}"
    );
    let (_, report) = import(&[("n.conf", &text)]);
    assert!(report.contains("| `` GET /a`b `` `origin: https://a.example` |"), "{report}");
}

#[test]
fn a_variable_by_which_no_policy_judges_is_named() {
    // A path that no rule has, and a regex that ignores case.
    let text = "map $http_origin $o { ~*^https://a\\.example$ $http_origin; }\n\
                server { server_name api.example; add_header Access-Control-Allow-Origin $o; location '/a b' { add_header X-A b; } }";
    let (policy, said) = import(&[("n.conf", text)]);
    assert!(policy.contains("decide: `location /a b` is no path of a rule"), "{said}{policy}");
    assert!(!policy.contains("stands in the files"), "{policy}");
    let text = "map $uri $by_path { ~^/public '*'; default ''; }\n\
                server { server_name api.example; add_header Access-Control-Allow-Origin https://a.example;\n\
                location /map { add_header Access-Control-Allow-Origin $by_path; }\n\
                location /set { set $x ''; if ($cookie_beta) { set $x https://b.example; } add_header Access-Control-Allow-Origin $x; } }";
    let (policy, said) = import(&[("n.conf", text)]);
    for variable in ["$uri", "$cookie_beta"] {
        let want = format!(
            "decide: `Access-Control-Allow-Origin` depends on `{variable}`, by which no policy judges"
        );
        assert!(policy.contains(&want), "{said}{policy}");
    }
}

#[test]
fn files_and_regexes_that_are_not_read_are_named_where_no_cors_is_found() {
    let main = "map $http_origin $o { '~^https://(?!evil)' $http_origin; }\n\
                server { include snippets/cors.conf;\nadd_header Access-Control-Allow-Origin $o; }";
    let (policy, said) = import(&[("n.conf", main)]);
    assert!(policy.is_empty(), "{policy}");
    for want in [
        "n.conf: it has no server that adds Access-Control-Allow-Origin to a response; ",
        "`include snippets/cors.conf` is not read; give the file, too, if it has CORS settings (n.conf:2)",
        "`^https://(?!evil)` is a regex that is not read, and stands here as one that matches nothing: write what it means (n.conf:1)",
    ] {
        assert!(said.contains(want), "{want}: {said}");
    }
}

#[test]
fn a_report_cites_comments_of_the_policy_alone() {
    // The preflight is for every origin, and the response for one.
    let text = "map $http_origin $o { https://a.example $http_origin; }\n\
                server { server_name api.example; add_header Access-Control-Allow-Origin $o;\n\
                if ($request_method = OPTIONS) { add_header Access-Control-Allow-Origin *; return 204; } }";
    let (policy, report) = import(&[("n.conf", text)]);
    assert!(!policy.contains("decide:"), "{policy}");
    assert!(report.contains("The settings allow the origin for some of the requests to the path, and the policy for none."), "{report}");
    assert!(!report.contains("a comment in it"), "{report}");
}

#[test]
fn a_server_without_cors_for_browsers_says_why() {
    let with = |location: &str| {
        let server = format!("server {{\n  server_name a.example;\n  {location}\n}}\n");
        import(&[("n.conf", &server)]).1
    };
    let add = "{ add_header Access-Control-Allow-Origin https://A.example/; }";
    let said = with(&format!("location / {add}"));
    assert!(
        said.contains("no response allows `https://a.example` as a browser sends it"),
        "{said}"
    );
    let add = "{ add_header Access-Control-Allow-Origin *; }";
    let said = with(&format!("location ~ ^/api/ {add}"));
    assert!(said.contains("`location ~ ^/api/` is a regex") && said.contains("n.conf:3"), "{said}");
}

#[test]
fn a_name_of_a_server_is_in_lower_case() {
    let server = "server {\n  server_name API.Example.com;\n  location / { add_header Access-Control-Allow-Origin *; }\n}\n";
    let (policy, said) = import(&[("n.conf", server)]);
    assert!(policy.contains("name: api-example-com"), "{policy}{said}");
}

#[test]
fn a_location_that_no_rule_is_for_is_asked_too() {
    let server = "server {\n  server_name api.shop.example;\n  add_header Access-Control-Allow-Origin '*';\n  location /api {\n    if ($http_origin = 'https://shop.example') {\n      add_header Access-Control-Allow-Origin $http_origin;\n      add_header Access-Control-Allow-Credentials true;\n    }\n  }\n}\n";
    let (policy, report) = import(&[("n.conf", server)]);
    assert!(!policy.contains("value: /api"), "{policy}");
    assert!(report.contains("/api/orders") && report.contains("with credentials"), "{report}");
}
