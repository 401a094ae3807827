//! Wiring of a cluster: watches, the lease, the publisher, statuses, events, modules and the webhook, around the one loop.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use corsward_operator_core::bundle::Desired;
use corsward_operator_core::cluster_state::Key;
use corsward_operator_core::event::Event;
use corsward_operator_core::filter_module::Module;
use corsward_operator_core::index::Index;
use corsward_operator_core::publish::istio::IstioKind;
use corsward_operator_core::publish::output::Output;
use futures::FutureExt as _;
use futures::future::select_all;
use kube::Client;
use tokio::sync::mpsc::{self, Sender, channel};
use tokio::sync::{oneshot, watch};
use tracing::{error, info};

use super::{WAITING, serve_admin};
use crate::admin::{Access, AdminState};
use crate::args::{ClusterArgs, FilterArg, IstioKindArg, PublishArg, RunArgs};
use crate::executor::{Executor, ExecutorDeps};
use crate::leader::{self, LeaderElector};
use crate::modules::{self, Modules};
use crate::publish::choice;
use crate::publish::cluster::{self as publisher, ClusterPublisher, Objects, TaskDeps};
use crate::request::Request;
use crate::server::Server;
use crate::tasks::{TaskEnded, Tasks};
use crate::{events, kubernetes, poller, source, webhook, writer};

/// Interval at which rejected statuses are sent again: the definitions may have been upgraded.
const SEND_REFUSED_AGAIN: Duration = Duration::from_mins(5);
/// For how long a module that no object names is kept: for as long as it may take to look twice at a roll-back.
const KEEP_MODULES: Duration = Duration::from_hours(1);

/// The inputs of a cluster's parts, and the parts that run.
struct Cluster<'a> {
    args: &'a RunArgs,
    client: Client,
    state: Arc<AdminState>,
    elector: LeaderElector,
    tasks: Tasks,
    /// In the order in which they stop.
    servers: Vec<Server>,
}

/// Runs until told to stop.
///
/// # Errors
///
/// Fails if something needed is missing at the start, or something that should go on has ended.
pub(super) async fn run(args: &RunArgs, mut stop: oneshot::Receiver<()>) -> Result<()> {
    let client = kubernetes::client(args.cluster.kubeconfig.as_deref()).await?;
    let state = Arc::new(AdminState::default());
    let (requester, requests) = channel(WAITING);
    let (sender, events) = channel(WAITING);
    let admin = serve_admin(args.admin, &state, requester.clone(), Access::Loopback).await?;
    let kind = tokio::select! {
        kind = istio_kind(&client, args) => kind,
        _ = &mut stop => {
            admin.stop().await;
            return Ok(());
        }
    };
    let ClusterArgs { namespace, lease, name, .. } = &args.cluster;
    let options = leader::LeaseOptions::new(namespace.clone(), lease.clone(), name.clone());
    let elector =
        leader::start_election(client.clone(), options, state.ready.subscribe(), sender.clone());
    // Nobody has set it before.
    let _ = state.lease.set(elector.holding.clone());
    let (tasks, servers) = (Tasks::default(), Vec::new());
    let mut cluster = Cluster { args, client, state, elector, tasks, servers };
    cluster.serve_webhook(requester).await?;
    let deps = cluster.write(kind, sender.clone()).await?;
    cluster.servers.push(admin);
    cluster.watch(sender);
    info!("watching");
    let mut index = Index::new(deps.publisher.capabilities().reach);
    if args.off {
        index.stop();
    }
    let executor = Executor::new(index, deps);
    // For as long as the process lives: what is asked while it stops is answered, too.
    cluster.tasks.spawn("loop", async { error!("{}", executor.run(events, requests).await) });
    let ended = tokio::select! {
        _ = stop => Ok(()),
        () = another_kind(&cluster.client, args, kind) => Ok(()),
        ended = cluster.tasks.ended() => Err(ended),
        ended = cluster.elector.ended() => Err(ended),
        ended = any_ended(&mut cluster.servers) => Err(ended),
    };
    // Another replica may write from now on. Whoever was sent here is answered until nobody is.
    cluster.state.stopping.send_replace(true);
    cluster.elector.release().await;
    if ended.is_ok() {
        tokio::time::sleep(Duration::from_secs(args.cluster.drain)).await;
    }
    for server in cluster.servers {
        server.stop().await;
    }
    Ok(ended?)
}

async fn any_ended(servers: &mut [Server]) -> TaskEnded {
    let (ended, ..) =
        select_all(servers.iter_mut().map(|server| server.tasks.ended().boxed())).await;
    ended
}

/// The kind of Istio's objects that hold bundles.
async fn istio_kind(client: &Client, args: &RunArgs) -> IstioKind {
    match args.cluster.istio_kind {
        IstioKindArg::Auto if args.publish == PublishArg::Istio => choice::at_start(client).await,
        IstioKindArg::Auto | IstioKindArg::WasmPlugin => IstioKind::WasmPlugin,
        IstioKindArg::TrafficExtension => IstioKind::TrafficExtension,
        IstioKindArg::EnvoyFilter => IstioKind::EnvoyFilter,
    }
}

