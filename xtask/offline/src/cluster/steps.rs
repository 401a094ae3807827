//! The steps of a command, with their durations.

use std::time::{Duration, Instant};

use anyhow::Result;

/// The steps so far, in order, with their durations.
#[derive(Debug, Default)]
pub(super) struct Steps(Vec<(&'static str, Duration)>);

// === impl Steps ===

impl Steps {
    /// Does one step.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let begun = Instant::now();
        let done = step();
        self.0.push((name, begun.elapsed()));
        done
    }

    /// Prints them.
    pub(super) fn print(&self, title: &str) {
        println!("{}", self.shown(title));
    }

    fn shown(&self, title: &str) -> String {
        let steps = self.0.iter().map(|(name, took)| format!("{name} {:.1} s", took.as_secs_f32()));
        let whole: Duration = self.0.iter().map(|(_, took)| took).sum();
        let steps: Vec<_> = steps.collect();
        format!("{title}: {:.1} s ({})", whole.as_secs_f32(), steps.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_told_with_its_time() {
        let took = [("kind", 20_500), ("Istio", 13_000)];
        let steps = Steps(took.map(|(name, ms)| (name, Duration::from_millis(ms))).to_vec());
        assert_eq!(steps.shown("cluster a"), "cluster a: 33.5 s (kind 20.5 s, Istio 13.0 s)");
    }
}
