//! A host dies at every named place, is stopped and killed at random moments, and afterwards nothing is missing, stale or
//! doubled, and no promise was broken on the way. Every case runs on both footings; the long form is `cargo xtask chaos`.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use syncline::domain::ObjectId;
use syncline_tests::chaos::checker::Checker;
use syncline_tests::chaos::fetches::wasted;
use syncline_tests::chaos::history::Recorder;
use syncline_tests::chaos::storm::{StormOptions, storm};
use syncline_tests::chaos::{self, invariants, places};
use syncline_tests::fakes::faults::{Fault, Knobs, Trouble};
use syncline_tests::fakes::{self, Tenant, schema::Provider};
use syncline_tests::on_both_footings;
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::host::Host;
use syncline_tests::rig::{Rig, RigOptions, THROTTLE};

/// Places at which a host dies a second time, later in its life: those where something has just begun or ended.
const AGAIN: [&str; 10] = [
    "claim a run/after",
    "delete bells/before",
    "delete jobs/before",
    "dispatch/after",
    "commit a page/before",
    "commit a page/after",
    "fetch/after",
    "finish a run/before",
    "land/before",
    "land/after",
];

/// The places of a token's renewal, in the order in which one tenant after the other may lose a host there: who dies with
/// the right to renew keeps it for a minute.
const TOKENS: [&str; 4] = [
    "begin a token refresh/before",
    "end a token refresh/after",
    "end a token refresh/before",
    "begin a token refresh/after",
];

fn options(backend: Backend) -> RigOptions {
    RigOptions {
        backend,
        fakes: fakes::Options {
            seed: 11,
            tenants: vec![Tenant::named("acme"), Tenant::named("globex")],
            records_per_object: 110,
            knobs: Knobs { index_lag_ms: 300, late_commit_ms: 200, ..Knobs::default() },
            change_every_ms: Some(100),
            ..fakes::Options::default()
        },
        objects: vec!["contacts", "deals"],
        connectors: vec!["hubspot"],
        interval: Duration::from_secs(1),
        lease: Duration::from_millis(1_500),
        // Every page ends a slice: runs are given back all the time.
        slice_pages: 1,
        ..RigOptions::default()
    }
}

/// Makes everything due, and lets go wrong what a place needs in order to be passed.
async fn stir(rig: &Rig, place: &str) {
    if place.contains("token") {
        rig.fakes.expire_tokens();
    }
    if place.contains("pause") {
        // Only one integration, because it stands still for that long.
        let trouble = Trouble::Status { status: 429, retry_after: Some(4), html: false };
        let tenant = Some("globex".to_owned());
        rig.fakes.inject(Fault { provider: Some(Provider::HubSpot), tenant, ..Fault::new(trouble, 1) });
    }
    if place.contains("renew") {
        // Longer than a heartbeat.
        rig.fakes.inject(Fault::new(Trouble::Timeout { ms: 900 }, 2));
    }
    let all: Vec<ObjectId> = rig.objects().await.unwrap().iter().map(|object| ObjectId(object.id)).collect();
    rig.store.trigger(&all, Duration::ZERO, true).await.unwrap();
}

/// What a host has to do in order to pass a place: a run is only sent again when nobody is there to claim it.
fn roles(place: &str) -> &'static str {
    if place.contains("unclaimed") { "scheduler" } else { "" }
}

fn start(rig: &Rig, roles: &str, more: &[(&str, String)]) -> Host {
    chaos::host(rig, "victim", roles, more).unwrap()
}

fn passed(file: &Path) -> BTreeSet<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Runs a host that dies in the middle of its work, so that there are leases to take back.
async fn leave_leases(rig: &Rig) {
    let host = start(rig, "", &[]);
    rig.wait("work in progress", soon(), async || Ok(rig.objects().await?.iter().any(|o| o.lease_owner.is_some())))
        .await
        .unwrap();
    host.kill().unwrap();
}

