//! Tests of the executor.

use corsward_operator_core::capabilities::Reach;
use corsward_operator_core::publish::ecds::{EnvoyModule, Shell};
use corsward_operator_core::resource_ref::{ResourceKind, ResourceRef};

use super::*;
use crate::last_good::StateFile;
use crate::publish::folder::FolderPublisher;

fn executor(dir: &std::path::Path) -> Executor {
    let admin_state = Arc::<AdminState>::default();
    let metrics = Arc::clone(&admin_state.metrics);
    let deps = ExecutorDeps {
        publisher: Box::new(FolderPublisher::new(
            dir.to_owned(),
            EnvoyModule::new(Shell::Wasm, "filter.wasm"),
            metrics,
        )),
        last_good: Box::new(StateFile::new(dir.join("state.json"))),
        object_events: None,
        admin_state,
    };
    Executor::new(Index::new(Reach::One), deps)
}

#[tokio::test]
async fn a_source_that_ends_ends_the_executor() {
    let dir = tempfile::tempdir().unwrap();
    let (_, events) = tokio::sync::mpsc::channel(1);
    let (_requester, requests) = tokio::sync::mpsc::channel(1);
    let SourceEnded = executor(dir.path()).run(events, requests).await;
}

#[tokio::test]
async fn an_event_for_which_there_is_no_room_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let mut executor = executor(dir.path());
    let (sender, mut heard) = tokio::sync::mpsc::channel(1);
    executor.deps.object_events = Some(sender);
    let record = |reason: &str| {
        Command::RecordEvent(ObjectEvent {
            resource: ResourceRef {
                kind: ResourceKind::CorsPolicy,
                namespace: Some("shop".into()),
                name: "api".into(),
                uid: "u".into(),
            },
            warning: false,
            reason: reason.into(),
            action: "Validate".into(),
            note: String::new(),
        })
    };
    assert_eq!(executor.execute(vec![record("First"), record("Second")]), []);
    drop(executor);
    assert_eq!(heard.recv().await.map(|event| event.reason), Some("First".into()));
    assert_eq!(heard.recv().await, None);
}
