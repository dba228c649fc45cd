//! Every way a run can end, and how the object gets going again. Each case runs on both footings.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::time::{Duration, Instant};

use syncline_tests::fakes::faults::{Fault, Trouble};
use syncline_tests::fakes::truth::Fate;
use syncline_tests::fakes::{self, Tenant};
use syncline_tests::on_both_footings;
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};

fn options(backend: Backend) -> RigOptions {
    RigOptions {
        backend,
        fakes: fakes::Options { records_per_object: 120, ..fakes::Options::default() },
        connectors: vec!["hubspot"],
        objects: vec!["contacts", "deals"],
        interval: Duration::from_secs(1),
        ..RigOptions::default()
    }
}

fn status(status: u16, retry_after: Option<u64>) -> Trouble {
    Trouble::Status { status, retry_after, html: false }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

async fn a_rate_limit_holds_the_whole_integration_until_its_time(backend: Backend) {
    let rig = Rig::start(&options(backend)).await.unwrap();
    let _host = rig.host("only", "").unwrap();
    rig.wait("the first sync", soon(), async || Ok(rig.objects().await?.iter().all(|o| o.synced_at.is_some())))
        .await
        .unwrap();
    rig.fakes.inject(Fault { path: Some("contacts".to_owned()), ..Fault::new(status(429, Some(8)), 1) });
    rig.wait("the rate limit", soon(), async || {
        Ok(rig.ended_runs("contacts").await?.iter().any(|run| run.state == "rate-limited"))
    })
    .await
    .unwrap();
    let limited =
        rig.ended_runs("contacts").await.unwrap().into_iter().find(|run| run.state == "rate-limited").unwrap();
    let now = rig.store.now_ms().await.unwrap();
    let waits = rig.object("contacts").await.unwrap().due_at - limited.finished_at.unwrap();
    assert!((5_000..=8_500).contains(&waits), "waits {waits} ms");
    let sibling = rig.object("deals").await.unwrap();
    assert!(sibling.active == 1 || sibling.due_at > now + 3_000, "a sibling would ask too early: {sibling:#?}");
    rig.wait("the next success", soon(), async || {
        Ok(rig.ended_runs("contacts").await?.iter().any(|run| run.id > limited.id && run.state == "succeeded"))
    })
    .await
    .unwrap();
    assert_eq!(rig.fakes.stats().total().early, 0, "a request was sent before its time");
}

async fn refused_credentials_stop_the_integration_until_they_change(backend: Backend) {
    let rig = Rig::start(&options(backend)).await.unwrap();
    rig.fakes.inject(Fault::new(status(401, None), 1_000));
    let _host = rig.host("only", "").unwrap();
    rig.wait("the integration to stop", soon(), async || {
        Ok(rig.objects().await?.iter().all(|object| object.state == "needs-auth" && object.active == 0))
    })
    .await
    .unwrap();
    let runs = rig.count("SELECT COUNT(*) FROM runs").await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(rig.count("SELECT COUNT(*) FROM runs").await.unwrap(), runs, "it goes on asking");

    rig.fakes.clear_faults();
    let token = ("NEW_TOKEN".to_owned(), Tenant::named("a").hubspot_token);
    rig.cli_with(&["integration", "set-credentials", "a/hubspot", "--secret", "token=env:NEW_TOKEN"], &[token])
        .await
        .unwrap();
    rig.wait("the first sync", soon(), async || Ok(rig.objects().await?.iter().all(|o| o.synced_at.is_some())))
        .await
        .unwrap();
}

async fn a_forbidden_object_does_not_stop_its_siblings(backend: Backend) {
    let rig = Rig::start(&options(backend)).await.unwrap();
    rig.fakes.inject(Fault { path: Some("deals".to_owned()), ..Fault::new(status(403, None), 1_000) });
    let _host = rig.host("only", "").unwrap();
    rig.wait("both to end", soon(), async || {
        Ok(rig.object("contacts").await?.synced_at.is_some() && rig.object("deals").await?.last_outcome.is_some())
    })
    .await
    .unwrap();
    let deals = rig.object("deals").await.unwrap();
    assert_eq!(deals.last_outcome.as_deref(), Some("forbidden"));
    assert!(deals.due_at - deals.now > 3_600_000, "a forbidden object is asked for again soon: {deals:#?}");
}

async fn a_provider_that_fails_midway_leaves_a_partial_run_and_goes_on_behind_it(backend: Backend) {
    let mut options = options(backend);
    options.fakes.records_per_object = 700;
    options.fakes.count_ids = true;
    options.objects = vec!["contacts"];
    let rig = Rig::start(&options).await.unwrap();
    rig.fakes.reset_stats();
    rig.fakes.inject(Fault { skip: 3, path: Some("contacts".to_owned()), ..Fault::new(status(503, None), 4) });
    let _host = rig.host("only", "").unwrap();
    rig.wait("the first sync", soon(), async || Ok(rig.object("contacts").await?.synced_at.is_some())).await.unwrap();
    let runs = rig.ended_runs("contacts").await.unwrap();
    let partial = runs.first().unwrap();
    assert_eq!((partial.state.as_str(), partial.error_class.as_deref()), ("partial", Some("unavailable")));
    assert!(partial.pages >= 2);
    let stats = rig.fakes.stats();
    let served = stats.tenants.get("a").unwrap().served.get("contacts").unwrap();
    let truth = rig.fakes.truth("a", "contacts").unwrap();
    for (id, _) in truth.iter().filter(|(_, record)| record.fate == Fate::Present) {
        assert_eq!(served.get(id), Some(&1), "{id} was not fetched exactly once");
    }
    rig.settle(Duration::from_secs(60)).await.unwrap();
    let found = rig.compare().await.unwrap();
    assert!(found.is_clean(), "{found:#?}");
}

async fn a_provider_that_keeps_failing_is_left_alone_and_read_when_it_is_back(backend: Backend) {
    let mut options = options(backend);
    options.objects = vec!["contacts"];
    let rig = Rig::start(&options).await.unwrap();
    rig.fakes.reset_stats();
    rig.fakes.inject(Fault::new(status(502, None), 1_000));
    // Longer than the pauses between runs, so that some fall into it.
    let wait = ["WAIT", "MAX_WAIT"].map(|key| (format!("SYNCLINE__EGRESS__BREAKER_{key}"), "6s".to_owned()));
    let _host = rig.host_with("only", "", &wait.each_ref().map(|(key, value)| (key.as_str(), value.clone()))).unwrap();
    rig.wait("a run that may not ask", soon(), async || {
        let left_alone = |text: &str| text.contains("api.hubapi.com keeps failing and is left alone since ");
        Ok(rig.ended_runs("contacts").await?.iter().any(|run| {
            run.error_class.as_deref() == Some("unavailable") && run.error_message.as_deref().is_some_and(left_alone)
        }))
    })
    .await
    .unwrap();
    let asked: u64 = rig.fakes.stats().total().statuses.values().sum();
    assert!((5..=7).contains(&asked), "{asked} requests to a provider that is down");
    rig.fakes.clear_faults();
    rig.wait("the first sync", soon(), async || Ok(rig.object("contacts").await?.synced_at.is_some())).await.unwrap();
    rig.settle(Duration::from_secs(60)).await.unwrap();
    let found = rig.compare().await.unwrap();
    assert!(found.is_clean(), "{found:#?}");
}

async fn answers_that_make_no_sense_fail_the_run_and_nothing_lands_of_them(backend: Backend) {
    let mut options = options(backend);
    options.objects = vec!["contacts"];
    let rig = Rig::start(&options).await.unwrap();
    for trouble in [Trouble::Malformed, Trouble::Html, Trouble::Empty, Trouble::CutBody] {
        rig.fakes.inject(Fault::new(trouble, 4));
    }
    let _host = rig.host("only", "").unwrap();
    rig.wait("the first sync", soon(), async || Ok(rig.object("contacts").await?.synced_at.is_some())).await.unwrap();
    let runs = rig.ended_runs("contacts").await.unwrap();
    assert!(runs.iter().any(|run| run.error_class.as_deref() == Some("unexpected")), "{runs:#?}");
    rig.settle(Duration::from_secs(60)).await.unwrap();
    let found = rig.compare().await.unwrap();
    assert!(found.is_clean(), "{found:#?}");
}

on_both_footings! {
    a_rate_limit_holds_the_whole_integration_until_its_time,
    refused_credentials_stop_the_integration_until_they_change,
    a_forbidden_object_does_not_stop_its_siblings,
    a_provider_that_fails_midway_leaves_a_partial_run_and_goes_on_behind_it,
    a_provider_that_keeps_failing_is_left_alone_and_read_when_it_is_back,
    answers_that_make_no_sense_fail_the_run_and_nothing_lands_of_them,
}
