//! Metrics of the webhook.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::LabelPair;

/// The webhook's metrics. Clones count the same.
#[derive(Clone, Debug, Default)]
pub struct AdmissionMetrics {
    reviews: Family<LabelPair, Counter>,
    not_after: Gauge,
}

/// The result of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionResult {
    /// Allowed, with or without warnings.
    Allowed,
    /// Refused.
    Refused,
    /// Allowed without having been judged.
    Unjudged,
    /// Not a review that can be answered.
    Unreadable,
}

// === impl AdmissionMetrics ===

impl AdmissionMetrics {
    /// Takes in what came of a review.
    pub fn reviewed(&self, outcome: AdmissionResult) {
        self.reviews.get_or_create(&[("result", outcome.as_str())]).inc();
    }

    /// Takes in when the certificate that is shown ends, in seconds of the Unix epoch.
    pub fn certificate(&self, not_after: u64) {
        self.not_after.set(i64::try_from(not_after).unwrap_or(i64::MAX));
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("webhook_reviews", "Admission reviews, by result", self.reviews.clone());
        registry.register_with_unit(
            "webhook_certificate_not_after_timestamp",
            "Expiry of the webhook's certificate",
            Unit::Seconds,
            self.not_after.clone(),
        );
    }
}

// === impl AdmissionResult ===

impl AdmissionResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Unjudged => "unjudged",
            Self::Unreadable => "unreadable",
        }
    }
}
