//! Tests of the plan, with one proxy.

mod cluster;
mod gateways;

use super::*;
use crate::bundle::MAX_LEN;
use crate::capabilities::Reach;
use crate::object::{CheckedObject, Object, Text};
use crate::status::{ConditionType, Reason};
use crate::testing::{GOOD, REFUSED, TestOutcome, carry_out, id, object};
use crate::validation::MAX_SPEC_LEN;
use corsward_policy::wire;
use serde_json::{Value, json};

fn index(objects: impl IntoIterator<Item = Object>) -> Index {
    let mut index = Index::new(Reach::One);
    for object in objects {
        index.apply(object);
    }
    index
}

#[track_caller]
fn reason(plan: &TestOutcome, name: &str, kind: ConditionType) -> (bool, Reason, String) {
    let status = plan.statuses.iter().find(|status| status.policy == id(name)).unwrap();
    let condition = status.condition(kind).unwrap();
    (condition.holds, condition.reason, condition.message.clone())
}

fn with_origins(name: &str, count: usize) -> Object {
    let origins: Vec<Value> =
        (0..count).map(|at| json!(format!("https://tenant-{at:06}.{name}.shop.example"))).collect();
    let hostname = format!("{name}.shop.example");
    object(name, &json!({"hostnames": [hostname], "cors": {"allowOrigins": origins}}))
}

#[test]
fn no_policy_is_an_explicit_nothing() {
    let plan = carry_out(&mut index([]));
    assert_eq!(plan.bundles.len(), 1);
    assert!(wire::decode(&plan.bundles[0].compiled).unwrap().policies().next().is_none());
}

#[test]
fn the_order_in_which_policies_came_does_not_matter() {
    let mut objects: Vec<Object> = (0..8).map(|at| with_origins(&format!("p{at}"), 2)).collect();
    let forward = carry_out(&mut index(objects.clone()));
    objects.reverse();
    assert_eq!(carry_out(&mut index(objects.clone())), forward);
    objects.rotate_left(3);
    assert_eq!(carry_out(&mut index(objects)), forward);
}

#[test]
fn conditions_say_what_holds_and_why() {
    use ConditionType::{Accepted, Programmed};
    let off = json!({"cors": {"allowOrigins": ["https://a.example"]}, "mode": "Off"});
    let dry = json!({"cors": {"allowOrigins": ["https://a.example"]}, "mode": "DryRun"});
    let plan = carry_out(&mut index([
        object("good", &GOOD),
        object("refused", &REFUSED),
        object("off", &off),
        object("dry", &dry),
    ]));
    for (name, kind, want) in [
        ("good", Accepted, (true, Reason::Accepted)),
        ("good", Programmed, (true, Reason::Programmed)),
        ("refused", Accepted, (false, Reason::Invalid)),
        ("refused", Programmed, (false, Reason::Invalid)),
        ("off", Accepted, (true, Reason::Accepted)),
        ("off", Programmed, (false, Reason::Off)),
        ("dry", Programmed, (true, Reason::Programmed)),
    ] {
        let (holds, reason, message) = reason(&plan, name, kind);
        assert_eq!((holds, reason), want, "{name} {kind:?}: {message}");
    }
}

#[test]
fn a_policy_that_wins_nowhere_names_the_winner() {
    let plan = carry_out(&mut index([object("a", &GOOD), object("b", &GOOD)]));
    let (holds, why, message) = reason(&plan, "b", ConditionType::Programmed);
    assert_eq!((holds, why), (false, Reason::Overridden));
    assert!(message.contains("shop/a"), "{message}");
    assert!(reason(&plan, "b", ConditionType::Accepted).0);
    assert!(reason(&plan, "a", ConditionType::Programmed).0);
}

#[test]
fn the_winners_deletion_brings_the_next_into_force() {
    let mut index = index([object("a", &GOOD), object("b", &GOOD)]);
    index.delete(&id("a"));
    assert!(reason(&carry_out(&mut index), "b", ConditionType::Programmed).0);
}

#[test]
fn a_large_bundle_is_published_with_a_warning() {
    let plan = carry_out(&mut index([with_origins("large", 8_000), object("small", &GOOD)]));
    assert_eq!(plan.bundles.len(), 1);
    let codes = |name| {
        let status = plan.statuses.iter().find(|status| status.policy == id(name)).unwrap();
        status.findings.iter().map(Finding::code).collect::<Vec<_>>()
    };
    assert!(codes("large").contains(&"CORS-W521"), "{:?}", codes("large"));
}

fn programmed(plan: &TestOutcome, name: &str) -> (bool, Reason) {
    let (holds, why, _) = reason(plan, name, ConditionType::Programmed);
    (holds, why)
}

