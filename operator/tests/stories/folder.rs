//! What people and their tools do to files.

use std::fs;
use std::os::unix::fs::symlink;

use crate::rig::{Place, policy, wait_for};

const ONE: &str = "https://one.example";
const TWO: &str = "https://two.example";
const REFUSED: &str = "https://one.example/path";

#[test]
fn an_empty_folder_publishes_an_explicit_nothing() {
    let place = Place::new();
    let _operator = place.start();
    place.wait_for_published(&[]);
}

#[test]
fn a_policy_is_created_changed_and_deleted() {
    let place = Place::new();
    let operator = place.start();
    let nothing = place.wait_for_published(&[]);
    place.write("a.yaml", &policy("a", ONE));
    operator.wait_for_in_force("a", 1);
    let first = place.wait_for_published(&["a"]);
    place.write("a.yaml", &policy("a", TWO));
    let said = operator.wait_for_in_force("a", 2);
    let second = place.wait_for_published(&["a"]);
    assert_eq!(said["inForce"]["digest"], second);
    assert_eq!(said["inForce"]["spec"]["cors"]["allowOrigins"][0], TWO);
    assert_eq!(said["file"], "a.yaml");
    place.remove("a.yaml");
    assert_eq!(place.wait_for_published(&[]), nothing);
    assert!(first != second && second != nothing);
}

#[test]
fn a_renamed_file_is_never_missing() {
    let place = Place::new();
    place.write("old.yaml", &policy("a", ONE));
    let mut operator = place.start();
    place.rename("old.yaml", "new.yaml");
    operator.wait_for("a", "in the new file", |policy| policy["file"] == "new.yaml");
    fs::copy(place.policies().join("new.yaml"), place.policies().join("copy.yaml")).unwrap();
    place.remove("new.yaml");
    operator.wait_for("a", "in the copy", |policy| policy["file"] == "copy.yaml");
    assert_eq!(operator.said("published").len(), 1, "nothing but the first was published");
    assert_eq!(operator.said("gone").len(), 0);
    assert_eq!(operator.report()["files"].as_array().unwrap().len(), 0, "no conflict is left");
}

#[test]
fn a_name_that_leads_to_no_file_leaves_its_policies_in_force() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    operator.wait_for_in_force("a", 1);
    symlink("/nonexistent/a.yaml", place.policies().join("soon.yaml")).unwrap();
    fs::rename(place.policies().join("soon.yaml"), place.policies().join("a.yaml")).unwrap();
    let said = operator.wait_for_refused("a");
    assert_eq!(said["inForce"]["generation"], 1);
    place.wait_for_published(&["a"]);
}

#[test]
fn a_half_written_file_leaves_its_policies_in_force() {
    let place = Place::new();
    let whole = [policy("a", ONE), policy("b", ONE)].join("---\n");
    place.write("both.yaml", &whole);
    let mut operator = place.start();
    for half in ["apiVersion: corsward.io/v1alpha1\nspec: {cors: [", ""] {
        place.write("both.yaml", half);
        let said = operator.wait_for_refused("b");
        assert_eq!(said["inForce"]["generation"], 1);
        place.wait_for_published(&["a", "b"]);
        place.write("both.yaml", &whole);
        operator.wait_for("b", "whole again", |policy| policy["programmed"] == true);
    }
    assert_eq!(operator.said("published").len(), 1, "the bytes have not changed");
}

#[test]
fn a_file_may_hold_several_documents_and_a_folder_anything_else() {
    let place = Place::new();
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n";
    let several = [policy("a", ONE), service.to_owned(), policy("b", ONE)].join("---\n");
    place.write("two.yaml", &several);
    place.write("kustomization.yml", "resources: [two.yaml]\n");
    place.write("README.md", "- [\n");
    place.write(".hidden.yaml", &policy("hidden", ONE));
    let json = r#"{"apiVersion": "corsward.io/v1alpha1", "kind": "CorsPolicy", "metadata": {"namespace": "shop", "name": "c"},
        "spec": {"hostnames": ["c.shop.example"], "cors": {"allowOrigins": ["https://one.example"]}}}"#;
    place.write("c.json", json);
    let operator = place.start();
    place.wait_for_published(&["a", "b", "c"]);
    assert_eq!(operator.report()["files"].as_array().unwrap().len(), 0);
}

