//! Verifies the promises from a history alone. Knows nothing of the code under test: what it believes of an object follows
//! from the events before.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::history::{Event, What};

/// Reads a history, event by event, and remembers what broke a promise.
#[derive(Debug)]
pub struct Checker {
    throttle_ms: i64,
    objects: BTreeMap<i64, Object>,
    /// Records that runs counted, less those that their pages hold: zero for each in the end.
    uncommitted: HashMap<i64, i64>,
    claims: HashMap<(i64, i64), Claim>,
    violations: Vec<String>,
    events: u64,
}

/// What is true of an object so far.
#[derive(Debug, Default)]
struct Object {
    epoch: i64,
    owner: Option<String>,
    run: Option<i64>,
    dispatched_at: Option<i64>,
    seq: i64,
    unlanded: BTreeSet<i64>,
    versions: HashMap<String, i64>,
}

/// One claim of an object, from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who claimed.
    pub owner: String,
    /// When.
    pub at: i64,
    /// Pages committed under it.
    pub pages: u64,
    /// How it ended; none while it goes on.
    pub end: Option<End>,
}

/// How a claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its worker gave it up.
    Released,
    /// It was taken from its worker.
    Reclaimed,
}

impl Checker {
    /// A checker that knows of nothing yet, for hosts with this throttle.
    #[must_use]
    pub fn new(throttle: Duration) -> Self {
        Self {
            throttle_ms: i64::try_from(throttle.as_millis()).unwrap_or(i64::MAX),
            objects: BTreeMap::new(),
            uncommitted: HashMap::new(),
            claims: HashMap::new(),
            violations: Vec::new(),
            events: 0,
        }
    }

    /// Reads what happened next.
    pub fn read(&mut self, events: &[Event]) {
        for event in events {
            self.events += 1;
            if let Err(violation) = self.one(event) {
                self.violations
                    .push(format!("object {} at {}: {violation} ({:?})", event.object, event.at, event.what));
            }
        }
    }

    /// Every broken promise so far. To be asked when nothing is going on: what is half done counts as broken.
    #[must_use]
    pub fn verdict(&self) -> Vec<String> {
        let mut all = self.violations.clone();
        for (run, records) in self.uncommitted.iter().filter(|(_, records)| **records != 0) {
            all.push(format!(
                "G2: run {run} counted {records} records that no page holds: the cursor is ahead of them"
            ));
        }
        all
    }

    /// How many events it has read.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Every claim, by object and epoch.
    #[must_use]
    pub const fn claims(&self) -> &HashMap<(i64, i64), Claim> {
        &self.claims
    }

    /// The claim that came next after this one of an object.
    #[must_use]
    pub fn next_claim(&self, object: i64, epoch: i64) -> Option<&Claim> {
        let later = self.claims.iter().filter(|((of, number), _)| *of == object && *number > epoch);
        later.min_by_key(|((_, number), _)| *number).map(|(_, claim)| claim)
    }

    fn one(&mut self, event: &Event) -> Result<(), String> {
        let object = self.objects.entry(event.object).or_default();
        match &event.what {
            What::Dispatched { run, dispatched_at, manual } => {
                let before = object.dispatched_at.replace(*dispatched_at);
                let active = object.run.replace(*run);
                ensure(active.is_none(), || format!("G3: dispatched while run {active:?} is going on"))?;
                let since = before.map_or(i64::MAX, |before| dispatched_at - before);
                ensure(*manual || since >= self.throttle_ms, || {
                    format!("G4: dispatched again after {since} ms, within the throttle window of {}", self.throttle_ms)
                })
            }
            What::Ended { run } => {
                let active = object.run.take();
                ensure(active == Some(*run), || format!("G3: a run ended, and run {active:?} was going on"))
            }
            What::Claimed { epoch, owner } => {
                let claim = Claim { owner: owner.clone(), at: event.at, pages: 0, end: None };
                self.claims.insert((event.object, *epoch), claim);
                let (older, holder) = (object.epoch, object.owner.replace(owner.clone()));
                object.epoch = *epoch;
                ensure(holder.is_none(), || format!("G3: claimed while {holder:?} holds it"))?;
                ensure(*epoch == older + 1, || format!("G3: the epoch went from {older} to {epoch}"))
            }
            What::Reclaimed { epoch } => {
                let older = object.epoch;
                if let Some(claim) = self.claims.get_mut(&(event.object, older)) {
                    claim.end = Some(End::Reclaimed);
                }
                object.owner = None;
                object.epoch = *epoch;
                ensure(*epoch == older + 1, || format!("G3: the epoch went from {older} to {epoch}"))
            }
            What::Released { epoch } => {
                if let Some(claim) = self.claims.get_mut(&(event.object, *epoch)) {
                    claim.end = Some(End::Released);
                }
                let holder = object.owner.take();
                ensure(holder.is_some() && *epoch == object.epoch, || {
                    format!("G3: released under epoch {epoch}, and {holder:?} holds it under {}", object.epoch)
                })
            }
            What::Advanced { seq } => {
                let (before, holder, epoch) = (object.seq, object.owner.clone(), object.epoch);
                object.seq = *seq;
                if let Some(claim) = self.claims.get_mut(&(event.object, epoch)) {
                    claim.pages += 1;
                }
                ensure(holder.is_some(), || "G3: the cursor moved, and nobody holds the lease".to_owned())?;
                ensure(*seq == before + 1, || format!("G2: the cursor went from page {before} to {seq}"))
            }
            What::Moved => Err("G2: the cursor moved without a page".to_owned()),
            What::Counted { run, records } => {
                *self.uncommitted.entry(*run).or_default() += records;
                Ok(())
            }
            What::Committed { run, epoch, seq, records } => {
                *self.uncommitted.entry(*run).or_default() -= records;
                object.unlanded.insert(*seq);
                let holder = object.owner.is_some();
                ensure(*epoch == object.epoch && holder, || {
                    format!("G3: a page was committed under epoch {epoch}, which {} had fenced", object.epoch)
                })?;
                ensure(*seq == object.seq, || {
                    format!("G2: page {seq} was committed with the cursor at {}", object.seq)
                })?;
                ensure(object.run == Some(*run), || format!("G3: the page is of another run than {:?}", object.run))
            }
            What::Landed { seq } => {
                // Several land in one statement, in no order: what may not go back are the versions of the records.
                let known = object.unlanded.remove(seq);
                ensure(known, || "G7: a page landed that was not waiting to".to_owned())
            }
            What::Versioned { id, version } => {
                let before = object.versions.insert(id.clone(), *version);
                ensure(before.is_none_or(|before| before < *version), || {
                    format!("G7: {id} went from version {before:?} to {version}")
                })
            }
        }
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
