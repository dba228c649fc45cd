//! Hosts that live: many integrations, faults of the providers all along, and an eye on what the hosts hold. Memory, file
//! descriptors and database connections must not grow once all is warm.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::dice::Dice;
use crate::fakes::faults::{Fault, Knobs, Trouble};
use crate::fakes::{self, Tenant};
use crate::rig::backend::Backend;
use crate::rig::compare::Comparison;
use crate::rig::host::Host;
use crate::rig::{Rig, RigOptions};

/// How much, and how long.
#[derive(Debug, Clone)]
pub struct SoakOptions {
    /// What stores and queues.
    pub backend: Backend,
    /// What every choice follows from.
    pub seed: u64,
    /// How long, without what is done before and after.
    pub time: Duration,
    /// Tenants, with two integrations each.
    pub tenants: u32,
    /// Hosts at once.
    pub hosts: usize,
}

impl Default for SoakOptions {
    fn default() -> Self {
        Self { backend: Backend::Sqlite, seed: 1, time: Duration::from_secs(600), tenants: 100, hosts: 3 }
    }
}

/// Time between two looks at the hosts.
const LOOK: Duration = Duration::from_secs(2);

/// The share of the time that counts as warming up.
const WARM_UP: f64 = 1.0 / 3.0;

/// What may be added to a mean over the time that is looked at, as a share of it.
const SHARE: f64 = 0.05;

/// What may be added in any case, in MiB: less than this is an allocator's noise. An hour's soak sees 1 % a minute of it.
const MEMORY_NOISE: f64 = 8.0;

/// What may be added in any case, in descriptors or connections: pools are fuller at one moment than at another.
const COUNT_NOISE: f64 = 12.0;

/// How something that was looked at again and again went.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Trend {
    /// What of whom.
    pub name: String,
    /// The mean after warming up.
    pub mean: f64,
    /// The highest value after warming up.
    pub highest: f64,
    /// What a straight line through the values adds over the time after warming up.
    pub growth: f64,
    /// The same for an hour.
    pub per_hour: f64,
}

/// What a soak found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Found {
    /// Integrations.
    pub integrations: u32,
    /// Their objects.
    pub objects: usize,
    /// Runs that ended.
    pub runs: i64,
    /// Faults that were injected.
    pub faults: u64,
    /// Everything that was looked at.
    pub trends: Vec<Trend>,
    /// What landed against the truth, in the end.
    pub compared: Comparison,
    /// What was not flat, or not right.
    pub failures: Vec<String>,
}

/// Soaks. `tell` gets a line every now and then, and the figures.
///
/// # Errors
/// When a host ends, or nothing settles in the end.
pub async fn soak(options: &SoakOptions, mut tell: impl FnMut(&str)) -> Result<Found> {
    let mut rig_options = many(options);
    tell(&format!("adding {} integrations", options.tenants * 2));
    rig_options.fakes.tenants = (0..options.tenants).map(|number| Tenant::named(&format!("t{number:03}"))).collect();
    let rig = Rig::start(&rig_options).await?;
    let mut hosts = Vec::new();
    for number in 0..options.hosts {
        hosts.push(rig.host(&format!("host-{number}"), "")?);
    }
    let objects = rig.objects().await?.len();
    let mut found = Found { integrations: options.tenants * 2, objects, ..Found::default() };
    let mut dice = Dice::new(options.seed);
    let mut samples: Vec<(f64, Vec<f64>)> = Vec::new();
    let began = Instant::now();
    let mut told = began;
    while began.elapsed() < options.time {
        tokio::time::sleep(LOOK).await;
        found.faults += trouble(&rig, &mut dice);
        let mut values = Vec::new();
        for host in &mut hosts {
            if !host.is_running()? {
                bail!("a host ended:\n{}", host.log());
            }
            values.extend(held(host)?);
        }
        values.push(connections(&rig, &hosts).await?);
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            let shown: Vec<String> = values.iter().map(|value| format!("{value:.0}")).collect();
            tell(&format!("{:>5} s  {}", began.elapsed().as_secs(), shown.join("  ")));
        }
        samples.push((began.elapsed().as_secs_f64(), values));
    }
    found.trends = trends(&samples, options.hosts);
    for trend in &found.trends {
        let noise = if trend.name.ends_with("MiB") { MEMORY_NOISE } else { COUNT_NOISE };
        if trend.growth > (trend.mean * SHARE).max(noise) {
            found.failures.push(format!("{} grows: {trend:?}", trend.name));
        }
        tell(&format!(
            "{:<22} mean {:>7.1}  highest {:>7.1}  growth {:>+6.1}  per hour {:>+8.1}",
            trend.name, trend.mean, trend.highest, trend.growth, trend.per_hour
        ));
    }
    finish(&rig, hosts, &mut found).await?;
    tell(&format!(
        "{} integrations, {} objects, {} runs, {} faults; {} records landed, {} missing, {} stale, {} duplicates",
        found.integrations,
        found.objects,
        found.runs,
        found.faults,
        found.compared.landed,
        found.compared.missing,
        found.compared.stale,
        found.compared.duplicates
    ));
    for failure in &found.failures {
        tell(failure);
    }
    Ok(found)
}

