//! Nothing is lost between pages and between readings: asked of the synthetic provider itself, while its data changes,
//! and compared with its truth.

use serde_json::{Value as Json, json};

use super::ConformError;
use super::baseline::BETWEEN_MS;
use super::checks::{self, Check, Family};
use super::report::{Failure, Tally};
use super::stage::Stage;
use super::sync::{How, Meanwhile, Not, Sync};
use crate::domain::DeleteMode;
use crate::kit::control::{Control, ControlError};

/// How wrong a host's clock is made.
const SKEW_MS: i64 = 60 * 60 * 1_000;

/// How long before a reading something still changes, in milliseconds: less than that.
const SHORTLY_MS: u64 = 10 * 60 * 1_000;

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
        let records = match (stands_in_the_way(tally, &object.name), control.truth(&object.name).await) {
            (Some(check), _) => Err(format!("no reading has everything, see {}", check.code)),
            (None, Ok(truth)) => Ok(truth.len()),
            (None, Err(ControlError::Refused { text, .. })) => {
                Err(format!("the synthetic provider knows no truth about it: {text}"))
            }
            (None, Err(error)) => return Err(error.into()),
        };
        match records {
            Ok(records) => {
                tell(&format!("{}: changes over time", object.name));
                let mut sync = Sync::new(stage, control, object);
                whole(&mut sync, records, tally).await?;
                incremental(&mut sync, tally).await?;
            }
            Err(why) => {
                let live = checks::ALL.iter().filter(|check| check.family == Family::Paging);
                live.chain([&checks::LARGEST_PAGE]).for_each(|check| tally.skip(check, &object.name, why.as_str()));
            }
        }
    }
    Ok(())
}

/// What has been told of an object already, and would be told again by everything here.
fn stands_in_the_way(tally: &Tally, object: &str) -> Option<&'static Check> {
    let unread = [checks::HOSTS_DECLARED, checks::PAGE_LIMITS, checks::OBJECTS_FETCHABLE];
    let partly = [checks::CURSOR_ADVANCES, checks::MORE_LIE, checks::EMPTY_OBJECT];
    let read = tally.passed(checks::OBJECTS_FETCHABLE, object);
    let mut checks = unread.into_iter().filter(|_| !read).chain(partly);
    checks.find(|check| tally.failed(check, object))
}