#[test]
fn what_does_not_fit_is_unpublishable_and_what_was_in_force_stays() {
    let mut index = index([object("small", &GOOD)]);
    let before = carry_out(&mut index);
    for name in ["large", "larger"] {
        index.apply(with_origins(name, 13_000));
    }
    let plan = carry_out(&mut index);
    assert_eq!(plan.in_force[&id("small")], before.in_force[&id("small")]);
    let (holds, why, message) = reason(&plan, "larger", ConditionType::Programmed);
    assert_eq!((holds, why), (false, Reason::NotPublishable));
    assert!(message.contains("split shop/larger, shop/large;"), "{message}");
    assert!(reason(&plan, "larger", ConditionType::Accepted).0, "there is nothing wrong with it");
    assert!(reason(&plan, "small", ConditionType::Programmed).0, "it is in force as it was");
}

#[test]
fn no_policy_waits_for_another_one_that_does_not_fit() {
    let names = ["a", "b", "c", "d"];
    let mut index = index(names.map(|name| with_origins(name, 12_000)));
    index.apply(object("e", &GOOD));
    let plan = carry_out(&mut index);
    for (name, want) in [
        ("a", (true, Reason::Programmed)),
        ("b", (true, Reason::Programmed)),
        ("c", (false, Reason::NotPublishable)),
        ("d", (false, Reason::NotPublishable)),
        ("e", (true, Reason::Programmed)),
    ] {
        assert_eq!(programmed(&plan, name), want, "{name}");
    }
    // An edit takes effect beside them, and room is taken as soon as there is some.
    index.apply(object("e", &json!({"cors": {"allowOrigins": ["https://e.example"]}})));
    assert!(carry_out(&mut index).bundles[0].compiled.contains("https://e.example"));
    index.delete(&id("a"));
    assert_eq!(programmed(&carry_out(&mut index), "c"), (true, Reason::Programmed));
}

#[test]
fn an_edit_of_the_same_length_does_not_wait_for_one_that_is_too_long() {
    let mut index = index(["b", "c"].map(|name| with_origins(name, 12_000)));
    index.apply(object("a", &GOOD));
    carry_out(&mut index);
    index.apply(with_origins("a", 12_000));
    carry_out(&mut index);
    let spec = with_origins("b", 12_000).text.spec.unwrap();
    let edited = spec.value().to_string().replace("tenant-000000.b", "tenant-999999.b");
    index.apply(object("b", &serde_json::from_str(&edited).unwrap()));
    let plan = carry_out(&mut index);
    assert!(plan.bundles[0].compiled.contains("tenant-999999.b"));
    assert_eq!(programmed(&plan, "b"), (true, Reason::Programmed));
}

#[test]
fn of_many_that_are_too_much_as_many_are_in_force_as_fit() {
    let long = "a".repeat(63);
    let long = [long.as_str(), &long, &long].join(".");
    let of = |at: usize| {
        let origins =
            (0..120).map(|tenant| format!("https://t{tenant:03}.{long}.p{at:02}.example"));
        let origins: Vec<String> = origins.collect();
        let hostname = format!("p{at:02}.shop.example");
        let spec = json!({"hostnames": [hostname], "cors": {"allowOrigins": origins}});
        object(&format!("p{at:02}"), &spec)
    };
    let mut index = index((0..60).map(of));
    index.apply(object("z", &GOOD));
    let plan = carry_out(&mut index);
    let held = plan.statuses.iter().filter(|status| status.is_unpublishable()).count();
    assert!((10..50).contains(&held), "{held} of 60 do not fit");
    assert_eq!(programmed(&plan, "z"), (true, Reason::Programmed));
    assert!(plan.bundles[0].compiled.len() <= MAX_LEN);
    assert!(plan.bundles[0].compiled.len() > MAX_LEN - 40_000, "and none was left out that does");
}

#[test]
fn a_spec_that_an_earlier_release_took_at_any_length_holds_no_other_policy() {
    let long = with_origins("long", 16_000);
    let spec = long.text.spec.clone().unwrap();
    assert!(spec.text_len() > MAX_SPEC_LEN);
    let mut index = index([object("small", &GOOD)]);
    assert!(index.remember(id("long"), 1, &spec.value()));
    index.apply(long);
    let plan = carry_out(&mut index);
    for name in ["long", "small"] {
        assert_eq!(programmed(&plan, name), (true, Reason::Programmed), "{name}");
    }
    let validation = &index.entries()[&id("long")].validation;
    let said: Vec<&str> = validation.findings.iter().map(Finding::code).collect();
    assert!(said.contains(&"CORS-W531"), "{said:?}");
    // An edit of it is refused, and an edit of another policy takes effect.
    let edited = spec.value().to_string().replace("tenant-000000", "tenant-999999");
    index.apply(object("long", &serde_json::from_str(&edited).unwrap()));
    index.apply(object("small", &json!({"cors": {"allowOrigins": ["https://e.example"]}})));
    let plan = carry_out(&mut index);
    let (holds, _, message) = reason(&plan, "long", ConditionType::Accepted);
    assert!(!holds && message.contains("CORS-E531"), "{message}");
    let compiled = &plan.bundles[0].compiled;
    assert!(compiled.contains("https://e.example") && compiled.contains("tenant-000000.long"));
    assert!(!compiled.contains("tenant-999999"));
}

