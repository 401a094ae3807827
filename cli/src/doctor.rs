//! Doctor: checks of a cluster and of the operator in it, a line each, with a hint.

mod check;
mod definitions;
mod gateways;
mod istio;
mod module;
mod operator;
mod registry;
mod rights;
mod webhook;

use std::io::Write;

use clap::ValueEnum;
use serde_json::Value;

pub(crate) use self::check::Check;
use self::check::Status;
use crate::live::{Connection, ContextArgs, Failure, Installation};
use crate::outcome::Outcome;
use crate::output::{note, write_json};

const EXAMPLES: &str = "\
Examples:
  Check the cluster of the current context:
    corsward doctor
  Check another one, and an operator that is not in corsward-system:
    corsward doctor --context staging --namespace cors
  Read the result in a program:
    corsward doctor -o json \\
      | jq -r '.[] | select(.status == \"fail\") | .message'

No object is changed: the webhook is asked by a policy that the API server does not keep (dry run).

Exit codes: 0 no check fails, 1 one does, 2 there is no context to use.";

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    context: ContextArgs,
    /// The namespace of the operator; all are searched by default.
    #[arg(long, short)]
    namespace: Option<String>,
    /// The format.
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

/// A format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line a check, with its hint below.
    #[default]
    Text,
    /// A list of objects.
    Json,
}

/// Checks the cluster.
pub(crate) fn run(args: &DoctorArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let connection = Connection::open(&args.context)?;
    let checks = connection.wait(examine(&connection, args.namespace.as_deref()));
    match args.output {
        Format::Text => checks.iter().try_for_each(|check| check.print(out))?,
        Format::Json => write_json(&checks, out)?,
    }
    out.flush()?;
    let of = |status| checks.iter().filter(|check| check.status == status).count();
    let [failed, warned] = [Status::Fail, Status::Warn].map(of);
    note(format_args!("{} checks: {failed} failed, {warned} with a warning", checks.len()));
    Ok(if failed > 0 { Outcome::Fault } else { Outcome::Success })
}

/// The checks of a cluster. Where the API server does not answer there is one.
pub(crate) async fn examine(connection: &Connection, namespace: Option<&str>) -> Vec<Check> {
    let client = &connection.client;
    let server = api_server(connection).await;
    if server.status == Status::Fail {
        return vec![server];
    }
    let mut checks = vec![server];
    checks.extend(definitions::check(client).await);
    let (installation, check) = operator::find(client, namespace).await;
    checks.push(check);
    if let Some(installation) = &installation {
        checks.push(operator::replicas(client, installation).await);
        checks.push(operator::enforcement(client, installation).await);
        checks.push(webhook::check(client, installation).await);
        checks.push(rights::check(client, installation).await);
        checks.push(module::check(client, installation).await);
    }
    let publishes = installation.as_ref().is_none_or(Installation::publishes_to_istio);
    if publishes {
        let kind = installation.as_ref().and_then(|it| it.arg("--istio-kind"));
        checks.extend(istio::check(client, kind.unwrap_or("Auto")).await);
    }
    if installation.as_ref().is_none_or(|it| !it.has("--no-gateways")) {
        checks.push(gateways::check(client).await);
    }
    checks
}

/// Kubernetes 1.29: the first version whose API server evaluates the rules of the definitions.
const FIRST_MINOR: u32 = 29;

async fn api_server(connection: &Connection) -> Check {
    const NAME: &str = "api-server";
    let (server, context) = (&connection.server, &connection.context);
    let version = match connection.client.version().await {
        Ok(version) => version,
        Err(why) => {
            let hint = match why {
                Failure::Unreachable(_) => {
                    "try `kubectl --context` with the same context: the address, a VPN or a proxy may be the cause"
                }
                Failure::Malformed(_) => {
                    "compare the address with `kubectl cluster-info`: another server answers there, such as a proxy with a page"
                }
                Failure::Forbidden(_) | Failure::Refused { code: 401, .. } => {
                    "log in again: the credentials of the context's user may have expired"
                }
                _ => "try it again later: the API server's log has more",
            };
            let message = format!("{server} of context {context} does not answer: {why}");
            return Check::fail(NAME, message, hint);
        }
    };
    let word = |field: &str| version.get(field).and_then(Value::as_str).unwrap_or_default();
    let message = format!("{} at {server}, of context {context}", word("gitVersion"));
    let minor = word("minor").trim_end_matches('+').parse::<u32>();
    if word("major") == "1" && minor.is_ok_and(|minor| minor < FIRST_MINOR) {
        let hint = format!("upgrade Kubernetes: the chart needs 1.{FIRST_MINOR} or later");
        return Check::fail(NAME, message, hint);
    }
    Check::ok(NAME, message)
}
