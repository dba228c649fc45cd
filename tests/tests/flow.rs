//! What holds the flow back: landing that does not keep up stops fetching and nothing else, and a provider that asks for a
//! pause gets it from every host. Each case runs on both footings.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use syncline::store::Store;
use syncline_tests::chaos::invariants;
use syncline_tests::fakes::faults::{Fault, Knobs, Trouble};
use syncline_tests::fakes::stats::{Counts, Early};
use syncline_tests::fakes::{self, Tenant};
use syncline_tests::on_both_footings;
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};

/// The least that can be configured.
const UNLANDED: i64 = 1 << 20;

/// How soon fetching goes on when landing has caught up.
const RESUMED: Duration = Duration::from_secs(10);

/// How long after a provider has sent its wish for a pause another host may still ask, for all this together: the way of the
/// answer, one transaction that keeps the pause (a write to the disk, on SQLite behind the other host's writes), a look of
/// the other host that is at most 100 ms old, and the way of its request. On a busy machine with two cores, with a database
/// in debug builds: half a second. The shortest pause is four times as long.
const LEARNED_MS: i64 = 500;

/// Longer pauses than this end a run, shorter ones are waited for in it.
const INLINE: &str = "2s";

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Looks all the time at what waits for landing, and keeps the most.
fn most_unlanded(store: Store) -> Arc<AtomicI64> {
    let most = Arc::new(AtomicI64::new(0));
    let kept = Arc::clone(&most);
    tokio::spawn(async move {
        while Arc::strong_count(&kept) > 1 {
            if let Ok(bytes) = store.unlanded_bytes().await {
                kept.fetch_max(bytes, Ordering::Relaxed);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    most
}

async fn fetched_pages(rig: &Rig) -> i64 {
    rig.count("SELECT CAST(SUM(cursor_seq) AS BIGINT) FROM objects").await.unwrap()
}

async fn unhappy_runs(rig: &Rig) -> i64 {
    rig.count("SELECT COUNT(*) FROM runs WHERE state NOT IN ('succeeded', 'dispatched', 'running')").await.unwrap()
}

async fn fetching_stands_still_while_nothing_lands_and_goes_on_when_it_does(backend: Backend) {
    let objects = vec!["contacts", "companies", "deals"];
    let runs_in_flight = i64::try_from(objects.len()).unwrap();
    let rig = Rig::start(&RigOptions {
        backend,
        fakes: fakes::Options { seed: 11, records_per_object: 4_000, ..fakes::Options::default() },
        connectors: vec!["hubspot"],
        objects,
        ..RigOptions::default()
    })
    .await
    .unwrap();
    let most = most_unlanded(rig.store.clone());
    let bound = [("SYNCLINE__RETRIEVE__UNLANDED_BYTES", format!("{UNLANDED}B"))];
    let _fetches = rig.host_with("fetches", "scheduler,retriever", &bound).unwrap();
    rig.wait("more to wait for landing than may", soon(), async || Ok(rig.store.unlanded_bytes().await? > UNLANDED))
        .await
        .unwrap();
    // What was under way comes to its end; then all runs come and go three times.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (bytes, pages) = (rig.store.unlanded_bytes().await.unwrap(), fetched_pages(&rig).await);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(rig.store.unlanded_bytes().await.unwrap(), bytes);
    assert_eq!(fetched_pages(&rig).await, pages, "a page was fetched although nothing lands");
    assert_eq!(rig.count("SELECT COUNT(*) FROM interactions").await.unwrap(), 0);
    assert!(rig.objects().await.unwrap().iter().all(|object| object.synced_at.is_none() && object.state == "active"));

    let _lands = rig.host_with("lands", "processor", &[]).unwrap();
    rig.wait("landing to catch up", soon(), async || Ok(rig.store.unlanded_bytes().await? <= UNLANDED)).await.unwrap();
    let resumed = Instant::now() + RESUMED;
    rig.wait("fetching to go on", resumed, async || Ok(fetched_pages(&rig).await > pages)).await.unwrap();

    rig.settle(Duration::from_secs(120)).await.unwrap();
    let found = rig.compare().await.unwrap();
    assert!(found.present > 0 && found.is_clean(), "{found:#?}");
    assert_eq!(invariants::broken(&rig).await.unwrap(), Vec::<&str>::new());
    assert_eq!(unhappy_runs(&rig).await, 0, "to wait for landing is no failure of a run");
    let page = rig.count("SELECT MAX(payload_bytes) FROM batches").await.unwrap();
    let most = most.load(Ordering::Relaxed);
    let allowed = UNLANDED + runs_in_flight * page;
    assert!((bytes..=allowed).contains(&most), "{most} bytes waited for landing, {allowed} may, with pages of {page}");
    let all = rig.count("SELECT CAST(SUM(payload_bytes) AS BIGINT) FROM batches").await.unwrap();
    assert!(all > 3 * UNLANDED, "only {all} bytes were fetched: the bound was hardly met");
}

fn counts(rig: &Rig, tenant: &str) -> Counts {
    rig.fakes.stats().tenants.get(tenant).cloned().unwrap_or_default()
}

fn answered(counts: &Counts) -> u64 {
    counts.statuses.iter().filter(|(status, _)| **status != 429).map(|(_, count)| count).sum()
}

/// Runs of a customer's objects that ended well since a moment, and that moment's successor.
async fn successes(rig: &Rig, customer: &str, since: i64) -> (i64, i64) {
    let now = rig.store.now_ms().await.unwrap();
    let query = format!(
        "SELECT COUNT(*) FROM runs r JOIN objects o ON o.id = r.object_id JOIN customers c ON c.id = o.customer_id
         WHERE c.name = '{customer}' AND r.state = 'succeeded' AND r.finished_at > {since} AND r.finished_at <= {now}"
    );
    (rig.count(&query).await.unwrap(), now)
}

async fn a_storm_of_429s_is_given_its_pauses_by_both_hosts(backend: Backend) {
    let rig = Rig::start(&RigOptions {
        backend,
        fakes: fakes::Options {
            seed: 12,
            tenants: vec![Tenant::named("acme"), Tenant::named("globex")],
            records_per_object: 300,
            knobs: Knobs { latency_ms: 30, ..Knobs::default() },
            change_every_ms: Some(50),
            ..fakes::Options::default()
        },
        connectors: vec!["hubspot"],
        objects: vec!["contacts", "companies", "deals", "tickets"],
        interval: Duration::from_secs(1),
        ..RigOptions::default()
    })
    .await
    .unwrap();
    let patience = [("SYNCLINE__EGRESS__MAX_INLINE_WAIT", INLINE.to_owned())];
    let _hosts = ["one", "other"].map(|name| rig.host_with(name, "", &patience).unwrap());
    rig.wait("the first sync", soon(), async || Ok(rig.objects().await?.iter().all(|o| o.synced_at.is_some())))
        .await
        .unwrap();
    let calm = rig.store.now_ms().await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let (in_calm, storm) = successes(&rig, "globex", calm).await;

    rig.fakes.reset_stats();
    for pause in [2, 4, 2, 4] {
        let before = answered(&counts(&rig, "acme"));
        rig.wait("work for acme", soon(), async || Ok(answered(&counts(&rig, "acme")) >= before + 60)).await.unwrap();
        // The second of them is on its way already, or it is the first one after the pause: then it begins another.
        let trouble = Trouble::Status { status: 429, retry_after: Some(pause), html: false };
        rig.fakes.inject(Fault { tenant: Some("acme".to_owned()), ..Fault::new(trouble, 2) });
        let limited = counts(&rig, "acme").limited;
        rig.wait("both refusals", soon(), async || Ok(counts(&rig, "acme").limited >= limited + 2)).await.unwrap();
    }
    let (in_storm, end) = successes(&rig, "globex", storm).await;

    let stats = rig.fakes.stats();
    let acme = counts(&rig, "acme");
    let early: Vec<&Early> = stats.early.iter().filter(|early| early.known_ms() > LEARNED_MS).collect();
    assert_eq!(early, Vec::<&Early>::new(), "requests before the time that the provider had told");
    assert!(acme.limited * 10 <= answered(&acme), "more than a tenth of the requests was refused: {acme:#?}");
    assert_eq!(counts(&rig, "globex").limited, 0);
    let per_second = |runs: i64, ms: i64| runs as f64 * 1000.0 / ms as f64;
    let (calmly, stormy) = (per_second(in_calm, storm - calm), per_second(in_storm, end - storm));
    assert!(stormy * 2.0 >= calmly, "globex had {calmly:.1} runs a second, and {stormy:.1} while acme was held back");
    let workers = "SELECT COUNT(DISTINCT r.host) FROM runs r JOIN objects o ON o.id = r.object_id \
                   JOIN customers c ON c.id = o.customer_id WHERE c.name = 'acme'";
    assert_eq!(rig.count(workers).await.unwrap(), 2, "only one host worked for acme");

    rig.settle(Duration::from_secs(120)).await.unwrap();
    let found = rig.compare().await.unwrap();
    assert!(found.present > 0 && found.is_clean(), "{found:#?}");
    let failed = "SELECT COUNT(*) FROM runs WHERE state IN ('failed', 'quarantined', 'needs-auth', 'forbidden')";
    assert_eq!(rig.count(failed).await.unwrap(), 0, "a pause is no failure of a run");
}

on_both_footings! {
    fetching_stands_still_while_nothing_lands_and_goes_on_when_it_does,
    a_storm_of_429s_is_given_its_pauses_by_both_hosts,
}
