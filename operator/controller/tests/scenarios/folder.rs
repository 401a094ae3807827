//! What people and their tools do to files.

use std::fs;
use std::os::unix::fs::symlink;

use corsward_test_harness::eventually::eventually;

use crate::harness::{OperatorDirs, policy};

const ONE: &str = "https://one.example";
const TWO: &str = "https://two.example";
const REFUSED: &str = "https://one.example/path";

#[test]
fn an_empty_folder_publishes_an_explicit_nothing() {
    let dirs = OperatorDirs::new();
    let _operator = dirs.start();
    dirs.wait_for_published(&[]);
}

#[test]
fn a_policy_is_created_changed_and_deleted() {
    let dirs = OperatorDirs::new();
    let operator = dirs.start();
    let nothing = dirs.wait_for_published(&[]);
    dirs.write("a.yaml", &policy("a", ONE));
    operator.wait_for_in_force("a", 1);
    let first = dirs.wait_for_published(&["a"]);
    dirs.write("a.yaml", &policy("a", TWO));
    let said = operator.wait_for_in_force("a", 2);
    let second = dirs.wait_for_published(&["a"]);
    assert_eq!(said["inForce"]["digest"], second);
    assert_eq!(said["inForce"]["spec"]["cors"]["allowOrigins"][0], TWO);
    assert_eq!(said["file"], "a.yaml");
    dirs.remove("a.yaml");
    assert_eq!(dirs.wait_for_published(&[]), nothing);
    assert!(first != second && second != nothing);
}

#[test]
fn a_renamed_file_is_never_missing() {
    let dirs = OperatorDirs::new();
    dirs.write("old.yaml", &policy("a", ONE));
    let mut operator = dirs.start();
    dirs.rename("old.yaml", "new.yaml");
    operator.wait_for("a", "in the new file", |policy| policy["file"] == "new.yaml");
    fs::copy(dirs.policies().join("new.yaml"), dirs.policies().join("copy.yaml")).unwrap();
    dirs.remove("new.yaml");
    operator.wait_for("a", "in the copy", |policy| policy["file"] == "copy.yaml");
    assert_eq!(operator.wait_for_said("published"), 1, "nothing but the first was published");
    assert_eq!(operator.said("gone").len(), 0);
    assert_eq!(operator.report()["files"].as_array().unwrap().len(), 0, "no conflict is left");
}

#[test]
fn a_name_that_leads_to_no_file_leaves_its_policies_in_force() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    operator.wait_for_in_force("a", 1);
    symlink("/nonexistent/a.yaml", dirs.policies().join("soon.yaml")).unwrap();
    fs::rename(dirs.policies().join("soon.yaml"), dirs.policies().join("a.yaml")).unwrap();
    let said = operator.wait_for_refused("a");
    assert_eq!(said["inForce"]["generation"], 1);
    dirs.wait_for_published(&["a"]);
}

#[test]
fn a_half_written_file_leaves_its_policies_in_force() {
    let dirs = OperatorDirs::new();
    let whole = [policy("a", ONE), policy("b", ONE)].join("---\n");
    dirs.write("both.yaml", &whole);
    let mut operator = dirs.start();
    for half in ["apiVersion: corsward.io/v1alpha1\nspec: {cors: [", ""] {
        dirs.write("both.yaml", half);
        let said = operator.wait_for_refused("b");
        assert_eq!(said["inForce"]["generation"], 1);
        dirs.wait_for_published(&["a", "b"]);
        dirs.write("both.yaml", &whole);
        operator.wait_for("b", "whole again", |policy| policy["programmed"] == true);
    }
    assert_eq!(operator.wait_for_said("published"), 1, "the bytes have not changed");
}

#[test]
fn a_file_may_hold_several_documents_and_a_folder_anything_else() {
    let dirs = OperatorDirs::new();
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n";
    let several = [policy("a", ONE), service.to_owned(), policy("b", ONE)].join("---\n");
    dirs.write("two.yaml", &several);
    dirs.write("kustomization.yml", "resources: [two.yaml]\n");
    dirs.write("README.md", "- [\n");
    dirs.write(".hidden.yaml", &policy("hidden", ONE));
    let json = r#"{"apiVersion": "corsward.io/v1alpha1", "kind": "CorsPolicy", "metadata": {"namespace": "shop", "name": "c"},
        "spec": {"hostnames": ["c.shop.example"], "cors": {"allowOrigins": ["https://one.example"]}}}"#;
    dirs.write("c.json", json);
    let operator = dirs.start();
    dirs.wait_for_published(&["a", "b", "c"]);
    assert_eq!(operator.report()["files"].as_array().unwrap().len(), 0);
}

