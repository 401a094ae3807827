//! Bounds: a text whose nesting no settings have is refused before a parser or a reader follows it down.

use std::collections::BTreeSet;

use tree_sitter::Tree;

use crate::settings::Failure;

/// Most widths of indentation in a file. The parser has room for 383 blocks inside of each other.
const MAX_INDENTATIONS: usize = 300;
/// Deepest nesting of the syntax.
const MAX_DEPTH: usize = 1_000;
/// Most branches of one `if`.
const MAX_BRANCHES: usize = 200;

/// Checks the indentation of a text: blocks inside of each other have different ones.
pub(super) fn check_text(file: &str, text: &str) -> Result<(), Failure> {
    let mut widths = BTreeSet::new();
    let mut width = Some(0_usize);
    let mut line = 1_usize;
    let mut is_continued = false;
    for c in text.chars() {
        match (c, width) {
            ('\n' | '\r', before) => {
                line = line.saturating_add(usize::from(c == '\n'));
                // A line of a backslash alone belongs to the indentation of the next one.
                width = if is_continued { before } else { Some(0) };
            }
            (' ', Some(before)) => width = Some(before.saturating_add(1)),
            ('\t', Some(before)) => width = Some(before.saturating_add(8)),
            ('\u{c}', Some(_)) => width = Some(0),
            ('\\', Some(_)) | (_, None) => {}
            (_, Some(found)) => {
                widths.insert(found);
                width = None;
            }
        }
        is_continued = c == '\\' || (is_continued && c == '\r');
        if widths.len() > MAX_INDENTATIONS {
            let text = format!(
                "its blocks are nested too deep: at most {MAX_INDENTATIONS} widths of indentation are read; keep the settings of CORS in a file of their own"
            );
            return Err(Failure::unreadable(format!("{file}:{line}"), text));
        }
    }
    Ok(())
}

/// Checks the nesting and the branches of a syntax tree, without a recursion.
pub(super) fn check_tree(file: &str, tree: &Tree) -> Result<(), Failure> {
    let mut cursor = tree.walk();
    // The branches of the statements around.
    let mut branches = vec![0_usize];
    loop {
        let node = cursor.node();
        let refused = |what: String| {
            let line = node.start_position().row.saturating_add(1);
            let text = format!("{what}; keep the settings of CORS in a file of their own");
            Failure::unreadable(format!("{file}:{line}"), text)
        };
        if branches.len() > MAX_DEPTH {
            let what = format!("it is nested too deep: at most {MAX_DEPTH} levels are read");
            return Err(refused(what));
        }
        if let Some(count) = branches.last_mut()
            && node.kind() == "elif_clause"
        {
            *count = count.saturating_add(1);
            if *count > MAX_BRANCHES {
                let what =
                    format!("the `if` has too many branches: at most {MAX_BRANCHES} are read");
                return Err(refused(what));
            }
        }
        if cursor.goto_first_child() {
            branches.push(0);
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return Ok(());
            }
            branches.pop();
        }
    }
}