#[test]
fn a_policy_that_is_too_large_by_itself_is_refused_and_its_last_good_version_stays() {
    let mut index = index([object("a", &GOOD), object("b", &GOOD)]);
    let before = carry_out(&mut index);
    let Object { text, .. } = with_origins("a-very-long-name-of-a-tenant", 16_000);
    index.apply(Object { text, ..object("a", &GOOD) });
    let plan = carry_out(&mut index);
    assert_eq!(plan.bundles, before.bundles);
    let asked = CheckedObject::CorsPolicy(Box::new(index.entries()[&id("a")].object.clone()));
    let judged = index.validate(&asked);
    assert_eq!(judged[0].code(), "CORS-E523", "the webhook says the same");
    let (holds, _, message) = reason(&plan, "a", ConditionType::Accepted);
    assert!(!holds && message.contains("CORS-E523"), "{message}");
    let message = reason(&plan, "a", ConditionType::Programmed).2;
    assert!(message.contains("generation 1 is still in force"), "{message}");
}

fn with_regexes(name: &str, mode: &str) -> Object {
    let regexes: Vec<Value> =
        (0..16).map(|at| json!(format!("https://t{at}[0-9]\\.{name}\\.example"))).collect();
    let cors = json!({"allowOriginRegexes": regexes});
    let hostname = format!("{name}.shop.example");
    object(name, &json!({"hostnames": [hostname], "cors": cors, "mode": mode}))
}

/// Carries out 63 policies with 16 regexes each, one small one, and then a plan with two more of 16, of which one fits.
fn crowded() -> Index {
    let mut index = index((0..63).map(|at| with_regexes(&format!("p{at}"), "Active")));
    index.apply(object("small", &GOOD));
    carry_out(&mut index);
    for name in ["late", "later"] {
        index.apply(with_regexes(name, "Active"));
    }
    let held = carry_out(&mut index);
    assert_eq!(programmed(&held, "late"), (true, Reason::Programmed));
    assert_eq!(programmed(&held, "later"), (false, Reason::NotPublishable));
    index
}

#[test]
fn what_does_not_fit_keeps_no_removal_no_off_and_no_edit_from_taking_effect() {
    let names = |plan: &TestOutcome| {
        let compiled = wire::decode(&plan.bundles[0].compiled).unwrap();
        compiled.policies().map(|id| id.name.clone()).collect::<Vec<_>>()
    };
    let mut index = crowded();
    assert!(names(&carry_out(&mut index)).contains(&"small".to_owned()));
    index.delete(&id("small"));
    assert!(!names(&carry_out(&mut index)).contains(&"small".to_owned()), "deleted");
    let mut index = crowded();
    let off = json!({"cors": {"allowOrigins": ["https://a.example"]}, "mode": "Off"});
    index.apply(object("small", &off));
    let plan_off = carry_out(&mut index);
    assert!(!names(&plan_off).contains(&"small".to_owned()), "off");
    assert_eq!(reason(&plan_off, "small", ConditionType::Programmed).1, Reason::Off);
    let mut index = crowded();
    index.apply(object("small", &json!({"cors": {"allowOrigins": ["https://b.example"]}})));
    let edited = carry_out(&mut index);
    assert!(edited.bundles[0].compiled.contains("b.example"), "edited");
    assert!(reason(&edited, "small", ConditionType::Programmed).0);
}

#[test]
fn an_edit_that_does_not_fit_leaves_what_was_in_force_before_it() {
    let mut index = crowded();
    index.delete(&id("late"));
    carry_out(&mut index);
    let Object { text, .. } = with_regexes("small", "Active");
    index.apply(Object { text, ..object("small", &GOOD) });
    let edited = carry_out(&mut index);
    let (_, why, message) = reason(&edited, "small", ConditionType::Programmed);
    assert_eq!(why, Reason::NotPublishable);
    assert!(message.contains("generation 1 is still in force"), "{message}");
    assert!(edited.bundles[0].compiled.contains("a.example"));
}

#[test]
fn a_name_and_a_spec_are_all_that_counts() {
    let placed = |place: &str| Object { place: Some(place.into()), ..object("a", &GOOD) };
    assert_eq!(
        carry_out(&mut index([placed("a.yaml")])).bundles,
        carry_out(&mut index([placed("b.yaml")])).bundles
    );
    let broken = Object { text: Text::default(), ..object("a", &GOOD) };
    assert_eq!(carry_out(&mut index([broken])).in_force, BTreeMap::new());
}
