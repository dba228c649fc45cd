//! The host itself has a fault: a task panics at every kind of work. The process lives, nothing stands still for good, and
//! afterwards nothing is missing, stale or doubled.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::time::{Duration, Instant};

use syncline::domain::ObjectId;
use syncline_tests::chaos::{self, invariants};
use syncline_tests::fakes::faults::{Fault, Knobs, Trouble};
use syncline_tests::fakes::{self, Tenant};
use syncline_tests::on_both_footings;
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};

/// Where one host panics, all in one life.
const PLACES: [&str; 27] = [
    // The retriever: what it receives, claims, and gives away.
    "receive jobs/after",
    "claim a run/before",
    "claim a run/after",
    "delete jobs/before",
    "renew leases/before",
    // A run, and how its ending is written.
    "note the connector/before",
    "begin a token refresh/before",
    "fetch/before",
    "fetch/after",
    "commit a page/before",
    "commit a page/after",
    "finish a run/before",
    "finish a run/after",
    "give a run back/before",
    "give a run back/after",
    // The scheduler.
    "apply intervals/before",
    "dispatch/before",
    "dispatch/after",
    "ring again for unclaimed runs/before",
    "forget what is over/before",
    // The queue.
    "take from the outbox/before",
    "delete from the outbox/before",
    // The processor.
    "receive bells/after",
    "land/before",
    "land/after",
    "delete bells/before",
    "delete bells/after",
];

/// The relay's own.
const OUTSIDE: [&str; 2] = ["send/before", "send/after"];

fn places(backend: Backend) -> Vec<&'static str> {
    let outside = if backend == Backend::PostgresSqs { &OUTSIDE[..] } else { &[] };
    [&PLACES, outside].concat()
}

fn options(backend: Backend) -> RigOptions {
    RigOptions {
        backend,
        fakes: fakes::Options {
            seed: 17,
            tenants: vec![Tenant::named("acme")],
            records_per_object: 110,
            knobs: Knobs { index_lag_ms: 300, late_commit_ms: 200, ..Knobs::default() },
            change_every_ms: Some(100),
            ..fakes::Options::default()
        },
        interval: Duration::from_secs(1),
        lease: Duration::from_millis(1_500),
        // Every page ends a slice: runs are given back all the time.
        slice_pages: 1,
        ..RigOptions::default()
    }
}

async fn a_panic_at_any_kind_of_work_costs_that_work_and_never_the_host(backend: Backend) {
    let rig = Rig::start(&options(backend)).await.unwrap();
    let places = places(backend);
    let mut host = chaos::host(&rig, "only", "", &[("SYNCLINE_PANIC_AT", places.join(","))]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let log = host.log();
        let left: Vec<_> = places.iter().filter(|place| !log.contains(&format!("asked to panic at {place}"))).collect();
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "nobody passed {left:?}:\n{log}");
        if left.iter().any(|place| place.contains("token")) {
            rig.fakes.expire_tokens();
        }
        if left.iter().any(|place| place.contains("renew")) {
            // Longer than a heartbeat.
            rig.fakes.inject(Fault::new(Trouble::Timeout { ms: 900 }, 1));
        }
        let all: Vec<ObjectId> = rig.objects().await.unwrap().iter().map(|object| ObjectId(object.id)).collect();
        rig.store.trigger(&all, Duration::ZERO, true).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(host.is_running().unwrap(), "{}", host.log());
    }
    rig.fakes.clear_faults();
    // The very process that had all those faults brings everything home.
    rig.settle(Duration::from_secs(90)).await.unwrap();
    assert!(host.is_running().unwrap(), "{}", host.log());
    let found = rig.compare().await.unwrap();
    assert!(found.present > 0 && found.is_clean(), "{found:#?}");
    assert_eq!(invariants::broken(&rig).await.unwrap(), Vec::<&str>::new());
    let internal = "SELECT COUNT(*) FROM runs WHERE state IN ('failed', 'partial') AND error_class = 'internal'";
    assert!(rig.count(internal).await.unwrap() > 0, "no run says that the host was at fault");
    let log = host.log();
    for part in ["run", "end of a run", "claim", "heartbeat", "retriever", "scheduler", "landing"] {
        assert!(log.contains(&format!("\"code\":\"panic\",\"part\":\"{part}\"")), "no panic of {part} is told:\n{log}");
    }
    assert!(log.contains("\"code\":\"part-begins-again\",\"part\":\"scheduler\""), "{log}");
    host.drain(Duration::from_secs(15)).unwrap();
}

on_both_footings! {
    a_panic_at_any_kind_of_work_costs_that_work_and_never_the_host,
}
