//! A real API server with our definitions, and the operator's watches at the end of a line to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use corsward_operator::kubernetes;
use corsward_operator::metrics::Metrics;
use corsward_operator::source::kube;
use corsward_operator_core::cluster_state::ClusterState;
use corsward_operator_core::event::Event;
use corsward_operator_core::object::Object;
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::line::Line;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use xtask::kubernetes::ApiServer;

/// The knowledge of a controller.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    pub(crate) policies: BTreeMap<String, Object>,
    pub(crate) cluster_state: ClusterState,
    /// The number of events that report complete lists.
    pub(crate) synced: usize,
    /// The number of complete lists of policies.
    pub(crate) lists: usize,
}

/// Running watches.
pub(crate) struct Watching {
    runtime: Runtime,
    batches: mpsc::Receiver<Vec<Event>>,
    task: JoinHandle<()>,
    pub(crate) line: Line,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) picture: Picture,
}

/// The value of a counter in the export; 0 before the first count.
pub(crate) fn counted(metrics: &Metrics, series: &str) -> u64 {
    let text = metrics.encode();
    let mut values = text.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    values.next().map(|value| value.parse().unwrap()).unwrap_or_default()
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

pub(crate) fn policy(name: &str) -> Value {
    json!({
        "apiVersion": "corsward.io/v1alpha1",
        "kind": "CorsPolicy",
        "metadata": {"name": name},
        "spec": {"cors": {"allowOrigins": [format!("https://{name}.example")]}},
    })
}

impl Watching {
    pub(crate) fn start(server: &ApiServer) -> Self {
        let (runtime, metrics) = (runtime(), Arc::<Metrics>::default());
        let (line, kubeconfig) = Line::to_api_server(server).unwrap();
        let (events, batches) = mpsc::channel(4);
        let look_again = Duration::from_millis(500);
        let options = kube::WatchOptions { look_again, ..kube::WatchOptions::default() };
        let counting = Arc::clone(&metrics);
        let task = runtime.spawn(async move {
            let client = kubernetes::client(Some(&kubeconfig)).await.unwrap();
            kube::watch(client, options, counting, events).await;
        });
        Self { runtime, batches, task, line, metrics, picture: Picture::default() }
    }

    /// Waits until `look` sees something in the picture.
    #[track_caller]
    pub(crate) fn wait_for<T>(&mut self, what: &str, look: impl Fn(&Picture) -> Option<T>) -> T {
        let found = eventually(what, || {
            while let Ok(batch) = self.batches.try_recv() {
                self.picture.on(batch);
            }
            look(&self.picture)
        });
        found.unwrap_or_else(|error| panic!("{error}: {:#?}", self.picture))
    }

    #[track_caller]
    pub(crate) fn wait_until_synced(&mut self) {
        self.wait_for("everything to be there", |picture| (picture.synced > 0).then_some(()));
    }

    /// Stops, and says what was still on its way.
    pub(crate) fn stop(mut self) -> Picture {
        self.task.abort();
        while let Some(batch) = self.batches.blocking_recv() {
            self.picture.on(batch);
        }
        let ended = self.runtime.block_on(self.task);
        assert!(ended.is_err_and(|error| error.is_cancelled()), "watches do not end by themselves");
        self.picture
    }
}

impl Picture {
    fn on(&mut self, batch: Vec<Event>) {
        for event in batch {
            match event {
                Event::Apply(object) => {
                    self.policies.insert(object.id.to_string(), *object);
                }
                Event::Delete(id) => {
                    self.policies.remove(&id.to_string());
                }
                Event::Reset(objects) => {
                    self.lists += 1;
                    let objects = objects.into_iter();
                    self.policies = objects.map(|object| (object.id.to_string(), object)).collect();
                }
                Event::ClusterState(change) => {
                    self.cluster_state.on(change);
                }
                Event::Synced => self.synced += 1,
                event => panic!("a source does not say {event:?}"),
            }
        }
    }

    /// The names of the policies.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.policies.keys().map(String::as_str).collect()
    }
}
