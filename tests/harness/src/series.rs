//! Series: the filter's metrics as Prometheus reads them, the same for either shell.

use std::collections::BTreeMap;

/// Values by name, such as `corsward_decisions{kind="actual",reason="none",verdict="allowed"}`: labels by the alphabet.
pub type Series = BTreeMap<String, u64>;

/// Reads Envoy's page for Prometheus.
pub fn read(page: &str) -> Series {
    page.lines().filter(|line| line.starts_with("corsward_")).filter_map(series).collect()
}

/// The name of a series.
pub fn name(metric: &str, labels: &[(&str, &str)]) -> String {
    let labels = labels.iter().map(|(label, value)| format!("{label}=\"{value}\""));
    canonical(&format!("corsward_{metric}"), labels.collect())
}

/// The growth from one reading to the next one, where there is some.
pub fn growth(before: &Series, after: &Series) -> Series {
    let grown = after.iter().map(|(name, value)| {
        let before = before.get(name).copied().unwrap_or_default();
        (name.clone(), value.saturating_sub(before))
    });
    grown.filter(|(_, growth)| *growth > 0).collect()
}

fn series(line: &str) -> Option<(String, u64)> {
    let (name, value) = line.rsplit_once(' ')?;
    let (metric, labels) = name.split_once('{')?;
    // No value of ours has a comma.
    let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
    Some((canonical(metric, labels.map(str::to_owned).collect()), value.parse().ok()?))
}

fn canonical(metric: &str, mut labels: Vec<String>) -> String {
    labels.sort();
    format!("{metric}{{{}}}", labels.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_may_come_in_any_order() {
        let page = "# TYPE corsward_a counter\ncorsward_a{y=\"2\",x=\"1\"} 3\nenvoy_b{} 1\n\ncorsward_c{} 4\n";
        let want = [(name("a", &[("x", "1"), ("y", "2")]), 3), (String::from("corsward_c{}"), 4)];
        assert_eq!(read(page), Series::from(want));
    }
}
