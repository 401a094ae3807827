//! Answers and events in an unexpected order.

use super::*;

#[test]
fn an_answer_that_comes_after_the_end_of_its_object_makes_nobody_believe_in_it() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    let step = stage.reconciler.next(stage.now).unwrap();
    let (place, now, there) = (step.place().clone(), stage.now, applied(&step, 1001, "u"));
    stage.reconciler.see(&place, Some(1001), Some(&there), now);
    stage.reconciler.see(&place, Some(1002), None, now);
    stage.reconciler.wrote(&place, Some(1001), Some(&there), now);
    stage.pass(Duration::from_hours(1));
    assert_eq!(stage.steps(), [apply("repair: create", &a)]);
    assert_eq!(stage.drain_updates(), [published(&a)]);
}

#[test]
fn an_object_that_is_made_anew_while_it_is_deleted_is_deleted_too() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    let step = stage.reconciler.next(stage.now).unwrap();
    let (place, again) = (step.place().clone(), applied(&step, 2002, "u2"));
    stage.done(&step);
    stage.want(&[], &[&a]);
    stage.pass(GRACE);
    let Some(ObjectWrite::Delete { .. }) = stage.reconciler.next(stage.now) else { panic!() };
    stage.reconciler.see(&place, Some(2001), None, stage.now);
    stage.reconciler.see(&place, Some(2002), Some(&again), stage.now);
    stage.reconciler.wrote(&place, None, None, stage.now);
    stage.pass(GRACE);
    let next = stage.reconciler.next(stage.now);
    assert!(matches!(&next, Some(ObjectWrite::Delete { uid, .. }) if uid == "u2"), "{next:?}");
}

#[test]
fn an_object_stays_while_a_foreign_field_keeps_its_replacement_from_its_proxies() {
    let (old, new) = (workloads(&[]), workloads(&[("app", "a")]));
    let mut stage = Stage::plugins();
    stage.want(&[&bundle(&old, "1")], &[]);
    stage.steps();
    let (created, retiring) = (bundle(&new, "1"), bundle(&old, "1"));
    stage.want(&[&created], &[&retiring]);
    assert_eq!(stage.steps(), [apply("create", &created)]);
    stage.meddle(&created.key, |object| {
        object["spec"]["selector"]["matchLabels"]["b"] = "c".into();
    });
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [""; 0], "some pods have no other filter");
    stage.meddle(&created.key, |object| {
        object["spec"]["selector"]["matchLabels"].as_object_mut().unwrap().remove("b");
    });
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [apply("delete", &retiring)]);
}
