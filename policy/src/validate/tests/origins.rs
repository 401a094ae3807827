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
        ("chrome-extension://abcdefghijklmnopabcdefghijklmnop", vec![]),
        ("chrome-extension://abcdef", at("CORS-I105")),
        ("chrome-extension://Abcdefghijklmnopabcdefghijklmnop", at("CORS-I002")),
        ("chrome-extension://*", at("CORS-I105")),
        ("chrome-extension://", at("CORS-I105")),
        ("moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc", at("CORS-I106")),
        ("safari-web-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc", at("CORS-I106")),
        ("htps://app.example", at("CORS-W113")),
        ("htp://app.example", at("CORS-W113")),
        ("httpss://app.example", at("CORS-W113")),
        ("hhtps://*.app.example", at("CORS-W113")),
        ("httsp://app.example:8443", at("CORS-W113")),
        ("app://app.example", vec![]),
        ("http://192.168.1.x", at("CORS-W114")),
        ("http://192.168.1.0-255", at("CORS-W114")),
        ("http://192.168.1.10-20", at("CORS-W114")),
        ("app://192.168.1.x", vec![]),
        ("http://x.168.1.1.example", vec![]),
        ("tauri://localhost", vec![]),
        ("ionic://localhost", vec![]),
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
        ("app://*.com", vec![]),
        ("moz-extension://*", vec![]),
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

