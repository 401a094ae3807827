//! Labels of a selector: those that no object of Kubernetes can have select nothing.

use corsward_policy::Finding;
use corsward_policy::syntax::is_dns_subdomain;

use crate::cluster_state::Labels;
use crate::finding::TargetReason;

/// Longest part of a label.
const LONGEST_WORD: usize = 63;

/// Findings about labels that stand below `field`.
pub(crate) fn check(labels: &Labels, field: &str) -> Vec<Finding> {
    let impossible = labels.iter().filter(|(name, value)| !is_name(name) || !is_value(value));
    let finding =
        |(name, value)| impossible_at(format!("{field}.{name}"), format!("{name}={value}"));
    impossible.map(finding).collect()
}

/// Findings about the name and the values that stand below `field`, apart from each other.
pub(crate) fn check_expression(name: &str, values: &[String], field: &str) -> Vec<Finding> {
    let name = (!is_name(name)).then(|| impossible_at(format!("{field}.key"), name.to_owned()));
    let values = values.iter().enumerate().filter(|(_, value)| !is_value(value));
    let values =
        values.map(|(at, value)| impossible_at(format!("{field}.values[{at}]"), value.clone()));
    name.into_iter().chain(values).collect()
}

fn impossible_at(field: String, label: String) -> Finding {
    Finding::new(field, TargetReason::ImpossibleLabel(label))
}

/// With or without a DNS name and a slash before it.
fn is_name(name: &str) -> bool {
    let (prefix, word) = name.split_once('/').map_or((None, name), |(p, word)| (Some(p), word));
    prefix.is_none_or(is_dns_subdomain) && is_word(word)
}

fn is_value(value: &str) -> bool {
    value.is_empty() || is_word(value)
}

fn is_word(word: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    word.len() <= LONGEST_WORD
        && is_end(word.chars().next())
        && is_end(word.chars().next_back())
        && word.chars().all(is_inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_no_object_can_have_is_named() {
        // Kubernetes bounds the prefix, and not the parts of it.
        let long = format!("{}.example/app", "a".repeat(64));
        for (name, value, want) in [
            ("app", "api", ""),
            ("app", "", ""),
            ("app.kubernetes.io/name", "a.b_c-D9", ""),
            ("", "x", "l."),
            ("bad key!", "x", "l.bad key!"),
            ("app", "v v", "l.app"),
            ("app", "-a", "l.app"),
            ("Example.com/app", "a", "l.Example.com/app"),
            ("/app", "a", "l./app"),
            ("a/b/c", "a", "l.a/b/c"),
            (long.as_str(), "a", ""),
        ] {
            let labels = Labels::from([(name.to_owned(), value.to_owned())]);
            let found = check(&labels, "l");
            let fields: Vec<_> = found.iter().map(|finding| finding.field.as_str()).collect();
            assert_eq!(fields.join(" "), want, "{name}={value}");
            assert!(found.iter().all(|finding| finding.code() == "CORS-E528"), "{found:?}");
        }
    }

    #[test]
    fn an_expression_is_judged_part_by_part() {
        let values = ["dev", "de v", ""].map(str::to_owned);
        let found = check_expression("a b", &values, "e");
        let fields: Vec<_> = found.iter().map(|finding| finding.field.as_str()).collect();
        assert_eq!(fields, ["e.key", "e.values[1]"]);
    }
}
