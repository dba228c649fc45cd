//! Memory of a host whose runs all wait for the provider at once.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bench::Options;
use crate::children::Fakes;
use crate::clocks;
use crate::database::Backend;
use crate::report::{Figure, Target};
use crate::site::Site;

/// How long the provider lets every request wait: less than the host gives up after.
const LATENCY: Duration = Duration::from_secs(25);

pub(crate) async fn measure(bench: &Options) -> Result<Vec<Figure>> {
    let runs = bench.scaled(1_000, 100);
    let fakes = Fakes::start(&bench.programs, 100, LATENCY)?;
    let concurrency = format!("retrieve.concurrency={runs}");
    let site = Site::new(bench, Backend::Sqlite, &fakes, &[&concurrency]).await?;
    let objects = site.add(&fakes, runs).await?;
    let host = site.host(bench)?;
    let (before, _) = clocks::memory(host.pid())?;
    site.start(&objects).await?;
    let end = Instant::now() + LATENCY * 2;
    loop {
        let stats = fakes.stats().await?;
        let waiting = stats.get("peak_concurrency").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if waiting >= runs {
            break;
        }
        if Instant::now() > end {
            bail!("only {waiting} of {runs} runs were waiting at once");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (now, peak) = clocks::memory(host.pid())?;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Ok(vec![
        Figure::new(format!("memory with {runs} runs waiting for the provider"), mib(peak.max(now)), "MiB")
            .target(Target::AtMost(2048.0)),
        Figure::new("memory of one more waiting run", mib(now.saturating_sub(before)) * 1024.0 / runs as f64, "KiB"),
    ])
}
