//! What survives the operator, and what does not.

use std::fs;

use corsward_test_harness::eventually::eventually;

use crate::harness::{OperatorDirs, identity, policy};

const ONE: &str = "https://one.example";
const REFUSED: &str = "https://one.example/path";

#[test]
fn a_restart_without_a_change_writes_nothing() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    dirs.wait_for_published(&["a"]);
    assert_eq!(operator.stop("-TERM"), Some(0));
    let files = [dirs.published_file(), dirs.state_file()];
    let before = files.each_ref().map(|file| identity(file));
    let operator = dirs.start();
    operator.wait_for_in_force("a", 1);
    assert_eq!(files.each_ref().map(|file| identity(file)), before);
    assert_eq!(operator.stop("-INT"), Some(0));
    assert_eq!(files.each_ref().map(|file| identity(file)), before);
}

#[test]
fn what_was_accepted_stays_in_force_though_its_text_was_refused_while_nobody_looked() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    let before = dirs.wait_for_published(&["a"]);
    operator.stop("-KILL");
    dirs.write("a.yaml", &policy("a", REFUSED));
    let operator = dirs.start();
    let said = operator.wait_for_refused("a");
    assert_eq!((&said["generation"], &said["inForce"]["generation"]), (&2.into(), &1.into()));
    assert_eq!(dirs.wait_for_published(&["a"]), before);
}

#[test]
fn what_was_refused_stays_as_it_was_through_several_restarts() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    let before = dirs.wait_for_published(&["a"]);
    dirs.write("a.yaml", &policy("a", REFUSED));
    operator.wait_for_refused("a");
    operator.stop("-KILL");
    for _ in 0..2 {
        let operator = dirs.start();
        assert_eq!(operator.wait_for_refused("a")["inForce"]["generation"], 1);
        assert_eq!(dirs.wait_for_published(&["a"]), before);
        operator.stop("-TERM");
    }
}

#[test]
fn a_file_that_became_unreadable_while_nobody_looked_withdraws_nothing() {
    let dirs = OperatorDirs::new();
    dirs.write("both.yaml", &[policy("a", ONE), policy("b", ONE)].join("---\n"));
    let operator = dirs.start();
    let before = dirs.wait_for_published(&["a", "b"]);
    operator.stop("-TERM");
    dirs.write("both.yaml", "spec: [");
    let operator = dirs.start();
    operator.wait_for_refused("a");
    operator.wait_for_refused("b");
    assert_eq!(dirs.wait_for_published(&["a", "b"]), before);
}

#[test]
fn a_policy_deleted_while_nobody_looked_is_gone() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    dirs.wait_for_published(&["a"]);
    operator.stop("-TERM");
    dirs.remove("a.yaml");
    let operator = dirs.start();
    dirs.wait_for_published(&[]);
    dirs.write("a.yaml", &policy("a", REFUSED));
    assert!(operator.wait_for_refused("a")["inForce"].is_null(), "nor does its memory come back");
}

#[test]
fn a_corrupt_state_file_is_said_and_replaced() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    dirs.start().stop("-TERM");
    for garbage in ["", "{\"version\": 1", "\u{0}\u{1}"] {
        fs::write(dirs.state_file(), garbage).unwrap();
        fs::write(dirs.state_copy(), garbage).unwrap();
        let mut operator = dirs.start();
        operator.wait_for_in_force("a", 1);
        let said = operator.wait_for_said("starting without the configuration that was in force");
        assert_eq!(said, 1, "{garbage:?}");
        operator.stop("-TERM");
        assert!(fs::read_to_string(dirs.state_file()).unwrap().contains(ONE), "{garbage:?}");
    }
}

#[test]
fn a_state_file_that_is_damaged_or_gone_has_a_copy() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    let before = dirs.wait_for_published(&["a"]);
    dirs.write("a.yaml", &policy("a", REFUSED));
    operator.wait_for_refused("a");
    operator.stop("-TERM");
    for damage in [|path| fs::write(path, "{").unwrap(), |path| fs::remove_file(path).unwrap()] {
        damage(dirs.state_file());
        let operator = dirs.start();
        assert_eq!(operator.wait_for_refused("a")["inForce"]["generation"], 1);
        assert_eq!(dirs.wait_for_published(&["a"]), before);
        operator.stop("-TERM");
        assert!(fs::read_to_string(dirs.state_file()).unwrap().contains(ONE), "it is repaired");
    }
}

