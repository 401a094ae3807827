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

#[tokio::test]
async fn a_source_that_ends_ends_the_executor() {
    let dir = tempfile::tempdir().unwrap();
    let (_, events) = tokio::sync::mpsc::channel(1);
    let (_requester, requests) = tokio::sync::mpsc::channel(1);
    let SourceEnded = executor(dir.path()).run(events, requests).await;
}
