//! Nothing is lost between pages and between readings: asked of the synthetic provider itself, while its data changes,
//! and compared with its truth.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use super::baseline::BETWEEN_MS;
use super::checks::{self, Check};
use super::report::{Failure, Tally};
use super::stage::Stage;
use super::{ConformError, mutate};
use crate::connector::Moment;
use crate::domain::{Cursor, DeleteMode, ObjectType, SyncMode};
use crate::egress::{self, Tape};
use crate::kit::cassette::record::Recorder;
use crate::kit::control::{Control, ControlError};
use crate::kit::reading::{Reading, Step, Table};
use crate::kit::truth;

/// Pages of one reading at most.
const MOST_PAGES: u32 = 3_000;

/// How wrong a host's clock is made.
const SKEW_MS: u64 = 60 * 60 * 1_000;

/// An account with more records is not read a record at a time.
const FEW_RECORDS: usize = 250;

pub(super) async fn judge(
    stage: &Stage<'_>,
    control: &Control,
    tally: &mut Tally,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<(), ConformError> {
    let line = stage.live(stage.moment, stage.page_size(), None).await?;
    let listed = line.discover().await.0.unwrap_or_default();
    let wanted = &stage.subject.objects;
    for object in listed.iter().filter(|object| wanted.is_empty() || wanted.contains(&object.name)) {
        tell(&format!("{}: changes over time", object.name));
        let mut sync = Sync { stage, control, object, table: Table::default(), cursor: None };
        sync.prove(tally).await?;
    }
    Ok(())
}

/// What happens while a reading goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    Changes,
    Kills,
}

/// An object that is kept in step with the provider.
struct Sync<'a> {
    stage: &'a Stage<'a>,
    control: &'a Control,
    object: &'a ObjectType,
    table: Table,
    cursor: Option<Cursor>,
}

/// How one reading is done.
#[derive(Clone, Copy)]
struct How {
    page_size: u32,
    meanwhile: Meanwhile,
    /// The guest's clock, against the provider's.
    skew_ms: i64,
}

