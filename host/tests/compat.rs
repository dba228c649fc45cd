//! Yesterday's connectors on today's host, and the contract that they were promised. Invariant: what was released never
//! changes and never stops running.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

/// Every file of the contract that was released, by its digest.
const CONTRACT: [(&str, &str); 5] = [
    ("v0.1.0/connector.wit", "602e0b57e5e6481d6c95cf370cae8078651bf0ffd3f38aa043e3740aacabe832"),
    ("v0.1.0/http.wit", "951f6387e97cc48b70ffaca92272136390562f21fa1a70ac5f628940c9aaed24"),
    ("v0.1.0/log.wit", "74d68df0b68a5a035eb9e2529e225f3844d5b9065763d762b47b94c3ba7eff3b"),
    ("v0.1.0/types.wit", "54d79d9c5ef2fc82a029dab0a735e6ae555a2bc150516e72ef46a6fc411b7655"),
    ("v0.1.0/world.wit", "2a88876a58cf13ecae9cde0e84d2394afeb76085fdcb2045abd3b8f68fe6e4ba"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn digest(file: &Path) -> String {
    hex::encode(Sha256::digest(std::fs::read(file).unwrap()))
}

/// The files below a folder that end in `.EXTENSION`, in order, as seen from there.
fn files(folder: &Path, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&path, extension).into_iter().map(|below| format!("{name}/{below}")));
        } else if path.extension().is_some_and(|is| is == extension) {
            found.push(name);
        }
    }
    found.sort();
    found
}

#[test]
fn a_released_contract_never_changes() {
    let wit = root().join("wit");
    let now: Vec<(String, String)> =
        files(&wit, "wit").into_iter().map(|file| (file.clone(), digest(&wit.join(file)))).collect();
    let then = CONTRACT.map(|(file, digest)| (file.to_owned(), digest.to_owned()));
    assert_eq!(
        now, then,
        "a released directory of wit/ never changes: connectors that were built with it are out there. Make a new one, as \
         wit/README.md says, and add its digests here"
    );
}

/// The components that are kept, as their digests name them.
fn kept() -> Vec<PathBuf> {
    let folder = root().join("tests/compat");
    let sums = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let listed: Vec<(&str, &str)> = sums.lines().map(|line| line.split_once("  ").unwrap()).collect();
    let present: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".wasm"))
        .collect();
    assert_eq!(listed.len(), present.len(), "SHA256SUMS lists every file, and no other: {present:?}");
    for (sum, file) in &listed {
        assert_eq!(digest(&folder.join(file)), *sum, "{file} is not what it was: kept components are never replaced");
    }
    listed.iter().map(|(_, file)| folder.join(file)).collect()
}

/// The provider that the kept connectors read.
fn provider() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let (status, body) = answer(&head);
            let head = format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            // A client that is gone has had what it wanted.
            let _ = write!(stream, "{head}content-type: application/json\r\n\r\n{body}");
        }
    });
    addr
}

fn answer(head: &[String]) -> (u16, String) {
    if !head.iter().any(|line| line.eq_ignore_ascii_case("authorization: Bearer kept-token")) {
        return (401, "{}".to_owned());
    }
    let row = |id: &str| json!({"id": id, "changed": "2026-01-02T03:04:05Z", "exact": 12_345_678_901_234_567_890_u64});
    let body = match head[0].split(' ').nth(1).unwrap() {
        "/us/me" => json!({"me": true}),
        "/us/entries?after=start" => json!({"rows": [row("1"), row("2")], "next": "b"}),
        "/us/entries?after=b" => json!({"rows": [{"id": "1", "gone": true}, {"id": "2", "merged_into": "3"}]}),
        "/us/people?after=start" => json!({"rows": [row("ann")]}),
        _ => return (404, "{}".to_owned()),
    };
    (200, body.to_string())
}

fn syncline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(arguments)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_remove("SYNCLINE_CONFIG")
        .env("KEPT_TOKEN", "kept-token")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn json_lines(arguments: &[&str]) -> Vec<Json> {
    let output = syncline(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::Deserializer::from_slice(&output.stdout).into_iter().map(Result::unwrap).collect()
}

#[test]
fn every_connector_ever_kept_still_loads_describes_discovers_and_fetches() {
    let route = format!("egress.routes=api.ledger.example=http://{}", provider());
    for file in kept() {
        let file = file.to_str().unwrap();
        let inspected = json_lines(&["--json", "connector", "inspect", file]).remove(0);
        assert_eq!((&inspected["title"], &inspected["contract"]), (&json!("Ledger"), &json!("0.1.0")), "{file}");
        let schemes: Vec<&Json> = inspected["auth"].as_array().unwrap().iter().map(|scheme| &scheme["name"]).collect();
        assert_eq!(schemes, ["token", "basic", "header", "query", "oauth"], "{file}");

        let connection = ["--set", "region=us", "--secret", "token=env:KEPT_TOKEN", "-o", &route];
        let with = |command: &[&'static str]| -> Vec<Json> {
            let (name, rest) = command.split_first().unwrap();
            json_lines(&[&["--json", "connector", name, file], rest, &connection].concat())
        };
        assert_eq!(with(&["check"])[0]["ok"], true, "{file}");
        let discovered = with(&["discover"]);
        let objects = discovered[0].as_array().unwrap();
        let told = |object: &Json| format!("{} {} {}", object["name"], object["mode"], object["deletes"]);
        let objects: Vec<String> = objects.iter().map(told).collect();
        let expected =
            [r#""entries" "incremental" "tombstones""#, r#""people" "full" "by-absence""#].map(str::to_owned);
        assert_eq!(objects, expected, "{file}");

        let entries = with(&["read", "entries", "--pages", "0"]);
        assert_eq!(entries.len(), 4, "{file}: {entries:#?}");
        assert_eq!(entries[0]["data"]["exact"].to_string(), "12345678901234567890", "{file}");
        assert_eq!(with(&["read", "people", "--pages", "0"]).len(), 1, "{file}");
    }
}
