//! An object that is kept in step with the synthetic provider, and compared with its truth after every case.
//!
//! One cause is told once. After a failure everything is read anew, so that the next case begins in step; what such a
//! plain reading gets wrong has been told by then, and is not held against the cases that follow. Where not even a plain
//! reading comes to its end, nothing else is looked at.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use super::baseline::BETWEEN_MS;
use super::checks::Check;
use super::report::{Failure, Tally};
use super::stage::Stage;
use super::{ConformError, mutate};
use crate::connector::Moment;
use crate::domain::{Cursor, ObjectType};
use crate::egress::{self, Tape};
use crate::kit::cassette::Exchange;
use crate::kit::control::{Control, ControlError};
use crate::kit::reading::{Reading, Step, Table};
use crate::kit::truth::{self, Differences};

/// Exchanges that are shown where a reading went wrong.
const SHOWN: usize = 4;

/// Pages of one reading at most.
const MOST_PAGES: u32 = 3_000;

/// How long a reading pauses in its middle while records change, in milliseconds: longer than what connectors reach back
/// behind the reading before.
const PAUSE_MS: u64 = 10 * 60 * 1_000;

/// What happens while a reading goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meanwhile {
    Nothing,
    Changes,
    Kills,
}

/// How one reading is done.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub(super) page_size: u32,
    pub(super) meanwhile: Meanwhile,
    /// The guest's clock, against the provider's.
    pub(super) skew_ms: i64,
}

/// Whether what landed is what a plain reading gives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    InStep,
    OutOfStep,
    /// A plain reading does not come to its end.
    Lame,
}

/// Why a case does not hold, or was not looked at.
pub(super) enum Not {
    Proved(Failure),
    Possible(String),
    Reachable(ConformError),
}

impl From<ControlError> for Not {
    fn from(error: ControlError) -> Self {
        Self::Reachable(error.into())
    }
}

/// An object that is kept in step with the provider.
pub(super) struct Sync<'a> {
    pub(super) stage: &'a Stage<'a>,
    pub(super) control: &'a Control,
    pub(super) object: &'a ObjectType,
    table: Table,
    cursor: Option<Cursor>,
    pace: Pace,
    /// Ids that a plain reading gets wrong.
    known: BTreeSet<String>,
    /// What passed in the last reading.
    watch: Arc<Watch>,
}

impl<'a> Sync<'a> {
    pub(super) fn new(stage: &'a Stage<'a>, control: &'a Control, object: &'a ObjectType) -> Self {
        let (table, known) = (Table::default(), BTreeSet::new());
        Self { stage, control, object, table, cursor: None, pace: Pace::InStep, known, watch: Arc::default() }
    }

    /// Runs a case and compares with the truth. Answers `false` if it failed; a case that could not be looked at did not.
    pub(super) async fn case(
        &mut self,
        check: &'static Check,
        tally: &mut Tally,
        run: impl AsyncFnOnce(&mut Self) -> Result<(), Not>,
    ) -> Result<bool, ConformError> {
        if !self.in_step().await? {
            tally.skip(check, &self.object.name, "a plain reading does not come to its end, which has been told");
            return Ok(true);
        }
        let outcome = match run(self).await {
            Ok(()) => {
                let found = self.differences().await?;
                if found.none() { Ok(()) } else { Err(Failure::new(found.to_string()).seen(self.watch.shown())) }
            }
            Err(Not::Proved(failure)) => Err(failure),
            Err(Not::Possible(why)) => {
                tally.skip(check, &self.object.name, why);
                return Ok(true);
            }
            Err(Not::Reachable(error)) => return Err(error),
        };
        let held = outcome.is_ok();
        if !held {
            self.pace = Pace::OutOfStep;
        }
        tally.case(check, &self.object.name, outcome);
        Ok(held)
    }

