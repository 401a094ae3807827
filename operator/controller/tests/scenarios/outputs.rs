//! What comes out: the file, the admin address, the exit code.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use corsward_test_harness::eventually::eventually;

use crate::harness::{OperatorDirs, corsward, identity, policy};

const ONE: &str = "https://one.example";

#[test]
fn what_somebody_removed_or_changed_is_written_again() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let _operator = dirs.start();
    let whole = fs::read(dirs.published_file()).unwrap();
    fs::remove_file(dirs.published_file()).unwrap();
    eventually("the file to come back", || {
        (fs::read(dirs.published_file()).ok()? == whole).then_some(())
    })
    .unwrap();
}

#[test]
fn a_publication_that_fails_is_said_and_tried_again() {
    let dirs = OperatorDirs::new();
    // A folder of that name, with something in it, cannot be replaced by a file.
    fs::create_dir_all(dirs.published_file().join("x")).unwrap();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start_unready();
    let said = operator.wait_for("a", "not published", |policy| policy["programmed"] == false);
    assert_eq!(said["conditions"][1]["reason"], "Reconciling");
    assert!(said["inForce"].is_null());
    assert!(operator.status("/readyz").unwrap() == 503);
    // Saved before it is published: whoever stops in between takes nothing back.
    assert!(fs::read_to_string(dirs.state_file()).unwrap().contains(ONE));
    fs::remove_dir_all(dirs.published_file()).unwrap();
    operator.wait_for_in_force("a", 1);
    assert!(operator.status("/readyz").unwrap() == 200);
}

#[test]
fn too_much_for_one_proxy_is_held_back() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    dirs.wait_for_published(&["a"]);
    for name in ["b", "c", "d"] {
        let origins = (0..13_000).map(|at| format!("'https://{name}{at:020}.shop.example'"));
        let origins = origins.collect::<Vec<_>>().join(", ");
        dirs.write(
            &format!("{name}.yaml"),
            &policy(name, ONE).replace(&format!("'{ONE}'"), &origins),
        );
    }
    let said = operator
        .wait_for("d", "held back", |policy| policy["conditions"][1]["reason"] == "NotPublishable");
    assert_eq!(said["accepted"], true);
    // One of them fits beside what was there, and does not wait for the others.
    dirs.wait_for_published(&["a", "b"]);
    operator
        .wait_for("c", "held back", |policy| policy["conditions"][1]["reason"] == "NotPublishable");
    assert!(operator.get("/metrics").unwrap().contains("corsward_unpublishable_policies 2"));
    dirs.remove("a.yaml");
    dirs.wait_for_published(&["b"]);
    dirs.write("a.yaml", &policy("a", ONE));
    for name in ["b", "c", "d"] {
        dirs.remove(&format!("{name}.yaml"));
    }
    dirs.write("b.yaml", &policy("b", ONE));
    dirs.wait_for_published(&["a", "b"]);
}

#[test]
fn an_empty_namespace_keeps_nobody_out() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    dirs.write("b.yaml", &policy("b", ONE).replace("namespace: shop", "namespace: ''"));
    let said = operator.wait_for_in_force("b", 1);
    assert_eq!(said["namespace"], "default");
    dirs.wait_for_published(&["b", "a"]);
}

#[test]
fn what_is_held_back_from_the_start_withdraws_nothing_and_leaves_no_proxy_without_an_answer() {
    let dirs = OperatorDirs::new();
    let origins = (0..16_000).map(|at| format!("'https://{at:050}.shop.example'"));
    let origins = origins.collect::<Vec<_>>().join(", ");
    dirs.write("large.yaml", &policy("large", ONE).replace(&format!("'{ONE}'"), &origins));
    let operator = dirs.start();
    operator.wait_for("large", "held back", |policy| policy["programmed"] == false);
    dirs.wait_for_published(&[]);
    operator.stop("-TERM");
    // Another operator, without a memory, finds what somebody else published.
    fs::write(dirs.published_file(), "theirs").unwrap();
    fs::remove_file(dirs.state_file()).unwrap();
    fs::remove_file(dirs.state_copy()).unwrap();
    let operator = dirs.start();
    operator.wait_for("large", "held back", |policy| policy["programmed"] == false);
    assert_eq!(fs::read_to_string(dirs.published_file()).unwrap(), "theirs");
}

#[test]
fn the_admin_address_tells_its_state() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    dirs.write("b.yaml", "spec: [");
    let operator = dirs.start();
    assert!(operator.status("/healthz").unwrap() == 200);
    assert!(operator.status("/nowhere").unwrap() == 404);
    operator.wait_for_in_force("a", 1);
    operator.wait_for_problem("CORS-E502");
    let metrics = operator.get("/metrics").unwrap();
    for line in [
        "corsward_policies{state=\"accepted\"} 1",
        "corsward_policies{state=\"refused\"} 0",
        "corsward_bundles 1",
        "corsward_publish_total{target=\"file\",result=\"written\"} 1",
        "corsward_source_problems 1",
        "corsward_last_good_age_seconds 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[test]
fn an_operator_that_has_nothing_to_do_writes_nothing() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    operator.wait_for_in_force("a", 1);
    let before = identity(&dirs.published_file());
    dirs.write("other.yaml", "kind: Other\n");
    dirs.write("a.yaml", &format!("# a comment\n{}", policy("a", ONE)));
    dirs.write("b.yaml", &policy("b", &format!("{ONE}/path")));
    operator.wait_for_refused("b");
    assert_eq!(identity(&dirs.published_file()), before);
}

#[test]
fn what_is_missing_at_the_start_is_said_in_a_sentence() {
    let dirs = OperatorDirs::new();
    fs::remove_dir(dirs.policies()).unwrap();
    let run = |admin: &str| {
        let args = dirs.args(admin);
        let output = corsward(&args.iter().map(String::as_str).collect::<Vec<_>>(), "");
        (output.code, output.err)
    };
    let (code, said) = run("127.0.0.1:0");
    assert_eq!(code, Some(2));
    assert!(said.contains("error: cannot watch the folder"), "{said}");
    fs::create_dir(dirs.policies()).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, said) = run(&taken.local_addr().unwrap().to_string());
    assert_eq!(code, Some(2));
    assert!(said.contains("choose another by --admin"), "{said}");
}

#[test]
fn pipes_in_the_place_of_its_files_do_not_stop_it() {
    let dirs = OperatorDirs::new();
    fs::create_dir(dirs.published_file().parent().unwrap()).unwrap();
    let pipes = [dirs.published_file(), dirs.state_file(), dirs.state_copy()];
    assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
    dirs.write("a.yaml", &policy("a", ONE));
    let _operator = dirs.start();
    eventually("files in the place of the pipes", || {
        pipes.iter().all(|pipe| fs::metadata(pipe).unwrap().is_file())
    })
    .unwrap();
    dirs.wait_for_published(&["a"]);
}
