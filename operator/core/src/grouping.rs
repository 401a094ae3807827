//! Grouping: which policies of a namespace share a bundle, by the labels they declare and never by the pods that live.

use std::sync::Arc;

use crate::cluster_state::Labels;

/// Do two selectors ask different values of one label, so that no pod can have both?
#[must_use]
pub fn are_apart(a: &Labels, b: &Labels) -> bool {
    a.iter().any(|(name, value)| b.get(name).is_some_and(|other| other != value))
}

/// The selectors of the bundles that these selectors need: no two of them can meet in one pod, and each of `selectors`
/// narrows exactly one of them. Sorted.
#[must_use]
pub fn group<'l>(selectors: impl IntoIterator<Item = &'l Arc<Labels>>) -> Vec<Arc<Labels>> {
    let mut groups: Vec<Arc<Labels>> = Vec::new();
    for selector in selectors {
        let mut common = Arc::clone(selector);
        // What has less in common may meet groups that it was apart from before.
        while let Some(at) = groups.iter().position(|group| !are_apart(group, &common)) {
            let other = groups.swap_remove(at);
            if *common != *other {
                Arc::make_mut(&mut common).retain(|name, value| other.get(name) == Some(value));
            }
        }
        groups.push(common);
    }
    groups.sort();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::includes;

    fn labels(text: &str) -> Arc<Labels> {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        Arc::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[track_caller]
    fn check(why: &str, selectors: &[&str], want: &[&str]) {
        let selectors: Vec<Arc<Labels>> = selectors.iter().map(|text| labels(text)).collect();
        let mut want: Vec<Arc<Labels>> = want.iter().map(|text| labels(text)).collect();
        want.sort();
        assert_eq!(group(&selectors), want, "{why}");
        assert_eq!(group(selectors.iter().rev()), want, "{why}, in another order");
    }

    #[test]
    fn selectors_that_can_meet_in_one_pod_share_what_they_have_in_common() {
        check("apart by a value", &["app=a", "app=b"], &["app=a", "app=b"]);
        check("the same", &["app=a", "app=a"], &["app=a"]);
        check("one narrows the other", &["app=a", "app=a tier=web"], &["app=a"]);
        check("nothing in common", &["app=a", "tier=web"], &[""]);
        check("a whole namespace", &["app=a", "", "app=b"], &[""]);
        check("a bridge", &["app=a tier=x", "app=a tier=y", "app=a zone=1"], &["app=a"]);
        check("apart after all", &["app=a", "app=b", "app=a zone=1"], &["app=a", "app=b"]);
        check("what is left meets another", &["a=1 b=1", "b=1 c=1", "a=2 b=1 c=2"], &["b=1"]);
    }

    #[test]
    fn no_two_groups_can_meet_and_every_selector_has_exactly_one() {
        let values = ["", "a=1", "a=2"].iter().flat_map(|a| {
            ["", "b=1", "b=2"]
                .iter()
                .flat_map(move |b| ["", "c=1"].iter().map(move |c| labels(&format!("{a} {b} {c}"))))
        });
        let all: Vec<Arc<Labels>> = values.collect();
        for one in &all {
            for two in &all {
                for three in &all {
                    let selectors = [one, two, three];
                    let groups = group(selectors);
                    for (at, group) in groups.iter().enumerate() {
                        assert!(groups[at + 1..].iter().all(|other| are_apart(group, other)));
                    }
                    for selector in selectors {
                        let of = groups.iter().filter(|group| includes(selector, group)).count();
                        assert_eq!(of, 1, "{selector:?} in {groups:?}");
                    }
                }
            }
        }
    }
}
