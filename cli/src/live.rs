//! Live cluster: the API server of a context, asked by the commands that look at what is there.

mod client;
mod installation;
mod kubeconfig;
mod objects;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{ArgGroup, value_parser};
use tokio::runtime::{Builder, Runtime};

pub(crate) use self::client::{ApiClient, Failure, encoded, path};
pub(crate) use self::installation::{Installation, Switch};
use crate::output::note;
use crate::policies::LiveObjects;

/// The annotation in which `kubectl` keeps a second text of the object.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The API server to ask.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ContextArgs {
    /// The context of the kubeconfig; the current one by default.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig; by default the files of `KUBECONFIG`, else `~/.kube/config`, else the cluster around this pod.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The longest time of one answer of the API server, 60 s by default.
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=3600))]
    request_timeout: Option<u64>,
}

/// A live cluster below the files of a command.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(group = ArgGroup::new("connection").args(["context", "kubeconfig", "request_timeout"]).multiple(true).requires("cluster"))]
pub(crate) struct ClusterArgs {
    /// Read policies, origin sets, guardrails, Namespaces, Services and Gateways from the cluster of the current context; files of PATH
    /// are laid over them.
    #[arg(long)]
    cluster: bool,
    #[command(flatten)]
    context: ContextArgs,
}

/// A connection to an API server, with the one thread that waits for its answers.
pub(crate) struct Connection {
    runtime: Runtime,
    /// The client.
    pub(crate) client: ApiClient,
    /// The name of the context.
    pub(crate) context: String,
    /// The namespace of the context.
    pub(crate) namespace: String,
    /// The URL of the API server.
    pub(crate) server: String,
}

// === impl ClusterArgs ===

impl ClusterArgs {
    /// The objects of the cluster, if it is asked for.
    pub(crate) fn read(&self) -> anyhow::Result<Option<LiveObjects>> {
        if !self.cluster {
            return Ok(None);
        }
        Connection::open(&self.context)?.objects().map(Some)
    }

    /// The objects of the cluster, if it is asked for, and whether the operator's switch keeps them from answering.
    pub(crate) fn read_in_force(&self) -> anyhow::Result<Option<LiveObjects>> {
        if !self.cluster {
            return Ok(None);
        }
        let connection = Connection::open(&self.context)?;
        let objects = connection.objects()?;
        let is_off = connection.wait(is_off(&connection.client));
        Ok(Some(LiveObjects { is_off, ..objects }))
    }
}

/// Does the operator's switch say `Off`? A note names one that the user may not read, or that says nothing.
async fn is_off(client: &ApiClient) -> bool {
    let unseen = |why: String| {
        note(format_args!(
            "note: the switch `enforcement` of the operator is not seen, and counts as On: {why}"
        ));
    };
    let installations = Installation::find(client, None).await.unwrap_or_else(|why| {
        unseen(why.to_string());
        Vec::new()
    });
    let mut is_off = false;
    for installation in &installations {
        match installation.switch(client).await {
            Ok(Switch::Off) => is_off = true,
            Ok(Switch::On | Switch::Absent) => {}
            Ok(Switch::Unknown(word)) => unseen(format!("it says `{word}`")),
            Err(why) => unseen(why.to_string()),
        }
    }
    is_off
}

// === impl Connection ===

impl Connection {
    /// Makes a client for the context. The API server is not asked yet.
    pub(crate) fn open(args: &ContextArgs) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot wait for an API server")?;
        let (config, context) = runtime
            .block_on(kubeconfig::load(args.kubeconfig.as_deref(), args.context.as_deref()))?;
        let (namespace, server) =
            (config.default_namespace.clone(), config.cluster_url.to_string());
        let server = server.trim_end_matches('/').to_owned();
        let timeout = args.request_timeout.map_or(client::ANSWER_TIMEOUT, Duration::from_secs);
        let client = runtime.block_on(async { ApiClient::new(config, timeout) })?;
        Ok(Self { runtime, client, context, namespace, server })
    }

    /// The same connection, which asks for each list once.
    pub(crate) fn remembering(self) -> Self {
        Self { client: self.client.remembering(), ..self }
    }

    /// The objects that policies are judged by.
    pub(crate) fn objects(&self) -> anyhow::Result<LiveObjects> {
        objects::read(self)
    }

    /// Waits for an answer.
    pub(crate) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }
}
