//! No credential is visible anywhere but where it is sent: not in a log, an output, a metric or a database row, in no
//! encoding.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use syncline_tests::fakes::{self, Tenant};
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};

const CANARY: &str = "canary/+&7f3a91";

fn tenant() -> Tenant {
    Tenant {
        hubspot_token: format!("pat-na1-{CANARY}-hubspot"),
        client_secret: format!("secret-{CANARY}-client"),
        refresh_token: format!("refresh-{CANARY}-token"),
        ..Tenant::named("a")
    }
}

/// The ways in which a secret could be written down.
fn spellings() -> Vec<(String, String)> {
    let tenant = tenant();
    let mut all = Vec::new();
    for secret in [tenant.hubspot_token, tenant.client_secret, tenant.refresh_token] {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let json = serde_json::to_string(&secret).unwrap().trim_matches('"').to_owned();
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        // Base64 of a longer text holds this only at the right offset: cut to what is the same at offset 0.
        all.push(("raw".to_owned(), secret.clone()));
        all.push(("percent".to_owned(), encoded));
        all.push(("json".to_owned(), json));
        all.push(("hexadecimal".to_owned(), hex));
        for (name, engine) in [("base64", &STANDARD), ("base64url", &URL_SAFE)] {
            for offset in 0..3 {
                let text = engine.encode([vec![b'x'; offset], secret.clone().into_bytes()].concat());
                let inner: String = text.chars().skip(4).take(text.len() - 12).collect();
                all.push((format!("{name}+{offset}"), inner));
            }
        }
    }
    all
}

fn assert_silent(place: &str, text: &str) {
    for (encoding, spelling) in spellings() {
        assert!(!text.contains(&spelling), "{place} shows a credential ({encoding})");
    }
}

async fn a_credential_is_nowhere_to_be_seen(backend: Backend) {
    let rig = Rig::start(&RigOptions {
        backend,
        fakes: fakes::Options { tenants: vec![tenant()], rotate_refresh_tokens: true, ..fakes::Options::default() },
        objects: vec![],
        config: "[log]\nlevel = \"trace\"\n".to_owned(),
        ..RigOptions::default()
    })
    .await
    .unwrap();
    let host = rig.host("only", "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    rig.wait("the first sync", deadline, async || {
        Ok(rig.objects().await?.iter().all(|object| object.synced_at.is_some()))
    })
    .await
    .unwrap();
    // Errors are where secrets like to slip out: expired tokens, refused refreshes, broken answers.
    rig.fakes.expire_tokens();
    for trouble in [fakes::faults::Trouble::Html, fakes::faults::Trouble::CutBody, fakes::faults::Trouble::Malformed] {
        rig.fakes.inject(fakes::faults::Fault::new(trouble, 4));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;

    let log = host.log();
    assert!(log.len() > 10_000, "the log says too little to prove anything");
    assert_silent("the log", &log);
    assert_silent("the database", &rig.dump().await.unwrap());
    for command in [
        &["status", "--json"][..],
        &["customer", "list", "--json"],
        &["integration", "list", "--json"],
        &["object", "list", "--json"],
        &["object", "show", "a/hubspot/contacts", "--json"],
        &["runs", "list", "--json"],
        &["interactions", "export", "a/hubspot/contacts"],
        &["config", "show", "--json"],
        &["integration", "check", "a/hubspot", "-vv"],
    ] {
        assert_silent(&command.join(" "), &rig.cli(command).await.unwrap());
    }
    host.drain(Duration::from_secs(15)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_nowhere_to_be_seen_on_sqlite() {
    a_credential_is_nowhere_to_be_seen(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_nowhere_to_be_seen_on_postgres_and_sqs() {
    a_credential_is_nowhere_to_be_seen(Backend::PostgresSqs).await;
}

#[test]
fn the_search_would_find_a_credential() {
    let secret = tenant().hubspot_token;
    for text in [secret.clone(), STANDARD.encode(format!("user:{secret}")), STANDARD.encode(format!("{secret}:"))] {
        assert!(spellings().iter().any(|(_, spelling)| text.contains(spelling)), "{text}");
    }
}
