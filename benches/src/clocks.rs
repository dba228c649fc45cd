//! CPU time and memory of processes, from /proc.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Linux counts in hundredths of a second here, whatever the kernel's own clock is.
const TICKS_PER_SECOND: f64 = 100.0;

/// The fields of a stat line that matter, in ticks.
struct Stat {
    parent: u32,
    own: u64,
    /// Of children that have ended and were waited for.
    ended: u64,
}

fn stat(path: &Path) -> Result<Stat> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    // The name in parentheses may contain anything, also parentheses.
    let (_, rest) = text.rsplit_once(')').context("not a stat line")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number =
        |place: usize| fields.get(place).and_then(|field| field.parse::<u64>().ok()).context("a short stat line");
    Ok(Stat { parent: u32::try_from(number(1)?)?, own: number(11)? + number(12)?, ended: number(13)? + number(14)? })
}

fn seconds(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND)
}

/// CPU of a process, all its threads, to a hundredth of a second.
pub(crate) fn process_cpu(pid: u32) -> Result<Duration> {
    Ok(seconds(stat(Path::new(&format!("/proc/{pid}/stat")))?.own))
}

/// CPU of a process and of its children, living and ended: a database server with a process for each connection.
pub(crate) fn family_cpu(pid: u32) -> Result<Duration> {
    let root = stat(Path::new(&format!("/proc/{pid}/stat")))?;
    let mut ticks = root.own + root.ended;
    for entry in fs::read_dir("/proc")?.flatten() {
        // A process may end between the listing and this look.
        if let Ok(child) = stat(&entry.path().join("stat"))
            && child.parent == pid
        {
            ticks += child.own;
        }
    }
    Ok(seconds(ticks))
}

/// CPU of the calling thread, to the microsecond: the kernel brings its account up to date when the thread sleeps.
pub(crate) fn thread_cpu() -> Result<Duration> {
    std::thread::sleep(Duration::from_nanos(1));
    let text = fs::read_to_string("/proc/thread-self/schedstat").context("cannot read the thread's CPU time")?;
    let ns = text.split_whitespace().next().and_then(|ns| ns.parse().ok()).context("not a schedstat line")?;
    Ok(Duration::from_nanos(ns))
}

/// Memory of a process in bytes: now, and at its highest.
pub(crate) fn memory(pid: u32) -> Result<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
        let kib: u64 = line.split_whitespace().next().context("an empty field")?.parse()?;
        Ok::<_, anyhow::Error>(kib * 1024)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_run() {
        let (process, thread) = (process_cpu(std::process::id()).unwrap(), thread_cpu().unwrap());
        let end = std::time::Instant::now() + Duration::from_millis(60);
        while std::time::Instant::now() < end {}
        assert!(process_cpu(std::process::id()).unwrap() > process);
        assert!(thread_cpu().unwrap() > thread);
        assert!(family_cpu(std::process::id()).unwrap() >= process);
        let (now, peak) = memory(std::process::id()).unwrap();
        assert!(0 < now && now <= peak);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
