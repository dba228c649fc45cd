//! The long form: several hosts at once, killed every few hundred milliseconds in every way there is; every so often all
//! is settled, compared with the truth, and the history checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;

use super::checker::Checker;
use super::dice::Dice;
use super::fetches::wasted;
use super::history::Recorder;
use super::{invariants, places};
use crate::fakes::faults::{Fault, Knobs, Trouble};
use crate::fakes::{self, Tenant};
use crate::rig::backend::Backend;
use crate::rig::host::Host;
use crate::rig::{Rig, RigOptions, THROTTLE};

/// How hard, and how long.
#[derive(Debug, Clone)]
pub struct StormOptions {
    /// What stores and queues.
    pub backend: Backend,
    /// What every choice follows from.
    pub seed: u64,
    /// Ends after so many kills.
    pub kills: u64,
    /// Ends after so long, however many kills that were.
    pub time: Duration,
}

/// Hosts at once.
const HOSTS: usize = 3;

/// Kills between two comparisons.
const ROUND: u64 = 50;

/// How long a lease holds; a stopped host is left standing for longer.
const LEASE: Duration = Duration::from_secs(2);

/// How long a host may take to reach the place where it dies. Then it is killed where it is.
const REACH: Duration = Duration::from_millis(2_500);

/// How long a drain may take: the promise.
const DRAIN: Duration = Duration::from_secs(30);

/// How long settling may take on a busy machine.
const SETTLE: Duration = Duration::from_secs(180);

/// What came of it. Everything from `missing` to `violations` must be zero.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Which footing.
    pub backend: String,
    /// What all followed from.
    pub seed: u64,
    /// Processes that died: by SIGKILL or at a named place.
    pub kills: u64,
    /// Of those, by SIGKILL.
    pub sigkills: u64,
    /// Of those, at a named place.
    pub at_places: u64,
    /// Different places among them.
    pub places: usize,
    /// Hosts that were stopped for longer than their leases and continued.
    pub stops: u64,
    /// Hosts that drained.
    pub drains: u64,
    /// Times that everything was settled and compared.
    pub rounds: u64,
    /// Runs that ended.
    pub runs: i64,
    /// Records that landed.
    pub landed: u64,
    /// Events the checker read.
    pub events: u64,
    /// Claims that ended with their worker dead or stopped.
    pub claims_cut: u64,
    /// Pages that were fetched and not committed.
    pub pages_again: u64,
    /// Claims that a drain gave up in the middle of a page, because that took longer: one that waits for the right to renew
    /// a token, say, which a dead host holds for a minute.
    pub given_up: usize,
    /// Writes that were refused because another host owned the object.
    pub fenced: u64,
    /// Records missing, over all comparisons.
    pub missing: u64,
    /// Records stale.
    pub stale: u64,
    /// Records doubled.
    pub duplicates: u64,
    /// Records rejected.
    pub rejected: u64,
    /// Promises broken, in words.
    pub violations: Vec<String>,
    /// How long it took.
    pub seconds: u64,
}

impl Summary {
    /// Whether every promise was kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.missing + self.stale + self.duplicates + self.rejected == 0 && self.violations.is_empty()
    }
}

/// Runs a storm. `tell` is told after every round how it stands.
///
/// # Errors
/// When something ends that should not, or does not end that should. What was found wrong is in the summary instead.
pub async fn storm(options: &StormOptions, mut tell: impl FnMut(&Summary)) -> Result<Summary> {
    let began = Instant::now();
    let rig = Rig::start(&lively(options)).await?;
    let mut storm = Storm {
        recorder: Recorder::install(rig.store_url()).await?,
        checker: Checker::new(THROTTLE),
        dice: Dice::new(options.seed),
        places: places::places(options.backend),
        died_at: BTreeSet::new(),
        log_bytes: BTreeMap::new(),
        sum: Summary { backend: format!("{:?}", options.backend), seed: options.seed, ..Summary::default() },
        slots: (0..HOSTS).map(|_| Slot::Empty).collect(),
        rig,
    };
    while storm.sum.kills < options.kills && began.elapsed() < options.time {
        let until = (storm.sum.kills + ROUND).min(options.kills);
        let end = began + options.time;
        storm.rage(until, end).await.context("in the storm")?;
        storm.settle().await.context("after the storm")?;
        storm.sum.seconds = began.elapsed().as_secs();
        tell(&storm.sum);
        if !storm.sum.is_clean() {
            break;
        }
    }
    Ok(storm.sum)
}

