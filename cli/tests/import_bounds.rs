//! `corsward import` of settings that no system has: each ends, with a report or with a fault that names the bound.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

#[path = "common/importing.rs"]
mod importing;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use importing::import;

const ROOT: &str = "spring.cloud.gateway.globalcors.cors-configurations";
const BASE: &str = "CORS_ALLOWED_ORIGINS = ['https://a.example']\n";

/// The numbers of judged requests and of all, of a report that is a sample.
fn sample(report: &str) -> Option<(usize, usize)> {
    let (before, after) = report.split_once(" requests (a sample of ")?;
    let (all, _) = after.split_once(')')?;
    Some((before.rsplit(' ').next()?.parse().ok()?, all.parse().ok()?))
}

#[test]
fn names_that_are_nested_too_deep_are_named() {
    let deep = vec!["a"; 20_000].join(".");
    let bound = "is nested too deep: at most 64 names may stand inside of each other";
    let settings = format!("{ROOT}:\n  '[/**]': {{allowed-origins: ['https://a.example']}}\n");
    for (name, text, want) in [
        ("a.properties", format!("b=1\n{deep}=1\n"), "a.properties:2: `a.a.a"),
        (
            "a.properties",
            format!("{}=1\n", vec!["a"; 20_000].join("[0].")),
            "a.properties:1: `a[0]",
        ),
        ("a.yaml", format!("{}: 1\n", vec!["a"; 400].join(".")), "a.yaml: `a.a.a"),
        (
            "a.yaml",
            format!("{}: {{{}: 1}}\n", vec!["a"; 40].join("."), vec!["b"; 40].join(".")),
            "a.yaml: `b.b",
        ),
    ] {
        let (policy, said) = import(&["spring"], &[(name, &text)]);
        assert!(policy.is_empty() && said.contains(want) && said.contains(bound), "{said}");
    }
    let text = settings.replace("https://a.example", &format!("${{{deep}:https://b.example}}"));
    let (policy, said) = import(&["spring"], &[("a.yaml", &text)]);
    assert!(policy.contains("- https://b.example"), "{said}");
}

#[test]
fn statements_of_python_that_are_nested_too_deep_are_named() {
    let branches =
        (0..20_000).map(|at| format!("elif A{at}:\n  x = 1\n")).collect::<Vec<_>>().concat();
    let blocks = (0..1_000)
        .map(|depth| format!("{}if A:\n", " ".repeat(depth)))
        .collect::<Vec<_>>()
        .concat();
    let blocks = format!("{blocks}{}x = 1\n", " ".repeat(1_000));
    let targets = "a = ".repeat(20_000);
    for (text, line, want) in [
        (
            format!("if A:\n  x = 1\n{branches}"),
            403,
            "the `if` has too many branches: at most 200 are read",
        ),
        (blocks, 301, "its blocks are nested too deep: at most 300 widths of indentation are read"),
        (format!("{targets}1\n"), 1, "it is nested too deep: at most 1000 levels are read"),
        (format!("x = {}{}\n", "[".repeat(20_000), "]".repeat(20_000)), 1, "it is nested too deep"),
    ] {
        for from in ["django", "starlette"] {
            let (policy, said) = import(&[from], &[("s.py", &format!("{text}{BASE}"))]);
            let want = format!("s.py:{line}: {want}");
            assert!(policy.is_empty() && said.contains(&want), "{want}: {said}");
        }
    }
    let open = format!("x = {}\n", "(".repeat(20_000));
    let (_, said) = import(&["django"], &[("s.py", &open)]);
    assert!(said.contains("s.py:1: it is "), "{said}");
}

#[test]
fn a_value_of_python_that_grows_without_an_end_is_a_hole() {
    for statement in [
        "CORS_ALLOWED_ORIGINS = [CORS_ALLOWED_ORIGINS]\n",
        "CORS_ALLOWED_ORIGINS += CORS_ALLOWED_ORIGINS\n",
        "if A:\n  CORS_ALLOWED_ORIGINS = []\n",
        "for o in A:\n  CORS_ALLOWED_ORIGINS.append(o)\n",
    ] {
        let text = format!("{BASE}{}", statement.repeat(1_000));
        let (policy, said) = import(&["django"], &[("s.py", &text)]);
        assert!(
            (policy + &said).contains("decide: CORS_ALLOWED_ORIGINS has its value from "),
            "{said}"
        );
    }
}

