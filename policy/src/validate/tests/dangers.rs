//! Tables for `dangerouslyAllow`, and for what needs it.

use super::*;

#[test]
fn a_danger_is_refused_until_it_is_named() {
    for (why, origin, word, code) in [
        ("any origin", "*", "AnyOriginWithCredentials", "CORS-E202"),
        ("any https origin", "https://*", "AnyOriginWithCredentials", "CORS-E202"),
        ("on any port", "https://*:*", "AnyOriginWithCredentials", "CORS-E202"),
        ("any address", "https://*.*.*.*", "AnyOriginWithCredentials", "CORS-E202"),
        ("a block of any address", "https://0.0.0.0/0", "AnyOriginWithCredentials", "CORS-E202"),
        ("a wide public block", "https://52.0.0.0/8:*", "AnyOriginWithCredentials", "CORS-E202"),
        ("half of IPv6", "https://[2000::]/7:*", "AnyOriginWithCredentials", "CORS-E202"),
        (
            "a block wider than private",
            "https://[fc00::]/6",
            "AnyOriginWithCredentials",
            "CORS-E202",
        ),
        ("any extension", "moz-extension://*", "AnyAppOriginWithCredentials", "CORS-E213"),
        ("any application", "app://*:*", "AnyAppOriginWithCredentials", "CORS-E213"),
        (
            "extensions by a prefix",
            "chrome-extension://a*",
            "AnyAppOriginWithCredentials",
            "CORS-E213",
        ),
        ("by a suffix", "moz-extension://*-a", "AnyAppOriginWithCredentials", "CORS-E213"),
        (
            "web views by a prefix",
            "vscode-webview://1*",
            "AnyAppOriginWithCredentials",
            "CORS-E213",
        ),
        ("applications by a label", "app://*.com", "AnyAppOriginWithCredentials", "CORS-E213"),
        ("http", "http://app.example", "InsecureOriginWithCredentials", "CORS-E203"),
        (
            "http, a private address",
            "http://10.0.0.1",
            "InsecureOriginWithCredentials",
            "CORS-E203",
        ),
        ("http, subdomains", "http://*.app.example", "InsecureOriginWithCredentials", "CORS-E203"),
        ("http, one label", "http://*localhost", "InsecureOriginWithCredentials", "CORS-E203"),
        ("a public suffix", "https://*.com", "PublicSuffixSubdomains", "CORS-E204"),
        ("above one", "https://*.cloud.com", "PublicSuffixSubdomains", "CORS-E204"),
        ("in a label", "https://a-*.com", "PublicSuffixSubdomains", "CORS-E204"),
        ("null", "null", "NullOriginWithCredentials", "CORS-E205"),
    ] {
        let cors = CorsDraft { allow_origins: strings(&[origin]), ..with_credentials() };
        let refusal = format!("spec.cors.allowOrigins[0] {code}");
        assert!(codes(&policy_of(cors.clone())).contains(&refusal), "{why}");
        let named = CorsDraft { dangerously_allow: strings(&[word]), ..cors.clone() };
        let found = codes(&policy_of(named.clone()));
        assert!(!found.iter().any(|code| code.contains("CORS-E")), "{why}: {found:?}");
        assert!(!found.iter().any(|code| code.ends_with("CORS-W201")), "{why}: {found:?}");
        let harmless = CorsDraft { allow_credentials: false, ..named };
        let unneeded = "spec.cors.dangerouslyAllow[0] CORS-W201".to_owned();
        assert!(codes(&policy_of(harmless)).contains(&unneeded), "{why}");
    }
}

#[test]
fn a_wide_block_is_said_to_be_one() {
    for (origin, want) in [
        ("https://52.0.0.0/8:*", "lets every address of the block act as the user"),
        ("https://52.*.*.*", "lets every address of the block act as the user"),
        ("https://*", "lets every site act as the user"),
    ] {
        let cors = CorsDraft { allow_origins: strings(&[origin]), ..with_credentials() };
        let findings = validate(&policy_of(cors), &SmallJudge).findings;
        assert!(findings.iter().any(|it| it.message().contains(want)), "{origin}: {findings:?}");
        let draft = Draft {
            trusted_origins: strings(&[origin]),
            disallowed_requests: DisallowedRequests::Reject,
            ..policy_of(good())
        };
        let want = want.replace("lets", "would trust").replace(" act as the user", "");
        let findings = validate(&draft, &SmallJudge).findings;
        assert!(findings.iter().any(|it| it.message().contains(&want)), "{origin}: {findings:?}");
    }
}

