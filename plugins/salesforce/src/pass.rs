//! One page of a keyset pass.
//!
//! The position is (stamp, id), and a page is read in two steps: the rest of the rows of the position's second by id,
//! then the seconds after it. The first of them begins at the last row itself, so that its answer has a row in it and
//! cannot be taken for that to the second. So a page may end inside any group of equal stamps, however large, and the next one
//! continues exactly there; a row that changes meanwhile moves to a later second and is met again.
//!
//! The end of the pass, `hi`, is fixed by its first answer. That answer has no upper bound yet, so its rows past `hi`
//! are dropped: this is what lets a sync without news cost a single request.

use syncline_sdk::{Error, Interaction, Page};

use crate::api::{Api, Rows};
use crate::cursor::{Cursor, Pass};
use crate::failure::Failure;
use crate::model::Record;
use crate::objects::Object;
use crate::soql::{self, Lower};

/// Rows of a page unless the host would like fewer: the most it takes.
const PAGE_ROWS: u32 = 1_000;

/// What the records of a page may weigh, with room to the host's 8 MiB.
pub(crate) const PAGE_BYTES: usize = 7 << 20;

/// How long Salesforce keeps deleted rows readable.
const RECYCLE_BIN_SECONDS: u64 = 15 * 86_400;

/// How long a field list is used before the object is described again, so that new fields are noticed.
const FIELDS_MAX_AGE_MS: u64 = 86_400_000;

/// Reads the next page. A pass that has not begun fails with [`Failure::OldFields`] where its fields are old: only an
/// answer tells Salesforce's time.
pub(crate) fn page(api: &Api<'_>, object: &Object, pass: Pass) -> Result<Page, Failure> {
    let usual_limit = api.ctx.page_size().unwrap_or(PAGE_ROWS).min(PAGE_ROWS);
    match read(api, object, pass.clone(), usual_limit) {
        Err(Failure::TooMuch(why)) => {
            let Some(smaller) = pass.shrunk(usual_limit, api.ctx.now_ms() / 1_000) else {
                return Err(Error::Unavailable(format!("a single row is too much: {why}")).into());
            };
            api.ctx.warn(&format!("{}: asking for less at once: {why}", object.name));
            Ok(Page::more(Vec::new(), Cursor::Pass(smaller).text()))
        }
        Err(Failure::Gone(why)) => {
            api.ctx.warn(&format!("{}: back to the beginning of the second: {why}", object.name));
            let again = Pass { last_id: String::new(), ..pass };
            Err(Error::CursorExpired(Some(Cursor::Pass(again).text())).into())
        }
        other => other,
    }
}

