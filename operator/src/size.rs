//! Size: how long a policy may be, by itself and together with the others of its proxies.

use corsward_policy::Finding;
use corsward_policy::finding::SizeReason;

use crate::json_text::JsonText;

/// Configuration of one bundle beyond which a warning is due: proxies parse it on every thread.
pub const WARN_LEN: usize = 256 * 1024;
/// Largest configuration of one bundle: what etcd and a `ConfigMap` hold.
pub const MAX_LEN: usize = 1024 * 1024;
/// Longest spec of one policy: its status repeats it, and etcd takes both in 1.5 MiB.
pub const MAX_SPEC_LEN: usize = 640 * 1024;

/// Why a policy is too large by itself, whatever else its proxies have. `compiled` is what it compiles to when it is alone.
pub(crate) fn refusal(spec: &JsonText, compiled: &str) -> Option<Finding> {
    let (len, spec_len) = (compiled.len(), spec.text_len());
    let reason = if len > MAX_LEN {
        SizeReason::TooLarge { len, max: MAX_LEN }
    } else if spec_len > MAX_SPEC_LEN {
        SizeReason::TooLong { len: spec_len, max: MAX_SPEC_LEN }
    } else {
        return None;
    };
    Some(Finding::new("spec", reason))
}
