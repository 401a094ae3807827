//! Blocks: the layers of a proxy, one for each path.

use crate::exchange::{Answer, Exchange, System};
use crate::layer::Layer;
use crate::settings::{Block, BlockPath, Note, Settings};

/// A proxy that chooses a layer by the path: the exact one, else the longest prefix.
#[derive(Clone, Debug)]
struct Blocks(Vec<Block>);

/// Settings whose answers are those of their blocks.
pub(crate) fn settings(
    product: &'static str,
    name: &str,
    namespace: Option<&str>,
    hostnames: Vec<String>,
    mut blocks: Vec<Block>,
    notes: Vec<Note>,
) -> Settings {
    blocks.sort_by(|a, b| a.path.cmp(&b.path));
    blocks.dedup_by(|later, first| later.path == first.path);
    let mut paths = vec!["/orders".to_owned()];
    for path in blocks.iter().filter_map(|block| block.path.as_ref()) {
        match path {
            BlockPath::Exact(path) => paths.push(path.clone()),
            BlockPath::Prefix(path) => {
                paths.insert(0, format!("{}/orders", path.trim_end_matches('/')));
            }
        }
    }
    Settings {
        success_status: None,
        product,
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        hostnames,
        system: Box::new(Blocks(blocks.clone())),
        blocks,
        notes,
        paths,
    }
}

/// The path of a prefix; `/` is every path.
pub(crate) fn prefix(path: &str) -> Option<BlockPath> {
    (!path.trim_end_matches('/').is_empty()).then(|| BlockPath::Prefix(path.to_owned()))
}

impl Blocks {
    fn layer(&self, path: &str) -> Option<&Layer> {
        let Self(blocks) = self;
        let covers = |block: &&Block| block.path.as_ref().is_none_or(|own| own.covers(path));
        let rank = |block: &&Block| match &block.path {
            None => (0, 0),
            Some(BlockPath::Prefix(prefix)) => (1, prefix.len()),
            Some(BlockPath::Exact(exact)) => (2, exact.len()),
        };
        blocks.iter().filter(covers).max_by_key(rank)?.layer.as_ref()
    }
}

impl System for Blocks {
    fn answer(&self, exchange: &Exchange) -> Answer {
        let path = exchange.path.split('?').next().unwrap_or_default();
        self.layer(path).map_or_else(|| exchange.forwarded(), |layer| layer.answer(exchange))
    }
}
