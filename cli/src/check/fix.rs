//! Fix: the edits that findings propose, made in the files; those that are not safe on request alone.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use corsward_manifest::finding::ShapeReason;
use corsward_policy::Severity;
use corsward_policy::finding::Edit;
use tempfile::NamedTempFile;

use super::applicability::is_safe;
use super::diagnostic::Diagnostic;
use super::{Suppression, count, diagnostics};
use crate::policies::{Policies, STDIN};
use crate::yaml_text;

/// Most rounds: an edit may answer one finding and cause the next.
const MAX_ROUNDS: usize = 8;
/// The field that only an author fills.
const DANGEROUS: &str = "dangerouslyAllow";

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Fixes {
    /// Edits that change an answer are made, too.
    with_unsafe: bool,
    /// The number of edits made.
    pub(super) made: usize,
    /// The findings whose edit cannot be made, each with the reason.
    pub(super) left: BTreeSet<String>,
    /// The number of edits that `--unsafe-fixes` would make.
    pub(super) suggested: usize,
}

/// Makes the edits in the files, until none is left that can be made.
pub(super) fn fix(
    paths: &[PathBuf],
    suppressed: &[Suppression],
    with_unsafe: bool,
) -> anyhow::Result<Fixes> {
    if paths.iter().any(|path| path.as_os_str() == STDIN) {
        bail!("--fix writes files, and `-` is none: name the files");
    }
    let mut fixes = Fixes { with_unsafe, ..Fixes::default() };
    for _ in 0..MAX_ROUNDS {
        let policies = Policies::read(paths);
        let mut diagnostics = diagnostics(&policies);
        diagnostics.retain(|it| !it.is_suppressed(suppressed));
        fixes.left.clear();
        fixes.suggested = 0;
        let before = fixes.made;
        for found in diagnostics.chunk_by(|a, b| a.file == b.file) {
            if let Some((first, text)) = found.first().zip(fixes.file(found)) {
                write(Path::new(first.file), &text)
                    .with_context(|| format!("write {}", first.file))?;
            }
        }
        if fixes.made == before {
            break;
        }
    }
    Ok(fixes)
}

/// Writes a file whole or not at all, with its permissions; a link stays one.
fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let file = fs::canonicalize(file)?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut beside = NamedTempFile::new_in(folder)?;
    beside.write_all(text.as_bytes())?;
    fs::set_permissions(beside.path(), fs::metadata(&file)?.permissions())?;
    beside.persist(&file)?;
    Ok(())
}

/// Is a finding about an entry of the list that has the entry at `field`?
fn stands_beside(found: &Diagnostic<'_>, document: usize, field: &str) -> bool {
    let list = field.rsplit_once('[').map_or(field, |(list, _)| list);
    found.found.place.document == Some(document) && found.found.finding.field.starts_with(list)
}

/// The number of comments in a text.
fn comments(text: &str) -> usize {
    let begins = |(at, _): &(usize, &str)| {
        text.get(..*at)
            .is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t', '\n']))
    };
    text.match_indices('#').filter(begins).count()
}

/// The documents of a file: an edit of one parses that one alone.
struct Documents {
    texts: Vec<String>,
    /// The document of each object, and its index there.
    objects: Vec<(usize, usize)>,
}

// === impl Documents ===

impl Documents {
    fn of(text: &str) -> Self {
        let texts = yaml_text::documents(text);
        let objects = texts.iter().map(|text| Some(yaml_text::objects(text)?.len()));
        let (texts, lens) = match objects.collect::<Option<Vec<usize>>>() {
            Some(lens) => (texts, lens),
            // A directive is for the document behind it.
            None => (vec![text], vec![yaml_text::objects(text).unwrap_or_default().len()]),
        };
        let of_document = |(at, len): (usize, usize)| (0..len).map(move |object| (at, object));
        let objects = lens.into_iter().enumerate().flat_map(of_document).collect();
        Self { texts: texts.into_iter().map(str::to_owned).collect(), objects }
    }

    /// Changes the object that is `at` in order, and returns whether that changes the text.
    fn amend(
        &mut self,
        at: usize,
        change: impl Fn(&str, usize) -> Option<String>,
    ) -> Result<bool, &'static str> {
        const IMPOSSIBLE: &str = "the edit cannot be made in the text alone";
        let (document, object) = self.objects.get(at).copied().ok_or(IMPOSSIBLE)?;
        let text = self.texts.get_mut(document).ok_or(IMPOSSIBLE)?;
        let amended = change(text, object).ok_or(IMPOSSIBLE)?;
        if comments(&amended) < comments(text) {
            return Err("the edit would take a comment away");
        }
        let is_new = amended != *text;
        *text = amended;
        Ok(is_new)
    }
}

