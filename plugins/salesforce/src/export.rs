//! The first sync of a large object: a bulk job, polled, then read set by set.
//!
//! Its rows are unsorted and its result lives for seven days at most. Whatever becomes of the job, the cure is the same:
//! start over, since rows are keyed by id and coming twice does them no harm. After the job the rows that changed while
//! it ran are read by a pass that starts before the job did.

use syncline_sdk::{Error, Page};

use crate::api::{Api, ResultSet};
use crate::cursor::{Cursor, Export, Pass, Selection};
use crate::failure::Failure;
use crate::model::Record;
use crate::objects::Object;
use crate::pass::PAGE_BYTES;
use crate::soql;

/// Jobs that may come to nothing before the object is read without one.
pub(crate) const MAX_ATTEMPTS: u32 = 3;

/// Polls before a job counts as dead: with pauses of up to a minute, more than a day.
const MAX_POLLS: u32 = 2_000;

/// Rows of a set, at most: the host's limit for a page.
const MAX_ROWS: u32 = 1_000;

/// Seconds between polls: short at first, since most jobs take seconds.
fn pause(polls: u32) -> u64 {
    u64::from(polls).saturating_add(1).saturating_mul(5).min(60)
}

/// Creates the job; fails with [`Failure::NoBulk`] where the object has no bulk access.
pub(crate) fn start(api: &Api<'_>, object: &Object, selection: Selection, attempts: u32) -> Result<Page, Failure> {
    let soql = soql::everything(&selection.fields.to_string(), &object.name);
    let job = api.create_job(&soql, selection.fields.keeps_deleted())?;
    let export = Export {
        selection,
        since: job.created()?.saturating_sub(api.config.overlap_seconds),
        job: job.id,
        ready: false,
        locator: None,
        rows: api.config.bulk_page.clamp(1, MAX_ROWS),
        polls: 0,
        attempts,
    };
    Ok(Page::wait(Cursor::Export(export).text(), pause(0)))
}

/// Polls the job or reads its next set.
pub(crate) fn page(api: &Api<'_>, object: &Object, mut export: Export) -> Result<Page, Failure> {
    if !export.ready {
        match poll(api, &export) {
            Ok(true) => export.ready = true,
            Ok(false) => {
                export.polls += 1;
                let seconds = pause(export.polls);
                return Ok(Page::wait(Cursor::Export(export).text(), seconds));
            }
            Err(Failure::Gone(why)) => return Err(start_over(api, object, &export, &why).into()),
            Err(failure) => return Err(failure),
        }
    }
    match next_set(api, object, &mut export) {
        Ok(set) => Ok(serve(export, set)),
        Err(Failure::Gone(why)) => Err(start_over(api, object, &export, &why).into()),
        Err(failure) => Err(failure),
    }
}

/// Whether the result is there; a job that will never have one is gone.
fn poll(api: &Api<'_>, export: &Export) -> Result<bool, Failure> {
    let job = api.job(&export.job)?;
    match job.state.as_str() {
        "JobComplete" => Ok(true),
        "UploadComplete" | "InProgress" if export.polls >= MAX_POLLS => {
            Err(Failure::Gone(format!("still {} after {MAX_POLLS} polls", job.state)))
        }
        "UploadComplete" | "InProgress" => Ok(false),
        "Failed" | "Aborted" => {
            Err(Failure::Gone(format!("{}: {}", job.state, job.error.unwrap_or_else(|| "no reason given".to_owned()))))
        }
        other => Err(Error::Unexpected(format!("bulk job in unknown state {other:?}")).into()),
    }
}

/// The next set, asked for in smaller parts as long as it is too heavy: a locator stands for a place in the result, so
/// the same place can be read again.
fn next_set(api: &Api<'_>, object: &Object, export: &mut Export) -> Result<ResultSet, Failure> {
    loop {
        let fields = &export.selection.fields;
        let set = api.results(&export.job, export.locator.as_deref(), export.rows, &object.name, fields);
        let too_heavy = match &set {
            Ok(set) => set.records.iter().map(Record::bytes).sum::<usize>() > PAGE_BYTES,
            Err(Failure::TooMuch(_)) => true,
            Err(_) => false,
        };
        if !too_heavy || export.rows == 1 {
            return set;
        }
        export.rows = (export.rows / 2).max(1);
    }
}

fn serve(export: Export, set: ResultSet) -> Page {
    let interactions = set.records.into_iter().map(|record| record.interaction).collect();
    let next = match set.next {
        Some(locator) => Cursor::Export(Export { locator: Some(locator), ..export }),
        None => {
            let pass = Pass::initial(export.selection, export.since);
            Cursor::Pass(Pass { served_job: Some(export.job), ..pass })
        }
    };
    Page::more(interactions, next.text())
}

/// The host goes on from the very beginning of the first sync, which remembers how often that has happened.
fn start_over(api: &Api<'_>, object: &Object, export: &Export, why: &str) -> Error {
    api.ctx.warn(&format!("{}: bulk job {} came to nothing: {why}", object.name, export.job));
    Error::CursorExpired(Some(Cursor::Start { attempts: export.attempts.saturating_add(1) }.text()))
}
