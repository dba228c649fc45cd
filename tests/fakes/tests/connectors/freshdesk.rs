//! The Freshdesk connector, which is JavaScript, over real sockets against the fake.

use std::{path::Path, process::Stdio};

use syncline_fakes::{FakeProviders, Options, schema::Provider};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_javascript_connector_reads_from_a_changing_freshdesk_is_the_truth() {
    let options = Options { providers: vec![Provider::Freshdesk], ties: 90, ..Options::default() };
    let fakes = FakeProviders::start(options).await.unwrap();
    let origin = format!("http://{}", fakes.addr(Provider::Freshdesk).unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/freshdesk/tests/against-fake.js");
    let node = Command::new("node").arg(script).arg(origin).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = node.expect("Node.js is needed: `cargo xtask test` installs it");
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    fakes.stop().await;
}
