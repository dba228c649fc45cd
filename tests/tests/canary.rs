//! No credential is visible anywhere but where it is sent: not in a log, an output, a metric or a database row, in no
//! encoding.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::time::{Duration, Instant};

use syncline::domain::ObjectId;
use syncline::store::admin::RunFilter;
use syncline_tests::canary::{self, tenant};
use syncline_tests::fakes;
use syncline_tests::fakes::faults::{Fault, Knobs, Trouble};
use syncline_tests::on_both_footings;
use syncline_tests::rig::backend::Backend;
use syncline_tests::rig::{Rig, RigOptions};

/// The tenant's credentials, and every token that was ever issued for them.
fn assert_silent(rig: &Rig, place: &str, text: &str) {
    assert_eq!(canary::found_in(text), None, "{place} shows a credential");
    assert_eq!(canary::found_among(&rig.fakes.issued(), text), None, "{place} shows a token");
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

/// A rig whose host says all it can: its log everything, and at this port what it measures.
async fn talkative(backend: Backend, fakes: fakes::Options) -> (Rig, u16) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = RigOptions {
        backend,
        fakes: fakes::Options { tenants: vec![tenant()], rotate_refresh_tokens: true, ..fakes },
        objects: vec![],
        config: "[log]\nlevel = \"trace\"\n".to_owned(),
        http: Some(port),
        ..RigOptions::default()
    };
    (Rig::start(&options).await.unwrap(), port)
}

async fn a_credential_is_nowhere_to_be_seen(backend: Backend) {
    let (rig, port) = talkative(backend, fakes::Options::default()).await;
    let host = rig.host("only", "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    rig.wait("the first sync", deadline, async || {
        Ok(rig.objects().await?.iter().all(|object| object.synced_at.is_some()))
    })
    .await
    .unwrap();
    // Errors are where secrets like to slip out: expired tokens, refused refreshes, broken answers.
    rig.fakes.expire_tokens();
    for trouble in [Trouble::Html, Trouble::CutBody, Trouble::Malformed] {
        rig.fakes.inject(Fault::new(trouble, 4));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;

    let log = host.log();
    assert!(log.len() > 10_000, "the log says too little to prove anything");
    assert_silent(&rig, "the log", &log);
    let metrics = get(port, "/metrics");
    assert!(metrics.contains("syncline_http_requests_total"), "{metrics}");
    assert_silent(&rig, "the metrics", &metrics);
    assert!(get(port, "/readyz").contains("200 OK"));
    assert_silent(&rig, "the database", &rig.dump().await.unwrap());
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
        assert_silent(&rig, &command.join(" "), &rig.cli(command).await.unwrap());
    }
    host.drain(Duration::from_secs(15)).unwrap();
}

