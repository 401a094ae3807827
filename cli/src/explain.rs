//! `explain`: the browser's walk with a page's request, and the cause of a red line in its console.

mod advice;
pub(crate) mod asked;
mod captured;
mod code;
mod csp;
mod curl;
mod diagnosis;
mod implementation;
#[cfg_attr(target_family = "wasm", path = "explain/offline.rs")]
mod live;
pub(crate) mod proxy;
mod reply;
mod report;
mod server;
mod walk;
mod words;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::{ArgGroup, ValueEnum};
use corsward_browser::CredentialsMode;
use serde::{Deserialize, Serialize};
use strum::VariantNames;

use crate::live::ClusterArgs;
use crate::outcome::Outcome;
use crate::output::{note, write_json};
use crate::policies::{AbsentSet, Choice, FileFinding, LiveObjects, Policies, ProxyTarget, STDIN};

use self::advice::Advice;
use self::asked::Asked;
use self::live::Live;
use self::proxy::Proxy;
use self::report::{Report, Request};
use self::server::Server;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = EXAMPLES,
    group = ArgGroup::new("policies").args(["paths", "cluster"]).multiple(true)
)]
pub(crate) struct ExplainArgs {
    /// Files and folders of policies whose proxy answers; `-` is standard input.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Only proxies of this namespace.
    #[arg(long, short, requires = "policies")]
    namespace: Option<String>,
    /// The proxy that answers, by the target of policies: `service/shop/api`, `service/shop/api:http` for one port, `gateway/shop/edge`,
    /// `selector/shop/app=api`, or `namespace/shop` for workloads that no other target names. Repeated: a proxy that is all of them.
    #[arg(
        long = "target",
        value_name = "TARGET",
        requires = "policies",
        conflicts_with = "namespace"
    )]
    targets: Vec<ProxyTarget>,
    /// One proxy has all policies, whatever namespaces and targets they name, as an Envoy beside a folder of policies.
    #[arg(long, requires = "policies", conflicts_with_all = ["namespace", "targets"])]
    one_proxy: bool,
    /// The answer of the upstream behind the proxy to the request: the text of `curl -i`. By default it is 200 without a header of CORS.
    #[arg(long, value_name = "FILE", requires = "policies")]
    upstream_response: Option<PathBuf>,
    /// The origin of the page, or its URL; `null` for a sandboxed frame or a file.
    #[arg(long)]
    origin: Option<String>,
    /// The URL that the page asks.
    #[arg(long)]
    url: Option<String>,
    /// The method, as the page passes it to `fetch`; `GET` by default.
    #[arg(long, short = 'X')]
    method: Option<String>,
    /// A header that the page sets; may be repeated.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The credentials mode, `same-origin` by default, as of `fetch`: `include` sends cookies.
    #[arg(long, value_enum)]
    credentials: Option<Credentials>,
    /// The page listens to the progress of an upload (`XMLHttpRequest.upload`).
    #[arg(long)]
    upload_listeners: bool,
    /// The page's request, as the browser's "copy as cURL" writes it; `-` is standard input.
    #[arg(long, value_name = "COMMAND")]
    curl: Option<String>,
    /// The server's answer to the request: the text of `curl -i`; or both answers: of `curl -v`, or a HAR; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "policies")]
    response: Option<PathBuf>,
    /// The server's answer to the preflight: the text of `curl -i -X OPTIONS`; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "policies")]
    preflight: Option<PathBuf>,
    /// Ask the real server: the preflight, and a request that changes nothing.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["policies", "response", "preflight"])]
    live: Option<String>,
    /// With `--live`: send the request even if it may change something (`POST`, `PUT`, `DELETE` …).
    #[arg(long, requires = "live")]
    send: bool,
    /// The form of the output.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
}

/// Fetch, "credentials mode", in the words of arguments and of test files.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ValueEnum, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Credentials {
    Omit,
    SameOrigin,
    Include,
}

/// A form of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Text,
    Json,
}

