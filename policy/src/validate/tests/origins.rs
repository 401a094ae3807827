//! Tables for `allowOrigins` and `trustedOrigins`.

use super::*;

#[test]
fn an_origin_is_said_to_be_what_is_wrong_with_it() {
    let at = |code: &str| vec![format!("spec.cors.allowOrigins[0] {code}")];
    for (written, want) in [
        ("https://app.example", vec![]),
        ("https://*.app.example", vec![]),
        ("https://pr-*--app.example.net", vec![]),
        ("http://192.168.1.*:3000", vec![]),
        ("http://[::1]:3000", vec![]),
        ("https://*:*", vec![]),
        ("chrome-extension://abcdef", vec![]),
        ("*", vec![]),
        ("http://127.0.0.1:3000", vec![]),
        ("null", at("CORS-W102")),
        ("file://", at("CORS-W103")),
        ("HTTPS://App.example:443", at("CORS-I002")),
        ("http://localhost:3000", at("CORS-I102")),
        ("http://localhost:*", at("CORS-I102")),
        ("ws://app.example", at("CORS-W104")),
        ("wss://app.example", at("CORS-W104")),
        ("ftp://app.example", at("CORS-W104")),
        ("https://*.com", at("CORS-W202")),
        ("", at("CORS-E101")),
        ("app.example", at("CORS-E103")),
        ("https://app.example/", at("CORS-E106")),
        ("https://b\u{fc}cher.example", at("CORS-E112")),
        ("http://256.0.0.1", at("CORS-E116")),
        ("https://app.example:0", at("CORS-E120")),
    ] {
        let cors = CorsDraft { allow_origins: strings(&[written]), ..good() };
        assert_eq!(codes(&policy_of(cors)), want, "{written:?}");
    }
}

#[test]
fn a_refused_origin_comes_with_what_was_probably_meant() {
    for (written, want) in [
        (" https://app.example\n", Some("https://app.example")),
        ("https://a.example https://b.example", None),
        ("app.example:8443", Some("https://app.example:8443")),
        ("localhost:3000", Some("http://localhost:3000")),
        ("*://app.example", Some("https://app.example")),
        ("https://me:pw@app.example", Some("https://app.example")),
        ("HTTPS://App.example/", Some("https://app.example")),
        ("https://app.example:8443/a/b?c#d", Some("https://app.example:8443")),
        ("https://app.example?c", Some("https://app.example")),
        ("https://app.example#d", Some("https://app.example")),
        ("https://*.b\u{fc}cher.example:1", Some("https://*.xn--bcher-kva.example:1")),
        ("https://app.example.", Some("https://app.example")),
        ("https://app.example.:8443", Some("https://app.example:8443")),
        ("https:///", None),
        ("https://a..example/", None),
        ("http://1.2.3", None),
    ] {
        let cors = CorsDraft { allow_origins: strings(&[written]), ..good() };
        let finding = validate(&policy_of(cors), &SmallJudge).findings.remove(0);
        let Reason::Origin(OriginReason::Invalid { instead, .. }) = finding.reason else {
            panic!("{written:?}: {finding}");
        };
        assert_eq!(instead.as_deref(), want, "{written:?}");
    }
}

#[test]
fn origins_are_compared_with_their_neighbours() {
    for (why, list, want) in [
        ("`*` beside others", &["*", "https://a.example"][..], &["allowOrigins[0] CORS-E121"][..]),
        ("`*` twice", &["*", "*"], &["allowOrigins[1] CORS-I001"]),
        ("repeated", &["https://a.example", "https://a.example"], &["allowOrigins[1] CORS-I001"]),
        (
            "repeated once normalized",
            &["https://a.example", "https://A.example"],
            &["allowOrigins[1] CORS-I001"],
        ),
        ("labels", &["https://*.a.example", "https://b.a.example"], &["allowOrigins[1] CORS-I101"]),
        (
            "deeper",
            &["https://*.b.a.example", "https://*.a.example"],
            &["allowOrigins[0] CORS-I101"],
        ),
        ("not the domain itself", &["https://*.a.example", "https://a.example"], &[]),
        ("not the other scheme", &["https://*.a.example", "http://b.a.example"], &[]),
        ("not the other port", &["https://*.a.example", "https://b.a.example:1"], &[]),
        (
            "any port",
            &["https://a.example:*", "https://a.example:1"],
            &["allowOrigins[1] CORS-I101"],
        ),
        ("any host", &["https://*", "https://a.example"], &["allowOrigins[1] CORS-I101"]),
        ("octets", &["http://10.0.*.*", "http://10.0.0.*"], &["allowOrigins[1] CORS-I101"]),
        ("an address", &["http://10.0.*.*", "http://10.0.0.1"], &["allowOrigins[1] CORS-I101"]),
        (
            "a star in a label",
            &["https://pr-*.a.example", "https://pr-7.a.example"],
            &["allowOrigins[1] CORS-I101"],
        ),
        ("at least one", &["https://pr-*.a.example", "https://pr-.a.example"], &[]),
        ("one label", &["https://pr-*.a.example", "https://pr-7.b.a.example"], &[]),
        (
            "a star in a label below one",
            &["https://*.a.example", "https://pr-*.a.example"],
            &["allowOrigins[1] CORS-I101"],
        ),
        ("both loopbacks", &["http://localhost:3000", "http://127.0.0.1:3000"], &[]),
        ("loopback by pattern", &["http://localhost:3000", "http://127.*.*.*:*"], &[]),
        (
            "another port",
            &["http://localhost:3000", "http://127.0.0.1:5173"],
            &["allowOrigins[0] CORS-I102"],
        ),
    ] {
        let cors = CorsDraft { allow_origins: strings(list), ..good() };
        let want: Vec<String> = want.iter().map(|want| format!("spec.cors.{want}")).collect();
        assert_eq!(codes(&policy_of(cors)), want, "{why}");
    }
}

#[test]
fn nobody_is_a_warning_and_a_regex_is_somebody() {
    let nobody = CorsDraft { allow_origins: Vec::new(), ..CorsDraft::default() };
    assert_codes("nobody", &policy_of(nobody), &["spec.cors.allowOrigins CORS-W101"]);
    let regex = CorsDraft { allow_origin_regexes: strings(&["x"]), ..good() };
    assert_codes(
        "beside `*`",
        &policy_of(CorsDraft { allow_origins: strings(&["*"]), ..regex }),
        &["spec.cors.allowOrigins[0] CORS-E121"],
    );
}

#[test]
fn a_trusted_origin_is_somebody() {
    for (why, origin, want) in [
        ("as usual", "https://login.example", &[][..]),
        ("without TLS", "http://login.example", &[]),
        ("everybody", "*", &["[0] CORS-E122"]),
        ("everybody with TLS", "https://*", &["[0] CORS-E122"]),
        ("null", "null", &["[0] CORS-E123"]),
        ("a public suffix", "https://*.com", &["[0] CORS-W202"]),
        ("no origin", "https://login.example/", &["[0] CORS-E106"]),
    ] {
        let draft = Draft {
            trusted_origins: strings(&[origin]),
            disallowed_requests: DisallowedRequests::Reject,
            hostnames: strings(&["api.example"]),
            ..policy_of(good())
        };
        let mut want: Vec<String> =
            want.iter().map(|want| format!("spec.trustedOrigins{want}")).collect();
        want.push("spec.disallowedRequests CORS-I004".to_owned());
        want.push("spec.disallowedRequests CORS-I007".to_owned());
        assert_eq!(codes(&draft), want, "{why}");
    }
}
