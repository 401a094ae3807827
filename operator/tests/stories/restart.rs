//! What survives the operator, and what does not.

use std::fs;

use crate::rig::{Place, identity, policy, wait_for};

const ONE: &str = "https://one.example";
const REFUSED: &str = "https://one.example/path";

#[test]
fn a_restart_without_a_change_writes_nothing() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    place.wait_for_published(&["a"]);
    assert_eq!(operator.stop("-TERM"), Some(0));
    let files = [place.published_file(), place.state_file()];
    let before = files.each_ref().map(|file| identity(file));
    let operator = place.start();
    operator.wait_for_in_force("a", 1);
    assert_eq!(files.each_ref().map(|file| identity(file)), before);
    assert_eq!(operator.stop("-INT"), Some(0));
    assert_eq!(files.each_ref().map(|file| identity(file)), before);
}

#[test]
fn what_was_accepted_stays_in_force_though_its_text_was_refused_while_nobody_looked() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    let before = place.wait_for_published(&["a"]);
    operator.stop("-KILL");
    place.write("a.yaml", &policy("a", REFUSED));
    let operator = place.start();
    let said = operator.wait_for_refused("a");
    assert_eq!((&said["generation"], &said["inForce"]["generation"]), (&2.into(), &1.into()));
    assert_eq!(place.wait_for_published(&["a"]), before);
}

#[test]
fn what_was_refused_stays_as_it_was_through_several_restarts() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    let before = place.wait_for_published(&["a"]);
    place.write("a.yaml", &policy("a", REFUSED));
    operator.wait_for_refused("a");
    operator.stop("-KILL");
    for _ in 0..2 {
        let operator = place.start();
        assert_eq!(operator.wait_for_refused("a")["inForce"]["generation"], 1);
        assert_eq!(place.wait_for_published(&["a"]), before);
        operator.stop("-TERM");
    }
}

#[test]
fn a_file_that_became_unreadable_while_nobody_looked_withdraws_nothing() {
    let place = Place::new();
    place.write("both.yaml", &[policy("a", ONE), policy("b", ONE)].join("---\n"));
    let operator = place.start();
    let before = place.wait_for_published(&["a", "b"]);
    operator.stop("-TERM");
    place.write("both.yaml", "spec: [");
    let operator = place.start();
    operator.wait_for_refused("a");
    operator.wait_for_refused("b");
    assert_eq!(place.wait_for_published(&["a", "b"]), before);
}

#[test]
fn a_policy_deleted_while_nobody_looked_is_gone() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    place.wait_for_published(&["a"]);
    operator.stop("-TERM");
    place.remove("a.yaml");
    let operator = place.start();
    place.wait_for_published(&[]);
    place.write("a.yaml", &policy("a", REFUSED));
    assert!(operator.wait_for_refused("a")["inForce"].is_null(), "nor does its memory come back");
}

#[test]
fn a_corrupt_state_file_is_said_and_replaced() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    place.start().stop("-TERM");
    for garbage in ["", "{\"version\": 1", "\u{0}\u{1}"] {
        fs::write(place.state_file(), garbage).unwrap();
        fs::write(place.state_copy(), garbage).unwrap();
        let mut operator = place.start();
        operator.wait_for_in_force("a", 1);
        let said = operator.said("starting without a memory of what was in force");
        assert_eq!(said.len(), 1, "{garbage:?}");
        operator.stop("-TERM");
        assert!(fs::read_to_string(place.state_file()).unwrap().contains(ONE), "{garbage:?}");
    }
}

#[test]
fn a_state_file_that_is_damaged_or_gone_has_a_copy() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    let before = place.wait_for_published(&["a"]);
    place.write("a.yaml", &policy("a", REFUSED));
    operator.wait_for_refused("a");
    operator.stop("-TERM");
    for damage in [|path| fs::write(path, "{").unwrap(), |path| fs::remove_file(path).unwrap()] {
        damage(place.state_file());
        let operator = place.start();
        assert_eq!(operator.wait_for_refused("a")["inForce"]["generation"], 1);
        assert_eq!(place.wait_for_published(&["a"]), before);
        operator.stop("-TERM");
        assert!(fs::read_to_string(place.state_file()).unwrap().contains(ONE), "it is repaired");
    }
}

