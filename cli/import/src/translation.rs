//! Translation: settings become the policy that says the same, with a remark where no policy can.

use corsward_api::v1alpha1 as api;
use corsward_manifest::convert;
use corsward_manifest::knowledge::FullKnowledge;
use corsward_policy::draft::{PolicyId, Specificity};
use corsward_policy::pattern::OriginPattern;
use corsward_policy::{Finding, Policy, validate};

use crate::layer::{Comparison, Layer, Names, OriginRule, url};
use crate::settings::{Block, BlockPath, Failure, Note, Settings};

/// A policy, with its remarks.
#[derive(Debug)]
pub(crate) struct Translation {
    pub(crate) spec: api::CorsPolicySpec,
    pub(crate) policy: Policy,
    pub(crate) notes: Vec<Note>,
}

/// Translates settings.
pub(crate) fn translate(settings: &Settings, id: &PolicyId) -> Result<Translation, Failure> {
    let mut notes = settings.notes.clone();
    let mut spec =
        api::CorsPolicySpec { hostnames: settings.hostnames.clone(), ..Default::default() };
    if let Some(status) = settings.success_status {
        spec.preflight.success_status = i64::from(status);
    }
    for Block { path, layer } in &settings.blocks {
        let cors = layer.as_ref().map(|layer| cors(layer, &mut notes)).transpose()?;
        if layer.as_ref().is_some_and(|layer| layer.habits.refused_request.is_some()) {
            spec.disallowed_requests = api::DisallowedRequests::Reject;
        }
        match path {
            None => spec.cors = cors,
            Some(path) => spec.rules.push(rule(path, cors)),
        }
    }
    // A rule that turns nothing off says nothing.
    if spec.cors.is_none() && !settings.is_exception() {
        let shared = settings.blocks.iter().filter(|block| block.layer.is_some());
        let shared: Vec<&BlockPath> = shared.filter_map(|block| block.path.as_ref()).collect();
        spec.rules.retain(|rule| {
            rule.cors.is_some() || shared.iter().any(|path| path.covers(&rule.path.value))
        });
    }
    if spec.cors.is_none() && spec.rules.is_empty() {
        return Err(Failure::unreadable(
            "",
            "the settings allow no origin: there is no policy to write",
        ));
    }
    let (policy, left_out) = accepted(&mut spec, id)?;
    notes.extend(left_out);
    notes.sort();
    notes.dedup();
    Ok(Translation { spec, policy, notes })
}

fn rule(path: &BlockPath, cors: Option<api::Cors>) -> api::PathRule {
    let (kind, value) = match path {
        BlockPath::Exact(value) => (api::PathType::Exact, value),
        BlockPath::Prefix(value) | BlockPath::Start(value) => (api::PathType::PathPrefix, value),
    };
    let value = match value.trim_end_matches('/') {
        "" => "/".to_owned(),
        _ if kind == api::PathType::Exact => value.clone(),
        trimmed => trimmed.to_owned(),
    };
    api::PathRule {
        path: api::PathMatch { kind, value },
        mode: cors.is_none().then_some(api::Mode::Off),
        cors,
        disallowed_requests: None,
        trusted_origins: None,
        upstream_origin: None,
    }
}

/// One block.
fn cors(layer: &Layer, notes: &mut Vec<Note>) -> Result<api::Cors, Failure> {
    let mut cors = api::Cors {
        allow_credentials: layer.credentials,
        max_age: layer.max_age.and_then(|age| i64::try_from(age).ok()),
        expose_headers: unique(&layer.expose),
        ..Default::default()
    };
    origins(layer, &mut cors, notes)?;
    cors.allow_origins = unique(&cors.allow_origins);
    cors.allow_origin_regexes = unique(&cors.allow_origin_regexes);
    cors.allow_methods = names(&layer.methods, cors.allow_credentials, "allowMethods", notes);
    cors.allow_headers = names(&layer.headers, cors.allow_credentials, "allowHeaders", notes);
    if layer.headers == Names::Requested {
        // `*` does not cover it (Fetch, "CORS non-wildcard request-header name").
        cors.allow_headers.push("authorization".to_owned());
    }
    if cors.allow_credentials && cors.expose_headers.iter().any(|name| name == "*") {
        cors.expose_headers.retain(|name| name != "*");
        notes.push(Note::decide("exposeHeaders", "", STAR_IS_A_NAME));
    }
    Ok(cors)
}

/// The origins of a block.
fn origins(layer: &Layer, cors: &mut api::Cors, notes: &mut Vec<Note>) -> Result<(), Failure> {
    for rule in &layer.origins {
        match rule {
            OriginRule::Star => {
                if layer.credentials {
                    notes.push(Note::decide("allowCredentials", "", STAR_WITH_CREDENTIALS));
                }
                cors.allow_credentials = false;
                cors.allow_origins = vec!["*".to_owned()];
                cors.allow_origin_regexes.clear();
                break;
            }
            OriginRule::Echo if layer.credentials => {
                return Err(Failure::dangerous("", ECHO_WITH_CREDENTIALS));
            }
            OriginRule::Echo => {
                cors.allow_origins = vec!["*".to_owned()];
                cors.allow_origin_regexes.clear();
                break;
            }
            OriginRule::Exact(written) => match sent(written, layer.habits.comparison) {
                Some(origin) => cors.allow_origins.push(origin),
                None => notes.push(unsent(written, layer.habits.comparison)),
            },
            OriginRule::Regex(expression) if expression.is_open_at_start() => {
                notes.push(Note::decide(
                    "allowOriginRegexes",
                    "",
                    format!(
                        "`{}` has no `^`, so hosts of strangers that end like it were allowed; it is left out: write the \
                         origins that it means, with their scheme",
                        expression.source()
                    ),
                ));
            }
            OriginRule::Regex(expression) => match expression.patterns() {
                Some(patterns) => cors.allow_origins.extend(patterns),
                None => cors.allow_origin_regexes.push(expression.source().to_owned()),
            },
        }
    }
    Ok(())
}

