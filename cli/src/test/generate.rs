//! Generate: a first test file, with what policies answer today.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use corsward_policy::Draft;
use corsward_policy::draft::{CorsDraft, Mode};

use super::judge::judge;
use super::suite::{ApiVersion, Expectation, FILE_NAME, Kind, Metadata, PageResult, Suite};
use crate::explain::Credentials;
use crate::explain::proxy::Proxy;

/// An origin that no policy names.
const OTHER_ORIGIN: &str = "https://other.example";

/// A host for policies that cover every one.
const ANY_HOST: &str = "api.example";

/// The origins of a block that get a test each.
const ORIGINS: usize = 3;

/// Prints a test file for policies at those paths.
pub(super) fn write(proxy: &Proxy, paths: &[PathBuf], out: &mut impl Write) -> anyhow::Result<()> {
    let mut results = Vec::new();
    for draft in proxy.drafts() {
        for mut expectation in requests(draft) {
            let page = expectation.page()?;
            let judged = judge(&page, proxy).with_context(|| expectation.name.clone())?;
            expectation.result = judged.result;
            expectation.reason = judged.reason;
            expectation.policy = judged.policy;
            expectation.name = name(&expectation);
            if results.iter().all(|it: &Expectation| it.name != expectation.name) {
                results.push(expectation);
            }
        }
    }
    let first = proxy.drafts().first();
    let suite = Suite {
        api_version: ApiVersion::default(),
        kind: Kind::default(),
        metadata: Metadata { name: first.map(|draft| draft.id.name.clone()).unwrap_or_default() },
        policies: beside(paths),
        results,
    };
    writeln!(
        out,
        "# The answers of today. Read each result, and keep those that are meant. The paths in `policies` are relative to this file, {FILE_NAME}."
    )?;
    write!(out, "{}", serde_saphyr::to_string(&suite)?)?;
    Ok(())
}

/// The paths as a file beside the policies names them: a folder is the file's own.
fn beside(paths: &[PathBuf]) -> Vec<String> {
    let name = |path: &PathBuf| match path.file_name() {
        Some(name) if !path.is_dir() => name.to_string_lossy().into_owned(),
        _ => ".".to_owned(),
    };
    match paths {
        [path] => vec![name(path)],
        paths => paths.iter().map(|path| path.display().to_string()).collect(),
    }
}

/// `https://app.example: PUT https://api.example/items with cookies: allowed`.
fn name(expectation: &Expectation) -> String {
    let Expectation { origin, url, method, headers, credentials, .. } = expectation;
    let names: Vec<&str> = headers.keys().map(String::as_str).collect();
    let with = match (names.is_empty(), credentials) {
        (true, None) => String::new(),
        (true, Some(_)) => " with cookies".to_owned(),
        (false, None) => format!(" with {}", names.join(", ")),
        (false, Some(_)) => format!(" with {} and cookies", names.join(", ")),
    };
    format!("{origin}: {method} {url}{with}")
}

/// The requests that show what a policy allows and refuses: for its own block and each rule.
fn requests(draft: &Draft) -> Vec<Expectation> {
    let host = match draft.hostnames.first() {
        None => ANY_HOST.to_owned(),
        Some(host) => concrete(host),
    };
    let url = |path: &str| format!("https://{host}{path}");
    let mut requests: Vec<Expectation> =
        draft.cors.iter().flat_map(|cors| of_block(&url("/"), cors)).collect();
    for rule in &draft.rules {
        let Some(cors) = rule.cors.as_ref().or(draft.cors.as_ref()) else { continue };
        let of_rule = of_block(&url(&rule.path_value), cors);
        // The upstream answers all requests under a rule that is off.
        let shown = if rule.mode == Mode::Off { 1 } else { of_rule.len() };
        requests.extend(of_rule.into_iter().take(shown));
    }
    requests
}

/// The requests for one block.
fn of_block(url: &str, cors: &CorsDraft) -> Vec<Expectation> {
    let ask = |origin: &str, method: &str, header: Option<&str>, credentials: bool| Expectation {
        name: String::new(),
        origin: origin.to_owned(),
        url: url.to_owned(),
        method: method.to_owned(),
        headers: header
            .map(|name| (name.to_owned(), sample(name).to_owned()))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        credentials: credentials.then_some(Credentials::Include),
        result: PageResult::Uncovered,
        reason: None,
        policy: None,
    };
    let allowed: Vec<String> =
        cors.allow_origins.iter().take(ORIGINS).map(|origin| concrete(origin)).collect();
    let first = allowed.first().map_or(OTHER_ORIGIN, String::as_str);
    let mut requests: Vec<Expectation> =
        allowed.iter().map(|origin| ask(origin, "GET", None, cors.allow_credentials)).collect();
    requests.push(ask(OTHER_ORIGIN, "GET", None, false));
    let needs_preflight =
        |method: &&String| !matches!(method.as_str(), "GET" | "HEAD" | "POST" | "*");
    let listed = cors.allow_methods.iter().filter(needs_preflight);
    let unlisted = ["DELETE", "PATCH"]
        .into_iter()
        .find(|method| !cors.allow_methods.iter().any(|listed| listed == method || listed == "*"));
    for method in listed.map(String::as_str).chain(unlisted) {
        requests.push(ask(first, method, None, false));
    }
    let header = cors.allow_headers.iter().find(|name| *name != "*");
    for header in header.map(String::as_str).into_iter().chain(["x-other"]) {
        requests.push(ask(first, "GET", Some(header), false));
    }
    requests.push(ask(first, "GET", None, true));
    requests
}

/// A value of a header that makes a preflight necessary.
fn sample(name: &str) -> &'static str {
    if name.eq_ignore_ascii_case("content-type") { "application/json" } else { "1" }
}

/// A text that a pattern accepts.
fn concrete(pattern: &str) -> String {
    match pattern {
        "*" => "https://any.example".to_owned(),
        pattern => pattern.replace(":*", ":8443").replace("*.", "www.").replace('*', "www"),
    }
}
