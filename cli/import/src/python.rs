//! Python: the values that a settings module assigns, read from its syntax tree. Nothing is run.

mod bounds;
mod settle;
mod statements;
mod value;

use std::collections::BTreeMap;

use tree_sitter::{Node, Parser};

use crate::fields::{names_header_of_cors, shortened};
use crate::settings::{Failure, Note};
use crate::{Options, SourceFile};
pub(crate) use settle::{settle, texts};
pub(crate) use value::{Hole, Value};

/// Deepest expression that is read.
const MAX_DEPTH: usize = 64;

/// A module's variables, and its calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Module {
    /// The value of each variable, and the place of its last assignment.
    pub(crate) variables: BTreeMap<String, (Value, String)>,
    /// The calls, inside functions as well.
    pub(crate) calls: Vec<Call>,
    /// The modules that are imported whole.
    pub(crate) stars: Vec<(String, String)>,
}

/// A call with arguments that have a name.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The function and its first argument, as written.
    pub(crate) names: [String; 2],
    /// The arguments with a name; `**options` has its text for a name.
    pub(crate) named: BTreeMap<String, Value>,
    /// The number of those without one.
    pub(crate) plain: usize,
    /// The place.
    pub(crate) place: String,
}

/// A reader of one file.
pub(crate) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    environment: &'a BTreeMap<String, String>,
    known: &'a [(&'a str, &'a [&'a str])],
    module: Module,
}

/// Remarks on the lines that set a header of CORS by themselves.
pub(crate) fn headers_of_cors(files: &[SourceFile]) -> Vec<Note> {
    let mut notes = Vec::new();
    for file in files {
        for (at, line) in file.text.lines().enumerate() {
            let code = line.split('#').next().unwrap_or_default();
            // `headers["NAME"] = value` and `{"NAME": value}`; a name in a list is one of a request.
            let is_set = names_header_of_cors(code)
                && code.split(['"', '\'']).any(|part| {
                    let part = part.trim_start();
                    part.starts_with(':')
                        || part
                            .strip_prefix(']')
                            .is_some_and(|rest| rest.trim_start().starts_with('='))
                });
            if is_set {
                let place = format!("{}:{}", file.name, at.saturating_add(1));
                let text = format!(
                    "`{}` is not read: write its origins into the policy, and remove it",
                    shortened(code)
                );
                notes.push(Note::decide("", &place, text));
            }
        }
    }
    notes
}

// === impl Module ===

