//! The database is away, silent, slow, cut off in the middle of transactions, locked or full. Hosts recover by themselves,
//! and afterwards nothing is missing, stale or doubled.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use syncline::store::{Store, StoreOptions};
use syncline_tests::fakes::{self, Tenant, faults::Knobs};
use syncline_tests::proxy::{Mood, Proxy};
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};

/// Data that changes all the time, and a port for health.
fn lively(backend: Backend) -> (RigOptions, String) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = RigOptions {
        backend,
        fakes: fakes::Options {
            seed: 11,
            tenants: vec![Tenant::named("acme")],
            records_per_object: 150,
            knobs: Knobs { index_lag_ms: 500, late_commit_ms: 300, latency_ms: 20, ..Knobs::default() },
            change_every_ms: Some(50),
            ..fakes::Options::default()
        },
        http: Some(free),
        ..RigOptions::default()
    };
    (options, format!("http://127.0.0.1:{free}"))
}

async fn get(url: &str) -> Option<(u16, String)> {
    let answer = syncline_tests::queue::client().unwrap().get(url).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(40)
}

async fn pause(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// Waits until more pages have been committed than now.
async fn goes_on(rig: &Rig, what: &str) {
    let pages = "SELECT CAST(SUM(cursor_seq) AS BIGINT) FROM objects";
    let before = rig.count(pages).await.unwrap();
    rig.wait(what, soon(), async || Ok(rig.count(pages).await? > before + 3)).await.unwrap();
}

/// Ends the sessions of others, once there are some, as a server does that is restarted or dies.
async fn end_connections(rig: &Rig) {
    let end = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    rig.wait("a session to end", soon(), async || Ok(rig.count(end).await? > 0)).await.unwrap();
}

async fn assert_clean(rig: &Rig) {
    rig.settle(Duration::from_secs(90)).await.unwrap();
    let found = rig.compare().await.unwrap();
    assert!(found.present > 0 && found.is_clean(), "{found:#?}");
    let quarantined = rig.count("SELECT COUNT(*) FROM objects WHERE state = 'quarantined'").await.unwrap();
    assert_eq!(quarantined, 0, "a fault of the database is no object's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_waits_for_postgres_at_the_start_and_survives_whatever_it_does() {
    let (options, health) = lively(Backend::PostgresSqs);
    let rig = Rig::start(&options).await.unwrap();
    let proxy = Proxy::of_postgres(rig.store_url()).await.unwrap();
    let through = proxy.url(rig.store_url()).unwrap();

    // Down at the start: alive, not ready, and it says why.
    proxy.set(Mood::Closed);
    let mut host = rig.host_with("only", "", &[("SYNCLINE__STORE__URL", through)]).unwrap();
    rig.wait("the host to say what it waits for", soon(), async || {
        let ready = get(&format!("{health}/readyz")).await;
        Ok(ready.is_some_and(|(status, text)| status == 503 && text.contains("waiting for the database")))
    })
    .await
    .unwrap();
    assert_eq!(get(&format!("{health}/livez")).await.unwrap().0, 200);
    assert!(host.is_running().unwrap(), "{}", host.log());
    proxy.set(Mood::Open);
    rig.wait("the host to be ready", soon(), async || {
        Ok(get(&format!("{health}/readyz")).await.is_some_and(|(status, _)| status == 200))
    })
    .await
    .unwrap();
    goes_on(&rig, "the first pages").await;

    // Connections cut in the middle of transactions, and behind commits whose answer nobody hears.
    proxy.cut_every(37);
    pause(4.0).await;
    assert!(proxy.cuts() > 3, "only {} connections were cut", proxy.cuts());
    proxy.cut_every(0);
    goes_on(&rig, "work after the cuts").await;

    // What a restart or a failover does to sessions.
    for _ in 0..3 {
        end_connections(&rig).await;
        pause(0.3).await;
    }
    goes_on(&rig, "work after the restart").await;

    // Slow, but not too slow for a lease of three seconds.
    proxy.delay(Duration::from_millis(40));
    goes_on(&rig, "work on a slow database").await;
    proxy.delay(Duration::ZERO);

    // Away for longer than a lease: whatever ran is dispatched again.
    proxy.set(Mood::Closed);
    pause(4.0).await;
    assert_eq!(get(&format!("{health}/readyz")).await.unwrap().0, 503);
    assert_eq!(get(&format!("{health}/livez")).await.unwrap().0, 200);
    proxy.set(Mood::Open);
    goes_on(&rig, "work after the outage").await;
    assert_clean(&rig).await;
    assert!(host.is_running().unwrap());
    host.drain(Duration::from_secs(15)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stops_itself_within_its_lease_when_the_database_says_nothing() {
    let (mut options, health) = lively(Backend::PostgresSqs);
    options.connectors = vec!["hubspot"];
    options.objects = vec!["contacts"];
    options.interval = Duration::from_secs(3_600);
    options.fakes.records_per_object = 2_000;
    options.fakes.knobs.latency_ms = 200;
    let rig = Rig::start(&options).await.unwrap();
    let proxy = Proxy::of_postgres(rig.store_url()).await.unwrap();
    let through = proxy.url(rig.store_url()).unwrap();
    let host = rig.host_with("only", "", &[("SYNCLINE__STORE__URL", through)]).unwrap();
    goes_on(&rig, "the first pages").await;
    let in_flight = async || {
        let (_, text) = get(&format!("{health}/metrics")).await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("syncline_runs_in_flight ")).map(str::to_owned);
        line.and_then(|number| number.parse::<f64>().ok()).unwrap_or(0.0)
    };
    assert!(in_flight().await > 0.0);
    // It takes what is sent and never answers: no error tells the host that something is wrong.
    proxy.set(Mood::Silent);
    let silent = Instant::now();
    while in_flight().await > 0.0 {
        assert!(
            silent.elapsed() < Duration::from_secs(10),
            "the run goes on under a lease that is over:\n{}",
            host.log()
        );
        pause(0.1).await;
    }
    proxy.set(Mood::Open);
    goes_on(&rig, "work after the silence").await;
    rig.wait("the first sync", soon(), async || Ok(rig.object("contacts").await?.synced_at.is_some())).await.unwrap();
    assert_clean(&rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_leaves_a_server_that_is_silent_for_ever_and_goes_on_with_the_one_that_took_over() {
    let (options, _) = lively(Backend::PostgresSqs);
    let rig = Rig::start(&options).await.unwrap();
    let proxy = Proxy::of_postgres(rig.store_url()).await.unwrap();
    let settings = [
        ("SYNCLINE__STORE__URL", proxy.url(rig.store_url()).unwrap()),
        ("SYNCLINE__STORE__STATEMENT_TIMEOUT", "1s".to_owned()),
    ];
    let mut host = rig.host_with("only", "", &settings).unwrap();
    goes_on(&rig, "the first pages").await;
    for _ in 0..2 {
        // Until every part of the host waits for an answer. None comes: not even a word that the server is gone.
        proxy.set(Mood::Silent);
        pause(1.5).await;
        proxy.strand();
        end_connections(&rig).await;
        proxy.set(Mood::Open);
        goes_on(&rig, "work on new connections").await;
    }
    assert!(host.log().contains("no answer within 3s"), "{}", host.log());
    assert_clean(&rig).await;
    assert!(host.is_running().unwrap());
    host.drain(Duration::from_secs(15)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_waits_for_a_sqlite_file_that_another_process_has_locked() {
    let (options, _) = lively(Backend::Sqlite);
    let rig = Rig::start(&options).await.unwrap();
    let busy = ("SYNCLINE__STORE__BUSY_TIMEOUT", "500ms".to_owned());
    let mut host = rig.host_with("only", "", &[busy]).unwrap();
    goes_on(&rig, "the first pages").await;
    let path = rig.store_url().trim_start_matches("sqlite://").to_owned();
    let mut other = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    // Longer than the busy timeout and than a lease; then again, shorter than both.
    for seconds in [4.0, 0.3, 0.3] {
        while other.execute("BEGIN IMMEDIATE").await.is_err() {
            pause(0.05).await;
        }
        pause(seconds).await;
        other.execute("ROLLBACK").await.unwrap();
        goes_on(&rig, "work after the lock").await;
    }
    other.close().await.unwrap();
    assert_clean(&rig).await;
    assert!(host.is_running().unwrap());
}

/// A small file system of its own; gone with the value.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(at: &'a Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).status();
        done.is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_nothing_for_good_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    let Some(_small) = Small::mount(&disk, "48m") else {
        // Not root, or a container without mounts: the runner of the project's CI may do it.
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let (options, _) = lively(Backend::Sqlite);
    let mut rig = Rig::start(&options).await.unwrap();
    // The rig's own file moves to the small disk before any host has seen it.
    rig.store.close().await;
    let path = rig.store_url().trim_start_matches("sqlite://").to_owned();
    for end in ["", "-wal", "-shm"] {
        let from = format!("{path}{end}");
        if Path::new(&from).exists() {
            std::fs::copy(&from, disk.join(format!("syncline.db{end}"))).unwrap();
            std::fs::remove_file(&from).unwrap();
        }
        if end.is_empty() {
            std::os::unix::fs::symlink(disk.join("syncline.db"), &from).unwrap();
        }
    }
    rig.store = Store::open(&StoreOptions::new(rig.store_url())).await.unwrap();
    let mut host = rig.host("only", "").unwrap();
    goes_on(&rig, "the first pages").await;
    let ballast = disk.join("ballast");
    for size in [1 << 20, 4 << 10] {
        // Until nothing more fits; the smaller pieces fill the rest.
        let piece = vec![0; size];
        let mut file = std::fs::File::options().create(true).append(true).open(&ballast).unwrap();
        while std::io::Write::write_all(&mut file, &piece).is_ok() {}
    }
    rig.wait("the host to meet the full disk", soon(), async || Ok(host.log().contains("disk is full"))).await.unwrap();
    pause(4.0).await;
    assert!(host.is_running().unwrap(), "{}", host.log());
    std::fs::remove_file(&ballast).unwrap();
    goes_on(&rig, "work after the full disk").await;
    assert_clean(&rig).await;
    host.drain(Duration::from_secs(15)).unwrap();
}
