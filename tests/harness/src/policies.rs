//! Policies through their real shapes: JSON, resource, draft, policy, compiled, bytes, and compiled again.

use anyhow::{Context, Result, bail};
use corsward_api::v1alpha1::CorsPolicy;
use corsward_manifest::convert;
use corsward_manifest::knowledge::FullKnowledge;
use corsward_policy::draft::Specificity;
use corsward_policy::wire::{self, Envelope, OnInvalid};
use corsward_policy::{Compiled, Draft, Policy, PolicyId, Workload, validate};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A `CorsPolicy` of a suite: where it says no `hostnames`, it covers `<name>.<suite>.test`.
pub fn policy(suite: &str, name: &str, mut spec: Map<String, Value>) -> Value {
    let mut metadata = json!({ "namespace": suite, "name": name });
    if let Some(Value::Object(written)) = spec.remove("metadata") {
        for (key, value) in written {
            metadata[key] = value;
        }
    }
    spec.entry("hostnames").or_insert_with(|| json!([host(suite, name)]));
    json!({
        "apiVersion": "corsward.io/v1alpha1",
        "kind": "CorsPolicy",
        "metadata": metadata,
        "spec": spec,
    })
}

/// The host that a suite's policy covers.
pub fn host(suite: &str, policy: &str) -> String {
    format!("{policy}.{suite}.test")
}

/// Compiles these `CorsPolicy` objects as for a proxy, and returns the text of the wire too.
pub fn compile(objects: &[&Value]) -> Result<(String, Compiled)> {
    compile_for(&objects.iter().map(|object| (*object, &[][..])).collect::<Vec<_>>())
}

/// The same for objects each of which is for some workloads only.
pub fn compile_for(objects: &[(&Value, &[Workload])]) -> Result<(String, Compiled)> {
    let policies: Vec<(Policy, &[Workload])> = objects
        .iter()
        .map(|(object, workloads)| Ok((valid(object)?, *workloads)))
        .collect::<Result<_>>()?;
    let policies: Vec<_> = policies.iter().map(|(policy, of)| (policy, *of)).collect();
    let text = wire::encode(&corsward_policy::compile_for(&policies));
    let Ok(decoded) = wire::decode(&text) else {
        bail!("what was encoded does not decode: {text}");
    };
    Ok((text, decoded))
}

/// The envelope around a compiled form, as the file publisher writes it.
pub fn envelope(compiled: String, on_invalid: OnInvalid) -> String {
    Envelope { digest: digest(&compiled), on_invalid, compiled }.encode()
}

/// `sha256:` and the digest of a compiled form.
pub fn digest(compiled: &str) -> String {
    let hex: String =
        Sha256::digest(compiled.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The valid policy that an object is.
fn valid(object: &Value) -> Result<Policy> {
    let draft = draft(object).with_context(|| format!("in {object}"))?;
    let validated = validate(&draft, &FullKnowledge);
    let findings: Vec<String> = validated.findings.iter().map(ToString::to_string).collect();
    validated.policy.with_context(|| format!("`{}` is refused: {findings:#?}", draft.id))
}

/// The draft of an object, its target and age included, as the Kubernetes source reads them.
fn draft(object: &Value) -> Result<Draft> {
    let policy: CorsPolicy = serde_json::from_value(object.clone())?;
    let id = PolicyId {
        namespace: policy.metadata.namespace.clone().unwrap_or_default(),
        name: policy.metadata.name.clone().unwrap_or_default(),
    };
    let targeted = policy.spec.selector.is_some() || !policy.spec.target_refs.is_empty();
    let specificity = if targeted { Specificity::Workload } else { Specificity::Namespace };
    let created = policy.metadata.creation_timestamp.as_ref().map(|time| time.0.as_second());
    Ok(convert::draft(&id, &policy.spec, specificity, created))
}
