//! The way past a second that holds more rows than an export by time can show.
//!
//! Organizations are read from their list, comments from the tickets that changed since. Both show more than the second
//! holds, each record as it is now: that does no harm. Only then the second is left, and the export goes on from the
//! next one.

use syncline_sdk::{Error, Interaction, Page, cursor};

use crate::answer::Answer;
use crate::api::Api;
use crate::cursor::{Crowd, Since, Tickets};
use crate::failure::Failure;
use crate::fitting::bytes;
use crate::list::{self, ROWS};
use crate::objects::{Object, WayOut};
use crate::record::{self, Commented};
use crate::since::begin;

/// Requests of one page: the host allows 20, and gives some of them to its own retries.
const REQUESTS: u32 = 10;

/// Tickets of one page: a cursor of 16 KiB has room for their ids.
const TICKETS: u32 = 700;

/// Comments of one request. Each holds its text three times.
const COMMENTS: u32 = 25;

/// A page that has so much takes no more.
const ENOUGH_BYTES: usize = 2 << 20;
const ENOUGH_RECORDS: usize = 900;

/// Where the way out begins.
pub(crate) fn enter(api: &Api<'_>, object: &Object, way_out: WayOut, second: u64) -> Since {
    let (from, loss) = match way_out {
        WayOut::List => ("the list", "; those deleted in that second and not shown by the export cannot be found"),
        WayOut::Tickets => ("the tickets that changed since", ""),
    };
    api.ctx().warn(&format!(
        "more {} share the second {second} than the export can show; reading {from} instead{loss}",
        object.name
    ));
    match way_out {
        WayOut::List => Since::List(Crowd { second, after: None, restarts: 0 }),
        WayOut::Tickets => Since::Tickets(Tickets { second, ..Tickets::default() }),
    }
}

/// Reads a page of the list.
pub(crate) fn list(api: &Api<'_>, object: &Object, at: Crowd) -> Result<Page, Error> {
    let path = format!("{}.json", object.name);
    let (records, after) = match list::rows(api, &path, object, ROWS, at.after.as_deref()) {
        Ok(page) => page,
        Err(Failure::Lost(_)) if at.after.is_some() => {
            let again = Since::List(Crowd { after: None, restarts: at.restarts + 1, ..at });
            return Err(Error::CursorExpired(Some(cursor::encode(&again))));
        }
        Err(failure) => return Err(failure.into()),
    };
    Ok(Page::more(
        records,
        match after {
            Some(after) => cursor::encode(&Since::List(Crowd { after: Some(after), ..at })),
            None => begin(at.second + 1),
        },
    ))
}

/// Reads the comments of some tickets.
pub(crate) fn tickets(api: &Api<'_>, mut at: Tickets) -> Result<Page, Error> {
    let mut records = Vec::new();
    for _ in 0..REQUESTS {
        let step = match at.queue.last().copied() {
            Some(ticket) => comments(api, &mut at, ticket, &mut records),
            None if at.ended => return Ok(Page::more(records, begin(at.second + 1))),
            None => more_tickets(api, &mut at),
        };
        match step {
            Ok(()) => {}
            Err(Failure::Lost(_)) => {
                let again = Tickets { second: at.second, restarts: at.restarts + 1, ..Tickets::default() };
                return Err(Error::CursorExpired(Some(cursor::encode(&Since::Tickets(again)))));
            }
            Err(failure) => return Err(failure.into()),
        }
        if records.len() > ENOUGH_RECORDS || bytes(&records) > ENOUGH_BYTES {
            break;
        }
    }
    Ok(Page::more(records, cursor::encode(&Since::Tickets(at))))
}

/// Fills the queue. Whatever commented on a ticket in that second has changed the ticket then, or later.
fn more_tickets(api: &Api<'_>, at: &mut Tickets) -> Result<(), Failure> {
    let request = api.get("incremental/tickets/cursor.json").query("per_page", TICKETS.to_string());
    let response = Api::send(match &at.after {
        Some(after) => request.query("cursor", after),
        None => request.query("start_time", at.second.to_string()),
    })?;
    let answer = Answer::parse(&response)?;
    at.ended = answer.require("end_of_stream")?;
    at.after = answer.get("after_cursor")?.or(at.after.take());
    if at.after.is_none() && !at.ended {
        return Err(Error::Unexpected("an export that has more and does not say where".to_owned()).into());
    }
    for row in answer.rows("tickets")? {
        let ticket = Commented::parse(row)?;
        if ticket.at(at.second) {
            at.queue.push(ticket.id);
        }
    }
    Ok(())
}

fn comments(api: &Api<'_>, at: &mut Tickets, ticket: u64, records: &mut Vec<Interaction>) -> Result<(), Failure> {
    let request = api.list(&format!("tickets/{ticket}/comments.json"), COMMENTS, at.comments_after.as_deref());
    at.comments_after = match Api::send(request) {
        Ok(response) => {
            let answer = Answer::parse(&response)?;
            for row in answer.rows("comments")? {
                records.push(record::comment(row, ticket, None)?);
            }
            answer.next()?
        }
        // Gone since the export showed it.
        Err(Failure::NotFound(_)) => None,
        Err(failure) => return Err(failure),
    };
    if at.comments_after.is_none() {
        at.queue.pop();
    }
    Ok(())
}
