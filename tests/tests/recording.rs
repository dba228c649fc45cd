//! A run of a real host is recorded, taken away in a file, and replayed without host, provider, account or network: the
//! same records come out as landed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use syncline::domain::ObjectId;
use syncline::kit::cassette::Cassette;
use syncline::store::feed::InteractionRow;
use syncline_tests::fakes::faults::{Fault, Trouble};
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};
use syncline_tests::{canary, fakes, on_both_footings};

/// State and data of every record, by id; what is gone has no data.
type Records = BTreeMap<String, (String, Option<Json>)>;

async fn a_recorded_run_replays_to_what_landed(backend: Backend) {
    let rig = Rig::start(&RigOptions {
        backend,
        fakes: fakes::Options { tenants: vec![canary::tenant()], records_per_object: 450, ..fakes::Options::default() },
        connectors: vec!["hubspot"],
        objects: vec!["contacts", "deals"],
        interval: Duration::from_secs(3_600),
        slice_pages: 2,
        ..RigOptions::default()
    })
    .await
    .unwrap();
    // What the host repeats by itself is part of what is recorded, one of them after a pause that the provider asks for.
    for (retry_after, skip) in [(None, 1), (Some(1), 3)] {
        let trouble = Trouble::Status { status: if skip == 1 { 502 } else { 429 }, retry_after, html: false };
        rig.fakes.inject(Fault { path: Some("contacts".to_owned()), skip, ..Fault::new(trouble, 1) });
    }
    rig.cli(&["object", "record", "a/hubspot/contacts"]).await.unwrap();
    rig.cli(&["object", "record", "a/hubspot/deals"]).await.unwrap();
    rig.cli(&["object", "record", "a/hubspot/deals", "--off"]).await.unwrap();
    let _host = rig.host("only", "").unwrap();
    synced(&rig, 0).await;

    let run = rig.ended_runs("contacts").await.unwrap().remove(0);
    assert_eq!((run.state.as_str(), run.recorded), ("succeeded", 1));
    assert!(run.recording_parts >= 2, "the run has several slices: {run:?}");
    let id = run.id.to_string();
    assert!(rig.cli(&["runs", "show", &id]).await.unwrap().contains("syncline runs recording"));
    let file = rig.dir().join("run.json");
    let path = file.display().to_string();
    rig.cli(&["runs", "recording", &id, "--out", &path]).await.unwrap();

    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(canary::found_in(&text), None, "the recording shows a credential");
    let cassette = Cassette::read(&file).unwrap();
    assert_eq!((cassette.connector.name.as_str(), cassette.left_out), ("hubspot", 0));
    assert_eq!(cassette.config["overlap_seconds"], 15);
    let statuses: Vec<u16> = cassette
        .calls
        .iter()
        .flat_map(|call| &call.exchanges)
        .filter_map(|exchange| Some(exchange.response.as_ref()?.status))
        .collect();
    assert!([502, 429].iter().all(|wanted| statuses.contains(wanted)), "{statuses:?}");

    let landed = landed(&rig).await;
    assert!(landed.len() > 400, "{} records landed", landed.len());
    assert_eq!(replayed(&rig, &path).await, landed);

    // The same again with less in it.
    rig.cli(&["runs", "recording", &id, "--out", &path, "--scrub", "email"]).await.unwrap();
    let scrubbed = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("@") && scrubbed.contains("scrubbed-1") && scrubbed.len() > 10_000);

    // Nothing else is recorded: not the sibling, and not the run after.
    let before = rig.store.now_ms().await.unwrap();
    rig.cli(&["object", "trigger", "a/hubspot/contacts", "--force"]).await.unwrap();
    synced(&rig, before).await;
    assert_eq!(rig.ended_runs("contacts").await.unwrap().len(), 2);
    let others = format!("SELECT COUNT(*) FROM recordings WHERE run_id <> {id}");
    assert_eq!(rig.count(&others).await.unwrap(), 0);
    for object in ["contacts", "deals"] {
        let other = rig.ended_runs(object).await.unwrap().pop().unwrap();
        assert_eq!((other.state.as_str(), other.recorded, other.recording_parts), ("succeeded", 0, 0));
        let refused = rig.cli(&["runs", "recording", &other.id.to_string(), "--out", &path]).await.unwrap_err();
        assert!(refused.to_string().contains("nobody had asked for one"), "{refused}");
    }
}

/// Waits until contacts are synced after this time, all else ever, and everything has landed.
async fn synced(rig: &Rig, since: i64) {
    let deadline = Instant::now() + Duration::from_secs(90);
    rig.wait("a sync", deadline, async || {
        let objects = rig.objects().await?;
        let late = |name: &str| if name == "contacts" { since } else { 0 };
        let done = objects.iter().all(|o| o.active == 0 && o.synced_at.is_some_and(|at| at > late(&o.object)));
        Ok(done && rig.store.overview().await?.unlanded_batches == 0)
    })
    .await
    .unwrap();
}

async fn landed(rig: &Rig) -> Records {
    let object = ObjectId(rig.object("contacts").await.unwrap().id);
    let rows = rig.landed(object).await.unwrap();
    let of = |row: InteractionRow| {
        let data = serde_json::to_value(&row.data).unwrap();
        (row.id, (row.state.clone(), Some(data).filter(|_| row.state == "present")))
    };
    rows.into_iter().map(of).collect()
}

/// What the recorded build makes of the recorded answers.
async fn replayed(rig: &Rig, file: &str) -> Records {
    let asked = rig.fakes.stats().total();
    let out = rig.cli(&["connector", "replay", file]).await.unwrap();
    assert_eq!(rig.fakes.stats().total(), asked, "a replay asks nobody");
    let record = |line: &str| {
        let mut record: Json = serde_json::from_str(line).unwrap();
        let [id, state] = ["id", "state"].map(|name| record[name].as_str().unwrap().to_owned());
        let data = Some(record["data"].take()).filter(|_| state == "present");
        (id, (state, data))
    };
    // Where a run meets a record twice, the later state counts.
    out.lines().map(record).collect()
}

on_both_footings! {
    a_recorded_run_replays_to_what_landed,
}
