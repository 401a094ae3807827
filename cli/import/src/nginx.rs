//! nginx: `add_header`, `map`, `if` and `return` of `nginx.conf`.
//!
//! The settings are a small program. The reader asks its model: each origin and each regex of the file is tried, and the lists are
//! those of the model's answers.

mod candidates;
mod dependencies;
mod server;
mod syntax;
mod unread;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use corsward_browser::{CorsRequest, CorsResponse, CredentialsMode, cors_check};
use corsward_policy::scope::HostPattern;

use crate::SourceFile;
use crate::blocks;
use crate::exchange::{Exchange, Response, System as _};
use crate::expression::{Anchor, Expression};
use crate::hosts::{Host, NO_HOST, leave_alone};
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, Own, PlainOptions, Vary};
use crate::settings::{Block, BlockPath, Failure, Note, Settings};
use candidates::{Candidates, candidates};
use server::{Map, Server};
use syntax::Directive;

const PRODUCT: &str = "nginx 1.22.1";
const ORIGIN: &str = "access-control-allow-origin";
/// A header name that no file allows.
const UNHEARD_OF: &str = "x-corsward-import";
/// An origin that no file names.
const STRANGER: &str = "https://corsward-import.invalid";

/// Most pairs of a location and an origin, each of which the model is asked for.
const MAX_PAIRS: usize = 1_000_000;
/// Most remarks in a failure.
const MAX_NAMED: usize = 20;

/// The habits that a translation reads; the answers are those of the [`Server`].
const HABITS: Habits = Habits {
    star_always: false,
    comparison: Comparison::Bytes,
    success_status: 204,
    refused_origin: Some(204),
    refused_names: None,
    refused_request: None,
    checks_method: false,
    plain_options: PlainOptions::Forwarded,
    vary: Vary::Never,
    own: Own::Doubled,
    errors: true,
};

/// Reads the servers of the files.
pub(crate) fn read(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let mut of_files = Vec::new();
    for file in files {
        of_files.push((file.name.clone(), syntax::read(&file.name, &file.text)?));
    }
    let directives = unread::included(&of_files)?;
    let mut notes = unread::remarks(&directives);
    notes.extend(dependencies::remarks(&directives));
    find(&directives, "include", &mut |directive| {
        let file = directive.arguments.join(" ");
        // The types of files say nothing of CORS.
        if !file.ends_with("mime.types") && !file.ends_with("_params") {
            let text = format!(
                "`include {file}` is not read; give the file, too, if it has CORS settings"
            );
            notes.push(Note::decide("", &directive.place, text));
        }
    });
    // A file of `sites-enabled` stands inside `http` already.
    let mut http: Vec<Directive> = Vec::new();
    for directive in directives {
        match directive.block {
            Some(block) if directive.name == "http" => http.extend(block),
            _ => http.push(directive),
        }
    }
    let maps: BTreeMap<String, Map> = http.iter().filter_map(map).collect();
    let mut settings: Vec<Settings> = Vec::new();
    let mut hosts = Vec::new();
    let mut origins = Vec::new();
    let mut left = Vec::new();
    let (servers, outer): (Vec<Directive>, Vec<Directive>) =
        http.into_iter().partition(|directive| directive.name == "server");
    let (maps, outer) = (Rc::new(maps), Rc::new(outer));
    for directive in servers {
        let directives = directive.block.unwrap_or_default();
        let server = Server::new(Rc::clone(&maps), Rc::clone(&outer), directives);
        let of_server = of_server(&server, &directive.place, &notes, settings.len(), &mut left)?;
        let has_cors = of_server.is_some();
        let (names, _) = hostnames(&server);
        let place = &directive.place;
        hosts.extend(names.into_iter().map(|name| Host {
            name,
            place: place.clone(),
            has_cors,
            listeners: server.listeners(),
        }));
        let Candidates { origins: written, regexes, refused } = candidates(&server);
        let written = written.into_iter().chain(regexes.into_iter().map(|(regex, _)| regex));
        origins.extend(written.filter(|written| !refused.iter().any(|it| it.ends_with(written))));
        settings.extend(of_server);
    }
    leave_alone(&mut settings, &hosts);
    name_unused(&mut settings, &origins);
    if settings.is_empty() {
        notes.extend(left);
        return Err(no_cors(files, &origins, notes));
    }
    Ok(settings)
}

