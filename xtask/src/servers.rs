//! Throw-away servers for tests and the demo. Each is gone with the value that stands for it.

mod postgres;
mod sqs;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::proc::{self, Process};
use crate::tools::target;

pub(crate) use postgres::Postgres;
pub(crate) use sqs::Sqs;

/// How long a server may take to answer, on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// How many lines of a server's log an error shows.
const LOG_LINES: usize = 20;

/// Starts a server that writes its log under target/logs, and waits until it answers.
fn start(name: &str, command: &mut Command, ready: impl Fn() -> Result<bool>) -> Result<Process> {
    let logs = target().join("logs");
    fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let path = logs.join(format!("{name}.log"));
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let command = command.stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log));
    let mut process = Process::spawn(name, command)?;
    let outcome = proc::wait_until(name, READY, || match process.poll()? {
        Some(status) => bail!("{name} ended at once ({status})"),
        None => ready(),
    });
    outcome.with_context(|| format!("{name} did not start; its log, {}, ends:\n{}", path.display(), tail(&path)))?;
    Ok(process)
}

fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LOG_LINES);
    lines.into_iter().skip(first).collect::<Vec<_>>().join("\n")
}

/// The directory of tools that are fetched for the tests.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}