const EXAMPLES: &str = "\
Examples:
  Does a policy let a page write JSON with cookies?
    corsward explain policies/ \\
      --origin https://app.example --url https://api.example/items \\
      --method PUT -H 'content-type: application/json' --credentials include

  The same of the policies in the cluster of the current context:
    corsward explain --cluster --namespace shop \\
      --origin https://app.example --url https://api.example/items

  Several proxies have policies for the host. Which policies does the Service `api` of the namespace `shop` have?
    corsward explain policies/ --target service/shop/api \\
      --origin https://app.example --url https://api.example/items

  Which of the server's answers makes the browser refuse? Copy the request as cURL from the browser:
    corsward explain --live --curl -

  The answers are captured. The text of `curl -i` does not name the method, so each answer has its option; explain prints the
  command for an answer that is missing:
    curl -si -X OPTIONS https://api.example/items -H 'Origin: https://app.example' \\
      -H 'Access-Control-Request-Method: PUT' > preflight.txt
    curl -si -X PUT https://api.example/items -H 'Origin: https://app.example' > answer.txt
    corsward explain --preflight preflight.txt --response answer.txt \\
      --origin https://app.example --url https://api.example/items --method PUT

  The text of `curl -v` and a HAR name the method:
    curl -sv URL … 2>&1 | corsward explain --response - \\
      --origin https://app.example --url URL
    corsward explain --response page.har

Exit codes: 0 the page reads the response, and no fault shows, 1 there is a fault, or the deciding answer is not known, 2 the input is unusable.";

/// Explains a request.
pub(crate) fn run(args: &ExplainArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let files = [&args.preflight, &args.response, &args.upstream_response].map(Option::as_deref);
    let mut inputs = files.into_iter().flatten().chain(args.curl.as_deref().map(Path::new));
    if inputs.by_ref().any(is_stdin) && inputs.any(is_stdin) {
        bail!(
            "`--preflight`, `--response`, `--upstream-response` and `--curl` share one standard input: give `-` once"
        );
    }
    let url = args.live.clone().filter(|url| !url.is_empty()).or_else(|| args.url.clone());
    let mut asked = Asked {
        origin: args.origin.clone(),
        url: url.clone(),
        method: args.method.clone(),
        headers: args.headers.iter().map(|text| asked::header(text)).collect::<Result<_, _>>()?,
        credentials: args.credentials.map(Into::into),
    };
    if let Some(command) = &args.curl {
        let command = match command.as_str() {
            "-" => &io::read_to_string(io::stdin()).context("read standard input")?,
            command => command,
        };
        asked = asked.or(curl::read(command)?);
    }
    let (mut seen, mut notes) = (Vec::new(), Vec::new());
    let (preflight, response) = (args.preflight.as_deref(), args.response.as_deref());
    let (mut page, server) = if preflight.or(response).is_some() {
        let mut captured = captured::read(preflight, response, &asked)?;
        asked = asked.or(std::mem::take(&mut captured.asked));
        seen.clone_from(&captured.diagnoses);
        (asked.page()?, Server::Captured(captured))
    } else if args.live.is_some() {
        (asked.page()?, Server::Live(Live::new(args.send)))
    } else {
        let live = args.cluster.read_in_force()?;
        if args.paths.is_empty() && live.is_none() {
            bail!(
                "nothing to ask: give policies (`corsward explain policies/` or `--cluster`), `--response FILE` or `--live`"
            );
        }
        let policies = policies(&live.unwrap_or_default(), &args.paths)?;
        notes = policies.absent_sets().map(|absent| note_of(&absent)).collect();
        let page = asked.page()?;
        let host = page.url.host_str().unwrap_or_default();
        let proxy = Proxy::of(policies.choose(&args.choice(), host)?)?;
        let upstream = args.upstream_response.as_deref().map(captured::upstream).transpose()?;
        (page, Server::Policies(proxy.before(upstream)))
    };
    page.upload_listeners = args.upload_listeners;
    let report = Report { notes, ..report(&page, &server, seen) };
    match args.output {
        Output::Text => report.print(out)?,
        Output::Json => write_json(&report, out)?,
    }
    Ok(if report.has_fault() { Outcome::Fault } else { Outcome::Success })
}