#[test]
fn whoever_has_forgotten_everything_withdraws_nothing_until_all_is_accepted() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    let before = dirs.wait_for_published(&["a"]);
    dirs.write("a.yaml", &policy("a", REFUSED));
    operator.wait_for_refused("a");
    operator.stop("-TERM");
    dirs.write("b.yaml", &policy("b", ONE));
    for state in [dirs.state_file(), dirs.state_copy()] {
        fs::remove_file(state).unwrap();
    }
    for why in ["the first time", "and the second"] {
        let operator = dirs.start();
        operator.wait_for_refused("a");
        let said = operator.wait_for("b", "held back", |policy| policy["programmed"] == false);
        assert_eq!(said["conditions"][1]["reason"], "NotPublishable", "{why}");
        assert!(
            operator.get("/metrics").unwrap().contains("corsward_unpublishable_policies 1"),
            "{why}"
        );
        assert_eq!(dirs.wait_for_published(&["a"]), before, "{why}");
        operator.stop("-TERM");
    }
    let operator = dirs.start();
    dirs.write("a.yaml", "spec: [");
    operator.wait_for_problem("CORS-E502");
    assert_eq!(dirs.wait_for_published(&["a"]), before);
    dirs.write("a.yaml", &policy("a", ONE));
    dirs.wait_for_published(&["a", "b"]);
}

#[test]
fn a_file_without_policies_withholds_nothing_though_nothing_is_remembered() {
    let inert = r#"{"v":1,"digest":"","onInvalid":"Keep","compiled":"{\"policies\":[]}"}"#;
    let resource = serde_json::json!({ "typed_config": { "config": { "configuration": { "value": inert } } } });
    for (why, text) in [
        ("what an Envoy needs to start", serde_json::json!({ "resources": [resource] })),
        ("nor a resource", serde_json::json!({ "resources": [] })),
    ] {
        let dirs = OperatorDirs::new();
        fs::create_dir_all(dirs.published_file().parent().unwrap()).unwrap();
        fs::write(dirs.published_file(), text.to_string()).unwrap();
        dirs.write("a.yaml", &policy("a", REFUSED));
        dirs.write("b.yaml", &policy("b", ONE));
        dirs.write("c.yaml", "spec: [");
        let operator = dirs.start();
        dirs.wait_for_published(&["b"]);
        operator.wait_for_in_force("b", 1);
        assert!(operator.wait_for_refused("a")["inForce"].is_null(), "{why}");
        dirs.write("a.yaml", &policy("a", ONE));
        operator.wait_for_in_force("a", 2);
    }
}

#[test]
fn a_file_that_cannot_be_understood_stays_while_nothing_is_remembered() {
    for text in ["", "resources: nonsense", "resources: [{}]", "\u{0}"] {
        let dirs = OperatorDirs::new();
        fs::create_dir_all(dirs.published_file().parent().unwrap()).unwrap();
        fs::write(dirs.published_file(), text).unwrap();
        dirs.write("a.yaml", &policy("a", REFUSED));
        dirs.write("b.yaml", &policy("b", ONE));
        let operator = dirs.start();
        operator.wait_for("b", "held back", |policy| policy["programmed"] == false);
        assert_eq!(fs::read_to_string(dirs.published_file()).unwrap(), text);
        dirs.remove("a.yaml");
        operator.wait_for_in_force("b", 1);
        dirs.wait_for_published(&["b"]);
    }
}

#[test]
fn a_state_file_that_could_not_be_written_is_tried_again() {
    let dirs = OperatorDirs::new();
    fs::create_dir_all(dirs.state_file().join("in the way")).unwrap();
    dirs.write("a.yaml", &policy("a", ONE));
    let mut operator = dirs.start();
    dirs.wait_for_published(&["a"]);
    fs::remove_dir_all(dirs.state_file()).unwrap();
    eventually("the state file", || dirs.state_file().is_file()).unwrap();
    eventually("a line", || !operator.said("wrote the state file again").is_empty()).unwrap();
    let state = fs::read_to_string(dirs.state_file()).unwrap();
    assert!(state.contains(ONE), "{state}");
}
