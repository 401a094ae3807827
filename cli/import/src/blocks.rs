//! Blocks: the layers of a proxy, one for each path.

use crate::exchange::{Answer, Exchange, System};
use crate::layer::Layer;
use crate::settings::{Block, BlockPath, Note, Settings};

/// A proxy that chooses a layer by the path: the exact one, else the longest prefix.
#[derive(Clone, Debug)]
pub(crate) struct Blocks(pub(crate) Vec<Block>);

/// The remark on a rewritten path.
pub(crate) fn rewritten(place: &str) -> Note {
    let text = "the settings rewrite the path: a proxy behind them, such as a sidecar, sees the rewritten one, and needs rules for that";
    Note::decide("", place, text)
}

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
    let blocks = needed(blocks);
    let mut paths = vec!["/orders".to_owned()];
    for path in blocks.iter().filter_map(|block| block.path.as_ref()) {
        match path {
            BlockPath::Exact(path) => paths.push(path.clone()),
            BlockPath::Prefix(_) => paths.insert(0, path.inside()),
            // The path at which a rule, which covers whole segments, differs.
            BlockPath::Start(start) => {
                paths.insert(0, path.inside());
                paths.push(match start.strip_suffix('/') {
                    Some(path) => path.to_owned(),
                    None => format!("{start}x"),
                });
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
        elsewhere: Vec::new(),
        listeners: Vec::new(),
    }
}

/// The blocks without those that have the layer of the one around them, and so say nothing.
pub(crate) fn needed(mut blocks: Vec<Block>) -> Vec<Block> {
    let all = Blocks(blocks.clone());
    blocks.retain(|block| match &block.path {
        Some(path) => all.layer_around(path) != block.layer.as_ref(),
        None => true,
    });
    blocks
}

/// The path of a prefix; `/` is every path.
pub(crate) fn prefix(path: &str) -> Option<BlockPath> {
    (!path.trim_end_matches('/').is_empty()).then(|| BlockPath::Prefix(path.to_owned()))
}

/// The path of a text that paths begin with; `/` is every path.
pub(crate) fn start(path: &str) -> Option<BlockPath> {
    (!path.trim_end_matches('/').is_empty()).then(|| BlockPath::Start(path.to_owned()))
}

// === impl Blocks ===

impl Blocks {
    pub(crate) fn layer(&self, path: &str) -> Option<&Layer> {
        let Self(blocks) = self;
        Self::layer_of(blocks, path)
    }

    /// The layer of a path among those of blocks.
    pub(crate) fn layer_of<'b>(blocks: &'b [Block], path: &str) -> Option<&'b Layer> {
        best(blocks, |block| block.path.as_ref().is_none_or(|own| own.covers(path)))
    }

    /// The layer of a path but for the block that has it.
    fn layer_around(&self, path: &BlockPath) -> Option<&Layer> {
        let Self(blocks) = self;
        best(blocks, |block| {
            block.path.as_ref() != Some(path)
                && block.path.as_ref().is_none_or(|own| own.hides(path))
        })
    }
}

fn best(blocks: &[Block], covers: impl Fn(&Block) -> bool) -> Option<&Layer> {
    let rank = |block: &&Block| match &block.path {
        None => (0, 0),
        Some(BlockPath::Prefix(path) | BlockPath::Start(path)) => (1, path.len()),
        Some(BlockPath::Exact(path)) => (2, path.len()),
    };
    blocks.iter().filter(|block| covers(block)).max_by_key(rank)?.layer.as_ref()
}

impl System for Blocks {
    fn answer(&self, exchange: &Exchange) -> Answer {
        let path = exchange.path.split('?').next().unwrap_or_default();
        self.layer(path).map_or_else(|| exchange.forwarded(), |layer| layer.answer(exchange))
    }
}
