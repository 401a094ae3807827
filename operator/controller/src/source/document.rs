//! Documents: a file's bytes become the policies in it, and what they depend on. YAML (and so JSON), one document or several, lists of objects too.

use std::slice;
use std::str::Utf8Error;
use std::sync::Arc;

use corsward_api::{GROUP, GUARDRAIL_KIND, KIND, ORIGIN_SET_KIND};
use corsward_operator_core::cluster_state::{Key, Namespace};
use corsward_operator_core::guardrails::{self, Guardrail};
use corsward_operator_core::json_text::JsonText;
use corsward_operator_core::knowledge::FullKnowledge;
use corsward_operator_core::object::{Object, Text};
use corsward_operator_core::origin_sets;
use corsward_operator_core::shape;
use corsward_operator_core::spelling::{self, Spelling};
use corsward_operator_core::validation;
use corsward_policy::finding::{
    GuardrailReason, Meant, MeantField, Reason, ShapeReason, SourceReason,
};
use corsward_policy::{Finding, PolicyId, Severity};
use serde_json::{Map, Value};

use crate::source::namespace;
use crate::source::yaml::{self, Document, Reader};

/// Largest file that is read. It takes a second or two, in which the folder waits; what can be published is half as long.
pub const MAX_FILE_LEN: u64 = 2 * 1024 * 1024;
/// The version this operator reads.
const VERSION: &str = "v1alpha1";
/// The kinds, and which dependency each of them is.
const OURS: [(&str, Option<DependencyKind>); 3] = [
    (KIND, None),
    (ORIGIN_SET_KIND, Some(DependencyKind::OriginSet)),
    (GUARDRAIL_KIND, Some(DependencyKind::Guardrail)),
];
/// The fields of `metadata` (Kubernetes, `ObjectMeta`).
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The content of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Documents {
    /// Its policies, in order.
    pub objects: Vec<Object>,
    /// Its origin sets and guardrails, in order.
    pub dependencies: Vec<Dependency>,
    /// Its Namespaces by name, where `kubectl` reads the file.
    pub namespaces: Vec<(String, Namespace)>,
    /// The findings about documents that are no policies.
    pub findings: Vec<DocumentFinding>,
    /// The findings about documents of the group that cannot be identified: each may be any earlier object of the
    /// file.
    pub lost: Vec<Finding>,
    /// The number of other documents.
    pub others: usize,
    /// The number of those that are no objects of Kubernetes: fragments, perhaps.
    pub fragments: usize,
}

/// A finding about a document that is no policy.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentFinding {
    /// The name of the `ClusterCorsPolicy` that it is about, if it is about one.
    pub guardrail: Option<String>,
    /// The finding: the kind and the name of the object stand before its field.
    pub finding: Finding,
}

/// An origin set, or guardrails: what policies depend on.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// Its kind.
    pub kind: DependencyKind,
    /// Its name; guardrails have no namespace.
    pub key: Key,
    /// Its spec as written.
    pub spec: Arc<Value>,
}

/// The kinds that policies depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependencyKind {
    /// An `OriginSet`.
    OriginSet,
    /// A `ClusterCorsPolicy`.
    Guardrail,
}

/// A document of ours, but for what its kind makes of its spec.
struct Head {
    namespace: String,
    name: String,
    /// `spec` as written, and findings about anything outside of it; or why it is not read.
    spec: Result<(Value, Vec<Finding>), Finding>,
    /// The text of values that JSON writes otherwise.
    spelling: Spelling,
}

/// Reads the documents of a file, for its final reader.
///
/// # Errors
///
/// A finding where the bytes are no YAML, or more of it than is read.
pub fn read(place: &str, bytes: &[u8], reader: Reader) -> Result<Documents, Finding> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_text(bytes, &error))?;
    let mut documents = Documents::default();
    for document in yaml::read(text)? {
        documents.add(place, document, reader);
    }
    Ok(documents)
}

/// The finding about bytes that are no text, and so no YAML.
fn not_text(bytes: &[u8], error: &Utf8Error) -> Finding {
    let what = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16".to_owned(),
        _ => format!("byte {} is not UTF-8", error.valid_up_to()),
    };
    Finding::new("", SourceReason::NotTaken { what, fix: "save it as UTF-8" })
}

// === impl DocumentFinding ===

impl DocumentFinding {
    fn about_no_guardrail(finding: Finding) -> Self {
        Self { guardrail: None, finding }
    }
}

