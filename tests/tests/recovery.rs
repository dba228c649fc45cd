//! Hosts are killed, stopped, continued and drained; afterwards nothing is missing, stale or doubled. Every case runs on
//! both footings.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::time::{Duration, Instant};

use syncline_tests::chaos::invariants;
use syncline_tests::fakes::{self, Tenant, faults::Knobs};
use syncline_tests::on_both_footings;
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};

/// Two tenants whose data changes all the time.
fn lively(backend: Backend) -> RigOptions {
    RigOptions {
        backend,
        fakes: fakes::Options {
            seed: 7,
            tenants: vec![Tenant::named("acme"), Tenant::named("globex")],
            records_per_object: 150,
            ties: 40,
            knobs: Knobs { index_lag_ms: 800, late_commit_ms: 500, ..Knobs::default() },
            change_every_ms: Some(50),
            rotate_refresh_tokens: true,
            ..fakes::Options::default()
        },
        ..RigOptions::default()
    }
}

/// One object of many small pages, each of which takes its time.
fn slow_pages(backend: Backend, records: u32) -> RigOptions {
    let mut options = RigOptions {
        backend,
        fakes: fakes::Options { records_per_object: records, count_ids: true, ..fakes::Options::default() },
        connectors: vec!["hubspot"],
        objects: vec!["contacts"],
        interval: Duration::from_secs(3_600),
        ..RigOptions::default()
    };
    options.fakes.knobs.latency_ms = 150;
    options
}

async fn assert_clean(rig: &Rig) {
    let found = rig.compare().await.unwrap();
    assert!(found.present > 0 && found.is_clean(), "{found:#?}");
}

async fn assert_history(rig: &Rig) {
    assert_eq!(invariants::broken(rig).await.unwrap(), Vec::<&str>::new());
}

async fn everything_lands_and_keeps_up(backend: Backend) {
    let rig = Rig::start(&lively(backend)).await.unwrap();
    let host = rig.host("only", "").unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    rig.settle(Duration::from_secs(60)).await.unwrap();
    assert_clean(&rig).await;
    assert_history(&rig).await;
    host.drain(Duration::from_secs(15)).unwrap();
}

async fn a_host_killed_again_and_again_loses_nothing(backend: Backend) {
    let rig = Rig::start(&lively(backend)).await.unwrap();
    for kill in 0..6_u64 {
        let host = rig.host("victim", "").unwrap();
        // Moments spread over start, first sync and steady work; the same in every run of the test.
        tokio::time::sleep(Duration::from_millis(400 + kill * 370 % 1_300)).await;
        host.kill().unwrap();
    }
    let _host = rig.host("survivor", "").unwrap();
    rig.settle(Duration::from_secs(90)).await.unwrap();
    assert_clean(&rig).await;
    assert_history(&rig).await;
}

async fn a_kill_costs_at_most_one_page(backend: Backend) {
    let rig = Rig::start(&slow_pages(backend, 2_000)).await.unwrap();
    rig.fakes.reset_stats();
    let kills = 3;
    for _ in 0..kills {
        let pages = rig.objects().await.unwrap()[0].cursor_seq;
        let host = rig.host("victim", "").unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        rig.wait("some pages", deadline, async || Ok(rig.objects().await?[0].cursor_seq >= pages + 3)).await.unwrap();
        host.kill().unwrap();
    }
    let _host = rig.host("survivor", "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    rig.wait("the first sync", deadline, async || Ok(rig.objects().await?[0].synced_at.is_some())).await.unwrap();
    let served = rig.fakes.stats().tenants["a"].served["contacts"].clone();
    let again: u32 = served.values().map(|times| times - 1).sum();
    // A page of the list holds a hundred; the search behind it looks at the overlap once.
    let pages_again = f64::from(again) / 100.0;
    assert!(pages_again <= f64::from(kills) + 0.01, "{pages_again} pages were fetched again after {kills} kills");
    rig.settle(Duration::from_secs(60)).await.unwrap();
    assert_clean(&rig).await;
}

async fn a_stopped_host_that_continues_writes_nothing(backend: Backend) {
    let rig = Rig::start(&slow_pages(backend, 3_000)).await.unwrap();
    let frozen = rig.host("frozen", "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    rig.wait("some pages", deadline, async || Ok(rig.objects().await?[0].cursor_seq >= 3)).await.unwrap();
    rig.freeze(&frozen).await.unwrap();
    let before = rig.objects().await.unwrap()[0].epoch;

    let _other = rig.host("other", "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(40);
    rig.wait("the other host to take over", deadline, async || {
        let object = &rig.objects().await?[0];
        Ok(object.epoch > before && object.lease_owner.as_deref() == Some("other"))
    })
    .await
    .unwrap();
    frozen.thaw().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    rig.wait("the first sync", deadline, async || Ok(rig.objects().await?[0].synced_at.is_some())).await.unwrap();
    assert!(frozen.log().contains("nothing written"), "the stopped host did not notice:\n{}", frozen.log());
    assert_history(&rig).await;
    let late = rig.count(&format!("SELECT COUNT(*) FROM batches WHERE epoch <= {before} AND seq > (SELECT MIN(seq) FROM batches WHERE epoch > {before})")).await.unwrap();
    assert_eq!(late, 0, "the stopped host wrote after it was replaced");
    rig.settle(Duration::from_secs(60)).await.unwrap();
    assert_clean(&rig).await;
}

async fn a_drained_host_leaves_nothing_to_fetch_again(backend: Backend) {
    let rig = Rig::start(&slow_pages(backend, 2_000)).await.unwrap();
    rig.fakes.reset_stats();
    let mut hosts = 0;
    while rig.objects().await.unwrap()[0].synced_at.is_none() {
        let pages = rig.objects().await.unwrap()[0].cursor_seq;
        let host = rig.host("rolled", "").unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        rig.wait("some pages", deadline, async || {
            let object = &rig.objects().await?[0];
            Ok(object.cursor_seq >= pages + 5 || object.synced_at.is_some())
        })
        .await
        .unwrap();
        host.drain(Duration::from_secs(10)).unwrap();
        hosts += 1;
    }
    assert!(hosts > 2, "the sync was over before it could be drained");
    let served = rig.fakes.stats().tenants["a"].served["contacts"].clone();
    let again: Vec<_> = served.iter().filter(|(_, times)| **times > 1).collect();
    assert!(again.is_empty(), "fetched again: {again:?}");
    let unhappy = rig.count("SELECT COUNT(*) FROM runs WHERE state NOT IN ('succeeded', 'dispatched')").await.unwrap();
    assert_eq!(unhappy, 0, "a drain is no failure");
}

on_both_footings! {
    everything_lands_and_keeps_up,
    a_host_killed_again_and_again_loses_nothing,
    a_kill_costs_at_most_one_page,
    a_stopped_host_that_continues_writes_nothing,
    a_drained_host_leaves_nothing_to_fetch_again,
}