#[test]
fn a_refused_text_is_said_and_leaves_the_accepted_one_in_force() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let mut operator = place.start();
    let before = place.wait_for_published(&["a"]);
    place.write("a.yaml", &policy("a", REFUSED));
    let said = operator.wait_for_refused("a");
    assert_eq!(said["programmed"], false);
    assert_eq!(said["generation"], 2);
    assert_eq!(said["inForce"]["generation"], 1);
    assert_eq!(said["findings"][0]["field"], "spec.cors.allowOrigins[0]");
    assert_eq!(said["findings"][0]["severity"], "refusal");
    assert_eq!(place.wait_for_published(&["a"]), before);
    assert_eq!(operator.said("refused; what was accepted before stays in force").len(), 1);
    place.write("a.yaml", &policy("a", TWO));
    operator.wait_for_in_force("a", 3);
    assert_ne!(place.wait_for_published(&["a"]), before);
}

#[test]
fn a_policy_refused_from_the_start_does_not_keep_the_others_out() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", REFUSED));
    place.write("b.yaml", &policy("b", ONE));
    let operator = place.start();
    place.wait_for_published(&["b"]);
    assert!(operator.wait_for_refused("a")["inForce"].is_null());
}

#[test]
fn a_log_line_of_a_finding_names_the_file() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", REFUSED));
    let mut operator = place.start();
    let line =
        wait_for("the refusal", || operator.said("refused; nothing of it is in force").pop());
    assert_eq!(line["file"], "a.yaml");
    let finding = wait_for("the finding", || operator.said_of("CORS-E107").pop());
    assert_eq!(
        (&finding["file"], &finding["field"]),
        (&"a.yaml".into(), &"spec.cors.allowOrigins[0]".into())
    );
}

#[test]
fn that_no_policy_is_in_force_is_said_whenever_it_becomes_so() {
    let place = Place::new();
    place.write("deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n");
    let mut operator = place.start();
    let none = "no policy is in force: requests pass as if there were no filter";
    let mut until_said = |times: usize| {
        wait_for("the line", || (operator.said(none).len() == times).then_some(()));
    };
    until_said(1);
    place.write("a.yaml", &policy("a", REFUSED));
    place.write("b.yaml", &policy("b", ONE));
    place.wait_for_published(&["b"]);
    until_said(1);
    place.remove("b.yaml");
    until_said(2);
    let read = operator.said("the folder holds no policy").pop().unwrap();
    assert_eq!(read["others"], 1, "{read}");
}

#[test]
fn an_unknown_field_is_named_with_the_one_that_was_meant() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE).replace("allowOrigins", "allowOrigin"));
    let operator = place.start();
    let said = operator.wait_for_refused("a");
    let finding = &said["findings"][0];
    assert_eq!(
        (&finding["code"], &finding["field"]),
        (&"CORS-E503".into(), &"spec.cors.allowOrigin".into())
    );
    assert!(finding["message"].as_str().unwrap().contains("allowOrigins"));
}

#[test]
fn of_two_files_with_one_policy_the_older_one_counts() {
    let place = Place::new();
    place.write("z.yaml", &policy("a", ONE));
    let operator = place.start();
    let before = place.wait_for_published(&["a"]);
    place.write("b.yaml", &policy("a", TWO));
    let problem = operator.wait_for_problem("CORS-E506");
    assert_eq!(problem["file"], "b.yaml");
    assert!(problem["findings"][0]["message"].as_str().unwrap().contains("z.yaml"));
    assert_eq!(place.wait_for_published(&["a"]), before);
    place.remove("z.yaml");
    operator.wait_for("a", "the other file's turn", |policy| {
        policy["inForce"]["spec"]["cors"]["allowOrigins"][0] == TWO
    });
}

#[test]
fn of_two_policies_for_the_same_requests_the_loser_names_the_winner() {
    let place = Place::new();
    let everywhere = |name| policy(name, ONE).replace("  hostnames", "  # hostnames");
    place.write("a.yaml", &everywhere("a"));
    place.write("b.yaml", &everywhere("b"));
    let operator = place.start();
    let loser = operator.wait_for("b", "overridden", |policy| policy["overriddenBy"] == "shop/a");
    assert_eq!((&loser["accepted"], &loser["programmed"]), (&true.into(), &false.into()));
    place.remove("a.yaml");
    operator.wait_for("b", "freed", |policy| policy["programmed"] == true);
}

