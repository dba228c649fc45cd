//! Every ending of a run, and what it means for the object and its siblings.

use std::time::Duration;

use syncline::domain::Outcome;
use syncline::store::runs::Finish;

use crate::support::{Db, ME, finish, object_type};

on_both!(
    a_success_is_due_an_interval_later,
    a_first_success_can_be_due_earlier_to_spread_the_next,
    whatever_is_no_success_is_due_after_its_own_time,
    refused_credentials_stop_the_whole_integration_until_new_ones_come,
    runs_that_find_out_together_do_not_wait_for_each_other,
    a_rate_limit_holds_back_the_siblings_as_well,
    a_quarantined_object_stays_where_it_is_until_it_is_resumed,
    what_a_connector_says_is_stored_whatever_it_says,
);

fn message(class: &str) -> (String, String) {
    (class.to_owned(), "the provider said no".to_owned())
}

async fn a_success_is_due_an_interval_later(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    let row = db.end(&claim, Outcome::Succeeded).await;
    assert_eq!((row.active, row.fails, row.last_outcome.as_deref()), (0, 0, Some("succeeded")));
    assert_eq!((row.last_error, row.lease_owner), (None, None));
    assert_eq!(row.due_at - row.synced_at.unwrap(), row.effective_interval_ms);
    let run = db.last_run(object).await;
    assert_eq!((run.state.as_str(), run.error_class, run.error_message), ("succeeded", None, None));
    assert_eq!((run.guest_log.as_deref(), run.requests), (Some("said hello"), 1));
    assert!(run.claimed_at.unwrap() >= run.dispatched_at && run.finished_at.unwrap() >= run.claimed_at.unwrap());
}

async fn a_first_success_can_be_due_earlier_to_spread_the_next(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    let ending = Finish { interval_share: 0.25, guest_log: String::new(), ..finish(Outcome::Succeeded) };
    db.finish(ME, claim.lease, &ending).await.unwrap().unwrap();
    let row = db.row(object).await;
    assert_eq!(row.due_at - row.synced_at.unwrap(), 45 * 60_000);
    assert_eq!(db.last_run(object).await.guest_log, None);
}

async fn whatever_is_no_success_is_due_after_its_own_time(db: Db) {
    let (class, message) = message("unavailable");
    for outcome in [
        Outcome::Partial { class: class.clone(), message: message.clone() },
        Outcome::Failed { class, message: message.clone() },
        Outcome::Forbidden { message },
        Outcome::RateLimited { retry_after_ms: None },
        Outcome::RateLimited { retry_after_ms: Some(300_000) },
    ] {
        let customer = db.customer_of(&format!("c{}", db.count("customers").await)).await;
        let object = db.integration_of(customer, &["contacts"]).await.1[0];
        let claim = db.start(object).await;
        let state = outcome.state();
        let error = outcome.error().map(|(class, message)| (class.to_owned(), message.to_owned())).unwrap();
        let row = db.end(&claim, outcome).await;
        assert_eq!((row.state.as_str(), row.active, row.fails), ("active", 0, 1), "{state}");
        assert_eq!((row.last_outcome.as_deref(), row.synced_at), (Some(state), None));
        assert_eq!(row.last_error, Some(format!("{}: {}", error.0, error.1)));
        assert!((295_000..=300_000).contains(&(row.due_at - row.now)), "{state}: {}", row.due_at - row.now);
        let run = db.last_run(object).await;
        assert_eq!((run.state.as_str(), run.error_class, run.error_message), (state, Some(error.0), Some(error.1)));
    }
}

