//! Slips: how far a word is from the one that was meant.

/// Longer words are far from each other.
const MAX_LEN: usize = 64;

/// The number of letters to insert, to remove, to replace or to swap with a neighbor between the two (optimal string alignment).
pub fn slips(typed: &str, meant: &str) -> usize {
    if typed.len().max(meant.len()) > MAX_LEN {
        return usize::MAX;
    }
    let (mut before, mut above): (Vec<usize>, Vec<usize>) =
        (Vec::new(), (0..=meant.len()).collect());
    let mut last = None;
    for (row, letter) in (1_usize..).zip(typed.bytes()) {
        let (mut line, mut left, mut last_other) = (vec![row], row, None);
        // Two rows above and two columns to the left, from the second column on.
        let mut swapped = before.iter();
        for (other, pair) in meant.bytes().zip(above.windows(2)) {
            let [diagonal, up] = *pair else { continue };
            let replaced = diagonal.saturating_add(usize::from(other != letter));
            left = replaced.min(up.min(left).saturating_add(1));
            if last_other.is_some() {
                let swap =
                    swapped.next().filter(|_| last == Some(other) && last_other == Some(letter));
                left = swap.map_or(left, |swap| left.min(swap.saturating_add(1)));
            }
            line.push(left);
            last_other = Some(other);
        }
        (before, above, last) = (above, line, Some(letter));
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_letter_that_is_missing_too_much_wrong_or_swapped_is_a_slip() {
        for (typed, meant, want) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("https", "https", 0),
            ("htps", "https", 1),
            ("htttps", "https", 1),
            ("hxtps", "https", 1),
            ("htpts", "https", 1),
            ("thtpx", "https", 2),
            ("autohrizatoin", "authorization", 2),
            ("ca", "abc", 3),
            ("selctor", "selector", 1),
        ] {
            assert_eq!(slips(typed, meant), want, "{typed}, {meant}");
            assert_eq!(slips(meant, typed), want, "{meant}, {typed}");
        }
        assert_eq!(slips(&"a".repeat(65), "a"), usize::MAX);
    }
}