// === impl Documents ===

impl Documents {
    fn add(&mut self, place: &str, document: Document, reader: Reader) {
        let Document { value, mut to_kubectl, mut texts } = document;
        let Value::Object(mut document) = value else {
            self.others = self.others.saturating_add(1);
            self.fragments = self.fragments.saturating_add(usize::from(!value.is_null()));
            return;
        };
        let word = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
        let api_version = word("apiVersion").to_owned();
        let (group, _) = api_version.split_once('/').unwrap_or_default();
        // No version, or a group that looks like ours: meant for us. Any other group may have such a kind too.
        let is_ours = group.is_empty() || shape::similar(group, std::iter::once(GROUP)).is_some();
        let kind = word("kind").to_owned();
        let of_ours = OURS.iter().find(|(name, _)| *name == kind).filter(|_| is_ours);
        if let Some(of_ours) = of_ours {
            let misread = misread(&document, &to_kubectl, reader);
            let of_ours = *of_ours;
            let spelling = Spelling::of(&document, &texts);
            if let Some(head) = self.read_head(&api_version, of_ours.0, document, misread, spelling)
            {
                match of_ours.1 {
                    None => self.add_policy(place, head),
                    Some(kind) => self.add_dependency(kind, head, reader),
                }
            }
            return;
        }
        if (api_version.as_str(), kind.as_str(), reader) == ("v1", "Namespace", Reader::Kubectl)
            && let Some((name, namespace, findings)) = namespace::read(&document, &to_kubectl)
        {
            self.namespaces.push((name, namespace));
            self.findings.extend(findings.into_iter().map(DocumentFinding::about_no_guardrail));
        }
        match (group, kind.as_str()) {
            (GROUP, "CorsPolicyList" | "OriginSetList" | "ClusterCorsPolicyList")
            | ("", "List") => {
                let items = document.remove("items").unwrap_or_default();
                let Some(parts) = parts(&items, &mut to_kubectl, &mut texts) else {
                    // The first half of a list says the same.
                    self.lost.push(unlisted(&items));
                    return;
                };
                for mut part in parts {
                    // In a list of one kind each item is of that.
                    if let (Some(kind), Value::Object(item)) =
                        (kind.strip_suffix("List"), &mut part.value)
                        && !kind.is_empty()
                    {
                        item.entry("kind").or_insert_with(|| kind.into());
                        item.entry("apiVersion").or_insert_with(|| api_version.as_str().into());
                    }
                    self.add(place, part, reader);
                }
            }
            (GROUP, kind) => {
                let reason = shape::unknown_word("kind", kind, &OURS.map(|(kind, _)| kind));
                self.lost.push(Finding::new("kind", reason));
            }
            (_, kind) => {
                let is_fragment = kind.is_empty() || api_version.is_empty();
                self.others = self.others.saturating_add(1);
                self.fragments = self.fragments.saturating_add(usize::from(is_fragment));
            }
        }
    }

    /// The common part of every document of the group; `None` if it cannot be identified.
    fn read_head(
        &mut self,
        api_version: &str,
        kind: &str,
        mut document: Map<String, Value>,
        misread: Vec<Finding>,
        spelling: Spelling,
    ) -> Option<Head> {
        let metadata = match document.remove("metadata") {
            Some(Value::Object(metadata)) => metadata,
            _ => Map::new(),
        };
        let name = match metadata.get("name") {
            Some(Value::String(name)) if !name.is_empty() => name.clone(),
            Some(name) if !name.is_null() && !name.is_string() => {
                let mut finding = unshaped(kind, "metadata.name", name);
                spelling.quote(slice::from_mut(&mut finding));
                self.lost.push(finding);
                return None;
            }
            _ => {
                self.lost.push(Finding::new("metadata.name", SourceReason::MissingName));
                return None;
            }
        };
        let mut findings = unknown(kind, "metadata", metadata.keys(), &METADATA);
        findings.extend(misread);
        findings.extend(unshaped_entries(kind, &metadata));
        let namespace = match metadata.get("namespace") {
            None | Some(Value::Null) => "default".to_owned(),
            // `kubectl` reads an empty one the same way.
            Some(Value::String(namespace)) if namespace.is_empty() => "default".to_owned(),
            Some(Value::String(namespace)) => {
                if kind == GUARDRAIL_KIND {
                    let reason = GuardrailReason::InNamespace;
                    findings.push(Finding::new("metadata.namespace", reason));
                }
                namespace.clone()
            }
            Some(namespace) => {
                findings.push(unshaped(kind, "metadata.namespace", namespace));
                "default".to_owned()
            }
        };
        let spec = if api_version == format!("{GROUP}/{VERSION}") {
            // A `spec:` with nothing in it is an absent one.
            let spec = document.remove("spec").filter(|spec| !spec.is_null());
            let spec = spec.unwrap_or_else(|| Value::Object(Map::new()));
            document.remove("status");
            let known = ["apiVersion", "kind", "metadata", "spec"];
            let mut strangers = unknown(kind, "", document.keys(), &known);
            for stranger in &mut strangers {
                let written = document.get(&stranger.field);
                outside(kind, &spec, written, stranger);
            }
            findings.extend(strangers);
            Ok((spec, findings))
        } else {
            let reason = SourceReason::UnknownVersion(api_version.to_owned());
            Err(Finding::new("apiVersion", reason))
        };
        Some(Head { namespace, name, spec, spelling })
    }

