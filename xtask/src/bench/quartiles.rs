//! Quartiles: the middle of figures of several rounds, and whether they say anything.

/// The middle of a list of figures, and the quarters around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quartiles {
    pub(super) low: f64,
    pub(super) median: f64,
    pub(super) high: f64,
}

// === impl Quartiles ===

impl Quartiles {
    pub(super) fn of(figures: &[f64]) -> Self {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |quarters: usize| {
            let at = sorted.len().saturating_sub(1) * quarters;
            let (floor, rest) = (at / 4, at % 4);
            let figure = |at: usize| sorted.get(at).copied().unwrap_or(f64::NAN);
            match rest {
                0 => figure(floor),
                rest => figure(floor) + (figure(floor + 1) - figure(floor)) * rest as f64 / 4.0,
            }
        };
        Self { low: at(1), median: at(2), high: at(3) }
    }

    /// Returns whether zero lies outside of the quartiles: only then is the median a difference.
    pub(super) fn is_resolved(self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    /// Returns whether the quartiles of both have something in common.
    pub(super) fn overlap(self, other: Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_figures() {
        let quartiles = Quartiles::of(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!(quartiles, Quartiles { low: 1.75, median: 2.5, high: 3.25 });
        assert!(Quartiles::of(&[]).median.is_nan());
    }

    #[test]
    fn a_difference_around_zero_is_none() {
        for (figures, want) in [
            (&[1.0, 2.0, 3.0][..], true),
            (&[-3.0, -2.0, -1.0], true),
            (&[-1.0, 2.0, 3.0], true),
            (&[-2.0, 1.0, 2.0], false),
            (&[0.0, 0.0], false),
            (&[f64::NAN], false),
            (&[], false),
        ] {
            assert_eq!(Quartiles::of(figures).is_resolved(), want, "{figures:?}");
        }
        let of = |figures: &[f64]| Quartiles::of(figures);
        assert!(of(&[1.0, 2.0, 3.0]).overlap(of(&[1.5, 2.5, 3.5])));
        assert!(!of(&[1.0, 2.0, 3.0]).overlap(of(&[4.0, 5.0, 6.0])));
    }
}
