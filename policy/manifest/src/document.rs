//! Documents: a file's bytes become the objects of the group in it. YAML (and so JSON), one document or several, lists of objects too.

use std::mem;
use std::slice;
use std::str::Utf8Error;

use corsward_api::{GROUP, GUARDRAIL_KIND, KIND, ORIGIN_SET_KIND};
use corsward_policy::Finding;
use corsward_policy::finding::join;
use serde_json::{Map, Value};

use crate::finding::{Meant, MeantField, ShapeReason, SourceReason};
use crate::outline::Outline;
use crate::shape;
use crate::spelling::Spelling;
use crate::yaml::{self, Reader, Readings};

/// Largest file that is read. An operator takes a second or two for it; what can be published is half as long.
pub const MAX_FILE_LEN: u64 = 2 * 1024 * 1024;
/// The extensions of manifests, as `kubectl apply -f DIR` sees them.
pub const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];
/// The version that is read.
const VERSION: &str = "v1alpha1";
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

/// A document of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// An object of the group.
    Manifest(Manifest),
    /// A finding about an object of the group, or a list of them, that cannot be identified.
    Lost(Finding),
    /// Any other document.
    Other {
        /// Its value.
        value: Value,
        /// The same as `kubectl` reads it; `None`: it reads the same.
        to_kubectl: Option<Value>,
    },
}

/// An object of the group, as its author wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Its kind.
    pub kind: Kind,
    /// `metadata.namespace`, or `default`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec` as written; `None` for a version that is not read.
    pub spec: Option<Value>,
    /// The findings about the document around the spec, and about texts of the spec that `kubectl` reads differently.
    pub findings: Vec<Finding>,
    /// The text of values that JSON writes otherwise.
    pub spelling: Spelling,
}

/// A kind of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A policy.
    CorsPolicy,
    /// A set of origins.
    OriginSet,
    /// Guardrails.
    ClusterCorsPolicy,
}

/// Reads the documents of a file, for its final reader.
///
/// # Errors
///
/// A finding where the bytes are no YAML, or more of it than is read.
pub fn read(bytes: &[u8], reader: Reader) -> Result<Vec<Document>, Finding> {
    read_outlined(bytes, reader).map(|(documents, _)| documents)
}

/// Reads the documents of a file, for its final reader, with the outline of its text; `None`: the text has anchors, tags or the like.
///
/// # Errors
///
/// As [`read`].
pub fn read_outlined(
    bytes: &[u8],
    reader: Reader,
) -> Result<(Vec<Document>, Option<Outline>), Finding> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_text(bytes, &error))?;
    let (all, outline) = yaml::read(text)?;
    let mut documents = Vec::new();
    for readings in all {
        add(&mut documents, readings, reader);
    }
    Ok((documents, outline))
}

/// The finding about bytes that are no text, and so no YAML.
fn not_text(bytes: &[u8], error: &Utf8Error) -> Finding {
    let what = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16".to_owned(),
        _ => format!("byte {} is not UTF-8", error.valid_up_to()),
    };
    Finding::new("", SourceReason::NotTaken { what, fix: "save it as UTF-8" })
}

// === impl Kind ===

impl Kind {
    const ALL: [Self; 3] = [Self::CorsPolicy, Self::OriginSet, Self::ClusterCorsPolicy];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CorsPolicy => KIND,
            Self::OriginSet => ORIGIN_SET_KIND,
            Self::ClusterCorsPolicy => GUARDRAIL_KIND,
        }
    }
}

