//! The dangers of design section 3.3 that need the list or the parser, through the whole of validation.

use corsward_policy::draft::{CorsDraft, Draft};
use corsward_policy::finding::{Danger, DangerReason, Reason};
use corsward_policy::{Knowledge, validate};

use super::FullKnowledge;

mod regexes;

#[track_caller]
fn reasons(cors: CorsDraft) -> Vec<Reason> {
    let draft = Draft { cors: Some(cors), ..Draft::default() };
    validate(&draft, &FullKnowledge).findings.into_iter().map(|finding| finding.reason).collect()
}

fn prohibited(danger: Danger, value: &str) -> Reason {
    DangerReason::Prohibited { danger, value: value.to_owned() }.into()
}

#[test]
fn a_star_with_credentials_needs_a_domain_of_ones_own() {
    for (why, origin, is_refused) in [
        ("a top-level domain", "https://*.com", true),
        ("a second-level suffix", "https://*.co.uk", true),
        ("the private section", "https://*.github.io", true),
        ("above s3.amazonaws.com", "https://*.amazonaws.com", true),
        ("above blob.core.windows.net", "https://*.core.windows.net", true),
        ("the base of a wildcard rule", "https://*.ck", true),
        ("a wildcard rule's suffix", "https://*.x.ck", true),
        ("an exception to it", "https://*.www.ck", false),
        ("with a port", "https://*.com:8443", true),
        ("one label of a suffix", "https://pr-*--app.vercel.app", true),
        ("glued to a domain", "https://*example.com", true),
        ("one label does not reach what is two below", "https://x-*.amazonaws.com", false),
        ("one label reaches what a wildcard rule lists", "https://x-*.ck", true),
        ("one's own", "https://*.example.com", false),
        ("one's own, one label", "https://pr-*--app.example.com", false),
        ("one's own below a private suffix", "https://*.me.github.io", false),
        ("unlisted", "https://*.internal", false),
        ("unlisted", "https://*.localhost", false),
        ("no star", "https://github.io", false),
        ("punycode", "https://*.xn--p1ai", true),
    ] {
        let cors = CorsDraft {
            allow_origins: vec![origin.to_owned()],
            allow_credentials: true,
            ..CorsDraft::default()
        };
        let refusal = prohibited(Danger::PublicSuffixSubdomains, origin);
        assert_eq!(reasons(cors.clone()).contains(&refusal), is_refused, "{why}: {origin}");

        let word = Danger::PublicSuffixSubdomains;
        let listed = CorsDraft { dangerously_allow: vec![word.word().to_owned()], ..cors.clone() };
        let unneeded = Reason::from(DangerReason::Unneeded(word));
        assert!(!reasons(listed.clone()).contains(&refusal), "{why}: {origin}");
        assert_eq!(reasons(listed).contains(&unneeded), !is_refused, "{why}: {origin}");

        let warning = Reason::from(DangerReason::PublicSuffix(origin.to_owned()));
        let without = CorsDraft { allow_credentials: false, ..cors };
        assert_eq!(reasons(without).contains(&warning), is_refused, "{why}: {origin}");
    }
}

#[test]
fn a_host_beyond_ascii_is_shown_as_browsers_send_it() {
    for (host, want) in [
        ("b\u{fc}cher.example", Some("xn--bcher-kva.example")),
        ("B\u{dc}CHER.example", Some("xn--bcher-kva.example")),
        ("*.b\u{fc}cher.example", Some("*.xn--bcher-kva.example")),
        ("\u{4f8b}\u{3048}.jp", Some("xn--r8jz45g.jp")),
        ("a\u{200d}b.example", None),
    ] {
        assert_eq!(FullKnowledge.punycode(host).as_deref(), want, "{host}");
    }
}
