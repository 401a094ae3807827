//! Server: the answers of a server of nginx to a request, as its configuration describes them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use regex_lite::{Regex, RegexBuilder};

use super::syntax::Directive;
use crate::exchange::{Answer, Exchange, Response, System};
use crate::settings::{Listener, Note};

/// The statuses for which `add_header` works without `always`.
const STATUSES: [u16; 10] = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];
/// Most variables that one value goes through.
const MAX_DEPTH: usize = 16;

/// Longest value, in bytes. nginx itself sends no header that is longer.
const MAX_LEN: usize = 16 * 1024;
/// Most variables that one value has, those of its variables included.
const MAX_VARIABLES: usize = 4_096;

/// A server, with what stands around it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// The maps, by their variable.
    pub(super) maps: Rc<BTreeMap<String, Map>>,
    /// The directives around the servers.
    pub(super) outer: Rc<Vec<Directive>>,
    /// Its own.
    pub(super) directives: Vec<Directive>,
    /// The places of the values that are too long.
    long: RefCell<BTreeSet<String>>,
    /// The regexes that were compiled, by whether they ignore case; absent: one that is not read.
    regexes: RefCell<[HashMap<String, Option<Rc<Regex>>>; 2]>,
    /// The location of a path in each block on the way to it, as its place in the block; absent: none.
    ways: RefCell<HashMap<String, Vec<Option<usize>>>>,
}

/// A `map` block.
#[derive(Clone, Debug)]
pub(super) struct Map {
    /// The value that is compared.
    pub(super) source: String,
    /// Its entries, without `default`.
    pub(super) entries: Vec<(String, String)>,
    /// The value of `default`.
    pub(super) default: String,
}

/// The state of one request.
struct State<'a> {
    server: &'a Server,
    exchange: &'a Exchange,
    variables: BTreeMap<String, String>,
    captures: Vec<String>,
    /// The blocks around the response, the innermost one last.
    around: Vec<&'a [Directive]>,
    /// Whether an `if` has ended the request.
    is_conditional: bool,
    /// The variables that the current value may still have.
    left: Cell<usize>,
}

/// The end of the rewrite phase of a block.
enum Flow {
    Continue,
    Return(u16),
}

// === impl Server ===

impl Server {
    pub(super) fn new(
        maps: Rc<BTreeMap<String, Map>>,
        outer: Rc<Vec<Directive>>,
        directives: Vec<Directive>,
    ) -> Self {
        Self {
            maps,
            outer,
            directives,
            long: RefCell::default(),
            regexes: RefCell::default(),
            ways: RefCell::default(),
        }
    }

    /// Remarks on the values of its answers that were too long.
    pub(super) fn long_values(&self) -> Vec<Note> {
        let long = self.long.borrow();
        let note = |place: &String| {
            let text = format!(
                "a value has more than {MAX_LEN} bytes or {MAX_VARIABLES} variables, and is an empty one here: write what it means"
            );
            Note::decide("", place, text)
        };
        long.iter().map(note).collect()
    }

    fn regex(&self, pattern: &str, ignore_case: bool) -> Option<Rc<Regex>> {
        let mut regexes = self.regexes.borrow_mut();
        let [exact, ignoring] = &mut *regexes;
        let compiled = if ignore_case { ignoring } else { exact };
        if let Some(known) = compiled.get(pattern) {
            return known.clone();
        }
        let new = regex(pattern, ignore_case).map(Rc::new);
        compiled.insert(pattern.to_owned(), new.clone());
        new
    }

