//! Wiring of a cluster: watches, the lease, the publisher, statuses, events, modules and the webhook, around the one loop.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use corsward_manifest::knowledge::FullKnowledge;
use corsward_operator_core::bundle::Desired;
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
use crate::args::{ClusterArgs, IstioKindArg, PublishArg, RunArgs};
use crate::executor::{Executor, ExecutorDeps};
use crate::leader::{self, LeaderElector};
use crate::modules::{self, Modules};
use crate::publish::choice;
use crate::publish::cluster::{self as publisher, ClusterPublisher, PublisherDeps};
use crate::request::Request;
use crate::rollout::poller as proxies;
use crate::server::Server;
use crate::tasks::Tasks;
use crate::{events, kubernetes, source, webhook, writer};

/// Interval at which rejected statuses are sent again: the definitions may have been upgraded.
const SEND_REFUSED_AGAIN: Duration = Duration::from_mins(5);
/// For how long a module that no object names is kept: for as long as it may take to look twice at a roll-back.
const KEEP_MODULES: Duration = Duration::from_hours(1);

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
    let mut elector = start_election(&client, &args.cluster, &state, &sender);
    // Nobody has set it before.
    let _ = state.lease.set(elector.holding());
    let mut servers = vec![admin];
    servers.extend(serve_webhook(&client, &args.cluster, requester, &elector, &state).await?);
    let mut tasks = Tasks::default();
    let (deps, modules) =
        write(&client, (args, kind), &sender, &elector, &state, &mut tasks).await?;
    servers.extend(modules);
    watch(&client, args, &state, sender, &mut tasks);
    info!("watching");
    let mut index = Index::new(Arc::new(FullKnowledge), deps.publisher.capabilities().reach);
    if args.off {
        index.stop();
    }
    let executor = Executor::new(index, deps);
    // For as long as the process lives: what is asked while it stops is answered, too.
    tasks.spawn("loop", async { error!("{}", executor.run(events, requests).await) });
    let ended = tokio::select! {
        _ = stop => Ok(()),
        () = another_kind(&client, args, kind) => Ok(()),
        ended = tasks.ended() => Err(ended),
        ended = elector.ended() => Err(ended),
        (ended, ..) = select_all(servers.iter_mut().map(|server| server.ended().boxed())) => Err(ended),
    };
    // Another replica may write from now on. Whoever was sent here is answered until nobody is.
    state.stop();
    elector.release().await;
    if ended.is_ok() {
        tokio::time::sleep(Duration::from_secs(args.cluster.drain)).await;
    }
    // The admin address, which was the first, is the last.
    while let Some(server) = servers.pop() {
        server.stop().await;
    }
    Ok(ended?)
}

