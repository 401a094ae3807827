//! Run: one function for each subsystem, each returning what it owns. They run until told to stop.

mod cluster;
mod folder;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use corsward_operator_core::filter_module;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;
use tracing::info;

use crate::admin::{self, Access, AdminState};
use crate::args::{PublishArg, RunArgs, SourceArg};
use crate::request::Request;
use crate::server::{Limits, Server};

/// Batches that may wait for the loop; the source waits when there are more.
const WAITING: usize = 16;

/// Watches, judges and publishes until told to stop.
///
/// # Errors
///
/// Fails if a required part is missing at the start, or all watches of the policies have ended.
pub async fn run(args: &RunArgs) -> Result<()> {
    let [stop, at_once] = stop_signals()?;
    tokio::select! {
        ended = run_until(args, stop) => ended?,
        _ = at_once => {}
    }
    info!("stopped");
    Ok(())
}

async fn run_until(args: &RunArgs, stop: oneshot::Receiver<()>) -> Result<()> {
    if args.publish != PublishArg::Istio {
        filter_module::path(args.module.as_deref().unwrap_or_default()).context("--module")?;
    }
    match (&args.source, &args.publish) {
        (SourceArg::Dir(policies), PublishArg::File(out)) => {
            folder::run(args, policies, out, stop).await?;
        }
        (SourceArg::Kube, PublishArg::Istio | PublishArg::ConfigMap) => {
            cluster::run(args, stop).await?;
        }
        (SourceArg::Dir(_), _) => {
            bail!("a folder's policies go into a folder: write --publish file:DIR")
        }
        (SourceArg::Kube, _) => {
            bail!("a cluster's policies go into it: write --publish istio, or --publish configmap");
        }
    }
    Ok(())
}

/// Serves the admin address until told to stop.
async fn serve_admin(
    addr: SocketAddr,
    admin_state: &Arc<AdminState>,
    requests: Sender<Request>,
    access: Access,
) -> Result<Server> {
    let router = admin::router(Arc::clone(admin_state), requests, access);
    let admin = Server::start(addr, None, router, Limits::DEFAULT).await;
    let admin = admin.with_context(|| {
        format!("cannot serve the admin address {addr}: choose another by --admin")
    })?;
    info!(addr = %admin.addr, "admin address");
    Ok(admin)
}

/// The first stop signal, and the second one, from a user who does not want to wait.
fn stop_signals() -> Result<[oneshot::Receiver<()>; 2]> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (first, stop) = oneshot::channel();
    let (second, at_once) = oneshot::channel();
    tokio::spawn(async move {
        for sender in [first, second] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            let _ = sender.send(());
        }
    });
    Ok([stop, at_once])
}
