//! The commands of the tutorial, run one after the other in an empty folder, as a reader would.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use syncline_tests::rig::program;

/// The shell blocks of a page, as one script.
fn script(page: &str) -> String {
    let mut script = String::from("set -euo pipefail\n");
    let mut inside = false;
    for line in page.lines() {
        match (inside, line.trim_end()) {
            (false, "```sh") => inside = true,
            (true, "```") => inside = false,
            (true, command) => {
                script.push_str(command);
                script.push('\n');
            }
            (false, _) => {}
        }
    }
    script
}

#[test]
fn the_tutorial_leads_from_nothing_to_landed_records() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/tutorial/first-connector.md")).unwrap();
    // The page's port may be taken on this machine.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = script(&page).replace("4000", &port.to_string());
    assert!(script.contains("connector new") && script.contains("interactions export"), "{script}");

    let dir = tempfile::tempdir().unwrap();
    let programs = program("syncline").unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("bash")
        .arg("-c")
        .arg(&script)
        .current_dir(dir.path())
        .env("PATH", format!("{}:{path}", programs.parent().unwrap().display()))
        // What is built for the reader's own project is built once for all runs of this test.
        .env("CARGO_TARGET_DIR", root.join("target/tutorial"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{told}");
    let project = dir.path().join("my-crm");
    let landed = std::fs::read_to_string(project.join("people.ndjson")).unwrap();
    // All but the few who were deleted before anybody looked, which the export leaves out.
    assert!((100..=120).contains(&landed.lines().count()), "{said}\n{told}");
    assert!(said.contains("passed: "), "the suite was green: {said}");
    assert!(said.contains("FAIL SY-1406"), "and red without the overlap: {said}");
    assert!(said.contains("# SY-1406 index-lag"), "which was explained: {said}");
    let deleted = said.split("{\"ids\":[\"").last().unwrap();
    let id = deleted.split('"').next().unwrap();
    assert!(said.contains(&format!("\"id\":\"{id}\",\"state\":\"deleted\"")), "{id} landed as deleted: {said}");
}
