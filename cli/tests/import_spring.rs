//! `corsward import spring`: documents, profiles, placeholders, and the settings of routes.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

#[path = "common/importing.rs"]
mod importing;

use std::process::Command;

const ROOT: &str = "spring.cloud.gateway.globalcors.cors-configurations";

/// The policy of files with these texts and arguments, and what is said, with the words of comments joined.
fn import(files: &[&str], arguments: &[&str]) -> (String, String) {
    let names: Vec<String> = (0..files.len()).map(|at| format!("{at}.yaml")).collect();
    let files: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(files.iter().copied()).collect();
    importing::import(&[&["spring"], arguments].concat(), &files)
}

#[test]
fn a_later_file_or_document_overrides_each_key_of_an_earlier_one() {
    let base = format!(
        "{ROOT}:\n  '[/**]': {{allowed-origins: ['https://base.example', 'https://old.example'], allowed-methods: [GET, PUT]}}\n"
    );
    let later = format!("{ROOT}:\n  '[/**]': {{allowedOrigins: ['https://prod.example']}}\n");
    for files in [vec![base.as_str(), &later], vec![&format!("{base}---\n{later}")]] {
        let (policy, said) = import(&files, &[]);
        assert!(
            policy.contains("allowOrigins: - https://prod.example allowMethods: - GET - PUT"),
            "{said}{policy}"
        );
        assert!(!policy.contains("base.example") && !policy.contains("left out"), "{policy}");
    }
}

#[test]
fn a_pattern_of_a_later_document_is_tried_first() {
    let base = format!("{ROOT}:\n  '[/**]': {{allowed-origins: ['https://base.example']}}\n");
    let later = format!("{ROOT}.[/v1.0/**].allowed-origins: ['https://public.example']\n");
    let (policy, said) = import(&[&base, &later], &[]);
    assert!(
        policy.contains("value: /v1.0} cors: allowOrigins: - https://public.example"),
        "{said}{policy}"
    );
}

#[test]
fn a_document_of_a_profile_is_taken_by_name_alone() {
    let text = format!(
        "{ROOT}:\n  '[/**]': {{allowed-origins: ['https://base.example']}}\n---\n\
         spring.config.activate.on-profile: prod & eu\n{ROOT}:\n  '[/**]': {{allowed-origins: ['https://prod.example']}}\n"
    );
    let (policy, _) = import(&[&text], &[]);
    assert!(policy.contains("- https://base.example"), "{policy}");
    assert!(policy.contains("decide: the document for the profile `prod & eu` is left out: import again with --profile NAME for each active profile"), "{policy}");
    let (policy, _) = import(&[&text], &["--profile", "prod", "--profile", "eu"]);
    assert!(policy.contains("- https://prod.example") && !policy.contains("decide:"), "{policy}");
    let output = Command::new(env!("CARGO_BIN_EXE_corsward"))
        .args(["import", "nginx", "-", "--profile", "prod"])
        .output()
        .unwrap();
    assert!(
        String::from_utf8(output.stderr).unwrap().contains("--profile names a profile of Spring")
    );
    let (policy, _) = import(&[&format!("spring.profiles.active: [prod, eu]\n{text}")], &[]);
    assert!(policy.contains("- https://prod.example") && !policy.contains("decide:"), "{policy}");
}