impl Sync<'_> {
    async fn prove(&mut self, tally: &mut Tally) -> Result<(), ConformError> {
        let few = u64::from(self.stage.page_size().max(1));
        self.case(checks::FIRST_READING, tally, async |sync| {
            sync.forget();
            sync.read(sync.usual()).await
        })
        .await?;
        if self.cursor.is_none() {
            // It cannot be read at all, which has been told; the rest would say the same.
            return Ok(());
        }
        self.case(checks::CHANGES, tally, async |sync| {
            sync.change(3).await?;
            sync.later_and_read(sync.usual()).await
        })
        .await?;
        self.case(checks::EQUAL_STAMPS, tally, async |sync| {
            sync.act("mass-update", json!({ "count": few * 5 / 2 })).await?;
            sync.later_and_read(sync.usual()).await
        })
        .await?;
        self.case(checks::CHANGING, tally, async |sync| {
            sync.act("mass-update", json!({ "count": few * 3 })).await?;
            sync.later_and_read(How { meanwhile: Meanwhile::Changes, ..sync.usual() }).await?;
            sync.later_and_read(sync.usual()).await
        })
        .await?;
        self.case(checks::CHANGING, tally, async |sync| {
            sync.forget();
            sync.read(How { meanwhile: Meanwhile::Changes, ..sync.usual() }).await?;
            sync.later_and_read(sync.usual()).await
        })
        .await?;
        self.case(checks::KILLED, tally, async |sync| {
            sync.forget();
            sync.read(How { meanwhile: Meanwhile::Kills, ..sync.usual() }).await
        })
        .await?;
        for skew_ms in [SKEW_MS.cast_signed(), -SKEW_MS.cast_signed()] {
            self.case(checks::CLOCK_SKEW, tally, async |sync| {
                sync.change(2).await?;
                sync.later_and_read(How { skew_ms, ..sync.usual() }).await?;
                sync.change(2).await?;
                sync.later_and_read(How { skew_ms, ..sync.usual() }).await
            })
            .await?;
        }
        self.deletes(tally).await?;
        self.result_cap(few, tally).await?;
        self.index_lag(tally).await?;
        let records = self.control.truth(&self.object.name).await?.len();
        for page_size in [if records <= FEW_RECORDS { 1 } else { 7 }, 1_000] {
            self.case(checks::LARGEST_PAGE, tally, async |sync| {
                sync.forget();
                sync.read(How { page_size, ..sync.usual() }).await.map_err(|not| match not {
                    Not::Proved(failure) => {
                        Not::Proved(Failure { reason: format!("page size {page_size}: {}", failure.reason), ..failure })
                    }
                    other => other,
                })
            })
            .await?;
        }
        Ok(())
    }

    async fn deletes(&mut self, tally: &mut Tally) -> Result<(), ConformError> {
        if self.object.deletes == DeleteMode::None {
            tally.skip(checks::DELETES, &self.object.name, "the object says that deletes do not show");
            return Ok(());
        }
        self.case(checks::DELETES, tally, async |sync| {
            for _ in 0..3 {
                sync.act("delete", json!({})).await?;
            }
            sync.later_and_read(sync.usual()).await
        })
        .await
    }

    /// A provider that gives no more than a few pages for one query.
    async fn result_cap(&mut self, few: u64, tally: &mut Tally) -> Result<(), ConformError> {
        if !self.turned(checks::RESULT_CAP, json!({ "result_cap": few * 3 }), tally).await? {
            return Ok(());
        }
        self.case(checks::RESULT_CAP, tally, async |sync| {
            sync.forget();
            sync.read(sync.usual()).await?;
            // The first reading may go another way than the ones that ask for what changed.
            match sync.act("mass-update", json!({ "count": few * 5 })).await {
                Err(Not::Possible(_)) => Ok(()),
                changed => {
                    changed?;
                    sync.later_and_read(sync.usual()).await
                }
            }
        })
        .await?;
        Ok(self.control.turn(json!({ "result_cap": Json::Null })).await?)
    }

    /// A provider that shows changes late.
    async fn index_lag(&mut self, tally: &mut Tally) -> Result<(), ConformError> {
        let lag = self.stage.subject.index_lag_ms;
        if lag == 0 {
            tally.skip(checks::INDEX_LAG, &self.object.name, "`index_lag_ms` is 0 in [test]");
            return Ok(());
        }
        if !self.turned(checks::INDEX_LAG, json!({ "index_lag_ms": lag }), tally).await? {
            return Ok(());
        }
        // Where transactions show late instead of a search; not every provider has both.
        let _ = self.control.turn(json!({ "late_commit_ms": lag })).await;
        self.case(checks::INDEX_LAG, tally, async |sync| {
            sync.change(6).await?;
            sync.control.advance(1_000).await?;
            sync.read(sync.usual()).await?;
            sync.control.advance(lag / 2).await?;
            sync.change(3).await?;
            sync.read(sync.usual()).await?;
            sync.later_and_read(sync.usual()).await
        })
        .await?;
        let _ = self.control.turn(json!({ "late_commit_ms": 0 })).await;
        Ok(self.control.turn(json!({ "index_lag_ms": 0 })).await?)
    }

    /// Turns a knob; tells where the provider has none.
    async fn turned(&self, check: &'static Check, knobs: Json, tally: &mut Tally) -> Result<bool, ConformError> {
        match self.control.turn(knobs).await {
            Ok(()) => Ok(true),
            Err(ControlError::Refused { text, .. }) => {
                tally.skip(check, &self.object.name, format!("the synthetic provider cannot do that: {text}"));
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Runs a case and compares with the truth. After a failure everything is read anew, so that the next case begins
    /// in step.
    async fn case(
        &mut self,
        check: &'static Check,
        tally: &mut Tally,
        run: impl AsyncFnOnce(&mut Self) -> Result<(), Not>,
    ) -> Result<(), ConformError> {
        let outcome = match run(self).await {
            Ok(()) => {
                let truth = self.control.truth(&self.object.name).await?;
                let found = truth::compare(&self.table, &truth, self.object.deletes);
                if found.none() { Ok(()) } else { Err(Failure::new(found.to_string())) }
            }
            Err(Not::Proved(failure)) => Err(failure),
            Err(Not::Possible(why)) => {
                tally.skip(check, &self.object.name, why);
                return Ok(());
            }
            Err(Not::Reachable(error)) => return Err(error),
        };
        let failed = outcome.is_err();
        tally.case(check, &self.object.name, outcome);
        if failed {
            self.control.advance(BETWEEN_MS).await?;
            self.forget();
            // If that fails as well it has been told already.
            let _ = self.read(self.usual()).await;
        }
        Ok(())
    }

    fn usual(&self) -> How {
        How { page_size: self.stage.page_size(), meanwhile: Meanwhile::Nothing, skew_ms: 0 }
    }

    /// Begins anew.
    fn forget(&mut self) {
        self.table = Table::default();
        self.cursor = None;
    }

    async fn act(&self, action: &str, more: Json) -> Result<(), Not> {
        match self.control.act(action, &self.object.name, more).await {
            Ok(_) => Ok(()),
            Err(error @ ControlError::Refused { .. }) => Err(Not::Possible(crate::domain::chain(&error))),
            Err(error) => Err(Not::Reachable(error.into())),
        }
    }

    /// Creates one record and updates so many, where records change at all.
    async fn change(&self, updates: usize) -> Result<(), Not> {
        self.act("create", json!({ "count": 1 })).await?;
        for _ in 0..updates {
            match self.act("update", json!({})).await {
                Err(Not::Possible(_)) => break,
                done => done?,
            }
        }
        Ok(())
    }

    async fn later_and_read(&mut self, how: How) -> Result<(), Not> {
        self.control.advance(BETWEEN_MS).await?;
        self.read(how).await
    }

    /// Reads to the end and lands what comes.
    async fn read(&mut self, how: How) -> Result<(), Not> {
        let now_ms = self.control.status().await?.now_ms;
        let moment = Moment { now_ms: now_ms.saturating_add_signed(how.skew_ms), seed: now_ms };
        let watch = Arc::new(Watch::default());
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
                    self.table.land(&page);
                    let full = self.object.mode == SyncMode::Full;
                    if page.pass_complete || (full && !page.more) {
                        self.table.pass_ends(self.object.deletes == DeleteMode::ByAbsence);
                    }
                    self.cursor = Some(page.cursor.clone());
                    if !page.more {
                        return Ok(());
                    }
                    if let Some(seconds) = page.wait_seconds {
                        self.control.advance(seconds * 1_000).await?;
                    } else if how.meanwhile == Meanwhile::Changes && reading.pages.is_multiple_of(2) {
                        self.change(2).await?;
                    }
                }
                Step::Rewound => self.cursor.clone_from(&reading.cursor),
                Step::Ended(_, error) => {
                    let lines = watch.recorder.take().iter().rev().take(4).rev().map(mutate::shown).collect();
                    return Err(Not::Proved(Failure::new(format!("the reading ended with {error}")).seen(lines)));
                }
            }
        }
        Err(Not::Proved(Failure::new(format!("no end after {MOST_PAGES} pages"))))
    }
}

/// Why a case does not hold, or was not looked at.
enum Not {
    Proved(Failure),
    Possible(String),
    Reachable(ConformError),
}

impl From<ControlError> for Not {
    fn from(error: ControlError) -> Self {
        Self::Reachable(error.into())
    }
}

/// Rings when a request has been answered, and keeps what passed.
#[derive(Default)]
struct Watch {
    recorder: Recorder,
    /// Answers until the bell rings; none if it is not to ring.
    left: Mutex<Option<u32>>,
    answered: Notify,
}

impl Watch {
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
        self.recorder.exchanged(exchange);
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