/// A reason, an entry that does not parse, and the entries to write instead.
const MEANT: &[(&str, &str, &[&str])] = &[
    ("white space around", " https://app.example\n", &["https://app.example"]),
    ("two", "https://a.example https://b.example", &["https://a.example", "https://b.example"]),
    ("two", "https://a.example,https://b.example", &["https://a.example", "https://b.example"]),
    ("two", "a.example; b.example:81", &["https://a.example", "https://b.example:81"]),
    ("a space inside", "https:// app.example", &["https://app.example"]),
    ("a comment", "https://app.example # shop", &["https://app.example"]),
    ("a list's comma", "https://app.example,", &["https://app.example"]),
    ("a semicolon", "https://app.example;", &["https://app.example"]),
    ("quotes inside", "\"https://app.example\"", &["https://app.example"]),
    ("quotes and a comma", "'https://app.example',", &["https://app.example"]),
    ("typographic quotes", "\u{201c}https://app.example\u{201d}", &["https://app.example"]),
    ("angle brackets", "<https://app.example>", &["https://app.example"]),
    ("null is case-sensitive", "NULL", &["null"]),
    ("null is case-sensitive", "Null", &["null"]),
    ("null in quotes", "\"null\"", &["null"]),
    ("null in quotes", "'NULL'", &["null"]),
    ("no value", "undefined", &[]),
    ("no value", "None", &[]),
    ("another word for every origin", "ALL", &["*"]),
    ("another word for every origin", "any", &["*"]),
    ("another word for every origin", "**", &["*"]),
    ("a host and a path of stars", "*/*", &["*"]),
    ("a star for the scheme", "*://*", &["*"]),
    ("a quoted star", "\"*\"", &["*"]),
    ("no scheme", "app.example", &["https://app.example"]),
    ("no scheme", "app.example:8443", &["https://app.example:8443"]),
    ("no scheme, a path", "app.example/login", &["https://app.example"]),
    ("no scheme, a star", "*.example.com", &["https://*.example.com"]),
    ("a domain as cookies have it", ".example.com", &["https://*.example.com"]),
    ("no scheme, local", "localhost:3000", &["http://localhost:3000"]),
    ("no scheme, local", "shop.localhost", &["http://shop.localhost"]),
    ("no scheme, any port", "localhost:*", &["http://localhost:*"]),
    ("no scheme, an address", "127.0.0.1:3000", &["http://127.0.0.1:3000"]),
    ("no scheme, IPv6", "[::1]:3000", &["http://[::1]:3000"]),
    ("no scheme, no brackets", "::1", &["http://[::1]"]),
    ("no brackets", "http://::1:3000", &["http://[::1]:3000"]),
    ("no brackets", "http://fd00::1", &["http://[fd00::1]"]),
    ("the page's own scheme", "//app.example", &["https://app.example"]),
    ("a slash short", "https:/app.example", &["https://app.example"]),
    ("two slashes short", "http:localhost:3000", &["http://localhost:3000"]),
    ("no colon", "https//app.example", &["https://app.example"]),
    ("a slash more", "https:///app.example", &["https://app.example"]),
    ("backslashes", r"https:\\app.example", &["https://app.example"]),
    ("a name that begins as a scheme", "httpbin.example", &["https://httpbin.example"]),
    ("a star for the scheme", "*://app.example", &["https://app.example"]),
    ("a scheme with a star", "http*://app.example", &["https://app.example"]),
    ("a user", "https://me:pw@app.example", &["https://app.example"]),
    ("a trailing slash", "HTTPS://App.example/", &["https://app.example"]),
    ("a default port and a slash", "https://app.example:443/", &["https://app.example"]),
    ("any port and a slash", "https://app.example:*/", &["https://app.example:*"]),
    ("a path of stars", "https://app.example/*", &["https://app.example"]),
    ("a path", "https://app.example:8443/a/b?c#d", &["https://app.example:8443"]),
    ("a query", "https://app.example?c", &["https://app.example"]),
    ("a fragment", "https://app.example#d", &["https://app.example"]),
    ("an empty port", "https://app.example:", &["https://app.example"]),
    ("leading zeros", "https://app.example:08443", &["https://app.example:8443"]),
    ("punycode", "https://*.b\u{fc}cher.example:1", &["https://*.xn--bcher-kva.example:1"]),
    ("a trailing dot", "https://app.example.", &["https://app.example"]),
    ("a trailing dot", "https://app.example.:8443", &["https://app.example:8443"]),
    ("a leading dot", "https://.app.example", &["https://*.app.example"]),
    ("two stars", "https://**.app.example", &["https://*.app.example"]),
    ("a star for each label", "https://*.*.app.example:*", &["https://*.app.example:*"]),
    ("octets short", "http://192.168.*", &["http://192.168.*.*"]),
    ("an application's page", "app://./", &["app://."]),
    ("an application's page", "app:///index.html", &["app://"]),
    ("local files", "file:///", &["file://"]),
    ("bits after the prefix", "http://172.16.5.0/12:*", &["http://172.16.0.0/12:*"]),
    ("bits after the prefix", "http://[fd00::1]/8", &["http://[fd00::]/8"]),
    ("bits of one address", "http://10.0.0.7/32/", &["http://10.0.0.7"]),
    ("stars in a block", "http://192.168.*.*/16:*", &["http://192.168.0.0/16:*"]),
    ("the port first", "http://10.0.0.0:3000/8", &["http://10.0.0.0/8:3000"]),
    ("inside of the brackets", "http://[fd00::/8]:*", &["http://[fd00::]/8:*"]),
    ("octets left out", "http://10/8:*", &["http://10.0.0.0/8:*"]),
    ("no scheme, a block", "10.0.0.0/8", &["http://10.0.0.0/8"]),
    (
        "a list of ports of Spring",
        "https://*.app.example:[80,8443]",
        &["https://*.app.example:80", "https://*.app.example:8443"],
    ),
    ("any port of Spring", "https://app.example:[*]", &["https://app.example:*"]),
    ("a list of ports", "http://a.example:80, 81", &["http://a.example", "http://a.example:81"]),
    ("a scheme twice", "https://http://app.example", &["http://app.example"]),
    ("a scheme twice", "http://https://app.example/", &["https://app.example"]),
    ("an exact match", "exact:https://app.example", &["https://app.example"]),
    ("a match by the beginning", "prefix:https://app", &[]),
    ("the place of a name", "https://{env}.app.example", &[]),
    ("no host", "https:///", &[]),
    ("no host", "https://", &[]),
    ("an empty label", "https://a..example/", &[]),
    ("three octets", "http://1.2.3", &[]),
    ("no such block", "http://10.0.0.0/33", &[]),
    ("nothing", "", &[]),
    ("only punctuation", " ,; ", &[]),
    ("an exception", "!https://evil.app.example", &[]),
    ("an exception", "-https://evil.example", &[]),
    ("an exception", "deny:https://evil.example", &[]),
    ("an exception", "except https://evil.example", &[]),
    ("an exception beside an origin", "https://app.example,-https://evil.example", &[]),
    ("a word after an origin", "https://app.example always", &["https://app.example"]),
    ("a word after a semicolon", "https://app.example;secure", &["https://app.example"]),
    ("a word in a list", "https://app.example,de", &[]),
    (
        "a conjunction",
        "https://a.example and https://b.example",
        &["https://a.example", "https://b.example"],
    ),
    ("a list in YAML", "- https://app.example", &["https://app.example"]),
    ("white space in a host", "https://app .app.example", &[]),
    ("white space in a host", "https://my app.example", &[]),
    ("two labels", "https://dev,qa.app.example", &[]),
    ("two numbers", "http://192.168.1.1,2", &[]),
    ("a semicolon in place of the colon", "https;//app.example", &["https://app.example"]),
    ("a colon in the scheme", "http:s//app.example", &["https://app.example"]),
    ("a scheme twice", "http://https//app.example", &["https://app.example"]),
    ("a range of ports", "https://app.example:8080-8090", &[]),
    ("no scheme, stars in an address", "192.168.1.*", &["http://192.168.1.*"]),
];

