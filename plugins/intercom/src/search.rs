//! The life of an object that can be searched.
//!
//! 1. List (contacts only): every contact once, in no promised order, without a time filter.
//! 2. Window: a search for what changed at `since` or later, **oldest first**, page after page by Intercom's place. A
//!    record that changes meanwhile moves to the end and is met again; in any other order it would be lost.
//!
//! A place must be used with the very query it came from, and the first query is sent before anything is known of
//! Intercom's time. So the query has no end: the end `hi` is set by the first answer's `Date`, and the window is over
//! with the first page on which every row is newer. The next window begins one overlap before `hi`, because the index
//! lags. No window is ever cut by the stamps that were read, nor by a clock other than Intercom's.
//!
//! Contacts are filtered by calendar day, in the workspace's time zone, and `>` means "from the day after". Their
//! query therefore begins two days early, and what is older than `since` is dropped here.
//!
//! An object may be read as a whole in every run instead: the list without a window, or a window from the beginning
//! without an end.

use serde_json::{Value, json};
use syncline_sdk::{Error, Interaction, Page, Response, cursor};

use crate::api::{Api, server_time};
use crate::config::Config;
use crate::cursor::{List, Phase, Searched, Window, more, resume};
use crate::details;
use crate::model::Listing;
use crate::objects::Kind;

/// How far the filter of contacts reaches back: a day for its grain, and one for mistaken zones.
const DAYS: u64 = 2 * 86_400;

/// Pages of a search that one call reads for want of a row that is new enough. A call has 20 requests.
const PAGES: usize = 4;

/// What the host takes in a page is 8 MiB.
const PAGE_BYTES: usize = 7 << 20;

/// Reads a page.
pub(crate) fn fetch(api: &Api<'_>, kind: Kind, config: &Config, at: Option<&str>) -> Result<Page, Error> {
    let whole = config.whole(kind.name());
    let start = || Searched { whole, phase: beginning(kind), restarts: 0 };
    let mut at = at.map_or_else(|| Ok(start()), cursor::decode::<Searched>)?;
    if at.whole != whole {
        at = start();
    }
    let reader = Reader { api, kind, config, whole };
    match at.phase {
        Phase::List(list) => reader.list(list, at.restarts),
        Phase::Window(window) => reader.window(window, at.restarts),
    }
}

fn beginning(kind: Kind) -> Phase {
    match kind {
        Kind::Contacts => Phase::List(List::default()),
        Kind::Conversations | Kind::Tickets => Phase::Window(Window::default()),
    }
}

struct Reader<'a> {
    api: &'a Api<'a>,
    kind: Kind,
    config: &'a Config,
    whole: bool,
}

/// What one answer gave.
struct Batch {
    records: Vec<Interaction>,
    /// Of every row, dropped ones included, in order.
    stamps: Vec<u64>,
    after: Option<String>,
    /// Intercom's time, less what settles.
    settled: u64,
}

