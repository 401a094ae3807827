//! The API server's client: made here once, with its timeouts.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the API server may say nothing in an answer. A watch says nothing for as long as
/// [`WATCH_SECONDS`](crate::source::kube::WATCH_SECONDS).
const READ_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a request may take to be sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Who the API server's audit log says it was.
const USER_AGENT: &str = concat!("corsward-operator/", env!("CARGO_PKG_VERSION"));

/// A client of the API server that `kubeconfig` names. Without one: the file that `KUBECONFIG` or `~/.kube/config` names, else the cluster
/// around this pod.
///
/// # Errors
///
/// Where there is no configuration, or no client can be made of it. The API server itself is not asked.
pub async fn client(kubeconfig: Option<&Path>) -> Result<Client> {
    // Whoever installed one before has a reason.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = match kubeconfig {
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
    client_of(config)
}

/// A client of the API server in `config`, with the operator's timeouts and name.
///
/// # Errors
///
/// Where the certificates or credentials in `config` cannot be used.
pub fn client_of(mut config: Config) -> Result<Client> {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.write_timeout = Some(WRITE_TIMEOUT);
    config
        .headers
        .push((hyper::header::USER_AGENT, hyper::header::HeaderValue::from_static(USER_AGENT)));
    Client::try_from(config).context("no client can be made of the API server's configuration")
}
