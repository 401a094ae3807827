//! Tables for how a policy treats requests.

use super::*;

#[test]
fn a_policy_that_rejects_is_told_what_that_is_worth() {
    let reject = DisallowedRequests::Reject;
    let hostnames = strings(&["api.example"]);
    let draft = Draft { disallowed_requests: reject, hostnames, ..policy_of(good()) };
    let sign_in = rule("/sso", None);
    let forward = Some(DisallowedRequests::Forward);
    let sign_in = RuleDraft { disallowed_requests: forward, ..sign_in };
    let draft = Draft { rules: vec![sign_in], ..draft };
    assert_codes("as it should be", &draft, &["spec.disallowedRequests CORS-I004"]);

    let everywhere = Draft { rules: Vec::new(), ..draft.clone() };
    let want = ["spec.disallowedRequests CORS-I004", "spec.disallowedRequests CORS-I007"];
    assert_codes("no path for a sign-in that is posted back", &everywhere, &want);

    let anywhere = Draft { hostnames: Vec::new(), ..draft.clone() };
    let want = ["spec.hostnames CORS-W001", "spec.disallowedRequests CORS-I004"];
    assert_codes("any host", &anywhere, &want);
    let anywhere = Draft { hostnames: strings(&["*"]), ..draft.clone() };
    assert_codes("every host", &anywhere, &want);

    let refused = Draft { hostnames: strings(&["a.example:80"]), ..draft.clone() };
    let want = ["spec.hostnames[0] CORS-E403", "spec.disallowedRequests CORS-I004"];
    assert_codes("a host that is refused", &refused, &want);

    let any = CorsDraft { allow_origins: strings(&["*"]), ..good() };
    let open = Draft { cors: Some(any.clone()), ..draft.clone() };
    let want = ["spec.disallowedRequests CORS-W002", "spec.disallowedRequests CORS-I004"];
    assert_codes("a static `*`", &open, &want);

    let rules = [draft.rules.clone(), vec![rule("/public", Some(any))]].concat();
    let inherited = Draft { rules, ..draft };
    let want = ["spec.rules[1].cors.allowOrigins CORS-W002", "spec.disallowedRequests CORS-I004"];
    assert_codes("a rule with a static `*`", &inherited, &want);
}

#[test]
fn rejection_in_a_rule_counts_as_rejection() {
    let strict = RuleDraft {
        disallowed_requests: Some(DisallowedRequests::Reject),
        trusted_origins: Some(strings(&["https://login.example"])),
        ..rule("/admin", None)
    };
    let draft = Draft {
        rules: vec![strict.clone()],
        hostnames: strings(&["api.example"]),
        ..policy_of(good())
    };
    assert_codes("a rule", &draft, &["spec.rules[0].disallowedRequests CORS-I004"]);
    let unused = Draft { trusted_origins: strings(&["https://sso.example"]), ..draft };
    let want = ["spec.trustedOrigins CORS-I005", "spec.rules[0].disallowedRequests CORS-I004"];
    assert_codes("the policy's own are not used", &unused, &want);
    let lax = RuleDraft { disallowed_requests: None, ..strict };
    let draft = Draft { rules: vec![lax], ..policy_of(good()) };
    assert_codes("nothing rejects", &draft, &["spec.rules[0].trustedOrigins CORS-I005"]);
}

#[test]
fn who_owns_the_headers_agrees_with_who_answers_preflights() {
    use {OnFailure::*, UpstreamCorsHeaders::*};
    for (on_failure, upstream_cors_headers, want) in [
        (Explain, Replace, None),
        (Ignore, Replace, None),
        (Forward, Keep, None),
        (Forward, Replace, Some("spec.preflight.onFailure CORS-W004")),
        (Explain, Keep, Some("spec.upstreamCorsHeaders CORS-W003")),
        (Reject, Keep, Some("spec.upstreamCorsHeaders CORS-W003")),
        (Ignore, Keep, Some("spec.upstreamCorsHeaders CORS-W003")),
    ] {
        let draft = Draft { on_failure, upstream_cors_headers, ..policy_of(good()) };
        let want: Vec<&str> = want.into_iter().collect();
        assert_eq!(codes(&draft), want, "{on_failure:?} {upstream_cors_headers:?}");
    }
}

#[test]
fn a_success_status_is_200_or_204() {
    for (success_status, want) in
        [(None, Some(204)), (Some(200), Some(200)), (Some(204), Some(204))]
    {
        let draft = Draft { success_status, ..policy_of(good()) };
        let policy = validate(&draft, &SmallJudge).policy;
        assert_eq!(policy.map(|policy| policy.success_status), want);
    }
    for success_status in [0, 201, 299, 404, -1, i64::MAX] {
        let draft = Draft { success_status: Some(success_status), ..policy_of(good()) };
        assert_codes("no", &draft, &["spec.preflight.successStatus CORS-E005"]);
    }
}

#[test]
fn nothing_is_rejected_where_requests_are_left_alone() {
    let off = RuleDraft { mode: Mode::Off, ..rule("/login", None) };
    let draft = Draft {
        hostnames: strings(&["api.example"]),
        disallowed_requests: DisallowedRequests::Reject,
        rules: vec![off],
        ..policy_of(good())
    };
    let want = ["spec.disallowedRequests CORS-I004"];
    assert_codes("a sign-in that is left alone can be posted back", &draft, &want);
}

#[test]
fn what_leans_on_a_removed_origin_is_named_once() {
    use UpstreamOrigin::*;
    let says = |path: &str, upstream_origin| RuleDraft {
        upstream_origin: Some(upstream_origin),
        ..rule(path, None)
    };
    let missed = "spec.upstreamOrigin CORS-W007";
    for (why, upstream_origin, rules, want) in [
        ("the policy", Remove, vec![], &[missed][..]),
        ("but for a web socket", Remove, vec![says("/ws", Keep)], &[]),
        (
            "two rules",
            Keep,
            vec![says("/a", Remove), says("/b", Remove)],
            &["spec.rules[0].upstreamOrigin CORS-W007"],
        ),
        ("as the policy", Keep, vec![says("/a", Keep)], &["spec.rules[0] CORS-I401"]),
    ] {
        let draft = Draft { rules, upstream_origin, ..policy_of(good()) };
        assert_codes(why, &draft, want);
    }
    let keeps = Draft {
        upstream_origin: Remove,
        upstream_cors_headers: UpstreamCorsHeaders::Keep,
        on_failure: OnFailure::Forward,
        ..policy_of(good())
    };
    assert_codes("nothing to keep", &keeps, &[missed, "spec.upstreamOrigin CORS-W008"]);
    let rehearsed = Draft { upstream_origin: Remove, mode: Mode::DryRun, ..policy_of(good()) };
    assert_codes("a rehearsal", &rehearsed, &[missed, "spec.upstreamOrigin CORS-I006"]);
}