const STAR_WITH_CREDENTIALS: &str = "the settings answer `*` and allow credentials, which no browser accepts together; \
     the policy allows every origin without credentials; for requests with cookies list the origins";
const ECHO_WITH_CREDENTIALS: &str = "any origin is allowed with credentials: every site acts with the cookies of its visitors; \
     list the origins that need them, or turn credentials off, and import again";
const STAR_IS_A_NAME: &str =
    "`*` is no wildcard for requests with credentials, so it allowed nothing there; list the names";

/// The remark about an entry that no tuple origin equals.
fn unsent(written: &str, comparison: Comparison) -> Note {
    let has_neither = comparison == Comparison::Url && url(written) == url("null");
    let text = if has_neither {
        format!(
            "`{written}` has no scheme and no host, and neither has `null`: it allowed sandboxed frames of every site; the policy leaves it \
             out"
        )
    } else {
        format!(
            "`{written}` equals no origin that a browser sends, so nothing was allowed by it; write the origin that was meant, or leave \
             it out"
        )
    };
    Note::decide("allowOrigins", "", text)
}

/// The origin that a browser sends and the settings match; absent: there is none.
fn sent(written: &str, comparison: Comparison) -> Option<String> {
    if written == "null" {
        return Some(written.to_owned());
    }
    let candidate = match comparison {
        Comparison::Bytes => written.to_owned(),
        Comparison::IgnoreCase | Comparison::IgnoreCaseAndSlash => written.to_ascii_lowercase(),
        Comparison::Url => {
            let (scheme, authority) = url(written);
            format!("{scheme}://{authority}")
        }
    };
    let parsed = OriginPattern::parse(&candidate).ok()?;
    // A star of a pattern was a letter in the settings.
    (!parsed.normalized && !candidate.contains('*')).then_some(candidate)
}

fn names(
    names: &Names,
    credentials: bool,
    field: &'static str,
    notes: &mut Vec<Note>,
) -> Vec<String> {
    match names {
        Names::Requested => vec!["*".to_owned()],
        Names::Listed(listed) if credentials && listed.iter().any(|name| name == "*") => {
            notes.push(Note::decide(field, "", STAR_IS_A_NAME));
            let others: Vec<String> = listed.iter().filter(|name| *name != "*").cloned().collect();
            unique(&others)
        }
        Names::Listed(listed) => unique(listed),
    }
}

/// The items, each once.
fn unique(items: &[String]) -> Vec<String> {
    let mut unique: Vec<String> = Vec::new();
    for item in items {
        if !unique.contains(item) {
            unique.push(item.clone());
        }
    }
    unique
}

/// Leaves out the entries that no policy may have, each with a remark.
fn accepted(spec: &mut api::CorsPolicySpec, id: &PolicyId) -> Result<(Policy, Vec<Note>), Failure> {
    let mut notes = Vec::new();
    loop {
        let draft = convert::draft(id, spec, Specificity::Namespace, None);
        let validated = validate(&draft, &FullKnowledge);
        if let Some(policy) = validated.policy {
            return Ok((policy, notes));
        }
        let refused = validated.findings.iter().filter(|f| f.is_refusal());
        let mut refused: Vec<&Finding> = refused.collect();
        // From the end of each list, so that an index stays one.
        refused.sort_by_key(|finding| std::cmp::Reverse(place(&finding.field)));
        refused.dedup_by_key(|finding| place(&finding.field));
        let mut changed = false;
        for finding in &refused {
            if let Some((list, at)) = entry(spec, &finding.field)
                && at < list.len()
            {
                let (written, code) = (list.remove(at), finding.code());
                let text = format!("`{written}` is left out: {} [{code}]", finding.message());
                notes.push(Note::decide(field(&finding.field), "", text));
                changed = true;
            }
        }
        if !changed {
            let all: Vec<String> = refused.iter().map(ToString::to_string).collect();
            return Err(Failure::dangerous("", all.join("; ")));
        }
    }
}

/// The list and the index of a field such as `spec.rules[0].cors.allowOrigins[2]`.
fn place(field: &str) -> (&str, usize) {
    let split = field.strip_suffix(']').and_then(|field| field.rsplit_once('['));
    split.and_then(|(list, at)| Some((list, at.parse().ok()?))).unwrap_or((field, 0))
}

fn field(field: &str) -> &'static str {
    let (list, _) = place(field);
    ["allowOrigins", "allowOriginRegexes", "allowMethods", "allowHeaders", "exposeHeaders"]
        .into_iter()
        .find(|name| list.ends_with(name))
        .unwrap_or_default()
}

fn entry<'s>(
    spec: &'s mut api::CorsPolicySpec,
    field: &str,
) -> Option<(&'s mut Vec<String>, usize)> {
    let (list, at) = place(field);
    let (block, name) = list.rsplit_once('.')?;
    let cors = if block == "spec.cors" {
        spec.cors.as_mut()?
    } else {
        let (_, at) = place(block.strip_suffix(".cors")?);
        spec.rules.get_mut(at)?.cors.as_mut()?
    };
    let list = match name {
        "allowOrigins" => &mut cors.allow_origins,
        "allowOriginRegexes" => &mut cors.allow_origin_regexes,
        "allowMethods" => &mut cors.allow_methods,
        "allowHeaders" => &mut cors.allow_headers,
        "exposeHeaders" => &mut cors.expose_headers,
        _ => return None,
    };
    Some((list, at))
}
