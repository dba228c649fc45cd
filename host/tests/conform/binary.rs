//! `syncline connector test` as build servers run it: the exit code says it all.

use std::path::Path;
use std::process::Command;

use super::guest;

/// Tests the connector with a sin, in a folder; answers with the exit code and what was said.
fn test(folder: &Path, sin: &str) -> (Option<i32>, String) {
    std::fs::write(folder.join("broken.wasm"), guest::broken(sin)).unwrap();
    std::fs::write(folder.join("birch.toml"), include_str!("birch.toml")).unwrap();
    let arguments = "connector test broken.wasm --provider birch.toml --secret token=env:TOKEN --page-size 5";
    let done = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(arguments.split(' '))
        .args(["--index-lag-ms", "30000", "--junit", "report.xml"])
        .current_dir(folder)
        .env("TOKEN", "birch-token")
        .env_remove("SYNCLINE_CONFIG")
        .output()
        .unwrap();
    (done.status.code(), String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap())
}

#[test]
fn the_command_ends_with_0_where_everything_holds_and_with_5_where_something_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let junit = || std::fs::read_to_string(folder.path().join("report.xml")).unwrap();
    let (exit, said) = test(folder.path(), "");
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("\npassed: ") && junit().contains("failures=\"0\""), "{said}");
    let (exit, said) = test(folder.path(), "status-401");
    assert_eq!(exit, Some(5), "{said}");
    assert!(said.contains("FAIL SY-1301") && said.contains("a check does not hold"), "{said}");
    assert!(junit().contains("failures=\"1\""));
}
