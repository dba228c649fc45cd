//! What is long over is forgotten; what landed and what goes on is not.

use std::time::Duration;

use syncline::domain::{Outcome, batch};

use super::landing::record;
use crate::support::Db;

on_both!(old_runs_and_batches_are_forgotten_and_what_landed_stays);

const DAY: Duration = Duration::from_secs(86_400);

async fn old_runs_and_batches_are_forgotten_and_what_landed_stays(db: Db) {
    let object = db.one_object().await;
    let old = db.start(object).await;
    db.commit(&old, "c1", batch::encode(&[record("a", "{}")])).await;
    db.land_all(object).await;
    db.end(&old, Outcome::Succeeded).await;
    assert_eq!(db.prune(DAY, 100).await.unwrap(), 0, "nothing is old yet");

    db.pass(DAY * 2).await;
    let recent = db.start_again(object).await;
    db.commit(&recent, "c2", batch::encode(&[record("b", "{}")])).await;
    db.land_all(object).await;
    assert_eq!(db.prune(DAY, 100).await.unwrap(), 2, "the old batch and the old run");
    assert_eq!((db.count("batches").await, db.count("runs").await), (1, 1));
    assert_eq!(db.count("interactions").await, 2);
    assert_eq!(db.prune(DAY, 100).await.unwrap(), 0);
}
