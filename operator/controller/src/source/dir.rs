//! `dir:PATH`: a folder of YAML, watched. Notified of changes where the system can, and looking again now and then anyway.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use corsward_manifest::document::{EXTENSIONS, MAX_FILE_LEN};
use corsward_manifest::finding::SourceReason;
use corsward_operator_core::cluster_state::{Change, Delta};
use corsward_operator_core::event::{Event, Problem};
use corsward_policy::Finding;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::{debug, info, warn};

use crate::atomic;
use crate::source::folder::{FileRead, Folder, Snapshot};

/// A change is read when the folder has been quiet for so long: editors write in several steps.
const DEBOUNCE: Duration = Duration::from_millis(30);
/// A folder that is never quiet is read after so long all the same.
const MAX_DEBOUNCE: Duration = Duration::from_millis(500);
/// Delay before a second look at the folder, after a missing file or a changed text; notifications do not shorten it.
const CONFIRM_DELAY: Duration = Duration::from_millis(200);
/// Interval of reads without a notification: network file systems send none.
const RESYNC_INTERVAL: Duration = Duration::from_secs(2);

/// A watched folder.
#[derive(Debug)]
struct Dir {
    path: PathBuf,
    folder: Folder,
    events: tokio::sync::mpsc::Sender<Vec<Event>>,
    sent: Option<Snapshot>,
    /// A watch on the folder that was at `path`, by its device and its inode; a new folder may replace it later.
    watch: Option<([u64; 2], RecommendedWatcher)>,
    wake: Sender<()>,
}

/// Watches `folder` at `path`, until the receiver of `events` is gone.
///
/// # Errors
///
/// Fails if there is no such folder, or no thread to watch it.
pub fn watch(
    path: PathBuf,
    folder: Folder,
    events: tokio::sync::mpsc::Sender<Vec<Event>>,
) -> io::Result<()> {
    fs::read_dir(&path)?;
    let (wake, woken) = channel();
    let dir = Dir { path, folder, events, sent: None, watch: None, wake };
    thread::Builder::new().name("source".to_owned()).spawn(move || dir.run(&woken))?;
    Ok(())
}

/// The files of a folder that may hold policies, by name, as they are now.
///
/// # Errors
///
/// Fails if the folder cannot be listed.
pub fn read(path: &Path) -> io::Result<BTreeMap<String, FileRead>> {
    let mut readings = BTreeMap::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|name| is_policy_file(name)) else { continue };
        let file = path.join(name);
        let reading = match atomic::read(&file, MAX_FILE_LEN) {
            Ok(bytes) => Ok(bytes),
            // A link that leads to no file says nothing of what it said.
            Err(_) if fs::symlink_metadata(&file).is_err() => continue,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let len = fs::metadata(&file).map_or(MAX_FILE_LEN, |metadata| metadata.len());
                Err(SourceReason::TooLarge { len, max: MAX_FILE_LEN })
            }
            Err(error) => Err(SourceReason::Unreadable(error.to_string())),
        };
        readings.insert(name.to_owned(), reading);
    }
    Ok(readings)
}

// === impl Dir ===

impl Dir {
    fn run(mut self, woken: &Receiver<()>) {
        loop {
            self.keep_watching();
            let events = match read(&self.path) {
                Ok(readings) => self.scan(readings),
                Err(error) => self.lost(&error),
            };
            if !events.is_empty() && self.events.blocking_send(events).is_err() {
                return;
            }
            if self.events.is_closed() {
                return;
            }
            if self.sent.is_none() || self.folder.is_unsure() {
                thread::sleep(CONFIRM_DELAY);
                while woken.try_recv().is_ok() {}
            } else {
                wait(woken);
            }
        }
    }

    fn scan(&mut self, readings: BTreeMap<String, FileRead>) -> Vec<Event> {
        let Some(snapshot) = self.folder.look(readings) else { return Vec::new() };
        if self.sent.as_ref() == Some(&snapshot) {
            return Vec::new();
        }
        let before = self.sent.replace(snapshot.clone());
        let Snapshot { objects, origin_sets, guardrails, problems, others, .. } = snapshot;
        let (dir, policies) = (self.path.display(), objects.len());
        if policies == 0 && before.is_none_or(|before| !before.objects.is_empty()) {
            info!(%dir, others, "the folder holds no policy");
        }
        debug!(%dir, policies, others, "folder read");
        // What policies depend on comes before them: none is judged without it.
        vec![
            Event::Problems(problems),
            Event::ClusterState(Change::OriginSet(Delta::Reset(origin_sets))),
            Event::ClusterState(Change::Guardrail(Delta::Reset(guardrails))),
            Event::Reset(objects),
            // A folder is listed whole, each time.
            Event::Synced,
        ]
    }

    /// The folder cannot be listed: its known content stays in force.
    fn lost(&mut self, error: &io::Error) -> Vec<Event> {
        let place = self.path.display().to_string();
        let finding = Finding::new("", SourceReason::Unreadable(error.to_string()));
        let problem = Problem { place, guardrail: None, finding };
        let mut snapshot = self.sent.clone().unwrap_or_default();
        if snapshot.problems.contains(&problem) {
            return Vec::new();
        }
        snapshot.problems.push(problem);
        let problems = snapshot.problems.clone();
        // An empty picture would claim that the folder is empty.
        if self.sent.is_some() {
            self.sent = Some(snapshot);
        }
        vec![Event::Problems(problems)]
    }

    /// A watch is on what was at `path` when it began: a folder made anew, or a link turned elsewhere, needs a new one.
    fn keep_watching(&mut self) {
        let metadata = fs::metadata(&self.path).ok();
        let identity = metadata.map(|metadata| [metadata.dev(), metadata.ino()]);
        if self.watch.as_ref().map(|(identity, _)| *identity) == identity {
            return;
        }
        self.watch = None;
        let Some(identity) = identity else { return };
        match self.begin_watching() {
            Ok(watcher) => self.watch = Some((identity, watcher)),
            Err(error) => {
                warn!(dir = %self.path.display(), %error, "changes are noticed only every {RESYNC_INTERVAL:?}");
            }
        }
    }

    fn begin_watching(&self) -> notify::Result<RecommendedWatcher> {
        let wake = self.wake.clone();
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                // Our own reading is an event too.
                if event
                    .is_ok_and(|event| event.kind.is_access() && !is_closed_after_writing(&event))
                {
                    return;
                }
                let _ = wake.send(());
            })?;
        watcher.watch(&self.path, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    }
}

fn is_closed_after_writing(event: &notify::Event) -> bool {
    use notify::event::{AccessKind, AccessMode, EventKind};
    event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

/// Waits for a change and then for quiet, or for the next look without being told.
fn wait(woken: &Receiver<()>) {
    if woken.recv_timeout(RESYNC_INTERVAL).is_err() {
        return;
    }
    let began = Instant::now();
    while began.elapsed() < MAX_DEBOUNCE && woken.recv_timeout(DEBOUNCE).is_ok() {}
}

fn is_policy_file(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    !name.starts_with('.') && extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}
