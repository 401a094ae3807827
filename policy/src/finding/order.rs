//! Order of findings in a list, from every source.

use super::Finding;

/// The fields of a policy, each before those that follow it in the reference.
const ORDER: [&str; 43] = [
    "apiVersion",
    "kind",
    "metadata",
    "namespace",
    "name",
    "spec",
    "targetRefs",
    "selector",
    "hostnames",
    "path",
    "type",
    "value",
    "cors",
    "allowOrigins",
    "allowOriginsFrom",
    "allowOriginRegexes",
    "allowMethods",
    "allowHeaders",
    "exposeHeaders",
    "allowCredentials",
    "maxAge",
    "dangerouslyAllow",
    "disallowedRequests",
    "trustedOrigins",
    "rules",
    "mode",
    "preflight",
    "onFailure",
    "successStatus",
    "upstreamCorsHeaders",
    "upstreamOrigin",
    "origins",
    "namespaceSelector",
    "matchLabels",
    "matchExpressions",
    "enforcement",
    "guardrails",
    "allowedOrigins",
    "allowRegexes",
    "forbidDanger",
    "maxMaxAge",
    "allowedMethods",
    "allowedHeaders",
];

/// Sorts refusals before warnings before hints, and each of them in the order of the fields.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by_cached_key(|finding| (finding.severity(), place(&finding.field)));
}

/// The place of a field among the others: the rank of each name and the number of each entry.
fn place(field: &str) -> Vec<usize> {
    field
        .split(['.', '[', ']'])
        .filter(|segment| !segment.is_empty())
        .map(|segment| match segment.parse() {
            Ok(index) => index,
            Err(_) => ORDER.iter().position(|name| *name == segment).unwrap_or(ORDER.len()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{BehaviorReason, MethodReason, OriginReason};

    #[test]
    fn findings_are_sorted_by_weight_and_then_as_the_reference_lists_the_fields() {
        let field = "spec.cors.allowOrigins[10]";
        let mut findings = vec![
            Finding::new("spec.rules[0]", OriginReason::Null),
            Finding::new("spec.unknown", OriginReason::Null),
            Finding::new("spec.cors.allowMethods", MethodReason::None),
            Finding::new(field, OriginReason::Null),
            Finding::new("spec.cors.allowOrigins[9]", OriginReason::Null),
            Finding::new("", OriginReason::Null),
            Finding::new("spec", BehaviorReason::NothingToDo),
        ];
        sort(&mut findings);
        let fields: Vec<&str> = findings.iter().map(|finding| finding.field.as_str()).collect();
        let want = [
            "spec",
            "",
            "spec.cors.allowOrigins[9]",
            field,
            "spec.rules[0]",
            "spec.unknown",
            "spec.cors.allowMethods",
        ];
        assert_eq!(fields, want);
    }
}
