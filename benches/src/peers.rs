//! Programs in Python that do the same work: `benches/peers`, a process each.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::native::{PROPERTIES, Report};

/// A program to compare with.
pub(crate) struct Peer {
    /// Its name in the table.
    pub(crate) name: &'static str,
    script: &'static str,
    /// Whether the target is about it: what people would run instead of Syncline, not what they would write.
    pub(crate) product: bool,
}

/// Those there are.
pub(crate) const PEERS: [Peer; 2] = [
    Peer { name: "dlt", script: "dlt_peer.py", product: true },
    Peer { name: "plain Python", script: "plain_peer.py", product: false },
];

impl Peer {
    /// Syncs HubSpot's contacts into a database that is empty.
    pub(crate) fn run(&self, python: &Path, url: &str, token: &str, store: &str) -> Result<Report> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(self.script);
        let properties = PROPERTIES.replace("%2C", ",");
        let mut command = Command::new(python);
        command.arg(script).args([url, token, store, properties.as_str()]);
        // Nothing is to be sent to anybody, and nothing written beside the sources.
        command.env("RUNTIME__DLTHUB_TELEMETRY", "false").env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "*");
        let output = command.output().with_context(|| format!("cannot run {}", python.display()))?;
        if !output.status.success() {
            bail!("{} failed: {}", self.name, String::from_utf8_lossy(&output.stderr));
        }
        let said = String::from_utf8(output.stdout)?;
        serde_json::from_str(said.lines().last().unwrap_or_default())
            .with_context(|| format!("{} said something else", self.name))
    }
}
