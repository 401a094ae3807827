//! Size limit: how long a policy may be, by itself and together with the others of its proxies.

use std::collections::BTreeMap;

use corsward_api::v1alpha1::CorsPolicySpec;
use corsward_policy::{Finding, Policy, PolicyId, compile, wire};

use crate::bundle::Bundle;
use crate::finding::SizeReason;
use crate::json_text::JsonText;

/// Configuration of one bundle beyond which a warning is due: proxies parse it on every thread.
pub const WARN_LEN: usize = 256 * 1024;
/// Largest configuration of one bundle: what etcd and a `ConfigMap` hold.
pub const MAX_LEN: usize = 1024 * 1024;
/// Longest spec of one policy: its status repeats it, and etcd takes both in 1.5 MiB.
pub const MAX_SPEC_LEN: usize = 640 * 1024;
/// Most policies of a large bundle that a message names.
const MAX_NAMED: usize = 3;

/// The length of a spec with all its defaults, which an API server adds to the text. A short text is not long with them.
pub(crate) fn spec_len(text: &JsonText, spec: &CorsPolicySpec) -> usize {
    let len = text.text_len();
    if len < MAX_SPEC_LEN / 2 {
        return len;
    }
    serde_json::to_string(spec).map_or(len, |text| text.len())
}

/// The finding about a policy that is too large by itself. `compiled` is its compiled form alone.
pub(crate) fn refusal(spec_len: usize, compiled: &str) -> Option<Finding> {
    let len = compiled.len();
    let reason = if len > MAX_LEN {
        SizeReason::TooLarge { len, max: MAX_LEN }
    } else if spec_len > MAX_SPEC_LEN {
        SizeReason::TooLong { len: spec_len, max: MAX_SPEC_LEN }
    } else {
        return None;
    };
    Some(Finding::new("spec", reason))
}

/// The reason why these bytes must not be published.
pub(crate) fn hold(bundle: &Bundle, policies: &[&Policy]) -> Option<String> {
    let len = bundle.compiled.len();
    if len > MAX_LEN {
        let largest = largest(policies).into_iter().map(|id| id.to_string());
        let largest = largest.collect::<Vec<_>>().join(", ");
        return Some(format!(
            "the policies of one proxy make {len} bytes, and {MAX_LEN} can be published: shorten or split {largest}"
        ));
    }
    // What the filter would refuse is not published. It reads what we write, or one of us is wrong.
    let error = wire::decode(&bundle.compiled).err()?;
    Some(format!("the filter would refuse the configuration: {error}"))
}

/// The findings about a large bundle, by policy.
pub(crate) fn large(bundle: &Bundle, policies: &[&Policy]) -> BTreeMap<PolicyId, Finding> {
    let len = bundle.compiled.len();
    if len <= WARN_LEN {
        return BTreeMap::new();
    }
    let finding = Finding::new("spec", SizeReason::Large { len, max: MAX_LEN });
    largest(policies).into_iter().map(|id| (id, finding.clone())).collect()
}

/// Is it about the size of a bundle?
pub(crate) fn is_about_size(finding: &Finding) -> bool {
    matches!(finding.reason.downcast_ref(), Some(SizeReason::Large { .. }))
}

/// The policies to split: the largest, and a few more if they are nearly as large.
fn largest(policies: &[&Policy]) -> Vec<PolicyId> {
    let len = |policy: &Policy| wire::encode(&compile(&[policy])).len();
    let mut sized: Vec<(usize, &PolicyId)> =
        policies.iter().map(|policy| (len(policy), policy.id())).collect();
    sized.sort_by(|(a, x), (b, y)| b.cmp(a).then(x.cmp(y)));
    let worth_naming = sized.first().map_or(0, |(largest, _)| largest / 2);
    let named = sized.into_iter().take(MAX_NAMED).take_while(|(len, _)| *len >= worth_naming);
    named.map(|(_, id)| id.clone()).collect()
}
