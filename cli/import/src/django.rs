//! django-cors-headers: `settings.py`.

use std::path::Path;

use crate::expression::{Anchor, Expression};
use crate::layer::{Comparison, Habits, Layer, Names, OriginRule, Own, PlainOptions, Vary};
use crate::python::{Module, Value, headers_of_cors, settle, texts};
use crate::settings::{Block, BlockPath, Failure, Note, Settings};
use crate::{Options, SourceFile};

const PRODUCT: &str = "django-cors-headers 4.9.0";
const MIDDLEWARE: &str = "corsheaders.middleware.CorsMiddleware";
const DEFAULT_HEADERS: &[&str] =
    &["accept", "authorization", "content-type", "user-agent", "x-csrftoken", "x-requested-with"];
const DEFAULT_METHODS: &[&str] = &["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"];
/// The names by which settings import the defaults.
const KNOWN: &[(&str, &[&str])] = &[
    ("corsheaders.defaults.default_headers", DEFAULT_HEADERS),
    ("corsheaders.defaults.default_methods", DEFAULT_METHODS),
];
/// Former names of settings, still read: they have a word in them that this repository has not.
const FORMER_ORIGINS: &str = concat!("CORS_ORIGIN_WHITE", "LIST");
const FORMER_REGEXES: &str = concat!("CORS_ORIGIN_REGEX_WHITE", "LIST");
const DEFAULT_MAX_AGE: u64 = 86_400;

/// Its answers, as measured.
const HABITS: Habits = Habits {
    star_always: false,
    comparison: Comparison::Url,
    success_status: 200,
    refused_origin: Some(200),
    refused_names: None,
    refused_request: None,
    checks_method: false,
    plain_options: PlainOptions::Forwarded,
    vary: Vary::All,
    own: Own::Replaced,
    errors: true,
};

/// Reads the files of a settings module, the first one first.
pub(crate) fn read(files: &[SourceFile], options: &Options) -> Result<Vec<Settings>, Failure> {
    let module = Module::read(files, options, KNOWN)?;
    let place = files.last().map(|file| file.name.clone()).unwrap_or_default();
    let mut lookup = Lookup { module: &module, place, notes: Vec::new() };
    lookup.check_middleware(files);
    lookup.check_unread(files);
    let layer = lookup.layer()?;
    let (block, paths) = match &layer.paths {
        None => (Block { path: None, layer: Some(layer.clone()) }, Vec::new()),
        Some(regex) => {
            let prefix = lookup.prefix(regex);
            let path = prefix.clone().filter(|path| !path.is_empty()).map(BlockPath::Start);
            let samples = regex.samples().into_iter().filter(|path| path.starts_with('/'));
            let samples: Vec<String> = samples.filter(|_| prefix.is_none()).collect();
            let prefix = prefix.unwrap_or_default();
            let bare = prefix.trim_end_matches('/').to_owned();
            let mut paths = vec![format!("{bare}/orders"), bare.clone(), "/".to_owned()];
            // The path at which a rule, which covers whole segments, differs.
            paths.extend((!bare.is_empty() && bare == prefix).then(|| format!("{bare}x")));
            paths.extend(samples);
            (Block { path, layer: Some(layer.clone()) }, paths)
        }
    };
    Ok(vec![Settings {
        success_status: None,
        elsewhere: Vec::new(),
        listeners: Vec::new(),
        product: PRODUCT,
        name: "django".to_owned(),
        namespace: None,
        hostnames: Vec::new(),
        blocks: vec![block],
        notes: lookup.notes,
        system: Box::new(layer),
        paths: paths.into_iter().filter(|path| !path.is_empty()).collect(),
    }])
}

/// A reader of variables that keeps its remarks.
struct Lookup<'m> {
    module: &'m Module,
    place: String,
    notes: Vec<Note>,
}

// === impl Lookup ===