impl Reader<'_> {
    fn list(&self, list: List, restarts: u64) -> Result<Page, Error> {
        let batch = self
            .read(0, |rows| self.api.contacts(rows, list.after.as_deref()))
            // Keeps t0: what changed since the first attempt is still to be found.
            .map_err(|error| resume(error, || self.at(Phase::List(List { t0: list.t0, after: None }), restarts + 1)))?;
        // The answer is older than its Date, by less than what settles.
        let t0 = list.t0.unwrap_or(batch.settled);
        Ok(match batch.after {
            Some(after) => {
                let next = List { t0: Some(t0), after: Some(after) };
                more(batch.records, &self.at(Phase::List(next), restarts))
            }
            None if self.whole => self.pass_ends(batch.records),
            None => {
                let next = Window { since: t0.saturating_sub(self.config.overlap()), ..Window::default() };
                Page::more(batch.records, cursor::encode(&self.at(Phase::Window(next), 0))).pass_complete()
            }
        })
    }

    fn window(&self, mut window: Window, restarts: u64) -> Result<Page, Error> {
        for page in 1.. {
            let batch = self.read(window.since, |rows| self.search(&window, rows)).map_err(|error| {
                let since = window.since.max(window.at);
                let again = Window { since, hi: window.hi, ..Window::default() };
                resume(error, || self.at(Phase::Window(again), restarts + 1))
            })?;
            let hi = window.hi.unwrap_or(batch.settled);
            let rested = hi.saturating_sub(self.config.overlap());
            let at = in_order(&batch.stamps, window.at, rested)?;
            let newer = !self.whole && batch.stamps.iter().all(|stamp| *stamp >= hi);
            let Some(after) = batch.after.filter(|_| !newer) else {
                if self.whole {
                    return Ok(self.pass_ends(batch.records));
                }
                let next = Window { since: rested.max(window.since), ..Window::default() };
                return Ok(Page::done(batch.records, cursor::encode(&self.at(Phase::Window(next), 0))));
            };
            window = Window { since: window.since, hi: Some(hi), after: Some(after), at };
            if !batch.records.is_empty() || page == PAGES {
                return Ok(more(batch.records, &self.at(Phase::Window(window), restarts)));
            }
        }
        Err(Error::Unexpected("a search without an end".to_owned()))
    }

    /// Asks, for fewer rows at once until they fit: records can be large, and what they lack takes requests.
    fn read(&self, since: u64, ask: impl Fn(u32) -> Result<Response, Error>) -> Result<Batch, Error> {
        let mut rows = self.config.rows(self.api.ctx()).min(details::rows(self.kind, self.config));
        loop {
            match self.attempt(since, rows, &ask) {
                Ok(Some(batch)) => return Ok(batch),
                Ok(None) => {}
                Err(error) if rows > 1 && error.is_too_large() => {}
                Err(error) => return Err(error),
            }
            rows = (rows / 4).max(1);
        }
    }

    /// One request; none if its rows are too many. A single row never is.
    fn attempt(
        &self,
        since: u64,
        rows: u32,
        ask: impl Fn(u32) -> Result<Response, Error>,
    ) -> Result<Option<Batch>, Error> {
        let response = ask(rows)?;
        let listing = Listing::parse(&response)?;
        let all = listing.rows()?;
        let stamps = all.iter().filter_map(|row| row.stamp()).collect();
        let new: Vec<_> = all.into_iter().filter(|row| row.stamp().is_none_or(|stamp| stamp >= since)).collect();
        let Some(records) = details::records(self.api, self.kind, self.config, &new, rows == 1)? else {
            return Ok(None);
        };
        if rows > 1 && records.iter().map(|record| record.data.len()).sum::<usize>() > PAGE_BYTES {
            return Ok(None);
        }
        let settled = server_time(&response)?.saturating_sub(self.config.settle());
        Ok(Some(Batch { records, stamps, after: listing.after()?, settled }))
    }

    fn search(&self, window: &Window, rows: u32) -> Result<Response, Error> {
        let updated = |operator: &str, value: u64| json!({"field": "updated_at", "operator": operator, "value": value});
        let query = match self.kind {
            Kind::Contacts => updated(">", window.since.saturating_sub(DAYS)),
            // Whether `>` includes the second itself is told one way and seen another.
            Kind::Conversations | Kind::Tickets => {
                json!({"operator": "OR", "value": [updated(">", window.since), updated("=", window.since)]})
            }
        };
        let mut pagination = json!({"per_page": rows});
        if let (Some(pagination), Some(after)) = (pagination.as_object_mut(), &window.after) {
            pagination.insert("starting_after".to_owned(), Value::from(after.as_str()));
        }
        let sort = json!({"field": "updated_at", "order": "ascending"});
        let body = json!({"query": query, "pagination": pagination, "sort": sort});
        self.api.search(self.kind.name(), &body, window.after.is_some())
    }

    fn at(&self, phase: Phase, restarts: u64) -> Searched {
        Searched { whole: self.whole, phase, restarts }
    }

    /// The end of a run that read everything; the next one begins anew.
    fn pass_ends(&self, records: Vec<Interaction>) -> Page {
        Page::done(records, cursor::encode(&self.at(beginning(self.kind), 0))).pass_complete()
    }
}

/// The newest stamp of a row that has rested, after one of the page before. Rows that have not may have changed since
/// they were found, but of the others none may come behind a newer one: that would be rows lost.
fn in_order(stamps: &[u64], after: u64, rested: u64) -> Result<u64, Error> {
    stamps.iter().filter(|stamp| **stamp < rested).try_fold(after, |last, stamp| {
        if *stamp < last {
            return Err(Error::Unexpected(format!("a search sorted by stamp shows {stamp} after {last}")));
        }
        Ok(*stamp)
    })
}