#[test]
fn the_metadata_of_a_route_comes_before_the_patterns_for_all() {
    let text = r"
spring.cloud.gateway:
  globalcors.cors-configurations:
    '[/**]': {allowed-origins: ['https://base.example']}
  routes:
  - id: admin
    predicates: ['Path=/admin/**,/second/**']
    metadata: {cors: {allowedOrigins: 'https://admin.example', allowedMethods: [GET, POST], allowed-headers: [x-a]}}
  - id: shop
    predicates: [{name: Path, args: {patterns: [/shop/**]}}]
    metadata: {cors: {allowedOrigins: ['https://shop.example'], maxAge: 30}}
    filters: ['AddResponseHeader=Access-Control-Allow-Origin, *']
";
    let (policy, said) = import(&[text], &[]);
    for want in [
        "value: /admin} cors: allowOrigins: - https://admin.example allowMethods: - GET - POST",
        "value: /shop} cors: allowOrigins: - https://shop.example allowMethods: - GET - HEAD maxAge: 30",
        "decide: `allowed-headers` of `metadata.cors` is left out",
        "the first pattern of a route alone, and /second/** has none of it",
        "decide: `filters` has `AddResponseHeader=Access-Control-Allow-Origin, *`",
    ] {
        assert!(policy.contains(want), "{want}: {said}{policy}");
    }
    // Without a path it is every one, in the place of the global pattern.
    let whole = text.replace("predicates: ['Path=/admin/**,/second/**']", "predicates: []");
    let (policy, _) = import(&[&whole], &[]);
    assert!(policy.contains("spec: cors: allowOrigins: - https://admin.example"), "{policy}");
    assert!(!policy.contains("- https://base.example"), "{policy}");
}

#[test]
fn a_placeholder_has_its_value_from_the_environment_the_files_or_its_default() {
    let text = format!(
        "front.origin: https://front.example\n{ROOT}:\n  '[/**]': {{allowed-origins: ['${{front.origin}}', '${{OTHER:https://other.example}}', '${{api.origin}}']}}\n"
    );
    let (policy, _) = import(&[&text], &["--env", "API_ORIGIN=https://api.example"]);
    for origin in ["front", "other", "api"] {
        assert!(policy.contains(&format!("- https://{origin}.example")), "{policy}");
    }
    assert!(
        policy.contains(
            "decide: a value is that of `OTHER`, which the files do not have, and its default"
        ),
        "{policy}"
    );
    assert_eq!(policy.matches("decide:").count(), 1, "{policy}");
}

#[test]
fn a_field_that_is_not_read_and_a_name_without_brackets_are_named() {
    let text = format!(
        "{ROOT}:\n  /api/**: {{allowed-origins: ['https://a.example'], allow-private-network: true}}\n"
    );
    let text =
        format!("{text}management.endpoints.web.cors.allowed-origins: https://ops.example\n");
    let (policy, _) = import(&[&text], &[]);
    assert!(policy.contains("decide: `management.endpoints.web.cors` is left out"), "{policy}");
    assert!(
        policy.contains("decide: `allowprivatenetwork` of `cors-configurations` is not read"),
        "{policy}"
    );
    assert!(policy.contains("decide: `/api/**` has no brackets"), "{policy}");
}

#[test]
fn a_pattern_that_is_no_prefix_has_a_witness_in_the_report() {
    let text = format!(
        "{ROOT}:\n  '[/v{{n}}/x]': {{allowed-origins: ['https://n.example']}}\n  '[/a?c/**]': {{allowed-origins: ['https://c.example']}}\n  \
         '[/**]': {{allowed-origins: ['https://a.example', '${{NONE}}']}}\n"
    );
    let (policy, report) = import(&[&text], &[]);
    assert!(policy.contains("decide: `[/v{n}/x]` is no prefix"), "{policy}");
    assert!(!policy.contains("equals no origin"), "{policy}");
    for (path, origin) in [("/va/x", "https://n.example"), ("/aac/a", "https://c.example")] {
        let want = format!("`GET {path}` `host: api.example` `origin: {origin}`");
        assert!(report.contains(&want), "{want}: {report}");
    }
}

#[test]
fn a_pattern_behind_a_prefix_that_has_its_paths_is_not_in_force() {
    let text = |first: &str, second: &str| {
        format!(
            "{ROOT}:\n  '[{first}]': {{allowed-origins: ['https://a.example']}}\n  '[{second}]': {{allowed-origins: ['https://b.example']}}\n"
        )
    };
    for (first, second, is_hidden) in [
        ("/api/**", "/api/*/x", true),
        ("/api/**", "/api/v?/**", true),
        ("/api/**", "/api*/x", false),
        ("/api", "/api/{n}", false),
        ("/**", "/a?c/**", true),
    ] {
        let (policy, report) = import(&[&text(first, second)], &[]);
        let note = format!("`[{second}]` is left out: a pattern before it matches all its paths");
        assert_eq!(policy.contains(&note), is_hidden, "{first} {second}: {policy}");
        assert_eq!(report.contains("https://b.example"), !is_hidden, "{first} {second}: {report}");
    }
    // The path of the witness is one that the first pattern does not have.
    let (policy, report) = import(&[&text("/a/**", "/*/x")], &[]);
    assert!(policy.contains("decide: `[/*/x]` is no prefix"), "{policy}");
    assert!(!report.contains("`GET /a/x`"), "{report}");
}

#[test]
fn a_profile_of_the_command_is_one_name() {
    let text = format!("{ROOT}:\n  '[/**]': {{allowed-origins: ['https://a.example']}}\n");
    for expression in ["prod & eu", "!prod", "prod|eu", "(prod)", "prod,eu", ""] {
        let (policy, said) = import(&[&text], &["--profile", expression]);
        let want = format!("--profile has `{expression}`: write the name of one active profile");
        assert!(policy.is_empty() && said.contains(&want), "{said}{policy}");
    }
}

#[test]
fn a_filter_that_removes_doubled_lines_has_no_origins() {
    let text = |filters: &str| {
        format!(
            "{ROOT}:\n  '[/**]': {{allowed-origins: ['https://a.example']}}\nspring.cloud.gateway.default-filters: [{filters}]\n"
        )
    };
    let own = "'AddResponseHeader=Access-Control-Allow-Origin, *'";
    for filter in [
        "'DedupeResponseHeader=Access-Control-Allow-Credentials Access-Control-Allow-Origin, RETAIN_UNIQUE'",
        "{name: DedupeResponseHeader, args: {name: Access-Control-Allow-Origin, strategy: RETAIN_LAST}}",
    ] {
        let (policy, said) = import(&[&text(filter)], &[]);
        let want = "keeps one of the lines that the gateway and an application both set";
        assert!(policy.contains(want) && !policy.contains("decide:"), "{said}{policy}");
        let (policy, _) = import(&[&text(&format!("{filter}, {own}"))], &[]);
        let other = "decide: `defaultfilters` has `AddResponseHeader=Access-Control-Allow-Origin";
        assert!(policy.contains(want) && policy.contains(other), "{policy}");
    }
}

#[test]
fn properties_are_read_as_yaml_is() {
    let properties = "\
# Comments of both kinds
! and an empty line

spring.cloud.gateway.globalcors.cors-configurations.[/v1.0/**].allowed-origins = https://v.example
spring.cloud.gateway.globalcors.corsConfigurations[/**].allowedOrigins[1]:https\\://b.example
spring.cloud.gateway.globalcors.corsConfigurations[/**].allowedOrigins[0]=https://a.example
spring.cloud.gateway.globalcors.cors-configurations.[/**].allowed-methods GET, \\
    P\\u0055T
spring.cloud.gateway.globalcors.cors-configurations.[/**].max-age=30m
spring.cloud.gateway.globalcors.cors-configurations.[/**].allow-credentials=true
spring.cloud.gateway.routes[0].id=admin
spring.cloud.gateway.routes[0].predicates[0]=Path=/admin/**
spring.cloud.gateway.routes[0].metadata.cors.allowedOrigins=https://admin.example
#---
spring.config.activate.on-profile=prod
spring.cloud.gateway.globalcors.cors-configurations.[/v1.0/**].max-age=60
";
    let yaml = format!(
        "{ROOT}:\n  '[/v1.0/**]': {{allowed-origins: ['https://v.example']}}\n  \
         '[/**]': {{allowed-origins: ['https://a.example', 'https://b.example'], allowed-methods: [GET, PUT], max-age: 30m, allow-credentials: true}}\n\
         spring.cloud.gateway.routes:\n- {{id: admin, predicates: ['Path=/admin/**'], metadata: {{cors: {{allowedOrigins: 'https://admin.example'}}}}}}\n\
         ---\nspring.config.activate.on-profile: prod\n{ROOT}.[/v1.0/**].max-age: 60\n"
    );
    for arguments in [&["spring"][..], &["spring", "--profile", "prod"]] {
        let (policy, said) =
            importing::import(arguments, &[("application.properties", properties)]);
        let (want, _) = importing::import(arguments, &[("application.yaml", &yaml)]);
        assert!(want.contains("https://admin.example") && want.contains("https://v.example"));
        assert_eq!(policy.replace(".properties", ".yaml"), want, "{said}");
    }
    let (policy, said) = importing::import(&["spring"], &[("application.properties", "a.b=c\n")]);
    assert!(policy.is_empty() && said.contains("it has no spring.cloud.gateway"), "{said}");
}
