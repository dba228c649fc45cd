//! Intervals in layers: the most specific wins, at once.

use std::collections::BTreeMap;
use std::time::Duration;

use syncline::domain::{ObjectId, ObjectType, Outcome};
use syncline::store::admin::{NewIntegration, Scope};

use crate::support::{Db, finish, object_type};

on_both!(
    the_most_specific_interval_is_in_force,
    an_object_is_added_with_the_interval_of_its_layers,
    a_changed_interval_moves_the_due_time_of_what_is_healthy_only,
    objects_that_do_not_differ_are_not_touched,
);

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

async fn the_most_specific_interval_is_in_force(db: Db) {
    let customer = db.customer_of("acme").await;
    let kind = ObjectType { default_interval_seconds: Some(120), ..object_type("contacts") };
    let (integration, objects) = db.integration_with(customer, "crm", vec![kind]).await;
    let object = objects[0];
    let provider = BTreeMap::from([("hubspot".to_owned(), minutes(3)), ("zendesk".to_owned(), minutes(99))]);
    let nobody = BTreeMap::new();
    let in_force = async |providers: &BTreeMap<String, Duration>| {
        db.apply_intervals(Some(minutes(1)), providers).await.unwrap();
        db.row(object).await.effective_interval_ms / 60_000
    };
    assert_eq!(in_force(&nobody).await, 2, "the connector's suggestion");
    assert_eq!(in_force(&provider).await, 3);
    db.set_interval(Scope::Customer(customer), Some(minutes(4))).await.unwrap();
    assert_eq!(in_force(&provider).await, 4);
    db.set_interval(Scope::Integration(integration), Some(minutes(5))).await.unwrap();
    assert_eq!(in_force(&provider).await, 5);
    db.set_interval(Scope::Object(object), Some(minutes(6))).await.unwrap();
    assert_eq!(in_force(&provider).await, 6);
    for scope in [Scope::Object(object), Scope::Integration(integration), Scope::Customer(customer)] {
        db.set_interval(scope, None).await.unwrap();
    }
    assert_eq!(in_force(&provider).await, 3);
    db.execute("UPDATE objects SET suggested_interval_ms = NULL").await;
    assert_eq!(in_force(&nobody).await, 1, "the host's default");
    db.apply_intervals(None, &nobody).await.unwrap();
    assert_eq!(db.row(object).await.effective_interval_ms, 180 * 60_000);
}

async fn an_object_is_added_with_the_interval_of_its_layers(db: Db) {
    let customer = db.add_customer("acme", "ACME", Some(minutes(7))).await.unwrap();
    let plain = object_type("plain");
    let suggested = ObjectType { default_interval_seconds: Some(60), ..object_type("suggested") };
    let (_, objects) = db.integration_with(customer, "a", vec![plain.clone(), suggested.clone()]).await;
    assert_eq!(db.row(objects[0]).await.effective_interval_ms, 7 * 60_000);
    assert_eq!(db.row(objects[1]).await.effective_interval_ms, 7 * 60_000, "a person's word beats a suggestion");
    let new = NewIntegration {
        customer,
        name: "b".to_owned(),
        provider: "hubspot".to_owned(),
        config: "{}".to_owned(),
        auth: String::new(),
        pin: Some("1.0.0".to_owned()),
        interval: Some(minutes(9)),
        objects: vec![plain],
    };
    let id = db.add_integration(&new, crate::support::no_credentials).await.unwrap();
    assert_eq!(db.object("acme", "b", "plain").await.unwrap().effective_interval_ms, 9 * 60_000);
    let row = db.integration("acme", "b").await.unwrap();
    assert_eq!((row.id, row.pin.as_deref(), row.interval_ms), (id.0, Some("1.0.0"), Some(9 * 60_000)));
    let (_, objects) = db.integration_of(db.customer_of("birch").await, &["plain"]).await;
    assert_eq!(db.row(objects[0]).await.effective_interval_ms, 180 * 60_000);
}

async fn a_changed_interval_moves_the_due_time_of_what_is_healthy_only(db: Db) {
    let objects = db.crowd("acme", 4).await;
    let [never, healthy, failing, requested]: [ObjectId; 4] = objects.clone().try_into().unwrap();
    for object in [healthy, failing, requested] {
        let claim = db.start(object).await;
        db.end(&claim, Outcome::Succeeded).await;
    }
    let claim = db.start_again(failing).await;
    db.end(&claim, finish(Outcome::RateLimited { retry_after_ms: None }).outcome).await;
    db.trigger(&[requested], Duration::ZERO, false).await.unwrap();
    let due = async |object| db.row(object).await.due_at;
    let before = [due(never).await, due(failing).await, due(requested).await];
    assert_eq!(db.apply_intervals(Some(minutes(10)), &BTreeMap::new()).await.unwrap(), 4);
    let row = db.row(healthy).await;
    assert_eq!(row.due_at, row.synced_at.unwrap() + 10 * 60_000);
    assert_eq!([due(never).await, due(failing).await, due(requested).await], before);
}

async fn objects_that_do_not_differ_are_not_touched(db: Db) {
    db.crowd("acme", 3).await;
    assert_eq!(db.apply_intervals(None, &BTreeMap::new()).await.unwrap(), 0);
    assert_eq!(db.apply_intervals(Some(minutes(5)), &BTreeMap::new()).await.unwrap(), 3);
    assert_eq!(db.apply_intervals(Some(minutes(5)), &BTreeMap::new()).await.unwrap(), 0);
}