    /// Its ports and sockets; none: all, where a port is not read.
    pub(super) fn listeners(&self) -> Vec<Listener> {
        let port = |port| Listener { port: Some(port), ..Listener::default() };
        let written = self.directives.iter().filter(|directive| directive.name == "listen");
        let mut written = written.filter_map(|directive| directive.arguments.first()).peekable();
        if written.peek().is_none() {
            return vec![port(80)];
        }
        let listener = |address: &String| {
            if address.starts_with("unix:") {
                return Some(Listener::all_of(address));
            }
            let last = address.rsplit_once(':').map_or(address.as_str(), |(_, last)| last);
            // An address such as `127.0.0.1`, `[::1]` or `localhost` has port 80.
            let is_port =
                last.starts_with(|c: char| c.is_ascii_digit()) && !last.contains(['.', ']']);
            if is_port { last.parse().ok().map(port) } else { Some(port(80)) }
        };
        written.map(listener).collect::<Option<_>>().unwrap_or_default()
    }
}

impl System for Server {
    fn answer(&self, exchange: &Exchange) -> Answer {
        let mut state = State {
            server: self,
            exchange,
            variables: BTreeMap::new(),
            captures: Vec::new(),
            around: vec![&self.outer, &self.directives],
            is_conditional: false,
            left: Cell::new(0),
        };
        let mut flow = state.rewrite(&self.directives);
        let mut inside: &[Directive] = &self.directives;
        let mut depth = 0;
        while let (Flow::Continue, Some(location)) = (&flow, state.location(inside, depth)) {
            depth = depth.saturating_add(1);
            // What an `if` of the server chose is not seen in a location.
            state.around.truncate(state.around.len().min(2));
            inside = location;
            state.around.push(location);
            flow = state.rewrite(location);
        }
        let (mut response, reached) = match flow {
            // Without a condition it is the answer of this place itself, as an application's is.
            Flow::Return(status) => (Response::empty(status), !state.is_conditional),
            Flow::Continue => (exchange.application.clone(), true),
        };
        if let Flow::Continue = flow {
            for directive in state.inherited("proxy_hide_header") {
                directive.arguments.iter().for_each(|name| response.remove(name));
            }
        }
        let status = response.status;
        for directive in state.inherited("add_header") {
            let [name, value, rest @ ..] = directive.arguments.as_slice() else { continue };
            let always = rest.iter().any(|word| word == "always");
            let value = state.value(value, &directive.place);
            if (always || STATUSES.contains(&status)) && !value.is_empty() {
                response.append(name, value);
            }
        }
        Answer { response, reached }
    }
}

// === impl State ===

impl<'a> State<'a> {
    /// Runs the directives that decide before a response is made.
    fn rewrite(&mut self, directives: &'a [Directive]) -> Flow {
        let mut chosen = None;
        for directive in directives {
            match (directive.name.as_str(), directive.arguments.as_slice()) {
                ("set", [variable, value]) => {
                    let value = self.value(value, &directive.place);
                    self.variables.insert(variable.trim_start_matches('$').to_owned(), value);
                }
                ("return", [status, ..]) => {
                    // A URL alone is a redirect.
                    self.around.extend(chosen);
                    return Flow::Return(status.parse().unwrap_or(302));
                }
                ("if", condition) => {
                    let Some(block) = directive.block.as_deref() else { continue };
                    if !self.holds(condition, &directive.place) {
                        continue;
                    }
                    chosen = Some(block);
                    let depth = self.around.len();
                    if let Flow::Return(status) = self.rewrite(block) {
                        self.around.truncate(depth);
                        self.around.push(block);
                        self.is_conditional = true;
                        return Flow::Return(status);
                    }
                    self.around.truncate(depth);
                }
                _ => {}
            }
        }
        // The last `if` that holds is the place where the request is answered.
        self.around.extend(chosen);
        Flow::Continue
    }