fn read(api: &Api<'_>, object: &Object, mut pass: Pass, usual_limit: u32) -> Result<Page, Failure> {
    let limit = pass.limit.unwrap_or(usual_limit).min(usual_limit);
    let fields = pass.selection.fields.to_string();
    let deleted_too = pass.selection.fields.keeps_deleted();
    let may_describe = pass.is_at_rest();
    let mut records = Vec::new();

    let mut lower = Lower::From(pass.from);
    let mut ties_read = true;
    if !pass.last_id.is_empty() {
        let with_last = limit.saturating_add(1);
        let soql = soql::ties(&fields, &object.name, pass.from, &pass.last_id, with_last);
        let mut ties = api.query(&soql, deleted_too)?;
        if ties.records.first().is_some_and(|record| record.interaction.id == pass.last_id) {
            ties.records.remove(0);
        }
        // The last row may have changed and left the second, and then all that were asked for are others.
        ties_read = is_exhausted(&ties, limit);
        check_order(&ties.records, (pass.from, pass.from), Some(&pass.last_id))?;
        fix_end(api, object, &mut pass, &ties);
        ties.records.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        records = ties.records;
        lower = Lower::After(pass.from);
    }

    let mut reached_end = false;
    let mut reached_upper = None;
    if ties_read {
        let room = limit.saturating_sub(u32::try_from(records.len()).unwrap_or(u32::MAX)).max(1);
        let upper = pass.upper();
        let mut rows = api.query(&soql::span(&fields, &object.name, lower, upper, room), deleted_too)?;
        let age_ms = rows.asked_at.saturating_mul(1_000).saturating_sub(pass.selection.described_ms);
        if may_describe && age_ms > FIELDS_MAX_AGE_MS {
            return Err(Failure::OldFields);
        }
        check_order(&rows.records, (lower.first(), upper.unwrap_or(u64::MAX)), None)?;
        let hi = fix_end(api, object, &mut pass, &rows);
        let exhausted = is_exhausted(&rows, room);
        let before = rows.records.len();
        rows.records.retain(|record| record.stamp <= hi);
        reached_end = rows.records.len() < before || (exhausted && upper.is_none_or(|upper| upper >= hi));
        reached_upper = upper.filter(|_| exhausted);
        records.extend(rows.records);
    }

    let cut = cut_to_weight(&mut records);
    let last = records.last().map(|record| (record.stamp, record.interaction.id.clone()));
    let interactions: Vec<Interaction> = records.into_iter().map(|record| record.interaction).collect();
    if reached_end && !cut {
        return Ok(end(api, pass, interactions));
    }
    pass.grow(usual_limit);
    match (reached_upper.filter(|_| !cut), last) {
        // A second is the smallest step there is, so the one after a finished window is its successor.
        (Some(upper), _) => {
            pass.from = upper.saturating_add(1);
            pass.last_id.clear();
            pass.window = pass.window.map(|seconds| seconds.saturating_mul(2));
        }
        (None, Some((stamp, id))) => (pass.from, pass.last_id) = (stamp, id),
        (None, None) => {
            return Err(Error::Unavailable("a query has more rows but gives none".to_owned()).into());
        }
    }
    Ok(Page::more(interactions, Cursor::Pass(pass).text()))
}

/// Whether the query has no more rows. Fewer rows than asked for are no sign of that, unless Salesforce says so too.
fn is_exhausted(rows: &Rows, limit: u32) -> bool {
    rows.done && rows.records.len() < usize::try_from(limit).unwrap_or(usize::MAX)
}

/// The end of the pass, which its first answer decides.
fn fix_end(api: &Api<'_>, object: &Object, pass: &mut Pass, rows: &Rows) -> u64 {
    if let Some(hi) = pass.hi {
        return hi;
    }
    let hi = rows.asked_at.saturating_sub(api.config.settle_seconds);
    pass.hi = Some(hi);
    if !pass.initial && hi.saturating_sub(pass.from) > RECYCLE_BIN_SECONDS {
        api.ctx.warn(&format!(
            "{}: the last sync is more than 15 days back; rows deleted since may have left the recycle bin unseen",
            object.name
        ));
    }
    hi
}

/// A position means nothing unless rows come in order and behind it, so an answer that breaks that is not believed: it
/// is the answer to another question.
fn check_order(records: &[Record], (first, last): (u64, u64), read: Option<&str>) -> Result<(), Error> {
    let mut before = first;
    for record in records {
        if record.stamp < before || record.stamp > last || read == Some(record.interaction.id.as_str()) {
            return Err(Error::Unexpected("rows are not those that were asked for, or not in their order".to_owned()));
        }
        before = record.stamp;
    }
    Ok(())
}

/// Drops what makes the page too heavy, but never the first record; says whether it did.
fn cut_to_weight(records: &mut Vec<Record>) -> bool {
    let mut weight = 0;
    let fits = records.iter().take_while(|record| {
        weight += record.bytes();
        weight <= PAGE_BYTES
    });
    let keep = fits.count().max(1);
    let cut = keep < records.len();
    records.truncate(keep);
    cut
}

/// The last page: the next pass starts an overlap before the end of this one.
fn end(api: &Api<'_>, pass: Pass, interactions: Vec<Interaction>) -> Page {
    let hi = pass.hi.unwrap_or(pass.from);
    let next = Pass::from(pass.selection, hi.saturating_sub(api.config.overlap_seconds));
    let page = Page::done(interactions, Cursor::Pass(next).text());
    if pass.initial { page.pass_complete() } else { page }
}