#[test]
fn a_mounted_config_map_is_followed_through_its_swaps() {
    let place = Place::new();
    let folder = place.policies();
    for (version, origin) in [("..1", ONE), ("..2", TWO)] {
        fs::create_dir(folder.join(version)).unwrap();
        fs::write(folder.join(version).join("a.yaml"), policy("a", origin)).unwrap();
    }
    symlink("..1", folder.join("..data")).unwrap();
    symlink("..data/a.yaml", folder.join("a.yaml")).unwrap();
    let operator = place.start();
    operator.wait_for_in_force("a", 1);
    symlink("..2", folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    fs::remove_dir_all(folder.join("..1")).unwrap();
    let said = operator.wait_for_in_force("a", 2);
    assert_eq!(said["inForce"]["spec"]["cors"]["allowOrigins"][0], TWO);
}

#[test]
fn a_folder_that_is_a_link_is_followed_to_where_it_leads_now() {
    let place = Place::new();
    let link = place.policies();
    let (first, second) = (link.with_extension("1"), link.with_extension("2"));
    fs::rename(&link, &first).unwrap();
    fs::create_dir(&second).unwrap();
    symlink(&first, &link).unwrap();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    operator.wait_for_in_force("a", 1);
    fs::write(second.join("a.yaml"), policy("a", TWO)).unwrap();
    symlink(&second, link.with_extension("new")).unwrap();
    fs::rename(link.with_extension("new"), &link).unwrap();
    operator.wait_for_in_force("a", 2);
    place.write("a.yaml", &policy("a", ONE));
    operator.wait_for_in_force("a", 3);
}

#[test]
fn a_folder_that_is_gone_withdraws_nothing() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    let before = place.wait_for_published(&["a"]);
    let aside = place.policies().with_extension("aside");
    fs::rename(place.policies(), &aside).unwrap();
    operator.wait_for_problem("CORS-E501");
    assert_eq!(place.wait_for_published(&["a"]), before);
    fs::rename(&aside, place.policies()).unwrap();
    place.write("a.yaml", &policy("a", TWO));
    operator.wait_for_in_force("a", 2);
    assert_eq!(operator.report()["files"].as_array().unwrap().len(), 0);
}

#[test]
fn a_policy_that_is_off_is_nowhere() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    place.wait_for_published(&["a"]);
    place.write("a.yaml", &policy("a", ONE).replace("spec:", "spec:\n  mode: \"Off\""));
    place.wait_for_published(&[]);
    let said = operator.wait_for("a", "off", |policy| policy["mode"] == "Off");
    assert_eq!(said["conditions"][1]["reason"], "Off");
}

#[test]
fn a_policy_that_is_off_is_nowhere_though_its_text_is_refused() {
    let place = Place::new();
    place.write("a.yaml", &policy("a", ONE));
    let mut operator = place.start();
    place.wait_for_published(&["a"]);
    place.write("a.yaml", &policy("a", REFUSED).replace("spec:", "spec:\n  mode: Off"));
    place.wait_for_published(&[]);
    let said = operator.wait_for_refused("a");
    assert_eq!((&said["mode"], &said["inForce"]["generation"]), (&"Off".into(), &1.into()));
    assert_eq!(operator.said("refused; what was accepted before is switched off").len(), 1);
    operator.stop("-KILL");
    let operator = place.start();
    operator.wait_for_refused("a");
    place.wait_for_published(&[]);
}

#[test]
fn a_file_beyond_the_bound_is_said_and_holds_up_nobody() {
    let place = Place::new();
    place.write("large.yaml", &"- x\n".repeat(4_000_000));
    place.write("a.yaml", &policy("a", ONE));
    let operator = place.start();
    let problem = operator.wait_for_problem("CORS-E508");
    assert_eq!(problem["file"], "large.yaml");
    let message = problem["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("at most 2097152 are read") && message.contains("split"), "{message}");
    place.wait_for_published(&["a"]);
}