#[test]
fn a_refused_origin_comes_with_what_was_probably_meant() {
    for (why, written, want) in MEANT {
        let cors = CorsDraft { allow_origins: strings(&[written]), ..good() };
        let finding = validate(&policy_of(cors), &SmallJudge).findings.remove(0);
        let message = finding.message();
        let Some(OriginReason::Invalid { instead, .. }) = finding.reason.downcast_ref() else {
            panic!("{why}: {written:?}: {message}");
        };
        assert_eq!(instead.entries, *want, "{why}: {written:?}");
        for text in &instead.entries {
            // `null` in quotes, as YAML needs it.
            assert!(message.contains(text.as_str()), "{why}: {message}");
            let cors = CorsDraft { allow_origins: vec![text.clone()], ..good() };
            let found = codes(&policy_of(cors));
            let refused = found.iter().any(|code| code.contains("CORS-E"));
            assert!(!refused, "{why}: {text}: {found:?}");
        }
    }
}

#[test]
fn an_entry_in_another_language_is_told_where_that_goes() {
    for (why, written, want) in [
        ("a regex", r"^https://.*\.app\.example$", "`allowOriginRegexes`"),
        ("a regex", r"https://[a-z]+\.app\.example", "`allowOriginRegexes`"),
        ("a regex", "https://.*", "`allowOriginRegexes`"),
        ("a regex", "https://(a|b).app.example", "`allowOriginRegexes`"),
        ("a variable of a shell", "${FRONTEND_URL}", "variables"),
        ("a variable of Helm", "https://{{ .Values.host }}", "variables"),
        ("a value that is absent", "undefined", "remove the entry"),
        ("a value that is absent", "None", "remove the entry"),
        ("the origin of the request", "$http_origin", "every origin"),
        ("the origin of the request", "true", "every origin"),
        ("a content security policy", "'self'", "Content Security Policy"),
        ("a content security policy", "self", "Content Security Policy"),
        ("a page without an origin", "about:blank", "name the origin of the page"),
        ("an exception", "!https://evil.example", "no exceptions"),
        ("a star in the domain", "https://www.*.app.example", "write `https://*.app.example`, or"),
        (
            "a star in another domain",
            "https://www.*.my.example",
            "write `https://*.my.example`, or",
        ),
        ("any octet", "http://192.168.1.x", "write `http://192.168.1.*`"),
        ("any of a range", "http://192.168.1.0-255", "write `http://192.168.1.*`"),
        ("some of a range", "http://192.168.1.10-20", "one entry for each address"),
        ("a range of ports", "https://app.example:8080-8090", "one entry for each port"),
    ] {
        let cors = CorsDraft { allow_origins: strings(&[written]), ..good() };
        let finding = validate(&policy_of(cors), &SmallJudge).findings.remove(0);
        assert!(finding.message().contains(want), "{why}: {finding}");
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
fn blocks_of_addresses_are_compared_in_each_notation() {
    for (why, list, covered) in [
        ("stars and a block", ["http://10.*.*.*", "http://10.0.0.0/8"], Some(1)),
        ("a block and stars", ["http://10.0.0.0/8", "http://10.*.*.*"], Some(1)),
        ("stars in a block", ["http://10.0.*.*", "http://10.0.0.0/8"], Some(0)),
        ("a block in stars", ["http://10.0.*.*:*", "http://10.0.1.0/25:1"], Some(1)),
        ("another block", ["http://10.0.*.*", "http://10.1.0.0/16"], None),
        ("another port", ["http://10.*.*.*:1", "http://10.0.0.0/8:2"], None),
    ] {
        let cors = CorsDraft { allow_origins: strings(&list), ..good() };
        let want = covered.map(|at: usize| format!("spec.cors.allowOrigins[{at}] CORS-I101"));
        assert_eq!(codes(&policy_of(cors)), Vec::from_iter(want), "{why}");
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
        ("a block of everybody", "https://0.0.0.0/0", &["[0] CORS-E122"]),
        ("every extension", "moz-extension://*", &["[0] CORS-E136"]),
        ("hosts of an application", "app://*.com", &["[0] CORS-E136"]),
        ("extensions by a prefix", "chrome-extension://a*", &["[0] CORS-E136"]),
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
