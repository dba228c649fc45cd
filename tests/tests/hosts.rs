//! Three hosts under load: one is killed, one stopped for longer than its leases, one rolled. Nobody does what another
//! does, what the dead one left is taken over in time, and who drains leaves nothing to be done again.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::time::{Duration, Instant};

use syncline::store::admin::ObjectRow;
use syncline_tests::chaos::checker::{Checker, Claim, End};
use syncline_tests::chaos::fetches::wasted;
use syncline_tests::chaos::history::Recorder;
use syncline_tests::chaos::{self, invariants};
use syncline_tests::fakes::{self, Tenant, faults::Knobs};
use syncline_tests::on_both_footings;
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::host::Host;
use syncline_tests::rig::{Rig, RigOptions, SWEEP, THROTTLE};

/// A host that cannot renew its leases for two thirds of this gives up what it does under them and leaves them to the sweep: it
/// must be longer than a busy machine's disk may take.
const LEASE: Duration = Duration::from_secs(6);

/// What the promise leaves for everything but the lease and the sweep.
const MARGIN: Duration = Duration::from_secs(5);

fn busy(backend: Backend) -> RigOptions {
    RigOptions {
        backend,
        fakes: fakes::Options {
            seed: 5,
            tenants: vec![Tenant::named("acme"), Tenant::named("globex")],
            records_per_object: 400,
            ties: 40,
            // A page takes its time, so that hosts are in the middle of one most of theirs.
            knobs: Knobs { latency_ms: 120, index_lag_ms: 500, late_commit_ms: 300, ..Knobs::default() },
            change_every_ms: Some(50),
            rotate_refresh_tokens: true,
            ..fakes::Options::default()
        },
        interval: Duration::from_secs(1),
        lease: LEASE,
        slice_pages: 3,
        ..RigOptions::default()
    }
}

fn start(rig: &Rig, name: &str) -> Host {
    chaos::host(rig, name, "", &[]).unwrap()
}

/// What a host holds.
async fn held_by(rig: &Rig, host: &str) -> Vec<ObjectRow> {
    let mut objects = rig.objects().await.unwrap();
    objects.retain(|object| object.lease_owner.as_deref() == Some(host));
    objects
}

/// Stops a host while it holds something, and says what that is.
async fn stop_at_work(rig: &Rig, host: &Host, name: &str) -> Vec<ObjectRow> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        rig.wait("the host to work", deadline, async || {
            Ok(rig.objects().await?.iter().any(|object| object.lease_owner.as_deref() == Some(name)))
        })
        .await
        .unwrap();
        rig.freeze(host).await.unwrap();
        let held = held_by(rig, name).await;
        if !held.is_empty() {
            return held;
        }
        host.thaw().unwrap();
    }
}

/// Drains a host within the 30 s that are promised: whatever it held it gives back.
async fn drain(rig: &Rig, (name, host): (&str, Host)) {
    host.drain(Duration::from_secs(30)).unwrap();
    let left = held_by(rig, name).await;
    assert!(left.is_empty(), "{name} was drained and left leases behind: {left:#?}");
}

async fn one_is_killed_one_stopped_one_rolled(backend: Backend) {
    let rig = Rig::start(&busy(backend)).await.unwrap();
    let recorder = Recorder::install(rig.store_url()).await.unwrap();
    let (killed, stopped, rolled) = (start(&rig, "killed"), start(&rig, "stopped"), start(&rig, "rolled"));

    // Stopped before it is killed, so that nobody can say what it held is out of date.
    let left = stop_at_work(&rig, &killed, "killed").await;
    let died_at = rig.store.now_ms().await.unwrap();
    killed.kill().unwrap();
    tokio::time::sleep(LEASE).await;

    let lost = stop_at_work(&rig, &stopped, "stopped").await;
    let deadline = Instant::now() + Duration::from_secs(60);
    rig.wait("the others to take over", deadline, async || {
        let objects = rig.objects().await?;
        Ok(objects.iter().any(|object| lost.iter().any(|was| was.id == object.id && was.epoch < object.epoch)))
    })
    .await
    .unwrap();
    stopped.thaw().unwrap();

    let mut at_work = ("rolled", rolled);
    for replacement in ["second", "third"] {
        let next = start(&rig, replacement);
        // Drained while it is at work, where it can be.
        tokio::time::sleep(Duration::from_secs(2)).await;
        drain(&rig, at_work).await;
        at_work = (replacement, next);
    }
    rig.settle(Duration::from_secs(120)).await.unwrap();
    for host in [("stopped", stopped), at_work] {
        drain(&rig, host).await;
    }

    let found = rig.compare().await.unwrap();
    assert!(found.present > 0 && found.is_clean(), "{found:#?}");
    assert_eq!(invariants::broken(&rig).await.unwrap(), Vec::<&str>::new());
    let mut checker = Checker::new(THROTTLE);
    checker.read(&recorder.take().await.unwrap());
    assert_eq!(checker.verdict(), Vec::<String>::new());

    let promised = i64::try_from((LEASE + SWEEP + MARGIN).as_millis()).unwrap();
    for object in &left {
        let next =
            checker.next_claim(object.id, object.epoch).unwrap_or_else(|| panic!("nobody took over {object:#?}"));
        let after = next.at - died_at;
        assert!(after <= promised, "{} was taken over {after} ms after its host had died: {next:?}", object.object);
    }
    let claim = |object: &ObjectRow| -> &Claim { &checker.claims()[&(object.id, object.epoch)] };
    assert!(lost.iter().any(|object| claim(object).end == Some(End::Reclaimed)), "nobody missed the stopped host");

    let wasted = wasted(&rig, &checker).unwrap();
    let needless = [wasted.violations, wasted.given_up].concat();
    assert_eq!(needless, Vec::<String>::new(), "a page was fetched again without need");
    let cut = |name: &str| {
        checker.claims().values().filter(|claim| claim.owner == name && claim.end == Some(End::Reclaimed)).count()
    };
    assert!(cut("killed") > 0);
    assert_eq!(["rolled", "second", "third"].map(cut), [0, 0, 0], "a drained host left a lease behind");
    let unhappy =
        rig.count("SELECT COUNT(*) FROM runs WHERE state NOT IN ('succeeded', 'dispatched', 'running')").await;
    assert_eq!(unhappy.unwrap(), 0, "a death, a stop or a drain is no failure of a run");
}

on_both_footings! {
    one_is_killed_one_stopped_one_rolled,
}