async fn refused_credentials_stop_the_whole_integration_until_new_ones_come(db: Db) {
    let customer = db.customer_of("acme").await;
    let (integration, objects) = db.integration_of(customer, &["a", "b", "c"]).await;
    let other = db.integration_with(customer, "other", vec![object_type("x")]).await.1[0];
    let (running, refused) = (db.start(objects[2]).await, db.start(objects[0]).await);
    let (class, message) = message("unauthorized");
    let row = db.end(&refused, Outcome::NeedsAuth { class, message }).await;
    assert_eq!(row.state, "needs-auth");
    assert_eq!(row.state_reason.as_deref(), Some("unauthorized: the provider said no"));
    assert_eq!(db.integration("acme", "crm").await.unwrap().state, "needs-auth");
    assert_eq!(db.last_run(objects[1]).await.state, "cancelled", "nobody goes and finds out once more");
    assert_eq!(db.last_run(other).await.state, "dispatched");
    assert_eq!(db.row(other).await.state, "active");
    db.end(&running, Outcome::Succeeded).await;
    db.pass(Duration::from_secs(10 * 3_600)).await;
    assert_eq!(db.dispatch().await, 0);

    db.set_credentials(integration, &[]).await.unwrap();
    assert_eq!(db.integration("acme", "crm").await.unwrap().state, "active");
    assert_eq!(db.integration("acme", "crm").await.unwrap().state_reason, None);
    assert_eq!(db.dispatch().await, 3);
}

async fn runs_that_find_out_together_do_not_wait_for_each_other(db: Db) {
    let objects = db.crowd("acme", 12).await;
    let mut claims = Vec::new();
    for object in &objects {
        claims.push(db.start(*object).await);
    }
    let endings: Vec<_> = claims
        .into_iter()
        .map(|claim| {
            let (class, message) = message("unauthorized");
            let (store, ending) = (db.store(), finish(Outcome::NeedsAuth { class, message }));
            tokio::spawn(async move { store.finish(ME, claim.lease, &ending).await.unwrap().unwrap() })
        })
        .collect();
    for ending in endings {
        ending.await.unwrap();
    }
    assert_eq!(db.count("runs WHERE state = 'needs-auth'").await, 12);
    assert_eq!(db.count("objects WHERE held = 1 AND active = 0").await, 12);
}

async fn a_rate_limit_holds_back_the_siblings_as_well(db: Db) {
    let customer = db.customer_of("acme").await;
    let (_, objects) = db.integration_of(customer, &["a", "b", "c"]).await;
    let other = db.integration_with(customer, "other", vec![object_type("x")]).await.1[0];
    let claim = db.start(objects[0]).await;
    db.reset_cursor(objects[1], None).await.unwrap();
    db.execute(&format!("UPDATE objects SET due_at = due_at + 9000000 WHERE id = {}", objects[2])).await;
    let later = db.row(objects[2]).await.due_at;
    db.end(&claim, Outcome::RateLimited { retry_after_ms: Some(120_000) }).await;
    let row = db.row(objects[1]).await;
    assert!((110_000..=120_000).contains(&(row.due_at - row.now)));
    assert_eq!(db.row(objects[2]).await.due_at, later, "nothing is due earlier for it");
    assert!(db.row(other).await.due_at <= row.now);
}

async fn a_quarantined_object_stays_where_it_is_until_it_is_resumed(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    let message = "three claims without progress".to_owned();
    let row = db.end(&claim, Outcome::Quarantined { message }).await;
    assert_eq!(row.state, "quarantined");
    assert_eq!(row.state_reason.as_deref(), Some("quarantined: three claims without progress"));
    db.pass(Duration::from_secs(24 * 3_600)).await;
    assert_eq!(db.dispatch().await, 0);
    db.set_paused(&[object], false, None).await.unwrap();
    assert_eq!((db.row(object).await.state, db.row(object).await.state_reason), ("active".to_owned(), None));
    assert_eq!(db.start(object).await.attempts, 1);
}

async fn what_a_connector_says_is_stored_whatever_it_says(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    let outcome = Outcome::Failed { class: "other".to_owned(), message: "a\0b \u{202e}".to_owned() };
    let ending = Finish { guest_log: "c\0d".to_owned(), ..finish(outcome) };
    db.finish(ME, claim.lease, &ending).await.unwrap().unwrap();
    let run = db.last_run(object).await;
    assert_eq!(run.error_message.as_deref(), Some("a\u{fffd}b \u{202e}"));
    assert_eq!(run.guest_log.as_deref(), Some("c\u{fffd}d"));
}