/// The failure where no server has CORS, with the origins that no response allows, and the remarks on what is not read and may have it.
fn no_cors(files: &[SourceFile], origins: &[String], mut notes: Vec<Note>) -> Failure {
    let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
    let mut text =
        "it has no server that adds Access-Control-Allow-Origin to a response".to_owned();
    let mut origins: Vec<&String> = origins.iter().collect();
    origins.sort();
    origins.dedup();
    for origin in origins.iter().take(MAX_NAMED) {
        text = format!(
            "{text}; no response allows `{origin}` as a browser sends it, in lower case and without a path"
        );
    }
    notes.sort();
    notes.dedup();
    for note in notes.iter().take(MAX_NAMED) {
        text = format!("{text}; {} ({})", note.text, note.place);
    }
    let others = notes.len().saturating_sub(MAX_NAMED);
    if others > 0 {
        text = format!("{text}; and {others} more that are not read");
    }
    Failure::unreadable(place, text)
}

/// Names the origins that the files compare and no path answers.
fn name_unused(all: &mut [Settings], origins: &[String]) {
    let mut unused: Vec<&String> = origins.iter().collect();
    unused.retain(|origin| {
        let layers =
            all.iter().flat_map(|settings| &settings.blocks).filter_map(|it| it.layer.as_ref());
        let mut rules = layers.flat_map(|layer| &layer.origins);
        !rules.any(|rule| {
            let written = rule.written().trim_start_matches("(?i)");
            matches!(rule, OriginRule::Star | OriginRule::Echo) || written == *origin
        })
    });
    unused.sort();
    unused.dedup();
    if let Some(first) = all.first_mut() {
        first.notes.extend(unused.into_iter().map(|origin| {
            let text = format!("`{origin}` stands in the files, and no path of a policy answers it: confirm that it is refused");
            Note::remark("", "", text)
        }));
    }
}

fn of_server(
    server: &Server,
    place: &str,
    notes: &[Note],
    at: usize,
    left: &mut Vec<Note>,
) -> Result<Option<Settings>, Failure> {
    let (hostnames, others) = hostnames(server);
    let authority = hostnames.first().map_or("api.example", String::as_str).replacen("*.", "a.", 1);
    let candidates = candidates(server);
    let mut notes = notes.to_vec();
    let ask = Asker { server, authority: &authority };
    let default = ask.layer(outside(server), &candidates, &mut notes)?;
    let mut blocks = vec![Block { path: None, layer: default }];
    let mut paths = vec!["/orders".to_owned()];
    let locations = locations(&server.directives, &mut paths, &mut notes);
    let asked = candidates.origins.len().saturating_add(candidates.regexes.len());
    if locations.len().saturating_mul(asked) > MAX_PAIRS {
        let text = format!(
            "the server has {} locations and {asked} origins and regexes, and at most {MAX_PAIRS} pairs of them are tried: import its locations \
             in several parts",
            locations.len()
        );
        return Err(Failure::unreadable(place, text));
    }
    for (block, place) in locations {
        let mut of_block = Vec::new();
        let layer = ask.layer(&block.inside(), &candidates, &mut of_block)?;
        notes.extend(of_block.into_iter().map(|note| match note.place.as_str() {
            "" => Note { place: place.clone(), ..note },
            _ => note,
        }));
        blocks.push(Block { path: Some(block), layer });
    }
    // A location that no rule is for may answer otherwise all the same.
    paths.extend(blocks.iter().filter_map(|block| Some(block.path.as_ref()?.inside())));
    let blocks = blocks::needed(blocks);
    for path in blocks.iter().filter_map(|block| block.path.as_ref()) {
        paths.push(path.as_str().to_owned());
        if matches!(path, BlockPath::Start(start) if !start.ends_with('/')) {
            paths.push(format!("{}x", path.as_str()));
        }
    }
    if blocks.iter().all(|block| block.layer.is_none()) {
        left.extend(notes);
        return Ok(None);
    }
    notes.extend(of_names(&hostnames, &others, place));
    let name = hostnames.first().map(|host| host.replace("*.", "").replace('.', "-"));
    let name =
        name.unwrap_or_else(|| if at == 0 { "nginx".to_owned() } else { format!("nginx-{at}") });
    notes.extend(server.long_values());
    notes.dedup();
    let system = Box::new(server.clone());
    Ok(Some(Settings {
        success_status: None,
        elsewhere: Vec::new(),
        product: PRODUCT,
        name,
        namespace: None,
        hostnames,
        blocks,
        notes,
        system,
        paths,
        listeners: server.listeners(),
    }))
}

