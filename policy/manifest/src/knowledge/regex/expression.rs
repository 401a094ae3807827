//! Expression: a regex, parsed as `regex-lite` reads it, and as an automaton.

use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_syntax::ast::{
    Ast, ClassSet, ClassSetItem, HexLiteralKind, Literal, LiteralKind, RepetitionKind, Span,
};

/// Largest automaton of one expression, in bytes. `regex-lite` refuses most of what comes near.
const MAX_AUTOMATON_SIZE: usize = 1 << 20;

/// A parsed regex.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) text: String,
    pub(super) ast: Ast,
}

// === impl Expression ===

impl Expression {
    /// `None` for what the parser does not know.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let ast = regex_syntax::ast::parse::Parser::new().parse(text).ok()?;
        Some(Self { text: text.to_owned(), ast })
    }

    /// The automaton: without Unicode classes, as in `regex-lite`, and with one byte for all characters beyond ASCII. `None` where it
    /// is too large.
    pub(super) fn automaton(&self) -> Option<NFA> {
        let mut ast = self.ast.clone();
        fold_non_ascii(&mut ast);
        let hir = regex_syntax::hir::translate::TranslatorBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .translate(&self.text, &ast)
            .ok()?;
        let config = Config::new()
            .utf8(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(MAX_AUTOMATON_SIZE));
        Compiler::new().configure(config).build_from_hir(&hir).ok()
    }

    /// Whether the last character of the text is a dot of the host.
    pub(super) fn ends_in_dot(&self) -> bool {
        let text = self.text.trim_end_matches('$');
        text.ends_with(r"\.") || text.ends_with("[.]")
    }

    /// The beginning of the first host, after `://` in one of its spellings.
    pub(super) fn host_begins(&self) -> Option<usize> {
        ["://", r":\/\/", r"\://", r"\:\/\/"]
            .iter()
            .filter_map(|separator| self.text.find(separator)?.checked_add(separator.len()))
            .min()
    }

    /// Dots of the host that stand for one character, from left to right.
    pub(super) fn open_dots(&self) -> Vec<Span> {
        let begin = self.host_begins().unwrap_or(usize::MAX);
        self.dots().into_iter().filter(|span| span.start.offset >= begin).collect()
    }

    /// All dots that stand for one character.
    pub(super) fn dots(&self) -> Vec<Span> {
        let mut dots = Vec::new();
        visit(&self.ast, &mut |ast| {
            if let Ast::Dot(span) = ast {
                dots.push(**span);
            }
        });
        dots
    }

    /// The text with each of `spans` replaced.
    pub(super) fn replace(&self, spans: &[Span], by: impl Fn(&str) -> String) -> Option<String> {
        let mut text = String::with_capacity(self.text.len());
        let mut done = 0;
        for span in spans {
            text.push_str(self.text.get(done..span.start.offset)?);
            text.push_str(&by(self.text.get(span.start.offset..span.end.offset)?));
            done = span.end.offset;
        }
        text.push_str(self.text.get(done..)?);
        Some(text)
    }

    /// The branches of its alternations, those within branches included.
    pub(super) fn branches(&self) -> Vec<Branch> {
        let mut branches = Vec::new();
        collect_branches(&self.ast, &[], &mut branches);
        branches
    }

    /// The first separator or letter of the host that a star repeats, with its operator.
    pub(super) fn repeated_separator(&self) -> Option<String> {
        let begin = self.host_begins().unwrap_or(usize::MAX);
        let mut found = None;
        visit(&self.ast, &mut |ast| {
            let Ast::Repetition(repetition) = ast else { return };
            let Ast::Literal(literal) = repetition.ast.as_ref() else { return };
            let is_glob = match (&repetition.op.kind, literal.c) {
                // The last one before the host.
                (
                    RepetitionKind::ZeroOrMore
                    | RepetitionKind::OneOrMore
                    | RepetitionKind::ZeroOrOne,
                    '/',
                ) => begin.checked_add(1) == Some(repetition.span.end.offset),
                (RepetitionKind::ZeroOrMore, '.' | '-' | ':') => {
                    repetition.span.start.offset >= begin
                }
                (RepetitionKind::ZeroOrMore, c) if c.is_ascii_alphabetic() => {
                    repetition.span.start.offset >= begin
                }
                _ => false,
            };
            let span = repetition.span;
            if is_glob && found.is_none() {
                found = self.text.get(span.start.offset..span.end.offset).map(str::to_owned);
            }
        });
        found
    }
}

/// A branch of an alternation, by its place in the text.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    branch: Span,
    /// The alternations around it with their branches that it is part of, from the outermost to its own.
    around: Vec<(Span, Span)>,
}

// === impl Branch ===

