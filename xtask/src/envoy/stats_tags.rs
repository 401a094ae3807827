//! The rules that turn the filter's metric names into Prometheus labels.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// A label, and the expression whose first group leaves the name and whose second is the value.
struct Rule {
    label: &'static str,
    regex: &'static str,
}

/// A policy's name may hold dots, its namespace may not.
const RULES: [Rule; 6] = [
    Rule {
        label: "kind",
        regex: r"^wasmcustom\.corsward\.(?:shadow_)?decisions(\.kind\.(\w+))\.verdict\.",
    },
    Rule {
        label: "verdict",
        regex: r"^wasmcustom\.corsward\..*(\.verdict\.(\w+))(?:\.reason\.\w+)?$",
    },
    Rule { label: "reason", regex: r"^wasmcustom\.corsward\..*\.verdict\.\w+(\.reason\.(\w+))$" },
    Rule {
        label: "comparison",
        regex: r"^wasmcustom\.corsward\.(?:policy\..+\.)?shadow_comparisons(\.(agree|ours_only|upstream_only))$",
    },
    Rule { label: "namespace", regex: r"^wasmcustom\.corsward\.policy(\.([^.]+))\." },
    Rule {
        label: "policy",
        regex: r"^wasmcustom\.corsward\.policy\.[^.]+(\.(.+))\.(?:verdict|shadow_comparisons)\.\w+$",
    },
];

/// `stats_config.stats_tags` of a bootstrap.
pub(super) fn rules() -> Value {
    RULES.iter().map(|Rule { label, regex }| json!({ "tag_name": label, "regex": regex })).collect()
}

/// `docs/stats-tags.yaml`: the same rules, for a user's own bootstrap.
pub fn document() -> String {
    let mut text = String::from(
        "# Envoy's bootstrap: turns corsward's metric names into Prometheus labels.\n\
         stats_config:\n  stats_tags:\n",
    );
    for Rule { label, regex } in &RULES {
        let _ = writeln!(text, "  - tag_name: {label}\n    regex: '{regex}'");
    }
    text
}
