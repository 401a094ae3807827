//! Stats: the metrics of one configuration in Envoy, which get the values of all series.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use corsward_filter_engine::MetricKind;

use crate::abi::{FilterConfig, MetricId, Recorder, Stream};
use crate::series::{self, PANICS, Series};

/// Envoy lets a configuration define metrics only while it is made; their labels get values later.
pub(crate) struct Stats {
    /// By the number of the series; those of later configurations are defined there.
    ids: Vec<Option<MetricId>>,
    panics: Option<MetricId>,
    /// All series, also those at zero: a counter that the newest configuration has outlives the others. Envoy 1.38 takes values with a
    /// stream alone, and may have dropped the others by then.
    is_first: AtomicBool,
}

/// The next stream of any configuration is to publish: Envoy 1.38 needs one, and the one that is ticked may have none.
static IS_DUE: AtomicBool = AtomicBool::new(false);

// === impl Stats ===

impl Stats {
    /// Defines the metrics of all series that there are, and publishes their values.
    pub(crate) fn define(config: &FilterConfig<'_>) -> Self {
        let mut families: BTreeMap<String, Option<MetricId>> = BTreeMap::new();
        let define = |series: &Series| {
            let family = families.entry(series.family.clone());
            *family.or_insert_with(|| match series.kind {
                MetricKind::Counter => config.define_counter(&series.family, &series.labels),
                MetricKind::Gauge => config.define_gauge(&series.family),
            })
        };
        let ids = series::all().iter().map(define).collect();
        let stats = Self {
            ids,
            panics: config.define_counter("corsward.panics", &[]),
            is_first: AtomicBool::new(true),
        };
        stats.publish(config);
        stats
    }

    /// Publishes what has changed, now or with the next stream.
    pub(crate) fn publish(&self, config: &FilterConfig<'_>) {
        match config.recorder() {
            Some(recorder) => self.publish_to(&recorder),
            None => IS_DUE.store(true, Ordering::Relaxed),
        }
    }

    /// Publishes what has changed, if that waits for a stream.
    pub(crate) fn publish_if_due(&self, stream: &Stream<'_>) {
        if IS_DUE.load(Ordering::Relaxed) && IS_DUE.swap(false, Ordering::Relaxed) {
            self.publish_to(stream);
        }
    }

    fn publish_to(&self, recorder: &impl Recorder) {
        let is_first = self.is_first.swap(false, Ordering::Relaxed);
        for ((number, series), id) in series::all().iter().enumerate().zip(&self.ids) {
            // Without a metric for it, a value stays for a configuration that has one.
            let (Some(id), Some(value)) = (id, series::value(number)) else { continue };
            match series.kind {
                // Only what is new: an older file of this module in the same process has a digest of its own.
                MetricKind::Gauge => {
                    if let Some(value) = value.take_set(is_first) {
                        recorder.set(*id, value);
                    }
                }
                MetricKind::Counter if is_first || value.get() > 0 => {
                    recorder.add(*id, &series.values, value.take());
                }
                MetricKind::Counter => {}
            }
        }
        if let Some(panics) = self.panics
            && PANICS.get() > 0
        {
            recorder.add(panics, &[], PANICS.take());
        }
    }
}
