//! Plan: the pairs of a path and an origin that are judged. Where they are too many, a sample of them.

use super::{Listed, Origin, Probe, Probes, Relation, Writer};
use super::{first_named, of_elsewhere, of_rule, origins};
use crate::blocks::Blocks;
use crate::layer::Layer;
use crate::settings::{Elsewhere, Settings};

/// Most requests of a report, roughly: each path has a few of its own.
const MAX_REQUESTS: usize = 20_000;
/// Most comparisons of a request with an origin or a path of the settings.
const MAX_COMPARISONS: usize = 10_000_000;
/// Fewest requests that are judged, where the settings have as many.
const FEWEST_REQUESTS: usize = 1_000;
/// The requests at a path with one origin.
const OF_A_PAIR: usize = 5;
/// The requests of a path of a sample, beside those with a part of all origins.
const OF_A_PATH: usize = 40;
/// Most origins, methods and header names of its own that a path of a sample is asked with.
const MAX_OWN: usize = 2;
/// Most methods and header names that other paths are asked with.
const MAX_LISTED: usize = 500;

/// The plan of the requests for settings.
pub(super) struct Plan<'s> {
    settings: &'s Settings,
    layers: &'s [&'s Layer],
    authority: &'s str,
    paths: Vec<&'s str>,
    /// All origins.
    origins: Vec<Origin>,
    /// Those by whose answers the settings of a path are told from those of others.
    telling: Vec<Origin>,
    /// All methods and header names.
    listed: Listed,
    bounds: Bounds,
}

/// Bounds of a plan.
struct Bounds {
    /// Most paths.
    paths: usize,
    /// Most origins at the first path.
    at_first: usize,
    /// Most origins of others at each other path.
    at_others: usize,
    /// Most methods and header names at each other path.
    listed: usize,
}

// === impl Bounds ===

impl Bounds {
    /// The bounds for settings of so many rules, blocks and paths.
    fn of(rules: usize, paths: usize) -> Self {
        let most = MAX_COMPARISONS.checked_div(rules.max(1)).unwrap_or_default();
        let half = most.clamp(FEWEST_REQUESTS, MAX_REQUESTS) / 2;
        let most = half / OF_A_PATH;
        let others = paths.min(most).saturating_sub(1).max(1);
        let of_each = half.checked_div(others).unwrap_or_default();
        Self {
            paths: most,
            at_first: half / OF_A_PAIR,
            at_others: of_each / OF_A_PAIR,
            listed: of_each,
        }
    }
}

// === impl Plan ===

impl<'s> Plan<'s> {
    pub(super) fn of(settings: &'s Settings, layers: &'s [&Layer], authority: &'s str) -> Self {
        let mut paths: Vec<&str> = settings.paths.iter().map(String::as_str).collect();
        if paths.is_empty() {
            paths.push("/orders");
        }
        let rules = layers.iter().map(|layer| layer.origins.len()).sum::<usize>();
        let bounds = Bounds::of(rules.saturating_add(settings.blocks.len()), paths.len());
        let origins = origins(layers);
        // The other paths differ in their block, not in every origin.
        let telling =
            origins.iter().filter(|(relation, _)| relation.is_telling()).cloned().collect();
        let listed = Listed::of(layers, MAX_LISTED);
        Self { settings, layers, authority, paths, origins, telling, listed, bounds }
    }

    pub(super) fn probes(&self) -> Probes {
        let named = first_named(self.layers);
        let elsewhere: Vec<&Elsewhere> = self.settings.elsewhere.iter().collect();
        let mut all = Vec::new();
        for elsewhere in evenly(&elsewhere, self.bounds.paths) {
            all.extend(of_elsewhere(elsewhere, named.as_ref(), self.authority));
        }
        let mut left_out = 0_usize;
        for (at, path) in evenly(&self.paths, self.bounds.paths).into_iter().enumerate() {
            let write = Writer { authority: self.authority, path };
            left_out = left_out.saturating_add(if at == 0 {
                self.at_first(&write, &mut all)
            } else {
                self.at_other(at, &write, &mut all)
            });
        }
        let skipped = self.paths.len().saturating_sub(self.bounds.paths.max(1));
        let of_path =
            self.telling.len().saturating_mul(OF_A_PAIR).saturating_add(self.listed.len());
        Probes { all, left_out: left_out.saturating_add(skipped.saturating_mul(of_path)) }
    }

