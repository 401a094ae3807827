//! Kubeconfig: the API server and the user of a context, as `kubectl` finds them.

use std::path::Path;

use anyhow::{anyhow, bail};
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// The context of a process in a pod, which has no kubeconfig.
const IN_CLUSTER: &str = "in-cluster";

/// The configuration of a client, and the name of its context.
pub(super) async fn load(
    file: Option<&Path>,
    context: Option<&str>,
) -> anyhow::Result<(Config, String)> {
    let kubeconfig = match file {
        Some(file) => {
            Kubeconfig::read_from(file).map_err(|error| anyhow!("--kubeconfig: {error}"))?
        }
        None => match Kubeconfig::read() {
            Ok(kubeconfig) => kubeconfig,
            Err(error) => match Config::incluster() {
                Ok(config) if context.is_none() => return Ok((config, IN_CLUSTER.to_owned())),
                _ => {
                    bail!(
                        "no cluster is configured: name a file by --kubeconfig, or set KUBECONFIG: {error}"
                    )
                }
            },
        },
    };
    let names: Vec<&str> = kubeconfig.contexts.iter().map(|it| it.name.as_str()).collect();
    let known = names.join(", ");
    let name = match (context, &kubeconfig.current_context) {
        (Some(name), _) if names.contains(&name) => name.to_owned(),
        (Some(name), _) => {
            bail!("--context: the kubeconfig has no context `{name}`: it has {known}")
        }
        (None, Some(name)) if !name.is_empty() => name.clone(),
        (None, _) => bail!(
            "the kubeconfig has no current context: name one of {known} by --context, or run `kubectl config use-context`"
        ),
    };
    let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let config = config.map_err(|error| anyhow!("the context `{name}` cannot be used: {error}"))?;
    Ok((config, name))
}