impl Branch {
    /// The text of the branch.
    pub(super) fn text<'e>(&self, expression: &'e Expression) -> Option<&'e str> {
        expression.text.get(self.branch.start.offset..self.branch.end.offset)
    }

    /// The whole text without any other branch that could match in place of this one, and `branch` in its place.
    pub(super) fn alone(&self, branch: &str, expression: &Expression) -> Option<String> {
        let all = &expression.text;
        let mut own = branch.to_owned();
        let mut inner: Option<Span> = None;
        for (whole, branch) in self.around.iter().rev() {
            if let Some(inner) = inner {
                let before = all.get(branch.start.offset..inner.start.offset)?;
                own = format!("{before}{own}{}", all.get(inner.end.offset..branch.end.offset)?);
            }
            own = format!("(?:{own})");
            inner = Some(*whole);
        }
        expression.replace(&[inner?], |_| own.clone())
    }

    /// The whole text without this branch and the bar beside it.
    pub(super) fn removed(&self, expression: &Expression) -> Option<String> {
        let (begin, end) = (self.branch.start.offset, self.branch.end.offset);
        let before = expression.text.get(..begin)?;
        let after = expression.text.get(end..)?;
        Some(match (before.strip_suffix('|'), after.strip_prefix('|')) {
            (_, Some(after)) => format!("{before}{after}"),
            (Some(before), None) => format!("{before}{after}"),
            (None, None) => return None,
        })
    }

    /// The whole text with `branch` in place of this one.
    pub(super) fn replaced(&self, branch: &str, expression: &Expression) -> Option<String> {
        expression.replace(&[self.branch], |_| branch.to_owned())
    }
}

fn collect_branches(ast: &Ast, around: &[(Span, Span)], branches: &mut Vec<Branch>) {
    match ast {
        Ast::Alternation(alternation) => {
            for ast in &alternation.asts {
                let branch = *ast.span();
                let mut around = around.to_vec();
                around.push((alternation.span, branch));
                if !branch.is_empty() {
                    branches.push(Branch { branch, around: around.clone() });
                }
                collect_branches(ast, &around, branches);
            }
        }
        Ast::Repetition(repetition) => collect_branches(&repetition.ast, around, branches),
        Ast::Group(group) => collect_branches(&group.ast, around, branches),
        Ast::Concat(concat) => {
            concat.asts.iter().for_each(|ast| collect_branches(ast, around, branches));
        }
        _ => {}
    }
}

/// Calls `on` for every part of the tree from left to right, save what a repetition repeats directly and is no group.
pub(super) fn visit(ast: &Ast, on: &mut impl FnMut(&Ast)) {
    on(ast);
    match ast {
        Ast::Repetition(repetition) => {
            if let Ast::Group(group) = repetition.ast.as_ref() {
                visit(&group.ast, on);
            }
        }
        Ast::Group(group) => visit(&group.ast, on),
        Ast::Alternation(alternation) => alternation.asts.iter().for_each(|ast| visit(ast, on)),
        Ast::Concat(concat) => concat.asts.iter().for_each(|ast| visit(ast, on)),
        _ => {}
    }
}

/// The spans of literals, those of classes included, for which `is` holds.
pub(super) fn literals(ast: &Ast, is: &impl Fn(&Literal) -> bool) -> Vec<Span> {
    let mut ast = ast.clone();
    let mut spans = Vec::new();
    for_each_literal(&mut ast, &mut |literal| {
        if is(literal) {
            spans.push(literal.span);
        }
    });
    spans
}

/// Characters beyond ASCII become the byte `0xff`, which is one without Unicode.
fn fold_non_ascii(ast: &mut Ast) {
    for_each_literal(ast, &mut |literal| {
        if !literal.c.is_ascii() {
            literal.kind = LiteralKind::HexFixed(HexLiteralKind::X);
            literal.c = '\u{ff}';
        }
    });
}

fn for_each_literal(ast: &mut Ast, on: &mut impl FnMut(&mut Literal)) {
    match ast {
        Ast::Literal(literal) => on(literal),
        Ast::Repetition(repetition) => for_each_literal(&mut repetition.ast, on),
        Ast::Group(group) => for_each_literal(&mut group.ast, on),
        Ast::Alternation(alternation) => {
            alternation.asts.iter_mut().for_each(|ast| for_each_literal(ast, on));
        }
        Ast::Concat(concat) => concat.asts.iter_mut().for_each(|ast| for_each_literal(ast, on)),
        Ast::ClassBracketed(class) => {
            if let ClassSet::Item(item) = &mut class.kind {
                for_each_literal_of_class(item, on);
            }
        }
        _ => {}
    }
}

fn for_each_literal_of_class(item: &mut ClassSetItem, on: &mut impl FnMut(&mut Literal)) {
    match item {
        ClassSetItem::Literal(literal) => on(literal),
        ClassSetItem::Range(range) => {
            on(&mut range.start);
            on(&mut range.end);
        }
        ClassSetItem::Union(union) => {
            union.items.iter_mut().for_each(|item| for_each_literal_of_class(item, on));
        }
        ClassSetItem::Bracketed(class) => {
            if let ClassSet::Item(item) = &mut class.kind {
                for_each_literal_of_class(item, on);
            }
        }
        _ => {}
    }
}
