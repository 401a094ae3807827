//! Kubeconfig: the API server and the user of a context, as `kubectl` finds them, and the proxy in between.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// The context of a process in a pod, which has no kubeconfig.
const IN_CLUSTER: &str = "in-cluster";
/// The files of a kubeconfig.
const FILES: &str = "KUBECONFIG";

/// The configuration of a client, and the name of its context.
pub(super) async fn load(
    file: Option<&Path>,
    context: Option<&str>,
) -> anyhow::Result<(Config, String)> {
    let kubeconfig = match file {
        Some(file) => {
            Kubeconfig::read_from(file).map_err(|error| anyhow!("--kubeconfig: {error}"))?
        }
        None => match found()? {
            Some(kubeconfig) => kubeconfig,
            None => match Config::incluster() {
                Ok(config) if context.is_none() => return Ok((config, IN_CLUSTER.to_owned())),
                _ => bail!(
                    "no cluster is configured: name a file by --kubeconfig, or set {FILES}: there is no ~/.kube/config"
                ),
            },
        },
    };
    let name = name(&kubeconfig, context)?;
    let mut kubeconfig = kubeconfig;
    let of_cluster = take_proxy(&mut kubeconfig, &name);
    let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config =
        config.map_err(|error| anyhow!("the context `{name}` cannot be used: {error}"))?;
    config.proxy_url = proxy(of_cluster, &config.cluster_url)?;
    Ok((config, name))
}

/// The files of `KUBECONFIG`, of which one that is absent counts for nothing, else `~/.kube/config`.
fn found() -> anyhow::Result<Option<Kubeconfig>> {
    let listed = env::var_os(FILES).unwrap_or_default();
    let listed: Vec<PathBuf> =
        env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()).collect();
    let is_listed = !listed.is_empty();
    let paths = if is_listed {
        listed
    } else {
        env::home_dir().into_iter().map(|home| home.join(".kube").join("config")).collect()
    };
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| path.try_exists().unwrap_or(true)) {
        let next = Kubeconfig::read_from(path);
        let next = next.with_context(|| if is_listed { FILES } else { "~/.kube/config" })?;
        merged = Some(match merged {
            Some(merged) => merged.merge(next).context(FILES)?,
            None => next,
        });
    }
    if merged.is_none() && is_listed {
        bail!("{FILES}: none of its files is there: name another by --kubeconfig");
    }
    Ok(merged)
}

/// The context to use: the one that is asked for, else the current one.
fn name(kubeconfig: &Kubeconfig, context: Option<&str>) -> anyhow::Result<String> {
    let names: Vec<&str> = kubeconfig.contexts.iter().map(|it| it.name.as_str()).collect();
    let known = names.join(", ");
    match (context, &kubeconfig.current_context) {
        (Some(name), _) if names.contains(&name) => Ok(name.to_owned()),
        (Some(name), _) => {
            bail!("--context: the kubeconfig has no context `{name}`: it has {known}")
        }
        (None, Some(name)) if !name.is_empty() => Ok(name.clone()),
        (None, _) => bail!(
            "the kubeconfig has no current context: name one of {known} by --context, or run `kubectl config use-context`"
        ),
    }
}

/// Takes the `proxy-url` of a context's cluster out.
fn take_proxy(kubeconfig: &mut Kubeconfig, context: &str) -> Option<String> {
    let mut contexts = kubeconfig
        .contexts
        .iter()
        .filter_map(|it| (it.name == context).then_some(it.context.as_ref()?.cluster.as_str()));
    let cluster = contexts.next()?;
    let mut clusters = kubeconfig.clusters.iter_mut().filter(|it| it.name == cluster);
    clusters.next()?.cluster.as_mut()?.proxy_url.take()
}

/// The proxy to an API server: that of its cluster, else that of the environment. The environment's is for no server on this machine and
/// for none of `NO_PROXY`, as in `kubectl`; the client library compares `NO_PROXY` with the proxy itself.
fn proxy(of_cluster: Option<String>, server: &Uri) -> anyhow::Result<Option<Uri>> {
    let (source, url) = match of_cluster.filter(|url| !url.is_empty()) {
        Some(url) => ("proxy-url", Some(url)),
        None if is_loopback(server) || Matcher::from_env().intercept(server).is_none() => {
            ("", None)
        }
        None => ("HTTPS_PROXY", variable("HTTPS_PROXY").or_else(|| variable("https_proxy"))),
    };
    let Some(url) = url else { return Ok(None) };
    // The variable may be a host and a port.
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    // The proxy resolves the name in either case.
    let url = url.replacen("socks5h://", "socks5://", 1);
    let url = url.parse().with_context(|| format!("{source}: `{url}` is no URL"))?;
    Ok(Some(url))
}

#[expect(clippy::disallowed_methods, reason = "clients of all programs read these variables")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_loopback(server: &Uri) -> bool {
    let host = server.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
