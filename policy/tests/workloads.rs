//! Policies that are for some proxies of a bundle, or for one port of theirs.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "clippy allows them in the test itself, and not in its helpers"
)]

use std::borrow::Cow;
use std::collections::BTreeMap;

use corsward_policy::draft::{CorsDraft, Mode, Specificity};
use corsward_policy::limits::{MAX_PLACES_PER_PROXY, MAX_WORKLOAD_LABELS, MAX_WORKLOADS};
use corsward_policy::validate::NoKnowledge;
use corsward_policy::wire::{self, DecodeError};
use corsward_policy::{
    Compiled, Draft, Policy, PolicyId, Request, RequestField, Workload, compile, compile_for,
    decide, validate,
};

/// A request that comes to a port.
struct Arrival(Option<u16>);

impl Request for Arrival {
    fn field(&self, field: RequestField) -> Option<Cow<'_, [u8]>> {
        (field == RequestField::Origin).then_some(Cow::Borrowed(b"https://a.example"))
    }

    fn destination_port(&self) -> Option<u16> {
        self.0
    }
}

/// A request of which nobody may ask for the port.
struct Portless;

impl Request for Portless {
    fn field(&self, field: RequestField) -> Option<Cow<'_, [u8]>> {
        Arrival(None).field(field).map(|value| Cow::Owned(value.into_owned()))
    }

    fn destination_port(&self) -> Option<u16> {
        panic!("the port was asked for")
    }
}

fn draft(name: &str) -> Draft {
    let cors =
        CorsDraft { allow_origins: vec!["https://a.example".to_owned()], ..CorsDraft::default() };
    let id = PolicyId { namespace: "shop".to_owned(), name: name.to_owned() };
    Draft { id, cors: Some(cors), ..Draft::default() }
}

fn accepted(draft: &Draft) -> Policy {
    validate(draft, &NoKnowledge).policy.expect("the drafts here are valid")
}

/// A selector's policy, closer than that of the namespace.
fn close(name: &str) -> Policy {
    accepted(&Draft { specificity: Specificity::Workload, ..draft(name) })
}

fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn workload(of: &[(&str, &str)], port: Option<u16>) -> Workload {
    Workload { labels: labels(of), port }
}

/// What is left in a proxy with these labels.
fn in_proxy(compiled: &Compiled, own: &[(&str, &str)]) -> Compiled {
    compiled.for_proxy(&mut |key, value| own.contains(&(key, value)))
}

fn names(compiled: &Compiled) -> Vec<&str> {
    compiled.policies().map(|id| id.name.as_str()).collect()
}

/// Who decides about a request that comes to this port.
fn decider(compiled: &Compiled, port: Option<u16>) -> Option<String> {
    let verdict = decide(compiled, &Arrival(port)).verdict?;
    Some(verdict.policy().name.clone())
}

#[test]
fn a_policy_is_for_the_proxies_that_have_all_the_labels_of_one_of_its_workloads() {
    let (api, all) = (close("api"), accepted(&draft("all")));
    let workloads =
        [workload(&[("app", "api"), ("tier", "web")], None), workload(&[("app", "shop")], None)];
    let compiled = compile_for(&[(&api, &workloads), (&all, &[])]);
    assert_eq!(names(&compiled), ["all", "api"]);
    assert!(compiled.needs_labels());
    for (why, own, want, who) in [
        (
            "all labels of the first",
            &[("app", "api"), ("tier", "web")][..],
            &["all", "api"][..],
            "api",
        ),
        ("and others", &[("app", "api"), ("tier", "web"), ("x", "y")], &["all", "api"], "api"),
        ("the second", &[("app", "shop")], &["all", "api"], "api"),
        ("one label is not all", &[("app", "api")], &["all"], "all"),
        ("another value", &[("app", "API"), ("tier", "web")], &["all"], "all"),
        ("no labels", &[], &["all"], "all"),
    ] {
        let here = in_proxy(&compiled, own);
        assert_eq!(names(&here), want, "{why}");
        assert_eq!(decider(&here, None).as_deref(), Some(who), "{why}");
        assert!(!here.needs_labels(), "{why}");
    }
}

#[test]
fn a_policy_for_other_proxies_is_as_none() {
    let api = close("api");
    let compiled = compile_for(&[(&api, &[workload(&[("app", "api")], None)])]);
    assert_eq!(in_proxy(&compiled, &[("app", "web")]), compile(&[]));
    assert_eq!(in_proxy(&compiled, &[("app", "api")]), compile(&[&api]));
    assert_eq!(decider(&compiled, None), None, "nobody has said which proxy it is");
}