/// The kind of Istio's objects that hold bundles.
async fn istio_kind(client: &Client, args: &RunArgs) -> IstioKind {
    match args.cluster.istio_kind {
        IstioKindArg::Auto if args.publish == PublishArg::Istio => {
            choice::at_start(client).await.kind
        }
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

fn start_election(
    client: &Client,
    args: &ClusterArgs,
    state: &AdminState,
    events: &Sender<Vec<Event>>,
) -> LeaderElector {
    let ClusterArgs { namespace, lease, name, .. } = args;
    let options = leader::LeaseOptions::new(namespace.clone(), lease.clone(), name.clone());
    leader::start_election(client.clone(), options, state.ready(), events.clone())
}

fn watch(
    client: &Client,
    args: &RunArgs,
    state: &AdminState,
    events: Sender<Vec<Event>>,
    tasks: &mut Tasks,
) {
    let metrics = Arc::clone(&state.metrics);
    let options = source::kube::WatchOptions {
        gateways: !args.cluster.no_gateways,
        gateway_classes: args.publish == PublishArg::Istio,
        virtual_services: args.publish == PublishArg::Istio,
        switch: args
            .cluster
            .enforcement
            .clone()
            .map(|name| source::kube::Switch { namespace: args.cluster.namespace.clone(), name }),
        ..source::kube::WatchOptions::default()
    };
    let watching = source::kube::watch(client.clone(), options, metrics, events, pending());
    tasks.spawn("watches", watching);
}

async fn serve_webhook(
    client: &Client,
    args: &ClusterArgs,
    requests: Sender<Request>,
    elector: &LeaderElector,
    state: &AdminState,
) -> Result<Option<Server>> {
    let Some(addr) = args.webhook_addr else { return Ok(None) };
    let metrics = Arc::clone(&state.metrics);
    let started = webhook::start(client.clone(), addr, args, requests, elector.leading(), metrics);
    let (server, settled) = started.await?;
    state.require(settled, "the webhook has no certificate yet\n");
    Ok(Some(server))
}

/// Starts the writers of the cluster.
async fn write(
    client: &Client,
    (args, kind): (&RunArgs, IstioKind),
    events: &Sender<Vec<Event>>,
    elector: &LeaderElector,
    state: &Arc<AdminState>,
    tasks: &mut Tasks,
) -> Result<(ExecutorDeps, Option<Server>)> {
    let (desire, desired) = watch::channel(Arc::new(Desired::default()));
    let (output, module_readiness, modules) = output(client, (args, kind), elector, state).await?;
    let deps = PublisherDeps {
        output: output.clone(),
        grace: Duration::from_secs(args.cluster.grace),
        desired,
        leading: elector.leading(),
        module_readiness: module_readiness.clone(),
        events: events.clone(),
        metrics: Arc::clone(&state.metrics),
    };
    let poller = (args.publish == PublishArg::Istio).then(|| {
        let (order, commands) = mpsc::unbounded_channel();
        let metrics = Arc::clone(&state.metrics);
        let (module_readiness, leading) = (module_readiness.clone(), elector.leading());
        let deps = proxies::PollerDeps {
            commands,
            module_readiness,
            leading,
            events: events.clone(),
            metrics,
        };
        tasks.spawn("proxies", proxies::run(client.clone(), output, deps));
        order
    });
    tasks.spawn("publisher", publisher::run(client.clone(), deps));
    let (write, writes) = mpsc::unbounded_channel();
    let metrics = Arc::clone(&state.metrics);
    let leading = elector.leading();
    let statuses = writer::write(client.clone(), leading, writes, metrics, SEND_REFUSED_AGAIN);
    tasks.spawn("statuses", statuses);
    let (object_events, heard) = events::channel();
    tasks.spawn("events", events::record(client.clone(), args.cluster.name.clone(), heard));
    let deps = ExecutorDeps {
        publisher: Box::new(ClusterPublisher { desired: desire, poller }),
        last_good: Box::new(write),
        object_events: Some(object_events),
        admin_state: Arc::clone(state),
    };
    Ok((deps, modules))
}

/// The kind of objects that hold bundles, the reason why it cannot be written yet, and the server of the module that
/// it names, if there is one.
async fn output(
    client: &Client,
    (args, kind): (&RunArgs, IstioKind),
    elector: &LeaderElector,
    state: &AdminState,
) -> Result<(Output, watch::Receiver<Option<String>>, Option<Server>)> {
    let (_, open) = watch::channel(None);
    if args.publish == PublishArg::ConfigMap {
        return Ok((Output::ConfigMap { module: args.module.clone() }, open, None));
    }
    if args.module.starts_with("oci://") {
        let module = Module::image(&args.module).context("--module")?;
        return Ok((Output::Istio { kind, module }, open, None));
    }
    let Some(addr) = args.cluster.module_addr else {
        bail!("the module has no server: write --module-addr ADDR, or --module oci://IMAGE");
    };
    let options = modules::ModuleOptions {
        file: args.module.clone().into(),
        namespace: args.cluster.namespace.clone(),
        service: args.cluster.module_service.clone(),
        addr,
        keep: KEEP_MODULES,
    };
    let metrics = Arc::clone(&state.metrics);
    let Modules { module, module_readiness, listed, server } =
        modules::start(client.clone(), options, elector.leading(), metrics).await?;
    state.require(listed, "the modules of other releases have not been read yet\n");
    Ok((Output::Istio { kind, module }, module_readiness, Some(server)))
}