/// Remarks on the names of a server.
fn of_names(hostnames: &[String], others: &[String], place: &str) -> Vec<Note> {
    let remark = |name: &String| {
        let text = format!(
            "`server_name {name}` is no name of `hostnames`: write the hosts that it means"
        );
        Note::decide("", place, text)
    };
    let mut notes: Vec<Note> = others.iter().map(remark).collect();
    notes.extend(hostnames.is_empty().then(|| Note::decide("", place, NO_HOST)));
    notes
}

/// A path without a location of its own.
fn outside(server: &Server) -> &'static str {
    let mut locations = server::locations(&server.directives);
    if locations.any(|(modifier, path, _)| (modifier, path) == ("=", "/")) {
        "/orders"
    } else {
        "/"
    }
}

/// The paths of locations, those inside of others included, with their places; a regex is a remark, and paths that it means.
fn locations(
    directives: &[Directive],
    paths: &mut Vec<String>,
    notes: &mut Vec<Note>,
) -> Vec<(BlockPath, String)> {
    let mut found = Vec::new();
    for (modifier, path, directive) in server::locations(directives) {
        let place = directive.place.clone();
        match modifier {
            "=" => found.push((BlockPath::Exact(path.to_owned()), place)),
            "" | "^~" if path.starts_with('@') => continue,
            "" | "^~" if path == "/" => {}
            // A location covers a part of a segment, too, and a rule whole ones.
            "" | "^~" => found.push((BlockPath::Start(path.to_owned()), place)),
            _ => {
                let text = format!(
                    "`location {modifier} {path}` is a regex, and a rule has a prefix: write the rules that it means"
                );
                notes.push(Note::decide("", &place, text));
                let expression = Expression::parse(path, Anchor::Anywhere, false);
                let samples = expression.map(|expression| expression.samples()).unwrap_or_default();
                paths.extend(samples.into_iter().take(2).map(|sample| {
                    if sample.starts_with('/') { sample } else { format!("/orders{sample}") }
                }));
            }
        }
        if let Some((block, place)) = found.pop_if(|(block, _)| !block.is_sayable()) {
            let text =
                format!("`location {path}` is no path of a rule: write the rules that it means");
            notes.push(Note::decide("", &place, text));
            paths.push(block.as_str().to_owned());
        }
        let inside = directive.block.as_deref().unwrap_or_default();
        found.extend(locations(inside, paths, notes));
    }
    found
}

/// What an origin gets at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    /// Whether a page reads the response.
    is_shared: bool,
    /// Whether a preflight is answered.
    answers: bool,
    credentials: bool,
    methods: Vec<String>,
    headers: Vec<String>,
    expose: Vec<String>,
    max_age: Option<u64>,
}

/// A reader of a server's answers.
struct Asker<'a> {
    server: &'a Server,
    authority: &'a str,
}

// === impl Asker ===

