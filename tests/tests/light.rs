//! What is built to test a connector natively: the connector, the SDK, and no host.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;
use std::process::Command;

/// What makes a build of the host long, by how the names of its crates begin.
const HEAVY: [&str; 7] = ["wasmtime", "cranelift", "sqlx", "libsqlite3", "aws-", "rustls", "syncline "];

/// Crates that the native tests of these connectors build, as `name version` lines.
fn built_for(connectors: &[&str]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--locked", "--edges", "normal,dev,build", "--prefix", "none", "--format", "{p}"]);
    command.args(connectors.iter().flat_map(|name| ["--package", name]));
    let output = command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn heavy(crates: &[String]) -> Vec<&String> {
    crates.iter().filter(|line| HEAVY.iter().any(|heavy| line.starts_with(heavy))).collect()
}

#[test]
fn native_tests_of_connectors_build_no_wasmtime_no_database_and_no_aws() {
    let crates = built_for(&["birch", "hubspot", "intercom", "salesforce", "zendesk"]);
    assert!(crates.iter().any(|line| line.starts_with("syncline-sdk ")), "{crates:?}");
    assert_eq!(heavy(&crates), Vec::<&String>::new());
}

#[test]
fn the_host_builds_all_of_them() {
    let crates = built_for(&["syncline"]);
    for heavy in HEAVY {
        assert!(crates.iter().any(|line| line.starts_with(heavy)), "nothing is called {heavy} any more");
    }
}
