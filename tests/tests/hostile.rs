//! A hostile connector fails its own runs with the right class; those beside it do not notice.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use syncline::store::admin::RunFilter;
use syncline_tests::fakes;
use syncline_tests::on_both_footings;
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};

/// Each sin and the class its run fails with; none where it is no sin in the end.
const SINS: &[(&str, Option<&str>)] = &[
    ("ok", None),
    ("spin", Some("guest-cpu")),
    ("hog", Some("guest-memory")),
    ("panic", Some("guest-trap")),
    ("sleep", Some("guest-wall")),
    ("huge-output", Some("guest-output")),
    ("log-flood", None),
    ("deep-stack", Some("guest-trap")),
    ("same-cursor", Some("cursor-stalled")),
    ("cycle", Some("cursor-stalled")),
    ("empty-forever", Some("cursor-stalled")),
    ("big-cursor", Some("guest-output")),
    ("many-records", Some("guest-output")),
    ("error-huge", Some("guest-output")),
    ("no-cursor", Some("contract")),
    ("nul-cursor", Some("contract")),
    ("nameless", Some("contract")),
    ("not-utf8", Some("contract")),
    ("hoard-headers", Some("contract")),
    ("random-at-once", Some("contract")),
    ("out-of-bounds", Some("guest-trap")),
    ("panic-long", Some("guest-trap")),
    ("exit", Some("guest-trap")),
    ("hog-by-pages", Some("guest-memory")),
    ("spin-after-answer", Some("guest-cpu")),
    ("sleep-often", Some("guest-wall")),
    // Pages that arrive; what of them cannot land is rejected, one by one.
    ("fields-escapes", None),
    ("deep-json", None),
    ("nul-data", None),
    ("nul-id", None),
    ("long-id", None),
    ("bad-json", None),
    ("not-an-object", None),
    ("odd-dates", None),
    ("raw-nul-data", None),
    ("thread", None),
    ("unavailable", Some("unavailable")),
];

async fn each_sin_fails_its_own_run_and_nobody_elses(backend: Backend) {
    let rig = Rig::start(&RigOptions {
        backend,
        fakes: fakes::Options { change_every_ms: Some(100), ..fakes::Options::default() },
        connectors: vec!["hubspot"],
        objects: vec!["contacts", "deals"],
        config: "[limits]\ncpu_per_call = \"1s\"\nwall_per_call = \"3s\"\n".to_owned(),
        ..RigOptions::default()
    })
    .await
    .unwrap();
    let sins: Vec<&str> = SINS.iter().map(|(sin, _)| *sin).collect();
    rig.add_hostile("a", &sins).await.unwrap();
    let mut host = rig.host("only", "").unwrap();

    let deadline = Instant::now() + Duration::from_secs(120);
    rig.wait("every sin to be punished", deadline, async || {
        let objects = rig.objects().await?;
        Ok(objects.iter().all(|object| object.last_outcome.is_some()))
    })
    .await
    .unwrap();

    let mut classes: BTreeMap<String, Option<String>> = BTreeMap::new();
    for run in rig.store.runs(&RunFilter { limit: 1_000, ..RunFilter::default() }).await.unwrap().into_iter().rev() {
        if run.finished_at.is_some() && run.object.starts_with("a/hostile/") {
            let sin = run.object.trim_start_matches("a/hostile/").to_owned();
            classes.entry(sin).or_insert(run.error_class);
        }
    }
    for (sin, class) in SINS {
        assert_eq!(classes.get(*sin).unwrap().as_deref(), *class, "{sin}");
    }
    assert!(host.is_running().unwrap());
    let flood = rig.count("SELECT CAST(MAX(LENGTH(guest_log)) AS BIGINT) FROM runs").await.unwrap();
    assert!((1..200_000).contains(&flood), "a log flood left {flood} bytes");

    let rejected = rig.count("SELECT COUNT(*) FROM rejected").await.unwrap();
    assert!(rejected >= 5, "{rejected} records were rejected");

    // The healthy integration beside them kept up all the while.
    let hubspot: Vec<_> =
        rig.objects().await.unwrap().into_iter().filter(|object| object.integration == "hubspot").collect();
    assert!(hubspot.iter().all(|object| object.synced_at.is_some() && object.fails == 0), "{hubspot:#?}");
}

on_both_footings! {
    each_sin_fails_its_own_run_and_nobody_elses,
}

/// Addresses that are not public, spelled in ways that a careless check lets through.
const LOOPBACKS: &[&str] = &[
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://localhost/",
    "https://169.254.169.254/latest/meta-data/",
    "https://undeclared.example.com/",
    "http://127.0.0.1/",
];

/// The objects of the hostile connector that ask for the URL in the cursor: through the contract's own HTTP, and through
/// `wasi:http`.
const DOORS: [&str; 2] = ["egress", "egress-wasi"];

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_an_undeclared_or_private_host_never_leaves() {
    // Whatever the host dials on this machine, this socket would see.
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let port = trap.local_addr().unwrap().port();
    let rig = Rig::start(&RigOptions { connectors: vec![], ..RigOptions::default() }).await.unwrap();
    rig.add_hostile("a", &DOORS).await.unwrap();
    let plugin = rig.dir().join("plugins/hostile.wasm");
    for (url, object) in LOOPBACKS.iter().flat_map(|url| DOORS.map(|door| (url, door))) {
        let mut url = url::Url::parse(url).unwrap();
        url.set_port(Some(port)).unwrap();
        let printed = rig
            .cli(&["connector", "read", plugin.to_str().unwrap(), object, "--cursor", url.as_str(), "--limit", "1"])
            .await;
        let said = match printed {
            Ok(text) => text,
            Err(error) => error.to_string(),
        };
        assert!(said.to_lowercase().contains("denied"), "{object} {url}: {said}");
    }
    assert!(trap.accept().is_err(), "somebody connected");
}
