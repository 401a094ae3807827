//! Suffixes: the public suffix list, and what is above it.

use std::sync::LazyLock;

/// The ancestors of listed suffixes that are none themselves: one domain a line, sorted.
static ANCESTORS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    include_str!("ancestors.txt").lines().filter(|line| !line.starts_with('#')).collect()
});

/// Is `domain` a suffix by a rule of the list? The implicit rule for unlisted top-level domains does not count.
pub(super) fn is_public_suffix(domain: &str) -> bool {
    psl::suffix(domain.as_bytes())
        .is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == domain.as_bytes())
}

/// Is a listed suffix, or the base of a wildcard rule, below `domain`?
pub(super) fn is_ancestor_of_public_suffix(domain: &str) -> bool {
    ANCESTORS.binary_search(&domain).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_suffix_is_one_that_a_rule_lists() {
        for (why, domain, want) in [
            ("a top-level domain", "com", true),
            ("two labels", "co.uk", true),
            ("the private section", "github.io", true),
            ("deep in the private section", "s3.amazonaws.com", true),
            ("punycode", "xn--p1ai", true),
            ("punycode below", "xn--55qx5d.cn", true),
            ("by a wildcard rule (*.ck)", "anything.ck", true),
            ("an exception to it (!www.ck)", "www.ck", false),
            ("a wildcard rule two levels down (*.kawasaki.jp)", "x.kawasaki.jp", true),
            ("its exception (!city.kawasaki.jp)", "city.kawasaki.jp", false),
            ("registrable", "example.com", false),
            ("above a suffix, not one", "amazonaws.com", false),
            ("unlisted", "internal", false),
            ("unlisted", "localhost", false),
            ("unlisted", "example", false),
            ("nothing", "", false),
        ] {
            assert_eq!(is_public_suffix(domain), want, "{why}: {domain}");
        }
    }

    #[test]
    fn an_ancestor_has_a_listed_suffix_below_it() {
        for (why, domain, want) in [
            ("above s3.amazonaws.com", "amazonaws.com", true),
            ("above blob.core.windows.net", "core.windows.net", true),
            ("twice above", "windows.net", true),
            ("the base of *.ck", "ck", true),
            ("the base of *.kawasaki.jp", "kawasaki.jp", true),
            ("registrable, nothing below", "example.com", false),
            ("unlisted", "internal", false),
            ("unlisted", "localhost", false),
        ] {
            assert_eq!(
                is_ancestor_of_public_suffix(domain) || is_public_suffix(domain),
                want,
                "{why}: {domain}"
            );
        }
    }

    #[test]
    fn the_ancestors_are_sorted_and_ascii() {
        assert!(ANCESTORS.is_sorted(), "binary search needs it");
        assert!(ANCESTORS.iter().all(|domain| domain.is_ascii() && !domain.is_empty()));
        assert!(ANCESTORS.len() > 500, "{}", ANCESTORS.len());
    }
}