/// Returns once the cluster calls for a different kind; never if the kind was named.
async fn another_kind(client: &Client, args: &RunArgs, kind: IstioKind) {
    let is_asked =
        args.cluster.istio_kind == IstioKindArg::Auto && args.publish == PublishArg::Istio;
    if is_asked { choice::changed(client, kind).await } else { pending().await }
}

// === impl Cluster ===

impl Cluster<'_> {
    fn watch(&mut self, events: Sender<Vec<Event>>) {
        let ClusterArgs { namespace, enforcement, no_gateways, .. } = &self.args.cluster;
        let switch = |name| Key { namespace: namespace.clone(), name };
        let options = source::kube::WatchOptions {
            gateways: !no_gateways,
            istio: self.args.publish == PublishArg::Istio,
            switch: enforcement.clone().map(switch),
            ..source::kube::WatchOptions::default()
        };
        let metrics = Arc::clone(&self.state.metrics);
        let watching = source::kube::watch(self.client.clone(), options, metrics, events);
        self.tasks.spawn("watches", watching);
    }

    async fn serve_webhook(&mut self, requests: Sender<Request>) -> Result<()> {
        let args = &self.args.cluster;
        let Some(addr) = args.webhook_addr else { return Ok(()) };
        let (client, metrics) = (self.client.clone(), Arc::clone(&self.state.metrics));
        let leading = self.elector.leading.clone();
        let (server, settled) =
            webhook::start(client, addr, args, requests, leading, metrics).await?;
        self.state.require(settled, "the webhook has no certificate yet\n");
        self.servers.push(server);
        Ok(())
    }

    /// Starts the writers of the cluster.
    async fn write(&mut self, kind: IstioKind, events: Sender<Vec<Event>>) -> Result<ExecutorDeps> {
        let (output, module_readiness) = self.output(kind).await?;
        let deps = TaskDeps {
            objects: Objects { client: self.client.clone(), output },
            leading: self.elector.leading.clone(),
            module_readiness,
            events,
            metrics: Arc::clone(&self.state.metrics),
        };
        let reach = deps.objects.output.reach();
        let poller = reach.pods().map(|_| {
            let (poller, commands) = mpsc::unbounded_channel();
            self.tasks.spawn("proxies", poller::run(deps.clone(), commands));
            poller
        });
        let (desire, desired) = watch::channel(Arc::new(Desired::default()));
        let grace = Duration::from_secs(self.args.cluster.grace);
        self.tasks.spawn("publisher", publisher::run(deps, desired, grace));
        let (write, writes) = mpsc::unbounded_channel();
        let (client, metrics) = (self.client.clone(), Arc::clone(&self.state.metrics));
        let leading = self.elector.leading.clone();
        let statuses = writer::write(client, leading, writes, metrics, SEND_REFUSED_AGAIN);
        self.tasks.spawn("statuses", statuses);
        let (object_events, heard) = channel(events::MAX_WAITING);
        let name = self.args.cluster.name.clone();
        self.tasks.spawn("events", events::record(self.client.clone(), name, heard));
        Ok(ExecutorDeps {
            publisher: Box::new(ClusterPublisher { reach, desired: desire, poller }),
            last_good: Box::new(write),
            object_events: Some(object_events),
            admin_state: Arc::clone(&self.state),
        })
    }

    /// The kind of objects that hold bundles, and the reason why it cannot be written yet. Starts the server of the module that it names, if
    /// there is one.
    async fn output(
        &mut self,
        kind: IstioKind,
    ) -> Result<(Output, watch::Receiver<Option<String>>)> {
        let (args, (_, open)) = (self.args, watch::channel(None));
        if args.publish == PublishArg::ConfigMap {
            return Ok((Output::ConfigMap { module: args.envoy_module() }, open));
        }
        if args.filter == FilterArg::Native {
            bail!(
                "Istio brings its proxies a Wasm filter alone: write --filter wasm, or --publish configmap"
            );
        }
        let file = args.envoy_module().path;
        if file.starts_with("oci://") {
            let module = Module::image(&file).context("--module")?;
            return Ok((Output::Istio { kind, module }, open));
        }
        let Some(addr) = args.cluster.module_addr else {
            bail!("the module has no server: write --module-addr ADDR, or --module oci://IMAGE");
        };
        let options = modules::ModuleOptions {
            file: file.into(),
            namespace: args.cluster.namespace.clone(),
            service: args.cluster.module_service.clone(),
            addr,
            keep: KEEP_MODULES,
        };
        let (client, leading) = (self.client.clone(), self.elector.leading.clone());
        let metrics = Arc::clone(&self.state.metrics);
        let Modules { module, module_readiness, listed, server } =
            modules::start(client, options, leading, metrics).await?;
        self.state.require(listed, "the modules of other releases have not been read yet\n");
        self.servers.push(server);
        Ok((Output::Istio { kind, module }, module_readiness))
    }
}
