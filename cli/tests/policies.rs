//! The policies of files, and the configuration that they make.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of tests stops the test where it cannot go on"
)]

use std::fs;

use corsward_cli::policies::{FileFinding, Policies};
use corsward_policy::wire;

const HEAD: &str = "---\napiVersion: corsward.io/v1alpha1\nkind: ";

fn policy(name: &str, spec: &str) -> String {
    format!("{HEAD}CorsPolicy\nmetadata: {{namespace: shop, name: {name}}}\nspec: {{{spec}}}\n")
}

fn cors(origin: &str) -> String {
    let others = "allowMethods: [PUT], allowHeaders: [x-a], maxAge: 600";
    format!("cors: {{allowOrigins: ['{origin}'], {others}}}")
}

/// The policies of those files, and the findings as `file document subject field code`.
fn read(files: &[(&str, &str)]) -> (Policies, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let policies = Policies::read(&[folder.path()]);
    let line = |found: &FileFinding| {
        let file = &policies.files[found.place.file].name;
        let file = file.strip_prefix(folder.path().to_str().unwrap()).unwrap();
        let document = found.place.document.map_or("-".to_owned(), |at| at.to_string());
        let subject = found.subject.as_ref().map(|it| format!("{}/{}", it.kind, it.id));
        let (subject, field) = (subject.unwrap_or_default(), &found.finding.field);
        format!("{file} {document} {subject} {field} {}", found.finding.code())
    };
    let lines = policies.findings.iter().map(line).collect();
    (policies, lines)
}

#[test]
fn a_finding_has_the_place_of_its_object() {
    let two = policy("a", &cors("https://a.example")) + &policy("b", &cors("https://b.example/"));
    let (policies, found) = read(&[
        ("deep/two.yaml", &two),
        (".hidden/no.yaml", &two),
        ("template.yaml", "a: {{ .Values.a }}\n"),
        ("broken.yaml", "kind: CorsPolicy\nspec: ["),
    ]);
    assert_eq!(
        found,
        [
            "/broken.yaml -   CORS-E502",
            "/deep/two.yaml 1 CorsPolicy/shop/b spec.cors.allowOrigins[0] CORS-E106"
        ]
    );
    let accepted: Vec<_> = policies.accepted().map(|(id, _)| id.to_string()).collect();
    assert_eq!(accepted, ["shop/a"]);
    assert_eq!(policies.policies.len(), 2);
}

#[test]
fn the_last_text_of_a_policy_counts() {
    let (policies, found) = read(&[
        ("1.yaml", &policy("a", &cors("https://one.example"))),
        ("2.yaml", &policy("a", &cors("https://two.example"))),
    ]);
    assert_eq!(found, ["/1.yaml 0 CorsPolicy/shop/a metadata.name CORS-E506"]);
    assert!(wire::encode(&policies.compiled()).contains("two.example"));
}

#[test]
fn objects_of_the_same_files_count_and_others_may_be_in_the_cluster() {
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: api}\nspec: {selector: {app: api}, ports: [{name: http, port: 80, targetPort: 8080}]}\n";
    let target = |service: &str, section: &str| {
        let name = format!("name: {service}, sectionName: {section}");
        format!("targetRefs: [{{group: '', kind: Service, {name}}}], {}", cors("https://a.example"))
    };
    let text = [
        policy("known", &target("api", "http")),
        policy("misspelt", &target("api", "htpp")),
        policy("elsewhere", &target("web", "http")),
        service.to_owned(),
    ]
    .concat();
    let (policies, found) = read(&[("a.yaml", &text)]);
    let targets: Vec<_> = found.iter().filter(|line| line.contains("targetRefs")).collect();
    let section = "/a.yaml 1 CorsPolicy/shop/misspelt spec.targetRefs[0].sectionName CORS-E525";
    assert_eq!(targets, [section]);
    let bundles: Vec<_> = policies.bundles().collect();
    let [bundle] = bundles.as_slice() else { panic!("{bundles:?}") };
    let has = |name: &str| bundle.compiled.contains(&format!("\"{name}\""));
    assert_eq!(["known", "elsewhere", "misspelt"].map(has), [true, true, false]);
}

#[test]
fn a_policy_beyond_its_guardrail_is_not_accepted() {
    let guardrail = format!(
        "{HEAD}ClusterCorsPolicy\nmetadata: {{name: a}}\nspec: {{guardrails: {{maxMaxAge: 60}}}}\n"
    );
    let text = policy("a", &cors("https://a.example")) + &guardrail;
    let (policies, found) = read(&[("a.yaml", &text)]);
    assert_eq!(found, ["/a.yaml 0 CorsPolicy/shop/a spec.cors.maxAge CORS-E604"]);
    assert!(policies.is_refused());
    assert_eq!(policies.bundles().count(), 0);
}
