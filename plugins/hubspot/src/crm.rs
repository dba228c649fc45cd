//! The life of a CRM object.
//!
//! 1. Full: the list, in order of id, by HubSpot's token. No cap, no time filter.
//! 2. Incr: a search for what changed in a window of time `lo..hi`, **in order of id**, each page a narrower query for
//!    ids above the last one. HubSpot's own offsets are never used: they shift when a row leaves the set, and end at
//!    10,000. As ids are unique, any number of rows may share a stamp. A row that changes meanwhile moves to a later
//!    window and is met there.
//! 3. Archived: now and then the archived list, which knows no time filter, for the tombstones.
//!
//! The index of the search lags, out of order, so a window begins one overlap before the end of the one before. No
//! window is ever cut by the stamps that were read, nor by a clock other than HubSpot's.

use serde_json::{Value, json};
use syncline_sdk::{Error, Interaction, Page, cursor, time};

use crate::api::{Api, List, server_time};
use crate::config::Config;
use crate::cursor::{Cursor, Full, Walk, Window};
use crate::model::{self, Listing, Row};
use crate::objects::CrmObject;
use crate::properties::{BATCH, Properties};

/// Rows of a list, and of a search.
const LIST_ROWS: u32 = 100;
const SEARCH_ROWS: u32 = 200;

/// What the host takes in a page is 8 MiB and 1,000 records.
const PAGE_BYTES: usize = 7 << 20;
const PAGE_RECORDS: usize = 1_000;

/// Reads a page.
pub(crate) fn fetch(
    api: &Api<'_>,
    object: &'static CrmObject,
    config: &Config,
    at: Option<&str>,
) -> Result<Page, Error> {
    let at = match at {
        Some(text) => cursor::decode(text)?,
        None => Cursor::Full(Full::default()),
    };
    let properties = Properties::new(object.properties(config.extra_properties(object.name)));
    let reader = Reader { api, object, config, properties };
    match at {
        Cursor::Full(full) => reader.full(full),
        Cursor::Incr(window) => reader.window(window),
        Cursor::Archived(walk) => reader.walk(walk),
    }
}

struct Reader<'a> {
    api: &'a Api<'a>,
    object: &'static CrmObject,
    config: &'a Config,
    properties: Properties<'a>,
}

