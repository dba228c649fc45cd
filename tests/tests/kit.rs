//! The kit for connector authors through the command line, as an author uses it: record, replay, read, pipe on.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use serde_json::{Value, json};
use syncline::kit::synthetic::{self, Synthetic};
use syncline_tests::canary;
use syncline_tests::fakes::faults::Knobs;
use syncline_tests::fakes::schema::Provider;
use syncline_tests::fakes::{FakeProviders, Options};
use syncline_tests::rig::program;

fn syncline() -> Command {
    let mut command = Command::new(program("syncline").expect("the program"));
    // Compiled components are kept from run to run.
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kit");
    command.stdin(Stdio::null()).env("TOKEN", "birch-token").env("SYNCLINE__HOST__DATA_DIR", data);
    command.env_remove("SYNCLINE_CONFIG");
    command
}

fn birch() -> PathBuf {
    let plugins = std::env::var_os("SYNCLINE_TEST_PLUGINS").expect("run this through `cargo xtask test`");
    Path::new(&plugins).join("birch.wasm")
}

fn description() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/template/provider.toml")
}

/// What a command says that ends well.
fn told(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn record(out: &Path, page_size: &str, more: &[&str]) {
    let mut command = syncline();
    command.args(["connector", "record"]).arg(birch()).args(["people", "--pages", "0", "--page-size", page_size]);
    command.args(["--secret", "token=env:TOKEN", "--provider"]).arg(description()).arg("--out").arg(out).args(more);
    told(&mut command);
}

fn replay(cassette: &Path) -> Output {
    told(syncline().args(["connector", "replay"]).arg(cassette).arg("--connector").arg(birch()))
}

#[test]
fn a_cassette_replays_to_the_same_bytes_every_time_and_needs_no_provider() {
    let dir = tempfile::tempdir().unwrap();
    let cassette = dir.path().join("people.json");
    record(&cassette, "25", &[]);
    let (first, second) = (replay(&cassette), replay(&cassette));
    assert_eq!(first.stdout, second.stdout);
    let lines: Vec<Value> =
        String::from_utf8(first.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: BTreeSet<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), ids.len()), (120, 120));
    // Several pages, or this would say little.
    let written: Value = serde_json::from_slice(&std::fs::read(&cassette).unwrap()).unwrap();
    assert!(written["calls"].as_array().unwrap().len() > 5, "check, discover and some pages");
}

#[test]
fn a_scrubbed_field_is_in_no_file_and_the_cassette_still_replays() {
    let dir = tempfile::tempdir().unwrap();
    let cassette = dir.path().join("people.json");
    record(&cassette, "25", &["--scrub", "email,name"]);
    let text = std::fs::read_to_string(&cassette).unwrap();
    assert!(!text.contains("firm.test") && text.contains("scrubbed-1"), "an address is still there");
    let replayed = String::from_utf8(replay(&cassette).stdout).unwrap();
    assert_eq!(replayed.lines().count(), 120);
}

#[test]
fn what_a_cassette_does_not_hold_is_told_with_the_nearest() {
    let dir = tempfile::tempdir().unwrap();
    let cassette = dir.path().join("people.json");
    record(&cassette, "25", &[]);
    let text = std::fs::read_to_string(&cassette).unwrap().replace("limit=25", "limit=24");
    std::fs::write(&cassette, text).unwrap();
    let output =
        syncline().args(["connector", "replay"]).arg(&cassette).arg("--connector").arg(birch()).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the cassette does not hold GET https://api.birch.example/v1/people?limit=25"), "{said}");
    assert!(said.contains("query `limit`: recorded \"24\", asked \"25\""), "{said}");
}

/// What a proxy saves of the exchanges of a cassette.
fn har(cassette: &Path) -> Value {
    let written: Value = serde_json::from_slice(&std::fs::read(cassette).unwrap()).unwrap();
    let calls = written["calls"].as_array().unwrap().iter().filter(|call| call["call"] == "fetch");
    let exchanges = calls.flat_map(|call| call["exchanges"].as_array().unwrap());
    let entry = |exchange: &Value| {
        let (request, response) = (&exchange["request"], &exchange["response"]);
        let pair = |pair: &Value| json!({"name": pair[0], "value": pair[1]});
        let headers: Vec<Value> = response["headers"].as_array().unwrap().iter().map(pair).collect();
        json!({
            "startedDateTime": written["recorded_at"], "time": 1,
            "request": {"method": request["method"], "url": request["url"], "headers": []},
            "response": {"status": response["status"], "headers": headers,
                         "content": {"text": response["body"]["json"].to_string()}},
        })
    };
    json!({"log": {"entries": exchanges.map(entry).collect::<Vec<_>>()}})
}

#[test]
fn an_imported_cassette_is_read_by_the_object_that_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (cassette, capture, imported) =
        (dir.path().join("people.json"), dir.path().join("capture.har"), dir.path().join("imported.json"));
    record(&cassette, "1000", &[]);
    std::fs::write(&capture, har(&cassette).to_string()).unwrap();
    told(syncline().args(["connector", "record", "--from-har"]).arg(&capture).arg("--out").arg(&imported));
    let mut again = syncline();
    again.args(["connector", "replay"]).arg(&imported).arg("--connector").arg(birch());
    let unnamed = again.output().unwrap();
    let said = String::from_utf8(unnamed.stderr).unwrap();
    assert!(unnamed.status.code() == Some(2) && said.contains("--object NAME"), "{said}");
    let read = told(again.args(["--object", "people"]));
    assert_eq!(read.stdout, replay(&cassette).stdout);
}

