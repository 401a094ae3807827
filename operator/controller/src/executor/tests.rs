//! Tests of the executor.

use corsward_operator_core::capabilities::Reach;
use corsward_policy::validate::NoKnowledge;

use super::*;
use crate::last_good::FileMemory;
use crate::publish::file::File;
use crate::publish::folder::FolderPublisher;
use crate::state_file::StateFile;

fn executor(dir: &std::path::Path) -> Executor {
    let file = File::new(dir.to_owned(), "filter.wasm".to_owned());
    let state_file = StateFile::new(dir.join("state.json"));
    let admin_state = Arc::<AdminState>::default();
    let metrics = Arc::clone(&admin_state.metrics);
    let deps = ExecutorDeps {
        publisher: Box::new(FolderPublisher::new(file, metrics)),
        last_good: Box::new(FileMemory::new(state_file, false)),
        object_events: None,
        admin_state,
    };
    Executor::new(Index::new(Arc::new(NoKnowledge), Reach::One), deps)
}

#[test]
fn a_source_that_ends_is_an_error_and_a_stop_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = |told_to_stop: bool| {
        let executor = executor(dir.path());
        let (_, events) = tokio::sync::mpsc::channel(1);
        let (_reporter, reports) = tokio::sync::mpsc::channel(1);
        let (_check_sender, admission_checks) = tokio::sync::mpsc::channel(1);
        let requests = Requests { reports, admission_checks };
        let (sender, mut stop) = oneshot::channel();
        if told_to_stop {
            sender.send(()).unwrap();
            return runtime.block_on(executor.run(events, requests, &mut stop)).is_ok();
        }
        let ended = runtime.block_on(executor.run(events, requests, &mut stop));
        drop(sender);
        ended.is_ok()
    };
    assert!(!run(false));
    for _ in 0..16 {
        assert!(run(true), "though the source ends too");
    }
}
