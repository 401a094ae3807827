//! Documents: the objects of a file that policies are judged by, each with its place in the file.

use std::collections::BTreeSet;
use std::sync::Arc;

use corsward_api::GATEWAY_GROUP;
use corsward_manifest::amend;
use corsward_manifest::document::{self, Document, Kind, Manifest};
use corsward_manifest::finding::SourceReason;
use corsward_manifest::outline::Outline;
use corsward_manifest::yaml::{self, Reader};
use corsward_operator_core::cluster_state::{
    Gateway, Key, Labels, MODE_ANNOTATION, Namespace, NamespaceMode, Service,
};
use corsward_operator_core::object::Object;
use corsward_operator_core::validation::dependency_findings;
use corsward_policy::{Finding, PolicyId};
use k8s_openapi::api::core::v1::ServiceSpec;
use serde::Deserialize as _;
use serde_json::Value;

use super::{FileFinding, FileSource, Place, SourceFile, Subject};

/// The objects of a file.
#[derive(Debug, Default)]
pub(super) struct Documents {
    pub(super) policies: Vec<(Place, Object)>,
    pub(super) origin_sets: Vec<(Place, Key, Arc<Value>)>,
    pub(super) guardrails: Vec<(Place, String, Arc<Value>)>,
    pub(super) namespaces: Vec<(String, Namespace)>,
    pub(super) services: Vec<(Key, Service)>,
    pub(super) gateways: Vec<(Key, Gateway)>,
    /// The names of all these objects.
    pub(super) names: BTreeSet<ObjectName>,
    /// The findings about anything but the specs of policies.
    pub(super) findings: Vec<FileFinding>,
    /// The outline of the text, where it has one.
    pub(super) outline: Option<Outline>,
}