#[test]
fn a_port_selects_among_the_policies_of_a_proxy() {
    let (api, admin, all) = (close("api"), close("admin"), accepted(&draft("all")));
    let compiled = compile_for(&[
        (&api, &[workload(&[("app", "api")], Some(8080)), workload(&[("app", "api")], Some(8443))]),
        (&admin, &[workload(&[("app", "api")], Some(9000))]),
        (&all, &[]),
    ]);
    let here = in_proxy(&compiled, &[("app", "api")]);
    for (port, want) in [
        (Some(8080), "api"),
        (Some(8443), "api"),
        (Some(9000), "admin"),
        (Some(80), "all"),
        (None, "all"),
    ] {
        assert_eq!(decider(&here, port).as_deref(), Some(want), "{port:?}");
    }
    assert_eq!(decider(&in_proxy(&compiled, &[]), Some(8080)).as_deref(), Some("all"));
}

#[test]
fn a_port_without_labels_is_that_of_every_proxy() {
    let api = close("api");
    let compiled = compile_for(&[(&api, &[workload(&[], Some(8080))])]);
    assert!(!compiled.needs_labels());
    for here in [&compiled, &in_proxy(&compiled, &[])] {
        assert_eq!(decider(here, Some(8080)).as_deref(), Some("api"));
        assert_eq!(decider(here, Some(8081)), None);
    }
}

#[test]
fn a_port_is_asked_for_only_where_it_matters_in_this_proxy() {
    let (api, all) = (close("api"), accepted(&draft("all")));
    let plain = compile(&[&api, &all]);
    let elsewhere = compile_for(&[(&api, &[workload(&[("app", "api")], Some(80))]), (&all, &[])]);
    for compiled in [plain, in_proxy(&elsewhere, &[])] {
        assert!(decide(&compiled, &Portless).verdict.is_some());
    }
}

#[test]
fn a_workload_that_says_nothing_and_one_without_a_port_take_the_others_in() {
    let api = close("api");
    let plain = compile(&[&api]);
    let nothing = [workload(&[("app", "api")], None), workload(&[], None)];
    assert_eq!(compile_for(&[(&api, &nothing)]), plain);
    let port = [workload(&[("app", "api")], Some(80)), workload(&[("app", "api")], None)];
    assert_eq!(in_proxy(&compile_for(&[(&api, &port)]), &[("app", "api")]), plain);
}

#[test]
fn a_dry_run_is_narrowed_as_well() {
    let api = accepted(&Draft { mode: Mode::DryRun, ..draft("api") });
    let compiled = compile_for(&[(&api, &[workload(&[], Some(8080))])]);
    let has_shadow = |port| decide(&compiled, &Arrival(Some(port))).shadow.is_some();
    assert!(has_shadow(8080));
    assert!(!has_shadow(80));
}

#[test]
fn a_policy_is_overridden_where_another_wins_on_all_of_its_ports() {
    let older = accepted(&Draft { created: Some(1), ..draft("older") });
    let newer = accepted(&Draft { created: Some(2), ..draft("newer") });
    let (both, one) =
        ([workload(&[], Some(80)), workload(&[], Some(81))], [workload(&[], Some(80))]);
    for (why, older_is_for, newer_is_for, want) in [
        ("everywhere", &[][..], &one[..], true),
        ("on the same port", &one, &one, true),
        ("on one of two ports", &one, &both, false),
        ("on both", &both, &both, true),
        ("on one port of all", &one, &[], false),
    ] {
        let compiled = compile_for(&[(&newer, newer_is_for), (&older, older_is_for)]);
        let overridden = compiled.overridden();
        assert_eq!(!overridden.is_empty(), want, "{why}");
        assert!(
            overridden.iter().all(|(loser, winner)| (loser, winner) == (newer.id(), older.id()))
        );
    }
}

#[test]
fn equal_workloads_give_equal_bytes_and_survive_the_wire() {
    let (api, all) = (close("api"), accepted(&draft("all")));
    let (a, b) = (workload(&[("b", "2"), ("a", "1")], Some(80)), workload(&[("app", "api")], None));
    let one = compile_for(&[(&api, &[a.clone(), b.clone()]), (&all, &[])]);
    let other = compile_for(&[(&all, &[]), (&api, &[b.clone(), a, b])]);
    let text = wire::encode(&one);
    assert_eq!(wire::encode(&other), text);
    assert!(
        text.contains(
            r#""workloads":[{"labels":{"a":"1","b":"2"},"port":80},{"labels":{"app":"api"}}]"#
        ),
        "{text}"
    );
    let decoded = wire::decode(&text).unwrap();
    assert_eq!((&decoded, wire::encode(&decoded)), (&one, text));
    assert!(!wire::encode(&compile(&[&all])).contains("workloads"));
}

