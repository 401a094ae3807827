//! The difference report: each class of requests that the old system and the policy judge differently, with a witness.

mod markdown;
mod why;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::exchange::{Answer, Exchange, System};
use crate::judgement::{Aspect, Difference, judge};
use crate::probe::{Probe, probes};
use crate::proxy::Proxy;
use crate::settings::{Note, Settings};
pub use why::Effect;
use why::Why;

/// The report on one policy.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The old system.
    pub from: String,
    /// The policy, as `namespace/name`.
    pub policy: String,
    /// The number of requests that both have judged.
    pub requests: usize,
    /// The number of further requests of the same kind that were too many to judge; 0: the others are no sample.
    pub left_out: usize,
    /// The classes.
    pub classes: Vec<Class>,
    /// The requests.
    #[serde(skip)]
    pub cases: Vec<Case>,
}

/// A class of requests with the same difference for the same reason.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Class {
    /// Whether the policy repairs, takes away, or allows more.
    pub effect: Effect,
    /// The part of the judgement that differs.
    pub aspect: Aspect,
    /// The old system's judgement.
    pub old: String,
    /// The policy's.
    pub new: String,
    /// The reason.
    pub why: &'static str,
    /// A request of the class, as `GET /orders` and its header lines.
    pub witness: Vec<String>,
    /// The number of requests in it.
    pub requests: usize,
}

/// A request, with both answers.
#[derive(Clone, Debug)]
pub struct Case {
    /// The request.
    pub exchange: Exchange,
    /// The answer of the old system.
    pub old: Answer,
    /// The answer of a proxy with the policy.
    pub new: Answer,
    /// The differences, each of which is in a class.
    pub differences: Vec<Difference>,
}

/// Judges the probes by both.
pub(crate) fn report(settings: &Settings, proxy: &Proxy, notes: &[Note], policy: String) -> Report {
    // A request that other settings answer has a class of its own.
    let mut classes: BTreeMap<(Why, Difference, String), (usize, Exchange)> = BTreeMap::new();
    let mut cases = Vec::new();
    let probes = probes(settings);
    for probe in probes.all {
        let case = case(settings, proxy, &probe);
        for difference in &case.differences {
            let why = Why::of(&probe, &case, difference, proxy.outcome(&probe.exchange));
            let why = why.with_comment(&probe, settings, notes);
            let elsewhere = probe.elsewhere.as_ref().filter(|_| why.is_elsewhere());
            let elsewhere = elsewhere.map(|it| format!("{} {:?}", it.path, it.conditions));
            let class = classes
                .entry((why, difference.clone(), elsewhere.unwrap_or_default()))
                .or_insert_with(|| (0, probe.exchange.clone()));
            class.0 = class.0.saturating_add(1);
        }
        cases.push(case);
    }
    let classes = classes.into_iter().map(|((why, difference, _), (requests, exchange))| {
        let Difference { aspect, old, new } = difference;
        let witness = witness(&exchange, why.is_elsewhere());
        Class { effect: why.effect(), aspect, old, new, why: why.text(), witness, requests }
    });
    let mut classes: Vec<Class> = classes.collect();
    classes.sort_by_key(|class| class.effect);
    Report {
        from: settings.product.to_owned(),
        policy,
        requests: cases.len(),
        left_out: probes.left_out,
        classes,
        cases,
    }
}

fn case(settings: &Settings, proxy: &Proxy, probe: &Probe) -> Case {
    let exchange = probe.exchange.clone();
    let new = proxy.answer(&exchange);
    let old = match &probe.elsewhere {
        Some(elsewhere) => elsewhere.answer(&exchange),
        None => settings.system.answer(&exchange),
    };
    let differences = differences(&exchange, &old, &new);
    Case { exchange, old, new, differences }
}

/// The differences between two answers to a request.
pub fn differences(exchange: &Exchange, old: &Answer, new: &Answer) -> Vec<Difference> {
    judge(exchange, old).differences(&judge(exchange, new), exchange.is_preflight())
}

/// The request line, the host where it tells, the header lines, and the application's answer where it is not a plain one.
fn witness(exchange: &Exchange, has_host: bool) -> Vec<String> {
    let mut lines = vec![format!("{} {}", exchange.method, exchange.path)];
    if has_host {
        lines.push(format!("host: {}", exchange.authority));
    }
    lines.extend(exchange.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    let application = &exchange.application;
    if application.status != 200 || !application.headers.is_empty() {
        let headers = application
            .headers
            .iter()
            .map(|(name, value)| format!(", {name}: {}", String::from_utf8_lossy(value)));
        lines.push(format!(
            "(the application answers {}{})",
            application.status,
            headers.collect::<String>()
        ));
    }
    lines
}

// === impl Report ===

impl Report {
    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        markdown::write(self)
    }
}
