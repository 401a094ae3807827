//! Statements: the assignments of a module in their order, and what is known of a variable behind a statement that is not run.

use std::mem;

use tree_sitter::Node;

use super::value::{Hole, Value};
use super::{MAX_DEPTH, Module, Reader, children, field};

/// The prefix of the settings; a function or a class may write other variables of its own.
const SETTINGS: &str = "CORS_";
/// The methods that change a list, beside those that are read.
const CHANGES: [&str; 6] = ["append", "extend", "insert", "remove", "clear", "pop"];

// === impl Reader ===

impl Reader<'_> {
    pub(super) fn statements(&mut self, node: Node<'_>) {
        for child in children(node) {
            match child.kind() {
                "expression_statement" => {
                    children(child).for_each(|expression| self.statement(expression));
                }
                "if_statement" => self.branches(child),
                "import_from_statement" => self.import(child),
                "try_statement" => self.attempt(child),
                "block" | "with_statement" | "finally_clause" | "else_clause" => {
                    self.statements(child);
                }
                _ => self.unread(child),
            }
        }
    }

    fn statement(&mut self, node: Node<'_>) {
        match node.kind() {
            "assignment" => self.assign(node),
            "augmented_assignment" => {
                let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
                    return;
                };
                let name = self.source(left).to_owned();
                let more = self.value(right, 0);
                let before = self.module.variables.get(&name).map(|(value, _)| value.clone());
                let sum =
                    before.and_then(|before| before.plus(more)).unwrap_or_else(|| self.hole(node));
                self.module.variables.insert(name, (sum, self.place(node)));
            }
            "call" => self.call_statement(node),
            _ => {}
        }
    }

    fn assign(&mut self, node: Node<'_>) {
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
            return;
        };
        // `a = b = []`.
        if right.kind() == "assignment" {
            self.assign(right);
        }
        let value = match right.kind() {
            "assignment" => field(right, "left").map_or(Value::None, |left| self.value(left, 0)),
            _ => self.value(right, 0),
        };
        self.set(left, value, node, 0);
    }

    /// Sets the variables of a target: a name, several names, `globals()["NAME"]` or `settings.NAME`.
    fn set(&mut self, target: Node<'_>, value: Value, node: Node<'_>, depth: usize) {
        match target.kind() {
            "pattern_list" | "tuple_pattern" | "list_pattern" if depth < MAX_DEPTH => {
                let targets: Vec<Node<'_>> = children(target).collect();
                let values = match value {
                    Value::List(items) if items.len() == targets.len() => items,
                    _ => vec![self.hole(node); targets.len()],
                };
                for (target, value) in targets.into_iter().zip(values) {
                    self.set(target, value, node, depth.saturating_add(1));
                }
            }
            _ => {
                if let Some(name) = self.target(target) {
                    self.module.variables.insert(name, (value, self.place(node)));
                }
            }
        }
    }

    /// The variable that a target names.
    fn target(&self, target: Node<'_>) -> Option<String> {
        let source = self.source(target);
        match target.kind() {
            "identifier" => Some(source.to_owned()),
            "attribute" => {
                let (_, name) = source.rsplit_once('.')?;
                name.starts_with(SETTINGS).then(|| name.to_owned())
            }
            "subscript" => match self.value(field(target, "subscript")?, 0) {
                Value::Text(name) if name.starts_with(SETTINGS) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// `LIST.append("x")`, `LIST.extend([…])` and `LIST.remove("x")`.
    fn call_statement(&mut self, node: Node<'_>) {
        let Some(function) = field(node, "function") else {
            return;
        };
        let function = self.source(function).to_owned();
        let (arguments, _) = self.arguments(node, 0);
        // django-split-settings.
        if function == "include" {
            let files = arguments.iter().filter_map(|argument| match argument {
                Value::Text(file) => Some((file.clone(), self.place(node))),
                _ => None,
            });
            let files: Vec<(String, String)> = files.collect();
            self.module.stars.extend(files);
        }
        if let Some((name, method)) = function.rsplit_once('.')
            && let Some((list, _)) = self.module.variables.get(name).cloned()
        {
            let first = arguments.first().cloned();
            let new = match (method, first, list) {
                ("append", Some(first), list) => list.plus(Value::List(vec![first])),
                ("extend", Some(first), list) => list.plus(first),
                ("insert", Some(_), list) => {
                    list.plus(Value::List(arguments.last().cloned().into_iter().collect()))
                }
                ("clear", None, _) => Some(Value::List(Vec::new())),
                ("remove", Some(Value::Text(text)), Value::List(mut items)) => {
                    items.retain(|item| *item != Value::Text(text.clone()));
                    Some(Value::List(items))
                }
                (method, _, _) if CHANGES.contains(&method) => None,
                (_, _, list) => Some(list),
            };
            let new = new.unwrap_or_else(|| self.hole(node));
            self.module.variables.insert(name.to_owned(), (new, self.place(node)));
        } else {
            self.unread(node);
        }
    }

    /// `from corsheaders.defaults import default_headers as headers`, and `from .base import *`.
    fn import(&mut self, node: Node<'_>) {
        let module = field(node, "module_name").map(|name| self.source(name)).unwrap_or_default();
        for child in children(node) {
            if child.kind() == "wildcard_import" {
                self.module.stars.push((module.to_owned(), self.place(node)));
            }
        }
        let mut cursor = node.walk();
        for name in node.children_by_field_name("name", &mut cursor) {
            let (name, alias) = match name.kind() {
                "aliased_import" => (field(name, "name"), field(name, "alias")),
                _ => (Some(name), Some(name)),
            };
            let (Some(name), Some(alias)) = (name, alias) else { continue };
            let alias = self.source(alias).to_owned();
            let before =
                self.module.variables.get(self.source(name)).map(|(value, _)| value.clone());
            let known = self.known(&format!("{module}.{}", self.source(name))).or(before);
            let known = known.or_else(|| alias.starts_with(SETTINGS).then(|| self.hole(node)));
            if let Some(value) = known {
                self.module.variables.insert(alias, (value, self.place(node)));
            }
        }
    }

    /// Reads the branch that is taken, or all of them where the condition is unknown.
    fn branches(&mut self, node: Node<'_>) {
        let mut cursor = node.walk();
        let others = node.children_by_field_name("alternative", &mut cursor);
        let all: Vec<Node<'_>> = std::iter::once(node).chain(others).collect();
        self.branch(&all);
    }

    fn block(&mut self, block: Option<Node<'_>>) {
        if let Some(block) = block {
            self.statements(block);
        }
    }

    fn branch(&mut self, all: &[Node<'_>]) {
        let Some((first, rest)) = all.split_first() else {
            return;
        };
        let Some(condition) = field(*first, "condition") else {
            return self.block(field(*first, "body"));
        };
        let block = field(*first, "consequence");
        match self.value(condition, 0).truth() {
            Some(true) => self.block(block),
            Some(false) => self.branch(rest),
            None => {
                let before = self.module.clone();
                self.block(block);
                let taken = mem::replace(&mut self.module, before);
                self.branch(rest);
                let name = format!("the condition `{}`", self.source(condition));
                self.module.merge(taken, &name, &self.place(*first));
            }
        }
    }

    /// Reads a `try` as one that passes; what an `except` would set depends on it.
    fn attempt(&mut self, node: Node<'_>) {
        let before = self.module.clone();
        for child in children(node) {
            if child.kind().starts_with("except") {
                let passed = mem::replace(&mut self.module, before.clone());
                self.statements(child);
                let name = format!("the `except` at {}", self.place(child));
                let failed = mem::replace(&mut self.module, passed);
                self.module.merge(failed, &name, &self.place(child));
            } else if matches!(child.kind(), "block" | "finally_clause" | "else_clause") {
                self.statements(child);
            }
        }
    }

    /// Keeps what is known of the variables that a statement writes, with a hole for what it makes of them.
    fn unread(&mut self, node: Node<'_>) {
        let is_definition = node.kind().ends_with("definition");
        let mut names = Vec::new();
        self.written(node, &mut names, 0);
        let first = self.source(node).lines().next().unwrap_or_default().trim().to_owned();
        for name in names {
            if is_definition && !name.starts_with(SETTINGS) {
                continue;
            }
            let hole = Hole { name: format!("`{first}`"), place: self.place(node), variable: None };
            let known = self.module.variables.get(&name).map(|(value, _)| value.clone());
            let value = Value::depends(hole, known.unwrap_or(Value::None));
            self.module.variables.insert(name, (value, self.place(node)));
        }
    }

    /// The variables that a statement writes.
    fn written(&self, node: Node<'_>, names: &mut Vec<String>, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        let mut add = |target: Option<Node<'_>>| {
            let name = target.and_then(|target| self.target(target));
            names.extend(name.filter(|name| !names.contains(name)));
        };
        match node.kind() {
            "assignment" | "augmented_assignment" => {
                let left = field(node, "left");
                add(left);
                left.into_iter().flat_map(children).for_each(|target| add(Some(target)));
            }
            "delete_statement" => children(node).for_each(|target| add(Some(target))),
            // `globals().update({"NAME": …})` and `setattr(module, "NAME", …)`.
            "string_content" if self.source(node).starts_with(SETTINGS) => {
                let name = self.source(node);
                let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                names.extend(is_name.then(|| name.to_owned()));
            }
            "call" => {
                let function = field(node, "function").filter(|it| it.kind() == "attribute");
                let method = function.and_then(|it| field(it, "attribute"));
                if method.is_some_and(|method| CHANGES.contains(&self.source(method))) {
                    add(function.and_then(|it| field(it, "object")));
                }
            }
            _ => {}
        }
        children(node).for_each(|child| self.written(child, names, depth.saturating_add(1)));
    }
}

// === impl Module ===

impl Module {
    /// Merges what a branch assigned: a value that differs depends on what is named.
    fn merge(&mut self, branch: Self, name: &str, place: &str) {
        let hole = || Hole { name: name.to_owned(), place: place.to_owned(), variable: None };
        for (variable, (value, _)) in &mut self.variables {
            if !branch.variables.contains_key(variable) {
                *value = Value::depends(hole(), value.clone());
            }
        }
        for (variable, (value, at)) in branch.variables {
            let same = self.variables.get(&variable).is_some_and(|(other, _)| *other == value);
            if !same {
                let default = self.variables.get(&variable).map(|(value, _)| value.clone());
                let value = Value::depends(hole(), default.unwrap_or(Value::None));
                self.variables.insert(variable, (value, at));
            }
        }
        for star in branch.stars {
            if !self.stars.contains(&star) {
                self.stars.push(star);
            }
        }
    }
}
