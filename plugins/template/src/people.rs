//! Reading people.
//!
//! A pass lists everybody who changed since a time, page after page. The next pass begins where this one **began**, not
//! where it ended: by Birch's clock when the first page was answered, less an overlap. Nothing is lost, because
//!
//! - the list is in order of id, so neither equal stamps nor a change shift a row from one page to another;
//! - what changes while a pass runs is stamped after its first page, and is met again by the next pass;
//! - what Birch's index shows late was stamped at most 30 s before, and the next pass reaches back further than that;
//! - time is Birch's alone: the host's clock is never read.
//!
//! A person may come twice. Landing somebody twice does no harm.

use serde::{Deserialize, Serialize};
use syncline_sdk::cursor::{self, Versioned};
use syncline_sdk::{Context, Error, Page, time};

use crate::BASE;
use crate::model::Listing;

/// People that Birch puts on a page at most.
const MAX_LIMIT: u32 = 200;

/// Where a reading stands. Times are milliseconds of Birch's clock.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// Where this pass begins; none in the first one, which reads everybody.
    since: Option<u64>,
    /// Where the next pass begins: set by the first page of this one and kept from then on.
    next: Option<u64>,
    /// Birch's token for the page; none for the first.
    after: Option<String>,
}

impl Versioned for Cursor {
    const VERSION: u32 = 1;
}

/// Reads a page.
pub(crate) fn fetch(ctx: &Context<'_>, overlap_seconds: u64, at: Option<&str>) -> Result<Page, Error> {
    let at: Cursor = at.map_or_else(|| Ok(Cursor::default()), cursor::decode)?;
    let limit = ctx.page_size().unwrap_or(MAX_LIMIT).min(MAX_LIMIT);
    let mut request = ctx.get(format!("{BASE}/v1/people")).query("limit", limit.to_string());
    if let Some(since) = at.since {
        request = request.query("updated_since", time::format_rfc3339_ms(since));
    }
    if let Some(after) = &at.after {
        request = request.query("after", after);
    }
    let response = request.send()?;
    if response.status == 410 && at.after.is_some() {
        // Birch has forgotten the page: this pass again, from its first page.
        let again = Cursor { since: at.since, ..Cursor::default() };
        return Err(Error::CursorExpired(Some(cursor::encode(&again))));
    }
    let response = response.error_for_status()?;
    let listing: Listing<'_> = response.json()?;
    if listing.next.is_some() && listing.next == at.after {
        return Err(Error::Unexpected("a page that names itself as the next one".to_owned()));
    }
    let next = match (at.next, response.date_ms()) {
        (Some(next), _) => next,
        (None, Some(now)) => now.saturating_sub(overlap_seconds.saturating_mul(1_000)),
        (None, None) => return Err(Error::Unexpected("an answer without a Date header".to_owned())),
    };
    let records = listing.records()?;
    Ok(match listing.next {
        Some(after) => {
            let onwards = Cursor { since: at.since, next: Some(next), after: Some(after) };
            Page::more(records, cursor::encode(&onwards))
        }
        None => {
            let page = Page::done(records, cursor::encode(&Cursor { since: Some(next), ..Cursor::default() }));
            if at.since.is_none() { page.pass_complete() } else { page }
        }
    })
}
