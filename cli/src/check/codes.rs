//! Codes: every finding there is, from the manual of findings, which a test writes from the code.

/// The manual.
const MANUAL: &str = include_str!("../../../docs/findings.md");

/// A row of the manual: a code, and an example of its finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The code.
    pub(super) code: &'static str,
    /// The severity of its findings.
    pub(super) severity: &'static str,
    /// The fault.
    pub(super) fault: &'static str,
    /// The fix.
    pub(super) fix: &'static str,
}

/// Every code, in the order of the manual.
pub(super) fn all() -> impl Iterator<Item = Row> {
    MANUAL.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `CORS-").map(|_| line)?.split(" | ");
        let code = cells.next()?.trim_start_matches("| `").trim_end_matches('`');
        let (severity, _field, fault) = (cells.next()?, cells.next()?, cells.next()?);
        let fix = cells.next()?.trim_end_matches(" |");
        Some(Row { code, severity, fault, fix })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_manual_is_a_code() {
        let rows = MANUAL.lines().filter(|line| line.starts_with("| `CORS-")).count();
        let codes: Vec<Row> = all().collect();
        assert_eq!(codes.len(), rows);
        for Row { code, severity, fault, fix } in codes {
            let letter = code.as_bytes()["CORS-".len()];
            let want = [(b'E', "refusal"), (b'W', "warning"), (b'I', "hint")];
            assert!(want.contains(&(letter, severity)), "{code} {severity}");
            assert!(!fault.is_empty() && !fix.is_empty(), "{code}");
        }
    }
}
