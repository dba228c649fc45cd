//! SQS is away, throttled, doubles, delays, reorders and forgets messages, carries what is not ours, and its receipts
//! expire. The queue is a doorbell only: afterwards nothing is missing, stale or doubled.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::time::{Duration, Instant};

use serde_json::json;
use syncline_tests::fakes::{self, faults::Knobs};
use syncline_tests::queue::{Faults, QueueProxy};
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(90)
}

/// Waits until more runs have succeeded than now.
async fn goes_on(rig: &Rig, what: &str) {
    let runs = "SELECT COUNT(*) FROM runs WHERE state = 'succeeded'";
    let before = rig.count(runs).await.unwrap();
    rig.wait(what, soon(), async || Ok(rig.count(runs).await? > before + 2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_queue_does_nothing_is_lost_and_nothing_runs_twice() {
    let options = RigOptions {
        backend: Backend::PostgresSqs,
        fakes: fakes::Options {
            seed: 5,
            records_per_object: 150,
            knobs: Knobs { index_lag_ms: 500, ..Knobs::default() },
            change_every_ms: Some(60),
            ..fakes::Options::default()
        },
        connectors: vec!["hubspot"],
        objects: vec!["contacts", "companies", "deals", "owners"],
        ..RigOptions::default()
    };
    let rig = Rig::start(&options).await.unwrap();
    let proxy = QueueProxy::start(&std::env::var("SYNCLINE_TEST_SQS").unwrap()).await.unwrap();
    let endpoint = ("SYNCLINE__QUEUE__SQS__ENDPOINT", proxy.endpoint().to_owned());

    // Away at the start: the host waits for it.
    proxy.set(Faults { away: true, ..Faults::default() });
    let host = rig.host_with("first", "", std::slice::from_ref(&endpoint)).unwrap();
    rig.wait("the host to wait for the queue", soon(), async || {
        Ok(host.log().contains("the queue is out of reach, the host waits for it"))
    })
    .await
    .unwrap();
    proxy.set(Faults::default());
    goes_on(&rig, "work once the queue is there").await;
    let second = rig.host_with("second", "", &[endpoint]).unwrap();

    for (what, faults) in [
        ("doubled messages", Faults { doubled: true, ..Faults::default() }),
        ("messages late and out of order", Faults { late_seconds: 2, doubled: true, ..Faults::default() }),
        ("expired receipts", Faults { expired_receipts: true, ..Faults::default() }),
    ] {
        proxy.set(faults);
        goes_on(&rig, what).await;
        assert!(proxy.hit(), "no call met {what}");
    }
    // Nothing gets through; dispatch goes on into the outbox, which holds one message for each object at most.
    for faults in [Faults { throttled: true, ..Faults::default() }, Faults { away: true, ..Faults::default() }] {
        proxy.set(faults);
        rig.wait("messages in the outbox", soon(), async || {
            Ok(rig.count("SELECT COUNT(*) FROM outbox WHERE queue = 'retrieve'").await? >= 3)
        })
        .await
        .unwrap();
        assert!(proxy.hit());
        assert!(rig.count("SELECT COUNT(*) FROM outbox WHERE queue = 'retrieve'").await.unwrap() <= 4);
        proxy.set(Faults::default());
        goes_on(&rig, "work when the queue is back").await;
    }

    let database = url::Url::parse(rig.store_url()).unwrap().path().trim_start_matches('/').to_owned();
    let urls = [
        proxy.queue_url(&format!("{database}-retrieve")).await.unwrap(),
        proxy.queue_url(&format!("{database}-process")).await.unwrap(),
    ];
    // What is not ours, on both queues: cut off, of a newer host, of runs and objects that never were.
    for url in &urls {
        for body in [
            "",
            "{",
            "not JSON",
            r#"{"v":1,"kind":"retrieve","run":"#,
            r#"{"v":99,"kind":"retrieve","run":1,"object":1}"#,
            r#"{"v":1,"kind":"retrieve","run":999999,"object":1}"#,
            r#"{"v":1,"kind":"retrieve","run":1,"object":999999}"#,
            r#"{"v":1,"kind":"process","batch":999999,"object":999999}"#,
            r#"{"v":-1,"kind":"explode"}"#,
        ] {
            // An empty body is refused by the queue itself.
            let _ = proxy.call("SendMessage", &json!({ "QueueUrl": url, "MessageBody": body })).await;
        }
    }
    goes_on(&rig, "work beside what is not ours").await;
    // A message of a newer host is left to one, what nobody can read becomes a dead letter.
    assert!(
        host.log().contains("left a message to a newer host")
            || second.log().contains("left a message to a newer host")
    );

    // Everything is gone while messages are on their way: the sweep rings again.
    proxy.set(Faults { late_seconds: 3, ..Faults::default() });
    for _ in 0..3 {
        for url in &urls {
            proxy.call("PurgeQueue", &json!({ "QueueUrl": url })).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    proxy.set(Faults::default());
    goes_on(&rig, "work after the purge").await;

    rig.settle(Duration::from_secs(90)).await.unwrap();
    let found = rig.compare().await.unwrap();
    assert!(found.present > 0 && found.is_clean(), "{found:#?}");
    let twice =
        "SELECT COUNT(*) FROM (SELECT object_id FROM runs GROUP BY object_id, window_start HAVING COUNT(*) > 1) d";
    assert_eq!(rig.count(twice).await.unwrap(), 0, "an object was dispatched twice in a window");
    assert_eq!(rig.count("SELECT COUNT(*) FROM objects WHERE state <> 'active'").await.unwrap(), 0);
    for host in [host, second] {
        host.drain(Duration::from_secs(15)).unwrap();
    }
}
