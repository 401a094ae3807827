//! Documents: the policies in a file, and what they depend on.

use std::sync::Arc;

use corsward_manifest::document::{self, Document, Kind, Manifest};
use corsward_manifest::yaml::Reader;
use corsward_operator_core::cluster_state::Key;
use corsward_operator_core::event::Problem;
use corsward_operator_core::finding::GuardrailReason;
use corsward_operator_core::object::Object;
use corsward_operator_core::validation::dependency_findings;
use corsward_policy::Finding;
use serde_json::Value;

/// The content of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Documents {
    /// Its policies, in order.
    pub objects: Vec<Object>,
    /// Its origin sets and guardrails, in order.
    pub dependencies: Vec<Dependency>,
    /// The findings about documents that are no policies: the kind and the name of the object stand before the field.
    pub problems: Vec<Problem>,
    /// The findings about documents of the group that cannot be identified: each may be any earlier object of the
    /// file.
    pub lost: Vec<Finding>,
    /// The number of other documents.
    pub others: usize,
    /// The number of those that are no objects of Kubernetes: fragments, perhaps.
    pub fragments: usize,
}

/// An origin set, or guardrails: what policies depend on.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// Its kind.
    pub kind: Kind,
    /// Its name; guardrails have no namespace.
    pub key: Key,
    /// Its spec as written.
    pub spec: Arc<Value>,
}

/// Reads the documents of a file.
///
/// # Errors
///
/// A finding where the bytes are no YAML, or more of it than is read.
pub fn read(place: &str, bytes: &[u8]) -> Result<Documents, Finding> {
    let mut documents = Documents::default();
    for document in document::read(bytes, Reader::Folder)? {
        match document {
            Document::Manifest(manifest) => match manifest.kind {
                Kind::CorsPolicy => documents.objects.push(Object::of_manifest(manifest, place)),
                Kind::OriginSet | Kind::ClusterCorsPolicy => {
                    documents.add_dependency(manifest, place);
                }
            },
            Document::Lost(finding) => documents.lost.push(finding),
            Document::Other { value, .. } => documents.add_other(&value),
        }
    }
    Ok(documents)
}

// === impl Documents ===

impl Documents {
    fn add_dependency(&mut self, mut manifest: Manifest, place: &str) {
        let mut findings = dependency_findings(&mut manifest);
        let Manifest { kind, namespace, name, spec, findings: _, spelling: _ } = manifest;
        let is_guardrail = kind == Kind::ClusterCorsPolicy;
        let spec = spec.unwrap_or_default();
        let is_refused = findings.iter().any(Finding::is_refusal);
        if is_guardrail && is_refused {
            findings.push(Finding::new("spec", GuardrailReason::LastGoodHolds));
        }
        if is_guardrail && spec.get("namespaceSelector").is_some() {
            let reason = GuardrailReason::SelectorUnused;
            findings.push(Finding::new("spec.namespaceSelector", reason));
        }
        // They stand among those of the whole file.
        self.problems.extend(findings.into_iter().map(|Finding { field, reason }| {
            let finding = Finding { field: format!("{}/{name} {field}", kind.as_str()), reason };
            let guardrail = is_guardrail.then(|| name.clone());
            Problem { place: place.to_owned(), guardrail, finding }
        }));
        let namespace = if is_guardrail { String::new() } else { namespace };
        let (key, spec) = (Key { namespace, name }, Arc::new(spec));
        self.dependencies.push(Dependency { kind, key, spec });
    }

    fn add_other(&mut self, value: &Value) {
        let word = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_unknown = word("apiVersion").is_empty() || word("kind").is_empty();
        let is_fragment = !value.is_null() && is_unknown;
        self.others = self.others.saturating_add(1);
        self.fragments = self.fragments.saturating_add(usize::from(is_fragment));
    }
}

#[cfg(test)]
mod tests {
    use corsward_operator_core::capabilities::Reach;
    use corsward_operator_core::origin_sets::Sets;
    use corsward_operator_core::validation::{Context, validate_object};

    use super::*;

    const POLICY: &str =
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {name: a}\nspec: {}\n";

    #[test]
    fn origin_sets_and_guardrails_are_found_beside_policies_and_judged() {
        let set = POLICY
            .replace("CorsPolicy", "OriginSet")
            .replace("spec: {}", "spec: {origins: ['https://a.example']}");
        let bound = POLICY.replace("CorsPolicy", "ClusterCorsPolicy").replace(
            "spec: {}",
            "spec: {namespaceSelector: {matchLabels: {a: b}}, guardrails: {maxMaxAge: 600}}",
        );
        let wrong = set.replace("https://a.example", "a.example").replace("name: a", "name: b");
        let far = bound.replace("v1alpha1", "v9").replace("name: a", "name: far");
        let text = [POLICY, &set, &bound, &wrong, &far].join("---\n");
        let documents = read("a.yaml", text.as_bytes()).unwrap();
        let found: Vec<_> = documents
            .dependencies
            .iter()
            .map(|dependency| {
                let Dependency { kind, key: Key { namespace, name }, spec: _ } = dependency;
                format!("{kind:?} {namespace}/{name}")
            })
            .collect();
        assert_eq!(
            found,
            [
                "OriginSet default/a",
                "ClusterCorsPolicy /a",
                "OriginSet default/b",
                "ClusterCorsPolicy /far"
            ]
        );
        let said = documents.problems.iter().map(|problem| &problem.finding);
        let said: Vec<_> = said.map(|f| format!("{}: {}", f.field, f.code())).collect();
        assert_eq!(
            said,
            [
                "ClusterCorsPolicy/a spec.namespaceSelector: CORS-I601",
                "OriginSet/b spec.origins[0]: CORS-E103",
                "ClusterCorsPolicy/far apiVersion: CORS-E507",
                "ClusterCorsPolicy/far spec: CORS-W608"
            ]
        );
        assert_eq!(documents.objects.len(), 1);
    }

    #[test]
    fn a_spec_with_nothing_in_it_is_an_absent_one() {
        for (kind, codes) in
            [("OriginSet", &["CORS-E511"][..]), ("ClusterCorsPolicy", &["CORS-E511", "CORS-W608"])]
        {
            for spec in ["spec: {}", "spec:"] {
                let text = POLICY.replace("CorsPolicy", kind).replace("spec: {}", spec);
                let documents = read("a.yaml", text.as_bytes()).unwrap();
                let said = documents.problems.iter().map(|problem| problem.finding.code());
                assert_eq!(said.collect::<Vec<_>>(), codes, "{kind} {spec}");
            }
        }
    }

    #[test]
    fn no_prefix_of_a_file_and_no_flipped_bit_of_it_is_a_surprise() {
        let text = include_bytes!("../../../../examples/shop.yaml");
        let sets = Sets::new();
        let context = Context {
            reach: Reach::One,
            sets: &sets,
            accepted_before: false,
            may_have_others: false,
        };
        let look = |bytes: &[u8]| {
            if let Ok(documents) = read("shop.yaml", bytes) {
                for object in &documents.objects {
                    let review = validate_object(object, context);
                    assert!(review.accepted.is_some() || !review.findings.is_empty());
                }
            }
        };
        for len in (0..text.len()).step_by(7) {
            look(&text[..len]);
        }
        for at in (0..text.len()).step_by(5) {
            let mut flipped = text.to_vec();
            flipped[at] ^= 1 << (at % 7);
            look(&flipped);
        }
    }
}