#[test]
fn whoever_has_forgotten_everything_withdraws_nothing_until_all_is_accepted() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    let before = place.wait_for_published(&["a"]);
    place.write("a.yaml", &policy("a", REFUSED));
    operator.wait_for_refused("a");
    operator.stop("-TERM");
    place.write("b.yaml", &policy("b", ONE));
    for state in [place.state_file(), place.state_copy()] {
        fs::remove_file(state).unwrap();
    }
    for why in ["the first time", "and the second"] {
        let operator = place.start();
        operator.wait_for_refused("a");
        let said = operator.wait_for("b", "held back", |policy| policy["programmed"] == false);
        assert_eq!(said["conditions"][1]["reason"], "NotPublishable", "{why}");
        assert!(operator.get("/metrics").contains("corsward_held_back 1"), "{why}");
        assert_eq!(place.wait_for_published(&["a"]), before, "{why}");
        operator.stop("-TERM");
    }
    let operator = place.start();
    place.write("a.yaml", "spec: [");
    operator.wait_for_problem("CORS-E502");
    assert_eq!(place.wait_for_published(&["a"]), before);
    place.write("a.yaml", &policy("a", ONE));
    place.wait_for_published(&["a", "b"]);
}

#[test]
fn a_file_without_policies_withholds_nothing_though_nothing_is_remembered() {
    let inert = r#"{"v":1,"digest":"","onInvalid":"Keep","compiled":"{\"policies\":[]}"}"#;
    let resource = serde_json::json!({ "typed_config": { "config": { "configuration": { "value": inert } } } });
    for (why, text) in [
        ("what an Envoy needs to start", serde_json::json!({ "resources": [resource] })),
        ("nor a resource", serde_json::json!({ "resources": [] })),
    ] {
        let place = Place::new();
        fs::create_dir_all(place.published_file().parent().unwrap()).unwrap();
        fs::write(place.published_file(), text.to_string()).unwrap();
        place.write("a.yaml", &policy("a", REFUSED));
        place.write("b.yaml", &policy("b", ONE));
        place.write("c.yaml", "spec: [");
        let operator = place.start();
        place.wait_for_published(&["b"]);
        operator.wait_for_in_force("b", 1);
        assert!(operator.wait_for_refused("a")["inForce"].is_null(), "{why}");
        place.write("a.yaml", &policy("a", ONE));
        operator.wait_for_in_force("a", 2);
    }
}

#[test]
fn a_file_that_cannot_be_understood_stays_while_nothing_is_remembered() {
    for text in ["", "resources: nonsense", "resources: [{}]", "\u{0}"] {
        let place = Place::new();
        fs::create_dir_all(place.published_file().parent().unwrap()).unwrap();
        fs::write(place.published_file(), text).unwrap();
        place.write("a.yaml", &policy("a", REFUSED));
        place.write("b.yaml", &policy("b", ONE));
        let operator = place.start();
        operator.wait_for("b", "held back", |policy| policy["programmed"] == false);
        assert_eq!(fs::read_to_string(place.published_file()).unwrap(), text);
        place.remove("a.yaml");
        operator.wait_for_in_force("b", 1);
        place.wait_for_published(&["b"]);
    }
}

#[test]
fn a_state_file_that_could_not_be_written_is_tried_again() {
    let place = Place::new();
    fs::create_dir_all(place.state_file().join("in the way")).unwrap();
    place.write("a.yaml", &policy("a", ONE));
    let mut operator = place.start();
    place.wait_for_published(&["a"]);
    fs::remove_dir_all(place.state_file()).unwrap();
    wait_for("the state file", || place.state_file().is_file().then_some(()));
    wait_for("a line", || {
        (!operator.said("the state file is written again").is_empty()).then_some(())
    });
    let state = fs::read_to_string(place.state_file()).unwrap();
    assert!(state.contains(ONE), "{state}");
}
