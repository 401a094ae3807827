//! nginx: `add_header`, `map`, `if` and `return` of `nginx.conf`.
//!
//! The settings are a small program. The reader asks its model: each origin and each regex of the file is tried, and the lists are
//! those of the model's answers.

mod server;
mod syntax;

use std::collections::BTreeMap;

use corsward_browser::{CorsRequest, CorsResponse, CredentialsMode, cors_check};

use crate::SourceFile;
use crate::exchange::{Exchange, Response, System as _};
use crate::expression::{Anchor, Expression};
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, Own, PlainOptions, Vary};
use crate::settings::{Block, BlockPath, Failure, Note, Settings};
use server::{Map, Server};
use syntax::Directive;

const PRODUCT: &str = "nginx 1.22.1";
const ORIGIN: &str = "access-control-allow-origin";
/// A header name that no file allows.
const UNHEARD_OF: &str = "x-corsward-import";
/// An origin that no file names.
const STRANGER: &str = "https://corsward-import.invalid";

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

/// The origins and regexes that stand in a file.
#[derive(Debug, Default)]
struct Candidates {
    origins: Vec<String>,
    regexes: Vec<(String, bool)>,
}

/// Reads the servers of the files.
pub(crate) fn read(files: &[SourceFile]) -> Result<Vec<Settings>, Failure> {
    let mut directives = Vec::new();
    for file in files {
        directives.extend(syntax::read(&file.name, &file.text)?);
    }
    let mut notes = Vec::new();
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
    let mut settings = Vec::new();
    for directive in http.iter().filter(|directive| directive.name == "server") {
        let server = Server {
            maps: maps.clone(),
            outer: http.clone(),
            directives: directive.block.clone().unwrap_or_default(),
        };
        settings.extend(of_server(&server, &notes, settings.len())?);
    }
    if settings.is_empty() {
        let place = files.first().map(|file| file.name.clone()).unwrap_or_default();
        let text = "it has no server that adds Access-Control-Allow-Origin to a response";
        return Err(Failure::unreadable(place, text));
    }
    Ok(settings)
}

fn of_server(server: &Server, notes: &[Note], at: usize) -> Result<Option<Settings>, Failure> {
    let hostnames = hostnames(server);
    let authority = hostnames.first().map_or("api.example", String::as_str).replacen("*.", "a.", 1);
    let candidates = candidates(server);
    let mut notes = notes.to_vec();
    let mut blocks = Vec::new();
    let mut paths = vec!["/orders".to_owned()];
    let ask = Asker { server, authority: &authority };
    let default = ask.layer("/", &candidates, &mut notes)?;
    for (modifier, path, _) in server::locations(&server.directives) {
        let block = match modifier {
            "=" => BlockPath::Exact(path.to_owned()),
            "" | "^~" if path == "/" => continue,
            "" | "^~" => BlockPath::Prefix(path.to_owned()),
            _ => {
                let text = format!(
                    "`location {modifier} {path}` is a regex, and a rule has a prefix: write the rules that it means"
                );
                notes.push(Note::decide("", "", text));
                continue;
            }
        };
        let inside = match &block {
            BlockPath::Exact(path) => path.clone(),
            BlockPath::Prefix(path) => format!("{}/orders", path.trim_end_matches('/')),
        };
        let layer = ask.layer(&inside, &candidates, &mut notes)?;
        if format!("{layer:?}") != format!("{default:?}") {
            paths.extend([inside, path.to_owned()]);
            blocks.push(Block { path: Some(block), layer });
        }
    }
    blocks.insert(0, Block { path: None, layer: default });
    if blocks.iter().all(|block| block.layer.is_none()) {
        return Ok(None);
    }
    let name = hostnames.first().map(|host| host.replace("*.", "").replace('.', "-"));
    let name =
        name.unwrap_or_else(|| if at == 0 { "nginx".to_owned() } else { format!("nginx-{at}") });
    notes.dedup();
    let system = Box::new(server.clone());
    Ok(Some(Settings {
        success_status: None,
        product: PRODUCT,
        name,
        namespace: None,
        hostnames,
        blocks,
        notes,
        system,
        paths,
    }))
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
        let (origins, witness) = self.origins(path, candidates, notes);
        let Some(witness) = witness else {
            return Ok(None);
        };
        let actual = self.ask("GET", path, &[("origin", &witness)]);
        let preflight = self.ask(
            "OPTIONS",
            path,
            &[
                ("origin", &witness),
                ("access-control-request-method", "PUT"),
                ("access-control-request-headers", UNHEARD_OF),
            ],
        );
        let credentials = text(&actual, "access-control-allow-credentials") == "true";
        if credentials && matches!(origins.as_slice(), [OriginRule::Echo]) {
            return Err(Failure::dangerous(
                format!("location {path}"),
                "Access-Control-Allow-Origin is $http_origin for every origin, with credentials: every site acts with the cookies of its \
                 visitors. Nothing is translated. Compare $http_origin with the origins that need cookies in a `map`, or remove \
                 Access-Control-Allow-Credentials, and import again",
            ));
        }
        if text(&preflight, ORIGIN).is_empty() {
            notes.push(Note::decide(
                "allowMethods",
                "",
                format!("`{path}` answers no preflight: the methods and headers that pages used came from the application; add them"),
            ));
        }
        let names = list(&preflight, "access-control-allow-headers");
        let headers = if names.iter().any(|name| name == UNHEARD_OF) {
            Names::Requested
        } else {
            Names::Listed(names)
        };
        Ok(Some(Layer {
            origins,
            methods: Names::Listed(list(&preflight, "access-control-allow-methods")),
            headers,
            expose: list(&actual, "access-control-expose-headers"),
            credentials,
            max_age: text(&preflight, "access-control-max-age").parse().ok(),
            paths: None,
            habits: HABITS,
        }))
    }

    /// The origins that are allowed at a path, and one of them.
    fn origins(
        &self,
        path: &str,
        candidates: &Candidates,
        notes: &mut Vec<Note>,
    ) -> (Vec<OriginRule>, Option<String>) {
        if self.is_shared(path, STRANGER) {
            let answer = self.ask("GET", path, &[("origin", STRANGER)]);
            let rule =
                if text(&answer, ORIGIN) == "*" { OriginRule::Star } else { OriginRule::Echo };
            return (vec![rule], Some(STRANGER.to_owned()));
        }
        let mut rules = Vec::new();
        let mut witness = None;
        for origin in candidates.origins.iter().filter(|origin| self.is_shared(path, origin)) {
            witness.get_or_insert_with(|| origin.clone());
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
            let shared =
                expression.samples().into_iter().find(|sample| self.is_shared(path, sample));
            if let Some(sample) = shared {
                witness.get_or_insert(sample);
                rules.push(OriginRule::Regex(expression));
            }
        }
        (rules, witness)
    }
}

