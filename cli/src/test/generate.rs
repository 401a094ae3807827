//! Generate: a first test file, with what policies answer today.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use corsward_policy::Draft;
use corsward_policy::draft::{CorsDraft, Mode};

use super::judge::judge;
use super::suite::{ApiVersion, Expectation, FILE_NAME, Kind, Metadata, PageResult, Suite};
use crate::explain::Credentials;
use crate::explain::asked::origin_of;
use crate::explain::proxy::Proxy;
use crate::policies::{Choice, Policies, ProxyTarget};

/// An origin that no policy names.
const OTHER_ORIGIN: &str = "https://other.example";

/// A host for policies that cover every one.
const ANY_HOST: &str = "api.example";

/// The origins of a block that get a test each.
const ORIGINS: usize = 3;

/// Prints a test file for policies at those paths.
pub(super) fn write(
    policies: &Policies,
    one_proxy: bool,
    paths: &[PathBuf],
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (folder, beside) = beside(paths)?;
    let mut results: Vec<Expectation> = Vec::new();
    let mut named = BTreeSet::new();
    let targets: Vec<Option<ProxyTarget>> =
        if one_proxy { vec![None] } else { policies.targets().into_iter().map(Some).collect() };
    for target in targets {
        let proxy = proxy(policies, target.as_ref(), one_proxy, "")?;
        for draft in proxy.drafts().iter().filter(|draft| named.insert(draft.id.clone())) {
            for mut expectation in requests(draft) {
                let page = expectation.page()?;
                let host = page.url.host_str().unwrap_or_default();
                // The target is named where the host alone selects no proxy with this policy.
                let by_host = self::proxy(policies, None, one_proxy, host).ok();
                let by_host = by_host.filter(|it| it.drafts().iter().any(|it| it.id == draft.id));
                if by_host.is_none() {
                    expectation.target.clone_from(&target);
                }
                let judged = judge(&page, by_host.as_ref().unwrap_or(&proxy))
                    .with_context(|| expectation.name.clone())?;
                expectation.result = judged.result;
                expectation.reason = judged.reason;
                expectation.policy = judged.policy;
                expectation.name = name(&expectation);
                if results.iter().all(|it| it.name != expectation.name) {
                    results.push(expectation);
                }
            }
        }
    }
    let suite = Suite {
        api_version: ApiVersion::default(),
        kind: Kind::default(),
        metadata: Metadata { name: named.first().map(|id| id.name.clone()).unwrap_or_default() },
        policies: beside,
        one_proxy,
        results,
    };
    let place = folder.map(|folder| format!(": put it into {folder}")).unwrap_or_default();
    writeln!(
        out,
        "# The answers of today. Read each result, and keep those that are meant. The paths in `policies` are relative to this file, {FILE_NAME}{place}."
    )?;
    write!(out, "{}", serde_saphyr::to_string(&suite)?)?;
    Ok(())
}

/// The proxy of a target, or the one that the host selects.
fn proxy(
    policies: &Policies,
    target: Option<&ProxyTarget>,
    one_proxy: bool,
    host: &str,
) -> anyhow::Result<Proxy> {
    let targets = target.into_iter().cloned().collect();
    let choice = Choice { targets, one_proxy, ..Choice::default() };
    Proxy::of(policies.choose(&choice, host)?)
}

/// The paths as a file beside the policies names them: a folder is the file's own. Several paths are seen from the closest folder that has all
/// of them, which is named.
fn beside(paths: &[PathBuf]) -> anyhow::Result<(Option<String>, Vec<String>)> {
    if let [path] = paths {
        let name = match path.file_name() {
            Some(name) if !path.is_dir() => name.to_string_lossy().into_owned(),
            _ => ".".to_owned(),
        };
        return Ok((None, vec![name]));
    }
    let whole = |path: &PathBuf| {
        path.canonicalize().with_context(|| format!("find the folder of {}", path.display()))
    };
    let whole: Vec<PathBuf> = paths.iter().map(whole).collect::<Result<_, _>>()?;
    let mut folders = whole.first().into_iter().flat_map(|path| path.ancestors());
    let has_all = |folder: &&Path| folder.is_dir() && whole.iter().all(|it| it.starts_with(folder));
    let folder = folders.find(has_all);
    let folder = folder.unwrap_or(Path::new("/"));
    let from = |path: &Path, folder: &Path| match path.strip_prefix(folder) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
        rest => rest.unwrap_or(path).display().to_string(),
    };
    let here = std::env::current_dir().and_then(fs::canonicalize).unwrap_or_default();
    let names = whole.iter().map(|path| from(path, folder)).collect();
    Ok((Some(from(folder, &here)), names))
}

/// `https://app.example: PUT https://api.example/items with cookies: allowed`.
fn name(expectation: &Expectation) -> String {
    let Expectation { target, origin, url, method, headers, credentials, .. } = expectation;
    let names: Vec<&str> = headers.keys().map(String::as_str).collect();
    let with = match (names.is_empty(), credentials) {
        (true, None) => String::new(),
        (true, Some(_)) => " with cookies".to_owned(),
        (false, None) => format!(" with {}", names.join(", ")),
        (false, Some(_)) => format!(" with {} and cookies", names.join(", ")),
    };
    let at = target.as_ref().map(|target| format!(" at {target}")).unwrap_or_default();
    format!("{origin}: {method} {url}{with}{at}")
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
        target: None,
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
    // No page of a browser has an origin such as `file://`.
    let origins = cors.allow_origins.iter().map(|origin| concrete(origin));
    let allowed: Vec<String> =
        origins.filter(|origin| origin_of(origin).is_ok()).take(ORIGINS).collect();
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
    if pattern == "*" {
        return "https://any.example".to_owned();
    }
    let (scheme, host) = pattern.split_at(pattern.find("://").map_or(0, |at| at.saturating_add(3)));
    // The first address of a network is one of its.
    let (host, port) = match host.split_once('/') {
        Some((address, length)) => (address, length.trim_start_matches(|c: char| c != ':')),
        None => (host, ""),
    };
    let is_address = host.starts_with(|c: char| c.is_ascii_digit());
    let host = if is_address { host.replace(".*", ".1") } else { host.to_owned() };
    let text = format!("{scheme}{host}{port}");
    text.replace(":*", ":8443").replace("*.", "www.").replace('*', "www")
}