    fn add_policy(&mut self, place: &str, head: Head) {
        let Head { namespace, name, spec, spelling } = head;
        let text = match spec {
            Ok((spec, findings)) => Text::Spec { spec: JsonText::of(&spec), findings, spelling },
            Err(finding) => Text::Unreadable(vec![finding]),
        };
        let (id, place) = (PolicyId { namespace, name }, Some(place.to_owned()));
        self.objects.push(Object { id, place, generation: None, text, record: None });
    }

    fn add_dependency(&mut self, kind: DependencyKind, head: Head, reader: Reader) {
        let Head { namespace, name, spec, spelling } = head;
        let whose = match kind {
            DependencyKind::OriginSet => format!("{ORIGIN_SET_KIND}/{name}"),
            DependencyKind::Guardrail => format!("{GUARDRAIL_KIND}/{name}"),
        };
        let (spec, mut findings) = match spec {
            Ok(read) => read,
            // What such a version means cannot be known: it refuses what depends on it.
            Err(finding) => (Value::Null, vec![finding]),
        };
        findings.extend(match kind {
            _ if spec.is_null() => Vec::new(),
            DependencyKind::OriginSet => origin_sets::parse(&spec, &FullKnowledge).1,
            DependencyKind::Guardrail => Guardrail::parse(&name, &spec, &FullKnowledge).1,
        });
        spelling::say_once(&mut findings);
        spelling.quote(&mut findings);
        let is_refused = findings.iter().any(|finding| finding.severity() == Severity::Refusal);
        if kind == DependencyKind::Guardrail && is_refused && reader == Reader::Folder {
            findings.push(Finding::new("spec", GuardrailReason::LastGoodHolds));
        }
        if kind == DependencyKind::Guardrail && spec.get("namespaceSelector").is_some() {
            let reason = GuardrailReason::SelectorUnused;
            findings.push(Finding::new("spec.namespaceSelector", reason));
        }
        // They stand among those of the whole file.
        self.findings.extend(findings.into_iter().map(|finding| {
            let Finding { field, reason } = finding;
            let finding = Finding { field: format!("{whose} {field}"), reason };
            let guardrail = (kind == DependencyKind::Guardrail).then(|| name.clone());
            DocumentFinding { guardrail, finding }
        }));
        let namespace = if kind == DependencyKind::Guardrail { String::new() } else { namespace };
        let (key, spec) = (Key { namespace, name }, Arc::new(spec));
        self.dependencies.push(Dependency { kind, key, spec });
    }
}

/// The items of a list, each as a document; `None`: they are no list.
fn parts(items: &Value, to_kubectl: &mut Value, texts: &mut Value) -> Option<Vec<Document>> {
    let [others, texts] = [to_kubectl, texts].map(|list| list.get_mut("items").map(Value::take));
    let (Value::Array(items), Value::Array(others), Value::Array(texts)) = (items, others?, texts?)
    else {
        return None;
    };
    let parts = items.iter().cloned().zip(others).zip(texts);
    let part = |((value, to_kubectl), texts)| Document { value, to_kubectl, texts };
    Some(parts.map(part).collect())
}

/// The finding about a value in place of a list's items.
fn unlisted(items: &Value) -> Finding {
    let expected = "a list of objects";
    let reason = match items {
        Value::Null => ShapeReason::MissingField { instead: None, explain: KIND.to_lowercase() },
        other => {
            let (found, explain) = (other.to_string(), KIND.to_lowercase());
            ShapeReason::WrongType { expected, found, instead: None, explain }
        }
    };
    Finding::new("items", reason)
}