#[test]
fn what_only_looks_dangerous_is_accepted_with_credentials() {
    let development = &["spec.cors.allowOrigins[0] CORS-I103"][..];
    let normalized =
        &["spec.cors.allowOrigins[0] CORS-I002", "spec.cors.allowOrigins[0] CORS-I103"];
    for (origin, want) in [
        ("http://127.0.0.1:3000", development),
        ("http://127.*.*.*:*", development),
        ("http://[::1]:3000", development),
        ("http://app.localhost:3000", development),
        ("http://127.0.0.0/8", development),
        ("http://[::1]/128", normalized),
        ("http://localhost", &[]),
        ("http://tauri.localhost", &[]),
        ("http://*.localhost:*", development),
        ("http://pr-*.localhost", &[]),
        ("https://127.0.0.1", &[]),
        ("https://com", &[]),
        ("https://a-*.cloud.com", &[]),
        ("https://*.internal", &[]),
        ("https://10.0.*.*", &[]),
        ("tauri://localhost", &[]),
        ("app://.", &[]),
    ] {
        let cors = CorsDraft { allow_origins: strings(&[origin]), ..with_credentials() };
        assert_codes(origin, &policy_of(cors), want);
    }
}

#[test]
fn words_of_danger_are_known_and_listed_once() {
    let word = "NullOriginWithCredentials";
    let cors = CorsDraft {
        allow_origins: strings(&["null"]),
        dangerously_allow: strings(&[word, word, "AnyOrigin", "nulloriginwithcredentials"]),
        ..with_credentials()
    };
    let want = [
        "spec.cors.dangerouslyAllow[2] CORS-E201",
        "spec.cors.dangerouslyAllow[3] CORS-E201",
        "spec.cors.allowOrigins[0] CORS-W102",
        "spec.cors.dangerouslyAllow[1] CORS-I001",
    ];
    assert_codes("words", &policy_of(cors), &want);
}

#[test]
fn a_word_may_be_for_an_entry_that_could_not_be_read() {
    let word = strings(&["InsecureOriginWithCredentials"]);
    let cors = CorsDraft { dangerously_allow: word, ..with_credentials() };
    let origin = CorsDraft { allow_origins: strings(&["http://app.example/"]), ..cors.clone() };
    assert_codes("origin", &policy_of(origin), &["spec.cors.allowOrigins[0] CORS-E106"]);
    let regex = CorsDraft { allow_origin_regexes: strings(&["("]), ..cors };
    assert_codes("regex", &policy_of(regex), &["spec.cors.allowOriginRegexes[0] CORS-E126"]);
}

#[test]
fn a_regex_is_judged_by_its_reach() {
    let twice = &["bounded", "bounded"][..];
    for (why, list, without, with) in [
        ("bounded", &["bounded"][..], &[][..], &[][..]),
        ("insecure", &["insecure"], &[], &["[0] CORS-E203"]),
        ("the machine itself", &["loopback"], &[], &["[0] CORS-I103"]),
        ("any origin", &["any"], &["[0] CORS-W105"], &["[0] CORS-E202"]),
        ("any host", &["host"], &[], &["[0] CORS-E202"]),
        ("any host of an application's scheme", &["app"], &[], &["[0] CORS-E213"]),
        ("any scheme", &["scheme"], &[], &["[0] CORS-E208"]),
        ("a public suffix", &["suffix"], &["[0] CORS-W202"], &["[0] CORS-E204"]),
        ("an open end", &["end"], &["[0] CORS-W202"], &["[0] CORS-E206"]),
        ("an open dot", &["dot"], &["[0] CORS-W109"], &["[0] CORS-E207"]),
        ("too complex", &["complex"], &[], &["[0] CORS-E209"]),
        ("a glob", &["glob"], &["[0] CORS-W108"], &["[0] CORS-W108"]),
        ("a dead branch", &["branch"], &["[0] CORS-W107"], &["[0] CORS-W107"]),
        ("nothing", &["nothing"], &["[0] CORS-W106"], &["[0] CORS-W106"]),
        ("empty", &[""], &["[0] CORS-E124"], &["[0] CORS-E124"]),
        ("too large", &["(a{1000}){1000}"], &["[0] CORS-E125"], &["[0] CORS-E125"]),
        ("no regex", &["*.app"], &["[0] CORS-E126"], &["[0] CORS-E126"]),
        ("repeated", twice, &["[1] CORS-I001"], &["[1] CORS-I001"]),
    ] {
        for (allow_credentials, want) in [(false, without), (true, with)] {
            let cors = CorsDraft {
                allow_origins: Vec::new(),
                allow_origin_regexes: strings(list),
                allow_credentials,
                ..good()
            };
            let field = "spec.cors.allowOriginRegexes";
            let want: Vec<String> = want.iter().map(|want| format!("{field}{want}")).collect();
            assert_eq!(codes(&policy_of(cors)), want, "{why}");
        }
    }
}
