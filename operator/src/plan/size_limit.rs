//! Size limit: whether a bundle may be published, and whom to tell when it grows.

use std::collections::BTreeMap;

use corsward_policy::finding::{Reason, SizeReason};
use corsward_policy::{Finding, Policy, PolicyId, compile, wire};

use crate::bundle::Bundle;
use crate::size::{MAX_LEN, WARN_LEN};

/// How many of the policies in a large bundle are named.
const MAX_NAMED: usize = 3;

/// Why these bytes must not be published.
pub(super) fn hold(bundle: &Bundle, policies: &[&Policy]) -> Option<String> {
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

/// What to say to which policies about a large bundle.
pub(super) fn large(bundle: &Bundle, policies: &[&Policy]) -> BTreeMap<PolicyId, Finding> {
    let len = bundle.compiled.len();
    if len <= WARN_LEN {
        return BTreeMap::new();
    }
    let finding = Finding::new("spec", SizeReason::Large { len, max: MAX_LEN });
    largest(policies).into_iter().map(|id| (id, finding.clone())).collect()
}

/// Is it about the size of a bundle?
pub(super) fn is_about_size(finding: &Finding) -> bool {
    matches!(finding.reason, Reason::Size(SizeReason::Large { .. }))
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
