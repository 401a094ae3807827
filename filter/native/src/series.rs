//! Series: the values of the filter's metrics. All instances of the process share them, so that workers count without a call of
//! Envoy, and what no configuration has passed on yet goes with the next one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use corsward_filter_engine::MetricKind;

/// More than an engine ever defines.
const MAX_SERIES: usize = 4096;

/// Panics that were caught.
pub(crate) static PANICS: Value = Value::ZERO;

/// By the number of the series.
static VALUES: [Value; MAX_SERIES] = [Value::ZERO; MAX_SERIES];

/// What the numbers mean, each name once.
static SERIES: Mutex<Vec<Series>> = Mutex::new(Vec::new());

/// What a counter has gained since it was taken, or what a gauge is set to. In a line of the cache of its own: workers count at the same
/// time.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Value {
    number: AtomicU64,
    /// A gauge was set since it was taken.
    is_set: AtomicBool,
}

/// The name of a metric, with its labels apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) kind: MetricKind,
    pub(crate) family: String,
    pub(crate) labels: Vec<&'static str>,
    /// In the order of the labels.
    pub(crate) values: Vec<String>,
}

/// Makes a metric known by the engine's name for it, and returns its number; `None` if there are too many.
pub(crate) fn define(kind: MetricKind, name: &str) -> Option<u32> {
    let mut all = all();
    let number = all.len();
    VALUES.get(number)?;
    all.push(Series::new(kind, name));
    u32::try_from(number).ok()
}

/// Returns what [`define`] has made known, in the order of the numbers.
pub(crate) fn all() -> MutexGuard<'static, Vec<Series>> {
    SERIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the value of a series.
pub(crate) fn value(number: usize) -> Option<&'static Value> {
    VALUES.get(number)
}

// === impl Value ===

impl Value {
    #[expect(clippy::declare_interior_mutable_const, reason = "the start of each static value")]
    const ZERO: Self = Self { number: AtomicU64::new(0), is_set: AtomicBool::new(false) };

    pub(crate) fn add(&self, by: u64) {
        self.number.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.number.store(value, Ordering::Relaxed);
        self.is_set.store(true, Ordering::Release);
    }

    pub(crate) fn get(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Returns what a counter has gained, and begins again.
    pub(crate) fn take(&self) -> u64 {
        self.number.swap(0, Ordering::Relaxed)
    }

    /// Returns what a gauge is set to, if that was since the last time, or `always`.
    pub(crate) fn take_set(&self, always: bool) -> Option<u64> {
        let is_set = self.is_set.swap(false, Ordering::Acquire);
        (is_set || always).then(|| self.get())
    }
}

// === impl Series ===

impl Series {
    /// Reads a name of the engine, in which the values of labels are segments, by the rules of `docs/stats-tags.yaml`.
    fn new(kind: MetricKind, name: &str) -> Self {
        let (family, labels) = of_policy(name)
            .or_else(|| of_comparison(name))
            .or_else(|| of_decision(name))
            .unwrap_or_else(|| (name.to_owned(), Vec::new()));
        let (labels, values) =
            labels.into_iter().map(|(label, value)| (label, value.to_owned())).unzip();
        Self { kind, family, labels, values }
    }
}

type Labels<'n> = Vec<(&'static str, &'n str)>;

/// `PREFIX.policy.NAMESPACE.NAME.verdict.VERDICT`, or `….shadow_comparisons.COMPARISON`. A policy's name may have dots, its
/// namespace may not.
fn of_policy(name: &str) -> Option<(String, Labels<'_>)> {
    let (prefix, rest) = name.split_once(".policy.")?;
    let (namespace, rest) = rest.split_once('.')?;
    let (rest, value) = rest.rsplit_once('.')?;
    let (policy, kind) = rest.rsplit_once('.')?;
    let (family, label) = match kind {
        "verdict" => (format!("{prefix}.policy"), "verdict"),
        _ => (format!("{prefix}.policy.{kind}"), "comparison"),
    };
    Some((family, vec![("namespace", namespace), ("policy", policy), (label, value)]))
}

/// `PREFIX.shadow_comparisons.COMPARISON`.
fn of_comparison(name: &str) -> Option<(String, Labels<'_>)> {
    let (family, comparison) = name.rsplit_once('.')?;
    family
        .ends_with(".shadow_comparisons")
        .then(|| (family.to_owned(), vec![("comparison", comparison)]))
}

/// `PREFIX.kind.KIND.verdict.VERDICT.reason.REASON`.
fn of_decision(name: &str) -> Option<(String, Labels<'_>)> {
    let (family, rest) = name.split_once(".kind.")?;
    let (kind, rest) = rest.split_once(".verdict.")?;
    let (verdict, reason) = rest.split_once(".reason.")?;
    Some((family.to_owned(), vec![("kind", kind), ("verdict", verdict), ("reason", reason)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_segments_of_a_name_become_labels() {
        for (name, want) in [
            ("corsward.config.digest", "corsward.config.digest"),
            ("corsward.wire.v1", "corsward.wire.v1"),
            (
                "corsward.decisions.kind.actual.verdict.refused.reason.null_origin",
                "corsward.decisions kind=actual verdict=refused reason=null_origin",
            ),
            (
                "corsward.shadow_decisions.kind.preflight.verdict.allowed.reason.none",
                "corsward.shadow_decisions kind=preflight verdict=allowed reason=none",
            ),
            ("corsward.shadow_comparisons.agree", "corsward.shadow_comparisons comparison=agree"),
            (
                "corsward.policy.shop.api.verdict.allowed",
                "corsward.policy namespace=shop policy=api verdict=allowed",
            ),
            (
                "corsward.policy.policy.kind.a.verdict.b.verdict.allowed",
                "corsward.policy namespace=policy policy=kind.a.verdict.b verdict=allowed",
            ),
            (
                "corsward.policy.shop.a.b.shadow_comparisons.ours_only",
                "corsward.policy.shadow_comparisons namespace=shop policy=a.b comparison=ours_only",
            ),
        ] {
            let series = Series::new(MetricKind::Counter, name);
            let labels = series.labels.iter().zip(&series.values);
            let labels = labels.map(|(label, value)| format!(" {label}={value}"));
            assert_eq!(format!("{}{}", series.family, labels.collect::<String>()), want);
        }
    }

    #[test]
    fn each_series_has_a_value_of_its_own_which_is_taken_once() {
        let [one, other] = ["one", "other"].map(|name| define(MetricKind::Counter, name).unwrap());
        let value = |number: u32| value(number as usize).unwrap();
        value(one).add(2);
        value(one).add(1);
        assert_eq!((value(one).take(), value(one).take(), value(other).take()), (3, 0, 0));
    }
}
