//! Adding and listing: names, filters, hints, and the operator's overview.

use syncline::domain::{Outcome, RunId};
use syncline::store::StoreError;
use syncline::store::admin::{NewIntegration, ObjectFilter, RunFilter};
use syncline::store::status::Overview;

use crate::support::{Db, object_type};

on_both!(
    names_are_unique_where_they_must_be,
    what_does_not_exist_is_told_with_the_nearest_name,
    objects_are_listed_by_customer_integration_and_name,
    discovered_objects_are_brought_up_to_date_and_none_is_removed,
    runs_are_listed_newest_first,
    the_overview_counts_everything,
    the_clock_is_the_databases,
);

async fn names_are_unique_where_they_must_be(db: Db) {
    let acme = db.customer_of("acme").await;
    let birch = db.customer_of("birch").await;
    let taken = db.add_customer("acme", "again", None).await.unwrap_err();
    assert_eq!(taken.to_string(), "customer \"acme\" exists already");
    db.integration_of(acme, &["a"]).await;
    db.integration_of(birch, &["a"]).await;
    let again = NewIntegration {
        customer: acme,
        name: "crm".to_owned(),
        provider: "zendesk".to_owned(),
        config: "{}".to_owned(),
        auth: String::new(),
        pin: None,
        interval: None,
        objects: vec![object_type("b")],
    };
    assert!(matches!(
        db.add_integration(&again, crate::support::no_credentials).await,
        Err(StoreError::Exists { kind: "integration", .. })
    ));
    let row = db.customer("acme").await.unwrap();
    assert_eq!((row.title.as_str(), row.integrations, row.objects, row.interval_ms), ("acme", 1, 1, None));
    assert_eq!(db.customers().await.unwrap().len(), 2);
}

async fn what_does_not_exist_is_told_with_the_nearest_name(db: Db) {
    db.one_object().await;
    let text = |error: StoreError| error.to_string();
    assert_eq!(text(db.customer("acne").await.unwrap_err()), "no customer \"acne\" (did you mean \"acme\"?)");
    assert_eq!(
        text(db.integration("acme", "crn").await.unwrap_err()),
        "no integration \"acme/crn\" (did you mean \"acme/crm\"?)"
    );
    assert_eq!(
        text(db.object("acme", "crm", "contact").await.unwrap_err()),
        "no object \"acme/crm/contact\" (did you mean \"contacts\"?)"
    );
    assert_eq!(text(db.customer("xyz").await.unwrap_err()), "no customer \"xyz\"");
    assert_eq!(text(db.run(RunId(5)).await.unwrap_err()), "no run \"5\"");
}

async fn objects_are_listed_by_customer_integration_and_name(db: Db) {
    let acme = db.customer_of("acme").await;
    let birch = db.customer_of("birch").await;
    db.integration_of(birch, &["b", "a"]).await;
    db.integration_with(acme, "help", vec![object_type("a")]).await;
    db.integration_of(acme, &["a", "b"]).await;
    let list = async |customer: Option<&str>, integration: Option<&str>, object: Option<&str>, limit| {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let filter = ObjectFilter {
            customer: own(customer),
            integration: own(integration),
            object: own(object),
            limit,
            ..ObjectFilter::default()
        };
        let rows = db.objects(&filter).await.unwrap();
        rows.iter().map(|row| format!("{}/{}/{}", row.customer, row.integration, row.object)).collect::<Vec<_>>()
    };
    let all = ["acme/crm/a", "acme/crm/b", "acme/help/a", "birch/crm/a", "birch/crm/b"];
    assert_eq!(list(None, None, None, None).await, all);
    assert_eq!(list(None, None, None, Some(2)).await, all[..2]);
    assert_eq!(list(Some("acme"), None, None, None).await, all[..3]);
    assert_eq!(list(None, Some("crm"), Some("a"), None).await, ["acme/crm/a", "birch/crm/a"]);
    assert!(list(Some("' OR 1=1"), None, None, None).await.is_empty());
    let names: Vec<_> = db.integrations().await.unwrap().into_iter().map(|row| (row.customer, row.name)).collect();
    assert_eq!(names.len(), 3);
    assert_eq!(names[1], ("acme".to_owned(), "help".to_owned()));
}

