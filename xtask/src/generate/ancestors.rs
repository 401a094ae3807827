//! The ancestors of the rules of the public suffix list, which the `psl` crate cannot tell.
//!
//! The list lacks `amazonaws.com`, yet `*.amazonaws.com` covers `s3.amazonaws.com`, which is listed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use crate::command;

/// The text of `ancestors.txt`, from the rules inside the `psl` that the operator is built with.
///
/// # Errors
///
/// Fails if cargo does not know the crate or its rules cannot be read.
pub(super) fn generate() -> Result<String> {
    let mut metadata = command::cargo();
    metadata.args(["metadata", "--format-version=1"]);
    let metadata: Value = serde_json::from_slice(&command::read(&mut metadata)?)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let psl = packages
        .into_iter()
        .find(|package| package["name"] == "psl")
        .context("nothing depends on the crate `psl`")?;
    let (Some(version), Some(manifest)) = (psl["version"].as_str(), psl["manifest_path"].as_str())
    else {
        return Err(anyhow!("cargo metadata does not say where `psl` is"));
    };
    let rules = Path::new(manifest).with_file_name("data").join("rules.txt");
    let rules = fs::read_to_string(&rules)
        .with_context(|| format!("psl {version} has no {}", rules.display()))?;
    let domains = of_rules(&rules)?;
    let comment = format!(
        "# Written by `cargo xtask generate` from the rules of psl {version}: \
         what is above a public suffix and none itself."
    );
    Ok(std::iter::once(comment).chain(domains).map(|line| line + "\n").collect())
}

/// Every proper ancestor of a rule that is no rule itself, as it stands in a request.
fn of_rules(rules: &str) -> Result<BTreeSet<String>> {
    let rules: BTreeSet<_> = rules.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut ancestors = BTreeSet::new();
    for rule in &rules {
        // An exception (`!www.ck`) has the ancestors of the wildcard rule that it excepts from.
        let mut rest = *rule;
        while let Some((_, ancestor)) = rest.split_once('.') {
            if !rules.contains(ancestor) {
                let ascii = idna::domain_to_ascii(ancestor);
                ancestors.insert(ascii.with_context(|| format!("{ancestor:?} is no domain"))?);
            }
            rest = ancestor;
        }
    }
    Ok(ancestors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_are_what_a_star_would_cover_together_with_a_rule() {
        for (why, rules, want) in [
            ("a listed ancestor is the list's own business", "com\nco.com", vec![]),
            ("an unlisted one is ours", "com\ns3.amazonaws.com", vec!["amazonaws.com"]),
            (
                "all of them, not only the next",
                "com\nx.y.amazonaws.com",
                vec!["amazonaws.com", "y.amazonaws.com"],
            ),
            ("a wildcard rule does not list its own base", "*.ck\n!www.ck", vec!["ck"]),
            ("once, however many rules are below", "com\na.b.com\nc.b.com", vec!["b.com"]),
            ("as requests spell it", "no\nvåler.østfold.no", vec!["xn--stfold-9xa.no"]),
        ] {
            let found: Vec<_> = of_rules(rules).unwrap().into_iter().collect();
            assert_eq!(found, want, "{why}: {rules:?}");
        }
    }
}
