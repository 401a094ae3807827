//! Objects of a kind that was written before.

use super::*;

fn former(namespace: &str, name: &str) -> Leftover {
    let Output::Istio { module, .. } = wasm_plugins() else { panic!("not Istio's") };
    let before = Output::Istio { kind: IstioKind::TrafficExtension, module };
    let place = Key { namespace: namespace.into(), name: name.into() };
    Leftover { resource: before.resource(), place, uid: format!("former/{namespace}") }
}

#[test]
fn an_object_of_a_replaced_kind_goes_after_the_grace_of_all_that_replaces_it() {
    let (a, b) = (bundle(&workloads(&[]), "1"), bundle(&gateway("g"), "1"));
    let mut stage = Stage::plugins();
    let name = a.key.object_name();
    stage.reconciler.add_leftovers(vec![former("shop", &name), former("other", &name)], stage.now);
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [""; 0], "what is wanted is not known yet");
    stage.want(&[&a, &b], &[]);
    let first = stage.step();
    stage.pass(GRACE);
    assert!(first.is_some_and(|first| first.starts_with("create")));
    assert_eq!(stage.step().map(|next| next.starts_with("create")), Some(true));
    assert_eq!(stage.steps(), [""; 0], "one object was missing until now");
    stage.now = stage.reconciler.next_deadline(stage.now).unwrap();
    assert_eq!(stage.steps(), [format!("retire {name}")], "nothing replaces the one elsewhere");
    assert_eq!(stage.drain_updates(), [published(&a), published(&b)]);
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [""; 0]);
}

#[test]
fn an_object_of_a_replaced_kind_stays_while_its_replacement_waits_for_the_module_or_is_gone() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    stage.reconciler.add_leftovers(vec![former("shop", &a.key.object_name())], stage.now);
    stage.reconciler.module_readiness(Some("no server has it".into()), stage.now);
    stage.want(&[&a], &[]);
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [""; 0], "no proxy can fetch the module");
    stage.reconciler.module_readiness(None, stage.now);
    assert_eq!(stage.steps(), [apply("create", &a)]);
    stage.meddle(&a.key, |object| object["spec"]["selector"] = json!({"matchLabels": {"b": ""}}));
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [""; 0], "a foreign field changes what the replacement means");
    stage.meddle(&a.key, |object| drop(object["spec"].as_object_mut().unwrap().remove("selector")));
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [apply("retire", &a)]);
}

#[test]
fn an_object_that_could_not_be_deleted_is_tried_again_unless_a_different_replica_leads() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    stage.steps();
    stage.reconciler.add_leftovers(vec![former("shop", &a.key.object_name())], stage.now);
    stage.pass(GRACE);
    for _ in 0..3 {
        let Some(ObjectWrite::DeleteLeftover(object)) = stage.reconciler.next(stage.now) else {
            panic!()
        };
        assert_eq!(object.uid, "former/shop");
        let listed = vec![object.clone()];
        assert_eq!(stage.reconciler.add_leftovers(listed, stage.now), 0, "it is being deleted");
        stage.reconciler.leftover_failed(object, stage.now);
        assert_eq!(stage.steps(), [""; 0], "not at once");
        stage.now = stage.reconciler.next_deadline(stage.now).unwrap();
    }
    stage.reconciler.lead(false);
    stage.reconciler.lead(true);
    assert_eq!(stage.steps(), [""; 0], "a new leader lists them");
}

#[test]
fn an_object_that_appears_after_the_first_list_is_found_by_a_later_one() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    stage.steps();
    assert_eq!(stage.reconciler.add_leftovers(Vec::new(), stage.now), 0);
    let late = || vec![former("shop", &a.key.object_name())];
    let added = [(); 2].map(|()| stage.reconciler.add_leftovers(late(), stage.now));
    assert_eq!(added, [1, 0], "what is known is not new in the next list");
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [apply("retire", &a)]);
    assert_eq!(stage.reconciler.add_leftovers(late(), stage.now), 0, "a finalizer keeps it");
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [""; 0], "it is deleted once");
}

#[test]
fn nothing_of_a_namespace_goes_while_something_of_it_cannot_be_published() {
    let (a, b) = (bundle(&workloads(&[]), "1"), bundle(&gateway("g"), "1"));
    let mut stage = Stage::plugins();
    stage.want(&[&a, &b], &[]);
    stage.steps();
    stage.reconciler.add_leftovers(vec![former("shop", "corsward-held")], stage.now);
    stage.want(&[&b], &[&a]);
    stage.freeze(&["shop"]);
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [""; 0], "nothing replaces what cannot be published");
    stage.freeze(&["other"]);
    assert_eq!(stage.steps(), [""; 0], "the grace begins now");
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [apply("delete", &a), "retire corsward-held".to_owned()]);
}