/// A provider that says the credential back in every spelling, in headers and in records.
async fn echo(headers: HeaderMap, request: Request) -> (HeaderMap, String) {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let token = sent.trim_start_matches("Bearer ").to_owned();
    let spellings: Vec<String> = std::iter::once(sent.clone()).chain(canary::echoes(&token)).collect();
    let people: Vec<Value> = spellings
        .iter()
        .enumerate()
        .map(|(place, spelling)| {
            json!({"id": format!("p-{place}"), "name": spelling, "email": token, "deleted": false,
                   "updated_at": "2026-01-01T00:00:00.000Z"})
        })
        .collect();
    let mut answer = HeaderMap::new();
    answer.insert("x-echo", sent.parse().unwrap());
    answer.insert(header::SET_COOKIE, format!("session={token}").parse().unwrap());
    answer.insert(header::DATE, "Thu, 01 Jan 2026 00:00:00 GMT".parse().unwrap());
    let body = if request.uri().path() == "/v1/me" {
        json!({ "account": token })
    } else {
        // Also as the place of the next page, which becomes a part of the cursor.
        let next = request.uri().query().is_none_or(|query| !query.contains("after=")).then_some(token);
        json!({ "people": people, "next": next })
    };
    (answer, body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cassette_never_holds_the_credential_in_any_encoding() {
    const CANARY: &str = "cAnArY/0123+456=789&abc\"def";
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await });
    let dir = tempfile::tempdir().unwrap();
    let cassette = dir.path().join("echo.json");
    let mut command = syncline();
    command.args(["connector", "record"]).arg(birch()).args(["people", "--secret", "token=env:CANARY", "--provider"]);
    command.arg(&origin).arg("--out").arg(&cassette).env("CANARY", CANARY);
    tokio::task::spawn_blocking(move || told(&mut command)).await.unwrap();

    let text = std::fs::read_to_string(&cassette).unwrap();
    assert!(text.contains("[redacted]") && text.contains("p-22"), "the echo is in it: {text}");
    for (encoding, spelling) in canary::spellings(CANARY) {
        assert!(!text.contains(&spelling), "{encoding}: {spelling}");
    }
    assert!(!text.contains("cAnArY"), "a part of it");
}

/// What the commands for authors say and write of a provider that repeats the credential everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn no_report_and_no_output_shows_a_credential_that_a_provider_repeats() {
    let options = Options {
        providers: vec![Provider::HubSpot],
        tenants: vec![canary::tenant()],
        records_per_object: 40,
        knobs: Knobs { echo: true, ..Knobs::default() },
        ..Options::default()
    };
    let fakes = FakeProviders::start(options).await.unwrap();
    let origin = format!("http://{}", fakes.addr(Provider::HubSpot).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (junit, cassette) = (dir.path().join("report.xml"), dir.path().join("cassette.json"));
    let [report, recorded] = [&junit, &cassette].map(|path| path.display().to_string());
    // Texts that were masked are not what the provider has: the suite fails, and shows what it saw.
    for (command, code) in [
        (&["test", "--object", "contacts", "--junit", &report][..], 5),
        (&["test", "--object", "contacts", "--junit", &report, "--json"], 5),
        (&["read", "contacts", "--pages", "0"], 0),
        (&["read", "contacts", "--pages", "0", "--format", "singer"], 0),
        (&["record", "contacts", "--pages", "0", "--out", &recorded, "-vv"], 0),
    ] {
        let mut run = syncline();
        run.args(["connector", command[0]]).arg(birch().with_file_name("hubspot.wasm")).args(&command[1..]);
        run.args(["--secret", "token=env:CANARY", "--provider", &origin]).env("CANARY", canary::tenant().hubspot_token);
        let output = tokio::task::spawn_blocking(move || run.output().unwrap()).await.unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.code(), Some(code), "{command:?}: {said:?}");
        for text in said {
            assert_eq!(canary::found_in(&text), None, "{command:?} shows a credential");
        }
    }
    for path in [junit, cassette] {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("[redacted]"), "{}: nothing was repeated", path.display());
        assert_eq!(canary::found_in(&text), None, "{} holds a credential", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_singer_target_lands_what_the_provider_has() {
    let Some(target) = std::env::var_os("SYNCLINE_TEST_TARGET_JSONL") else {
        panic!("SYNCLINE_TEST_TARGET_JSONL is not set: run this through `cargo xtask test`")
    };
    let description = synthetic::load(&description()).unwrap();
    let provider = Synthetic::start(description, synthetic::Options { seed: 7, ..Default::default() }).await.unwrap();
    let origin = provider.origin().to_string();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    let read = {
        let mut command = syncline();
        command.args(["connector", "read"]).arg(birch()).args(["people", "--pages", "0", "--format", "singer"]);
        command.args(["--secret", "token=env:TOKEN", "--provider", &origin]);
        tokio::task::spawn_blocking(move || told(&mut command)).await.unwrap()
    };
    let mut child = Command::new(target)
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), &read.stdout).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // The target passes the state on: the cursor that the next reading begins with.
    let state: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(state["bookmarks"]["people"]["cursor"].is_string(), "{state}");

    let file = std::fs::read_dir(&folder).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        path.extension().is_some_and(|end| end == "jsonl").then_some(path)
    });
    let landed: BTreeSet<String> = std::fs::read_to_string(file.expect("a file"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    let control = syncline::kit::control::Control::open(&origin, None).await.unwrap();
    let truth: BTreeSet<String> = control.truth("people").await.unwrap().into_keys().collect();
    assert_eq!(landed, truth);
    assert_eq!(landed.len(), 120);
}