impl Asker<'_> {
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let exchange = Exchange {
            method: method.to_owned(),
            authority: self.authority.to_owned(),
            path: path.to_owned(),
            headers: headers.collect(),
            application: Response::empty(200),
        };
        self.server.answer(&exchange).response
    }

    fn is_shared(&self, path: &str, origin: &str) -> bool {
        let response = self.ask("GET", path, &[("origin", origin)]);
        let request = CorsRequest { origin: origin.into(), credentials: CredentialsMode::Omit };
        cors_check(&request, CorsResponse { status: 200, headers: &response.headers }).is_ok()
    }

    /// The layer at a path; absent: no origin is allowed there.
    fn layer(
        &self,
        path: &str,
        candidates: &Candidates,
        notes: &mut Vec<Note>,
    ) -> Result<Option<Layer>, Failure> {
        let (origins, witnesses) = self.origins(path, candidates, notes);
        let Some(witness) = witnesses.first() else {
            return Ok(None);
        };
        let first = self.grant(path, witness);
        if first.credentials && matches!(origins.first(), Some(OriginRule::Echo)) {
            return Err(Failure::dangerous(
                format!("location {path}"),
                "Access-Control-Allow-Origin is $http_origin for every origin, with credentials: every site acts with the cookies of its \
                 visitors. Nothing is translated. Compare $http_origin with the origins that need cookies in a `map`, or remove \
                 Access-Control-Allow-Credentials, and import again",
            ));
        }
        if !first.answers {
            notes.push(Note::decide(
                "allowMethods",
                "",
                format!("`{path}` answers no preflight: the methods and headers that pages used came from the application; add them"),
            ));
        }
        let common = self.common(path, &first, &witnesses, notes);
        let headers = if common.headers.iter().any(|name| name == UNHEARD_OF) {
            Names::Requested
        } else {
            Names::Listed(common.headers)
        };
        Ok(Some(Layer {
            origins,
            methods: Names::Listed(common.methods),
            headers,
            expose: common.expose,
            credentials: common.credentials,
            max_age: common.max_age,
            paths: None,
            habits: HABITS,
        }))
    }

    /// The answers to an origin.
    fn grant(&self, path: &str, origin: &str) -> Grant {
        let actual = self.ask("GET", path, &[("origin", origin)]);
        let preflight = self.ask(
            "OPTIONS",
            path,
            &[
                ("origin", origin),
                ("access-control-request-method", "PUT"),
                ("access-control-request-headers", UNHEARD_OF),
            ],
        );
        Grant {
            is_shared: self.is_shared(path, origin),
            answers: !text(&preflight, ORIGIN).is_empty(),
            credentials: text(&actual, "access-control-allow-credentials") == "true",
            methods: list(&preflight, "access-control-allow-methods"),
            headers: list(&preflight, "access-control-allow-headers"),
            expose: list(&actual, "access-control-expose-headers"),
            max_age: text(&preflight, "access-control-max-age").parse().ok(),
        }
    }

    /// What all origins of a path get, and a remark where some get more.
    fn common(
        &self,
        path: &str,
        first: &Grant,
        witnesses: &[String],
        notes: &mut Vec<Note>,
    ) -> Grant {
        let mut groups: Vec<(Grant, Vec<&str>)> = Vec::new();
        let mut seen = BTreeSet::new();
        for origin in witnesses.iter().filter(|origin| seen.insert(*origin)) {
            let grant = self.grant(path, origin);
            let name = if origin == STRANGER { "any other origin" } else { origin };
            match groups.iter_mut().find(|(other, _)| *other == grant) {
                Some((_, origins)) => origins.push(name),
                None => groups.push((grant, vec![name])),
            }
        }
        if groups.len() < 2 {
            return first.clone();
        }
        let described: Vec<String> = groups
            .iter()
            .map(|(grant, origins)| format!("{} {grant}", origins.join(", ")))
            .collect();
        let text = format!(
            "`{path}` answers origins differently, and a policy has one answer for all: {}; the policy has what all allowed origins had in \
             common: list the origins that need more in a policy of their own host or path",
            described.join("; ")
        );
        notes.push(Note::decide("", "", text));
        let mut common = first.clone();
        for (grant, _) in groups.iter().filter(|(grant, _)| grant.is_shared) {
            common.credentials &= grant.credentials;
            common.methods.retain(|name| grant.methods.contains(name));
            common.headers.retain(|name| grant.headers.contains(name));
            common.expose.retain(|name| grant.expose.contains(name));
            common.max_age = common.max_age.min(grant.max_age);
        }
        common
    }

    /// The origins that are allowed at a path, and those to ask for.
    fn origins(
        &self,
        path: &str,
        candidates: &Candidates,
        notes: &mut Vec<Note>,
    ) -> (Vec<OriginRule>, Vec<String>) {
        let mut rules = Vec::new();
        let mut witnesses = Vec::new();
        // Behind a rule for every origin the others say which origins have an answer of their own.
        let is_open = self.is_shared(path, STRANGER);
        if is_open {
            let answer = self.ask("GET", path, &[("origin", STRANGER)]);
            let is_star = text(&answer, ORIGIN) == "*";
            rules.push(if is_star { OriginRule::Star } else { OriginRule::Echo });
            witnesses.push(STRANGER.to_owned());
        }
        let is_told = |origin: &str| is_open || self.is_shared(path, origin);
        for origin in candidates.origins.iter().filter(|origin| is_told(origin)) {
            witnesses.push(origin.clone());
            rules.push(OriginRule::Exact(origin.clone()));
        }
        for (source, ignore_case) in &candidates.regexes {
            let expression = match Expression::parse(source, Anchor::Anywhere, *ignore_case) {
                Ok(expression) => expression,
                Err(error) => {
                    let text =
                        format!("`{source}` is left out: {error}; write the origins as patterns");
                    notes.push(Note::decide("allowOriginRegexes", "", text));
                    continue;
                }
            };
            let shared = expression.samples().into_iter().find(|sample| is_told(sample));
            if let Some(sample) = shared {
                witnesses.push(sample);
                rules.push(OriginRule::Regex(expression));
            }
        }
        (rules, witnesses)
    }
}