/// The argument of `kubectl explain` for a field outside of the spec.
fn explain(kind: &str, field: &str) -> String {
    let kind = kind.to_lowercase();
    if field.is_empty() { kind } else { format!("{kind}.{field}") }
}

fn unshaped(kind: &str, field: &str, value: &Value) -> Finding {
    // A label is no field.
    let known: Vec<&str> = field.splitn(3, '.').take(2).collect();
    let explain = explain(kind, &known.join("."));
    Finding::new(field, shape::wrong_type("string", field, value, explain))
}

/// Labels and annotations that are no texts.
fn unshaped_entries(kind: &str, metadata: &Map<String, Value>) -> Vec<Finding> {
    let entries = ["labels", "annotations"].into_iter().flat_map(|part| {
        let entries = metadata.get(part).and_then(Value::as_object).into_iter().flatten();
        entries.map(move |(name, value)| (format!("metadata.{part}.{name}"), value))
    });
    let wrong = entries.filter(|(_, value)| !value.is_string() && !value.is_null());
    wrong.map(|(field, value)| unshaped(kind, &field, value)).collect()
}

/// Names the field of the spec that is meant by one beside it.
fn outside(kind: &str, spec: &Value, written: Option<&Value>, stranger: &mut Finding) {
    let schema = match kind {
        ORIGIN_SET_KIND => &*origin_sets::SPEC_SCHEMA,
        GUARDRAIL_KIND => &*guardrails::SPEC_SCHEMA,
        _ => validation::spec_schema(),
    };
    if let Some(written) = written
        && let Reason::Shape(ShapeReason::UnknownField { name, meant, .. }) = &mut stranger.reason
        && let Some(found) = shape::outside(kind, schema, spec, (name, written))
    {
        *meant = Some(Box::new(found));
    }
}

/// The finding about texts that `kubectl` reads differently.
fn misread(document: &Map<String, Value>, to_kubectl: &Value, reader: Reader) -> Vec<Finding> {
    let parts = ["metadata", "spec"].into_iter().filter_map(|part| {
        Some(yaml::misread(document.get(part)?, to_kubectl.get(part)?, part, reader))
    });
    parts.flatten().collect()
}

