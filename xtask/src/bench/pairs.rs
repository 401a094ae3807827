//! Pairs: figures of two builds that were measured in turn, and whether their ratio says anything.

use super::quartiles::Quartiles;

/// The figures of an earlier build and of this one, round by round.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    earlier: Vec<f64>,
    now: Vec<f64>,
}

/// The meaning of the cells, and the head of a table of them.
pub(super) fn legend(called: &str) -> String {
    format!(
        "A ratio is the median over the rounds of this build beside\n\
         {called}, with its quartiles; it is *not resolved* where 1 lies between the quartiles, or within half their distance of them.\n\n\
         | | {called} | now | ratio | |\n|---|---|---|---|---|\n"
    )
}

// === impl Pairs ===

impl Pairs {
    /// Takes in one round.
    pub(super) fn push(&mut self, earlier: f64, now: f64) {
        self.earlier.push(earlier);
        self.now.push(now);
    }

    /// Was there an earlier build to measure?
    pub(super) fn has_earlier(&self) -> bool {
        self.earlier.iter().all(|figure| figure.is_finite())
    }

    /// The cells of a table: the median of each build, the ratio with its quartiles, and what it says.
    pub(super) fn cells(&self, figure: impl Fn(f64) -> String) -> String {
        let median = |figures: &[f64]| figure(Quartiles::of(figures).median);
        let Quartiles { low, median: ratio, high } = self.ratios();
        format!(
            "{} | {} | {ratio:.2} ({low:.2} to {high:.2}) | {}",
            median(&self.earlier),
            median(&self.now),
            self.verdict()
        )
    }

    /// The median of this build alone.
    pub(super) fn now(&self, figure: impl Fn(f64) -> String) -> String {
        figure(Quartiles::of(&self.now).median)
    }

    fn ratios(&self) -> Quartiles {
        let pairs = self.earlier.iter().zip(&self.now);
        Quartiles::of(&pairs.map(|(earlier, now)| now / earlier).collect::<Vec<f64>>())
    }

    /// A ratio is told from 1 where 1 is further from the quartiles than half the distance between them.
    fn verdict(&self) -> &'static str {
        let Quartiles { low, high, .. } = self.ratios();
        let noise = (high - low) / 2.0;
        if high + noise < 1.0 {
            "less"
        } else if low - noise > 1.0 {
            "more"
        } else {
            "not resolved"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(all: &[(f64, f64)]) -> Pairs {
        let mut pairs = Pairs::default();
        all.iter().for_each(|(earlier, now)| pairs.push(*earlier, *now));
        pairs
    }

    #[test]
    fn a_ratio_within_the_noise_says_nothing() {
        for (why, all, want) in [
            ("half", vec![(10.0, 5.0), (11.0, 5.5), (10.0, 5.2)], "less"),
            ("twice", vec![(10.0, 20.0), (11.0, 22.0), (10.0, 21.0)], "more"),
            ("around one", vec![(10.0, 10.1), (10.0, 9.9), (10.0, 10.0)], "not resolved"),
            ("less, and near one", vec![(10.0, 9.6), (10.0, 9.8), (10.0, 10.1)], "not resolved"),
            ("less, whatever the pace", vec![(10.0, 9.5), (15.0, 14.4), (9.0, 8.5)], "less"),
        ] {
            assert_eq!(pairs(&all).verdict(), want, "{why}");
        }
    }

    #[test]
    fn the_cells_show_medians_and_the_ratio_of_pairs() {
        let pairs = pairs(&[(10.0, 5.0), (20.0, 12.0), (30.0, 15.0)]);
        let cells = pairs.cells(|figure| format!("{figure:.0} s"));
        assert_eq!(cells, "20 s | 12 s | 0.50 (0.50 to 0.55) | less");
    }
}
