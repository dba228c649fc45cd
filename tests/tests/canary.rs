//! No credential is visible anywhere but where it is sent: not in a log, an output, a metric or a database row, in no
//! encoding.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::time::{Duration, Instant};

use syncline_tests::canary::{self, tenant};
use syncline_tests::fakes;
use syncline_tests::on_both_footings;
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};

fn assert_silent(place: &str, text: &str) {
    assert_eq!(canary::found_in(text), None, "{place} shows a credential");
}

/// Head and body of a response.
fn get(port: u16, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

async fn a_credential_is_nowhere_to_be_seen(backend: Backend) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let rig = Rig::start(&RigOptions {
        backend,
        fakes: fakes::Options { tenants: vec![tenant()], rotate_refresh_tokens: true, ..fakes::Options::default() },
        objects: vec![],
        config: "[log]\nlevel = \"trace\"\n".to_owned(),
        http: Some(port),
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
    let metrics = get(port, "/metrics");
    assert!(metrics.contains("syncline_http_requests_total"), "{metrics}");
    assert_silent("the metrics", &metrics);
    assert!(get(port, "/readyz").contains("200 OK"));
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

on_both_footings! {
    a_credential_is_nowhere_to_be_seen,
}