// === impl Fixes ===

impl Fixes {
    /// The last line: what was made, and what is left to make.
    pub(super) fn summary(&self) -> String {
        let made = format!("{} made", count(self.made, "edit", "edits"));
        match self.suggested {
            0 => made,
            more => format!("{made}, {more} more with --unsafe-fixes"),
        }
    }

    /// The text of a file with the edits that its findings propose; `None`: none is made.
    fn file(&mut self, found: &[Diagnostic<'_>]) -> Option<String> {
        let before = found.first()?.text;
        let mut documents = Documents::of(before);
        // From the end, so that no edit moves the place of a later one.
        let mut found: Vec<&Diagnostic<'_>> = found.iter().collect();
        found.sort_by_key(|it| (it.found.place.document, it.span.start));
        let refused: Vec<&Diagnostic<'_>> =
            found.iter().filter(|it| it.severity() == Severity::Refusal).copied().collect();
        let mut touched: Vec<(usize, String)> = Vec::new();
        for diagnostic in found.into_iter().rev() {
            let Some(document) = diagnostic.found.place.document else {
                self.leave(diagnostic, "the text cannot be read");
                continue;
            };
            let finding = &diagnostic.found.finding;
            if let Some(ShapeReason::Unquoted { .. }) = finding.reason.downcast_ref() {
                let quoted = |text: &str, at| yaml_text::quoted(text, at, &finding.field);
                self.count(diagnostic, documents.amend(document, quoted));
                continue;
            }
            let Some(edit) = self.edit(diagnostic) else { continue };
            let meets = |field: &str| {
                touched.iter().any(|(at, other)| {
                    *at == document && (other.starts_with(field) || field.starts_with(&**other))
                })
            };
            // The next round judges what this one has changed.
            if fields(&edit).any(meets) {
                continue;
            }
            if let Edit::Remove { field } = &edit
                && diagnostic.severity() == Severity::Hint
                && refused.iter().any(|it| stands_beside(it, document, field))
            {
                self.leave(
                    diagnostic,
                    "an entry beside it is refused, and may be the one that covers it",
                );
                continue;
            }
            let amended = documents.amend(document, |text, at| yaml_text::amended(text, at, &edit));
            if self.count(diagnostic, amended) {
                touched.extend(fields(&edit).map(|field| (document, field.to_owned())));
            }
        }
        let text = documents.texts.concat();
        (text != before).then_some(text)
    }

    /// The edit of a finding that is to be made.
    fn edit(&mut self, diagnostic: &Diagnostic<'_>) -> Option<Edit> {
        let finding = &diagnostic.found.finding;
        let mut edits = finding.edits();
        if edits.is_empty() {
            if diagnostic.severity() != Severity::Hint {
                self.leave(diagnostic, "the author decides: its fix is no single edit");
            }
            return None;
        }
        if edits.iter().flat_map(fields).any(|field| field.contains(DANGEROUS)) {
            self.leave(diagnostic, "the author decides on a danger");
            return None;
        }
        let edit = edits.swap_remove(0);
        if !self.with_unsafe && !is_safe(finding, &edit) {
            self.suggested = self.suggested.saturating_add(1);
            if diagnostic.severity() != Severity::Hint {
                self.leave(
                    diagnostic,
                    "its edit may change what is meant: --unsafe-fixes makes it",
                );
            }
            return None;
        }
        Some(edit)
    }

    /// Counts an edit, and returns whether it changes the text.
    fn count(&mut self, diagnostic: &Diagnostic<'_>, amended: Result<bool, &'static str>) -> bool {
        match amended {
            Ok(true) => self.made = self.made.saturating_add(1),
            // It would stay as it is.
            Ok(false) => {}
            Err(why) => self.leave(diagnostic, why),
        }
        amended == Ok(true)
    }

    fn leave(&mut self, diagnostic: &Diagnostic<'_>, why: &str) {
        let [start, _] = diagnostic.region;
        let (file, code) = (diagnostic.file, diagnostic.sentence.code);
        self.left.insert(format!("{file}:{}: {code} is left: {why}", start.line));
    }
}

/// The fields that an edit changes.
fn fields(edit: &Edit) -> impl Iterator<Item = &str> {
    let (field, to) = match edit {
        Edit::Write { field, .. }
        | Edit::Spread { field, .. }
        | Edit::Add { field, .. }
        | Edit::Remove { field } => (Some(field), None),
        Edit::Move { field, to, .. } => (Some(field), Some(to)),
        _ => (None, None),
    };
    field.into_iter().chain(to).map(String::as_str)
}