fn lively(options: &StormOptions) -> RigOptions {
    RigOptions {
        backend: options.backend,
        fakes: fakes::Options {
            seed: options.seed,
            tenants: vec![Tenant::named("acme"), Tenant::named("globex")],
            records_per_object: 120,
            ties: 40,
            knobs: Knobs { latency_ms: 10, index_lag_ms: 800, late_commit_ms: 500, ..Knobs::default() },
            change_every_ms: Some(80),
            // Not rotating: a token that a provider replaced and whose successor died with the host is gone, whoever is at work.
            rotate_refresh_tokens: false,
            ..fakes::Options::default()
        },
        interval: Duration::from_secs(1),
        lease: LEASE,
        // Few enough that runs are given back in their middle.
        slice_pages: 2,
        ..RigOptions::default()
    }
}

/// A place for a host, and what awaits the one in it.
enum Slot {
    Empty,
    /// Dies of SIGKILL at this time.
    Doomed(Host, Instant),
    /// Dies by itself at this place, or of SIGKILL at this time.
    Armed(Host, &'static str, Instant),
    /// Is stopped at the first time, continues at the second.
    Stopping(Host, Instant, Instant),
    /// Stands still until then.
    Stopped(Host, Instant),
    /// Is asked to drain at this time.
    Leaving(Host, Instant),
    /// Has been asked, and must be gone by then.
    Draining(Host, Instant),
}

struct Storm {
    rig: Rig,
    recorder: Recorder,
    checker: Checker,
    dice: Dice,
    places: Vec<&'static str>,
    died_at: BTreeSet<&'static str>,
    /// How much of each host's log was read.
    log_bytes: BTreeMap<PathBuf, usize>,
    sum: Summary,
    slots: Vec<Slot>,
}

impl Storm {
    /// Kills until the count is reached or the time is up.
    async fn rage(&mut self, kills: u64, end: Instant) -> Result<()> {
        while self.sum.kills < kills && Instant::now() < end {
            for index in 0..HOSTS {
                let Some(slot) = self.slots.get_mut(index) else { continue };
                let slot = std::mem::replace(slot, Slot::Empty);
                let next = self.step(index, slot)?;
                if let Some(slot) = self.slots.get_mut(index) {
                    *slot = next;
                }
            }
            if self.dice.below(25) == 0 {
                self.stir();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// What becomes of a slot now.
    fn step(&mut self, index: usize, slot: Slot) -> Result<Slot> {
        let now = Instant::now();
        Ok(match slot {
            Slot::Empty => self.start(index)?,
            Slot::Doomed(host, at) if now >= at => self.kill(host)?,
            Slot::Armed(mut host, place, at) => match host.ended()? {
                Some(status) => {
                    ensure!(status.code().is_none(), "a host ended with {status}:\n{}", tail(&host.log()));
                    self.sum.kills += 1;
                    self.sum.at_places += 1;
                    self.died_at.insert(place);
                    Slot::Empty
                }
                None if now >= at => self.kill(host)?,
                None => Slot::Armed(host, place, at),
            },
            Slot::Stopping(host, at, until) if now >= at => {
                host.freeze()?;
                Slot::Stopped(host, until)
            }
            Slot::Stopped(host, until) if now >= until => {
                host.thaw()?;
                self.sum.stops += 1;
                // Time to find out what it lost, and to do something about it.
                Slot::Doomed(host, now + Duration::from_millis(self.dice.between(300, 2_000)))
            }
            Slot::Leaving(host, at) if now >= at => {
                host.ask_to_drain()?;
                Slot::Draining(host, now + DRAIN)
            }
            Slot::Draining(mut host, by) => match host.ended()? {
                Some(status) => {
                    ensure!(status.success(), "a host that drained ended with {status}:\n{}", host.log());
                    self.sum.drains += 1;
                    Slot::Empty
                }
                None if now >= by => bail!("a host did not drain within {DRAIN:?}:\n{}", host.log()),
                None => Slot::Draining(host, by),
            },
            patient => patient,
        })
    }

    fn kill(&mut self, mut host: Host) -> Result<Slot> {
        // At its place, or while it drained; anything else it was not told to.
        if let Some(status) = host.ended()? {
            ensure!(status.code().is_none_or(|code| code == 0), "a host ended with {status}:\n{}", tail(&host.log()));
            return Ok(Slot::Empty);
        }
        host.kill()?;
        self.sum.kills += 1;
        self.sum.sigkills += 1;
        Ok(Slot::Empty)
    }

    /// Starts a host and decides how it will end.
    fn start(&mut self, index: usize) -> Result<Slot> {
        let fate = self.dice.below(100);
        let mut after = |from, to| Instant::now() + Duration::from_millis(self.dice.between(from, to));
        // A debug build is at work some 300 ms after its start; some are to die before that.
        Ok(match fate {
            0..50 => {
                let at = after(100, 2_500);
                Slot::Doomed(self.host(index, None)?, at)
            }
            50..80 => {
                let place = self.dice.one(&self.places).copied().unwrap_or("land/after");
                let passing = self.dice.between(1, 4);
                Slot::Armed(self.host(index, Some(format!("{place}#{passing}")))?, place, Instant::now() + REACH)
            }
            80..90 => {
                let at = after(400, 1_500);
                let until = at + LEASE + Duration::from_millis(self.dice.between(200, 1_800));
                Slot::Stopping(self.host(index, None)?, at, until)
            }
            _ => {
                let at = after(400, 1_500);
                Slot::Leaving(self.host(index, None)?, at)
            }
        })
    }

    fn host(&self, index: usize, crash_at: Option<String>) -> Result<Host> {
        let crash_at: Vec<_> = crash_at.into_iter().map(|place| ("SYNCLINE_CRASH_AT", place)).collect();
        super::host(&self.rig, &format!("host-{index}"), "", &crash_at)
    }

    /// A little trouble with the providers, so that the places beside the straight path are passed as well.
    fn stir(&mut self) {
        let trouble = match self.dice.below(50) {
            // Seldom: a host that dies while it renews a token keeps the others from it for a minute.
            0 => return self.rig.fakes.expire_tokens(),
            1..10 => Trouble::Status { status: 429, retry_after: Some(1), html: false },
            10..20 => Trouble::Status { status: 503, retry_after: None, html: true },
            20..30 => Trouble::CutBody,
            _ => Trouble::Timeout { ms: 1_200 },
        };
        self.rig.fakes.inject(Fault::new(trouble, 1));
    }

    /// Kills what is left at one blow, lets new hosts finish, and compares.
    async fn settle(&mut self) -> Result<()> {
        let mut left = Vec::new();
        for slot in &mut self.slots {
            match std::mem::replace(slot, Slot::Empty) {
                Slot::Empty => {}
                Slot::Doomed(host, _)
                | Slot::Armed(host, ..)
                | Slot::Stopping(host, ..)
                | Slot::Stopped(host, _)
                | Slot::Leaving(host, _)
                | Slot::Draining(host, _) => left.push(host),
            }
        }
        for host in left {
            self.kill(host)?;
        }
        self.rig.fakes.clear_faults();
        let hosts = [self.host(0, None)?, self.host(1, None)?];
        if let Err(error) = self.rig.settle(SETTLE).await {
            let logs = hosts.each_ref().map(|host| tail(&host.log()));
            return Err(error.context(format!("hosts said:\n{}", logs.join("\n---\n"))));
        }
        let found = self.rig.compare().await?;
        self.sum.rounds += 1;
        self.sum.missing += found.missing;
        self.sum.stale += found.stale;
        self.sum.duplicates += found.duplicates;
        self.sum.rejected += found.rejected;
        self.sum.landed = found.landed;
        self.sum.places = self.died_at.len();
        self.sum.runs = self.rig.count("SELECT COUNT(*) FROM runs WHERE finished_at IS NOT NULL").await?;
        self.sum.violations = found.examples;
        for host in hosts {
            host.drain(DRAIN)?;
            self.sum.drains += 1;
        }
        self.check().await?;
        self.rig.fakes.resume();
        Ok(())
    }

    async fn check(&mut self) -> Result<()> {
        self.checker.read(&self.recorder.take().await?);
        self.sum.events = self.checker.events();
        self.sum.violations.extend(self.checker.verdict());
        self.sum.violations.extend(invariants::broken(&self.rig).await?.into_iter().map(str::to_owned));
        let wasted = wasted(&self.rig, &self.checker)?;
        (self.sum.claims_cut, self.sum.pages_again) = (wasted.cut, wasted.pages);
        self.sum.given_up = wasted.given_up.len();
        self.sum.violations.extend(wasted.violations);
        for index in 0..HOSTS {
            let path = self.rig.dir().join(format!("host-{index}.log"));
            let log = std::fs::read_to_string(&path).unwrap_or_default();
            let read = self.log_bytes.entry(path).or_default();
            let new = log.get(*read..).unwrap_or_default();
            self.sum.fenced += new.matches("nothing written").count() as u64;
            if new.contains("panicked at") {
                self.sum.violations.push(format!("a host panicked:\n{}", tail(new)));
            }
            *read = log.len();
        }
        Ok(())
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(25)).copied().collect::<Vec<_>>().join("\n")
}
