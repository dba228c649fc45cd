//! Exports by cursor: tickets and users.
//!
//! Zendesk's token is a place in the order of (time, id), so rows with one stamp and rows that change while they are
//! paged do no harm; and what changed within the last minute is not shown yet, so nothing comes late. The token is kept
//! for ever, also at the end of the stream, which only says that there is nothing newer now. No row is left out because
//! of its `updated_at`: Zendesk's order is another.

use syncline_sdk::{Error, Page, cursor};

use crate::answer::Answer;
use crate::api::Api;
use crate::config::Config;
use crate::cursor::Export;
use crate::failure::Failure;
use crate::fitting::fitting;
use crate::objects::Object;

/// Rows of a page.
pub(crate) const ROWS: u32 = 1_000;

/// Seconds that a fresh start reaches back behind the newest row.
const OVERLAP: u64 = 120;

/// Seconds until the last minute has become the one before.
pub(crate) const MINUTE: u64 = 60;

/// Where an export stands after a page.
struct Next {
    after: Option<String>,
    end_of_stream: bool,
    last: u64,
}

/// Reads a page.
pub(crate) fn fetch(api: &Api<'_>, object: &Object, config: &Config, at: Option<&str>) -> Result<Page, Error> {
    let at = match at {
        Some(text) => cursor::decode(text)?,
        None => Export { start: config.start()?, ..Export::default() },
    };
    let page = fitting(config.limit(api.ctx(), ROWS), |limit| {
        let request = api.get(object.path).query("per_page", limit.to_string());
        let response = Api::send(match &at.after {
            Some(after) => request.query("cursor", after),
            None => request.query("start_time", at.start.to_string()),
        })?;
        let answer = Answer::parse(&response)?;
        let (mut records, mut last) = (Vec::new(), at.last);
        for row in answer.rows(object.key)? {
            last = last.max((object.read)(row, &mut records)?.unwrap_or_default());
        }
        let end_of_stream = answer.require("end_of_stream")?;
        Ok((records, Next { after: answer.get("after_cursor")?, end_of_stream, last }))
    });
    let (records, next) = match page {
        Ok(page) => page,
        Err(Failure::TooRecent) => return Ok(Page::wait(cursor::encode(&at), MINUTE)),
        Err(Failure::Lost(why)) if at.after.is_some() => {
            api.ctx().warn(&format!("Zendesk no longer takes the cursor; going back to the newest row: {why}"));
            let restart = Export { after: None, start: resume(&at, at.last), restarts: at.restarts + 1, ..at };
            return Err(Error::CursorExpired(Some(cursor::encode(&restart))));
        }
        Err(failure) => return Err(failure.into()),
    };
    let position = match next.after.or_else(|| at.after.clone()) {
        Some(after) => Export { after: Some(after), last: next.last, ..at },
        None if next.end_of_stream => Export { start: resume(&at, next.last), last: next.last, ..at },
        None => return Err(Error::Unexpected("an export that has more and does not say where".to_owned())),
    };
    let position = cursor::encode(&position);
    Ok(if next.end_of_stream { Page::done(records, position) } else { Page::more(records, position) })
}

/// Where to begin without a token.
fn resume(at: &Export, last: u64) -> u64 {
    last.saturating_sub(OVERLAP).max(at.start)
}
