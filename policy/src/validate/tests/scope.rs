//! Tables for `hostnames` and `rules`.

use super::*;

#[test]
fn a_hostname_has_no_port() {
    for (why, list, want) in [
        ("as usual", &["api.shop.example", "*.shop.example", "*"][..], &[][..]),
        ("case", &["API.shop.example"], &["[0] CORS-I002"]),
        ("repeated", &["a.example", "a.example"], &["[1] CORS-I001"]),
        ("a port", &["a.example:8080"], &["[0] CORS-E403"]),
        ("an origin", &["https://a.example"], &["[0] CORS-E402"]),
        ("a path", &["a.example/x"], &["[0] CORS-E404"]),
        ("a star in the middle", &["a.*.example"], &["[0] CORS-E407"]),
        ("a namespace of Istio", &["shop/a.example"], &["[0] CORS-E409"]),
        ("a match", &["regex:x"], &["[0] CORS-E409"]),
        ("a suffix", &[".a.example"], &["[0] CORS-E409"]),
        ("two in one text", &["a.example,b.example"], &["[0] CORS-E409"]),
        ("no address", &["256.1.1.1"], &["[0] CORS-E410"]),
        ("an address", &["127.0.0.1"], &[]),
        ("an address in short", &["127.1"], &["[0] CORS-E410"]),
        ("nginx's name for every host", &["_"], &["[0] CORS-W401"]),
        ("Apache's name for every host", &["_default_"], &["[0] CORS-W401"]),
        ("Istio's name for every sidecar", &["mesh"], &["[0] CORS-W401"]),
        ("a word", &["ALL", "any"], &["[0] CORS-W401", "[1] CORS-W401", "[0] CORS-I002"]),
    ] {
        let draft = Draft { hostnames: strings(list), ..policy_of(good()) };
        let want: Vec<String> = want.iter().map(|want| format!("spec.hostnames{want}")).collect();
        assert_eq!(codes(&draft), want, "{why}");
    }
}

#[test]
fn a_refused_hostname_comes_with_what_was_probably_meant() {
    for (written, want) in [
        ("https://a.example:8443/x", Some("a.example")),
        ("A.example:8080", Some("a.example")),
        ("[::1]:80", Some("[::1]")),
        ("a.example/x", Some("a.example")),
        ("a.example.", Some("a.example")),
        (" a.example ", Some("a.example")),
        ("'a.example'", Some("a.example")),
        ("//a.example", Some("a.example")),
        ("**.a.example", Some("*.a.example")),
        ("b\u{fc}cher.example", Some("xn--bcher-kva.example")),
        ("a.*.example", None),
    ] {
        let draft = Draft { hostnames: strings(&[written]), ..policy_of(good()) };
        let finding = validate(&draft, &SmallJudge).findings.remove(0);
        let Some(HostReason::Invalid { instead, .. }) = finding.reason.downcast_ref() else {
            panic!("{written:?}: {finding}");
        };
        assert_eq!(instead.as_deref(), want, "{written:?}");
    }
}

#[test]
fn a_rule_needs_a_path_of_its_own_and_cors_from_somewhere() {
    let other = || Some(CorsDraft { allow_methods: strings(&["DELETE"]), ..good() });
    for (why, paths, want) in [
        ("as usual", &["/a", "/b", "/a/c"][..], &[][..]),
        ("the same", &["/a", "/a"], &["[1].path CORS-E416"]),
        ("the same but for a slash", &["/a", "/a/"], &["[1].path CORS-E416"]),
        ("relative", &["a"], &["[0].path.value CORS-E411"]),
        ("a query", &["/a?b"], &["[0].path.value CORS-E412"]),
        ("ambiguous", &["/a//b"], &["[0].path.value CORS-E414"]),
        ("not normal", &["/a/../b"], &["[0].path.value CORS-E415"]),
    ] {
        let change = |at: usize| if at == 2 { Some(good()) } else { other() };
        let rules = paths.iter().enumerate().map(|(at, path)| rule(path, change(at))).collect();
        let draft = Draft { rules, ..policy_of(good()) };
        let want: Vec<String> = want.iter().map(|want| format!("spec.rules{want}")).collect();
        assert_eq!(codes(&draft), want, "{why}");
    }
    let exact = RuleDraft { path_type: PathType::Exact, ..rule("/a", Some(good())) };
    let draft = Draft { rules: vec![rule("/a", other()), exact], ..policy_of(good()) };
    assert_codes("another type is another path", &draft, &[]);

    let rules = vec![rule("/a", Some(good())), rule("/b", None)];
    let draft = Draft { rules, ..Draft::default() };
    assert_codes("no cors anywhere", &draft, &["spec.rules[1] CORS-E417"]);
    let draft = Draft { rules: vec![rule("/a", Some(good()))], ..Draft::default() };
    assert_codes("cors in the rule", &draft, &[]);
    assert_codes("nothing at all", &Draft::default(), &["spec CORS-E001"]);
}

