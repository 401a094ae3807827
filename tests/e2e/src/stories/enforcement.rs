//! The promise of the product: a policy is applied, and sidecars keep it.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::cluster::Cluster;
use crate::door::header;
use crate::story::Story;
use crate::until::until;
use crate::workload::Workload;

const ALLOW_ORIGIN: &str = "access-control-allow-origin";

pub(crate) const STORIES: &[Story] = &[Story::new(
    "a policy that is applied is kept by the sidecars it selects",
    a_policy_that_is_applied_is_kept,
)];

fn a_policy_that_is_applied_is_kept(cluster: &Cluster) -> Result<()> {
    let place = cluster.meshed("enforcement")?;
    place.run(&Workload::echo("api"))?;
    let (door, host) = (cluster.door(), place.host("api"));
    let before = door.get(&host, "/", Some("https://shop.example"))?;
    ensure!(header(&before, ALLOW_ORIGIN)?.is_none(), "without a policy: {before:?}");

    let begun = Instant::now();
    place.policy(
        "api",
        &json!({
            "selector": { "matchLabels": { "app": "api" } },
            "cors": { "allowOrigins": ["https://shop.example"], "allowMethods": ["PUT"] },
        }),
    )?;
    until("the policy's effect", || {
        let answer = door.get(&host, "/", Some("https://shop.example"))?;
        Ok(header(&answer, ALLOW_ORIGIN)?.filter(|origin| origin == "https://shop.example"))
    })?;
    cluster.figure(
        "kubectl apply to effect, the module's first fetch included",
        format!("{:.2} s", begun.elapsed().as_secs_f64()),
    );

    let preflight = door.preflight(&host, "/", "https://shop.example", "PUT", "")?;
    ensure!(preflight.status == 204, "{preflight:?}");
    let stranger = door.get(&host, "/", Some("https://stranger.example"))?;
    ensure!(header(&stranger, ALLOW_ORIGIN)?.is_none(), "a stranger: {stranger:?}");
    Ok(())
}
