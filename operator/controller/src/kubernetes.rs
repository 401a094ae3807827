//! The API server's client: made here once, with its timeouts.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use backon::ExponentialBuilder;
use corsward_operator_core::error_chain;
use kube::api::{DynamicObject, ListParams, ObjectMeta};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, ExponentialBackoff};
use kube::{Api, Client, Config};
use tokio::time::timeout;

/// Duration of one watch before the next one resumes it. A dead connection is noticed a few seconds later; the client's own default
/// is five minutes.
pub const WATCH_SECONDS: u32 = 60;
/// Most objects of one answer to a list.
const PAGE_LEN: u32 = 500;
/// Timeout for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout for silence within an answer. A watch is silent for up to [`WATCH_SECONDS`].
const READ_TIMEOUT: Duration = Duration::from_secs(75);
/// Timeout for sending a request.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// The first pause between attempts at a request that is not answered.
const MIN_DELAY: Duration = Duration::from_millis(400);
/// The longest pause before its jitter, which at most doubles it. A policy waits for it once the API server is back; kube's own backoff
/// waits up to a minute, made for a client on every node.
const MAX_DELAY: Duration = Duration::from_secs(3);
/// The operator's name in the API server's audit log.
const USER_AGENT: &str = concat!("corsward-operator/", env!("CARGO_PKG_VERSION"));

/// A client of the API server that `kubeconfig` names. Without one: the file that `KUBECONFIG` or `~/.kube/config` names, else the cluster
/// around this pod.
///
/// # Errors
///
/// Fails if there is no configuration, or no client can be made of it. The API server itself is not asked.
pub async fn client(kubeconfig: Option<&Path>) -> Result<Client> {
    // Whoever installed one before has a reason.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = match kubeconfig {
        Some(path) => {
            let context = || format!("cannot use the kubeconfig {}", path.display());
            let kubeconfig = Kubeconfig::read_from(path).with_context(context)?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .with_context(context)?
        }
        None => Config::infer().await.context(
            "no API server is configured: run in a cluster, or name a file by --kubeconfig",
        )?,
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.write_timeout = Some(WRITE_TIMEOUT);
    config
        .headers
        .push((hyper::header::USER_AGENT, hyper::header::HeaderValue::from_static(USER_AGENT)));
    Client::try_from(config).context("no client can be made of the API server's configuration")
}

/// The pauses between attempts at requests that an API server does not answer: exponential, with jitter, and without an end.
pub(crate) fn backoff() -> ExponentialBackoff {
    let builder = ExponentialBuilder::default().with_min_delay(MIN_DELAY).with_max_delay(MAX_DELAY);
    builder.with_jitter().without_max_times().into()
}

/// The answer to a request; an error if there is none within `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    request: impl Future<Output = kube::Result<T>>,
) -> kube::Result<T> {
    let late = |_| Err(kube::Error::Service(format!("no answer within {limit:?}").into()));
    timeout(limit, request).await.unwrap_or_else(late)
}

/// The answer to a request; `None` if the API server has no such object, or does not serve its kind.
pub(crate) fn found<T>(answer: kube::Result<T>) -> kube::Result<Option<T>> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        answer => answer.map(Some),
    }
}

/// The metadata of all objects with the labels; none if the kind is not served.
pub(crate) async fn list_metadata(
    api: &Api<DynamicObject>,
    labels: &str,
) -> kube::Result<Vec<ObjectMeta>> {
    let mut page = ListParams::default().labels(labels).limit(PAGE_LEN);
    let mut all = Vec::new();
    loop {
        let Some(list) = found(api.list_metadata(&page).await)? else { return Ok(Vec::new()) };
        all.extend(list.items.into_iter().map(|item| item.metadata));
        match list.metadata.continue_ {
            Some(token) if !token.is_empty() => page.continue_token = Some(token),
            _ => return Ok(all),
        }
    }
}

/// The error in one line: the API server's message, or the cause that kept the request from it.
pub(crate) fn sentence(error: &kube::Error) -> String {
    match error {
        // Its own words repeat the whole answer.
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        kube::Error::Service(cause) => error_chain::in_one_line(&**cause),
        _ => error_chain::in_one_line(error),
    }
}

/// Does the API server not know the kind? Of an object, no list and no watch says that it is not found.
pub(crate) fn is_not_served(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    let (InitialListFailed(kube::Error::Api(status))
    | WatchStartFailed(kube::Error::Api(status))
    | WatchFailed(kube::Error::Api(status))
    | WatchError(status)) = error
    else {
        return false;
    };
    status.code == 404
}

/// The error of a watch, in one line.
pub(crate) fn watch_sentence(error: &watcher::Error) -> String {
    use watcher::Error::{
        InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed,
    };
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => sentence(error),
        WatchError(status) => format!("{} ({})", status.message, status.code),
        NoResourceVersion => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::runtime::utils::Backoff as _;

    #[test]
    fn an_error_is_said_once_and_down_to_its_cause() {
        let status =
            r#"{"status":"Failure","code":403,"reason":"Forbidden","message":"pods is forbidden"}"#;
        let refused = kube::Error::Api(serde_json::from_str(status).unwrap());
        assert_eq!(sentence(&refused), "pods is forbidden (403)");
        let cause = std::io::Error::other("connection refused");
        let unreachable = kube::Error::Service(Box::new(std::io::Error::other(cause)));
        assert!(
            sentence(&unreachable).ends_with("connection refused"),
            "{}",
            sentence(&unreachable)
        );
    }

    #[test]
    fn pauses_grow_to_a_bound_that_a_recovery_waits_for() {
        let mut backoff = super::backoff();
        let pauses: Vec<Duration> = backoff.by_ref().take(50).collect();
        assert!(pauses[0] <= MIN_DELAY * 2, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= MAX_DELAY * 2), "{pauses:?}");
        assert!(pauses[49] >= MAX_DELAY, "{pauses:?}");
        backoff.reset();
        assert!(backoff.next().unwrap() <= MIN_DELAY * 2);
    }
}