#[test]
fn a_rule_that_changes_nothing_is_said_to() {
    let other = || Some(CorsDraft { allow_methods: strings(&["DELETE"]), ..good() });
    for (why, rules, want) in [
        ("as the policy", vec![rule("/a", None)], &["spec.rules[0] CORS-I401"][..]),
        ("as the policy, in full", vec![rule("/a", Some(good()))], &["spec.rules[0] CORS-I401"]),
        ("an island", vec![rule("/a", other()), rule("/a/b", None)], &[]),
        (
            "as the rule above",
            vec![rule("/a/b", other()), rule("/a", other())],
            &["spec.rules[0] CORS-I401"],
        ),
        ("a neighbour is not above", vec![rule("/a", other()), rule("/ab", other())], &[]),
        (
            "exact within a prefix",
            vec![
                rule("/a", other()),
                RuleDraft { path_type: PathType::Exact, ..rule("/a", other()) },
            ],
            &["spec.rules[1] CORS-I401"],
        ),
        ("the root", vec![rule("/", other())], &["spec.cors CORS-I402"]),
        ("the root, with a way back", vec![rule("/", other()), rule("/a", None)], &[]),
    ] {
        let draft = Draft { rules, ..policy_of(good()) };
        assert_codes(why, &draft, want);
        assert_codes("in a policy that is off", &Draft { mode: Mode::Off, ..draft }, &[]);
    }
}

#[test]
fn a_rule_that_leaves_requests_alone_says_nothing_else() {
    let off = |path: &str| RuleDraft { mode: Mode::Off, ..rule(path, None) };
    let everything = RuleDraft {
        cors: Some(good()),
        disallowed_requests: Some(DisallowedRequests::Reject),
        trusted_origins: Some(Vec::new()),
        upstream_origin: Some(UpstreamOrigin::Keep),
        ..off("/a")
    };
    let dry_run = RuleDraft { mode: Mode::DryRun, ..rule("/a", Some(good())) };
    let other = || Some(CorsDraft { allow_methods: strings(&["DELETE"]), ..good() });
    for (why, cors, rules, want) in [
        ("beside `cors`", Some(good()), vec![off("/a")], &[][..]),
        ("alone: another policy of the host has the rest", None, vec![off("/a")], &[]),
        ("an active one below it", Some(good()), vec![off("/a"), rule("/a/b", None)], &[]),
        ("one below an active one", Some(good()), vec![rule("/a", other()), off("/a/b")], &[]),
        (
            "twice on one way",
            Some(good()),
            vec![off("/a"), off("/a/b")],
            &["spec.rules[1] CORS-I401"],
        ),
        ("the root", Some(good()), vec![off("/")], &["spec.rules[0] CORS-W502"]),
        (
            "the root, beside a rule of its own",
            Some(good()),
            vec![rule("/a", other()), off("/")],
            &["spec.rules[1] CORS-W502"],
        ),
        ("the root, and a way back", Some(good()), vec![off("/"), rule("/a", None)], &[]),
        ("the root, where nothing else is said", None, vec![off("/")], &[]),
        (
            "with everything",
            Some(good()),
            vec![everything],
            &[
                "spec.rules[0].cors CORS-E421",
                "spec.rules[0].disallowedRequests CORS-E421",
                "spec.rules[0].trustedOrigins CORS-E421",
                "spec.rules[0].upstreamOrigin CORS-E421",
            ],
        ),
        ("a rehearsal", None, vec![dry_run], &["spec.rules[0].mode CORS-E422"]),
    ] {
        assert_codes(why, &Draft { cors, rules, ..Draft::default() }, want);
    }
}

#[test]
fn a_rule_that_allows_no_origin_is_meant_where_it_says_nothing_else() {
    let nobody = CorsDraft { max_age: Some(600), ..CorsDraft::default() };
    let to_inherit = CorsDraft { allow_methods: strings(&["PUT"]), ..CorsDraft::default() };
    let field = "spec.rules[0].cors.allowOrigins";
    for (why, policy, own, want) in [
        ("a path that is closed", Some(good()), nobody.clone(), "CORS-I104"),
        ("methods that were to be added to the policy's", Some(good()), to_inherit, "CORS-W101"),
        ("nothing to close it against", None, nobody.clone(), "CORS-W101"),
    ] {
        let rules = vec![rule("/a", Some(own))];
        let draft = Draft { cors: policy, rules, ..Draft::default() };
        assert_codes(why, &draft, &[&format!("{field} {want}")]);
    }
    let off = RuleDraft { mode: Mode::Off, ..rule("/a", Some(nobody.clone())) };
    let left_alone = Draft { rules: vec![off], ..policy_of(good()) };
    assert_codes("a path left alone", &left_alone, &["spec.rules[0].cors CORS-E421"]);
    let closed = Draft { rules: vec![rule("/a", Some(good()))], ..policy_of(nobody) };
    assert_codes("the policy's own block", &closed, &["spec.cors.allowOrigins CORS-W101"]);
}