fn unknown<'f>(
    kind: &str,
    path: &str,
    fields: impl Iterator<Item = &'f String>,
    known: &[&str],
) -> Vec<Finding> {
    fields
        .filter(|field| !known.contains(&field.as_str()))
        .map(|name| {
            let meant = shape::similar(name, known.iter().copied()).map(|leaf| {
                Box::new(Meant::Field(MeantField {
                    beside: path.to_owned(),
                    around: path.to_owned(),
                    leaf,
                    value: None,
                    present: None,
                    is_edit: true,
                    is_required: false,
                    note: "",
                }))
            });
            let explain = explain(kind, path);
            let reason = ShapeReason::UnknownField { name: name.clone(), meant, explain };
            let field = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            Finding::new(field, reason)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::yaml::MAX_NODES;

    const POLICY: &str =
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {name: a}\nspec: {}\n";

    /// The outline of `text`: policies, codes of findings, and the number of other documents; or that it is no YAML.
    fn outline(text: &[u8]) -> Result<(Vec<String>, Vec<String>, usize), &'static str> {
        let documents = read("a.yaml", text, Reader::Kubectl).map_err(|finding| finding.code())?;
        let findings = documents.findings.iter().map(|found| &found.finding);
        let own = documents.lost.iter().chain(findings);
        let findings = own.chain(documents.objects.iter().flat_map(|object| match &object.text {
            Text::Spec { findings, .. } | Text::Unreadable(findings) => findings,
        }));
        let codes = findings.map(|finding| format!("{} {}", finding.field, finding.code()));
        let ids = documents.objects.iter().map(|object| object.id.to_string());
        Ok((ids.collect(), codes.collect(), documents.others))
    }

    #[test]
    fn policies_are_found_among_anything_else() {
        for (why, text, ids, codes, others) in [
            ("one policy", POLICY.to_owned(), vec!["default/a"], vec![], 0),
            ("nothing", String::new(), vec![], vec![], 0),
            ("a comment", "# soon\n".to_owned(), vec![], vec![], 0),
            (
                "several documents, one of them empty",
                format!("{POLICY}---\n---\nkind: Service\napiVersion: v1\n---\n{}", POLICY.replace("a}", "b, namespace: shop}")),
                vec!["default/a", "shop/b"],
                vec![],
                1,
            ),
            ("a kustomization", "resources: [a.yaml]\n".to_owned(), vec![], vec![], 1),
            ("a text", "hello\n".to_owned(), vec![], vec![], 1),
            (
                "JSON, with tabs",
                "{\n\t\"apiVersion\": \"corsward.io/v1alpha1\",\n\t\"kind\": \"CorsPolicy\",\n\t\"metadata\": {\"name\": \"a\"},\n\t\"spec\": {}\n}".to_owned(),
                vec!["default/a"],
                vec![],
                0,
            ),
            (
                "what `kubectl get -o yaml` prints",
                format!("apiVersion: v1\nkind: List\nitems:\n- {}", POLICY.trim_end().replace('\n', "\n  ")),
                vec!["default/a"],
                vec![],
                0,
            ),
            ("another version", POLICY.replace("v1alpha1", "v1"), vec!["default/a"], vec!["apiVersion CORS-E507"], 0),
            ("another kind of ours", POLICY.replace("CorsPolicy", "CorsPolcy"), vec![], vec!["kind CORS-E510"], 0),
            ("somebody else's kind", POLICY.replace("corsward.io", "mesh.example"), vec![], vec![], 1),
            ("no version at all", POLICY.replace("corsward.io/v1alpha1", "v1alpha1"), vec!["default/a"], vec!["apiVersion CORS-E507"], 0),
            ("a group misspelt", POLICY.replace("corsward.io", "corsword.io"), vec!["default/a"], vec!["apiVersion CORS-E507"], 0),
            ("a name that is a number", POLICY.replace("name: a", "name: 7"), vec![], vec!["metadata.name CORS-E509"], 0),
            ("a namespace that is a number", POLICY.replace("name: a", "name: a, namespace: 7"), vec!["default/a"], vec!["metadata.namespace CORS-E509"], 0),
            ("an empty namespace", POLICY.replace("name: a", "name: a, namespace: ''"), vec!["default/a"], vec![], 0),
            ("a name that kubectl takes for a truth value", POLICY.replace("name: a", "name: on"), vec!["default/on"], vec!["metadata.name CORS-E513"], 0),
            ("an annotation that is no text", POLICY.replace("name: a", "name: a, annotations: {a: true, b: 'true'}"), vec!["default/a"], vec!["metadata.annotations.a CORS-E509"], 0),
            ("an empty name", POLICY.replace("name: a", "name: ''"), vec![], vec!["metadata.name CORS-E505"], 0),
            ("Windows", format!("\u{feff}{}", POLICY.replace('\n', "\r\n")), vec!["default/a"], vec![], 0),
            ("no name", POLICY.replace("name: a", "generateName: a"), vec![], vec!["metadata.name CORS-E505"], 0),
            (
                "fields outside of the spec",
                POLICY.replace("{name: a}", "{name: a, nmespace: b}\nsped: {}"),
                vec!["default/a"],
                vec!["metadata.nmespace CORS-E503", "sped CORS-E503"],
                0,
            ),
        ] {
            let want = Ok((
                ids.into_iter().map(str::to_owned).collect(),
                codes.into_iter().map(str::to_owned).collect(),
                others,
            ));
            assert_eq!(outline(text.as_bytes()), want, "{why}");
        }
    }

    #[test]
    fn a_list_has_items() {
        let typed = "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicyList\nitems: [{metadata: {name: a}, spec: {}}]\n";
        let list = "apiVersion: v1\nkind: List\n";
        for (why, text, id, code) in [
            ("of one kind, whose items need not say it", typed.to_owned(), Some("default/a"), None),
            ("none", format!("{list}items: []\n"), None, None),
            ("its first half", list.to_owned(), None, Some("items CORS-E511")),
            ("no list", format!("{list}items: {{a: b}}\n"), None, Some("items CORS-E509")),
        ] {
            let all = |one: Option<&str>| one.map(str::to_owned).into_iter().collect();
            assert_eq!(outline(text.as_bytes()), Ok((all(id), all(code), 0)), "{why}");
        }
    }

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
        let documents = read("a.yaml", text.as_bytes(), Reader::Kubectl).unwrap();
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
            ["OriginSet default/a", "Guardrail /a", "OriginSet default/b", "Guardrail /far"]
        );
        let said = documents.findings.iter().map(|found| &found.finding);
        let said: Vec<_> = said.map(|f| format!("{}: {}", f.field, f.code())).collect();
        assert_eq!(
            said,
            [
                "ClusterCorsPolicy/a spec.namespaceSelector: CORS-I601",
                "OriginSet/b spec.origins[0]: CORS-E103",
                "ClusterCorsPolicy/far apiVersion: CORS-E507"
            ]
        );
        assert_eq!(documents.objects.len(), 1);
    }

    #[test]
    fn a_spec_with_nothing_in_it_is_an_absent_one() {
        for (kind, code) in [("OriginSet", "CORS-E511"), ("ClusterCorsPolicy", "CORS-E511")] {
            for spec in ["spec: {}", "spec:"] {
                let text = POLICY.replace("CorsPolicy", kind).replace("spec: {}", spec);
                let documents = read("a.yaml", text.as_bytes(), Reader::Kubectl).unwrap();
                let said = documents.findings.iter().map(|found| found.finding.code());
                assert_eq!(said.collect::<Vec<_>>(), [code], "{kind} {spec}");
            }
        }
    }

    #[test]
    fn a_template_of_helm_is_to_be_rendered_first() {
        let text = POLICY.replace("spec: {}", "spec:\n  hostnames: [{{ .Values.host }}]");
        let finding = read("a.yaml", text.as_bytes(), Reader::Kubectl).unwrap_err();
        assert_eq!(finding.code(), "CORS-E502");
        assert!(finding.message().contains("`helm template`"), "{finding}");
    }

    #[test]
    fn what_is_no_yaml_is_one_finding() {
        let deep = "[".repeat(100_000);
        let bomb = (0..20).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, at| {
            let list = vec![format!("*a{at}"); 10].join(",");
            format!("{text}a{0}: &a{0} [{list}]\n", at + 1)
        });
        for (why, text, code) in [
            (
                "half a document",
                &b"apiVersion: corsward.io/v1alpha1\nspec: {cors: [\n"[..],
                "CORS-E502",
            ),
            ("a bare star is an alias", b"spec: {allowOrigins: [*]}\n", "CORS-E515"),
            ("the same key twice", b"a: 1\na: 2\n", "CORS-E502"),
            ("UTF-16", b"\xff\xfea\0:\0", "CORS-E514"),
            ("bytes that are no UTF-8", b"a: \xff\n", "CORS-E514"),
            ("nesting beyond any use", deep.as_bytes(), "CORS-E502"),
            ("an alias bomb", bomb.as_bytes(), "CORS-E514"),
        ] {
            assert_eq!(outline(text), Err(code), "{why}");
        }
    }

    #[test]
    fn more_values_than_any_policy_has_end_the_reading_early() {
        for (why, text) in
            [("a list", "- x\n".repeat(MAX_NODES + 1)), ("documents", "a\n---\n".repeat(20_001))]
        {
            assert_eq!(outline(text.as_bytes()), Err("CORS-E514"), "{why}");
        }
        let origins = "'https://a.b',".repeat(MAX_NODES / 2);
        let text = POLICY.replace("{}", &format!("{{cors: {{allowOrigins: [{origins}]}}}}"));
        assert!(outline(text.as_bytes()).is_ok(), "as much as a file holds is read");
    }

    #[test]
    fn no_prefix_of_a_file_and_no_flipped_bit_of_it_is_a_surprise() {
        let text = include_bytes!("../../../../examples/shop.yaml");
        let knowledge = corsward_policy::validate::NoKnowledge;
        let look = |bytes: &[u8]| {
            if let Ok(documents) = read("shop.yaml", bytes, Reader::Kubectl) {
                for object in &documents.objects {
                    let review = corsward_operator_core::validation::validate_object(
                        object,
                        corsward_operator_core::validation::Context::new(&knowledge),
                    );
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

    #[test]
    fn a_word_is_no_boolean() {
        let text = POLICY.replace("{}", "{mode: Off}");
        for (reader, code) in [(Reader::Folder, "CORS-W501"), (Reader::Kubectl, "CORS-E513")] {
            let documents = read("a.yaml", text.as_bytes(), reader).unwrap();
            let Text::Spec { spec, findings, .. } = &documents.objects[0].text else { panic!() };
            assert_eq!(spec.value()["mode"], "Off");
            let said: Vec<_> =
                findings.iter().map(|f| format!("{} {}", f.field, f.code())).collect();
            assert_eq!(said, [format!("spec.mode {code}")]);
        }
    }
}
