//! Exports by time: organizations and ticket events.
//!
//! A page begins at a second and says the newest second it holds; the next begins there. The second is included, so its
//! rows come again, by design. They are known by a fingerprint of their text: only the very same text is dropped, so
//! nothing is lost where two states of a record share a second.
//!
//! If one second holds more rows than a page, the next page is the same page, for ever. Then the largest page is asked
//! for; if that does not help, `crowd` finds the rest another way before the second is left.

use std::hash::Hasher;

use fnv::FnvHasher;
use serde_json::value::RawValue;
use syncline_sdk::{Error, Interaction, Page, cursor};

use crate::answer::Answer;
use crate::api::Api;
use crate::config::Config;
use crate::crowd;
use crate::cursor::{Since, Time};
use crate::export::{MINUTE, ROWS};
use crate::failure::Failure;
use crate::fitting::{fits, fitting};
use crate::objects::{Object, WayOut};

/// Fingerprints that a cursor of 16 KiB has room for. Of a second with more rows none is remembered: they come twice.
const SEEN: usize = 700;

/// Reads a page.
pub(crate) fn fetch(
    api: &Api<'_>,
    object: &Object,
    way_out: WayOut,
    config: &Config,
    at: Option<&str>,
) -> Result<Page, Error> {
    let at = match at {
        Some(text) => cursor::decode(text)?,
        None => Since::Time(Time { start: config.start()?, seen: Vec::new() }),
    };
    match at {
        Since::Time(at) => read_on(api, object, way_out, config, at),
        Since::List(at) => crowd::list(api, object, at),
        Since::Tickets(at) => crowd::tickets(api, at),
    }
}

/// The cursor that begins at a second.
pub(crate) fn begin(start: u64) -> String {
    cursor::encode(&Since::Time(Time { start, seen: Vec::new() }))
}

/// What a page says besides its records.
struct Seconds {
    /// The newest second in it.
    end: u64,
    end_of_stream: bool,
    /// Zendesk's time, in seconds.
    now: Option<u64>,
    /// The second and the fingerprint of each row.
    prints: Vec<(u64, u64)>,
}

impl Seconds {
    /// Asking again from the newest second would give the same page.
    fn stuck(&self, at: &Time) -> bool {
        !self.end_of_stream && self.end == at.start
    }
}

fn read_on(api: &Api<'_>, object: &Object, way_out: WayOut, config: &Config, at: Time) -> Result<Page, Error> {
    let read = |limit| read(api, object, &at, limit);
    let limit = config.limit(api.ctx(), ROWS);
    let (mut records, mut seconds) = match fitting(limit, read) {
        Ok(page) => page,
        Err(Failure::TooRecent) => return Ok(Page::wait(cursor::encode(&Since::Time(at)), MINUTE)),
        Err(failure) => return Err(failure.into()),
    };
    if seconds.stuck(&at) && limit < ROWS {
        match read(ROWS) {
            Ok((wide, of_wide)) if fits(&wide) => (records, seconds) = (wide, of_wide),
            Ok(_) => {}
            Err(failure) if failure.is_too_large() => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    if seconds.stuck(&at) {
        return Ok(Page::more(records, cursor::encode(&crowd::enter(api, object, way_out, at.start))));
    }
    if !seconds.end_of_stream {
        return Ok(Page::more(records, position(seconds.end, &seconds)));
    }
    // Rows younger than a minute should not be here. Should they be, their second is read once more when it is over.
    let settled = seconds.now.map_or(seconds.end, |now| seconds.end.min(now.saturating_sub(MINUTE)));
    Ok(Page::done(records, position(settled.max(at.start), &seconds)))
}

fn read(api: &Api<'_>, object: &Object, at: &Time, limit: u32) -> Result<(Vec<Interaction>, Seconds), Failure> {
    let mut request = api.get(object.path).query("start_time", at.start.to_string());
    request = request.query("per_page", limit.to_string());
    if object.key == "ticket_events" {
        request = request.query("include", "comment_events");
    }
    let response = Api::send(request)?;
    let answer = Answer::parse(&response)?;
    let rows = answer.rows(object.key)?;
    // Older accounts do not say where the stream ends.
    let end_of_stream = answer.get("end_of_stream")?.unwrap_or(rows.len() < limit as usize);
    let end = answer.get("end_time")?.unwrap_or(at.start).max(at.start);
    let (mut records, mut prints) = (Vec::new(), Vec::new());
    for row in rows {
        let print = fingerprint(row);
        let before = records.len();
        let second = (object.read)(row, &mut records)?;
        if at.seen.contains(&print) {
            records.truncate(before);
        }
        prints.extend(second.map(|second| (second, print)));
    }
    let now = response.date_ms().map(|ms| ms / 1_000);
    Ok((records, Seconds { end, end_of_stream, now, prints }))
}

/// The cursor that begins at a second, some of whose rows have been read.
fn position(start: u64, seconds: &Seconds) -> String {
    let mut seen: Vec<u64> =
        seconds.prints.iter().filter(|(second, _)| *second == start).map(|(_, print)| *print).collect();
    if seen.len() > SEEN {
        seen.clear();
    }
    cursor::encode(&Since::Time(Time { start, seen }))
}

/// Tells a row's text from any other, in 53 bits: more would not survive every reader of JSON.
fn fingerprint(row: &RawValue) -> u64 {
    let mut hasher = FnvHasher::default();
    hasher.write(row.get().as_bytes());
    hasher.finish() >> 11
}
