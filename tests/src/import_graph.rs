//! Import graph: which top-level modules of a crate name which others, and the cycle in it.
//!
//! The reader looks for paths from the crate's root, `crate::module` or as many `super::` as it takes, in production code:
//! comments and items behind `#[cfg(test)]` are left out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The root of the crate, as a module: other modules name its re-exports.
const ROOT: &str = "lib";

/// The imports between the top-level modules of a crate.
#[derive(Clone, Debug, Default)]
pub struct ImportGraph {
    /// The modules that a module names, with the first file that names each.
    imports: BTreeMap<String, BTreeMap<String, PathBuf>>,
}

// === impl ImportGraph ===

impl ImportGraph {
    /// Adds a file, by its path below the folder of the crate's sources.
    pub fn add(&mut self, file: &Path, text: &str) {
        let code = production_code(text);
        let parts: Vec<_> = file.iter().filter_map(|part| part.to_str()).collect();
        let Some(module) = parts.first().map(|part| part.trim_end_matches(".rs")) else {
            return;
        };
        let names = match module {
            ROOT | "main" => re_exports(&code),
            _ => modules_in(&code.replace(&"super::".repeat(parts.len()), "crate::")),
        };
        let imports = self.imports.entry(module.to_owned()).or_default();
        for name in names {
            let is_item = name.starts_with(|first: char| first.is_ascii_uppercase());
            let name = if is_item { ROOT.to_owned() } else { name };
            if name != module {
                imports.entry(name).or_insert_with(|| file.to_owned());
            }
        }
    }

    /// The shortest cycle, as `a -> b (file) -> a (file)`; none where the modules are in an order.
    pub fn cycle(&self) -> Option<String> {
        self.imports.keys().filter_map(|module| self.way_back(module)).min_by_key(Vec::len).map(
            |modules| {
                let mut text = String::new();
                for pair in modules.windows(2) {
                    let [from, to] = pair else { continue };
                    let file = self.imports[*from][*to].display();
                    if text.is_empty() {
                        text.push_str(from);
                    }
                    let _ = write!(text, " -> {to} ({file})");
                }
                text
            },
        )
    }

    /// The shortest path from a module back to itself.
    fn way_back<'g>(&'g self, module: &'g str) -> Option<Vec<&'g str>> {
        let mut seen = BTreeSet::new();
        let mut paths = VecDeque::from([vec![module]]);
        while let Some(path) = paths.pop_front() {
            let imports = path.last().and_then(|last| self.imports.get(*last));
            for next in imports.into_iter().flat_map(BTreeMap::keys).map(String::as_str) {
                let longer = [path.as_slice(), &[next]].concat();
                if next == module {
                    return Some(longer);
                }
                if seen.insert(next) {
                    paths.push_back(longer);
                }
            }
        }
        None
    }
}

/// The code without comments and without items behind `#[cfg(test)]`.
fn production_code(text: &str) -> String {
    let mut lines = text.lines();
    let mut code = String::new();
    while let Some(line) = lines.next() {
        let item = line.trim_start();
        if item.starts_with("#[cfg(test)]") {
            let indentation = &line[..line.len() - item.len()];
            skip_item(&mut lines, &format!("{indentation}}}"));
        } else if !item.starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// Skips an item, which rustfmt ends in its first line or by a bracket at its own indentation. Brackets are not counted: a text may
/// hold one.
fn skip_item<'t>(lines: &mut impl Iterator<Item = &'t str>, end: &str) {
    let mut is_open = false;
    for line in lines {
        let is_last = if is_open { line.starts_with(end) } else { line.ends_with([';', '}']) };
        if is_last {
            return;
        }
        is_open |= line.ends_with('{');
    }
}

/// The names that follow `crate::`, those of a group included.
fn modules_in(code: &str) -> BTreeSet<String> {
    code.split("crate::").skip(1).flat_map(first_names).collect()
}

/// The first name of a path, or of each path of a group.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![first_word(path)];
    };
    let mut names = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                names.push(first_word(group[start..at].trim()));
                start = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
        if c == '}' && start == at + 1 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The modules whose items the root exports under its own name.
fn re_exports(code: &str) -> BTreeSet<String> {
    let paths = code.split("pub use ").skip(1);
    paths.map(|path| first_word(path.trim_start_matches("crate::"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(files: &[(&str, &str)]) -> ImportGraph {
        let mut graph = ImportGraph::default();
        for (file, text) in files {
            graph.add(Path::new(file), text);
        }
        graph
    }

    #[test]
    fn a_cycle_is_named_with_its_files() {
        for (why, files, want) in [
            ("two modules in an order", vec![("a.rs", "use crate::b::B;"), ("b.rs", "")], None),
            (
                "through a third",
                vec![
                    ("a.rs", "use crate::b::B;"),
                    ("b/one.rs", "fn f() { crate::c::g() }"),
                    ("c.rs", "use crate::{\n    d::{D, E},\n    a,\n};"),
                ],
                Some("a -> b (a.rs) -> c (b/one.rs) -> a (c.rs)"),
            ),
            (
                "by `super`",
                vec![("a/one.rs", "use super::super::b::B;"), ("b.rs", "use super::a::A;")],
                Some("a -> b (a/one.rs) -> a (b.rs)"),
            ),
            (
                "by a re-export of the root",
                vec![("lib.rs", "pub use a::A;"), ("a.rs", "use crate::{A};")],
                Some("a -> lib (a.rs) -> a (lib.rs)"),
            ),
            (
                "parts of one module",
                vec![("a.rs", "use crate::a::one::One;"), ("a/one.rs", "use super::A;")],
                None,
            ),
            (
                "in tests and comments alone",
                vec![
                    ("a.rs", "use crate::b::B;"),
                    (
                        "b.rs",
                        "/// See [`A`](crate::a::A).\n#[cfg(test)]\nuse crate::a::A;\n\
                         #[cfg(test)]\nmod tests {\n    const CLOSED: &str = \"}\";\n    use crate::a::A;\n}\n",
                    ),
                ],
                None,
            ),
        ] {
            assert_eq!(graph(&files).cycle().as_deref(), want, "{why}");
        }
    }
}