// === impl Grant ===

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_shared {
            return f.write_str("(refused)");
        }
        let credentials = if self.credentials { "credentials" } else { "no credentials" };
        write!(f, "({credentials}")?;
        for (name, items) in
            [("methods", &self.methods), ("headers", &self.headers), ("exposed", &self.expose)]
        {
            let items: Vec<&str> =
                items.iter().map(String::as_str).filter(|item| *item != UNHEARD_OF).collect();
            if !items.is_empty() {
                write!(f, "; {name} {}", items.join(", "))?;
            }
        }
        f.write_str(")")
    }
}

/// Calls `found` for each directive of that name, in every block.
fn find(directives: &[Directive], name: &str, found: &mut impl FnMut(&Directive)) {
    for directive in directives {
        if directive.name == name {
            found(directive);
        }
        find(directive.block.as_deref().unwrap_or_default(), name, found);
    }
}

fn map(directive: &Directive) -> Option<(String, Map)> {
    let block = directive.block.as_deref().filter(|_| directive.name == "map")?;
    let [source, variable] = directive.arguments.as_slice() else {
        return None;
    };
    let mut map = Map { source: source.clone(), entries: Vec::new(), default: String::new() };
    for entry in block {
        let value = entry.arguments.first().cloned().unwrap_or_default();
        match entry.name.as_str() {
            "default" => map.default = value,
            "hostnames" | "volatile" | "include" => {}
            _ => map.entries.push((entry.name.clone(), value)),
        }
    }
    Some((variable.trim_start_matches('$').to_owned(), map))
}

/// The hosts of a server, and the names of others; `_` and the like name none.
fn hostnames(server: &Server) -> (Vec<String>, Vec<String>) {
    let names = server.directives.iter().filter(|directive| directive.name == "server_name");
    let names = names.flat_map(|directive| directive.arguments.iter().map(String::as_str));
    let (mut hosts, mut others) = (Vec::new(), Vec::new());
    for name in names {
        // `.example.com` is the name and all below it.
        let both = match name.strip_prefix('.') {
            Some(rest) => vec![rest.to_owned(), format!("*.{rest}")],
            None => vec![name.to_owned()],
        };
        for name in both {
            if name.contains('.') && HostPattern::parse(&name).is_ok() {
                // nginx compares names without case.
                hosts.push(name.to_ascii_lowercase());
            } else if name.starts_with('~') || name.ends_with(".*") {
                others.push(name);
            }
        }
    }
    (hosts, others)
}

fn text(response: &Response, name: &str) -> String {
    let value = response.header(name).unwrap_or_default();
    String::from_utf8_lossy(&value).trim().to_owned()
}

fn list(response: &Response, name: &str) -> Vec<String> {
    let value = text(response, name);
    let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}