/// The report about a request that the proxy of those policies answers, as JSON.
pub(crate) fn walk_of(policies: &Policies, asked: Asked) -> anyhow::Result<serde_json::Value> {
    let page = asked.page()?;
    let host = page.url.host_str().unwrap_or_default();
    let server = Server::Policies(Proxy::of(policies.choose(&Choice::default(), host)?)?);
    let notes = policies.absent_sets().map(|absent| note_of(&absent)).collect();
    Ok(serde_json::to_value(Report { notes, ..report(&page, &server, Vec::new()) })?)
}

fn policies(live: &LiveObjects, paths: &[PathBuf]) -> anyhow::Result<Policies> {
    let policies = Policies::read_over(live, paths);
    if let Some(unreadable) = policies.unreadable() {
        bail!("{unreadable}");
    }
    let mut places = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    places.extend(Some(&live.name).filter(|it| !it.is_empty()).map(|it| format!("cluster {it}")));
    require_accepted(&policies, &format!(" at {}", places.join(", ")))?;
    let mut answering = BTreeSet::new();
    for policy in &policies.policies {
        if let Some(generation) = policy.last_good {
            answering.insert(&policy.id);
            note(format_args!(
                "warning: {} is refused: its last good text, of generation {generation}, answers; `corsward check` says why",
                policy.id
            ));
        }
    }
    let is_left_out = |it: &FileFinding| {
        let is_answering = it.subject.as_ref().is_some_and(|subject| {
            subject.kind == corsward_api::KIND && answering.contains(&subject.id)
        });
        it.finding.is_refusal() && !is_answering
    };
    if policies.findings.iter().any(is_left_out) {
        note(format_args!("warning: {LEFT_OUT}"));
    }
    Ok(policies)
}

/// The note about a walk with a part of the policies.
pub(crate) const LEFT_OUT: &str =
    "some policies are refused and left out; `corsward check` says why";

/// Fails if no policy is accepted; `place` says where none is.
pub(crate) fn require_accepted(policies: &Policies, place: &str) -> anyhow::Result<()> {
    let is_any = policies.accepted().next().is_some();
    ensure!(is_any, "there is no accepted policy{place}; `corsward check` says why");
    Ok(())
}

/// The note about an origin set that no file shows.
fn note_of(absent: &AbsentSet<'_>) -> String {
    let AbsentSet { policy, set, field } = absent;
    format!(
        "OriginSet {}/{set}, which {policy} names in {field}, is in no file: its origins do not count here",
        policy.namespace
    )
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new(STDIN)
}

fn report(
    page: &corsward_browser::PageRequest,
    server: &Server,
    seen: Vec<diagnosis::Diagnosis>,
) -> Report {
    let mut walked = walk::walk(page, server);
    if !seen.is_empty() && walked.result == report::WalkResult::Unknown {
        walked.result = report::WalkResult::Blocked;
    }
    walked.diagnoses.splice(0..0, seen);
    if walked.diagnoses.iter().any(|it| it.code.blocks()) {
        walked.result = report::WalkResult::Blocked;
    }
    let advice = match server {
        Server::Policies(proxy) => advice::advice(page, proxy, &walked),
        Server::Captured(_) | Server::Live(_) => Advice::default(),
    };
    let implementation = match server {
        Server::Policies(_) => None,
        Server::Captured(_) | Server::Live(_) => implementation::guess(&walked.answers),
    };
    let proxy = match server {
        Server::Policies(proxy) => proxy.name.clone(),
        Server::Captured(_) | Server::Live(_) => None,
    };
    Report {
        request: Request::of(page),
        proxy,
        notes: Vec::new(),
        steps: walked.steps,
        result: walked.result,
        diagnoses: walked.diagnoses,
        advice,
        implementation,
    }
}

// === impl ExplainArgs ===

impl ExplainArgs {
    fn choice(&self) -> Choice {
        let (namespace, targets) = (self.namespace.clone(), self.targets.clone());
        Choice { namespace, targets, one_proxy: self.one_proxy }
    }
}

// === impl Credentials ===

impl From<Credentials> for CredentialsMode {
    fn from(credentials: Credentials) -> Self {
        match credentials {
            Credentials::Omit => Self::Omit,
            Credentials::SameOrigin => Self::SameOrigin,
            Credentials::Include => Self::Include,
        }
    }
}
