//! Choice: the kind of Istio's objects that `Auto` means, asked of the cluster.

use std::time::Duration;

use corsward_operator_core::publish::istio::IstioKind;
use corsward_operator_core::publish::istiod::{
    ALIVE, GROUP, Istiod, KindChoice, PLURAL, SELECTOR, decide,
};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::error_log::{ErrorLog, News};
use crate::kubernetes;

/// Interval of checks of the cluster.
const RESYNC_INTERVAL: Duration = Duration::from_secs(15);
/// Interval of retries at the start.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Asks the cluster until it answers.
pub async fn at_start(client: &Client) -> IstioKind {
    let KindChoice { kind, why } = wait_for(client, RETRY_INTERVAL, |_| true).await;
    info!(?kind, why, "chose the kind of Istio's objects");
    kind
}

/// Returns once the cluster calls for a kind other than `kind`. An API server that does not answer changes nothing.
pub async fn changed(client: &Client, kind: IstioKind) {
    // The start has just asked.
    sleep(RESYNC_INTERVAL).await;
    let KindChoice { kind: after, why } =
        wait_for(client, RESYNC_INTERVAL, |choice| choice != kind).await;
    info!(
        before = ?kind,
        ?after,
        why,
        "the kind of Istio's objects changes: the operator stops, and writes the new kind after its restart"
    );
}

/// Asks the cluster at each `interval`, until it chooses a kind that is `wanted`.
async fn wait_for(
    client: &Client,
    interval: Duration,
    wanted: impl Fn(IstioKind) -> bool,
) -> KindChoice {
    let mut error_log = ErrorLog::default();
    loop {
        let choice = choose(client).await;
        let error = choice.as_ref().err().map(kubernetes::sentence);
        if let Some(News::Failed(error)) = error_log.news(error) {
            warn!(error, "cannot determine the kind of Istio's objects; tried again");
        }
        match choice {
            Ok(choice) if wanted(choice.kind) => return choice,
            _ => sleep(interval).await,
        }
    }
}

async fn choose(client: &Client) -> kube::Result<KindChoice> {
    let list = kubernetes::found(client.list_api_group_resources(GROUP).await)?;
    let mut resources = list.into_iter().flat_map(|list| list.resources);
    let served = resources.any(|resource| resource.name == PLURAL);
    if !served {
        return Ok(decide(served, &[]));
    }
    let params = ListParams::default().labels(SELECTOR).fields(ALIVE);
    let pods = Api::<Pod>::all(client.clone()).list(&params).await?;
    Ok(decide(served, &pods.items.iter().map(Istiod::of).collect::<Vec<_>>()))
}