impl Lookup<'_> {
    /// The value of a setting under its name or its former one, the default of the environment in its place, with a remark.
    fn get(&mut self, names: [&str; 2], field: &'static str) -> Option<(Value, String)> {
        let name = names.into_iter().find(|name| self.module.variables.contains_key(*name))?;
        let (value, place) = self.module.variables.get(name)?.clone();
        Some((settle(name, value, field, &mut self.notes), place))
    }

    fn texts(
        &mut self,
        names: [&str; 2],
        field: &'static str,
    ) -> Result<Option<Vec<String>>, Failure> {
        let Some((value, place)) = self.get(names, field) else {
            return Ok(None);
        };
        texts(&names.join(" or "), value, &place).map(Some)
    }

    fn truth(&mut self, names: [&str; 2], field: &'static str) -> bool {
        self.get(names, field).and_then(|(value, _)| value.truth()).unwrap_or(false)
    }

    fn layer(&mut self) -> Result<Layer, Failure> {
        let credentials = self.truth(["CORS_ALLOW_CREDENTIALS"; 2], "allowCredentials");
        let all = ["CORS_ALLOW_ALL_ORIGINS", "CORS_ORIGIN_ALLOW_ALL"];
        let origins = if self.truth(all, "allowOrigins") {
            if credentials {
                return Err(self.any_origin_with_credentials(all));
            }
            vec![OriginRule::Star]
        } else {
            self.origins()?
        };
        let headers = self.texts(["CORS_ALLOW_HEADERS"; 2], "allowHeaders")?;
        let methods = self.texts(["CORS_ALLOW_METHODS"; 2], "allowMethods")?;
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Ok(Layer {
            origins,
            methods: Names::Listed(methods.unwrap_or_else(|| owned(DEFAULT_METHODS))),
            headers: Names::Listed(headers.unwrap_or_else(|| owned(DEFAULT_HEADERS))),
            expose: self.texts(["CORS_EXPOSE_HEADERS"; 2], "exposeHeaders")?.unwrap_or_default(),
            credentials,
            max_age: self.max_age()?,
            paths: self.paths()?,
            habits: HABITS,
        })
    }

    fn any_origin_with_credentials(&self, names: [&str; 2]) -> Failure {
        let found = names.into_iter().find_map(|name| {
            self.module.variables.get(name).map(|(_, place)| (name, place.clone()))
        });
        let (name, place) = found.unwrap_or((names[0], self.place.clone()));
        Failure::dangerous(
            place,
            format!(
                "{name} with CORS_ALLOW_CREDENTIALS answers every origin with itself and `true`: every site acts with the \
                 cookies of its visitors. Nothing is translated. Write the origins that need cookies into \
                 CORS_ALLOWED_ORIGINS, or set CORS_ALLOW_CREDENTIALS to False, and import again"
            ),
        )
    }

    fn origins(&mut self) -> Result<Vec<OriginRule>, Failure> {
        let exact = self.texts(["CORS_ALLOWED_ORIGINS", FORMER_ORIGINS], "allowOrigins")?;
        let mut rules: Vec<OriginRule> =
            exact.into_iter().flatten().map(OriginRule::Exact).collect();
        let names = ["CORS_ALLOWED_ORIGIN_REGEXES", FORMER_REGEXES];
        let place = names
            .into_iter()
            .find_map(|name| self.module.variables.get(name).map(|(_, place)| place.clone()));
        let place = place.unwrap_or_default();
        for source in self.texts(names, "allowOriginRegexes")?.into_iter().flatten() {
            match Expression::parse(&source, Anchor::Start, false) {
                Ok(expression) => {
                    if expression.is_open() {
                        let text = format!(
                            "`{source}` has no `$`, so re.match accepts origins that only begin like that; the policy compares the \
                             whole origin"
                        );
                        self.notes.push(Note::remark("allowOriginRegexes", &place, text));
                    }
                    rules.push(OriginRule::Regex(expression));
                }
                Err(error) => {
                    let text =
                        format!("`{source}` is left out: {error}; write the origins as patterns");
                    self.notes.push(Note::decide("allowOriginRegexes", &place, text));
                }
            }
        }
        let is_known = |name: &&str| self.module.variables.contains_key(*name);
        if rules.is_empty()
            && !["CORS_ALLOWED_ORIGINS", FORMER_ORIGINS].iter().chain(&names).any(is_known)
        {
            let text = "it has no CORS_ALLOWED_ORIGINS, CORS_ALLOWED_ORIGIN_REGEXES or CORS_ALLOW_ALL_ORIGINS: give every file of the \
                 settings, the base first";
            return Err(Failure::unreadable(self.place.clone(), text));
        }
        Ok(rules)
    }

    fn max_age(&mut self) -> Result<Option<u64>, Failure> {
        match self.get(["CORS_PREFLIGHT_MAX_AGE"; 2], "maxAge") {
            None => Ok(Some(DEFAULT_MAX_AGE)),
            Some((Value::Int(0) | Value::None, _)) => Ok(None),
            Some((Value::Int(seconds), place)) => u64::try_from(seconds)
                .map(Some)
                .map_err(|_| Failure::unreadable(place, "CORS_PREFLIGHT_MAX_AGE is negative")),
            Some((_, place)) => {
                Err(Failure::unreadable(place, "CORS_PREFLIGHT_MAX_AGE is no number of seconds"))
            }
        }
    }

    fn paths(&mut self) -> Result<Option<Expression>, Failure> {
        match self.get(["CORS_URLS_REGEX"; 2], "") {
            Some((Value::Text(source), place)) if source != "^.*$" => {
                let parsed = Expression::parse(&source, Anchor::Start, false);
                parsed.map(Some).map_err(|error| {
                    Failure::unreadable(
                        place,
                        format!(
                            "CORS_URLS_REGEX `{source}` is unreadable: {error}; write the paths that it means, such as `^/api/`, and import \
                             again"
                        ),
                    )
                })
            }
            _ => Ok(None),
        }
    }

    /// The prefix that `CORS_URLS_REGEX` is, with a remark where it is none.
    fn prefix(&mut self, regex: &Expression) -> Option<String> {
        let prefix = regex.path_prefix();
        if prefix.is_none() {
            let text = format!(
                "CORS_URLS_REGEX `{}` is no path prefix; the policy covers every path: write `rules` with the paths that it means",
                regex.source()
            );
            self.notes.push(Note::decide("", &self.place, text));
        }
        prefix
    }

    fn check_middleware(&mut self, files: &[SourceFile]) {
        let lists = ["MIDDLEWARE", "MIDDLEWARE_CLASSES"];
        let found = lists.into_iter().find_map(|name| self.module.variables.get(name));
        if let Some((Value::List(items), place)) = found
            && !items.iter().any(|item| matches!(item, Value::Text(text) if text == MIDDLEWARE))
            && items.iter().all(|item| matches!(item, Value::Text(_)))
        {
            let text = format!(
                "MIDDLEWARE does not name {MIDDLEWARE}, so these settings are not in force today, and the policy allows more than before"
            );
            self.notes.push(Note::decide("", &place.clone(), text));
        }
        let is_given = |module: &str| {
            let module = module.strip_suffix(".py").unwrap_or(module);
            let name = module.rsplit(['.', '/']).next().unwrap_or_default();
            files
                .iter()
                .any(|file| Path::new(&file.name).file_stem().is_some_and(|stem| stem == name))
        };
        for (module, place) in self.module.stars.iter().filter(|(module, _)| !is_given(module)) {
            let text = format!("`{module}` is imported whole; give its file, too, before this one");
            self.notes.push(Note::decide("", place, text));
        }
    }

    /// Names the settings that a policy does not have, and code that decides by itself.
    fn check_unread(&mut self, files: &[SourceFile]) {
        let name = "CORS_ALLOW_PRIVATE_NETWORK";
        if let Some((value, place)) = self.module.variables.get(name)
            && value.truth() != Some(false)
        {
            let text = format!("{name} is not read: the policy has nothing of it");
            self.notes.push(Note::decide("", place, text));
        }
        self.notes.extend(headers_of_cors(files));
        for file in files.iter().filter(|file| file.text.contains("check_request_enabled")) {
            let text = "`check_request_enabled` lets code allow requests: write the origins that it allows";
            self.notes.push(Note::decide("", &file.name, text));
        }
    }
}