/// The same with providers that repeat whatever credential they are sent, in every spelling: in headers, in the texts of
/// records and of errors, at the token endpoint, and in what a recording holds.
async fn a_credential_that_providers_repeat_is_nowhere_to_be_seen(backend: Backend) {
    let fakes = fakes::Options {
        // Few enough for Salesforce to be asked in JSON, whose texts are replaced.
        records_per_object: 120,
        knobs: Knobs { echo: true, ..Knobs::default() },
        ..fakes::Options::default()
    };
    let (rig, port) = talkative(backend, fakes).await;
    for object in ["a/hubspot/contacts", "a/salesforce/Account"] {
        rig.cli(&["object", "record", object]).await.unwrap();
    }
    let host = rig.host("only", "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(90);
    let synced = async || Ok(rig.objects().await?.iter().all(|object| object.synced_at.is_some()));
    rig.wait("the first sync", deadline, synced).await.unwrap();
    let refused = |status: u16, path: &str, times: u64| {
        let trouble = Trouble::Status { status, retry_after: None, html: false };
        rig.fakes.inject(Fault { path: Some(path.to_owned()), ..Fault::new(trouble, times) });
    };
    let all: Vec<ObjectId> = rig.objects().await.unwrap().iter().map(|object| ObjectId(object.id)).collect();
    for status in [400, 404, 500, 502, 403, 429] {
        refused(status, "/crm/", 2);
        refused(status, "/services/data/", 2);
        let deadline = Instant::now() + Duration::from_secs(60);
        rig.wait("a provider's errors", deadline, async || {
            rig.store.trigger(&all, Duration::ZERO, true).await?;
            Ok(rig.fakes.waiting() == 0)
        })
        .await
        .unwrap();
    }
    for status in [400, 403, 429, 500] {
        for (integration, path) in [("a/hubspot", "/account-info/"), ("a/salesforce", "/services/data/")] {
            refused(status, path, 1);
            let said = rig.cli(&["integration", "check", integration, "-vv"]).await;
            assert_silent(&rig, "integration check", &said.unwrap_or_else(|error| format!("{error:?}")));
        }
    }
    // A token that is refused, and a refresh that is, with the secret and the token in the reason: both are the end.
    refused(401, "/crm/", 100);
    refused(400, "/oauth2/token", 100);
    rig.fakes.expire_tokens();
    let deadline = Instant::now() + Duration::from_secs(90);
    rig.wait("the end", deadline, async || {
        let objects = rig.objects().await?;
        let ended = |of: &str| objects.iter().any(|o| o.integration == of && o.state == "needs-auth");
        Ok(ended("hubspot") && ended("salesforce"))
    })
    .await
    .unwrap();

    assert!(rig.fakes.issued().len() >= 2, "no token was issued");
    let dump = rig.dump().await.unwrap();
    let redacted = dump.matches("[redacted]").count();
    assert_silent(&rig, "the database", &dump);
    assert!(redacted > 1_000, "nothing was repeated: {redacted}");
    let log = host.log();
    assert!(log.contains("[redacted]"), "the log quotes no error");
    assert_silent(&rig, "the log", &log);
    for path in ["/metrics", "/readyz", "/livez"] {
        assert_silent(&rig, path, &get(port, path));
    }
    let mut commands: Vec<Vec<String>> = [
        &["status", "--json"][..],
        &["status"],
        &["integration", "list", "--json"],
        &["object", "list", "--json"],
        &["runs", "list", "--json", "--limit", "1000"],
    ]
    .map(|command| command.iter().map(|word| (*word).to_owned()).collect())
    .into();
    for object in rig.objects().await.unwrap() {
        let name = format!("{}/{}/{}", object.customer, object.integration, object.object);
        commands.push(["object", "show", &name].map(str::to_owned).into());
        commands.push(["object", "show", &name, "--json"].map(str::to_owned).into());
        commands.push(["interactions", "list", &name, "--json"].map(str::to_owned).into());
        commands.push(["interactions", "export", &name].map(str::to_owned).into());
    }
    let runs = rig.store.runs(&RunFilter { limit: 1_000, ..RunFilter::default() }).await.unwrap();
    for run in &runs {
        commands.push(["runs", "show", &run.id.to_string()].map(str::to_owned).into());
        commands.push(["runs", "show", &run.id.to_string(), "--json"].map(str::to_owned).into());
    }
    for command in commands {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let said = rig.cli(&command).await.unwrap_or_else(|error| format!("{error:?}"));
        assert_silent(&rig, &command.join(" "), &said);
    }
    let recorded: Vec<_> = runs.iter().filter(|run| run.recorded == 1).collect();
    assert_eq!(recorded.len(), 2);
    for run in recorded {
        let file = rig.dir().join(format!("{}.json", run.id));
        let path = file.display().to_string();
        rig.cli(&["runs", "recording", &run.id.to_string(), "--out", &path]).await.unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("x-echo") && text.contains("[redacted]"), "{}: nothing was repeated", run.object);
        assert_silent(&rig, &format!("the recording of {}", run.object), &text);
        assert_silent(&rig, "the replay", &rig.cli(&["connector", "replay", &path]).await.unwrap());
    }
    host.drain(Duration::from_secs(15)).unwrap();
}

on_both_footings! {
    a_credential_is_nowhere_to_be_seen,
    a_credential_that_providers_repeat_is_nowhere_to_be_seen,
}