    /// The directives of that name in the innermost block that has some.
    fn inherited(&self, name: &str) -> Vec<&'a Directive> {
        let of = |block: &&'a [Directive]| {
            let directives: Vec<&'a Directive> =
                block.iter().filter(|directive| directive.name == name).collect();
            (!directives.is_empty()).then_some(directives)
        };
        self.around.iter().rev().find_map(of).unwrap_or_default()
    }

    /// The location of the request among those in a block, which is at that depth.
    fn location(&self, directives: &'a [Directive], depth: usize) -> Option<&'a [Directive]> {
        let path = self.exchange.path.split('?').next().unwrap_or_default();
        let mut ways = self.server.ways.borrow_mut();
        let known = ways.get(path).and_then(|way| way.get(depth)).copied();
        let found = known.unwrap_or_else(|| {
            let found = self.find_location(directives, path);
            ways.entry(path.to_owned()).or_default().push(found);
            found
        });
        found.and_then(|at| directives.get(at)).map(|it| it.block.as_deref().unwrap_or_default())
    }

    /// The place of the location of a path among the directives of a block.
    fn find_location(&self, directives: &[Directive], path: &str) -> Option<usize> {
        let mut longest: Option<(&str, bool, usize)> = None;
        let locations = || {
            let location = |(at, it)| Some((at, location(it)?));
            directives.iter().enumerate().filter_map(location)
        };
        for (at, (modifier, location)) in locations() {
            match modifier {
                "=" if location == path => return Some(at),
                "" | "^~"
                    if path.starts_with(location)
                        && longest.is_none_or(|(best, ..)| location.len() > best.len()) =>
                {
                    longest = Some((location, modifier == "^~", at));
                }
                _ => {}
            }
        }
        let stops = longest.is_some_and(|(_, stops, _)| stops);
        let matched = locations().find(|(_, (modifier, location))| {
            let regex = match *modifier {
                "~" => self.server.regex(location, false),
                "~*" => self.server.regex(location, true),
                _ => None,
            };
            regex.is_some_and(|regex| regex.is_match(path))
        });
        match matched {
            Some((at, _)) if !stops => Some(at),
            _ => longest.map(|(_, _, at)| at),
        }
    }

    /// Whether the condition of an `if` holds; its parentheses are a part of the words.
    fn holds(&mut self, words: &[String], place: &str) -> bool {
        let all = words.join(" ");
        let all = all.strip_prefix('(').unwrap_or(&all);
        let all = all.strip_suffix(')').unwrap_or(all).trim();
        let (left, rest) = all.split_once(char::is_whitespace).unwrap_or((all, ""));
        let left = self.value(left, place);
        let (operator, right) = rest.trim().split_once(char::is_whitespace).unwrap_or(("", ""));
        let right = right.trim();
        match operator {
            "" => !left.is_empty() && left != "0",
            "=" => left == self.value(right, place),
            "!=" => left != self.value(right, place),
            "~" | "~*" => self.matches(&left, right, operator == "~*"),
            "!~" | "!~*" => !self.matches(&left, right, operator == "!~*"),
            _ => false,
        }
    }

    fn matches(&mut self, text: &str, pattern: &str, ignore_case: bool) -> bool {
        let regex = self.server.regex(pattern, ignore_case);
        let captures = regex.as_ref().and_then(|regex| captures(regex, text));
        if let (Some(regex), Some(captures)) = (&regex, &captures) {
            let named = regex.capture_names().zip(captures);
            let named = named.filter_map(|(name, value)| Some((name?.to_owned(), value.clone())));
            self.variables.extend(named);
        }
        let is_match = captures.is_some();
        self.captures = captures.unwrap_or_else(|| std::mem::take(&mut self.captures));
        is_match
    }

    /// The value of a text with variables in it, in the directive at that place; one that is too long is empty.
    fn value(&self, text: &str, place: &str) -> String {
        self.left.set(MAX_VARIABLES);
        let value = self.text(text, 0);
        if self.left.get() > 0 && value.len() <= MAX_LEN {
            return value;
        }
        self.server.long.borrow_mut().insert(place.to_owned());
        String::new()
    }

    /// The same as far as it is not too long.
    fn text(&self, text: &str, depth: usize) -> String {
        if depth > MAX_DEPTH {
            return String::new();
        }
        let mut value = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            let left = self.left.get().saturating_sub(1);
            self.left.set(left);
            if left == 0 || value.len() > MAX_LEN {
                return value;
            }
            value.push_str(before);
            let (name, end) = if let Some((name, end)) =
                after.strip_prefix('{').and_then(|after| after.split_once('}'))
            {
                (name, end)
            } else {
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                after
                    .split_at_checked(after.find(|c| !is_name(c)).unwrap_or(after.len()))
                    .unwrap_or((after, ""))
            };
            value.push_str(&self.variable(name, depth.saturating_add(1)));
            rest = end;
        }
        value.push_str(rest);
        value
    }

    fn variable(&self, name: &str, depth: usize) -> String {
        if let Some(value) = self.variables.get(name) {
            return value.clone();
        }
        if let Some(map) = self.server.maps.get(name) {
            return self.mapped(map, depth);
        }
        if let Ok(group) = name.parse::<usize>() {
            return self.captures.get(group).cloned().unwrap_or_default();
        }
        let exchange = self.exchange;
        match name {
            "request_method" => exchange.method.clone(),
            "host" | "http_host" => exchange.authority.clone(),
            "uri" | "request_uri" | "document_uri" => exchange.path.clone(),
            "scheme" => "http".to_owned(),
            _ => {
                let header = name.strip_prefix("http_").map(|name| name.replace('_', "-"));
                header.and_then(|header| exchange.header(&header)).unwrap_or_default().to_owned()
            }
        }
    }

    fn mapped(&self, map: &Map, depth: usize) -> String {
        let source = self.text(&map.source, depth);
        let exact = map.entries.iter().find(|(key, _)| {
            let key = key.strip_prefix('\\').unwrap_or(key);
            !key.starts_with('~') && key.eq_ignore_ascii_case(&source)
        });
        if let Some((_, value)) = exact {
            return self.text(value, depth);
        }
        for (key, value) in &map.entries {
            let Some(pattern) = key.strip_prefix('~') else { continue };
            let (pattern, ignore_case) =
                pattern.strip_prefix('*').map_or((pattern, false), |pattern| (pattern, true));
            let Some(regex) = self.server.regex(pattern, ignore_case) else { continue };
            if let Some(captures) = captures(&regex, &source) {
                let named = regex.capture_names().zip(&captures);
                let value = named.fold(value.clone(), |value, (name, captured)| match name {
                    Some(name) => value
                        .replace(&format!("${{{name}}}"), captured)
                        .replace(&format!("${name}"), captured),
                    None => value,
                });
                let value = (1..captures.len()).rev().fold(value, |value, group| {
                    let captured = captures.get(group).map_or("", String::as_str);
                    value.replace(&format!("${group}"), captured)
                });
                return self.text(&value, depth);
            }
        }
        self.text(&map.default, depth)
    }
}

/// The locations in a block: the modifier, the path, and the directive.
pub(super) fn locations(
    directives: &[Directive],
) -> impl Iterator<Item = (&str, &str, &Directive)> {
    directives.iter().filter_map(|it| {
        let (modifier, path) = location(it)?;
        Some((modifier, path, it))
    })
}

/// The modifier and the path of a location.
fn location(directive: &Directive) -> Option<(&str, &str)> {
    if directive.name != "location" || directive.block.is_none() {
        return None;
    }
    match directive.arguments.as_slice() {
        [path] => Some(("", path)),
        [modifier, path] => Some((modifier, path)),
        _ => None,
    }
}

/// Whether a regex is read.
pub(super) fn is_regex(pattern: &str) -> bool {
    regex(pattern, false).is_some()
}

fn regex(pattern: &str, ignore_case: bool) -> Option<Regex> {
    RegexBuilder::new(pattern).case_insensitive(ignore_case).build().ok()
}

fn captures(regex: &Regex, text: &str) -> Option<Vec<String>> {
    let captures = regex.captures(text)?;
    let groups = captures.iter().map(|group| group.map_or("", |group| group.as_str()).to_owned());
    Some(groups.collect())
}