/// Adds a document, or those that it is a list of.
fn add(documents: &mut Vec<Document>, readings: Readings, reader: Reader) {
    let Readings { mut value, to_kubectl, texts } = readings;
    let word = |name| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (word("apiVersion"), word("kind"));
    let (group, _) = api_version.split_once('/').unwrap_or_default();
    // No version, or a group that looks like ours: meant for us. Any other group may have such a kind too.
    let is_similar = || shape::similar(group, std::iter::once(GROUP)).is_some();
    let is_ours = group.is_empty() || group == GROUP || is_similar();
    let ours = Kind::ALL.into_iter().find(|ours| is_ours && ours.as_str() == kind);
    if let (Some(kind), Some(document)) = (ours, value.as_object_mut()) {
        let misread = misread(document, to_kubectl.as_ref(), reader);
        let spelling = Spelling::of(document, &texts);
        let manifest = manifest(kind, &api_version, mem::take(document), misread, spelling);
        documents.push(manifest.map_or_else(Document::Lost, Document::Manifest));
        return;
    }
    match (group, kind.as_str()) {
        (GROUP, "CorsPolicyList" | "OriginSetList" | "ClusterCorsPolicyList") | ("", "List") => {
            let items = value.get_mut("items").map(Value::take).unwrap_or_default();
            let parts = match parts(items, to_kubectl, texts) {
                Ok(parts) => parts,
                Err(items) => {
                    // The first half of a list says the same.
                    documents.push(Document::Lost(unlisted(&items)));
                    return;
                }
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
                add(documents, part, reader);
            }
        }
        (GROUP, kind) => {
            let reason = shape::unknown_word("kind", kind, &Kind::ALL.map(Kind::as_str));
            documents.push(Document::Lost(Finding::new("kind", reason)));
        }
        _ => documents.push(Document::Other { value, to_kubectl }),
    }
}

/// The object that a document of the group is.
///
/// # Errors
///
/// The finding by which it cannot be identified.
fn manifest(
    kind: Kind,
    api_version: &str,
    mut document: Map<String, Value>,
    misread: Vec<Finding>,
    spelling: Spelling,
) -> Result<Manifest, Finding> {
    let metadata = match document.remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    let name = match metadata.get("name") {
        Some(Value::String(name)) if !name.is_empty() => name.clone(),
        Some(name) if !name.is_null() && !name.is_string() => {
            let mut finding = unshaped(kind, "metadata.name", name);
            spelling.quote(slice::from_mut(&mut finding));
            return Err(finding);
        }
        _ => return Err(Finding::new("metadata.name", SourceReason::MissingName)),
    };
    let mut findings = unknown(kind, "metadata", metadata.keys(), &METADATA);
    findings.extend(misread);
    findings.extend(unshaped_entries(kind, &metadata));
    let namespace = match metadata.get("namespace") {
        None | Some(Value::Null) => "default".to_owned(),
        // `kubectl` reads an empty one the same way.
        Some(Value::String(namespace)) if namespace.is_empty() => "default".to_owned(),
        Some(Value::String(namespace)) => {
            if kind == Kind::ClusterCorsPolicy {
                findings.push(Finding::new("metadata.namespace", SourceReason::InNamespace));
            }
            namespace.clone()
        }
        Some(namespace) => {
            findings.push(unshaped(kind, "metadata.namespace", namespace));
            "default".to_owned()
        }
    };
    if api_version != format!("{GROUP}/{VERSION}") {
        // The meaning of the rest is unknown.
        let reason = SourceReason::UnknownVersion(api_version.to_owned());
        let findings = vec![Finding::new("apiVersion", reason)];
        return Ok(Manifest { kind, namespace, name, spec: None, findings, spelling });
    }
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
    Ok(Manifest { kind, namespace, name, spec: Some(spec), findings, spelling })
}

/// The items of a list, each in its readings.
///
/// # Errors
///
/// The value that stands in the place of a list.
fn parts(items: Value, to_kubectl: Option<Value>, texts: Value) -> Result<Vec<Readings>, Value> {
    let Value::Array(items) = items else { return Err(items) };
    let mut others = to_kubectl.map(entries).unwrap_or_default().into_iter();
    let mut texts = entries(texts).into_iter();
    let parts = items.into_iter().map(|value| {
        let texts = texts.next().unwrap_or_default();
        Readings { value, to_kubectl: others.next(), texts }
    });
    Ok(parts.collect())
}