impl Module {
    /// Reads files, each on top of the variables of those before it. `known` has the lists that libraries export.
    pub(crate) fn read(
        files: &[SourceFile],
        options: &Options,
        known: &[(&str, &[&str])],
    ) -> Result<Self, Failure> {
        files.iter().try_fold(Self::default(), |module, file| {
            let text = (file.name.as_str(), file.text.as_str());
            Reader::read(module, text, &options.environment, known)
        })
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Reads a file on top of the variables of the files before it.
    fn read(
        module: Module,
        (file, text): (&'a str, &'a str),
        environment: &'a BTreeMap<String, String>,
        known: &'a [(&'a str, &'a [&'a str])],
    ) -> Result<Module, Failure> {
        bounds::check_text(file, text)?;
        let mut parser = Parser::new();
        let language = tree_sitter_python::LANGUAGE.into();
        let tree = parser.set_language(&language).ok().and_then(|()| parser.parse(text, None));
        let tree =
            tree.ok_or_else(|| Failure::unreadable(file, "Python's grammar cannot be loaded"))?;
        bounds::check_tree(file, &tree)?;
        if let Some(error) = first_error(tree.root_node()) {
            let line = error.start_position().row.saturating_add(1);
            return Err(Failure::unreadable(format!("{file}:{line}"), "it is no Python here"));
        }
        let mut reader = Self { file, text, environment, known, module };
        reader.statements(tree.root_node());
        reader.calls(tree.root_node(), 0);
        Ok(reader.module)
    }

    fn source(&self, node: Node<'_>) -> &'a str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn place(&self, node: Node<'_>) -> String {
        format!("{}:{}", self.file, node.start_position().row.saturating_add(1))
    }

    fn hole(&self, node: Node<'_>) -> Value {
        let text = self.source(node).split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = text.chars().take(60).collect();
        Value::Hole(Hole { name: format!("`{short}`"), place: self.place(node), variable: None })
    }

    /// Collects the calls with named arguments, which see the variables at the end of the module.
    fn calls(&mut self, node: Node<'_>, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        if node.kind() == "call" {
            let (plain, arguments) = self.arguments(node, 0);
            let first = field(node, "arguments").and_then(|list| children(list).next());
            let names = [field(node, "function"), first]
                .map(|node| node.map(|node| self.source(node)).unwrap_or_default().to_owned());
            if !arguments.is_empty() {
                let (place, plain) = (self.place(node), plain.len());
                self.module.calls.push(Call { names, named: arguments, plain, place });
            }
        }
        for child in children(node) {
            self.calls(child, depth.saturating_add(1));
        }
    }

    fn known(&self, name: &str) -> Option<Value> {
        let (_, list) = self.known.iter().find(|(known, _)| *known == name)?;
        Some(Value::List(list.iter().map(|text| Value::Text((*text).to_owned())).collect()))
    }

    // === Expressions ===

    fn value(&self, node: Node<'_>, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return self.hole(node);
        }
        let value = self.evaluate(node, depth);
        if value.is_bounded() { value } else { self.hole(node) }
    }

    fn evaluate(&self, node: Node<'_>, depth: usize) -> Value {
        let deeper = depth.saturating_add(1);
        match node.kind() {
            "string" => self.string(node, deeper),
            "concatenated_string" => {
                let parts = children(node).map(|part| self.value(part, deeper));
                let sum = parts.reduce(|a, b| a.plus(b).unwrap_or_else(|| self.hole(node)));
                sum.unwrap_or_else(|| self.hole(node))
            }
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "none" => Value::None,
            "integer" => self
                .source(node)
                .replace('_', "")
                .parse()
                .map_or_else(|_| self.hole(node), Value::Int),
            "list" | "tuple" | "set" | "expression_list" => Value::List(self.items(node, deeper)),
            "parenthesized_expression" => {
                children(node).next().map_or(Value::None, |inner| self.value(inner, deeper))
            }
            "identifier" | "attribute" => {
                let name = self.source(node);
                let variable = self.module.variables.get(name).map(|(value, _)| value.clone());
                variable.or_else(|| self.known(name)).unwrap_or_else(|| self.hole(node))
            }
            "binary_operator" => self.operator(node, deeper),
            "not_operator" => {
                let truth =
                    field(node, "argument").and_then(|node| self.value(node, deeper).truth());
                truth.map_or_else(|| self.hole(node), |truth| Value::Bool(!truth))
            }
            "boolean_operator" => self.boolean(node, deeper),
            "conditional_expression" => self.conditional(node, deeper),
            "call" => self.call(node, deeper),
            "subscript" => self.subscript(node),
            "list_comprehension" | "generator_expression" | "set_comprehension" => {
                self.comprehension(node, deeper)
            }
            _ => self.hole(node),
        }
    }

    fn items(&self, node: Node<'_>, depth: usize) -> Vec<Value> {
        let mut items = Vec::new();
        for child in children(node) {
            match child.kind() {
                "list_splat" => {
                    let inner = children(child).next().map(|inner| self.value(inner, depth));
                    match inner {
                        Some(Value::List(list)) => items.extend(list),
                        Some(value) => items.push(value),
                        None => {}
                    }
                }
                _ => items.push(self.value(child, depth)),
            }
        }
        items
    }

    fn string(&self, node: Node<'_>, depth: usize) -> Value {
        let mut text = String::new();
        let mut is_raw = false;
        for child in children(node) {
            match child.kind() {
                "string_start" => {
                    is_raw = self.source(child).contains(['r', 'R']);
                }
                "string_content" if is_raw => text.push_str(self.source(child)),
                "string_content" => text.push_str(&value::unescape(self.source(child))),
                "interpolation" => {
                    let inner = field(child, "expression").map(|inner| self.value(inner, depth));
                    match inner {
                        Some(Value::Text(part)) => text.push_str(&part),
                        Some(Value::Int(number)) => text.push_str(&number.to_string()),
                        Some(Value::Hole(hole)) => return Value::Hole(hole),
                        _ => return self.hole(node),
                    }
                }
                _ => {}
            }
        }
        Value::Text(text)
    }

    fn operator(&self, node: Node<'_>, depth: usize) -> Value {
        let side = |name| field(node, name).map(|node| self.value(node, depth));
        let (Some(left), Some(right)) = (side("left"), side("right")) else {
            return self.hole(node);
        };
        let operator = field(node, "operator").map(|node| self.source(node)).unwrap_or_default();
        let value = match (operator, left, right) {
            ("+", left, right) => left.plus(right),
            ("*", Value::Int(a), Value::Int(b)) => a.checked_mul(b).map(Value::Int),
            ("-", Value::Int(a), Value::Int(b)) => a.checked_sub(b).map(Value::Int),
            _ => None,
        };
        value.unwrap_or_else(|| self.hole(node))
    }

    fn boolean(&self, node: Node<'_>, depth: usize) -> Value {
        let side = |name| field(node, name).map(|node| self.value(node, depth));
        let is_or = field(node, "operator").is_some_and(|node| self.source(node) == "or");
        match (side("left"), side("right")) {
            (Some(left), Some(right)) => match left.truth() {
                Some(truth) if truth == is_or => left,
                Some(_) => right,
                None => left,
            },
            _ => self.hole(node),
        }
    }

    fn conditional(&self, node: Node<'_>, depth: usize) -> Value {
        let parts: Vec<Value> = children(node).map(|part| self.value(part, depth)).collect();
        let [yes, condition, no] = parts.as_slice() else {
            return self.hole(node);
        };
        match condition.truth() {
            Some(true) => yes.clone(),
            Some(false) => no.clone(),
            None => self.hole(node),
        }
    }

    fn arguments(&self, node: Node<'_>, depth: usize) -> (Vec<Value>, BTreeMap<String, Value>) {
        let mut named = BTreeMap::new();
        let mut plain = Vec::new();
        let list = field(node, "arguments");
        for argument in list.into_iter().flat_map(children) {
            if argument.kind() == "keyword_argument" {
                let name = field(argument, "name").map(|name| self.source(name).to_owned());
                let value = field(argument, "value").map(|value| self.value(value, depth));
                named.extend(name.zip(value));
            } else if argument.kind() == "dictionary_splat" {
                named.insert(self.source(argument).to_owned(), self.hole(argument));
            } else {
                plain.push(self.value(argument, depth));
            }
        }
        (plain, named)
    }

    fn call(&self, node: Node<'_>, depth: usize) -> Value {
        let function = field(node, "function");
        let name = function.map(|node| self.source(node)).unwrap_or_default();
        let (arguments, named) = self.arguments(node, depth);
        let method = function.filter(|node| node.kind() == "attribute");
        let object = method.and_then(|node| field(node, "object"));
        let last = name.rsplit('.').next().unwrap_or_default();
        match (last, arguments.as_slice()) {
            ("list" | "tuple" | "set" | "sorted" | "frozenset", [value]) if object.is_none() => {
                value.clone()
            }
            ("compile", [Value::Text(regex), flags @ ..])
                if name.starts_with("re.") || name == "compile" =>
            {
                let written =
                    field(node, "arguments").map(|node| self.source(node)).unwrap_or_default();
                let ignores = !flags.is_empty() || !named.is_empty();
                let ignores =
                    ignores && (written.contains("IGNORECASE") || written.contains("re.I"));
                Value::Text(if ignores { format!("(?i){regex}") } else { regex.clone() })
            }
            ("split" | "strip" | "lower" | "rstrip" | "lstrip" | "casefold", _)
                if object.is_some() =>
            {
                let of = object.map_or(Value::None, |object| self.value(object, depth));
                let of_hole = matches!(of, Value::Hole(_));
                let result = of.clone().text_method(last, arguments.first());
                if of_hole { of } else { result.unwrap_or_else(|| self.hole(node)) }
            }
            ("escape", [Value::Text(text)]) if name == "re.escape" => {
                Value::Text(text.replace('.', "\\."))
            }
            _ => self.environment(node, name, &arguments, &named),
        }
    }

    /// `os.environ.get("NAME", "default")`, `env.list("NAME")`, `config("NAME", cast=Csv())`.
    fn environment(
        &self,
        node: Node<'_>,
        function: &str,
        arguments: &[Value],
        named: &BTreeMap<String, Value>,
    ) -> Value {
        let base = function.split('.').find(|part| *part != "os").unwrap_or_default();
        let is_look_up = ["environ", "getenv", "env", "ENV", "config", "decouple"].contains(&base);
        let Some(Value::Text(variable)) = arguments.first().filter(|_| is_look_up) else {
            return self.hole(node);
        };
        let kind = self.cast(node, function);
        if let Some(value) = self.environment.get(variable) {
            return Value::from_environment(value, kind);
        }
        let default = named.get("default").or_else(|| arguments.get(1)).cloned();
        // Python casts a default that is a text, too.
        let default = default.map(|default| match default {
            Value::Text(text) => Value::from_environment(&text, kind),
            default => default,
        });
        let hole = Hole {
            name: format!("the environment variable {variable}"),
            place: self.place(node),
            variable: Some(variable.clone()),
        };
        Value::depends(hole, default.unwrap_or(Value::None))
    }

    /// The type that a look-up gives to its text: `env.list(…)`, `config(…, cast=Csv())`, `env(…, cast=lambda text: text.split(","))`.
    fn cast<'t>(&self, node: Node<'t>, function: &str) -> &'static str {
        let cast = |argument: Node<'t>| match argument.kind() {
            "keyword_argument" => {
                let name = field(argument, "name").map(|name| self.source(name));
                field(argument, "value").filter(|_| name == Some("cast"))
            }
            "identifier" | "attribute" | "call" | "lambda" => Some(argument),
            _ => None,
        };
        let arguments = field(node, "arguments").into_iter().flat_map(children);
        let casts = arguments.filter_map(cast).map(|cast| self.source(cast));
        let kind = |cast: &str| {
            let name = cast.split('(').next().unwrap_or_default();
            match name.rsplit('.').next().unwrap_or_default() {
                "list" | "tuple" | "set" | "Csv" => Some("list"),
                "bool" => Some("bool"),
                "int" => Some("int"),
                _ => (cast.starts_with("lambda") && cast.contains(".split(")).then_some("list"),
            }
        };
        casts.chain([function]).find_map(kind).unwrap_or("text")
    }

    /// `os.environ["NAME"]`.
    fn subscript(&self, node: Node<'_>) -> Value {
        let of = field(node, "value").map(|node| self.source(node)).unwrap_or_default();
        let key = field(node, "subscript").map(|node| self.value(node, 0));
        match key {
            Some(key @ Value::Text(_)) if of.ends_with("environ") => {
                self.environment(node, "environ", &[key], &BTreeMap::new())
            }
            _ => self.hole(node),
        }
    }

    /// `[origin.strip() for origin in … if origin]`.
    fn comprehension(&self, node: Node<'_>, depth: usize) -> Value {
        let mut clauses = children(node).filter(|child| child.kind() == "for_in_clause");
        let parts = clauses
            .next()
            .and_then(|clause| Some((field(clause, "left")?, field(clause, "right")?)));
        let (Some((left, right)), Some(body)) = (parts, field(node, "body")) else {
            return self.hole(node);
        };
        let conditions = || children(node).filter(|child| child.kind() == "if_clause");
        let conditions = || conditions().flat_map(children);
        match self.value(right, depth) {
            _ if clauses.next().is_some() => self.hole(node),
            Value::List(items) => {
                let name = self.source(left).to_owned();
                let mut each = Vec::new();
                for item in items {
                    let mut module = self.module.clone();
                    module.variables.insert(name.clone(), (item, String::new()));
                    let inner = Self { module, ..*self };
                    let holds = |condition| inner.value(condition, depth).truth();
                    let holds: Option<Vec<bool>> = conditions().map(holds).collect();
                    match holds.map(|all| all.into_iter().all(|holds| holds)) {
                        Some(true) => each.push(inner.value(body, depth)),
                        Some(false) => {}
                        None => return self.hole(node),
                    }
                }
                Value::List(each)
            }
            other => other,
        }
    }
}

fn field<'t>(node: Node<'t>, name: &str) -> Option<Node<'t>> {
    node.child_by_field_name(name)
}

/// The children with a name, comments aside.
fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let count = u32::try_from(node.named_child_count()).unwrap_or(u32::MAX);
    (0..count).filter_map(move |at| node.named_child(at)).filter(|child| child.kind() != "comment")
}

fn first_error(node: Node<'_>) -> Option<Node<'_>> {
    if !node.has_error() {
        return None;
    }
    if node.is_error() || node.is_missing() {
        return Some(node);
    }
    children(node).find_map(first_error).or(Some(node))
}
