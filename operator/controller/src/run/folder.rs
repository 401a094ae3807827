//! Wiring of a folder: its policies, the folder of resource files, and the state between them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use corsward_manifest::knowledge::FullKnowledge;
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
use crate::last_good::FileMemory;
use crate::publish::Publisher as _;
use crate::publish::file::File;
use crate::publish::folder::FolderPublisher;
use crate::source::dir;
use crate::source::folder::Folder;
use crate::state_file::StateFile;

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
    let (state_file, file) = publisher(args, out)?;
    // What was published before the start may hold specs that no state names.
    let may_hold_policies = file.may_hold_policies();
    let admin_state = Arc::new(AdminState::default());
    let publisher = FolderPublisher::new(file, Arc::clone(&admin_state.metrics));
    let mut index = Index::new(Arc::new(FullKnowledge), publisher.capabilities().reach);
    if args.off {
        index.stop();
    }
    let state = restore(&state_file, &mut index);
    let (requester, requests) = channel(WAITING);
    let admin = serve_admin(args.admin, &admin_state, requester, Access::Anybody).await?;
    let is_lost = state.is_none() && may_hold_policies;
    let events = watch(policies.to_owned(), &state.unwrap_or_default())?;
    let deps = ExecutorDeps {
        publisher: Box::new(publisher),
        last_good: Box::new(FileMemory::new(state_file, is_lost)),
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

fn publisher(args: &RunArgs, dir: &Path) -> Result<(StateFile, File)> {
    std::fs::create_dir_all(dir).with_context(|| format!("no folder {}", dir.display()))?;
    if !Path::new(&args.module).exists() {
        let module = &args.module;
        warn!(
            module,
            "the module does not exist here: Envoy must find it at this path, or set --module"
        );
    }
    let state = args.state.clone().unwrap_or_else(|| dir.join("corsward.state.json"));
    let file = File::new(dir.to_owned(), args.module.clone());
    Ok((StateFile::new(state), file))
}

/// Puts back what was in force before a restart; `None`: that is not known.
fn restore(file: &StateFile, index: &mut Index) -> Option<State> {
    let state = load(file)?;
    for policy in state.clone().restore(index) {
        warn!(%policy, "cannot read the spec that was in force");
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
        (Some(_), Ok(_)) => warn!(%path, "the state file is gone: read its copy"),
        (Some(_), Err(error)) => warn!(%path, %error, "cannot read the state file: read its copy"),
        (None, Err(error)) => {
            warn!(%path, %error, "starting without the configuration that was in force");
        }
        // A first start.
        (None, Ok(_)) => {}
    }
    copy
}

fn watch(dir: PathBuf, state: &State) -> Result<Receiver<Vec<Event>>> {
    let (sender, receiver) = channel(WAITING);
    let shown = dir.display().to_string();
    dir::watch(dir, Folder::remembering(state.owners(), state.guardrails()), sender)
        .with_context(|| {
            format!("cannot watch the folder {shown}: make it first; it may be empty, and policies that come later count")
        })?;
    info!(dir = shown, "watching");
    Ok(receiver)
}