async fn discovered_objects_are_brought_up_to_date_and_none_is_removed(db: Db) {
    let customer = db.customer_of("acme").await;
    let (integration, objects) = db.integration_of(customer, &["kept", "known"]).await;
    let claim = db.start(objects[1]).await;
    db.commit(&claim, "c1", None).await;
    db.end(&claim, Outcome::Succeeded).await;
    let newer = syncline::domain::ObjectType {
        schema: r#"{"type":"object"}"#.to_owned(),
        deletes: syncline::domain::DeleteMode::Tombstones,
        interaction_type: "note".to_owned(),
        ..object_type("known")
    };
    db.sync_objects(integration, &[newer, object_type("new")]).await.unwrap();
    let row = db.row(objects[1]).await;
    assert_eq!((row.interaction_type.as_str(), row.deletes.as_str()), ("note", "tombstones"));
    assert_eq!((row.cursor.as_deref(), row.last_outcome.as_deref()), (Some("c1"), Some("succeeded")));
    let known = db.landing_object(objects[1]).await.unwrap().unwrap();
    assert_eq!((known.integration_id, known.record_schema.as_str()), (integration.0, r#"{"type":"object"}"#));
    assert_eq!(db.count("objects").await, 3);
    let new = db.object("acme", "crm", "new").await.unwrap();
    assert!(new.due_at <= new.now);
    assert_eq!(db.sync_objects(integration, &[]).await.unwrap(), 0);
    assert!(db.landing_object(syncline::domain::ObjectId(99)).await.unwrap().is_none());
}

async fn runs_are_listed_newest_first(db: Db) {
    let objects = db.crowd("acme", 2).await;
    for object in [objects[0], objects[1], objects[0]] {
        let claim = db.start_again(object).await;
        db.end(&claim, Outcome::Succeeded).await;
    }
    let runs = async |object: Option<&str>, limit| {
        let filter = RunFilter { object: object.map(str::to_owned), limit, ..RunFilter::default() };
        db.runs(&filter).await.unwrap()
    };
    let all = runs(None, 10).await;
    assert!(all.windows(2).all(|pair| pair[0].id > pair[1].id));
    assert_eq!(runs(None, 2).await.len(), 2);
    let of_one = runs(Some("o00000"), 10).await;
    assert!(of_one.iter().all(|run| run.object == "acme/crm/o00000"));
    assert_eq!(db.run(RunId(all[1].id)).await.unwrap(), all[1]);
}

async fn the_overview_counts_everything(db: Db) {
    assert_eq!(db.overview().await.unwrap(), Overview::default());
    let objects = db.crowd("acme", 6).await;
    db.crowd("birch", 1).await;
    let claim = db.start(objects[0]).await;
    db.commit(&claim, "c1", Some(vec![0; 10])).await;
    let late = db.start(objects[1]).await;
    db.end(&late, Outcome::Succeeded).await;
    db.execute(&format!("UPDATE objects SET synced_at = synced_at - 99999999 WHERE id = {}", objects[1])).await;
    let failed = db.start(objects[2]).await;
    db.end(&failed, Outcome::RateLimited { retry_after_ms: None }).await;
    let broken = db.start(objects[3]).await;
    db.end(&broken, Outcome::Quarantined { message: "x".to_owned() }).await;
    db.set_paused(&objects[4..5], true, None).await.unwrap();
    let expected = Overview {
        customers: 2,
        integrations: 2,
        objects: 7,
        never_synced: 6,
        late: 1,
        failing: 2,
        paused: 1,
        quarantined: 1,
        dispatched: 2,
        running: 1,
        unlanded_batches: 1,
        unlanded_bytes: 10,
        outbox: 8,
        ..Overview::default()
    };
    assert_eq!(db.overview().await.unwrap(), expected);
}

async fn the_clock_is_the_databases(db: Db) {
    let here = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let there = db.now_ms().await.unwrap();
    assert!(i64::try_from(here).unwrap().abs_diff(there) < 5_000);
    assert!(db.now_ms().await.unwrap() >= there);
}
