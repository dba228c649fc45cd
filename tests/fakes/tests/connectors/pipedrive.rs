//! The Pipedrive connector, which is written in Python, against the fake over real sockets.

use std::path::Path;

use syncline_fakes::{FakeProviders, Options, faults::Knobs, schema::Provider};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_changes_and_breaks_the_python_connector_ends_at_the_truth() {
    let options = Options {
        providers: vec![Provider::Pipedrive],
        records_per_object: 250,
        ties: 40,
        knobs: Knobs { late_commit_ms: 100_000, ..Knobs::default() },
        ..Options::default()
    };
    let fakes = FakeProviders::start(options).await.unwrap();
    let addr = fakes.addr(Provider::Pipedrive).unwrap();
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let output = Command::new("python3")
        .args(["-B", "-m", "tests.live", &format!("http://{addr}")])
        .current_dir(plugins.join("pipedrive"))
        .env("PYTHONPATH", plugins.join("sdk-py"))
        .output()
        .await
        .expect("python3 is needed: the connector is written in it");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    fakes.stop().await;
}
