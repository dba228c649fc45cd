//! Connectors come, change and go while hosts run.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;
use std::time::{Duration, Instant};

use syncline::domain::Digest;
use syncline_tests::fakes::{self, schema::Provider};
use syncline_tests::rig::{Rig, RigOptions};

/// Appends a custom section: another digest, the same connector.
fn another_build(of: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(of).unwrap();
    bytes.extend([0, 6, 5, b'b', b'u', b'i', b'l', b'd']);
    bytes
}

fn replace(file: &Path, bytes: &[u8]) {
    let part = file.with_extension("part");
    std::fs::write(&part, bytes).unwrap();
    std::fs::rename(part, file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_its_connector_and_the_next_one_uses_the_new() {
    let mut options = RigOptions {
        fakes: fakes::Options { records_per_object: 2_000, ..fakes::Options::default() },
        connectors: vec!["hubspot"],
        objects: vec!["contacts"],
        ..RigOptions::default()
    };
    options.fakes.knobs.latency_ms = 100;
    let rig = Rig::start(&options).await.unwrap();
    let file = rig.dir().join("plugins/hubspot.wasm");
    let old = Digest::of(&std::fs::read(&file).unwrap()).to_string();
    let host = rig.host("only", "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    rig.wait("some pages", deadline, async || Ok(rig.object("contacts").await?.cursor_seq >= 3)).await.unwrap();
    // The run goes on until the new build is compiled, however long that takes here.
    rig.fakes.turn(|knobs| knobs.latency_ms = 2_000);
    let build = another_build(&file);
    let new = Digest::of(&build);
    replace(&file, &build);
    rig.wait("the new build", deadline, async || Ok(host.log().contains(&new.short()))).await.unwrap();
    assert!(rig.ended_runs("contacts").await.unwrap().is_empty(), "the run is to be in the middle of its pages");
    rig.fakes.turn(|knobs| knobs.latency_ms = 0);
    rig.wait("a later run", deadline, async || Ok(rig.ended_runs("contacts").await?.len() >= 2)).await.unwrap();
    let used: Vec<_> =
        rig.ended_runs("contacts").await.unwrap().into_iter().map(|run| run.connector_digest.unwrap()).collect();
    assert_eq!(used[..2], [old, new.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_integration_stays_on_its_build_and_a_broken_file_changes_nothing() {
    let rig = Rig::start(&RigOptions { connectors: vec![], ..RigOptions::default() }).await.unwrap();
    let file = rig.dir().join("plugins/hubspot.wasm");
    let old = Digest::of(&std::fs::read(&file).unwrap()).to_string();
    let token = ("TOKEN".to_owned(), fakes::Tenant::named("a").hubspot_token);
    rig.cli_with(
        &[
            "integration",
            "add",
            "a/hubspot",
            "--secret",
            "token=env:TOKEN",
            "--object",
            "contacts",
            "--pin",
            &format!("sha256:{old}"),
        ],
        &[token],
    )
    .await
    .unwrap();
    let host = rig.host("only", "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    rig.wait("a run", deadline, async || Ok(!rig.ended_runs("contacts").await?.is_empty())).await.unwrap();

    replace(&file, &another_build(&file));
    std::fs::write(rig.dir().join("plugins/broken.wasm"), b"\0asm\x0d\0\x01\0 cut off").unwrap();
    rig.wait("the broken file to be refused", deadline, async || Ok(host.log().contains("connector refused")))
        .await
        .unwrap();
    let before = rig.ended_runs("contacts").await.unwrap().len();
    rig.wait("two more runs", deadline, async || Ok(rig.ended_runs("contacts").await?.len() >= before + 2))
        .await
        .unwrap();
    let runs = rig.ended_runs("contacts").await.unwrap();
    assert!(
        runs.iter().all(|run| run.state == "succeeded" && run.connector_digest.as_ref() == Some(&old)),
        "{runs:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survivor_that_is_archived_before_the_next_sync_still_tells_of_its_losers() {
    let options = RigOptions {
        fakes: fakes::Options { records_per_object: 40, ..fakes::Options::default() },
        connectors: vec!["hubspot"],
        objects: vec!["contacts"],
        ..RigOptions::default()
    };
    let rig = Rig::start(&options).await.unwrap();
    let host = rig.host("before", "").unwrap();
    rig.settle(Duration::from_secs(60)).await.unwrap();
    host.drain(Duration::from_secs(15)).unwrap();
    rig.fakes.edit("a", Provider::HubSpot, |world, now| {
        let (winner, loser) = (5, 9);
        assert!(world.merge("contacts", winner, loser, now), "both live, in this seed");
        assert!(world.delete("contacts", winner, now));
    });
    let _host = rig.host("after", "").unwrap();
    rig.settle(Duration::from_secs(60)).await.unwrap();
    let found = rig.compare().await.unwrap();
    assert!(found.is_clean(), "{found:#?}");
}
