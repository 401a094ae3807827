//! What comes out: the file, the admin address, the exit code.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use crate::rig::{Place, corsward, identity, policy, wait_for};

const ONE: &str = "https://one.example";

#[test]
fn what_somebody_removed_or_changed_is_written_again() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let _operator = place.start();
    let whole = fs::read(place.published_file()).unwrap();
    fs::remove_file(place.published_file()).unwrap();
    wait_for("the file to come back", || {
        (fs::read(place.published_file()).ok()? == whole).then_some(())
    });
}

#[test]
fn a_publication_that_fails_is_said_and_tried_again() {
    let place = Place::new();
    // A folder of that name, with something in it, cannot be replaced by a file.
    fs::create_dir_all(place.published_file().join("x")).unwrap();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start_unready();
    let said = operator.wait_for("a", "not published", |policy| policy["programmed"] == false);
    assert_eq!(said["conditions"][1]["reason"], "Reconciling");
    assert!(said["inForce"].is_null());
    assert!(operator.get("/readyz").starts_with("HTTP/1.1 503"));
    // Saved before it is published: whoever stops in between takes nothing back.
    assert!(fs::read_to_string(place.state_file()).unwrap().contains(ONE));
    fs::remove_dir_all(place.published_file()).unwrap();
    operator.wait_for_in_force("a", 1);
    assert!(operator.get("/readyz").starts_with("HTTP/1.1 200"));
}

#[test]
fn too_much_for_one_proxy_is_held_back() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    place.wait_for_published(&["a"]);
    for name in ["b", "c", "d"] {
        let origins = (0..13_000).map(|at| format!("'https://{name}{at:020}.shop.example'"));
        let origins = origins.collect::<Vec<_>>().join(", ");
        place.write(
            &format!("{name}.yaml"),
            &policy(name, ONE).replace(&format!("'{ONE}'"), &origins),
        );
    }
    let said = operator
        .wait_for("d", "held back", |policy| policy["conditions"][1]["reason"] == "NotPublishable");
    assert_eq!(said["accepted"], true);
    // One of them fits beside what was there, and does not wait for the others.
    place.wait_for_published(&["a", "b"]);
    operator
        .wait_for("c", "held back", |policy| policy["conditions"][1]["reason"] == "NotPublishable");
    assert!(operator.get("/metrics").contains("corsward_held_back 2"));
    place.remove("a.yaml");
    place.wait_for_published(&["b"]);
    place.write("a.yaml", &policy("a", ONE));
    for name in ["b", "c", "d"] {
        place.remove(&format!("{name}.yaml"));
    }
    place.write("b.yaml", &policy("b", ONE));
    place.wait_for_published(&["a", "b"]);
}

#[test]
fn an_empty_namespace_keeps_nobody_out() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    place.write("b.yaml", &policy("b", ONE).replace("namespace: shop", "namespace: ''"));
    let said = operator.wait_for_in_force("b", 1);
    assert_eq!(said["namespace"], "default");
    place.wait_for_published(&["b", "a"]);
}

#[test]
fn what_is_held_back_from_the_start_withdraws_nothing_and_leaves_no_proxy_without_an_answer() {
    let place = Place::new();
    let origins = (0..16_000).map(|at| format!("'https://{at:050}.shop.example'"));
    let origins = origins.collect::<Vec<_>>().join(", ");
    place.write("large.yaml", &policy("large", ONE).replace(&format!("'{ONE}'"), &origins));
    let operator = place.start();
    operator.wait_for("large", "held back", |policy| policy["programmed"] == false);
    place.wait_for_published(&[]);
    operator.stop("-TERM");
    // Another operator, without a memory, finds what somebody else published.
    fs::write(place.published_file(), "theirs").unwrap();
    fs::remove_file(place.state_file()).unwrap();
    fs::remove_file(place.state_copy()).unwrap();
    let operator = place.start();
    operator.wait_for("large", "held back", |policy| policy["programmed"] == false);
    assert_eq!(fs::read_to_string(place.published_file()).unwrap(), "theirs");
}

#[test]
fn the_admin_address_tells_its_state() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    place.write("b.yaml", "spec: [");
    let operator = place.start();
    assert!(operator.get("/healthz").starts_with("HTTP/1.1 200"));
    assert!(operator.get("/nowhere").starts_with("HTTP/1.1 404"));
    operator.wait_for_in_force("a", 1);
    operator.wait_for_problem("CORS-E502");
    let metrics = operator.get("/metrics");
    for line in [
        "corsward_policies{state=\"accepted\"} 1",
        "corsward_policies{state=\"refused\"} 0",
        "corsward_attachments 1",
        "corsward_publishes_total{result=\"written\"} 1",
        "corsward_source_problems 1",
        "corsward_last_good_age_seconds 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[test]
fn an_operator_that_has_nothing_to_do_writes_nothing() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    operator.wait_for_in_force("a", 1);
    let before = identity(&place.published_file());
    place.write("other.yaml", "kind: Other\n");
    place.write("a.yaml", &format!("# a comment\n{}", policy("a", ONE)));
    place.write("b.yaml", &policy("b", &format!("{ONE}/path")));
    operator.wait_for_refused("b");
    assert_eq!(identity(&place.published_file()), before);
}

#[test]
fn what_is_missing_at_the_start_is_said_in_a_sentence() {
    let place = Place::new();
    fs::remove_dir(place.policies()).unwrap();
    let run = |admin: &str| {
        let args = place.args(admin);
        let output = corsward(&args.iter().map(String::as_str).collect::<Vec<_>>(), "");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run("127.0.0.1:0");
    assert_eq!(code, Some(2));
    assert!(said.contains("error: cannot watch the folder"), "{said}");
    fs::create_dir(place.policies()).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, said) = run(&taken.local_addr().unwrap().to_string());
    assert_eq!(code, Some(2));
    assert!(said.contains("choose another by --admin"), "{said}");
}

#[test]
fn pipes_in_the_place_of_its_files_do_not_stop_it() {
    let place = Place::new();
    fs::create_dir(place.published_file().parent().unwrap()).unwrap();
    let pipes = [place.published_file(), place.state_file(), place.state_copy()];
    assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
    place.write("a.yaml", &policy("a", ONE));
    let _operator = place.start();
    wait_for("files in the place of the pipes", || {
        pipes.iter().all(|pipe| fs::metadata(pipe).unwrap().is_file()).then_some(())
    });
    place.wait_for_published(&["a"]);
}