/// Readings from the very beginning.
async fn whole(sync: &mut Sync<'_>, records: usize, tally: &mut Tally) -> Result<(), ConformError> {
    sync.case(checks::FIRST_READING, tally, async |sync| sync.read(sync.usual()).await).await?;
    sync.case(checks::KILLED, tally, async |sync| {
        sync.forget();
        sync.read(How { meanwhile: Meanwhile::Kills, ..sync.usual() }).await
    })
    .await?;
    let (_, knobs) = capped(sync);
    sync.case_with(knobs, checks::RESULT_CAP, tally, async |sync| {
        sync.forget();
        sync.read(sync.usual()).await
    })
    .await?;
    for page_size in [if records <= FEW_RECORDS { 1 } else { 7 }, 1_000] {
        sync.case(checks::LARGEST_PAGE, tally, async |sync| {
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

/// Readings that go on from the one before.
async fn incremental(sync: &mut Sync<'_>, tally: &mut Tally) -> Result<(), ConformError> {
    let few = few(sync);
    let changes = sync.case(checks::CHANGES, tally, async |sync| {
        sync.change(3).await?;
        sync.later_and_read(sync.usual()).await
    });
    if !changes.await? {
        let others = [checks::EQUAL_STAMPS, checks::CHANGING, checks::INDEX_LAG, checks::CLOCK_SKEW, checks::DELETES];
        let why = "the next reading does not have what changed, see SY-1402";
        others.iter().for_each(|check| tally.skip(check, &sync.object.name, why));
        return Ok(());
    }
    sync.case(checks::CHANGING, tally, async |sync| {
        sync.update(few * 3).await?;
        sync.later_and_read(How { meanwhile: Meanwhile::Changes, ..sync.usual() }).await?;
        sync.later_and_read(sync.usual()).await
    })
    .await?;
    sync.case(checks::CHANGING, tally, async |sync| {
        sync.forget();
        sync.read(How { meanwhile: Meanwhile::Changes, ..sync.usual() }).await?;
        sync.later_and_read(sync.usual()).await
    })
    .await?;
    for skew_ms in [SKEW_MS, -SKEW_MS] {
        sync.case(checks::CLOCK_SKEW, tally, async |sync| {
            sync.change(2).await?;
            sync.later_and_read(How { skew_ms, ..sync.usual() }).await?;
            // Long before a reading, and shortly before it.
            sync.change(2).await?;
            sync.control.advance(BETWEEN_MS).await?;
            sync.change(2).await?;
            sync.control.advance(SHORTLY_MS).await?;
            sync.read(How { skew_ms, ..sync.usual() }).await?;
            sync.later_and_read(How { skew_ms, ..sync.usual() }).await
        })
        .await?;
    }
    // The first reading may go another way than the ones that ask for what changed.
    let (cap, knobs) = capped(sync);
    sync.case_with(knobs, checks::RESULT_CAP, tally, async |sync| {
        sync.update(cap * 2).await?;
        sync.later_and_read(sync.usual()).await
    })
    .await?;
    deletes(sync, tally).await?;
    index_lag(sync, tally).await?;
    // Comes last, because equal stamps stay.
    sync.case(checks::EQUAL_STAMPS, tally, async |sync| {
        sync.act("mass-update", json!({ "count": few * 5 / 2 })).await?;
        sync.later_and_read(sync.usual()).await
    })
    .await?;
    Ok(())
}

async fn deletes(sync: &mut Sync<'_>, tally: &mut Tally) -> Result<(), ConformError> {
    if sync.object.deletes == DeleteMode::None {
        tally.skip(checks::DELETES, &sync.object.name, "the object says that deletes do not show");
        return Ok(());
    }
    sync.case(checks::DELETES, tally, async |sync| {
        for _ in 0..3 {
            sync.act("delete", json!({})).await?;
        }
        sync.later_and_read(sync.usual()).await
    })
    .await?;
    Ok(())
}

/// A provider that shows changes late.
async fn index_lag(sync: &mut Sync<'_>, tally: &mut Tally) -> Result<(), ConformError> {
    let lag = sync.stage.subject.index_lag_ms;
    if lag == 0 {
        tally.skip(checks::INDEX_LAG, &sync.object.name, "`index_lag_ms` is 0 in [test]");
        return Ok(());
    }
    let knobs = [json!({ "index_lag_ms": lag }), json!({ "index_lag_ms": 0 })];
    // Where transactions show late instead of a search; not every provider has both.
    let off = sync.control.standing(json!({ "late_commit_ms": 0 })).await?;
    let _ = sync.control.turn(json!({ "late_commit_ms": lag })).await;
    let done = sync.case_with(knobs, checks::INDEX_LAG, tally, async |sync| {
        sync.change(6).await?;
        sync.control.advance(1_000).await?;
        sync.read(sync.usual()).await?;
        sync.control.advance(lag / 2).await?;
        sync.change(3).await?;
        sync.read(sync.usual()).await?;
        sync.later_and_read(sync.usual()).await
    });
    let done = done.await;
    let _ = sync.control.turn(off).await;
    done
}

/// Results that the provider gives for one query when it has a cap, and the knob for it, turned on and off.
fn capped(sync: &Sync<'_>) -> (u64, [Json; 2]) {
    let cap = few(sync) * 3;
    (cap, [json!({ "result_cap": cap }), json!({ "result_cap": Json::Null })])
}

/// Records in a page.
fn few(sync: &Sync<'_>) -> u64 {
    u64::from(sync.stage.page_size().max(1))
}