/// The entries of a list's items.
fn entries(mut list: Value) -> Vec<Value> {
    match list.get_mut("items").map(Value::take) {
        Some(Value::Array(entries)) => entries,
        _ => Vec::new(),
    }
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
fn explain(kind: Kind, field: &str) -> String {
    let kind = kind.as_str().to_lowercase();
    if field.is_empty() { kind } else { format!("{kind}.{field}") }
}

fn unshaped(kind: Kind, field: &str, value: &Value) -> Finding {
    // A label is no field.
    let known: Vec<&str> = field.splitn(3, '.').take(2).collect();
    let explain = explain(kind, &known.join("."));
    Finding::new(field, shape::wrong_type("string", field, value, explain))
}

/// Labels and annotations that are no texts.
fn unshaped_entries(kind: Kind, metadata: &Map<String, Value>) -> Vec<Finding> {
    let entries = ["labels", "annotations"].into_iter().flat_map(|part| {
        let entries = metadata.get(part).and_then(Value::as_object).into_iter().flatten();
        entries.map(move |(name, value)| (format!("metadata.{part}.{name}"), value))
    });
    let wrong = entries.filter(|(_, value)| !value.is_string() && !value.is_null());
    wrong.map(|(field, value)| unshaped(kind, &field, value)).collect()
}

/// Names the field of the spec that is meant by one beside it.
fn outside(kind: Kind, spec: &Value, written: Option<&Value>, stranger: &mut Finding) {
    if let Some(written) = written
        && let Some(ShapeReason::UnknownField { name, meant, .. }) = stranger.reason.downcast_mut()
        && let Some(found) = shape::outside(kind.as_str(), spec, (name, written))
    {
        *meant = Some(Box::new(found));
    }
}

/// The finding about texts that `kubectl` reads differently.
fn misread(
    document: &Map<String, Value>,
    to_kubectl: Option<&Value>,
    reader: Reader,
) -> Vec<Finding> {
    let parts = ["metadata", "spec"].into_iter().filter_map(|part| {
        Some(yaml::misread(document.get(part)?, to_kubectl?.get(part)?, part, reader))
    });
    parts.flatten().collect()
}

fn unknown<'f>(
    kind: Kind,
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
            Finding::new(join(path, name), reason)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::MAX_NODES;

    const POLICY: &str =
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {name: a}\nspec: {}\n";

    /// The outline of `text`: policies, codes of findings, and the number of other documents; or that it is no YAML.
    fn outline(text: &[u8]) -> Result<(Vec<String>, Vec<String>, usize), &'static str> {
        let (mut names, mut findings, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for document in read(text, Reader::Kubectl).map_err(|finding| finding.code())? {
            match document {
                Document::Manifest(manifest) => {
                    names.push(format!("{}/{}", manifest.namespace, manifest.name));
                    findings.extend(manifest.findings);
                }
                Document::Lost(finding) => findings.push(finding),
                Document::Other { value, .. } => others.push(value),
            }
        }
        let codes = findings.iter().map(|finding| format!("{} {}", finding.field, finding.code()));
        Ok((names, codes.collect(), others.len()))
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
    fn a_template_of_helm_is_to_be_rendered_first() {
        let text = POLICY.replace("spec: {}", "spec:\n  hostnames: [{{ .Values.host }}]");
        let finding = read(text.as_bytes(), Reader::Kubectl).unwrap_err();
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
    fn a_word_is_no_boolean() {
        let text = POLICY.replace("{}", "{mode: Off}");
        for (reader, code) in [(Reader::Folder, "CORS-W501"), (Reader::Kubectl, "CORS-E513")] {
            let documents = read(text.as_bytes(), reader).unwrap();
            let [Document::Manifest(Manifest { spec, findings, .. })] = &documents[..] else {
                panic!("{documents:?}")
            };
            assert_eq!(spec.as_ref().unwrap()["mode"], "Off");
            let said: Vec<_> =
                findings.iter().map(|f| format!("{} {}", f.field, f.code())).collect();
            assert_eq!(said, [format!("spec.mode {code}")]);
        }
    }
}
