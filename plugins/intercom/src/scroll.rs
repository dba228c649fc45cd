//! The companies: all of them in every run, by the scroll.
//!
//! A workspace has one scroll at a time, it dies after a minute, and Intercom keeps its place: whoever asks again
//! because an answer was lost gets the rows after it. No token says so. Therefore an answer that did not arrive begins
//! the scan anew, and a scan is believed only if it saw as many companies as there were when it began, or fell short by
//! no more than the scan before it: deletes show by absence, and a page that was lost on the way, by a retry of the
//! host or with a host that died, must not delete a hundred companies.

use syncline_sdk::{Error, Interaction, Page, Response, cursor};

use crate::api::Api;
use crate::cursor::{Scroll, position};
use crate::failure::{self, Refusal};
use crate::model::{Listing, Row};

/// A scroll that nobody uses is gone after a minute.
const MINUTE: u64 = 60;

/// Minutes to wait for somebody else's scroll before that is a failure.
const WAITS: u64 = 10;

/// Answers of the scroll in one page: 100 companies each, of the 1,000 that a page takes.
const ANSWERS: usize = 8;

/// A page this large is given away before it grows beyond what the host takes.
const ENOUGH_BYTES: usize = 2 << 20;

/// Reads a page.
pub(crate) fn fetch(api: &Api<'_>, at: Option<&str>) -> Result<Page, Error> {
    let mut at: Scroll = position(at)?;
    if at.param.is_none() {
        at.expected = expected(api)?;
    }
    let mut records: Vec<Interaction> = Vec::new();
    for _ in 0..ANSWERS {
        let answer = match ask(api, at.param.as_deref()) {
            // What has been read is not read again: give it away, and meet the fault in the next call.
            Err(_) if !records.is_empty() => break,
            answer => answer?,
        };
        match answer {
            Answer::Rows(response) => {
                let listing = Listing::parse(&response)?;
                let rows = listing.rows()?;
                if rows.is_empty() {
                    return end(api, &at, records);
                }
                let Some(param) = &listing.scroll_param else {
                    return Err(Error::Unexpected("a scroll without a token to go on".to_owned()));
                };
                records.extend(rows.iter().map(Row::present));
                at.param = Some(param.clone());
                at.seen += rows.len() as u64;
                at.waits = 0;
            }
            // Some say that a scroll ends like this; the count tells.
            Answer::Gone(_) if at.seen >= at.expected => return end(api, &at, records),
            Answer::Gone(message) => return Err(anew(api, &at, &message)),
            Answer::Occupied(message) if at.waits >= WAITS => return Err(Error::Unavailable(message)),
            Answer::Occupied(_) => {
                at.waits += 1;
                return Ok(Page::wait(cursor::encode(&at), MINUTE));
            }
        }
        if records.iter().map(|record| record.data.len()).sum::<usize>() > ENOUGH_BYTES {
            break;
        }
    }
    Ok(Page::more(records, cursor::encode(&at)))
}

enum Answer {
    Rows(Response),
    /// The scroll is dead, or may be.
    Gone(String),
    /// Another scroll is open, so that ours cannot begin.
    Occupied(String),
}

/// Asks for the next companies.
fn ask(api: &Api<'_>, param: Option<&str>) -> Result<Answer, Error> {
    let response = match api.scroll(param) {
        // Sent, and perhaps counted.
        Err(Error::Unavailable(message)) if param.is_some() => return Ok(Answer::Gone(message)),
        response => response?,
    };
    let message = format!("status {}: {}", response.status, response.excerpt());
    Ok(match response.status {
        400 if param.is_none() && Refusal::of(&response).is("scroll_exists") => Answer::Occupied(message),
        400 | 404 | 408 | 500..=599 if param.is_some() => Answer::Gone(message),
        _ => Answer::Rows(failure::checked(response)?),
    })
}

/// How many companies there are.
fn expected(api: &Api<'_>) -> Result<u64, Error> {
    let response = api.get("/companies", &[("per_page", "1")])?;
    Ok(Listing::parse(&response)?.total().unwrap_or_default())
}

/// The scan has seen all that there is to see.
fn end(api: &Api<'_>, at: &Scroll, records: Vec<Interaction>) -> Result<Page, Error> {
    let gap = at.expected.saturating_sub(at.seen);
    if gap > at.gap {
        let message = format!("it ended after {} of {} companies", at.seen, at.expected);
        return Err(anew(api, &Scroll { gap, ..at.clone() }, &message));
    }
    Ok(Page::done(records, cursor::encode(&Scroll { gap, ..Scroll::default() })).pass_complete())
}

/// Begins the scan again.
fn anew(api: &Api<'_>, at: &Scroll, why: &str) -> Error {
    api.ctx().warn(&format!("the scroll over the companies begins again: {why}"));
    let next = Scroll { gap: at.gap, restarts: at.restarts + 1, ..Scroll::default() };
    Error::CursorExpired(Some(cursor::encode(&next)))
}
