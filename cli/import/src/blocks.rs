//! Blocks: the layers of a proxy, one for each path.

use crate::exchange::{Answer, Exchange, System};
use crate::layer::{Layer, OriginRule};
use crate::settings::{Block, BlockPath, Note, Settings};

/// A proxy that chooses a layer by the path: the exact one, else the longest prefix.
#[derive(Clone, Debug)]
struct Blocks(Vec<Block>);

/// A pattern of paths that no rule says, such as a regex.
#[derive(Debug)]
pub(crate) struct NoPrefix;

/// A match of a proxy that takes the first one that covers a request.
#[derive(Debug)]
pub(crate) struct Match {
    /// The path; absent: every path.
    pub(crate) path: Option<BlockPath>,
    /// The layer; absent: no CORS.
    pub(crate) layer: Option<Layer>,
    /// Whether it has conditions beside its path.
    pub(crate) is_narrower: bool,
}

/// The blocks of matches in their order, with a remark on each match that no block says.
pub(crate) fn of_matches(matches: Vec<Match>, place: &str, notes: &mut Vec<Note>) -> Vec<Block> {
    let mut blocks = Blocks(Vec::new());
    let mut narrower = Vec::new();
    for Match { path, layer, is_narrower } in matches {
        let Blocks(before) = &mut blocks;
        let block = Block { path, layer };
        if let Some(first) = before.iter().find(|before| before.hides(&block)) {
            if first.layer != block.layer {
                notes.push(hidden(place, &block, first));
            }
        } else if is_narrower {
            narrower.push((before.len(), block));
        } else {
            before.push(block);
        }
    }
    for (at, block) in narrower {
        let Blocks(all) = &blocks;
        let mut later = all.iter().skip(at).filter(|later| block.hides(later));
        let is_alike = blocks.layer(block.written()) == block.layer.as_ref()
            && later.all(|later| later.layer == block.layer);
        if !is_alike {
            notes.push(left_out(place, block.path.as_ref(), block.layer.as_ref()));
        }
    }
    let Blocks(blocks) = blocks;
    blocks
}

/// The remark on a match that no request reaches.
fn hidden(place: &str, block: &Block, first: &Block) -> Note {
    let text = format!(
        "the match at `{}` stands behind the one at `{}`, which takes its requests: it was never in force, and is left out",
        block.written(),
        first.written()
    );
    Note::remark("", place, text)
}

/// The remark on a match with conditions beside its path: a rule has a path alone.
pub(crate) fn left_out(place: &str, path: Option<&BlockPath>, layer: Option<&Layer>) -> Note {
    let path = path.map_or("/", BlockPath::as_str);
    let text = match layer {
        Some(layer) => {
            let origins: Vec<&str> = layer.origins.iter().map(OriginRule::written).collect();
            format!(
                "a match at `{path}` has conditions beside its path, which no rule has, and is left out: the requests that it means are \
                 answered as the others there, and lose its origins ({})",
                origins.join(", ")
            )
        }
        None => format!(
            "a match at `{path}` without CORS has conditions beside its path, which no rule has, and is left out: the requests that it \
             means are answered as the others there"
        ),
    };
    Note::decide("", place, text)
}

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
    // A block with the layer of the one around it says nothing.
    let all = Blocks(blocks.clone());
    blocks.retain(|block| match &block.path {
        Some(path) => all.layer_around(path) != block.layer.as_ref(),
        None => true,
    });
    let mut paths = vec!["/orders".to_owned()];
    for path in blocks.iter().filter_map(|block| block.path.as_ref()) {
        match path {
            BlockPath::Exact(path) => paths.push(path.clone()),
            BlockPath::Prefix(path) => {
                paths.insert(0, format!("{}/orders", path.trim_end_matches('/')));
            }
            // The path at which a rule, which covers whole segments, differs.
            BlockPath::Start(start) => {
                paths.insert(0, format!("{}/orders", start.trim_end_matches('/')));
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
    }
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
    fn layer(&self, path: &str) -> Option<&Layer> {
        self.best(|block| block.path.as_ref().is_none_or(|own| own.covers(path)))
    }

    /// The layer of a path but for the block that has it.
    fn layer_around(&self, path: &BlockPath) -> Option<&Layer> {
        self.best(|block| {
            block.path.as_ref() != Some(path)
                && block.path.as_ref().is_none_or(|own| own.hides(path))
        })
    }

    fn best(&self, covers: impl Fn(&Block) -> bool) -> Option<&Layer> {
        let Self(blocks) = self;
        let rank = |block: &&Block| match &block.path {
            None => (0, 0),
            Some(BlockPath::Prefix(path) | BlockPath::Start(path)) => (1, path.len()),
            Some(BlockPath::Exact(path)) => (2, path.len()),
        };
        blocks.iter().filter(|block| covers(block)).max_by_key(rank)?.layer.as_ref()
    }
}

impl System for Blocks {
    fn answer(&self, exchange: &Exchange) -> Answer {
        let path = exchange.path.split('?').next().unwrap_or_default();
        self.layer(path).map_or_else(|| exchange.forwarded(), |layer| layer.answer(exchange))
    }
}
