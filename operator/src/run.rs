//! Wiring: one function for each subsystem, each returning what it owns. They run until told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::admin::{self, Board};
use crate::args::{PublishArg, RunArgs, SourceArg};
use crate::index::Index;
use crate::judge::FullJudge;
use crate::operator::{Memory, Operator};
use crate::publish::Publisher;
use crate::publish::file::File;
use crate::source::{Event, dir};
use crate::state::{State, StateFile};

/// Batches that may wait for the loop; the source waits when there are more.
const WAITING: usize = 16;

/// Watches, judges and publishes until told to stop.
///
/// # Errors
///
/// Where something needed is missing at the start, or nobody watches the policies any more.
pub async fn run(args: RunArgs) -> Result<()> {
    let mut stop = stop_signal()?;
    let (state_file, publisher) = publisher(&args)?;
    let mut index = Index::new(Arc::new(FullJudge));
    let state = restore(&state_file, &mut index);
    let board = Arc::new(Board::default());
    let (admin, stop_admin) = serve_admin(args.admin, &board).await?;
    let memory = if state.is_some() { Memory::Known } else { Memory::Lost };
    let events = watch(&args.source, &state.unwrap_or_default())?;
    let operator = Operator::new(index, publisher, state_file, board, memory);
    let ended = operator.run(events, &mut stop).await;
    let _ = stop_admin.send(());
    admin.await.context("the admin server stops")?;
    ended?;
    info!("stopped");
    Ok(())
}

fn publisher(args: &RunArgs) -> Result<(StateFile, Publisher)> {
    let PublishArg::File(dir) = &args.publish;
    std::fs::create_dir_all(dir).with_context(|| format!("no folder {}", dir.display()))?;
    if !Path::new(&args.module).exists() {
        let module = &args.module;
        warn!(module, "there is no such module here: Envoy must find it there, or set --module");
    }
    let state = args.state.clone().unwrap_or_else(|| dir.join("corsward.state.json"));
    let file = File::new(dir.clone(), args.module.clone());
    Ok((StateFile::new(state), Publisher::File(file)))
}

/// Puts back what was in force before a restart; `None`: that is not known.
fn restore(file: &StateFile, index: &mut Index) -> Option<State> {
    let state = load(file)?;
    for policy in state.clone().restore(index) {
        warn!(%policy, "was in force, and this release refuses what it said then");
    }
    Some(state)
}

fn load(file: &StateFile) -> Option<State> {
    let path = file.path().display();
    let loaded = file.load();
    if let Ok(Some(state)) = loaded {
        return Some(state);
    }
    let copy = file.load_copy().ok().flatten();
    match (&copy, loaded) {
        (Some(_), Ok(_)) => warn!(%path, "the state file is gone: its copy counts"),
        (Some(_), Err(error)) => warn!(%path, %error, "the state file's copy counts"),
        (None, Err(error)) => {
            warn!(%path, %error, "starting without a memory of what was in force");
        }
        // A first start.
        (None, Ok(_)) => {}
    }
    copy
}

async fn serve_admin(
    addr: SocketAddr,
    board: &Arc<Board>,
) -> Result<(JoinHandle<()>, oneshot::Sender<()>)> {
    let listener = TcpListener::bind(addr).await.with_context(|| {
        format!("cannot serve the admin address {addr}: choose another by --admin")
    })?;
    let addr = listener.local_addr()?;
    info!(%addr, "admin address");
    let router = admin::router(Arc::clone(board));
    let (stop, stopped) = oneshot::channel();
    let serve = axum::serve(listener, router).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let task = tokio::spawn(async move {
        if let Err(error) = serve.await {
            error!(%error, "the admin address is no longer served");
        }
    });
    Ok((task, stop))
}

fn watch(source: &SourceArg, state: &State) -> Result<Receiver<Vec<Event>>> {
    let (sender, receiver) = channel(WAITING);
    let SourceArg::Dir(dir) = source;
    dir::watch(dir.clone(), state.owners(), sender)
        .with_context(|| format!("cannot watch the folder {}", dir.display()))?;
    info!(dir = %dir.display(), "watching");
    Ok(receiver)
}

fn stop_signal() -> Result<oneshot::Receiver<()>> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let _ = sender.send(());
    });
    Ok(receiver)
}
