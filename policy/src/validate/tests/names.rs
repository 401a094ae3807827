//! Tables for methods, headers and `maxAge`.

use super::*;

#[test]
fn a_method_is_what_browsers_send() {
    for (why, list, want) in [
        ("as usual", &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"][..], &[][..]),
        ("any", &["*"], &[]),
        ("one's own", &["X-PURGE"], &[]),
        ("none", &[], &[" CORS-I302"]),
        ("any and others", &["*", "PUT"], &[" CORS-I303"]),
        ("upper-cased", &["put"], &["[0] CORS-W301"]),
        ("not upper-cased", &["patch"], &["[0] CORS-W302"]),
        ("options", &["OPTIONS"], &["[0] CORS-I301"]),
        ("options, lower case", &["options"], &["[0] CORS-W301"]),
        ("repeated", &["PUT", "PUT"], &["[1] CORS-I001"]),
        ("case tells them apart", &["PATCH", "patch"], &["[1] CORS-W302"]),
        ("forbidden", &["tRaCe"], &["[0] CORS-E302"]),
        ("no token", &["GET, PUT"], &["[0] CORS-E301"]),
        ("empty", &[""], &["[0] CORS-E301"]),
    ] {
        let cors = CorsDraft { allow_methods: strings(list), ..good() };
        let want: Vec<String> =
            want.iter().map(|want| format!("spec.cors.allowMethods{want}")).collect();
        assert_eq!(codes(&policy_of(cors)), want, "{why}");
    }
}

#[test]
fn a_request_header_is_one_that_scripts_set() {
    for (why, list, want) in [
        ("as usual", &["Authorization", "content-type", "X-CSRFToken", "Range"][..], &[][..]),
        ("not forbidden any more", &["User-Agent"], &[]),
        ("none", &[], &[" CORS-I304"]),
        ("any", &["*"], &[" CORS-I306"]),
        ("any, as it should be", &["*", "Authorization"], &[]),
        ("any and others", &["*", "x-a"], &[" CORS-I305", " CORS-I306"]),
        ("any and both", &["*", "x-a", "authorization"], &[" CORS-I305"]),
        ("repeated in another case", &["X-A", "x-a"], &["[1] CORS-I001"]),
        ("forbidden", &["Origin", "DNT"], &["[0] CORS-W303", "[1] CORS-W303"]),
        ("forbidden prefixes", &["Sec-Fetch-Site", "proxy-x"], &["[0] CORS-W303", "[1] CORS-W303"]),
        ("cookies", &["cookie"], &["[0] CORS-W304"]),
        ("of responses", &["Access-Control-Allow-Origin"], &["[0] CORS-W305"]),
        ("safelisted", &["Accept"], &["[0] CORS-I307"]),
        ("no name", &["x-a, x-b"], &["[0] CORS-E303"]),
        ("empty", &[""], &["[0] CORS-E303"]),
    ] {
        let cors = CorsDraft { allow_headers: strings(list), ..good() };
        let want: Vec<String> =
            want.iter().map(|want| format!("spec.cors.allowHeaders{want}")).collect();
        assert_eq!(codes(&policy_of(cors)), want, "{why}");
    }
}

#[test]
fn headers_of_one_protocol_are_listed_together() {
    let expose = "spec.cors.exposeHeaders CORS-I309";
    let tracing = "spec.cors.allowHeaders CORS-I310";
    for (why, allow, exposed, credentials, want) in [
        ("a session that no page can read", &["Mcp-Session-Id"][..], &[][..], false, &[expose][..]),
        ("one that it can read", &["mcp-session-id"], &["Mcp-Session-Id"], false, &[]),
        ("everything is exposed", &["mcp-session-id"], &["*"], false, &[]),
        ("a trace without its state", &["traceparent"], &[], false, &[tracing]),
        ("baggage alone", &["baggage", "x-a"], &[], false, &[tracing]),
        ("the whole trace", &["baggage", "traceparent", "tracestate"], &[], false, &[]),
        ("Sentry's pair", &["sentry-trace", "baggage"], &[], true, &[]),
        ("Sentry's, and half a trace", &["sentry-trace", "traceparent"], &[], true, &[tracing]),
        ("none of it", &["content-type"], &["x-b"], true, &[]),
    ] {
        let cors = CorsDraft {
            allow_headers: strings(allow),
            expose_headers: strings(exposed),
            allow_credentials: credentials,
            ..good()
        };
        assert_eq!(codes(&policy_of(cors)), want, "{why}");
    }
}

#[test]
fn with_credentials_a_name_beside_the_wildcard_is_listed_in_each_answer() {
    for (why, methods, headers, want) in [
        ("not usual", &["*", "PROPFIND"][..], &["*", "authorization", "x-a"][..], &[][..]),
        (
            "listed anyway",
            &["*", "PROPFIND", "PUT"],
            &["*", "authorization", "Content-Type"],
            &["Methods CORS-I303", "Headers CORS-I305"],
        ),
    ] {
        let (allow_methods, allow_headers) = (strings(methods), strings(headers));
        let cors = CorsDraft { allow_methods, allow_headers, ..with_credentials() };
        let want: Vec<String> = want.iter().map(|want| format!("spec.cors.allow{want}")).collect();
        assert_codes(why, &policy_of(cors), &want.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn an_exposed_header_is_one_that_scripts_can_read() {
    for (why, list, without, with) in [
        ("as usual", &["X-Request-Id", "etag"][..], &[][..], &[][..]),
        ("any", &["*"], &[], &[" CORS-W306"]),
        ("any and others", &["*", "x-a"], &[" CORS-I305"], &[" CORS-W306"]),
        ("cookies", &["Set-Cookie"], &["[0] CORS-W307"], &["[0] CORS-W307"]),
        ("safelisted", &["Content-Type"], &["[0] CORS-I308"], &["[0] CORS-I308"]),
        ("no name", &["x a"], &["[0] CORS-E303"], &["[0] CORS-E303"]),
    ] {
        for (allow_credentials, want) in [(false, without), (true, with)] {
            let expose_headers = strings(list);
            let cors = CorsDraft { expose_headers, allow_credentials, ..good() };
            let want: Vec<String> =
                want.iter().map(|want| format!("spec.cors.exposeHeaders{want}")).collect();
            assert_eq!(codes(&policy_of(cors)), want, "{why}");
        }
    }
}

#[test]
fn max_age_is_what_browsers_keep() {
    for (why, max_age, want) in [
        ("do not cache", Some(0), None),
        ("every browser keeps it", Some(600), None),
        ("WebKit does not", Some(601), Some("CORS-I003")),
        ("a year", Some(31_536_000), Some("CORS-I003")),
        ("the largest", Some(2_147_483_647), Some("CORS-I003")),
        ("larger", Some(2_147_483_648), Some("CORS-E003")),
        ("negative", Some(-1), Some("CORS-E002")),
        ("the most negative", Some(i64::MIN), Some("CORS-E002")),
        ("absent", None, Some("CORS-W006")),
    ] {
        let cors = CorsDraft { max_age, ..good() };
        let want: Vec<String> =
            want.iter().map(|code| format!("spec.cors.maxAge {code}")).collect();
        assert_eq!(codes(&policy_of(cors)), want, "{why}");
    }
}

#[test]
fn the_caps_named_are_those_that_are_exceeded() {
    for (max_age, want) in [(601, "600 in WebKit)"), (7201, "WebKit, 7200 in Chromium)")] {
        let cors = CorsDraft { max_age: Some(max_age), ..good() };
        let findings = validate(&policy_of(cors), &SmallJudge).findings;
        assert!(findings[0].message().contains(want), "{}", findings[0]);
    }
}

#[test]
fn a_name_in_the_syntax_of_another_system_gets_a_fix_that_is_sent() {
    let messages = |cors: CorsDraft| -> Vec<String> {
        let findings = validate(&policy_of(cors), &SmallJudge).findings;
        findings.iter().map(ToString::to_string).collect()
    };
    for (written, code, want) in [
        ("P.+", "CORS-E305", "write one method per entry"),
        (".*", "CORS-E305", "write `\"*\"`"),
        ("ALL_METHODS", "CORS-E305", "write `\"*\"`"),
        ("!GET", "CORS-E305", "no exceptions"),
        ("-DELETE", "CORS-E305", "no exceptions"),
        ("PUT except DELETE", "CORS-E301", "one method per entry"),
        ("P%", "CORS-E305", "remove it"),
        ("METHOD_GET", "CORS-E305", "write `GET`"),
        ("HTTP_GET", "CORS-E305", "write `GET`"),
        ("http.MethodPut", "CORS-E305", "write `PUT`"),
        ("get,put,GET", "CORS-E301", "`GET` and `PUT`"),
    ] {
        let found = messages(CorsDraft { allow_methods: strings(&[written]), ..good() });
        let is_said = |it: &String| it.contains(code) && it.contains(want);
        assert!(found.iter().any(is_said), "{written}: {found:?}");
    }
    for (written, code, want) in [
        ("x-amz-.+", "CORS-E304", "write one name per entry"),
        ("x-.*", "CORS-E304", "write one name per entry"),
        ("^x-", "CORS-E304", "write one name per entry"),
        (".*", "CORS-E304", "write `\"*\"`"),
        ("**", "CORS-E304", "write `\"*\"`"),
        ("x-amz-%", "CORS-E304", "`x-amz-id`"),
        ("x-a: b", "CORS-E303", "write `x-a`"),
        ("content-type:application/json", "CORS-E303", "write `content-type`"),
        ("!cookie", "CORS-E304", "no exceptions"),
        ("-cookie", "CORS-E304", "no exceptions"),
    ] {
        let found = messages(CorsDraft { allow_headers: strings(&[written]), ..good() });
        let is_said = |it: &String| it.contains(code) && it.contains(want);
        assert!(found.iter().any(is_said), "{written}: {found:?}");
    }
}
