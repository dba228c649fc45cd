//! Pausing and resuming, by hand and because the provider asked.

use std::time::Duration;

use syncline::domain::{IntegrationId, Outcome};

use crate::support::{Db, object_type};

on_both!(
    pausing_cancels_what_is_dispatched_and_lets_what_runs_end,
    pausing_an_integration_holds_its_objects,
    an_object_stays_paused_when_its_integration_is_resumed,
    the_pause_a_provider_asked_for_only_grows_and_passes_by_itself,
    resuming_an_integration_ends_the_providers_pause,
    a_pause_and_a_claim_never_both_win,
);

async fn pausing_cancels_what_is_dispatched_and_lets_what_runs_end(db: Db) {
    let objects = db.crowd("acme", 2).await;
    let running = db.start(objects[0]).await;
    db.set_paused(&objects, true, Some("vacation")).await.unwrap();
    assert_eq!(db.last_run(objects[0]).await.state, "running");
    assert_eq!(db.last_run(objects[1]).await.state, "cancelled");
    assert!(db.claim_run(db.last_run(objects[1]).await.id, objects[1]).await.is_none());
    db.commit(&running, "c1", None).await;
    let row = db.end(&running, Outcome::Succeeded).await;
    assert_eq!((row.state.as_str(), row.state_reason.as_deref(), row.active), ("paused", Some("vacation"), 0));
    db.pass(Duration::from_secs(24 * 3_600)).await;
    assert_eq!(db.dispatch().await, 0);
    db.set_paused(&objects, false, None).await.unwrap();
    assert_eq!(db.dispatch().await, 2);
}

async fn pausing_an_integration_holds_its_objects(db: Db) {
    let customer = db.customer_of("acme").await;
    let (integration, objects) = db.integration_of(customer, &["a", "b"]).await;
    db.dispatch().await;
    db.set_integration_paused(integration, true, Some("audit")).await.unwrap();
    for object in &objects {
        let row = db.row(*object).await;
        assert_eq!((row.state.as_str(), row.state_reason.as_deref(), row.active), ("paused", Some("audit"), 0));
        assert_eq!(db.last_run(*object).await.state, "cancelled");
    }
    // What is discovered meanwhile is held as well.
    db.sync_objects(integration, &[object_type("a"), object_type("c")]).await.unwrap();
    db.pass(Duration::from_secs(24 * 3_600)).await;
    assert_eq!(db.dispatch().await, 0);
    db.set_integration_paused(integration, false, None).await.unwrap();
    assert_eq!(db.dispatch().await, 3);
}

async fn an_object_stays_paused_when_its_integration_is_resumed(db: Db) {
    let customer = db.customer_of("acme").await;
    let (integration, objects) = db.integration_of(customer, &["a", "b"]).await;
    db.set_paused(&objects[..1], true, None).await.unwrap();
    db.set_integration_paused(integration, true, None).await.unwrap();
    db.set_integration_paused(integration, false, None).await.unwrap();
    assert_eq!(db.dispatch().await, 1);
    assert_eq!(db.row(objects[0]).await.state, "paused");
}

async fn the_pause_a_provider_asked_for_only_grows_and_passes_by_itself(db: Db) {
    let object = db.one_object().await;
    let integration = IntegrationId(db.row(object).await.integration_id);
    let (half_a_minute, minute) = (Duration::from_secs(30), Duration::from_secs(60));
    assert_eq!(db.pause_left(integration).await.unwrap(), None);
    db.pause(integration, minute).await.unwrap();
    let until = db.number("SELECT paused_until FROM integrations").await;
    db.pause(integration, half_a_minute).await.unwrap();
    assert_eq!(db.number("SELECT paused_until FROM integrations").await, until);
    let left = db.pause_left(integration).await.unwrap().unwrap();
    assert!(left > half_a_minute && left <= minute, "{left:?}");
    assert_eq!(db.overview().await.unwrap().rate_limited, 1);
    db.pause(integration, minute * 2).await.unwrap();
    assert!(db.pause_left(integration).await.unwrap().unwrap() > minute);
    db.pass(minute * 2).await;
    assert_eq!(db.pause_left(integration).await.unwrap(), None);
}

async fn resuming_an_integration_ends_the_providers_pause(db: Db) {
    let object = db.one_object().await;
    let integration = IntegrationId(db.row(object).await.integration_id);
    db.pause(integration, Duration::from_secs(60)).await.unwrap();
    db.set_integration_paused(integration, false, None).await.unwrap();
    assert_eq!(db.pause_left(integration).await.unwrap(), None);
}

async fn a_pause_and_a_claim_never_both_win(db: Db) {
    let objects = db.crowd("acme", 40).await;
    db.dispatch().await;
    let mut races = Vec::new();
    for object in &objects {
        let (run, object) = (db.last_run(*object).await.id, *object);
        let (one, other) = (db.clone(), db.clone());
        races.push((
            object,
            tokio::spawn(async move { one.claim_run(run, object).await.is_some() }),
            tokio::spawn(async move { other.set_paused(&[object], true, None).await.unwrap() }),
        ));
    }
    for (object, claim, pause) in races {
        let claimed = claim.await.unwrap();
        pause.await.unwrap();
        let (run, row) = (db.last_run(object).await, db.row(object).await);
        let expected = if claimed { ("running", 1) } else { ("cancelled", 0) };
        assert_eq!((run.state.as_str(), row.active), expected);
    }
}