    /// Adds the requests at the first path, and returns the number of those left out.
    fn at_first(&self, write: &Writer<'_>, all: &mut Vec<Probe>) -> usize {
        let mut taken: Vec<&Origin> = self.origins.iter().take(self.bounds.at_first).collect();
        if self.origins.len() > taken.len() {
            taken.truncate(self.bounds.at_first / 2);
            taken
                .extend(evenly(&self.telling.iter().collect::<Vec<_>>(), self.bounds.at_first / 2));
        }
        for (relation, origin) in &taken {
            all.extend(write.requests(*relation, origin));
        }
        let named = self.telling.iter().filter(|(relation, _)| relation.is_of_settings());
        for origin in named.take(2) {
            all.extend(write.names(origin, &self.listed));
        }
        for (relation, origin) in taken.iter().filter(|(relation, _)| relation.has_applications()) {
            all.extend(write.applications(*relation, origin));
        }
        self.origins.len().saturating_sub(taken.len()).saturating_mul(OF_A_PAIR)
    }

    /// Adds the requests at another path, and returns the number of those left out.
    fn at_other(&self, at: usize, write: &Writer<'_>, all: &mut Vec<Probe>) -> usize {
        let own = Blocks::layer_of(&self.settings.blocks, write.path);
        let own: Vec<&Layer> = own.into_iter().collect();
        let mut left_out = 0_usize;
        let mut taken = self.telling.clone();
        if self.telling.len() > self.bounds.at_others {
            taken = self.part(at, &own);
            let rest = self.telling.len().saturating_sub(taken.len());
            left_out = rest.saturating_mul(OF_A_PAIR);
        }
        for (relation, origin) in &taken {
            all.extend(write.requests(*relation, origin));
        }
        let named = taken.iter().find(|(relation, _)| relation.is_of_settings());
        if self.listed.len() <= self.bounds.listed {
            all.extend(named.into_iter().flat_map(|origin| write.names(origin, &self.listed)));
        } else {
            let own = Listed::of(&own, MAX_OWN);
            left_out = left_out.saturating_add(self.listed.len().saturating_sub(own.len()));
            all.extend(named.into_iter().flat_map(|origin| write.names(origin, &own)));
        }
        left_out
    }

    /// A path's own origins, a foreign one and none, and a part of the others that is another one at each path.
    fn part(&self, at: usize, own: &[&Layer]) -> Vec<Origin> {
        let rules = own.iter().flat_map(|layer| layer.origins.iter().take(MAX_OWN));
        let mut part: Vec<Origin> =
            rules.flat_map(of_rule).filter(|(relation, _)| relation.is_of_settings()).collect();
        let foreign = |(relation, _): &&Origin| *relation == Relation::Foreign;
        part.extend(self.telling.iter().find(foreign).cloned());
        part.push((Relation::Absent, String::new()));
        let start = at.saturating_mul(self.bounds.at_others).checked_rem(self.telling.len());
        let others = self.telling.iter().cycle().skip(start.unwrap_or_default());
        for other in others.take(self.bounds.at_others) {
            if !part.contains(other) {
                part.push(other.clone());
            }
        }
        part
    }
}

/// At most so many of the items, as far from each other as they can be.
fn evenly<T: Copy>(items: &[T], most: usize) -> Vec<T> {
    let step = items.len().div_ceil(most.max(1)).max(1);
    items.iter().step_by(step).copied().collect()
}
