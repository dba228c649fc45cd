//! Sealed credentials: versions, and one host at a time for a refresh.

use std::time::Duration;

use syncline::domain::IntegrationId;
use syncline::store::credentials::SealedField;

use crate::support::Db;

on_both!(
    credentials_are_stored_with_their_integration_or_neither_is,
    sealed_fields_come_back_as_they_were_stored,
    a_save_over_a_newer_version_changes_nothing,
    of_two_concurrent_saves_one_wins,
    one_host_at_a_time_refreshes_tokens,
    a_refresh_that_never_ends_ends_by_itself,
);

fn field(name: &str, text: &[u8]) -> SealedField {
    SealedField { field: name.to_owned(), key_version: 1, nonce: vec![0, 255, 7], ciphertext: text.to_vec() }
}

async fn integration(db: &Db) -> IntegrationId {
    let object = db.one_object().await;
    IntegrationId(db.row(object).await.integration_id)
}

async fn sealed_fields_come_back_as_they_were_stored(db: Db) {
    let id = integration(&db).await;
    assert_eq!(db.sealed_credentials(id).await.unwrap(), (0, Vec::new()));
    let fields = [field("refresh-token", b"r\0"), field("token", &[0, 128, 255])];
    db.set_credentials(id, &fields).await.unwrap();
    let (version, mut stored) = db.sealed_credentials(id).await.unwrap();
    stored.sort_by(|a, b| a.field.cmp(&b.field));
    assert_eq!((version, stored.as_slice()), (1, &fields[..]));
    assert_eq!(db.sealed_credentials(IntegrationId(99)).await.unwrap(), (0, Vec::new()));
}

async fn a_save_over_a_newer_version_changes_nothing(db: Db) {
    let id = integration(&db).await;
    assert!(db.put_credentials(id, Some(0), &[field("token", b"one")]).await.unwrap());
    assert!(!db.put_credentials(id, Some(0), &[field("token", b"two")]).await.unwrap());
    let (version, fields) = db.sealed_credentials(id).await.unwrap();
    assert_eq!((version, fields[0].ciphertext.as_slice()), (1, &b"one"[..]));
    let newer = SealedField { key_version: 2, nonce: vec![9], ..field("token", b"three") };
    assert!(db.put_credentials(id, None, std::slice::from_ref(&newer)).await.unwrap());
    assert_eq!(db.sealed_credentials(id).await.unwrap(), (2, vec![newer]));
}

async fn of_two_concurrent_saves_one_wins(db: Db) {
    let id = integration(&db).await;
    let save = |text: &'static [u8]| {
        let store = db.store();
        tokio::spawn(async move { store.put_credentials(id, Some(0), &[field("token", text)]).await.unwrap() })
    };
    let (one, two) = (save(b"one"), save(b"two"));
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    assert!(one != two);
    let (version, fields) = db.sealed_credentials(id).await.unwrap();
    assert_eq!((version, fields[0].ciphertext.as_slice()), (1, if one { &b"one"[..] } else { &b"two"[..] }));
}

async fn one_host_at_a_time_refreshes_tokens(db: Db) {
    let id = integration(&db).await;
    let ttl = Duration::from_secs(30);
    let hosts: Vec<_> = (0..8)
        .map(|_| {
            let store = db.store();
            tokio::spawn(async move { store.begin_refresh(id, ttl).await.unwrap() })
        })
        .collect();
    let mut taken = 0;
    for host in hosts {
        taken += u32::from(host.await.unwrap());
    }
    assert_eq!(taken, 1);
    assert!(!db.begin_refresh(id, ttl).await.unwrap());
    db.end_refresh(id).await.unwrap();
    assert!(db.begin_refresh(id, ttl).await.unwrap());
}

async fn a_refresh_that_never_ends_ends_by_itself(db: Db) {
    let id = integration(&db).await;
    assert!(db.begin_refresh(id, Duration::from_secs(30)).await.unwrap());
    db.pass(Duration::from_secs(31)).await;
    assert!(db.begin_refresh(id, Duration::from_secs(30)).await.unwrap());
}

async fn credentials_are_stored_with_their_integration_or_neither_is(db: Db) {
    let new = |name: &str, customer| syncline::store::admin::NewIntegration {
        customer,
        name: name.to_owned(),
        provider: "hubspot".to_owned(),
        config: "{}".to_owned(),
        auth: "token".to_owned(),
        pin: None,
        interval: None,
        objects: vec![crate::support::object_type("contacts")],
    };
    let customer = db.customer_of("acme").await;
    let refused =
        db.add_integration(&new("crm", customer), |_| Err(std::io::Error::other("no key"))).await.unwrap_err();
    assert!(matches!(refused, syncline::store::StoreError::Seal(_)), "{refused:?}");
    assert_eq!((db.count("integrations").await, db.count("objects").await), (0, 0));
    let sealed = |id: IntegrationId| Ok::<_, std::io::Error>(vec![field("token", &id.0.to_le_bytes())]);
    let id = db.add_integration(&new("crm", customer), sealed).await.unwrap();
    let (_, fields) = db.sealed_credentials(id).await.unwrap();
    assert_eq!(fields, [field("token", &id.0.to_le_bytes())]);
}
