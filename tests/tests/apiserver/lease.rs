//! One replica writes at a time, despite faults of the Lease, of the API server and of the clocks.

use std::time::Duration;

use corsward_operator::kubernetes;
use corsward_operator::leader::{self, LeaderElector, LeaseOptions};
use corsward_operator_core::event::Event;
use corsward_test_harness::api_server::create_namespace;
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::line::Line;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use xtask::kubernetes::ApiServer;

use crate::harness::runtime;

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/corsward/leases/corsward";

/// One of two replicas.
struct Replica {
    runtime: Runtime,
    line: Line,
    contender: LeaderElector,
    leading: watch::Receiver<bool>,
    events: mpsc::Receiver<Vec<Event>>,
}

impl Replica {
    fn start(server: &ApiServer, identity: &str) -> Self {
        let runtime = runtime();
        let (line, kubeconfig) = Line::to_api_server(server).unwrap();
        let options = LeaseOptions {
            duration: Duration::from_secs(6),
            renew_deadline: Duration::from_secs(4),
            retry: Duration::from_millis(250),
            ..LeaseOptions::new("corsward".to_owned(), "corsward".to_owned(), identity.to_owned())
        };
        let (sender, events) = mpsc::channel(16);
        let contender = runtime.block_on(async {
            let client = kubernetes::client(Some(&kubeconfig)).await.unwrap();
            leader::start_election(client, options, watch::channel(true).1, sender)
        });
        let leading = contender.leading.clone();
        Self { runtime, line, contender, leading, events }
    }

    fn leads(&self) -> bool {
        *self.leading.borrow()
    }

    #[track_caller]
    fn wait_until(&self, leads: bool) {
        eventually("a change of leader", || Ok(self.leads() == leads)).unwrap();
    }

    /// Stops gracefully; says what the loop heard.
    fn stop(self) -> Vec<bool> {
        let Self { runtime, contender, mut events, .. } = self;
        runtime.block_on(contender.release());
        let mut heard = Vec::new();
        while let Some(batch) = events.blocking_recv() {
            for event in batch {
                let Event::Leading(leads) = event else { panic!("{event:?}") };
                heard.push(leads);
            }
        }
        heard
    }
}

/// Waits until one of them leads, and never sees two that do.
#[track_caller]
fn wait_for_one(replicas: [&Replica; 2]) -> usize {
    eventually("one to lead", || {
        let leading = replicas.map(Replica::leads);
        assert_ne!(leading, [true, true], "two lead");
        Ok(leading.iter().position(|leads| *leads))
    })
    .unwrap()
}

fn holder(server: &ApiServer) -> Value {
    server.api().get(LEASE).unwrap().unwrap()["spec"]["holderIdentity"].clone()
}

#[test]
fn one_replica_leads_at_a_time() {
    let mut server = ApiServer::start().unwrap();
    create_namespace(server.api(), "corsward").unwrap();
    let a = Replica::start(&server, "a");
    a.wait_until(true);
    let b = Replica::start(&server, "b");
    assert_eq!(holder(&server), "a");

    // Cut off, a stops by itself before b begins.
    a.line.cut();
    assert_eq!(
        eventually("b to lead", || {
            assert!(!(a.leads() && b.leads()), "two lead");
            Ok(b.leads().then_some("b"))
        })
        .unwrap(),
        "b"
    );
    a.line.mend();

    // Without an API server nobody leads; with it, somebody does again.
    server.kill();
    b.wait_until(false);
    server.restart().unwrap();
    wait_for_one([&a, &b]);

    // A Lease that is deleted is made again. Until both have looked, both may think it theirs: nobody can help that.
    server.api().delete(LEASE).unwrap();
    let made = eventually("the one that made it again to lead alone", || {
        let lease = server.api().get(LEASE)?;
        let holder = lease.map(|lease| lease["spec"]["holderIdentity"].clone());
        let alone = match [a.leads(), b.leads()] {
            [true, false] => "a",
            [false, true] => "b",
            _ => return Ok(None),
        };
        Ok((holder == Some(json!(alone))).then_some(alone))
    })
    .unwrap();
    let (leader, other) = if made == "a" { (a, b) } else { (b, a) };

    // Given back, it is taken at once, and is not lost in between.
    let heard = leader.stop();
    assert_eq!(heard.last(), Some(&false), "the loop hears of the end");
    other.wait_until(true);
    let heard = other.stop();
    assert_eq!(heard.last(), Some(&false));
    assert!(heard.windows(2).all(|pair| pair[0] != pair[1]), "each change once: {heard:?}");
    assert_eq!(holder(&server), "");
}

#[test]
fn a_clock_that_is_wrong_neither_takes_the_lease_nor_keeps_it() {
    let server = ApiServer::start().unwrap();
    create_namespace(server.api(), "corsward").unwrap();
    let leases = "/apis/coordination.k8s.io/v1/namespaces/corsward/leases";
    // Held by a replica that lives in the year 2030, and is dead.
    let lease = json!({
        "metadata": {"name": "corsward"},
        "spec": {
            "holderIdentity": "future", "leaseDurationSeconds": 2,
            "renewTime": "2030-01-01T00:00:00.000000Z", "leaseTransitions": 7,
        },
    });
    server.api().create(leases, &lease).unwrap();
    let a = Replica::start(&server, "a");
    a.wait_until(true);
    let spec = server.api().get(LEASE).unwrap().unwrap()["spec"].clone();
    assert_eq!((&spec["holderIdentity"], &spec["leaseTransitions"]), (&json!("a"), &json!(8)));

    // A replica that lives in 1980, and renews what it has taken by force.
    let past = |second: u32| {
        json!({"spec": {
            "holderIdentity": "past", "leaseDurationSeconds": 10,
            "renewTime": format!("1980-01-01T00:00:{second:02}.000000Z"),
        }})
    };
    server.api().merge(LEASE, &past(0)).unwrap();
    a.wait_until(false);
    for second in 1..30 {
        // As long as it renews, it is left in peace.
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(holder(&server), "past");
        server.api().merge(LEASE, &past(second)).unwrap();
    }
    a.wait_until(true);
    assert_eq!(holder(&server), "a", "when it does not any more, the lease is taken");
    a.stop();
}