/// Runs a host until it has passed every place there should be.
async fn learn(rig: &Rig, expected: &[&str]) {
    let file = rig.dir().join("points");
    leave_leases(rig).await;
    let notes = [("SYNCLINE_POINTS_FILE", file.display().to_string())];
    let alone = start(rig, roles("unclaimed"), &notes);
    stir(rig, "").await;
    rig.wait("runs to be sent again", soon(), async || {
        Ok(passed(&file).iter().any(|place| place.contains("unclaimed")))
    })
    .await
    .unwrap();
    alone.drain(Duration::from_secs(15)).unwrap();
    let host = start(rig, "", &notes);
    let missing = || {
        let passed = passed(&file);
        expected.iter().copied().filter(|place| !passed.contains(*place)).collect::<Vec<_>>()
    };
    let deadline = soon();
    let mut stirred = Instant::now();
    stir(rig, "token, pause, renew").await;
    while !missing().is_empty() {
        assert!(Instant::now() < deadline, "no host passed {:?}", missing());
        if stirred.elapsed() > Duration::from_secs(2) {
            stirred = Instant::now();
            stir(rig, &missing().join(" ")).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    host.drain(Duration::from_secs(15)).unwrap();
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Runs a host until it has died at a place.
async fn die_at(rig: &Rig, place: &str, passing: u32) {
    stir(rig, place).await;
    if place.contains("reclaim") {
        leave_leases(rig).await;
    }
    let mut host = start(rig, roles(place), &[("SYNCLINE_CRASH_AT", format!("{place}#{passing}"))]);
    let deadline = soon();
    let mut stirred = Instant::now();
    loop {
        if let Some(status) = host.ended().unwrap() {
            assert!(status.code().is_none(), "at {place}: ended with {status}:\n{}", host.log());
            break;
        }
        assert!(Instant::now() < deadline, "no host passed {place} {passing} times:\n{}", host.log());
        if stirred.elapsed() > Duration::from_secs(2) {
            stirred = Instant::now();
            stir(rig, place).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let broken = invariants::broken(rig).await.unwrap();
    assert!(broken.is_empty(), "after a death at {place}: {broken:?}");
}

/// Lets a host finish and compares; then lets the history speak.
async fn assert_all_well(rig: &Rig, recorder: &Recorder) {
    rig.fakes.clear_faults();
    let host = start(rig, "", &[]);
    rig.settle(Duration::from_secs(150)).await.unwrap();
    host.drain(Duration::from_secs(30)).unwrap();
    let found = rig.compare().await.unwrap();
    assert!(found.present > 0 && found.is_clean(), "{found:#?}");
    let mut checker = Checker::new(THROTTLE);
    checker.read(&recorder.take().await.unwrap());
    assert!(checker.events() > 500, "the history is empty");
    assert_eq!(checker.verdict(), Vec::<String>::new());
    let wasted = wasted(rig, &checker).unwrap();
    assert!(wasted.cut > 0, "no claim was cut: nobody died in the middle of anything");
    assert_eq!(wasted.violations, Vec::<String>::new());
}

async fn a_death_at_any_named_place_loses_nothing(backend: Backend) {
    let mut options = options(backend);
    options.objects = Vec::new();
    options.connectors = vec!["hubspot", "salesforce"];
    let rig = Rig::start(&options).await.unwrap();
    let recorder = Recorder::install(rig.store_url()).await.unwrap();
    let expected = places::places(backend);
    learn(&rig, &expected).await;
    for place in TOKENS {
        die_at(&rig, place, 1).await;
    }
    for place in expected.iter().filter(|place| !TOKENS.contains(*place)) {
        die_at(&rig, place, 1).await;
    }
    for place in AGAIN {
        die_at(&rig, place, 3).await;
    }
    assert_all_well(&rig, &recorder).await;
}

async fn kills_and_stops_at_any_moment_lose_nothing(backend: Backend) {
    let options = StormOptions { backend, seed: 3, kills: 12, time: Duration::from_secs(60) };
    let found = storm(&options, |_| {}).await.unwrap();
    assert!(found.kills >= 12 && found.rounds > 0 && found.claims_cut > 0, "there was no storm: {found:#?}");
    assert!(found.is_clean(), "{found:#?}");
}

on_both_footings! {
    a_death_at_any_named_place_loses_nothing,
    kills_and_stops_at_any_moment_lose_nothing,
}
