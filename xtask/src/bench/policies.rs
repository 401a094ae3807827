//! The policies that are measured.

use anyhow::{Context, Result};
use corsward_policy::draft::CorsDraft;
use corsward_policy::validate::NoKnowledge;
use corsward_policy::wire::{self, Envelope, OnInvalid};
use corsward_policy::{Draft, PolicyId, compile, validate};
use serde_json::{Value, json};

/// The one origin that is allowed.
pub(super) const ORIGIN: &str = "https://a.example";

/// One policy for everything, as corsward reads it.
pub(super) fn one() -> Result<String> {
    envelope(&[draft(0, ORIGIN, Vec::new())], 1)
}

/// `count` policies for a host each; `version` changes the bytes and becomes the digest.
pub(super) fn many(count: usize, version: u64) -> Result<String> {
    let origin = format!("https://v{version}.example");
    let drafts = (0..count).map(|n| draft(n, &origin, vec![format!("h{n}.example")]));
    envelope(&drafts.collect::<Vec<_>>(), version)
}

/// The gauge under which the filter shows what `version` became.
pub(super) const fn digest_gauge(version: u64) -> u64 {
    version
}

/// The same policy for Envoy's own filter.
pub(super) fn native() -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{ "exact": ORIGIN }],
        "allow_methods": "PUT",
        "allow_headers": "x-token",
        "expose_headers": "x-id",
        "allow_credentials": true,
        "max_age": "600",
    })
}

fn draft(number: usize, origin: &str, hostnames: Vec<String>) -> Draft {
    let cors = CorsDraft {
        allow_origins: vec![origin.to_owned()],
        allow_methods: vec!["PUT".to_owned()],
        allow_headers: vec!["x-token".to_owned()],
        expose_headers: vec!["x-id".to_owned()],
        allow_credentials: true,
        max_age: Some(600),
        ..CorsDraft::default()
    };
    let id = PolicyId { namespace: "bench".to_owned(), name: format!("p{number}") };
    Draft { id, cors: Some(cors), hostnames, ..Draft::default() }
}

fn envelope(drafts: &[Draft], version: u64) -> Result<String> {
    let policies = drafts.iter().map(|draft| {
        let validated = validate(draft, &NoKnowledge);
        validated.policy.with_context(|| format!("{:?}", validated.findings))
    });
    let policies = policies.collect::<Result<Vec<_>>>()?;
    let compiled = wire::encode(&compile(&policies.iter().collect::<Vec<_>>()));
    // 53 of the first 56 bits are what the gauge shows.
    let digest = format!("sha256:{:014x}{:050}", version << 3, 0);
    Ok(Envelope { digest, on_invalid: OnInvalid::Reject, compiled }.encode())
}