#[test]
fn files_of_nginx_that_multiply_each_other_are_named() {
    let mut files = vec![(
        "n.conf".to_owned(),
        "server { server_name api.example; include f0.conf; }\n".to_owned(),
    )];
    files.extend(
        (0..8).map(|at| (format!("f{at}.conf"), format!("include f{}.conf;\n", at + 1).repeat(10))),
    );
    let allow = "add_header Access-Control-Allow-Origin https://a.example always;\n";
    files.push(("f8.conf".to_owned(), allow.to_owned()));
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (policy, said) = import(&["nginx"], &files);
    let want = "`include` multiplies directives: at most 50000 are read in its places";
    assert!(policy.is_empty() && said.contains(want), "{said}");
}

#[test]
fn a_value_of_nginx_that_grows_without_an_end_is_named() {
    let allow = "add_header Access-Control-Allow-Origin https://a.example always;";
    let set = "set $a \"$a$a\";\n".repeat(60);
    let maps = (0..16).fold(String::new(), |mut maps, at| {
        let more = format!("$m{}", at + 1).repeat(10);
        let _ = writeln!(maps, "map $x $m{at} {{ default \"{more}\"; }}");
        maps
    });
    for (text, place) in [
        (
            format!("server {{ server_name api.example; set $a aaaaaaaa;\n{set}{allow} }}"),
            "n.conf:13",
        ),
        (
            format!("{maps}server {{ server_name api.example; {allow} add_header X-A $m0; }}"),
            "n.conf:17",
        ),
    ] {
        let (policy, said) = import(&["nginx"], &[("n.conf", &text)]);
        let want = "decide: a value has more than 16384 bytes or 4096 variables, and is an empty one here: write what it means (";
        assert!(policy.contains(&format!("{want}{place})")), "{said}{policy}");
        assert!(policy.contains("allowOrigins: - https://a.example"), "{policy}");
    }
}

#[test]
fn a_report_on_many_paths_and_origins_is_a_sample_that_says_so() {
    let nginx = |count: usize| {
        let locations = (0..count).map(|at| {
            format!("location /p{at} {{ add_header Access-Control-Allow-Origin https://a{at}.example always; }}\n")
        });
        format!("server {{ server_name api.example; {} }}\n", locations.collect::<String>())
    };
    let spring = |count: usize| {
        let patterns = (0..count)
            .map(|at| format!("  '[/p{at}/**]': {{allowed-origins: ['https://a{at}.example']}}\n"));
        format!("{ROOT}:\n{}", patterns.collect::<String>())
    };
    let django = |count: usize| {
        let origins: Vec<String> =
            (0..count).map(|at| format!("'https://a{at}.example'")).collect();
        format!("CORS_ALLOWED_ORIGINS = [{}]\n", origins.join(", "))
    };
    for (from, name, few, many) in [
        ("nginx", "n.conf", nginx(10), nginx(100)),
        ("spring", "s.yaml", spring(10), spring(200)),
        ("django", "s.py", django(10), django(300)),
    ] {
        let (_, report) = import(&[from], &[(name, &few)]);
        assert!(
            report.contains("requests at the boundaries") && sample(&report).is_none(),
            "{report}"
        );
        let (policy, report) = import(&[from], &[(name, &many)]);
        let (judged, all) = sample(&report).unwrap();
        assert!(judged < 30_000 && judged < all, "{from}: {judged} of {all}");
        assert!(policy.contains("https://a99.example"), "{from}");
    }
    let (policy, said) = import(&["nginx"], &[("n.conf", &nginx(1_001))]);
    let want = "n.conf:1: the server has 1001 locations and 1001 origins and regexes, and at most 1000000 pairs of them are tried";
    assert!(policy.is_empty() && said.contains(want), "{said}");
}

#[test]
fn a_file_beyond_the_bound_of_all_commands_is_refused() {
    let text = "#".repeat(2 * 1024 * 1024) + "\n";
    let want = "a: it has 2097153 bytes, and at most 2097152 are read: split it into several files";
    let systems = "django nginx starlette ingress-nginx istio gateway-api envoy envoy-gateway spring express traefik kong";
    for from in systems.split(' ') {
        let (policy, said) = import(&[from], &[("a", &text)]);
        assert!(policy.is_empty() && said.contains(want), "{from}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    fs::write(&file, &text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    let output =
        command.args(["import", "nginx", "-"]).stdin(fs::File::open(file).unwrap()).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("-: it has 2097153 bytes"));
}

#[test]
fn many_policies_of_one_host_are_counted_and_not_all_named() {
    let plugin = |at: i32| {
        format!(
            "---\nkind: KongPlugin\nmetadata: {{name: a{at}}}\nplugin: cors\nconfig: {{origins: ['https://{at}.example']}}\n"
        )
    };
    let text: String = (0..13).map(plugin).collect();
    let (policies, said) = import(&["kong"], &[("plugins.yaml", &text)]);
    let want = "`a9`, and 2 more have the same host and path with other settings";
    assert!(policies.contains(want), "{said}{policies}");
}