fn many(options: &SoakOptions) -> RigOptions {
    RigOptions {
        backend: options.backend,
        fakes: fakes::Options {
            seed: options.seed,
            records_per_object: 30,
            ties: 5,
            knobs: Knobs { latency_ms: 5, index_lag_ms: 800, late_commit_ms: 500, ..Knobs::default() },
            // In every account at every provider: hundreds of changes each time.
            change_every_ms: Some(2_000),
            ..fakes::Options::default()
        },
        interval: Duration::from_secs(45),
        lease: Duration::from_secs(9),
        ..RigOptions::default()
    }
}

/// Lets the next requests go wrong.
fn trouble(rig: &Rig, dice: &mut Dice) -> u64 {
    match dice.below(40) {
        0 => rig.fakes.expire_tokens(),
        1 => rig.fakes.kill_locators(),
        _ => {}
    }
    let times = dice.between(1, 8);
    let kind = match dice.below(6) {
        0 => Trouble::Status { status: 429, retry_after: Some(2), html: false },
        1 => Trouble::Status { status: 503, retry_after: None, html: true },
        2 => Trouble::CutBody,
        3 => Trouble::Malformed,
        4 => Trouble::Empty,
        _ => Trouble::Timeout { ms: 2_000 },
    };
    rig.fakes.inject(Fault { per_mille: 300, ..Fault::new(kind, times) });
    times
}

/// Resident memory in MiB, and open file descriptors.
fn held(host: &Host) -> Result<[f64; 2]> {
    let process = Path::new("/proc").join(host.id().to_string());
    let status = std::fs::read_to_string(process.join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok([kib / 1024.0, std::fs::read_dir(process.join("fd"))?.count() as f64])
}

/// Connections of all hosts to the database: on SQLite, descriptors of its file.
async fn connections(rig: &Rig, hosts: &[Host]) -> Result<f64> {
    let Some(file) = rig.store_url().strip_prefix("sqlite://") else {
        let query = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()";
        return Ok(rig.count(query).await? as f64);
    };
    let mut open = 0.0;
    for host in hosts {
        for descriptor in std::fs::read_dir(format!("/proc/{}/fd", host.id()))?.flatten() {
            // One that was closed meanwhile is no error.
            open += f64::from(std::fs::read_link(descriptor.path()).is_ok_and(|to| to == Path::new(file)));
        }
    }
    Ok(open)
}

fn trends(samples: &[(f64, Vec<f64>)], hosts: usize) -> Vec<Trend> {
    let end = samples.last().map_or(0.0, |(at, _)| *at);
    let warm: Vec<_> = samples.iter().filter(|(at, _)| *at >= end * WARM_UP).collect();
    let names = (0..hosts).flat_map(|host| [format!("host {host}: memory, MiB"), format!("host {host}: descriptors")]);
    names
        .chain(["database connections".to_owned()])
        .enumerate()
        .map(|(column, name)| {
            let points: Vec<(f64, f64)> =
                warm.iter().filter_map(|(at, values)| Some((*at, *values.get(column)?))).collect();
            trend(name, &points)
        })
        .collect()
}

/// A straight line through the points, by least squares.
fn trend(name: String, points: &[(f64, f64)]) -> Trend {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (at, value) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - at).powi(2)).sum();
    let together: f64 = points.iter().map(|point| (point.0 - at) * (point.1 - value)).sum();
    let slope = if spread > 0.0 { together / spread } else { 0.0 };
    let time = points.last().map_or(0.0, |last| last.0) - points.first().map_or(0.0, |first| first.0);
    Trend {
        name,
        mean: value,
        highest: points.iter().map(|point| point.1).fold(0.0, f64::max),
        growth: slope * time,
        per_hour: slope * 3_600.0,
    }
}

/// Ends the faults, settles, compares, drains.
async fn finish(rig: &Rig, hosts: Vec<Host>, found: &mut Found) -> Result<()> {
    rig.fakes.clear_faults();
    rig.settle(Duration::from_secs(600)).await?;
    found.compared = rig.compare().await?;
    if !found.compared.is_clean() {
        found.failures.push(format!("what landed is not the truth: {:?}", found.compared));
    }
    found.runs = rig.count("SELECT COUNT(*) FROM runs WHERE finished_at IS NOT NULL").await?;
    for host in hosts {
        host.drain(Duration::from_secs(30))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_tells_growth_from_noise() {
        let noise = |at: u32| f64::from(at % 7) - 3.0;
        let flat: Vec<_> = (0..700).map(|at| (f64::from(at), 100.0 + noise(at))).collect();
        let found = trend("flat".to_owned(), &flat);
        assert!(found.growth.abs() < 0.5 && (found.mean - 100.0).abs() < 0.1, "{found:?}");
        let leak: Vec<_> = (0..700).map(|at| (f64::from(at), 100.0 + noise(at) + f64::from(at) * 0.1)).collect();
        let found = trend("leak".to_owned(), &leak);
        assert!((found.growth - 69.9).abs() < 1.0 && (found.per_hour - 360.0).abs() < 3.0, "{found:?}");
    }
}