impl Reader<'_> {
    fn full(&self, full: Full) -> Result<Page, Error> {
        let asked = self.properties.in_url();
        let (records, (after, t0)) = fitting(self.limit(LIST_ROWS), |limit| {
            let after = full.list_after.as_deref();
            let list = List { archived: false, properties: &asked.with, limit, after, plain: !asked.by_id };
            let response = self.api.list(self.object.name, &list)?;
            let (records, after) = if asked.by_id {
                let Listing { rows, after, .. } = Listing::parse_list(&response, false)?;
                (self.properties.records(self.api, self.object, &rows)?, after)
            } else {
                model::list_of_records(&response)?
            };
            // The answer is older than its Date, by less than what settles.
            let t0 = match full.t0 {
                Some(t0) => t0,
                None => server_time(&response)?.saturating_sub(self.config.settle_ms()),
            };
            Ok((records, (after, t0)))
        })
        // Keeps t0: what was archived or changed since the first attempt is still to be found.
        .map_err(|error| {
            resume(error, || Cursor::Full(Full { t0: full.t0, list_after: None, restarts: full.restarts + 1 }))
        })?;

        Ok(match after {
            Some(after) => {
                let next = Full { t0: Some(t0), list_after: Some(after), restarts: full.restarts };
                Page::more(records, cursor::encode(&Cursor::Full(next)))
            }
            // What was archived before t0 was never read, so the archived list counts as walked at t0.
            None => Page::more(records, incr(t0.saturating_sub(self.config.overlap_ms()), t0)).pass_complete(),
        })
    }

    fn window(&self, window: Window) -> Result<Page, Error> {
        let asked = self.properties.in_search(|names| self.search(&window, names));
        let max = if asked.by_id { BATCH as u32 } else { SEARCH_ROWS };
        let (records, step) = fitting(self.limit(max), |limit| {
            let mut body = asked.with.clone();
            if let Some(body) = body.as_object_mut() {
                body.insert("limit".to_owned(), limit.into());
            }
            let response = self.api.search(self.object.name, &body)?;
            let now = server_time(&response)?;
            // The first answer tells HubSpot's time, so its query has no end yet: what it shows from beyond the end is
            // met again in the next window.
            let hi = window.hi.unwrap_or_else(|| now.saturating_sub(self.config.settle_ms()));
            if hi <= window.lo {
                return Ok((Vec::new(), Step::NoWidth));
            }
            let Listing { rows, total, .. } = Listing::parse(&response)?;
            let last_id = ascending(&rows, window.last_id)?;
            let records = match asked.by_id {
                true => self.properties.records(self.api, self.object, &rows)?,
                false => model::records(&rows),
            };
            let all = rows.is_empty() || total.is_some_and(|total| total <= rows.len() as u64);
            Ok((records, if all { Step::End { hi, now } } else { Step::Next { hi, last_id } }))
        })?;

        Ok(match step {
            Step::NoWidth => Page::done(records, incr(window.lo, window.walked)),
            Step::Next { hi, last_id } => {
                let next = Window { hi: Some(hi), last_id, ..window };
                Page::more(records, cursor::encode(&Cursor::Incr(next)))
            }
            Step::End { hi, now } => {
                let lo = hi.saturating_sub(self.config.overlap_ms());
                if now.saturating_sub(window.walked) < self.config.archived_every_ms() {
                    return Ok(Page::done(records, incr(lo, window.walked)));
                }
                let walk = Walk { lo, walked: window.walked, started: now, archived_after: None, restarts: 0 };
                Page::more(records, cursor::encode(&Cursor::Archived(walk)))
            }
        })
    }

    fn walk(&self, walk: Walk) -> Result<Page, Error> {
        let since = walk.walked.saturating_sub(self.config.overlap_ms());
        // A survivor that was archived before a search showed it tells of its losers here or nowhere.
        let properties: Vec<&str> = ["hs_object_id"].into_iter().chain(self.object.merges()).collect();
        let properties = properties.join(",");
        let (records, after) = fitting(self.limit(LIST_ROWS), |limit| {
            let after = walk.archived_after.as_deref();
            let list = List { archived: true, properties: &properties, limit, after, plain: false };
            let response = self.api.list(self.object.name, &list)?;
            let Listing { rows, after, .. } = Listing::parse_list(&response, true)?;
            let news = || rows.iter().filter(|row| archived_since(row, since));
            Ok((news().map(Row::tombstone).chain(news().flat_map(Row::losers)).collect(), after))
        })
        .map_err(|error| {
            let again = Walk { archived_after: None, restarts: walk.restarts + 1, ..walk.clone() };
            resume(error, || Cursor::Archived(again))
        })?;

        Ok(match after {
            Some(after) => {
                let next = Walk { archived_after: Some(after), ..walk };
                Page::more(records, cursor::encode(&Cursor::Archived(next)))
            }
            None => Page::done(records, incr(walk.lo, walk.started)),
        })
    }

    /// The next rows of a window, by id; the limit is added when it is sent.
    fn search(&self, window: &Window, properties: &[&str]) -> Value {
        let modified = self.object.modified;
        let mut filters = vec![
            json!({"propertyName": modified, "operator": "GTE", "value": window.lo.to_string()}),
            json!({"propertyName": "hs_object_id", "operator": "GT", "value": window.last_id.to_string()}),
        ];
        if let Some(hi) = window.hi {
            filters.push(json!({"propertyName": modified, "operator": "LT", "value": hi.to_string()}));
        }
        json!({
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": properties,
            "limit": SEARCH_ROWS,
        })
    }

    fn limit(&self, max: u32) -> u32 {
        self.config.limit(self.api.ctx(), max)
    }
}

/// What follows a page of a window.
enum Step {
    /// The window ends where it begins, or before: HubSpot's clock has not moved far enough.
    NoWidth,
    /// More rows match.
    Next { hi: u64, last_id: u64 },
    /// These were all, by HubSpot's time `now`.
    End { hi: u64, now: u64 },
}

fn incr(lo: u64, walked: u64) -> String {
    cursor::encode(&Cursor::Incr(Window::opening(lo, walked)))
}

/// Adds where to go on to an error that says the position is lost.
fn resume(error: Error, position: impl FnOnce() -> Cursor) -> Error {
    match error {
        Error::CursorExpired(None) => Error::CursorExpired(Some(cursor::encode(&position()))),
        other => other,
    }
}

/// The id of the last row. Progress is by id alone, so rows out of order would be rows lost: refuse them.
fn ascending(rows: &[Row<'_>], after: u64) -> Result<u64, Error> {
    rows.iter().try_fold(after, |last, row| match row.number()? {
        id if id > last => Ok(id),
        id => Err(Error::Unexpected(format!("a search by id shows {id} after {last}"))),
    })
}

/// Whether a row was archived at this time or later; one that does not say when counts.
fn archived_since(row: &Row<'_>, since: u64) -> bool {
    row.archived_at().and_then(time::parse_rfc3339_ms).is_none_or(|at| at >= since)
}

/// Reads fewer rows at once until they fit the host's page: records can be large, and merges can be many.
fn fitting<T>(
    mut limit: u32,
    mut read: impl FnMut(u32) -> Result<(Vec<Interaction>, T), Error>,
) -> Result<(Vec<Interaction>, T), Error> {
    loop {
        match read(limit) {
            Ok((records, _)) if limit > 1 && !fits(&records) => {}
            Err(error) if limit > 1 && error.is_too_large() => {}
            result => return result,
        }
        limit = (limit / 4).max(1);
    }
}

fn fits(records: &[Interaction]) -> bool {
    let bytes: usize = records.iter().map(|record| record.data.len()).sum();
    records.len() <= PAGE_RECORDS && bytes <= PAGE_BYTES
}
