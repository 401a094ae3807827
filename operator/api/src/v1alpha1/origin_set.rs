//! `OriginSet`: origins that several policies share.

#![expect(unreachable_pub, reason = "the schema derive repeats each type inside a function")]

use corsward_policy::limits;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::OriginSetStatus;

/// Origins under one name, for the policies of the same namespace to allow: `allowOriginsFrom: [{kind: OriginSet, name: …}]`.
/// A change reaches every policy that uses it.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "corsward.io",
    version = "v1alpha1",
    kind = "OriginSet",
    plural = "originsets",
    shortname = "oset",
    category = "corsward",
    namespaced,
    status = "OriginSetStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Origins under one name, for the policies of the same namespace to allow.",
    printcolumn(
        name = "Origins",
        type_ = "integer",
        json_path = ".status.summary.origins",
        description = "number of origin patterns"
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#,
        description = "whether the set as written is valid"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!('*' in self.origins)")
        .message("a set names origins: write `*` into the allowOrigins of the policy that allows every origin")
)]
pub struct OriginSetSpec {
    /// The origins, in the grammar of a policy's `allowOrigins`: scheme, host and port, `*.` for every subdomain. A policy that
    /// uses the set is validated as if they stood in its own `allowOrigins`, dangers and guardrails included. `*` is refused here:
    /// it belongs in a policy. Empty: no origin.
    ///
    /// Permitted: `["https://partner.example", "https://*.partner.example"]`.
    /// Refused: `["*"]`, `["https://partner.example/"]` (an origin ends before the slash).
    #[schemars(
        length(max = limits::MAX_LIST_LEN),
        inner(length(min = 1, max = limits::MAX_ORIGIN_LEN))
    )]
    pub origins: Vec<String>,
}