/// The origins and regexes of a server, of its maps and of its conditions.
fn candidates(server: &Server) -> Candidates {
    let mut candidates = Candidates::default();
    let mut add = |text: &str| {
        let text = text.trim();
        if text.contains("://") || text == "null" {
            candidates.origins.push(text.trim_end_matches('/').to_ascii_lowercase());
        }
    };
    let mut regexes = Vec::new();
    let of_origin = |text: &str| text.contains("http_origin");
    for map in server.maps.values().filter(|map| of_origin(&map.source)) {
        for (key, _) in &map.entries {
            match key.strip_prefix('~') {
                Some(regex) => regexes.push(
                    regex
                        .strip_prefix('*')
                        .map_or((regex.to_owned(), false), |r| (r.to_owned(), true)),
                ),
                None => add(key),
            }
        }
    }
    let all = [server.outer.as_slice(), &server.directives].concat();
    find(&all, "add_header", &mut |directive| {
        if let [name, value, ..] = directive.arguments.as_slice()
            && name.eq_ignore_ascii_case(ORIGIN)
        {
            add(value);
        }
    });
    find(&all, "if", &mut |directive| {
        let words: Vec<&str> =
            directive.arguments.iter().flat_map(|word| word.split_whitespace()).collect();
        if let [left, operator, right @ ..] = words.as_slice()
            && of_origin(left)
        {
            let right = right.join(" ");
            let right = right.strip_suffix(')').unwrap_or(&right).trim();
            match *operator {
                "~" => regexes.push((right.to_owned(), false)),
                "~*" => regexes.push((right.to_owned(), true)),
                "=" => add(right),
                _ => {}
            }
        }
    });
    regexes.sort();
    regexes.dedup();
    candidates.regexes = regexes;
    candidates.origins.dedup();
    candidates
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

/// The hosts of a server, without those that name none.
fn hostnames(server: &Server) -> Vec<String> {
    let names = server.directives.iter().filter(|directive| directive.name == "server_name");
    let names = names.flat_map(|directive| directive.arguments.iter().map(String::as_str));
    let is_host = |name: &&str| {
        let rest = name.strip_prefix("*.").unwrap_or(name);
        rest.contains('.') && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    };
    names.filter(is_host).map(str::to_owned).collect()
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
