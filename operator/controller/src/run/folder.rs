//! Wiring of a folder: its policies, the folder of resource files, and the state between them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use corsward_operator_core::event::Event;
use corsward_operator_core::index::Index;
use corsward_operator_core::state::State;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::{WAITING, serve_admin};
use crate::admin::{Access, AdminState};
use crate::args::RunArgs;
use crate::executor::{Executor, ExecutorDeps};
use crate::last_good::StateFile;
use crate::publish::Publisher as _;
use crate::publish::folder::FolderPublisher;
use crate::source::dir;
use crate::source::folder::Folder;

/// Runs until told to stop: the policies of the folder `policies`, published into the folder `out`.
///
/// # Errors
///
/// Fails if a required part is missing at the start, or all watches of the policies have ended.
pub(super) async fn run(
    args: &RunArgs,
    policies: &Path,
    out: &Path,
    stop: oneshot::Receiver<()>,
) -> Result<()> {
    let admin_state = Arc::new(AdminState::default());
    let publisher = publisher(args, out, &admin_state)?;
    // What was published before the start may hold specs that no state names.
    let may_hold_policies = publisher.may_hold_policies();
    let state = args.state.clone().unwrap_or_else(|| out.join("corsward.state.json"));
    let mut state_file = StateFile::new(state);
    let mut index = Index::new(publisher.capabilities().reach);
    if args.off {
        index.stop();
    }
    let state = restore(&state_file, &mut index);
    let (requester, requests) = channel(WAITING);
    let admin = serve_admin(args.admin, &admin_state, requester, Access::Anybody).await?;
    state_file.is_lost = state.is_none() && may_hold_policies;
    let events = watch(policies.to_owned(), &state.unwrap_or_default())?;
    let deps = ExecutorDeps {
        publisher: Box::new(publisher),
        last_good: Box::new(state_file),
        object_events: None,
        admin_state,
    };
    let executor = Executor::new(index, deps);
    let ended = tokio::select! {
        // Told to stop when the source ends, it was told to stop.
        biased;
        _ = stop => Ok(()),
        ended = executor.run(events, requests) => Err(ended),
    };
    admin.stop().await;
    Ok(ended?)
}

fn publisher(args: &RunArgs, dir: &Path, admin_state: &AdminState) -> Result<FolderPublisher> {
    std::fs::create_dir_all(dir).with_context(|| format!("no folder {}", dir.display()))?;
    let module = args.envoy_module();
    if !Path::new(&module.path).exists() {
        warn!(
            module = module.path,
            "the module does not exist here: Envoy must find it at this path, or set --module"
        );
    }
    let metrics = Arc::clone(&admin_state.metrics);
    Ok(FolderPublisher::new(dir.to_owned(), module, metrics))
}

/// Puts back what was in force before a restart; `None`: that is not known.
fn restore(file: &StateFile, index: &mut Index) -> Option<State> {
    let state = file.restore()?;
    for policy in state.restore(index) {
        warn!(%policy, "cannot read the spec that was in force");
    }
    Some(state)
}

fn watch(dir: PathBuf, state: &State) -> Result<Receiver<Vec<Event>>> {
    let (sender, receiver) = channel(WAITING);
    let shown = dir.display().to_string();
    dir::watch(dir, Folder::remembering(state.owners(), state.guardrails.clone()), sender)
        .with_context(|| {
            format!("cannot watch the folder {shown}: make it first; it may be empty, and policies that come later count")
        })?;
    info!(dir = shown, "watching");
    Ok(receiver)
}
