//! Matches: those of a proxy in their order. The first one that covers a request has it; what no rule says gets a remark and a witness.

use crate::blocks::Blocks;
use crate::expression::{Anchor, Expression};
use crate::layer::{Layer, OriginRule};
use crate::settings::{Block, BlockPath, Conditions, Elsewhere, Note};

/// A pattern of paths that no rule says, such as a regex.
#[derive(Debug)]
pub(crate) struct NoPrefix(pub(crate) String);

/// A match of a proxy that takes the first one that covers a request.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    /// The path; absent: every path.
    pub(crate) path: Option<BlockPath>,
    /// The layer; absent: no CORS.
    pub(crate) layer: Option<Layer>,
    /// The part of it that no rule says.
    pub(crate) beside: Beside,
    /// The place of the object that has it.
    pub(crate) place: String,
}

/// The part of a match that no rule says.
#[derive(Clone, Debug)]
pub(crate) enum Beside {
    /// None.
    Nothing,
    /// Conditions beside the path, with those of a request that fulfils them, where a request alone does.
    Conditions(Option<Conditions>),
    /// A regex in the place of the path.
    Regex(String),
    /// A path that no rule has.
    Path(String),
}

/// The blocks of matches in their order, and the requests that no block says.
pub(crate) fn arrange(matches: Vec<Match>, notes: &mut Vec<Note>) -> (Vec<Block>, Vec<Elsewhere>) {
    let mut before: Vec<(Block, String)> = Vec::new();
    let mut narrower: Vec<(usize, Block, Match)> = Vec::new();
    for mut it in matches {
        if let (Beside::Nothing, Some(path)) = (&it.beside, &it.path)
            && !path.is_sayable()
        {
            it.beside = Beside::Path(path.as_str().to_owned());
            it.path = None;
        }
        let block = Block { path: it.path.clone(), layer: it.layer.clone() };
        if let Some((first, place)) = before.iter().find(|(before, _)| before.hides(&block)) {
            if first.layer != block.layer {
                notes.push(hidden(&it, first, place));
            }
        } else if matches!(it.beside, Beside::Nothing) {
            before.push((block, it.place));
        } else {
            narrower.push((before.len(), block, it));
        }
    }
    let blocks = Blocks(before.into_iter().map(|(block, _)| block).collect());
    let mut elsewhere = Vec::new();
    for (at, block, it) in narrower {
        let Blocks(all) = &blocks;
        let mut later = all.iter().skip(at).filter(|later| block.hides(later));
        let is_alike = blocks.layer(block.written()) == block.layer.as_ref()
            && later.all(|later| later.layer == block.layer);
        if !is_alike {
            notes.push(left_out(&it));
            elsewhere.extend(it.witness());
        }
    }
    let Blocks(blocks) = blocks;
    (blocks, elsewhere)
}

/// The remark on a match that no request reaches.
fn hidden(it: &Match, first: &Block, first_place: &str) -> Note {
    let path = it.path.as_ref().map_or("/", BlockPath::as_str);
    let first = first.written();
    if it.place == first_place {
        let text = format!(
            "the match at `{path}` stands behind the one at `{first}`, which takes its requests: it was never in force, and is left out"
        );
        return Note::remark("", &it.place, text);
    }
    let text = format!(
        "the match at `{path}` stands behind the one at `{first}` of {first_place}, and the older object is first: it is left out; if it is \
         the older one, give its file first, or keep `creationTimestamp` in the files"
    );
    Note::decide("", &it.place, text)
}

/// The remark on a match that a rule, which has a path alone, does not say.
fn left_out(it: &Match) -> Note {
    let place = &it.place;
    let origins = it.layer.as_ref().map(|layer| {
        layer.origins.iter().map(OriginRule::written).collect::<Vec<&str>>().join(", ")
    });
    let path = it.path.as_ref().map_or("/", BlockPath::as_str);
    let text = match (&it.beside, origins) {
        (Beside::Regex(source), Some(origins)) => format!(
            "`{source}` is a regex, and a rule has a prefix: write the rules that it means; its requests lose its origins ({origins})"
        ),
        (Beside::Regex(source), None) => format!(
            "`{source}` is a regex, and a rule has a prefix: write the rules that it means, with `mode: \"Off\"`; its requests had no CORS, \
             and are answered as the others"
        ),
        (Beside::Path(path), Some(origins)) => format!(
            "`{path}` is no path of a rule: write the rules that it means; its requests lose its origins ({origins})"
        ),
        (Beside::Path(path), None) => format!(
            "`{path}` is no path of a rule: write the rules that it means, with `mode: \"Off\"`; its requests had no CORS, and are \
             answered as the others"
        ),
        (_, Some(origins)) => format!(
            "a match at `{path}` has conditions beside its path, which no rule has, and is left out: the requests that it means are \
             answered as the others there, and lose its origins ({origins})"
        ),
        (_, None) => format!(
            "a match at `{path}` without CORS has conditions beside its path, which no rule has, and is left out: the requests that it \
             means are answered as the others there"
        ),
    };
    Note::decide("", place, text)
}

// === impl Match ===

impl Match {
    /// A request that it means and no rule says.
    fn witness(&self) -> Option<Elsewhere> {
        let layer = self.layer.clone();
        match &self.beside {
            Beside::Nothing | Beside::Conditions(None) => None,
            Beside::Conditions(Some(conditions)) => {
                let inside =
                    self.path.as_ref().map_or_else(|| "/orders".to_owned(), BlockPath::inside);
                let path = match conditions.query.join("&") {
                    query if query.is_empty() => inside,
                    query => format!("{inside}?{query}"),
                };
                Some(Elsewhere { conditions: conditions.clone(), path, layer })
            }
            Beside::Path(path) => {
                Some(Elsewhere { conditions: Conditions::default(), path: path.clone(), layer })
            }
            Beside::Regex(source) => {
                let expression = Expression::parse(source, Anchor::Start, false).ok()?;
                let path = expression.samples().into_iter().find(|path| path.starts_with('/'))?;
                Some(Elsewhere { conditions: Conditions::default(), path, layer })
            }
        }
    }
}