/// A configuration with one policy that has these workloads.
fn configuration(workloads: &str) -> String {
    format!(
        r#"{{"policies":[{{"namespace":"shop","name":"api","workloads":{workloads},"blocks":[{{"cors":{{}}}}]}}]}}"#
    )
}

#[test]
fn what_no_publisher_writes_is_refused_and_named() {
    let key = |len: usize| format!(r#"[{{"labels":{{"{}":"v"}}}}]"#, "k".repeat(len));
    let value = |len: usize| format!(r#"[{{"labels":{{"k":"{}"}}}}]"#, "v".repeat(len));
    let labels = |count: usize| {
        let labels: Vec<_> = (0..count).map(|n| format!(r#""k{n}":"v""#)).collect();
        format!(r#"[{{"labels":{{{}}}}}]"#, labels.join(","))
    };
    let many = |count: usize| {
        let all: Vec<_> = (1..=count).map(|port| format!(r#"{{"port":{port}}}"#)).collect();
        format!("[{}]", all.join(","))
    };
    let first = "policies[0].workloads[0]";
    for (why, workloads, want) in [
        ("the longest key", key(317), None),
        ("a longer one", key(318), Some(format!("{first}.labels"))),
        ("the longest value", value(63), None),
        ("a longer one", value(64), Some(format!("{first}.labels"))),
        ("no key", key(0), Some(format!("{first}.labels"))),
        ("no value", value(0), None),
        ("as many labels as there may be", labels(MAX_WORKLOAD_LABELS), None),
        ("more", labels(MAX_WORKLOAD_LABELS + 1), Some(format!("{first}.labels"))),
        ("as many workloads as there may be", many(MAX_WORKLOADS), None),
        ("more", many(MAX_WORKLOADS + 1), Some("policies[0].workloads".to_owned())),
        (
            "a key of other characters",
            r#"[{"labels":{"a\u0000b":"v"}}]"#.to_owned(),
            Some(format!("{first}.labels")),
        ),
        (
            "a value of other characters",
            r#"[{"labels":{"a":"v v"}}]"#.to_owned(),
            Some(format!("{first}.labels")),
        ),
        (
            "a key twice",
            r#"[{"labels":{"a":"v","b":"v","a":"v"}}]"#.to_owned(),
            Some(format!("{first}.labels")),
        ),
        ("a value that is no string", r#"[{"labels":{"a":1}}]"#.to_owned(), Some(first.to_owned())),
        ("labels in a list", r#"[{"labels":["a"]}]"#.to_owned(), Some(format!("{first}.labels"))),
        ("port 0", r#"[{"port":0}]"#.to_owned(), Some(format!("{first}.port"))),
        ("port 65536", r#"[{"port":65536}]"#.to_owned(), Some(format!("{first}.port"))),
        ("a port as text", r#"[{"port":"80"}]"#.to_owned(), Some(format!("{first}.port"))),
        ("nothing in it", "[{}]".to_owned(), Some(first.to_owned())),
        ("something else in it", r#"[{"port":80,"x":1}]"#.to_owned(), Some(format!("{first}.x"))),
        ("no list", "{}".to_owned(), Some("policies[0].workloads".to_owned())),
        ("no object", "[1]".to_owned(), Some(first.to_owned())),
    ] {
        let field = match wire::decode(&configuration(&workloads)) {
            Ok(_) => None,
            Err(DecodeError::Value { field, .. }) => Some(field),
            Err(other) => panic!("{why}: {other}"),
        };
        assert_eq!(field, want, "{why}");
    }
}

#[test]
fn ports_hosts_and_rules_are_bounded_together() {
    let hosts = |count: usize| {
        let hosts: Vec<_> = (0..count).map(|n| format!(r#""h{n}.example""#)).collect();
        format!(
            r#"{{"policies":[{{"namespace":"shop","name":"api","hosts":[{}],"workloads":[{{"port":1}}],"blocks":[{{"cors":{{}}}}]}}]}}"#,
            hosts.join(",")
        )
    };
    // One table for the port, and one for all others.
    assert!(wire::decode(&hosts(MAX_PLACES_PER_PROXY / 2)).is_ok());
    assert!(wire::decode(&hosts(MAX_PLACES_PER_PROXY / 2 + 1)).is_err());
}