#[test]
fn a_refused_text_is_said_and_leaves_the_accepted_one_in_force() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let mut operator = dirs.start();
    let before = dirs.wait_for_published(&["a"]);
    dirs.write("a.yaml", &policy("a", REFUSED));
    let said = operator.wait_for_refused("a");
    assert_eq!(said["programmed"], false);
    assert_eq!(said["generation"], 2);
    assert_eq!(said["inForce"]["generation"], 1);
    assert_eq!(said["findings"][0]["field"], "spec.cors.allowOrigins[0]");
    assert_eq!(said["findings"][0]["severity"], "refusal");
    assert_eq!(dirs.wait_for_published(&["a"]), before);
    assert_eq!(operator.wait_for_said("refused; the last valid spec stays in force"), 1);
    dirs.write("a.yaml", &policy("a", TWO));
    operator.wait_for_in_force("a", 3);
    assert_ne!(dirs.wait_for_published(&["a"]), before);
}

#[test]
fn a_policy_refused_from_the_start_does_not_keep_the_others_out() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", REFUSED));
    dirs.write("b.yaml", &policy("b", ONE));
    let operator = dirs.start();
    dirs.wait_for_published(&["b"]);
    assert!(operator.wait_for_refused("a")["inForce"].is_null());
}

#[test]
fn a_log_line_of_a_finding_names_the_file() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", REFUSED));
    let mut operator = dirs.start();
    let line =
        eventually("the refusal", || operator.said("refused; nothing of it is in force").pop())
            .unwrap();
    assert_eq!(line["file"], "a.yaml");
    let finding = eventually("the finding", || operator.said_of("CORS-E107").pop()).unwrap();
    assert_eq!(
        (&finding["file"], &finding["field"]),
        (&"a.yaml".into(), &"spec.cors.allowOrigins[0]".into())
    );
}

#[test]
fn that_no_policy_is_in_force_is_said_whenever_it_becomes_so() {
    let dirs = OperatorDirs::new();
    dirs.write("deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n");
    let mut operator = dirs.start();
    let none = "no policy is in force: requests pass as if there were no filter";
    let mut until_said = |times: usize| {
        eventually("the line", || operator.said(none).len() == times).unwrap();
    };
    until_said(1);
    dirs.write("a.yaml", &policy("a", REFUSED));
    dirs.write("b.yaml", &policy("b", ONE));
    dirs.wait_for_published(&["b"]);
    until_said(1);
    dirs.remove("b.yaml");
    until_said(2);
    let read = operator.wait_for_line("the folder holds no policy").unwrap();
    assert_eq!(read["others"], 1, "{read}");
}

#[test]
fn an_unknown_field_is_named_with_the_one_that_was_meant() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE).replace("allowOrigins", "allowOrigin"));
    let operator = dirs.start();
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
    let dirs = OperatorDirs::new();
    dirs.write("z.yaml", &policy("a", ONE));
    let operator = dirs.start();
    let before = dirs.wait_for_published(&["a"]);
    dirs.write("b.yaml", &policy("a", TWO));
    let problem = operator.wait_for_problem("CORS-E506");
    assert_eq!(problem["file"], "b.yaml");
    assert!(problem["findings"][0]["message"].as_str().unwrap().contains("z.yaml"));
    assert_eq!(dirs.wait_for_published(&["a"]), before);
    dirs.remove("z.yaml");
    operator.wait_for("a", "the other file's turn", |policy| {
        policy["inForce"]["spec"]["cors"]["allowOrigins"][0] == TWO
    });
}

#[test]
fn of_two_policies_for_the_same_requests_the_loser_names_the_winner() {
    let dirs = OperatorDirs::new();
    let everywhere = |name| policy(name, ONE).replace("  hostnames", "  # hostnames");
    dirs.write("a.yaml", &everywhere("a"));
    dirs.write("b.yaml", &everywhere("b"));
    let operator = dirs.start();
    let loser = operator.wait_for("b", "overridden", |policy| policy["overriddenBy"] == "shop/a");
    assert_eq!((&loser["accepted"], &loser["programmed"]), (&true.into(), &false.into()));
    dirs.remove("a.yaml");
    operator.wait_for("b", "freed", |policy| policy["programmed"] == true);
}