/// The name by which an API server has an object once: its kind, its namespace and its name.
pub(super) type ObjectName = (&'static str, Key);

/// Words of which an object of the group has one.
const MARKS: [&str; 3] = ["corsward", "CorsPolicy", "OriginSet"];

// === impl Documents ===

impl Documents {
    /// Reads the file that is `at` in order.
    pub(super) fn read(file: &SourceFile, at: usize) -> Self {
        let mut documents = Self::default();
        let read = match &file.bytes {
            Ok(bytes) => document::read_outlined(bytes, Reader::Kubectl),
            Err(reason) => Err(Finding::new("", reason.clone())),
        };
        match read {
            Ok((read, outline)) => {
                documents.outline = outline;
                for (document, contents) in read.into_iter().enumerate() {
                    documents.add(Place { file: at, document: Some(document) }, contents, file);
                }
            }
            Err(finding) if file.source != FileSource::Folder || is_marked(file) => {
                let place = Place { file: at, document: None };
                documents.findings.push(FileFinding { place, subject: None, finding });
            }
            // A folder has files for other programs, such as templates.
            Err(_) => {}
        }
        documents
    }

    fn add(&mut self, place: Place, document: Document, file: &SourceFile) {
        match document {
            Document::Manifest(manifest) => match manifest.kind {
                Kind::CorsPolicy => {
                    let key = key(&manifest.namespace, &manifest.name);
                    self.names.insert((corsward_api::KIND, key));
                    self.policies.push((place, Object::of_manifest(manifest, &file.name)));
                }
                Kind::OriginSet | Kind::ClusterCorsPolicy => self.add_dependency(place, manifest),
            },
            Document::Lost(finding) => {
                self.findings.push(FileFinding { place, subject: None, finding });
            }
            Document::Other { value, to_kubectl } => {
                self.add_other(place, &value, to_kubectl.as_ref());
            }
        }
    }

    fn add_dependency(&mut self, place: Place, mut manifest: Manifest) {
        let findings = dependency_findings(&mut manifest);
        let Manifest { kind, namespace, name, spec, findings: _, spelling: _ } = manifest;
        let is_guardrail = kind == Kind::ClusterCorsPolicy;
        let namespace = if is_guardrail { String::new() } else { namespace };
        self.names.insert((kind.as_str(), key(&namespace, &name)));
        let id = PolicyId { namespace: namespace.clone(), name: name.clone() };
        self.find(place, &Subject { kind: kind.as_str(), id }, findings);
        let spec = Arc::new(spec.unwrap_or_default());
        if is_guardrail {
            self.guardrails.push((place, name, spec));
        } else {
            self.origin_sets.push((place, Key { namespace, name }, spec));
        }
    }

    fn add_other(&mut self, place: Place, value: &Value, to_kubectl: Option<&Value>) {
        let text = |field| amend::get(value, field).and_then(Value::as_str).unwrap_or_default();
        let Some(name) = amend::get(value, "metadata.name").and_then(Value::as_str) else { return };
        let namespace = Some(text("metadata.namespace")).filter(|it| !it.is_empty());
        let namespace = namespace.unwrap_or("default").to_owned();
        let (name, spec) = (name.to_owned(), value.get("spec").unwrap_or(&Value::Null));
        let (group, _) = text("apiVersion").split_once('/').unwrap_or_default();
        match (group, text("kind")) {
            ("", "Namespace") => self.add_namespace(place, &name, value, to_kubectl),
            ("", "Service") => {
                // What is no Service of Kubernetes is refused by it, and says nothing here.
                let spec = ServiceSpec::deserialize(spec).unwrap_or_default();
                self.names.insert(("Service", key(&namespace, &name)));
                self.services.push((Key { namespace, name }, Service::of(spec)));
            }
            (GATEWAY_GROUP, "Gateway") => {
                self.names.insert(("Gateway", key(&namespace, &name)));
                self.gateways.push((Key { namespace, name }, Gateway::of(spec)));
            }
            _ => {}
        }
    }

    fn add_namespace(
        &mut self,
        place: Place,
        name: &str,
        value: &Value,
        to_kubectl: Option<&Value>,
    ) {
        let labels = entries(value, "metadata.labels");
        let mode =
            NamespaceMode::of(entries(value, "metadata.annotations").remove(MODE_ANNOTATION));
        let field = format!("metadata.annotations.{MODE_ANNOTATION}");
        let other = to_kubectl.and_then(|value| amend::get(value, &field));
        let readings = amend::get(value, &field).zip(other);
        let findings =
            readings.map(|(written, other)| yaml::misread(written, other, &field, Reader::Kubectl));
        let id = PolicyId { namespace: String::new(), name: name.to_owned() };
        self.find(place, &Subject { kind: "Namespace", id }, findings.unwrap_or_default());
        self.names.insert(("Namespace", key("", name)));
        self.namespaces.push((name.to_owned(), Namespace { labels, mode }));
    }

    fn find(&mut self, place: Place, subject: &Subject, findings: Vec<Finding>) {
        self.findings.extend(findings.into_iter().map(|finding| FileFinding {
            place,
            subject: Some(subject.clone()),
            finding,
        }));
    }
}

fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.to_owned(), name: name.to_owned() }
}

/// Labels or annotations. A value that is no text is refused by an API server, and is read as its text here.
fn entries(value: &Value, field: &str) -> Labels {
    let entries = amend::get(value, field).and_then(Value::as_object).into_iter().flatten();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    entries.map(|(name, value)| (name.clone(), text(value))).collect()
}

/// May an object of the group be in it? One that cannot be read is none otherwise.
fn is_marked(file: &SourceFile) -> bool {
    let text = file.bytes.as_deref().map(String::from_utf8_lossy);
    text.map_or(true, |text| MARKS.iter().any(|mark| text.contains(mark)))
}

/// The finding about an object that is there again with another text, in the file that counts.
pub(super) fn duplicate(place: Place, subject: Subject, file: &SourceFile) -> FileFinding {
    let reason = SourceReason::Duplicate { policy: subject.name(), file: file.name.clone() };
    FileFinding { place, subject: Some(subject), finding: Finding::new("metadata.name", reason) }
}