    /// The same while the provider has its knobs turned, on, and then back to where they stood, or off where it does not
    /// say; skipped where it has no such knob.
    pub(super) async fn case_with(
        &mut self,
        knobs: [Json; 2],
        check: &'static Check,
        tally: &mut Tally,
        run: impl AsyncFnOnce(&mut Self) -> Result<(), Not>,
    ) -> Result<(), ConformError> {
        let [on, off] = knobs;
        // Before they are turned: what is read anew is to be plain.
        self.in_step().await?;
        let off = self.control.standing(off).await?;
        match self.control.turn(on).await {
            Ok(()) => {
                self.case(check, tally, run).await?;
                Ok(self.control.turn(off).await?)
            }
            Err(ControlError::Refused { text, .. }) => {
                tally.skip(check, &self.object.name, format!("the synthetic provider cannot do that: {text}"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// After a failure, reads everything anew. Answers whether that can be done.
    async fn in_step(&mut self) -> Result<bool, ConformError> {
        if self.pace == Pace::OutOfStep {
            self.control.advance(BETWEEN_MS).await?;
            self.forget();
            self.pace = match self.read(self.usual()).await {
                Ok(()) => {
                    let found = self.differences().await?;
                    self.known.extend(found.ids);
                    Pace::InStep
                }
                Err(Not::Reachable(error)) => return Err(error),
                Err(Not::Proved(_) | Not::Possible(_)) => Pace::Lame,
            };
        }
        Ok(self.pace == Pace::InStep)
    }

    /// What landed against the truth, without what is known to be wrong.
    async fn differences(&self) -> Result<Differences, ConformError> {
        let mut truth = self.control.truth(&self.object.name).await?;
        truth.retain(|id, _| !self.known.contains(id));
        let mut table = self.table.clone();
        table.rows.retain(|id, _| !self.known.contains(id));
        Ok(truth::compare(&table, &truth, self.object.deletes))
    }

    pub(super) fn usual(&self) -> How {
        How { page_size: self.stage.page_size(), meanwhile: Meanwhile::Nothing, skew_ms: 0 }
    }

    /// Begins anew.
    pub(super) fn forget(&mut self) {
        self.table = Table::default();
        self.cursor = None;
    }

    pub(super) async fn act(&self, action: &str, more: Json) -> Result<(), Not> {
        match self.control.act(action, &self.object.name, more).await {
            Ok(_) => Ok(()),
            Err(error @ ControlError::Refused { .. }) => Err(Not::Possible(crate::domain::chain(&error))),
            Err(error) => Err(Not::Reachable(error.into())),
        }
    }

    /// Updates so many records, each at a time of its own, where records change at all.
    pub(super) async fn update(&self, count: u64) -> Result<(), Not> {
        for _ in 0..count {
            match self.act("update", json!({})).await {
                Err(Not::Possible(_)) => break,
                done => done?,
            }
        }
        Ok(())
    }

    /// Creates one record and updates so many.
    pub(super) async fn change(&self, updates: u64) -> Result<(), Not> {
        self.act("create", json!({ "count": 1 })).await?;
        self.update(updates).await
    }

    pub(super) async fn later_and_read(&mut self, how: How) -> Result<(), Not> {
        self.control.advance(BETWEEN_MS).await?;
        self.read(how).await
    }

    /// Reads to the end and lands what comes.
    pub(super) async fn read(&mut self, how: How) -> Result<(), Not> {
        let now_ms = self.control.status().await?.now_ms;
        let moment = Moment { now_ms: now_ms.saturating_add_signed(how.skew_ms), seed: now_ms };
        let watch = Arc::new(Watch::default());
        self.watch = Arc::clone(&watch);
        let line = self.stage.live(moment, how.page_size, Some(Arc::clone(&watch) as _)).await;
        let line = line.map_err(Not::Reachable)?;
        let mut reading = Reading::new(&self.object.name, self.cursor.clone());
        while reading.pages < MOST_PAGES {
            if how.meanwhile == Meanwhile::Kills {
                // Each page is begun, lost at the first, second or third of its requests, or with all of them answered
                // and nothing committed, and begun again.
                watch.arm(reading.pages % 3);
                tokio::select! {
                    biased;
                    () = watch.answered.notified() => {}
                    _ = line.fetch(&self.object.name, reading.cursor.as_ref()) => {}
                }
                watch.disarm();
            }
            match reading.step(&line).await.0 {
                Step::Page(page) => {
                    self.table.take(&page, self.object);
                    self.cursor = Some(page.cursor.clone());
                    if page.ends() {
                        return Ok(());
                    }
                    if let Some(seconds) = page.wait_seconds {
                        self.control.advance(seconds * 1_000).await?;
                    } else if how.meanwhile == Meanwhile::Changes && reading.pages.is_multiple_of(2) {
                        self.change(2).await?;
                        if reading.pages == 2 {
                            self.control.advance(PAUSE_MS).await?;
                        }
                    }
                }
                Step::Rewound => self.cursor.clone_from(&reading.cursor),
                Step::Ended(_, error) => {
                    return Err(Not::Proved(
                        Failure::new(format!("the reading ended with {error}")).seen(watch.shown()),
                    ));
                }
            }
        }
        Err(Not::Proved(Failure::new(format!("no end after {MOST_PAGES} pages")).seen(watch.shown())))
    }
}

/// Rings when a request has been answered, and keeps what passed last.
#[derive(Default)]
struct Watch {
    last: Mutex<VecDeque<Exchange>>,
    /// Answers until the bell rings; none if it is not to ring.
    left: Mutex<Option<u32>>,
    answered: Notify,
}

impl Watch {
    /// The last exchanges, a line each.
    fn shown(&self) -> Vec<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().map(mutate::shown).collect()
    }

    fn disarm(&self) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Rings when so many more requests than one have been answered.
    fn arm(&self, after: u32) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(after);
    }
}

impl Tape for Watch {
    fn exchanged(&self, exchange: egress::Exchange) {
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == SHOWN {
                last.pop_front();
            }
            last.push_back(exchange.into());
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = match *left {
            Some(0) => {
                self.answered.notify_one();
                None
            }
            Some(more) => Some(more - 1),
            None => None,
        };
    }
}
