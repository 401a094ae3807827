//! Object: a policy as a source delivered it, named and placed, its spec still text; and an object that an admission check asks about.

use std::sync::Arc;

use corsward_api::v1alpha1::{Revision, Revisions};
use corsward_manifest::document::Manifest;
use corsward_manifest::shape;
use corsward_manifest::spelling::Spelling;
use corsward_policy::{Finding, PolicyId, finding};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster_state::RawObject;
use crate::json_text::JsonText;

/// A policy as a source delivered it.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// `metadata.namespace` and `metadata.name`.
    pub id: PolicyId,
    /// Its file's name; `None` for an API server.
    pub place: Option<String>,
    /// `metadata.generation`, where the source counts generations.
    pub generation: Option<i64>,
    /// Its content.
    pub text: Text,
    /// The API server's record beside the spec; `None` for a folder.
    pub record: Option<Record>,
}

/// The API server's record beside the spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// `metadata.uid`: a new object of the same name has a new one.
    pub uid: String,
    /// `metadata.creationTimestamp`, in seconds of the Unix epoch.
    pub created: Option<i64>,
    /// `status` as it is there; `null` where there is none.
    pub status: JsonText,
}

/// The content of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// `spec` as written; `None`: it is there, but what it says cannot be known.
    pub spec: Option<JsonText>,
    /// Findings about anything outside `spec`.
    pub findings: Vec<Finding>,
    /// The text of values in a file that JSON writes otherwise.
    pub spelling: Spelling,
}

/// An object as a user wants it to be.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckedObject {
    /// A policy.
    CorsPolicy(Box<Object>),
    /// The spec of origins that policies share.
    OriginSet(Arc<Value>),
    /// The spec of guardrails.
    ClusterCorsPolicy(Arc<Value>),
}

/// The findings about a text. It is accepted if none of them refuses it.
#[derive(Clone, Debug)]
pub struct ValidatedObject {
    /// As the API server keeps it.
    pub object: RawObject,
    /// Every finding.
    pub findings: Vec<Finding>,
}

/// The result of `read` for the spec of an object of that kind, and every finding about it. `None`: the spec has not the shape of its kind.
/// `read` gets the findings about the shape, and adds its own.
pub(crate) fn read_spec<S: DeserializeOwned, T>(
    kind: &str,
    spec: &Value,
    read: impl FnOnce(S, &[Finding], &mut Vec<Finding>) -> T,
) -> (Option<T>, Vec<Finding>) {
    let (mut spec, mut findings, mut later) = (spec.clone(), Vec::new(), Vec::new());
    let repairs = shape::check(kind, &mut spec, &mut findings);
    let result = shape::read(kind, spec, &mut later).map(|spec| read(spec, &findings, &mut later));
    findings.extend(repairs.beside(later));
    finding::sort(&mut findings);
    (result, findings)
}

// === impl Text ===

impl From<JsonText> for Text {
    fn from(spec: JsonText) -> Self {
        Self { spec: Some(spec), ..Self::default() }
    }
}

// === impl Object ===

impl Object {
    /// The policy of a document in a file.
    pub fn of_manifest(manifest: Manifest, file: &str) -> Self {
        let Manifest { kind: _, namespace, name, spec, findings, spelling } = manifest;
        let spec = spec.as_ref().map(JsonText::of);
        let text = Text { spec, findings, spelling };
        let (id, place) = (PolicyId { namespace, name }, Some(file.to_owned()));
        Self { id, place, generation: None, text, record: None }
    }

    /// The spec as written, where it could be read.
    pub fn spec(&self) -> Option<&JsonText> {
        self.text.spec.as_ref()
    }

    /// Is there nothing new to judge since `other`?
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.text == other.text
            && self.generation == other.generation
            && self.uid() == other.uid()
            && self.created() == other.created()
    }

    /// Its identity, where names are used again.
    pub fn uid(&self) -> Option<&str> {
        self.record.as_ref().map(|record| record.uid.as_str())
    }

    /// Its creation in seconds of the Unix epoch, if that is known.
    pub fn created(&self) -> Option<i64> {
        self.record.as_ref().and_then(|record| record.created)
    }

    /// The generation and the spec that its status says are in force, or would be but for a guardrail.
    pub fn recorded(&self) -> Option<(i64, JsonText)> {
        let Revisions { in_force, suspended } = self.record.as_ref()?.status.read()?;
        let Revision { generation, spec } = in_force.or(suspended)?;
        Some((generation, spec))
    }
}