#[test]
fn a_mounted_config_map_is_followed_through_its_swaps() {
    let dirs = OperatorDirs::new();
    let folder = dirs.policies();
    for (version, origin) in [("..1", ONE), ("..2", TWO)] {
        fs::create_dir(folder.join(version)).unwrap();
        fs::write(folder.join(version).join("a.yaml"), policy("a", origin)).unwrap();
    }
    symlink("..1", folder.join("..data")).unwrap();
    symlink("..data/a.yaml", folder.join("a.yaml")).unwrap();
    let operator = dirs.start();
    operator.wait_for_in_force("a", 1);
    symlink("..2", folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    fs::remove_dir_all(folder.join("..1")).unwrap();
    let said = operator.wait_for_in_force("a", 2);
    assert_eq!(said["inForce"]["spec"]["cors"]["allowOrigins"][0], TWO);
}

#[test]
fn a_folder_that_is_a_link_is_followed_to_where_it_leads_now() {
    let dirs = OperatorDirs::new();
    let link = dirs.policies();
    let (first, second) = (link.with_extension("1"), link.with_extension("2"));
    fs::rename(&link, &first).unwrap();
    fs::create_dir(&second).unwrap();
    symlink(&first, &link).unwrap();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    operator.wait_for_in_force("a", 1);
    fs::write(second.join("a.yaml"), policy("a", TWO)).unwrap();
    symlink(&second, link.with_extension("new")).unwrap();
    fs::rename(link.with_extension("new"), &link).unwrap();
    operator.wait_for_in_force("a", 2);
    dirs.write("a.yaml", &policy("a", ONE));
    operator.wait_for_in_force("a", 3);
}

#[test]
fn a_folder_that_is_gone_withdraws_nothing() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    let before = dirs.wait_for_published(&["a"]);
    let aside = dirs.policies().with_extension("aside");
    fs::rename(dirs.policies(), &aside).unwrap();
    operator.wait_for_problem("CORS-E501");
    assert_eq!(dirs.wait_for_published(&["a"]), before);
    fs::rename(&aside, dirs.policies()).unwrap();
    dirs.write("a.yaml", &policy("a", TWO));
    operator.wait_for_in_force("a", 2);
    assert_eq!(operator.report()["files"].as_array().unwrap().len(), 0);
}

#[test]
fn a_policy_that_is_off_is_nowhere() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    dirs.wait_for_published(&["a"]);
    dirs.write("a.yaml", &policy("a", ONE).replace("spec:", "spec:\n  mode: \"Off\""));
    dirs.wait_for_published(&[]);
    let said = operator.wait_for("a", "off", |policy| policy["mode"] == "Off");
    assert_eq!(said["conditions"][1]["reason"], "Off");
}

#[test]
fn a_policy_that_is_off_is_nowhere_though_its_text_is_refused() {
    let dirs = OperatorDirs::new();
    dirs.write("a.yaml", &policy("a", ONE));
    let mut operator = dirs.start();
    dirs.wait_for_published(&["a"]);
    dirs.write("a.yaml", &policy("a", REFUSED).replace("spec:", "spec:\n  mode: Off"));
    dirs.wait_for_published(&[]);
    let said = operator.wait_for_refused("a");
    assert_eq!((&said["mode"], &said["inForce"]["generation"]), (&"Off".into(), &1.into()));
    assert_eq!(operator.wait_for_said("refused; the last valid spec is switched off"), 1);
    operator.stop("-KILL");
    let operator = dirs.start();
    operator.wait_for_refused("a");
    dirs.wait_for_published(&[]);
}

#[test]
fn a_file_beyond_the_bound_is_said_and_holds_up_nobody() {
    let dirs = OperatorDirs::new();
    dirs.write("large.yaml", &"- x\n".repeat(4_000_000));
    dirs.write("a.yaml", &policy("a", ONE));
    let operator = dirs.start();
    let problem = operator.wait_for_problem("CORS-E508");
    assert_eq!(problem["file"], "large.yaml");
    let message = problem["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("at most 2097152 are read") && message.contains("split"), "{message}");
    dirs.wait_for_published(&["a"]);
}
