//! Objects of a live cluster: the lists of its API server, each object as a file of its own.

use anyhow::{anyhow, bail};
use corsward_api::json_text::JsonText;
use corsward_api::{API_VERSION, GUARDRAIL_KIND, KIND, ORIGIN_SET_KIND};
use corsward_manifest::finding::SourceReason;
use corsward_operator_core::object::Record;
use corsward_policy::PolicyId;
use futures::future::join_all;
use serde_json::{Map, Value, json};

use super::{Connection, Failure, LAST_APPLIED, path};
use crate::output::note;
use crate::policies::{FileSource, Listed, LiveObjects, SourceFile};

/// A kind of objects.
#[derive(Clone, Copy)]
struct LiveKind {
    /// `apiVersion`.
    api_version: &'static str,
    kind: &'static str,
    plural: &'static str,
    is_namespaced: bool,
    /// Is it served by every API server that has corsward's definitions?
    is_required: bool,
}

/// The kinds of objects that policies are judged by.
const KINDS: [LiveKind; 6] = [
    LiveKind { plural: "corspolicies", ..LiveKind::own(KIND) },
    LiveKind { plural: "originsets", ..LiveKind::own(ORIGIN_SET_KIND) },
    LiveKind {
        plural: "clustercorspolicies",
        is_namespaced: false,
        ..LiveKind::own(GUARDRAIL_KIND)
    },
    LiveKind {
        api_version: "v1",
        plural: "namespaces",
        is_namespaced: false,
        ..LiveKind::own("Namespace")
    },
    LiveKind { api_version: "v1", plural: "services", ..LiveKind::own("Service") },
    LiveKind {
        api_version: "gateway.networking.k8s.io/v1",
        plural: "gateways",
        is_required: false,
        ..LiveKind::own("Gateway")
    },
];

/// Reads the objects. A note names a kind that the user may not list.
pub(super) fn read(connection: &Connection) -> anyhow::Result<LiveObjects> {
    let lists = KINDS.map(|kind| list(connection, kind));
    let lists = connection.wait(join_all(lists));
    let mut live = LiveObjects { name: connection.context.clone(), ..LiveObjects::default() };
    for (kind, list) in KINDS.into_iter().zip(lists) {
        let (objects, listed) = match list {
            Ok(list) => list,
            Err(Failure::NotFound(_)) if !kind.is_required => (Vec::new(), Listed::Everywhere),
            Err(Failure::NotFound(_)) => bail!(
                "the API server of context {} does not serve {} {}: the chart installs its definition, and `corsward doctor` checks it",
                live.name,
                kind.api_version,
                kind.plural
            ),
            Err(Failure::Forbidden(why)) if kind.kind != KIND => {
                note(format_args!("note: {} are not seen: {why}", kind.plural));
                continue;
            }
            Err(why) => {
                let (name, server) = (&live.name, &connection.server);
                return Err(anyhow!(why))
                    .map_err(|why| why.context(format!("ask {server}, of context {name}")));
            }
        };
        if let Listed::Within(namespace) = &listed {
            note(format_args!(
                "note: {} are those of namespace {namespace} alone: the user may not list all",
                kind.plural
            ));
        }
        live.files.extend(objects.iter().map(|object| file(&live.name, kind, object)));
        if kind.kind == KIND {
            live.records.extend(objects.iter().map(record));
        }
        live.listed.insert(kind.kind, listed);
    }
    Ok(live)
}

/// The objects of a kind: all, or those of the context's namespace where the user may list no more.
async fn list(connection: &Connection, kind: LiveKind) -> Result<(Vec<Value>, Listed), Failure> {
    let client = &connection.client;
    let namespace = &connection.namespace;
    let within = || Listed::Within(namespace.clone());
    if kind.is_namespaced {
        let path = |namespace: Option<&str>| kind.path(namespace);
        let (objects, refused) = client.list_or_within(path, "", namespace).await?;
        return Ok((objects, refused.map_or(Listed::Everywhere, |_| within())));
    }
    match client.list(&kind.path(None), "").await {
        // Its labels decide which guardrails bound the policies.
        Err(refused @ Failure::Forbidden(_)) if kind.kind == "Namespace" => {
            let object = client.get(&format!("{}/{namespace}", kind.path(None))).await;
            Ok((vec![object.map_err(|_| refused)?], within()))
        }
        listed => Ok((listed?, Listed::Everywhere)),
    }
}

/// What the API server keeps of a policy beside its spec.
fn record(object: &Value) -> (PolicyId, Record) {
    let text = |field: &str| {
        let value = object.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let created = text("creationTimestamp").parse::<jiff::Timestamp>();
    let record = Record {
        uid: text("uid"),
        created: created.ok().map(jiff::Timestamp::as_second),
        status: JsonText::of(object.get("status").unwrap_or(&Value::Null)),
    };
    (PolicyId { namespace: text("namespace"), name: text("name") }, record)
}

/// An object as its author would have written it, in a file of its own.
fn file(cluster: &str, kind: LiveKind, object: &Value) -> SourceFile {
    let metadata = object.get("metadata").unwrap_or(&Value::Null);
    let text = |field: &str| metadata.get(field).and_then(Value::as_str).unwrap_or_default();
    let place = match text("namespace") {
        "" => text("name").to_owned(),
        namespace => format!("{namespace}/{}", text("name")),
    };
    let mut kept = Map::new();
    for field in ["namespace", "name", "labels", "annotations"] {
        if let Some(value) = metadata.get(field) {
            kept.insert(field.to_owned(), value.clone());
        }
    }
    if let Some(Value::Object(annotations)) = kept.get_mut("annotations") {
        annotations.remove(LAST_APPLIED);
    }
    let mut written = json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": kept,
    });
    if let (Some(written), Some(spec)) = (written.as_object_mut(), object.get("spec")) {
        written.insert("spec".to_owned(), spec.clone());
    }
    // A long text stays on its line, so that a finding underlines it.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let bytes = serde_saphyr::to_string_with_options(&written, options)
        .map(String::into_bytes)
        .map_err(|error| SourceReason::Unreadable(error.to_string()));
    SourceFile {
        name: format!("cluster {cluster}: {} {place}", kind.kind),
        bytes,
        source: FileSource::Cluster,
    }
}

// === impl LiveKind ===

impl LiveKind {
    const fn own(kind: &'static str) -> Self {
        Self { api_version: API_VERSION, kind, plural: "", is_namespaced: true, is_required: true }
    }

    /// The path of its objects.
    fn path(self, namespace: Option<&str>) -> String {
        path(self.api_version, self.plural, namespace)
    }
}
